//! What a text is taken for.

use super::*;

fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let text = path.display().to_string();
    (directory, text)
}

fn message(text: &str) -> (String, String) {
    match Source::parse(text) {
        Err(SourceError::Unknown { message, hint }) => (message, hint),
        Err(other) => (other.to_string(), String::new()),
        Ok(source) => panic!("{text} is {source:?}"),
    }
}

#[test]
fn files_are_told_by_content_not_by_name() {
    let (_keep, database) = file("shop.json", b"SQLite format 3\0 and so on");
    assert_eq!(Source::parse(&database).unwrap(), Source::Sqlite(database.clone().into()));
    for prefix in ["sqlite:", "sqlite://", "file:", "file://"] {
        assert_eq!(Source::parse(&format!("{prefix}{database}")).unwrap(), Source::Sqlite(database.clone().into()));
    }
    assert_eq!(Source::parse(&format!("file:{database}?mode=ro")).unwrap(), Source::Sqlite(database.clone().into()));
    let (_keep, document) = file("shop.db", b"\xef\xbb\xbf \n{\"format\": 1}");
    assert_eq!(Source::parse(&document).unwrap(), Source::Document(document.into()));
    let (_keep, other) = file("notes.db", b"hello");
    assert!(message(&other).0.contains("neither a SQLite database nor a schema document"));
}

#[test]
fn what_cannot_be_a_source_says_what_to_do() {
    assert!(message("no-such.db").0.contains("no such file or folder: no-such.db"));
    assert!(matches!(Source::parse("/").unwrap(), Source::Sql(_)));
    let (said, hint) = message("mysql://root@localhost/shop");
    assert!(said.contains("does not connect to MySQL") && hint.contains("--engine mysql"), "{said} {hint}");
    assert_eq!(message("postgre://u:secret@h/d").1, "did you mean postgres://u:***@h/d?");
    assert!(message("https://example.com").1.contains("postgres://user@host/database"));
    assert!(message("").0.contains("no source"));
    assert!(message("sqlite:").0.contains("names no file"));
    assert!(message("postgres://h/d?sslmod=x").0.contains("\"sslmode\""));
}

#[test]
fn a_document_is_opened_without_a_session() {
    let text = crate::schema::to_json(&Schema::new(crate::schema::Engine::Postgres));
    let (_keep, path) = file("schema.json", text.as_bytes());
    let input = Source::parse(&path).unwrap().open(&SessionOptions::default()).unwrap();
    assert!(input.session.is_none() && input.schema.tables.is_empty());
    assert_eq!(input.label, path);
    let (_keep, path) = file("schema.json", b"{\"format\": \"other\"}");
    let error = Source::parse(&path).unwrap().open(&SessionOptions::default()).err().unwrap();
    assert!(error.to_string().contains("expected \"referee-schema/1\""), "{error}");
}

#[test]
fn what_may_hold_a_password_is_not_repeated() {
    for text in [
        "postgres:/u:secret@h/d",
        "u:secret@h/d",
        "sqlite://u:secret@h/d",
        "host=h dbname=d user=u password=secret",
        "jdbc:postgresql://h/d?user=u&password=secret",
        "postgres://u:sec@secret/x@h/d",
    ] {
        let (message, hint) = message(text);
        assert!(!message.contains("secret") && !hint.contains("secret"), "{message} {hint}");
    }
    assert!(message("a@b.db").0.contains("a@b.db"));
}
