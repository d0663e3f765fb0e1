//! What must hold for any text: shared by the fuzz targets and by `tests/fuzz.rs`, which runs it on the stable compiler.

use referee::audit::{self, Options};
use referee::rules::{ALL, Settings};
use referee::schema::Engine;
use referee::source::history::{File, Migration, Place};
use referee::source::{Input, replay};
use referee::sql::{self, Span, lexer, split};

/// Everyone whose SQL is read.
pub const ENGINES: [Engine; 5] = [Engine::Sqlite, Engine::Postgres, Engine::Cockroach, Engine::Mysql, Engine::Mariadb];

/// Checks that a text is split without loss and read with spans that are its own.
///
/// # Panics
/// A promise is broken.
pub fn reads(engine: Engine, text: &str) {
    let mut at = 0;
    for token in lexer::tokens(engine, text) {
        assert_eq!(token.start, at, "{engine}: a gap between tokens");
        assert!(token.end > token.start && text.get(token.start..token.end).is_some(), "{engine}: {token:?}");
        at = token.end;
    }
    assert_eq!(at, text.len(), "{engine}: tokens end early");

    let split = split::split(engine, text);
    let mut gaps = Gaps { engine, delimiter: None };
    let (mut at, mut copies, mut tokens) = (0, false, 0);
    for piece in &split.pieces {
        let (start, end) = (piece.span.start, piece.span.end);
        assert!(at <= piece.comments_from && piece.comments_from <= start && start < end, "{engine}: {piece:?}");
        assert!(text.get(start..end).is_some(), "{engine}: {piece:?}");
        assert!(text.get(piece.comments_from..start).is_some(), "{engine}: {piece:?}");
        gaps.check(text, at, start, copies);
        assert_eq!(piece.tokens.start, tokens, "{engine}: tokens between statements");
        tokens = piece.tokens.end;
        let inside = &split.tokens[piece.tokens.clone()];
        let mut last = start;
        for token in inside {
            assert!(
                token.start >= last && token.end <= end && token.start < token.end,
                "{engine}: {token:?} of {piece:?}"
            );
            assert!(text.get(token.start..token.end).is_some(), "{engine}: {token:?}");
            last = token.end;
        }
        let word = |w: &str| inside.iter().any(|t| t.is_word(text, w));
        copies = inside.first().is_some_and(|t| t.is_word(text, "COPY")) && word("FROM") && word("STDIN");
        at = end;
    }
    gaps.check(text, at, text.len(), copies);
    assert_eq!(tokens, split.tokens.len(), "{engine}: tokens after the last statement");

    let statements = sql::read(engine, text);
    assert_eq!(statements.len(), split.pieces.len(), "{engine}: a statement is lost");
    for (statement, piece) in statements.iter().zip(&split.pieces) {
        assert_eq!(statement.span, piece.span, "{engine}");
        let inside = |span: Span| {
            assert!(span.start <= span.end && text.get(span.start..span.end).is_some(), "{engine}: {span:?}");
            assert!(span.start >= statement.span.start && span.end <= statement.span.end, "{engine}: {span:?}");
        };
        statement.commands.iter().for_each(|c| inside(c.span));
        statement.skipped.iter().for_each(|s| inside(s.span));
    }
}

/// What may stand between two statements, told a second time and more simply than the splitter tells it.
struct Gaps<'t> {
    engine: Engine,
    delimiter: Option<&'t str>,
}

impl<'t> Gaps<'t> {
    fn check(&mut self, text: &'t str, from: usize, to: usize, after_copy: bool) {
        let engine = self.engine;
        let postgres = matches!(engine, Engine::Postgres | Engine::Cockroach);
        let mysql = matches!(engine, Engine::Mysql | Engine::Mariadb);
        let mut at = from;
        let mut rows = after_copy && postgres;
        while at < to {
            let rest = &text[at..to];
            let line = || rest.find('\n').unwrap_or(rest.len());
            let first_word = rest.split_whitespace().next().unwrap_or_default();
            if let Some(delimiter) = self.delimiter.filter(|d| rest.starts_with(d)) {
                at += delimiter.len();
            } else if rest.starts_with("--> statement-breakpoint") {
                at += "--> statement-breakpoint".len();
            } else if postgres && rest.starts_with('\\') || engine == Engine::Sqlite && is_dot_command(rest) {
                at += line();
            } else if mysql && first_word.eq_ignore_ascii_case("delimiter") && !rest.starts_with(char::is_whitespace) {
                let length = line();
                self.delimiter = rest[..length].split_whitespace().nth(1).filter(|d| *d != ";");
                at += length;
            } else if rest.starts_with(';') {
                at += 1;
                if rows {
                    // The rows, up to the line that ends them.
                    let ended = ["\n\\.\n", "\n\\.\r\n"].iter().filter_map(|e| Some(rest.find(e)? + e.len())).min();
                    let rows_end = ended.unwrap_or(rest.len());
                    at = (at - 1 + rows_end).min(to);
                    rows = false;
                }
            } else {
                let mut lexer = lexer::Lexer::new(engine, text);
                lexer.seek(at);
                let token = lexer.next().expect("there is text");
                assert!(!token.is_significant(), "{engine}: `{}` belongs to no statement", token.text(text));
                assert!(token.end <= to, "{engine}: a comment reaches into a statement");
                at = token.end;
            }
        }
    }
}

/// Tells whether the shell of SQLite reads the line itself.
fn is_dot_command(text: &str) -> bool {
    text.starts_with('.') && text[1..].starts_with(|c: char| c.is_ascii_alphabetic())
}

/// Replays a text as one migration and judges it by every rule.
///
/// # Panics
/// A finding's place lies outside of the text, or anything on the way panics.
pub fn replays(engine: Engine, text: &str) {
    let up = Place { file: 0, span: Span::new(0, text.len()) };
    let migration = Migration { name: "m".into(), up, down: None, reversible: false, transaction: true, base: false };
    let file = File { path: "m.sql".into(), text: text.to_string() };
    let (schema, history) = replay::replay(engine, vec![file], vec![migration]);
    let mut sorted = schema.clone();
    sorted.sort();
    assert!(schema == sorted, "{engine}: the schema is not sorted");
    let input = Input { label: "m.sql".into(), schema, session: None, history, hints: Vec::new() };
    let options = Options {
        relations: Vec::new(),
        threshold: 0.5,
        guesses: referee::audit::Guesses::Judged,
        settings: Settings::default(),
        rules: ALL.iter().collect(),
        tables: Vec::new(),
        data: None,
        budget: std::time::Duration::ZERO,
        verify_indexes: false,
        migrations: true,
        suppressions: Vec::new(),
    };
    let report = audit::audit(input, options, &referee::job::Context::default()).expect("nothing is connected to");
    for location in report.findings.iter().flat_map(|f| &f.locations) {
        assert!(text.get(location.start..location.end).is_some(), "{engine}: {location:?}");
        assert!(location.line >= 1 && location.column >= 1, "{engine}: {location:?}");
    }
}
