//! Progress on standard error, for a person who waits at a terminal.

use std::sync::mpsc::{self, RecvTimeoutError, Sender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::interrupt::Job;
use super::ui::Ui;
use referee::engine::{Progress, Reader};
use referee::job::{Context, Event, Events};
use referee::text::one_line;

/// Whoever waits less than this needs no spinner.
const PATIENCE: Duration = Duration::from_millis(300);
const TICK: Duration = Duration::from_millis(100);
/// How often a server is asked how far it has come.
const LOOK: Duration = Duration::from_secs(1);

/// A bar for the stages of a job.
pub(super) struct Bar {
    stages: Mutex<Stages>,
    job: Job,
}

struct Stages {
    bar: ProgressBar,
    visible: bool,
    ascii: bool,
    started: u64,
}

impl Bar {
    /// Returns the job, its stages shown by a bar that goes when the context does.
    pub fn context(ui: &Ui) -> Context {
        let (visible, ascii) = (ui.progress, !ui.style.unicode);
        let stages = Stages { bar: ProgressBar::hidden(), visible, ascii, started: 0 };
        ui.job.context.told_to(Arc::new(Self { stages: Mutex::new(stages), job: ui.job.clone() }))
    }
}

impl Events for Bar {
    fn event(&self, event: &Event<'_>) {
        let mut stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        match *event {
            Event::Stage { name, parts } => stages.stage(name, parts),
            Event::Part { what } => {
                self.job.reads(Some(what));
                stages.part(what);
            }
            _ => {}
        }
    }
}

impl Stages {
    fn stage(&mut self, name: &str, parts: usize) {
        self.bar.finish_and_clear();
        self.started = 0;
        if !self.visible {
            return;
        }
        self.bar = ProgressBar::new(parts as u64);
        let chars = if self.ascii { "=> " } else { "━╸ " };
        if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:24} {pos}/{len} {wide_msg}") {
            self.bar.set_style(style.progress_chars(chars));
        }
        self.bar.set_prefix(name.to_string());
    }

    fn part(&mut self, what: &str) {
        // What is about to be done is not done yet.
        self.bar.set_position(self.started);
        self.bar.set_message(one_line(what));
        self.started += 1;
    }
}

impl Drop for Stages {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A bar for the steps of a run, which may take hours each.
pub(super) struct Steps {
    bar: ProgressBar,
    title: Arc<Mutex<String>>,
    // Dropped at the end, which tells the thread that looks on.
    looks_on: Mutex<Option<Sender<()>>>,
}

impl Steps {
    pub fn new(ui: &Ui, count: usize) -> Self {
        if !ui.progress {
            return Self { bar: ProgressBar::hidden(), title: Arc::default(), looks_on: Mutex::default() };
        }
        let bar = ProgressBar::new(count as u64);
        let chars = if ui.style.unicode { "━╸ " } else { "=> " };
        if let Ok(style) = ProgressStyle::with_template("{bar:16} {pos}/{len} {elapsed} {wide_msg}") {
            bar.set_style(style.progress_chars(chars));
        }
        bar.enable_steady_tick(TICK);
        Self { bar, title: Arc::default(), looks_on: Mutex::default() }
    }

    /// Asks every second how far the running statement has come, and shows it. The thread is never waited for, and what goes
    /// wrong in it is nobody's concern: the run does not depend on it.
    pub fn look_on(&self, open: impl FnOnce() -> Option<Box<dyn Reader>> + Send + 'static) {
        if self.bar.is_hidden() {
            return;
        }
        let (stop, stopped) = mpsc::channel::<()>();
        let (bar, title) = (self.bar.clone(), Arc::clone(&self.title));
        *self.looks_on.lock().unwrap_or_else(PoisonError::into_inner) = Some(stop);
        std::thread::spawn(move || {
            let Some(mut session) = open() else { return };
            while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                let Ok(progress) = session.progress() else { return };
                // The title is held while it is written, so that no step is shown with what was said of another.
                let title = title.lock().unwrap_or_else(PoisonError::into_inner);
                if stopped.try_recv() == Err(TryRecvError::Disconnected) {
                    return;
                }
                match progress {
                    Some(progress) => bar.set_message(format!("{}, {title}", far(&progress))),
                    None => bar.set_message(title.clone()),
                }
            }
        });
    }

    /// Shows the step that is being done. The time is that of the step.
    pub fn at(&self, number: usize, title: &str) {
        let mut shown = self.title.lock().unwrap_or_else(PoisonError::into_inner);
        let title = one_line(title);
        shown.clone_from(&title);
        self.bar.reset_elapsed();
        self.bar.set_position(number as u64);
        self.bar.set_message(title);
    }

    /// Takes the bar away.
    pub fn end(&self) {
        {
            let _title = self.title.lock().unwrap_or_else(PoisonError::into_inner);
            *self.looks_on.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        self.bar.finish_and_clear();
    }

    /// Says something without writing into the bar.
    pub fn beside(&self, say: impl FnOnce()) {
        self.bar.suspend(say);
    }
}

/// Says how far a statement has come: `building index: scanning table 42 %`.
fn far(progress: &Progress) -> String {
    let share = u128::from(progress.done) * 100;
    match share.checked_div(u128::from(progress.total)) {
        Some(percent) => format!("{} {} %", progress.phase, percent.min(100)),
        None => progress.phase.clone(),
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.end();
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
