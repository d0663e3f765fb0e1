//! The one cursor that every reader of statements moves over tokens.

use crate::schema::Engine;
use crate::sql::ast::{Ident, Name, Skipped, Span, Text};
use crate::sql::lexer::{Kind, Token};

/// The bytes that PostgreSQL keeps of an identifier (manual, 4.1.1).
const LIMIT: usize = 63;

/// Moves over the tokens of one statement.
pub(super) struct Cursor<'t> {
    pub engine: Engine,
    pub text: &'t str,
    tokens: &'t [Token],
    at: usize,
    pub skipped: Vec<Skipped>,
}

impl<'t> Cursor<'t> {
    pub fn new(engine: Engine, text: &'t str, tokens: &'t [Token]) -> Self {
        Self { engine, text, tokens, at: 0, skipped: Vec::new() }
    }

    pub fn postgres(&self) -> bool {
        matches!(self.engine, Engine::Postgres | Engine::Cockroach)
    }

    pub fn mysql(&self) -> bool {
        matches!(self.engine, Engine::Mysql | Engine::Mariadb)
    }

    pub fn sqlite(&self) -> bool {
        self.engine == Engine::Sqlite
    }

    /// Returns a cursor over the tokens from a position up to here, and their span.
    pub fn part(&self, from: usize) -> (Cursor<'t>, Span) {
        let tokens = self.tokens.get(from..self.at).unwrap_or_default();
        let span = Span::new(tokens.first().map_or(0, |t| t.start), tokens.last().map_or(0, |t| t.end));
        (Cursor::new(self.engine, self.text, tokens), span)
    }

    pub fn peek(&self) -> Option<Token> {
        self.tokens.get(self.at).copied()
    }

    pub fn peek_at(&self, ahead: usize) -> Option<Token> {
        self.tokens.get(self.at + ahead).copied()
    }

    /// Returns the token at a position.
    pub fn at(&self, position: usize) -> Option<Token> {
        self.tokens.get(position).copied()
    }

    pub fn next(&mut self) -> Option<Token> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    pub fn done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    pub fn position(&self) -> usize {
        self.at
    }

    pub fn seek(&mut self, at: usize) {
        self.at = at.min(self.tokens.len());
    }

    /// Returns where the next token begins; the end of the last one if there is none.
    pub fn start(&self) -> usize {
        self.peek().map_or_else(|| self.tokens.last().map_or(0, |t| t.end), |t| t.start)
    }

    /// Returns the span from a byte to the end of the last token that was read.
    pub fn since(&self, start: usize) -> Span {
        let end = self.at.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or(start, |t| t.end);
        Span::new(start, end.max(start))
    }

    /// Returns the text from a byte to the end of the last token that was read.
    pub fn text_since(&self, start: usize) -> Text {
        let span = self.since(start);
        Text { text: span.of(self.text).trim().to_string(), span }
    }

    pub fn is(&self, word: &str) -> bool {
        self.is_at(0, word)
    }

    pub fn is_at(&self, ahead: usize, word: &str) -> bool {
        self.peek_at(ahead).is_some_and(|t| t.is_word(self.text, word))
    }

