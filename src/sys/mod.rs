//! The imperative shell, unix only: the pty, the terminal, signals, files. It decides nothing about
//! errors of the CLI; it feeds [`crate::supervisor::session::Session`] and performs what that answers.

mod capabilities;
mod cli_settings;
mod clock;
mod companion;
mod debug_file;
mod driver;
mod duplex;
pub mod guarded;
mod headless;
mod hook;
mod ids;
mod job;
mod log;
mod monitor;
mod outbound;
mod plain_file;
mod private;
mod program;
mod pty;
mod recorder;
mod sessions;
mod signals;
mod standard;
mod table;
pub mod tmux;
mod transcript;
mod tty;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::ExitCode;

use rustix::process::{Pid, test_kill_process};
use rustix::termios::isatty;

use crate::config::Settings;
use crate::supervisor::headless::arguments::Invocation;
use crate::supervisor::session::{ExitKind, TerminalTraits};

pub use self::capabilities::{Answers, Mode, Unasked, ask as ask_terminal};
pub use self::cli_settings::{managed_settings, managed_settings_in};
pub use self::clock::unix_ms;
pub use self::companion::PLUGINS_SINCE;
pub use self::hook::{End, is_claimed, run as run_hook};
pub use self::log::{Log, open_all as open_logs};
pub use self::plain_file::read_text;
pub use self::program::{Found, find as find_program};
pub use self::recorder::Recorder;
pub use self::sessions::{Running, running};
pub use self::table::TableView;
pub use self::transcript::{Locator, config_dir};

/// Names the wrapper that a process runs under: `pid:inner tty`.
///
/// The terminal is part of it because the variable leaks, for instance through a tmux server that was
/// started inside a session: only who sits on that very terminal is nested.
pub const NESTED_VAR: &str = "CLAUDE_RETRY";

/// Why the CLI could not be run.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Neither `PATH` nor the usual install places have it.
    #[error("cannot find the program {program:?}")]
    ProgramNotFound {
        /// As it was asked for.
        program: PathBuf,
    },
    /// It is there, but cannot be executed.
    #[error("cannot execute the program {program:?}: {reason}")]
    ProgramNotExecutable {
        /// As it was found.
        program: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// It is this very program.
    #[error("the program {program:?} is claude-retry itself")]
    ProgramIsOurselves {
        /// As it was asked for.
        program: PathBuf,
    },
    /// A failure of ours.
    #[error("{0}")]
    Own(String),
}

impl LaunchError {
    /// The exit code that says the same: 127, 126, 2, or 125 for our own failures.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::ProgramNotFound { .. } => 127,
            Self::ProgramNotExecutable { .. } => 126,
            Self::ProgramIsOurselves { .. } => 2,
            Self::Own(_) => 125,
        }
    }

    fn own(what: &str, error: &impl std::fmt::Display) -> Self {
        Self::Own(format!("failed to {what}: {error}"))
    }
}

/// Runs the CLI with these arguments: in a pty of ours under supervision; without a terminal (`-p`) with pipes; or,
/// where there is nothing to supervise (a verb, already inside), by becoming it.
///
/// # Errors
///
/// When the program is missing or cannot be executed, and when the terminal or the pty cannot be set
/// up; the terminal is as it was before.
pub fn launch(settings: Settings, args: &[OsString]) -> Result<ExitCode, LaunchError> {
    run(settings, args, &mut None)
}

/// The same, recorded: to be called only where [`not_recordable`] gives no reason.
///
/// # Errors
///
/// Those of [`launch`].
pub fn record(
    settings: Settings,
    args: &[OsString],
    recorder: &mut Option<Recorder>,
) -> Result<ExitCode, LaunchError> {
    run(settings, args, recorder)
}

/// Why a session with these arguments cannot be recorded, and what to do instead.
pub fn not_recordable(args: &[OsString]) -> Option<&'static str> {
    if prints(args) {
        Some("with -p there is no session in a terminal; leave -p out")
    } else if nested() {
        Some("it would run under claude-retry already; leave that session first")
    } else if wants_passthrough(args) {
        Some("it needs a terminal; run it in one, with neither input nor output redirected")
    } else {
        None
    }
}

