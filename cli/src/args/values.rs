//! Values that several verbs take, and how they are read.

use std::time::Duration;

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use globset::Glob;

use referee::config::{FAIL_ON, FailOn, did_you_mean, nearest};
use referee::relations::Written;
use referee::render::infer::InferFormat;
use referee::render::{FateFormat, GraphFormat, PlanFormat, ReportFormat};
use referee::rules::{self, Rule};
use referee::schema::Engine;

/// When colour is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    Auto,
    Always,
    Never,
}

/// The engines by the names a user types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineName {
    Postgres,
    Cockroach,
    Sqlite,
    Mysql,
    Mariadb,
}

impl From<EngineName> for Engine {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Postgres => Self::Postgres,
            EngineName::Cockroach => Self::Cockroach,
            EngineName::Sqlite => Self::Sqlite,
            EngineName::Mysql => Self::Mysql,
            EngineName::Mariadb => Self::Mariadb,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnOff {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TextOrJson {
    Text,
    Json,
}

/// A type of the library that is typed by the names it has there.
pub(crate) trait Named: Clone + Send + Sync + 'static {
    /// Every value, in the order in which help lists them.
    fn all() -> Vec<(&'static str, Self)>;
}

macro_rules! named {
    ($($format:ty),+ $(,)?) => {$(
        impl Named for $format {
            fn all() -> Vec<(&'static str, Self)> {
                Self::ALL.iter().map(|value| (value.name(), *value)).collect()
            }
        }
    )+};
}

named!(ReportFormat, GraphFormat, FateFormat, PlanFormat, InferFormat);

impl Named for FailOn {
    fn all() -> Vec<(&'static str, Self)> {
        FAIL_ON.iter().copied().zip(Self::ALL).collect()
    }
}

/// Reads a value by its name.
pub(super) fn by_name<T: Named>() -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(T::all().into_iter().map(|(name, _)| name)).try_map(|typed| {
        let found = T::all().into_iter().find(|(name, _)| *name == typed);
        found.map(|(_, value)| value).ok_or("no such value")
    })
}

pub(super) fn rule(text: &str) -> Result<&'static Rule, String> {
    rules::find(text).ok_or_else(|| {
        let (what, hint) = unknown_rule(text);
        format!("{what}; {hint}")
    })
}

/// Says that there is no such rule, and which ones are near.
pub(crate) fn unknown_rule(text: &str) -> (String, String) {
    let near = nearest(text, rules::ALL.iter().flat_map(|r| [r.meta.name, r.meta.code]));
    let hint = did_you_mean(&near).unwrap_or_else(|| "`referee rules` lists them all".to_string());
    (format!("there is no rule `{text}`"), hint)
}

pub(super) fn glob(text: &str) -> Result<Glob, String> {
    Glob::new(text).map_err(|e| {
        format!("{}; a pattern is a name with `*` for any characters, `?` for one, `[ab]`, `{{one,other}}`", e.kind())
    })
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("", 1.0)];
    let read = units.iter().find_map(|(unit, seconds)| {
        let number: f64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        Duration::try_from_secs_f64(number * seconds).ok()
    });
    read.filter(|d| *d <= Duration::from_secs(86_400))
        .ok_or_else(|| "must be a time up to a day: 30s, 2m, 500ms".to_string())
}

pub(super) fn confidence(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|n| (0.0..=1.0).contains(n));
    number.ok_or_else(|| "must be a number from 0 to 1".to_string())
}

/// Reads a relation: `orders.customer_id->customers.id`.
pub(super) fn relation(text: &str) -> Result<Written, String> {
    if let Some(cut) = text.strip_suffix('-').filter(|_| !text.contains("->")) {
        return Err(format!(
            "put it in quotes: the shell took `>` for a redirection, and wrote into a file. For example '{cut}->customers.id'"
        ));
    }
    Written::parse(text).map_err(|e| e.to_string())
}

/// Reads which option is taken of a choice.
pub(super) fn choice(text: &str) -> Result<(String, String), String> {
    let parts = text.rsplit_once('=').map(|(subject, word)| (subject.trim(), word.trim()));
    match parts.filter(|(subject, word)| !subject.is_empty() && !word.is_empty()) {
        Some((subject, word)) => Ok((subject.to_string(), word.to_string())),
        None => Err("must be SUBJECT=WORD, as in users.team_id=drop-not-null".to_string()),
    }
}

/// Reads a migration's name: what every tool takes in the name of a file.
pub(super) fn migration_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text.is_empty() || !text.chars().all(fits) {
        return Err("letters, digits and underscores only".to_string());
    }
    Ok(text.to_string())
}
