//! The smallest fix, on random schemas: what it may never do, and that what it says it newly deletes is what is newly deleted.

use std::collections::BTreeSet;

use referee::fate::{Fates, Goal, NewlyDeleted, Options};
use referee::relations::{Graph, Relation};
use referee::schema::{Action, Engine, Schema, TableName};

use super::{run, schemas};

fn declared(schema: &Schema) -> Graph {
    let relations = schema.foreign_keys().map(|(t, k)| Relation::declared(schema, &t.name, k)).collect();
    Graph::from_relations(schema, relations)
}

/// Which tables lose rows in a delete from which: by the fates themselves.
fn lost(schema: &Schema) -> BTreeSet<(TableName, TableName)> {
    let graph = declared(schema);
    let fates = Fates::new(schema, &graph, Options::default());
    let of = |root: &TableName| {
        let fate = fates.without_repair(root).unwrap();
        let lose = fate.tables.into_iter().filter(|t| t.depth.is_some());
        lose.map(|t| (fate.root.clone(), t.table)).collect::<Vec<_>>()
    };
    schema.tables.iter().flat_map(|t| of(&t.name)).collect()
}

fn pairs(all: &[NewlyDeleted]) -> BTreeSet<(TableName, TableName)> {
    let of = |n: &NewlyDeleted| {
        let tables = n.tables.clone();
        n.from.clone().into_iter().flat_map(move |f| tables.clone().into_iter().map(move |t| (f.clone(), t)))
    };
    all.iter().flat_map(of).collect()
}

#[test]
fn automatic_changes_destroy_no_declared_survival_and_say_what_they_delete() {
    for engine in [Engine::Sqlite, Engine::Postgres, Engine::Cockroach, Engine::Mariadb] {
        run(engine, schemas(250), |_, schema, tally| {
            let graph = declared(&schema);
            let before = lost(&schema);
            for goal in [Goal::LeavesRows, Goal::Complete] {
                let fates = Fates::new(&schema, &graph, Options { goal, ..Options::default() });
                for root in &schema.tables {
                    let Some(repair) = fates.of(&root.name).unwrap().repair else { continue };
                    let (mut after, mut told) = (schema.clone(), BTreeSet::new());
                    for change in &repair.changes {
                        let table = schema.table(&change.child).unwrap();
                        let survives = matches!(change.from, Some(Action::SetNull | Action::SetDefault))
                            || change.columns.iter().any(|c| table.is_nullable(c));
                        let takes = change.to == Some(Action::Cascade);
                        if survives && takes && (change.automatic || !change.decide) {
                            return Err(format!("{}: {change:?}", root.name));
                        }
                        if survives && takes && goal == Goal::LeavesRows {
                            return Err(format!("proposed for {}: {change:?}", root.name));
                        }
                        if change.decide && change.automatic {
                            return Err(format!("decided for somebody: {change:?}"));
                        }
                        if change.automatic {
                            for change in &change.changes {
                                change.apply(&mut after).map_err(|e| e.to_string())?;
                            }
                            told.extend(pairs(&change.newly_deletes));
                        }
                    }
                    let new: BTreeSet<_> = lost(&after).difference(&before).cloned().collect();
                    if new != told {
                        return Err(format!("{}: told {told:?}, newly deleted {new:?}\n{repair:?}", root.name));
                    }
                    // What is automatic makes nothing worse, and the verdict that it names is the one that comes of it.
                    let graph = declared(&after);
                    let (verdict, _) = Fates::new(&after, &graph, Options::default()).verdict(&root.name).unwrap();
                    if verdict != repair.automatic || verdict > fates.verdict(&root.name).unwrap().0 {
                        return Err(format!("{}: {verdict}, promised {}", root.name, repair.automatic));
                    }
                }
            }
            tally.schemas += 1;
            Ok(())
        });
    }
}
