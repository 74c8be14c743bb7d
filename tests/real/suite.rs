//! How the suites on the real CLI are run: on which versions, and what to do where they are not to be had.

use std::process::ExitCode;
use std::sync::{Condvar, Mutex, PoisonError};

use libtest_mimic::{Arguments, Trial};

use super::versions::{self, installed};

/// So many trials may be at work: on a loaded machine the CLI misses its moments.
static LANES: Lanes = Lanes {
    free: Mutex::new(2),
    bell: Condvar::new(),
};

struct Lanes {
    free: Mutex<usize>,
    bell: Condvar,
}

impl Lanes {
    fn take(&self) {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.bell.wait_while(free, |free| *free == 0);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
    }

    fn give(&self) {
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.bell.notify_one();
    }
}

/// Does something when it goes, a panic included.
struct AtLast(fn());

impl Drop for AtLast {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Runs a trial when there is a lane for it.
pub(crate) fn in_lane<T>(play: impl FnOnce() -> T) -> T {
    LANES.take();
    let _given_back = AtLast(|| LANES.give());
    play()
}

/// Waits for what takes seconds in which nothing is done: another trial has the lane meanwhile.
pub(crate) fn sit_out<T>(wait: impl FnOnce() -> T) -> T {
    LANES.give();
    let _taken_again = AtLast(|| LANES.take());
    wait()
}

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
    let lanes = args.test_threads.unwrap_or(2);
    *LANES.free.lock().unwrap_or_else(PoisonError::into_inner) = lanes;
    // One more for a trial that sits something out.
    args.test_threads = Some(lanes + usize::from(lanes > 1));
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
