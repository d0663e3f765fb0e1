//! Rows that a policy hides from this session: nothing is counted, judged, changed or validated through it.

use std::process::{Command, Output};

use referee::engine::EngineErrorKind;
use referee::job::Context;

use super::postgres::session;
use crate::support::postgres as server;

/// A database with an owner who is bound by policies, a role that only reads, and one that sees all rows.
struct Tenants {
    admin: String,
    name: String,
    folder: tempfile::TempDir,
}

/// Users of two tenants, each with posts; every post has its user. Tags have an orphan that no policy hides.
const TABLES: &str = "
    CREATE TABLE users (id int PRIMARY KEY, tenant text NOT NULL);
    CREATE TABLE posts (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users ON DELETE CASCADE);
    CREATE TABLE tags (id int PRIMARY KEY);
    CREATE TABLE labels (id int PRIMARY KEY, tag_id int NOT NULL CONSTRAINT labels_tag REFERENCES tags);
    CREATE INDEX ON posts (user_id); CREATE INDEX ON labels (tag_id);
    CREATE POLICY own_tenant ON users USING (tenant = current_setting('app.tenant', true));
    INSERT INTO users VALUES (1, 'a'), (2, 'b'); INSERT INTO posts VALUES (1, 1), (2, 2), (3, 1);
    INSERT INTO tags VALUES (1);";

impl Tenants {
    fn new(server: &server::Server, more: &str) -> Self {
        let admin = server.fresh_database();
        let name = format!("{}_{}", admin.split(['/', '?']).nth(3).unwrap(), server.major);
        server::execute(
            &admin,
            &format!(
                "CREATE ROLE owner_{name} LOGIN; CREATE ROLE reader_{name} LOGIN; CREATE ROLE whole_{name} LOGIN BYPASSRLS;
                 GRANT ALL ON SCHEMA public TO owner_{name}; SET ROLE owner_{name}; {TABLES}
                 GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader_{name}, whole_{name};
                 RESET ROLE; ALTER TABLE labels DISABLE TRIGGER ALL; INSERT INTO labels VALUES (1, 1), (2, 9);
                 ALTER TABLE labels ENABLE TRIGGER ALL; SET ROLE owner_{name}; {more}"
            ),
        );
        Self { admin, name, folder: tempfile::tempdir().unwrap() }
    }

    fn url(&self, role: &str) -> String {
        self.admin.replace("postgres@", &format!("{role}_{}@", self.name))
    }

    fn run(&self, role: &str, verb: &str, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_referee"));
        command.arg(verb).arg(self.url(role)).args(arguments).current_dir(self.folder.path());
        Said(command.env_remove("PGOPTIONS").output().unwrap())
    }

    fn number(&self, sql: &str) -> i64 {
        server::connect(&self.admin).query_one(sql, &[]).unwrap().get(0)
    }
}

struct Said(Output);

