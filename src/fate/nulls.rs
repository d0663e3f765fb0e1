//! What may not accept what a key writes, a NULL or a default: CHECKs, domains, generated columns, unique and exclusion
//! constraints, partitions. It is named, not evaluated.

use crate::relations::forbids_null;
use crate::schema::{Check, Index, IndexOrigin, Table, TableKind};

/// What an action writes into columns of a table.
#[derive(Clone, Debug, Default)]
pub(super) struct Written<'a> {
    /// Those that become NULL.
    pub nulled: Vec<&'a str>,
    /// Those that get a default.
    pub defaulted: Vec<&'a str>,
}

/// Something that may not accept what is written into a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    /// What it is, with its table: ``CHECK `kind_ck` of `c` ``.
    pub what: String,
    /// The column.
    pub column: String,
    /// Whether the column gets its default and not NULL.
    pub default: bool,
}

impl Doubt {
    /// Says it in words, without an end.
    pub fn text(&self) -> String {
        let value = if self.default { "the default of" } else { "NULL in" };
        format!("{} may not accept {value} `{}`", self.what, self.column)
    }
}

/// Returns what may not accept what is written into these columns. A CHECK that only compares a column is not false of NULL.
pub(super) fn doubts(table: &Table, written: &Written<'_>) -> Vec<Doubt> {
    let of = &table.name;
    let all: Vec<&str> = written.nulled.iter().chain(&written.defaulted).copied().collect();
    let mut found = Vec::new();
    let mut add = |what: String, column: &str| {
        found.push(Doubt { what, column: column.to_string(), default: !written.nulled.contains(&column) });
    };
    let mentions = |text: &str| {
        let said = words(text);
        all.iter().find(|c| said.contains(&c.to_lowercase())).copied()
    };
    for check in &table.checks {
        // What no NULL passes is judged, and no doubt.
        if written.nulled.iter().any(|c| forbids_null(&check.expression, c)) {
            continue;
        }
        let said = words(&check.expression);
        let in_doubt = |c: &&&str| {
            let calls = calls_a_function(&check.expression);
            let named = said.contains(&c.to_lowercase());
            let undecided = calls || said.iter().any(|w| is_about_null(w)) || written.defaulted.contains(c);
            named && undecided || calls && said.contains(&of.name.to_lowercase())
        };
        if let Some(column) = all.iter().find(in_doubt) {
            let what = match &check.name {
                Some(name) => format!("CHECK `{name}` of `{of}`"),
                None => format!("CHECK ({}) of `{of}`", check.expression),
            };
            add(what, column);
        }
    }
    for name in &all {
        let column = table.column(name);
        if let Some(domain) = column.and_then(|c| c.data_type.domain.as_ref()) {
            add(format!("domain `{domain}`"), name);
        }
        // A key's columns are NOT NULL, and a partition key is part of every key (PostgreSQL manual, 5.12.2.3).
        if table.kind == TableKind::Partitioned && table.primary_key.is_none() && table.unique_keys.is_empty() {
            add(format!("the partitioning of `{of}`"), name);
        }
    }
    for column in &table.columns {
        if let Some(name) = column.generated.as_ref().and_then(|g| mentions(&g.expression)) {
            add(format!("generated column `{}` of `{of}`", column.name), name);
        }
    }
    for index in &table.indexes {
        let excludes = !index.unique && index.origin == IndexOrigin::Constraint;
        let expressions = index.parts.iter().filter_map(|p| p.expression.as_deref());
        let condition = index.predicate.as_deref().filter(|_| index.unique || excludes);
        if let Some(name) = expressions.chain(condition).find_map(mentions).or_else(|| meets_another(index, written)) {
            let what = if excludes { "exclusion constraint" } else { "index" };
            add(format!("{what} `{}` of `{of}`", index.name), name);
        }
    }
    // SQLite: the rowid has no index.
    let indexed =
        |columns: &[String]| table.indexes.iter().any(|i| i.unique && i.plain_columns().is_some_and(|c| c == columns));
    for key in table.primary_key.iter().chain(&table.unique_keys).filter(|k| !indexed(&k.columns)) {
        let set = |c: &&&str| key.columns.iter().any(|k| k == *c);
        if let Some(name) = written.defaulted.iter().find(set) {
            add(format!("the key ({}) of `{of}`", key.columns.join(", ")), name);
        }
    }
    found
}

