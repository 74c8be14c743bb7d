//! `ctl record`: recordings of our own, what is in them, and what is not.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/pty.rs"]
mod pty;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use claude_retry::cast::{Cast, Note, What};
use pty::{CLAUDE_RETRY, Terminal};
use serde_json::Value;

/// Runs `ctl explain`, with no settings of its own.
fn explain(args: &[&str]) -> String {
    let mut command = pty::settled(Command::new(CLAUDE_RETRY), "/nonexistent".as_ref());
    command.args(["ctl", "explain"]).args(args);
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
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
        // The replay reads the transcript without its delay.
        if own.contains(&event.as_str()) || record["verdict"] == "wait" {
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
    let text = explain(&["--json", file.to_str().expect("text")]);
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
    let people = explain(&[file.to_str().expect("text")]);
    assert!(
        people.contains("verdict (the last of 2 errors): act · throttle: it typed “continue”"),
        "{people}"
    );
}

#[test]
fn what_was_typed_is_in_the_recording_only_when_asked_for() {
    // Side by side: each sits through its waits.
    let (masked, plain) = std::thread::scope(|scope| {
        let plain = scope.spawn(|| Recorded::new(&["--input"]));
        (Recorded::new(&[]), plain.join().expect("a recording"))
    });
    assert_eq!(masked.input(), b"x\x7f");
    let message =
        |recorded: &Recorded| recorded.cast().ours.expect("ours").settings["message"].clone();
    assert_eq!(message(&masked), "xxxxxxxx");
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
    assert_eq!(plain.input(), b"q\x7f");
    assert_eq!(message(&plain), "continue");
    assert!(plain.shown.contains("every key as it was typed"));
}

/// `ctl record` of a shell, its messages in a file.
fn record_shell(tmp: &Path, before: &str, options: &str, script: &str) -> Terminal {
    let mut command = pty::settled(Command::new("/bin/sh"), "/bin/sh".as_ref());
    let dashes = if options.contains("-- ") { "" } else { "--" };
    let words = format!("{before} exec \"$W\" ctl record {options} {dashes} -c '{script}' 2>told");
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
    let limit = "export CLAUDE_RETRY_HOOK=off; ulimit -f 1;";
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

    // Nor where it was asked for and nothing is recorded.
    fs::write(tmp.path().join("a.transcript.jsonl"), "mine too").expect("a file");
    let (code, error) = told("-o a.cast --overwrite -- --retry-base=never");
    assert_eq!(code, Some(2), "{error}");
    let nowhere = "-o a.cast --overwrite -- --retry-program=/nonexistent/claude";
    assert_eq!(told(nowhere).0, Some(127));
    fs::create_dir(tmp.path().join("b.transcript.jsonl")).expect("a folder");
    fs::write(tmp.path().join("b.cast"), "mine").expect("a file");
    let (code, error) = told("-o b.cast --overwrite");
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("b.transcript.jsonl"), "{error}");
    for (name, text) in [
        ("a.cast", "mine"),
        ("a.transcript.jsonl", "mine too"),
        ("b.cast", "mine"),
    ] {
        let kept = fs::read_to_string(tmp.path().join(name)).expect(name);
        assert_eq!(kept, text, "{name}");
    }

    assert_eq!(told("-o a.cast --overwrite").0, Some(0));
    assert!(!tmp.path().join("a.transcript.jsonl").exists());
    let left = fs::read_dir(tmp.path()).expect("the folder").flatten();
    let hidden = left.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b".claude"));
    assert_eq!(hidden.count(), 0);
    let meta = fs::metadata(tmp.path().join("a.cast")).expect("it");
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    assert!(
        fs::read_to_string(tmp.path().join("a.cast"))
            .expect("it")
            .starts_with('{')
    );

    // The transcript of one takes no other's name.
    fs::write(tmp.path().join("bug.transcript.jsonl"), "mine").expect("a file");
    assert_eq!(told("-o bug.1").0, Some(0));
    assert_eq!(told("-o bug.2").0, Some(0));

    for (options, words) in [
        ("-o .", "--output takes a file"),
        ("-o new/", "--output takes a file"),
        ("-o none/a.cast", "its folder is not there; make it first"),
    ] {
        let (code, error) = told(options);
        assert_eq!((code, error.lines().count()), (Some(2), 1), "{error}");
        assert!(error.contains(words), "{options}: {error}");
    }

    // Without a name it makes one of the time.
    assert_eq!(told("").0, Some(0));
    let entries: Vec<_> = fs::read_dir(tmp.path())
        .expect("the folder")
        .flatten()
        .collect();
    let named = entries
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
