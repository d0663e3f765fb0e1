//! `ALTER TABLE`, one action after another.

use super::constraint;
use super::create_table::{column, data_type, place};
use super::cursor::Cursor;
use crate::schema::Engine;
use crate::sql::ast::{AlterAction, AlterKind, Command, DropKind, Ident, KeyClause, Skipped};

/// Reads what follows `ALTER TABLE`.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Option<Command> {
    let if_exists = cursor.if_exists();
    cursor.eat("ONLY");
    let table = cursor.name()?;
    cursor.eat_punctuation('*');
    let mut actions = Vec::new();
    while !cursor.done() {
        let start = cursor.start();
        let before = cursor.position();
        match action(cursor) {
            Some(kinds) => {
                let span = cursor.since(start);
                actions.extend(kinds.into_iter().map(|kind| AlterAction { kind, span }));
            }
            None => {
                cursor.seek(before);
                cursor.skip(Skipped::ALTER);
            }
        }
        if !cursor.eat_punctuation(',') && !cursor.done() {
            // What follows an action that is known: `CASCADE`, `USING …`, `ALGORITHM=…`.
            tail(cursor);
            cursor.eat_punctuation(',');
        }
        if cursor.position() == before {
            cursor.pass();
        }
    }
    actions.shrink_to_fit();
    Some(Command::AlterTable { table, if_exists, actions })
}

fn tail(cursor: &mut Cursor<'_>) {
    if cursor.is("USING") {
        cursor.pass_item();
    }
    if !cursor.at_punctuation(',') {
        cursor.skip(Skipped::ALTER);
    }
    cursor.eat_punctuation(')');
}

fn action(cursor: &mut Cursor<'_>) -> Option<Vec<AlterKind>> {
    if cursor.eat("ADD") {
        return add(cursor);
    }
    let kind = if cursor.eat("DROP") {
        drop(cursor)?
    } else if cursor.eat("RENAME") {
        rename(cursor)?
    } else if cursor.eat("ALTER") {
        alter(cursor)?
    } else if cursor.mysql() && cursor.is_any(&["MODIFY", "CHANGE"]) {
        let change = cursor.is("CHANGE");
        cursor.next();
        cursor.eat("COLUMN");
        cursor.if_exists();
        let old = if change { Some(cursor.ident()?) } else { None };
        let column = column(cursor, false)?;
        let place = place(cursor);
        AlterKind::ReplaceColumn { old: old.unwrap_or_else(|| column.name.clone()), column, place }
    } else if cursor.eat_all("VALIDATE CONSTRAINT") {
        AlterKind::Validate { name: cursor.ident()? }
    } else if cursor.eat_all("ATTACH PARTITION") {
        let partition = cursor.name()?;
        cursor.pass_item();
        AlterKind::AttachPartition { partition }
    } else if cursor.eat_all("DETACH PARTITION") {
        let partition = cursor.name()?;
        cursor.pass_item();
        AlterKind::DetachPartition { partition }
    } else if cursor.eat_all("NO INHERIT") {
        AlterKind::Inherit { parent: cursor.name()?, inherits: false }
    } else if cursor.eat("INHERIT") {
        AlterKind::Inherit { parent: cursor.name()?, inherits: true }
    } else if cursor.eat_any(&["ENABLE", "DISABLE"]) {
        switch(cursor)
    } else if cursor.eat_all("SET SCHEMA") {
        AlterKind::RenameTable { schema: Some(cursor.ident()?.text), name: None }
    } else if cursor.eat_all("SET LOGGED") {
        AlterKind::SetLogged(true)
    } else if cursor.eat_all("SET UNLOGGED") {
        AlterKind::SetLogged(false)
    } else if cursor.mysql() && cursor.eat("COMMENT") {
        cursor.eat_punctuation('=');
        AlterKind::Comment(cursor.string()?)
    } else if of_no_account(cursor) {
        cursor.pass_item();
        AlterKind::Nothing
    } else {
        return None;
    };
    Some(vec![kind])
}

/// Tells whether a known action begins here that changes nothing of what is kept.
fn of_no_account(cursor: &Cursor<'_>) -> bool {
    let postgres = ["OWNER", "SET", "RESET", "CLUSTER", "REPLICA", "FORCE", "NO", "OF", "OPTIONS"];
    let cockroach = ["SPLIT", "UNSPLIT", "SCATTER", "CONFIGURE", "EXPERIMENTAL_AUDIT", "INJECT", "PARTITION"];
    let mysql = [
        "ENGINE",
        "AUTO_INCREMENT",
        "DEFAULT",
        "CHARACTER",
        "CHARSET",
        "COLLATE",
        "CONVERT",
        "ROW_FORMAT",
        "ALGORITHM",
        "LOCK",
        "ORDER",
        "FORCE",
        "KEY_BLOCK_SIZE",
        "STATS_PERSISTENT",
        "WITH",
        "WITHOUT",
        "DISCARD",
        "IMPORT",
        "WAIT",
        "NOWAIT",
    ];
    cursor.postgres() && cursor.is_any(&postgres)
        || cursor.engine == Engine::Cockroach && cursor.is_any(&cockroach)
        || cursor.mysql() && cursor.is_any(&mysql)
}

