//! `claude-retry` runs the Claude Code CLI in a pseudo-terminal and resumes a session that a
//! transient API error stopped. See ARCHITECTURE.md for the map.
//!
//! Three layers, each only knowing the ones before it: [`term`] (bytes in, bytes out),
//! [`supervisor`] (the decisions; no clock, no file, no descriptor), [`sys`] (the shell that
//! performs them).

pub mod cli;
pub mod config;
pub mod ctl;
pub mod error;
pub mod supervisor;
pub mod sys;
pub mod term;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program with its arguments (without the program's name): the one place where the
/// layers meet.
#[expect(
    clippy::print_stderr,
    reason = "failures before the terminal is taken over"
)]
pub fn run(args: Vec<OsString>) -> ExitCode {
    if let Some(code) = sys::monitor(&args) {
        return code;
    }
    let mut settings = config::Settings::default();
    if let Some(program) = std::env::var_os("CLAUDE_RETRY_PROGRAM") {
        settings.program = program.into();
    }
    settings.log = std::env::var_os("CLAUDE_RETRY_LOG").map(Into::into);
    sys::launch(settings, &args).unwrap_or_else(|error| {
        eprintln!("claude-retry: {error}");
        ExitCode::from(error.exit_code())
    })
}
