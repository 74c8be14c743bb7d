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
        let as_they_were = || {
            standard::close_again_but(Some(1));
            Ok(())
        };
        // SAFETY: the closure closes descriptors that nobody uses.
        #[expect(unsafe_code, reason = "the descriptors are to go right before exec")]
        let command = unsafe { command.pre_exec(as_they_were) };
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

/// How a status is told.
pub(super) fn kind_of(status: ExitStatus) -> ExitKind {
    let small = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    match (status.code(), status.signal()) {
        (Some(code), _) => ExitKind::Code(small(code)),
        (None, Some(signal)) => ExitKind::Killed(small(signal)),
        (None, None) => ExitKind::Code(1),
    }
}
