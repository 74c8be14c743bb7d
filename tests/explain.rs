//! `ctl explain` and `ctl record`: from a recording, what is decided and why; and recordings of our own.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/pty.rs"]
mod pty;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
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
use pty::{CLAUDE_RETRY, Terminal};
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
        let gap = (event.at - last).as_nanos();
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
    let told = noted("throttle-draft", &[&begun[..], &[failed.clone()]].concat());
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
    assert!(stdout(&args, &off).contains("off in your settings"));
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
}

/// The demo's stand-in for the CLI under `ctl record`: throttled twice, resumed twice, then over.
struct Recorded {
    tmp: tempfile::TempDir,
    shown: String,
    log: Vec<Value>,
}

impl Recorded {
    fn new(options: &[&str]) -> Self {
        let tmp = tempfile::tempdir().expect("a folder");
        let mut command = pty::settled(Command::new(CLAUDE_RETRY), "/bin/sh".as_ref());
        command
            .args(["ctl", "record", "-o", "a.cast"])
            .args(options);
        command.args(["--", "--retry-base=2s", "--retry-cap=3s"]);
        command.args(["-c", "exec \"$0\" ctl demo-cli \"$1\"", CLAUDE_RETRY]);
        command.arg(tmp.path());
        command
            .current_dir(tmp.path())
            .env("CLAUDE_CONFIG_DIR", tmp.path())
            .env("CLAUDE_RETRY_LOG", tmp.path().join("log"))
            .env("CLAUDE_RETRY_BAR", "auto")
            .env("CLAUDE_RETRY_JITTER", "equal")
            .env("CLAUDE_RETRY_HOOK", "off");
        let mut terminal = Terminal::start(command);
        terminal.expect("retry 1/6");
        // A key into the prompt, and out again.
        terminal.send(b"q");
        terminal.expect("paused");
        terminal.send(b"\x7f");
        terminal.expect("retry 2/6");
        let (shown, status) = terminal.finish();
        let shown = String::from_utf8_lossy(&shown).into_owned();
        assert!(status.success(), "{shown}");
        let log = fs::read_to_string(tmp.path().join("log")).expect("the log");
        let log = log
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        let log = log.collect();
        Self { tmp, shown, log }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.tmp.path().join(name)).expect(name)
    }

    fn cast(&self) -> Cast {
        Cast::read(self.read("a.cast").as_bytes()).expect("an asciicast")
    }

    fn input(&self) -> Vec<u8> {
        let events = self.cast().events.into_iter();
        let input = events.filter_map(|event| match event.what {
            What::Input(bytes) => Some(bytes),
            _ => None,
        });
        input.flatten().collect()
    }
}

/// What an explanation and a log have in common: what was decided, with its reason and its draw.
fn course(records: impl Iterator<Item = Value>) -> Vec<String> {
    let told = |record: Value| {
        let event = record["event"].as_str()?.to_owned();
        let own = ["start", "end", "exit", "recording-ends", "would-type"];
        if own.contains(&event.as_str()) {
            return None;
        }
        let fields = ["verdict", "reason", "uuid", "attempt", "wait_ms", "text"].iter();
        let fields = fields.map(|field| record[field].to_string());
        Some(format!("{event} {}", fields.collect::<Vec<_>>().join(" ")))
    };
    records.filter_map(told).collect()
}

#[test]
fn a_recording_of_our_own_tells_the_same_as_the_log_of_that_run() {
    let recorded = Recorded::new(&[]);
    let cast = recorded.cast();
    assert!(cast.ours.is_some() && !cast.cut);
    assert_eq!(cast.size.cols, pty::SIZE.ws_col);
    assert!(
        cast.events
            .iter()
            .any(|event| matches!(&event.what, What::Note(Note::Session { .. })))
    );
    let exits = cast
        .events
        .iter()
        .filter(|event| matches!(event.what, What::Exit(_)));
    assert_eq!(exits.count(), 1);

    let file = recorded.tmp.path().join("a.cast");
    let text = stdout(&["--json", file.to_str().expect("text")], &[]);
    let told = text
        .lines()
        .skip(1)
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let told: Vec<Value> = told
        .filter(|record: &Value| record["event"] != "summary")
        .collect();
    let (told, log) = (
        course(told.into_iter()),
        course(recorded.log.iter().cloned()),
    );
    assert_eq!(told, log, "{text}");
    assert_eq!(
        log.iter().filter(|line| line.starts_with("typed")).count(),
        2
    );
    let people = stdout(&[file.to_str().expect("text")], &[]);
    assert!(
        people.contains("verdict (the last of 2 errors): act · throttle: it typed “continue”"),
        "{people}"
    );
}

