//! The tables of a schema as things that names can name.

use std::collections::BTreeMap;

use super::holds_rows_of_its_own;
use super::scoring;
use super::words::{self, noun, singular, split};
use crate::schema::{Schema, Table, TableName};

/// A table that can be a parent, and the words of its name.
pub(super) struct Thing<'s> {
    pub table: &'s Table,
    /// The words of the name, without a prefix that most tables share.
    pub words: Vec<String>,
    /// The words as one noun.
    pub noun: String,
    /// Whether its rows repeat another table's.
    pub is_copy: bool,
}

/// How a table has come by a noun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Naming {
    /// It is its name.
    Full,
    /// It is its name without the prefix that most tables share.
    WithoutPrefix,
    /// It is its name without a last word that adds nothing: `analysis` for `analysis_runs`.
    WithoutFiller,
    /// It is the end of its name.
    End,
}

/// All tables, found by noun and by the name of their key.
pub(super) struct Catalogue<'s> {
    pub schema: &'s Schema,
    pub things: Vec<Thing<'s>>,
    by_noun: BTreeMap<String, Vec<(usize, Naming)>>,
    by_key_name: BTreeMap<String, Vec<usize>>,
    /// Tables of those who do something, by the root of the verb.
    by_root: BTreeMap<String, Vec<usize>>,
    column_prefixes: BTreeMap<&'s TableName, String>,
    wide: Vec<usize>,
}

impl<'s> Catalogue<'s> {
    pub fn new(schema: &'s Schema) -> Self {
        let tables: Vec<&Table> = schema.tables.iter().filter(|t| holds_rows_of_its_own(t)).collect();
        let prefixes = table_prefixes(&tables);
        let mut catalogue = Self {
            schema,
            things: Vec::new(),
            by_noun: BTreeMap::new(),
            by_key_name: BTreeMap::new(),
            by_root: BTreeMap::new(),
            wide: Vec::new(),
            column_prefixes: tables.iter().filter_map(|t| Some((&t.name, column_prefix(t)?))).collect(),
        };
        for table in tables {
            let all = split(&table.name.name);
            let is_prefix = all.len() > 1
                && (prefixes.get(&table.name.schema).is_some_and(|p| *p == all[0])
                    || matches!(all[0].as_str(), "tbl" | "tb" | "t" | "dim" | "mst" | "ref"));
            let words = if is_prefix { all[1..].to_vec() } else { all.clone() };
            let i = catalogue.things.len();
            catalogue.name(noun(&all), i, Naming::Full);
            if is_prefix {
                catalogue.name(noun(&words), i, Naming::WithoutPrefix);
            }
            if let Some((last, front)) = words.split_last()
                && words::FILLERS.contains(&singular(last).as_str())
            {
                catalogue.name(noun(front), i, Naming::WithoutFiller);
            }
            for start in 1..words.len() {
                catalogue.name(noun(&words[start..]), i, Naming::End);
            }
            if let Some(key) = scoring::sole_key(table) {
                let name = catalogue.column_words(table, &key.name).concat();
                if !words::GENERIC_KEYS.contains(&name.as_str()) {
                    catalogue.by_key_name.entry(name).or_default().push(i);
                }
            }
            if table.unique_column_sets().any(|set| set.len() > 1) {
                catalogue.wide.push(i);
            }
            if let [one] = words.as_slice()
                && let agent = singular(one)
                && (agent.ends_with("er") || agent.ends_with("or"))
                && let Some(root) = words::root(&agent)
            {
                catalogue.by_root.entry(root.to_string()).or_default().push(i);
            }
            let is_copy = words.len() > 1 && words.iter().any(|w| words::COPIES.contains(&singular(w).as_str()));
            catalogue.things.push(Thing { table, noun: noun(&words), words, is_copy });
        }
        catalogue
    }

    fn name(&mut self, noun: String, thing: usize, naming: Naming) {
        let named = self.by_noun.entry(noun).or_default();
        if !named.iter().any(|(i, _)| *i == thing) {
            named.push((thing, naming));
        }
    }

    /// Returns the tables of a noun, as seen from a child: those of the best naming, of the child's own schema if it has
    /// one there.
    pub fn named(&self, noun: &str, from: &TableName) -> Vec<(&Thing<'s>, Naming)> {
        let Some(all) = self.by_noun.get(noun) else { return Vec::new() };
        let Some(best) = all.iter().map(|(_, n)| *n).min() else { return Vec::new() };
        let things = all.iter().filter(|(_, n)| *n == best).map(|(i, n)| (&self.things[*i], *n));
        self.nearest(things.collect(), from, |(t, _)| t)
    }

