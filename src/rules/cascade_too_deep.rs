//! `cascade-too-deep`: more cascades follow each other than a policy or the engine allows.

use super::wording::{fate_command, key_name, way};
use super::{Context, EVERY_ENGINE, Meta};
use crate::fate::Chain;
use crate::findings::{Fact, Finding, Severity, Subject};
use crate::relations::Relation;
use crate::schema::facts::CascadeLimit;

pub(crate) static META: Meta = Meta {
    code: "REF212",
    name: "cascade-too-deep",
    severity: Severity::Error,
    summary: "More cascades follow each other than max_depth in referee.toml or the engine allows",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/cascade-too-deep.md"),
};

/// What cannot be exceeded.
#[derive(Clone, Copy)]
enum Limit {
    Policy(usize),
    Engine(&'static CascadeLimit),
}

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let policy = context.settings.deletes.max_depth;
    let own = context.schema.engine.facts().keys.cascade_limit.as_ref();
    if policy.is_none() && own.is_none() {
        return;
    }
    let fates = context.fates();
    let mut circles = Vec::new();
    for chain in fates.chains() {
        let Some(relation) = chain.relations.last().map(|&r| &context.relations.relations()[r]) else { continue };
        if let Some(circle) = chain.circle {
            if let Some(limit) = own.filter(|_| !circles.contains(&circle)) {
                circles.push(circle);
                findings.push(endless(relation, limit));
            }
            continue;
        }
        let depth = chain.relations.len();
        // The key that is the first one too many; those below it add nothing.
        if policy.is_some_and(|most| depth == most + 1) {
            findings.extend(policy.map(|most| finding(context, &chain, relation, Limit::Policy(most))));
        } else if let Some(limit) = own.filter(|l| depth == l.most + 1) {
            findings.push(finding(context, &chain, relation, Limit::Engine(limit)));
        }
    }
}

fn finding(context: &Context<'_>, chain: &Chain, relation: &Relation, limit: Limit) -> Finding {
    let relations = context.relations.relations();
    let top = chain.relations.first().map_or(&relation.parent, |&r| &relations[r].parent);
    let name = relation.foreign_key().map_or_else(String::new, |k| key_name(&relation.child, k));
    let most = match limit {
        Limit::Policy(most) => most,
        Limit::Engine(limit) => limit.most,
    };
    let message = format!("A delete from `{top}` reaches {name} by {} cascades, and {most} may follow each other", most + 1);
    let path = way(context, top, &chain.relations);
    let on = if chain.total > most + 1 { format!(", and on to {} in all", chain.total) } else { String::new() };
    let why = match limit {
        Limit::Policy(_) => format!(
            "{path}{on}. referee.toml says max_depth = {most}: what a delete takes with it so far away, nobody expects."
        ),
        Limit::Engine(limit) => format!("{path}{on}. {}", gives_up(limit)),
    };
    Finding::new(&META, Subject::relation(relation), message)
        .distinguished_by(&relation.parent.to_string())
        .why(why)
        .help(format!(
            "Make one key on the way RESTRICT or SET NULL, and delete what is below it by statements of their own, the lowest \
             table first. {} shows the whole tree.",
            fate_command(top, "")
        ))
        .fact(relation.child_side(), Fact::OnDelete, format!("ON DELETE CASCADE, cascade {} from `{top}`", most + 1))
}

/// Tells of a circle of cascades, where the rows decide how deep it goes.
fn endless(relation: &Relation, limit: &CascadeLimit) -> Finding {
    let (child, most) = (&relation.child, limit.most);
    let round = if relation.is_self_reference() { "itself" } else { "itself by way of other tables" };
    let message = format!("`{child}` cascades into {round}: rows more than {most} levels deep cannot be deleted from the top");
    Finding::new(&META, Subject::relation(relation), message)
        .severity(Severity::Info)
        .distinguished_by(&relation.parent.to_string())
        .why(gives_up(limit))
        .help("If rows hang below each other that deep, delete them from the lowest level up by statements of their own.")
        .fact(relation.child_side(), Fact::OnDelete, "ON DELETE CASCADE")
}

fn gives_up(limit: &CascadeLimit) -> String {
    let CascadeLimit { most, error } = limit;
    format!("InnoDB carries out {most} cascades in a row, and stops the delete at the next one: {error}. Nothing is deleted then.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Settings;
    use crate::rules::policy::DeletePolicy;
    use crate::schema::{Engine, Schema};
    use crate::testing::{findings, findings_with, schema};

    fn chain(engine: Engine, tables: usize) -> Schema {
        let mut lines = vec!["t00: id int8 pk".to_string()];
        lines.extend((1..tables).map(|i| format!("t{i:02}: id int8 pk, p int8 not-null >t{:02}.id cascade", i - 1)));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        schema(engine, &lines)
    }

    fn at_most(depth: usize) -> Settings {
        let deletes = DeletePolicy { max_depth: Some(depth), ..DeletePolicy::default() };
        Settings { deletes, ..Settings::default() }
    }

    #[test]
    fn first_cascade_too_many_is_told_once() {
        let s = chain(Engine::Postgres, 8);
        assert!(findings(&s, META.name).is_empty());
        assert!(findings_with(&s, META.name, &at_most(7)).is_empty());
        let found = findings_with(&s, META.name, &at_most(3));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].subject.place(), "t04.p");
        assert!(found[0].message.contains("from `t00`") && found[0].message.contains("by 4 cascades"));
        assert!(found[0].why.starts_with("t00 -> t01.p -> t02.p -> t03.p -> t04.p, and on to 7 in all."));
    }

    #[test]
    fn innodb_has_a_limit_of_its_own() {
        for engine in [Engine::Mysql, Engine::Mariadb] {
            assert!(findings(&chain(engine, 15), META.name).is_empty());
            let found = findings(&chain(engine, 17), META.name);
            assert_eq!(found.len(), 1);
            assert_eq!((found[0].severity, found[0].subject.place().as_str()), (Severity::Error, "t15.p"));
        }
        assert!(findings(&chain(Engine::Sqlite, 30), META.name).is_empty());
    }

    #[test]
    fn circles_count_as_one_table() {
        let lines = &["a: id int8 pk, up int8 >a.id cascade", "b: id int8 pk, a int8 >a.id cascade"];
        assert!(findings_with(&schema(Engine::Postgres, lines), META.name, &at_most(1)).is_empty());
        let found = findings(&schema(Engine::Mariadb, lines), META.name);
        assert_eq!((found.len(), found[0].severity), (1, Severity::Info));
        let two = &["a: id int8 pk, b int8 >b.id cascade", "b: id int8 pk, a int8 >a.id cascade"];
        assert_eq!(findings(&schema(Engine::Mysql, two), META.name).len(), 1);
    }
}