#[test]
fn what_was_typed_is_in_the_recording_only_when_asked_for() {
    let masked = Recorded::new(&[]);
    assert_eq!(masked.input(), b"x\x7f");
    assert!(
        !masked.read("a.transcript.jsonl").contains("flaky"),
        "the conversation"
    );
    assert!(
        masked
            .read("a.transcript.jsonl")
            .contains("API Error: Server is temporarily")
    );
    // What we type is masked too: a message may be anything.
    let typed = masked
        .cast()
        .events
        .into_iter()
        .find_map(|event| match event.what {
            What::Typed(bytes) => Some(bytes),
            _ => None,
        });
    let typed = String::from_utf8(typed.expect("the message")).expect("text");
    assert!(
        typed.contains("xxxxxxxx") && !typed.contains("continue"),
        "{typed:?}"
    );
    // Our bar is no part of it.
    assert!(masked.shown.contains("retry 1/6") && !masked.read("a.cast").contains("retry 1/6"));
    for name in ["a.cast", "a.transcript.jsonl"] {
        let meta = fs::metadata(masked.tmp.path().join(name)).expect(name);
        assert_eq!(meta.permissions().mode() & 0o777, 0o600, "{name}");
    }
    for words in [
        "recorded into a.cast",
        "all that the CLI wrote, your conversation among it",
        "with x for each character",
        "beside it: a.transcript.jsonl, without the conversation",
        "claude-retry ctl explain a.cast",
    ] {
        assert!(
            masked.shown.contains(words),
            "{words:?} in {}",
            masked.shown
        );
    }
    let plain = Recorded::new(&["--input"]);
    assert_eq!(plain.input(), b"q\x7f");
    assert!(plain.shown.contains("every key as it was typed"));
}

/// `ctl record` of a shell, its messages in a file.
fn record_shell(tmp: &Path, before: &str, options: &str, script: &str) -> Terminal {
    let mut command = pty::settled(Command::new("/bin/sh"), "/bin/sh".as_ref());
    let words = format!("{before} exec \"$W\" ctl record {options} -- -c '{script}' 2>told");
    command.args(["-c", &words]).env("W", CLAUDE_RETRY);
    command.current_dir(tmp).env("CLAUDE_CONFIG_DIR", tmp);
    Terminal::start(command)
}

const ODD: &str = r#"stty raw -echo; printf "\033[1;31mr\xc3\xa4w\033[m \xe2\x94\xff\r\n"; seq 1 2000; printf "\xe2"; printf "\x94\x80"; read -r line; exit 7"#;

#[test]
fn the_terminal_gets_the_same_bytes_with_recording_on() {
    let tmp = tempfile::tempdir().expect("a folder");
    let mut terminal = record_shell(tmp.path(), "", "-o a.cast", ODD);
    terminal.expect("2000");
    terminal.send(b"\n");
    let (with, status) = terminal.finish();
    assert_eq!(status.code(), Some(7));
    let mut command = pty::wrapped("/bin/sh");
    command.args(["-c", ODD]);
    let mut terminal = Terminal::start(command);
    terminal.expect("2000");
    terminal.send(b"\n");
    let (without, _) = terminal.finish();
    assert!(with.len() > 8000 && with == without);
    let told = fs::read_to_string(tmp.path().join("told")).expect("its messages");
    assert!(told.contains("no transcript of it was found"), "{told}");
    assert!(!tmp.path().join("a.transcript.jsonl").exists());
    // What is in it is what was shown, but for what is no UTF-8.
    let cast = Cast::read(&fs::read(tmp.path().join("a.cast")).expect("it")).expect("a cast");
    let output = cast.events.iter().filter_map(|event| match &event.what {
        What::Output(bytes) => Some(bytes.as_slice()),
        _ => None,
    });
    let output = output.collect::<Vec<_>>().concat();
    assert_eq!(
        String::from_utf8(output).expect("text"),
        String::from_utf8_lossy(&with)
    );
}

