//! How the next migration is numbered and named, so that it comes after all that are there.

use super::model::{Folder, MigrationError, Options};
use super::tools::{Numbers, Shape, Tool};

/// How the migrations of a folder tell what leads up from what leads back.
pub(super) struct Ways {
    /// What stands before `.sql` in the name of what leads up: `.up`, `_up`, or nothing.
    pub up: String,
    /// The same of what leads back.
    pub down: String,
    /// Whether what leads back is written: not where the migrations that are there do without.
    pub back: bool,
}

impl Ways {
    /// Tells whether both ways are marked, as every tool for pairs of files does.
    pub(super) fn is_pair(&self) -> bool {
        self.up == ".up"
    }
}

/// Looks how a folder's migrations lead up and back. Whatever runs files that it cannot tell apart would run what leads back as
/// well; and one migration that leads back promises a way that ends at the next.
pub(super) fn ways(tool: &Tool, folder: &Folder) -> Ways {
    let pair = |back: bool| Ways { up: ".up".to_string(), down: ".down".to_string(), back };
    let names: Vec<&str> = scripts(folder).collect();
    let any = |end: &str| names.iter().any(|n| n.strip_suffix(".sql").is_some_and(|n| n.ends_with(end)));
    let begin = |letter: char| names.iter().any(|n| n.starts_with(letter));
    let in_texts = |mark: &str| names.iter().any(|n| folder.files.get(*n).is_some_and(|text| text.contains(mark)));
    let in_folders = |end: &str| folder.files.keys().any(|p| p.ends_with(end));
    match tool.shape {
        Shape::Dbmate => pair(!in_texts("migrate:up") || in_texts("migrate:down")),
        Shape::Goose => pair(!in_texts("+goose Up") || in_texts("+goose Down")),
        Shape::Diesel => pair(!in_folders("/up.sql") || in_folders("/down.sql")),
        Shape::Flyway => pair(!begin('V') || begin('U')),
        Shape::Prisma | Shape::Refinery | Shape::Atlas | Shape::Drizzle => pair(false),
        _ if names.is_empty() => pair(true),
        Shape::Pair if !tool.one_file => pair(!any(".up") || any(".down")),
        // sqlx tells both ways apart by `.up.sql` and `.down.sql` only (`migrate/migration_type.rs`).
        Shape::MarkedPair if any(".up") => pair(any(".down")),
        Shape::MarkedPair => Ways { up: String::new(), ..pair(false) },
        Shape::Pair => {
            let separators = || [".", "_", "-"].into_iter();
            if let Some(by) = separators().find(|by| any(&format!("{by}up"))) {
                let down = format!("{by}down");
                let back = any(&down);
                return Ways { up: format!("{by}up"), down, back };
            }
            let words = separators().flat_map(|by| ["down", "rollback", "undo"].map(|word| format!("{by}{word}")));
            let down = words.into_iter().find(|end| any(end));
            let back = down.is_some();
            Ways { up: String::new(), down: down.unwrap_or_default(), back }
        }
    }
}

/// The `.sql` files of the folder itself.
fn scripts(folder: &Folder) -> impl Iterator<Item = &str> {
    folder.files.keys().map(String::as_str).filter(|p| !p.contains('/') && p.ends_with(".sql"))
}

/// Numbers migrations as the folder does, after its last one.
///
/// # Errors
/// Some files have no number: nobody could say what comes after them.
pub(super) fn versions(
    tool: &Tool,
    folder: &Folder,
    options: &Options,
    count: usize,
) -> Result<Vec<String>, MigrationError> {
    let in_folders = matches!(tool.shape, Shape::Diesel | Shape::Prisma | Shape::Drizzle);
    let names = folder.files.keys().filter_map(|path| match path.split_once('/') {
        Some((first, _)) => in_folders.then_some(first),
        None => (!in_folders && path.ends_with(".sql")).then_some(path.as_str()),
    });
    let names: Vec<&str> = names.collect();
    if matches!(tool.shape, Shape::Flyway | Shape::Refinery)
        && let Some(versions) = dotted(&names, count)
    {
        return Ok(versions);
    }
    if matches!(tool.shape, Shape::Pair | Shape::MarkedPair)
        && let Some(name) = names.iter().find(|n| !n.starts_with(|c: char| c.is_ascii_digit()))
    {
        return Err(MigrationError::Unnumbered { path: (*name).to_string() });
    }
    Ok(following(&names, tool, options, count))
}

