//! What somebody is told who runs plans on a production database: on a real server, each text with what it is about.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::postgres as server;
use tempfile::TempDir;

const SESSIONS_OF_USERS: &str = "[[relation]]\nchild = \"sessions.uid\"\nparent = \"users.id\"\n";

/// The session 3 has no user.
const SESSIONS: &str = "
    CREATE TABLE users (id int PRIMARY KEY);
    CREATE TABLE sessions (id int PRIMARY KEY, uid int NOT NULL);
    CREATE INDEX sessions_uid_idx ON sessions (uid);
    INSERT INTO users VALUES (1), (2);
    INSERT INTO sessions VALUES (1, 1), (2, 2), (3, 9), (4, 1), (5, 2);";

/// A database and a project's folder.
struct Place {
    folder: TempDir,
    url: String,
}

struct Run {
    code: i32,
    out: String,
    text: String,
}

impl Place {
    fn new(config: &str, sql: &str) -> Self {
        let place = Self { folder: TempDir::new().unwrap(), url: server::fresh_database() };
        std::fs::write(place.path("referee.toml"), config).unwrap();
        server::execute(&place.url, sql);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_referee"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        let output = command.output().unwrap();
        let [out, err] = [output.stdout, output.stderr].map(|b| String::from_utf8(b).unwrap());
        assert!(!err.contains("panicked"), "{err}");
        // Lines are broken where the terminal ends.
        let text = format!("{out} {err}").split_whitespace().collect::<Vec<_>>().join(" ");
        Run { code: output.status.code().unwrap(), out, text }
    }

    fn fix(&self, arguments: &[&str]) -> Run {
        self.run(&[&["fix", &self.url], arguments].concat())
    }

    fn count(&self, table: &str) -> i64 {
        server::connect(&self.url).query_one(&format!("SELECT count(*) FROM {table}"), &[]).unwrap().get(0)
    }

    /// Returns the name of the one backup table.
    fn backup(&self) -> String {
        let sql = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relname LIKE '\\_referee\\_%'";
        server::connect(&self.url).query_one(sql, &[]).unwrap().get(0)
    }
}

#[test]
fn a_backup_that_is_in_the_way_is_told_with_its_rows() {
    let place = Place::new(SESSIONS_OF_USERS, SESSIONS);
    assert_eq!(place.fix(&["--orphans", "delete", "--apply", "--yes"]).code, 0);
    let backup = place.backup();
    let again = "ALTER TABLE sessions DROP CONSTRAINT sessions_uid_fkey; INSERT INTO sessions VALUES (6, 9)";
    server::execute(&place.url, again);
    let plan = place.fix(&["--orphans", "delete"]);
    let held = format!(
        "`{backup}` already exists and holds 1 row of an earlier run, maybe the only copy: rename it to keep this row; \
         `DROP TABLE public.{backup}` deletes it for good"
    );
    assert!(plan.text.contains(&held), "{}", plan.text);

    server::execute(&place.url, &format!("DELETE FROM {backup}"));
    let plan = place.fix(&["--orphans", "delete"]);
    let empty = format!(
        "`{backup}` is empty, left by a run that did not finish; go on with that run, or drop it: `DROP TABLE public.{backup}`"
    );
    assert!(plan.text.contains(&empty), "{}", plan.text);

    let uncounted = place.fix(&["--orphans", "delete", "--no-data"]);
    assert!(!uncounted.text.contains(&format!("DROP TABLE public.{backup}`")), "{}", uncounted.text);
}

