//! `referee demo`: a small database with every kind of defect, audited.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::args::{DemoArgs, Global};
use super::super::error::CliError;
use super::super::output::{self, Inputs};
use super::super::progress::Bar;
use super::super::ui::Ui;
use referee::app::{self, audit};
use referee::config::THRESHOLD;
use referee::relations::Graph;
use referee::render::{self, GraphFormat, GraphOptions, ReportFormat};
use referee::text::operand;

/// A folder that is gone when this is.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn run(args: &DemoArgs, global: &Global, ui: &Ui) -> Result<u8, CliError> {
    let mut temporary = None;
    let path = match &args.keep {
        Some(path) => {
            output::check(Some(path), &Inputs::default())?;
            if path.exists() {
                return Err(CliError::new(format!("{} is there already", path.display()))
                    .hint("name a file that does not exist, with --keep FILE"));
            }
            path.clone()
        }
        None => {
            let folder = std::env::temp_dir().join(format!("referee-demo-{}", std::process::id()));
            fs::create_dir(&folder).map_err(|e| CliError::file("make", &folder, &e))?;
            temporary.insert(Temporary(folder)).0.join("demo.db")
        }
    };
    referee::demo::write(&path)?;
    let shown = shown(&path)?;
    let mut input = super::open(&shown.into(), global, ui)?;
    if temporary.is_some() {
        input.label = "demo.db".to_string();
    }
    let graph = Graph::new(&input.schema, &[], THRESHOLD);
    let tree = render::graph(GraphFormat::Tree, &input.schema, &graph, &GraphOptions::default(), &ui.style);
    let mut request = audit::Request::new(input);
    request.data = true;
    let response = app::audit(request, &Bar::context(ui))?;
    let text = render::report(ReportFormat::Text, &response.report, &ui.style, ui.quiet);
    ui.print(&format!("{tree}\n{text}"))?;
    if !ui.quiet {
        ui.print(&next(args.keep.as_deref()))?;
    }
    // The findings are the point of the demo, not a failure of it: `referee audit` on the same file exits with 1.
    Ok(0)
}

/// Returns the path as a source; a relative one must not look like an option or a URL.
fn shown(path: &Path) -> Result<String, CliError> {
    let text = path.to_str().ok_or_else(|| CliError::new(format!("{} is not UTF-8", path.display())))?;
    Ok(format!("sqlite:{text}"))
}

fn next(kept: Option<&Path>) -> String {
    let file = kept.map_or_else(|| "demo.db".to_string(), |path| operand(&path.display().to_string()));
    let mut lines = Vec::new();
    if kept.is_none() {
        lines.push(("referee demo --keep demo.db".to_string(), "keep this database, to try things on"));
    }
    lines.push(("referee explain set-null-on-not-null".to_string(), "what a rule finds, why, what to do"));
    lines.push((format!("referee graph {file} --root users"), "what hangs on one table"));
    lines.push((format!("referee infer {file} --accept-above"), "accept the surest guesses"));
    lines.push((format!("referee init {file}"), "a commented referee.toml"));
    lines.push(("referee audit YOUR.db".to_string(), "your own database"));
    let width = lines.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
    let lines: String = lines.iter().map(|(command, what)| format!("  {command:width$}  {what}\n")).collect();
    format!(
        "\nNext:\n{lines}\n\
         The exit code is 0 because this is a demo; `referee audit` of this file exits\n\
         with 1, so that it can stop a build.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_commands_stand_in_columns_within_eighty() {
        for text in [next(None), next(Some(Path::new("shop.db")))] {
            assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
            let commands: Vec<_> = text.lines().filter(|l| l.starts_with("  referee")).collect();
            let described = |line: &str| line.rfind("  ").map(|gap| gap + 2);
            assert!(commands.len() >= 4, "{text}");
            assert!(commands.iter().all(|l| described(l) == described(commands[0])), "{text}");
        }
        assert!(next(Some(Path::new("shop.db"))).contains("referee init shop.db "));
        assert!(!next(Some(Path::new("shop.db"))).contains("--keep"));
    }
}
