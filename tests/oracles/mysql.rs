//! The keys that sqlparser's tree of MySQL has.

use sqlparser::ast::{AlterTableOperation, ColumnOption, ForeignKeyConstraint, ObjectName, Statement, TableConstraint};
use sqlparser::dialect::MySqlDialect;
use sqlparser::parser::Parser;

use crate::{Keys, key};

fn add(keys: &mut Keys, table: &ObjectName, column: Option<&str>, said: &ForeignKeyConstraint) {
    let columns = match column {
        Some(column) => vec![column.to_string()],
        None => said.columns.iter().map(|c| c.value.clone()).collect(),
    };
    let parents: Vec<String> = said.referred_columns.iter().map(|c| c.value.clone()).collect();
    let action = |a: &Option<sqlparser::ast::ReferentialAction>| a.as_ref().map(ToString::to_string);
    let (delete, update) = (action(&said.on_delete), action(&said.on_update));
    let said = key(
        &table.to_string(),
        &columns,
        &said.foreign_table.to_string(),
        &parents,
        delete.as_deref(),
        update.as_deref(),
    );
    *keys.entry(said).or_default() += 1;
}

/// Returns the keys of a text; `None` if sqlparser refuses it.
pub fn keys(sql: &str) -> Option<Keys> {
    let statements = Parser::parse_sql(&MySqlDialect {}, sql).ok()?;
    let mut keys = Keys::new();
    for statement in &statements {
        match statement {
            Statement::CreateTable(table) => {
                for column in &table.columns {
                    for option in &column.options {
                        if let ColumnOption::ForeignKey(said) = &option.option {
                            add(&mut keys, &table.name, Some(&column.name.value), said);
                        }
                    }
                }
                for constraint in &table.constraints {
                    if let TableConstraint::ForeignKey(said) = constraint {
                        add(&mut keys, &table.name, None, said);
                    }
                }
            }
            Statement::AlterTable(alter) => {
                for operation in &alter.operations {
                    match operation {
                        AlterTableOperation::AddConstraint {
                            constraint: TableConstraint::ForeignKey(said), ..
                        } => {
                            add(&mut keys, &alter.name, None, said);
                        }
                        AlterTableOperation::AddColumn { column_def, .. } => {
                            for option in &column_def.options {
                                if let ColumnOption::ForeignKey(said) = &option.option {
                                    add(&mut keys, &alter.name, Some(&column_def.name.value), said);
                                }
                            }
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Some(keys)
}