#[test]
fn a_plan_whose_backup_was_dropped_is_done() {
    let place = Place::new(SESSIONS_OF_USERS, SESSIONS);
    let verify = || place.run(&["verify", &place.url, "--plan", "plan.json"]);
    place.fix(&["--orphans", "delete", "--format", "json", "-o", "plan.json"]);
    // What was never carried out is not done, even if the rows are gone.
    server::execute(&place.url, "CREATE TABLE old AS SELECT * FROM sessions; DELETE FROM sessions WHERE id = 3");
    let run = verify();
    assert!(run.code == 1 && run.text.contains("NOT DONE Delete"), "{}", run.text);
    server::execute(&place.url, "INSERT INTO sessions SELECT * FROM old WHERE id = 3; DROP TABLE old");

    assert_eq!(place.fix(&["--orphans", "delete", "--apply", "--yes"]).code, 0);
    server::execute(&place.url, &format!("DROP TABLE {}", place.backup()));
    let run = verify();
    assert!(run.code == 0 && run.text.starts_with("Verified"), "{}", run.text);
    let told = "done; its backup was dropped, so it can no longer be undone";
    assert!(run.text.contains(told) && !run.text.contains("NOT DONE"), "{}", run.text);
    assert_eq!(place.count("sessions"), 4);
}

#[test]
fn a_database_that_is_set_read_only_is_named() {
    let place = Place::new("", SESSIONS);
    let client = &mut server::connect(&place.url);
    let name: String = client.query_one("SELECT current_database()::text", &[]).unwrap().get(0);
    client.batch_execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).unwrap();
    client.batch_execute("SET default_transaction_read_only = off; DROP INDEX sessions_uid_idx; ALTER TABLE sessions ADD FOREIGN KEY (uid) REFERENCES users NOT VALID").unwrap();
    let told = "This database is set read-only for this user; the run overrides that";
    let only = ["--only", "unindexed-foreign-key", "--apply"];
    // The question, which nobody answers.
    let asked = place.fix(&only);
    assert!(asked.code == 2 && asked.text.contains(&format!("{told}. Apply 1 step")), "{}", asked.text);
    let run = place.fix(&[&only[..], &["--yes"]].concat());
    assert!(run.code == 0 && run.text.contains(&format!("warning: {told}")), "{}", run.text);

    let other =
        Place::new("", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a)");
    assert!(!other.fix(&[&only[..], &["--yes"]].concat()).text.contains("read-only"));
}

#[test]
fn the_command_that_undoes_finds_its_run() {
    let place = Place::new(SESSIONS_OF_USERS, SESSIONS);
    // A trusted server asks for no password, whatever it is.
    let (base, query) = place.url.split_once('?').map_or((place.url.as_str(), ""), |(b, q)| (b, q));
    let (scheme, rest) = base.split_once("://").unwrap();
    let (user, rest) = rest.split_once('@').unwrap();
    let user = user.split(':').next().unwrap();
    let with = format!("{scheme}://{user}:secret@{rest}?application_name=a&{query}");
    let run = place.run(&["fix", &with, "--orphans", "delete", "--apply", "--yes"]);
    assert_eq!(run.code, 0, "{}", run.text);
    // Without the password, in another order, and with other settings of the connection.
    for url in [format!("{scheme}://{user}@{rest}?{query}&application_name=b"), place.url.clone()] {
        let preview = place.run(&["fix", &url, "--undo"]);
        assert!(preview.code == 0 && preview.text.contains("Undo step 1"), "{}", preview.text);
    }
    let journal = std::fs::read_dir(place.path(".referee")).unwrap().next().unwrap().unwrap().path();
    // From anywhere, by its record, without --apply.
    let preview = place.fix(&["--undo", "--journal", journal.to_str().unwrap()]);
    assert!(preview.code == 0 && preview.text.contains("nothing was changed; to do it:"), "{}", preview.text);
    std::fs::rename(&journal, place.path("record")).unwrap();
    let preview = place.fix(&["--undo", "--journal", "record"]);
    let whole = place.folder.path().canonicalize().unwrap().join("record");
    assert!(preview.text.contains(&format!("--journal {} --apply", whole.display())), "{}", preview.text);
    let missing = place.fix(&["--undo"]);
    assert!(
        missing.code == 2 && missing.text.contains("run it in the folder where the plan was applied"),
        "{}",
        missing.text
    );
    let alone = place.fix(&["--journal", "record"]);
    assert!(alone.code == 2 && alone.text.contains("--apply"), "{}", alone.text);
}

