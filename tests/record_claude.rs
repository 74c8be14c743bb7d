//! The recorder: the real CLI alone in a terminal, driven through scenarios and states of its prompt, and what
//! it drew kept as fixtures.
//!
//! It runs when `CLAUDE_RETRY_RECORD=DIR` is set, on the versions in `CLAUDE_RETRY_RECORD_VERSIONS`. Each trial
//! is one session, named `version::renderer::name`; arguments are those of the standard harness. CONTRIBUTING.md
//! says what to do with the result.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]
#![allow(dead_code, reason = "the recorder uses its part of the harness")]

mod real;
mod record;
mod support;

use std::path::PathBuf;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use real::versions::installed;
use record::take;

/// The versions that are recorded where none are named.
const VERSIONS: &str = "2.1.145 2.1.200 2.1.250 2.1.330";

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a harness of its own"
)]
fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(2);
    let Some(folder) = std::env::var_os("CLAUDE_RETRY_RECORD").map(PathBuf::from) else {
        println!("recordings are made with CLAUDE_RETRY_RECORD=DIR: see CONTRIBUTING.md");
        return libtest_mimic::run(&args, Vec::new()).exit_code();
    };
    let versions =
        std::env::var("CLAUDE_RETRY_RECORD_VERSIONS").unwrap_or_else(|_| VERSIONS.to_owned());
    let mut trials = Vec::new();
    for version in versions.split_whitespace() {
        if !installed(version).is_file() {
            eprintln!(
                "Claude Code {version} is not installed in target/claude/: \
                 run scripts/install-claude.sh {version} (it needs npm)"
            );
            return ExitCode::FAILURE;
        }
        // The harness wants them for as long as it runs.
        for take in take::all(String::from(version).leak()) {
            let folder = folder.clone();
            let name = take.to_string();
            trials.push(Trial::test(name, move || {
                take.record(&folder).map_err(Failed::from)
            }));
        }
    }
    libtest_mimic::run(&args, trials).exit_code()
}
