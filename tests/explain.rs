//! `ctl explain`: from a recording, what is decided and why.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/pty.rs"]
mod pty;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use claude_retry::cast::{Cast, Event, Note, Ours, What};
use claude_retry::config::{Jitter, Settings};
use claude_retry::ctl::explain::decision::Outcome;
use claude_retry::ctl::explain::lines::Lines;
use claude_retry::ctl::explain::replay::clock_of;
use claude_retry::ctl::explain::{Explained, explain};
use claude_retry::supervisor::hook::Happened;
use pty::CLAUDE_RETRY;
use serde_json::{Value, json};

/// Longer than any scenario goes on after its error, so that the recording ends within the wait.
const WAIT: Duration = Duration::from_secs(90);
/// The same for the program.
const WAIT_ENV: [(&str, &str); 3] = [
    ("CLAUDE_RETRY_BASE", "90s"),
    ("CLAUDE_RETRY_CAP", "90s"),
    ("CLAUDE_RETRY_JITTER", "none"),
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn lines_of(path: &Path) -> Option<Lines> {
    let text = fs::read_to_string(path.with_extension("transcript.jsonl")).ok()?;
    Some(Lines::read(&text).expect("a transcript")).filter(|lines| !lines.is_empty())
}

fn explained(cast: &Cast, lines: Option<&Lines>) -> Explained {
    let settings = Settings {
        base: WAIT,
        cap: WAIT,
        jitter: Jitter::None,
        ..Settings::default()
    };
    explain(cast, lines, &settings, clock_of(cast, lines).0)
}

fn decision(explained: &Explained) -> &'static str {
    match explained.decisions.last().map(|last| &last.outcome) {
        Some(Outcome::WouldType { .. }) => "retry",
        Some(Outcome::HoldsOff(_)) => "hands-off",
        _ => "leave",
    }
}

/// Version and name of every recording, with what its scenario wants.
fn recordings() -> Vec<(PathBuf, String)> {
    let scenarios = fs::read_to_string(fixtures().join("scenarios.json")).expect("there");
    let scenarios: BTreeMap<String, String> = serde_json::from_str(&scenarios).expect("JSON");
    let mut all = Vec::new();
    let folders = fs::read_dir(fixtures().join("recordings")).expect("there");
    for folder in folders.map(|folder| folder.expect("readable").path()) {
        // Its prompt is older than what is supported.
        if !folder.is_dir() || folder.ends_with("2.0.76") {
            continue;
        }
        for path in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = path.path();
            if path.extension().is_none_or(|ext| ext != "cast") {
                continue;
            }
            let old = folder.to_string_lossy().contains("2.1.145");
            let want = match path.file_stem().expect("a name").to_str().expect("text") {
                // This version had no retries of its own: the recording is a plain throttle.
                "own-retry-running" if old => "retry",
                // Screen-reader mode came later: the CLI refused to start.
                "throttle-screen-reader" if old => "leave",
                name => scenarios[name].as_str(),
            };
            all.push((path, want.to_owned()));
        }
    }
    assert!(all.len() > 100, "only {} recordings", all.len());
    all.sort();
    all
}

/// The same recording as asciicast v3.
fn as_v3(cast: &Cast) -> Vec<u8> {
    let header = json!({"version": 3, "term": {"cols": cast.size.cols, "rows": cast.size.rows}});
    let mut text = format!("{header}\n# made from v2\n");
    let mut last = Duration::ZERO;
    for event in &cast.events {
        let (code, bytes) = match &event.what {
            What::Output(bytes) => ("o", bytes),
            What::Input(bytes) => ("i", bytes),
            other => panic!("not in our recordings: {other:?}"),
        };
        let data = Value::from(str::from_utf8(bytes).expect("text"));
        let gap = event.at.saturating_sub(last).as_nanos();
        let (seconds, nanos) = (gap / 1_000_000_000, gap % 1_000_000_000);
        let _ = writeln!(text, "[{seconds}.{nanos:09}, \"{code}\", {data}]");
        last = event.at;
    }
    text.into_bytes()
}

