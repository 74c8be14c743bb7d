//! Waiting for events, with no fixed sleep: whatever changes rings, whoever waits looks again.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Locks, also after another thread panicked: a failing test still dumps what it saw.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Rung at every piece of news: output of the terminal, a request, a line of the log, an exit.
#[derive(Clone, Default)]
pub(crate) struct Bell(Arc<(Mutex<u64>, Condvar)>);

impl Bell {
    /// There is news.
    pub(crate) fn ring(&self) {
        *lock(&self.0.0) += 1;
        self.0.1.notify_all();
    }

    /// Looks now and at every ring until there is something to see; `None` once the deadline is over.
    pub(crate) fn wait<T>(
        &self,
        deadline: Instant,
        mut look: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let (rings, rung) = &*self.0;
        loop {
            // Read before the look: a ring in between is not missed.
            let seen = *lock(rings);
            if let Some(found) = look() {
                return Some(found);
            }
            let mut now = lock(rings);
            while *now == seen {
                let left = deadline.checked_duration_since(Instant::now())?;
                now = rung
                    .wait_timeout(now, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
        }
    }
}