/// An organisation has an owner, and its invoices keep it; a trigger writes down which projects went.
const ORGS: &str = "
    CREATE TABLE users (id int PRIMARY KEY);
    CREATE TABLE orgs (id int PRIMARY KEY, owner_id int NOT NULL REFERENCES users ON DELETE SET NULL);
    CREATE TABLE projects (id int PRIMARY KEY, org_id int NOT NULL REFERENCES orgs ON DELETE CASCADE);
    CREATE TABLE invoices (id int PRIMARY KEY, org_id int NOT NULL REFERENCES orgs);
    CREATE TABLE usages (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, org_id int, action text);
    CREATE INDEX ON orgs (owner_id); CREATE INDEX ON projects (org_id); CREATE INDEX ON invoices (org_id);
    CREATE INDEX ON usages (org_id);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO usages (org_id, action) VALUES (coalesce(old.org_id, new.org_id), tg_op); RETURN coalesce(new, old); END $$;
    CREATE TRIGGER projects_audit AFTER UPDATE OR DELETE ON projects FOR EACH ROW EXECUTE FUNCTION note();
    INSERT INTO users VALUES (1); INSERT INTO orgs VALUES (1, 1); INSERT INTO projects VALUES (1, 1);
    INSERT INTO usages (org_id) VALUES (1);";

#[test]
fn what_is_refused_from_then_on_is_told() {
    let config = "[[relation]]\nchild = \"usages.org_id\"\nparent = \"orgs.id\"\n";
    let place = Place::new(config, ORGS);
    let only = ["--only", "undeclared-foreign-key", "--choose", "usages.org_id=protect"];
    let plan = place.fix(&only);
    let refused = "a delete of a row of orgs is refused while rows of usages refer to it, and inserts into usages with an \
                   unknown orgs row are refused";
    let trigger = "trigger projects_audit on projects writes usages: a row of it whose parent is missing is refused, and with it the \
                   statement that fired the trigger";
    for told in [refused, trigger] {
        assert!(plan.text.contains(&format!("Newly refused: {told}.")), "{}", plan.text);
    }
    let asked = place.fix(&[&only[..], &["--apply"]].concat());
    for told in [refused, trigger] {
        assert!(asked.text.contains(&format!("From then on {told}.")), "{}", asked.text);
    }
    assert!(place.fix(&[&only[..], &["--format", "markdown"]].concat()).text.contains("**Newly refused:** a delete"));
    assert_eq!(place.fix(&[&only[..], &["--apply", "--yes"]].concat()).code, 0);
    // So it is.
    let mut client = server::connect(&place.url);
    let delete = client.batch_execute("DELETE FROM invoices; DELETE FROM usages; DELETE FROM orgs").unwrap_err();
    assert!(server::explain(&delete).contains("usages"), "{}", server::explain(&delete));
    // With CASCADE nothing but an unknown parent is refused.
    let place = Place::new(config, ORGS);
    let plan = place.fix(&["--only", "undeclared-foreign-key", "--choose", "usages.org_id=cascade"]);
    let told = "Newly refused: inserts into usages with an unknown orgs row are refused.";
    assert!(plan.text.contains(told), "{}", plan.text);
}

#[test]
fn a_root_whose_deletes_somebody_chose_to_keep_refused_still_fails() {
    let place = Place::new("", ORGS);
    let arguments = ["--root", "users", "--choose", "orgs.owner_id=protect"];
    let told = "a delete from users STILL FAILS: orgs.owner_id blocks it, as you chose.";
    for more in [&[][..], &["--format", "markdown"][..]] {
        let plan = place.fix(&[&arguments[..], more].concat());
        assert!(plan.code == 1 && plan.text.replace('\\', "").contains(told), "{} {}", plan.code, plan.text);
        // It failed before, too.
        assert!(!plan.text.contains("Newly refused"), "{}", plan.text);
    }
    let run = place.fix(&[&arguments[..], &["--apply", "--yes"]].concat());
    assert_eq!(run.code, 1, "{}", run.text);
    let mut client = server::connect(&place.url);
    assert!(client.batch_execute("DELETE FROM users").is_err());
    let other = Place::new("", ORGS).fix(&["--root", "users", "--choose", "orgs.owner_id=drop-not-null"]);
    assert!(other.code == 0 && !other.text.contains("STILL FAILS"), "{}", other.text);
}

