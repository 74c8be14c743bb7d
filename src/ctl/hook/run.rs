//! `claude-retry ctl hook run [--wrapped]`: what the CLI's hooks run.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::error::Error;
use crate::supervisor::hook::notice;
use crate::sys::{self, End};

/// The exit code with which the CLI resumes the turn. It comes from here only: what else ends the hook,
/// an error or a panic of ours or a signal, has another.
const RESUME: u8 = 2;

/// Is it asked for? Then: by the wrapper's plugin? Other arguments are those of a version to come.
pub(in crate::ctl) fn asked_for(args: &[OsString]) -> Option<bool> {
    match args {
        [hook, run, rest @ ..] if hook == "hook" && run == "run" => {
            Some(rest.iter().any(|arg| arg == "--wrapped"))
        }
        _ => None,
    }
}

/// Sees to one event of the CLI. stdout stays empty; stderr holds what the model is told, if anything.
///
/// # Errors
///
/// None: whatever goes wrong, the CLI is not to be disturbed.
#[expect(
    clippy::unnecessary_wraps,
    reason = "every verb gives its code or an error"
)]
pub fn run(wrapped: bool) -> Result<ExitCode, Error> {
    let told = sys::run_hook(wrapped) == End::Resume
        && writeln!(io::stderr().lock(), "{}", notice()).is_ok();
    Ok(ExitCode::from(if told { RESUME } else { 0 }))
}
