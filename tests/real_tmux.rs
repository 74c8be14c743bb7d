//! The real CLI in panes of a real tmux server, started without us, and `ctl tmux watch` beside it, against a scripted
//! API on loopback.
//!
//! It runs when `CLAUDE_RETRY_REAL` is `1` (the oldest and the newest version) or `all` (two between as well), two
//! trials at a time, each at most a minute, with no second try. `CLAUDE_RETRY_BIN` names another program than the one
//! that was built with it. Trials are named `version::scenario`; arguments are those of the standard harness.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]
#![allow(
    dead_code,
    reason = "the other real-CLI suite uses more of the support"
)]

#[path = "real_tmux/plays.rs"]
mod plays;
#[path = "real_tmux/stage.rs"]
mod stage;
mod support;
#[path = "real/versions.rs"]
mod versions;

use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

use stage::{Stage, installed};

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a harness of its own"
)]
fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(2);
    let wanted = std::env::var("CLAUDE_RETRY_REAL").unwrap_or_default();
    let versions: &[&str] = match wanted.as_str() {
        "1" => &versions::FAST,
        "all" => &versions::ALL,
        _ => {
            println!(
                "the real CLI in tmux: {} && CLAUDE_RETRY_REAL=1 cargo test --release --test real_tmux",
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
    let tmux = Command::new("tmux").arg("-V").output();
    if !tmux.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "tmux is not installed, and this suite is about nothing else: install the package tmux"
        );
        return ExitCode::FAILURE;
    }
    libtest_mimic::run(&args, trials(versions)).exit_code()
}

/// What installs them.
fn install(versions: &[&str]) -> String {
    format!("scripts/install-claude.sh {}", versions.join(" "))
}

fn trials(versions: &[&'static str]) -> Vec<Trial> {
    let mut trials = Vec::new();
    for &version in versions {
        for (name, play) in plays::ALL {
            let run = move || {
                let mut stage = Stage::new(version)?;
                play(&mut stage).map_err(|error| Failed::from(format!("{error}\n{}", stage.dump())))
            };
            trials.push(Trial::test(format!("{version}::{name}"), run));
        }
    }
    trials
}
