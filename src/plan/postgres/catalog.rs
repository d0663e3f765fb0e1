//! Questions to PostgreSQL's catalog: whether a thing is there, judged by its whole definition and not by its name alone.
//!
//! Everything is qualified, so that nothing of the user's stands in for the system's. A missing table is no error but a no
//! (`to_regclass`), because a question is asked before it is known whether the step still fits.

use super::super::servers::builder::Builder;
use crate::schema::{Action, DataType, ForeignKey, Index, Match, TableName, Timing};

/// Writes the oid of a table or an index.
pub(super) fn relation(builder: &Builder<'_>, name: &str) -> String {
    format!("pg_catalog.to_regclass({})", builder.dialect.literal(name))
}

fn array(builder: &Builder<'_>, names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|n| builder.dialect.literal(n)).collect();
    format!("ARRAY[{}]::pg_catalog.text[]", names.join(", "))
}

fn names(table: &str, numbers: &str) -> String {
    format!(
        "ARRAY(SELECT a.attname::pg_catalog.text FROM {numbers} WITH ORDINALITY AS u (number, place) \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = {table} AND a.attnum = u.number::pg_catalog.int2 ORDER BY u.place)"
    )
}

/// Asks for a foreign key with exactly this definition. Whether its rows are checked is asked only where that is the point: a
/// step that adds a key has been done also when a later one has validated it.
pub(super) fn key(builder: &Builder<'_>, child: &TableName, key: &ForeignKey, name: &str, validated: bool) -> String {
    let action = |action: Action| match action {
        Action::NoAction => 'a',
        Action::Restrict => 'r',
        Action::Cascade => 'c',
        Action::SetNull => 'n',
        Action::SetDefault => 'd',
    };
    let matching = match key.matching {
        Match::Full => 'f',
        Match::Partial => 'p',
        Match::Simple => 's',
    };
    let mut sql = format!(
        "SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.conrelid = {} AND k.conname = {} AND k.conparentid = 0 \
         AND k.confrelid = {} AND {} = {} AND {} = {} AND k.confdeltype = '{}' AND k.confupdtype = '{}' AND k.confmatchtype = '{matching}' \
         AND k.condeferrable = {} AND k.condeferred = {}",
        relation(builder, &builder.name(child)),
        builder.dialect.literal(name),
        relation(builder, &builder.name(&key.parent)),
        names("k.conrelid", "pg_catalog.unnest(k.conkey)"),
        array(builder, &key.columns),
        names("k.confrelid", "pg_catalog.unnest(k.confkey)"),
        array(builder, &key.parent_columns),
        action(key.on_delete),
        action(key.on_update),
        key.timing != Timing::Immediate,
        key.timing == Timing::Deferred,
    );
    // Columns that older versions do not have: see queries/foreign_keys.sql.
    let json = |field: &str| format!("pg_catalog.to_jsonb(k) OPERATOR(pg_catalog.->>) '{field}'");
    if key.set_columns.is_empty() {
        sql.push_str(&format!(" AND coalesce({}, '[]') = '[]'", json("confdelsetcols")));
    } else {
        let numbers = format!(
            "pg_catalog.jsonb_array_elements_text(coalesce({}, '[]')::pg_catalog.jsonb)",
            json("confdelsetcols")
        );
        sql.push_str(&format!(" AND {} = {}", names("k.conrelid", &numbers), array(builder, &key.set_columns)));
    }
    sql.push_str(&format!(" AND coalesce({}, 'true') = '{}'", json("conenforced"), key.enforced));
    if key.temporal {
        sql.push_str(&format!(" AND {} = 'true'", json("conperiod")));
    }
    if key.is_active() {
        sql.push_str(
            " AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g WHERE g.tgconstraint = k.oid AND g.tgenabled NOT IN ('O', 'A'))",
        );
    }
    if validated {
        sql.push_str(" AND k.convalidated");
    }
    sql
}

/// Writes the condition on `pg_constraint k` that it is a foreign key of these columns of a table.
pub(super) fn on_columns(builder: &Builder<'_>, child: &TableName, columns: &[String]) -> String {
    format!(
        "k.contype = 'f' AND k.conparentid = 0 AND k.conrelid = {} AND {} = {}",
        relation(builder, &builder.name(child)),
        names("k.conrelid", "pg_catalog.unnest(k.conkey)"),
        array(builder, columns)
    )
}

/// Asks for a foreign key of these columns that refers to these, whatever its name and what it does.
pub(super) fn alike(builder: &Builder<'_>, child: &TableName, key: &ForeignKey) -> String {
    format!(
        "SELECT 1 FROM pg_catalog.pg_constraint k WHERE {} AND k.confrelid = {} AND {} = {}",
        on_columns(builder, child, &key.columns),
        relation(builder, &builder.name(&key.parent)),
        names("k.confrelid", "pg_catalog.unnest(k.confkey)"),
        array(builder, &key.parent_columns)
    )
}

/// Asks for a constraint of this name, whatever it is.
pub(super) fn constraint(builder: &Builder<'_>, table: &TableName, name: &str) -> String {
    format!(
        "SELECT k.conname, pg_catalog.pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k WHERE k.conrelid = {} AND k.conname = {}",
        relation(builder, &builder.name(table)),
        builder.dialect.literal(name)
    )
}

