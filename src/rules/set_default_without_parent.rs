//! `set-default-without-parent`: a key that must set a default which is not there or can be no parent.

use super::defaults::{Fresh, fresh};
use super::helpers::{fix, working_keys};
use super::wording::{key_name, key_place, list, no_parent_error, not_null_error, with_on_delete, with_on_update};
use super::{Context, EVERY_ENGINE, Meta};
use crate::findings::{Fact, Finding, Safety, Severity, Subject};
use crate::orphans::DefaultParent;
use crate::relations::Relation;
use crate::schema::facts::SetDefault;
use crate::schema::{Action, Engine, ForeignKey, Table, TableName};

pub(crate) static META: Meta = Meta {
    code: "REF202",
    name: "set-default-without-parent",
    severity: Severity::Error,
    summary: "A foreign key says SET DEFAULT, but the default is missing or can be no parent",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/set-default-without-parent.md"),
};

/// What a column becomes by SET DEFAULT.
enum Outcome {
    /// NULL, and the column accepts it: SET DEFAULT acts as SET NULL.
    Null,
    /// NULL, and the column does not accept it.
    NullRefused,
    /// SQLite: NULL in the rowid.
    Rowid,
    /// A value that no parent row has.
    Fresh(Fresh, String),
    /// SQLite: the statement does not compile.
    Generated,
}

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for (table, key) in working_keys(context.schema) {
        for on_delete in [true, false] {
            let action = if on_delete { key.on_delete } else { key.on_update };
            if action == Action::SetDefault {
                findings.extend(look(context, table, key, on_delete));
            }
        }
    }
}

