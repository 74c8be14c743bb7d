//! The real CLI with `-p`: every scenario in each format on each version, in a home of its own, with pipes around
//! it, against a scripted API on loopback. What it must write is what runs of the CLI alone write.
//!
//! It runs when `CLAUDE_RETRY_REAL` is `1` (the oldest and the newest version) or `all` (two between as well), two
//! scenarios at a time, each at most a minute, with no second try. Trials are named `version::format::scenario`;
//! arguments are those of the standard harness: `-- stream-json`, `-- throttle --test-threads 1`.
//! `scripts/real-table` makes a table of the output.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]
#![allow(dead_code, reason = "another suite uses other parts of the harness")]

#[path = "real_headless/mod.rs"]
mod headless;
mod real;
mod support;

use std::process::ExitCode;

use libtest_mimic::{Failed, Trial};

use headless::Format;
use real::suite;

fn main() -> ExitCode {
    let trials = |versions: &[&'static str], _| trials(versions);
    suite::main("the real CLI with -p", "real_headless", trials)
}

fn trials(versions: &[&'static str]) -> Vec<Trial> {
    let mut trials = Vec::new();
    for scenario in headless::all() {
        let (name, play) = (scenario.name, scenario.play);
        let mut add = |version: &'static str, column: &str, format: Format| {
            let name = format!("{version}::{column}::{name}");
            trials.push(Trial::test(name, move || {
                suite::in_lane(|| play(version, format)).map_err(Failed::from)
            }));
        };
        for &version in versions {
            if scenario.formats.is_empty() {
                add(version, "all", Format::Text);
            }
            for &format in scenario.formats {
                add(version, &format.to_string(), format);
            }
        }
    }
    trials
}
