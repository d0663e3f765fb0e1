//! `undeclared-foreign-key`: a relation that names, types or the user tell, and no foreign key declares.

use super::helpers::fix;
use super::{Context, EVERY_ENGINE, Meta};
use crate::change::Change;
use crate::fate::Advisor;
use crate::findings::{Finding, Safety, Severity, Subject};
use crate::relations::lookup::{Grade, grade};
use crate::relations::{Basis, Handling, Objection, Relation, unread, impermanent};
use crate::rows::RelationRows;
use crate::schema::{Action, Engine, ForeignKey, Schema, Table, TableName};
use crate::text::argument;

pub(crate) static META: Meta = Meta {
    code: "REF102",
    name: "undeclared-foreign-key",
    severity: Severity::Warning,
    summary: "A column refers to another table's rows, and no foreign key says so",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/undeclared-foreign-key.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut advisor = Advisor::new(context.schema, context.relations);
    for (number, relation) in context.relations.relations().iter().enumerate() {
        if relation.is_declared() || is_declared_otherwise(context, relation) {
            continue;
        }
        findings.push(match context.relations.objection(number) {
            Some(objection) => looked_after(relation, objection),
            None => finding(context, &mut advisor, relation),
        });
    }
    for (relation, objection) in context.relations.records() {
        findings.push(looked_after(relation, objection));
    }
}

/// A trigger or a rule does with the rows what no key may get in the way of.
fn looked_after(relation: &Relation, objection: &Objection) -> Finding {
    let (child, parent) = (relation.child_side(), relation.parent_side());
    let (message, help) = match objection.handling {
        Handling::Records => (
            format!("`{child}` names rows of `{}` without a foreign key, and should have none", relation.parent),
            "Leave it without a foreign key.",
        ),
        Handling::Removes => (
            format!("`{child}` refers to `{parent}`, no foreign key declares it, and a trigger or rule handles its rows"),
            "Decide which of the two is to act. To declare the foreign key, drop the trigger or rule in the same migration.",
        ),
    };
    let mut why = objection.text.clone();
    if let Some(first) = why.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Finding::new(&META, Subject::relation(relation), message)
        .severity(Severity::Info)
        .why(format!("{why}."))
        .help(help)
}

/// Tells whether a declared key covers a configured relation all the same: the same pairs of columns in another order.
fn is_declared_otherwise(context: &Context<'_>, relation: &Relation) -> bool {
    context.relations.parents_of(&relation.child).filter_map(|(_, other)| other.foreign_key()).any(|key| {
        key.parent == relation.parent
            && key.columns.len() == relation.columns.len()
            && relation.columns.iter().all(|c| key.columns.contains(c))
    })
}

/// Tells whether a table is partitioned, and each of its partitions declares the key by itself.
fn is_declared_by_partitions(context: &Context<'_>, relation: &Relation, whole: &TableName) -> bool {
    let parts = context.schema.parts(whole);
    let same = |k: &ForeignKey| {
        k.columns == relation.columns && k.parent == relation.parent && k.parent_columns == relation.parent_columns
    };
    // Each row lies in a partition that has none, and belongs to each table above that.
    let is_last = |t: &&&Table| t.name != *whole && !parts.iter().any(|p| p.partition_of.as_ref() == Some(&t.name));
    let declared = |t: &&Table| {
        parts.iter().any(|p| p.foreign_keys.iter().any(same) && context.schema.is_within(&t.name, &p.name))
    };
    let mut last = parts.iter().filter(is_last).peekable();
    last.peek().is_some() && last.all(declared)
}

