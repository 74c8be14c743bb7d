//! The retry state machine.
//!
//! | state | what happens | next |
//! | --- | --- | --- |
//! | Watching | an error block of a transient class ends the conversation | Confirming |
//! | | the companion hook tells of a turn that failed | Confirming |
//! | Confirming | the witnesses agree, tries are left | Waiting |
//! | | they agree, the tries are spent | `GaveUp` |
//! | | they contradict, or [`PATIENCE`](super::verdict::PATIENCE) is over | Watching |
//! | Waiting | the time is over, or Enter on the empty prompt | `LastLook` |
//! | | the user types | Paused |
//! | | Ctrl+C on the empty prompt | Cancelled |
//! | Paused | the prompt is empty again | Waiting, with what was left |
//! | | left alone for [`LEFT_ALONE`] | Waiting where the companion hook can resume, else `HoldingOff` |
//! | `LastLook` | the error still stands by all witnesses, the prompt is free, the pty raw | Typing |
//! | | it stands, the prompt is not free, the companion hook waits for our word | Settling |
//! | | it stands, but no way to resume is open | `HoldingOff` |
//! | | it does not stand any more | Watching |
//! | `HoldingOff` | the screen changes, and a way to resume is open | `LastLook` |
//! | Typing | the message was read back and CR sent | Settling |
//! | | input came, or the message was not read back: undone | Paused, `HoldingOff` or `GaveUp` |
//! | Settling | the turn has begun | Watching |
//! | `GaveUp`, Cancelled | the notice has stood for [`NOTICE`] | Watching |
//! | any but Typing | the CLI is at work: somebody resumed the turn | Watching |
//!
//! The count of tries is the number of failed turns in a row that were begun by us. It starts anew after
//! a turn that ended well, after an answer in between by the transcript, and when the user presses Enter.

use std::collections::VecDeque;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::backoff::Backoff;
use super::hook::HookId;
use super::typing::Typing;
use super::verdict::Failure;
use crate::config::Settings;

/// A draft that was left alone for so long is not being typed any more.
pub const LEFT_ALONE: Duration = Duration::from_secs(10);
/// How long the bar says that it gave up, or was told to.
pub const NOTICE: Duration = Duration::from_secs(8);
/// The storm guard's window.
const HOUR: Duration = Duration::from_hours(1);

/// Where the supervisor stands. Times are [`Now::elapsed`](super::session::Now::elapsed), without the
/// time that the job was stopped.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Nothing is wrong.
    Watching,
    /// The screen shows an error; the transcript is asked.
    Confirming {
        /// Since when.
        since: Duration,
        /// When to look again.
        next_look: Duration,
    },
    /// The backoff runs.
    Waiting(Wait),
    /// The user is typing; the backoff stands.
    Paused {
        /// The wait, its `until` moved so that what was left is left.
        wait: Wait,
        /// What was left.
        left: Duration,
    },
    /// Due: all witnesses are asked once more.
    LastLook(Wait),
    /// Due, but no way to resume is open.
    HoldingOff {
        /// The wait that is over.
        wait: Wait,
        /// Why, in words.
        reason: &'static str,
        /// Not before this time is the next last look.
        not_before: Duration,
    },
    /// The message is being typed.
    Typing {
        /// The wait that is over.
        wait: Wait,
        /// The transaction.
        typing: Typing,
    },
    /// CR is sent, or the hook was told to resume; the turn should begin.
    Settling {
        /// The wait that is over.
        wait: Wait,
        /// Since when it could begin.
        since: Duration,
        /// When to look again.
        next_look: Duration,
        /// By which of the two.
        by: Way,
    },
    /// The tries are spent; the notice stands until the given time.
    GaveUp {
        /// The failure.
        wait: Wait,
        /// In words: "6 tries".
        why: String,
        /// Until when the notice stands.
        until: Duration,
    },
    /// The user cancelled; the notice stands until the given time.
    Cancelled {
        /// The failure.
        wait: Wait,
        /// Until when the notice stands.
        until: Duration,
    },
}

/// How a turn is resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The message was typed.
    Typing,
    /// The companion hook ended with code 2.
    Hook,
}

impl State {
    /// The wait for the failure that is being dealt with, or was.
    pub const fn wait(&self) -> Option<&Wait> {
        match self {
            Self::Watching | Self::Confirming { .. } => None,
            Self::Waiting(wait)
            | Self::LastLook(wait)
            | Self::Paused { wait, .. }
            | Self::HoldingOff { wait, .. }
            | Self::Typing { wait, .. }
            | Self::Settling { wait, .. }
            | Self::GaveUp { wait, .. }
            | Self::Cancelled { wait, .. } => Some(wait),
        }
    }

    /// The same, to change it.
    pub const fn wait_mut(&mut self) -> Option<&mut Wait> {
        match self {
            Self::Watching | Self::Confirming { .. } => None,
            Self::Waiting(wait)
            | Self::LastLook(wait)
            | Self::Paused { wait, .. }
            | Self::HoldingOff { wait, .. }
            | Self::Typing { wait, .. }
            | Self::Settling { wait, .. }
            | Self::GaveUp { wait, .. }
            | Self::Cancelled { wait, .. } => Some(wait),
        }
    }
}

/// One wait for one failure.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// The turn that failed.
    pub failure: Failure,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// When it is over.
    pub until: Duration,
    /// How long it is in all.
    pub total: Duration,
    /// The ceiling that it was drawn below.
    pub ceiling: Duration,
    /// How long the server asked to be left alone, where it did; what was left of it is part of `total`.
    pub asked: Option<Duration>,
    /// How often the prompt did not take the message.
    pub refused: u32,
    /// The companion hook told of this error.
    pub told: bool,
    /// The hook's process that waits for our word, if one does.
    pub hook: Option<HookId>,
    /// The user has pressed Enter since, or a dialog was open: the turn may have been taken back, of which the
    /// transcript says nothing. Then the error must be in sight.
    pub doubt: bool,
}