fn look(context: &Context<'_>, table: &Table, key: &ForeignKey, on_delete: bool) -> Option<Finding> {
    let engine = context.schema.engine;
    let event = if on_delete { "DELETE" } else { "UPDATE" };
    let (child, parent, name) = (&table.name, &key.parent, key_name(&table.name, key));
    if let SetDefault::Refuses { kept } = engine.facts().keys.set_default {
        let message = format!("Foreign key {name} says ON {event} SET DEFAULT, which InnoDB carries out as RESTRICT");
        let kept = if kept { "keeps the word" } else { "forgets the word" };
        let why = format!(
            "{} accepts the declaration and {kept}, but a {event} of a row of `{parent}` that `{child}` refers to fails \
             with ERROR 1451: a foreign key constraint fails.",
            engine.title()
        );
        let finding = Finding::new(&META, Subject::foreign_key(child, key), message).severity(Severity::Warning).why(why);
        return Some(finish(context, table, key, on_delete, (finding, Some(Action::NoAction))));
    }

    let changed = if on_delete { key.changed_columns() } else { &key.columns };
    let outcomes: Vec<(&str, Outcome)> =
        changed.iter().filter_map(|c| Some((c.as_str(), outcome(engine, table, c)?))).collect();
    let named = |wanted: fn(&Outcome) -> bool| {
        let columns = outcomes.iter().filter(|(_, o)| wanted(o)).map(|(c, _)| format!("`{child}.{c}`"));
        Some(columns.collect::<Vec<_>>()).filter(|c| !c.is_empty()).map(|c| list(&c))
    };
    let act = format!("a {event} of a row of `{parent}` that `{child}` refers to");
    let first = |wanted: fn(&Outcome) -> bool| outcomes.iter().find(|(_, o)| wanted(o)).map_or("", |(c, _)| *c);

    let (severity, message, why) = if let Some(columns) = named(|o| matches!(o, Outcome::Generated)) {
        let error = format!("cannot UPDATE generated column \"{}\"", first(|o| matches!(o, Outcome::Generated)));
        let why = format!("Every {event} of `{parent}` that concerns the key fails to compile with: {error}.");
        (Severity::Error, format!("Foreign key {name} says ON {event} SET DEFAULT, but {columns} is generated"), why)
    } else if let Some(columns) = named(|o| matches!(o, Outcome::NullRefused | Outcome::Rowid)) {
        let is = |o: &Outcome| matches!(o, Outcome::NullRefused | Outcome::Rowid);
        let column = first(is);
        let error = if outcomes.iter().any(|(_, o)| matches!(o, Outcome::Rowid)) {
            "datatype mismatch".to_string()
        } else {
            // CockroachDB refuses the declaration (42830).
            not_null_error(engine, child, column).unwrap_or_else(|| "ERROR 42830 when it is declared".to_string())
        };
        let message =
            format!("Foreign key {name} says ON {event} SET DEFAULT, but {columns} has no default and cannot be NULL");
        (Severity::Error, message, format!("Without a default the value becomes NULL: {act} always fails with: {error}."))
    } else if let Some((column, Outcome::Fresh(kind, default))) =
        outcomes.iter().find(|(_, o)| matches!(o, Outcome::Fresh(..)))
    {
        let what = match kind {
            Fresh::Random => "a new random value each time, which no row of the parent has",
            Fresh::Counter => "the next number of a counter, which no row of the parent has, or an unrelated one",
            Fresh::Time => "the current time, which no row of the parent has",
        };
        let message = format!(
            "Foreign key {name} says ON {event} SET DEFAULT, but the default of `{child}.{column}`, `{default}`, can be no parent"
        );
        let why = format!("The default is {what}: {act} fails with: {}.", no_parent_error(engine, child, key));
        (Severity::Error, message, why)
    } else if let Some(asked) = no_such_parent(context, child, key).filter(|_| changed.len() == key.columns.len()) {
        return Some(missing(context, table, key, on_delete, asked));
    } else if let Some(columns) = named(|o| matches!(o, Outcome::Null)) {
        let message = format!("Foreign key {name} says ON {event} SET DEFAULT, but {columns} has no default");
        let others: Vec<String> = changed
            .iter()
            .filter(|c| outcomes.iter().all(|(name, _)| name != c))
            .map(|c| format!("`{child}.{c}`"))
            .collect();
        let why = if others.is_empty() {
            "Without a default the value becomes NULL: the key acts as SET NULL, and a reader of the schema does not expect it."
                .to_string()
        } else {
            let takes = if others.len() == 1 { "takes its default" } else { "take their defaults" };
            format!(
                "Without a default the value becomes NULL, while {} {takes}: the row then refers to nothing, and a reader of the \
                 schema does not expect it.",
                list(&others)
            )
        };
        (Severity::Info, message, format!("{why} A default that is added later changes what {act} does."))
    } else {
        return None;
    };
    // What the rows hold afterwards stays the same by a change of the action only if every column becomes NULL anyway, or if the
    // action always fails. Anything else is for a person to choose.
    let all_null = changed.len() == outcomes.len() && outcomes.iter().all(|(_, o)| matches!(o, Outcome::Null));
    let none = outcomes.iter().any(|(_, o)| matches!(o, Outcome::Null));
    let fails = |o: &Outcome| match o {
        Outcome::Null => false,
        // Where another column is NULL, the row refers to nothing.
        Outcome::Fresh(kind, _) => !none && !matches!(kind, Fresh::Counter),
        Outcome::NullRefused | Outcome::Rowid | Outcome::Generated => true,
    };
    let same = if all_null {
        Some(Action::SetNull)
    } else {
        outcomes.iter().any(|(_, o)| fails(o)).then_some(Action::NoAction)
    };
    let mut finding = Finding::new(&META, Subject::foreign_key(child, key), message).severity(severity).why(why);
    for (column, outcome) in &outcomes {
        let (fact, text) = match outcome {
            Outcome::Null => (Fact::Other, "no default".to_string()),
            Outcome::NullRefused => (Fact::Other, "no default, NOT NULL".to_string()),
            Outcome::Rowid => (Fact::Other, "INTEGER PRIMARY KEY, no default".to_string()),
            Outcome::Fresh(_, default) => (Fact::Default, format!("DEFAULT {default}")),
            Outcome::Generated => (Fact::Other, "generated".to_string()),
        };
        finding = finding.fact(format!("{child}.{column}"), fact, text);
    }
    Some(finish(context, table, key, on_delete, (finding, same)))
}

