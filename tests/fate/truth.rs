//! The comparison: what was decided about every delete, and what the engine does.

use std::collections::{BTreeMap, BTreeSet};

use referee::fate::{Effect, Fate, Fates, Impact, Options, Verdict};
use referee::relations::Graph;
use referee::schema::{Schema, TableName};

use super::rows::{self, Random, Rows, witness};

/// A real engine with the schema in it.
pub trait Engine {
    /// Puts these rows in the place of all others, and commits.
    fn fill(&mut self, schema: &Schema, rows: &Rows);
    /// Runs queries that return integers: where a server is asked, in as few requests as it takes.
    fn integers(&mut self, queries: &[String]) -> Vec<Vec<i64>>;
    /// Deletes a row, returns what the engine says or the rows as they are then, and takes the delete back.
    fn delete(&mut self, schema: &Schema, table: &str, id: i64) -> Result<Rows, String>;
}

/// How often what was seen.
#[derive(Default, Debug)]
pub struct Tally {
    pub schemas: usize,
    pub fillings: usize,
    pub deletes: usize,
    pub refused: usize,
    pub verdicts: BTreeMap<&'static str, usize>,
    pub today_unknown: usize,
    /// Verdicts that say that some rows stop the delete: all, and those for which no such rows were found.
    pub stoppable: BTreeMap<&'static str, usize>,
    pub witnessed_at_random: BTreeMap<&'static str, usize>,
    pub unwitnessed: BTreeMap<&'static str, usize>,
    pub first_unwitnessed: Vec<String>,
}

impl Tally {
    /// How far a run is, in a line.
    pub fn line(&self) -> String {
        let Self { schemas, deletes, refused, .. } = self;
        let of = |counts: &BTreeMap<&str, usize>| counts.get("depends-on-data").copied().unwrap_or(0);
        let (all, without) = (of(&self.stoppable), of(&self.unwitnessed));
        format!(
            "{schemas} schemas right, {deletes} deletes, {refused} refused; \
             {without} of {all} depends-on-data without a witness"
        )
    }
}

/// What was decided about every table of a schema.
pub struct Decided {
    fates: Vec<(Fate, Option<Impact>)>,
    graph: Graph,
}

impl Decided {
    pub fn new(schema: &Schema) -> Self {
        let graph = Graph::from_relations(schema, relations(schema));
        let all = Fates::new(schema, &graph, Options::default());
        let fates = schema.logical_tables().map(|t| (all.of(&t.name).unwrap(), all.impact(&t.name, None))).collect();
        Self { fates, graph }
    }
}

/// Compares what was decided about the delete of every row with what the engine does.
pub fn compare(
    schema: &Schema,
    decided: &Decided,
    rows: &Rows,
    engine: &mut dyn Engine,
    tally: &mut Tally,
) -> Result<(), String> {
    engine.fill(schema, rows);
    // Asked before any delete, and all at once: the queries are about the data as they are.
    let mut queries = Vec::new();
    for (fate, impact) in &decided.fates {
        for id in rows[&fate.root.name].keys() {
            queries.extend(questions(fate, impact.as_ref()).iter().map(|sql| bound(sql, *id)));
        }
    }
    let mut answers = engine.integers(&queries).into_iter();
    for (fate, impact) in &decided.fates {
        *tally.verdicts.entry(fate.verdict.name()).or_default() += 1;
        tally.today_unknown += usize::from(fate.verdict == Verdict::DependsOnOrder && fate.today.is_none());
        for id in rows[&fate.root.name].keys() {
            one(schema, rows, (fate, impact.as_ref()), *id, &mut answers, engine, tally).map_err(|e| {
                format!(
                    "{e}\ndelete of {} {id}: {} ({:?}), {}",
                    fate.root.name,
                    fate.verdict,
                    fate.today,
                    describe(fate)
                )
            })?;
        }
    }
    tally.fillings += 1;
    Ok(())
}

/// The queries about one delete: each condition's, then those about the rows of each table.
fn questions(fate: &Fate, impact: Option<&Impact>) -> Vec<String> {
    let conditions = fate.conditions.iter().filter_map(|c| c.sql.clone());
    let rows = impact.iter().flat_map(|i| &i.tables).flat_map(|t| [&t.deleted, &t.updated]).flatten();
    conditions.chain(rows.map(|r| r.select("x.id"))).collect()
}

pub fn relations(schema: &Schema) -> Vec<referee::relations::Relation> {
    schema.foreign_keys().map(|(t, k)| referee::relations::Relation::declared(schema, &t.name, k)).collect()
}

