//! `foreign-key-dropped`: a migration takes a key away and puts none in its place.

use super::timeline::in_the_end;
use super::wording::key_name;
use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Finding, Severity, Subject};

pub(crate) static META: Meta = Meta {
    code: "REF408",
    name: "foreign-key-dropped",
    severity: Severity::Warning,
    summary: "A migration drops a foreign key and puts none in its place",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/foreign-key-dropped.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(timeline) = context.timeline else { return };
    for change in timeline.keys.iter().filter(|c| c.new.is_none()) {
        let (child, key) = (&change.table, &change.old);
        let Some(table) = context.schema.table(child) else { continue };
        // Who drops the key first, and then its parent, knows of both; CASCADE says nothing.
        let parent_gone = context.schema.table(&key.parent).is_none() && !change.with_parent;
        let gone = key.columns.iter().any(|c| table.column(c).is_none()) || parent_gone;
        let other = table.foreign_keys.iter().any(|k| k.columns.iter().any(|c| key.columns.contains(c)));
        if gone || other || in_the_end(context.schema, child, key).is_some() {
            continue;
        }
        let name = key_name(child, key);
        let columns = key.columns.join("`, `");
        findings.push(
            Finding::new(
                &META,
                Subject::foreign_key(child, key),
                match change.with_parent {
                    true => format!("DROP TABLE … CASCADE of `{}` drops foreign key {name} too, but `{child}` keeps `{columns}`", key.parent),
                    false => format!("Foreign key {name} is dropped, but `{child}` keeps `{columns}`"),
                },
            )
            .why(format!(
                "From then on nothing keeps `{columns}` true: rows can refer to `{}` rows that do not exist, and a delete leaves \
                 them behind{}.",
                key.parent,
                if key.on_delete == crate::schema::Action::Cascade { " instead of deleting them" } else { "" }
            ))
            .help("Add the key again, or drop the column, too. To change the key's action, add the new one in the same migration.")
            .label(child.to_string(), format!("loses {name}"))
            .at(timeline.places.head(change.place, "")),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::schema::Engine;
    use crate::testing::lint;

    const TABLES: &str = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int CONSTRAINT k \
                          REFERENCES p (id) ON DELETE CASCADE);";

    fn said(migrations: &[&str]) -> Vec<String> {
        lint(Engine::Postgres, "foreign-key-dropped", migrations)
    }

    const DROP: &str = "ALTER TABLE c DROP CONSTRAINT k;\n";

    #[test]
    fn a_key_whose_column_stays_is_found() {
        assert_eq!(said(&[TABLES, DROP]), ["warning c.p_id 2:1"]);
    }

    #[test]
    fn what_leaves_nothing_behind_is_none() {
        assert_eq!(said(&[TABLES, &format!("{DROP}ALTER TABLE c DROP COLUMN p_id;")]), [""; 0]);
        assert_eq!(said(&[TABLES, &format!("{DROP}DROP TABLE p;")]), [""; 0]);
        assert_eq!(said(&[TABLES, "DROP TABLE c;"]), [""; 0]);
    }

    #[test]
    fn a_key_that_comes_back_is_none() {
        let again = "ALTER TABLE c ADD CONSTRAINT k FOREIGN KEY (p_id) REFERENCES p (id);";
        assert_eq!(said(&[TABLES, &format!("{DROP}{again}")]), [""; 0]);
        assert_eq!(said(&[TABLES, DROP, again]), [""; 0], "a later migration fixes it");
        let other = "CREATE TABLE o (id int PRIMARY KEY); ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES o (id);";
        assert_eq!(said(&[TABLES, &format!("{DROP}{other}")]), [""; 0], "the column has another parent now");
    }

    #[test]
    fn cascade_takes_the_keys_of_others_along() {
        assert_eq!(said(&[TABLES, "DROP TABLE p CASCADE;"]), ["warning c.p_id 2:1"]);
        let rebuilt = "CREATE TABLE n (id int PRIMARY KEY);\nDROP TABLE p CASCADE;\nALTER TABLE n RENAME TO p;\n";
        assert_eq!(said(&[TABLES, rebuilt]), ["warning c.p_id 2:2"]);
        let again = "ALTER TABLE c ADD CONSTRAINT k FOREIGN KEY (p_id) REFERENCES p (id) ON DELETE CASCADE;";
        assert_eq!(said(&[TABLES, &format!("{rebuilt}{again}")]), [""; 0]);
        assert_eq!(said(&[TABLES, "DROP TABLE c CASCADE;"]), [""; 0]);
    }
}