/// What to do about a failed turn.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Wait, then resume.
    Wait(Wait),
    /// Leave it; the reason in words.
    GiveUp(Wait, String),
}

/// Counts tries and draws waits.
#[derive(Debug)]
pub struct Tries {
    max: u32,
    max_per_hour: u32,
    backoff: Backoff,
    rng: StdRng,
    /// Resumes in a row.
    done: u32,
    /// The turn that runs, or failed, was begun by us.
    ours: bool,
    /// When the resumes of the last hour were.
    resumes: VecDeque<Duration>,
}

impl Tries {
    /// No try yet.
    pub fn new(settings: &Settings, seed: u64) -> Self {
        Self {
            max: settings.max_retries,
            max_per_hour: settings.max_per_hour,
            backoff: Backoff::new(settings.base, settings.cap, settings.jitter),
            rng: StdRng::seed_from_u64(seed),
            done: 0,
            ours: false,
            resumes: VecDeque::new(),
        }
    }

    /// The most tries in a row.
    pub const fn max(&self) -> u32 {
        self.max
    }

    /// A turn failed: what to do.
    pub fn failed(&mut self, now: Duration, failure: Failure) -> Step {
        if !self.ours {
            self.reset();
        }
        // An answer between two errors means that the server let us through: the series began anew.
        if let Some(consecutive) = failure.consecutive {
            self.done = self.done.min(consecutive.saturating_sub(1));
        }
        if self.done == 0 {
            self.backoff.reset();
        }
        let attempt = self.done;
        let mut wait = Wait {
            failure,
            attempt: attempt + 1,
            until: now,
            total: Duration::ZERO,
            ceiling: self.backoff.ceiling(attempt),
            asked: None,
            refused: 0,
            told: false,
            hook: None,
            doubt: false,
        };
        if attempt >= self.max {
            wait.attempt = attempt;
            return Step::GiveUp(wait, plural(self.max, "try", "tries"));
        }
        self.forget_before(now);
        if self.resumes.len() >= self.max_per_hour as usize {
            let why = plural(self.max_per_hour, "resume", "resumes") + " in an hour";
            return Step::GiveUp(wait, why);
        }
        wait.total = self.backoff.draw(attempt, &mut self.rng);
        wait.until = now + wait.total;
        Step::Wait(wait)
    }

    /// We resumed a turn.
    pub fn resumed(&mut self, now: Duration) {
        self.done += 1;
        self.ours = true;
        self.resumes.push_back(now);
    }

    /// The resume that was counted last did not happen.
    pub fn not_resumed(&mut self) {
        self.done = self.done.saturating_sub(1);
        self.resumes.pop_back();
    }

    /// A turn ended well, or the user took over: what fails next is a series of its own.
    pub const fn reset(&mut self) {
        self.done = 0;
        self.ours = false;
        self.backoff.reset();
    }

    fn forget_before(&mut self, now: Duration) {
        while self.resumes.front().is_some_and(|at| now >= *at + HOUR) {
            self.resumes.pop_front();
        }
    }
}

fn plural(n: u32, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::wording::Class;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn failure(consecutive: Option<u32>) -> Failure {
        Failure {
            class: Class::Throttle,
            uuid: None,
            session_id: None,
            consecutive,
        }
    }

    fn tries(max_per_hour: u32) -> Tries {
        let settings = Settings {
            max_per_hour,
            ..Settings::default()
        };
        Tries::new(&settings, 1)
    }

    fn attempt(step: &Step) -> u32 {
        match step {
            Step::Wait(wait) => wait.attempt,
            Step::GiveUp(_, why) => panic!("gave up: {why}"),
        }
    }

    #[test]
    fn six_failures_in_a_row_and_then_it_gives_up() {
        let mut tries = tries(60);
        for n in 1..=6 {
            let step = tries.failed(S(0), failure(Some(n)));
            assert_eq!(attempt(&step), n);
            tries.resumed(S(0));
        }
        let step = tries.failed(S(0), failure(Some(7)));
        assert!(matches!(step, Step::GiveUp(_, why) if why == "6 tries"));
    }

    #[test]
    fn a_turn_that_the_user_began_starts_a_series_of_its_own() {
        let mut tries = tries(60);
        for n in 1..=7 {
            tries.failed(S(0), failure(Some(n)));
            tries.resumed(S(0));
        }
        tries.reset();
        assert_eq!(attempt(&tries.failed(S(0), failure(Some(8)))), 1);
    }

    #[test]
    fn an_answer_in_between_starts_the_count_anew() {
        let mut tries = tries(60);
        for n in 1..=4 {
            tries.failed(S(0), failure(Some(n)));
            tries.resumed(S(0));
        }
        assert_eq!(attempt(&tries.failed(S(0), failure(Some(1)))), 1);
    }

    #[test]
    fn without_a_transcript_our_own_count_is_what_there_is() {
        let mut tries = tries(60);
        for n in 1..=3 {
            assert_eq!(attempt(&tries.failed(S(0), failure(None))), n);
            tries.resumed(S(0));
        }
    }

    #[test]
    fn the_storm_guard_counts_any_hour() {
        let mut tries = tries(3);
        for at in [0, 10, 20] {
            attempt(&tries.failed(S(at), failure(Some(1))));
            tries.resumed(S(at));
        }
        let step = tries.failed(S(3599), failure(Some(1)));
        assert!(matches!(step, Step::GiveUp(_, why) if why == "3 resumes in an hour"));
        attempt(&tries.failed(S(3600), failure(Some(1))));
    }
}
