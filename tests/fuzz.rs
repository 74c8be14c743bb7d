//! The fuzz targets' properties (`fuzz/src`) on a fixed number of mutated recordings: the same cases in
//! every run. `CLAUDE_RETRY_FUZZ=n` makes it n times as many, `just fuzz` lets libFuzzer look for others.

#[path = "support/cast.rs"]
mod cast;
#[path = "fuzz/dictionary.rs"]
mod dictionary;
#[path = "fuzz/mutate.rs"]
mod mutate;
#[path = "../fuzz/src/lib.rs"]
mod properties;
#[path = "fuzz/recorded.rs"]
mod recorded;
#[path = "support/replay.rs"]
mod replay;
#[path = "fuzz/seeds.rs"]
mod seeds;

use std::fmt::Write as _;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use seeds::{TARGETS, Target};

/// How many times as many cases as are in the table.
fn times() -> usize {
    std::env::var("CLAUDE_RETRY_FUZZ").map_or(1, |n| n.parse().expect("a number"))
}

fn run(name: &str) {
    let target = target(name);
    let seeds = (target.seeds)();
    for seed in &seeds {
        check(target, seed);
    }
    let mut rng = StdRng::seed_from_u64(1);
    for _ in 0..target.cases * times() {
        let [seed, other] = [(); 2].map(|()| &seeds[rng.random_range(0..seeds.len())]);
        let data = mutate::mutate(&mut rng, seed, other, target.dictionary);
        check(target, &data);
    }
}

fn target(name: &str) -> &'static Target {
    let mut all = TARGETS.iter();
    all.find(|target| target.name == name).expect("a target")
}

/// Keeps the input that does not hold, in the form that `cargo fuzz` takes.
fn check(target: &Target, data: &[u8]) {
    if catch_unwind(|| (target.check)(data)).is_ok() {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join(format!("{}-failed", target.name));
    fs::write(&file, data).expect("a file");
    panic!("{} fails: {}", target.name, file.display());
}

#[test]
fn scan() {
    run("scan");
}

#[test]
fn shadow() {
    run("shadow");
}

#[test]
fn keys() {
    run("keys");
}

#[test]
fn transcript() {
    run("transcript");
}

#[test]
fn banner_prompt() {
    run("banner_prompt");
}

/// What cargo-fuzz begins from: the seeds, and the dictionaries in libFuzzer's form.
#[test]
#[ignore = "writes fuzz/corpus, for scripts/fuzz"]
fn write_the_corpus() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for target in &TARGETS {
        let folder = root.join(target.name);
        fs::create_dir_all(&folder).expect("a folder");
        for (n, seed) in (target.seeds)().iter().enumerate() {
            fs::write(folder.join(format!("seed-{n:04}")), seed).expect("a file");
        }
        let mut words = String::new();
        for token in target.dictionary {
            let bytes = token.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "\\x{byte:02x}");
                text
            });
            let _ = writeln!(words, "\"{bytes}\"");
        }
        fs::write(root.join(format!("{}.dict", target.name)), words).expect("a file");
    }
}