#[test]
fn a_full_disk_ends_the_recording_and_not_the_session() {
    let tmp = tempfile::tempdir().expect("a folder");
    // One block: 512 bytes or 1 kB.
    let limit = "trap \"\" XFSZ; ulimit -f 1;";
    let mut terminal = record_shell(
        tmp.path(),
        limit,
        "-o a.cast",
        "seq 1 5000; echo over; read -r line; exit 3",
    );
    terminal.expect("5000");
    terminal.expect("over");
    terminal.send(b"\n");
    let (_, status) = terminal.finish();
    assert_eq!(status.code(), Some(3));
    let told = fs::read_to_string(tmp.path().join("told")).expect("its messages");
    assert!(told.contains("the recording is not whole: "), "{told}");
    let cast =
        Cast::read(&fs::read(tmp.path().join("a.cast")).expect("it")).expect("what there is");
    assert!(cast.ours.is_some());
}

#[test]
fn nothing_is_overwritten_unless_asked_for() {
    let tmp = tempfile::tempdir().expect("a folder");
    let told = |options: &str| {
        let (_, status) = record_shell(tmp.path(), "", options, "exit 0").finish();
        (
            status.code(),
            fs::read_to_string(tmp.path().join("told")).expect("its messages"),
        )
    };
    fs::write(tmp.path().join("a.cast"), "mine").expect("a file");
    fs::set_permissions(tmp.path().join("a.cast"), fs::Permissions::from_mode(0o644))
        .expect("a mode");
    let (code, error) = told("-o a.cast");
    assert_eq!((code, error.lines().count()), (Some(2), 1), "{error}");
    assert!(error.contains(
        "a.cast is there already; name another with --output FILE, or replace it with --overwrite"
    ));
    assert_eq!(
        fs::read_to_string(tmp.path().join("a.cast")).expect("it"),
        "mine"
    );
    assert!(!tmp.path().join("a.transcript.jsonl").exists());

    assert_eq!(told("-o a.cast --overwrite").0, Some(0));
    let meta = fs::metadata(tmp.path().join("a.cast")).expect("it");
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    assert!(
        fs::read_to_string(tmp.path().join("a.cast"))
            .expect("it")
            .starts_with('{')
    );

    // Without a name it makes one of the time.
    assert_eq!(told("").0, Some(0));
    let names: Vec<_> = fs::read_dir(tmp.path())
        .expect("the folder")
        .flatten()
        .collect();
    let named = names
        .iter()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    assert_eq!(
        named
            .filter(|name| name.starts_with("claude-retry-2") && name.ends_with("Z.cast"))
            .count(),
        1
    );
}

#[test]
fn where_there_is_nothing_to_record_it_says_so() {
    let tmp = tempfile::tempdir().expect("a folder");
    let told = |args: &[&str]| {
        let mut command = pty::settled(Command::new(CLAUDE_RETRY), "/bin/sh".as_ref());
        command
            .args(["ctl", "record", "-o", "a.cast"])
            .args(args)
            .current_dir(tmp.path());
        let output = command.output().expect("it runs");
        let error = String::from_utf8(output.stderr).expect("text");
        assert_eq!(
            (output.status.code(), error.lines().count()),
            (Some(2), 1),
            "{error}"
        );
        error
    };
    assert!(told(&["--", "-p", "hello"]).contains("with -p there is no session in a terminal"));
    assert!(told(&[]).contains("it needs a terminal; run it in one"));
    assert!(told(&["--", "ctl", "config"]).contains("after -- come the arguments of a session"));
    assert!(told(&["--resume"]).contains("claude's arguments go behind --"));
    assert_eq!(fs::read_dir(tmp.path()).expect("the folder").count(), 0);
    // A program that is not there.
    let mut command = pty::settled(Command::new(CLAUDE_RETRY), "/nonexistent/claude".as_ref());
    command
        .args(["ctl", "record", "-o", "a.cast"])
        .current_dir(tmp.path());
    let (_, status) = Terminal::start(command).finish();
    assert_eq!(status.code(), Some(127));
    assert_eq!(fs::read_dir(tmp.path()).expect("the folder").count(), 0);
}
