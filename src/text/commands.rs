//! Commands of referee's own within a text: the source that they are about.

use super::operand;

/// Puts a source into the commands of a text, which say SOURCE for it: `` `referee fate SOURCE users` ``.
pub fn with_source(text: &str, source: &str) -> String {
    const COMMAND: &str = "referee ";
    const PLACE: &str = " SOURCE";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(COMMAND) {
        let (before, found) = rest.split_at(at);
        let (begin, after) = found.split_at(COMMAND.len());
        out.push_str(before);
        out.push_str(begin);
        rest = after;
        // One or two words name the verb: `baseline write`.
        let place = rest.find(PLACE).filter(|&at| {
            let verb = rest.get(..at).unwrap_or_default();
            let next = rest.get(at + PLACE.len()..).and_then(|r| r.chars().next());
            verb.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '-' | ' '))
                && verb.split(' ').count() <= 2
                && !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
        });
        if let Some(place) = place {
            let (verb, after) = rest.split_at(place);
            out.push_str(&format!("{verb} {}", operand(source)));
            rest = after.get(PLACE.len()..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_place_of_the_source_is_filled() {
        let of = |text: &str| with_source(text, "my shop.db");
        assert_eq!(
            of("`referee fate SOURCE users`, then `referee fix SOURCE --root=users`"),
            "`referee fate 'my shop.db' users`, then `referee fix 'my shop.db' --root=users`"
        );
        assert_eq!(of("`referee baseline write SOURCE -o x`"), "`referee baseline write 'my shop.db' -o x`");
        for same in [
            "table SOURCE",
            "`referee fate SOURCES`",
            "referee says that `SOURCE` is a table",
            "`referee fate SOURCE",
            "",
        ] {
            let said = of(same);
            assert!(said == same || same.ends_with("fate SOURCE"), "{said}");
        }
    }
}
