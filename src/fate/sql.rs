//! The predicate "this row goes with the root row", as SQL, and what counts are built from.
//!
//! Without circles every table that loses rows becomes a plain common table expression, parents first. Where cascades run
//! in a circle there is one recursive one over all tables, with the rows' keys as text.

use std::collections::BTreeSet;

use super::net::{Act, Net};
use super::walk::Walk;
use crate::engine;
use crate::relations::unlike::Unlike;
use crate::rows::comparison::{comparison, within};
use crate::schema::{Comparison, Engine, Table, TableKind};

/// Writes SQL about one delete.
pub(crate) struct Sql<'n, 's> {
    net: &'n Net<'s>,
    walk: &'n Walk,
    /// Which rows of the root, instead of one row by its key: a condition on the root's columns.
    rows: Option<&'n str>,
    recursive: bool,
    needed: BTreeSet<usize>,
    uses_recursion: bool,
    aliases: usize,
}

/// A query that cannot be written: rows of a table cannot be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoKey;

type Text = Result<String, NoKey>;

impl<'n, 's> Sql<'n, 's> {
    pub fn new(net: &'n Net<'s>, walk: &'n Walk, rows: Option<&'n str>) -> Self {
        let recursive = walk.is_recursive();
        Self { net, walk, rows, recursive, needed: BTreeSet::new(), uses_recursion: false, aliases: 0 }
    }

    pub fn alias(&mut self) -> String {
        self.aliases += 1;
        if self.aliases == 1 { "x".to_string() } else { format!("x{}", self.aliases) }
    }

    fn mysql(&self) -> bool {
        matches!(self.net.engine, Engine::Mysql | Engine::Mariadb)
    }

    pub fn identifier(&self, name: &str) -> String {
        match engine::dialect(self.net.engine) {
            Some(dialect) => dialect.identifier(name),
            None => format!("`{}`", name.replace('`', "``")),
        }
    }

    /// Returns a table as it stands in FROM: a key knows the rows of the table itself, and not those of tables that inherit from it.
    pub fn table(&self, table: usize) -> String {
        let name = self.net.tables[table];
        let plain = self.net.table(table).is_some_and(|t| t.kind == TableKind::Plain);
        let only = if plain && self.net.with_heirs(table).len() > 1 { "ONLY " } else { "" };
        let written = match (engine::dialect(self.net.engine), &name.schema) {
            (Some(dialect), _) => dialect.table(name),
            (None, None) => self.identifier(&name.name),
            (None, Some(schema)) => format!("{}.{}", self.identifier(schema), self.identifier(&name.name)),
        };
        format!("{only}{written}")
    }

