//! The predicate "this row goes with the root row", as SQL, and what counts are built from.
//!
//! Without circles every table that loses rows becomes a plain common table expression, parents first. Where cascades run
//! in a circle there is one recursive one over all tables, with the rows' keys as text.

use std::collections::BTreeSet;

use super::net::{Act, Net};
use super::walk::Walk;
use crate::engine::{self, Dialect};
use crate::relations::unlike::Unlike;
use crate::rows::{Compared, Edges, RelationRows, RowSet, identity, source};
use crate::schema::Table;

/// Writes SQL about one delete.
pub(crate) struct Sql<'n, 's> {
    net: &'n Net<'s>,
    walk: &'n Walk,
    dialect: &'static dyn Dialect,
    /// Which rows of the root, instead of one row by its key: a condition on the root's columns.
    rows: Option<&'n str>,
    recursive: bool,
    needed: BTreeSet<usize>,
    uses_recursion: bool,
    aliases: usize,
}

/// A query that cannot be written: rows of a table cannot be told apart, or a relation's columns are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoKey;

type Text = Result<String, NoKey>;

impl<'n, 's> Sql<'n, 's> {
    pub fn new(net: &'n Net<'s>, walk: &'n Walk, rows: Option<&'n str>) -> Self {
        let (dialect, recursive) = (engine::written(net.engine), walk.is_recursive());
        Self { net, walk, dialect, rows, recursive, needed: BTreeSet::new(), uses_recursion: false, aliases: 0 }
    }

    pub fn alias(&mut self) -> String {
        self.aliases += 1;
        if self.aliases == 1 { "x".to_string() } else { format!("x{}", self.aliases) }
    }

    /// Returns rows of a table: a key knows the rows of the table itself, and not those of tables that inherit from it.
    pub fn rows(&self, table: usize, alias: &str, condition: String) -> RowSet {
        let source = source(self.dialect, self.net.schema, self.net.tables[table]);
        RowSet { source, alias: alias.to_string(), condition }
    }

    /// PostgreSQL: "the row lies in the partition that holds the link's key", with an AND before it; nothing where the whole table
    /// holds it.
    fn lies_in_part(&mut self, link: usize, row: &str) -> Text {
        let Some(part) = self.net.links[link].child_part else { return Ok(String::new()) };
        let own = self.alias();
        let held = self.net.holder(link).ok_or(NoKey)?;
        let condition = identity::same_place(self.dialect, held, (&own, row)).ok_or(NoKey)?;
        let there = RowSet { source: source(self.dialect, self.net.schema, part), alias: own, condition };
        Ok(format!(" AND {}", there.some()))
    }

