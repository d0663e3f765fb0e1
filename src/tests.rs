//! No stage reads a sentence: with every text reworded, everything but the texts is as it was.

use std::fmt::Debug;

use serde_json::Value;

use crate::audit::{self, Guesses, Options, Report};
use crate::config::{self, FailOn};
use crate::fate::{Fates, Options as FateOptions};
use crate::findings::baseline::Baseline;
use crate::plan::{self, Counts, Definitions, OrphanPolicy, Plan};
use crate::render;
use crate::rules::{self, Settings};
use crate::schema::Engine;
use crate::source::Input;
use crate::source::history::{File, Migration, Place};
use crate::source::replay::replay;
use crate::sql::Span;
use crate::testing;
use crate::text::{reworded, said};

/// The fields of documents that hold texts for people, and nothing else.
const TEXTS: &[&str] = &[
    "message",
    "why",
    "help",
    "title",
    "text",
    "label",
    "returned",
    "rationale",
    "found",
    "advice",
    "summary",
    "reason",
    "notes",
    "does",
    "description",
    "body",
    "impossible",
    "markdown",
    "promised_by",
    "evidence_text",
];

/// Takes the texts out of a document.
fn without_texts(document: Value) -> Value {
    match document {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(name, value)| {
                let is_text = value.is_string() || value.as_array().is_some_and(|all| all.iter().all(Value::is_string));
                !(is_text && TEXTS.contains(&name.as_str()))
            });
            Value::Object(kept.map(|(name, value)| (name, without_texts(value))).collect())
        }
        Value::Array(all) => Value::Array(all.into_iter().map(without_texts).collect()),
        other => other,
    }
}

fn facts(document: &str) -> Value {
    without_texts(serde_json::from_str(document).expect("JSON"))
}

/// Holds what comes of something against what comes of it with all texts reworded.
fn same<T: PartialEq + Debug>(what: &str, of: impl Fn() -> T) -> T {
    let plain = of();
    assert_eq!(plain, reworded(of), "{what}: something looks into a text");
    plain
}

/// An audit that can be made again and again: what a rule's page gives as an example, or the demo.
struct Case {
    name: String,
    open: Box<dyn Fn() -> Input>,
    config: String,
    definitions: Option<Definitions>,
}

impl Case {
    fn settings(&self) -> Settings {
        let config = config::parse("referee.toml", &self.config).expect("a configuration");
        Settings { policies: config.policies(), deletes: config.deletes(), foreign_keys: None }
    }

