//! Progress on standard error, for a person who waits at a terminal.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::ui::Ui;
use crate::audit::Progress;

/// Whoever waits less than this needs no spinner.
const PATIENCE: Duration = Duration::from_millis(300);
const TICK: Duration = Duration::from_millis(100);

/// A bar for the stages of an audit.
pub(super) struct Bar {
    bar: ProgressBar,
    visible: bool,
    ascii: bool,
    started: u64,
}

impl Bar {
    pub fn new(ui: &Ui) -> Self {
        Self { bar: ProgressBar::hidden(), visible: ui.progress, ascii: !ui.style.unicode, started: 0 }
    }
}

impl Progress for Bar {
    fn stage(&mut self, name: &str, steps: usize) {
        self.bar.finish_and_clear();
        self.started = 0;
        if !self.visible {
            return;
        }
        self.bar = ProgressBar::new(steps as u64);
        let chars = if self.ascii { "=> " } else { "━╸ " };
        if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:24} {pos}/{len} {wide_msg}") {
            self.bar.set_style(style.progress_chars(chars));
        }
        self.bar.set_prefix(name.to_string());
    }

    fn step(&mut self, what: &str) {
        // What is about to be done is not done yet.
        self.bar.set_position(self.started);
        self.bar.set_message(what.to_string());
        self.started += 1;
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A bar for the steps of a run, which may take hours each.
pub(super) struct Steps {
    bar: ProgressBar,
}

impl Steps {
    pub fn new(ui: &Ui, count: usize) -> Self {
        if !ui.progress {
            return Self { bar: ProgressBar::hidden() };
        }
        let bar = ProgressBar::new(count as u64);
        let chars = if ui.style.unicode { "━╸ " } else { "=> " };
        if let Ok(style) = ProgressStyle::with_template("{bar:16} {pos}/{len} {elapsed} {wide_msg}") {
            bar.set_style(style.progress_chars(chars));
        }
        bar.enable_steady_tick(TICK);
        Self { bar }
    }

    /// Shows the step that is being done.
    pub fn at(&self, number: usize, title: &str) {
        self.bar.set_position(number as u64);
        self.bar.set_message(title.to_string());
    }

    /// Says something without writing into the bar.
    pub fn beside(&self, say: impl FnOnce()) {
        self.bar.suspend(say);
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A spinner that appears when something takes long, and goes when it is dropped.
pub(super) struct Spinner(Option<(Sender<()>, JoinHandle<()>)>);

impl Spinner {
    pub fn start(ui: &Ui, what: String) -> Self {
        if !ui.progress {
            return Self(None);
        }
        let (stop, stopped) = mpsc::channel();
        let ascii = !ui.style.unicode;
        let thread = std::thread::spawn(move || {
            if stopped.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let spinner = ProgressBar::new_spinner();
            if ascii {
                spinner.set_style(ProgressStyle::default_spinner().tick_chars("|/-\\ "));
            }
            spinner.set_message(what);
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                spinner.tick();
            }
            spinner.finish_and_clear();
        });
        Self(Some((stop, thread)))
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.0.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}
