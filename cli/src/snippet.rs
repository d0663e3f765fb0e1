//! Draws a diagnostic of the configuration: the line that it is about, with a caret.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level as SnippetLevel, Renderer, Snippet};

use referee::config::{Diagnostic, Level};

/// Draws the lines that a diagnostic is about, with a caret.
pub(super) fn snippet(name: &str, text: &str, diagnostic: &Diagnostic, colour: bool, unicode: bool) -> String {
    let level = match diagnostic.level {
        Level::Error => SnippetLevel::ERROR,
        Level::Warning => SnippetLevel::WARNING,
    };
    let end = diagnostic.span.end.min(text.len());
    let start = diagnostic.span.start.min(end);
    // A caret needs a character under it, and a span over many lines hides its point.
    let end = text[start..end].find('\n').map_or(end, |at| start + at);
    let mut group = level.primary_title(diagnostic.message.as_str()).element(
        Snippet::source(text)
            .path(name)
            .annotation(AnnotationKind::Primary.span(start..end).label(diagnostic.label.as_str())),
    );
    if let Some(help) = &diagnostic.help {
        group = group.element(SnippetLevel::HELP.message(help.as_str()));
    }
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let decor = if unicode && colour { DecorStyle::Unicode } else { DecorStyle::Ascii };
    renderer.decor_style(decor).render(&[group])
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use referee::config::{Config, Date, parse};
    use referee::engine::SessionOptions;
    use referee::relations::Graph;
    use referee::schema::{Engine, Schema};
    use referee::source::Source;

    fn draw(text: &str, diagnostics: &[Diagnostic]) -> String {
        let drawn: Vec<_> = diagnostics.iter().map(|d| snippet("referee.toml", text, d, false, true)).collect();
        drawn.join("\n")
    }

    fn errors(text: &str) -> String {
        draw(text, &parse("referee.toml", text).expect_err("a configuration with errors"))
    }

    fn config(text: &str) -> Config {
        parse("referee.toml", text).unwrap_or_else(|d| panic!("{}", draw(text, &d)))
    }

    fn shop() -> Schema {
        let mut file = tempfile::Builder::new().suffix(".sql").tempfile().unwrap();
        file.write_all(
            b"CREATE TABLE customers (id int8 PRIMARY KEY, email text);
              CREATE TABLE orders (id int8 PRIMARY KEY, customer_id int8 REFERENCES customers ON DELETE CASCADE, referrer_id int8);
              CREATE SCHEMA odd;
              CREATE TABLE odd.name (id int8 PRIMARY KEY, \"a.b\" int8);",
        )
        .unwrap();
        let source = Source::parse(file.path().to_str().unwrap()).unwrap();
        let source = source.with_sql(Some(Engine::Postgres), None, None);
        source.open(&SessionOptions::default()).unwrap().schema
    }

    #[test]
    fn broken_syntax() {
        let text = r#"[audit
fail_on = "error"
"#;
        insta::assert_snapshot!(errors(text), @r#"
        error: not TOML: unclosed table, expected `]`
         --> referee.toml:1:7
          |
        1 | [audit
          |       ^ here
        "#);
    }

    #[test]
    fn misspelt_keys_suggest_the_nearest_and_come_all_at_once() {
        let text = r#"[[relatoin]]
child = "a.b"

[audit]
failon = "error"
xyz = 1
"#;
        insta::assert_snapshot!(errors(text), @r#"
        error: unknown key `relatoin` in referee.toml
         --> referee.toml:1:3
          |
        1 | [[relatoin]]
          |   ^^^^^^^^ unknown key
          |
          = help: did you mean `relation`?
        error: unknown key `failon` in [audit]
         --> referee.toml:5:1
          |
        5 | failon = "error"
          | ^^^^^^ unknown key
          |
          = help: did you mean `fail_on`?
        error: unknown key `xyz` in [audit]
         --> referee.toml:6:1
          |
        6 | xyz = 1
          | ^^^ unknown key
          |
          = help: known keys: fail_on, only, skip, tables, data, format
        "#);
    }

    #[test]
    fn wrong_values_list_the_allowed_ones() {
        let text = r#"[database]
foreign_keys = "yes"

[audit]
fail_on = "warnings"
format = 1

[infer]
threshold = 2
"#;
        insta::assert_snapshot!(errors(text), @r#"
        error: `foreign_keys` cannot be "yes"
         --> referee.toml:2:16
          |
        2 | foreign_keys = "yes"
          |                ^^^^^ not a value of this key
          |
          = help: one of "on", "off"
        error: `fail_on` cannot be "warnings"
         --> referee.toml:5:11
          |
        5 | fail_on = "warnings"
          |           ^^^^^^^^^^ not a value of this key
          |
          = help: did you mean `warning`? (allowed: "error", "warning", "info", "never")
        error: `format` must be a string, not an integer
         --> referee.toml:6:10
          |
        6 | format = 1
          |          ^ expected a string
        error: `threshold` must be a number from 0 to 1
         --> referee.toml:9:13
          |
        9 | threshold = 2
          |             ^ not a confidence
          |
          = help: 0 believes every guess, 1 none but the certain ones; the default is 0.5
        "#);
    }

    #[test]
    fn relation_needs_both_sides_and_columns() {
        let text = r#"[[relation]]
child = "orders"
parent = "customers.id"

[[relation]]
child = { table = "a", columns = ["x", "y"] }
parent = "b.id"

[[relation]]
parent = "b.id"
"#;
        insta::assert_snapshot!(errors(text), @r#"
        error: `orders` does not name a column
         --> referee.toml:2:9
          |
        2 | child = "orders"
          |         ^^^^^^^^ needs a table and a column
          |
          = help: write `table.column` or `schema.table.column`, with double quotes around a name that holds a dot: '"odd.name".column'
        error: the child has 2 columns, the parent 1: they refer to each other one by one
         --> referee.toml:7:10
          |
        7 | parent = "b.id"
          |          ^^^^^^ needs 2 here
        error: [[relation]] has no `child`
         --> referee.toml:9:1
          |
        9 | [[relation]]
          | ^^^^^^^^^^^^ needs `child`
          |
          = help: add a line such as `child = "orders.customer_id"`
        "#);
    }

    #[test]
    fn actions_are_those_of_sql() {
        let text = r#"[[policy]]
parent = "users"
on_delete = ["cascade", "set nul"]
"#;
        insta::assert_snapshot!(errors(text), @r#"
        error: `on_delete` cannot be "set nul"
         --> referee.toml:3:25
          |
        3 | on_delete = ["cascade", "set nul"]
          |                         ^^^^^^^^^ not a value of this key
          |
          = help: did you mean `set null` or `set default`? (allowed: "no action", "restrict", "cascade", "set null", "set default")
        "#);
    }

    #[test]
    fn patterns_must_be_patterns() {
        let text = r#"[[policy]]
parent = "us[ers"
on_delete = "cascade"
"#;
        insta::assert_snapshot!(errors(text), @r#"
        error: `us[ers` is not a pattern: unclosed character class; missing ']'
         --> referee.toml:2:10
          |
        2 | parent = "us[ers"
          |          ^^^^^^^^ bad pattern
          |
          = help: a pattern is a name with `*` for any characters, `?` for one, `[ab]` and `{one,other}`
        "#);
    }

    #[test]
    fn unknown_rule_suggests_the_nearest() {
        let text = r#"[audit]
skip = ["unindexed-foreign-keys"]
"#;
        insta::assert_snapshot!(errors(text), @r#"
        error: there is no rule `unindexed-foreign-keys`
         --> referee.toml:2:9
          |
        2 | skip = ["unindexed-foreign-keys"]
          |         ^^^^^^^^^^^^^^^^^^^^^^^^ unknown rule
          |
          = help: did you mean `unindexed-foreign-key`, `undeclared-foreign-key` or `unvalidated-foreign-key`?
        "#);
    }

    #[test]
    fn ignore_needs_a_reason_and_an_aim() {
        let text = r#"[[ignore]]
rule = "REF105"

[[ignore]]
reason = "all of it"

[[ignore]]
rule = "orphan-rows"
reason = " "
expires = "soon"
"#;
        insta::assert_snapshot!(errors(text), @r#"
        error: [[ignore]] has no `reason`
         --> referee.toml:1:1
          |
        1 | [[ignore]]
          | ^^^^^^^^^^ needs `reason`
          |
          = help: add a line such as `reason = "written once, never deleted"`
        error: [[ignore]] without `rule` and `subject` would hide every finding
         --> referee.toml:4:1
          |
        4 | [[ignore]]
          | ^^^^^^^^^^ too wide
          |
          = help: add `rule = "unindexed-foreign-key"`, `subject = "audit_log.*"`, or both
        error: `reason` says nothing
         --> referee.toml:9:10
          |
        9 | reason = " "
          |          ^^^ say why the finding does not matter
        error: `expires` must be a date
          --> referee.toml:10:11
           |
        10 | expires = "soon"
           |           ^^^^^^ expected a date
           |
           = help: write the last day on which it counts: `expires = 2027-01-31`
        "#);
    }

    #[test]
    fn a_list_is_written_with_two_brackets() {
        let text = r#"[policy]
parent = "users"
"#;
        insta::assert_snapshot!(errors(text), @r#"
        error: `policy` must be a list of tables, written [[policy]] with two brackets
         --> referee.toml:1:1
          |
        1 | [policy]
          | ^^^^^^^^ write [[policy]]
        "#);
    }

    #[test]
    fn relations_that_name_nothing_are_reported_and_left_out() {
        let text = r#"[[relation]]
child = "orders.referer_id"
parent = "customers.id"

[[relation]]
child = "Orders.REFERRER_ID"
parent = "public.customers.id"
on_delete = "set null"

[[relation]]
child = "order.id"
parent = "customers.id"

[[relation]]
child = "orders.customer_id"
parent = "customers.id"
"#;
        let resolved = config(text).resolve(&shop());
        let sides: Vec<_> = resolved.relations.iter().map(|r| format!("{}.{}", r.child, r.columns[0])).collect();
        assert_eq!(sides, ["orders.referrer_id", "orders.customer_id"]);
        insta::assert_snapshot!(draw(text, &resolved.warnings), @r#"
        warning: this relation names nothing in the schema and is left out
         --> referee.toml:2:9
          |
        2 | child = "orders.referer_id"
          |         ^^^^^^^^^^^^^^^^^^^ table `orders` has no column `referer_id`
          |
          = help: did you mean `referrer_id`?
        warning: this relation names nothing in the schema and is left out
          --> referee.toml:11:9
           |
        11 | child = "order.id"
           |         ^^^^^^^^^^ there is no table `order`
           |
           = help: did you mean `orders`?
        warning: the database declares this relation itself: foreign key `orders_customer_id_fkey` on orders.customer_id
          --> referee.toml:14:1
           |
        14 | [[relation]]
           | ^^^^^^^^^^^^ there as ON DELETE CASCADE
           |
           = help: remove the entry; to demand another action of the key, write a [[policy]]
        "#);
    }

    #[test]
    fn policies_about_no_key_are_reported() {
        let text = r#"[[policy]]
parent = "customer"
on_delete = "restrict"

[[policy]]
parent = "customers"
on_delete = "restrict"
except = ["orders.customer_id"]

[[policy]]
parent = "cust*"
on_delete = "restrict"
except = ["orders.customer"]
"#;
        let config = config(text);
        let graph = Graph::new(&shop(), &[], 1.0);
        insta::assert_snapshot!(draw(text, &config.unused_policies(&graph)), @r#"
        warning: this policy is about no key
         --> referee.toml:2:10
          |
        2 | parent = "customer"
          |          ^^^^^^^^^^ no table is called `customer`
          |
          = help: did you mean `customers`?
        warning: this policy is about no key
         --> referee.toml:6:10
          |
        6 | parent = "customers"
          |          ^^^^^^^^^^^ no key refers to `customers` that is not exempt
          |
          = help: correct the pattern, or remove the policy
        warning: this exemption exempts nothing
          --> referee.toml:13:11
           |
        13 | except = ["orders.customer"]
           |           ^^^^^^^^^^^^^^^^^ no child table or column is called `orders.customer`
           |
           = help: did you mean `orders.customer_id` or `orders`?
        "#);
    }

    #[test]
    fn demands_about_no_table_are_reported() {
        let text = r#"[[table]]
name = "customer"
erasable = true

[[table]]
name = "public.orders"
erasable = "complete"

[fate]
never_cascade_into = ["orders", "ledger"]
"#;
        insta::assert_snapshot!(draw(text, &config(text).unused_tables(&shop())), @r#"
        warning: this entry is about no table
         --> referee.toml:2:8
          |
        2 | name = "customer"
          |        ^^^^^^^^^^ no table is called `customer`
          |
          = help: did you mean `customers`?
        warning: this protects no table
          --> referee.toml:10:33
           |
        10 | never_cascade_into = ["orders", "ledger"]
           |                                 ^^^^^^^^ no table is called `ledger`
           |
           = help: correct the pattern, or remove it
        "#);
    }

    #[test]
    fn demands_on_deletes_are_read_strictly() {
        let text = r#"[[table]]
name = "users"
erasable = "refused"

[[table]]
erasable = 1

[fate]
max_depth = 0
never_cascade_in = "audit_log"
"#;
        insta::assert_snapshot!(errors(text), @r#"
        error: `erasable` cannot be "refused"
         --> referee.toml:3:12
          |
        3 | erasable = "refused"
          |            ^^^^^^^^^ not a value of this key
          |
          = help: one of "complete", "leaves-rows", "leaves-orphans"
        error: [[table]] has no `name`
         --> referee.toml:5:1
          |
        5 | [[table]]
          | ^^^^^^^^^ needs `name`
          |
          = help: add a line such as `name = "users"`
        error: `erasable` must be true, false or the name of a verdict, not an integer
         --> referee.toml:6:12
          |
        6 | erasable = 1
          |            ^ expected true, false or the name of a verdict
        error: `max_depth` must be a whole number from 1 on
         --> referee.toml:9:13
          |
        9 | max_depth = 0
          |             ^ not a depth
          |
          = help: how many cascades may follow each other: 1 reaches the children, 2 the grandchildren
        error: unknown key `never_cascade_in` in [fate]
          --> referee.toml:10:1
           |
        10 | never_cascade_in = "audit_log"
           | ^^^^^^^^^^^^^^^^ unknown key
           |
           = help: did you mean `never_cascade_into`?
        "#);
    }

    #[test]
    fn ignores_end_on_their_day() {
        let text = r#"[[ignore]]
rule = "REF105"
reason = "until the index is built"
expires = 2026-05-31
"#;
        let config = config(text);
        let day = |month, day| Date { year: 2026, month, day };
        assert_eq!(config.suppressions(day(5, 31)).0.len(), 1);
        let (kept, expired) = config.suppressions(day(6, 1));
        assert!(kept.is_empty());
        insta::assert_snapshot!(draw(text, &expired), @r#"
        warning: this ignore expired on 2026-05-31 and no longer hides anything
         --> referee.toml:1:1
          |
        1 | [[ignore]]
          | ^^^^^^^^^^ reason given: until the index is built
          |
          = help: repair what it hides, or give it a later date and a reason that still holds
        "#);
        insta::assert_snapshot!(draw(text, &[config.unused_ignore(0).unwrap()]), @r#"
        warning: this ignore hides no finding
         --> referee.toml:1:1
          |
        1 | [[ignore]]
          | ^^^^^^^^^^ reason given: until the index is built
          |
          = help: what it was about is repaired, or its rule or subject is misspelt: remove or correct it
        "#);
    }

    #[test]
    fn everything_that_can_be_said_is_understood() {
        let text = r#"
            relation = [{ child = '"odd.name"."a.b"', parent = { table = "customers", columns = "id" } }]
            [[policy]]
            parent = "*"
            child = "orders"
            on_delete = ["cascade", "SET NULL"]
            except = "audit_log"
            reason = "because"
            [[ignore]]
            rule = "orphan-rows"
            subject = "orders.*"
            reason = "known"
            expires = "2030-01-01"
            [[table]]
            name = "users"
            erasable = true
            reason = "a right"
            [[table]]
            name = "*"
            erasable = "leaves-orphans"
            [[table]]
            name = "orders"
            erasable = false
            [fate]
            never_cascade_into = "audit_*"
            max_depth = 3
            [database]
            foreign_keys = "on"
            [infer]
            threshold = 1
            [audit]
            fail_on = "never"
            only = "REF101"
            skip = []
            tables = ["a*", "b"]
            data = true
            format = "sarif"
        "#;
        let config = config(text);
        let relation = &config.relations[0].relation;
        assert_eq!((relation.child.name.as_str(), relation.columns[0].as_str()), ("odd.name", "a.b"));
        assert_eq!(config.policies()[0].on_delete.len(), 2);
        assert_eq!(config.foreign_keys, Some(true));
        let mut schema = shop();
        schema.tables.push(referee::schema::Table::new("audit_log".into()));
        schema.sort();
        let demands = config.deletes().in_schema(&schema);
        let erasable: Vec<String> = demands.erasable.iter().map(|(t, v)| format!("{t} {v}")).collect();
        assert_eq!(erasable, ["audit_log leaves-orphans", "customers leaves-orphans", "odd.name leaves-orphans"]);
        assert_eq!(demands.never_cascade_into.into_iter().collect::<Vec<_>>(), ["audit_log".into()]);
        assert_eq!(demands.max_depth, Some(3));
        assert_eq!(config.threshold, Some(1.0));
        assert_eq!(config.audit.only.len(), 1);
        assert_eq!(config.audit.tables.len(), 2);
        assert_eq!(config.audit.data, Some(true));
        assert_eq!(config.suppressions(Date { year: 2029, month: 1, day: 1 }).0[0].1.origin, "referee.toml:9");
    }

    #[test]
    fn the_commented_template_is_in_order_with_and_without_its_comments() {
        let mut schema = shop();
        schema.engine = Engine::Sqlite;
        let graph = Graph::new(&schema, &[], 0.5);
        let text = referee::config::init::template("shop.db", &schema, &graph);
        let silent = config(&text);
        assert!(silent.relations.is_empty() && silent.policies.is_empty() && silent.ignores.is_empty());
        let code = |line: &&str| {
            let body = line.trim_start_matches("# ");
            !line.starts_with('#')
                || body.starts_with("[[")
                || body.split_once(" = ").is_some_and(|(k, _)| !k.contains(' '))
        };
        let loud: String =
            text.lines().filter(code).map(|l| format!("{}\n", l.strip_prefix("# ").unwrap_or(l))).collect();
        let loud = config(&loud);
        assert_eq!((loud.relations.len(), loud.policies.len(), loud.ignores.len()), (1, 1, 1));
        assert_eq!((loud.tables.len(), loud.fate.never_cascade_into.len(), loud.fate.max_depth), (1, 1, Some(4)));
        assert_eq!(loud.foreign_keys, Some(true));
    }
}