pub fn describe(fate: &Fate) -> String {
    let relations = fate.relations.iter().map(|r| {
        let order = if r.order_decides { " (order)" } else { "" };
        format!("  {} {:?} -> {}: {}{order}", r.path.join(" < "), r.on_delete, r.parent, r.effect.name())
    });
    let conditions = fate.conditions.iter().map(|c| format!("  {} exact={} {:?}", c.relation, c.exact, c.sql));
    relations.chain(conditions).collect::<Vec<_>>().join("\n")
}

/// A schema's keys, one a line, as they fire.
fn keys(schema: &Schema) -> String {
    let mut keys: Vec<String> = schema
        .foreign_keys()
        .map(|(t, k)| {
            let null = if k.columns.iter().all(|c| t.is_nullable(c)) { "" } else { " not null" };
            let (columns, to) = (k.columns.join(", "), k.parent_columns.join(", "));
            format!("  {:2} {} ({columns}){null} -> {} ({to}) {}", k.firing_order, t.name, k.parent, k.on_delete)
        })
        .collect();
    keys.sort();
    keys.join("\n")
}

fn bound(sql: &str, id: i64) -> String {
    sql.replace(":id", &id.to_string())
}

fn one(
    schema: &Schema,
    rows: &Rows,
    (fate, impact): (&Fate, Option<&Impact>),
    id: i64,
    answers: &mut impl Iterator<Item = Vec<i64>>,
    engine: &mut dyn Engine,
    tally: &mut Tally,
) -> Result<(), String> {
    let counts: Vec<Option<i64>> =
        fate.conditions.iter().map(|c| c.sql.as_ref().map(|_| answers.next().unwrap()[0])).collect();
    let predicted = impact.map(|i| predict(rows, i, answers));
    let result = engine.delete(schema, &fate.root.name, id);
    tally.deletes += 1;
    tally.refused += usize::from(result.is_err());

    let promises = |v: Verdict| v.always_succeeds();
    if let Err(error) = &result {
        if promises(fate.verdict) || fate.today.is_some_and(promises) {
            return Err(format!("promised success, but: {error}"));
        }
        let all_zero = counts.iter().all(|c| *c == Some(0));
        if all_zero {
            return Err(format!("every condition counts zero, but: {error}"));
        }
    }
    if result.is_ok() {
        for (condition, count) in fate.conditions.iter().zip(&counts) {
            if condition.exact && count.is_some_and(|c| c > 0) {
                return Err(format!("succeeds, but {} counts {count:?}", condition.relation));
            }
        }
    }
    let exact = fate.conditions.iter().all(|c| c.exact && c.sql.is_some());
    if matches!(fate.verdict, Verdict::DependsOnData)
        && !exact
        && !fate.conditions.iter().any(|c| c.rows.contains("cascades away"))
    {
        return Err("depends on data, by a condition that is not exact".to_string());
    }
    if let (Ok(after), Some(impact), Some((deleted, updated))) = (&result, impact, predicted)
        && impact.exact
    {
        compare_rows(rows, after, &deleted, &updated)?;
    }
    Ok(())
}

type Ids = BTreeMap<String, Vec<i64>>;

fn predict(rows: &Rows, impact: &Impact, answers: &mut impl Iterator<Item = Vec<i64>>) -> (Ids, Ids) {
    let mut deleted: Ids = rows.keys().map(|t| (t.clone(), Vec::new())).collect();
    let mut updated = deleted.clone();
    for table in &impact.tables {
        let mut ids = |rows: &Option<referee::fate::Rows>| -> Vec<i64> {
            let mut ids = rows.as_ref().map_or_else(Vec::new, |_| answers.next().unwrap());
            ids.sort();
            ids
        };
        deleted.insert(table.table.name.clone(), ids(&table.deleted));
        updated.insert(table.table.name.clone(), ids(&table.updated));
    }
    (deleted, updated)
}

fn compare_rows(before: &Rows, after: &Rows, deleted: &Ids, updated: &Ids) -> Result<(), String> {
    for (table, rows) in before {
        let gone: Vec<i64> = rows.keys().filter(|id| !after[table].contains_key(id)).copied().collect();
        if gone != deleted[table] {
            return Err(format!("{table}: predicted that {:?} go, but {gone:?} did", deleted[table]));
        }
        let changed: Vec<i64> =
            rows.iter().filter(|(id, r)| after[table].get(id).is_some_and(|a| a != *r)).map(|(id, _)| *id).collect();
        // A default can be what was there before.
        if changed.iter().any(|id| !updated[table].contains(id))
            || (changed.len() < updated[table].len() && !defaults(before, after))
        {
            return Err(format!("{table}: predicted that {:?} change, but {changed:?} did", updated[table]));
        }
    }
    Ok(())
}

