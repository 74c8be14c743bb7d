//! A run of the CLI: our child, with pipes.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};

use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::config::Settings;
use crate::supervisor::session::ExitKind;
use crate::sys::program::Found;
use crate::sys::{LaunchError, standard, watchdog_env};

/// A run of the CLI.
pub(super) struct Run {
    pub(super) child: Child,
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: Option<ChildStdout>,
    /// Bytes for its stdin, which is closed behind them.
    pub(super) queue: Vec<u8>,
    pub(super) closing: bool,
    pub(super) exited: Option<ExitKind>,
}

impl Run {
    /// Starts the CLI with these arguments, in our own process group.
    pub(super) fn start(
        program: &Found,
        args: &[OsString],
        settings: &Settings,
    ) -> Result<Self, LaunchError> {
        let mut command = program.command(args);
        command.envs(watchdog_env(settings));
        let terminal = rustix::termios::isatty(io::stdin());
        let inherited = terminal || standard::is_closed(0);
        command.stdin(if inherited {
            Stdio::inherit()
        } else {
            Stdio::piped()
        });
        command.stdout(Stdio::piped());
        let mut command = Command::from(command);
        let ourselves = rustix::process::getpid();
        let before_exec = move || {
            standard::close_again_but(Some(1));
            end_with(ourselves)
        };
        // SAFETY: the closure closes descriptors that nobody uses, and makes two system calls.
        #[expect(unsafe_code, reason = "both are to be done right before exec")]
        let command = unsafe { command.pre_exec(before_exec) };
        let mut child = command
            .spawn()
            .map_err(|error| program.exec_error(&error))?;
        Ok(Self {
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            child,
            queue: Vec::new(),
            closing: false,
            exited: None,
        })
    }

    /// Closes its stdin where that is to be, and all is written.
    pub(super) fn close_if_done(&mut self) {
        if self.closing && self.queue.is_empty() {
            self.stdin = None;
        }
    }
}

/// Has the kernel tell this process to end when its parent, by whatever, has: who kills us (`timeout -s KILL`) wants an
/// end of the CLI. Called by the thread that lives as long as we do.
#[cfg(target_os = "linux")]
fn end_with(parent: rustix::process::Pid) -> io::Result<()> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::TERM))?;
    if getppid() == Some(parent) {
        Ok(())
    } else {
        Err(io::ErrorKind::Interrupted.into())
    }
}

/// Elsewhere there is no such thing.
#[cfg(not(target_os = "linux"))]
fn end_with(_parent: rustix::process::Pid) -> io::Result<()> {
    Ok(())
}

/// How a status is told.
pub(super) fn kind_of(status: ExitStatus) -> ExitKind {
    let small = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    match (status.code(), status.signal()) {
        (Some(code), _) => ExitKind::Code(small(code)),
        (None, Some(signal)) => ExitKind::Killed(small(signal)),
        (None, None) => ExitKind::Code(1),
    }
}
