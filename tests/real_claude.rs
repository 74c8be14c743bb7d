//! The wrapper on the real CLI: every scenario on each supported version, each in a home of its own, on
//! a real pty, against a scripted API on loopback, with a real emulator as the user's terminal.
//!
//! It runs when `CLAUDE_RETRY_REAL=1` is set, two scenarios at a time, each at most a minute, with no
//! second try. Arguments are those of the standard harness: `-- throttle --test-threads 1`.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

mod real;
mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use real::plays;
use real::scenarios::{self, Scenario};
use real::stage::{Stage, installed};
use support::terminal::Kind;

/// Inline on the main screen, and on the alternate screen.
const VERSIONS: [&str; 2] = ["2.1.145", "2.1.330"];
/// Installs them.
const INSTALL: &str = "scripts/install-claude.sh 2.1.145 2.1.330";

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a harness of its own"
)]
fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(2);
    let wanted = std::env::var_os("CLAUDE_RETRY_REAL").is_some_and(|value| value == "1");
    if !wanted {
        println!(
            "the real-CLI suite is `just real`, which runs: {INSTALL} && \
             CLAUDE_RETRY_REAL=1 cargo test --release --test real_claude"
        );
        return libtest_mimic::run(&args, Vec::new()).exit_code();
    }
    let missing = |version: &&&str| !installed(version).is_file();
    if let Some(version) = VERSIONS.iter().find(missing) {
        eprintln!(
            "Claude Code {version} is not installed in target/claude/: run {INSTALL} (it needs npm)"
        );
        return ExitCode::FAILURE;
    }
    libtest_mimic::run(&args, trials()).exit_code()
}

/// Each scenario on each version: the one in a plain terminal, the other in one that answers queries.
fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (column, version) in VERSIONS.into_iter().enumerate() {
        for (row, scenario) in scenarios::all().into_iter().enumerate() {
            let (kind, word) = if (row + column).is_multiple_of(2) {
                (Kind::Plain, "plain")
            } else {
                (Kind::Full, "full")
            };
            let name = format!("{}::{version}::{word}", scenario.name);
            let test = name.clone();
            trials.push(Trial::test(name, move || {
                play(&test, version, kind, scenario)
            }));
        }
    }
    trials
}

fn play(name: &str, version: &'static str, kind: Kind, scenario: Scenario) -> Result<(), Failed> {
    let mut stage = Stage::new(version, kind, scenario.setup)?;
    plays::run(&mut stage, scenario.play).map_err(|error| {
        let kept = match keep(name, &stage.history()) {
            Ok(path) => format!("all output is in {}", path.display()),
            Err(error) => format!("the output cannot be kept: {error}"),
        };
        Failed::from(format!("{error}\n{}{kept}", stage.dump()))
    })
}

/// Keeps what the program wrote, for `cat` in a terminal of the same size.
fn keep(name: &str, output: &[u8]) -> std::io::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real-claude");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{}.bytes", name.replace("::", "-")));
    std::fs::write(&path, output)?;
    Ok(path)
}
