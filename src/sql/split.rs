//! Splits a text into statements, and passes over what is meant for a client and not for the engine.
//!
//! A semicolon ends a statement, except in bodies (`BEGIN ATOMIC`, triggers and routines of SQLite and MySQL) and under a
//! `DELIMITER`. Total and linear: every byte belongs to a statement, or is white space, comment, separator or the client's.

use std::ops::Range;

use super::ast::Span;
use super::lexer::{Kind, Lexer, Token};
use crate::schema::Engine;

/// A statement's place in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The statement, without its end mark.
    pub span: Span,
    /// Where the comments directly before it begin.
    pub comments_from: usize,
    /// Its tokens: positions in [`Split::tokens`].
    pub tokens: Range<usize>,
    /// Whether it is a `COPY … FROM stdin` whose rows go on to the end of the text, because no line `\.` ends them.
    pub rows_without_end: bool,
}

/// A text in pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// The tokens that count: no white space, no comments; the content of MySQL's `/*! … */`.
    pub tokens: Vec<Token>,
    /// The statements, in order.
    pub pieces: Vec<Piece>,
}

/// Splits a text.
pub fn split(engine: Engine, text: &str) -> Split {
    let mut splitter = Splitter {
        engine,
        mysql: matches!(engine, Engine::Mysql | Engine::Mariadb),
        text,
        lexer: Lexer::new(engine, text),
        split: Split::default(),
        first: 0,
        span: None,
        comments_from: None,
        delimiter: None,
        held: false,
        body: Body::default(),
    };
    splitter.run();
    splitter.split
}

/// What is known of a body of statements inside the statement.
#[derive(Default)]
struct Body {
    /// Whether the statement is one that can have a body.
    possible: bool,
    /// How many `BEGIN` and `CASE` are open.
    depth: usize,
    /// The last token was `END` and closed nothing yet.
    after_end: bool,
    /// The last token was `BEGIN`.
    after_begin: bool,
    /// How many parentheses are open; counts in `CREATE RULE` only.
    parentheses: usize,
    rule: bool,
}

struct Splitter<'s> {
    engine: Engine,
    mysql: bool,
    text: &'s str,
    lexer: Lexer<'s>,
    split: Split,
    /// The first token of the statement that is being read.
    first: usize,
    span: Option<Span>,
    comments_from: Option<usize>,
    delimiter: Option<&'s str>,
    held: bool,
    body: Body,
}

const BREAKPOINT: &str = "--> statement-breakpoint";

impl<'s> Splitter<'s> {
    fn run(&mut self) {
        loop {
            let start = self.lexer.position();
            let rest = &self.text[start.min(self.text.len())..];
            if rest.is_empty() {
                break;
            }
            if let Some(delimiter) = self.delimiter
                && rest.starts_with(delimiter)
            {
                self.finish();
                self.lexer.seek(start + delimiter.len());
                continue;
            }
            // MySQL's lexer takes `-->` for operators.
            if rest.starts_with(BREAKPOINT) {
                self.finish();
                self.lexer.seek(start + BREAKPOINT.len());
                continue;
            }
            if self.for_the_client(start, rest) {
                continue;
            }
            let Some(token) = self.lexer.next() else { break };
            self.token(token);
        }
        self.finish();
    }

    /// Passes over a line that the client reads itself; tells whether there was one.
    fn for_the_client(&mut self, start: usize, rest: &'s str) -> bool {
        let first = rest.as_bytes().first().copied().unwrap_or(0);
        let line_end = || start + rest.find('\n').unwrap_or(rest.len());
        if first == b'\\' && matches!(self.engine, Engine::Postgres | Engine::Cockroach) {
            // `\gexec` and the like send what has been typed so far.
            self.finish();
            self.lexer.seek(line_end());
            return true;
        }
        if self.span.is_some() {
            return false;
        }
        if first == b'.' && self.engine == Engine::Sqlite && rest[1..].starts_with(|c: char| c.is_ascii_alphabetic()) {
            self.lexer.seek(line_end());
            return true;
        }
        if self.mysql && matches!(first, b'd' | b'D') {
            let line = rest.lines().next().unwrap_or_default();
            let mut words = line.split_whitespace();
            if words.next().is_some_and(|w| w.eq_ignore_ascii_case("delimiter")) {
                self.delimiter = words.next().filter(|d| *d != ";");
                self.lexer.seek(start + line.len());
                return true;
            }
        }
        false
    }

