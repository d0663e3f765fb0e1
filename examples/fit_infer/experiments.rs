//! Experiments beside the plain score: half-declared schemas, meaningless names, actions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use referee::fate::Advisor;
use referee::infer::{Model, advise};
use referee::relations::{Graph, Relation};
use referee::schema::{Action, ForeignKey, Schema};

use crate::gold::{self, Database, GoldKey, Match, matched};
use crate::score::{Tally, print, share, tally};
use crate::{Args, Result};

fn drawn(seed: u64, of: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, of).hash(&mut hasher);
    hasher.finish()
}

/// Finds a gold key's table and columns as the schema spells them.
fn foreign_key(schema: &Schema, key: &GoldKey) -> Option<(usize, ForeignKey)> {
    let table = |name: &str| schema.tables.iter().position(|t| t.name.name.eq_ignore_ascii_case(name));
    let (child, parent) = (table(&key.table)?, table(&key.ref_table)?);
    let spelled = |t: usize, columns: &[String]| -> Option<Vec<String>> {
        let of = &schema.tables[t].columns;
        columns.iter().map(|c| Some(of.iter().find(|o| o.name.eq_ignore_ascii_case(c))?.name.clone())).collect()
    };
    let columns = spelled(child, &key.columns)?;
    let mut made = ForeignKey::new(columns, schema.tables[parent].name.clone(), spelled(parent, &key.ref_columns)?);
    made.on_delete = Action::parse(&key.on_delete).unwrap_or(Action::NoAction);
    Some((child, made))
}

fn relations(database: &Database, keep: impl Fn(&GoldKey) -> bool) -> Vec<Relation> {
    let found = database.keys.iter().filter(|k| keep(k)).filter_map(|k| foreign_key(&database.schema, k));
    found.map(|(t, k)| Relation::declared(&database.schema, &database.schema.tables[t].name, &k)).collect()
}

/// Returns half of the declared keys, drawn by a seed.
pub(crate) fn half_of(d: &Database, seed: u64) -> (Vec<Relation>, BTreeSet<Match>) {
    let name = |k: &GoldKey| format!("{}.{}.{}", d.name, k.table, k.columns.join(","));
    let known = relations(d, |k| drawn(seed, &name(k)).is_multiple_of(2));
    let told = known.iter().map(|r| matched(&r.child.name, &r.columns, &r.parent.name, &r.parent_columns)).collect();
    (known, told)
}

/// Half of the declared keys are known; the other half is to be found.
pub(crate) fn half(args: &Args) -> Result<()> {
    for dir in &args.dirs {
        let all = gold::load(dir)?;
        let mut rows = Vec::new();
        for (set, members) in gold::sets(&all) {
            let mut sum = Tally::default();
            for i in members {
                let d = &all[i];
                let (known, told) = half_of(d, args.seed);
                let survey = d.survey(&known, args.data)?;
                let list = args.list.as_deref() == Some(set);
                sum.add(&tally(&survey, Model::published(), d, &told, list));
            }
            rows.push((set.to_string(), sum));
        }
        println!("half of the declared keys known, seed {}", args.seed);
        print(&rows);
    }
    Ok(())
}

/// Writes copies of the databases that have rows, with names that mean nothing.
pub(crate) fn obfuscate(args: &Args) -> Result<()> {
    let [from, to] = args.dirs.as_slice() else { return Err("obfuscate DIR OUT".into()) };
    fs::create_dir_all(to)?;
    for d in gold::load(from)?.iter().filter(|d| d.rows) {
        rename(d, to, args.seed)?;
    }
    Ok(())
}

