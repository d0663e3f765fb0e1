//! `orphan-rows`: child rows whose parent row is missing, as the rows themselves say.

use super::wording::{key_name, list, rows};
use super::{Context, EVERY_ENGINE, Meta};
use crate::engine::Dialect;
use crate::findings::{Fact, Finding, Fix, Safety, Severity, Subject};
use crate::orphans::{Orphans, Outcome};
use crate::relations::{self, Basis, Graph, Keeper, Relation};
use crate::rows::RelationRows;
use crate::schema::{Action, DisabledSide, Engine, ForeignKey, Match, Table};
use crate::text::argument;

/// So many relations are named; the rest are counted.
const NAMED: usize = 5;

pub(crate) static META: Meta = Meta {
    code: "REF304",
    name: "orphan-rows",
    severity: Severity::Error,
    summary: "Rows refer to a parent row that does not exist",
    engines: EVERY_ENGINE,
    needs_data: true,
    page: include_str!("../../docs/rules/orphan-rows.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(scan) = context.scan else { return };
    for (relation, outcome) in context.relations.relations().iter().zip(&scan.outcomes) {
        if let Outcome::Counted(orphans) = outcome
            && orphans.count > 0
        {
            findings.push(finding(context, relation, orphans));
        }
    }
}

/// Returns the relation that a finding of this rule is about; `None` for a finding of another rule.
pub(crate) fn relation_of<'r>(finding: &Finding, relations: &'r Graph) -> Option<&'r Relation> {
    let same = |relation: &&Relation| identified(relation, String::new()).fingerprint == finding.fingerprint;
    relations.relations().iter().filter(|_| finding.rule == META.id()).find(same)
}

fn identified(relation: &Relation, message: String) -> Finding {
    Finding::new(&META, Subject::relation(relation), message).distinguished_by(&relation.parent.to_string())
}

fn finding(context: &Context<'_>, relation: &Relation, orphans: &Orphans) -> Finding {
    let count = rows(orphans.count);
    let verb = if orphans.count == 1 { "refers" } else { "refer" };
    let message = format!(
        "{count} of `{}` {verb} by `{}` to rows of `{}` that do not exist",
        relation.child,
        relation.columns.join(", "),
        relation.parent
    );
    let (severity, why) = match &relation.basis {
        Basis::Declared { foreign_key, .. } => (
            if foreign_key.enforced { Severity::Error } else { Severity::Warning },
            format!(
                "Foreign key {} promises that this cannot be. {} A join loses these rows, and an outer join shows them without \
                 a parent.",
                key_name(&relation.child, foreign_key),
                how(context, relation, foreign_key)
            ),
        ),
        Basis::Configured if let Some(confidence) = relation.accepted => (
            Severity::Warning,
            format!(
                "You accepted this relation (it was guessed, confidence {confidence:.2}); no foreign key enforces it, and none can be \
                 added while these rows are there. If the columns mean something else, these are no orphans: remove the entry from \
                 referee.toml."
            ),
        ),
        Basis::Configured => (
            Severity::Warning,
            "You declared this relation in referee.toml; no foreign key enforces it, and none can be added while these rows are \
             there."
                .to_string(),
        ),
        Basis::Inferred { confidence, .. } => (
            Severity::Warning,
            format!(
                "The relation is inferred from names and types (confidence {confidence:.2}); no foreign key enforces it, and \
                 none can be added while these rows are there. If the columns mean something else, these are no orphans."
            ),
        ),
    };
    let mut returned = count;
    if !orphans.samples.is_empty() {
        // Bare numbers would read like keys of the child.
        returned = format!("{returned} of {}; missing {} values", relation.child, relation.parent_side());
        let samples: Vec<String> = orphans.samples.iter().map(|s| sample(s)).collect();
        let more = if (samples.len() as u64) < orphans.count { ", …" } else { "" };
        returned = format!("{returned}: {}{more}", samples.join(", "));
    }
    let mut finding = identified(relation, message)
        .severity(severity)
        .why(why)
        .fact(relation.child_side(), Fact::References, format!("refers to {}", relation.parent_side()))
        .evidence(&orphans.query, returned);

    if relation.is_guess() {
        return finding.help(format!(
            "It is a guess, so no statement is printed that would change rows. If the relation is true, accept it, and `referee fix` \
             plans what becomes of them: `referee infer SOURCE --accept {}`. If it is not, these rows are as they should be.",
            argument(&relation.written())
        ));
    }
    let child = context.schema.table(&relation.child);
    let fixes: Vec<Fix> = context.dialect.zip(child).map(|(d, child)| repairs(context, d, child, relation)).unwrap_or_default();
    let ways = if fixes.len() > 1 {
        "give them a parent, set the reference NULL, or delete them"
    } else {
        "give them a parent or delete them"
    };
    let then = if relation.is_declared() {
        "Then close the way they came in, or they will come again."
    } else {
        "Only then add the foreign key: the engine refuses it before, or does not check the rows that are there."
    };
    let word = |word: &str| argument(&format!("{}={word}", relation.child_side()));
    let (first, others) = if fixes.len() > 1 { ("set-null", "=delete, =quarantine") } else { ("delete", "=quarantine") };
    finding = finding.help(format!(
        "Look at the rows; then decide: {ways}. The statements make no backup. {} Safer, with a backup: `referee fix SOURCE \
         --orphans {}` (or {others}). {then}",
        along(context, relation),
        word(first)
    ));
    fixes.into_iter().fold(finding, Finding::fix)
}

