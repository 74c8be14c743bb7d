//! The session's clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::supervisor::session::Now;

/// Counts the session's time, which stands still while we are stopped as a job: a countdown goes on
/// where it was.
#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
    /// Time spent stopped.
    stopped: Duration,
    /// Stopped since.
    since: Option<Instant>,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub(super) fn instant() -> Instant {
        Instant::now()
    }

    pub(super) fn start() -> Self {
        Self {
            start: Self::instant(),
            stopped: Duration::ZERO,
            since: None,
        }
    }

    /// The time of an event that happens now.
    pub(super) fn now(&self) -> Now {
        let at = self.since.unwrap_or_else(Self::instant);
        Now {
            elapsed: at.duration_since(self.start).saturating_sub(self.stopped),
            unix_ms: unix_ms(),
        }
    }

    /// When [`Now::elapsed`] reaches this, if it is not stopped before; `None` beyond all clocks.
    pub(super) fn instant_of(&self, elapsed: Duration) -> Option<Instant> {
        self.start.checked_add(self.stopped)?.checked_add(elapsed)
    }

    /// The time stands still from now on.
    pub(super) fn pause(&mut self) {
        self.since.get_or_insert_with(Self::instant);
    }

    /// It goes on.
    pub(super) fn resume(&mut self) {
        if let Some(since) = self.since.take() {
            self.stopped += since.elapsed();
        }
    }
}

/// The wall clock, in milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn unix_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stands_still_while_paused() {
        let mut clock = Clock::start();
        clock.pause();
        let at = clock.now().elapsed;
        // As if both had been a minute ago.
        let ago = |at: Instant| {
            at.checked_sub(Duration::from_mins(1))
                .expect("a minute of uptime")
        };
        clock.since = clock.since.map(ago);
        clock.start = ago(clock.start);
        assert_eq!(clock.now().elapsed, at);
        clock.resume();
        let later = clock.now().elapsed;
        assert!(
            later >= at && later < at + Duration::from_secs(30),
            "{at:?} {later:?}"
        );
        assert!(
            clock
                .instant_of(at)
                .is_some_and(|instant| instant <= Clock::instant())
        );
        assert_eq!(clock.instant_of(Duration::MAX), None);
    }
}
