//! The status line: a model, one ratatui row, its bytes.

use std::time::Duration;

/// What the line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Counting down.
    Waiting {
        /// Until the resume.
        left: Duration,
        /// The whole wait.
        total: Duration,
    },
    /// The user is typing; the countdown stands.
    Paused,
    /// Due, but no way to resume is open: the reason in words.
    HoldingOff(&'static str),
    /// The message is being typed, or the turn is beginning.
    Resuming,
    /// The tries are spent.
    GaveUp {
        /// What was tried in vain: "6 tries", "60 resumes in an hour".
        why: String,
    },
    /// The user cancelled the resume of this error.
    Cancelled,
}

/// The status line's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// What happened, in a word: `throttled`, `overloaded`, `server error`, `connection lost`, `cut off`.
    pub what: &'static str,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// The most tries.
    pub max: u32,
    /// What the line says.
    pub phase: Phase,
    /// UTF-8 terminal; else plain ASCII.
    pub unicode: bool,
    /// Colours are wanted.
    pub color: bool,
}
