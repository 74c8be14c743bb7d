//! The hook as a supervisor of its own, where no wrapper runs the CLI. Sans-I/O, as the session is:
//! [`Alone::handle`] takes what a look gave and when, and says when to look again.
//!
//! | state | what a look gives | next |
//! | --- | --- | --- |
//! | Confirming | the transcript ends in the event's error, the CLI is idle | claim it, then Waiting |
//! | | not yet | look again; nothing after [`PATIENCE`] |
//! | | it was claimed by another hook: perhaps an older error, and the file lags | look again; nothing after [`PATIENCE`] |
//! | | an error that is not to be resumed, the tries are spent | nothing |
//! | Waiting | the error still stands | look again; `LastLook` when due |
//! | `LastLook` | it stands all through [`LAST_LOOK`] | **resume** |
//! | | the CLI stirs | `LastLook` anew |
//! | any | the CLI is gone, or shows another session | nothing |
//! | after the claim | another line is the newest, early: the claimed error was the one before, and the file lagged | Confirming |
//! | | another line is the newest, or the CLI is busy: somebody went on | nothing |
//!
//! A user may press Enter while it ends, and the CLI would start a second turn after the user's. The CLI tells
//! of an Enter in its session file 20 to 110 ms after the key (`busy`), in the transcript after 110 to 160 ms;
//! but it works at once: 7 ms and more of the next 25, where an idle one works for 3 (2.1.145, 2.1.330, two
//! cores under load). So the last look is longer than either delay, and begins anew when the CLI stirs, though
//! not for ever: keys that are no Enter stir it too. What is left is an Enter within the last few
//! milliseconds and while the hook ends, about 20 ms; then the notice tells the model that what the user wrote
//! comes first. Where the CLI's work cannot be measured (outside Linux), the gap is about 0.1 s.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::backoff::Backoff;
use super::session::Now;
use super::transcript::{Ending, LastTurn, Report};
use super::verdict::PATIENCE;
use super::wording::{Class, Reading};
use crate::config::Settings;

/// How long the error must be seen to stand right before the end.
pub const LAST_LOOK: Duration = Duration::from_millis(300);
/// The last look begins anew for so long at the most.
const STIRS_AT_MOST: Duration = Duration::from_secs(3);
/// A CLI that worked for so long between two looks may have taken a key.
const STIR: Duration = Duration::from_millis(4);
/// How often the last look is taken.
const OFTEN: Duration = Duration::from_millis(25);
/// How often it is looked while the transcript may lag.
const SOON: Duration = Duration::from_millis(100);
/// How often it is looked while waiting.
const NOW_AND_THEN: Duration = Duration::from_secs(1);
/// An error whose time is farther from the hook's start is another one, in milliseconds.
const FRESH_MS: u64 = 60_000;

const WENT_ON: &str = "the conversation went on";
const TAKEN: &str = "another hook has claimed this error, or it cannot be claimed";

/// What the CLI says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cli {
    /// Nothing: it keeps no session file, or its process is not known.
    Unknown,
    /// It waits for its user.
    Idle,
    /// A turn runs.
    Busy,
    /// It shows another session now.
    Elsewhere,
    /// It has ended.
    Gone,
}

/// What a look gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// The transcript's last turn.
    pub report: Report,
    /// Error lines of the last hour at the transcript's end.
    pub errors: u32,
    /// The CLI.
    pub cli: Cli,
    /// How long the CLI's main thread has worked since it began, where that can be told.
    pub worked: Option<Duration>,
}

/// What came of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// We are the only one that acts on the error.
    Ours,
    /// Another hook acts on it, or did.
    Taken,
    /// It cannot be told.
    Impossible,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Look again when [`Now::elapsed`] is this.
    LookAt(Duration),
    /// Be the only hook that acts on the error with this uuid, then [`Alone::claimed`].
    Claim(String),
    /// That is all.
    End(Outcome),
}

/// How it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The CLI is to resume the turn.
    Resume,
    /// Nothing is to happen; why, in words.
    Nothing(String),
    /// The same, for the turn ended in an error that is not to be resumed.
    Refused(&'static str),
    /// The same, for it was tried enough.
    GaveUp(String),
}