impl Said {
    fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    fn out(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    /// Everything, each run of blanks one blank.
    fn all(&self) -> String {
        let all = format!("{}\n{}", self.out(), String::from_utf8_lossy(&self.0.stderr));
        all.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn has(&self, text: &str) {
        assert!(self.all().contains(text), "no {text:?} in:\n{}", self.all());
    }

    #[track_caller]
    fn lacks(&self, text: &str) {
        assert!(!self.all().contains(text), "{text:?} in:\n{}", self.all());
    }
}

const FORCED: &str = "ALTER TABLE users ENABLE ROW LEVEL SECURITY; ALTER TABLE users FORCE ROW LEVEL SECURITY;";
const HIDES: &str = "row-level security on `users` (policy own_tenant) hides rows from this role";

#[test]
fn the_catalog_says_from_whom_rows_are_hidden() {
    for server in server::servers() {
        let tenants = Tenants::new(server, "ALTER TABLE users ENABLE ROW LEVEL SECURITY");
        let filter = |role: &str| {
            let url = if role == "postgres" { tenants.admin.clone() } else { tenants.url(role) };
            let schema = session(&url).inspect().unwrap();
            assert!(schema.table(&"posts".into()).unwrap().row_filter.is_none());
            schema.table(&"users".into()).unwrap().row_filter.clone()
        };
        let found = filter("reader").unwrap();
        assert_eq!((found.policies, found.forced), (vec!["own_tenant".to_string()], false));
        assert_eq!([filter("owner"), filter("whole"), filter("postgres")], [None, None, None]);
        server::execute(&tenants.admin, "ALTER TABLE users FORCE ROW LEVEL SECURITY");
        assert!(filter("owner").unwrap().forced);
        assert_eq!([filter("whole"), filter("postgres")], [None, None]);
    }
}

#[test]
fn a_query_about_rows_that_are_hidden_is_refused_and_others_are_not() {
    for server in server::servers() {
        let tenants = Tenants::new(server, FORCED);
        let mut session = session(&tenants.url("owner"));
        let error = session.query("SELECT count(*) FROM users").unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::Permission, "{error}");
        assert!(error.hint.as_ref().unwrap().contains("BYPASSRLS"), "{error:?}");
        assert!(error.hint.as_ref().unwrap().contains("FORCE"), "the owner is told why he is filtered: {error:?}");
        assert!(error.message.starts_with("this role does not see all rows: "), "{error}");
        assert_eq!(error.sql.as_deref(), Some("SELECT count(*) FROM users"), "as it was asked");
        assert_eq!(session.query("SELECT count(*) FROM posts").unwrap().rows[0][0].integer(), Some(3));
        // The setting is each request's own: behind a pooler the next one may meet another session.
        assert_eq!(session.query("SHOW row_security").unwrap().rows[0][0].to_string(), "off");
    }
}

#[test]
fn an_audit_says_what_it_did_not_look_at_and_counts_the_rest() {
    for server in server::servers() {
        for (role, more, remedy) in [
            ("owner", FORCED, "FORCE ROW LEVEL SECURITY hides rows from the owner, too"),
            ("reader", "ALTER TABLE users ENABLE ROW LEVEL SECURITY", "connect as the table's owner, a superuser"),
        ] {
            let tenants = Tenants::new(server, more);
            let said = tenants.run(role, "audit", &["--data"]);
            assert_eq!(said.code(), Some(2), "{}", said.all());
            said.has("could not count orphans of posts.user_id");
            said.has(HIDES);
            said.has(remedy);
            said.lacks("3 rows of `posts`");
            said.has("1 row of `labels` refers by `tag_id` to rows of `tags` that do not exist");
            let json: serde_json::Value =
                serde_json::from_str(&tenants.run(role, "audit", &["--data", "--format", "json"]).out()).unwrap();
            let failures = json["failures"].as_array().unwrap();
            assert_eq!(failures.len(), 1, "{failures:?}");
            assert!(failures[0]["message"].as_str().unwrap().contains(HIDES), "{failures:?}");

            let whole = tenants.run("whole", "audit", &["--data"]);
            assert_eq!(whole.code(), Some(1), "{}", whole.all());
            whole.lacks("`posts` refer");
        }
    }
}

#[test]
fn orphans_that_a_policy_on_the_child_hides_are_not_said_to_be_none() {
    for server in server::servers() {
        let tenants = Tenants::new(
            server,
            "CREATE POLICY nobody ON labels USING (false);
             ALTER TABLE labels ENABLE ROW LEVEL SECURITY; ALTER TABLE labels FORCE ROW LEVEL SECURITY;
             ALTER TABLE labels DROP CONSTRAINT labels_tag;
             ALTER TABLE labels ADD CONSTRAINT labels_tag FOREIGN KEY (tag_id) REFERENCES tags NOT VALID",
        );
        let said = tenants.run("owner", "audit", &["--data"]);
        assert_eq!(said.code(), Some(2), "{}", said.all());
        said.has("row-level security on `labels` (policy nobody) hides rows from this role");
        // The server's own check passes under the policy; it must not be asked.
        let said = tenants.run("owner", "fix", &["--apply", "--yes", "--only", "unvalidated-foreign-key"]);
        assert_eq!(said.code(), Some(2), "{}", said.all());
        said.has("row-level security on `labels` (policy nobody)");
        said.lacks("Verified");
        let valid = "SELECT count(*) FROM pg_constraint WHERE conname = 'labels_tag' AND convalidated";
        assert_eq!(tenants.number(valid), 0);
    }
}

#[test]
fn a_fix_changes_no_row_that_only_seems_to_be_an_orphan() {
    for server in server::servers() {
        for options in [&["--apply", "--yes"][..], &["--apply", "--yes", "--no-data"]] {
            let tenants = Tenants::new(server, FORCED);
            for how in ["delete", "quarantine", "set-null"] {
                let said =
                    tenants.run("owner", "fix", &[options, &["--orphans", how, "--only", "orphan-rows"]].concat());
                said.lacks("posts.user_id without a parent");
                if !options.contains(&"--no-data") {
                    assert_eq!(said.code(), Some(2), "{}", said.all());
                    said.has(HIDES);
                }
            }
            assert_eq!(tenants.number("SELECT count(*) FROM posts"), 3);
        }
    }
}

#[test]
fn no_key_is_planned_over_hidden_rows_and_those_of_other_tables_are() {
    for server in server::servers() {
        let tenants = Tenants::new(
            server,
            &format!(
                "ALTER TABLE posts DROP CONSTRAINT posts_user_id_fkey;
                 ALTER TABLE posts ADD CONSTRAINT posts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users NOT VALID;
                 CREATE TABLE pairs (id int PRIMARY KEY, tag_id int);
                 INSERT INTO pairs VALUES (1, 1); CREATE INDEX ON pairs (tag_id);
                 ALTER TABLE pairs ADD CONSTRAINT pairs_tag FOREIGN KEY (tag_id) REFERENCES tags NOT VALID; {FORCED}"
            ),
        );
        for options in [&[][..], &["--no-data"]] {
            let said = tenants.run("owner", "fix", options);
            said.has("so nothing is planned that depends on them: connect as a superuser or a role with BYPASSRLS");
            said.has("Check the rows of the foreign key pairs.tag_id -> tags.id");
            said.lacks("Check the rows of the foreign key posts.user_id");
        }
        let said = tenants.run("owner", "fix", &["--apply", "--yes"]);
        assert_eq!(said.code(), Some(2), "{}", said.all());
        let valid = |name: &str| {
            tenants.number(&format!("SELECT count(*) FROM pg_constraint WHERE conname = '{name}' AND convalidated"))
        };
        assert_eq!((valid("pairs_tag"), valid("posts_user_id_fkey")), (1, 0));
    }
}

#[test]
fn a_policy_that_comes_after_the_plan_stops_the_run() {
    for server in server::servers() {
        let tenants = Tenants::new(
            server,
            "ALTER TABLE posts DROP CONSTRAINT posts_user_id_fkey; INSERT INTO posts VALUES (4, 7);
             ALTER TABLE posts ADD CONSTRAINT posts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users NOT VALID",
        );
        let folder = tenants.folder.path();
        let said = tenants.run("owner", "fix", &["--orphans", "delete", "--format", "json", "-o", "plan.json"]);
        assert!(folder.join("plan.json").exists(), "{}", said.all());
        let plan: referee::plan::Plan = {
            let text = std::fs::read_to_string(folder.join("plan.json")).unwrap();
            referee::render::plan::json::parse(&text).unwrap()
        };
        assert!(plan.steps.iter().any(|s| s.touches_rows && s.title.contains("posts.user_id")), "{:?}", plan.steps);
        server::execute(&tenants.admin, FORCED);

        let options = referee::engine::SessionOptions::default();
        let target = referee::engine::postgres::Target::parse(&tenants.url("owner"), &options.environment).unwrap();
        let mut writer = referee::engine::postgres::open_writer(&target, &options).unwrap();
        let (mut journal, _) = referee::apply::Journal::open(&folder.join("run")).unwrap();
        journal.begin(&plan, &[]).unwrap();
        let how = referee::apply::Options::default();
        let error = referee::apply::apply(&mut *writer, &plan, &how, &mut journal, &Context::default()).unwrap_err();
        assert!(error.to_string().contains("row-level security policy for table \"users\""), "{error}");
        // Nor do the statements act, whoever runs them without asking first.
        let posts = plan.steps.iter().filter(|s| s.title.contains("posts.user_id"));
        for step in posts.filter(|s| s.touches_rows || s.phase == referee::plan::Phase::Validate) {
            let ran = step.up.statements.iter().try_for_each(|sql| writer.execute(sql).map(drop));
            let code = ran.as_ref().err().and_then(|e| e.code.as_deref());
            assert_eq!(code, Some("42501"), "{}: {ran:?} {:?}", step.title, step.up.statements);
            if step.touches_rows {
                let batch = step.up.statements.last().unwrap();
                let error = server::connect(&tenants.url("owner")).batch_execute(batch).unwrap_err();
                assert!(server::explain(&error).starts_with("42501"), "{}", server::explain(&error));
            }
        }
        assert_eq!(tenants.number("SELECT count(*) FROM posts"), 4);
    }
}

#[test]
fn what_was_done_by_another_role_is_not_verified_by_one_that_does_not_see_the_rows() {
    for server in server::servers() {
        let tenants = Tenants::new(
            server,
            "ALTER TABLE posts DROP CONSTRAINT posts_user_id_fkey;
             ALTER TABLE posts ADD CONSTRAINT posts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users NOT VALID",
        );
        let plan = ["--only", "unvalidated-foreign-key", "--format", "json", "-o", "plan.json"];
        tenants.run("owner", "fix", &plan);
        let said = tenants.run("owner", "fix", &["--only", "unvalidated-foreign-key", "--apply", "--yes"]);
        assert_eq!(said.code(), Some(0), "{}", said.all());
        assert_eq!(tenants.run("owner", "verify", &["--plan", "plan.json"]).code(), Some(0));
        server::execute(&tenants.admin, FORCED);
        let said = tenants.run("owner", "verify", &["--plan", "plan.json"]);
        assert_ne!(said.code(), Some(0), "{}", said.all());
        said.has(HIDES);
    }
}

#[test]
fn a_delete_is_not_counted_through_a_policy() {
    for server in server::servers() {
        let tenants = Tenants::new(server, FORCED);
        let count = ["users", "--where", "id = 1", "--count"];
        let said = tenants.run("owner", "fate", &count);
        assert_eq!(said.code(), Some(2), "{}", said.all());
        said.has(&format!("could not count rows of users: {HIDES}"));
        said.has("BYPASSRLS");
        said.lacks("0 deleted");
        let said = tenants.run("whole", "fate", &count);
        assert_eq!(said.code(), Some(0), "{}", said.all());
        said.has("users 1 deleted posts 2 deleted");

        // One below that is hidden does not keep those above from being counted.
        let tenants = Tenants::new(
            server,
            "CREATE POLICY nobody ON posts USING (false); ALTER TABLE posts ENABLE ROW LEVEL SECURITY",
        );
        let said = tenants.run("reader", "fate", &count);
        assert_eq!(said.code(), Some(2), "{}", said.all());
        said.has("users 1 deleted posts not counted: row-level security on `posts` (policy nobody)");
    }
}

#[test]
fn nothing_is_inferred_from_rows_that_are_partly_hidden() {
    for server in server::servers() {
        let tenants = Tenants::new(
            server,
            &format!(
                "CREATE TABLE notes (id int PRIMARY KEY, user_id int); INSERT INTO notes VALUES (1, 1), (2, 2), (3, 2); {FORCED}"
            ),
        );
        let said = tenants.run("owner", "infer", &[]);
        assert_eq!(said.code(), Some(0), "{}", said.all());
        said.has(&format!("could not read users: {HIDES}"));
        said.has("notes.user_id");
        said.lacks("have no parent");
        said.lacks("are in the parent");
        tenants.run("whole", "infer", &[]).lacks("hides rows");
        let said = tenants.run("owner", "audit", &["--data"]);
        said.has("could not count orphans of notes.user_id");
    }
}

#[test]
fn files_make_the_server_refuse_instead_of_passing_over_hidden_rows() {
    for server in server::servers() {
        let tenants = Tenants::new(
            server,
            "ALTER TABLE posts DROP CONSTRAINT posts_user_id_fkey;
             ALTER TABLE posts ADD CONSTRAINT posts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users NOT VALID",
        );
        let only = ["--only", "unvalidated-foreign-key"];
        let said = tenants.run("owner", "fix", &[&only[..], &["--out", "sql", "--layout", "sql"]].concat());
        assert_eq!(said.code(), Some(0), "{}", said.all());
        let script = tenants.run("owner", "fix", &[&only[..], &["--format", "sql"]].concat()).out();
        assert!(script.contains("SET LOCAL row_security = off;"), "{script}");
        let mut files: Vec<_> = std::fs::read_dir(tenants.folder.path().join("sql")).unwrap().flatten().collect();
        files.sort_by_key(std::fs::DirEntry::path);
        let text: String = files
            .iter()
            .filter(|f| !f.file_name().to_string_lossy().contains("down"))
            .map(|f| std::fs::read_to_string(f.path()).unwrap())
            .collect();
        // What only psql understands.
        let without = |text: String| -> String {
            text.lines().filter(|l| !l.starts_with('\\')).map(|l| format!("{l}\n")).collect()
        };
        let (text, script) = (without(text), without(script));
        assert!(text.contains("SET LOCAL row_security = off;"), "{text}");
        server::execute(&tenants.admin, FORCED);
        for sql in [text, script] {
            let error = server::connect(&tenants.url("owner")).batch_execute(&sql).unwrap_err();
            assert!(server::explain(&error).starts_with("42501"), "{}", server::explain(&error));
        }
    }
}
