//! Guesses: which of them count as accepted for one run, which never do, and what is said of the rest.
//!
//! Nothing is changed for a guess. A guess that the user accepts is acted on like a configured relation, but it stays no
//! evidence for others, nor does the key that is made of it.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Class, Counts, Model, Proposal, ReadOptions, RowsRead, Survey};
use crate::engine::Reader;
use crate::hints::Hint;
use crate::relations::{Basis, ConfiguredRelation, Graph, Objections, Relation, write};
use crate::schema::{Schema, TableName};

/// A relation that is only guessed, and that nothing is done for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Guess {
    /// The relation as `referee infer --accept` takes it: `orders.customer_id->customers.id`.
    pub relation: String,
    /// The child.
    pub child: TableName,
    /// Its columns.
    pub columns: Vec<String>,
    /// The parent.
    pub parent: TableName,
    /// Its columns.
    pub parent_columns: Vec<String>,
    /// From 0 to 1.
    pub confidence: f64,
    /// What stands behind it.
    pub class: Class,
    /// How many child rows that refer were looked at; `None` if none were.
    pub rows: Option<u64>,
    /// How many of them are orphan rows.
    pub orphans: Option<u64>,
    /// Whether anything was done for it: never.
    pub acted_on: bool,
    /// Why it is not accepted by its confidence, however sure it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ruled_out: Option<String>,
}

impl Guess {
    fn new(proposal: &Proposal, ruled_out: Option<String>) -> Self {
        Self {
            relation: write(&proposal.child, &proposal.columns, &proposal.parent, &proposal.parent_columns),
            child: proposal.child.clone(),
            columns: proposal.columns.clone(),
            parent: proposal.parent.clone(),
            parent_columns: proposal.parent_columns.clone(),
            confidence: proposal.confidence,
            class: proposal.class,
            rows: proposal.counts.map(|c| c.rows),
            orphans: proposal.counts.map(|c| c.orphans),
            acted_on: false,
            ruled_out,
        }
    }

    /// Says what stands behind it, with the numbers.
    pub fn standing(&self) -> String {
        match (self.rows, self.orphans) {
            // Whether all rows were read was not written down with it.
            (Some(rows), Some(orphans)) if rows > 0 => Counts { rows, orphans, exact: true }.standing(self.class),
            _ => self.class.as_str().to_string(),
        }
    }

    /// Makes the relation, as a graph holds it.
    pub fn as_relation(&self, schema: &Schema) -> Relation {
        let accepted = ConfiguredRelation {
            child: self.child.clone(),
            columns: self.columns.clone(),
            parent: self.parent.clone(),
            parent_columns: self.parent_columns.clone(),
            on_delete: None,
            accepted: None,
        };
        let basis = Basis::Inferred { confidence: self.confidence, evidence: Vec::new() };
        Relation { basis, ..accepted.relation(schema) }
    }
}

/// What came of a schema's guesses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    /// Those that count as accepted.
    pub relations: Vec<ConfiguredRelation>,
    /// Those that do not, the surest first; those that are ruled out last.
    pub guesses: Vec<Guess>,
}

/// Takes the guesses that are at least so sure, the surest first, but for those that are ruled out; none without `above`.
pub fn take(
    schema: &Schema,
    known: &[Relation],
    proposals: &[Proposal],
    read: Option<&RowsRead>,
    above: Option<f64>,
) -> Taken {
    let mut surest: Vec<&Proposal> = proposals.iter().collect();
    surest.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let objections = Objections::new(schema);
    let (mut known, mut taken) = (known.to_vec(), Taken::default());
    for proposal in surest {
        let why = ruled_out_by(&objections, schema, &known, proposal, read);
        if why.is_none() && above.is_some_and(|least| proposal.confidence >= least) {
            let accepted = ConfiguredRelation {
                child: proposal.child.clone(),
                columns: proposal.columns.clone(),
                parent: proposal.parent.clone(),
                parent_columns: proposal.parent_columns.clone(),
                on_delete: None,
                accepted: Some(proposal.confidence),
            };
            known.push(accepted.relation(schema));
            taken.relations.push(accepted);
        } else {
            taken.guesses.push(Guess::new(proposal, why));
        }
    }
    taken.guesses.sort_by_key(|g| g.ruled_out.is_some());
    taken
}

/// Says why a guess is not accepted by its confidence alone.
pub fn ruled_out(schema: &Schema, known: &[Relation], proposal: &Proposal, read: Option<&RowsRead>) -> Option<String> {
    ruled_out_by(&Objections::new(schema), schema, known, proposal, read)
}