/// Says what becomes of the rows that refer to the orphans when these are deleted.
fn along(context: &Context<'_>, relation: &Relation) -> String {
    let child = &relation.child;
    let below: Vec<&Relation> = context.relations.relations().iter().filter(|r| r.parent == *child).collect();
    if below.is_empty() {
        return format!("Nothing that referee knows of refers to rows of `{child}`.");
    }
    let acting = |r: &Relation| r.foreign_key().filter(|k| k.is_active()).map(|k| k.on_delete);
    let mut said = Vec::new();
    let mut say = |what: &str, of: &dyn Fn(&Relation) -> bool| {
        let mut sides: Vec<String> = below.iter().filter(|r| of(r)).map(|r| r.child_side()).collect();
        sides.sort();
        sides.dedup();
        let more = sides.len().saturating_sub(NAMED);
        sides.truncate(NAMED);
        sides.extend((more > 0).then(|| format!("{more} more")));
        if !sides.is_empty() {
            said.push(format!("those by {} {what}", sides.join(", ")));
        }
    };
    say("go along", &|r| acting(r) == Some(Action::Cascade));
    say("get another value", &|r| matches!(acting(r), Some(Action::SetNull | Action::SetDefault)));
    say("block the DELETE", &|r| acting(r).is_some_and(Action::refuses));
    say("become orphans", &|r| acting(r).is_none());
    let off = if context.schema.engine == Engine::Sqlite && below.iter().any(|r| acting(r).is_some()) {
        " With PRAGMA foreign_keys off, SQLite's default, they all become orphans."
    } else {
        ""
    };
    format!("Rows that refer to a deleted row of `{child}`: {}.{off}", said.join("; "))
}

/// Says in a word what becomes of what refers to the rows when they are deleted.
fn in_short(context: &Context<'_>, child: &Table) -> String {
    let others = context.relations.relations().iter().filter(|r| r.parent == child.name);
    let mut said: Vec<&str> = Vec::new();
    for other in others {
        let what = match other.foreign_key().filter(|k| k.is_active()).map(|k| k.on_delete) {
            None => "rows that refer to them become orphans",
            Some(Action::Cascade) => "rows that refer to them go along",
            Some(Action::SetNull | Action::SetDefault) => "rows that refer to them get another value",
            Some(Action::NoAction | Action::Restrict) => "rows that refer to them block it",
        };
        if !said.contains(&what) {
            said.push(what);
        }
    }
    match said.as_slice() {
        [] => "no other table refers to them".to_string(),
        [one] => (*one).to_string(),
        _ => "what becomes of rows that refer to them is told above".to_string(),
    }
}

fn sample(values: &[String]) -> String {
    match values {
        [one] => one.clone(),
        many => format!("({})", many.join(", ")),
    }
}

