//! Statements in few words: comments, settings, transactions, types, triggers, schemas, rows.

use super::constraint;
use super::create_table::data_type;
use super::cursor::Cursor;
use crate::sql::ast::{
    AlterAction, AlterKind, Command, CommentOn, CreateFunction, CreateRule, CreateTrigger, Name, Skipped, Transaction,
    TypeKind,
};
use crate::sql::lexer::Kind;

/// Reads what begins with neither CREATE, ALTER nor DROP.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Option<Command> {
    if let Some(transaction) = transaction(cursor) {
        return Some(Command::Transaction(transaction));
    }
    if cursor.eat_all("COMMENT ON") {
        return comment(cursor);
    }
    if cursor.eat("PRAGMA") {
        let name = cursor.name()?.name.to_ascii_lowercase();
        let _ = cursor.eat_punctuation('=') || cursor.eat_punctuation('(');
        return Some(Command::Set { name, values: values(cursor), pragma: true });
    }
    if cursor.eat("SET") {
        cursor.eat_any(&["SESSION", "LOCAL", "GLOBAL"]);
        while cursor.eat_punctuation('@') {}
        cursor.eat_any(&["SESSION", "GLOBAL"]);
        cursor.eat_punctuation('.');
        let name = cursor.name()?.name.to_ascii_lowercase();
        let _ = cursor.eat("TO")
            || cursor.eat_punctuation('=')
            || cursor.eat_punctuation(':') && cursor.eat_punctuation('=');
        return Some(Command::Set { name, values: values(cursor), pragma: false });
    }
    if cursor.postgres() && cursor.eat("RESET") {
        // `ALL` means each of them; the search path is the one that bears on names.
        let name = if cursor.is("ALL") { "search_path".to_string() } else { cursor.name()?.name.to_ascii_lowercase() };
        return Some(Command::Set { name, values: vec!["default".to_string()], pragma: false });
    }
    if cursor.mysql() && cursor.eat("USE") {
        let name = cursor.ident()?;
        return Some(Command::Set { name: "database".to_string(), values: vec![name.text], pragma: false });
    }
    if cursor.is("SELECT") {
        return set_config(cursor);
    }
    if cursor.mysql() && cursor.is("CALL") {
        return super::routine::call(cursor);
    }
    if cursor.eat("TRUNCATE") {
        cursor.eat("TABLE");
        let tables = cursor.names();
        let mut cascade = false;
        while !cursor.done() {
            cascade |= cursor.eat("CASCADE");
            cursor.pass();
        }
        return Some(Command::Truncate { tables, cascade });
    }
    rows(cursor)
}

fn transaction(cursor: &mut Cursor<'_>) -> Option<Transaction> {
    if cursor.eat("BEGIN") || cursor.eat_all("START TRANSACTION") {
        return Some(Transaction::Begin);
    }
    if cursor.eat("COMMIT") || cursor.eat("END") {
        return Some(Transaction::Commit);
    }
    if cursor.eat("ROLLBACK") || cursor.eat("ABORT") {
        cursor.eat_any(&["WORK", "TRANSACTION"]);
        return Some(if cursor.is("TO") { Transaction::RollbackTo } else { Transaction::Rollback });
    }
    if cursor.eat("SAVEPOINT") {
        return cursor.ident().map(|name| Transaction::Savepoint(name.text));
    }
    if cursor.eat("RELEASE") {
        cursor.eat("SAVEPOINT");
        return cursor.ident().map(|name| Transaction::Release(name.text));
    }
    None
}

fn values(cursor: &mut Cursor<'_>) -> Vec<String> {
    let mut values = Vec::new();
    while let Some(token) = cursor.next() {
        match token.kind {
            Kind::Word | Kind::QuotedName | Kind::String => values.extend(token.name(cursor.text)),
            Kind::Number => values.push(token.text(cursor.text).to_string()),
            _ => {}
        }
    }
    values
}

/// `SELECT pg_catalog.set_config('search_path', '', false)`, as pg_dump writes it.
fn set_config(cursor: &mut Cursor<'_>) -> Option<Command> {
    cursor.eat("SELECT");
    let function = cursor.name()?;
    if function.name != "set_config" || !cursor.eat_punctuation('(') {
        return None;
    }
    let name = cursor.string()?.to_ascii_lowercase();
    cursor.eat_punctuation(',');
    let value = cursor.string()?;
    let values = value.split(',').map(|v| v.trim().trim_matches('"').to_string()).filter(|v| !v.is_empty()).collect();
    Some(Command::Set { name, values, pragma: false })
}

