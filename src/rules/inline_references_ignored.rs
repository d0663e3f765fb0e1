//! `inline-references-ignored`: MySQL reads REFERENCES beside a column and forgets it.

use super::helpers::by_own_name;
use super::{Context, Meta};
use crate::findings::{Finding, Severity, Subject};
use crate::schema::{Engine, Version};
use crate::source::history::Place;
use crate::sql::Command;
use crate::sql::ast::{AlterKind, ColumnDef, ConstraintKind};

pub(crate) static META: Meta = Meta {
    code: "REF411",
    name: "inline-references-ignored",
    severity: Severity::Error,
    summary: "MySQL before 9.0 ignores REFERENCES in a column definition",
    engines: &[Engine::Mysql],
    needs_data: false,
    page: include_str!("../../docs/rules/inline-references-ignored.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    // MySQL 9.0 release notes: inline and implicit references are honoured from then on.
    if context.schema.version.is_some_and(|v| v >= Version::new(9, 0, 0)) {
        return;
    }
    let tables = by_own_name(context.schema);
    for step in &timeline.history.steps {
        for command in step.statement.kinds() {
            let (name, columns): (_, Vec<&ColumnDef>) = match command {
                Command::CreateTable(t) => (&t.name, t.columns.iter().collect()),
                Command::AlterTable { table, actions, .. } => {
                    let columns = actions.iter().filter_map(|a| match &a.kind {
                        AlterKind::AddColumn { column, .. } | AlterKind::ReplaceColumn { column, .. } => Some(column),
                        _ => None,
                    });
                    (table, columns.collect())
                }
                _ => continue,
            };
            for column in columns {
                let inline = column.constraints.iter().find_map(|c| match &c.kind {
                    ConstraintKind::ForeignKey(references) => Some((c, references)),
                    _ => None,
                });
                let Some((constraint, references)) = inline else { continue };
                let now = tables.get(name.name.as_str()).copied();
                // A table or a column that is gone, or has a key after all, needs none.
                let Some(table) = now.filter(|t| {
                    let keyed = t.foreign_keys.iter().any(|k| k.columns.contains(&column.name.text));
                    t.column(&column.name.text).is_some() && !keyed
                }) else {
                    continue;
                };
                let (child, parent) = (&table.name, &references.parent.name);
                let place = Place { file: step.file, span: constraint.span };
                let column = &column.name.text;
                findings.push(
                    Finding::new(
                        &META,
                        Subject::column(child, column),
                        format!("`{child}.{column}` REFERENCES `{parent}`, but MySQL makes no foreign key of it"),
                    )
                    .why(
                        "MySQL before 9.0 reads REFERENCES in a column definition and forgets it, without a warning: rows can \
                         refer to parents that do not exist, and no ON DELETE action ever runs.",
                    )
                    .help(format!("Write it as a clause of the table: FOREIGN KEY ({column}) REFERENCES {parent} (…)."))
                    .at(timeline.places.head(place, "ignored")),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::schema::Engine;
    use crate::testing::lint;

    const TABLES: &str = "CREATE TABLE p (id int PRIMARY KEY); ";

    fn said(migrations: &[&str]) -> Vec<String> {
        lint(Engine::Mysql, "inline-references-ignored", migrations)
    }

    #[test]
    fn a_reference_in_a_column_is_found() {
        let table = "CREATE TABLE c (id int PRIMARY KEY,\n p_id int REFERENCES p (id) ON DELETE CASCADE);";
        assert_eq!(said(&[&format!("{TABLES}{table}")]), ["error c.p_id 1:2"]);
        assert_eq!(said(&[TABLES, "CREATE TABLE c (id int);", "ALTER TABLE c ADD COLUMN a int REFERENCES p (id);"]), ["error c.a 3:1"]);
    }

    #[test]
    fn a_clause_of_the_table_is_none() {
        let table = "CREATE TABLE c (p_id int, FOREIGN KEY (p_id) REFERENCES p (id));";
        assert_eq!(said(&[TABLES, table]), [""; 0]);
    }

    #[test]
    fn what_is_gone_or_fixed_is_none() {
        let table = "CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p (id));";
        assert_eq!(said(&[TABLES, table, "ALTER TABLE c DROP COLUMN p_id;"]), [""; 0]);
        assert_eq!(said(&[TABLES, table, "DROP TABLE c;"]), [""; 0]);
        assert_eq!(said(&[TABLES, table, "ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p (id);"]), [""; 0]);
    }
}
