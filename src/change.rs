//! Changes to a schema, as values: what a migration does, what a finding proposes, what a simulator applies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{ForeignKey, Index, Schema, Table, TableName};

/// One change to a schema.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum Change {
    /// Declares a foreign key.
    AddForeignKey {
        /// The child.
        table: TableName,
        /// The key.
        foreign_key: ForeignKey,
    },
    /// Removes a foreign key.
    DropForeignKey {
        /// The child.
        table: TableName,
        /// The key, as it is.
        foreign_key: ForeignKey,
    },
    /// Puts one foreign key in the place of another, under the same name.
    ReplaceForeignKey {
        /// The child.
        table: TableName,
        /// The key, as it is.
        old: ForeignKey,
        /// The key, as it shall be.
        new: ForeignKey,
    },
    /// Has the engine check the rows of a key that was added `NOT VALID`.
    ValidateForeignKey {
        /// The child.
        table: TableName,
        /// The key, as it is.
        foreign_key: ForeignKey,
    },
    /// Builds an index.
    AddIndex {
        /// The table.
        table: TableName,
        /// The index.
        index: Index,
    },
    /// Removes an index.
    DropIndex {
        /// The table.
        table: TableName,
        /// The index, as it is.
        index: Index,
    },
    /// Sets or drops `NOT NULL`.
    SetNullable {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// Whether the column can hold NULL afterwards.
        nullable: bool,
    },
    /// Sets or drops a column's default.
    SetDefault {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// The new default as SQL text; `None` drops it.
        default: Option<String>,
    },
}

/// A change that does not fit the schema it is applied to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The table is not there.
    #[error("there is no table `{0}`")]
    NoTable(TableName),
    /// The object to be changed is not there.
    #[error("table `{table}` has no {what}")]
    NoSuch {
        /// The table.
        table: TableName,
        /// What is missing.
        what: String,
    },
    /// The object to be made is there already.
    #[error("table `{table}` has {what} already")]
    Exists {
        /// The table.
        table: TableName,
        /// What is there.
        what: String,
    },
}

impl Change {
    /// Returns the table the change is made to.
    pub fn table(&self) -> &TableName {
        match self {
            Self::AddForeignKey { table, .. }
            | Self::DropForeignKey { table, .. }
            | Self::ReplaceForeignKey { table, .. }
            | Self::ValidateForeignKey { table, .. }
            | Self::AddIndex { table, .. }
            | Self::DropIndex { table, .. }
            | Self::SetNullable { table, .. }
            | Self::SetDefault { table, .. } => table,
        }
    }

    /// Makes the change in a schema.
    ///
    /// # Errors
    /// The table or the object it changes is missing, or the object it makes exists. The schema is then unchanged.
    pub fn apply(&self, schema: &mut Schema) -> Result<(), ChangeError> {
        let name = self.table().clone();
        let table = schema.table_mut(&name).ok_or(ChangeError::NoTable(name))?;
        match self {
            Self::AddForeignKey { foreign_key, .. } => table.foreign_keys.push(foreign_key.clone()),
            Self::DropForeignKey { foreign_key, .. } => {
                let at = position(table, foreign_key)?;
                table.foreign_keys.remove(at);
            }
            Self::ReplaceForeignKey { old, new, .. } => {
                let at = position(table, old)?;
                table.foreign_keys[at] = new.clone();
            }
            Self::ValidateForeignKey { foreign_key, .. } => {
                let at = position(table, foreign_key)?;
                table.foreign_keys[at].validated = true;
            }
            Self::AddIndex { index, .. } => {
                if table.indexes.iter().any(|i| i.name == index.name) {
                    return Err(ChangeError::Exists {
                        table: table.name.clone(),
                        what: format!("index `{}`", index.name),
                    });
                }
                table.indexes.push(index.clone());
            }
            Self::DropIndex { index, .. } => {
                let at = table.indexes.iter().position(|i| i.name == index.name);
                let at = at.ok_or_else(|| no_such(table, format!("index `{}`", index.name)))?;
                table.indexes.remove(at);
            }
            Self::SetNullable { column, nullable, .. } => column_mut(table, column)?.nullable = *nullable,
            Self::SetDefault { column, default, .. } => column_mut(table, column)?.default.clone_from(default),
        }
        schema.sort();
        Ok(())
    }
}

fn no_such(table: &Table, what: String) -> ChangeError {
    ChangeError::NoSuch { table: table.name.clone(), what }
}

fn position(table: &Table, key: &ForeignKey) -> Result<usize, ChangeError> {
    let at = table.foreign_keys.iter().position(|k| k == key);
    at.ok_or_else(|| no_such(table, format!("such foreign key on ({})", key.columns.join(", "))))
}

fn column_mut<'t>(table: &'t mut Table, column: &str) -> Result<&'t mut crate::schema::Column, ChangeError> {
    let missing = no_such(table, format!("column `{column}`"));
    table.columns.iter_mut().find(|c| c.name == column).ok_or(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Action, Engine};

    #[test]
    fn replacing_a_key_that_is_not_there_changes_nothing() {
        let mut schema = Schema::new(Engine::Postgres);
        schema.tables.push(Table::new("child".into()));
        let old = ForeignKey::new(["parent_id"], "parent".into(), ["id"]);
        let new = ForeignKey { on_delete: Action::Cascade, ..old.clone() };
        let before = schema.clone();
        let replace = Change::ReplaceForeignKey { table: "child".into(), old: old.clone(), new: new.clone() };
        assert!(matches!(replace.apply(&mut schema), Err(ChangeError::NoSuch { .. })));
        assert_eq!(schema, before);

        Change::AddForeignKey { table: "child".into(), foreign_key: old }.apply(&mut schema).unwrap();
        replace.apply(&mut schema).unwrap();
        assert_eq!(schema.tables[0].foreign_keys, [new]);
    }
}
