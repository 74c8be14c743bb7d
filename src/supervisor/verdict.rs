//! The witnesses together: act, wait, or keep out, with the reason in words; and the way to resume.
//!
//! # Has the turn failed?
//!
//! The screen makes a candidate, an error block of a transient class that ends the conversation, or the
//! companion hook does, by a `StopFailure`. The rules are asked from top to bottom; the first that fits
//! decides, where it says *go on* the next table does. "Then keep out" is after [`PATIENCE`].
//!
//! Is the CLI at work? Any one of three says so; none is needed, and none is proof of the contrary.
//!
//! | screen | title | `sessions/<pid>.json` | verdict |
//! | --- | --- | --- | --- |
//! | spinner, its own retry, `esc to interrupt` | any | any | wait: the turn has not ended |
//! | none of it | busy glyph | any | wait: the turn has not ended |
//! | none of it | idle glyph, another, none | `busy` | wait, for as long as it says so; a wait that is over holds off |
//! | none of it | idle glyph, another, none | `idle`, says nothing, not there | go on |
//!
//! What do screen and transcript say of the error?
//!
//! | screen | transcript's last line | verdict |
//! | --- | --- | --- |
//! | no error, or one that is not in the catalogue, and no `StopFailure` | any | keep out |
//! | no error, a `StopFailure`, and Enter since then | a new transient error | wait (the screen lags), then keep out: a rewind writes no line |
//! | no error, or one that is not in the catalogue, and a `StopFailure` | a new transient error | go on: it may be covered, or scrolled away |
//! | the same | anything else | as below, where the screen's error is transient |
//! | an error that is not transient, and no `StopFailure` | any | keep out |
//! | an error that is not transient, and a `StopFailure` | any | wait (the screen lags), then keep out |
//! | a class that `retry-on` leaves out | any | keep out |
//! | transient | a new transient error, of the same class | go on |
//! | transient | a new error, of another class | wait (one of the two is older), then keep out |
//! | transient | a new error that is not transient | keep out |
//! | transient | an error from before the start, `/clear` or `/resume` | keep out: history |
//! | transient | an error that was acted on | wait (the file lags), then keep out |
//! | transient | the assistant's own message | wait (the file lags), then keep out: a quotation |
//! | transient | a user's line | wait (the file lags), then keep out |
//! | transient | named, but not there or not readable | wait, then keep out |
//! | transient, by a wording of the user's alone | none to be found | keep out: it may be an answer |
//! | transient, behind it the line of a finished turn | none to be found | keep out: it may be an answer |
//! | transient | none to be found, a busy phase seen | go on, by the screen alone |
//! | transient | none to be found, no busy phase seen | keep out: it may be history |
//! | none | none to be found | keep out: a `StopFailure` is no proof, a failed `/compact` sends it too |
//!
//! Does the companion hook agree?
//!
//! | hook | verdict |
//! | --- | --- |
//! | not in this session | **act** |
//! | a `StopFailure` came with the transcript's error, or with no text | **act** |
//! | a `StopFailure` came with another error, transient or not | wait (one of the two is older), then keep out |
//! | lives in this session, no `StopFailure` came | wait (it lags), then keep out |
//!
//! # Which way is open?
//!
//! Asked when the wait is over, of a turn that has failed by the tables above ([`way`]).
//!
//! | prompt | a hook waits for our word | resume | way |
//! | --- | --- | --- | --- |
//! | free, empty or with a placeholder | no | `auto`, `type` | **type** |
//! | | yes | `auto`, `type` | **type**; `auto`: by the hook, where the prompt did not take the message before |
//! | | no | `hook` | none |
//! | | yes | `hook` | **by the hook** |
//! | a draft, shell mode, a menu, the transcript view | yes | `auto`, `hook` | **by the hook** |
//! | | no | any | none |
//! | | yes | `type` | none |
//! | a dialog, or nothing that is known | any | any | none: what it does may change the conversation |

use std::time::Duration;

use serde_json::{Value, json};

use super::banner::{Banner, Title};
use super::prompt::Prompt;
use super::retry::Way;
use super::transcript::{Ending, LastTurn, Report};
use super::wording::{Catalogue, Class, Reading};
use crate::config::ResumeMode;

