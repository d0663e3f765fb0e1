//! What of a URL other rooms see: why it is malformed, and how it is named without its password.

use std::fmt;

pub use crate::engine::postgres::UrlError;
pub use crate::text::redact;

/// A SOURCE as it was typed, which may hold a password. Whoever shows it shows it without.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceText(String);

impl SourceText {
    /// Returns the text itself, to connect with; never to show.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SourceText {
    fn from(text: &str) -> Self {
        Self(text.to_string())
    }
}

impl From<String> for SourceText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact(&self.0))
    }
}

impl fmt::Debug for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", redact(&self.0))
    }
}
