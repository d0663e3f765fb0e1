//! The terminal: where text goes, whether it is coloured, how wide it is.
//!
//! Results go to standard output; notes, warnings, errors and progress to standard error.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use anstyle::{AnsiColor, Style as Ansi};

use super::args::{ColorWhen, Global};
use super::environment;
use super::error::CliError;
use super::interrupt::Job;
use super::snippet::snippet;
use referee::config::Diagnostic;
use referee::render::Style;
use referee::text::{masked, visible};

/// The width of text where nobody says how wide the terminal is.
const WIDTH: usize = 80;
/// Longer lines are hard to read.
const MAX_WIDTH: usize = 100;

#[derive(Clone)]
pub(super) struct Ui {
    /// What the verb's stages are told to, and what stops them.
    pub job: Job,
    /// How results are written.
    pub style: Style,
    /// Whether notes and progress are left out.
    pub quiet: bool,
    /// Whether progress can be drawn.
    pub progress: bool,
    mute: bool,
    colour_err: bool,
    /// What was typed, which may hold passwords.
    typed: Arc<[String]>,
}

impl Ui {
    pub fn new(global: &Global, typed: &[OsString]) -> Self {
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let wishes = environment::colour_wishes();
        Self {
            job: Job::new(global),
            style: Style {
                colour: coloured(global.color, out, wishes),
                unicode: !global.ascii,
                width: width(out, environment::columns()),
                file: false,
            },
            quiet: global.quiet,
            // A progress bar and printed statements would write over each other.
            mute: false,
            progress: err && !global.quiet && !global.verbose,
            colour_err: coloured(global.color, err, wishes),
            typed: typed.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        }
    }

    /// Returns one that tells nothing: for work whose notes and warnings were told, or will be.
    pub fn muted(&self) -> Self {
        Self {
            job: self.job.clone(),
            style: self.style,
            quiet: true,
            progress: false,
            mute: true,
            colour_err: self.colour_err,
            typed: Arc::clone(&self.typed),
        }
    }

    /// Returns how a result is written that goes to a file, if one is named.
    pub fn style_of(&self, file: Option<&Path>) -> Style {
        Style { colour: self.style.colour && file.is_none(), file: file.is_some(), ..self.style }
    }

    /// Prints a result. Formats write out what a terminal would act on; here nothing passes that one of them overlooked.
    pub fn print(&self, text: &str) -> Result<(), CliError> {
        let text = self.masked(&coloured_only(text, self.style.colour));
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| CliError::output(&e))
    }

    /// Tells something by the way; not if the user wants quiet.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.line(AnsiColor::BrightGreen, "note", text);
        }
    }

    /// Tells something that needs attention.
    pub fn warn(&self, what: &str, hint: Option<&str>) {
        self.line(AnsiColor::Yellow, "warning", what);
        self.hints(hint);
    }

    /// Tells why the job was not done.
    pub fn fail(&self, error: &CliError) {
        match error {
            CliError::Failed { what, hints } => {
                self.line(AnsiColor::BrightRed, "error", what);
                self.hints(hints.iter().map(String::as_str));
            }
            CliError::Config { name, text, diagnostics } => {
                self.diagnostics(name, text, diagnostics);
                let count = diagnostics.len();
                let what = if count == 1 { "an error".to_string() } else { format!("{count} errors") };
                self.line(AnsiColor::BrightRed, "error", &format!("{name} has {what}"));
                self.hints(["correct the file, or run with --no-config to do without it"]);
            }
            CliError::Interrupted => self.line(AnsiColor::BrightRed, "error", self.job.left()),
            CliError::OutOfTime => {
                self.line(AnsiColor::BrightRed, "error", &self.job.late());
                self.hints([self.job.more_time()]);
            }
            CliError::BrokenPipe => {}
        }
    }

    /// Shows what is wrong with a configuration, each with its line.
    pub fn diagnostics(&self, name: &str, text: &str, diagnostics: &[Diagnostic]) {
        for diagnostic in diagnostics {
            let rendered = snippet(name, text, diagnostic, self.colour_err, self.style.unicode);
            self.write(&format!("{rendered}\n"));
        }
    }

    fn hints<'h>(&self, hints: impl IntoIterator<Item = &'h str>) {
        hints.into_iter().for_each(|hint| self.line(AnsiColor::BrightCyan, "hint", hint));
    }

    /// Takes passwords out that were typed: an error may repeat what it is about.
    pub fn masked(&self, text: &str) -> String {
        masked(text, &self.typed)
    }

    fn line(&self, colour: AnsiColor, kind: &str, text: &str) {
        let text = &visible(text);
        if self.colour_err {
            let ansi = Ansi::new().bold().fg_color(Some(colour.into()));
            self.write(&format!("{}{kind}{}: {text}\n", ansi.render(), ansi.render_reset()));
        } else {
            self.write(&format!("{kind}: {text}\n"));
        }
    }

    /// Writes to standard error. If that is closed there is nobody left to tell.
    pub fn write(&self, text: &str) {
        if self.mute {
            return;
        }
        let text = self.masked(&coloured_only(text, true));
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

/// Writes out what a terminal would act on, but colours where there are some.
fn coloured_only(text: &str, colours: bool) -> String {
    if !colours {
        return visible(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        let (before, sequence) = rest.split_at(at);
        shown.push_str(&visible(before));
        // SGR, "select graphic rendition" (ECMA-48, 8.3.117): ESC [ numbers m.
        let numbers = sequence.strip_prefix("\u{1b}[").unwrap_or_default();
        let length = numbers.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or_default();
        let end = if numbers[length..].starts_with('m') { length + 3 } else { 0 };
        if end > 0 {
            shown.push_str(&sequence[..end]);
        } else {
            shown.push_str(&visible("\u{1b}"));
        }
        rest = &sequence[end.max(1)..];
    }
    shown.push_str(&visible(rest));
    shown
}

fn coloured(when: ColorWhen, terminal: bool, wishes: environment::ColourWishes) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto if wishes.never => false,
        ColorWhen::Auto => wishes.always || (terminal && !wishes.dumb),
    }
}