    fn model(&self, table: usize) -> Result<&'s Table, NoKey> {
        self.net.table(table).ok_or(NoKey)
    }

    /// Returns what writes about the rows of a link.
    fn link(&self, link: usize) -> Result<RelationRows<'s>, NoKey> {
        let (net, l) = (self.net, &self.net.links[link]);
        let relation = &net.graph.relations()[l.relation];
        let known = !l.pairs.is_empty() && l.pairs.len() == relation.columns.len().max(relation.parent_columns.len());
        known.then(|| RelationRows::of(self.dialect, net.schema, relation)).ok_or(NoKey)
    }

    /// Returns the columns that name a row of a table.
    fn key(&self, table: usize) -> Result<Vec<String>, NoKey> {
        identity::naming_key(self.model(table)?).ok_or(NoKey)
    }

    /// "The row of this table, the root or one that inherits from it, is what the statement deletes."
    fn is_root(&self, root: usize, alias: &str) -> Text {
        let model = self.model(root)?;
        if let Some(rows) = self.rows {
            let same = identity::same_row(self.dialect, model, ("chosen", alias)).ok_or(NoKey)?;
            return Ok(self.rows(root, "chosen", format!("({rows}) AND {same}")).some());
        }
        // The columns that tell the root's rows apart are those of its heirs, too.
        let key = self.key(self.walk.root)?;
        let values: Vec<String> = key.iter().map(|c| format!(":{}", parameter(c))).collect();
        let equal = identity::has_key(self.dialect, model, &key, (alias, &values));
        Ok(if key.len() == 1 { equal } else { format!("({equal})") })
    }

    /// By which comparison the rows of a link are found. SQLite: an action applies the child's affinity to the parent's value
    /// (`relations::unlike`).
    fn compared(&self, link: usize) -> Compared {
        let l = &self.net.links[link];
        let acts = l.unlike.is_some() && matches!(l.act, Act::Delete | Act::Null | Act::Default);
        if acts { Compared::ByAction } else { Compared::ByScan }
    }

    /// Returns the rows that a row refers to by a link.
    fn parents(&self, link: usize, child: &str, parent: &str) -> Result<RowSet, NoKey> {
        Ok(self.link(link)?.parents_of(child, parent, self.compared(link)))
    }

    /// SQLite: "the row refers to one that goes by one of the comparisons and not by another" (`relations::unlike`).
    pub fn compared_unlike(&mut self, link: usize, how: Unlike, child: &str) -> Text {
        let rows = self.link(link)?;
        let parent = self.alias();
        let by = |how| format!("({})", rows.refers_by(how, child, &parent));
        let (check, scan, action) = (by(Compared::ByCheck), by(Compared::ByScan), by(Compared::ByAction));
        let differ = match how {
            Unlike::ActionMisses => format!("{scan} AND NOT {action}"),
            Unlike::LeftBehind => format!("{check} AND NOT {scan}"),
            Unlike::TakesOthers => format!("{scan} AND NOT {check}"),
            Unlike::ActionTakesOthers => format!("{action} AND NOT {check}"),
            Unlike::Mixed => {
                format!("({check} OR {scan} OR {action}) AND NOT ({check} AND {scan} AND {action})")
            }
        };
        let of = self.net.links[link].parent;
        let gone = self.gone(of, &parent)?;
        Ok(self.rows(of, &parent, format!("{differ} AND {gone}")).some())
    }

    /// A reference to the root row's own key, without a look at the root table; `None` if the link refers to another key.
    fn direct(&self, link: usize, child: &str) -> Result<Option<String>, NoKey> {
        let l = &self.net.links[link];
        if self.rows.is_some() || l.parent != self.walk.root || l.is_partial() {
            return Ok(None);
        }
        let (key, model, child_model) = (self.key(l.parent)?, self.model(l.parent)?, self.model(l.child)?);
        // SQLite: against a value the child's affinity alone decides, between two columns both do.
        let alike = |&(c, p): &(u16, u16)| {
            let column = child_model.columns.get(usize::from(c)).map(|c| child_model.affinity(c));
            column == model.columns.get(usize::from(p)).map(|p| model.affinity(p))
        };
        if self.net.engine.facts().types.dynamic && !l.pairs.iter().all(alike) {
            return Ok(None);
        }
        let columns = &self.net.graph.relations()[l.relation].parent_columns;
        if l.pairs.len() != key.len() || !columns.iter().all(|c| key.contains(c)) {
            return Ok(None);
        }
        let values: Vec<String> = columns.iter().map(|c| format!(":{}", parameter(c))).collect();
        Ok(Some(format!("({})", self.link(link)?.refers_to_values(child, &values))))
    }

    /// "The row goes": never NULL.
    pub fn gone(&mut self, table: usize, alias: &str) -> Text {
        if !self.walk.loses_rows(table) {
            return Ok("1 = 0".to_string());
        }
        if self.recursive {
            self.uses_recursion = true;
            return Ok(Edges::is_found(table, &self.row_text(table, alias)?));
        }
        let mut ways = Vec::new();
        if self.walk.roots.contains(&table) {
            ways.push(self.is_root(table, alias)?);
        }
        for &i in self.net.above[table].iter().filter(|&&i| self.walk.cascades(i)) {
            ways.push(self.refers_to_gone(i, alias)?);
        }
        Ok(any(ways))
    }

    /// "The row refers to one that goes": never NULL.
    pub fn refers_to_gone(&mut self, link: usize, child: &str) -> Text {
        let l = &self.net.links[link];
        let alone = l.parent == self.walk.root && !self.walk.returns_to_root(self.net);
        if let (true, Some(direct)) = (alone, self.direct(link, child)?) {
            return Ok(direct);
        }
        let parent = self.alias();
        let parents = self.parents(link, child, &parent)?;
        let part = self.lies_in_part(link, child)?;
        // What goes of a partition is not told apart in the table's common table expression.
        let refers = if self.recursive || alone || l.parent_part.is_some() {
            let gone = if alone { self.is_root(l.parent, &parent)? } else { self.gone(l.parent, &parent)? };
            parents.and(&gone).some()
        } else {
            self.needed.insert(l.parent);
            RowSet { source: self.cte(l.parent), ..parents }.some()
        };
        Ok(if part.is_empty() { refers } else { format!("({refers}{part})") })
    }

    /// "The row refers, along these links, to the root row": never NULL.
    pub fn via(&mut self, chain: &[usize], alias: &str) -> Text {
        let Some((&last, rest)) = chain.split_last() else { return self.is_root(self.walk.root, alias) };
        if let (true, Some(direct)) = (rest.is_empty(), self.direct(last, alias)?) {
            return Ok(direct);
        }
        let parent = self.alias();
        let parents = self.parents(last, alias, &parent)?;
        let above = match rest.is_empty() {
            true => self.is_root(self.net.links[last].parent, &parent)?,
            false => self.via(rest, &parent)?,
        };
        Ok(format!("{}{}", parents.and(&above).some(), self.lies_in_part(last, alias)?))
    }

    /// "The row refers, along these links, to a row that refers to one that goes".
    pub fn key_taken(&mut self, chain: &[usize], alias: &str) -> Text {
        let Some((&last, rest)) = chain.split_last() else { return Err(NoKey) };
        if rest.is_empty() {
            return self.refers_to_gone(last, alias);
        }
        let parent = self.alias();
        let parents = self.parents(last, alias, &parent)?;
        let above = self.key_taken(rest, &parent)?;
        Ok(format!("{}{}", parents.and(&above).some(), self.lies_in_part(last, alias)?))
    }

    /// "The parent that the default refers to is not there, or goes too".
    pub fn no_default_parent(&mut self, link: usize, row: &str) -> Text {
        let l = &self.net.links[link];
        let (rows, child, parent) = (self.link(link)?, self.model(l.child)?, self.alias());
        // SET DEFAULT writes the default of the table that it names.
        let holder = self.net.holder(link).ok_or(NoKey)?;
        let mut values = Vec::new();
        for name in &self.net.graph.relations()[l.relation].columns {
            let at = child.columns.iter().position(|c| c.name == *name).ok_or(NoKey)?;
            // A column outside of SET DEFAULT's list keeps its value.
            values.push(if l.changed.iter().any(|c| usize::from(*c) == at) {
                holder.column(name).and_then(|c| c.default.clone()).ok_or(NoKey)?
            } else {
                format!("{row}.{}", self.dialect.identifier(name))
            });
        }
        let gone = self.gone(l.parent, &parent)?;
        Ok(rows.parents_with(&parent, &values).and(&format!("NOT {gone}")).none())
    }

    /// SQLite: "the row refers to no row by this link", as the key's check looks for it.
    pub fn is_orphan(&self, link: usize, row: &str) -> Text {
        Ok(self.link(link)?.is_orphan(row))
    }

    pub fn root_row(&self, alias: &str) -> Text {
        self.is_root(self.walk.root, alias)
    }

    /// Counts the chains of cascades that are longer than `limit`, each step once for each row.
    pub fn too_deep(&self, limit: usize) -> Text {
        Ok(self.edges(true)?.count_deeper(limit))
    }

    fn cte(&self, table: usize) -> String {
        let name = &self.net.tables[table].name;
        let same = self.net.tables.iter().filter(|t| t.name.eq_ignore_ascii_case(name)).count() > 1;
        self.dialect.identifier(&if same { format!("gone_{name}_{table}") } else { format!("gone_{name}") })
    }

    /// A row's key as one text.
    fn row_text(&self, table: usize, alias: &str) -> Text {
        identity::as_text(self.dialect, self.model(table)?, alias).ok_or(NoKey)
    }

    /// The rows that the statement deletes by itself, where a recursion begins, and what follows what.
    fn edges(&self, with_setters: bool) -> Result<Edges, NoKey> {
        let mut edges = Edges::default();
        for &root in &self.walk.roots {
            let rows = self.rows(root, "x", self.is_root(root, "x")?);
            edges.begin(root, &self.row_text(root, "x")?, &rows);
        }
        for (i, l) in self.net.links.iter().enumerate() {
            let sets =
                with_setters && l.act == Act::Null && self.walk.loses_rows(l.parent) && self.net.standing(i).acts;
            if self.walk.cascades(i) || sets {
                let child = (l.child, self.row_text(l.child, "c")?);
                let parent = (l.parent, self.row_text(l.parent, "p")?);
                edges.follow(&self.link(i)?, self.compared(i), ("c", child), ("p", parent));
            }
        }
        Ok(edges)
    }

    /// Returns the `WITH` clause that everything written so far needs, with a line end, or nothing.
    pub fn with(&mut self) -> Text {
        if self.uses_recursion {
            return Ok(self.edges(false)?.with());
        }
        let mut done: Vec<(Option<usize>, usize, String)> = Vec::new();
        let mut written = BTreeSet::new();
        while let Some(table) = self.needed.iter().copied().find(|t| !written.contains(t)) {
            written.insert(table);
            let gone = self.gone(table, "x")?;
            let text = format!("{} AS ({})", self.cte(table), self.rows(table, "x", gone).select("*"));
            done.push((self.walk.longest[table], table, text));
        }
        done.sort();
        let texts: Vec<String> = done.into_iter().map(|d| d.2).collect();
        Ok(if texts.is_empty() { String::new() } else { format!("WITH {}\n", texts.join(",\n")) })
    }
}

/// Joins alternatives.
pub(crate) fn any(ways: Vec<String>) -> String {
    match ways.len() {
        0 => "1 = 0".to_string(),
        1 => ways.concat(),
        _ => format!("({})", ways.join(" OR ")),
    }
}

/// Writes a column's name so that it can stand after a colon.
fn parameter(column: &str) -> String {
    column.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