/// Asks for an index with exactly this definition, usable or not as the index says.
pub(super) fn index(builder: &Builder<'_>, table: &TableName, index: &Index) -> String {
    let texts: Vec<String> = index
        .parts
        .iter()
        .map(|p| p.column.clone().or_else(|| p.expression.clone()).unwrap_or_default())
        .chain(index.included.iter().cloned())
        .collect();
    let down: Vec<&str> = index.parts.iter().map(|p| if p.descending { "true" } else { "false" }).collect();
    let not = if index.valid { "" } else { "NOT " };
    let mut sql = format!(
        "SELECT 1 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_am m ON m.oid = c.relam WHERE i.indrelid = {} AND c.relname = {} \
         AND {not}(i.indisvalid AND i.indisready AND i.indislive) AND i.indisunique = {} AND m.amname = {} AND i.indnkeyatts = {} \
         AND ARRAY(SELECT coalesce(a.attname::pg_catalog.text, pg_catalog.pg_get_indexdef(i.indexrelid, p.part, true)) \
         FROM pg_catalog.generate_series(1, i.indnatts::pg_catalog.int4) AS p (part) LEFT JOIN pg_catalog.pg_attribute a \
         ON a.attrelid = i.indrelid AND a.attnum = i.indkey[p.part - 1] AND a.attnum <> 0 ORDER BY p.part) = {} \
         AND ARRAY(SELECT coalesce(i.indoption[p.part - 1]::pg_catalog.int4 & 1, 0) = 1 \
         FROM pg_catalog.generate_series(1, i.indnkeyatts::pg_catalog.int4) AS p (part) ORDER BY p.part) = ARRAY[{}]",
        relation(builder, &builder.name(table)),
        builder.dialect.literal(&index.name),
        index.unique,
        builder.dialect.literal(&index.method),
        index.parts.len(),
        array(builder, &texts),
        down.join(", "),
    );
    match &index.predicate {
        None => sql.push_str(" AND i.indpred IS NULL"),
        Some(text) => sql.push_str(&format!(
            " AND pg_catalog.pg_get_expr(i.indpred, i.indrelid) IN ({}, {})",
            builder.dialect.literal(text),
            builder.dialect.literal(&format!("({text})"))
        )),
    }
    for (number, part) in (0..).zip(&index.parts) {
        let place: usize = number;
        if let Some(collation) = &part.collation {
            sql.push_str(&format!(
                " AND EXISTS (SELECT 1 FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace \
                 WHERE l.oid = i.indcollation[{place}] AND {} IN (l.collname::pg_catalog.text, pg_catalog.concat(n.nspname, '.', l.collname)))",
                builder.dialect.literal(collation)
            ));
        }
        if let Some(class) = &part.operator_class {
            sql.push_str(&format!(
                " AND EXISTS (SELECT 1 FROM pg_catalog.pg_opclass o WHERE o.oid = i.indclass[{place}] AND o.opcname = {})",
                builder.dialect.literal(class)
            ));
        }
    }
    sql
}

/// Asks for what stands in the way of an index of this name on this table: anything but a leftover of a build that failed.
pub(super) fn name_in_use(builder: &Builder<'_>, table: &TableName, name: &str) -> String {
    format!(
        "SELECT c.oid::pg_catalog.regclass FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid \
         WHERE c.oid = {} AND (i.indrelid IS DISTINCT FROM {} OR i.indisvalid \
         OR EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conindid = c.oid) \
         OR EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = c.oid))",
        relation(builder, &builder.beside(table, name)),
        relation(builder, &builder.name(table)),
    )
}

/// Asks for a column that cannot be NULL (`true`) or can (`false`).
pub(super) fn not_null(builder: &Builder<'_>, table: &TableName, column: &str, not_null: bool) -> String {
    format!(
        "SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = {} AND a.attname = {} AND a.attnotnull = {not_null} \
         AND NOT a.attisdropped",
        relation(builder, &builder.name(table)),
        builder.dialect.literal(column)
    )
}

/// Asks for a column with this default.
pub(super) fn default(builder: &Builder<'_>, table: &TableName, column: &str, default: Option<&str>) -> String {
    let text = "pg_catalog.pg_get_expr(d.adbin, d.adrelid)";
    let is = match default {
        None => "d.oid IS NULL".to_string(),
        Some(expression) => format!("{text} = {}", builder.dialect.literal(expression)),
    };
    format!(
        "SELECT 1 FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         WHERE a.attrelid = {} AND a.attname = {} AND {is}",
        relation(builder, &builder.name(table)),
        builder.dialect.literal(column)
    )
}

/// Asks for a column of this type and collation.
pub(super) fn has_type(
    builder: &Builder<'_>,
    table: &TableName,
    column: &str,
    to: &DataType,
    collation: Option<&str>,
) -> String {
    let written = to.domain.as_deref().unwrap_or(&to.raw);
    let (name, arguments) = written.split_once('(').map_or((written, String::new()), |(n, a)| (n, format!("({a}")));
    // A type from a file may be written in other words than the catalog's.
    let canonical = format!(
        "pg_catalog.concat(pg_catalog.format_type(pg_catalog.to_regtype({}), NULL), {})",
        builder.dialect.literal(name.trim()),
        builder.dialect.literal(&arguments)
    );
    let collated = match collation {
        None => "l.collname IS NULL OR l.collname = 'default'".to_string(),
        Some(name) => {
            let name = builder.dialect.literal(name);
            format!("{name} IN (l.collname::pg_catalog.text, pg_catalog.concat(n.nspname, '.', l.collname))")
        }
    };
    format!(
        "SELECT 1 FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation \
         LEFT JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace WHERE a.attrelid = {} AND a.attname = {} \
         AND pg_catalog.format_type(a.atttypid, a.atttypmod) IN ({}, {canonical}) AND ({collated})",
        relation(builder, &builder.name(table)),
        builder.dialect.literal(column),
        builder.dialect.literal(written)
    )
}