fn run(
    settings: Settings,
    args: &[OsString],
    recorder: &mut Option<Recorder>,
) -> Result<ExitCode, LaunchError> {
    let path = env("PATH");
    let home = env("HOME").map(PathBuf::from);
    let ourselves = std::env::current_exe().ok();
    let program = program::find(
        &settings.program,
        path.as_deref(),
        home.as_deref(),
        ourselves.as_deref(),
    )?;

    let headless = Invocation::read(args).is_headless(isatty(io::stdout()));
    if recorder.is_none() && headless && !standard::is_closed(1) {
        return headless::run(settings, &program, args).map(|kind| ExitCode::from(exit_code(kind)));
    }
    let tty = if wants_passthrough(args) {
        None
    } else {
        tty::open().ok()
    };
    let Some(tty) = tty else {
        if recorder.is_some() {
            return Err(LaunchError::Own("failed to open the terminal".into()));
        }
        return Err(become_program(&settings, &program, args));
    };
    let kind = driver::run(settings, &program, args, tty, traits(), recorder)?;
    Ok(ExitCode::from(exit_code(kind)))
}

/// What a shell would make of it: the code itself, or 128+n.
fn exit_code(kind: ExitKind) -> u8 {
    match kind {
        ExitKind::Code(code) => code,
        ExitKind::Killed(signal) => 128u8.saturating_add(signal),
    }
}

fn env(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Is there nothing for us to do?
fn wants_passthrough(args: &[OsString]) -> bool {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    !isatty(&stdin)
        || !isatty(&stdout)
        || !tty::same_terminal(&stdin, &stdout)
        || prints(args)
        || nested()
}

/// Are we on the inner terminal of a wrapper that lives?
pub fn nested() -> bool {
    env(NESTED_VAR).is_some_and(|value| is_nested(&value, tty::name(io::stdin()).as_deref()))
}

/// Makes what a wrapper shares with the companion hook, and takes it away again: the folder that it was in.
///
/// # Errors
///
/// Why there would be no companion hook.
pub fn probe_companion() -> io::Result<PathBuf> {
    companion::Companion::probe()
}

/// Is `-p` / `--print` among the CLI's arguments?
fn prints(args: &[OsString]) -> bool {
    Invocation::read(args).prints()
}

/// Does `value` of [`NESTED_VAR`] name a living wrapper whose inner terminal is `own_tty`?
fn is_nested(value: &OsStr, own_tty: Option<&OsStr>) -> bool {
    let Some((pid, inner)) = value.to_str().and_then(|value| value.split_once(':')) else {
        return false;
    };
    own_tty == Some(OsStr::new(inner))
        && pid
            .parse()
            .ok()
            .and_then(Pid::from_raw)
            .is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// Becomes the CLI. Returns only if that failed.
fn become_program(settings: &Settings, program: &program::Found, args: &[OsString]) -> LaunchError {
    let mut command = program.command(args);
    command.envs(watchdog_env(settings));
    let as_they_were = || {
        standard::close_again();
        Ok(())
    };
    // SAFETY: the closure closes descriptors that nobody uses.
    #[expect(unsafe_code, reason = "the descriptors are to go right before exec")]
    let command = unsafe { command.pre_exec(as_they_were) };
    program.exec_error(&command.exec())
}

/// The environment of `native-watchdog`.
fn watchdog_env(settings: &Settings) -> impl Iterator<Item = (&'static str, &'static str)> {
    let on = [
        ("CLAUDE_CODE_RETRY_WATCHDOG", "1"),
        ("CLAUDE_CODE_RETRY_WATCHDOG_SCOPE", "capacity"),
    ];
    on.into_iter().filter(|_| settings.native_watchdog)
}

/// The terminal as its environment describes it.
pub fn traits() -> TerminalTraits {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(env)
        .unwrap_or_default();
    let locale = locale.to_string_lossy().to_ascii_lowercase();
    let dumb = env("TERM").is_none_or(|term| term == "dumb");
    TerminalTraits {
        unicode: locale.contains("utf-8") || locale.contains("utf8"),
        color: !dumb && env("NO_COLOR").is_none(),
        addressable: !dumb,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_only_on_the_inner_terminal_of_a_living_wrapper() {
        let own = format!("{}:/dev/pts/7", std::process::id());
        assert!(is_nested(OsStr::new(&own), Some(OsStr::new("/dev/pts/7"))));
        assert!(!is_nested(OsStr::new(&own), Some(OsStr::new("/dev/pts/8"))));
        assert!(!is_nested(OsStr::new(&own), None));
        for broken in [
            "",
            ":",
            "x:/dev/pts/7",
            "0:/dev/pts/7",
            "/dev/pts/7",
            "2147483647:/dev/pts/7",
        ] {
            assert!(
                !is_nested(OsStr::new(broken), Some(OsStr::new("/dev/pts/7"))),
                "{broken}"
            );
        }
    }

    #[test]
    fn a_signal_ends_us_with_128_and_its_number() {
        assert_eq!(exit_code(ExitKind::Code(7)), 7);
        assert_eq!(exit_code(ExitKind::Killed(9)), 137);
    }
}
