//! Who sent us a signal: the terminal, which sends it to all of its foreground, or somebody, who sent it to us alone.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::supervisor::session::Signal;
use crate::sys::signals::{is_ignored, number};

/// Where the last of each of the terminal's signals came from.
#[derive(Debug)]
pub(super) struct Origin {
    int: Arc<AtomicI32>,
    quit: Arc<AtomicI32>,
}

impl Origin {
    /// Listens. To be called before the signals are taken by the runtime, so that it is known when they are told.
    pub(super) fn register() -> io::Result<Self> {
        Ok(Self {
            int: listen(Signal::Int)?,
            quit: listen(Signal::Quit)?,
        })
    }

    /// Did the last signal of this kind come from the terminal?
    pub(super) fn is_terminal(&self, signal: Signal) -> bool {
        let code = match signal {
            Signal::Int => &self.int,
            Signal::Quit => &self.quit,
            Signal::Term | Signal::Hup | Signal::Tstp => return false,
        };
        is_of_kernel(code.load(Ordering::Relaxed))
    }
}

/// A cell that has the `si_code` of the last signal of this kind; the code of a `kill` where there was none.
fn listen(signal: Signal) -> io::Result<Arc<AtomicI32>> {
    let code = Arc::new(AtomicI32::new(libc::SI_USER));
    if is_ignored(number(signal)) {
        return Ok(code);
    }
    let cell = Arc::clone(&code);
    let on_signal = move |info: &libc::siginfo_t| cell.store(info.si_code, Ordering::Relaxed);
    // SAFETY: the action stores a number, which a signal handler may.
    #[expect(unsafe_code, reason = "only who handles a signal is told who sent it")]
    unsafe { signal_hook_registry::register_sigaction(number(signal).as_raw(), on_signal) }?;
    Ok(code)
}

/// Linux: what a process sends has a code of zero or less (sigaction(2)). Elsewhere those codes have names.
const fn is_of_kernel(code: i32) -> bool {
    if cfg!(target_os = "linux") {
        code > 0
    } else {
        code != libc::SI_USER && code != libc::SI_QUEUE
    }
}
