//! Procedures, as far as they change tables.

use super::{Located, Name, Span};

/// A procedure with the DDL of its body (MySQL).
#[derive(Clone, Debug, PartialEq)]
pub struct Routine {
    /// Its name.
    pub name: Name,
    /// Its parameters, in order.
    pub parameters: Vec<String>,
    /// The DDL of its body, in order; whether it runs, the body's code decides.
    pub ddl: Vec<RoutineDdl>,
}

/// DDL in the body of a procedure.
#[derive(Clone, Debug, PartialEq)]
pub enum RoutineDdl {
    /// A statement as it stands.
    Fixed(Located),
    /// A statement that is put together when it runs.
    Template {
        /// What it is put together of.
        parts: Vec<Part>,
        /// Where its first string is.
        span: Span,
    },
}

/// A part of a statement that is put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A text.
    Text(String),
    /// A parameter, by its position.
    Parameter(usize),
}

impl RoutineDdl {
    /// Returns where it is.
    pub fn span(&self) -> Span {
        match self {
            Self::Fixed(located) => located.span,
            Self::Template { span, .. } => *span,
        }
    }

    /// Returns the text of a template with the arguments in their places; `None` if one of them is not known, or for a
    /// statement that stands as it is.
    pub fn filled(&self, arguments: &[Option<String>]) -> Option<String> {
        let Self::Template { parts, .. } = self else { return None };
        let part = |part: &Part| match part {
            Part::Text(text) => Some(text.clone()),
            Part::Parameter(at) => arguments.get(*at).cloned().flatten(),
        };
        parts.iter().map(part).collect()
    }
}