/// How orphans come to be under a declared key: what the catalog shows; else what it may have been, because no engine keeps record of it.
fn how(context: &Context<'_>, relation: &Relation, key: &ForeignKey) -> String {
    let known = match (key.enforced, key.validated, key.disabled) {
        (false, ..) => Some("It is NOT ENFORCED, so nothing was checked."),
        (_, false, _) => Some("It is NOT VALID: rows from before it were never checked."),
        (.., Some(DisabledSide::Child)) => Some("Its triggers on the child are disabled, so inserts are not checked."),
        (.., Some(DisabledSide::Parent)) => {
            Some("Its triggers on the parent are disabled, so deletes do not see the children.")
        }
        (.., Some(DisabledSide::Both)) => Some("Its triggers are disabled on both sides."),
        (true, true, None) => None,
    };
    if let Some(known) = known {
        return known.to_string();
    }
    let past = match context.schema.engine {
        Engine::Sqlite => {
            "a connection wrote without PRAGMA foreign_keys = ON (SQLite enforces keys per connection, and the default is off), or the \
             key is younger than the rows (a rebuilt table)"
        }
        Engine::Postgres => {
            "a session wrote with the key's triggers off (DISABLE TRIGGER ALL, or session_replication_role = replica, as restores and \
             replication do), or a trigger or rule of the child, by now gone, kept rows whose parent was deleted"
        }
        Engine::Cockroach => "an import wrote past the check",
        Engine::Mysql | Engine::Mariadb => "a session wrote with foreign_key_checks = 0, as imports do",
    };
    let keepers = keepers(context, relation, key);
    match keepers.is_empty() {
        true => format!("How they came is not recorded. Perhaps {past}. Nothing checks such rows again."),
        false => format!(
            "{} can keep rows whose parent is deleted. Or {past}. Nothing checks such rows again.",
            capital(&list(&keepers))
        ),
    }
}

