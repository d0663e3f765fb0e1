//! Bodies of triggers and rules: which rows they write, and whether they stop or change the statement that fired them.
//!
//! A body is read, not understood. What is put together at run time, and what other functions do that it calls, is not known;
//! [`Does::unread`] says so. Branches that `TG_OP` decides are followed; any other branch counts as one that may be taken.

mod branches;
mod writes;

use super::lexer::{Kind, Token, significant};
use crate::schema::{Chance, Does, Engine, TableName, Trigger, Write};
use branches::Step;

/// Tells the columns of a table.
type ColumnsOf<'c> = &'c dyn Fn(&TableName) -> Vec<String>;

/// Reads what a body does when a trigger's events fire it; events at which it does nothing are left out.
pub fn does(engine: Engine, body: &str, trigger: &Trigger) -> Vec<Does> {
    let events = trigger.events.iter().filter(|e| *e != "TRUNCATE");
    events.map(|e| at(engine, body, trigger, e)).filter(|d| !d.is_nothing()).collect()
}

/// Reads the rows that a rule's statements write; `columns` tells a table's, for an `INSERT` that lists none.
pub fn writes_of_rule(engine: Engine, actions: &str, columns: ColumnsOf<'_>) -> Vec<Write> {
    Reader { columns: Some(columns), ..Reader::new(engine, actions, "") }.writes()
}

/// Says what a rule does beyond what [`writes_of_rule`] reads, as far as its statements and its condition tell.
pub fn unread_of_rule(engine: Engine, actions: &str, condition: &str) -> Option<String> {
    let condition = called(engine, condition).map(|f| format!("its condition calls `{f}`"));
    Reader::new(engine, actions, "").unread().or(condition)
}

/// Adds to what a trigger does that its `WHEN` calls a function which may do more than give a value.
pub fn under_condition(engine: Engine, trigger: &Trigger, condition: &str, mut does: Vec<Does>) -> Vec<Does> {
    let Some(function) = called(engine, condition) else { return does };
    let why = format!("its WHEN calls `{function}`");
    for event in trigger.events.iter().filter(|e| *e != "TRUNCATE") {
        match does.iter_mut().find(|d| d.event == *event) {
            Some(one) => {
                one.unread.get_or_insert_with(|| why.clone());
            }
            None => does.push(Does { event: event.clone(), unread: Some(why.clone()), ..Does::default() }),
        }
    }
    does.sort_by_key(|d| trigger.events.iter().position(|e| *e == d.event));
    does
}

/// Names a function in an expression that may do more than give a value: any that the engine does not bring along.
pub fn called(engine: Engine, expression: &str) -> Option<String> {
    let reader = Reader::new(engine, expression, "");
    if engine == Engine::Sqlite { None } else { (0..reader.steps.len()).find_map(|at| reader.calls(at)) }
}

/// Says that a function's body cannot be read, at every event of a trigger.
pub fn unread(trigger: &Trigger, why: &str) -> Vec<Does> {
    let events = trigger.events.iter().filter(|e| *e != "TRUNCATE");
    events.map(|e| Does { event: e.clone(), unread: Some(why.to_string()), ..Does::default() }).collect()
}

/// PostgreSQL: trigger functions in C that only give columns values or pass over updates that change nothing.
pub const HARMLESS: [&str; 4] =
    ["tsvector_update_trigger", "tsvector_update_trigger_column", "moddatetime", "suppress_redundant_updates_trigger"];

fn at(engine: Engine, body: &str, trigger: &Trigger, event: &str) -> Does {
    let reader = Reader::new(engine, body, event);
    let mut does = Does { event: event.to_string(), writes: reader.writes(), ..Does::default() };
    does.raises = reader.raises();
    does.unread = reader.unread();
    let decides = trigger.timing == "BEFORE" && trigger.for_each_row;
    if engine == Engine::Sqlite || decides {
        does.skips = reader.skips(event);
    }
    if decides {
        does.sets = reader.sets(event);
    }
    does
}

/// The tokens of a body that can run at an event.
struct Reader<'b> {
    engine: Engine,
    text: &'b str,
    steps: Vec<Step>,
    columns: Option<ColumnsOf<'b>>,
}

impl<'b> Reader<'b> {
    fn new(engine: Engine, text: &'b str, event: &str) -> Self {
        let tokens = significant(engine, text);
        Self { engine, text, steps: branches::steps(text, &tokens, event), columns: None }
    }

    fn postgres(&self) -> bool {
        matches!(self.engine, Engine::Postgres | Engine::Cockroach)
    }

    fn token(&self, at: usize) -> Option<Token> {
        self.steps.get(at).map(|s| s.token)
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.token(at).is_some_and(|t| t.is_word(self.text, word))
    }

    fn is_any(&self, at: usize, words: &[&str]) -> bool {
        words.iter().any(|w| self.is(at, w))
    }

    fn sign(&self, at: usize, character: char) -> bool {
        self.token(at).is_some_and(|t| t.is_punctuation(self.text, character))
    }