fn finding(context: &Context<'_>, advisor: &mut Advisor<'_>, relation: &Relation) -> Finding {
    let (child, parent) = (relation.child_side(), relation.parent_side());
    let message = match &relation.basis {
        Basis::Inferred { confidence, .. } => {
            format!("`{child}` refers to `{parent}` (confidence {confidence:.2}), but no foreign key declares it")
        }
        Basis::Configured if let Some(confidence) = relation.accepted => {
            format!("`{child}` refers to `{parent}` (accepted from a guess, confidence {confidence:.2}), but no foreign key declares it")
        }
        _ => format!("`{child}` refers to `{parent}`, as configured, but no foreign key declares it"),
    };
    let by_partitions = is_declared_by_partitions(context, relation, &relation.child);
    let message = if by_partitions {
        format!("`{child}` refers to `{parent}`: each of its partitions declares the foreign key, the table does not")
    } else {
        message
    };
    let is_warning = relation.is_certain() && !by_partitions;
    let severity = if is_warning { Severity::Warning } else { Severity::Info };
    let why = if by_partitions {
        "Rows are checked now. A partition that is added later will not have the key unless somebody remembers it."
            .to_string()
    } else {
        format!(
            "A delete in `{}` leaves the rows of `{}` that refer to it as orphans, and an insert with a parent that never was is \
             taken.",
            relation.parent, relation.child
        )
    };
    let mut finding = Finding::new(&META, Subject::relation(relation), message).severity(severity).why(why);
    if let Basis::Inferred { evidence, .. } = &relation.basis {
        for sentence in evidence {
            finding = finding.label(&child, sentence);
        }
    }
    let advice = advisor.advise(relation);
    finding = finding.advice(&child, advice.action, &advice.rationale);

    let table = context.schema.table(&relation.child);
    if let Some(table) = table {
        let text = match grade(context.schema, table, &relation.columns) {
            (Grade::Covers, Some(index)) => {
                Some(format!("index `{}` serves the look-up that the key will need", index.name))
            }
            (Grade::Covers, None) => None,
            (Grade::Helps, _) => {
                Some("an index helps the look-up that the key will need, but not on all of its columns".to_string())
            }
            (Grade::Useless, _) => {
                Some("no index serves the look-up that the key will need: add one first".to_string())
            }
        };
        if let Some(text) = text {
            finding = finding.label(&child, text);
        }
    }
    if let Some(obstacle) = obstacle(context.schema, relation) {
        return finding.help(format!("The key cannot be declared as things are: {obstacle}."));
    }
    let mut key = ForeignKey::new(&relation.columns, relation.parent.clone(), &relation.parent_columns);
    key.on_delete = advice.action;
    let change = Change::AddForeignKey { table: relation.child.clone(), foreign_key: key };
    // What cannot be read may be a history, which a key would break.
    let unread = unread(context.schema, relation);
    let safety = if unread.is_empty() { Safety::Unsafe } else { Safety::Manual };
    for text in unread {
        finding = finding.label(&child, format!("{text}; make sure that it does not write `{child}`"));
    }
    // Rows that have no parent refuse it, and later deletes do something else than before.
    finding.help(help(context, relation, advice.action)).fix(fix(
        context,
        format!("Declare the foreign key with ON DELETE {}", advice.action),
        safety,
        vec![change],
    ))
}

/// Returns what forbids that a foreign key declares a relation as things are.
pub fn obstacle(schema: &Schema, relation: &Relation) -> Option<String> {
    let Some(child) = schema.table(&relation.child) else {
        return Some("the child table is not in this schema".to_string());
    };
    let Some(parent) = schema.table(&relation.parent) else {
        return Some(format!("there is no table `{}`", relation.parent));
    };
    if let Some(missing) = relation.columns.iter().find(|c| child.column(c).is_none()) {
        return Some(format!("`{}` has no column `{missing}`", relation.child));
    }
    if let Some(missing) = relation.parent_columns.iter().find(|c| parent.column(c).is_none()) {
        return Some(format!("`{}` has no column `{missing}`", relation.parent));
    }
    if relation.parent_columns.is_empty() || !parent.is_unique(&relation.parent_columns) {
        return Some(format!(
            "`{}` is not unique: give it a primary key or a unique constraint",
            relation.parent_side()
        ));
    }
    if let Some(reason) = impermanent(child, parent) {
        return Some(reason);
    }
    let types = &schema.engine.facts().types;
    if types.dynamic {
        return None;
    }
    // PostgreSQL: "Key columns … are of incompatible types" (42804) where no equality operator joins the two.
    relation.columns.iter().zip(&relation.parent_columns).find_map(|(c, p)| {
        let (a, b) = (&child.column(c)?.data_type, &parent.column(p)?.data_type);
        let message = || format!("`{c}` is {} and `{p}` is {}: convert `{c}` first", a.raw, b.raw);
        (a.family != b.family || !(types.key)(a, b)).then(message)
    })
}

