//! `foreign-key-type-mismatch`: the child's type cannot hold, or compares otherwise than, the parent's.
//!
//! What an engine refuses outright cannot be in a database of its own; it is found for relations that nothing declares.

use super::helpers::fix;
use super::{Context, EVERY_ENGINE, Meta};
use crate::change::Change;
use crate::findings::{Fact, Finding, Fix, Safety, Severity, Subject};
use crate::relations::Relation;
use crate::relations::unlike::{self, Unlike};
use crate::schema::facts::{Converts, SetType};
use crate::schema::{Affinity, Column, DataType, Engine, Family};

pub(crate) static META: Meta = Meta {
    code: "REF107",
    name: "foreign-key-type-mismatch",
    severity: Severity::Warning,
    summary: "A referring column's type does not fit the type of the column it refers to",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: include_str!("../../docs/rules/foreign-key-type-mismatch.md"),
};

pub(super) fn check(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for relation in context.relations.relations() {
        let tables = (context.schema.table(&relation.child), context.schema.table(&relation.parent));
        let (Some(child), Some(parent)) = tables else { continue };
        for (mine, theirs) in relation.columns.iter().zip(&relation.parent_columns) {
            let (Some(mine), Some(theirs)) = (child.column(mine), parent.column(theirs)) else { continue };
            let engine = context.schema.engine;
            let why = match engine.facts().types.dynamic {
                true => by_affinity(child.affinity(mine), parent.affinity(theirs), parent.is_rowid(theirs)),
                false => mismatch(engine, &mine.data_type, &theirs.data_type),
            };
            if let Some(why) = why {
                let finding = finding(context.schema.engine, relation, mine, theirs, why);
                let finding = convert(context, relation, mine, theirs).into_iter().fold(finding, Finding::fix);
                let is_doubtful = !relation.is_certain()
                    || is_length_alone(&mine.data_type, &theirs.data_type)
                    || is_never_a_number(&mine.data_type, &theirs.data_type);
                findings.push(if is_doubtful { finding.severity(Severity::Info) } else { finding });
            }
        }
    }
}

/// Proposes the parent's type for the child where the engine converts every value by itself, and none is lost: a wider
/// number, a longer text. What becomes of other values is for a person to say.
fn convert(context: &Context<'_>, relation: &Relation, child: &Column, parent: &Column) -> Option<Fix> {
    let (mine, theirs) = (&child.data_type, &parent.data_type);
    if !matches!(context.schema.engine.facts().alter.set_type, SetType::Alter { .. }) || child.generated.is_some() {
        return None;
    }
    let wider = match (mine.integer_bytes(), theirs.integer_bytes()) {
        (Some(mine), Some(theirs)) => mine < theirs,
        _ => {
            let padded = mine.base == "char" || theirs.base == "char";
            mine.family == Family::Text && theirs.family == Family::Text && !padded && mine.arguments != theirs.arguments
        }
    };
    let change = Change::SetType {
        table: relation.child.clone(),
        column: child.name.clone(),
        data_type: theirs.clone(),
        collation: child.collation.clone(),
    };
    wider.then(|| fix(context, format!("Give {} the type {}", child.name, theirs.raw), Safety::Manual, vec![change]))
}

fn finding(engine: Engine, relation: &Relation, child: &Column, parent: &Column, why: String) -> Finding {
    let place = |table: &crate::schema::TableName, column: &Column| format!("{table}.{}", column.name);
    let (mine, theirs) = (place(&relation.child, child), place(&relation.parent, parent));
    let (my_type, their_type) = (shown(&child.data_type), shown(&parent.data_type));
    let help = match engine.facts().alter.set_type {
        SetType::Rebuild => {
            format!("Declare `{}` as {their_type}; {engine} needs the table to be rebuilt for that.", child.name)
        }
        SetType::Modify => {
            format!(
                "Give it the parent's type: `ALTER TABLE {} MODIFY {} {} …`.",
                relation.child, child.name, parent.data_type.raw
            )
        }
        SetType::Alter { using } => {
            let converted = using && child.data_type.family != parent.data_type.family;
            let using = converted.then(|| format!(" USING {}::{}", child.name, parent.data_type.raw));
            format!(
                "Give it the parent's type: `ALTER TABLE {} ALTER COLUMN {} TYPE {}{}`. Where that rewrites the table it \
                 locks it all the while; on a large one add a second column, fill it in batches and swap.",
                relation.child,
                child.name,
                parent.data_type.raw,
                using.unwrap_or_default()
            )
        }
    };
    let mut finding = Finding::new(
        &META,
        Subject::relation(relation),
        format!("{mine} is {my_type}, its parent {theirs} is {their_type}"),
    )
    .contradiction()
    .why(why)
    .help(help)
    .fact(mine, Fact::Type, my_type)
    .fact(theirs, Fact::Type, their_type);
    if relation.columns.len() > 1 {
        finding = finding.distinguished_by(&child.name);
    }
    finding
}