    pub fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|w| self.is(w))
    }

    /// Tells whether these words, separated by blanks, come next.
    pub fn is_all(&self, words: &str) -> bool {
        words.split(' ').enumerate().all(|(i, w)| self.is_at(i, w))
    }

    pub fn eat(&mut self, word: &str) -> bool {
        let is = self.is(word);
        self.at += usize::from(is);
        is
    }

    /// Passes over these words, separated by blanks, if all of them come next.
    pub fn eat_all(&mut self, words: &str) -> bool {
        let all = self.is_all(words);
        if all {
            self.at += words.split(' ').count();
        }
        all
    }

    pub fn eat_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|w| self.eat(w))
    }

    pub fn at_punctuation(&self, character: char) -> bool {
        self.peek().is_some_and(|t| t.is_punctuation(self.text, character))
    }

    pub fn is_punctuation_at(&self, ahead: usize, character: char) -> bool {
        self.peek_at(ahead).is_some_and(|t| t.is_punctuation(self.text, character))
    }

    pub fn eat_punctuation(&mut self, character: char) -> bool {
        let is = self.at_punctuation(character);
        self.at += usize::from(is);
        is
    }

    pub fn if_not_exists(&mut self) -> bool {
        self.eat_all("IF NOT EXISTS")
    }

    pub fn if_exists(&mut self) -> bool {
        self.eat_all("IF EXISTS")
    }

    /// Returns the name that a token stands for, as the engine stores it.
    pub fn folded(&self, token: Token) -> Option<String> {
        let name = token.name(self.text)?;
        match token.kind {
            Kind::String if !self.sqlite() => None,
            _ if !self.postgres() => Some(name),
            kind => {
                let mut name = if kind == Kind::Word { name.to_ascii_lowercase() } else { name };
                if self.engine == Engine::Postgres && name.len() > LIMIT {
                    let mut end = LIMIT;
                    while !name.is_char_boundary(end) {
                        end -= 1;
                    }
                    name.truncate(end);
                }
                Some(name)
            }
        }
    }

    pub fn ident(&mut self) -> Option<Ident> {
        let token = self.peek()?;
        let text = self.folded(token)?;
        self.at += 1;
        Some(Ident { text, span: Span::new(token.start, token.end) })
    }

    /// Reads `name`, `schema.name` or `database.schema.name`.
    pub fn name(&mut self) -> Option<Name> {
        let first = self.ident()?;
        let mut name = Name { schema: None, name: first.text, span: first.span };
        while self.at_punctuation('.') {
            let before = self.at;
            self.at += 1;
            let Some(next) = self.ident() else {
                self.at = before;
                break;
            };
            name.schema = Some(std::mem::replace(&mut name.name, next.text));
            name.span = name.span.to(next.span);
        }
        // SQLite's own schema and its temporary one; PostgreSQL's for a session is `pg_temp`.
        Some(name)
    }

    /// Reads names separated by commas.
    pub fn names(&mut self) -> Vec<Name> {
        let mut names = Vec::new();
        loop {
            self.eat("ONLY");
            let Some(name) = self.name() else { break };
            names.push(name);
            self.eat_punctuation('*');
            if !self.eat_punctuation(',') {
                break;
            }
        }
        names
    }

    /// Passes over `( … )` and returns what is inside; `None` if no parenthesis is here.
    pub fn parenthesized(&mut self) -> Option<Text> {
        if !self.at_punctuation('(') {
            return None;
        }
        let open = self.next()?;
        let start = open.end;
        let mut depth = 1usize;
        while let Some(token) = self.next() {
            if token.kind != Kind::Punctuation {
                continue;
            }
            match token.text(self.text) {
                "(" => depth += 1,
                ")" => {
                    depth -= 1;
                    if depth == 0 {
                        let span = Span::new(start, token.start);
                        return Some(Text { text: span.of(self.text).trim().to_string(), span });
                    }
                }
                _ => {}
            }
        }
        Some(self.text_since(start))
    }

    /// Reads `(a, b COLLATE x DESC, …)` as names; an item that begins with no name is left out.
    pub fn column_list(&mut self) -> Vec<Ident> {
        let mut columns = Vec::new();
        if !self.eat_punctuation('(') {
            return columns;
        }
        while !self.done() && !self.at_punctuation(')') {
            if let Some(column) = self.ident() {
                columns.push(column);
            }
            self.pass_item();
            self.eat_punctuation(',');
        }
        self.eat_punctuation(')');
        columns
    }

    /// Passes over one token, or over a whole pair of parentheses.
    pub fn pass(&mut self) {
        if self.parenthesized().is_none() {
            self.at += usize::from(!self.done());
        }
    }

    /// Passes over everything to the next `,` or `)` at this depth.
    pub fn pass_item(&mut self) {
        while !self.done() && !self.at_punctuation(',') && !self.at_punctuation(')') {
            self.pass();
        }
    }

    /// Passes over a clause that is not known, to the next `,` or `)` at this depth, and notes it.
    pub fn skip(&mut self, within: &'static str) {
        let start = self.start();
        self.pass_item();
        let span = self.since(start);
        if span.end > span.start {
            self.skipped.push(Skipped { span, within });
        }
    }

    /// Returns the text of a string token without quotes.
    pub fn string(&mut self) -> Option<String> {
        let token = self.peek().filter(|t| t.kind == Kind::String)?;
        self.at += 1;
        let text = token.text(self.text);
        if let Some(rest) = text.strip_prefix('$') {
            let tag = rest.find('$').map_or(0, |i| i + 2);
            return text.get(tag..text.len().saturating_sub(tag)).map(str::to_string);
        }
        token.name(self.text)
    }
}
