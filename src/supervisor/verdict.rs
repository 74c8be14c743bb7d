//! The witnesses together: act, wait, or keep out, with the reason in words.
//!
//! The screen makes a candidate: an error block of a transient class ends the conversation. Then:
//!
//! | screen | transcript's last line | verdict |
//! | --- | --- | --- |
//! | busy | any | wait: the turn has not ended |
//! | no error, or not a transient one | any | keep out |
//! | a class that `retry-on` leaves out | any | keep out |
//! | transient | a new transient error, of the same class | **act** |
//! | transient | a new error, of another class | wait (one of the two is older), then keep out |
//! | transient | a new error that is not transient | keep out |
//! | transient | an error from before the start, `/clear` or `/resume` | keep out: history |
//! | transient | an error that was acted on | wait (the file lags), then keep out |
//! | transient | the assistant's own message | wait (the file lags), then keep out: a quotation |
//! | transient | a user's line | wait (the file lags), then keep out |
//! | transient | named, but not there or not readable | wait, then keep out |
//! | transient | none to be found, a busy phase seen | **act**, by the screen alone |
//! | transient | none to be found, no busy phase seen | keep out: it may be history |
//!
//! "Then keep out" is after [`PATIENCE`].

use std::time::Duration;

use super::banner::Banner;
use super::transcript::{Ending, LastTurn, Report};
use super::wording::{self, Class, Reading};

/// How long the transcript may lag behind the screen before its silence counts. The real CLI's file
/// was seen 100 ms and more behind.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// What is known when the verdict is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Witnesses<'a> {
    /// The error block that ends the conversation on the screen.
    pub banner: Option<&'a Banner>,
    /// The CLI is at work.
    pub busy: bool,
    /// What the transcript says.
    pub report: &'a Report,
    /// The errors that were acted on, cancelled or given up, by uuid.
    pub handled: &'a [String],
    /// The session that an error was confirmed in before, if any.
    pub session_id: Option<&'a str>,
    /// When the child was started, in milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// When the user last pressed Enter, by the same clock.
    pub entered_ms: Option<u64>,
    /// A busy phase was seen since the start and since the last act.
    pub busy_seen: bool,
    /// The classes that are resumed.
    pub retry_on: &'a [Class],
}

/// What to do about the screen as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The turn ended in this transient error.
    Act(Failure),
    /// Not yet to be told: look again.
    Wait(&'static str),
    /// Not ours.
    KeepOut(&'static str),
}

/// A turn that ended in a transient error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The class of the error.
    pub class: Class,
    /// The transcript's line; `None` where the screen alone decided.
    pub uuid: Option<String>,
    /// The transcript's session; `None` where the screen alone decided.
    pub session_id: Option<String>,
    /// How many failed turns in a row the transcript counts, this one included.
    pub consecutive: Option<u32>,
}

/// Weighs the witnesses; the table is in the module's docs.
pub fn judge(w: &Witnesses<'_>) -> Verdict {
    if w.busy {
        return Verdict::Wait("the CLI is at work");
    }
    let class = match w.banner.map(|banner| &banner.reading) {
        Some(Reading::Transient(class)) => *class,
        Some(Reading::Permanent(_)) => return Verdict::KeepOut("the error is not transient"),
        Some(Reading::StillRetrying) => return Verdict::Wait("the CLI is still trying by itself"),
        Some(Reading::Unknown) => return Verdict::KeepOut("the error is not in the catalogue"),
        None => return Verdict::KeepOut("no error ends the conversation on the screen"),
    };
    if !w.retry_on.contains(&class) {
        return Verdict::KeepOut("retry-on leaves this class out");
    }
    match w.report {
        Report::Turn(turn) => judge_turn(w, class, turn),
        Report::Pending => Verdict::Wait("the transcript is not there yet"),
        Report::Unknown if w.busy_seen => Verdict::Act(Failure {
            class,
            uuid: None,
            session_id: None,
            consecutive: None,
        }),
        Report::Unknown => {
            Verdict::KeepOut("no transcript, and no turn was seen: the error may be history")
        }
    }
}

fn judge_turn(w: &Witnesses<'_>, class: Class, turn: &LastTurn) -> Verdict {
    let text = match &turn.ending {
        Ending::ApiError { text, .. } => text,
        Ending::Assistant => return Verdict::Wait("the transcript's last turn ended well"),
        Ending::User => return Verdict::Wait("the transcript's last turn has no answer yet"),
    };
    if w.handled.contains(&turn.uuid) {
        return Verdict::Wait("this error was dealt with already");
    }
    // After /clear or /resume the session is another one: what stood in it before the Enter that
    // opened it is history. In a session that is known, only what stood there at our start is.
    let known = w.session_id == Some(turn.session_id.as_str());
    let horizon = match w.entered_ms {
        Some(entered) if !known => entered.max(w.started_ms),
        _ => w.started_ms,
    };
    if turn.unix_ms < horizon {
        return Verdict::KeepOut("the error is older than this session's start");
    }
    match wording::read(text) {
        Reading::Transient(told) if told == class => Verdict::Act(Failure {
            class,
            uuid: Some(turn.uuid.clone()),
            session_id: Some(turn.session_id.clone()),
            consecutive: Some(turn.consecutive_errors),
        }),
        Reading::Transient(_) => Verdict::Wait("screen and transcript tell of different errors"),
        _ => Verdict::KeepOut("by the transcript the error is not transient"),
    }
}
