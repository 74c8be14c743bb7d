//! The pseudo-terminal and the child on it.
//!
//! Done by hand rather than by a crate: the child is to see nothing of us, and the usual crate closes the
//! descriptors it inherits (a shell's `<(…)` is one), adds `SHELL`, replaces `argv[0]` and loses the reason
//! why an exec failed.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::Command;

use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl, open};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process, kill_process_group, waitid,
};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{
    LocalModes, OptionalActions, Termios, Winsize, tcgetattr, tcgetpgrp, tcsetattr, tcsetwinsize,
};

use super::duplex::Duplex;
use super::monitor::{Change, Monitor};
use crate::supervisor::session::{ExitKind, PtyState};

/// A pair that no child is on yet.
pub(super) struct Pair {
    master: OwnedFd,
    slave: OwnedFd,
    name: OsString,
}

impl Pair {
    /// Opens a pty with these attributes and this size.
    pub(super) fn open(termios: &Termios, size: Winsize) -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = OsString::from_vec(ptsname(&master, Vec::new())?.into_bytes());
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = open(Path::new(&name), flags, Mode::empty())?;
        tcsetattr(&slave, OptionalActions::Now, termios)?;
        tcsetwinsize(&slave, size)?;
        fcntl_setfl(&master, fcntl_getfl(&master)? | OFlags::NONBLOCK)?;
        Ok(Self {
            master,
            slave,
            name,
        })
    }

    /// The name of the child's side.
    pub(super) fn name(&self) -> &OsStr {
        &self.name
    }

    /// Has a monitor made that waits for the word to start `command` on the pty. To be called while this
    /// process has one thread.
    pub(super) fn fork(self, command: Command) -> io::Result<Waiting> {
        let Self { master, slave, .. } = self;
        let monitor = Monitor::fork(command, slave)?;
        Ok(Waiting { master, monitor })
    }
}

/// A pair whose child waits for the word to start.
#[derive(Debug)]
pub(super) struct Waiting {
    master: OwnedFd,
    monitor: Monitor,
}

impl Waiting {
    /// Gives the pty these attributes and this size: the terminal's may have changed.
    pub(super) fn settle(&self, termios: &Termios, size: Winsize) -> io::Result<()> {
        tcsetattr(&self.master, OptionalActions::Now, termios)?;
        Ok(tcsetwinsize(&self.master, size)?)
    }

    /// Starts the child, with these changes to our environment.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub(super) fn start(self, environment: &[Change]) -> io::Result<Spawned> {
        let (leader, child) = self.monitor.start(environment)?;
        Ok(Spawned {
            master: self.master,
            leader,
            child,
        })
    }
}

/// A child that runs.
pub(super) struct Spawned {
    master: OwnedFd,
    leader: Pid,
    child: Pid,
}

/// The pty with its child, watched by the runtime.
#[derive(Debug)]
pub(super) struct Pty {
    master: Duplex,
    /// The leader of the session; it stops and ends as the child does.
    leader: Pid,
    child: Pid,
    /// How the leader ended, once it has: it is waited for once.
    ended: Option<ExitKind>,
}

impl Pty {
    /// Registers the master with the current runtime.
    pub(super) fn new(spawned: Spawned) -> io::Result<Self> {
        let Spawned {
            master,
            leader,
            child,
        } = spawned;
        Ok(Self {
            master: Duplex::new(master)?,
            leader,
            child,
            ended: None,
        })
    }

    /// The child's process, which is its process group too.
    pub(super) fn child(&self) -> Pid {
        self.child
    }

    /// The child's terminal session.
    pub(super) fn session(&self) -> Pid {
        self.leader
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        self.master.readable().await
    }

    /// Waits until the child's side takes input; false when that is closed for good. A write does not
    /// tell: with its buffer full, Linux says "not now" for ever.
    pub(super) async fn writable(&self) -> io::Result<bool> {
        self.master.writable().await
    }

    /// One read. 0 when nobody has the child's side open any more, which Linux calls `EIO`.
    ///
    /// It may do so before it has passed on what was written right before the end: it looks for bytes first, and
    /// for the end then (`n_tty_read`, Linux 6.18: one in tens of thousands of ends). The next read has them.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let nobody = |read: &io::Result<usize>| {
            let error = read.as_ref().err();
            error.is_some_and(|error| error.raw_os_error() == Some(libc::EIO))
        };
        let mut read = self.master.read(buffer);
        if nobody(&read) {
            read = self.master.read(buffer);
        }
        if nobody(&read) { Ok(0) } else { read }
    }

    /// One write; `WouldBlock` when the child reads too little.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.master.write(bytes)
    }

    /// The child learns it by SIGWINCH, which the kernel sends.
    pub(super) fn resize(&self, size: Winsize) -> io::Result<()> {
        Ok(tcsetwinsize(self.master.get_ref(), size)?)
    }

    /// What the kernel says of the pty; where it says nothing, nothing is as it should be.
    pub(super) fn state(&self) -> PtyState {
        let fd = self.master.get_ref().as_fd();
        let cooked = LocalModes::ICANON | LocalModes::ECHO;
        PtyState {
            raw: tcgetattr(fd).is_ok_and(|termios| !termios.local_modes.intersects(cooked)),
            foreground: tcgetpgrp(fd).is_ok_and(|group| group == self.child),
        }
    }

    /// Sends a signal to the child's process group, and to the pty's foreground group where that is
    /// another. Who is gone already does not matter.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.child, signal);
        if let Ok(group) = tcgetpgrp(self.master.get_ref())
            && group != self.child
            && group != self.session()
        {
            let _ = kill_process_group(group, signal);
        }
    }

    /// Continues a child whose stop was told by [`Pty::take_stop`]. By its leader alone: the child may
    /// stop again before that runs, and would be continued twice.
    pub(super) fn resume(&self) {
        let _ = kill_process(self.session(), Signal::CONT);
    }

    /// How the child ended, once it has.
    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitKind>> {
        if self.ended.is_none() {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            let look = || waitid(WaitId::Pid(self.leader), options);
            let status = rustix::io::retry_on_intr(look)?;
            self.ended = status.as_ref().map(exit_kind);
        }
        Ok(self.ended)
    }

    /// Did the child stop since it was asked last? Takes the news, so that each stop is told once; an
    /// end is left for [`Pty::try_wait`].
    pub(super) fn take_stop(&self) -> bool {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        matches!(waitid(WaitId::Pid(self.session()), options), Ok(Some(status)) if status.stopped())
    }
}

fn exit_kind(status: &WaitIdStatus) -> ExitKind {
    let byte = |n: i32| u8::try_from(n & 0xff).unwrap_or(u8::MAX);
    match status.exit_status() {
        Some(code) => ExitKind::Code(byte(code)),
        None => ExitKind::Killed(byte(status.terminating_signal().unwrap_or_default())),
    }
}

/// The value of [`super::NESTED_VAR`] for a child on the pty of this name.
pub(super) fn nested_value(name: &OsStr) -> OsString {
    let mut value = std::process::id().to_string().into_bytes();
    value.push(b':');
    value.extend_from_slice(name.as_bytes());
    OsString::from_vec(value)
}
