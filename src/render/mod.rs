//! Renderers: a report, a graph or a schema becomes text. One file per format.
//!
//! Every renderer is a pure function. None prints, none knows a terminal: what they need to know of one is in [`Style`].

mod document;
pub mod excerpt;
pub mod fate;
mod github;
pub mod gitlab;
pub mod graph;
pub mod html;
pub mod infer;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod plan;
mod rest;
pub mod sarif;
mod schema;
mod style;
mod summary;
pub mod text;
pub mod verify;

#[cfg(test)]
mod samples;

use crate::audit::Report;
use crate::fate::{Counted, Fate};
use crate::plan::Plan;
use crate::relations::Graph;
use crate::schema::Schema;
use crate::text::with_source;

pub use graph::GraphOptions;
pub use plan::Commands;
pub use schema::schema_text;
pub use style::Style;
pub use style::wrap;
pub use summary::{RelationCounts, Summary};

/// The formats of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReportFormat {
    /// For a reader at a terminal.
    #[default]
    Text,
    /// referee's own document.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// An audit document for people.
    Markdown,
    /// Annotations of a GitHub workflow.
    Github,
    /// GitLab's code quality report.
    Gitlab,
    /// JUnit XML.
    Junit,
    /// One self-contained page.
    Html,
}

impl ReportFormat {
    /// Every format.
    pub const ALL: &[Self] =
        &[Self::Text, Self::Json, Self::Sarif, Self::Markdown, Self::Github, Self::Gitlab, Self::Junit, Self::Html];

    /// Returns the name a user types.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Sarif => "sarif",
            Self::Markdown => "markdown",
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Junit => "junit",
            Self::Html => "html",
        }
    }

    /// Finds a format by its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|f| f.name().eq_ignore_ascii_case(name))
    }
}

/// The formats of a graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GraphFormat {
    /// A tree for a reader at a terminal.
    #[default]
    Tree,
    /// A Mermaid `erDiagram`.
    Mermaid,
    /// Graphviz.
    Dot,
    /// A picture.
    Svg,
    /// referee's own document.
    Json,
}

impl GraphFormat {
    /// Every format.
    pub const ALL: &[Self] = &[Self::Tree, Self::Mermaid, Self::Dot, Self::Svg, Self::Json];

    /// Returns the name a user types.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Mermaid => "mermaid",
            Self::Dot => "dot",
            Self::Svg => "svg",
            Self::Json => "json",
        }
    }

    /// Finds a format by its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|f| f.name().eq_ignore_ascii_case(name))
    }
}

/// The formats of a fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FateFormat {
    /// For a reader at a terminal.
    #[default]
    Text,
    /// referee's own document.
    Json,
    /// A document for people.
    Markdown,
    /// A Mermaid `flowchart`.
    Mermaid,
    /// A picture.
    Svg,
}

impl FateFormat {
    /// Every format.
    pub const ALL: &[Self] = &[Self::Text, Self::Json, Self::Markdown, Self::Mermaid, Self::Svg];

    /// Returns the name a user types.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Markdown => "markdown",
            Self::Mermaid => "mermaid",
            Self::Svg => "svg",
        }
    }
}

/// The formats of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlanFormat {
    /// For a reader at a terminal.
    #[default]
    Text,
    /// referee's own document.
    Json,
    /// A document for people.
    Markdown,
    /// The statements, with comments.
    Sql,
}

impl PlanFormat {
    /// Every format.
    pub const ALL: &[Self] = &[Self::Text, Self::Json, Self::Markdown, Self::Sql];

    /// Returns the name a user types.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Markdown => "markdown",
            Self::Sql => "sql",
        }
    }
}

/// Writes a plan. `backup` is the command that copies the database before, where there is one. `style` matters to
/// [`PlanFormat::Text`], and to SQL that is no file's.
pub fn plan(format: PlanFormat, source: &str, commands: &Commands, plan: &Plan, style: &Style) -> String {
    let shown = || {
        let mut shown = plan.clone();
        shown.refused.iter_mut().for_each(|r| r.why = with_source(&r.why, source));
        shown
    };
    match format {
        PlanFormat::Text => self::plan::text::render(source, commands, &shown(), style),
        PlanFormat::Json => self::plan::json::render(source, plan),
        PlanFormat::Markdown => self::plan::markdown::render(source, commands, &shown()),
        PlanFormat::Sql => self::plan::sql::render(source, commands, plan, style.file),
    }
}