    fn model(&self, table: usize) -> Result<&'s Table, NoKey> {
        self.net.table(table).ok_or(NoKey)
    }

    fn column(&self, table: usize, column: u16) -> Text {
        let table = self.model(table)?;
        table.columns.get(usize::from(column)).map(|c| self.identifier(&c.name)).ok_or(NoKey)
    }

    /// Returns the columns that tell a table's rows apart.
    fn key(&self, table: usize) -> Result<Vec<String>, NoKey> {
        let model = self.model(table)?;
        if let Some(key) = &model.primary_key {
            return Ok(key.columns.clone());
        }
        let keys = model.unique_column_sets().filter(|set| set.iter().all(|c| !model.is_nullable(c)));
        keys.min().map(|set| set.into_iter().map(str::to_string).collect()).ok_or(NoKey)
    }

    /// SQLite: returns the name by which a table's rows are told apart where its key can be NULL or there is none; `None` if the
    /// key does, and on every other engine ("Rowid Tables": a primary key that is no INTEGER may be NULL).
    fn rowid(&self, table: usize) -> Result<Option<&'static str>, NoKey> {
        let model = self.model(table)?;
        if self.net.engine == Engine::Postgres && self.key(table).is_err() && self.walk.roots.contains(&table) {
            // A primary key is not inherited.
            return Ok(Some("ctid"));
        }
        if self.net.engine != Engine::Sqlite || model.without_rowid {
            return Ok(None);
        }
        let nullable = |c: &String| model.column(c).is_none_or(|c| c.nullable && !model.is_rowid(c));
        if self.key(table).is_ok_and(|key| !key.iter().any(nullable)) {
            return Ok(None);
        }
        let taken = |name: &str| model.columns.iter().any(|c| c.name.eq_ignore_ascii_case(name));
        ["rowid", "_rowid_", "oid"].into_iter().find(|n| !taken(n)).map(Some).ok_or(NoKey)
    }

    /// "The row of this table, the root or one that inherits from it, is what the statement deletes."
    fn is_root(&self, root: usize, alias: &str) -> Text {
        if let (Some(rows), Some(rowid)) = (self.rows, self.rowid(root)?) {
            let table = self.table(root);
            return Ok(format!(
                "EXISTS (SELECT 1 FROM {table} chosen WHERE ({rows}) AND chosen.{rowid} = {alias}.{rowid})"
            ));
        }
        if let Some(rows) = self.rows {
            let key = self.key(root)?;
            let equal: Vec<String> = key
                .iter()
                .map(|name| {
                    let c = self.identifier(name);
                    self.own_comparison(root, name).sql(&format!("chosen.{c}"), &format!("{alias}.{c}"))
                })
                .collect();
            let (table, equal) = (self.table(root), equal.join(" AND "));
            return Ok(format!("EXISTS (SELECT 1 FROM {table} chosen WHERE ({rows}) AND {equal})"));
        }
        // The columns that tell the root's rows apart are those of its heirs, too.
        let key = self.key(self.walk.root)?;
        let equal: Vec<String> = key
            .iter()
            .map(|c| {
                let (column, value) = (format!("{alias}.{}", self.identifier(c)), format!(":{}", parameter(c)));
                self.own_comparison(root, c).sql(&column, &value)
            })
            .collect();
        Ok(if equal.len() == 1 { equal.concat() } else { format!("({})", equal.join(" AND ")) })
    }

    /// How values of a column are compared with each other.
    fn own_comparison(&self, table: usize, column: &str) -> Comparison {
        self.net.table(table).and_then(|t| t.column(column)).map(within).unwrap_or_default()
    }

    /// How a link compares a pair of its columns.
    fn comparison(&self, link: usize, (child, parent): (u16, u16)) -> Comparison {
        let l = &self.net.links[link];
        let relation = &self.net.graph.relations()[l.relation];
        let name = |table: usize, column: u16| {
            self.net.table(table).and_then(|t| t.columns.get(usize::from(column))).map(|c| c.name.as_str())
        };
        let pair = (name(l.child, child), name(l.parent, parent));
        let mut pairs = relation.columns.iter().zip(&relation.parent_columns);
        let at = pairs.position(|(c, p)| pair == (Some(c.as_str()), Some(p.as_str())));
        match (engine::dialect(self.net.engine), at) {
            (Some(dialect), Some(at)) => comparison(dialect, self.net.schema, relation, at),
            _ => Comparison::default(),
        }
    }

    /// `parent.key = child.column AND …`
    fn join(&self, link: usize, child: &str, parent: &str) -> Text {
        let l = &self.net.links[link];
        if l.pairs.is_empty() {
            return Err(NoKey);
        }
        let mut parts = Vec::new();
        for &(c, p) in &l.pairs {
            let (of_parent, of_child) = (self.column(l.parent, p)?, self.column(l.child, c)?);
            let how = self.comparison(link, (c, p));
            // SQLite: an action applies the child's affinity to the parent's value (`relations::unlike`).
            let acts = l.unlike.is_some() && matches!(l.act, Act::Delete | Act::Null | Act::Default);
            let plus = if acts { "+" } else { "" };
            parts.push(how.sql(&format!("{plus}{parent}.{of_parent}"), &format!("{child}.{of_child}")));
        }
        Ok(parts.join(" AND "))
    }

    /// SQLite: "the row refers to one that goes by one of the comparisons and not by another" (`relations::unlike`).
    pub fn compared_unlike(&mut self, link: usize, how: Unlike, child: &str) -> Text {
        let l = &self.net.links[link];
        let parent = self.alias();
        let compare = |of_parent: &str, of_child: &str| -> Text {
            let mut parts = Vec::new();
            for &(c, p) in &l.pairs {
                let (p, c) = (self.column(l.parent, p)?, self.column(l.child, c)?);
                parts.push(format!("{of_parent}{parent}.{p} = {of_child}{child}.{c}"));
            }
            Ok(format!("({})", parts.join(" AND ")))
        };
        let (check, scan, action) = (compare("", "+")?, compare("", "")?, compare("+", "")?);
        let differ = match how {
            Unlike::ActionMisses => format!("{scan} AND NOT {action}"),
            Unlike::LeftBehind => format!("{check} AND NOT {scan}"),
            Unlike::TakesOthers => format!("{scan} AND NOT {check}"),
            Unlike::ActionTakesOthers => format!("{action} AND NOT {check}"),
            Unlike::Mixed => {
                format!("({check} OR {scan} OR {action}) AND NOT ({check} AND {scan} AND {action})")
            }
        };
        let gone = self.gone(l.parent, &parent)?;
        Ok(format!("EXISTS (SELECT 1 FROM {} {parent} WHERE {differ} AND {gone})", self.table(l.parent)))
    }

    /// A reference to the root row's own key, without a look at the root table; `None` if the link refers to another key.
    fn direct(&self, link: usize, child: &str) -> Result<Option<String>, NoKey> {
        let l = &self.net.links[link];
        if self.rows.is_some() || l.parent != self.walk.root {
            return Ok(None);
        }
        let (key, model, child_model) = (self.key(l.parent)?, self.model(l.parent)?, self.model(l.child)?);
        // SQLite: against a value the child's affinity alone decides, between two columns both do.
        let alike = |&(c, p): &(u16, u16)| {
            let column = child_model.columns.get(usize::from(c)).map(|c| child_model.affinity(c));
            column == model.columns.get(usize::from(p)).map(|p| model.affinity(p))
        };
        if self.net.engine == Engine::Sqlite && !l.pairs.iter().all(alike) {
            return Ok(None);
        }
        let mut parts = Vec::new();
        for &(c, p) in &l.pairs {
            let Some(parent) = model.columns.get(usize::from(p)) else { return Ok(None) };
            if !key.contains(&parent.name) {
                return Ok(None);
            }
            let child_column = self.column(l.child, c)?;
            if self.model(l.child)?.columns.get(usize::from(c)).is_some_and(|c| c.nullable) {
                parts.push(format!("{child}.{child_column} IS NOT NULL"));
            }
            let (value, column) = (format!(":{}", parameter(&parent.name)), format!("{child}.{child_column}"));
            parts.push(self.comparison(link, (c, p)).with_value(&column, &value));
        }
        Ok((parts.len() >= key.len() && l.pairs.len() == key.len()).then(|| format!("({})", parts.join(" AND "))))
    }

    /// "The row goes": never NULL.
    pub fn gone(&mut self, table: usize, alias: &str) -> Text {
        if !self.walk.loses_rows(table) {
            return Ok("1 = 0".to_string());
        }
        if self.recursive {
            self.uses_recursion = true;
            return Ok(format!(
                "EXISTS (SELECT 1 FROM gone g WHERE g.tab = {table} AND g.id = {})",
                self.row_text(table, alias)?
            ));
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
        let join = self.join(link, child, &parent)?;
        if self.recursive || alone {
            let gone = if alone { self.is_root(l.parent, &parent)? } else { self.gone(l.parent, &parent)? };
            return Ok(format!("EXISTS (SELECT 1 FROM {} {parent} WHERE {join} AND {gone})", self.table(l.parent)));
        }
        self.needed.insert(l.parent);
        Ok(format!("EXISTS (SELECT 1 FROM {} {parent} WHERE {join})", self.cte(l.parent)))
    }

    /// "The row refers, along these links, to the root row": never NULL.
    pub fn via(&mut self, chain: &[usize], alias: &str) -> Text {
        let Some((&last, rest)) = chain.split_last() else { return self.is_root(self.walk.root, alias) };
        if let (true, Some(direct)) = (rest.is_empty(), self.direct(last, alias)?) {
            return Ok(direct);
        }
        let parent = self.alias();
        let join = self.join(last, alias, &parent)?;
        let above = match rest.is_empty() {
            true => self.is_root(self.net.links[last].parent, &parent)?,
            false => self.via(rest, &parent)?,
        };
        Ok(format!(
            "EXISTS (SELECT 1 FROM {} {parent} WHERE {join} AND {above})",
            self.table(self.net.links[last].parent)
        ))
    }

    /// "The row refers, along these links, to a row that refers to one that goes".
    pub fn key_taken(&mut self, chain: &[usize], alias: &str) -> Text {
        let Some((&last, rest)) = chain.split_last() else { return Err(NoKey) };
        if rest.is_empty() {
            return self.refers_to_gone(last, alias);
        }
        let parent = self.alias();
        let join = self.join(last, alias, &parent)?;
        let above = self.key_taken(rest, &parent)?;
        Ok(format!(
            "EXISTS (SELECT 1 FROM {} {parent} WHERE {join} AND {above})",
            self.table(self.net.links[last].parent)
        ))
    }

    /// "The parent that the default refers to is not there, or goes too".
    pub fn no_default_parent(&mut self, link: usize, row: &str) -> Text {
        let l = &self.net.links[link];
        let parent = self.alias();
        let child = self.model(l.child)?;
        let mut parts = Vec::new();
        for &(c, p) in &l.pairs {
            // A column outside of SET DEFAULT's list keeps its value.
            let default = if l.changed.contains(&c) {
                child.columns.get(usize::from(c)).and_then(|c| c.default.clone()).ok_or(NoKey)?
            } else {
                format!("{row}.{}", self.column(l.child, c)?)
            };
            parts.push(self.comparison(link, (c, p)).sql(&format!("{parent}.{}", self.column(l.parent, p)?), &default));
        }
        let gone = self.gone(l.parent, &parent)?;
        Ok(format!(
            "NOT EXISTS (SELECT 1 FROM {} {parent} WHERE {} AND NOT {gone})",
            self.table(l.parent),
            parts.join(" AND ")
        ))
    }

    /// SQLite: "the row refers to no row by this link", as the key's check looks for it.
    pub fn is_orphan(&mut self, link: usize, row: &str) -> Text {
        let l = &self.net.links[link];
        let parent = self.alias();
        let (mut present, mut equal) = (Vec::new(), Vec::new());
        for &(c, p) in &l.pairs {
            let (of_parent, of_child) = (self.column(l.parent, p)?, self.column(l.child, c)?);
            present.push(format!("{row}.{of_child} IS NOT NULL"));
            equal.push(format!("{parent}.{of_parent} = +{row}.{of_child}"));
        }
        let (present, equal) = (present.join(" AND "), equal.join(" AND "));
        Ok(format!("{present} AND NOT EXISTS (SELECT 1 FROM {} {parent} WHERE {equal})", self.table(l.parent)))
    }

    pub fn root_row(&self, alias: &str) -> Text {
        self.is_root(self.walk.root, alias)
    }

    /// Counts the chains of cascades that are longer than `limit`, each step once for each row.
    pub fn too_deep(&mut self, limit: usize) -> Text {
        let edges = self.edges(true)?;
        let seeds = self.seeds(", 0")?;
        Ok(format!(
            "WITH RECURSIVE edges AS ({edges}),\nchain (tab, id, depth) AS ({seeds} \
             UNION SELECT e.tab, e.id, c.depth + 1 FROM chain c JOIN edges e ON e.parent_tab = c.tab AND e.parent_id = c.id \
             WHERE c.depth <= {limit})\nSELECT count(*) FROM chain WHERE depth > {limit}"
        ))
    }

    fn cte(&self, table: usize) -> String {
        let name = &self.net.tables[table].name;
        let same = self.net.tables.iter().filter(|t| t.name.eq_ignore_ascii_case(name)).count() > 1;
        self.identifier(&if same { format!("gone_{name}_{table}") } else { format!("gone_{name}") })
    }

    /// A row's key as one text.
    fn row_text(&self, table: usize, alias: &str) -> Text {
        let kind = if self.mysql() { "CHAR" } else { "TEXT" };
        let key = match self.rowid(table)? {
            Some(rowid) => vec![rowid.to_string()],
            None => self.key(table)?,
        };
        let parts: Vec<String> =
            key.iter().map(|c| format!("CAST({alias}.{} AS {kind})", self.identifier(c))).collect();
        Ok(match self.net.engine {
            _ if parts.len() == 1 => parts.concat(),
            Engine::Mysql | Engine::Mariadb => format!("CONCAT_WS(CHAR(31), {})", parts.join(", ")),
            Engine::Sqlite => parts.join(" || char(31) || "),
            Engine::Postgres | Engine::Cockroach => parts.join(" || chr(31) || "),
        })
    }

    /// The rows that the statement deletes by itself, where a recursion begins.
    fn seeds(&self, more: &str) -> Text {
        let of = |&root: &usize| -> Text {
            let (id, is_root) = (self.row_text(root, "x")?, self.is_root(root, "x")?);
            Ok(format!("SELECT {root}, {id}{more} FROM {} x WHERE {is_root}", self.table(root)))
        };
        let seeds: Result<Vec<String>, NoKey> = self.walk.roots.iter().map(of).collect();
        Ok(seeds?.join(" UNION "))
    }

    fn edges(&mut self, with_setters: bool) -> Text {
        let mut selects = Vec::new();
        for (i, l) in self.net.links.iter().enumerate() {
            let sets =
                with_setters && l.act == Act::Null && self.walk.loses_rows(l.parent) && self.net.standing(i).acts;
            if self.walk.cascades(i) || sets {
                selects.push(format!(
                    "SELECT {} AS tab, {} AS id, {} AS parent_tab, {} AS parent_id FROM {} c JOIN {} p ON {}",
                    l.child,
                    self.row_text(l.child, "c")?,
                    l.parent,
                    self.row_text(l.parent, "p")?,
                    self.table(l.child),
                    self.table(l.parent),
                    self.join(i, "c", "p")?,
                ));
            }
        }
        Ok(selects.join(" UNION ALL "))
    }

    /// Returns the `WITH` clause that everything written so far needs, with a line end, or nothing.
    pub fn with(&mut self) -> Text {
        if self.uses_recursion {
            let edges = self.edges(false)?;
            let seeds = self.seeds("")?;
            return Ok(format!(
                "WITH RECURSIVE edges AS ({edges}),\ngone (tab, id) AS ({seeds} \
                 UNION SELECT e.tab, e.id FROM gone g JOIN edges e ON e.parent_tab = g.tab AND e.parent_id = g.id)\n"
            ));
        }
        let mut done: Vec<(Option<usize>, usize, String)> = Vec::new();
        let mut written = BTreeSet::new();
        while let Some(table) = self.needed.iter().copied().find(|t| !written.contains(t)) {
            written.insert(table);
            let gone = self.gone(table, "x")?;
            let text = format!("{} AS (SELECT * FROM {} x WHERE {gone})", self.cte(table), self.table(table));
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