    fn token(&mut self, token: Token) {
        match token.kind {
            Kind::Space => {}
            Kind::LineComment => self.line_comment(token),
            Kind::BlockComment if self.mysql => match versioned(token.text(self.text)) {
                Some(inner) => self.versioned(token, inner),
                None => self.comment(token.start),
            },
            Kind::BlockComment => self.comment(token.start),
            Kind::Punctuation if token.is_punctuation(self.text, ';') && self.ends_here() => {
                let copy = self.is_copy_from_stdin();
                self.finish();
                if copy {
                    self.skip_rows();
                }
            }
            _ => {
                self.push(token);
                self.extend(token);
            }
        }
    }

    fn comment(&mut self, start: usize) {
        if self.span.is_none() {
            self.comments_from.get_or_insert(start);
        }
    }

    fn line_comment(&mut self, token: Token) {
        let text = token.text(self.text);
        if text.starts_with(BREAKPOINT) {
            self.finish();
        } else if text.starts_with("-- +goose StatementBegin") {
            self.finish();
            self.held = true;
        } else if text.starts_with("-- +goose StatementEnd") {
            self.held = false;
            self.finish();
        } else {
            self.comment(token.start);
        }
    }

    fn versioned(&mut self, token: Token, inner: Range<usize>) {
        let (start, end) = (token.start + inner.start, token.start + inner.end);
        let body = &self.text[..end];
        let mut lexer = Lexer::new(self.engine, body);
        lexer.seek(start);
        for inner in lexer {
            if inner.is_significant() {
                self.push(inner);
            }
        }
        self.extend(token);
    }

    fn extend(&mut self, token: Token) {
        let whole = Span::new(token.start, token.end);
        self.span = Some(self.span.map_or(whole, |s| s.to(whole)));
    }

    fn push(&mut self, token: Token) {
        let number = self.split.tokens.len() - self.first;
        self.split.tokens.push(token);
        if number == 0 {
            self.body.possible = token.is_word(self.text, "CREATE");
        }
        if !self.body.possible {
            return;
        }
        if token.kind == Kind::Punctuation {
            match token.text(self.text) {
                "(" => self.body.parentheses += 1,
                ")" => self.body.parentheses = self.body.parentheses.saturating_sub(1),
                _ => {}
            }
        }
        if token.kind != Kind::Word {
            self.body.after_end = false;
            self.body.after_begin = false;
            return;
        }
        let is = |word: &str| token.is_word(self.text, word);
        if self.body.after_end {
            self.body.after_end = false;
            // `END IF` closes what is not counted; `END CASE` is one thing with its END.
            if is("IF") || is("LOOP") || is("WHILE") || is("REPEAT") || is("FOR") {
                self.body.depth += 1;
                return;
            }
            if is("CASE") {
                return;
            }
        }
        if self.body.depth == 0 {
            if number <= 4 && is("RULE") {
                self.body.rule = true;
            }
            let begins = match self.engine {
                Engine::Sqlite | Engine::Mysql | Engine::Mariadb => is("BEGIN") && self.is_routine(),
                Engine::Postgres | Engine::Cockroach => is("ATOMIC") && self.body.after_begin,
            };
            self.body.after_begin = is("BEGIN");
            self.body.depth = usize::from(begins);
            return;
        }
        if is("END") {
            self.body.depth -= 1;
            self.body.after_end = true;
        } else if is("BEGIN") || is("CASE") {
            self.body.depth += 1;
        }
    }