fn ruled_out_by(
    objections: &Objections<'_>,
    schema: &Schema,
    known: &[Relation],
    proposal: &Proposal,
    read: Option<&RowsRead>,
) -> Option<String> {
    let relation = proposal.relation(schema);
    if let Some(objection) = objections.to(&relation, known) {
        return Some(objection.text);
    }
    if let (Class::Contradicted, Some(counts)) = (proposal.class, proposal.counts) {
        return Some(counts.contradiction());
    }
    if let Some(objection) = proposal.counts.filter(|c| c.rows > 0).and_then(|c| c.objection()) {
        return Some(objection);
    }
    if read.is_some_and(|r| r.out_of_time) && !proposal.counts.is_some_and(|c| c.exact) {
        return Some("there was not enough time to read its rows; accept it by name if it is true".to_string());
    }
    let child = schema.table(&proposal.child)?;
    // SQLite numbers any INTEGER PRIMARY KEY, and an extension's key is one as well.
    let numbers = |c: &String| child.column(c).is_some_and(|c| c.auto_number);
    if proposal.columns.iter().any(numbers)
        && (schema.engine.facts().types.auto_number.is_some() || child.autoincrement)
    {
        return Some(format!("the engine numbers the rows of `{}` by this column", proposal.child));
    }
    closes_a_circle(schema, known, &relation)
        .then(|| "with the foreign keys there are it closes a circle, and no first row could be inserted".to_string())
}

/// Tells whether a key would close a circle of keys none of which a first row can do without.
fn closes_a_circle(schema: &Schema, known: &[Relation], new: &Relation) -> bool {
    // SQLite lets a primary key be NULL that is no INTEGER; no application inserts such rows to begin a circle.
    let optional =
        |r: &Relation, c: &String| schema.table(&r.child).is_some_and(|t| t.is_nullable(c) && !t.in_primary_key(c));
    let rigid = |r: &&Relation| {
        !r.is_self_reference()
            && !r.columns.iter().any(|c| optional(r, c))
            && !r.foreign_key().is_some_and(|k| k.timing.is_deferrable())
    };
    if !rigid(&new) {
        return false;
    }
    let (mut seen, mut next) = (BTreeSet::from([&new.parent]), vec![&new.parent]);
    while let Some(table) = next.pop() {
        if *table == new.child {
            return true;
        }
        let up = known.iter().filter(|r| r.child == *table).filter(rigid);
        next.extend(up.map(|r| &r.parent).filter(|parent| seen.insert(parent)));
    }
    false
}