#[test]
fn what_a_cascade_newly_deletes_is_one_list_with_what_stops_it() {
    let place = Place::new("", ORGS);
    let plan = place.fix(&["--root", "users", "--choose", "orgs.owner_id=cascade"]);
    let list = "a delete from `users` also deletes rows of `orgs` and `projects`, unless rows that refer by `invoices.org_id` stop it";
    assert_eq!(plan.text.matches(list).count(), 2, "{}", plan.text);
    assert_eq!(
        plan.text.matches("also deletes rows of `").count(),
        plan.text.matches(list).count() + 1,
        "{}",
        plan.text
    );
    let apply = ["--choose", "orgs.owner_id=cascade", "--root", "users", "--apply"];
    let asked = place.fix(&apply);
    let told =
        "deleting a users row also deletes its orgs and projects, unless rows that refer by invoices.org_id stop it";
    assert!(asked.text.contains(told), "{}", asked.text);
}

#[test]
fn the_first_choice_is_the_one_that_is_listed_first() {
    let place = Place::new(
        "",
        "CREATE TABLE t (id int PRIMARY KEY);
         CREATE TABLE apps (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES t ON DELETE CASCADE, UNIQUE (tenant_id, id));
         CREATE TABLE packages (id int PRIMARY KEY, tenant_id int NOT NULL, app_id int NOT NULL, UNIQUE (tenant_id, id),
             CONSTRAINT p_t FOREIGN KEY (tenant_id) REFERENCES t,
             CONSTRAINT p_a FOREIGN KEY (tenant_id, app_id) REFERENCES apps (tenant_id, id) ON DELETE CASCADE);
         CREATE TABLE g (id int PRIMARY KEY, tenant_id int NOT NULL, package_id int NOT NULL,
             CONSTRAINT g_p FOREIGN KEY (tenant_id, package_id) REFERENCES packages (tenant_id, id) ON DELETE CASCADE);
         INSERT INTO t VALUES (1); INSERT INTO apps VALUES (1, 1); INSERT INTO packages VALUES (1, 1, 1); INSERT INTO g VALUES (1, 1, 1);",
    );
    let fate = place.run(&["fate", &place.url, "t"]);
    let said =
        fate.text.split("first choice of each relation: ").nth(1).unwrap().split(". ").next().unwrap().to_string();
    let first = fate.text.split("--choose packages.tenant_id=").nth(1).unwrap().split(' ').next().unwrap().to_string();
    let choose = format!("packages.tenant_id={first}");
    assert_eq!(first, "cascade", "{}", fate.text);
    place.fix(&["--root", "t", "--choose", &choose, "--apply", "--yes"]);
    // What was said is what comes.
    let succeeds = server::connect(&place.url).batch_execute("DELETE FROM t").is_ok();
    assert_eq!(said.starts_with("every delete succeeds"), succeeds, "{said}");
}

/// Makes a role that may do this, and returns the URL by which it connects.
fn as_role(place: &Place, grants: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let role = format!("reader{}", NEXT.fetch_add(1, Ordering::Relaxed));
    server::execute(&place.url, &format!("CREATE ROLE {role} LOGIN; {}", grants.replace("ROLE", &role)));
    place.url.replace("postgres://postgres@", &format!("postgres://{role}@"))
}

