//! Databases with known keys.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use referee::engine::{SessionOptions, sqlite};
use referee::hints::Hint;
use referee::infer::{ReadOptions, Subject, Survey};
use referee::relations::Relation;
use referee::schema::Schema;
use serde::Deserialize;

use crate::Result;

#[derive(Deserialize, Clone)]
pub(crate) struct GoldKey {
    pub table: String,
    pub columns: Vec<String>,
    pub ref_table: String,
    pub ref_columns: Vec<String>,
    #[serde(default)]
    pub on_delete: String,
}

#[derive(Deserialize)]
pub(crate) struct GoldFile {
    pub set: String,
    pub rows: bool,
    pub foreign_keys: Vec<GoldKey>,
}

/// One database.
pub(crate) struct Database {
    pub name: String,
    pub path: PathBuf,
    pub set: String,
    pub rows: bool,
    pub schema: Schema,
    pub keys: Vec<GoldKey>,
    pub want: BTreeSet<Match>,
}

/// A relation as it is compared: lower case, columns in pairs.
pub(crate) type Match = (String, Vec<String>, String, Vec<String>);

pub(crate) fn matched(child: &str, columns: &[String], parent: &str, parent_columns: &[String]) -> Match {
    let mut pairs: Vec<(String, String)> =
        columns.iter().map(|c| c.to_lowercase()).zip(parent_columns.iter().map(|c| c.to_lowercase())).collect();
    pairs.sort();
    let last = |t: &str| t.to_lowercase().rsplit('.').next().unwrap_or_default().to_string();
    let (a, b) = pairs.into_iter().unzip();
    (last(child), a, last(parent), b)
}

/// Reads a directory.
pub(crate) fn load(dir: &Path) -> Result<Vec<Database>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(".gold.json")) else {
            continue;
        };
        let gold: GoldFile = serde_json::from_str(&fs::read_to_string(&path)?)?;
        let file = dir.join(format!("{name}.db"));
        let mut session = sqlite::open(&file, &SessionOptions::default())?;
        let want =
            gold.foreign_keys.iter().map(|k| matched(&k.table, &k.columns, &k.ref_table, &k.ref_columns)).collect();
        all.push(Database {
            name: name.to_string(),
            path: file,
            set: gold.set,
            rows: gold.rows,
            schema: session.inspect()?,
            keys: gold.foreign_keys,
            want,
        });
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

impl Database {
    pub fn survey(&self, known: &[Relation], data: bool) -> Result<Survey<'_>> {
        let hints: &[Hint] = &[];
        let mut survey = Survey::of(&self.schema, known, hints);
        if data && self.rows {
            let mut session = sqlite::open(&self.path, &SessionOptions::default())?;
            survey.read(
                session.as_mut(),
                &ReadOptions { budget: Some(Duration::from_secs(120)), ..ReadOptions::default() },
            );
        }
        Ok(survey)
    }

    pub fn is_declared(&self, subject: &Subject, candidate: usize) -> bool {
        let c = &subject.candidates[candidate];
        self.want.contains(&matched(&subject.child.name, &subject.columns, &c.parent.name, &c.parent_columns))
    }

    /// Tells whether the declared keys say of this pair's columns elsewhere in the database that they belong together, so
    /// that the lack of a key here says nothing.
    pub fn is_doubtful(&self, subject: &Subject, candidate: usize) -> bool {
        let c = &subject.candidates[candidate];
        let it = matched(&subject.child.name, &subject.columns, &c.parent.name, &c.parent_columns);
        let labelled = self.want.iter().any(|w| w.0 == it.0 && w.1 == it.1);
        !labelled && self.want.iter().any(|w| w.1 == it.1 && w.2 == it.2 && w.3 == it.3)
    }
}

/// Groups by set.
pub(crate) fn sets(all: &[Database]) -> BTreeMap<&str, Vec<usize>> {
    let mut sets: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, d) in all.iter().enumerate() {
        sets.entry(&d.set).or_default().push(i);
    }
    sets
}
