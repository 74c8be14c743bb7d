//! `claude-retry`: parse, run, exit code. Everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    claude_retry::run(std::env::args_os().skip(1).collect())
}
