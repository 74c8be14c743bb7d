//! The soak: a CLI that draws, resizes, fails at random, is stopped and continued, with typed and pasted
//! input, in the real wrapper in a real terminal; the invariants of ARCHITECTURE.md are held to at every step.
//!
//! `CLAUDE_RETRY_SOAK=60s` (or `10m`) says for how long, `CLAUDE_RETRY_SOAK_SEED=n` which one; the seed is
//! printed. Several sessions run side by side (lanes), for most of their time is waiting. A finding ends the
//! soak and shows the last steps before it. With the same seed the same things are done; when exactly they
//! meet is the machine's.
//!
//! Everything is an event: the CLI and the shell are this program again (`soak/roles.rs`), told over a socket
//! what to do and telling what they read; the driver of the soak has the terminal, the sockets and the
//! wrapper's log in one loop (`soak/world.rs`).
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "soak/cli.rs"]
mod cli;
#[path = "soak/emulator.rs"]
mod emulator;
#[path = "soak/faults.rs"]
mod faults;
#[path = "soak/holds.rs"]
mod holds;
#[path = "soak/matcher.rs"]
mod matcher;
#[path = "soak/play.rs"]
mod play;
#[path = "soak/roles.rs"]
mod roles;
#[path = "soak/stage.rs"]
mod stage;
#[path = "soak/stops.rs"]
mod stops;
#[path = "soak/told.rs"]
mod told;
#[path = "soak/turns.rs"]
mod turns;
#[path = "soak/wire.rs"]
mod wire;
#[path = "soak/world.rs"]
mod world;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use told::Tally;
use world::{Setup, World};

/// Sessions side by side.
const LANES: u64 = 3;
/// In a plain `cargo test`.
const BY_DEFAULT: Duration = Duration::from_secs(12);

fn main() -> ExitCode {
    if let Some(code) = roles::play() {
        return code;
    }
    let args = Arguments::from_args();
    let trials = vec![
        Trial::test("the_matcher_of_input_can_say_no", || {
            matcher::checks();
            Ok(())
        }),
        Trial::test("the_invariants_hold_for_as_long_as_it_runs", soak),
    ];
    libtest_mimic::run(&args, trials).exit_code()
}

/// `90`, `90s` or `10m`.
fn duration(words: &str) -> Option<Duration> {
    let words = words.trim();
    if let Some(minutes) = words.strip_suffix('m') {
        return Some(Duration::from_secs(minutes.parse::<u64>().ok()? * 60));
    }
    let seconds = words.strip_suffix('s').unwrap_or(words);
    seconds.parse().ok().map(Duration::from_secs)
}

#[expect(clippy::print_stderr, reason = "the seed is shown")]
fn soak() -> Result<(), Failed> {
    let length = match std::env::var("CLAUDE_RETRY_SOAK") {
        Ok(words) => duration(&words).ok_or("CLAUDE_RETRY_SOAK is a number with s or m")?,
        Err(_) => BY_DEFAULT,
    };
    let seed = match std::env::var("CLAUDE_RETRY_SOAK_SEED") {
        Ok(words) => words
            .parse()
            .map_err(|_| "CLAUDE_RETRY_SOAK_SEED is a number")?,
        Err(_) => rand::random::<u32>(),
    };
    eprintln!("soak of {length:?}, CLAUDE_RETRY_SOAK_SEED={seed}");
    let until = Instant::now() + length;
    let (found, tally) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(Mutex::new(Tally::default())),
    );
    let lanes: Vec<_> = (0..LANES)
        .map(|lane| {
            let (found, tally) = (Arc::clone(&found), Arc::clone(&tally));
            std::thread::spawn(move || {
                let over = || found.load(Ordering::Relaxed) || Instant::now() >= until;
                let end = self::lane(u64::from(seed), lane, &over, &tally);
                if end.is_err() {
                    found.store(true, Ordering::Relaxed);
                }
                end
            })
        })
        .collect();
    let mut findings = Vec::new();
    for lane in lanes {
        match lane.join() {
            Ok(Ok(())) => {}
            Ok(Err(finding)) => findings.push(finding),
            Err(_) => findings.push("the soak itself panicked".into()),
        }
    }
    let tally = tally.lock().expect("no lane panics with it").clone();
    eprintln!("{tally}");
    if findings.is_empty() {
        return Ok(());
    }
    let findings = findings.join("\n\n");
    Err(format!("CLAUDE_RETRY_SOAK_SEED={seed}: {findings}").into())
}

/// One session after the other.
fn lane(seed: u64, lane: u64, over: &dyn Fn() -> bool, all: &Mutex<Tally>) -> Result<(), String> {
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut rng = StdRng::seed_from_u64(seed.wrapping_mul(LANES) + lane);
    let mut number = 0;
    while !over() {
        number += 1;
        let (base_ms, cap_ms) = *[(30, 100), (50, 200), (200, 400), (600, 1000)]
            .choose(&mut rng)
            .expect("some");
        let setup = Setup {
            rows: rng.random_range(16..50),
            cols: rng.random_range(50..150),
            full: rng.random(),
            synchronized: rng.random(),
            titles: rng.random(),
            bar: ["auto", "auto", "auto", "auto", "title", "title", "off"]
                .choose(&mut rng)
                .expect("some"),
            base_ms,
            cap_ms,
            max_retries: if rng.random_ratio(1, 4) { 2 } else { 100_000 },
            status_file: rng.random(),
            hook: rng.random_ratio(1, 3),
            fault: [&faults::AT_REST[..], &faults::AT_AN_ERROR]
                .concat()
                .choose(&mut rng)
                .copied()
                .filter(|_| rng.random_ratio(1, 5)),
        };
        let steps = if rng.random_ratio(1, 6) {
            200
        } else {
            rng.random_range(1..12)
        };
        let mut world = World::new(rng.random(), setup, home.path().to_owned())?;
        let end = world.session(steps, over);
        all.lock()
            .expect("no lane panics with it")
            .add(&world.tally);
        end.map_err(|finding| {
            format!(
                "lane {lane}, session {number}: {finding}\n{}",
                world.report()
            )
        })?;
    }
    Ok(())
}