#[test]
fn a_plan_whose_rows_were_not_counted_says_so() {
    let place = Place::new(
        SESSIONS_OF_USERS,
        &format!("{SESSIONS} CREATE TABLE notes (id int PRIMARY KEY, session int REFERENCES sessions)"),
    );
    let url = as_role(&place, "GRANT SELECT ON users TO ROLE");
    let plan = |format: &str| place.run(&["fix", &url, "--format", format, "-o", "plan"]);
    let why = "Not counted: 2 relations: notes.session->sessions.id (no SELECT on public.notes); sessions.uid->users.id (no SELECT on \
               public.sessions). Their orphan rows are not in this plan";
    for format in ["text", "markdown", "sql"] {
        assert_eq!(plan(format).code, 2);
        let text = std::fs::read_to_string(place.path("plan"))
            .unwrap()
            .replace("\n-- ", " ")
            .replace('\\', "")
            .replace("-&gt;", "->");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("2 relations not counted"), "{format}: {text}");
        assert!(text.contains(why), "{format}: {text}");
    }
    plan("json");
    let document: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(place.path("plan")).unwrap()).unwrap();
    let named: Vec<&str> =
        document["not_counted"].as_array().unwrap().iter().map(|n| n["relation"].as_str().unwrap()).collect();
    assert_eq!(named, ["notes.session->sessions.id", "sessions.uid->users.id"]);
    let all = place.fix(&["--format", "json"]);
    assert!(!all.out.contains("not_counted") && !all.text.contains("Not counted"), "{}", all.text);
}

#[test]
fn what_a_policy_hides_is_left_out_and_the_rest_is_planned() {
    let config = format!("{SESSIONS_OF_USERS}[[relation]]\nchild = \"bills.uid\"\nparent = \"users.id\"\n");
    let place = Place::new(
        &config,
        &format!(
            "{SESSIONS} CREATE TABLE bills (id int PRIMARY KEY, uid int NOT NULL DEFAULT 0); INSERT INTO bills VALUES (1, 9), (2, 1), (3, 1);
             CREATE INDEX ON bills (uid); ALTER TABLE bills ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON bills USING (id > 1);"
        ),
    );
    let url = as_role(&place, "GRANT ALL ON users, sessions, bills TO ROLE");
    let plan = place.run(&["fix", &url, "--orphans", "delete"]);
    assert!(plan.text.contains("Delete the orphans of sessions.uid"), "{}", plan.text);
    assert!(plan.text.contains("Not counted: 1 relation: bills.uid->users.id"), "{}", plan.text);
    assert!(!plan.text.contains("Delete the orphans of bills"), "{}", plan.text);
    assert!(plan.text.contains("so nothing is planned that depends on them"), "{}", plan.text);
}

#[test]
fn a_check_that_orphans_fail_names_what_can_be_followed() {
    let keyed = SESSIONS.to_string() + "ALTER TABLE sessions ADD FOREIGN KEY (uid) REFERENCES users NOT VALID;";
    let place = Place::new("", &keyed);
    let plan = place.fix(&[]);
    let how = "1 row fails the check. It is planned once you say what becomes of them: `--orphans delete` or `--orphans quarantine`";
    assert!(plan.text.contains(how), "{}", plan.text);
    assert!(!plan.text.contains("=validate") && !plan.text.contains("--orphans set-null`"), "{}", plan.text);
    // What is named does it.
    let run = place.fix(&["--orphans", "delete"]);
    assert!(run.code == 0 && run.text.contains("2 steps, deletes up to 1 row (1 sessions)"), "{}", run.text);
}

#[test]
fn who_holds_the_lock_is_named() {
    let place = Place::new("", ORGS);
    let holder = format!("{}&application_name=nightly-report", place.url);
    let mut client = server::connect(&holder);
    client.batch_execute("BEGIN; SELECT count(*) FROM orgs").unwrap();
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let only = ["--only", "set-null-on-not-null", "--apply", "--yes", "--lock-timeout", "200ms", "--retries", "0"];
    let run = place.fix(&only);
    let told =
        format!("a lock on orgs is held by pid {pid} (nightly-report), idle in transaction, in a transaction since 20");
    assert!(run.code == 2 && run.text.contains(&told), "{}", run.text);
    assert!(run.text.contains(&format!("SELECT pg_terminate_backend({pid})")), "{}", run.text);
    client.batch_execute("COMMIT").unwrap();
    assert_eq!(place.fix(&only).code, 0);
}

