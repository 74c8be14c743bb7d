//! A run of the CLI without a terminal (`-p`), and the runs that resume it. Sans-I/O, as
//! [`session`](super::session): events in, bytes and effects out.
//!
//! | state | what happens | next |
//! | --- | --- | --- |
//! | Running | it ended with code 1, and what it printed is a transient error | Looking |
//! | | with lines as input: its result is a transient error, and it lives on | Looking |
//! | | it ended otherwise | the end, with its code |
//! | Looking | the transcript ends in that error, tries are left | Waiting |
//! | | there is no transcript, and nothing was done | Waiting, to start over |
//! | | they are spent, the transcript contradicts, it cannot be resumed | the end, or Running where it lives |
//! | Waiting | the time is over | Running: resumed, or started over |
//! | | the next run cannot be started | the end, with what the last one printed and its code |
//! | | a signal | the end, with 128 and its number |
//! | | with lines as input: the user writes a message, or a turn begins | Running |
//! | Leaving | a signal came while it ran: it ends | the end, with its code |
//!
//! In doubt what was printed is passed on as it is.
pub mod arguments;
mod confirm;
mod input;
mod job;
mod output;
mod records;
pub mod result;
mod stream;

use std::ffi::OsString;
use std::time::Duration;

pub use self::input::KEPT_AT_MOST;
pub use self::job::Job;
pub use self::records::signal_number;
use super::session::{ExitKind, Signal};
use super::transcript::LastTurn;

/// Where the transcript is to be looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// That of the session with this id.
    Of(String),
    /// The one in the folder's project that was written since this time (milliseconds since the Unix epoch) and whose
    /// last turn is an error with this text.
    Since(u64, String),
}

/// What was found there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// No transcript.
    Missing {
        /// It would be there if anything had been done: nothing that is known keeps the CLI from writing one.
        kept: bool,
    },
    /// More than one that it could be.
    Unsure,
    /// The transcript.
    There {
        /// Its last turn, where it has one.
        turn: Option<LastTurn>,
        /// It holds the costs of the session, so that a run that resumes it counts on from there.
        counts_on: bool,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// Begin.
    Begin,
    /// Bytes came on stdin.
    Input(&'a [u8]),
    /// Stdin has ended.
    InputEnded,
    /// The run wrote to its stdout.
    Output(&'a [u8]),
    /// The run has ended and its output is drained.
    Exited(ExitKind),
    /// A run that was to follow another could not be started.
    NotStarted,
    /// The answer to [`Effect::Look`].
    Sight(Sight),
    /// The answer to [`Effect::AskHelp`], where there was one.
    Help(Option<String>),
    /// The time that [`Job::next_deadline`] gave has come.
    Deadline,
    /// We got a signal that asks for an end.
    Signal(Signal),
}

/// What the driver is to do, in order, before it writes the bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Run the CLI with these arguments.
    Start(Vec<OsString>),
    /// Close its stdin when it has got the bytes for it.
    CloseInput,
    /// Look at the transcript, answer right away.
    Look(Where),
    /// Run the CLI with `--help`, answer when it has ended.
    AskHelp,
    /// Pass this signal on to the run.
    Kill(Signal),
    /// A line for stderr.
    Say(String),
    /// Append this object to the log, with the time.
    Log(serde_json::Value),
    /// That is all: end as this.
    End(ExitKind),
}

/// Where the answers go. The caller drains it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outbox {
    /// Bytes for our stdout.
    pub stdout: Vec<u8>,
    /// Bytes for the run's stdin.
    pub child: Vec<u8>,
    /// What else to do, in order.
    pub effects: Vec<Effect>,
}

/// What is said on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// Nothing.
    Silent,
    /// A line a wait.
    Lines,
    /// The waits are shown by the driver ([`Job::progress`]): only what else there is to say.
    Live,
}

/// A wait as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What happened, in a word.
    pub what: &'static str,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// The most tries.
    pub max: u32,
    /// When it is over, as [`Now::elapsed`](super::session::Now::elapsed).
    pub until: Duration,
    /// How long it is in all.
    pub total: Duration,
}

#[cfg(test)]
mod tests;
