//! A relation as people type it: `orders.customer_id->customers.id`, `shipping.parcels.tenant_id,order_no->orders.tenant_id,number`.
//!
//! Of several columns the first is written behind its table, the others follow after commas. The parent's columns may be left
//! out where its key is meant, the parent where it is plain. A name that holds a dot, a comma or a double quote is double-quoted.

use super::Relation;
use crate::schema::{Schema, Table, TableName, split_dotted};

/// A relation as it was typed. Which part names a table and which a column, only a schema tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    child: Side,
    parent: Option<Side>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Side {
    text: String,
    /// `schema.table.column`, `table.column`, of a parent also `schema.table` and `table`.
    parts: Vec<String>,
    /// The columns after the first.
    more: Vec<String>,
}

/// A text that is no relation, or one that names nothing in the schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WrittenError(String);

/// A child's columns, and a parent's where it was named.
type Sides = (TableName, Vec<String>, Option<(TableName, Vec<String>)>);

impl Written {
    /// Reads a relation.
    ///
    /// # Errors
    /// It is not written as one.
    pub fn parse(text: &str) -> Result<Self, WrittenError> {
        let pieces = split(text, "->").ok_or_else(|| bad(text))?;
        let (child, parent) = match pieces.as_slice() {
            [child] => (child, None),
            [child, parent] => (child, Some(parent)),
            _ => return Err(bad(text)),
        };
        let child = Side::parse(child).filter(|s| (2..=3).contains(&s.parts.len())).ok_or_else(|| bad(text))?;
        let parent = match parent {
            None => None,
            Some(parent) => Some(
                Side::parse(parent)
                    .filter(|s| s.parts.len() <= 3 && (s.more.is_empty() || s.parts.len() > 1))
                    .ok_or_else(|| bad(text))?,
            ),
        };
        Ok(Self { child, parent })
    }

    /// Finds the tables and columns, as a schema spells them.
    ///
    /// # Errors
    /// What names nothing.
    pub fn resolve(&self, schema: &Schema) -> Result<Sides, WrittenError> {
        let (child, columns) = self.child.with_columns(schema)?;
        let Some(parent) = &self.parent else { return Ok((child.name.clone(), columns, None)) };
        let (parent, parent_columns) = parent.with_key(schema, columns.len())?;
        if columns.len() != parent_columns.len() {
            return Err(WrittenError(format!(
                "`{}` names {} columns, and `{}` is referred to by {}: they refer to each other one by one",
                self.child.text,
                columns.len(),
                parent.name,
                parent_columns.len()
            )));
        }
        Ok((child.name.clone(), columns, Some((parent.name.clone(), parent_columns))))
    }
}

impl Side {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let mut columns = split(text, ",")?.into_iter().map(str::trim);
        let parts = split_dotted(columns.next()?).ok().filter(|p| p.iter().all(|p| !p.is_empty()))?;
        let one = |c: &str| split_dotted(c).ok().filter(|p| p.len() == 1).map(|mut p| p.remove(0));
        let more: Option<Vec<String>> = columns.map(one).collect();
        Some(Self { text: text.to_string(), parts, more: more? })
    }

    /// The last part is a column.
    fn with_columns<'s>(&self, schema: &'s Schema) -> Result<(&'s Table, Vec<String>), WrittenError> {
        let (column, table) = self.parts.split_last().ok_or_else(|| bad(&self.text))?;
        let found =
            find(schema, table).ok_or_else(|| WrittenError(format!("there is no table `{}`", dotted(table))))?;
        let columns: Result<Vec<String>, WrittenError> =
            std::iter::once(column).chain(&self.more).map(|c| spelt(found, c)).collect();
        Ok((found, columns?))
    }

    /// The last part may be a column; without one the table's own key is meant.
    fn with_key<'s>(&self, schema: &'s Schema, count: usize) -> Result<(&'s Table, Vec<String>), WrittenError> {
        let whole = find(schema, &self.parts).filter(|_| self.more.is_empty());
        let as_column = self.with_columns(schema);
        match (as_column, whole) {
            (Ok(found), _) => Ok(found),
            (Err(_), Some(table)) => Ok((table, key(table, count)?)),
            (Err(error), None) if self.parts.len() > 1 => Err(error),
            (Err(_), None) => Err(WrittenError(format!("there is no table `{}`", dotted(&self.parts)))),
        }
    }
}

fn bad(text: &str) -> WrittenError {
    WrittenError(format!(
        "`{text}` is not a relation; write child.column->parent.column, as in 'orders.customer_id->customers.id'"
    ))
}

fn dotted(parts: &[String]) -> String {
    parts.iter().map(|p| part(p)).collect::<Vec<_>>().join(".")
}

fn find<'s>(schema: &'s Schema, parts: &[String]) -> Option<&'s Table> {
    let name = match parts {
        [name] => TableName::new(name),
        [of, name] => TableName::in_schema(Some(of), name),
        _ => return None,
    };
    let own = schema
        .default_schema
        .as_deref()
        .filter(|own| name.schema.as_ref().is_some_and(|s| s.eq_ignore_ascii_case(own)));
    let bare = || own.and_then(|_| schema.find_table(&TableName::new(&name.name).to_string()));
    schema.find_table(&name.to_string()).or_else(bare)
}

fn spelt(table: &Table, column: &str) -> Result<String, WrittenError> {
    let same = || table.columns.iter().find(|c| c.name.eq_ignore_ascii_case(column));
    let found = table.column(column).or_else(same);
    found
        .map(|c| c.name.clone())
        .ok_or_else(|| WrittenError(format!("table `{}` has no column `{column}`", table.name)))
}

