//! Signals, as an enum at the edge.

use std::io;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use crate::supervisor::session::Signal;

/// What a signal means to the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// The terminal may have another size.
    Winch,
    /// The child stopped or ended.
    Child,
    /// We were continued.
    Cont,
    /// Somebody wants us to end, or to stop.
    Asked(Signal),
}

/// All signals that we take. What arrives between two calls of [`Signals::next`] is not lost; several of a
/// kind may be told as one.
#[derive(Debug)]
pub(super) struct Signals {
    winch: Stream,
    child: Stream,
    cont: Stream,
    term: Stream,
    hup: Stream,
    int: Stream,
    quit: Stream,
    tstp: Stream,
}

impl Signals {
    /// Takes over the signals, within the current runtime.
    pub(super) fn register() -> io::Result<Self> {
        // Else a file that may not grow (`ulimit -f`) ends the process. A handler, not SIG_IGN, which a child would
        // inherit: the write then fails.
        let _ = signal(SignalKind::from_raw(libc::SIGXFSZ));
        let other = |number: Number| signal(SignalKind::from_raw(number.as_raw()));
        Ok(Self {
            winch: signal(SignalKind::window_change())?,
            child: signal(SignalKind::child())?,
            cont: other(Number::CONT)?,
            term: signal(SignalKind::terminate())?,
            hup: signal(SignalKind::hangup())?,
            int: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            tstp: other(Number::TSTP)?,
        })
    }

    /// The next signal. Of several that are there, the ones that want an end come first: a shell that
    /// ends a stopped job continues it too.
    pub(super) async fn next(&mut self) -> Got {
        tokio::select! {
            biased;
            _ = self.term.recv() => Got::Asked(Signal::Term),
            _ = self.hup.recv() => Got::Asked(Signal::Hup),
            _ = self.int.recv() => Got::Asked(Signal::Int),
            _ = self.quit.recv() => Got::Asked(Signal::Quit),
            _ = self.tstp.recv() => Got::Asked(Signal::Tstp),
            _ = self.winch.recv() => Got::Winch,
            _ = self.child.recv() => Got::Child,
            _ = self.cont.recv() => Got::Cont,
        }
    }
}

/// What they do in a program that has just begun: in a fork of ours, whose handlers would tell us.
pub(super) fn reset() {
    for number in [
        Number::WINCH,
        Number::CHILD,
        Number::CONT,
        Number::TERM,
        Number::HUP,
        Number::INT,
        Number::QUIT,
        Number::TSTP,
        Number::XFSZ,
    ] {
        // SAFETY: the default action is valid for each of them.
        #[expect(unsafe_code, reason = "there is no safe call for it")]
        unsafe {
            libc::signal(number.as_raw(), libc::SIG_DFL);
        }
    }
}

/// The signal's number on this system.
pub(super) fn number(signal: Signal) -> Number {
    match signal {
        Signal::Term => Number::TERM,
        Signal::Hup => Number::HUP,
        Signal::Int => Number::INT,
        Signal::Quit => Number::QUIT,
        Signal::Tstp => Number::TSTP,
    }
}