/// Returns what a partition does not accept of what is written into its rows through the whole table, where that accepts it.
pub(super) fn of_partition(part: &Table, whole: &Table, written: &Written<'_>) -> Vec<Doubt> {
    let of = &part.name;
    let is_of_whole = |check: &Check| whole.checks.iter().any(|c| c.expression == check.expression);
    let mut found = Vec::new();
    for name in &written.nulled {
        let what = if !part.is_nullable(name) && whole.is_nullable(name) {
            format!("NOT NULL in partition `{of}`")
        } else if part.checks.iter().any(|k| forbids_null(&k.expression, name) && !is_of_whole(k)) {
            format!("a CHECK of partition `{of}`")
        } else {
            continue;
        };
        found.push(Doubt { what, column: (*name).to_string(), default: false });
    }
    // What the whole table has as well is named there.
    let mut own = part.clone();
    own.kind = TableKind::Plain;
    own.checks.retain(|c| !is_of_whole(c));
    own.indexes.retain(|i| !whole.indexes.iter().any(|w| w.parts == i.parts && w.predicate == i.predicate));
    own.columns.iter_mut().for_each(|c| (c.data_type.domain, c.generated) = (None, None));
    (own.primary_key, own.unique_keys) = (None, Vec::new());
    found.extend(doubts(&own, written));
    found
}

/// Returns a column by which an index may take the changed row for the same as another. A NULL is unlike any other value, where the
/// index does not say otherwise.
fn meets_another<'a>(index: &Index, written: &Written<'a>) -> Option<&'a str> {
    let distinguishes = index.unique || index.origin == IndexOrigin::Constraint;
    let has = |c: &&&str| index.parts.iter().any(|p| p.column.as_deref() == Some(**c));
    let nulled = written.nulled.iter().find(has).copied();
    let found = match nulled {
        Some(column) => index.nulls_equal.then_some(column),
        None => written.defaulted.iter().find(has).copied(),
    };
    found.filter(|_| distinguishes)
}

fn words(text: &str) -> Vec<String> {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    text.split(|c| !word(c)).map(str::to_lowercase).collect()
}

fn is_about_null(word: &str) -> bool {
    ["null", "isnull", "notnull", "coalesce", "ifnull", "case", "distinct"].contains(&word) || word.starts_with("num_n")
}

/// What may stand before a parenthesis and is no function, or a function that makes NULL of NULL on every engine.
const PLAIN: &[&str] = &[
    "",
    "and",
    "or",
    "not",
    "in",
    "any",
    "all",
    "some",
    "is",
    "like",
    "ilike",
    "between",
    "check",
    "then",
    "else",
    "when",
    "array",
    "row",
    "values",
    "cast",
    "varchar",
    "varying",
    "char",
    "character",
    "numeric",
    "decimal",
    "bit",
    "time",
    "timestamp",
    "interval",
    "length",
    "char_length",
    "character_length",
    "octet_length",
    "lower",
    "upper",
    "trim",
    "btrim",
    "ltrim",
    "rtrim",
    "abs",
    "round",
    "floor",
    "ceil",
    "ceiling",
    "mod",
    "substr",
    "substring",
    "left",
    "right",
    "strpos",
    "position",
    "instr",
    "date_part",
    "extract",
    "date_trunc",
    "sign",
    "sqrt",
    "power",
    "json_valid",
    "jsonb_typeof",
    "json_typeof",
    "array_length",
    "cardinality",
    "glob",
];

/// Tells whether an expression calls a function of which it is not known what it makes of NULL.
fn calls_a_function(expression: &str) -> bool {
    // What stands in quotes is a value.
    let text: String = expression.split('\'').step_by(2).collect::<Vec<_>>().join(" ");
    let mut before = text.split('(').collect::<Vec<_>>();
    before.pop();
    before.into_iter().any(|before| {
        let before = before.trim_end();
        let start =
            before.rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$' || c == '"')).map_or(0, |at| at + 1);
        let word = before.get(start..).unwrap_or_default().to_lowercase();
        !PLAIN.contains(&word.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::calls_a_function;

    #[test]
    fn only_functions_that_are_not_known_are_calls() {
        for call in ["ok(a)", "a > 0 AND s.ok (a)", "\"Ok\"(a)", "is_fine((a))"] {
            assert!(calls_a_function(call), "{call}");
        }
        for none in
            ["a > 0", "(a IN (1, 2)) AND NOT (b)", "length(a) < 10", "a = ANY (ARRAY['f(x)'])", "a::numeric(10,2) > 0"]
        {
            assert!(!calls_a_function(none), "{none}");
        }
    }
}