fn rename(d: &Database, to: &Path, seed: u64) -> Result<()> {
    let file = to.join(format!("{}.db", d.name));
    fs::copy(&d.path, &file)?;
    let connection = rusqlite::Connection::open(&file)?;
    let quoted = |n: &str| format!("\"{}\"", n.replace('"', "\"\""));
    connection.execute_batch("PRAGMA writable_schema = OFF; PRAGMA foreign_keys = OFF")?;
    let others: Vec<(String, String)> = connection
        .prepare("SELECT type, name FROM sqlite_schema WHERE type IN ('view', 'trigger')")?
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<std::result::Result<_, _>>()?;
    for (kind, name) in others {
        connection.execute_batch(&format!("DROP {kind} {}", quoted(&name)))?;
    }
    // A name tells nothing, not even that two columns of two tables have the same.
    let meaningless = |kind: &str, name: &str| {
        let mut n = drawn(seed, &format!("{kind} {name}")) % 26_u64.pow(7);
        (0..7)
            .map(|_| {
                let letter = char::from(b'a' + u8::try_from(n % 26).unwrap_or_default());
                n /= 26;
                letter
            })
            .collect::<String>()
    };
    let mut tables: BTreeMap<String, String> = BTreeMap::new();
    let mut columns: BTreeMap<(String, String), String> = BTreeMap::new();
    for table in &d.schema.tables {
        let name = &table.name.name;
        let new = meaningless("t", name);
        for c in &table.columns {
            let column = meaningless(name, &c.name);
            let sql = format!("ALTER TABLE {} RENAME COLUMN {} TO {column}", quoted(name), quoted(&c.name));
            connection.execute_batch(&sql)?;
            columns.insert((name.to_lowercase(), c.name.to_lowercase()), column);
        }
        connection.execute_batch(&format!("ALTER TABLE {} RENAME TO {new}", quoted(name)))?;
        tables.insert(name.to_lowercase(), new);
    }
    let new = |t: &str, c: &[String]| -> Vec<String> {
        c.iter().filter_map(|c| columns.get(&(t.to_lowercase(), c.to_lowercase())).cloned()).collect()
    };
    let keys: Vec<serde_json::Value> = d
        .keys
        .iter()
        .filter_map(|k| {
            Some(serde_json::json!({
                "table": tables.get(&k.table.to_lowercase())?, "columns": new(&k.table, &k.columns),
                "ref_table": tables.get(&k.ref_table.to_lowercase())?, "ref_columns": new(&k.ref_table, &k.ref_columns),
                "on_delete": k.on_delete,
            }))
        })
        .collect();
    let gold = serde_json::json!({ "set": d.set, "rows": true, "foreign_keys": keys });
    fs::write(to.join(format!("{}.gold.json", d.name)), gold.to_string())?;
    Ok(())
}

/// Asks for the action of each declared key as if that one were not declared, all others being so.
pub(crate) fn actions(args: &Args) -> Result<()> {
    let (mut agreed, mut asked) = (0, 0);
    let (mut taken_back, mut rightly, mut wrongly) = (0, 0, 0);
    for dir in &args.dirs {
        let all = gold::load(dir)?;
        for (set, members) in gold::sets(&all) {
            let (mut right, mut of) = (0, 0);
            for i in members {
                let d = &all[i];
                let mut schema = d.schema.clone();
                let keys: Vec<_> = d.keys.iter().filter(|k| Action::parse(&k.on_delete).is_some()).collect();
                let mut made = Vec::new();
                for k in keys {
                    if let Some((t, key)) = foreign_key(&schema, k) {
                        made.push((t, key.clone()));
                        schema.tables[t].foreign_keys.push(key);
                    }
                }
                for (t, key) in made {
                    let declared = key.on_delete;
                    let mut without = schema.clone();
                    without.tables[t].foreign_keys.retain(|k| *k != key);
                    let known: Vec<Relation> =
                        without.foreign_keys().map(|(t, k)| Relation::declared(&without, &t.name, k)).collect();
                    let mut relation = Relation::declared(&without, &without.tables[t].name, &key);
                    relation.on_delete = None;
                    relation.basis = referee::relations::Basis::Configured;
                    let graph = Graph::from_relations(&without, known.into_iter().chain([relation.clone()]).collect());
                    let by_names = advise(&without, &graph, &relation);
                    let advised = Advisor::new(&without, &graph).advise(&relation);
                    if advised.action != by_names.action {
                        taken_back += 1;
                        rightly += usize::from(merged(advised.action) == merged(declared));
                        wrongly += usize::from(merged(by_names.action) == merged(declared));
                    }
                    let advised = advised.action;
                    of += 1;
                    right += usize::from(merged(advised) == merged(declared));
                }
            }
            if of > 0 {
                println!("{set:22} {right:5} of {of:5} {:.3}", share(right, of));
            }
            agreed += right;
            asked += of;
        }
    }
    println!("agreement {:.3} on {asked} declared actions, RESTRICT and NO ACTION taken as one", share(agreed, asked));
    println!(
        "CASCADE taken back because of what it opens: {taken_back}; {rightly} times to what is declared, {wrongly} times from it"
    );
    Ok(())
}

fn merged(action: Action) -> Action {
    if action == Action::NoAction { Action::Restrict } else { action }
}