/// How long the transcript may lag behind the screen before its silence counts. The real CLI's file
/// was seen 100 ms and more behind.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// The reason while a hook that lives has not told of the error.
pub const HOOK_SILENT: &str = "the companion hook has not told of this error";

/// The reason while the error is not on the screen, and the user may have taken the turn back.
pub const NOT_IN_SIGHT: &str = "the error is not in sight";

/// The reason while the CLI's own file says that a turn runs.
pub const BUSY_BY_FILE: &str = "the CLI's session file says that it is at work";

/// The reasons while the CLI is at work, by what it draws, by the title, by its file.
pub const AT_WORK: [&str; 3] = [
    "the CLI is at work",
    "the title says that the CLI is at work",
    BUSY_BY_FILE,
];

const LEFT_OUT: &str = "retry-on leaves this class out";

/// What the companion hook says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookWitness<'a> {
    /// It is not known to live in this session.
    Absent,
    /// It lives, and has not told of an error.
    Silent,
    /// A `StopFailure` came, with this text; empty where none was told.
    Told(&'a str),
}

/// What the CLI says of itself in `sessions/<pid>.json` (2.1.145 on; undocumented, so never needed).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// There is no such file of our CLI, or it does not say.
    #[default]
    Unknown,
    /// It waits for its user.
    Idle,
    /// A turn runs.
    Busy,
}

/// What is known when the verdict is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Witnesses<'a> {
    /// The error block that ends the conversation on the screen.
    pub banner: Option<&'a Banner>,
    /// The CLI is at work by what it draws.
    pub works: bool,
    /// What the window's title says.
    pub title: Title,
    /// The state of the prompt: it decides of the way, not of the turn.
    pub prompt: &'a Prompt,
    /// What the CLI's session file says.
    pub status: Status,
    /// What the companion hook says.
    pub hook: HookWitness<'a>,
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
    /// The wordings that are in force.
    pub catalogue: &'a Catalogue,
}

impl Witnesses<'_> {
    /// What each of them says, for the log: words of ours only, never the conversation's.
    pub fn to_json(&self) -> Value {
        json!({
            "screen": self.banner.map_or("none", |banner| name_of(&banner.reading)),
            "busy": self.works,
            "prompt": self.prompt.name(),
            "title": match self.title {
                Title::Idle => "idle",
                Title::Busy => "busy",
                Title::Other => "other",
            },
            "transcript": match self.report {
                Report::Unknown => "unknown",
                Report::Pending => "pending",
                Report::Turn(turn) => match &turn.ending {
                    Ending::Assistant => "assistant",
                    Ending::User => "user",
                    Ending::ApiError { text, .. } => name_of(&self.catalogue.read(text)),
                },
            },
            "hook": match self.hook {
                HookWitness::Absent => "absent",
                HookWitness::Silent => "silent",
                HookWitness::Told(_) => "told",
            },
            "cli": match self.status {
                Status::Unknown => "unknown",
                Status::Idle => "idle",
                Status::Busy => "busy",
            },
        })
    }
}

/// What an error says, in a word.
const fn name_of(reading: &Reading) -> &'static str {
    match reading {
        Reading::Transient(class) => class.name(),
        Reading::Permanent(_) => "permanent",
        Reading::StillRetrying => "still-retrying",
        Reading::Unknown => "not-in-the-catalogue",
    }
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

