//! Every recording of the real CLI, replayed through the session under a fake clock: whole, byte by byte,
//! and in seeded random chunks, with the same decision each time, and the one that the scenario asks for.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use claude_retry::cast::{Cast, What};
use claude_retry::config::{Jitter, Settings};
use claude_retry::ctl::explain::decision::{Outcome, decisions};
use claude_retry::ctl::explain::lines::Lines;
use claude_retry::ctl::explain::replay::{Replay, clock_of};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Longer than any scenario goes on after its error, so that the recording ends within the wait.
const WAIT: Duration = Duration::from_secs(90);

#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole,
    Bytes,
    Random(u64),
}

/// What the session made of a recording: the decision, and how it got there.
fn replay(path: &Path, cut: Cut) -> (String, Vec<String>) {
    let cast = Cast::read(&std::fs::read(path).expect("a recording")).expect("an asciicast");
    let lines = std::fs::read_to_string(path.with_extension("transcript.jsonl"))
        .ok()
        .map(|text| Lines::read(&text).expect("a transcript"))
        .filter(|lines| !lines.is_empty());
    let settings = Settings {
        base: WAIT,
        cap: WAIT,
        jitter: Jitter::None,
        ..Settings::default()
    };
    let (wall0, _) = clock_of(&cast, lines.as_ref());
    let mut replay = Replay::new(&cast, lines.as_ref(), &settings, wall0);
    replay.keep_bytes = true;
    let mut rng = StdRng::seed_from_u64(if let Cut::Random(seed) = cut { seed } else { 0 });
    replay.play(|len| match cut {
        Cut::Whole => len,
        Cut::Bytes => 1,
        Cut::Random(_) => rng.random_range(1..=len),
    });
    // Nothing was written but what the child and the user wrote.
    let (mut drawn, mut typed) = (Vec::new(), Vec::new());
    for event in &cast.events {
        match &event.what {
            What::Output(bytes) => drawn.extend_from_slice(bytes),
            What::Input(bytes) => typed.extend_from_slice(bytes),
            _ => {}
        }
    }
    assert!(
        replay.tty == drawn,
        "{}: the terminal's bytes",
        path.display()
    );
    assert!(
        replay.child == typed,
        "{}: the child's bytes",
        path.display()
    );

    replay.run_on();
    let decision = match decisions(&replay.steps).last().map(|last| &last.outcome) {
        Some(Outcome::WouldType { .. }) => "retry",
        Some(Outcome::HoldsOff(_)) => "hands-off",
        _ => "leave",
    };
    let steps = replay
        .steps
        .iter()
        .map(|step| &step.record)
        .filter(|record| record["event"] != "turn-ok" && record["event"] != "recording-ends")
        .map(|record| {
            let reason = record["reason"]
                .as_str()
                .map_or(String::new(), |r| format!(": {r}"));
            format!("{}{reason}", record["event"].as_str().unwrap_or("?"))
        })
        .take_while(|step| step != "would-type")
        .collect();
    (decision.to_owned(), steps)
}

fn recordings() -> Vec<(String, String, std::path::PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recordings");
    let inside = |folder: &Path| {
        let entries = std::fs::read_dir(folder).expect("a folder");
        let mut paths: Vec<_> = entries
            .map(|entry| entry.expect("readable").path())
            .collect();
        paths.sort();
        paths
    };
    let name = |path: &Path| {
        path.file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned()
    };
    let mut all = Vec::new();
    for folder in inside(&root).iter().filter(|path| path.is_dir()) {
        // Its wordings and its prompt are older than what is supported.
        let version = folder
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if version == "2.0.76" {
            continue;
        }
        for path in inside(folder) {
            if path.extension().is_some_and(|ext| ext == "cast") {
                all.push((version.clone(), name(&path), path));
            }
        }
    }
    assert!(all.len() > 100, "only {} recordings", all.len());
    all
}

#[test]
fn every_recording_gets_its_scenarios_decision_under_any_chunking() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scenarios: BTreeMap<String, String> = serde_json::from_str(
        &std::fs::read_to_string(root.join("tests/fixtures/scenarios.json")).expect("there"),
    )
    .expect("JSON");
    let mut table = String::new();
    let mut wrong = Vec::new();
    for (version, name, path) in recordings() {
        // This version had no retries of its own: the recording is a plain throttle.
        let want = match (version.split('-').next(), name.as_str()) {
            (Some("2.1.145"), "own-retry-running") => "retry",
            // Screen-reader mode came later: the CLI refused to start.
            (Some("2.1.145"), "throttle-screen-reader") => "leave",
            _ => scenarios[&name].as_str(),
        };
        let (decision, steps) = replay(&path, Cut::Whole);
        let _ = writeln!(
            table,
            "{version}/{name}: {decision}\n    {}",
            steps.join(", ")
        );
        if decision != want {
            wrong.push(format!(
                "{version}/{name}: {decision}, want {want}; {steps:?}"
            ));
        }
        for cut in [Cut::Bytes, Cut::Random(1), Cut::Random(2)] {
            let (again, _) = replay(&path, cut);
            if again != decision {
                wrong.push(format!(
                    "{version}/{name}: {decision} whole, {again} by {cut:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut snapshots = insta::Settings::clone_current();
    snapshots.set_snapshot_path(root.join("snapshots"));
    snapshots.set_prepend_module_to_snapshot(false);
    snapshots.bind(|| insta::assert_snapshot!("replay-decisions", table));
}
