//! Rows that satisfy every key of a schema: random ones, and the fewest that a chain of relations needs.

use std::collections::BTreeMap;

use referee::relations::Graph;
use referee::schema::{ForeignKey, Match, Schema, Table, TableName};

/// A database's rows: by table, by `id`, the values in the table's order of columns.
pub type Rows = BTreeMap<String, BTreeMap<i64, Vec<Option<i64>>>>;

/// A small generator of random numbers (xorshift), so that a seed means the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n.max(1)
    }
}

fn at(table: &Table, column: &str) -> usize {
    table.columns.iter().position(|c| c.name == column).unwrap()
}

pub fn values(table: &Table, row: &[Option<i64>], columns: &[String]) -> Vec<Option<i64>> {
    columns.iter().map(|c| row[at(table, c)]).collect()
}

fn satisfied(schema: &Schema, rows: &Rows, table: &Table, row: &[Option<i64>], key: &ForeignKey) -> bool {
    let wanted = values(table, row, &key.columns);
    if wanted.contains(&None) {
        return key.matching == Match::Simple || wanted.iter().all(Option::is_none);
    }
    let parent = schema.table(&key.parent).unwrap();
    rows[&parent.name.name].values().any(|r| values(parent, r, &key.parent_columns) == wanted)
}

/// Drops rows until every key holds.
fn settle(schema: &Schema, rows: &mut Rows) {
    loop {
        let mut bad = Vec::new();
        for table in &schema.tables {
            for (id, row) in &rows[&table.name.name] {
                if table.foreign_keys.iter().any(|k| !satisfied(schema, rows, table, row, k)) {
                    bad.push((table.name.name.clone(), *id));
                }
            }
        }
        if bad.is_empty() {
            return;
        }
        for (table, id) in bad {
            rows.get_mut(&table).unwrap().remove(&id);
        }
    }
}

/// Draws rows that satisfy every key.
pub fn random(schema: &Schema, random: &mut Random, most: usize) -> Rows {
    let mut rows: Rows = schema.tables.iter().map(|t| (t.name.name.clone(), BTreeMap::new())).collect();
    // `id`, `t` and `u` first: keys refer to them.
    let mut cells: BTreeMap<(String, i64), Vec<Option<Option<i64>>>> = BTreeMap::new();
    for table in &schema.tables {
        let mut taken = Vec::new();
        for id in 1..=(random.below(most) + 1) as i64 {
            let mut row = vec![None; table.columns.len()];
            row[0] = Some(Some(id));
            for (i, column) in table.columns.iter().enumerate() {
                // Where it is part of a longer key the row has it anyway, and its parent is one of the same tenant.
                let is_key = table.foreign_keys.iter().any(|k| k.columns == [column.name.clone()]);
                if column.name == "t" && !is_key {
                    row[i] = Some(Some(random.below(2) as i64 + 1));
                }
                if column.name == "u" && !is_key {
                    let value = random.below(5) as i64;
                    row[i] = Some((value > 0 && !taken.contains(&value)).then_some(value));
                    taken.push(value);
                }
            }
            cells.insert((table.name.name.clone(), id), row);
        }
    }
    // Several passes: a key may refer to a column that is a key's own column elsewhere.
    for _ in 0..3 {
        for table in &schema.tables {
            let ids: Vec<i64> = cells.keys().filter(|k| k.0 == table.name.name).map(|k| k.1).collect();
            for id in ids {
                for key in &table.foreign_keys {
                    let parent = schema.table(&key.parent).unwrap();
                    let mut row = cells[&(table.name.name.clone(), id)].clone();
                    let open = key.columns.iter().any(|c| row[at(table, c)].is_none());
                    if !open {
                        continue;
                    }
                    let candidates: Vec<Vec<i64>> = cells
                        .iter()
                        .filter(|((t, _), _)| *t == parent.name.name)
                        .filter_map(|(_, r)| key.parent_columns.iter().map(|c| r[at(parent, c)].flatten()).collect())
                        .filter(|values: &Vec<i64>| {
                            key.columns
                                .iter()
                                .zip(values)
                                .all(|(c, v)| row[at(table, c)].is_none_or(|own| own == Some(*v)))
                        })
                        .collect();
                    let null = key.columns.iter().find(|c| row[at(table, c)].is_none() && table.is_nullable(c));
                    if let (Some(column), true) = (null, candidates.is_empty() || random.below(5) == 0) {
                        row[at(table, column)] = Some(None);
                        if key.matching == Match::Full {
                            key.columns.iter().for_each(|c| {
                                row[at(table, c)].get_or_insert(None);
                            });
                        }
                    } else if !candidates.is_empty() {
                        let chosen = &candidates[random.below(candidates.len())];
                        for (column, value) in key.columns.iter().zip(chosen) {
                            row[at(table, column)] = Some(Some(*value));
                        }
                    }
                    cells.insert((table.name.name.clone(), id), row);
                }
            }
        }
    }
    for ((name, id), row) in cells {
        let table = schema.table(&TableName::new(&name)).unwrap();
        let complete: Option<Vec<Option<i64>>> = row
            .iter()
            .zip(&table.columns)
            .map(|(cell, column)| match cell {
                Some(None) | None if !column.nullable => None,
                Some(value) => Some(*value),
                None => Some(None),
            })
            .collect();
        let Some(complete) = complete else { continue };
        let unique = |r: &Vec<Option<i64>>| {
            table.unique_keys.iter().any(|k| {
                let mine = values(table, &complete, &k.columns);
                !mine.contains(&None) && values(table, r, &k.columns) == mine
            })
        };
        if !rows[&name].values().any(unique) {
            rows.get_mut(&name).unwrap().insert(id, complete);
        }
    }
    settle(schema, &mut rows);
    rows
}

