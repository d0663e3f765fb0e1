use super::*;
use crate::schema::TableName;

fn table() -> Table {
    Table::new(TableName::new("t"))
}

fn key() -> ForeignKey {
    ForeignKey { on_delete: Action::Cascade, ..ForeignKey::new(["a"], "p".into(), ["id"]) }
}

fn add(text: &str) -> String {
    edit(text, &table(), &Change::AddForeignKey { table: "t".into(), foreign_key: key() }).unwrap()
}

fn drop(text: &str, key: ForeignKey) -> String {
    edit(text, &table(), &Change::DropForeignKey { table: "t".into(), foreign_key: key }).unwrap()
}

#[test]
fn a_key_is_added_after_the_last_element_and_before_its_comment_is_lost() {
    assert_eq!(add("CREATE TABLE t(a)"), "CREATE TABLE t(a, FOREIGN KEY (a) REFERENCES p (id) ON DELETE CASCADE)");
    assert_eq!(
        add("CREATE TABLE t (\n  a INT, -- one\n  b -- two\n  -- three\n) STRICT"),
        "CREATE TABLE t (\n  a INT, -- one\n  b, -- two\n  -- three\n  FOREIGN KEY (a) REFERENCES p (id) ON DELETE CASCADE\n) STRICT"
    );
    assert_eq!(
        add("CREATE TABLE t (a INT CHECK (a <> ')') -- c\n)"),
        "CREATE TABLE t (a INT CHECK (a <> ')'), -- c\nFOREIGN KEY (a) REFERENCES p (id) ON DELETE CASCADE\n)"
    );
}

#[test]
fn a_key_is_dropped_wherever_it_stands() {
    let key = key();
    assert_eq!(
        drop("CREATE TABLE t(a INT REFERENCES p(id) ON DELETE CASCADE NOT NULL)", key.clone()),
        "CREATE TABLE t(a INT NOT NULL)"
    );
    assert_eq!(
        drop("CREATE TABLE t(\n a INT -- c\n  CONSTRAINT x REFERENCES p ON DELETE CASCADE, b)", key.clone()),
        "CREATE TABLE t(\n a INT -- c\n  , b)"
    );
    assert_eq!(
        drop(
            "CREATE TABLE t(\n a, -- c\n FOREIGN KEY (a) REFERENCES p(id) ON DELETE CASCADE,\n UNIQUE (a))",
            key.clone()
        ),
        "CREATE TABLE t(\n a -- c\n ,\n UNIQUE (a))"
    );
    assert_eq!(
        drop("CREATE TABLE t(a, FOREIGN KEY (a) REFERENCES p(id) ON DELETE CASCADE UNIQUE (a))", key.clone()),
        "CREATE TABLE t(a, UNIQUE (a))"
    );
    // Which of two keys is meant, the actions tell.
    assert_eq!(
        drop("CREATE TABLE t(a REFERENCES p(id), FOREIGN KEY (a) REFERENCES p(id) ON DELETE CASCADE)", key),
        "CREATE TABLE t(a REFERENCES p(id))"
    );
}

fn replace(text: &str, new: ForeignKey) -> String {
    edit(text, &table(), &Change::ReplaceForeignKey { table: "t".into(), old: key(), new }).unwrap()
}

#[test]
fn only_the_action_of_a_replaced_key_is_rewritten() {
    let protect = ForeignKey { on_delete: Action::Restrict, ..key() };
    assert_eq!(
        replace("CREATE TABLE t(a REFERENCES p /* why */ (id) ON DELETE /* ! */ CASCADE DEFERRABLE)", protect.clone()),
        "CREATE TABLE t(a REFERENCES p /* why */ (id) ON DELETE RESTRICT DEFERRABLE)"
    );
    let none = ForeignKey { on_delete: Action::NoAction, ..key() };
    let add = |text: &str| {
        edit(text, &table(), &Change::ReplaceForeignKey { table: "t".into(), old: none.clone(), new: protect.clone() })
            .unwrap()
    };
    assert_eq!(
        add("CREATE TABLE t(a REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED)"),
        "CREATE TABLE t(a REFERENCES p(id) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED)"
    );
    assert_eq!(
        add("CREATE TABLE t(a REFERENCES p ON UPDATE CASCADE)".replace("ON UPDATE CASCADE", "").as_str()),
        "CREATE TABLE t(a REFERENCES p ON DELETE RESTRICT )"
    );
    let deferred = ForeignKey { timing: Timing::Deferred, ..protect };
    assert_eq!(
        replace(
            "CREATE TABLE t(a, CONSTRAINT x FOREIGN KEY(a) REFERENCES p(id) ON DELETE CASCADE)",
            ForeignKey { name: Some("x y".into()), ..deferred }
        ),
        "CREATE TABLE t(a, CONSTRAINT \"x y\" FOREIGN KEY (a) REFERENCES p (id) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED)"
    );
}

#[test]
fn not_null_and_defaults() {
    let nullable = |text: &str, nullable| {
        edit(text, &table(), &Change::SetNullable { table: "t".into(), column: "a".into(), nullable })
    };
    assert_eq!(
        nullable("CREATE TABLE t(A INT CONSTRAINT n NOT NULL ON CONFLICT ABORT DEFAULT 'NOT NULL', b NOT NULL)", true)
            .unwrap(),
        "CREATE TABLE t(A INT DEFAULT 'NOT NULL', b NOT NULL)"
    );
    assert_eq!(
        nullable("CREATE TABLE t([a] INT NULL -- c\n, b)", false).unwrap(),
        "CREATE TABLE t([a] INT NOT NULL -- c\n, b)"
    );
    assert!(nullable("CREATE TABLE t(a INT PRIMARY KEY) WITHOUT ROWID", true).is_err());
    let default = |text: &str, default: Option<&str>| {
        let default = default.map(str::to_string);
        edit(text, &table(), &Change::SetDefault { table: "t".into(), column: "a".into(), default }).unwrap()
    };
    assert_eq!(default("CREATE TABLE t(a INT DEFAULT (1 + (2)) NOT NULL)", None), "CREATE TABLE t(a INT NOT NULL)");
    assert_eq!(default("CREATE TABLE t(a INT DEFAULT -1)", Some("x'00'")), "CREATE TABLE t(a INT DEFAULT x'00')");
    assert_eq!(default("CREATE TABLE t(a)", Some("random()")), "CREATE TABLE t(a DEFAULT (random()))");
}

#[test]
fn ids_run_against_the_order_of_declaration() {
    let text =
        "CREATE TABLE t(a REFERENCES q(id), b REFERENCES p(id), FOREIGN KEY (a) REFERENCES p(id) ON DELETE CASCADE)";
    assert_eq!(key_ids(text, &[key()]), [0]);
    assert_eq!(key_ids(text, &[ForeignKey::new(["a"], "q".into(), ["id"])]), [2]);
}