    /// Tells whether the statement makes something with a body: one of its first words says so.
    fn is_routine(&self) -> bool {
        let words = &self.split.tokens[self.first..];
        words
            .iter()
            .take(16)
            .any(|t| ["TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "PACKAGE"].iter().any(|w| t.is_word(self.text, w)))
    }

    fn ends_here(&mut self) -> bool {
        // goose sends what stands between its marks at once, and most put a whole migration there; only MySQL's bodies are
        // told from what follows them by where they end.
        if self.delimiter.is_some() || self.held && self.mysql && self.body.possible && self.is_routine() {
            return false;
        }
        // `END` before the semicolon has closed its body; a body that is still open goes on.
        self.body.after_end = false;
        self.body.depth == 0 && !(self.body.rule && self.body.parentheses > 0)
    }

    fn is_copy_from_stdin(&self) -> bool {
        let tokens = &self.split.tokens[self.first..];
        matches!(self.engine, Engine::Postgres | Engine::Cockroach)
            && tokens.first().is_some_and(|t| t.is_word(self.text, "COPY"))
            && tokens.windows(2).any(|w| w[0].is_word(self.text, "FROM") && w[1].is_word(self.text, "STDIN"))
    }

    /// Passes over the rows after `COPY … FROM stdin`, up to the line `\.`. Without one psql, too, takes everything for rows
    /// (copy.c, `handleCopyIn`).
    fn skip_rows(&mut self) {
        let at = self.lexer.position();
        let rest = &self.text[at..];
        // What stands behind the semicolon on its line is no row.
        let mut end = rest.find('\n').map_or(rest.len(), |i| i + 1);
        for line in rest[end..].split_inclusive('\n') {
            end += line.len();
            let line = line.strip_suffix('\n').unwrap_or(line);
            if line.strip_suffix('\r').unwrap_or(line) == "\\." {
                self.lexer.seek(at + end);
                return;
            }
        }
        self.lexer.seek(at + rest.len());
        if let Some(copy) = self.split.pieces.last_mut() {
            copy.rows_without_end = !rest.trim().is_empty();
        }
    }

    fn finish(&mut self) {
        let last = self.split.tokens.len();
        if let Some(span) = self.span.take() {
            let comments_from = self.comments_from.unwrap_or(span.start).min(span.start);
            self.split.pieces.push(Piece { span, comments_from, tokens: self.first..last, rows_without_end: false });
        }
        self.first = last;
        self.comments_from = None;
        self.body = Body::default();
    }
}

/// Returns where the code in a `/*!40101 … */` is (MySQL manual, 11.7; `/*M!` is MariaDB's); `None` for other comments.
fn versioned(comment: &str) -> Option<Range<usize>> {
    let start = if comment.starts_with("/*!") {
        3
    } else if comment.starts_with("/*M!") {
        4
    } else {
        return None;
    };
    let digits = comment[start..].bytes().take_while(u8::is_ascii_digit).count();
    let end =
        if comment.len() >= start + digits + 2 && comment.ends_with("*/") { comment.len() - 2 } else { comment.len() };
    Some(start + digits..end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ENGINES: [Engine; 5] = [Engine::Sqlite, Engine::Postgres, Engine::Cockroach, Engine::Mysql, Engine::Mariadb];

    fn pieces(engine: Engine, text: &str) -> Vec<&str> {
        split(engine, text).pieces.iter().map(|p| p.span.of(text)).collect()
    }

    #[test]
    fn semicolons_in_quotes_and_comments_end_nothing() {
        let sql = "\u{feff}SELECT ';' ; -- a;b\r\nSELECT $$;$$, \";\" /* ; */;;\n";
        assert_eq!(pieces(Engine::Postgres, sql), ["SELECT ';'", "SELECT $$;$$, \";\""]);
    }

    #[test]
    fn bodies_are_part_of_their_statement() {
        let sql = "CREATE TRIGGER t AFTER DELETE ON a BEGIN UPDATE b SET c = CASE WHEN 1 THEN 2 END; DELETE FROM d; END; SELECT 1";
        assert_eq!(pieces(Engine::Sqlite, sql).len(), 2);
        let sql =
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN 1 END; END; SELECT 2;";
        assert_eq!(pieces(Engine::Postgres, sql).len(), 2);
        let sql = "CREATE PROCEDURE p() BEGIN IF a THEN SELECT 1; END IF; WHILE b DO SELECT 2; END WHILE; CASE x WHEN 1 THEN \
                   SELECT 3; END CASE; BEGIN SELECT 4; END; END; SELECT 5;";
        assert_eq!(pieces(Engine::Mysql, sql).len(), 2);
        assert_eq!(pieces(Engine::Postgres, "BEGIN; CREATE TABLE t (a int); END; SELECT 1").len(), 4);
        assert_eq!(
            pieces(Engine::Postgres, "CREATE RULE r AS ON DELETE TO t DO (SELECT 1; SELECT 2); SELECT 3").len(),
            2
        );
    }

    #[test]
    fn delimiters_and_versioned_comments() {
        let sql = "DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`h`*/ /*!50003 TRIGGER t AFTER INSERT ON a FOR EACH ROW \
                   BEGIN SET @a = 1; END */;;\nDELIMITER ;\n/*!40014 SET FOREIGN_KEY_CHECKS=0 */;\nSELECT 1;";
        let found = pieces(Engine::Mysql, sql);
        assert_eq!(found.len(), 3, "{found:?}");
        let split = split(Engine::Mysql, sql);
        assert_eq!(split.tokens[split.pieces[1].tokens.start].text(sql), "SET");
    }

    #[test]
    fn what_is_meant_for_the_client_is_passed_over() {
        let sql = "\\connect it's\nCOPY t (a) FROM stdin;\n1;2\n'\n\\.\nSELECT 1;\n\\unrestrict x\n";
        assert_eq!(pieces(Engine::Postgres, sql), ["COPY t (a) FROM stdin", "SELECT 1"]);
        assert_eq!(pieces(Engine::Sqlite, ".mode it's\nSELECT 1;"), ["SELECT 1"]);
    }

    #[test]
    fn rows_that_no_line_ends_are_told() {
        let unended = |sql| split(Engine::Postgres, sql).pieces.iter().map(|p| p.rows_without_end).collect::<Vec<_>>();
        assert_eq!(unended("COPY t FROM stdin;\n1\n\\.x\nCREATE TABLE u (a int);\n"), [true]);
        assert_eq!(unended("COPY t FROM stdin;\r\n1\r\n\\.\r\nSELECT 1;"), [false, false]);
        assert_eq!(unended("SELECT 1;\nCOPY t FROM stdin;\n"), [false, false]);
    }

    #[test]
    fn what_goose_sends_at_once_may_be_several_statements() {
        let sql = "-- +goose Up\n-- +goose StatementBegin\nCREATE TABLE a (b int);\nCREATE FUNCTION f() RETURNS void LANGUAGE \
                   plpgsql AS $$ BEGIN PERFORM 1; END $$;\nALTER TABLE a ADD c int;\n-- +goose StatementEnd\nSELECT 1;";
        assert_eq!(pieces(Engine::Postgres, sql).len(), 4);
        let sql = "-- +goose StatementBegin\nCREATE PROCEDURE p() l: LOOP SELECT 1; LEAVE l; END LOOP;\n-- +goose StatementEnd\n\
                   -- +goose StatementBegin\nCREATE TABLE a (b int); DROP TABLE a;\n-- +goose StatementEnd";
        assert_eq!(pieces(Engine::Mysql, sql).len(), 3);
    }

    #[test]
    fn breakpoints_end_statements() {
        for engine in ENGINES {
            let sql = "CREATE TABLE a (b int)\n--> statement-breakpoint\nCREATE TABLE c (d int);--> statement-breakpoint\nSELECT 1";
            assert_eq!(pieces(engine, sql).len(), 3, "{engine}");
        }
    }

    #[test]
    fn comments_before_a_statement_are_its_own() {
        let sql = "SELECT 1; -- after\n/* before */ SELECT 2";
        let split = split(Engine::Postgres, sql);
        assert!(sql[split.pieces[1].comments_from..].starts_with("-- after"));
    }

    proptest! {
        #[test]
        fn statements_cover_any_text(
            words in proptest::collection::vec("(CREATE|TRIGGER|BEGIN|END|CASE|ATOMIC|;|\\(|\\)|'|\"|--|\n|/\\*!1|\\*/|DELIMITER|\\$\\$|\\\\|COPY|FROM|stdin| |\u{e4}|x)", 0..40),
        ) {
            let text = words.join(" ");
            for engine in ENGINES {
                let split = split(engine, &text);
                let mut at = 0;
                for piece in &split.pieces {
                    prop_assert!(piece.comments_from >= at);
                    prop_assert!(piece.span.start >= piece.comments_from);
                    prop_assert!(piece.span.end > piece.span.start);
                    prop_assert!(text.get(piece.span.start..piece.span.end).is_some());
                    at = piece.span.end;
                }
                prop_assert!(at <= text.len());
            }
        }
    }
}
