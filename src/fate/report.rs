//! From a judgement to the [`Fate`] that people and programs read: names, reasons, paths, notes.

use std::collections::BTreeMap;

use super::conditions::{condition, orphans};
use super::judge::{Judgement, MOST_PATHS, Ruling, Shape, judge};
use super::net::{Act, Net};
use super::{
    ActorKind, Assumption, Effect, Fate, May, Options, Rank, RelationOutcome, TableFate, TableOutcome, Verdict, actors,
    demands, repair,
};
use crate::relations::unlike::Unlike;
use crate::text::said;

pub(super) fn fate(net: &Net<'_>, root: usize, options: &Options, repaired: bool) -> Fate {
    let judged = judge(net, root);
    let relations = relations(net, &judged);
    let assumptions = actors::assumptions(net, &judged, &options.unread);
    let tables = tables(net, &judged);
    let of = |ruling: &Ruling| {
        let mut found = condition(net, &judged.walk, ruling)?;
        // A default that a constraint may not accept stops the delete whatever the parents.
        let child = net.tables[net.links[ruling.link].child];
        let doubted = |a: &Assumption| {
            let constraint = a.kind == ActorKind::Constraint && a.when.starts_with("SET DEFAULT");
            constraint && net.schema.is_within(&a.table, child)
        };
        found.exact &= ruling.effect != Effect::SetsDefault || !assumptions.iter().any(doubted);
        Some(found)
    };
    let mut conditions: Vec<_> = judged.rulings.iter().filter_map(of).collect();
    if judged.broken.is_some() {
        conditions.clear();
    }
    conditions.dedup();
    if judged.broken.is_none() {
        conditions.extend(judged.rechecked.iter().map(|pair| orphans(net, &judged, *pair)));
    }
    let wanted = repaired && judged.verdict != Verdict::Complete;
    let repair = wanted.then(|| repair::repair(net, root, options.goal, options));
    Fate {
        root: net.tables[root].clone(),
        engine: net.engine,
        foreign_keys: net.engine.facts().keys.enforced_by_connection.then_some(options.foreign_keys),
        verdict: judged.verdict,
        today: judged.today,
        promised: assumptions.is_empty(),
        summary: said(conditional(net, &judged, summary(net, &judged, &relations), &assumptions)),
        notes: notes(net, &judged, options).into_iter().map(said).collect(),
        tables,
        relations,
        conditions,
        broken: demands::broken(net, &judged, &assumptions, &options.demands),
        assumptions,
        repair,
    }
}

pub(super) fn rank(net: &Net<'_>, root: usize, options: &Options) -> Rank {
    let judged = judge(net, root);
    let assumptions = actors::assumptions(net, &judged, &options.unread);
    let mut broken: Vec<_> =
        demands::broken(net, &judged, &assumptions, &options.demands).into_iter().map(|b| b.demand).collect();
    broken.dedup();
    Rank {
        table: net.tables[root].clone(),
        verdict: judged.verdict,
        today: judged.today,
        assumptions: assumptions.len(),
        deleted: judged.walk.reached.len() - 1,
        blockers: judged.rulings.iter().filter(|r| r.effect.can_stop()).count(),
        depth: judged.walk.reached.iter().filter_map(|&t| judged.walk.depth[t]).max().unwrap_or(0),
        broken,
    }
}

/// Returns the shortest chain of links to a ruling's link, itself last.
pub(super) fn path(net: &Net<'_>, judged: &Judgement, ruling: &Ruling) -> Vec<usize> {
    let (first, rest) = match &ruling.shape {
        Shape::KeyTaken(chain) if !chain.is_empty() => (chain[0], chain[1..].to_vec()),
        _ => (ruling.link, Vec::new()),
    };
    let parent = net.links[first].parent;
    if let Shape::Late(cases) = &ruling.shape {
        // The chain on which the fewest rows are out of the way in time.
        let worst = cases.iter().min_by_key(|(path, escapes)| (escapes.len(), path.len()));
        return worst.map(|(path, _)| path.iter().copied().chain([first]).collect()).unwrap_or_default();
    }
    let mut path = if judged.walk.loses_rows(parent) { judged.walk.path(net, parent) } else { Vec::new() };
    path.push(first);
    path.extend(rest);
    path
}

