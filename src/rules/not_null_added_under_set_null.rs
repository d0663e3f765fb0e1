//! `not-null-added-under-set-null`: a later statement sets NOT NULL where a key says SET NULL.

use super::wording::{key_name, key_place, no_parent_error, not_null_error};
use super::{Context, Meta};
use crate::findings::{Fact, Finding, Severity, Subject};
use crate::schema::{Action, Engine};

pub(crate) static META: Meta = Meta {
    code: "REF401",
    name: "not-null-added-under-set-null",
    severity: Severity::Error,
    summary: "A migration sets NOT NULL on a column whose foreign key says SET NULL",
    engines: &[Engine::Sqlite, Engine::Postgres, Engine::Cockroach],
    needs_data: false,
    page: include_str!("../../docs/rules/not-null-added-under-set-null.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    let origins = &timeline.history.origins;
    for (table, key) in context.schema.foreign_keys() {
        let Some(known) = origins.foreign_key(&table.name, key) else { continue };
        if key.on_delete != Action::SetNull {
            continue;
        }
        for name in key.changed_columns() {
            let (Some(column), Some(made)) = (table.column(name), origins.column(&table.name, name)) else { continue };
            // What the column was declared with was there before the key, or with it.
            let said = made.nullable;
            let declared = made.declared;
            let later = said.file != declared.file
                || said.span.start >= declared.span.end
                || said.span.end <= declared.span.start;
            if column.nullable || !later || said < known.declared {
                continue;
            }
            let child = &table.name;
            let delete = match not_null_error(context.schema.engine, child, name) {
                Some(error) => format!("the engine sets the column NULL, which fails: {error}"),
                None => "the engine would have to set the column NULL".to_string(),
            };
            findings.push(
                Finding::new(
                    &META,
                    Subject::foreign_key(child, key),
                    format!(
                        "`{child}.{name}` becomes NOT NULL here, but foreign key {} sets it NULL when a `{}` row is deleted",
                        key_name(child, key),
                        key.parent
                    ),
                )
                .why(format!(
                    "From this statement on no `{}` row can be deleted while a `{child}` row refers to it: {delete}. And an \
                     insert into `{child}` needs a parent that exists: {}.",
                    key.parent,
                    no_parent_error(context.schema.engine, child, key)
                ))
                .help(format!(
                    "Decide which of the two is meant. If `{child}` rows must always have their parent, give the key ON \
                     DELETE NO ACTION or RESTRICT in the same migration. If they outlive it, leave the column nullable."
                ))
                .fact(format!("{child}.{name}"), Fact::NotNull, "NOT NULL")
                .fact(key_place(child, key), Fact::OnDelete, "ON DELETE SET NULL")
                .at(timeline.places.head(said, "NOT NULL").map(|l| l.showing(0)))
                .at(timeline
                    .places
                    .head(known.on_delete.unwrap_or(known.declared), "ON DELETE SET NULL")
                    .map(|l| l.showing(1))),
            );
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::schema::Engine;
    use crate::testing::lint;

    const TABLES: &str = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int CONSTRAINT k \
                          REFERENCES p (id) ON DELETE SET NULL);";
    const REQUIRE: &str = "\nALTER TABLE c ALTER COLUMN p_id SET NOT NULL;";

    fn said(migrations: &[&str]) -> Vec<String> {
        lint(Engine::Postgres, "not-null-added-under-set-null", migrations)
    }

    #[test]
    fn not_null_after_the_key_is_found_at_its_line() {
        assert_eq!(said(&[TABLES, REQUIRE]), ["error c.p_id 2:2"]);
    }

    #[test]
    fn what_was_there_before_the_key_is_another_rules() {
        let before = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p_id int NOT NULL REFERENCES p (id) ON DELETE SET NULL);";
        assert_eq!(said(&[before]), [""; 0]);
        assert_eq!(said(&[&TABLES.replace("SET NULL", "CASCADE"), REQUIRE]), [""; 0]);
    }

    #[test]
    fn what_is_taken_back_is_none() {
        assert_eq!(said(&[TABLES, REQUIRE, "ALTER TABLE c ALTER COLUMN p_id DROP NOT NULL;"]), [""; 0]);
        assert_eq!(said(&[TABLES, REQUIRE, "ALTER TABLE c DROP CONSTRAINT k;"]), [""; 0]);
    }

    #[test]
    fn a_domain_that_becomes_not_null_counts() {
        let tables = "CREATE DOMAIN uid AS int; CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id uid \
                      CONSTRAINT k REFERENCES p (id) ON DELETE SET NULL);";
        assert_eq!(said(&[tables, "ALTER DOMAIN uid SET NOT NULL;"]), ["error c.p_id 2:1"]);
        let other = "CREATE DOMAIN other AS int NOT NULL;\nALTER TABLE c ALTER p_id TYPE other;";
        assert_eq!(said(&[tables, other]), ["error c.p_id 2:2"]);
        assert_eq!(said(&[tables, "ALTER DOMAIN uid RENAME TO other;"]), [""; 0]);
    }
}