/// Whether all that differs is a limit that the child has and the parent has not: keys that long may never come.
fn is_length_alone(child: &DataType, parent: &DataType) -> bool {
    child.family == Family::Text
        && parent.family == Family::Text
        && child.base != "char"
        && parent.arguments.is_empty()
        && parent.base != "char"
}

/// Whether a column has numeric affinity by its name alone (`UUID`, `DATETIME`) beside one that holds texts: such texts seldom
/// look like numbers.
fn is_never_a_number(child: &DataType, parent: &DataType) -> bool {
    let texts = |t: &DataType| matches!(t.family, Family::Uuid | Family::Date | Family::Timestamp | Family::Json);
    texts(child) && parent.family == Family::Text || texts(parent) && child.family == Family::Text
}

fn shown(data_type: &DataType) -> String {
    if data_type.raw.is_empty() { "without a type".to_string() } else { format!("`{}`", data_type.raw) }
}

/// Says what goes wrong between two types; `None` if nothing does.
fn mismatch(engine: Engine, child: &DataType, parent: &DataType) -> Option<String> {
    let facts = &engine.facts().types;
    if !(facts.key)(child, parent) {
        return Some(format!(
            "{engine} refuses a foreign key between {} and {}, so it cannot be declared until one is converted; every value \
             of the child has to be convertible.",
            shown(child),
            shown(parent)
        ));
    }
    if let (Some(mine), Some(theirs)) = (child.integer_bytes(), parent.integer_bytes())
        && mine < theirs
    {
        return Some(format!(
            "A parent row numbered above {} cannot be referred to: the insert fails with an out-of-range error on the day the \
             numbers get there.",
            (1i64 << (u32::from(mine) * 8 - 1)) - 1
        ));
    }
    if child.family == Family::Text && parent.family == Family::Text {
        return text(facts.char_is_varchar, child, parent);
    }
    if child.family == Family::Decimal && parent.family == Family::Decimal {
        return decimal(child, parent);
    }
    if facts.converts == Converts::WithoutOperator && is_converted(child, parent) {
        return Some(
            "PostgreSQL converts the child's value in every comparison, so no index on the child's column can be used to find \
             the rows of a parent."
                .to_string(),
        );
    }
    let clock = |t: &DataType| (t.base.clone(), t.family);
    match (clock(child), clock(parent)) {
        ((c, Family::Date | Family::Timestamp), (p, Family::Date | Family::Timestamp)) if c != p => Some(
            "The two are converted to compare them: a part of the time may be lost, and what a time zone makes of it depends \
             on the session."
                .to_string(),
        ),
        _ => None,
    }
}

fn is_converted(child: &DataType, parent: &DataType) -> bool {
    child.family != parent.family && matches!(child.family, Family::Integer | Family::Decimal)
}

fn text(alike: bool, child: &DataType, parent: &DataType) -> Option<String> {
    let is_padded = |t: &DataType| t.base == "char";
    if !alike && is_padded(child) != is_padded(parent) {
        return Some(
            "`char` is padded with blanks and compared without them, the other type is not: values that differ in trailing \
             blanks are taken for each other or not, depending on the side, and an index may not serve the comparison."
                .to_string(),
        );
    }
    // `char` alone is `char(1)`.
    let limit = |t: &DataType| t.arguments.first().copied().or(is_padded(t).then_some(1));
    let mine = limit(child)?;
    if limit(parent).is_some_and(|theirs| theirs <= mine) {
        return None;
    }
    Some(format!("A parent whose value is longer than {mine} characters cannot be referred to: the insert fails."))
}

