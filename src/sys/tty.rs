//! The user's terminal.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use rustix::fs::{Mode, OFlags, fstat, open as open_file, stat};
use rustix::termios::{
    OptionalActions, Termios, Winsize, isatty, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr,
    ttyname,
};

use super::duplex::Duplex;
use super::ids::{group_of, is_controlling, led_by};
use crate::term::Size;

/// The terminal's attributes from before raw mode, for every way out: there is one terminal a process.
static BEFORE: Mutex<Option<Before>> = Mutex::new(None);

struct Before {
    terminal: OwnedFd,
    termios: Termios,
}

fn before() -> MutexGuard<'static, Option<Before>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The terminal's name, such as `/dev/pts/3`.
pub(super) fn name(fd: impl AsFd) -> Option<OsString> {
    ttyname(fd, Vec::new())
        .ok()
        .map(|name| OsString::from_vec(name.into_bytes()))
}

/// Are both descriptors the same terminal?
pub(super) fn same_terminal(a: impl AsFd, b: impl AsFd) -> bool {
    matches!((fstat(a), fstat(b)), (Ok(a), Ok(b)) if a.st_rdev == b.st_rdev)
}

/// Is `a` the terminal `b`, or `/dev/tty`, which is the controlling one?
pub(super) fn is_the_same_or_controlling(a: impl AsFd, b: impl AsFd) -> bool {
    let controlling = || {
        let devices = (stat("/dev/tty"), fstat(&a));
        matches!(devices, (Ok(tty), Ok(a)) if tty.st_rdev == a.st_rdev)
    };
    isatty(&a) && (same_terminal(&a, b) || controlling())
}

/// Opens the terminal of stdin anew.
///
/// The flag `O_NONBLOCK` belongs to the open file description, which stdin shares with the shell that
/// started us and with everybody else there. So this is a description of our own.
pub(super) fn open() -> io::Result<OwnedFd> {
    let stdin = io::stdin();
    // `/dev/tty` works for who may not open the device by its name (after `su`), but it cannot be
    // watched on macOS, and it is the controlling terminal, which stdin need not be.
    let controlling = cfg!(target_os = "linux") && is_controlling(&stdin);
    let by_name = || name(&stdin).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound));
    let path = if controlling {
        OsString::from("/dev/tty")
    } else {
        by_name()?
    };
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(open_file(
        Path::new(OsStr::new(&path)),
        flags,
        Mode::empty(),
    )?)
}

/// The terminal's attributes and its size, as they are.
pub(super) fn look(terminal: impl AsFd) -> io::Result<(Termios, Winsize)> {
    Ok((tcgetattr(&terminal)?, tcgetwinsize(&terminal)?))
}

/// Sets back the attributes from before raw mode, if it is on. Safe to call at any time, any number of
/// times; errors are ignored, for there is nobody left to tell.
pub(super) fn leave_raw() {
    let mut before = match BEFORE.try_lock() {
        Ok(before) => before,
        Err(TryLockError::Poisoned(before)) => before.into_inner(),
        // A panic right where it is held: the way out comes here again.
        Err(TryLockError::WouldBlock) => return,
    };
    if let Some(Before { terminal, termios }) = before.take() {
        let _ = tcsetattr(&terminal, OptionalActions::Now, &termios);
    }
}

/// Raw as `cfmakeraw` has it, but for the character size and parity: a serial line keeps its own.
fn raw(before: &Termios) -> Termios {
    let mut raw = before.clone();
    raw.make_raw();
    raw.control_modes = before.control_modes;
    raw
}

/// The terminal, watched by the runtime. Leaves raw mode when dropped.
#[derive(Debug)]
pub(super) struct Tty {
    fd: Duplex,
}

impl Tty {
    /// Registers the descriptor with the current runtime.
    pub(super) fn new(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            fd: Duplex::new(fd)?,
        })
    }

    /// Raw mode on; what was before is kept for [`leave_raw`]. In the background this stops us until
    /// we are in the foreground.
    ///
    /// Typed-ahead input is kept: it is the child's.
    pub(super) fn enter_raw(&self) -> io::Result<()> {
        let mut before = before();
        let terminal = self.fd.get_ref();
        // Kept before it is changed: what fails in between is put right too.
        let kept = match &mut *before {
            Some(kept) => kept,
            none => none.insert(Before {
                terminal: terminal.try_clone()?.into(),
                termios: tcgetattr(terminal)?,
            }),
        };
        tcsetattr(terminal, OptionalActions::Now, &raw(&kept.termios))?;
        crate::fault::point("raw");
        Ok(())
    }

    /// The attributes from before raw mode.
    pub(super) fn cooked(&self) -> io::Result<Termios> {
        match before().as_ref() {
            Some(before) => Ok(before.termios.clone()),
            None => Ok(tcgetattr(self.fd.get_ref())?),
        }
    }

    pub(super) fn winsize(&self) -> io::Result<Winsize> {
        Ok(tcgetwinsize(self.fd.get_ref())?)
    }

    /// Is our process group the terminal's foreground one?
    pub(super) fn is_foreground(&self) -> bool {
        // Not our controlling terminal: there is no job control on it.
        tcgetpgrp(self.fd.get_ref())
            .map_or(true, |group| group_of(None).ok() == Some(led_by(group)))
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        self.fd.readable().await
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        self.fd.writable().await.map(drop)
    }

    /// One read; `WouldBlock` when there is nothing.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.fd.read(buffer)
    }

    /// One write; `WouldBlock` when the terminal takes nothing.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.fd.write(bytes)
    }
}

impl AsFd for Tty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.get_ref().as_fd()
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        leave_raw();
    }
}

/// The session's view of a size. A terminal that does not know its size says 0; the session takes the
/// usual 24 by 80 then, while the child gets what the terminal said.
pub(super) fn session_size(size: Winsize) -> Size {
    let or = |cells, usual| if cells == 0 { usual } else { cells };
    Size {
        rows: or(size.ws_row, 24),
        cols: or(size.ws_col, 80),
        xpixel: size.ws_xpixel,
        ypixel: size.ws_ypixel,
    }
}

/// Field by field: the type has no comparison of its own.
pub(super) fn same_size(a: Winsize, b: Winsize) -> bool {
    (a.ws_row, a.ws_col, a.ws_xpixel, a.ws_ypixel) == (b.ws_row, b.ws_col, b.ws_xpixel, b.ws_ypixel)
}
