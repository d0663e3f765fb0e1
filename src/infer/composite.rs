//! Keys of several columns: a child that holds all columns of a parent's key.

use super::Subject;
use super::candidates::Candidate;
use super::catalogue::{Catalogue, Thing};
use super::model::Feature;
use super::scoring;
use super::words::{self, noun};
use crate::schema::{Column, Table};

/// Keys of more columns are not looked for.
const WIDEST: usize = 4;

/// Returns, for one child, each group of columns that has the columns of a parent's key, with the parents that fit.
pub(super) fn of(catalogue: &Catalogue<'_>, child: &Table, free: &dyn Fn(&Column) -> bool) -> Vec<Subject> {
    let mut subjects: Vec<Subject> = Vec::new();
    for thing in catalogue.with_wide_keys() {
        let parent = thing.table;
        if parent.name == child.name || parent.name.schema != child.name.schema || thing.is_copy {
            continue;
        }
        // A primary key, or one that has the primary key in it (tenant and id). A mere unique constraint is what a
        // table's own rows must not repeat; others refer to its key.
        let primary = parent.primary_key.as_ref().map(|k| k.columns.as_slice()).unwrap_or_default();
        let is_key = |k: &Vec<&str>| primary.iter().all(|p| k.contains(&p.as_str())) && !primary.is_empty();
        for key in parent.unique_column_sets().filter(|k| (2..=WIDEST).contains(&k.len()) && is_key(k)) {
            let Some((columns, named)) = matched(catalogue, child, thing, &key, free) else { continue };
            let own = child
                .primary_key
                .as_ref()
                .is_some_and(|k| k.columns.len() == columns.len() && columns.iter().all(|c| k.columns.contains(c)));
            let is_copy = parent.columns.iter().all(|c| child.column(&c.name).is_some());
            if is_copy || (own && !named) {
                continue;
            }
            let parent_columns: Vec<String> = key.iter().map(|c| (*c).to_string()).collect();
            let listed = parent_columns.join(", ");
            let how = format!("`{}` has all columns of the key of `{}`: {listed}", child.name, parent.name);
            let mut features = vec![Feature::new("composite", how)];
            if key.iter().all(|c| says_other(catalogue, parent, c)) && !named {
                let says =
                    format!("each column of that key refers elsewhere, so that both may: `{}` joins", parent.name);
                features.push(Feature::new("composite.of_references", says));
            }
            if named {
                features.push(Feature::new("composite.named", format!("one of them says table `{}`", parent.name)));
            }
            if own {
                features.push(Feature::new("child.is_key", format!("they are the key of `{}` too", child.name)));
            }
            let candidate = Candidate { parent: parent.name.clone(), parent_columns, features, counts: None };
            match subjects.iter_mut().find(|s| s.columns == columns) {
                Some(subject) => subject.candidates.push(candidate),
                None => subjects.push(Subject { child: child.name.clone(), columns, candidates: vec![candidate] }),
            }
        }
    }
    subjects
}

/// Tells whether a column is called after another table.
fn says_other(catalogue: &Catalogue<'_>, table: &Table, column: &str) -> bool {
    let words = catalogue.column_words(table, column);
    let by_key = catalogue.with_key_named(&words.concat(), &table.name).iter().any(|t| t.table.name != table.name);
    by_key || (words.len() > 1 && !catalogue.named(&noun(&words[..words.len() - 1]), &table.name).is_empty())
}

/// Finds the child's column for each of a key's, and tells whether one of them names the parent.
fn matched(
    catalogue: &Catalogue<'_>,
    child: &Table,
    parent: &Thing<'_>,
    key: &[&str],
    free: &dyn Fn(&Column) -> bool,
) -> Option<(Vec<String>, bool)> {
    let mut columns: Vec<String> = Vec::new();
    let mut named = false;
    for part in key {
        let part = parent.table.column(part)?;
        let wanted = catalogue.column_words(parent.table, &part.name);
        let bare_id = wanted.len() == 1 && words::ID_WORDS.contains(&wanted[0].as_str());
        let found = child.columns.iter().find(|c| {
            let got = catalogue.column_words(child, &c.name);
            let says_parent = || {
                got.len() > 1
                    && words::ID_WORDS.contains(&got[got.len() - 1].as_str())
                    && noun(&got[..got.len() - 1]) == parent.noun
            };
            free(c) && if bare_id { says_parent() } else { got.concat() == wanted.concat() && !says_nothing(&got) }
        })?;
        let got = catalogue.column_words(child, &found.name);
        named |= got.len() > 1 && noun(&got[..got.len() - 1]) == parent.noun;
        let (fit, _) = scoring::types(catalogue.schema.engine, found, part)?;
        if !matches!(fit, "type.same" | "type.wider" | "type.any") || columns.contains(&found.name) {
            return None;
        }
        columns.push(found.name.clone());
    }
    // A version or a date beside it makes a key of nothing: one column at least must be a reference by its name.
    let refers = columns.iter().any(|c| {
        let words = catalogue.column_words(child, c);
        words.last().is_some_and(|w| ["id", "uuid", "key", "code", "no"].iter().any(|e| w.ends_with(e)))
    });
    refers.then_some((columns, named))
}

fn says_nothing(words: &[String]) -> bool {
    words.len() == 1 && words::ID_WORDS.contains(&words[0].as_str())
}
