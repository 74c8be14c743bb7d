//! The real CLI: every scenario on each supported version in each mode (typing, hook, alone), each in a home of
//! its own, on a real pty, against a scripted API on loopback, with a real emulator as the user's terminal.
//!
//! It runs when `CLAUDE_RETRY_REAL` is `1` (the oldest and the newest version) or `all` (two between as well), two scenarios at a time, each at most a minute, with no
//! second try. Trials are named `version::mode::scenario`; arguments are those of the standard harness:
//! `-- alone`, `-- throttle --test-threads 1`. `scripts/real-table` makes a table of the output.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]
#![allow(dead_code, reason = "the recorder uses other parts of the harness")]

mod real;
mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Failed, Trial};

use real::mode::Mode;
use real::setup::Setup;
use real::stage::{Outcome, Stage};
use real::versions::is_since;
use real::{after, again, grid, hooked, scenarios, suite};
use support::terminal::Kind;

/// The course of a trial.
type Play = Box<dyn Fn(&mut Stage) -> Outcome + Send>;

fn main() -> ExitCode {
    suite::main("the real CLI under the wrapper", "real_claude", trials)
}

/// Every case of the grid and every scenario, on each version in each mode that it is for: the one in a plain
/// terminal, the next in one that answers queries. `again`: and the throttle again and again.
fn trials(versions: &[&'static str], again: bool) -> Vec<Trial> {
    let mut trials = Vec::new();
    let mut add = |version, mode: Mode, name: &str, setup: &Setup, play: Play| {
        let kind = if trials.len().is_multiple_of(2) {
            Kind::Plain
        } else {
            Kind::Full
        };
        let name = format!("{version}::{mode}::{name}");
        let (test, setup) = (name.clone(), setup.clone());
        trials.push(Trial::test(name, move || {
            suite::in_lane(|| {
                let stage = Stage::new(version, mode, kind, setup)?;
                run(&test, stage, &play)
            })
        }));
    };
    for &version in versions {
        for mode in Mode::ALL {
            for case in grid::all() {
                if is_since(version, case.since) {
                    let (name, setup) = (case.name, case.setup.clone());
                    let play = Box::new(move |stage: &mut Stage| grid::play(stage, &case));
                    add(version, mode, name, &setup, play);
                }
            }
            for scenario in scenarios::all()
                .into_iter()
                .chain(hooked::all())
                .chain(after::all())
            {
                if is_since(version, scenario.since) && scenario.modes.contains(&mode) {
                    let play = Box::new(scenario.play);
                    add(version, mode, scenario.name, &scenario.setup, play);
                }
            }
        }
    }
    for &version in versions.iter().filter(|_| again) {
        for number in 1..=again::TIMES {
            let name = format!("throttle-again-{number:02}");
            let play = Box::new(move |stage: &mut Stage| again::play(stage, number));
            add(version, again::mode(number), &name, &again::setup(), play);
        }
    }
    trials
}

fn run(name: &str, mut stage: Stage, play: &Play) -> Result<(), Failed> {
    play(&mut stage).map_err(|error| {
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
