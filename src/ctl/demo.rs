//! `ctl demo`: the whole wrapper at work in the user's terminal, around a stand-in for the CLI.
//!
//! It runs this very program twice more: as the wrapper, with settings of its own, and, as the wrapper's
//! child, as the stand-in ([`stand_in`]). No CLI, no account, no network, and no file outside a folder of
//! its own, which is gone at the end.

mod draw;
mod record;
mod stage;
mod stand_in;

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{isatty, tcgetwinsize};
use tokio::signal::unix::{SignalKind, signal};

use crate::error::Error;
use crate::sys::nested;

/// The hidden verb of the stand-in.
pub(super) const CLI_VERB: &str = "demo-cli";

/// What the wrapper runs: a shell that becomes the stand-in. The wrapper refuses to run itself, and the
/// temporary folder may forbid programs.
const SHELL: &str = "/bin/sh";
const BECOME: &str = "exec \"$0\" ctl demo-cli \"$1\"";

/// The demo's settings, all of them that matter: the user's own have no say. The waits are 3 s and 4 s.
const FLAGS: [(&str, &str); 16] = [
    ("program", SHELL),
    ("message", stage::MESSAGE),
    ("profile", "default"),
    ("jitter", "none"),
    ("base", "3s"),
    ("cap", "4s"),
    ("max-retries", "6"),
    ("max-per-hour", "60"),
    ("retry-on", "all"),
    ("hook", "off"),
    ("resume", "auto"),
    ("retry-after", "off"),
    ("bar", "auto"),
    ("notify", "off"),
    ("transcript", "auto"),
    ("log", "off"),
];

/// The least rows and columns: on fewer the error does not fit, so that nobody could read it.
const LEAST: (u16, u16) = (12, 40);

/// Runs the demo, to its end.
///
/// # Errors
///
/// [`Error::Usage`] where there is no terminal to show it in, or this one is under the wrapper already.
pub(super) fn run() -> Result<ExitCode, Error> {
    check_terminal()?;
    let folder = Folder::new().map_err(|error| own("make a folder for the demo", &error))?;
    let ourselves =
        std::env::current_exe().map_err(|error| own("find this program's own file", &error))?;

    let mut command = Command::new(&ourselves);
    for (name, _) in std::env::vars_os() {
        if name.as_bytes().starts_with(b"CLAUDE_") {
            command.env_remove(name);
        }
    }
    for (name, value) in FLAGS {
        command.arg(format!("--retry-{name}={value}"));
    }
    command
        .args(["--", "-c", BECOME])
        .arg(&ourselves)
        .arg(&folder.0)
        // The transcript is looked for here, and no file of settings is.
        .env("CLAUDE_CONFIG_DIR", &folder.0)
        .env("XDG_CONFIG_HOME", &folder.0);

    let status = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(attend(command)))
        .map_err(|error| own("run the demo", &error))?;
    Ok(ExitCode::from(exit_code(status)))
}

/// Plays the CLI, with its files in the folder that is the only argument.
///
/// # Errors
///
/// [`Error::Usage`] when it is not started by [`run`].
pub(super) fn cli(args: &[OsString]) -> Result<ExitCode, Error> {
    let [folder] = args else {
        return Err(Error::Usage(format!(
            "ctl {CLI_VERB} is a part of the demo: run `claude-retry ctl demo`"
        )));
    };
    stand_in::play(folder.as_ref()).map_err(|error| own("play the demo", &error))?;
    Ok(ExitCode::SUCCESS)
}

fn own(what: &str, error: &io::Error) -> Error {
    Error::Own(format!("failed to {what}: {error}"))
}

fn check_terminal() -> Result<(), Error> {
    let usage = |text: &str| Err(Error::Usage(text.into()));
    let (stdin, stdout) = (io::stdin(), io::stdout());
    if !isatty(&stdin) || !isatty(&stdout) {
        return usage("ctl demo needs a terminal: run it in one, with nothing redirected");
    }
    if std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb") {
        return usage(
            "ctl demo needs a terminal that can be drawn on: set TERM to what yours is, for instance xterm-256color",
        );
    }
    // One that does not know its size says 0.
    if let Ok(size) = tcgetwinsize(&stdout)
        && let (rows @ 1.., cols @ 1..) = (size.ws_row, size.ws_col)
        && (rows < LEAST.0 || cols < LEAST.1)
    {
        return usage(&format!(
            "ctl demo needs a terminal of {} rows and {} columns at least: this one has {rows} and {cols}",
            LEAST.0, LEAST.1
        ));
    }
    if nested() {
        return usage(
            "ctl demo cannot run here: this terminal is under claude-retry already, and both would act; run it in another terminal",
        );
    }
    Ok(())
}

/// Starts the wrapper and waits for its end; who asks us to end asks it.
async fn attend(mut command: Command) -> io::Result<ExitStatus> {
    let mut changes = signal(SignalKind::child())?;
    let mut term = signal(SignalKind::terminate())?;
    let mut hup = signal(SignalKind::hangup())?;
    let mut int = signal(SignalKind::interrupt())?;
    let mut quit = signal(SignalKind::quit())?;
    let mut child = command.spawn()?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        tokio::select! {
            _ = changes.recv() => {}
            _ = term.recv() => pass_on(&child, Signal::TERM),
            _ = hup.recv() => pass_on(&child, Signal::HUP),
            _ = int.recv() => pass_on(&child, Signal::INT),
            _ = quit.recv() => pass_on(&child, Signal::QUIT),
        }
    }
}

/// Signals a child that was not waited for yet, so that its number is its own.
fn pass_on(child: &Child, signal: Signal) {
    let _ = kill_process(Pid::from_child(child), signal);
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(125)
}

/// A private temporary folder; removed with all that is in it when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let name = format!("claude-retry-demo-{:016x}", rand::random::<u64>());
        let path = std::env::temp_dir().join(name);
        // Fails where something has that name already: nobody can have put a link there.
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests;