fn help(context: &Context<'_>, relation: &Relation, action: Action) -> String {
    let count = context.dialect.map(|d| {
        let query = RelationRows::of(d, context.schema, relation).orphans().count();
        format!("First make sure that there are no orphan rows: `{query}` must be 0. ")
    });
    let how = match context.schema.engine {
        Engine::Sqlite => {
            "SQLite cannot add a key to a table: rebuild the table with the key, and set `PRAGMA foreign_keys = ON` in every connection."
        }
        _ => "Then declare the key.",
    };
    let wrong = if relation.is_guess() {
        format!(
            "It is a guess, and `referee fix` makes no key of one: accept it if it is true, `referee infer SOURCE --accept {}`. If \
             the column does not refer there, say so with an ignore in referee.toml.",
            argument(&relation.written())
        )
    } else {
        "If the column does not refer there, say so with an ignore in referee.toml.".to_string()
    };
    format!("{}{how} ON DELETE {action} is advised. {wrong}", count.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relations::{ConfiguredRelation, Graph};
    use crate::rules::Settings;
    use crate::schema::Schema;
    use crate::testing::{findings, schema};

    fn configured(s: &Schema, on_delete: Option<Action>) -> Vec<Finding> {
        let relation = ConfiguredRelation {
            child: "a".into(),
            columns: vec!["made_for".into()],
            parent: "users".into(),
            parent_columns: vec!["id".into()],
            on_delete,
            accepted: None,
        };
        let relations = Graph::new(s, &[relation], 0.5);
        let settings = Settings::default();
        let dialect = crate::engine::dialect(s.engine);
        let context = Context {
            schema: s,
            relations: &relations,
            dialect,
            settings: &settings,
            scan: None,
            timeline: None,
            plans: None, deletes: crate::rules::Deletes::default(),
        };
        let mut found = Vec::new();
        check(&context, &mut found);
        found
    }

    #[test]
    fn relation_without_a_key_is_told_with_the_key_that_is_missing() {
        let s = schema(Engine::Postgres, &["users: id int8 pk", "a: id int8 pk, user_id int8 not-null"]);
        let found = findings(&s, "undeclared-foreign-key");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].severity, found[0].subject.place()), (Severity::Warning, "a.user_id".to_string()));
        let sql = found[0].fixes[0].sql.join("; ");
        assert!(sql.contains("FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE"), "{sql}");
        let mut fixed = s.clone();
        found[0].fixes[0].changes.iter().for_each(|c| c.apply(&mut fixed).unwrap());
        assert!(findings(&fixed, "undeclared-foreign-key").is_empty());
        assert!(found[0].help.contains("`referee infer SOURCE --accept 'a.user_id->users.id'`"), "{}", found[0].help);
    }

    #[test]
    fn doubtful_relation_is_information_only() {
        let s = schema(Engine::Postgres, &["users: id uuid pk", "a: id uuid pk, user_id text"]);
        let found = findings(&s, "undeclared-foreign-key");
        assert_eq!((found.len(), found[0].severity), (1, Severity::Info));
    }

    #[test]
    fn key_of_every_partition_is_worth_knowing_only() {
        let mut s = schema(
            Engine::Postgres,
            &["users: id int8 pk", "a: user_id int8", "a1: user_id int8 >users.id", "a2: user_id int8 >users.id"],
        );
        for part in ["a1", "a2"] {
            s.table_mut(&part.into()).unwrap().partition_of = Some("a".into());
        }
        let found = findings(&s, "undeclared-foreign-key");
        assert_eq!((found.len(), found[0].severity), (1, Severity::Info));
        assert!(found[0].message.contains("each of its partitions declares"), "{}", found[0].message);
        s.table_mut(&"a2".into()).unwrap().foreign_keys.clear();
        assert_eq!(findings(&s, "undeclared-foreign-key")[0].severity, Severity::Warning);
        // A schema that is wrong ends all the same.
        s.table_mut(&"a".into()).unwrap().partition_of = Some("a1".into());
        findings(&s, "undeclared-foreign-key");
    }

    #[test]
    fn type_that_the_engine_refuses_has_no_fix() {
        let s = schema(Engine::Postgres, &["users: id uuid pk", "a: id uuid pk, user_id text"]);
        let found = findings(&s, "undeclared-foreign-key");
        assert!(found[0].fixes.is_empty() && found[0].help.contains("convert `user_id` first"), "{}", found[0].help);
    }

    #[test]
    fn what_the_engine_refuses_has_no_fix() {
        let s = schema(Engine::Postgres, &["users: id citext pk", "a: id int8 pk, user_id text"]);
        let found = findings(&s, "undeclared-foreign-key");
        assert!(found.iter().all(|f| f.fixes.is_empty() && f.help.contains("convert `user_id` first")), "{found:?}");
        let mut s = schema(Engine::Postgres, &["users: id int8 pk", "a: id int8 pk, user_id int8"]);
        s.table_mut(&"users".into()).unwrap().unlogged = true;
        let found = findings(&s, "undeclared-foreign-key");
        assert!(found[0].fixes.is_empty() && found[0].help.contains("UNLOGGED"), "{}", found[0].help);
    }

    #[test]
    fn configured_relation_has_the_configured_action() {
        let s = schema(Engine::Postgres, &["users: id int8 pk", "a: id int8 pk, made_for int8"]);
        let found = configured(&s, Some(Action::Restrict));
        assert_eq!((found.len(), found[0].severity), (1, Severity::Warning));
        let Change::AddForeignKey { foreign_key, .. } = &found[0].fixes[0].changes[0] else { panic!("a key to add") };
        assert_eq!(foreign_key.on_delete, Action::Restrict);

        let declared = schema(Engine::Postgres, &["users: id int8 pk", "a: id int8 pk, made_for int8 >users.id"]);
        assert!(configured(&declared, None).is_empty());
    }

    #[test]
    fn declared_keys_and_strange_ids_are_clean() {
        let s = schema(
            Engine::Postgres,
            &["users: id int8 pk", "a: id int8 pk, user_id int8 not-null >users.id cascade, stripe_customer_id text"],
        );
        assert!(findings(&s, "undeclared-foreign-key").is_empty());
    }
}
