//! What a role may not read is named with the grant that helps, and the rest is counted; a replica is told from its primary.

use std::process::Command;

use referee::engine::EngineErrorKind;

use super::postgres::session;
use crate::support::postgres as server;

/// Runs a verb of the binary, and returns its exit code and everything that it printed, each run of blanks one blank.
fn run(verb: &str, url: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_referee"));
    let output = command.arg(verb).arg(url).args(arguments).current_dir(folder.path()).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code(), text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Users that posts, notes and tags refer to; tags and labels have an orphan each. Nobody but the superuser reads anything.
const TABLES: &str = "
    CREATE TABLE users (id int PRIMARY KEY, secret text);
    CREATE TABLE posts (id int PRIMARY KEY, user_id int REFERENCES users);
    CREATE TABLE notes (id int PRIMARY KEY, user_id int REFERENCES users);
    CREATE TABLE tags (id int PRIMARY KEY, user_id int, post_id int REFERENCES posts);
    CREATE SCHEMA app; CREATE TABLE app.labels (id int PRIMARY KEY, note_id int);
    CREATE INDEX ON posts (user_id); CREATE INDEX ON notes (user_id); CREATE INDEX ON tags (user_id);
    CREATE INDEX ON tags (post_id); CREATE INDEX ON app.labels (note_id);
    INSERT INTO users VALUES (1); INSERT INTO tags VALUES (1, 9, NULL); INSERT INTO app.labels VALUES (1, 9);
    ALTER TABLE tags ADD CONSTRAINT tags_user FOREIGN KEY (user_id) REFERENCES users NOT VALID;
    ALTER TABLE app.labels ADD CONSTRAINT labels_note FOREIGN KEY (note_id) REFERENCES notes NOT VALID;";

/// Makes such a database, with a role that was granted something, and returns the role's URL and name.
fn granted(server: &server::Server, grants: &str) -> (String, String) {
    let url = server.fresh_database();
    let role = format!("Reader {}-{}", url.split(['/', '?']).nth(3).unwrap(), server.major);
    server::execute(&url, TABLES);
    server::execute(&url, &format!("CREATE ROLE \"{role}\" LOGIN"));
    if !grants.is_empty() {
        server::execute(&url, &grants.replace("ROLE", &format!("\"{role}\"")));
    }
    (url.replace("postgres@", &format!("{}@", role.replace(' ', "%20"))), role)
}

#[test]
fn columns_that_may_not_be_read_are_known() {
    for server in server::servers() {
        let (url, role) = granted(server, "GRANT SELECT (id) ON users TO ROLE; GRANT SELECT ON posts TO ROLE");
        let mut session = session(&url);
        assert_eq!(session.user(), Some(role.as_str()));
        let schema = session.inspect().unwrap();
        let table = |name: &str| schema.table(&name.parse().unwrap()).unwrap();
        assert_eq!(
            (table("users").readable, &table("users").unreadable_columns[..]),
            (true, &["secret".to_string()][..])
        );
        assert!(table("posts").readable && table("posts").unreadable_columns.is_empty());
        assert!(!table("notes").readable && table("notes").unreadable_columns.is_empty());
        assert!(!table("app.labels").readable);
        let (id, secret) = ("id".to_string(), "secret".to_string());
        assert_eq!(table("users").unreadable([&id]), None);
        assert_eq!(table("users").unreadable([&id, &secret]), Some(vec!["secret"]));
        assert_eq!(table("notes").unreadable([&id]), Some(Vec::new()));
    }
}

#[test]
fn a_grant_on_the_columns_of_a_relation_is_enough_to_count_its_orphans() {
    for server in server::servers() {
        let (url, _) = granted(
            server,
            "GRANT SELECT (id) ON users TO ROLE; GRANT SELECT (user_id, post_id) ON tags TO ROLE; \
                                        GRANT SELECT (id) ON posts TO ROLE; GRANT SELECT (user_id) ON posts, notes TO ROLE; \
                                        GRANT USAGE ON SCHEMA app TO ROLE; GRANT SELECT ON app.labels TO ROLE; \
                                        GRANT SELECT (id) ON notes TO ROLE",
        );
        let (code, said) = run("audit", &url, &["--data"]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("1 row of `tags` refers by `user_id` to rows of `users` that do not exist"), "{said}");
        assert!(said.contains("1 row of `app.labels` refers by `note_id`"), "{said}");
        assert!(!said.contains("could not"), "{said}");
    }
}

#[test]
fn what_is_missing_is_told_once_with_the_grant_that_helps_and_the_rest_is_counted() {
    for server in server::servers() {
        let (url, role) =
            granted(server, "GRANT SELECT (secret) ON users TO ROLE; GRANT SELECT ON posts, notes, tags TO ROLE");
        let admin = format!("postgres@{}", url.split_once('@').unwrap().1);
        let admin = format!("postgres://{admin}");
        server::execute(&admin, "INSERT INTO posts VALUES (1, 1); INSERT INTO tags VALUES (2, NULL, 1)");
        server::execute(&admin, "ALTER TABLE tags DISABLE TRIGGER ALL; UPDATE tags SET post_id = 9");
        let (code, said) = run("audit", &url, &["--data"]);
        assert_eq!(code, Some(2), "{said}");
        let about_users = "could not count orphans of notes.user_id, posts.user_id, tags.user_id: no SELECT on public.users (column id)";
        assert!(said.contains(about_users), "{said}");
        let grants = [
            format!("let the owner run `GRANT SELECT (id) ON public.users TO \"{role}\"`"),
            format!(
                "let the owner run `GRANT USAGE ON SCHEMA app TO \"{role}\"; GRANT SELECT ON app.labels TO \"{role}\"`"
            ),
        ];
        for grant in &grants {
            // In the report and beside it.
            assert_eq!(said.matches(grant.as_str()).count(), 2, "{grant}: {said}");
        }
        assert!(said.contains("could not count orphans of app.labels.note_id: no SELECT on app.labels"), "{said}");
        assert!(said.contains("2 rows of `tags` refer by `post_id` to rows of `posts` that do not exist"), "{said}");
        let json = run("audit", &url, &["--data", "--format", "json", "--quiet"]).1;
        assert_eq!(json.matches("\"count orphans of ").count(), 2, "{json}");
        // What is advised is enough.
        for grant in grants {
            server::execute(&admin, grant.split('`').nth(1).unwrap());
        }
        let (code, said) = run("audit", &url, &["--data"]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("1 row of `tags` refers by `user_id`"), "{said}");
        assert!(said.contains("1 row of `app.labels` refers by `note_id`"), "{said}");
    }
}

#[test]
fn nothing_fails_where_guesses_are_made_from_columns_that_may_be_read() {
    for server in server::servers() {
        let (url, _) =
            granted(server, "GRANT SELECT (id) ON users TO ROLE; GRANT SELECT ON posts, notes, tags TO ROLE");
        let (code, said) = run("infer", &url, &[]);
        assert_eq!(code, Some(0), "{said}");
        assert!(!said.contains("permission denied") && !said.contains("could not read"), "{said}");
    }
}

#[test]
fn a_replica_is_named_and_nothing_is_applied_to_it() {
    let server = &server::servers()[0];
    let primary = server.start(&server::Setup::default());
    // Both begin as the same cluster, so that one can follow the other.
    let from = format!("host={} port={} user=postgres", primary.dir.display(), primary.port);
    let follows = server::Setup {
        settings: vec![("primary_conninfo", from), ("hot_standby", "on".into())],
        files: vec![("data/standby.signal", String::new())],
        ..server::Setup::default()
    };
    let standby = server.start(&follows);
    let url = primary.fresh_database();
    server::execute(&url, TABLES);
    let name = url.split(['/', '?']).nth(3).unwrap();
    let there = standby.url(name);
    server::wait_for(&standby.url("postgres"), &format!("SELECT 1 FROM pg_database WHERE datname = '{name}'"));
    server::wait_for(&there, "SELECT 1 FROM pg_constraint WHERE conname = 'labels_note'");

    assert_eq!(session(&url).replica().unwrap(), None);
    assert!(session(&there).replica().unwrap().unwrap().age.is_some());
    let (code, said) = run("audit", &there, &["--data"]);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(said.matches("is a replica; its newest transaction is ").count(), 1, "{said}");
    assert!(said.contains("1 row of `tags` refers by `user_id`"), "{said}");
    assert!(!run("audit", &url, &["--data"]).1.contains("replica"));
    for options in [&["--apply", "--yes"][..], &["--apply", "--yes", "--orphans", "delete"]] {
        let (code, said) = run("fix", &there, options);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("is a replica, and takes no changes"), "{said}");
        assert!(said.contains("hint: name the primary in the URL"), "{said}");
        assert!(!said.contains("Step 1"), "before anything is planned: {said}");
    }
    let options = referee::engine::SessionOptions::default();
    let target = referee::engine::postgres::Target::parse(&there, &options.environment).unwrap();
    let error = referee::engine::postgres::open_writer(&target, &options).err().unwrap();
    assert_eq!(error.kind, EngineErrorKind::Connect);
}