/// How references that a chain of relations leaves open are given what they need.
#[derive(Clone, Copy, Debug)]
enum Closing {
    /// By new parent rows; once there are more rows than this, by the newest row of the parent that is there.
    Fresh(usize),
    /// By rows that stand apart: one in each table, all of whose values are the same, so that they satisfy every key among
    /// themselves. What these cannot be the parent of gets a new row, or one that is there once there are more than this.
    Apart(usize),
}

/// The fewest rows on which a chain of relations runs from a root row down to a last row: what shows a refusal.
///
/// Everything that the chain does not force is new and different: other parents are rows of their own, what can be NULL is.
/// Empty if no such rows exist, or none so simple.
pub fn witness(schema: &Schema, graph: &Graph, root: &TableName, chain: &[usize]) -> Vec<(Rows, i64)> {
    // A chain without room for new rows around it, and ones with more and more.
    use Closing::{Apart, Fresh};
    let around = [30, 12, 0].map(Fresh).into_iter().chain([chain.len() + 60, 0].map(Apart));
    around.filter_map(|closing| witness_of(schema, graph, root, chain, closing)).collect()
}

fn witness_of(
    schema: &Schema,
    graph: &Graph,
    root: &TableName,
    chain: &[usize],
    closing: Closing,
) -> Option<(Rows, i64)> {
    let mut cells = Cells { schema, rows: Vec::new(), classes: Vec::new(), apart: BTreeMap::new() };
    if matches!(closing, Closing::Apart(_)) {
        cells.stand_apart()?;
    }
    let first = cells.add(root)?;
    let mut last = first;
    for &relation in chain {
        let r = &graph.relations()[relation];
        let child = cells.add(&r.child)?;
        for (c, p) in r.columns.iter().zip(&r.parent_columns) {
            cells.same((child, c), (last, p));
        }
        last = child;
    }
    for _ in 0..1_000 {
        cells.merge_equal_keys();
        if !cells.fill(closing)? {
            return cells.finish(first);
        }
    }
    None
}