    /// Returns the tables whose single-column primary key has a name.
    pub fn with_key_named(&self, name: &str, from: &TableName) -> Vec<&Thing<'s>> {
        let all = self.by_key_name.get(name).map(|all| all.iter().map(|i| &self.things[*i]).collect());
        self.nearest(all.unwrap_or_default(), from, |t| t)
    }

    /// Returns the one table of those who do what a verb says: shippers, for `ship`.
    pub fn agents_of(&self, verb: &str, from: &TableName) -> Option<&Thing<'s>> {
        let all = self.by_root.get(words::root(verb)?)?;
        let mut all = self.nearest(all.iter().map(|i| &self.things[*i]).collect(), from, |t| t);
        if all.len() == 1 { all.pop() } else { None }
    }

    fn nearest<T>(&self, all: Vec<T>, from: &TableName, thing: impl Fn(&T) -> &Thing<'s>) -> Vec<T> {
        let is_near = |t: &T| thing(t).table.name.schema == from.schema;
        if all.iter().any(is_near) { all.into_iter().filter(|t| is_near(t)).collect() } else { all }
    }

    /// Returns the words of a table's own name.
    pub fn words_of(&self, table: &TableName) -> &[String] {
        let found = self.things.binary_search_by(|t| t.table.name.cmp(table));
        found.map_or(&[], |i| self.things[i].words.as_slice())
    }

    /// Returns the words of a column's name, without a prefix that all columns of its table share.
    pub fn column_words(&self, table: &Table, column: &str) -> Vec<String> {
        let mut words = split(column);
        if words.len() > 1 && self.column_prefixes.get(&table.name) == words.first() {
            words.remove(0);
        }
        words
    }

    /// Returns the tables that have a key of several columns.
    pub fn with_wide_keys(&self) -> impl Iterator<Item = &Thing<'s>> {
        self.wide.iter().map(|i| &self.things[*i])
    }

    /// Returns the two tables that a table is called after: `_CategoryToPost`, `post_category`.
    pub fn joined_by(&self, table: &TableName) -> Option<[&Thing<'s>; 2]> {
        let words = self.words_of(table);
        let one = |words: &[String]| {
            let mut found = self
                .named(&noun(words), table)
                .into_iter()
                .filter(|(t, n)| t.table.name != *table && matches!(n, Naming::Full | Naming::WithoutPrefix));
            found.next().map(|(t, _)| t)
        };
        (1..words.len()).find_map(|i| {
            let rest = &words[i..];
            let rest = if rest.len() > 1 && rest[0] == "to" { &rest[1..] } else { rest };
            Some([one(&words[..i])?, one(rest)?])
        })
    }

    /// Returns the one table of people who act, as seen from a child.
    pub fn people(&self, from: &TableName) -> Option<&Thing<'s>> {
        for rank in words::PEOPLE_RANKS {
            let all = self.things.iter().filter(|t| rank.contains(&t.noun.as_str()));
            let mut all = self.nearest(all.collect(), from, |t| t);
            match all.len() {
                0 => {}
                1 => return all.pop(),
                _ => return None,
            }
        }
        None
    }
}

/// Returns, for each schema, the first word that at least half of its tables share.
fn table_prefixes(tables: &[&Table]) -> BTreeMap<Option<String>, String> {
    let mut counts: BTreeMap<Option<String>, (usize, BTreeMap<String, usize>)> = BTreeMap::new();
    for table in tables {
        let words = split(&table.name.name);
        let (all, by_word) = counts.entry(table.name.schema.clone()).or_default();
        *all += 1;
        if words.len() > 1 {
            *by_word.entry(words[0].clone()).or_default() += 1;
        }
    }
    let mut prefixes = BTreeMap::new();
    for (schema, (all, by_word)) in counts {
        let most = by_word.into_iter().max_by_key(|(_, n)| *n);
        if let Some((word, n)) = most.filter(|(_, n)| all >= 3 && n * 2 >= all) {
            // A table that is called by the word alone makes it a thing: `order`, `order_items`, `order_notes`.
            let is_thing = tables.iter().any(|t| singular(&noun(&split(&t.name.name))) == singular(&word));
            if n == all || !is_thing {
                prefixes.insert(schema, word);
            }
        }
    }
    prefixes
}

/// Returns the first word of all columns of a table, if they share one (`l_orderkey`, `l_partkey`).
fn column_prefix(table: &Table) -> Option<String> {
    let mut columns = table.columns.iter().map(|c| split(&c.name));
    let first = columns.next().filter(|w| w.len() > 1)?.swap_remove(0);
    let shared = table.columns.len() >= 3 && columns.all(|w| w.len() > 1 && w[0] == first);
    shared.then_some(first)
}