fn rows(cursor: &mut Cursor<'_>) -> Option<Command> {
    let verb = ["INSERT", "UPDATE", "DELETE", "COPY", "REPLACE", "UPSERT"].into_iter().find(|v| cursor.is(v))?;
    cursor.next();
    while cursor.eat_any(&["INTO", "FROM", "OR", "IGNORE", "ONLY", "ABORT", "FAIL", "ROLLBACK"])
        || verb == "INSERT" && cursor.eat("REPLACE")
    {}
    Some(Command::Rows { verb, table: cursor.name() })
}

fn comment(cursor: &mut Cursor<'_>) -> Option<Command> {
    let on = if cursor.eat("TABLE") {
        CommentOn::Table(cursor.name()?)
    } else if cursor.eat("COLUMN") {
        let mut parts = vec![cursor.ident()?.text];
        let start = cursor.start();
        while cursor.eat_punctuation('.') {
            parts.push(cursor.ident()?.text);
        }
        let column = parts.pop()?;
        let name = parts.pop()?;
        CommentOn::Column(Name { schema: parts.pop(), name, span: cursor.since(start) }, column)
    } else if cursor.eat("CONSTRAINT") {
        let constraint = cursor.ident()?.text;
        cursor.eat("ON");
        if cursor.eat("DOMAIN") { CommentOn::Other } else { CommentOn::Constraint(cursor.name()?, constraint) }
    } else {
        while !cursor.done() && !cursor.is("IS") {
            cursor.pass();
        }
        CommentOn::Other
    };
    cursor.eat("IS");
    let text = cursor.string();
    Some(Command::Comment { on, text })
}

/// Reads what follows `CREATE` and its adjectives, tables and indexes apart.
pub(super) fn create(cursor: &mut Cursor<'_>) -> Option<Command> {
    if cursor.eat("TRIGGER") {
        return trigger(cursor).map(|t| Command::CreateTrigger(Box::new(t)));
    }
    if cursor.postgres() && cursor.eat("FUNCTION") {
        return function(cursor).map(|f| Command::CreateFunction(Box::new(f)));
    }
    if cursor.postgres() && cursor.eat("RULE") {
        return rule(cursor).map(|r| Command::CreateRule(Box::new(r)));
    }
    if cursor.eat("TYPE") {
        cursor.if_not_exists();
        let name = cursor.name()?;
        let kind = if cursor.eat_all("AS ENUM") { TypeKind::Enum { labels: labels(cursor) } } else { TypeKind::Other };
        return Some(Command::CreateType { name, kind });
    }
    if cursor.eat("DOMAIN") {
        return domain(cursor);
    }
    cursor.eat_any(&["MATERIALIZED", "RECURSIVE"]);
    if cursor.mysql() {
        while !cursor.done()
            && !cursor.is_any(&["VIEW", "PROCEDURE", "FUNCTION", "DATABASE", "SCHEMA", "EVENT", "SEQUENCE", "TRIGGER"])
        {
            cursor.pass();
        }
        if cursor.eat("TRIGGER") {
            return trigger(cursor).map(|t| Command::CreateTrigger(Box::new(t)));
        }
    }
    if cursor.eat("VIEW") || cursor.eat("SEQUENCE") {
        cursor.if_not_exists();
        return cursor.name().map(|name| Command::CreateOther { name });
    }
    None
}

fn labels(cursor: &mut Cursor<'_>) -> Vec<String> {
    let mut labels = Vec::new();
    if cursor.eat_punctuation('(') {
        while let Some(label) = cursor.string() {
            labels.push(label);
            cursor.eat_punctuation(',');
        }
        cursor.eat_punctuation(')');
    }
    labels
}

fn domain(cursor: &mut Cursor<'_>) -> Option<Command> {
    let name = cursor.name()?;
    cursor.eat("AS");
    let base = data_type(cursor);
    let (mut not_null, mut default, mut collation) = (false, None, None);
    while !cursor.done() {
        use crate::sql::ast::ConstraintKind as Kind;
        match constraint::of_column(cursor).map(|c| c.kind) {
            Some(Kind::NotNull(_)) => not_null = true,
            Some(Kind::Default(text)) => default = Some(text),
            Some(Kind::Collate(name)) => collation = Some(name),
            Some(_) => {}
            None => cursor.pass(),
        }
    }
    Some(Command::CreateType { name, kind: TypeKind::Domain { base, not_null, default, collation } })
}