/// Returns what the rows say of the parent that a key's defaults refer to, if there is none. A parent without any row tells nothing.
fn no_such_parent<'c>(context: &Context<'c>, child: &TableName, key: &ForeignKey) -> Option<&'c DefaultParent> {
    let is = |r: &Relation| r.child == *child && r.foreign_key() == Some(key);
    let number = context.relations.relations().iter().position(is)?;
    let found = context.scan?.defaults.get(&number)?.as_ref().ok()?;
    (found.any && !found.there).then_some(found)
}

/// Says that no row of the parent has the default.
fn missing(
    context: &Context<'_>,
    table: &Table,
    key: &ForeignKey,
    on_delete: bool,
    asked: &DefaultParent,
) -> Finding {
    let event = if on_delete { "DELETE" } else { "UPDATE" };
    let (child, parent, values) = (&table.name, &key.parent, asked.values.join(", "));
    let (columns, is) = match key.columns.as_slice() {
        [column] => (format!("the default of `{child}.{column}`, `{values}`,"), "is"),
        _ => (format!("the defaults of `{child}` ({}), `{values}`,", key.columns.join(", ")), "are"),
    };
    let message = format!(
        "Foreign key {} says ON {event} SET DEFAULT, but {columns} {is} no row of `{parent}`",
        key_name(child, key)
    );
    let why = format!(
        "A {event} of a row of `{parent}` that `{child}` refers to fails with: {}.",
        no_parent_error(context.schema.engine, child, key)
    );
    let mut finding = Finding::new(&META, Subject::foreign_key(child, key), message).why(why);
    for (column, value) in key.columns.iter().zip(&asked.values) {
        finding = finding.fact(format!("{child}.{column}"), Fact::Default, format!("DEFAULT {value}"));
    }
    let finding = finding.evidence(&asked.query, "the parent has rows, and none that the default refers to");
    finish(context, table, key, on_delete, (finding, None)).help(format!(
        "Add the row of `{parent}` that {values} refers to, or make the key of one that is never deleted the default. Otherwise say what \
         becomes of `{child}`: SET NULL if it may outlive its parent, NO ACTION to protect the parent."
    ))
}

fn outcome(engine: Engine, table: &Table, name: &str) -> Option<Outcome> {
    let column = table.column(name)?;
    if column.generated.is_some() {
        return engine.facts().keys.writes_generated.then_some(Outcome::Generated);
    }
    if let Some((kind, default)) = fresh(engine, column) {
        return Some(Outcome::Fresh(kind, default));
    }
    let default = column.default.as_deref().map(str::trim);
    let is_null = default.is_none_or(|d| {
        d.split("::").next().is_some_and(|d| d.trim().trim_matches(['(', ')']).trim().eq_ignore_ascii_case("null"))
    });
    if !is_null {
        return None;
    }
    Some(match () {
        () if engine.facts().types.rowid && column.auto_number => Outcome::Rowid,
        () if !column.nullable => Outcome::NullRefused,
        () => Outcome::Null,
    })
}

