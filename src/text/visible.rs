//! Text for a terminal or a page: what cannot be seen is written out.

/// Tells whether a character commands a terminal or makes its neighbours appear in another order (Unicode Standard Annex 9,
/// 2): what is shown is then not what is there.
pub fn commands_terminal(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{061c}')
}

/// Tells whether a character takes no room, so that two names that differ look alike (general category Cf, the separators
/// of lines, fillers, tags).
fn unseen(c: char) -> bool {
    matches!(
        c,
        '\u{00ad}'
            | '\u{034f}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200d}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{2060}'..='\u{2065}'
            | '\u{206a}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Writes out, as `\u{202e}`, what commands a terminal, reorders a line or is not seen. Line breaks and tabs stay.
pub fn visible(text: &str) -> String {
    written_out(text, |c| commands_terminal(c) || unseen(c))
}

/// The same for a name or a value that stands within a line: line breaks and tabs are written out, too.
pub fn one_line(text: &str) -> String {
    written_out(text, |c| c.is_control() || commands_terminal(c) || unseen(c))
}

fn written_out(text: &str, out: impl Fn(char) -> bool) -> String {
    if !text.contains(&out) {
        return text.to_string();
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' if out(c) => shown.push_str("\\n"),
            '\r' if out(c) => shown.push_str("\\r"),
            '\t' if out(c) => shown.push_str("\\t"),
            c if out(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// Writes out the same characters in a JSON document, by JSON's own escape, which a reader takes for the character itself
/// (RFC 8259, 7). Outside of strings there are none.
pub fn in_json(document: &str) -> String {
    let out = |c: char| commands_terminal(c) || unseen(c);
    if !document.contains(out) {
        return document.to_string();
    }
    let mut written = String::with_capacity(document.len() + 8);
    for c in document.chars() {
        if out(c) {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| written.push_str(&format!("\\u{unit:04x}")));
        } else {
            written.push(c);
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_a_terminal_or_is_not_seen_is_written_out() {
        assert_eq!(visible("a\u{1b}[31mb\u{9b}2J\u{7f}\r"), "a\\u{1b}[31mb\\u{9b}2J\\u{7f}\\r");
        assert_eq!(visible("us\u{202e}ers\u{200b}"), "us\\u{202e}ers\\u{200b}");
        assert_eq!(visible("größe 日本\n\tx"), "größe 日本\n\tx");
        assert_eq!(one_line("a\nb\tc"), "a\\nb\\tc");
    }

    #[test]
    fn json_reads_back_as_it_was() {
        let name = "a\u{1b}\u{7f}\u{85}\u{202e}\u{e0041}b";
        let written = in_json(&serde_json::to_string(name).unwrap());
        assert!(!written.contains(|c: char| !c.is_ascii_graphic()), "{written}");
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), name);
    }
}
