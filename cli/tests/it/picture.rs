//! The picture in the README is what the program prints.
//!
//! `SNAPSHOTS=overwrite cargo test -p referee-cli picture` draws it anew.

// A test all through: helpers may give up, too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

use snapbox::{Data, data::DataFormat};

#[test]
fn readme_shows_what_an_audit_of_the_demo_prints() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("demo.db");
    referee::demo::write(&file).unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_referee"))
            .args(["--no-config", "--color", "always"])
            .args(arguments)
            .env("COLUMNS", "80")
            .env_remove("NO_COLOR")
            .current_dir(directory.path())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let prompt = |line: &str| format!("\u{1b}[2m$\u{1b}[0m \u{1b}[1m{line}\u{1b}[0m\n");
    let shown = [
        prompt("referee graph demo.db --root projects"),
        run(&["graph", "demo.db", "--root", "projects"]),
        prompt("referee audit demo.db --table user_preferences"),
        run(&["audit", "demo.db", "--table", "user_preferences"]),
    ]
    .concat();
    assert!(shown.contains("set-null-on-not-null"), "{shown}");
    let picture = snapbox::file!["../../../docs/pictures/audit.svg": TermSvg];
    snapbox::Assert::new().action_env("SNAPSHOTS").eq(Data::text(shown).coerce_to(DataFormat::TermSvg), picture);
}
