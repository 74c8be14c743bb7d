//! `claude-retry` runs the Claude Code CLI in a pseudo-terminal and resumes a session that a
//! transient API error stopped. See ARCHITECTURE.md for the map.
//!
//! Three layers, each only knowing the ones before it: [`term`] (bytes in, bytes out),
//! [`supervisor`] (the decisions; no clock, no file, no descriptor), [`sys`] (the shell that
//! performs them).

pub mod cast;
pub mod cli;
pub mod config;
pub mod ctl;
pub mod error;
pub(crate) mod fault;
pub mod supervisor;
pub mod sys;
pub mod term;
pub mod tmux;

use std::ffi::OsString;
use std::process::ExitCode;

use error::Error;
use sys::LaunchError;

/// Runs the program with its arguments (without the program's name): the one place where the
/// layers meet.
#[expect(
    clippy::print_stderr,
    reason = "messages from before the terminal is taken over"
)]
pub fn run(args: Vec<OsString>) -> ExitCode {
    let ended = std::panic::catch_unwind(move || {
        execute(args).unwrap_or_else(|error| {
            // It may name a path or a value of anybody's.
            eprintln!("claude-retry: {}", shown(&error.to_string()));
            ExitCode::from(error.exit_code())
        })
    });
    // A panic has said what it was, and the way here has put the terminal right.
    ended.unwrap_or(ExitCode::from(OWN_FAULT))
}

/// The exit code of a failure of our own.
const OWN_FAULT: u8 = 125;

/// A message without control characters; some have more than one line.
fn shown(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n', "")
}

fn execute(args: Vec<OsString>) -> Result<ExitCode, Error> {
    match cli::parse(args)? {
        cli::Command::Help => ctl::print(ctl::help().as_bytes()),
        cli::Command::Version => ctl::print(ctl::version().as_bytes()),
        cli::Command::Ctl(args) => ctl::run(args),
        cli::Command::Run { flags, args } => wrap(flags, &args, &mut None),
    }
}

/// Runs the CLI under the wrapper, recorded where there is a recorder.
pub(crate) fn wrap(
    flags: Vec<(&'static config::Setting, String)>,
    args: &[OsString],
    recorder: &mut Option<sys::Recorder>,
) -> Result<ExitCode, Error> {
    let resolved = config::resolve(&config::sources(flags)?)?;
    let origin = resolved.origin("program");
    if let Some(recorder) = recorder {
        recorder.keep_settings(&resolved.settings);
    }
    let ended = if recorder.is_some() {
        sys::record(resolved.settings, args, recorder)
    } else {
        sys::launch(resolved.settings, args)
    };
    ended.map_err(|error| match error {
        LaunchError::ProgramNotFound { program } => Error::ProgramNotFound { program, origin },
        LaunchError::ProgramNotExecutable { program, reason } => Error::ProgramNotExecutable {
            program,
            origin,
            reason,
        },
        LaunchError::ProgramIsOurselves { program } => {
            Error::ProgramIsOurselves { program, origin }
        }
        LaunchError::Own(what) => Error::Own(what),
    })
}
