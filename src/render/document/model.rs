//! What documents are made of. The writers know this file; it knows none of them.

use std::fmt::Display;

/// How much a report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::render) enum Form {
    /// For a reader at a terminal: what is needed now.
    Short,
    /// For a document that is kept: everything.
    Long,
}

/// A report, from top to bottom.
pub(in crate::render) type Document = Vec<Block>;

/// Words in a line, one after the other.
pub(in crate::render) type Line = Vec<Span>;

/// What a database or a user calls something: a table, a key, a file, a source. It cannot be shown but by a writer, which escapes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::render) struct Foreign(String);

impl Foreign {
    /// Takes a name.
    pub(in crate::render) fn new(name: impl Display) -> Self {
        Self(name.to_string())
    }

    /// Returns it as it is, for a writer that escapes it.
    pub(super) fn raw(&self) -> &str {
        &self.0
    }
}

/// Words of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::render) enum Span {
    /// Words that mean themselves.
    Plain(String),
    /// A message: what stands in it between single backticks is code.
    Prose(String),
    /// A name. It is never broken, and where there is code it is code.
    Name(Foreign),
    /// Words of ours that are code: a rule, an action.
    Code(String),
    /// What a reader sees first.
    Strong(Line),
    /// What a reader may pass over.
    Dim(Line),
    /// Words that are good or bad news.
    Toned(Tone, Line),
    /// The next words begin a line, in a cell of a table, too.
    Break,
    /// So many columns are left free at a terminal.
    Space(usize),
}

/// What kind of news words are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::render) enum Tone {
    /// As it should be.
    Good,
    /// Worth knowing.
    Note,
    /// It depends.
    Doubt,
    /// Something is stopped, lost or wrong.
    Bad,
}

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::render) enum Block {
    /// A title, and what stands beside it, at the line's end at a terminal. There an empty line stands before.
    Heading { level: usize, line: Line, beside: Line },
    /// Sentences.
    Paragraph(Line),
    /// Items, one below the other.
    List(Vec<Item>),
    /// Rows of cells.
    Table(Table),
    /// Code, as it is run.
    Code { language: &'static str, text: String },
    /// Blocks beside a word at a terminal (`undo  `), and below one elsewhere (`Undo:`).
    Beside { column: &'static str, words: &'static str, blocks: Document },
    /// Blocks that stand so many columns to the right at a terminal.
    Indented(usize, Document),
    /// An empty line at a terminal, where blocks follow each other without one.
    Gap,
}

/// One of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::render) struct Item {
    /// How many items it stands below.
    pub depth: usize,
    /// What it begins with.
    pub lead: Lead,
    /// What it says.
    pub line: Line,
}

/// What an item begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::render) enum Lead {
    /// Nothing at a terminal, a bullet elsewhere.
    None,
    /// A bullet.
    Bullet,
    /// Words that stand in a column of their own at a terminal, and after the bullet elsewhere: `lock  `, `Lock: `.
    Label { column: String, words: String },
}

/// Rows of cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::render) struct Table {
    /// The columns, from left to right. At a terminal they have no titles.
    pub columns: Vec<Column>,
    /// The cells of each row, as many as there are columns.
    pub rows: Vec<Vec<Line>>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::render) struct Column {
    /// Its title.
    pub title: &'static str,
    /// Whether it holds numbers, which end below each other.
    pub number: bool,
}

impl Table {
    /// Makes an empty one. The titles of columns of numbers begin with `#`.
    pub(in crate::render) fn new(titles: &[&'static str]) -> Self {
        let column = |title: &&'static str| match title.strip_prefix('#') {
            Some(title) => Column { title, number: true },
            None => Column { title, number: false },
        };
        Self { columns: titles.iter().map(column).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(in crate::render) fn row(&mut self, cells: impl IntoIterator<Item = Line>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl Span {
    /// A name.
    pub(in crate::render) fn name(name: impl Display) -> Self {
        Self::Name(Foreign::new(name))
    }
}

impl Block {
    /// A title.
    pub(in crate::render) fn heading(level: usize, line: impl Into<Line>) -> Self {
        Self::Heading { level, line: line.into(), beside: Line::new() }
    }

    /// Items of one level, as many columns to the right as what stands below a title.
    pub(in crate::render) fn below(lead: &Lead, lines: impl IntoIterator<Item = Line>) -> Self {
        Self::Indented(2, vec![Self::list(lead, lines)])
    }

    /// Items of one level.
    pub(in crate::render) fn list(lead: &Lead, lines: impl IntoIterator<Item = Line>) -> Self {
        let item = |line| Item { depth: 0, lead: lead.clone(), line };
        Self::List(lines.into_iter().map(item).collect())
    }
}

/// A line of words that mean themselves.
pub(in crate::render) fn plain(text: impl Into<String>) -> Line {
    vec![Span::Plain(text.into())]
}

/// A line that is a message.
pub(in crate::render) fn prose(text: impl Into<String>) -> Line {
    vec![Span::Prose(text.into())]
}
