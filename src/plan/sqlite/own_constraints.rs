//! Rows that break a constraint of their own table: they came in under `PRAGMA ignore_check_constraints`, or before the constraint,
//! by `PRAGMA writable_schema`. SQLite accepts no such row a second time, so one that goes could not be restored. None is changed.

use super::super::{Counts, Guard};
use super::sql;
use crate::engine::{Dialect, sqlite::DIALECT};
use crate::schema::Table;

/// What is done to rows, as far as an undo of it has SQLite check them again.
#[derive(Clone, Copy)]
pub(super) enum Undone<'a> {
    /// They are inserted again.
    Inserted,
    /// They are given back these columns.
    Updated(&'a [String]),
}

/// Rows of one table that a step changes.
pub(super) struct Rows<'a> {
    pub table: &'a Table,
    pub undone: Undone<'a>,
    /// What stands before the query that finds them, from WITH on; empty for nothing.
    pub with: String,
    /// Their identities, as a query in parentheses; `None` where nothing tells the table's rows apart.
    pub identities: Option<String>,
}

impl Rows<'_> {
    /// Makes the guard that none of the rows breaks a constraint of its table; `None` for a table that has none.
    pub fn guard(&self) -> Option<Guard> {
        let broken = self.broken();
        if broken.is_empty() {
            return None;
        }
        let named = broken.iter().map(|b| format!("WHEN {} THEN {}", b.condition, sql::literal(&b.constraint)));
        let named = format!("CASE {} END", named.collect::<Vec<_>>().join(" "));
        Some(Guard {
            sql: self.query(&format!("{named} AS broken, count(*) AS rows"), &broken) + " GROUP BY 1 ORDER BY 1",
            found: format!("rows of {} break {} of their own table", self.table.name, constraints(&broken)),
            advice: ADVICE.to_string(),
        })
    }

    /// Looks up how many of the rows break which constraint.
    ///
    /// # Errors
    /// Some do, and which constraints.
    pub fn counted(&self, counts: &Counts) -> Result<(), String> {
        let broken = self.broken();
        if broken.is_empty() || counts.get(&self.query("count(*)", &broken)).is_none_or(|rows| rows == 0) {
            return Ok(());
        }
        let of = |one: &Broken| {
            let rows = counts.get(&self.query("count(*)", std::slice::from_ref(one))).filter(|rows| *rows > 0)?;
            let (rows, verb) =
                if rows == 1 { ("1 row".to_string(), "breaks") } else { (format!("{rows} rows"), "break") };
            Some(format!("{rows} of {} {verb} {} of the table itself", self.table.name, one.constraint))
        };
        let found: Vec<String> = broken.iter().filter_map(of).collect();
        Err(format!("{}: {ADVICE}", found.join(", ")))
    }

    fn query(&self, what: &str, broken: &[Broken]) -> String {
        let any = broken.iter().map(|b| format!("WHEN {} THEN 1", b.condition)).collect::<Vec<_>>().join(" ");
        let of_these = match (&self.identities, identity(self.table, &self.row())) {
            (Some(identities), Some(identity)) => format!(" AND {identity} IN {identities}"),
            _ => String::new(),
        };
        let with = if self.with.is_empty() { String::new() } else { format!("{}\n", self.with) };
        format!("{with}SELECT {what} FROM {} WHERE CASE {any} END = 1{of_these}", DIALECT.table(&self.table.name))
    }

    /// A CHECK may name its table, so it has no other name here.
    fn row(&self) -> String {
        DIALECT.identifier(&self.table.name.name)
    }

    fn broken(&self) -> Vec<Broken> {
        let mut all: Vec<Broken> = Vec::new();
        if let Undone::Inserted = self.undone {
            for column in self.table.columns.iter().filter(|c| !self.table.is_rowid(c)) {
                let (name, written) = (&column.name, DIALECT.identifier(&column.name));
                if !column.nullable {
                    // `IS NULL` of such a column is false to SQLite without a look at the row.
                    all.push(Broken {
                        condition: format!("typeof({written}) = 'null'"),
                        constraint: format!("NOT NULL of {name}"),
                    });
                }
                if let Some(class) = storage_class(self.table, &column.data_type.raw) {
                    let condition = format!("typeof({written}) NOT IN ('null', '{class}')");
                    all.push(Broken { condition, constraint: format!("the type of {name} (STRICT)") });
                }
            }
        }
        for check in self.table.checks.iter().filter(|check| self.is_checked(&check.expression)) {
            let constraint = match &check.name {
                Some(name) => format!("CHECK {name}"),
                None => format!("CHECK ({})", check.expression),
            };
            // A comment may end the text.
            all.push(Broken { condition: format!("NOT ({}\n)", check.expression), constraint });
        }
        all
    }

    /// Tells whether SQLite may evaluate a CHECK in the undo: an UPDATE leaves out those that name no column of its own.
    fn is_checked(&self, expression: &str) -> bool {
        let Undone::Updated(columns) = self.undone else { return true };
        let generated = self.table.columns.iter().filter(|c| c.generated.is_some()).map(|c| &c.name);
        let text = expression.to_lowercase();
        columns.iter().chain(generated).any(|column| text.contains(&column.to_lowercase()))
    }
}

const ADVICE: &str = "an undo could not restore them, as SQLite accepts no such row; correct these rows by hand, or delete them, and plan again";

/// A constraint, and what is true of a row that breaks it.
struct Broken {
    condition: String,
    constraint: String,
}

/// Writes what tells a row apart; `None` where nothing does.
pub(super) fn identity(table: &Table, row: &str) -> Option<String> {
    DIALECT.row_identity(table, row).map(|parts| parts.concat())
}

fn constraints(broken: &[Broken]) -> String {
    match broken {
        [one] => one.constraint.clone(),
        _ => "a constraint".to_string(),
    }
}

/// Returns the storage class that a column of a STRICT table holds ("STRICT Tables", 2.).
fn storage_class(table: &Table, data_type: &str) -> Option<&'static str> {
    let is = |name: &&str| name.eq_ignore_ascii_case(data_type);
    if !table.strict {
        return None;
    }
    if ["int", "integer"].iter().any(is) {
        return Some("integer");
    }
    ["real", "text", "blob"].into_iter().find(is)
}