/// The wait for one error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The line's uuid.
    pub uuid: String,
    /// Its class.
    pub class: Class,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// How long it is in all.
    pub total: Duration,
}

#[derive(Debug)]
enum State {
    Confirming,
    /// Confirmed, not claimed yet.
    Claiming,
    Waiting {
        /// When the last look begins.
        due: Duration,
    },
    LastLook {
        until: Duration,
        /// It lasts no longer than this.
        at_most: Duration,
        /// What [`Sight::worked`] was.
        worked: Option<Duration>,
    },
}

/// The supervisor of one failed turn.
#[derive(Debug)]
pub struct Alone {
    settings: Settings,
    /// The event's text, normalised and cut; empty where it had none.
    text: String,
    session_id: String,
    started: Now,
    rng: StdRng,
    state: State,
    wait: Option<Wait>,
    /// An error that another hook sees to.
    taken: Option<String>,
}

impl Alone {
    /// For a turn of this session that ended in an error with this text (see
    /// [`Happened::StopFailure`](super::hook::Happened)). `seed` feeds the jitter. The first look is due
    /// at once.
    pub fn new(settings: Settings, text: String, session_id: String, now: Now, seed: u64) -> Self {
        Self {
            settings,
            text,
            session_id,
            started: now,
            rng: StdRng::seed_from_u64(seed),
            state: State::Confirming,
            wait: None,
            taken: None,
        }
    }

    /// The wait, once the error is confirmed.
    pub const fn wait(&self) -> Option<&Wait> {
        self.wait.as_ref()
    }

    /// A look was taken.
    pub fn handle(&mut self, now: Now, sight: &Sight) -> Step {
        match sight.cli {
            Cli::Gone => return nothing("the CLI has ended"),
            Cli::Elsewhere => return nothing("the CLI shows another session"),
            Cli::Unknown | Cli::Idle | Cli::Busy => {}
        }
        match self.state {
            State::Confirming | State::Claiming => self.confirm(now, sight),
            State::Waiting { .. } | State::LastLook { .. } if self.was_another(now, sight) => {
                self.taken = self.wait.take().map(|wait| wait.uuid);
                self.state = State::Confirming;
                self.confirm(now, sight)
            }
            State::Waiting { due } => {
                if let Some(reason) = self.moved_on(sight) {
                    nothing(reason)
                } else if now.elapsed >= due {
                    self.state = State::LastLook {
                        until: now.elapsed + LAST_LOOK,
                        at_most: now.elapsed + STIRS_AT_MOST,
                        worked: sight.worked,
                    };
                    Step::LookAt(now.elapsed + OFTEN)
                } else {
                    Step::LookAt((now.elapsed + NOW_AND_THEN).min(due))
                }
            }
            State::LastLook {
                until,
                at_most,
                worked,
            } => {
                let stirred = worked
                    .zip(sight.worked)
                    .is_some_and(|(before, after)| after.saturating_sub(before) >= STIR);
                let until = if stirred {
                    at_most.min(now.elapsed + LAST_LOOK)
                } else {
                    until
                };
                self.state = State::LastLook {
                    until,
                    at_most,
                    worked: sight.worked,
                };
                if let Some(reason) = self.moved_on(sight) {
                    nothing(reason)
                } else if now.elapsed >= until {
                    Step::End(Outcome::Resume)
                } else {
                    Step::LookAt((now.elapsed + OFTEN).min(until))
                }
            }
        }
    }

    /// What came of [`Step::Claim`].
    pub fn claimed(&mut self, now: Now, claim: Claim) -> Step {
        if claim == Claim::Impossible {
            return nothing("there is no folder to claim the error in");
        }
        if let (Some(wait), Claim::Ours) = (&self.wait, claim) {
            let due = now.elapsed + wait.total.saturating_sub(LAST_LOOK);
            self.state = State::Waiting { due };
            return Step::LookAt((now.elapsed + NOW_AND_THEN).min(due));
        }
        // Perhaps the one before ours: the same text, and the file lags.
        self.taken = self.wait.take().map(|wait| wait.uuid);
        self.state = State::Confirming;
        self.not_yet(now, TAKEN)
    }