    /// Returns the name at a place, as the engine stores it.
    fn name(&self, at: usize) -> Option<String> {
        let token = self.token(at)?;
        let name = token.name(self.text).filter(|_| token.kind != Kind::String || self.engine == Engine::Sqlite)?;
        Some(if token.kind == Kind::Word && self.postgres() { name.to_ascii_lowercase() } else { name })
    }

    /// Reads `table` or `schema.table` at a place, and returns where it ends.
    fn table(&self, at: usize) -> Option<(TableName, usize)> {
        let (mut name, mut schema, mut at) = (self.name(at)?, None, at + 1);
        while self.sign(at, '.') {
            schema = Some(std::mem::replace(&mut name, self.name(at + 1)?));
            at += 2;
        }
        let default = match self.engine {
            Engine::Sqlite => schema.as_deref().is_some_and(|s| s.eq_ignore_ascii_case("main")),
            Engine::Postgres | Engine::Cockroach => schema.as_deref() == Some("public"),
            Engine::Mysql | Engine::Mariadb => false,
        };
        Some((TableName { schema: schema.filter(|_| !default), name }, at))
    }

    /// Tells whether a statement begins at a place.
    fn begins(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1) else { return true };
        self.sign(before, ';')
            || self.sign(before, '>') && at > 1 && self.sign(at - 2, '>')
            || self.is_any(before, &["BEGIN", "THEN", "ELSE", "LOOP", "DO"])
    }

    /// Returns where the statement at a place ends: at a `;`, or at the parenthesis that closes around it.
    fn end(&self, from: usize) -> usize {
        let mut depth = 0usize;
        for at in from..self.steps.len() {
            if self.sign(at, '(') {
                depth += 1;
            } else if self.sign(at, ')') {
                if depth == 0 {
                    return at;
                }
                depth -= 1;
            } else if depth == 0 && self.sign(at, ';') {
                return at;
            }
        }
        self.steps.len()
    }

    /// Returns the place behind the parenthesis that closes the one at a place.
    fn behind(&self, open: usize) -> usize {
        self.end(open + 1) + 1
    }

    fn conditional(&self, at: usize) -> bool {
        self.steps.get(at).is_none_or(|s| s.conditional)
    }

    /// Whether an error that is raised is caught again, for all that is known.
    fn catches(&self) -> bool {
        (0..self.steps.len()).any(|at| self.is(at, "EXCEPTION") && self.is(at + 1, "WHEN"))
            || (0..self.steps.len()).any(|at| self.is(at, "HANDLER") && self.is(at + 1, "FOR"))
    }

    fn raises(&self) -> Chance {
        let mut chance = Chance::Never;
        let mut left = false;
        for at in 0..self.steps.len() {
            if self.postgres() && self.is(at, "RETURN") && self.begins(at) {
                left = true;
            }
            if self.raises_at(at) {
                let certain = !left && !self.catches() && self.runs_always(at);
                chance = chance.max(if certain { Chance::Always } else { Chance::Maybe });
            }
        }
        chance
    }

    fn raises_at(&self, at: usize) -> bool {
        match self.engine {
            Engine::Sqlite => self.is(at, "RAISE") && self.sign(at + 1, '(') && !self.is(at + 2, "IGNORE"),
            Engine::Postgres | Engine::Cockroach => {
                let told = ["NOTICE", "WARNING", "INFO", "LOG", "DEBUG"];
                let raise = self.is(at, "RAISE") && self.begins(at) && !self.is_any(at + 1, &told);
                raise || self.is(at, "ASSERT") && self.begins(at)
            }
            Engine::Mysql | Engine::Mariadb => self.is_any(at, &["SIGNAL", "RESIGNAL"]) && self.begins(at),
        }
    }

    /// Tells whether the `RAISE` at a place runs whenever the body does.
    fn runs_always(&self, at: usize) -> bool {
        if self.is(at, "ASSERT") || self.conditional(at) {
            return false;
        }
        if self.engine != Engine::Sqlite {
            return true;
        }
        // `SELECT RAISE(ABORT, '…');` and nothing else.
        at > 0 && self.is(at - 1, "SELECT") && self.begins(at - 1) && {
            let behind = self.behind(at + 1);
            behind >= self.steps.len() || self.sign(behind, ';')
        }
    }

    /// PostgreSQL: a `BEFORE` row trigger that returns NULL; SQLite: `RAISE(IGNORE)`.
    fn skips(&self, event: &str) -> Chance {
        if self.engine == Engine::Sqlite {
            let ignores = |at: &usize| self.is(*at, "RAISE") && self.sign(at + 1, '(') && self.is(at + 2, "IGNORE");
            let always = |at: usize| if self.runs_always(at) { Chance::Always } else { Chance::Maybe };
            return (0..self.steps.len()).filter(ignores).map(always).max().unwrap_or_default();
        }
        let returns = self.returns();
        let null = |r: &Returned| match r {
            Returned::Null => Some(true),
            // On DELETE there is no NEW: it is NULL.
            Returned::New => Some(event == "DELETE"),
            Returned::Old => Some(event == "INSERT"),
            Returned::Either => Some(false),
            Returned::Other => None,
        };
        if !returns.is_empty() && returns.iter().all(|r| null(r) == Some(true)) {
            return Chance::Always;
        }
        if returns.iter().any(|r| null(r) != Some(false)) { Chance::Maybe } else { Chance::Never }
    }

    fn returns(&self) -> Vec<Returned> {
        if !self.postgres() {
            return Vec::new();
        }
        let at = (0..self.steps.len()).filter(|at| self.is(*at, "RETURN") && self.begins(*at));
        at.map(|at| {
            let alone = self.end(at + 1) == at + 2;
            let both = self.is_any(at + 3, &["NEW", "OLD"]) && self.is_any(at + 5, &["NEW", "OLD"]);
            match () {
                () if alone && self.is(at + 1, "NULL") => Returned::Null,
                () if alone && self.is(at + 1, "NEW") => Returned::New,
                () if alone && self.is(at + 1, "OLD") => Returned::Old,
                () if self.is(at + 1, "COALESCE") && both => Returned::Either,
                () => Returned::Other,
            }
        })
        .collect()
    }

    /// Returns the columns of `NEW` that get another value.
    fn sets(&self, event: &str) -> Vec<String> {
        let mut columns = Vec::new();
        for at in 0..self.steps.len() {
            if !self.is(at, "NEW") {
                continue;
            }
            let into = at > 0 && self.is_any(at - 1, &["INTO", "SET"]);
            let (column, next) =
                if self.sign(at + 1, '.') { (self.name(at + 2), at + 3) } else { (Some("*".to_string()), at + 1) };
            let assigned = self.sign(next, '=') || self.sign(next, ':') && self.sign(next + 1, '=');
            if into || assigned && (self.begins(at) || self.sign(at - 1, ',')) {
                columns.extend(column);
            }
        }
        let others = [Returned::Old, Returned::Other];
        if event == "UPDATE" && self.returns().iter().any(|r| others.contains(r)) {
            columns.push("*".to_string());
        }
        columns.sort();
        columns.dedup();
        columns
    }

    /// Says what of the body cannot be known from its text.
    fn unread(&self) -> Option<String> {
        if self.engine == Engine::Sqlite {
            return None;
        }
        for at in 0..self.steps.len() {
            let runs = self.is_any(at, &["EXECUTE", "PREPARE"]) && self.begins(at) || self.is(at, "EXECUTE");
            if runs {
                return Some("it runs SQL that it puts together (EXECUTE)".to_string());
            }
            if self.postgres()
                && self.begins(at)
                && let Some(word) = COMMANDS.iter().find(|word| self.is(at, word))
            {
                return Some(format!("it runs {word}"));
            }
            if let Some(function) = self.calls(at) {
                return Some(format!("it calls `{function}`"));
            }
        }
        None
    }

    /// Returns the function that is called at a place, if it may do more than give a value.
    fn calls(&self, at: usize) -> Option<String> {
        let before = |words: &[&str]| at > 0 && self.is_any(at - 1, words);
        if !self.sign(at + 1, '(') || self.token(at).is_none_or(|t| !matches!(t.kind, Kind::Word | Kind::QuotedName)) {
            return None;
        }
        let name = self.name(at)?;
        let qualified = at > 1 && self.sign(at - 1, '.');
        let start = if qualified { at - 2 } else { at };
        // What follows is a list of columns, or the word is a type or a name for a query.
        let table = start > 0 && self.is_any(start - 1, &["INTO", "AS", "WITH", "CAST"]);
        let type_of = at > 0 && self.sign(at - 1, ':') || before(&["AS"]);
        let query = at > 0 && self.sign(at - 1, ',') && self.is(self.behind(at + 1), "AS");
        if table || type_of || query {
            return None;
        }
        let schema = if qualified { self.name(at - 2) } else { None };
        let schema = schema.filter(|s| s != "public" || !self.postgres());
        let own = schema.as_deref().is_none_or(|s| s == "pg_catalog");
        if own && writes::gives_a_value(&name.to_ascii_lowercase()) {
            return None;
        }
        Some(schema.map_or(name.clone(), |s| format!("{s}.{name}")))
    }
}

/// PostgreSQL: words that begin statements which do more than write rows.
const COMMANDS: [&str; 16] = [
    "SET", "RESET", "DO", "CALL", "TRUNCATE", "CREATE", "ALTER", "DROP", "GRANT", "REVOKE", "COPY", "REFRESH",
    "CLUSTER", "REINDEX", "IMPORT", "DISCARD",
];

/// What a trigger function returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Returned {
    Null,
    New,
    Old,
    /// `COALESCE(NEW, OLD)`: the row.
    Either,
    Other,
}

#[cfg(test)]
mod tests;