fn decimal(child: &DataType, parent: &DataType) -> Option<String> {
    // A numeric without arguments holds anything; one argument means scale 0.
    let parts = |t: &DataType| {
        let precision = i64::from(*t.arguments.first()?);
        let scale = t.arguments.get(1).map_or(0, |s| i64::from(*s));
        Some((precision - scale, scale))
    };
    let (whole, scale) = parts(child)?;
    if parts(parent).is_some_and(|(w, s)| w <= whole && s <= scale) {
        return None;
    }
    Some(
        "The child keeps fewer digits than the parent: a reference is rounded when it is stored, and then refers to another \
         parent or to none."
            .to_string(),
    )
}

/// SQLite stores what it is given; what counts is affinity ("Datatypes In SQLite", 3 and 4.2; `relations::unlike` has how a
/// key compares by it).
fn by_affinity(child: Affinity, parent: Affinity, to_rowid: bool) -> Option<String> {
    if to_rowid && child != Affinity::Number {
        return Some(
            "SQLite turns the child's value into a number to compare it, so `'007'` refers to 7, and no index on the child's \
             column can be used to find the rows of a parent."
                .to_string(),
        );
    }
    let text = match unlike::of(child, parent)? {
        Unlike::ActionMisses => {
            "SQLite turns the child's value into a number to check it, so `'007'` refers to 7; ON DELETE CASCADE or SET NULL \
             does not, so the delete of 7 fails while there is such a row. No index on the child's column can be used to find \
             the rows of a parent."
        }
        Unlike::LeftBehind => {
            "The parent turns numbers into texts, the child keeps what it is given: 7 refers to `'7'` when it is inserted, and a \
             delete of `'7'` does not find it. The row stays as an orphan, whatever ON DELETE says."
        }
        Unlike::TakesOthers if parent == Affinity::Text => {
            "The child stores a number where the parent holds a text: `'007'` becomes 7 when it is stored, and no longer refers \
             to the parent `'007'`. A delete of `'007'` takes the rows that refer to `'7'` for its own, and fails."
        }
        Unlike::TakesOthers | Unlike::Mixed => {
            "The child turns texts that look like numbers into numbers, the parent keeps them: `'7'` in the parent cannot be \
             referred to, and a delete of it takes the rows that refer to 7 for its own, and fails."
        }
        Unlike::ActionTakesOthers => {
            "The parent keeps what it is given, and 7 and `'7'` are two rows of it; the child turns numbers into texts. ON DELETE \
             CASCADE or SET NULL of 7 takes the rows that refer to `'7'`, too."
        }
    };
    Some(text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(engine: Engine, child: &str, parent: &str) -> bool {
        mismatch(engine, &DataType::parse(engine, child), &DataType::parse(engine, parent)).is_some()
    }

    #[test]
    fn doubt_and_a_mere_limit_are_worth_knowing_only() {
        let s = crate::testing::schema(
            Engine::Postgres,
            &[
                "users: did text pk",
                "items: id int8 pk",
                "orders: id uuid pk",
                "c: id int8 pk, user_id varchar(66) >users.did, item_id int4 >items.id, order_id text",
            ],
        );
        let found = crate::testing::findings(&s, "foreign-key-type-mismatch");
        let told: Vec<_> = found.iter().map(|f| (f.subject.place(), f.severity)).collect();
        assert_eq!(
            told,
            [
                ("c.item_id".to_string(), Severity::Warning),
                ("c.order_id".to_string(), Severity::Info),
                ("c.user_id".to_string(), Severity::Info),
            ]
        );
    }

    #[test]
    fn innodb_takes_decimals_of_other_precision_and_integers_of_one_size_only() {
        for engine in [Engine::Mysql, Engine::Mariadb] {
            let why = |child: &str, parent: &str| {
                mismatch(engine, &DataType::parse(engine, child), &DataType::parse(engine, parent))
            };
            assert_eq!(why("decimal(12,2)", "decimal(10,2)"), None);
            assert!(why("decimal(8,1)", "decimal(10,2)").is_some_and(|w| w.contains("fewer digits")));
            assert!(why("int", "bigint").is_some_and(|w| w.contains("refuses a foreign key")));
            assert!(why("int", "int unsigned").is_some_and(|w| w.contains("refuses a foreign key")));
            assert!(why("bigint", "serial").is_some_and(|w| w.contains("refuses a foreign key")));
            assert_eq!(why("bigint unsigned", "serial"), None);
            assert_eq!(why("int unsigned", "int(8) zerofill"), None);
        }
    }

    #[test]
    fn narrower_children_are_found_and_wider_ones_are_not() {
        let pg = Engine::Postgres;
        for (child, parent, expected) in [
            ("integer", "bigint", true),
            ("smallint", "integer", true),
            ("bigint", "integer", false),
            ("bigint", "bigserial", false),
            ("varchar(10)", "varchar(20)", true),
            ("varchar(20)", "varchar(10)", false),
            ("varchar(20)", "text", true),
            ("text", "varchar(20)", false),
            ("varchar", "text", false),
            ("char(9)", "text", true),
            ("text", "char(9)", true),
            ("char(9)", "char(9)", false),
            ("numeric(10,1)", "numeric(10,2)", true),
            ("numeric(12,2)", "numeric(10,2)", false),
            ("numeric", "numeric(10,2)", false),
            ("numeric(10,2)", "numeric", true),
            ("integer", "numeric", true),
            ("date", "timestamp", true),
            ("timestamptz", "timestamptz", false),
            ("text", "uuid", true),
            ("uuid", "uuid", false),
            ("numeric", "integer", true),
            ("mood", "mood", false),
        ] {
            assert_eq!(found(pg, child, parent), expected, "{child} > {parent}");
        }
        assert!(!found(Engine::Cockroach, "INT", "INT8"));
        assert!(found(Engine::Cockroach, "INT4", "INT"));
        assert!(found(Engine::Mysql, "bigint", "bigint unsigned"));
        assert!(!found(Engine::Mysql, "bigint unsigned", "bigint(20) unsigned"));
        assert!(!found(Engine::Mariadb, "varchar(36)", "char(36)"));
        assert!(found(Engine::Mysql, "char(36)", "varchar(40)"));
    }

    #[test]
    fn sqlite_goes_by_affinity() {
        let of = |raw: &str| Affinity::of(&DataType::parse(Engine::Sqlite, raw), false);
        for (child, parent, expected) in [
            ("INT", "INTEGER", false),
            ("BIGINT", "INTEGER", false),
            ("VARCHAR(10)", "TEXT", false),
            ("TEXT", "INTEGER", true),
            ("", "INTEGER", true),
            ("INTEGER", "TEXT", true),
            ("", "TEXT", true),
            ("TEXT", "", true),
            ("BLOB", "BLOB", false),
            ("", "", false),
            ("UUID", "TEXT", true),
            ("TEXT", "STRING", true),
            ("UUID", "INTEGER", false),
            ("NUMERIC", "INTEGER", false),
        ] {
            assert_eq!(by_affinity(of(child), of(parent), false).is_some(), expected, "{child} > {parent}");
        }
        let text = |of_rowid| by_affinity(Affinity::Text, Affinity::Number, of_rowid).unwrap();
        assert!(text(false).contains("the delete of 7 fails") && !text(true).contains("delete"));
    }

    #[test]
    fn finding_names_both_sides() {
        let s = crate::testing::schema(Engine::Postgres, &["p: id bigint pk", "c: p integer >p.id index"]);
        let found = crate::testing::findings(&s, "foreign-key-type-mismatch");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].message, "c.p is `integer`, its parent p.id is `bigint`");
        assert!(found[0].why.contains("2147483647"), "{}", found[0].why);
        assert_eq!(found[0].fixes[0].sql, ["ALTER TABLE c ALTER COLUMN p TYPE bigint"]);
        assert_eq!(found[0].fixes[0].safety, Safety::Manual);
    }

    #[test]
    fn undeclared_relation_says_what_to_convert() {
        let s = crate::testing::schema(Engine::Postgres, &["p: id uuid pk", "c: p text"]);
        let configured = crate::relations::ConfiguredRelation {
            child: "c".into(),
            columns: vec!["p".into()],
            parent: "p".into(),
            parent_columns: vec!["id".into()],
            on_delete: None,
            accepted: None,
        };
        let relations = crate::relations::Graph::new(&s, &[configured], 0.5);
        let settings = crate::rules::Settings::default();
        let context = Context {
            schema: &s,
            relations: &relations,
            dialect: None,
            settings: &settings,
            scan: None,
            timeline: None,
            plans: None, deletes: crate::rules::Deletes::default(),
        };
        let mut found = Vec::new();
        check(&context, &mut found);
        assert_eq!(found.len(), 1);
        assert!(found[0].help.contains("TYPE uuid USING p::uuid"), "{}", found[0].help);
        // Not every text is a uuid: what becomes of the others is not for referee to say.
        assert_eq!(found[0].fixes, []);
    }
}
