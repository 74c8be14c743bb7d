//! Ends that nobody tells of: nobody has the child's side of the pty open, as it seems.

use std::io;
use std::time::{Duration, Instant};

use super::super::clock::Clock;
use super::Driver;

/// The first look comes so long after it, each other one after twice the time, up to the second.
const FIRST: Duration = Duration::from_millis(10);
const AT_MOST: Duration = Duration::from_secs(1);

/// When to look again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) at: Instant,
    pause: Duration,
}

impl Look {
    fn after(pause: Duration) -> Self {
        Self {
            at: Clock::instant() + pause,
            pause,
        }
    }
}

impl Driver {
    /// A read has told it. What is on its way to the child stays: it may be there all the same.
    pub(super) fn on_child_eof(&mut self) {
        self.child_eof = true;
        self.eof_look.get_or_insert(Look::after(FIRST));
    }

    /// A read has told the contrary.
    pub(super) fn on_child_back(&mut self) {
        (self.child_eof, self.eof_look) = (false, None);
    }

    /// Has the child ended, though no signal told? If it lives, it may have opened its terminal anew.
    pub(super) async fn look_after_eof(&mut self) -> io::Result<()> {
        let now = Clock::instant();
        let Some(look) = self.eof_look.filter(|look| look.at <= now) else {
            return Ok(());
        };
        self.eof_look = Some(Look::after((2 * look.pause).min(AT_MOST)));
        self.on_child_change().await?;
        if self.exited.is_none() {
            self.read_child()?;
        }
        Ok(())
    }
}
