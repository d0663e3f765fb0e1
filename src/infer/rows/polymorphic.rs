//! Which tables the kinds of a polymorphic pair mean.

use super::Reader;
use super::profile::Profiles;
use crate::engine::Value;
use crate::infer::catalogue::{Catalogue, Naming};
use crate::infer::polymorphic::Target;
use crate::infer::words::{noun, split};
use crate::infer::{Survey, scoring};
use crate::rows::RelationRows;
use crate::schema::{Column, Table, TableName};

/// How many kinds of one pair are looked at.
const KINDS: usize = 30;

/// Maps each kind to a table, by its name, and counts the rows that refer to nothing there.
pub(super) fn map(survey: &mut Survey<'_>, profiles: &Profiles, reader: &mut Reader<'_>) {
    let catalogue = Catalogue::new(survey.schema);
    let mut pairs = std::mem::take(&mut survey.polymorphic);
    for pair in &mut pairs {
        if profiles.rows(&pair.table).is_none_or(|n| n == 0) || reader.late() {
            continue;
        }
        let Some(table) = survey.schema.table(&pair.table) else { continue };
        let (Some(id), Some(kind)) = (table.column(&pair.id_column), table.column(&pair.type_column)) else { continue };
        pair.targets = targets(&catalogue, table, (kind, id), reader);
    }
    survey.polymorphic = pairs;
}

fn targets(
    catalogue: &Catalogue<'_>,
    table: &Table,
    (kind, id): (&Column, &Column),
    reader: &mut Reader<'_>,
) -> Vec<Target> {
    let rows_of = reader.rows_of(table);
    let filled = rows_of.filled(&[&kind.name, &id.name]);
    let Some(kinds) = reader.ask(&table.name, &rows_of.by_frequency(&kind.name, &filled, KINDS)) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for row in kinds.rows {
        let [name, rows] = row.as_slice() else { continue };
        let Some(name) = name.text() else { continue };
        let rows = rows.integer().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        let parent = meant(catalogue, &table.name, id, &name);
        // Of a parent whose rows are hidden nothing can be counted.
        let parent = parent.filter(|(parent, _)| !super::hides_rows(catalogue.schema, &table.name, parent));
        let orphans = parent.as_ref().and_then(|(parent, parent_key)| {
            let columns = (vec![id.name.clone()], vec![parent_key.clone()]);
            let dialect = reader.session.dialect();
            let relation =
                RelationRows::between(dialect, catalogue.schema, (&table.name, &columns.0), (parent, &columns.1));
            let of_kind = rows_of.has_value(kind, &Value::Text(name.clone()));
            let sql = relation.counts(&relation.with_reference().and(&of_kind));
            reader.ask(&table.name, &sql)?.rows.first()?.get(1)?.integer()
        });
        let orphans = orphans.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        all.push(Target { kind: name, rows, parent, orphans });
    }
    all.sort_by(|a, b| a.kind.cmp(&b.kind));
    all
}

/// `Post`, `App\Models\Post`, `blog.post`, `posts`: the table of posts.
fn meant(catalogue: &Catalogue<'_>, from: &TableName, id: &Column, kind: &str) -> Option<(TableName, String)> {
    let last = kind.rsplit(['\\', '.', ':', '/']).next().unwrap_or(kind);
    let full: String = kind.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    for name in [full.as_str(), last] {
        let named = catalogue.named(&noun(&split(name)), from);
        let mut fitting = named.into_iter().filter(|(_, n)| *n != Naming::End).filter_map(|(thing, _)| {
            let (key, _) = scoring::key_of(thing.table, "")?;
            scoring::types(catalogue.schema.engine, id, key)?;
            Some((thing.table.name.clone(), key.name.clone()))
        });
        if let (Some(found), None) = (fitting.next(), fitting.next()) {
            return Some(found);
        }
    }
    None
}
