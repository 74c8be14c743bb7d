//! The wait begins: as long as it was drawn, and as the server asked for.

use std::time::Duration;

use serde_json::json;

use super::{Effect, Outbox, Session};
use crate::supervisor::retry::{State, Wait};
use crate::supervisor::retry_after::{Asked, may_ask};
use crate::supervisor::transcript::Report;

impl Session {
    /// Waits, and asks for what the server asked for, where that may be known.
    pub(super) fn begin_wait(&mut self, wait: Wait, report: &Report, out: &mut Outbox) {
        if self.settings.retry_after && may_ask(wait.failure.class) {
            let failed = match report {
                Report::Turn(turn) => Some(turn.unix_ms),
                Report::Unknown | Report::Pending => None,
            };
            out.effects.push(Effect::ReadRetryAfter { failed });
            // The bar is drawn when the whole wait is known: the answer comes right away.
            self.state = State::Waiting(wait);
        } else {
            self.log_wait(&wait, out);
            self.enter(State::Waiting(wait));
        }
    }

    /// What the server asked for: the wait that was drawn comes on top of it, or all who were refused
    /// together would come back together.
    pub(super) fn on_retry_after(&mut self, asked: Option<Asked>, out: &mut Outbox) {
        let mut state = self.state.clone();
        let (State::Waiting(wait) | State::Paused { wait, .. }) = &mut state else {
            return;
        };
        let more = asked.map_or(Duration::ZERO, |asked| asked.left);
        wait.asked = asked.map(|asked| asked.whole);
        wait.total += more;
        wait.until += more;
        self.log_wait(wait, out);
        if let State::Paused { left, .. } = &mut state {
            *left += more;
        }
        self.enter(state);
    }

    fn log_wait(&self, wait: &Wait, out: &mut Outbox) {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut record = json!({
            "event": "waiting",
            "attempt": wait.attempt,
            "max": self.tries.max(),
            "class": wait.failure.class.name(),
            "wait_ms": ms(wait.total),
            "ceiling_ms": ms(wait.ceiling),
        });
        if let Some(asked) = wait.asked {
            record["asked_ms"] = ms(asked).into();
        }
        Self::log(out, record);
    }
}
