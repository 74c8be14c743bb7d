//! The session: events in, bytes and effects out. Sans-I/O, in the words of quinn-proto:
//! [`Session::handle`] takes what happened and when, [`Session::next_deadline`] says when it wants to
//! be called again.

use std::time::Duration;

use super::transcript::Report;
use crate::config::Settings;
use crate::term::Size;

/// The time of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Since the session began, by a clock that never jumps.
    pub elapsed: Duration,
    /// The wall clock, in milliseconds since the Unix epoch: only compared with the transcript's times.
    pub unix_ms: u64,
}

/// A signal that means the same on every unix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM.
    Term,
    /// SIGHUP.
    Hup,
    /// SIGINT.
    Int,
    /// SIGQUIT.
    Quit,
    /// SIGTSTP.
    Tstp,
}

/// How the child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitKind {
    /// By itself, with this code.
    Code(u8),
    /// Killed by the signal of this number.
    Killed(u8),
}

/// What the kernel says of the pty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PtyState {
    /// Neither ICANON nor ECHO is set: the CLI reads keys itself.
    pub raw: bool,
    /// The foreground process group is the child's own.
    pub foreground: bool,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// The child wrote.
    ChildOutput(&'a [u8]),
    /// The user typed, or the terminal answered.
    UserInput(&'a [u8]),
    /// The time that [`Session::next_deadline`] gave has come.
    Deadline,
    /// The terminal has this size now.
    Resize(Size),
    /// The answer to [`Effect::ReadTranscript`].
    Transcript(Report),
    /// The answer to [`Effect::ProbePty`].
    Pty(PtyState),
    /// We got a signal. TERM, HUP, INT and QUIT: the driver passes it on to the child itself; TSTP asks
    /// for [`Effect::Suspend`].
    Signal(Signal),
    /// The child stopped itself (job control); the driver suspends us once our bytes are out.
    ChildStopped,
    /// We run again in the foreground, the terminal is raw again, the child about to be continued.
    Resumed,
    /// The child has ended and its output is drained.
    ChildExited(ExitKind),
}

/// What the driver is to do, after it has queued the bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Find and read the transcript's tail, answer with [`Event::Transcript`] right away.
    ReadTranscript,
    /// Ask the kernel about the pty, answer with [`Event::Pty`] right away.
    ProbePty,
    /// Append this object to the log, with the time.
    Log(serde_json::Value),
    /// Stop ourselves as a job (see DESIGN's job control), the child first where it still runs.
    Suspend,
}

/// Where the session's answers go. The caller drains the buffers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outbox {
    /// Bytes for the user's terminal.
    pub tty: Vec<u8>,
    /// Bytes for the child.
    pub child: Vec<u8>,
    /// What else to do, in order.
    pub effects: Vec<Effect>,
}

/// What the session must know of the terminal it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalTraits {
    /// The locale's character set is UTF-8.
    pub unicode: bool,
    /// Colours are wanted (`NO_COLOR` is not set, `TERM` is not `dumb`).
    pub color: bool,
    /// The terminal can be drawn on by cursor addressing (`TERM` is not `dumb`).
    pub addressable: bool,
}

/// The supervisor of one session.
pub struct Session {
    _settings: Settings,
}

impl Session {
    /// A session that begins now in a terminal of this size. `seed` feeds the jitter.
    pub fn new(
        settings: Settings,
        traits: TerminalTraits,
        size: Size,
        now: Now,
        seed: u64,
    ) -> Self {
        let _ = (traits, size, now, seed);
        Self {
            _settings: settings,
        }
    }

    /// Takes what happened and appends the answer to `out`.
    pub fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Outbox) {
        let _ = now;
        match event {
            Event::ChildOutput(bytes) => out.tty.extend_from_slice(bytes),
            Event::UserInput(bytes) => out.child.extend_from_slice(bytes),
            _ => {}
        }
    }

    /// When the session wants an [`Event::Deadline`], as [`Now::elapsed`]; `None` while nothing is to be
    /// waited for.
    pub fn next_deadline(&self) -> Option<Duration> {
        None
    }
}
