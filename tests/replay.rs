//! Every recording of the real CLI, replayed through the session under a fake clock: whole, byte by byte,
//! and in seeded random chunks, with the same decision each time, and the one that the scenario asks for.

#[path = "support/cast.rs"]
mod cast;
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use cast::{Cast, Kind};
use claude_retry::config::{BarMode, Jitter, Settings};
use claude_retry::supervisor::retry::State;
use claude_retry::supervisor::session::Event;
use claude_retry::supervisor::transcript::{self, Report};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use world::{Outside, World};

/// Longer than any scenario goes on after its error, so that the recording ends within the wait.
const WAIT: Duration = Duration::from_secs(90);

/// The recorded transcript, line by line as its times say.
struct Recorded {
    lines: Vec<(u64, String)>,
    none: bool,
}

impl Recorded {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut at = 0;
        let lines: Vec<_> = text
            .lines()
            .map(|line| {
                if let Some(time) = time_of(line) {
                    at = time;
                }
                (at, format!("{line}\n"))
            })
            .collect();
        Self {
            none: lines.is_empty(),
            lines,
        }
    }

    fn first_user(&self) -> Option<u64> {
        self.lines
            .iter()
            .find(|(_, line)| line.contains("\"type\":\"user\""))
            .map(|(at, _)| *at)
    }
}

fn time_of(line: &str) -> Option<u64> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    let time: jiff::Timestamp = value["timestamp"].as_str()?.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok()
}

impl Outside for Recorded {
    fn transcript(&mut self, unix_ms: u64) -> Report {
        if self.none {
            return Report::Unknown;
        }
        let seen: String = self
            .lines
            .iter()
            .filter(|(at, _)| *at <= unix_ms)
            .map(|(_, line)| line.as_str())
            .collect();
        transcript::last_turn(seen.as_bytes(), true).map_or(Report::Pending, Report::Turn)
    }
}

#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole,
    Bytes,
    Random(u64),
}

/// What the session made of a recording: the decision, and how it got there.
fn replay(path: &Path, cut: Cut) -> (String, Vec<String>) {
    let cast = Cast::read(path);
    let outside = Recorded::read(&path.with_extension("transcript.jsonl"));
    let entered = cast
        .events
        .iter()
        .find(|event| event.kind == Kind::Input && event.data == b"\r")
        .map_or(Duration::ZERO, |event| event.at);
    let resumed = path.file_stem().is_some_and(|name| name == "resumed-error");
    let wall0 = match outside.first_user() {
        // The recording holds the second run only; the error was in the first.
        Some(at) if resumed => at + 5_000,
        Some(at) => at - u64::try_from(entered.as_millis()).expect("a short recording"),
        None => world::WALL,
    };
    let settings = Settings {
        base: WAIT,
        cap: WAIT,
        jitter: Jitter::None,
        bar: BarMode::Off,
        ..Settings::default()
    };
    let mut world = World::new(settings, cast.size, wall0, outside);
    let mut rng = StdRng::seed_from_u64(if let Cut::Random(seed) = cut { seed } else { 0 });
    let mut drawn = 0;
    for event in &cast.events {
        world.run_until(event.at);
        if event.kind == Kind::Input {
            world.event(Event::UserInput(&event.data));
            continue;
        }
        drawn += event.data.len();
        let mut rest = &event.data[..];
        while !rest.is_empty() {
            let n = match cut {
                Cut::Whole => rest.len(),
                Cut::Bytes => 1,
                Cut::Random(_) => rng.random_range(1..=rest.len()),
            };
            world.event(Event::ChildOutput(&rest[..n]));
            rest = &rest[n..];
        }
    }
    // Nothing was written but what the child and the user wrote.
    let typed: usize = cast
        .events
        .iter()
        .filter(|event| event.kind == Kind::Input)
        .map(|event| event.data.len())
        .sum();
    assert_eq!(
        world.tty.len(),
        drawn,
        "{}: the terminal's bytes",
        path.display()
    );
    assert_eq!(
        world.child.len(),
        typed,
        "{}: the child's bytes",
        path.display()
    );

    world.run_for(WAIT + Duration::from_secs(10));
    let pasted = String::from_utf8_lossy(&world.child[typed..]).contains("continue");
    let held = matches!(world.session.state(), State::HoldingOff { .. });
    let decision = match (pasted, held) {
        (true, _) => "retry",
        (false, true) => "hands-off",
        (false, false) => "leave",
    };
    let steps = world
        .log
        .iter()
        .filter(|record| record["event"] != "turn-ok")
        .map(|record| {
            let reason = record["reason"]
                .as_str()
                .map_or(String::new(), |r| format!(": {r}"));
            format!("{}{reason}", record["event"].as_str().unwrap_or("?"))
        })
        .take_while(|step| !step.starts_with("typing"))
        .collect();
    (decision.to_owned(), steps)
}

fn recordings() -> Vec<(String, String, std::path::PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recordings");
    let mut all = Vec::new();
    for version in ["2.1.145", "2.1.145-full", "2.1.330", "2.1.330-full"] {
        let mut casts: Vec<_> = std::fs::read_dir(root.join(version))
            .expect("the fixtures are there")
            .map(|entry| entry.expect("readable").path())
            .filter(|path| path.extension().is_some_and(|ext| ext == "cast"))
            .collect();
        casts.sort();
        for path in casts {
            let name = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            all.push((version.to_owned(), name, path));
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