fn relations(net: &Net<'_>, judged: &Judgement) -> Vec<RelationOutcome> {
    let mut all: Vec<RelationOutcome> = judged
        .rulings
        .iter()
        .map(|ruling| {
            let link = &net.links[ruling.link];
            let relation = &net.graph.relations()[link.relation];
            let path = path(net, judged, ruling);
            RelationOutcome {
                child: relation.child.clone(),
                columns: relation.columns.clone(),
                parent: relation.parent.clone(),
                parent_columns: relation.parent_columns.clone(),
                name: relation.foreign_key().and_then(|k| k.name.clone()),
                on_delete: relation.on_delete,
                effect: ruling.effect,
                reason: said(reason(net, judged, ruling)),
                order_decides: ruling.order_decides,
                path: path.iter().map(|&i| net.graph.relations()[net.links[i].relation].child_side()).collect(),
                chain: path.iter().map(|&i| net.links[i].relation).collect(),
            }
        })
        .collect();
    all.sort_by(|a, b| {
        (a.path.len(), &a.child, &a.columns, &a.chain).cmp(&(b.path.len(), &b.child, &b.columns, &b.chain))
    });
    all.dedup();
    all
}

fn reason(net: &Net<'_>, judged: &Judgement, ruling: &Ruling) -> String {
    let link = &net.links[ruling.link];
    let relation = &net.graph.relations()[link.relation];
    let action = relation.foreign_key().map_or("no key", |k| k.on_delete.sql());
    let child = &relation.child;
    let why = link.contradiction.as_deref().unwrap_or("its columns cannot bear it");
    if let Shape::TooDeep(limit) = ruling.shape {
        return format!("cascades can follow each other more than {limit} deep, where {} gives up", net.engine);
    }
    if let Shape::ComparedUnlike(how) = ruling.shape {
        return compared_unlike(net, ruling, how);
    }
    if ruling.shape == Shape::ChangedTwice {
        return format!(
            "two other keys change the same row of `{child}`, and {} then checks this key anew, whose parent may be gone already",
            net.engine
        );
    }
    if let Shape::KeyTaken(chain) = &ruling.shape {
        let first = &net.graph.relations()[net.links[chain[0]].relation];
        return format!(
            "{} sets {} to NULL, which `{child}` refers to, and ON UPDATE does not allow that",
            first.on_delete.map_or("the key", |a| a.sql()),
            first.child_side()
        );
    }
    match ruling.effect {
        Effect::Deletes => format!("ON DELETE {action}: the rows go too"),
        Effect::Nulls if link.act == Act::Null && judged.walk.loses_rows(link.parent) => {
            format!("ON DELETE {action}: the rows stay, without a parent")
        }
        Effect::Nulls => "ON UPDATE: its parent's key becomes NULL, and its columns follow".to_string(),
        Effect::SetsDefault => format!("ON DELETE {action}: the rows stay, with their default parent"),
        Effect::Refuses if relation.foreign_key().is_some_and(|k| !k.on_delete.refuses()) => {
            format!("{} takes ON DELETE {action} for RESTRICT: any row stops the delete", net.engine)
        }
        Effect::Refuses if judged.walk.loses_rows(link.child) => {
            format!(
                "ON DELETE {action}: a row stops the delete, because the cascades that remove rows of `{child}` come too late"
            )
        }
        Effect::Refuses => {
            format!("ON DELETE {action}: any row stops the delete, and nothing else removes rows of `{child}`")
        }
        Effect::MayRefuse if ruling.shape == Shape::Survivors(Vec::new()) && !judged.walk.loses_rows(link.child) => {
            format!("ON DELETE {action}: a row that refers to a deleted one stops the delete")
        }
        Effect::MayRefuse if ruling.exact => {
            format!("ON DELETE {action}: a row stops the delete unless the same delete removes it on another way")
        }
        Effect::MayRefuse => {
            format!("ON DELETE {action}: whether a row is gone when its turn comes depends on the order of the rows")
        }
        Effect::Fails => format!("ON DELETE {action}, but {why}: any row stops the delete with an error of its own"),
        Effect::MayFail => format!("ON DELETE {action}, but {why}: a row stops the delete unless it is removed before"),
        Effect::Harmless => format!("ON DELETE {action}, but its rows are always removed before"),
        Effect::Shadowed => "another key on the same columns acts first".to_string(),
        Effect::LeavesOrphans => match relation.foreign_key() {
            None => "nothing declares it, so nothing enforces it: the rows stay and refer to nothing".to_string(),
            Some(k) if !k.enforced => "the key is NOT ENFORCED: the rows stay and refer to nothing".to_string(),
            Some(k) if k.disabled.is_some() => {
                "the key's triggers are switched off: the rows stay and refer to nothing".to_string()
            }
            Some(_) => "foreign keys are off: the rows stay and refer to nothing".to_string(),
        },
    }
}

