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
///
/// What asks for an end or a stop is left alone where it is ignored, as after `nohup`: whoever started us
/// wants it ignored, and the child inherits that from us, as it would have from them.
#[derive(Debug)]
pub(super) struct Signals {
    winch: Stream,
    child: Stream,
    cont: Stream,
    term: Option<Stream>,
    hup: Option<Stream>,
    int: Option<Stream>,
    quit: Option<Stream>,
    tstp: Option<Stream>,
}

impl Signals {
    /// Takes over the signals, within the current runtime.
    pub(super) fn register() -> io::Result<Self> {
        let take = |number: Number| signal(SignalKind::from_raw(number.as_raw()));
        let unless_ignored = |number: Number| {
            let wanted = !is_ignored(number);
            wanted.then(|| take(number)).transpose()
        };
        // Else a file that may not grow (`ulimit -f`) ends the process. A handler, not SIG_IGN, which a child would
        // inherit: the write then fails.
        let _ = unless_ignored(Number::XFSZ);
        Ok(Self {
            winch: take(Number::WINCH)?,
            child: take(Number::CHILD)?,
            cont: take(Number::CONT)?,
            term: unless_ignored(Number::TERM)?,
            hup: unless_ignored(Number::HUP)?,
            int: unless_ignored(Number::INT)?,
            quit: unless_ignored(Number::QUIT)?,
            tstp: unless_ignored(Number::TSTP)?,
        })
    }

    /// The next signal. Of several that are there, the ones that want an end come first: a shell that
    /// ends a stopped job continues it too.
    pub(super) async fn next(&mut self) -> Got {
        tokio::select! {
            biased;
            () = told(&mut self.term) => Got::Asked(Signal::Term),
            () = told(&mut self.hup) => Got::Asked(Signal::Hup),
            () = told(&mut self.int) => Got::Asked(Signal::Int),
            () = told(&mut self.quit) => Got::Asked(Signal::Quit),
            () = told(&mut self.tstp) => Got::Asked(Signal::Tstp),
            _ = self.winch.recv() => Got::Winch,
            _ = self.child.recv() => Got::Child,
            _ = self.cont.recv() => Got::Cont,
        }
    }
}

/// Waits for a signal that may not be ours.
async fn told(stream: &mut Option<Stream>) {
    match stream {
        Some(stream) => drop(stream.recv().await),
        None => std::future::pending().await,
    }
}

/// Is it ignored so far?
pub(super) fn is_ignored(number: Number) -> bool {
    let mut now = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: the new action is null, so nothing changes, and the old one is written to where there is
    // room for it.
    #[expect(unsafe_code, reason = "there is no safe call for it")]
    let asked = unsafe { libc::sigaction(number.as_raw(), std::ptr::null(), now.as_mut_ptr()) };
    if asked != 0 {
        return false;
    }
    // SAFETY: the call says that it was written.
    #[expect(unsafe_code, reason = "there is no safe call for it")]
    let now = unsafe { now.assume_init() };
    now.sa_sigaction == libc::SIG_IGN
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
