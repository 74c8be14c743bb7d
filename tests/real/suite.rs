//! How the suites on the real CLI are run: on which versions, and what to do where they are not to be had.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use super::versions::{self, installed};

/// Runs the trials of these versions, two at a time, where `CLAUDE_RETRY_REAL` is `1` (the oldest and the newest version)
/// or `all` (two between as well). `what`: the suite in words; `test`: its name. `trials` is told whether it is all.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a harness of its own"
)]
pub(crate) fn main(
    what: &str,
    test: &str,
    trials: impl FnOnce(&[&'static str], bool) -> Vec<Trial>,
) -> ExitCode {
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(2);
    let wanted = std::env::var("CLAUDE_RETRY_REAL").unwrap_or_default();
    let (versions, all): (&[&'static str], _) = match wanted.as_str() {
        "1" => (&versions::FAST, false),
        "all" => (&versions::ALL, true),
        _ => {
            println!(
                "{what} is a part of `just real`, which runs: {} && CLAUDE_RETRY_REAL=1 cargo test --test {test}",
                install(&versions::FAST)
            );
            return libtest_mimic::run(&args, Vec::new()).exit_code();
        }
    };
    let missing = |version: &&&str| !installed(version).is_file();
    if let Some(version) = versions.iter().find(missing) {
        eprintln!(
            "Claude Code {version} is not installed in target/claude/: run {} (it needs npm)",
            install(versions)
        );
        return ExitCode::FAILURE;
    }
    libtest_mimic::run(&args, trials(versions, all)).exit_code()
}

/// What installs them.
fn install(versions: &[&str]) -> String {
    format!("scripts/install-claude.sh {}", versions.join(" "))
}
