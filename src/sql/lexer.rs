//! Splits SQL text into tokens with byte spans.
//!
//! Total: every text has tokens, in order, without gaps, to its end. A quote, comment or dollar quote that is never closed
//! is one token to the end of the text. The engine matters only where the same characters mean different things: which
//! quotes there are, whether a backslash escapes, whether comments nest.

use crate::schema::Engine;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// White space, and a byte order mark.
    Space,
    /// `-- …`, and `# …` on MySQL; without the line's end.
    LineComment,
    /// `/* … */`.
    BlockComment,
    /// A keyword or a name without quotes.
    Word,
    /// A name in quotes: `"x"`, `` `x` ``, `[x]`, `U&"x"`.
    QuotedName,
    /// A string: `'x'`, `E'x'`, `X'00'`, `$tag$x$tag$`, and `"x"` on MySQL.
    String,
    /// A number.
    Number,
    /// Any other character, one a token.
    Punctuation,
}

/// A token: what it is and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Where its first byte is.
    pub start: usize,
    /// Where the byte after its last one is.
    pub end: usize,
}

impl Token {
    /// Returns the token's text; `sql` is the text it was read from.
    pub fn text(self, sql: &str) -> &str {
        sql.get(self.start..self.end).unwrap_or_default()
    }

    /// Tells whether it is this word without quotes, in any case.
    pub fn is_word(self, sql: &str, word: &str) -> bool {
        self.kind == Kind::Word && self.text(sql).eq_ignore_ascii_case(word)
    }

    /// Tells whether it is this character.
    pub fn is_punctuation(self, sql: &str, character: char) -> bool {
        self.kind == Kind::Punctuation && self.text(sql).starts_with(character)
    }

    /// Tells whether it is neither white space nor a comment.
    pub fn is_significant(self) -> bool {
        !matches!(self.kind, Kind::Space | Kind::LineComment | Kind::BlockComment)
    }

    /// Returns the name that a word, a quoted name or (as SQLite takes it) a string in quotes stands for, in the case it is
    /// written; `None` for other tokens. Escapes by backslash and `U&` are left as they are.
    pub fn name(self, sql: &str) -> Option<String> {
        let text = self.text(sql);
        match self.kind {
            Kind::Word => Some(text.to_string()),
            Kind::QuotedName | Kind::String => Some(unquoted(text)),
            _ => None,
        }
    }
}

fn unquoted(text: &str) -> String {
    let Some(open) = text.find(['"', '\'', '`', '[']) else { return text.to_string() };
    let quote = if text[open..].starts_with('[') { ']' } else { text[open..].chars().next().unwrap_or('"') };
    let body = &text[open + 1..];
    let body = body.strip_suffix(quote).unwrap_or(body);
    // A bracketed name has no escape for its end.
    if quote == ']' { body.to_string() } else { body.replace(&format!("{quote}{quote}"), &quote.to_string()) }
}

/// Reads all tokens of a text.
pub fn tokens(engine: Engine, sql: &str) -> Vec<Token> {
    Lexer::new(engine, sql).collect()
}

/// Reads the tokens of a text that are neither white space nor comments.
pub fn significant(engine: Engine, sql: &str) -> Vec<Token> {
    Lexer::new(engine, sql).filter(|t| t.is_significant()).collect()
}

/// Reads tokens one after another.
#[derive(Clone, Debug)]
pub struct Lexer<'s> {
    sql: &'s str,
    at: usize,
    mysql: bool,
    postgres: bool,
    engine: Engine,
}

impl<'s> Lexer<'s> {
    /// Starts at the beginning of a text.
    pub fn new(engine: Engine, sql: &'s str) -> Self {
        let mysql = matches!(engine, Engine::Mysql | Engine::Mariadb);
        let postgres = matches!(engine, Engine::Postgres | Engine::Cockroach);
        Self { sql, at: 0, mysql, postgres, engine }
    }

    /// Returns where the next token begins.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Goes on at another place, which must be the boundary of a character; used to pass over what is no SQL.
    pub fn seek(&mut self, at: usize) {
        self.at = at.min(self.sql.len());
        while !self.sql.is_char_boundary(self.at) {
            self.at += 1;
        }
    }

    fn byte(&self, at: usize) -> u8 {
        // 0 stands for "no more text"; as a character of the text it is punctuation, which nothing below asks for.
        self.sql.as_bytes().get(at).copied().unwrap_or(0)
    }

    fn while_(&self, mut at: usize, test: impl Fn(u8) -> bool) -> usize {
        while at < self.sql.len() && test(self.byte(at)) {
            at += 1;
        }
        at
    }

    /// Returns where a quoted piece ends whose opening quote lies before `at`. A doubled quote stands for one.
    fn quoted(&self, mut at: usize, quote: u8, backslash: bool) -> usize {
        while at < self.sql.len() {
            let byte = self.byte(at);
            at += 1;
            if byte == b'\\' && backslash {
                at += 1;
            } else if byte == quote {
                if self.byte(at) != quote || quote == b']' {
                    return at;
                }
                at += 1;
            }
        }
        self.sql.len()
    }

