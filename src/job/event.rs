//! What a job tells while it runs.

use std::time::Duration;

/// One thing that happens. Steps are counted from 0; whoever is told has the plan, and looks up what else it wants to know.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A connection is about to send a statement.
    Statement {
        /// What is sent, without the settings that go before it in the same request.
        sql: &'a str,
    },
    /// A stage of so many parts begins.
    Stage {
        /// What it does: `Counting orphans`.
        name: &'a str,
        /// How many parts it has.
        parts: usize,
    },
    /// A part of the stage begins.
    Part {
        /// What it is about: `orders.customer_id`.
        what: &'a str,
    },
    /// A step of a plan begins.
    Starts {
        /// Which one.
        step: usize,
    },
    /// A step had been done before, and is left out.
    Skipped {
        /// Which one.
        step: usize,
    },
    /// A step did not get its lock; it is tried again after a pause.
    Waits {
        /// Which one.
        step: usize,
        /// How often it was tried.
        attempt: u32,
        /// How long the pause is.
        pause: Duration,
    },
    /// A step that changes rows is done.
    Changed {
        /// Which one.
        step: usize,
        /// How many rows it changed.
        rows: u64,
    },
    /// A step is done.
    Done {
        /// Which one.
        step: usize,
    },
}

/// Is told what happens, on whichever thread it happens. It must be quick: the job waits for it.
pub trait Events: Send + Sync {
    /// Is told one event.
    fn event(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync> Events for F {
    fn event(&self, event: &Event<'_>) {
        self(event);
    }
}