fn add(cursor: &mut Cursor<'_>) -> Option<Vec<AlterKind>> {
    if constraint::at_table_constraint(cursor) && !column_called_like_a_constraint(cursor) {
        return constraint::of_table(cursor).map(|c| vec![AlterKind::AddConstraint(c)]);
    }
    if cursor.mysql() && cursor.is("PARTITION") {
        return None;
    }
    cursor.eat("COLUMN");
    let if_not_exists = cursor.if_not_exists();
    if cursor.mysql() && cursor.eat_punctuation('(') {
        // MySQL: ADD (a INT, b INT).
        let mut added = Vec::new();
        while !cursor.done() && !cursor.at_punctuation(')') {
            let before = cursor.position();
            if constraint::at_table_constraint(cursor) {
                added.extend(constraint::of_table(cursor).map(AlterKind::AddConstraint));
            } else if let Some(column) = column(cursor, false) {
                added.push(AlterKind::AddColumn { column, if_not_exists, place: None });
            }
            cursor.eat_punctuation(',');
            if cursor.position() == before {
                cursor.pass();
            }
        }
        cursor.eat_punctuation(')');
        return Some(added);
    }
    let column = column(cursor, false)?;
    let place = place(cursor);
    Some(vec![AlterKind::AddColumn { column, if_not_exists, place }])
}

/// `ADD unique int` is no constraint on engines where the word is no keyword; only SQLite and MySQL come near it.
fn column_called_like_a_constraint(cursor: &Cursor<'_>) -> bool {
    cursor.is("COLUMN")
}

fn drop(cursor: &mut Cursor<'_>) -> Option<AlterKind> {
    let kind = if cursor.eat("CONSTRAINT") {
        DropKind::Any
    } else if cursor.mysql() && cursor.eat_all("FOREIGN KEY") {
        DropKind::ForeignKey
    } else if cursor.mysql() && cursor.is_all("PRIMARY KEY") {
        let start = cursor.start();
        cursor.eat_all("PRIMARY KEY");
        let name = Ident { text: "PRIMARY".to_string(), span: cursor.since(start) };
        return Some(AlterKind::DropConstraint { name, kind: DropKind::PrimaryKey, if_exists: false, cascade: false });
    } else if cursor.mysql() && cursor.eat_any(&["INDEX", "KEY"]) {
        DropKind::Index
    } else if cursor.mysql() && cursor.eat("CHECK") {
        DropKind::Check
    } else if cursor.mysql() && cursor.is("PARTITION") {
        return None;
    } else {
        cursor.eat("COLUMN");
        let if_exists = cursor.if_exists();
        let column = cursor.ident()?;
        return Some(AlterKind::DropColumn { column, if_exists, cascade: cascade(cursor) });
    };
    let if_exists = cursor.if_exists();
    let name = cursor.ident()?;
    Some(AlterKind::DropConstraint { name, kind, if_exists, cascade: cascade(cursor) })
}

fn cascade(cursor: &mut Cursor<'_>) -> bool {
    if cursor.eat("RESTRICT") {
        return false;
    }
    cursor.eat("CASCADE")
}

fn rename(cursor: &mut Cursor<'_>) -> Option<AlterKind> {
    if cursor.eat("CONSTRAINT") {
        let name = cursor.ident()?;
        cursor.eat("TO");
        return Some(AlterKind::RenameConstraint { name, to: cursor.ident()? });
    }
    if cursor.mysql() && cursor.is_any(&["INDEX", "KEY"]) && !cursor.is_at(1, "TO") {
        cursor.next();
        let index = cursor.ident()?;
        cursor.eat("TO");
        return Some(AlterKind::RenameIndex { index, to: cursor.ident()? });
    }
    if cursor.eat("TO") || cursor.mysql() && (cursor.eat("AS") || !cursor.is("COLUMN") && !cursor.is_at(1, "TO")) {
        let name = cursor.name()?;
        return Some(AlterKind::RenameTable { schema: name.schema, name: Some(name.name) });
    }
    if cursor.is("COLUMN") && !cursor.is_at(1, "TO") {
        cursor.next();
        cursor.if_exists();
    }
    let column = cursor.ident()?;
    cursor.eat("TO");
    Some(AlterKind::RenameColumn { column, to: cursor.ident()? })
}

