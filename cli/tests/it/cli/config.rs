//! `referee.toml` and baselines, from the outside.

use crate::cli::support::Sandbox;

#[test]
fn a_wrong_configuration_stops_the_audit_with_its_line() {
    let sandbox = Sandbox::with_shop();
    sandbox.write("referee.toml", "[audit]\nfail_on = \"warnings\"\n\n[databse]\n");
    let run = sandbox.run(&["audit", "shop.json"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    insta::assert_snapshot!(run.err, @r#"
        error: `fail_on` cannot be "warnings"
         --> referee.toml:2:11
          |
        2 | fail_on = "warnings"
          |           ^^^^^^^^^^ not a value of this key
          |
          = help: did you mean `warning`? (allowed: "error", "warning", "info", "never")
        error: unknown key `databse` in referee.toml
         --> referee.toml:4:2
          |
        4 | [databse]
          |  ^^^^^^^ unknown key
          |
          = help: did you mean `database`?
        error: referee.toml has 2 errors
        hint: correct the file, or run with --no-config to do without it
        "#);
    assert_ne!(sandbox.run(&["audit", "shop.json", "--no-config"]).code, 2);
}

#[test]
fn a_configuration_that_is_named_must_be_there() {
    let sandbox = Sandbox::with_shop();
    let run = sandbox.run(&["audit", "shop.json", "--config", "other.toml"]);
    assert_eq!(run.code, 2);
    insta::assert_snapshot!(run.err, @r#"
        error: cannot read other.toml: no such file or directory
        hint: `referee init SOURCE` writes a new one; --no-config does without
        "#);
}

#[test]
fn entries_that_do_nothing_are_reported_with_their_line() {
    let sandbox = Sandbox::with_shop();
    sandbox.write(
        "referee.toml",
        "[[relation]]\nchild = \"order.customer_id\"\nparent = \"customers.id\"\n\n\
         [[policy]]\nparent = \"people\"\non_delete = \"cascade\"\n\n\
         [[ignore]]\nrule = \"invalid-index\"\nsubject = \"nothing\"\nreason = \"rebuilt at night\"\n\n\
         [[ignore]]\nrule = \"REF101\"\nreason = \"old\"\nexpires = 2020-01-01\n",
    );
    let run = sandbox.run(&["audit", "shop.json", "--fail-on", "never"]);
    assert_eq!(run.code, 0, "{}", run.err);
    insta::assert_snapshot!(run.err, @r#"
        warning: this relation names nothing in the schema and is left out
         --> referee.toml:2:9
          |
        2 | child = "order.customer_id"
          |         ^^^^^^^^^^^^^^^^^^^ there is no table `order`
          |
          = help: did you mean `orders`?
        warning: this ignore expired on 2020-01-01 and no longer hides anything
          --> referee.toml:14:1
           |
        14 | [[ignore]]
           | ^^^^^^^^^^ reason given: old
           |
           = help: repair what it hides, or give it a later date and a reason that still holds
        warning: this policy is about no key
         --> referee.toml:6:10
          |
        6 | parent = "people"
          |          ^^^^^^^^ no table is called `people`
          |
          = help: correct the pattern, or remove the policy
        warning: this ignore hides no finding
         --> referee.toml:9:1
          |
        9 | [[ignore]]
          | ^^^^^^^^^^ reason given: rebuilt at night
          |
          = help: what it was about is repaired, or its rule or subject is misspelt: remove or correct it
        "#);
}

#[test]
fn defaults_of_the_configuration_are_used_and_options_win() {
    let sandbox = Sandbox::with_shop();
    sandbox.write("referee.toml", "[audit]\nformat = \"json\"\nfail_on = \"never\"\n");
    let by_file = sandbox.run(&["audit", "shop.json"]);
    assert_eq!(by_file.code, 0);
    let by_option = sandbox.run(&["--no-config", "audit", "shop.json", "--format", "json", "--fail-on", "never"]);
    assert_eq!(by_file.out, by_option.out);
}

#[test]
fn a_baseline_of_another_format_is_refused() {
    let sandbox = Sandbox::with_shop();
    sandbox.write("old.json", r#"{"format":"referee-baseline/9","findings":[]}"#);
    sandbox.write("junk.json", "junk");
    for file in ["old.json", "junk.json", "missing.json"] {
        let run = sandbox.run(&["audit", "shop.json", "--baseline", file]);
        assert_eq!(run.code, 2, "{file}");
        assert!(run.err.contains(file), "{}", run.err);
        assert!(run.err.contains("hint: write it again: `referee baseline write SOURCE -o "), "{}", run.err);
    }
}

#[test]
fn a_baseline_hides_what_it_lists_and_entries_about_nothing_are_told() {
    let sandbox = Sandbox::with_shop();
    let written = sandbox.run(&["baseline", "write", "shop.json", "-o", "known.json"]);
    assert_eq!(written.code, 0, "{}", written.err);
    let audited = sandbox.run(&["audit", "shop.json", "--baseline", "known.json", "--fail-on", "info"]);
    assert_eq!(audited.code, 0, "{}{}", audited.out, audited.err);

    let gone = r#"{"fingerprint": "0123456789abcdef", "rule": "invalid-index", "place": "t.x", "reason": "r"}"#;
    let text = format!(r#"{{"format": "referee-baseline/1", "findings": [{gone}]}}"#);
    sandbox.write("gone.json", &text);
    let run = sandbox.run(&["audit", "shop.json", "--baseline", "gone.json", "--fail-on", "never"]);
    insta::assert_snapshot!(run.err, @r#"
        warning: gone.json: 1 entry hides no finding any more: invalid-index t.x
        hint: they are fixed; remove them: `referee baseline write SOURCE -o gone.json`
        "#);
}

#[test]
fn init_writes_a_configuration_that_changes_nothing_and_never_overwrites() {
    let sandbox = Sandbox::with_shop();
    let before = sandbox.run(&["audit", "shop.json"]);
    assert_eq!(sandbox.run(&["init", "shop.json"]).code, 0);
    let after = sandbox.run(&["audit", "shop.json"]);
    assert_eq!((before.code, before.out, before.err), (after.code, after.out, after.err));

    sandbox.write("referee.toml", "# mine\n");
    let again = sandbox.run(&["init", "shop.json"]);
    assert_eq!(again.code, 2);
    assert!(again.err.contains("is there already"), "{}", again.err);
    assert_eq!(sandbox.read("referee.toml"), "# mine\n");
    assert_eq!(sandbox.run(&["init", "shop.json", "--force"]).code, 0);
    assert_ne!(sandbox.read("referee.toml"), "# mine\n");
}