/// Weighs the witnesses; the tables are in the module's docs.
pub fn judge(w: &Witnesses<'_>) -> Verdict {
    crate::fault::point("verdict");
    if w.works {
        return Verdict::Wait(AT_WORK[0]);
    }
    if w.title == Title::Busy {
        return Verdict::Wait(AT_WORK[1]);
    }
    if w.status == Status::Busy {
        return Verdict::Wait(BUSY_BY_FILE);
    }
    let told = matches!(w.hook, HookWitness::Told(_));
    let class = match w.banner.map(|banner| &banner.reading) {
        Some(Reading::Transient(class)) => Some(*class),
        Some(Reading::Permanent(_)) if told => {
            return Verdict::Wait("the error on the screen is not transient");
        }
        Some(Reading::Permanent(_)) => return Verdict::KeepOut("the error is not transient"),
        Some(Reading::StillRetrying) => return Verdict::Wait("the CLI is still trying by itself"),
        Some(Reading::Unknown) if !told => {
            return Verdict::KeepOut("the error is not in the catalogue");
        }
        None if !told => {
            return Verdict::KeepOut("no error ends the conversation on the screen");
        }
        Some(Reading::Unknown) | None => None,
    };
    if class.is_some_and(|class| !w.retry_on.contains(&class)) {
        return Verdict::KeepOut(LEFT_OUT);
    }
    let verdict = match (w.report, class) {
        (Report::Turn(turn), class) => judge_turn(w, class, turn),
        (Report::Unknown, Some(_))
            if w.banner
                .is_some_and(|banner| w.catalogue.is_own_alone(&banner.text)) =>
        {
            Verdict::KeepOut("no transcript, and only a wording of yours knows the error")
        }
        (Report::Unknown, Some(_)) if w.banner.is_some_and(|banner| banner.finished) => {
            Verdict::KeepOut("no transcript, and the error may be an answer's text")
        }
        (Report::Pending, _) => Verdict::Wait("the transcript is not there yet"),
        (Report::Unknown, Some(class)) if w.busy_seen => Verdict::Act(Failure {
            class,
            uuid: None,
            session_id: None,
            consecutive: None,
        }),
        (Report::Unknown, Some(_)) => {
            Verdict::KeepOut("no transcript, and no turn was seen: the error may be history")
        }
        (Report::Unknown, None) => Verdict::KeepOut(
            "no transcript, and no error on the screen: the hook alone is no proof",
        ),
    };
    match verdict {
        Verdict::Act(failure) if !w.retry_on.contains(&failure.class) => Verdict::KeepOut(LEFT_OUT),
        Verdict::Act(_) if w.hook == HookWitness::Silent => Verdict::Wait(HOOK_SILENT),
        other => other,
    }
}

/// `class` is the screen's, where that shows an error.
fn judge_turn(w: &Witnesses<'_>, class: Option<Class>, turn: &LastTurn) -> Verdict {
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
    if w.banner.is_none() && w.entered_ms.is_some_and(|entered| entered > turn.unix_ms) {
        return Verdict::Wait(NOT_IN_SIGHT);
    }
    if let HookWitness::Told(told) = w.hook
        && !same_error(told, text)
    {
        return Verdict::Wait("hook and transcript tell of different errors");
    }
    match (w.catalogue.read(text), class) {
        (Reading::Transient(told), class) if class.is_none_or(|class| class == told) => {
            Verdict::Act(Failure {
                class: told,
                uuid: Some(turn.uuid.clone()),
                session_id: Some(turn.session_id.clone()),
                consecutive: Some(turn.consecutive_errors),
            })
        }
        (Reading::Transient(_), _) => {
            Verdict::Wait("screen and transcript tell of different errors")
        }
        _ => Verdict::KeepOut("by the transcript the error is not transient"),
    }
}

/// The way to resume that is open, by the table in the module's docs; or why none is. `hook`: its process
/// waits for our word. `refused`: the prompt did not take the message before.
///
/// # Errors
///
/// The reason in words.
pub const fn way(
    prompt: &Prompt,
    hook: bool,
    mode: ResumeMode,
    refused: bool,
) -> Result<Way, &'static str> {
    let hook = hook && !matches!(mode, ResumeMode::Type);
    match prompt {
        Prompt::Free => match (mode, hook) {
            (ResumeMode::Hook, false) => Err("no hook in this session, and resume = hook"),
            (ResumeMode::Hook, true) => Ok(Way::Hook),
            (_, true) if refused => Ok(Way::Hook),
            _ => Ok(Way::Typing),
        },
        // What a dialog does may change the conversation, and what the CLI was told cannot be taken back.
        Prompt::Dialog if hook => Err("goes on when the dialog closes"),
        Prompt::Dialog | Prompt::None => Err(prompt.why()),
        Prompt::Draft(_) | Prompt::Shell | Prompt::Menu | Prompt::TranscriptView => {
            if hook {
                Ok(Way::Hook)
            } else {
                Err(prompt.why())
            }
        }
    }
}

/// Does a hook's text, which may be cut or missing, belong to the transcript's?
pub fn same_error(told: &str, text: &str) -> bool {
    text.trim().starts_with(told.trim())
}

#[cfg(test)]
mod tests;