fn trigger(cursor: &mut Cursor<'_>) -> Option<CreateTrigger> {
    let mut made = CreateTrigger { if_not_exists: cursor.if_not_exists(), ..CreateTrigger::default() };
    made.name = cursor.name()?;
    // "CREATE TRIGGER": SQLite's default is BEFORE.
    made.timing = if cursor.eat_all("INSTEAD OF") {
        "INSTEAD OF"
    } else if cursor.eat("AFTER") {
        "AFTER"
    } else {
        cursor.eat("BEFORE");
        "BEFORE"
    }
    .to_string();
    while !cursor.done() && !cursor.eat("ON") {
        if let Some(event) = ["INSERT", "UPDATE", "DELETE", "TRUNCATE"].into_iter().find(|e| cursor.is(e)) {
            made.events.push(event.to_string());
        }
        if cursor.eat_all("UPDATE OF") {
            while let Some(column) = cursor.ident() {
                made.columns.push(column.text);
                if !cursor.eat_punctuation(',') {
                    break;
                }
            }
            continue;
        }
        cursor.pass();
    }
    let order = ["INSERT", "UPDATE", "DELETE", "TRUNCATE"];
    made.events.sort_by_key(|e| order.iter().position(|o| o == e));
    made.events.dedup();
    made.table = cursor.name()?;
    // SQLite and MySQL have no other than row triggers.
    made.for_each_row = !cursor.postgres();
    if cursor.mysql() {
        cursor.eat_all("FOR EACH ROW");
        if cursor.eat_any(&["FOLLOWS", "PRECEDES"]) {
            cursor.name();
        }
    }
    while !cursor.done() && !cursor.is("BEGIN") && !cursor.mysql() {
        made.for_each_row |= cursor.is_all("FOR EACH ROW") || cursor.is_all("FOR ROW");
        made.conditional |= cursor.is("WHEN");
        if cursor.postgres() && made.condition.is_none() && cursor.eat("WHEN") {
            let start = cursor.start();
            cursor.pass();
            made.condition = Some(cursor.text_since(start).text);
            continue;
        }
        if cursor.postgres() && (cursor.eat_all("EXECUTE FUNCTION") || cursor.eat_all("EXECUTE PROCEDURE")) {
            made.function = cursor.name();
        }
        cursor.pass();
    }
    if !cursor.postgres() {
        let start = cursor.start();
        while !cursor.done() {
            cursor.pass();
        }
        made.body = Some(cursor.text_since(start).text);
    }
    Some(made)
}

/// Reads PostgreSQL's `CREATE FUNCTION … RETURNS trigger`; no other function is of any account here.
fn function(cursor: &mut Cursor<'_>) -> Option<CreateFunction> {
    let mut made = CreateFunction { name: cursor.name()?, language: "sql".to_string(), body: String::new() };
    let mut fires = false;
    while !cursor.done() {
        if cursor.eat("RETURNS") {
            fires = cursor.is("TRIGGER") || cursor.is_all("PG_CATALOG") && cursor.is_at(2, "TRIGGER");
        } else if cursor.eat("LANGUAGE") {
            let token = cursor.peek()?;
            made.language = token.name(cursor.text)?.to_ascii_lowercase();
        } else if cursor.eat("AS") {
            made.body = cursor.string()?;
            continue;
        }
        cursor.pass();
    }
    fires.then_some(made)
}

/// Reads PostgreSQL's `CREATE RULE name AS ON event TO table [WHERE …] DO [ALSO | INSTEAD] …`.
fn rule(cursor: &mut Cursor<'_>) -> Option<CreateRule> {
    let mut made = CreateRule { name: cursor.ident()?.text, ..CreateRule::default() };
    if !cursor.eat_all("AS ON") {
        return None;
    }
    let event = ["INSERT", "UPDATE", "DELETE"].into_iter().find(|e| cursor.is(e))?;
    made.event = event.to_string();
    cursor.pass();
    cursor.eat("TO").then_some(())?;
    made.table = cursor.name()?;
    made.conditional = cursor.is("WHERE");
    let start = cursor.start();
    while !cursor.done() && !cursor.is("DO") {
        cursor.pass();
    }
    made.condition = cursor.text_since(start).text;
    cursor.eat("DO");
    made.instead = cursor.eat("INSTEAD");
    cursor.eat("ALSO");
    let start = cursor.start();
    while !cursor.done() {
        cursor.pass();
    }
    made.actions = cursor.text_since(start).text;
    Some(made)
}