/// SQLite: says what comes of a key whose comparisons differ.
fn compared_unlike(net: &Net<'_>, ruling: &Ruling, how: Unlike) -> String {
    let relation = &net.graph.relations()[net.links[ruling.link].relation];
    let action = relation.foreign_key().map_or("no key", |k| k.on_delete.sql());
    let differ = format!("{} and {} have different affinities", relation.child_side(), relation.parent_side());
    match how {
        Unlike::ActionMisses => format!(
            "{differ}: the foreign key's check takes `'007'` for a reference to 7, ON DELETE {action} does not find it, and the \
             delete fails"
        ),
        Unlike::TakesOthers => format!(
            "{differ}: a delete of `'007'` takes the rows that refer to `'7'` for its own, and fails because their parent is \
             still there"
        ),
        Unlike::ActionTakesOthers => {
            format!("{differ}: ON DELETE {action} of 7 takes the rows that refer to `'7'` for its own")
        }
        Unlike::LeftBehind => format!(
            "{differ}: the foreign key's check takes 7 for a reference to `'7'`, a delete of `'7'` does not find it, and the row \
             stays as an orphan"
        ),
        Unlike::Mixed => {
            format!("{differ}: what the foreign key's check takes for a reference, ON DELETE {action} may not find")
        }
    }
}

fn tables(net: &Net<'_>, judged: &Judgement) -> Vec<TableOutcome> {
    let mut fates: BTreeMap<usize, TableFate> = judged.walk.reached.iter().map(|&t| (t, TableFate::Deleted)).collect();
    for ruling in &judged.rulings {
        let child = net.links[ruling.link].child;
        let fate = match ruling.effect {
            Effect::Refuses | Effect::Fails => TableFate::Refuses,
            Effect::MayRefuse | Effect::MayFail if !judged.walk.loses_rows(child) => TableFate::Refuses,
            Effect::Nulls | Effect::SetsDefault => TableFate::Updated,
            Effect::LeavesOrphans => TableFate::Orphaned,
            _ => continue,
        };
        let known = fates.entry(child).or_insert(fate);
        *known = fate.max(*known);
    }
    if let Some(table) = judged.broken {
        fates.insert(table, TableFate::Refuses);
    }
    let outcome = |(number, name): (usize, &&crate::schema::TableName)| TableOutcome {
        table: (*name).clone(),
        fate: fates.get(&number).copied().unwrap_or(TableFate::Untouched),
        depth: judged.walk.depth[number],
    };
    net.tables.iter().enumerate().map(outcome).collect()
}

fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// What the keys alone come to.
enum Summary {
    /// Every delete succeeds, with these clauses, each with what goes before it.
    Succeeds(Vec<(&'static str, String)>),
    /// A whole sentence.
    Other(String),
}

fn summary(net: &Net<'_>, judged: &Judgement, relations: &[RelationOutcome]) -> Summary {
    let root = net.tables[judged.walk.root];
    let of = |keep: &dyn Fn(Effect) -> bool| relations.iter().filter(|r| keep(r.effect)).count();
    let below = judged.walk.reached.len() - 1;
    let mut clauses = Vec::new();
    if below > 0 {
        clauses.push((", ", format!("and rows of {} go with it", count(below, "table", "tables"))));
    }
    let text = match judged.verdict {
        Verdict::Complete => return Summary::Succeeds(clauses),
        Verdict::LeavesRows => {
            let set = of(&|e| matches!(e, Effect::Nulls | Effect::SetsDefault));
            let lose = count(set, "relation's rows", "relations' rows");
            clauses.push(("; ", format!("{lose} lose their parent and stay")));
            return Summary::Succeeds(clauses);
        }
        Verdict::LeavesOrphans => {
            let left = of(&|e| e == Effect::LeavesOrphans);
            let missed = |r: &&Ruling| matches!(r.shape, Shape::ComparedUnlike(Unlike::LeftBehind));
            let missed = judged.rulings.iter().filter(missed).count();
            let mut why = Vec::new();
            if left > missed {
                why.push(format!("nothing enforces {}", count(left - missed, "relation", "relations")));
            }
            if missed > 0 {
                why.push(format!("{} not every child row", count(missed, "foreign key finds", "foreign keys find")));
            }
            let may = if left > missed { "" } else { "may " };
            clauses.push((", ", format!("but orphans {may}stay behind: {}", why.join(", and "))));
            return Summary::Succeeds(clauses);
        }
        Verdict::DependsOnData => {
            let may = of(&|e| e.can_stop() || e == Effect::SetsDefault);
            format!(
                "a delete from `{root}` succeeds unless there are rows that {} for",
                count(may, "relation asks", "relations ask")
            )
        }
        Verdict::DependsOnOrder => {
            let today = match judged.today {
                Some(v) if v.always_succeeds() => "with today's order it always succeeds".to_string(),
                Some(Verdict::DependsOnData) => "with today's order it succeeds unless certain rows exist".to_string(),
                Some(_) => "with today's order child rows stop it".to_string(),
                None => "the order of the rows decides, too".to_string(),
            };
            format!("what a delete from `{root}` does is decided by {}; {today}", net.semantics.order)
        }
        Verdict::Refused => {
            let stop = of(&|e| matches!(e, Effect::Refuses | Effect::MayRefuse | Effect::Fails | Effect::MayFail));
            format!(
                "a delete from `{root}` is refused as soon as there are child rows: {} in the way",
                count(stop, "relation stands", "relations stand")
            )
        }
        Verdict::Fails => match judged.broken.and_then(|t| net.broken[t].as_ref()) {
            Some((relation, why)) => {
                let side = net.graph.relations()[*relation].child_side();
                format!("every delete from `{root}` fails, rows or none: the key {side} is broken, {why}")
            }
            None => {
                let stop = of(&|e| matches!(e, Effect::Fails | Effect::MayFail));
                format!(
                    "a delete from `{root}` fails as soon as there are child rows: {} itself",
                    count(stop, "relation contradicts", "relations contradict")
                )
            }
        },
    };
    Summary::Other(text)
}

/// Puts what the keys come to under the condition of what acts beside them.
fn conditional(net: &Net<'_>, judged: &Judgement, summary: Summary, assumptions: &[Assumption]) -> String {
    let root = net.tables[judged.walk.root];
    if assumptions.is_empty() {
        return match summary {
            Summary::Succeeds(clauses) => {
                let clauses: String = clauses.iter().map(|(mark, text)| format!("{mark}{text}")).collect();
                format!("every delete from `{root}` succeeds{clauses}")
            }
            Summary::Other(text) => text,
        };
    }
    if let Some(stops) = assumptions.iter().find(|a| a.stops_every_delete()) {
        return format!("no delete from `{root}` does what its foreign keys say: {}", stops.text);
    }
    let names = |of: Vec<&Assumption>| {
        let more = of.len().saturating_sub(3);
        let mut names: Vec<String> = of.iter().take(3).map(|a| a.named()).collect();
        if more > 0 {
            names.push(format!("{more} more"));
        }
        match names.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => names.join(""),
        }
    };
    let blocks: Vec<&Assumption> = assumptions.iter().filter(|a| a.may.contains(&May::Block)).collect();
    // What surely keeps the rows of a table is no condition.
    let keeps = |a: &Assumption| a.certain && a.may.first() == Some(&May::Skip);
    let kept: String = assumptions.iter().filter(|a| keeps(a)).map(|a| format!(", but {}", a.text)).collect();
    let other: Vec<&Assumption> =
        assumptions.iter().filter(|a| a.may_decide() && !a.may.contains(&May::Block) && !keeps(a)).collect();
    let mut unless = Vec::new();
    if !blocks.is_empty() {
        unless.push(format!("unless {} blocks it", names(blocks)));
    }
    if !other.is_empty() {
        unless.push(format!("unless {} decides otherwise", names(other)));
    }
    if unless.is_empty() && kept.is_empty() {
        unless.push(format!("if what {} writes is accepted", names(assumptions.iter().collect())));
    }
    let unless = match unless.join(", or ") {
        text if text.is_empty() => kept,
        text => format!("{kept}, {text}"),
    };
    match summary {
        Summary::Succeeds(clauses) => {
            let clauses: String = clauses
                .iter()
                .enumerate()
                .map(|(at, (mark, text))| if at == 0 { text.clone() } else { format!("{mark}{text}") })
                .collect();
            let rest = if clauses.is_empty() { String::new() } else { format!(" ({clauses})") };
            format!("by its foreign keys a delete from `{root}` succeeds{rest}{unless}")
        }
        Summary::Other(text) => format!("{text}; that is what the foreign keys come to{unless}"),
    }
}

fn notes(net: &Net<'_>, judged: &Judgement, options: &Options) -> Vec<String> {
    let mut notes = Vec::new();
    if net.engine.facts().keys.enforced_by_connection {
        notes.push(if options.foreign_keys {
            "judged as if the application runs PRAGMA foreign_keys = ON in every connection; SQLite enforces nothing without it".to_string()
        } else {
            "judged with foreign keys off: SQLite carries out no action and refuses nothing".to_string()
        });
    }
    if let [root, heirs @ ..] = judged.walk.roots.as_slice()
        && !heirs.is_empty()
    {
        let names: Vec<String> = heirs.iter().map(|&t| format!("`{}`", net.tables[t])).collect();
        notes.push(format!(
            "{} from `{}`: a delete without ONLY deletes their rows, too, and what refers to these counts",
            if names.len() == 1 {
                format!("{} inherits", names.concat())
            } else {
                format!("{} inherit", names.join(", "))
            },
            net.tables[*root]
        ));
    }
    notes.extend(deletes_of_others(net, judged));
    for (setter, own) in &judged.rechecked {
        let of = |link: &usize| &net.graph.relations()[net.links[*link].relation];
        let (setter, own) = (of(setter), of(own));
        notes.push(format!(
            "{} checks {} again when ON DELETE {} updates a row of `{}`: a row that is an orphan by it already stops the delete",
            net.engine,
            own.child_side(),
            setter.on_delete.map_or("the key", |a| a.sql()),
            own.child
        ));
    }
    if judged.walk.reached.len() > 1 {
        notes.extend((net.semantics.notes)(judged.walk.is_recursive()));
    }
    notes.extend(actors::passed_over(net, judged));
    let unsure = judged.rulings.iter().filter(|r| !r.exact && r.effect.can_stop()).map(|r| &net.links[r.link]);
    let mut sides = unsure.flat_map(|l| [l.parent, l.child]);
    if let Some(table) = sides.find(|&t| judged.walk.is_beyond(t, MOST_PATHS)) {
        let table = net.tables[table];
        notes.push(format!(
            "more than {MOST_PATHS} chains of cascades lead to `{table}`, and they were not told apart: what is said to hang on \
             the order of rows there may be certain"
        ));
    }
    if judged.verdict == Verdict::DependsOnOrder {
        notes.push(format!("the order is: {}", net.semantics.order));
    }
    notes
}

/// SQLite: names the keys whose actions reach rows of parents that stay.
fn deletes_of_others(net: &Net<'_>, judged: &Judgement) -> Vec<String> {
    let of = |ruling: &Ruling| {
        let link = &net.links[ruling.link];
        let acts = matches!(link.act, Act::Delete | Act::Null | Act::Default);
        (acts && link.unlike == Some(Unlike::ActionTakesOthers) && judged.walk.loses_rows(link.parent))
            .then(|| compared_unlike(net, ruling, Unlike::ActionTakesOthers))
    };
    let mut notes: Vec<String> = judged.rulings.iter().filter_map(of).collect();
    notes.dedup();
    notes
}

impl Judgement {
    /// Returns the chain by which a link's parent key is taken away.
    pub(super) fn ripple_chain(&self, net: &Net<'_>, link: usize) -> Option<Vec<usize>> {
        // From the link upwards: the setter whose columns are the parent's key.
        let mut chain = vec![link];
        for _ in 0..net.links.len() {
            let first = &net.links[*chain.first()?];
            let sets = |r: &&Ruling| {
                let l = &net.links[r.link];
                r.effect == Effect::Nulls
                    && l.child == first.parent
                    && first.pairs.iter().any(|p| l.columns().any(|c| c == p.1))
            };
            let setter = self.rulings.iter().find(sets)?.link;
            if chain.contains(&setter) {
                return None;
            }
            chain.insert(0, setter);
            if self.walk.loses_rows(net.links[setter].parent) {
                return Some(chain);
            }
        }
        None
    }
}