/// Numbers what comes after names that begin with numbers.
pub(super) fn following(names: &[&str], tool: &Tool, options: &Options, count: usize) -> Vec<String> {
    let mut last: Option<(u128, usize)> = None;
    let mut dashed = false;
    for name in names {
        let name = name.strip_prefix(['V', 'U', 'B']).unwrap_or(name);
        let end = name.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(name.len());
        let number: String = name[..end].chars().filter(char::is_ascii_digit).collect();
        dashed |= name[..end].trim_end_matches('-').contains('-');
        if let Ok(n) = number.parse::<u128>() {
            last = last.max(Some((n, number.len())));
        }
    }
    let time: u128 = options.digits.parse().unwrap_or(0);
    // Prisma compares names as text and begins a folder that it takes over with `0_init` ("Baselining a database").
    let last = last.filter(|(_, width)| tool.shape != Shape::Prisma || *width >= SHORTEST_TIME);
    let (mut next, width) = match (last, tool.numbers) {
        // Times have fourteen digits, or thirteen if they are milliseconds since 1970; what is shorter is counted.
        (Some((n, width)), _) if width < SHORTEST_TIME => (n + 1, width),
        (Some((n, COUNTED)), _) if tool.shape == Shape::Diesel => ((time * 10_000).max(n + 1), COUNTED),
        (Some((n, MILLISECONDS)), _) => (u128::from(options.millis).max(n + 1), MILLISECONDS),
        (Some((n, width)), _) => (time.max(after(n)), width.max(TIME)),
        (None, Numbers::Count(width)) => (1, width),
        (None, Numbers::Time | Numbers::DashedTime) => (time, TIME),
    };
    let dashed = tool.shape == Shape::Diesel && (dashed || last.is_none()) && matches!(width, TIME | COUNTED);
    let mut versions = Vec::new();
    for _ in 0..count {
        let plain = format!("{next:0width$}");
        versions.push(if dashed {
            let count = if width == COUNTED { format!("-{}", &plain[TIME..]) } else { String::new() };
            format!("{}-{}-{}-{}{count}", &plain[..4], &plain[4..6], &plain[6..8], &plain[8..TIME])
        } else {
            plain
        });
        next = after(next);
    }
    versions
}

const SHORTEST_TIME: usize = 12;
const MILLISECONDS: usize = 13;
const TIME: usize = 14;
/// A time and four digits that count, as folders of diesel have it: `2026-01-31-235959-0000`.
const COUNTED: usize = 18;