struct Cells<'s> {
    schema: &'s Schema,
    /// Each with its table and the class of each cell; merged rows point to another.
    rows: Vec<(&'s Table, Vec<usize>, Option<usize>)>,
    /// By class: the class it was merged into, and whether it is NULL.
    classes: Vec<(usize, Option<bool>)>,
    /// By table: the row that stands apart.
    apart: BTreeMap<&'s TableName, usize>,
}

impl<'s> Cells<'s> {
    fn add(&mut self, table: &TableName) -> Option<usize> {
        let table = self.schema.table(table)?;
        let cells = (0..table.columns.len()).map(|i| self.classes.len() + i).collect();
        for column in &table.columns {
            let class = self.classes.len();
            self.classes.push((class, (!column.nullable).then_some(false)));
        }
        self.rows.push((table, cells, None));
        Some(self.rows.len() - 1)
    }

    fn find(&self, mut class: usize) -> usize {
        while self.classes[class].0 != class {
            class = self.classes[class].0;
        }
        class
    }

    fn cell(&self, row: usize, column: &str) -> usize {
        self.find(self.rows[row].1[at(self.rows[row].0, column)])
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        if a != b {
            let known = self.classes[a].1.or(self.classes[b].1);
            self.classes[b].0 = a;
            self.classes[a].1 = known;
        }
    }

    /// Two cells of a reference: equal, and not NULL.
    fn same(&mut self, a: (usize, &str), b: (usize, &str)) {
        let (a, b) = (self.cell(a.0, a.1), self.cell(b.0, b.1));
        self.join(a, b);
        let class = self.find(a);
        self.classes[class].1 = Some(false);
    }

    fn live(&self) -> Vec<usize> {
        (0..self.rows.len()).filter(|&r| self.rows[r].2.is_none()).collect()
    }

    fn key(&self, row: usize, columns: &[String]) -> Option<Vec<usize>> {
        let classes: Vec<usize> = columns.iter().map(|c| self.cell(row, c)).collect();
        classes.iter().all(|&c| self.classes[c].1 == Some(false)).then_some(classes)
    }

    /// Makes the rows that stand apart.
    fn stand_apart(&mut self) -> Option<()> {
        let referred = |table: &Table, column: &str| {
            self.schema
                .foreign_keys()
                .any(|(_, k)| k.parent == table.name && k.parent_columns.iter().any(|c| c == column))
        };
        let wanted: Vec<(&'s Table, Vec<bool>)> = self
            .schema
            .tables
            .iter()
            .map(|t| (t, t.columns.iter().map(|c| !c.nullable || referred(t, &c.name)).collect()))
            .collect();
        let mut one = None;
        for (table, has_value) in wanted {
            let row = self.add(&table.name)?;
            self.apart.insert(&table.name, row);
            for (at, has_value) in has_value.into_iter().enumerate() {
                let class = self.rows[row].1[at];
                if has_value {
                    self.classes[class].1 = Some(false);
                    self.join(*one.get_or_insert(class), class);
                }
            }
        }
        Some(())
    }

    fn merge_equal_keys(&mut self) {
        loop {
            let mut seen: BTreeMap<(&TableName, usize, Vec<usize>), usize> = BTreeMap::new();
            let mut same = None;
            'rows: for row in self.live() {
                let table = self.rows[row].0;
                for (number, key) in table.primary_key.iter().chain(&table.unique_keys).enumerate() {
                    let Some(classes) = self.key(row, &key.columns) else { continue };
                    if let Some(&other) = seen.get(&(&table.name, number, classes.clone())) {
                        same = Some((other, row));
                        break 'rows;
                    }
                    seen.insert((&table.name, number, classes), row);
                }
            }
            let Some((a, b)) = same else { return };
            for at in 0..self.rows[a].1.len() {
                self.join(self.rows[a].1[at], self.rows[b].1[at]);
            }
            self.rows[b].2 = Some(a);
        }
    }

