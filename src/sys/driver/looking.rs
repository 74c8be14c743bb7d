//! Looking outside for the session: the transcript, the CLI's debug log, and what a recording needs of them.

use std::path::Path;

use super::super::clock::Clock;
use super::super::recorder::Recorder;
use super::super::{clock, guarded};
use super::Driver;
use crate::supervisor::retry_after::{Asked, last_refusal};
use crate::supervisor::transcript::Report;
use crate::supervisor::verdict::Status;

impl Driver {
    /// How the transcript stands, and what the CLI says of itself.
    pub(super) fn look(&mut self, named: Option<&Path>) -> (Report, Status) {
        let Some(locator) = &self.locator else {
            return (Report::Unknown, Status::Unknown);
        };
        match guarded::catch(|| locator.look(named)) {
            Ok(look) => look,
            Err(failure) => {
                self.session.fail(failure);
                (Report::Unknown, Status::Unknown)
            }
        }
    }

    /// What is left of what the server asked for; nothing where the debug log cannot be read.
    pub(super) fn retry_after(&mut self, failed: Option<u64>) -> Option<Asked> {
        let tail = self.debug.as_ref()?.tail().ok()?;
        let now = clock::unix_ms();
        match guarded::catch(|| last_refusal(&tail)?.asked(failed.unwrap_or(now), now)) {
            Ok(asked) => asked,
            Err(failure) => {
                self.session.fail(failure);
                None
            }
        }
    }

    /// Keeps the debug log short; a failure leaves it as it is, for good.
    pub(super) fn keep_debug_short(&mut self) {
        if let Some(debug) = &mut self.debug
            && guarded::catch(|| debug.keep_short(Clock::instant())).is_err()
        {
            self.debug = None;
        }
    }

    /// The recording with its transcript; where no error made us look for that before, it is looked for now.
    pub(super) fn finish_recording(&mut self) -> Option<Recorder> {
        let mut recorder = self.recorder.take()?;
        if !recorder.knows_a_session()
            && let (Report::Turn(turn), _) = self.look(None)
        {
            recorder.know(&turn.session_id, None);
        }
        recorder.guarded(Recorder::finish);
        Some(recorder)
    }
}
