//! Failures of our own: which part of us goes, and what is left to be put right.

use std::io;
use std::time::{Duration, Instant};

use rustix::process::Signal as Number;
use rustix::termios::Winsize;
use serde_json::json;

use super::super::clock::Clock;
use super::super::guarded;
use super::{Driver, GRACE, QUIET_AFTER_EXIT, STALL};

/// For so long has the child another size, so that it draws anew: a program that looks at its size only some time
/// after the signal must see it.
const NUDGE: Duration = Duration::from_millis(250);

/// How often a child that is to end is looked at.
const LOOK: Duration = Duration::from_millis(20);

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

    /// The loop has failed: the child is told as when the terminal goes, and has its grace; nobody is left behind.
    pub(super) async fn end_child(&mut self) -> io::Result<()> {
        self.pty.signal(Number::HUP);
        self.pty.signal(Number::CONT);
        self.pty.resume();
        let (mut until, mut killed) = (Clock::instant() + GRACE, false);
        while self.pty.try_wait()?.is_none() {
            if Clock::instant() >= until {
                if killed {
                    break;
                }
                self.pty.signal(Number::KILL);
                (until, killed) = (until + STALL, true);
            }
            // Its words must not block it; they are shown.
            if self.child_eof || self.to_tty.is_full() {
                tokio::time::sleep(LOOK).await;
            } else if let Ok(ready) = tokio::time::timeout(LOOK, self.pty.readable()).await
                && ready.and_then(|()| self.read_child()).is_err()
            {
                // It may have been this that the loop failed at.
                self.child_eof = true;
            }
        }
        self.drain(QUIET_AFTER_EXIT).await
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
        if self.size.ws_row == 0 {
            return;
        }
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
