//! Defaults that are one plain literal: what they are is known without asking the database to work them out.

use super::Column;

impl Column {
    /// Returns the default if it is one number or string, without parentheses and cast.
    pub fn literal_default(&self) -> Option<&str> {
        self.default.as_deref().map(bare_literal).filter(|default| is_literal(default))
    }
}

/// Takes parentheses and a cast off a default: `('0'::text)` is `'0'`.
pub(crate) fn bare_literal(text: &str) -> &str {
    let mut text = text.trim();
    while let Some(inner) = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
        text = inner.trim();
    }
    match text.split_once("::") {
        Some((literal, _)) if !literal.contains("'") || literal.ends_with('\'') => {
            literal.trim().trim_matches(['(', ')'])
        }
        _ => text,
    }
}

/// Tells whether a text is one plain literal: a number or a string.
pub(crate) fn is_literal(text: &str) -> bool {
    let number = !text.is_empty() && text.parse::<f64>().is_ok();
    let string =
        text.len() >= 2 && text.starts_with('\'') && text.ends_with('\'') && !text[1..text.len() - 1].contains('\'');
    number || string
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_is_a_literal_without_its_cast() {
        assert_eq!(bare_literal("('0'::text)"), "'0'");
        assert_eq!(bare_literal("(0)"), "0");
        assert_eq!(bare_literal("'a::b'"), "'a::b'");
        assert!(is_literal("-1") && is_literal("''") && is_literal("0"));
        assert!(!is_literal("gen_random_uuid()") && !is_literal("'a' || 'b'") && !is_literal(""));
    }
}