fn defaults(_before: &Rows, after: &Rows) -> bool {
    // Literal defaults are 1 to 3; only where such values are about can an update be without effect.
    after.values().flat_map(|t| t.values()).flatten().any(|v| matches!(v, Some(1..=3)))
}

/// For every root that rows are said to stop: makes such rows, and has the engine try.
pub fn witnesses(schema: &Schema, decided: &Decided, engine: &mut dyn Engine, tally: &mut Tally) -> Result<(), String> {
    let graph = &decided.graph;
    for (table, (fate, _)) in schema.tables.iter().zip(&decided.fates) {
        let verdict = fate.today.unwrap_or(fate.verdict);
        let wanted: &[Effect] = match verdict {
            Verdict::Refused => &[Effect::Refuses],
            Verdict::Fails => &[Effect::Fails],
            Verdict::DependsOnData => &[Effect::MayRefuse, Effect::MayFail, Effect::SetsDefault],
            _ => continue,
        };
        *tally.stoppable.entry(verdict.name()).or_default() += 1;
        let mut seen = false;
        'found: for relation in fate.relations.iter().filter(|r| wanted.contains(&r.effect)) {
            let deep = relation.reason.contains(" deep");
            let chains = if deep { long_chains(fate, graph) } else { vec![relation.chain.clone()] };
            for chain in chains {
                let found = witness(schema, graph, &table.name, &chain);
                if found.iter().any(|(rows, id)| stops(schema, engine, &table.name, rows, *id)) {
                    seen = true;
                    break 'found;
                }
            }
        }
        let mut random = Random::new(7);
        for _ in 0..if seen { 0 } else { 60 } {
            let rows = rows::random(schema, &mut random, 3);
            seen |= rows[&table.name.name].keys().any(|id| stops(schema, engine, &table.name, &rows, *id));
            if seen {
                *tally.witnessed_at_random.entry(verdict.name()).or_default() += 1;
                break;
            }
        }
        if !seen {
            *tally.unwitnessed.entry(verdict.name()).or_default() += 1;
            if tally.first_unwitnessed.len() < 5 {
                tally.first_unwitnessed.push(format!("{} {verdict}\n{}\n{}", table.name, describe(fate), keys(schema)));
            }
            if verdict != Verdict::DependsOnData {
                return Err(format!(
                    "no rows found that stop the delete from {}: {verdict}\n{}",
                    table.name,
                    describe(fate)
                ));
            }
        }
    }
    Ok(())
}

fn stops(schema: &Schema, engine: &mut dyn Engine, root: &TableName, rows: &Rows, id: i64) -> bool {
    engine.fill(schema, rows);
    engine.delete(schema, &root.name, id).is_err()
}

/// Chains of at least 17 cascades: the way to a circle, and then around it. At most `MOST_CHAINS`, short circles first.
fn long_chains(fate: &Fate, graph: &Graph) -> Vec<Vec<usize>> {
    const MOST_CHAINS: usize = 24;
    let cascades: BTreeSet<usize> =
        fate.relations.iter().filter(|r| r.effect == Effect::Deletes).filter_map(|r| r.chain.last().copied()).collect();
    let mut found: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut open: Vec<(Vec<&TableName>, Vec<usize>)> = vec![(vec![&fate.root], Vec::new())];
    while let Some((tables, chain)) = open.pop() {
        if chain.len() > 17 {
            found.push((chain.len(), chain));
            continue;
        }
        for &i in cascades.iter().filter(|&&i| Some(&&graph.relations()[i].parent) == tables.last()) {
            let child = &graph.relations()[i].child;
            let longer = [chain.clone(), vec![i]].concat();
            if let Some(at) = tables.iter().position(|t| *t == child) {
                let circle = longer[at..].to_vec();
                let mut pumped = longer;
                while pumped.len() < 17 {
                    pumped.extend(&circle);
                }
                found.push((circle.len(), pumped));
            } else {
                open.push(([tables.clone(), vec![child]].concat(), longer));
            }
        }
        if found.len() > 10 * MOST_CHAINS {
            break;
        }
    }
    found.sort();
    found.truncate(MOST_CHAINS);
    found.into_iter().map(|f| f.1).collect()
}