/// Returns what comes after a number: after a time as `20260131235959` the next second, after any other number the next one.
fn after(number: u128) -> u128 {
    let [second, minute, hour, day, month] = [0u32, 2, 4, 6, 8].map(|at| number / 10u128.pow(at) % 100);
    let year = number / 10u128.pow(10);
    let leap = (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    let length = match month {
        2 => 28 + u128::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let is_time = (1000..10_000).contains(&year)
        && (1..=12).contains(&month)
        && (1..=length).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !is_time {
        return number + 1;
    }
    let mut fields = [second + 1, minute, hour, day, month, year];
    let limits = [(60, 0), (60, 0), (24, 0), (length + 1, 1), (13, 1)];
    for (at, (limit, first)) in limits.into_iter().enumerate() {
        if fields[at] == limit {
            fields[at] = first;
            fields[at + 1] += 1;
        }
    }
    let [second, minute, hour, day, month, year] = fields;
    ((((year * 100 + month) * 100 + day) * 100 + hour) * 100 + minute) * 100 + second
}

/// Goes on with versions of several parts, `V1.2__name.sql`: the last part counts on. `None` if the last one has one part.
fn dotted(names: &[&str], count: usize) -> Option<Vec<String>> {
    let version = |name: &&str| -> Option<(Vec<u128>, String)> {
        let (head, _) = name.strip_prefix(['V', 'U', 'B'])?.split_once("__")?;
        let parts: Option<Vec<u128>> = head.split(['.', '_']).map(|p| p.parse().ok()).collect();
        Some((parts?, head.to_string()))
    };
    let (parts, text) = names.iter().filter_map(version).max()?;
    let at = text.rfind(['.', '_'])? + 1;
    let width = text.len() - at;
    let last = *parts.last()?;
    Some((1..).take(count).map(|n: u128| format!("{}{:0width$}", &text[..at], last + n)).collect())
}

#[cfg(test)]
mod tests {
    use super::super::tools::find;
    use super::*;

    fn next(tool: &str, files: &[&str]) -> Result<Vec<String>, MigrationError> {
        let files = files.iter().map(|f| ((*f).to_string(), String::new())).collect();
        let options = Options { name: "n".into(), digits: "20260131235958".into(), millis: 1_769_903_998_000 };
        versions(find(tool).unwrap(), &Folder { files }, &options, 3)
    }

    #[track_caller]
    fn check(tool: &str, files: &[&str], expected: [&str; 3]) {
        assert_eq!(next(tool, files).unwrap(), expected, "{tool} {files:?}");
    }

    #[test]
    fn times_are_real_ones() {
        check("dbmate", &["20240101000000_a.sql"], ["20260131235958", "20260131235959", "20260201000000"]);
        check("dbmate", &["20280228235959_a.sql"], ["20280229000000", "20280229000001", "20280229000002"]);
        check("dbmate", &["20271231235959_a.sql"], ["20280101000000", "20280101000001", "20280101000002"]);
        check("diesel", &[], ["2026-01-31-235958", "2026-01-31-235959", "2026-02-01-000000"]);
        let counted = ["2026-01-31-235958-0000", "2026-01-31-235958-0001", "2026-01-31-235958-0002"];
        check("diesel", &["20200101000000_a/up.sql", "2025-07-30-140000-0000_b/up.sql"], counted);
        // What no clock showed counts on.
        check("dbmate", &["20990101000099_a.sql"], ["20990101000100", "20990101000101", "20990101000102"]);
        check("sqlx", &["1900000000000_a.up.sql"], ["1900000000001", "1900000000002", "1900000000003"]);
        check("sqlx", &["1700000000000_a.up.sql"], ["1769903998000", "1769903998001", "1769903998002"]);
    }

    #[test]
    fn counting_goes_on() {
        check("goose", &["00007_a.sql", "notes-2024.md", "2025/x.sql"], ["00008", "00009", "00010"]);
        check("golang-migrate", &[], ["000001", "000002", "000003"]);
        check("prisma", &["0_init/migration.sql"], ["20260131235958", "20260131235959", "20260201000000"]);
        check("flyway", &["V1__a.sql", "V1.2__b.sql", "R__c.sql"], ["1.3", "1.4", "1.5"]);
        check("flyway", &["V2024.01.09__a.sql", "V2024.01.10__b.sql"], ["2024.01.11", "2024.01.12", "2024.01.13"]);
        check("flyway", &["V1.9__a.sql", "V2__b.sql"], ["3", "4", "5"]);
    }

    #[test]
    fn nothing_comes_after_what_has_no_number() {
        let error = next("sql", &["0001_a.sql", "seed.sql"]).unwrap_err();
        assert_eq!(error, MigrationError::Unnumbered { path: "seed.sql".into() });
    }

    #[test]
    fn a_folder_tells_both_ways_apart_or_does_not() {
        let of = |tool: &str, files: &[(&str, &str)]| {
            let files = files.iter().map(|(path, text)| ((*path).to_string(), (*text).to_string())).collect();
            let ways = ways(find(tool).unwrap(), &Folder { files });
            (ways.up, if ways.back { ways.down } else { "none".to_string() })
        };
        let both = |up: &str, down: &str| (up.to_string(), down.to_string());
        assert_eq!(of("sql", &[]), both(".up", ".down"));
        assert_eq!(of("sql", &[("1_a.up.sql", ""), ("1_a.down.sql", "")]), both(".up", ".down"));
        assert_eq!(of("sql", &[("1_a_up.sql", ""), ("1_a_down.sql", "")]), both("_up", "_down"));
        assert_eq!(of("sql", &[("1_a.sql", ""), ("1_a.rollback.sql", "")]), both("", ".rollback"));
        assert_eq!(of("sql", &[("1_a.sql", ""), ("sub/1_a.up.sql", "")]), both("", "none"));
        assert_eq!(of("golang-migrate", &[("1_a.up.sql", "")]), both(".up", "none"));
        assert_eq!(of("golang-migrate", &[]), both(".up", ".down"));
        assert_eq!(of("sqlx", &[("1_a.sql", "")]), both("", "none"));
        assert_eq!(of("goose", &[("1_a.sql", "-- +goose Up\n")]).1, "none");
        assert_eq!(of("goose", &[("1_a.sql", "-- +goose Up\n-- +goose Down\n")]).1, ".down");
        assert_eq!(of("dbmate", &[("1_a.sql", "-- migrate:up\n")]).1, "none");
        assert_eq!(of("diesel", &[("1_a/up.sql", "")]).1, "none");
        assert_eq!(of("diesel", &[("1_a/up.sql", ""), ("1_a/down.sql", "")]).1, ".down");
        assert_eq!(of("flyway", &[("V1__a.sql", "")]).1, "none");
    }
}
