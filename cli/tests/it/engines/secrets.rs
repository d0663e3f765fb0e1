//! A password in a URL: nothing that the binary writes holds it, whichever verb and format, and however the run ends.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::engines::connections::guarded;
use crate::support::postgres as server;

/// What no output may hold; in the URL a part of it is encoded.
const PASSWORD: &str = "Zq9/s3cr3t";
const ENCODED: &str = "Zq9%2Fs3cr3t";

const FORMATS: &[(&[&str], &[&str])] = &[
    (&["audit"], &["text", "json", "sarif", "markdown", "github", "gitlab", "junit", "html"]),
    (&["audit", "--data", "--verify-indexes"], &["text", "json"]),
    (&["graph"], &["tree", "mermaid", "dot", "svg", "json"]),
    (&["fate"], &["text", "json", "markdown"]),
    (&["infer"], &["text", "json", "markdown"]),
    (&["schema"], &["text", "json"]),
    (&["fix"], &["text", "json", "markdown", "sql"]),
    (&["fix", "--orphans", "delete"], &["text", "markdown", "sql"]),
    (&["verify", "--plan", "plan.json"], &["text", "json", "markdown"]),
];

struct Place(tempfile::TempDir);

impl Place {
    fn run(&self, arguments: &[&str]) -> i32 {
        let output = Command::new(env!("CARGO_BIN_EXE_referee"))
            .args(arguments)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .env_remove("PGPASSWORD")
            .output()
            .unwrap();
        for text in [&output.stdout, &output.stderr] {
            let text = String::from_utf8_lossy(text);
            assert!(!text.contains("s3cr3t"), "{arguments:?} shows the password:\n{text}");
        }
        self.look(self.0.path(), arguments);
        output.status.code().unwrap()
    }

    /// Looks into every file that was written.
    fn look(&self, folder: &Path, arguments: &[&str]) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            assert!(!path.to_string_lossy().contains("s3cr3t"), "{arguments:?}: {}", path.display());
            if path.is_dir() {
                self.look(&path, arguments);
            } else {
                let text = std::fs::read(&path).unwrap();
                let text = String::from_utf8_lossy(&text);
                assert!(!text.contains("s3cr3t"), "{arguments:?} writes the password into {}", path.display());
            }
        }
    }
}

/// Runs each verb in its formats; where it is refused before it has anything to write, in one of them.
fn every_verb(place: &Place, url: &str, refused: bool) {
    let codes: &[i32] = if refused { &[2] } else { &[0, 1] };
    for (verb, formats) in FORMATS {
        for format in formats.iter().take(if refused { 1 } else { formats.len() }) {
            let source = [verb[0], url];
            let rest = [&verb[1..], &["--format", format]].concat();
            let printed = place.run(&[&source[..], &rest, &["--verbose"]].concat());
            assert!(codes.contains(&printed), "{verb:?} {format}: {printed}");
            if !refused {
                place.run(&[&source[..], &rest, &["-o", &format!("out.{format}")]].concat());
            }
        }
    }
    for arguments in [
        &["init", url, "-o", "made.toml"][..],
        &["baseline", "write", url, "-o", "baseline.json"],
        &["audit", url, "--baseline", "baseline.json"],
        &["infer", url, "--write-config"],
        &["fate", url, "parents", "--where", "id = 1", "--count"],
        &["fate", url, "nowhere"],
        &["fix", url, "--out", "files", "--layout", "sql", "--orphans", "delete"],
        &["fix", url, "--choose", "a.b=c"],
        &["fix", url, "--apply"],
    ] {
        place.run(arguments);
    }
}

#[test]
fn no_output_holds_the_password() {
    let server = guarded();
    server::execute(&server.running.url("postgres"), "CREATE DATABASE vault");
    let admin = server.running.url("vault");
    server::execute(&admin, &format!("CREATE ROLE keeper LOGIN PASSWORD '{PASSWORD}'"));
    server::execute(&admin, "ALTER DATABASE vault OWNER TO keeper; GRANT ALL ON SCHEMA public TO keeper");
    server::execute(
        &admin,
        "SET ROLE keeper;
         CREATE TABLE parents (id int PRIMARY KEY);
         CREATE TABLE children (id int PRIMARY KEY, parent_id int NOT NULL);
         INSERT INTO children VALUES (1, 99);
         ALTER TABLE children ADD CONSTRAINT children_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES parents NOT VALID;
         CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'kept'; END $$;
         CREATE TRIGGER keep BEFORE DELETE ON children FOR EACH ROW EXECUTE FUNCTION keep();",
    );
    let port = server.running.port;
    let place = Place(tempfile::tempdir().unwrap());
    let urls = [
        format!("postgres://keeper:{ENCODED}@127.0.0.1:{port}/vault?sslmode=disable"),
        format!("postgresql://keeper@127.0.0.1:{port}/vault?sslmode=disable&password={ENCODED}&connect_timeout=5"),
    ];
    assert_eq!(place.run(&["fix", &urls[0], "--format", "json", "-o", "plan.json"]), 0);
    for url in &urls {
        every_verb(&place, url, false);
    }
    // A run that stops, and one with other options after it: its hint says how to go on.
    let run = place.run(&["fix", &urls[0], "--apply", "--yes", "--orphans", "children.parent_id=delete"]);
    assert_eq!(run, 2, "the trigger stops it");
    for format in ["text", "json"] {
        assert_eq!(place.run(&["fix", &urls[0], "--apply", "--yes", "--format", format]), 2);
        place.run(&["fix", &urls[0], "--apply", "--yes", "--orphans", "children.parent_id=delete", "--format", format]);
    }
    assert!(place.0.path().join(".referee").is_dir(), "the run was recorded");
}

#[test]
fn no_refusal_holds_the_password() {
    let port = guarded().running.port;
    let place = Place(tempfile::tempdir().unwrap());
    std::fs::write(place.0.path().join("plan.json"), "{}").unwrap();
    for url in [
        format!("postgres://ann:{ENCODED}@127.0.0.1:{port}/shop"),
        format!("postgres://ann:{ENCODED}@127.0.0.1:1/shop"),
        format!("postgres://ann:{ENCODED}@no-such-host.invalid/shop"),
        format!("postgres://ann@127.0.0.1:{port}/shop?password={ENCODED}"),
        format!("postgres://ann:{ENCODED}@127.0.0.1:{port}/none"),
        format!("postgres://ann:{PASSWORD}@127.0.0.1:{port}/shop"),
        format!("postgres://ann:{ENCODED}@127.0.0.1:{port}/shop?nonsense=1"),
        format!("postgres://ann:{ENCODED}@127.0.0.1:port/shop"),
        format!("postgre://ann:{ENCODED}@127.0.0.1/shop"),
        format!("mysql://ann:{ENCODED}@127.0.0.1/shop"),
        format!("host=127.0.0.1 user=ann password={ENCODED}"),
        format!("ann:{ENCODED}@127.0.0.1/shop"),
    ] {
        every_verb(&place, &url, true);
        // In the place of a file or of a verb.
        for arguments in [
            &[url.as_str()][..],
            &["audit", "x.db", "--baseline", &url],
            &["audit", "x.db", "--config", &url],
            &["audit", "x.db", "-o", &url],
            &["audit", "x.db", &url],
            &["verify", "x.db", "--plan", &url],
            &["lint", &url],
            &["audit", "--nonsense", &url],
            &["fix", "x.db", "--apply", "--journal", &url],
        ] {
            assert_eq!(place.run(arguments), 2, "{arguments:?}");
        }
    }
}
