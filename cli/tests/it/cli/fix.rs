//! `referee fix`: the plan, as people and programs read it.

use crate::cli::support::Sandbox;

#[test]
fn the_plan_fits_a_terminal_and_shows_both_ways_out() {
    let sandbox = Sandbox::with_shop();
    let run = sandbox.run(&["fix", "shop.json", "--no-config"]);
    assert_eq!(run.code, 0, "{}", run.out);
    assert!(run.err.contains("nothing was changed; --out DIR writes it"), "a document cannot be changed: {}", run.err);
    assert!(run.out.contains("   undo  DROP INDEX CONCURRENTLY IF EXISTS"), "{}", run.out);
    for line in run.out.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    // Lines are wrapped at any space.
    let text = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "orders_customer_id_idx",
        "ON DELETE NO ACTION",
        "NOT VALID",
        "REF201 set-null-on-not-null",
        "protect",
        "drop-not-null",
        "(recommended)",
        "INDEX CONCURRENTLY",
    ] {
        assert!(text.contains(words), "{words}:\n{}", run.out);
    }
    let ascii = sandbox.run(&["fix", "shop.json", "--no-config", "--ascii"]);
    assert!(ascii.out.is_ascii(), "{}", ascii.out);

    let chosen = sandbox.run(&["fix", "shop.json", "--no-config", "--choose", "orders.customer_id=drop-not-null"]);
    assert!(chosen.out.contains("Drop NOT NULL from orders.customer_id"), "{}", chosen.out);
    assert!(!chosen.out.contains("NOT VALID"), "{}", chosen.out);
}

#[test]
fn a_copy_of_the_database_is_advised_first() {
    let sandbox = Sandbox::with_shop();
    let file = sandbox.path("it's.db");
    rusqlite::Connection::open(&file)
        .unwrap()
        .execute_batch("CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p_id INTEGER REFERENCES p (id));")
        .unwrap();
    let run = sandbox.run(&["fix", "it's.db", "--no-config"]);
    let command = "sqlite3 'it'\\''s.db' \"VACUUM INTO 'before.db'\"";
    assert!(run.out.contains(command), "{}", run.out);
    assert!(run.err.contains("--apply carries it out"), "{}", run.err);
    assert!(sandbox.run(&["fix", "it's.db", "--no-config", "--format", "markdown"]).out.contains(command));
    assert!(sandbox.run(&["fix", "it's.db", "--no-config", "--format", "sql"]).out.contains(command));
    let none = sandbox.run(&["fix", "shop.json", "--no-config", "--format", "markdown"]);
    assert!(!none.out.contains("a copy of the database"), "{}", none.out);
}

#[test]
fn a_pattern_that_is_about_no_table_is_told() {
    let sandbox = Sandbox::with_shop();
    let none = sandbox.run(&["fix", "shop.json", "--no-config", "--table", "costumers"]);
    assert!(none.code == 2 && none.err.contains("error: no table matches costumers\n"), "{}", none.err);
    let some = sandbox.run(&["fix", "shop.json", "--no-config", "--table", "cust*"]);
    assert!(some.code == 0 && !some.err.contains("no table matches"), "{}", some.err);
}

#[test]
fn only_what_is_asked_for_is_planned() {
    let sandbox = Sandbox::with_shop();
    let only = sandbox.run(&["fix", "shop.json", "--no-config", "--only", "REF105"]);
    assert!(only.out.contains("1 step\n") && only.out.contains("orders_customer_id_idx"), "{}", only.out);
    let none = sandbox.run(&["fix", "shop.json", "--no-config", "--table", "customers"]);
    assert!(none.out.contains("There is nothing to do."), "{}", none.out);
    let root = sandbox.run(&["fix", "shop.json", "--no-config", "--root", "customers"]);
    // What SET NULL on NOT NULL was meant to do is for a person to say.
    let text = root.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("FATE fate") && text.contains("No step is planned"), "{}", root.out);
    for word in ["drop-not-null", "protect", "cascade"] {
        assert!(text.contains(&format!("--choose 'orders.customer_id={word}'")), "{word}: {}", root.out);
    }
    assert!(text.contains("a delete from `customers` also deletes rows of `orders`"), "{}", root.out);
    assert!(!root.out.contains("REF201"), "{}", root.out);
}

