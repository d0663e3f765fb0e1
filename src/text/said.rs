//! What is said to people. Facts are data; a text is made of them last, and no stage may look into one again.
//!
//! Every text of a finding, a fate or a plan comes through [`said`]. A unit test rewords all of them there and sees that nothing
//! but texts changes (`src/tests.rs`).

/// Takes a text for people.
#[cfg(not(test))]
pub(crate) fn said(text: impl Into<String>) -> String {
    text.into()
}

#[cfg(test)]
pub(crate) use switch::{reworded, said};

#[cfg(test)]
mod switch {
    use std::cell::Cell;

    thread_local! {
        static REWORDS: Cell<bool> = const { Cell::new(false) };
    }

    /// Begins a text that was reworded already.
    const MARK: &str = "\u{bf}";

    /// Takes a text for people, or what makes no sense to whoever looks into it: the text from back to front.
    pub(crate) fn said(text: impl Into<String>) -> String {
        let text = text.into();
        if text.is_empty() || text.starts_with(MARK) || !REWORDS.get() {
            return text;
        }
        text.chars().rev().fold(MARK.to_string(), |mut said, c| {
            said.push(c);
            said
        })
    }

    /// Does something while all texts are reworded.
    pub(crate) fn reworded<T>(act: impl FnOnce() -> T) -> T {
        struct Reset(bool);
        impl Drop for Reset {
            fn drop(&mut self) {
                REWORDS.set(self.0);
            }
        }
        let _reset = Reset(REWORDS.replace(true));
        act()
    }
}