    /// By class: how many cells are of it.
    fn cells_of_classes(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for row in self.live() {
            self.rows[row].1.iter().for_each(|&c| counts[self.find(c)] += 1);
        }
        counts
    }

    /// Gives one reference what it needs; false if every one has it, `None` if that cannot be.
    fn fill(&mut self, closing: Closing) -> Option<bool> {
        for row in self.live() {
            let table = self.rows[row].0;
            for key in &table.foreign_keys {
                let cells: Vec<usize> = key.columns.iter().map(|c| self.cell(row, c)).collect();
                if cells.iter().any(|&c| self.classes[c].1 == Some(true)) {
                    continue;
                }
                let full = key.matching == Match::Full && cells.iter().any(|&c| self.classes[c].1 == Some(false));
                let open = cells.iter().find(|&&c| self.classes[c].1.is_none() && !full);
                if let Some(&open) = open {
                    self.classes[open].1 = Some(true);
                    return Some(true);
                }
                let held = |&p: &usize| {
                    self.rows[p].0.name == key.parent
                        && key.parent_columns.iter().zip(&cells).all(|(c, &own)| self.cell(p, c) == own)
                };
                if self.live().iter().any(held) {
                    continue;
                }
                let parent = match self.parent_there(key, &cells, closing) {
                    Some(there) => there,
                    None => self.add(&key.parent)?,
                };
                for (c, p) in key.columns.iter().zip(&key.parent_columns) {
                    self.same((row, c), (parent, p));
                }
                if self.rows.len() > 240 {
                    return None;
                }
                return Some(true);
            }
        }
        Some(false)
    }

    /// Chooses a row that is there to be the parent of a reference with these cells.
    fn parent_there(&self, key: &ForeignKey, cells: &[usize], closing: Closing) -> Option<usize> {
        let there = || self.live().into_iter().rev().filter(|&r| self.rows[r].0.name == key.parent);
        match closing {
            // Where rows must refer to each other without end, the circle is closed with a row that is there.
            Closing::Fresh(close_after) => there().next().filter(|_| self.rows.len() > close_after),
            Closing::Apart(close_after) => {
                let counts = self.cells_of_classes();
                let fits = |&p: &usize| {
                    let mut pairs = key.parent_columns.iter().zip(cells);
                    pairs.all(|(c, &own)| counts[own] == 1 || self.cell(p, c) == own)
                };
                let apart = self.apart.get(&key.parent).copied().filter(fits);
                apart.or_else(|| there().find(fits).filter(|_| self.rows.len() > close_after))
            }
        }
    }

    fn finish(&self, root: usize) -> Option<(Rows, i64)> {
        let mut rows: Rows = self.schema.tables.iter().map(|t| (t.name.name.clone(), BTreeMap::new())).collect();
        // Far from the literal defaults of the schemas.
        let value = |class: usize| (self.classes[class].1 == Some(false)).then_some(100 + class as i64);
        for row in self.live() {
            let (table, _, _) = &self.rows[row];
            let cells: Vec<Option<i64>> = table.columns.iter().map(|c| value(self.cell(row, &c.name))).collect();
            // Rows of one key have been made one, and what the one must have the other must not.
            if table.columns.iter().zip(&cells).any(|(c, cell)| !c.nullable && cell.is_none()) {
                return None;
            }
            rows.get_mut(&table.name.name)?.insert(cells[0]?, cells);
        }
        let mut root = root;
        while let Some(other) = self.rows[root].2 {
            root = other;
        }
        let id = value(self.cell(root, "id"))?;
        let whole = rows.clone();
        let holds = self.schema.tables.iter().all(|t| {
            whole[&t.name.name].values().all(|r| t.foreign_keys.iter().all(|k| satisfied(self.schema, &whole, t, r, k)))
        });
        holds.then_some((rows, id))
    }
}