/// Writes what becomes of every table. `style` matters to [`FateFormat::Text`] only.
pub fn fate(
    format: FateFormat,
    fate: &Fate,
    counted: Option<&[Counted]>,
    commands: &fate::Commands,
    style: &Style,
) -> String {
    match format {
        FateFormat::Text => self::fate::text::render(fate, counted, commands, style),
        FateFormat::Json => self::fate::json::render(fate, counted),
        FateFormat::Markdown => self::fate::markdown::render(fate, counted, commands),
        FateFormat::Mermaid => self::fate::mermaid::render(fate),
        FateFormat::Svg => self::fate::svg::render(fate),
    }
}

/// Writes a report. `style` and `quiet` matter to [`ReportFormat::Text`] only.
pub fn report(format: ReportFormat, report: &Report, style: &Style, quiet: bool) -> String {
    match format {
        ReportFormat::Text if quiet => text::quiet(report, style),
        ReportFormat::Text => text::render(report, style),
        ReportFormat::Json => json::render(report),
        ReportFormat::Sarif => sarif::render(report),
        ReportFormat::Markdown => markdown::render(report),
        ReportFormat::Github => github::render(report),
        ReportFormat::Gitlab => gitlab::render(report),
        ReportFormat::Junit => junit::render(report),
        ReportFormat::Html => html::render(report),
    }
}

/// Writes one document of several reports, each of a path of its own. Of one report it is what [`report`] writes.
pub fn reports(format: ReportFormat, reports: &[Report], style: &Style, quiet: bool) -> String {
    if let [only] = reports {
        return report(format, only, style, quiet);
    }
    let each = |between: &str| -> String {
        let texts: Vec<String> = reports.iter().map(|r| report(format, r, style, quiet)).collect();
        texts.join(between)
    };
    match format {
        ReportFormat::Text | ReportFormat::Github => each(""),
        ReportFormat::Markdown => each("\n"),
        ReportFormat::Json => json::render_all(reports),
        ReportFormat::Sarif => sarif::render_all(reports),
        ReportFormat::Gitlab => gitlab::render_all(reports),
        ReportFormat::Junit => junit::render_all(reports),
        ReportFormat::Html => html::render_all(reports),
    }
}

/// Writes a graph. `style` matters to [`GraphFormat::Tree`] only.
pub fn graph(format: GraphFormat, schema: &Schema, relations: &Graph, options: &GraphOptions, style: &Style) -> String {
    let view = graph::View::new(schema, relations, options);
    match format {
        GraphFormat::Tree => graph::tree::render(&view, style),
        GraphFormat::Mermaid => graph::mermaid::render(&view),
        GraphFormat::Dot => graph::dot::render(&view),
        GraphFormat::Svg => graph::svg::render(&view),
        GraphFormat::Json => graph::json::render(&view),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for &format in ReportFormat::ALL {
            assert_eq!(ReportFormat::parse(format.name()), Some(format));
        }
        for &format in GraphFormat::ALL {
            assert_eq!(GraphFormat::parse(&format.name().to_uppercase()), Some(format));
        }
        assert_eq!(ReportFormat::parse("pdf"), None);
    }

    #[test]
    fn one_document_holds_the_reports_of_several_paths() {
        let style = Style::default();
        let mut other = samples::report();
        other.source = "other/migrations".into();
        let both = [samples::report(), other];
        for &format in ReportFormat::ALL {
            let alone = report(format, &both[0], &style, false);
            assert_eq!(reports(format, &both[..1], &style, false), alone, "{}", format.name());
            let text = reports(format, &both, &style, false);
            assert!(text.ends_with('\n') && text.len() > alone.len(), "{}", format.name());
            if format != ReportFormat::Github {
                assert!(text.contains("other/migrations"), "{}", format.name());
            }
        }
        junit::tests::assert_well_formed(&reports(ReportFormat::Junit, &both, &style, false));
        let issues = reports(ReportFormat::Gitlab, &both, &style, false);
        let issues: Vec<serde_json::Value> = serde_json::from_str(&issues).expect("JSON");
        let prints: std::collections::BTreeSet<&str> =
            issues.iter().filter_map(|i| i["fingerprint"].as_str()).collect();
        assert_eq!((issues.len(), prints.len()), (16, 16));
        let html = reports(ReportFormat::Html, &both, &style, false);
        let count = |what: &str| html.matches(what).count();
        assert_eq!((count("<main>"), count("</main>"), count("<script>"), count("</html>")), (2, 2, 1, 1));
    }

    #[test]
    fn every_format_ends_its_last_line_and_is_deterministic() {
        let (one, two) = (samples::report(), samples::report());
        for &format in ReportFormat::ALL {
            let text = report(format, &one, &Style::default(), false);
            assert!(text.ends_with('\n'), "{}", format.name());
            assert_eq!(text, report(format, &two, &Style::default(), false), "{}", format.name());
        }
    }
}
