//! Foreign text in SQL that a person or a tool runs: in a comment, and in a block of PL/pgSQL.

/// What migration tools, psql, and referee itself read in comments. One word of it at the beginning of a line is enough:
/// goose `+goose`, dbmate `migrate:`, sqlx `no-transaction`, Atlas `atlas:`, pop and others `+`, referee `referee:`; Drizzle
/// splits at `--> statement-breakpoint` wherever it stands.
const MARKS: &[&str] = &["+", "migrate:", "no-transaction", "atlas:", "referee:", "statement-breakpoint"];

/// Writes a text so that it stays one line of a comment, and no tool takes it for a mark of its own. The two dashes are the
/// caller's.
pub fn comment(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(super::one_line).collect();
    disarmed(&words.join(" "))
}

/// Writes out the first character of a mark.
fn disarmed(line: &str) -> String {
    // Nothing is taken out of a comment: what is written out is still read.
    let line =
        line.replace("-->", "--\\u{3e}").replace("/*", "/\\u{2a}").replace("*/", "*\\u{2f}").replace("${", "$\\u{7b}");
    let is_mark = MARKS.iter().any(|m| line.get(..m.len()).is_some_and(|head| head.eq_ignore_ascii_case(m)));
    match line.chars().next().filter(|_| is_mark) {
        Some(first) => format!("{}{}", first.escape_unicode(), &line[first.len_utf8()..]),
        None => line,
    }
}

/// The quotes of every block that referee writes.
const QUOTES: &str = "$referee$";

/// Gives a block that was written between `$referee$` other dollar quotes if its text holds these: a name could end it.
pub fn closed(block: String) -> String {
    let inside = block.strip_prefix("DO ").and_then(|b| b.strip_prefix(QUOTES)?.strip_suffix(QUOTES));
    match inside.filter(|body| body.contains(QUOTES)) {
        Some(body) => do_block("", body),
        None => block,
    }
}

/// Writes an anonymous block, between dollar quotes that its text does not hold.
pub fn do_block(options: &str, body: &str) -> String {
    let holds = |tag: &str| options.contains(tag) || body.contains(tag);
    let tag = (0..).map(|n| if n == 0 { QUOTES.to_string() } else { format!("$referee{n}$") }).find(|tag| !holds(tag));
    let tag = tag.unwrap_or_default();
    format!("DO {tag}{options}{body}{tag}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_one_line_and_no_mark() {
        assert_eq!(comment("a\nDROP TABLE x;\r\u{1b}[2J  b"), "a DROP TABLE x; \\u{1b}[2J b");
        for mark in
            ["+goose Down", "migrate:down", "MIGRATE:up", "referee: ignore x", "atlas:txmode none", "no-transaction"]
        {
            let written = comment(mark);
            assert!(written.starts_with("\\u{"), "{written}");
        }
        assert!(!comment("a --> statement-breakpoint").contains("-->"));
        assert_eq!(comment("Adds the key of `orders`"), "Adds the key of `orders`");
    }

    #[test]
    fn a_name_cannot_end_its_block() {
        assert_eq!(do_block(" ", "BEGIN END "), "DO $referee$ BEGIN END $referee$");
        let other = closed("DO $referee$ BEGIN SELECT \"a$referee$b\"; END $referee$".to_string());
        assert_eq!(other, "DO $referee1$ BEGIN SELECT \"a$referee$b\"; END $referee1$");
        let block = do_block(" ", "BEGIN SELECT \"a$referee$; DROP TABLE x\"; END ");
        assert!(block.starts_with("DO $referee1$") && block.ends_with("$referee1$"), "{block}");
    }
}