fn alter(cursor: &mut Cursor<'_>) -> Option<AlterKind> {
    if cursor.eat("CONSTRAINT") || cursor.mysql() && cursor.eat("CHECK") {
        return alter_constraint(cursor);
    }
    if cursor.eat_all("PRIMARY KEY USING COLUMNS") {
        let parts = super::index::parts(cursor).0;
        cursor.pass_item();
        return Some(AlterKind::ReplacePrimaryKey(KeyClause { parts, ..KeyClause::default() }));
    }
    if cursor.mysql() && cursor.eat("INDEX") {
        cursor.pass_item();
        return Some(AlterKind::Nothing);
    }
    cursor.eat("COLUMN");
    let column = cursor.ident()?;
    if cursor.engine == crate::schema::Engine::Sqlite && cursor.eat("TO") {
        // libSQL: the whole definition anew (docs, "Altering a column").
        let new = self::column(cursor, false)?;
        return Some(AlterKind::ReplaceColumn { old: column, column: new, place: None });
    }
    let kind = if cursor.eat_all("SET DATA TYPE") || cursor.eat("TYPE") {
        let data_type = data_type(cursor);
        let collation = if cursor.eat("COLLATE") { cursor.name().map(|n| n.name) } else { None };
        if cursor.is("USING") {
            cursor.pass_item();
        }
        AlterKind::SetType { column, data_type, collation }
    } else if cursor.eat_all("SET NOT NULL") {
        AlterKind::SetNullable { column, nullable: false }
    } else if cursor.eat_all("DROP NOT NULL") {
        AlterKind::SetNullable { column, nullable: true }
    } else if cursor.eat_all("SET DEFAULT") {
        let default = constraint::default(cursor);
        AlterKind::SetDefault { column, default: Some(default) }
    } else if cursor.eat_all("DROP DEFAULT") {
        AlterKind::SetDefault { column, default: None }
    } else if cursor.is_all("ADD GENERATED") {
        cursor.pass_item();
        AlterKind::SetAutoNumber { column, auto_number: true }
    } else if cursor.eat_all("DROP IDENTITY") {
        cursor.if_exists();
        AlterKind::SetAutoNumber { column, auto_number: false }
    } else if cursor.eat_all("DROP EXPRESSION") || cursor.eat_all("DROP STORED") {
        cursor.if_exists();
        AlterKind::DropExpression { column }
    } else if cursor.is_any(&["SET", "RESET", "RESTART"]) && !cursor.is_at(1, "EXPRESSION") {
        cursor.pass_item();
        AlterKind::Nothing
    } else {
        return None;
    };
    Some(kind)
}

fn alter_constraint(cursor: &mut Cursor<'_>) -> Option<AlterKind> {
    let name = cursor.ident()?;
    let mut timing = None;
    let mut enforced = None;
    loop {
        if let Some(found) = constraint::timing(cursor) {
            timing = Some(found);
        } else if cursor.eat_all("NOT ENFORCED") {
            enforced = Some(false);
        } else if cursor.eat("ENFORCED") {
            enforced = Some(true);
        } else if cursor.eat_all("NO INHERIT") || cursor.eat("INHERIT") {
        } else {
            return Some(AlterKind::AlterConstraint { name, timing, enforced });
        }
    }
}

/// Reads what follows `ENABLE` or `DISABLE`.
fn switch(cursor: &mut Cursor<'_>) -> AlterKind {
    let enabled = cursor.position().checked_sub(1).is_some_and(|at| {
        let here = cursor.position();
        cursor.seek(at);
        let enable = cursor.is("ENABLE");
        cursor.seek(here);
        enable
    });
    let kind = if cursor.eat("REPLICA") { false } else { enabled };
    cursor.eat("ALWAYS");
    if cursor.is("RULE") && cursor.postgres() {
        cursor.pass();
        return cursor.ident().map_or(AlterKind::Nothing, |n| AlterKind::SetRule { name: n.text, enabled: kind });
    }
    if !cursor.eat("TRIGGER") {
        cursor.pass_item();
        return AlterKind::Nothing;
    }
    if cursor.eat("ALL") {
        return AlterKind::SetTrigger { name: None, user: false, enabled: kind };
    }
    if cursor.eat("USER") {
        return AlterKind::SetTrigger { name: None, user: true, enabled: kind };
    }
    match cursor.ident() {
        Some(name) => AlterKind::SetTrigger { name: Some(name.text), user: false, enabled: kind },
        None => AlterKind::Nothing,
    }
}