#[test]
fn a_quarantine_moves_rows() {
    let place = Place::new(SESSIONS_OF_USERS, SESSIONS);
    let asked = place.fix(&["--orphans", "quarantine", "--apply"]);
    assert!(asked.text.contains("? Moves now up to 1 row (1 sessions)"), "{}", asked.text);
}

#[test]
fn a_verdict_that_guesses_change_says_so() {
    let sql = format!(
        "{ORGS} CREATE TABLE teams (id int PRIMARY KEY, org_id int NOT NULL); INSERT INTO teams VALUES (1, 1); CREATE INDEX ON teams (org_id);"
    );
    let place = Place::new("", &sql);
    let run = place.fix(&["--root", "orgs", "--choose", "invoices.org_id=drop-not-null", "--apply", "--yes"]);
    assert!(run.text.contains("A delete from orgs: leaves-rows; leaves-orphans if the "), "{}", run.text);
    let fate = place.run(&["fate", &place.url, "orgs"]);
    assert!(fate.text.contains("leaves-orphans"), "{}", fate.text);
}

#[test]
fn a_trigger_on_rows_that_there_are_none_of_is_not_announced() {
    let sql = "
        CREATE TABLE projects (id int PRIMARY KEY, latest int);
        CREATE TABLE runs (id int PRIMARY KEY, project int NOT NULL);
        CREATE TABLE lines (id int PRIMARY KEY, run int NOT NULL REFERENCES runs ON DELETE CASCADE);
        ALTER TABLE projects ADD FOREIGN KEY (latest) REFERENCES runs ON DELETE SET NULL;
        CREATE TABLE notes (id int GENERATED ALWAYS AS IDENTITY, what text);
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO notes (what) VALUES (tg_op); RETURN new; END $$;
        CREATE TRIGGER noted AFTER UPDATE ON projects FOR EACH ROW EXECUTE FUNCTION note();
        INSERT INTO projects VALUES (1); INSERT INTO runs VALUES (1, 1), (2, 9), (3, 1), (4, 1); INSERT INTO lines VALUES (1, 2);";
    let place = Place::new("[[relation]]\nchild = \"runs.project\"\nparent = \"projects.id\"\n", sql);
    let plan = place.fix(&["--orphans", "delete"]);
    assert!(plan.text.contains("delete 1 row of lines"), "{}", plan.text);
    assert!(!plan.text.contains("rigger noted"), "{}", plan.text);
    server::execute(&place.url, "UPDATE projects SET latest = 2; TRUNCATE notes");
    let plan = place.fix(&["--orphans", "delete"]);
    assert!(plan.text.contains("rigger noted"), "{}", plan.text);
}

#[test]
fn nothing_offers_to_drop_a_not_null_that_a_domain_says() {
    let sql = "
        CREATE DOMAIN present AS int NOT NULL;
        CREATE TABLE orgs (id int PRIMARY KEY);
        CREATE TABLE teams (id int PRIMARY KEY, org_id present REFERENCES orgs ON DELETE SET NULL);
        CREATE TABLE users (id int PRIMARY KEY, org_id present REFERENCES orgs);
        CREATE INDEX ON teams (org_id); CREATE INDEX ON users (org_id);";
    let place = Place::new("", sql);
    for arguments in
        [&["audit", &place.url] as &[&str], &["fate", &place.url, "orgs"], &["fix", &place.url, "--root", "orgs"]]
    {
        let run = place.run(arguments);
        let text = run.text.to_lowercase();
        assert!(!text.contains("drop not null") && !text.contains("drop-not-null"), "{arguments:?}: {}", run.text);
        assert!(text.contains("domain"), "{arguments:?}: {}", run.text);
    }
    server::execute(&place.url, "ALTER DOMAIN present DROP NOT NULL; ALTER TABLE teams ALTER org_id DROP NOT NULL");
    assert!(!place.run(&["audit", &place.url]).text.contains("cannot be NULL"));
}