/// Returns the key of so many columns that is meant where none is named: the primary key, else the only other one.
fn key(table: &Table, count: usize) -> Result<Vec<String>, WrittenError> {
    if let Some(primary) = table.primary_key.as_ref().filter(|k| k.columns.len() == count) {
        return Ok(primary.columns.clone());
    }
    let mut keys: Vec<Vec<&str>> = table.unique_column_sets().filter(|k| k.len() == count).collect();
    keys.sort();
    keys.dedup();
    match keys.as_slice() {
        [one] => Ok(one.iter().map(ToString::to_string).collect()),
        _ => Err(WrittenError(format!(
            "`{}` has no one key that is meant: name its columns, as in '…->{}.id'",
            table.name, table.name
        ))),
    }
}

/// Writes a relation in this form.
pub fn write(child: &TableName, columns: &[String], parent: &TableName, parent_columns: &[String]) -> String {
    format!("{}->{}", side(child, columns), side(parent, parent_columns))
}

fn side(table: &TableName, columns: &[String]) -> String {
    let table = table.schema.iter().chain([&table.name]).map(|p| part(p)).collect::<Vec<_>>().join(".");
    match columns {
        [] => table,
        columns => format!("{table}.{}", columns.iter().map(|c| part(c)).collect::<Vec<_>>().join(",")),
    }
}

fn part(part: &str) -> String {
    let plain = !part.is_empty() && !part.contains(['.', '"', ',']) && !part.contains("->") && part.trim() == part;
    if plain { part.to_string() } else { format!("\"{}\"", part.replace('"', "\"\"")) }
}

impl Relation {
    /// Writes it as people type it: `orders.customer_id->customers.id`.
    pub fn written(&self) -> String {
        write(&self.child, &self.columns, &self.parent, &self.parent_columns)
    }
}

/// Splits a text where a separator stands outside of quotes; `None` if a quote is not closed.
fn split<'t>(text: &'t str, separator: &str) -> Option<Vec<&'t str>> {
    let (mut pieces, mut start, mut quoted) = (Vec::new(), 0, false);
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c == '"' {
            quoted = !quoted;
        } else if !quoted && text[at..].starts_with(separator) {
            pieces.push(&text[start..at]);
            at += separator.len();
            start = at;
            continue;
        }
        at += c.len_utf8();
    }
    pieces.push(&text[start..]);
    (!quoted).then_some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Engine, Key};
    use crate::testing::schema;

    fn shop() -> Schema {
        let mut s = schema(
            Engine::Postgres,
            &[
                "customers: id int8 pk, email text unique",
                "orders: tenant int8 pk, number int8 pk, customer_id int8",
                "shipping.parcels: id int8 pk, tenant int8, order_no int8",
            ],
        );
        s.default_schema = Some("public".into());
        s.tables.push(Table::new(TableName::new("odd.na,me")));
        let odd = s.tables.last_mut().unwrap();
        odd.columns.push(crate::schema::Column::new("a->b", crate::schema::DataType::parse(Engine::Postgres, "int8")));
        odd.primary_key = Some(Key::new(["a->b"]));
        s.sort();
        s
    }

    fn read(text: &str) -> Result<String, String> {
        let sides = Written::parse(text).and_then(|w| w.resolve(&shop())).map_err(|e| e.to_string())?;
        Ok(match sides {
            (child, columns, None) => side(&child, &columns),
            (child, columns, Some((parent, key))) => write(&child, &columns, &parent, &key),
        })
    }

    #[test]
    fn every_form_is_read_and_written_back_in_full() {
        for (text, full) in [
            ("orders.customer_id->customers.id", "orders.customer_id->customers.id"),
            ("orders.customer_id -> customers", "orders.customer_id->customers.id"),
            ("public.Orders.CUSTOMER_ID->public.customers", "orders.customer_id->customers.id"),
            ("orders.customer_id", "orders.customer_id"),
            ("shipping.parcels.tenant,order_no->orders", "shipping.parcels.tenant,order_no->orders.tenant,number"),
            (
                "shipping.parcels.order_no,tenant->orders.number,tenant",
                "shipping.parcels.order_no,tenant->orders.number,tenant",
            ),
            ("orders.customer_id->shipping.parcels", "orders.customer_id->shipping.parcels.id"),
            ("\"odd.na,me\".\"a->b\"->customers", "\"odd.na,me\".\"a->b\"->customers.id"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(full), "{text}");
            assert_eq!(read(full).as_deref(), Ok(full), "{text}");
        }
    }

    #[test]
    fn what_is_no_relation_says_how_one_is_written() {
        for text in
            ["", "orders", "orders.", "a.b->c->d", "\"a.b->c.d", "orders.customer_id->", "a.b.c.d->e", "a.b->c,d"]
        {
            let why = read(text).unwrap_err();
            assert!(why.contains("orders.customer_id->customers.id"), "{text}: {why}");
        }
        for (text, why) in [
            ("order.customer_id->customers.id", "there is no table `order`"),
            ("orders.customer->customers.id", "table `orders` has no column `customer`"),
            ("orders.customer_id->customer", "there is no table `customer`"),
            ("orders.customer_id->customers.nr", "table `customers` has no column `nr`"),
            (
                "orders.customer_id->orders",
                "`orders` has no one key that is meant: name its columns, as in '…->orders.id'",
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), why);
        }
        assert!(read("shipping.parcels.tenant,order_no->customers.id").unwrap_err().contains("one by one"));
    }
}
