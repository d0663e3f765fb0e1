//! The files of a room use each other in one direction: whoever reads one reads what it uses, and never comes back to it.

use std::collections::{BTreeMap, BTreeSet};

/// Rooms whose files still use each other in circles. The list gets shorter, never longer: types that several files share go into a
/// file of their own (`model.rs`), which uses none of them.
const STILL_CIRCLES: &[&str] = &[
    "apply",
    "change",
    "config",
    "engine",
    "fate",
    "findings",
    "hints",
    "infer",
    "plan",
    "relations",
    "rules",
    "schema",
    "source",
    "sql",
    "text",
    "verify",
];

/// A file, as the path of its module: `["migration", "tools"]`.
type Module = Vec<String>;

/// Reads the paths of a text that begins with one: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths(text: &str) -> Vec<Module> {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        let (mut depth, mut start, mut all) = (0, 0, Vec::new());
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                ',' if depth == 0 => {
                    all.extend(paths(&group[start..at]));
                    start = at + 1;
                }
                '}' if depth == 0 => {
                    all.extend(paths(&group[start..at]));
                    break;
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
        return all;
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    match rest.strip_prefix("::") {
        Some(rest) => paths(rest)
            .into_iter()
            .map(|mut path| {
                path.insert(0, name.to_string());
                path
            })
            .collect(),
        None => vec![vec![name.to_string()]],
    }
}

/// Finds the file that a path leads to: the last module of it that is a file.
fn file(module: &Module, path: &[String], files: &BTreeMap<Module, String>) -> Module {
    let (mut at, mut rest) = (module.clone(), path);
    while let Some((first, others)) = rest.split_first() {
        match first.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => _ = at.pop(),
            name => {
                at.push(name.to_string());
                if !files.contains_key(&at) {
                    at.pop();
                    break;
                }
            }
        }
        rest = others;
    }
    at
}

/// Returns the other files of its room that a file uses.
fn uses(module: &Module, code: &str, files: &BTreeMap<Module, String>) -> BTreeSet<Module> {
    let below = files.keys().filter(|m| m.len() == module.len() + 1 && m.starts_with(module));
    let begins: Vec<String> = ["super", "self", "crate"]
        .iter()
        .copied()
        .chain(below.filter_map(|m| m.last()).map(String::as_str))
        .map(|b| format!("{b}::"))
        .collect();
    let mut used = BTreeSet::new();
    for (at, _) in code.char_indices().filter(|(at, _)| begins.iter().any(|b| code[*at..].starts_with(b.as_str()))) {
        let before = code[..at].chars().next_back().unwrap_or(' ');
        // `pub(in crate::r)` says who may use it.
        if before.is_alphanumeric() || matches!(before, '_' | ':') || code[..at].ends_with("pub(in ") {
            continue;
        }
        used.extend(paths(&code[at..]).iter().map(|path| file(module, path, files)));
    }
    used.retain(|other| other != module && other.first() == module.first());
    used
}

/// Returns a circle among files, if there is one: each uses the next, and the last the first.
fn circle(graph: &BTreeMap<Module, BTreeSet<Module>>) -> Option<Vec<Module>> {
    let mut done = BTreeSet::new();
    graph.keys().find_map(|first| walk(first, graph, &mut Vec::new(), &mut done))
}

fn walk(
    at: &Module,
    graph: &BTreeMap<Module, BTreeSet<Module>>,
    way: &mut Vec<Module>,
    done: &mut BTreeSet<Module>,
) -> Option<Vec<Module>> {
    if let Some(begins) = way.iter().position(|m| m == at) {
        return Some(way[begins..].to_vec());
    }
    if done.contains(at) {
        return None;
    }
    way.push(at.clone());
    let found = graph.get(at).into_iter().flatten().find_map(|next| walk(next, graph, way, done));
    way.pop();
    done.insert(at.clone());
    found
}

/// Finds the room's first circle.
fn circle_of(room: &str, files: &BTreeMap<Module, String>) -> Option<Vec<Module>> {
    let inside = files.iter().filter(|(module, _)| module.first().is_some_and(|first| first == room));
    circle(&inside.map(|(module, code)| (module.clone(), uses(module, code, files))).collect())
}

#[test]
fn files_of_a_room_form_no_circle() {
    let files: BTreeMap<Module, String> = super::sources()
        .into_iter()
        .map(|(path, _, code)| {
            let path = path.with_extension("").to_string_lossy().replace('\\', "/");
            let module = path.strip_suffix("/mod").unwrap_or(&path).split('/').map(str::to_string).collect();
            let lines: Vec<&str> = super::code_lines(&code).map(|(_, line)| line).collect();
            (module, lines.join("\n"))
        })
        .collect();
    let rooms: BTreeSet<&str> = files.keys().filter_map(|m| m.first()).map(String::as_str).collect();
    let mut wrong = Vec::new();
    for room in &rooms {
        match (circle_of(room, &files), STILL_CIRCLES.contains(room)) {
            (Some(circle), false) => {
                let names: Vec<String> = circle.iter().chain(circle.first()).map(|m| m.join("/")).collect();
                wrong.push(format!("src/{room}: {}", names.join(" uses ")));
            }
            (None, true) => wrong.push(format!("src/{room} has no circle any more: take it out of STILL_CIRCLES")),
            _ => {}
        }
    }
    wrong.extend(
        STILL_CIRCLES
            .iter()
            .filter(|r| !rooms.contains(*r))
            .map(|r| format!("src/{r} is gone: take it out of STILL_CIRCLES")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn circles_are_found_in_whatever_way_a_file_is_named() {
    let found = |texts: &[(&str, &str)]| {
        let module = |path: &str| path.split('/').map(str::to_string).collect::<Module>();
        let files = texts.iter().map(|(path, code)| (module(path), (*code).to_string())).collect();
        circle_of("r", &files).map(|circle| circle.iter().map(|m| m.join("/")).collect::<Vec<_>>().join(" "))
    };
    let there = |texts: &[(&str, &str)]| found(texts).is_some();
    assert_eq!(
        found(&[("r", "mod a;"), ("r/a", "use super::b::X;"), ("r/b", "use super::{a::{Y, Z}};")]).as_deref(),
        Some("r/a r/b")
    );
    assert!(there(&[("r", "pub use a::X;"), ("r/a", "use super::Type;")]));
    assert!(there(&[("r", "fn f() { self::a::g() }"), ("r/a", "crate::r::f()")]));
    assert!(there(&[("r", "use a::b::X;"), ("r/a", ""), ("r/a/b", "use super::super::Y;")]));
    assert!(!there(&[("r", "mod a; pub use a::X;"), ("r/a", "use super::b::Y;"), ("r/b", "use crate::a::r;")]));
    assert!(!there(&[("r", "use a::X;"), ("r/a", "pub(in crate::r) struct X;")]));
    assert!(!there(&[("r", "let a = other::a::b();"), ("r/a", "use super::Type;")]));
}