#[test]
fn every_recording_gets_its_scenarios_verdict_in_either_format() {
    let mut wrong = Vec::new();
    for (path, want) in recordings() {
        let cast = Cast::read(&fs::read(&path).expect("readable")).expect("an asciicast");
        let lines = lines_of(&path);
        let told = explained(&cast, lines.as_ref());
        let v3 = Cast::read(&as_v3(&cast)).expect("v3");
        let told_v3 = explained(&v3, lines.as_ref());
        let of = |told: &Explained| {
            let records: Vec<_> = told.steps.iter().map(|step| step.record.clone()).collect();
            (decision(told), records)
        };
        if decision(&told) != want || of(&told) != of(&told_v3) {
            wrong.push(format!(
                "{}: want {want}, v2 {}, v3 {}",
                path.display(),
                decision(&told),
                decision(&told_v3)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_raw_capture_with_its_size_gets_the_same_verdict() {
    for version in ["2.1.145", "2.1.330", "2.1.330-full"] {
        for (name, want) in [
            ("throttle", "retry"),
            ("throttle-draft", "hands-off"),
            ("dialog-open", "hands-off"),
            ("reply-is-banner", "leave"),
            ("usage-5h", "leave"),
        ] {
            let path = fixtures().join(format!("recordings/{version}/{name}.cast"));
            let Ok(bytes) = fs::read(&path) else {
                assert!(version.ends_with("full"), "{} is there", path.display());
                continue;
            };
            let cast = Cast::read(&bytes).expect("an asciicast");
            let output = cast.events.iter().filter_map(|event| match &event.what {
                What::Output(bytes) => Some(bytes.as_slice()),
                _ => None,
            });
            let raw = Cast::raw(&output.collect::<Vec<_>>().concat(), cast.size);
            let told = explained(&raw, lines_of(&path).as_ref());
            assert_eq!(
                decision(&told),
                want,
                "{version}/{name}: {:?}",
                told.decisions
            );
        }
    }
}

/// A recording as we would have made it, with these notes.
fn noted(name: &str, notes: &[(u64, Note)]) -> Explained {
    let path = fixtures().join(format!("recordings/2.1.330/{name}.cast"));
    let mut cast = Cast::read(&fs::read(&path).expect("readable")).expect("an asciicast");
    let lines = lines_of(&path);
    cast.ours = Some(Ours {
        version: "0".into(),
        started_ms: clock_of(&cast, lines.as_ref()).0,
        seed: 1,
        settings: BTreeMap::new(),
        wordings: String::new(),
    });
    for (ms, note) in notes {
        let at = Duration::from_millis(*ms);
        let what = What::Note(note.clone());
        cast.events.push(Event { at, what });
    }
    cast.events.sort_by_key(|event| event.at);
    explained(&cast, lines.as_ref())
}

fn hook(happened: Happened) -> Note {
    Note::Hook {
        id: 7,
        session_id: "s".into(),
        happened,
    }
}

/// When the error is on the screen of these recordings, and a little more.
const SHOWN_MS: u64 = 5_000;

#[test]
fn the_hooks_that_were_recorded_are_heard_again() {
    let begun = [
        (400, hook(Happened::SessionStart)),
        (4_500, hook(Happened::UserPromptSubmit)),
    ];
    let told = noted("throttle", &begun);
    assert_eq!(
        told.decisions.last().and_then(|last| last.outcome.reason()),
        Some("the companion hook has not told of this error")
    );
    let text = "API Error: Server is temporarily limiting requests".into();
    let failed = (SHOWN_MS, hook(Happened::StopFailure { text }));
    let told = noted(
        "throttle-draft",
        &[&begun[..], std::slice::from_ref(&failed)].concat(),
    );
    let outcome = |told: &Explained| told.decisions.last().map(|last| last.outcome.clone());
    assert_eq!(
        outcome(&told),
        Some(Outcome::Wakes),
        "the draft is in the way"
    );
    let gone = (SHOWN_MS + 500, Note::HookGone { id: 7 });
    let told = noted("throttle-draft", &[&begun[..], &[failed, gone]].concat());
    assert!(
        matches!(outcome(&told), Some(Outcome::HoldsOff(_))),
        "{:?}",
        told.decisions
    );
}

#[test]
fn what_the_session_file_said_counts_again() {
    let busy = (400, Note::Status { busy: Some(true) });
    let told = noted("throttle", std::slice::from_ref(&busy));
    let outcome = |told: &Explained| told.decisions.last().map(|last| last.outcome.clone());
    assert!(
        !matches!(outcome(&told), Some(Outcome::WouldType { .. })),
        "{:?}",
        told.decisions
    );
    let idle = (SHOWN_MS, Note::Status { busy: Some(false) });
    let told = noted("throttle", &[busy, idle]);
    assert_eq!(outcome(&told), Some(Outcome::WouldType { then: None }));
}

#[test]
fn a_wall_clock_that_jumped_is_followed() {
    let path = fixtures().join("recordings/2.1.330/throttle.cast");
    let cast = Cast::read(&fs::read(&path).expect("readable")).expect("an asciicast");
    let started = clock_of(&cast, lines_of(&path).as_ref()).0;
    let hour = 3_600_000;
    let outcome = |notes: &[(u64, Note)]| {
        let told = noted("throttle", notes);
        told.decisions.last().map(|last| last.outcome.clone())
    };
    let back = Note::Clock {
        unix_ms: started - hour,
    };
    let back = (400, back);
    // The transcript's lines are to come.
    assert!(!matches!(
        outcome(std::slice::from_ref(&back)),
        Some(Outcome::WouldType { .. })
    ));
    let right = Note::Clock {
        unix_ms: started + SHOWN_MS,
    };
    let right = (SHOWN_MS, right);
    assert_eq!(
        outcome(&[back, right]),
        Some(Outcome::WouldType { then: None })
    );
}

#[test]
fn a_wait_stands_still_while_the_job_was_stopped() {
    let hour = 3_600_000;
    let stopped = [(SHOWN_MS, Note::Stopped), (SHOWN_MS + hour, Note::Resumed)];
    let at = |notes: &[(u64, Note)]| {
        let told = noted("throttle", notes);
        let step = told
            .steps
            .iter()
            .find(|step| step.record["event"] == "would-type");
        step.expect("it would type").at
    };
    assert_eq!(at(&stopped), at(&[]) + Duration::from_millis(hour));
}

#[test]
fn what_the_server_asked_for_is_waited_for_again() {
    let cast = fixtures().join("recordings/2.1.330/throttle.cast");
    let lines = lines_of(&cast);
    let mut cast = Cast::read(&fs::read(&cast).expect("readable")).expect("an asciicast");
    let note = Note::Asked {
        whole_ms: 20_000,
        left_ms: 19_000,
    };
    cast.events.push(Event {
        at: Duration::from_millis(SHOWN_MS),
        what: What::Note(note),
    });
    let settings = Settings {
        retry_after: true,
        jitter: Jitter::None,
        ..Settings::default()
    };
    let told = explain(
        &cast,
        lines.as_ref(),
        &settings,
        clock_of(&cast, lines.as_ref()).0,
    );
    assert_eq!(
        told.decisions[0].wait_ms,
        Some(20_000),
        "1 s on top of what was left"
    );
}

#[test]
fn a_recording_that_does_something_else_is_followed() {
    let path = fixtures().join("recordings/2.1.330/throttle-draft.cast");
    let cast = Cast::read(&fs::read(&path).expect("readable")).expect("an asciicast");
    let lines = lines_of(&path);
    let settings = Settings {
        base: Duration::from_millis(100),
        jitter: Jitter::None,
        ..Settings::default()
    };
    let told = explain(
        &cast,
        lines.as_ref(),
        &settings,
        clock_of(&cast, lines.as_ref()).0,
    );
    // Due before the user wrote the draft, and told once; then the draft is there.
    let would = told
        .steps
        .iter()
        .filter(|step| step.record["event"] == "would-type");
    assert_eq!(would.count(), 1);
    let then = Some("a draft is in the prompt".into());
    assert_eq!(told.decisions[0].outcome, Outcome::WouldType { then });
}

/// Runs `ctl explain` in the fixtures' folder, with no settings but these.
fn run(args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = pty::settled(Command::new(CLAUDE_RETRY), "/nonexistent".as_ref());
    command.args(["ctl", "explain"]).args(args);
    command.envs(env.iter().copied());
    command.current_dir(fixtures()).output().expect("it runs")
}

fn stdout(args: &[&str], env: &[(&str, &str)]) -> String {
    let output = run(args, env);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && error.is_empty(), "{error}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_program_tells_the_same_as_the_library() {
    for (name, verdict) in [
        ("2.1.145/throttle", "act"),
        ("2.1.330/overloaded", "act"),
        ("2.1.330/throttle-draft", "hold-off"),
        ("2.1.145/slash-menu", "hold-off"),
        ("2.1.145/reply-is-banner", "keep-out"),
        ("2.1.145/resumed-error", "keep-out"),
        ("2.1.330/usage-5h", "keep-out"),
        ("2.1.330/already-recovered", "stood-down"),
        ("2.1.330/user-quotes-banner", "none"),
    ] {
        let file = format!("recordings/{name}.cast");
        let text = stdout(&["--json", &file], &WAIT_ENV);
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("an object a line"))
            .collect();
        assert_eq!(lines[0]["event"], "replay", "{name}");
        assert_eq!(
            lines[0]["transcript"],
            format!("recordings/{name}.transcript.jsonl")
        );
        let last = lines.last().expect("a summary");
        assert_eq!(
            (&last["event"], &last["verdict"]),
            (&json!("summary"), &json!(verdict)),
            "{name}"
        );
    }
}

fn snapshot(name: &str, args: &[&str]) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!(name, stdout(args, &WAIT_ENV)));
}

#[test]
fn timelines() {
    snapshot("explain-retry", &["recordings/2.1.330/throttle.cast"]);
    snapshot(
        "explain-hands-off",
        &["recordings/2.1.330/throttle-draft.cast"],
    );
    snapshot(
        "explain-quotation",
        &["recordings/2.1.145/reply-is-banner.cast", "--screen"],
    );
}

#[test]
fn without_a_transcript_it_says_that_the_screen_alone_decides() {
    let tmp = tempfile::tempdir().expect("a folder");
    let cast = tmp.path().join("a.cast");
    fs::copy(
        fixtures().join("recordings/2.1.145/reply-is-banner.cast"),
        &cast,
    )
    .expect("a copy");
    let text = stdout(&[cast.to_str().expect("text")], &WAIT_ENV);
    assert!(
        text.contains("transcript: none, so the screen alone decides"),
        "{text}"
    );
    assert!(
        text.contains("verdict: act"),
        "this version draws it like an error: {text}"
    );
    let transcript = fixtures().join("recordings/2.1.145/reply-is-banner.transcript.jsonl");
    let args = [
        cast.to_str().expect("text"),
        "--transcript",
        transcript.to_str().expect("text"),
    ];
    assert!(stdout(&args, &WAIT_ENV).contains("verdict: keep out"));
    let off = [&WAIT_ENV[..], &[("CLAUDE_RETRY_TRANSCRIPT", "off")]].concat();
    assert!(stdout(&args, &off).contains("off in the settings"));
}

/// A recording of our own of a throttle, with this in the header.
fn with_header(tmp: &Path, ours: &Value) -> String {
    let path = fixtures().join("recordings/2.1.330/throttle.cast");
    let text = fs::read_to_string(&path).expect("readable");
    let (header, events) = text.split_once('\n').expect("a header");
    let mut header: Value = serde_json::from_str(header).expect("JSON");
    let cast = Cast::read(text.as_bytes()).expect("an asciicast");
    let lines = lines_of(&path);
    header["claude_retry"] =
        json!({"version": "0", "started_ms": clock_of(&cast, lines.as_ref()).0});
    for (name, value) in ours.as_object().expect("an object") {
        header["claude_retry"][name] = value.clone();
    }
    let file = tmp.join("ours.cast");
    fs::write(&file, format!("{header}\n{events}")).expect("a file");
    fs::copy(
        path.with_extension("transcript.jsonl"),
        tmp.join("ours.transcript.jsonl"),
    )
    .expect("a copy");
    file.to_str().expect("text").to_owned()
}

#[test]
fn a_recording_of_our_own_is_told_by_its_own_settings_alone() {
    let tmp = tempfile::tempdir().expect("a folder");
    fs::create_dir(tmp.path().join("claude-retry")).expect("a folder");
    fs::write(tmp.path().join("claude-retry/config.toml"), "oops").expect("a file");
    let config = [
        ("XDG_CONFIG_HOME", tmp.path().to_str().expect("text")),
        ("CLAUDE_RETRY_BASE", "never"),
    ];
    let wordings = "[[wording]]\nname = \"ours\"\npattern = \"Server is temporarily limiting\"\nclass = \"never\"\n";
    let settings = json!({"base": "20s", "jitter": "none"});
    let file = with_header(tmp.path(), &json!({"settings": settings}));
    let text = stdout(&[&file], &config);
    assert!(text.contains("after a wait of 20.0s"), "{text}");
    let output = run(&[&file, "--my-settings"], &config);
    assert_eq!(output.status.code(), Some(2));

    let ours = json!({"settings": settings, "wordings": wordings});
    let text = stdout(&[&with_header(tmp.path(), &ours)], &config);
    assert!(text.contains("verdict: keep out"), "{text}");

    let bad = json!({"base": "never", "cap": "30s", "of-tomorrow": "1"});
    let ours = json!({"settings": bad, "wordings": "[[wording]]\nname = 1\n"});
    let text = stdout(&[&with_header(tmp.path(), &ours)], &config);
    for words in [
        "the recording's header: base = never: not known here, and left out",
        "the recording's header: of-tomorrow = 1: not known",
        "the recording's header: the wordings (",
        "verdict: act",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let ours = json!({"settings": {"base": "40s", "cap": "30s"}});
    let output = run(&[&with_header(tmp.path(), &ours)], &config);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("the recording's header: ") && error.contains("--my-settings"),
        "{error}"
    );
}

#[test]
fn bad_input_is_told_with_the_remedy_and_exit_code_2() {
    let tmp = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = tmp.path().join(name);
        fs::write(&path, text).expect("a file");
        path.to_str().expect("text").to_owned()
    };
    let header = "{\"version\":2,\"width\":80,\"height\":24}\n";
    let good = file("good.cast", header);
    let bad = file("bad.cast", &format!("{header}[0, \"o\", \"a\"]\n[oops]\n"));
    let raw = file("raw", "hello");
    let transcript = file("t.jsonl", "{}\nnot JSON\n");
    let empty = file("empty", "");
    let path = |name: &str| tmp.path().join(name).to_str().expect("text").to_owned();
    let (fifo, escape) = (path("fifo"), path("a\u{1b}[2Jb"));
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("mkfifo").success());
    for (args, words) in [
        (vec!["nowhere.cast"], "cannot read nowhere.cast"),
        (vec![bad.as_str()], "bad.cast: line 3: no event"),
        (vec![raw.as_str()], "raw: line 1: no asciicast header"),
        (
            vec![raw.as_str(), "--size", "80"],
            "--size 80: no size; give COLSxROWS",
        ),
        (
            vec![good.as_str(), "--size", "80x24"],
            "good.cast: an asciicast tells its size; leave --size out",
        ),
        (
            vec![good.as_str(), "--transcript", &transcript],
            "t.jsonl: line 2: no JSON object; give the session's transcript",
        ),
        (
            vec![good.as_str(), "--transcript", "nowhere.jsonl"],
            "cannot read nowhere.jsonl",
        ),
        (vec![], "<FILE>"),
        (
            vec!["/dev/zero", "--size", "80x24"],
            "/dev/zero: it is no plain file",
        ),
        (vec!["recordings"], "recordings: it is a folder"),
        (vec![fifo.as_str()], "fifo: it is no plain file"),
        (
            vec![empty.as_str(), "--size", "80x24"],
            "empty: the file is empty; record one",
        ),
        (vec![escape.as_str()], "a[2Jb: there is none"),
    ] {
        let output = run(&args, &[]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(
            error.contains(words) && error.lines().count() == 1,
            "{args:?}: {error}"
        );
        assert!(output.stdout.is_empty());
    }
    assert!(stdout(&[&raw, "--size", "80x24"], &[]).contains("verdict: nothing to do"));
    let late = format!(
        "{{\"version\":2,\"width\":80,\"height\":24,\"timestamp\":{}}}\n",
        u64::MAX
    );
    assert!(stdout(&[&file("late.cast", &late)], &[]).contains("nothing to do"));
}
