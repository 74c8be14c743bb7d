//! Failures of our own: which part of us goes, and what is left to be put right.

use std::time::{Duration, Instant};

use rustix::termios::Winsize;
use serde_json::json;

use super::super::clock::Clock;
use super::super::guarded;
use super::Driver;

/// For so long has the child another size, so that it draws anew: a program that looks at its size only some time
/// after the signal must see it.
const NUDGE: Duration = Duration::from_millis(250);

impl Driver {
    /// The session has failed: nobody would answer the hooks any more, so who waits is let go.
    pub(super) fn note_failure(&mut self) {
        if let Some(failure) = self.session.take_failure(&mut self.outbox) {
            self.companion = None;
            self.log
                .append(&json!({ "event": "failed", "error": failure }));
            self.send();
            if self.session.take_bar_left() {
                self.nudge();
            }
        }
        while let Some(failure) = guarded::task_failure() {
            self.lose_companion(&failure);
        }
    }

    /// The hook's end on our side has failed: the session goes on without it.
    pub(super) fn lose_companion(&mut self, failure: &str) {
        self.companion = None;
        self.log
            .append(&json!({ "event": "hook-unavailable", "error": failure }));
    }

    /// What the session said goes on its way.
    pub(super) fn send(&mut self) {
        if self.tty_gone {
            self.outbox.tty.clear();
        }
        self.to_tty.push(&mut self.outbox.tty);
        self.to_child.push(&mut self.outbox.child);
    }

    /// A bar stands that nobody can take off any more. The child draws over it at a new size: for a moment it has
    /// one row more.
    fn nudge(&mut self) {
        let size = Winsize {
            ws_row: self.size.ws_row.saturating_add(1),
            ..self.size
        };
        if self.pty.resize(size).is_ok() {
            self.nudged = Some(Clock::instant() + NUDGE);
        }
    }

    /// Its own size again, once it is time.
    pub(super) fn end_nudge(&mut self, now: Instant) {
        if self.nudged.is_some_and(|until| until <= now) {
            self.nudged = None;
            let _ = self.pty.resize(self.size);
        }
    }
}