fn width(terminal: bool, columns: Option<usize>) -> usize {
    let measured = || {
        let (width, _) = terminal_size::terminal_size_of(io::stdout()).filter(|_| terminal)?;
        Some(usize::from(width.0))
    };
    // Below 40 columns tables fall apart; a longer line that the terminal breaks is easier to read.
    columns.or_else(measured).map_or(WIDTH, |w| w.clamp(40, MAX_WIDTH))
}

#[cfg(test)]
mod tests {
    use super::environment::ColourWishes;
    use super::*;

    #[test]
    fn colour_is_for_terminals_unless_someone_says_otherwise() {
        let none = ColourWishes::default();
        let never = ColourWishes { never: true, ..none };
        let always = ColourWishes { always: true, ..none };
        let dumb = ColourWishes { dumb: true, ..none };
        assert!(coloured(ColorWhen::Auto, true, none));
        assert!(!coloured(ColorWhen::Auto, false, none));
        assert!(!coloured(ColorWhen::Auto, true, never));
        assert!(!coloured(ColorWhen::Auto, true, dumb));
        assert!(coloured(ColorWhen::Auto, false, always));
        assert!(!coloured(ColorWhen::Auto, true, ColourWishes { never: true, ..always }));
        assert!(coloured(ColorWhen::Always, false, never));
        assert!(!coloured(ColorWhen::Never, true, always));
    }

    #[test]
    fn nothing_but_colours_reaches_a_terminal() {
        let text = "\u{1b}[1mbold\u{1b}[0m \u{1b}]0;title\u{7} \u{1b}[2J \u{9b}3m \u{202e}x";
        let plain = "\\u{1b}]0;title\\u{7} \\u{1b}[2J \\u{9b}3m \\u{202e}x";
        assert_eq!(coloured_only(text, true), format!("\u{1b}[1mbold\u{1b}[0m {plain}"));
        assert_eq!(coloured_only(text, false), format!("\\u{{1b}}[1mbold\\u{{1b}}[0m {plain}"));
    }

    #[test]
    fn text_is_eighty_columns_wide_unless_the_terminal_says_otherwise() {
        assert_eq!(width(false, None), 80);
        assert_eq!(width(false, Some(60)), 60);
        assert_eq!(width(false, Some(300)), 100);
        assert_eq!(width(false, Some(5)), 40);
    }
}