/// Names the triggers and rules of the child that can keep a row although its foreign key deletes or changes it.
fn keepers(context: &Context<'_>, relation: &Relation, key: &ForeignKey) -> Vec<String> {
    if context.schema.engine.facts().triggers.skipped_refuses {
        return Vec::new();
    }
    let event = |action| match action {
        Action::Cascade => Some("DELETE"),
        Action::SetNull | Action::SetDefault => Some("UPDATE"),
        Action::NoAction | Action::Restrict => None,
    };
    let on_update = Some("UPDATE").filter(|_| !key.on_update.refuses());
    let events: Vec<&str> = event(key.on_delete).into_iter().chain(on_update).collect();
    let found = relations::keepers(context.schema, &relation.child, &events);
    let one = |k: &Keeper| format!("{} `{}` on `{}`", if k.rule { "rule" } else { "trigger" }, k.name, k.on);
    found.iter().take(NAMED).map(one).collect()
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The statements that end it: the gentler one first. They change rows, so they are shown and never run by themselves; they change
/// the rows that were counted and no others.
fn repairs(context: &Context<'_>, dialect: &dyn Dialect, child: &Table, relation: &Relation) -> Vec<Fix> {
    let rows = RelationRows::of(dialect, context.schema, relation).orphans();
    // One NULL makes a reference that MATCH SIMPLE does not check; MATCH FULL wants NULL in all columns.
    let free: Vec<&String> = relation
        .columns
        .iter()
        .filter(|c| super::wording::fits(child, std::slice::from_ref(*c), crate::schema::Action::SetNull))
        .filter(|c| child.column(c).is_some_and(|c| c.generated.is_none()))
        .collect();
    let full = relation.foreign_key().is_some_and(|k| k.matching == Match::Full);
    let mut fixes = Vec::new();
    if !free.is_empty() && (!full || free.len() == relation.columns.len()) {
        fixes.push(manual("Keep the rows and set the reference NULL", rows.set_null(dialect, &free)));
    }
    fixes.push(manual(&format!("Delete the rows, without a backup; {}", in_short(context, child)), rows.delete()));
    fixes
}

fn manual(title: &str, sql: String) -> Fix {
    Fix { title: title.to_string(), safety: Safety::Manual, changes: Vec::new(), sql: vec![sql] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orphans::Scan;
    use crate::rules::{self, Settings};
    use crate::schema::Schema;
    use crate::testing::{graph, schema};

    fn run(schema: &Schema, count: u64) -> Vec<Finding> {
        let orphans = Orphans { count, samples: vec![vec!["17".into()], vec!["29".into()]], query: "SELECT 1".into() };
        let (relations, settings) = (graph(schema), Settings::default());
        let counted = relations.relations().iter().map(|_| Outcome::Counted(orphans.clone()));
        let scan = Scan { outcomes: counted.collect(), ..Scan::default() };
        let dialect = crate::engine::dialect(schema.engine);
        let context = Context {
            schema,
            relations: &relations,
            dialect,
            settings: &settings,
            scan: Some(&scan),
            timeline: None,
            plans: None, deletes: rules::Deletes::default(),
        };
        rules::check([rules::find("orphan-rows").unwrap()], &context)
    }

    fn keyed(engine: Engine, null: &str) -> Schema {
        schema(engine, &["p: id integer pk", &format!("c: id integer pk, p_id integer {null} >p.id")])
    }

    #[test]
    fn count_samples_and_query_are_told() {
        let found = run(&keyed(Engine::Sqlite, ""), 3);
        assert_eq!(found[0].message, "3 rows of `c` refer by `p_id` to rows of `p` that do not exist");
        assert_eq!(found[0].evidence[0].returned, "3 rows of c; missing p.id values: 17, 29, …");
        assert_eq!(found[0].severity, Severity::Error);
        assert!(found[0].why.contains("PRAGMA foreign_keys"));
        assert_eq!(run(&keyed(Engine::Sqlite, ""), 0), []);
    }

    #[test]
    fn what_the_catalog_knows_explains_them() {
        let mut schema = keyed(Engine::Postgres, "");
        assert!(run(&schema, 1)[0].why.contains("session_replication_role"));
        schema.table_mut(&"c".into()).unwrap().foreign_keys[0].validated = false;
        assert!(run(&schema, 1)[0].why.contains("NOT VALID"));
        schema.table_mut(&"c".into()).unwrap().foreign_keys[0].enforced = false;
        assert_eq!(run(&schema, 1)[0].severity, Severity::Warning);
    }

    #[test]
    fn the_reference_is_set_null_only_where_it_can_be() {
        let nullable = run(&keyed(Engine::Postgres, ""), 2);
        assert_eq!(
            nullable[0].fixes[0].sql,
            [
                "UPDATE public.c AS child SET p_id = NULL WHERE child.p_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM public.p AS parent \
                 WHERE parent.id = child.p_id)"
            ]
        );
        let fixed = run(&keyed(Engine::Postgres, "not-null"), 2);
        assert_eq!(fixed[0].fixes.len(), 1);
        assert!(fixed[0].fixes[0].sql[0].starts_with("DELETE FROM public.c AS child WHERE"));
        assert!(nullable[0].fixes.iter().chain(&fixed[0].fixes).all(|f| f.safety == Safety::Manual));
    }

    #[test]
    fn relations_that_only_the_user_knows_are_warnings() {
        let found = of_undeclared(Basis::Configured);
        assert_eq!(found[0].severity, Severity::Warning);
        assert_eq!(found[0].fixes.len(), 2);
        assert!(found[0].help.contains("Only then add the foreign key"));
    }

    #[test]
    fn no_statement_stands_under_a_guess_but_the_command_that_accepts_it() {
        let found = of_undeclared(Basis::Inferred { confidence: 0.9, evidence: Vec::new() });
        assert_eq!(found[0].fixes, []);
        assert!(found[0].help.contains("`referee infer SOURCE --accept 'c.x->p.id'`"), "{}", found[0].help);
    }

    #[test]
    fn what_a_delete_of_the_orphans_takes_along_is_said() {
        let mut schema = schema(
            Engine::Sqlite,
            &[
                "p: id integer pk",
                "c: id integer pk, p_id integer >p.id",
                "items: id integer pk, c_id integer >c.id cascade",
                "logs: id integer pk, c_id integer >c.id set-null",
                "bills: id integer pk, c_id integer >c.id",
            ],
        );
        let help = |schema: &Schema| run(schema, 1).into_iter().find(|f| f.message.contains("rows of `p`")).unwrap().help;
        let said = help(&schema);
        for part in [
            "make no backup",
            "those by items.c_id go along; those by logs.c_id get another value; those by bills.c_id block the DELETE",
            "PRAGMA foreign_keys off",
            "`referee fix SOURCE --orphans c.p_id=set-null` (or =delete, =quarantine)",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        schema.tables.retain(|t| ["p", "c"].contains(&t.name.name.as_str()));
        assert!(help(&schema).contains("Nothing that referee knows of refers to rows of `c`."));
    }

    fn of_undeclared(basis: Basis) -> Vec<Finding> {
        let schema = schema(Engine::Sqlite, &["p: id integer pk", "c: id integer pk, x integer"]);
        let relation = Relation {
            child: "c".into(),
            columns: vec!["x".into()],
            parent: "p".into(),
            parent_columns: vec!["id".into()],
            on_delete: None,
            nullable: true,
            accepted: None,
            basis,
        };
        let relations = crate::relations::Graph::from_relations(&schema, vec![relation]);
        let orphans = Orphans { count: 1, samples: Vec::new(), query: "SELECT 1".into() };
        let scan = Scan { outcomes: vec![Outcome::Counted(orphans)], ..Scan::default() };
        let settings = Settings::default();
        let context = Context {
            schema: &schema,
            relations: &relations,
            dialect: crate::engine::dialect(schema.engine),
            settings: &settings,
            scan: Some(&scan),
            timeline: None,
            plans: None, deletes: rules::Deletes::default(),
        };
        rules::check([rules::find("orphan-rows").unwrap()], &context)
    }
}
