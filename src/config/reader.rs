//! Takes values out of a TOML tree, and notes what is wrong with them instead of stopping at the first.

use std::ops::Range;

use globset::Glob;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, did_you_mean, nearest};

/// A text and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub text: String,
    pub span: Range<usize>,
}

/// One table of the tree, with where its values go wrong.
pub(super) struct Section<'t, 'i> {
    table: &'t DeTable<'i>,
    /// The header, or the braces of an inline table.
    pub span: Range<usize>,
    /// What it is called in messages: `[[relation]]`.
    name: String,
}

impl<'t, 'i> Section<'t, 'i> {
    /// Looks at a table, and complains of keys that it cannot have.
    pub fn new(
        table: &'t DeTable<'i>,
        span: Range<usize>,
        name: impl Into<String>,
        keys: &[&str],
        out: &mut Vec<Diagnostic>,
    ) -> Self {
        let name = name.into();
        for key in table.keys() {
            let written = key.get_ref().as_ref();
            if !keys.contains(&written) {
                let near = nearest(written, keys.iter().copied());
                let help = did_you_mean(&near).unwrap_or_else(|| format!("known keys: {}", keys.join(", ")));
                out.push(
                    Diagnostic::error(key.span(), format!("unknown key `{written}` in {name}"), "unknown key")
                        .help(help),
                );
            }
        }
        Self { table, span, name }
    }

    /// Returns a value as it is.
    pub fn get(&self, key: &str) -> Option<&'t Spanned<DeValue<'i>>> {
        self.table.iter().find(|(k, _)| k.get_ref() == key).map(|(_, v)| v)
    }

    /// Returns a value, and complains if it is not there.
    pub fn require(&self, key: &str, example: &str, out: &mut Vec<Diagnostic>) -> Option<&'t Spanned<DeValue<'i>>> {
        let value = self.get(key);
        if value.is_none() {
            out.push(
                Diagnostic::error(self.span.clone(), format!("{} has no `{key}`", self.name), format!("needs `{key}`"))
                    .help(format!("add a line such as `{key} = {example}`")),
            );
        }
        value
    }

    /// Returns a text.
    pub fn text(&self, key: &str, out: &mut Vec<Diagnostic>) -> Option<Text> {
        text(self.get(key)?, &format!("`{key}`"), out)
    }

    /// Returns a list of texts; a single text is a list of one.
    pub fn texts(&self, key: &str, out: &mut Vec<Diagnostic>) -> Option<Vec<Text>> {
        let value = self.get(key)?;
        if let Some(array) = value.get_ref().as_array() {
            return Some(array.iter().filter_map(|v| text(v, &format!("an item of `{key}`"), out)).collect());
        }
        if value.get_ref().is_str() {
            return text(value, key, out).map(|t| vec![t]);
        }
        wrong_type(value, &format!("`{key}`"), "a string or a list of strings", out);
        None
    }

    /// Returns a glob.
    pub fn glob(&self, key: &str, out: &mut Vec<Diagnostic>) -> Option<(Glob, Range<usize>)> {
        let text = self.text(key, out)?;
        Some((glob(&text, out)?, text.span))
    }

    /// Returns a list of globs.
    pub fn globs(&self, key: &str, out: &mut Vec<Diagnostic>) -> Vec<(Glob, Range<usize>)> {
        let texts = self.texts(key, out).unwrap_or_default();
        texts.into_iter().filter_map(|t| Some((glob(&t, out)?, t.span))).collect()
    }

    /// Returns `true` or `false`.
    pub fn boolean(&self, key: &str, out: &mut Vec<Diagnostic>) -> Option<bool> {
        let value = self.get(key)?;
        let read = value.get_ref().as_bool();
        if read.is_none() {
            wrong_type(value, &format!("`{key}`"), "true or false", out);
        }
        read
    }

    /// Returns one of some texts, by its position among them.
    pub fn one_of(&self, key: &str, allowed: &[&str], out: &mut Vec<Diagnostic>) -> Option<usize> {
        let text = self.text(key, out)?;
        one_of(&text, &format!("`{key}`"), allowed, out)
    }
}

/// Reads a text.
pub(super) fn text(value: &Spanned<DeValue<'_>>, what: &str, out: &mut Vec<Diagnostic>) -> Option<Text> {
    let read = value.get_ref().as_str();
    if read.is_none() {
        wrong_type(value, what, "a string", out);
    }
    Some(Text { text: read?.to_string(), span: value.span() })
}

/// Finds a text among those that are allowed, and complains if it is none of them.
pub(super) fn one_of(text: &Text, what: &str, allowed: &[&str], out: &mut Vec<Diagnostic>) -> Option<usize> {
    let found = allowed.iter().position(|a| *a == text.text);
    if found.is_none() {
        let list: Vec<String> = allowed.iter().map(|a| format!("\"{a}\"")).collect();
        let message = format!("{what} cannot be \"{}\"", text.text);
        let mut help = format!("one of {}", list.join(", "));
        if let Some(near) = did_you_mean(&nearest(&text.text, allowed.iter().copied())) {
            help = format!("{near} (allowed: {})", list.join(", "));
        }
        out.push(Diagnostic::error(text.span.clone(), message, "not a value of this key").help(help));
    }
    found
}

/// Reads a glob.
fn glob(text: &Text, out: &mut Vec<Diagnostic>) -> Option<Glob> {
    match Glob::new(&text.text) {
        Ok(glob) => Some(glob),
        Err(error) => {
            let message = format!("`{}` is not a pattern: {}", text.text, error.kind());
            out.push(
                Diagnostic::error(text.span.clone(), message, "bad pattern")
                    .help("a pattern is a name with `*` for any characters, `?` for one, `[ab]` and `{one,other}`"),
            );
            None
        }
    }
}

/// Complains that a value is of the wrong type.
pub(super) fn wrong_type(value: &Spanned<DeValue<'_>>, what: &str, expected: &str, out: &mut Vec<Diagnostic>) {
    let found = value.get_ref().type_str();
    let message = format!("{what} must be {expected}, not {} {found}", article(found));
    out.push(Diagnostic::error(value.span(), message, format!("expected {expected}")));
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}