    fn block_comment(&self, start: usize) -> usize {
        // PostgreSQL's nest (manual, 4.1.5); SQLite's and MySQL's do not.
        let mut depth = 1usize;
        let mut at = start + 2;
        while at < self.sql.len() {
            match (self.byte(at), self.byte(at + 1)) {
                (b'*', b'/') => {
                    depth -= 1;
                    at += 2;
                    if depth == 0 {
                        return at;
                    }
                }
                (b'/', b'*') if self.postgres => {
                    depth += 1;
                    at += 2;
                }
                _ => at += 1,
            }
        }
        self.sql.len()
    }

    fn number(&self, start: usize) -> usize {
        if self.byte(start) == b'0' && matches!(self.byte(start + 1), b'x' | b'X' | b'b' | b'B' | b'o' | b'O') {
            return self.while_(start + 2, |b| b.is_ascii_alphanumeric() || b == b'_');
        }
        let digits = |b: u8| b.is_ascii_digit() || b == b'_';
        let mut at = self.while_(start, digits);
        if self.byte(at) == b'.' {
            at = self.while_(at + 1, digits);
        }
        if matches!(self.byte(at), b'e' | b'E') {
            let sign = usize::from(matches!(self.byte(at + 1), b'+' | b'-'));
            if self.byte(at + 1 + sign).is_ascii_digit() {
                at = self.while_(at + 1 + sign, digits);
            }
        }
        at
    }

    /// Returns where `$tag$…$tag$` ends; `None` if no dollar quote starts here (manual, 4.1.2.4).
    fn dollar_quoted(&self, start: usize) -> Option<usize> {
        let tag_end = if is_word_start(self.byte(start + 1)) {
            self.while_(start + 1, |b| is_word_part(b) && b != b'$')
        } else {
            start + 1
        };
        if self.byte(tag_end) != b'$' {
            return None;
        }
        let delimiter = self.sql.get(start..=tag_end)?;
        let body = self.sql.get(tag_end + 1..)?;
        Some(body.find(delimiter).map_or(self.sql.len(), |found| tag_end + 1 + found + delimiter.len()))
    }

    fn word(&self, start: usize) -> (Kind, usize) {
        let end = self.while_(start, is_word_part);
        let word = &self.sql.as_bytes()[start..end];
        if self.byte(end) == b'\'' {
            match word {
                // `E'…'` takes backslashes; CockroachDB's `b'…'` does, too.
                b"e" | b"E" if self.postgres => return (Kind::String, self.quoted(end + 1, b'\'', true)),
                b"b" | b"B" if self.postgres => {
                    let backslash = self.engine == Engine::Cockroach;
                    return (Kind::String, self.quoted(end + 1, b'\'', backslash));
                }
                b"x" | b"X" | b"n" | b"N" | b"b" | b"B" => {
                    return (Kind::String, self.quoted(end + 1, b'\'', self.mysql));
                }
                _ => {}
            }
        }
        if self.postgres && matches!(word, b"u" | b"U") && self.byte(end) == b'&' {
            match self.byte(end + 1) {
                b'\'' => return (Kind::String, self.quoted(end + 2, b'\'', false)),
                b'"' => return (Kind::QuotedName, self.quoted(end + 2, b'"', false)),
                _ => {}
            }
        }
        (Kind::Word, end)
    }

    fn line(&self, start: usize) -> usize {
        self.while_(start, |b| b != b'\n' && b != b'\r')
    }

