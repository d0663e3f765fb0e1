//! The keys that sqlite3-parser's tree has.

use sqlite3_parser::ast::{
    AlterTableBody, Cmd, ColumnConstraint, ColumnDefinition, CreateTableBody, ForeignKeyClause, QualifiedName, RefAct,
    RefArg, Stmt, TableConstraint,
};
use sqlite3_parser::lexer::sql::Parser;
use sqlite3_parser::{Bump, FallibleIterator};

use crate::{Keys, key};

fn action(act: RefAct) -> &'static str {
    match act {
        RefAct::SetNull => "SET NULL",
        RefAct::SetDefault => "SET DEFAULT",
        RefAct::Cascade => "CASCADE",
        RefAct::Restrict => "RESTRICT",
        RefAct::NoAction => "NO ACTION",
    }
}

fn add(keys: &mut Keys, table: &QualifiedName<'_>, columns: &[String], clause: &ForeignKeyClause<'_>) {
    let table =
        table.db_name.as_ref().map_or_else(|| table.name.0.to_string(), |s| format!("{}.{}", s.0, table.name.0));
    let parents: Vec<String> = clause.columns.iter().flat_map(|c| c.iter()).map(|c| c.col_name.0.to_string()).collect();
    let delete =
        clause.args.iter().rev().find_map(|a| if let RefArg::OnDelete(act) = a { Some(action(*act)) } else { None });
    let update =
        clause.args.iter().rev().find_map(|a| if let RefArg::OnUpdate(act) = a { Some(action(*act)) } else { None });
    *keys.entry(key(&table, columns, clause.tbl_name.0, &parents, delete, update)).or_default() += 1;
}

fn of_column(keys: &mut Keys, table: &QualifiedName<'_>, column: &ColumnDefinition<'_>) {
    for constraint in column.constraints {
        if let ColumnConstraint::ForeignKey { clause, .. } = &constraint.constraint {
            add(keys, table, &[column.col_name.0.to_string()], clause);
        }
    }
}

/// Returns the keys of a text; `None` if SQLite's grammar refuses it.
pub fn keys(sql: &str) -> Option<Keys> {
    let bump = Bump::new();
    let mut parser = Parser::new(&bump, sql.as_bytes());
    let mut keys = Keys::new();
    loop {
        let Cmd::Stmt(statement) = (match parser.next() {
            Ok(Some(command)) => command,
            Ok(None) => return Some(keys),
            Err(_) => return None,
        }) else {
            continue;
        };
        match &statement {
            Stmt::CreateTable {
                tbl_name,
                body: CreateTableBody::ColumnsAndConstraints { columns, constraints, .. },
                ..
            } => {
                columns.iter().for_each(|c| of_column(&mut keys, tbl_name, c));
                for constraint in constraints.iter().flat_map(|c| c.iter()) {
                    if let TableConstraint::ForeignKey { columns, clause, .. } = &constraint.constraint {
                        let columns: Vec<String> = columns.iter().map(|c| c.col_name.0.to_string()).collect();
                        add(&mut keys, tbl_name, &columns, clause);
                    }
                }
            }
            Stmt::AlterTable(table, AlterTableBody::AddColumn(column)) => of_column(&mut keys, table, column),
            _ => {}
        }
    }
}
