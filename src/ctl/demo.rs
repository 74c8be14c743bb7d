//! `ctl demo` (placeholder until its own commit).
use crate::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;
pub(super) const CLI_VERB: &str = "demo-cli";
pub(super) fn run() -> Result<ExitCode, Error> {
    Err(Error::Usage("the demo needs a terminal".into()))
}
pub(super) fn cli(_: &[OsString]) -> Result<ExitCode, Error> {
    run()
}