impl Graph {
    /// Makes the graph of what may be acted on: what is declared and configured, and the guesses that are at least so sure.
    /// Reads rows if there is a session; tells how much of them was read.
    pub fn settled(
        schema: &Schema,
        configured: &[ConfiguredRelation],
        hints: &[Hint],
        threshold: f64,
        above: Option<f64>,
        reading: Option<(&mut dyn Reader, &ReadOptions)>,
    ) -> (Self, Taken, Option<RowsRead>) {
        let mut known = Self::known(schema, configured);
        let mut survey = Survey::of(schema, &known, hints);
        let reads = reading.is_some();
        if let Some((session, options)) = reading {
            survey.read(session, options);
        }
        let threshold = above.map_or(threshold, |least| least.min(threshold));
        let proposals = survey.decide(Model::published(), threshold);
        let read = reads.then_some(survey.rows);
        let taken = take(schema, &known, &proposals, read.as_ref(), above);
        known.extend(taken.relations.iter().map(|r| r.relation(schema)));
        (Self::from_relations(schema, known), taken, read)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Counts;
    use super::*;
    use crate::schema::Engine;
    use crate::testing::schema;

    fn taken(engine: Engine, lines: &[&str], above: f64) -> Vec<String> {
        let (_, taken, _) = Graph::settled(&schema(engine, lines), &[], &[], 0.5, Some(above), None);
        let write = |r: &ConfiguredRelation| write(&r.child, &r.columns, &r.parent, &r.parent_columns);
        taken.relations.iter().map(write).collect()
    }

    #[test]
    fn nothing_is_taken_unless_it_is_asked_for() {
        let s = schema(Engine::Postgres, &["users: id int8 pk", "posts: id int8 pk, user_id int8 not-null"]);
        let (graph, taken, _) = Graph::settled(&s, &[], &[], 0.5, None, None);
        assert!(graph.relations().is_empty() && taken.relations.is_empty());
        assert_eq!(taken.guesses.len(), 1);
        let guess = &taken.guesses[0];
        assert_eq!((guess.relation.as_str(), guess.acted_on), ("posts.user_id->users.id", false));

        let (graph, taken, _) = Graph::settled(&s, &[], &[], 0.5, Some(0.5), None);
        assert!(taken.guesses.is_empty());
        assert_eq!(graph.relations()[0].accepted, taken.relations[0].accepted);
        assert!(!graph.relations()[0].is_evidence());
        assert!(Graph::settled(&s, &[], &[], 0.5, Some(1.0), None).1.relations.is_empty());
    }

    fn proposal(child: &str, column: &str, parent: &str, key: &str, class: Class, counts: Option<Counts>) -> Proposal {
        Proposal {
            child: child.into(),
            columns: vec![column.into()],
            parent: parent.into(),
            parent_columns: vec![key.into()],
            confidence: 0.99,
            class,
            evidence: Vec::new(),
            runners_up: Vec::new(),
            counts,
        }
    }

    #[test]
    fn a_circle_in_which_no_row_can_be_inserted_is_not_made() {
        for engine in [Engine::Postgres, Engine::Sqlite] {
            let s =
                schema(engine, &["web_token: hash text pk", "oauth_token: hash text pk", "log: hash text, note text"]);
            let both = [
                proposal("web_token", "hash", "oauth_token", "hash", Class::NamesOnly, None),
                proposal("oauth_token", "hash", "web_token", "hash", Class::NamesOnly, None),
                proposal("log", "hash", "web_token", "hash", Class::NamesOnly, None),
            ];
            let taken = take(&s, &[], &both, None, Some(0.5));
            assert_eq!(taken.relations.len(), 2, "{engine}");
            assert!(taken.guesses[0].ruled_out.as_ref().is_some_and(|w| w.contains("circle")), "{taken:?}");
        }
    }

    #[test]
    fn a_circle_through_declared_keys_counts_and_a_nullable_column_opens_it() {
        let lines = |column: &str| {
            let s = schema(
                Engine::Postgres,
                &["a: id int8 pk >b.id", "b: id int8 pk >c.id", &format!("c: id int8 pk, a_id int8 {column}")],
            );
            let known = Graph::known(&s, &[]);
            take(&s, &known, &[proposal("c", "a_id", "a", "id", Class::NamesOnly, None)], None, Some(0.5))
                .relations
                .len()
        };
        assert_eq!((lines("not-null"), lines("")), (0, 1));
    }

    #[test]
    fn what_rows_contradict_or_were_not_asked_about_is_never_taken() {
        let s = schema(Engine::Postgres, &["users: id int8 pk", "posts: id int8 pk, user_id int8 not-null"]);
        let counts = |orphans, exact| Some(Counts { rows: 3, orphans, exact });
        let take = |class, counts, out_of_time| {
            let read = RowsRead { out_of_time, ..RowsRead::default() };
            take(&s, &[], &[proposal("posts", "user_id", "users", "id", class, counts)], Some(&read), Some(0.1))
        };
        let contradicted = take(Class::Contradicted, counts(3, true), false);
        assert!(contradicted.relations.is_empty());
        let why = contradicted.guesses[0].ruled_out.clone();
        assert_eq!(why.as_deref(), Some("its rows contradict it: 3 of 3 are orphan rows"));
        assert_eq!(take(Class::Verified, counts(0, true), false).relations.len(), 1);
        assert_eq!(take(Class::NamesOnly, None, false).relations.len(), 1);
        assert!(take(Class::NamesOnly, None, true).relations.is_empty());
        assert!(take(Class::Verified, counts(0, false), true).relations.is_empty());
        assert_eq!(take(Class::Verified, counts(0, true), true).relations.len(), 1);
    }

    #[test]
    fn what_more_than_one_in_twenty_rows_speak_against_is_not_taken_by_confidence() {
        let s = schema(Engine::Postgres, &["users: id int8 pk", "audit_log: id int8 pk, user_id int8 not-null"]);
        let read = RowsRead::default();
        let take = |class, rows, orphans| {
            let counts = Some(Counts { rows, orphans, exact: true });
            take(&s, &[], &[proposal("audit_log", "user_id", "users", "id", class, counts)], Some(&read), Some(0.1))
        };
        assert_eq!(take(Class::Verified, 500, 25).relations.len(), 1, "five in a hundred are tolerated");
        let weak = take(Class::Weak, 500, 122);
        assert!(weak.relations.is_empty());
        assert_eq!(
            weak.guesses[0].ruled_out.as_deref(),
            Some("24% of its rows do not match, which is weak evidence: 122 of 500 are orphan rows")
        );
        assert_eq!(weak.guesses[0].standing(), "24% do not match: weak evidence");
        assert_eq!(take(Class::Verified, 500, 26).relations.len(), 0, "whatever class it was given");
    }

    #[test]
    fn only_what_many_rows_bear_out_is_called_verified() {
        let of = |class, rows, orphans, exact| Counts { rows, orphans, exact }.standing(class);
        assert_eq!(of(Class::Verified, 100, 0, true), "verified by data");
        assert_eq!(of(Class::Verified, 20, 0, true), "no counter-example in 20 rows (few)");
        assert_eq!(of(Class::Verified, 1, 0, false), "no counter-example in 1 value (few)");
        assert_eq!(of(Class::Verified, 1_000, 2, true), "under 1% do not match");
        assert_eq!(of(Class::Weak, 500, 122, true), "24% do not match: weak evidence");
        assert_eq!(of(Class::Contradicted, 5, 4, true), "contradicted by data");
    }

    #[test]
    fn a_column_that_numbers_rows_is_never_taken() {
        let mut s = schema(Engine::Postgres, &["users: id int8 pk", "posts: id int8 pk, user_id int8 not-null"]);
        s.tables.iter_mut().for_each(|t| t.columns.iter_mut().for_each(|c| c.auto_number = c.name == "user_id"));
        let one = [proposal("posts", "user_id", "users", "id", Class::NamesOnly, None)];
        assert!(take(&s, &[], &one, None, Some(0.1)).relations.is_empty());
    }

    #[test]
    fn what_is_accepted_is_no_evidence_for_others() {
        // `charge` names no table; that a namesake refers somewhere would say something.
        let lines =
            ["gateway_intents: id int8 pk", "refunds: id int8 pk, charge int8", "disputes: id int8 pk, charge int8"];
        let mut s = schema(Engine::Postgres, &lines);
        let entry = |accepted| ConfiguredRelation {
            child: "refunds".into(),
            columns: vec!["charge".into()],
            parent: "gateway_intents".into(),
            parent_columns: vec!["id".into()],
            on_delete: None,
            accepted,
        };
        let guesses = |s: &Schema, configured: &[ConfiguredRelation]| {
            let (_, taken, _) = Graph::settled(s, configured, &[], 0.5, None, None);
            taken.guesses.into_iter().map(|g| (g.relation, g.confidence)).collect::<Vec<_>>()
        };
        let before = guesses(&s, &[]);
        assert!(before.is_empty(), "{before:?}");
        assert_eq!(guesses(&s, &[entry(None)]).len(), 1, "a relation that the user wrote tells something");
        assert_eq!(guesses(&s, &[entry(Some(0.7))]), before);
        // The key that was made of it tells no more.
        let key = crate::schema::ForeignKey::new(["charge"], "gateway_intents".into(), ["id"]);
        s.table_mut(&"refunds".into()).unwrap().foreign_keys.push(key);
        assert_eq!(guesses(&s, &[]).len(), 1, "a declared key tells something");
        assert_eq!(guesses(&s, &[entry(Some(0.7))]), before);
    }

    #[test]
    fn other_guesses_are_exactly_what_they_were() {
        let lines = [
            "users: id int8 pk",
            "teams: id int8 pk, owner_id int8 >users.id",
            "posts: id int8 pk, user_id int8 not-null, team_id int8, reviewer_id int8",
            "notes: id int8 pk, user_id int8 not-null, post int8",
        ];
        let s = schema(Engine::Postgres, &lines);
        let (_, all, _) = Graph::settled(&s, &[], &[], 0.01, None, None);
        let first = all.guesses.iter().find(|g| g.relation == "posts.user_id->users.id").unwrap();
        assert!(taken(Engine::Postgres, &lines, first.confidence).contains(&first.relation));
        let entry = ConfiguredRelation {
            child: first.child.clone(),
            columns: first.columns.clone(),
            parent: first.parent.clone(),
            parent_columns: first.parent_columns.clone(),
            on_delete: None,
            accepted: Some(first.confidence),
        };
        let (_, rest, _) = Graph::settled(&s, &[entry], &[], 0.01, None, None);
        let others: Vec<&Guess> = all.guesses.iter().filter(|g| g.relation != first.relation).collect();
        assert_eq!(rest.guesses.iter().collect::<Vec<_>>(), others);
        assert!(others.len() > 2, "{others:?}");
    }
}