    fn audit(&self, change: impl Fn(&mut Options)) -> Report {
        let input = (self.open)();
        let config = config::parse("referee.toml", &self.config).expect("a configuration");
        let mut options = Options {
            relations: config.resolve(&input.schema).relations,
            settings: self.settings(),
            ..testing::everything()
        };
        change(&mut options);
        audit::audit(input, options, &crate::job::Context::default()).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    fn plan(&self, report: &Report, options: &plan::Options) -> Plan {
        let (mut session, mut options) = ((self.open)().session, options.clone());
        loop {
            let made = plan::plan(&plan::Input {
                schema: &report.schema,
                relations: &report.relations,
                settings: &self.settings(),
                findings: &report.findings,
                scan: report.scan.as_ref(),
                definitions: self.definitions.as_ref(),
                options: &options,
            });
            let missing = options.counts.missing();
            let Some(session) = session.as_mut().filter(|_| !missing.is_empty()) else { return made };
            for query in missing {
                let rows = session.query(&query).expect("a count").rows;
                let rows = rows.first().and_then(|r| r.first()).and_then(crate::engine::Value::integer);
                options.counts.answer(query, rows.and_then(|n| u64::try_from(n).ok()).unwrap_or(0));
            }
        }
    }

    /// The findings and what formats make of them, what is suppressed and what is not, and how the command ends.
    fn findings(&self) {
        let baseline = Baseline::new(&self.audit(|_| {}).findings, None);
        same(&self.name, || Baseline::new(&self.audit(|_| {}).findings, None).to_json());
        same(&self.name, || {
            let report = self.audit(|_| {});
            let documents =
                [render::json::render(&report), render::sarif::render(&report), render::gitlab::render(&report)];
            let fails = FailOn::ALL.map(|on| matches!(on, FailOn::Severity(severity) if report.fails_on(severity)));
            let places = report.findings.iter().map(|f| {
                f.locations.iter().map(|l| (l.file.clone(), l.line, l.column, l.start, l.end)).collect::<Vec<_>>()
            });
            (documents.map(|d| facts(&d)), fails, places.collect::<Vec<_>>())
        });
        let hushed = same(&self.name, || {
            let report = self.audit(|options| options.suppressions = baseline.suppressions("baseline"));
            (
                report.findings.len(),
                report.suppressed.iter().map(|s| s.by).collect::<Vec<_>>(),
                report.unused_suppressions,
            )
        });
        assert_eq!(hushed.0, 0, "{}: the baseline holds all", self.name);
    }

    /// What is planned.
    fn plans(&self) {
        for (orphans, manual) in
            [(None, true), (Some(OrphanPolicy::Delete), false), (Some(OrphanPolicy::SetNull), true)]
        {
            same(&format!("{} {orphans:?}", self.name), || {
                let report = self.audit(|options| options.guesses = Guesses::SetAside { accept: Some(0.5) });
                let options = plan::Options { orphans, manual, counts: Counts::default(), ..plan::Options::default() };
                let mut plan = self.plan(&report, &options);
                let totals = plan.row_totals();
                // Of one finding the reasons are told in the order of their words.
                plan.refused.sort_by(|a, b| (&a.subject, &a.reason).cmp(&(&b.subject, &b.reason)));
                (facts(&render::plan::json::render("x", &plan)), totals)
            });
        }
    }

    /// What becomes of the rows of each table.
    fn fates(&self) {
        same(&self.name, || {
            let report = self.audit(|_| {});
            let options = FateOptions {
                demands: self.settings().demands(&report.schema, &report.relations),
                ..FateOptions::default()
            };
            let fates = Fates::new(&report.schema, &report.relations, options);
            let of = |table: &crate::schema::Table| {
                let fate = fates.of(&table.name)?;
                let mut findings = plan::repairs(&fate);
                findings.retain(|f| !f.fixes.is_empty());
                let plan = plan::plan(&plan::Input {
                    schema: &report.schema,
                    relations: &report.relations,
                    settings: &self.settings(),
                    findings: &findings,
                    scan: None,
                    definitions: self.definitions.as_ref(),
                    options: &plan::Options::default(),
                });
                Some((facts(&render::fate::json::render(&fate, None)), facts(&render::plan::json::render("x", &plan))))
            };
            report.schema.tables.iter().map(of).collect::<Vec<_>>()
        });
    }
}

/// The examples on the rules' pages, read as SQL.
fn examples() -> Vec<Case> {
    let mut cases = Vec::new();
    for rule in rules::ALL {
        let mut config = String::new();
        let mut block: Option<(&str, Vec<&str>)> = None;
        for line in rule.meta.page.lines() {
            match (&mut block, line.strip_prefix("```")) {
                (None, Some(info)) => block = Some((info, Vec::new())),
                (Some((_, body)), None) => body.push(line),
                (Some(_), Some(_)) => {
                    let (info, body) = block.take().unwrap_or_default();
                    let (words, text) = (info.split_whitespace().collect::<Vec<_>>(), body.join("\n"));
                    match words.as_slice() {
                        ["toml", ..] => config = text,
                        ["sql", engine, "finds" | "clean", ..] => {
                            let engine = match *engine {
                                "sqlite" => Engine::Sqlite,
                                "postgres" => Engine::Postgres,
                                "mysql" => Engine::Mysql,
                                "mariadb" => Engine::Mariadb,
                                other => panic!("{other}"),
                            };
                            cases.push(example(rule.meta.name, engine, text, std::mem::take(&mut config)));
                        }
                        _ => config.clear(),
                    }
                }
                (None, None) => {}
            }
        }
    }
    cases
}

fn example(name: &str, engine: Engine, text: String, config: String) -> Case {
    let definitions = Definitions::from_sql([text.as_str()]).ok().filter(|_| engine == Engine::Sqlite);
    let open = move || {
        let up = Place { file: 0, span: Span::new(0, text.len()) };
        let files = vec![File { path: "example.sql".into(), text: text.clone() }];
        let migrations = vec![Migration {
            name: "example.sql".into(),
            up,
            down: None,
            reversible: false,
            transaction: false,
            base: false,
        }];
        let (schema, history) = replay(engine, files, migrations);
        Input { label: "example.sql".into(), schema, session: None, history, hints: Vec::new() }
    };
    Case { name: name.to_string(), open: Box::new(open), config, definitions }
}

fn demo() -> (tempfile::TempDir, Case) {
    let (folder, _) = testing::demo();
    let path = folder.path().join("demo.db");
    let open = move || {
        let source = crate::source::Source::parse(&path.display().to_string()).expect("a source");
        source.open(&crate::engine::SessionOptions::default()).expect("a database")
    };
    let mut session = open().session.expect("a session");
    let definitions = Some(Definitions::from_session(session.as_mut()).expect("the texts"));
    (folder, Case { name: "demo".into(), open: Box::new(open), config: String::new(), definitions })
}

#[test]
fn texts_are_reworded_at_all() {
    assert_eq!((said("ab"), reworded(|| said("ab")), reworded(|| said(said("ab"))), reworded(|| said(""))), {
        let backwards = "\u{bf}ba".to_string();
        ("ab".to_string(), backwards.clone(), backwards, String::new())
    });
    let (_folder, demo) = demo();
    let report = reworded(|| demo.audit(|_| {}));
    let texts = report.findings.iter().flat_map(|f| {
        let labels = f.labels.iter().map(|l| &l.text);
        let fixes = f.fixes.iter().map(|f| &f.title);
        [&f.message, &f.help].into_iter().chain(labels).chain(fixes).collect::<Vec<_>>()
    });
    let texts: Vec<&String> = texts.filter(|t| !t.is_empty()).collect();
    assert!(texts.len() > 40 && texts.iter().all(|t| t.starts_with('\u{bf}')), "{texts:#?}");
    let accept = |options: &mut Options| options.guesses = Guesses::SetAside { accept: Some(0.5) };
    let report = reworded(|| demo.audit(accept));
    let plan =
        reworded(|| demo.plan(&report, &plan::Options { orphans: Some(OrphanPolicy::Delete), ..Default::default() }));
    assert!(plan.steps.len() > 3 && plan.steps.iter().all(|s| s.title.starts_with('\u{bf}')), "{plan:#?}");
    let plan = reworded(|| demo.plan(&report, &plan::Options::default()));
    let reasons: Vec<&String> = plan.refused.iter().map(|r| &r.why).collect();
    assert!(reasons.len() > 1 && reasons.iter().all(|why| why.starts_with('\u{bf}')), "{reasons:#?}");
}

#[test]
fn findings_rest_on_no_text() {
    let (_folder, demo) = demo();
    let cases = examples();
    assert!(cases.len() > 100, "{}", cases.len());
    cases.iter().chain([&demo]).for_each(Case::findings);
}

#[test]
fn plans_rest_on_no_text() {
    let (_folder, demo) = demo();
    examples().iter().chain([&demo]).for_each(Case::plans);
}

#[test]
fn fates_rest_on_no_text() {
    let (_folder, demo) = demo();
    examples().iter().chain([&demo]).for_each(Case::fates);
}