/// Adds what can be done; `same` is the action that changes nothing of what rows become.
fn finish(
    context: &Context<'_>,
    table: &Table,
    key: &ForeignKey,
    on_delete: bool,
    (finding, same): (Finding, Option<Action>),
) -> Finding {
    let safety = |action| if same == Some(action) { Safety::Unsafe } else { Safety::Manual };
    let event = if on_delete { "DELETE" } else { "UPDATE" };
    let action = |action| match on_delete {
        true => with_on_delete(&table.name, key, action),
        false => with_on_update(&table.name, key, action),
    };
    let fact = if on_delete { Fact::OnDelete } else { Fact::OnUpdate };
    let mut finding = finding.fact(key_place(&table.name, key), fact, format!("ON {event} SET DEFAULT"));
    if !on_delete {
        finding = finding.distinguished_by("on update");
    }
    let changed = if on_delete { key.changed_columns() } else { &key.columns };
    let can_be_null = super::wording::fits(table, changed, Action::SetNull);
    if can_be_null {
        let title = format!("Say what happens: ON {event} SET NULL");
        finding = finding.fix(fix(context, title, safety(Action::SetNull), vec![action(Action::SetNull)]));
    }
    let title = format!("Protect the parent: ON {event} NO ACTION");
    let finding = finding.fix(fix(context, title, safety(Action::NoAction), vec![action(Action::NoAction)]));
    let null = if can_be_null { "say SET NULL if the child survives without a parent, or " } else { "" };
    finding.contradiction().help(format!(
        "If a certain row of `{}` is meant to take over the children, make its key the column's default and see that this \
         row is never deleted. Otherwise {null}say NO ACTION to protect the parent.",
        key.parent
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{findings, schema};

    fn run(engine: Engine, column: &str) -> Vec<Finding> {
        let child = format!("c: id int pk, p_id {column} >p.id set-default");
        findings(&schema(engine, &["p: id int pk", &child]), "set-default-without-parent")
    }

    #[test]
    fn a_literal_default_may_be_a_parent() {
        assert_eq!(run(Engine::Postgres, "int default=0"), []);
        assert_eq!(run(Engine::Sqlite, "int not-null default=1"), []);
    }

    #[test]
    fn a_key_that_keeps_one_default_is_left_to_a_person() {
        for engine in [Engine::Postgres, Engine::Sqlite] {
            for (region, word) in [("text default='none'", "SET NULL"), ("text not-null default='none'", "NO ACTION")] {
                let child = format!("jobs: id int pk, region {region}, slot int");
                let mut s = schema(engine, &["slots: region text pk, id int pk", &child]);
                let mut key = ForeignKey::new(["region", "slot"], "slots".into(), ["region", "id"]);
                key.on_delete = Action::SetDefault;
                s.table_mut(&"jobs".into()).unwrap().foreign_keys.push(key);
                let found = &findings(&s, "set-default-without-parent")[0];
                assert!(found.why.contains("`jobs.region` takes its default"), "{}", found.why);
                assert!(found.fixes.iter().all(|f| f.safety == Safety::Manual), "{region}: {:?}", found.fixes);
                assert!(found.fixes.iter().any(|f| f.title.contains(word)), "{:?}", found.fixes);
            }
        }
    }

    #[test]
    fn no_default_becomes_null() {
        assert_eq!(run(Engine::Postgres, "int")[0].severity, Severity::Info);
        assert_eq!(run(Engine::Postgres, "int default=NULL::integer")[0].severity, Severity::Info);
        assert!(run(Engine::Postgres, "int")[0].fixes[0].sql[0].contains("ON DELETE SET NULL"));
        let refused = run(Engine::Postgres, "int not-null");
        assert_eq!(refused[0].severity, Severity::Error);
        assert!(refused[0].why.contains("23502"));
        assert!(run(Engine::Sqlite, "int not-null")[0].why.contains("NOT NULL constraint failed: c.p_id"));
        assert_eq!(refused[0].fixes.len(), 1);
    }

    #[test]
    fn a_value_that_is_new_each_time_is_no_parent() {
        let found = run(Engine::Postgres, "uuid default=gen_random_uuid()");
        assert_eq!(found[0].severity, Severity::Error);
        assert!(found[0].message.contains("`gen_random_uuid()`"));
        assert!(run(Engine::Sqlite, "text default=CURRENT_TIMESTAMP")[0].why.contains("FOREIGN KEY constraint failed"));
    }

    #[test]
    fn innodb_has_no_set_default_whatever_the_default_is() {
        let found = run(Engine::Mariadb, "int default=0");
        assert_eq!(found[0].severity, Severity::Warning);
        assert!(found[0].message.contains("RESTRICT"));
    }

    #[test]
    fn only_the_columns_that_are_set_count() {
        let mut schema = schema(Engine::Postgres, &["p: a int pk, b int pk", "c: a int not-null, b int default=7"]);
        let mut key = ForeignKey::new(["a", "b"], "p".into(), ["a", "b"]);
        key.on_delete = Action::SetDefault;
        schema.table_mut(&"c".into()).unwrap().foreign_keys.push(key);
        let rule = "set-default-without-parent";
        assert!(findings(&schema, rule)[0].message.contains("`c.a` has no default and cannot be NULL"));
        schema.table_mut(&"c".into()).unwrap().foreign_keys[0].set_columns = vec!["b".into()];
        assert_eq!(findings(&schema, rule), []);
    }
}