/// Reads what follows `ALTER`, tables and indexes apart.
pub(super) fn alter(cursor: &mut Cursor<'_>) -> Option<Command> {
    if cursor.eat("SCHEMA") {
        let name = cursor.ident()?.text;
        return cursor
            .eat_all("RENAME TO")
            .then(|| cursor.ident())
            .flatten()
            .map(|to| Command::RenameSchema { name, to: to.text });
    }
    if cursor.eat("SEQUENCE") {
        cursor.if_exists();
        let sequence = cursor.name()?;
        while !cursor.done() && !cursor.eat_all("OWNED BY") {
            cursor.pass();
        }
        let mut parts = vec![cursor.ident()?.text];
        while cursor.eat_punctuation('.') {
            parts.push(cursor.ident()?.text);
        }
        let column = parts.pop()?;
        let name = parts.pop()?;
        let table = Name { schema: parts.pop(), name, span: sequence.span };
        return Some(Command::OwnSequence { sequence, table, column });
    }
    let start = cursor.start();
    let domain = cursor.is("DOMAIN");
    if cursor.eat("TYPE") || cursor.eat("DOMAIN") {
        let name = cursor.name()?;
        let mut to = name.clone();
        if domain && cursor.eat_all("SET NOT NULL") {
            return Some(Command::RequireDomain { name });
        }
        if domain && !cursor.is("OWNER") && !cursor.is_all("RENAME TO") && !cursor.is_all("SET SCHEMA") {
            // A default, a CHECK, NULL allowed again: which columns have their own, the replay does not keep.
            while !cursor.done() {
                cursor.pass();
            }
            let span = cursor.since(start);
            cursor.skipped.push(Skipped { span, within: Skipped::DOMAIN });
            return None;
        }
        if cursor.eat_all("RENAME TO") {
            to.name = cursor.ident()?.text;
        } else if cursor.eat_all("SET SCHEMA") {
            to.schema = Some(cursor.ident()?.text);
        } else if cursor.eat_all("ADD VALUE") {
            cursor.if_not_exists();
            let label = cursor.string()?;
            let before = cursor.eat("BEFORE");
            let beside = if before || cursor.eat("AFTER") { cursor.string().map(|l| (l, before)) } else { None };
            return Some(Command::AddLabel { name, label, beside });
        } else if cursor.eat_all("RENAME VALUE") {
            let label = cursor.string()?;
            cursor.eat("TO");
            return Some(Command::RenameLabel { name, label, to: cursor.string()? });
        } else {
            return None;
        }
        return Some(Command::RenameType { name, to });
    }
    None
}

/// Reads what follows `DROP`, tables and indexes apart.
pub(super) fn drop(cursor: &mut Cursor<'_>) -> Option<Command> {
    if cursor.eat("TRIGGER") {
        let if_exists = cursor.if_exists();
        let name = cursor.name()?;
        let table = cursor.eat("ON").then(|| cursor.name()).flatten();
        return Some(Command::DropTrigger { name, table, if_exists });
    }
    if cursor.postgres() && cursor.eat("RULE") {
        let if_exists = cursor.if_exists();
        let name = cursor.ident()?.text;
        let table = cursor.eat("ON").then(|| cursor.name()).flatten()?;
        return Some(Command::DropRule { name, table, if_exists });
    }
    if cursor.eat("TYPE") || cursor.eat("DOMAIN") {
        cursor.if_exists();
        let names = cursor.names();
        return Some(Command::DropType { names, cascade: cursor.is("CASCADE") });
    }
    if cursor.eat("SCHEMA") || cursor.mysql() && cursor.eat("DATABASE") {
        cursor.if_exists();
        let names = cursor.names().into_iter().map(|n| n.name).collect();
        return Some(Command::DropSchema { names, cascade: cursor.is("CASCADE") || cursor.mysql() });
    }
    None
}

/// Reads `RENAME TABLE a TO b, c TO d`.
pub(super) fn rename_tables(cursor: &mut Cursor<'_>) -> Vec<Command> {
    cursor.eat("RENAME");
    cursor.eat_any(&["TABLE", "TABLES"]);
    let mut commands = Vec::new();
    loop {
        let start = cursor.start();
        let Some(table) = cursor.name() else { break };
        cursor.eat("TO");
        let Some(to) = cursor.name() else { break };
        let kind = AlterKind::RenameTable { schema: to.schema, name: Some(to.name) };
        let actions = vec![AlterAction { kind, span: cursor.since(start) }];
        commands.push(Command::AlterTable { table, if_exists: false, actions });
        if !cursor.eat_punctuation(',') {
            break;
        }
    }
    commands
}
