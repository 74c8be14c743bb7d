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
#[path = "real/suite.rs"]
mod suite;
mod support;
#[path = "real/versions.rs"]
mod versions;

use std::process::{Command, ExitCode};

use libtest_mimic::{Failed, Trial};

use stage::Stage;

#[expect(clippy::print_stderr, reason = "a harness of its own")]
fn main() -> ExitCode {
    let tmux = Command::new("tmux").arg("-V").output();
    if !tmux.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "tmux is not installed, and this suite is about nothing else: install the package tmux"
        );
        return ExitCode::FAILURE;
    }
    let trials = |versions: &[&'static str], _| trials(versions);
    suite::main("the real CLI in tmux", "real_tmux", trials)
}

fn trials(versions: &[&'static str]) -> Vec<Trial> {
    let mut trials = Vec::new();
    for &version in versions {
        for (name, play) in plays::ALL {
            let run = move || {
                let mut stage = Stage::new(version)?;
                play(&mut stage).map_err(|error| Failed::from(format!("{error}\n{}", stage.dump())))
            };
            let name = format!("{version}::{name}");
            trials.push(Trial::test(name, move || suite::in_lane(run)));
        }
    }
    trials
}