    fn confirm(&mut self, now: Now, sight: &Sight) -> Step {
        let turn = match self.own_error(&sight.report) {
            Ok(turn) if sight.cli != Cli::Busy => turn,
            Ok(_) => return self.not_yet(now, "the CLI is still at work"),
            Err(reason) => return self.not_yet(now, reason),
        };
        let Ending::ApiError { text, .. } = &turn.ending else {
            return self.not_yet(now, "the transcript does not end in an error");
        };
        let class = match self.settings.catalogue.read(text) {
            Reading::Transient(class) => class,
            Reading::Permanent(_) => return refused("the error is not transient"),
            Reading::StillRetrying => return nothing("the CLI is still trying by itself"),
            Reading::Unknown => return refused("the error is not in the catalogue"),
        };
        if !self.settings.retry_on.contains(&class) {
            return refused("retry-on leaves this class out");
        }
        let (attempt, max) = (turn.unattended_errors, self.settings.max_retries);
        if attempt > max {
            return gave_up(plural(max, "try", "tries"));
        }
        let max = self.settings.max_per_hour;
        if sight.errors > max {
            return gave_up("over ".to_owned() + &plural(max, "error", "errors") + " in an hour");
        }
        self.state = State::Claiming;
        self.wait = Some(Wait {
            uuid: turn.uuid.clone(),
            class,
            attempt,
            total: self.draw(attempt),
        });
        Step::Claim(turn.uuid.clone())
    }

    /// The line of the event's error, if it is the newest.
    fn own_error<'a>(&self, report: &'a Report) -> Result<&'a LastTurn, &'static str> {
        let Report::Turn(turn) = report else {
            return Err("the transcript has no turn");
        };
        let Ending::ApiError { text, .. } = &turn.ending else {
            return Err("the transcript does not end in an error");
        };
        if turn.session_id != self.session_id {
            return Err("the transcript ends in another session's error");
        }
        if turn.unix_ms.abs_diff(self.started.unix_ms) > FRESH_MS {
            return Err("the transcript ends in an error of another time");
        }
        if !self.text.is_empty() && super::hook::cut(text) != self.text {
            return Err("the transcript ends in another error");
        }
        if self.taken.as_ref() == Some(&turn.uuid) {
            return Err(TAKEN);
        }
        Ok(turn)
    }

    fn not_yet(&self, now: Now, reason: &'static str) -> Step {
        if now.elapsed >= self.started.elapsed + PATIENCE {
            nothing(reason)
        } else {
            Step::LookAt(now.elapsed + SOON)
        }
    }

    /// While the transcript may lag: did it show us the error before ours, with the same text?
    fn was_another(&self, now: Now, sight: &Sight) -> bool {
        now.elapsed < self.started.elapsed + PATIENCE && self.moved_on(sight) == Some(WENT_ON)
    }

    /// Why the error does not stand any more.
    fn moved_on(&self, sight: &Sight) -> Option<&'static str> {
        let own = self.wait.as_ref().map(|wait| &wait.uuid);
        match &sight.report {
            _ if sight.cli == Cli::Busy => Some("the CLI is at work"),
            Report::Turn(turn) if Some(&turn.uuid) == own => None,
            Report::Turn(_) => Some(WENT_ON),
            Report::Pending | Report::Unknown => Some("the transcript is gone"),
        }
    }

    /// Decorrelated waits build on each other, so those before this try's are drawn again.
    fn draw(&mut self, attempt: u32) -> Duration {
        let Settings {
            base, cap, jitter, ..
        } = self.settings;
        let mut backoff = Backoff::new(base, cap, jitter);
        let mut wait = Duration::ZERO;
        for n in 0..attempt {
            wait = backoff.draw(n, &mut self.rng);
        }
        wait
    }
}

const fn refused(reason: &'static str) -> Step {
    Step::End(Outcome::Refused(reason))
}

const fn gave_up(reason: String) -> Step {
    Step::End(Outcome::GaveUp(reason))
}

fn nothing(reason: impl Into<String>) -> Step {
    Step::End(Outcome::Nothing(reason.into()))
}

fn plural(n: u32, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests;