    fn one(&self, start: usize) -> (Kind, usize) {
        let (first, second) = (self.byte(start), self.byte(start + 1));
        match first {
            _ if self.sql[start..].starts_with('\u{feff}') => (Kind::Space, start + '\u{feff}'.len_utf8()),
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => {
                (Kind::Space, self.while_(start, |b| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)))
            }
            // MySQL wants white space, a control character or the end after the two dashes (manual, 11.7).
            b'-' if second == b'-' && (!self.mysql || self.byte(start + 2) <= b' ') => {
                (Kind::LineComment, self.line(start))
            }
            b'#' if self.mysql => (Kind::LineComment, self.line(start)),
            b'/' if second == b'*' => (Kind::BlockComment, self.block_comment(start)),
            b'\'' => (Kind::String, self.quoted(start + 1, b'\'', self.mysql)),
            b'"' if self.mysql => (Kind::String, self.quoted(start + 1, b'"', true)),
            b'"' => (Kind::QuotedName, self.quoted(start + 1, b'"', false)),
            b'`' if !self.postgres => (Kind::QuotedName, self.quoted(start + 1, b'`', false)),
            b'[' if self.engine == Engine::Sqlite => (Kind::QuotedName, self.quoted(start + 1, b']', false)),
            b'$' if self.postgres => {
                self.dollar_quoted(start).map_or((Kind::Punctuation, start + 1), |end| (Kind::String, end))
            }
            b'0'..=b'9' => (Kind::Number, self.number(start)),
            b'.' if second.is_ascii_digit() => (Kind::Number, self.number(start)),
            _ if is_word_start(first) => self.word(start),
            _ => (Kind::Punctuation, start + 1),
        }
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        if self.at >= self.sql.len() {
            return None;
        }
        let (kind, mut end) = self.one(self.at);
        // A backslash skips one byte, which may be the first of several.
        end = end.min(self.sql.len());
        while !self.sql.is_char_boundary(end) {
            end += 1;
        }
        let token = Token { kind, start: self.at, end };
        self.at = end;
        Some(token)
    }
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_word_part(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ENGINES: [Engine; 5] = [Engine::Sqlite, Engine::Postgres, Engine::Cockroach, Engine::Mysql, Engine::Mariadb];

    fn read(engine: Engine, sql: &str) -> Vec<(Kind, &str)> {
        significant(engine, sql).into_iter().map(|t| (t.kind, t.text(sql))).collect()
    }

    #[test]
    fn quotes_of_every_engine() {
        use Kind::{Punctuation, QuotedName, String, Word};
        assert_eq!(
            read(Engine::Sqlite, r#""a""b" [c d] `e``f` 'g''h' x'00'"#),
            [
                (QuotedName, r#""a""b""#),
                (QuotedName, "[c d]"),
                (QuotedName, "`e``f`"),
                (String, "'g''h'"),
                (String, "x'00'")
            ]
        );
        assert_eq!(
            read(Engine::Postgres, r#"E'a\'b' 'a\' $$x'y$$ $t$a$$b$t$ U&"d\0061" a[1]"#),
            [
                (String, r"E'a\'b'"),
                (String, r"'a\'"),
                (String, "$$x'y$$"),
                (String, "$t$a$$b$t$"),
                (QuotedName, r#"U&"d\0061""#),
                (Word, "a"),
                (Punctuation, "["),
                (Kind::Number, "1"),
                (Punctuation, "]"),
            ]
        );
        assert_eq!(
            read(Engine::Mysql, r#"'a\'b' "c" `d`"#),
            [(String, r"'a\'b'"), (String, "\"c\""), (QuotedName, "`d`")]
        );
    }

    #[test]
    fn names_lose_their_quotes() {
        let sql = r#"Plain "a""b" [c]d] `e``f` 'g'"#;
        let names: Vec<_> = significant(Engine::Sqlite, sql).into_iter().filter_map(|t| t.name(sql)).collect();
        assert_eq!(names, ["Plain", "a\"b", "c", "d", "e`f", "g"]);
    }

    #[test]
    fn comments_nest_on_postgresql_only() {
        let sql = "a /* b /* c */ d */ e -- f\ng";
        assert_eq!(read(Engine::Postgres, sql).len(), 3);
        assert_eq!(read(Engine::Sqlite, sql).iter().map(|t| t.1).collect::<Vec<_>>(), ["a", "d", "*", "/", "e", "g"]);
        assert_eq!(
            read(Engine::Mysql, "1--1 # x\n-- y\nz").iter().map(|t| t.1).collect::<Vec<_>>(),
            ["1", "-", "-", "1", "z"]
        );
    }

    #[test]
    fn numbers() {
        let sql = "1 2.5 .5 1e10 1.e-3 0xFF 1e 10_000";
        assert_eq!(
            read(Engine::Postgres, sql).iter().map(|t| t.1).collect::<Vec<_>>(),
            ["1", "2.5", ".5", "1e10", "1.e-3", "0xFF", "1", "e", "10_000"]
        );
    }

    #[test]
    fn what_is_never_closed_goes_to_the_end() {
        for sql in ["'abc", "\"abc", "/* abc", "-- abc"] {
            for engine in ENGINES {
                assert_eq!(tokens(engine, sql).len(), 1, "{engine} {sql}");
            }
        }
        assert_eq!(tokens(Engine::Postgres, "$x$abc").len(), 1);
        assert_eq!(tokens(Engine::Sqlite, "[abc").len(), 1);
        assert_eq!(tokens(Engine::Mysql, "'abc\\").len(), 1);
    }

    #[test]
    fn other_scripts_are_words_and_a_parameter_is_no_dollar_quote() {
        assert_eq!(
            read(Engine::Postgres, "größe $1 a$b$"),
            [(Kind::Word, "größe"), (Kind::Punctuation, "$"), (Kind::Number, "1"), (Kind::Word, "a$b$"),]
        );
    }

    proptest! {
        #[test]
        fn tokens_cover_any_text_in_order(sql in "([ -~]|['\"`$\\[\\]/*\\-#\\\\eE\n\u{e4}\u{feff}\u{1f600}\u{0}]){0,60}") {
            for engine in ENGINES {
                let mut at = 0;
                for token in tokens(engine, &sql) {
                    prop_assert_eq!(token.start, at);
                    prop_assert!(token.end > token.start);
                    prop_assert!(sql.is_char_boundary(token.end));
                    at = token.end;
                }
                prop_assert_eq!(at, sql.len());
            }
        }
    }
}