#[test]
fn the_choice_in_the_help_is_one_that_a_finding_offers() {
    let sandbox = Sandbox::new();
    let help = sandbox.run(&["fix", "--help"]).out;
    let example =
        help.lines().find_map(|l| l.trim().strip_prefix("referee ").filter(|l| l.contains("--choose"))).unwrap();
    let sql = "CREATE TABLE teams (id INTEGER PRIMARY KEY);
        CREATE TABLE users (id INTEGER PRIMARY KEY, team_id INTEGER NOT NULL REFERENCES teams (id) ON DELETE SET NULL);";
    rusqlite::Connection::open(sandbox.path("shop.db")).unwrap().execute_batch(sql).unwrap();
    let run = sandbox.run(&example.split_whitespace().collect::<Vec<_>>());
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("Drop NOT NULL from users.team_id"), "{}", run.out);
}

#[test]
fn a_choice_that_is_about_nothing_is_an_error() {
    let sandbox = Sandbox::with_shop();
    let choices = "the choices there are: protect, drop-not-null\n";
    for (choice, said) in [
        ("orders.customer_id=cascade", format!("orders.customer_id does not offer cascade; {choices}")),
        // It is what the key says already, and what the finding is about: nothing else is taken in its place.
        ("orders.customer_id=set-null", format!("orders.customer_id does not offer set-null; {choices}")),
        ("nothing.here=protect", "--choose nothing.here=protect matches nothing in this plan\n".to_string()),
    ] {
        let run = sandbox.run(&["fix", "shop.json", "--no-config", "--choose", choice]);
        assert_eq!((run.code, run.out.as_str()), (2, ""));
        assert!(run.err.contains(&said), "{}", run.err);
        assert!(run.err.contains("orders.customer_id=drop-not-null") || choice.starts_with("nothing"), "{}", run.err);
        assert!(
            !choice.starts_with("nothing") || run.err.contains("orders.customer_id=protect|drop-not-null"),
            "{}",
            run.err
        );
    }
    let run = sandbox.run(&["fix", "shop.json", "--choose", "protect"]);
    assert!(run.code == 2 && run.err.contains("SUBJECT=WORD"), "{}", run.err);
    let run = sandbox.run(&["fix", "shop.json", "--no-config", "--root", "nothing"]);
    assert!(run.code == 2 && run.err.contains("no table `nothing`"), "{}", run.err);
}

#[test]
fn the_document_satisfies_its_schema_and_every_format_is_the_same_twice() {
    let sandbox = Sandbox::with_shop();
    let schema = serde_json::from_str(&sandbox.run(&["json-schema", "plan"]).out).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let json = sandbox.run(&["fix", "shop.json", "--no-config", "--format", "json"]).out;
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    let errors: Vec<_> = validator.iter_errors(&document).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(document["format"], "referee-plan/1");
    assert!(!validator.is_valid(&serde_json::json!({ "format": "referee-plan/1" })));
    for format in ["text", "json", "markdown", "sql"] {
        let arguments = ["fix", "shop.json", "--no-config", "--format", format];
        let (one, two) = (sandbox.run(&arguments), sandbox.run(&arguments));
        assert!(one.out == two.out && one.out.ends_with('\n') && one.code == 0, "{format}");
    }
    let markdown = sandbox.run(&["fix", "shop.json", "--no-config", "--format", "markdown"]).out;
    assert!(markdown.starts_with("# Plan for `shop.json`") && markdown.contains("\n## Choices\n"), "{markdown}");
    let sql = sandbox.run(&["fix", "shop.json", "--no-config", "--format", "sql"]).out;
    let statements = sql.lines().filter(|l| !l.starts_with("--") && !l.is_empty());
    assert!(statements.count() > 1 && sql.contains("\n-- Indexes\n"), "{sql}");
}
