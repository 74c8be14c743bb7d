//! `retry-after = on`: the session's part with a fake clock and a fake CLI, the driver's with a shell in the
//! CLI's place.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/fake.rs"]
mod fake;
#[path = "support/pty.rs"]
mod pty;
#[path = "support/world.rs"]
mod world;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use claude_retry::config::{Jitter, Settings, TranscriptMode};
use claude_retry::supervisor::retry::State;
use claude_retry::supervisor::retry_after::Asked;
use claude_retry::supervisor::session::Event;
use claude_retry::term::Size;
use fake::{COLS, FakeCli, ROWS, THROTTLE};
use pty::{SIZE, Terminal, kill, wrapped};
use rustix::process::Signal;
use serde_json::json;
use world::World;

const S: fn(u64) -> Duration = Duration::from_secs;
const MS: fn(u64) -> Duration = Duration::from_millis;
/// The wait that is drawn.
const WAIT: Duration = Duration::from_secs(4);
const OVERLOADED: &str = "API Error: 529 Overloaded. This is a server-side issue, usually temporary — try again in a moment.";
const REJECTED: &str = "API Error: Request rejected (429) · Rate limited";
const DROPPED: &str = "API Error: Connection dropped (ECONNRESET).";

type Fake = World<FakeCli>;

fn settings() -> Settings {
    Settings {
        base: WAIT,
        cap: WAIT,
        jitter: Jitter::None,
        retry_after: true,
        ..Settings::default()
    }
}

/// A turn that fails with this text; the session waits, one second into its wait.
fn failed(settings: Settings, text: &str, asked: Option<u64>) -> Fake {
    let mut world = World::new(settings, Size::new(ROWS, COLS), world::WALL, FakeCli::new());
    let frame = world.outside.frame();
    world.event(Event::ChildOutput(&frame));
    world.run_for(S(1));
    types(&mut world, "hello");
    types(&mut world, "\r");
    world.run_for(S(1));
    world.outside.asked = asked.map(|seconds| Asked {
        whole: S(seconds),
        left: MS(seconds * 1000 - 300),
    });
    fails(&mut world, text);
    world
}

fn throttled(asked: Option<u64>) -> Fake {
    failed(settings(), THROTTLE, asked)
}

fn fails(world: &mut Fake, text: &str) {
    let now = world.now().unix_ms;
    let frame = world.outside.fails(now, text);
    world.event(Event::ChildOutput(&frame));
    world.run_for(S(1));
}

fn types(world: &mut Fake, keys: &str) {
    world.event(Event::UserInput(keys.as_bytes()));
}

fn turns(world: &Fake) -> usize {
    world.outside.turns.len()
}

fn records<'a>(world: &'a Fake, event: &str) -> Vec<&'a serde_json::Value> {
    world
        .log
        .iter()
        .filter(|record| record["event"] == event)
        .collect()
}

#[test]
fn the_wait_is_what_was_asked_for_and_what_was_drawn() {
    let mut world = throttled(Some(90));
    let failed = world.now().unix_ms - 1000;
    assert_eq!(world.outside.asked_about, [Some(failed)]);
    let waiting = records(&world, "waiting");
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0]["asked_ms"], 90_000);
    assert_eq!(waiting[0]["wait_ms"], 89_700 + 4_000);
    // It began a little after the failure, which was a second ago.
    world.run_for(MS(89_700 + 4_000 - 1_000));
    assert_eq!(turns(&world), 1, "not before");
    world.run_for(S(1));
    assert_eq!(turns(&world), 2);
    assert_eq!(world.outside.turns[1], "continue");
}

#[test]
fn a_server_that_asks_for_nothing_is_given_the_wait_that_was_drawn() {
    let mut world = throttled(None);
    assert_eq!(world.outside.asked_about.len(), 1);
    assert!(records(&world, "waiting")[0].get("asked_ms").is_none());
    world.run_for(WAIT);
    assert_eq!(turns(&world), 2);
}

#[test]
fn each_failure_asks_anew() {
    let mut world = throttled(Some(20));
    world.run_for(S(24));
    assert_eq!(turns(&world), 2);
    world.outside.asked = None;
    fails(&mut world, OVERLOADED);
    assert_eq!(world.outside.asked_about.len(), 2);
    assert!(matches!(world.session.state(), State::Waiting(wait) if wait.asked.is_none()));
    world.run_for(WAIT);
    assert_eq!(turns(&world), 3);
}

#[test]
fn nobody_is_asked_where_the_setting_is_off_or_no_answer_came() {
    let off = Settings {
        retry_after: false,
        ..settings()
    };
    for (settings, text) in [(off, THROTTLE), (settings(), DROPPED)] {
        let mut world = failed(settings, text, Some(90));
        assert!(world.outside.asked_about.is_empty());
        assert_eq!(records(&world, "waiting").len(), 1);
        world.run_for(WAIT);
        assert_eq!(turns(&world), 2);
    }
}

#[test]
fn with_no_transcript_the_time_of_the_failure_is_now() {
    let off = Settings {
        transcript: TranscriptMode::Off,
        ..settings()
    };
    let mut world = failed(off, THROTTLE, Some(90));
    assert_eq!(world.outside.asked_about, [None]);
    world.run_for(S(90));
    assert_eq!(turns(&world), 1);
}

#[test]
fn the_bar_says_so() {
    let world = throttled(Some(120));
    let drawn = String::from_utf8_lossy(&world.tty).into_owned();
    assert!(drawn.contains("server asked for 2m"), "{drawn}");
    let world = throttled(None);
    let drawn = String::from_utf8_lossy(&world.tty).into_owned();
    assert!(
        drawn.contains("retry 1/6") && !drawn.contains("asked"),
        "{drawn}"
    );
}

#[test]
fn enter_goes_now_and_ctrl_c_cancels() {
    let mut world = throttled(Some(90));
    types(&mut world, "\r");
    world.run_for(MS(500));
    assert_eq!(turns(&world), 2);

    let mut world = throttled(Some(90));
    types(&mut world, "\x03");
    world.run_for(S(300));
    assert_eq!(turns(&world), 1);
    assert_eq!(records(&world, "cancelled").len(), 1);
}

#[test]
fn typing_pauses_and_what_was_left_is_left() {
    let mut world = throttled(Some(90));
    types(&mut world, "a");
    world.run_for(S(5));
    assert!(matches!(world.session.state(), State::Paused { .. }));
    types(&mut world, "\x7f");
    world.run_for(S(1));
    assert!(matches!(world.session.state(), State::Waiting(_)));
    world.run_for(S(90));
    assert_eq!(turns(&world), 1, "the pause does not count");
    world.run_for(S(4));
    assert_eq!(turns(&world), 2);
}

#[test]
fn an_answer_to_a_wait_that_is_paused_already_adds_to_what_was_left() {
    let mut world = throttled(None);
    types(&mut world, "a");
    let State::Paused { left, .. } = *world.session.state() else {
        panic!("not paused");
    };
    let asked = Asked {
        whole: S(90),
        left: S(80),
    };
    world.event(Event::RetryAfter(Some(asked)));
    assert!(
        matches!(world.session.state(), State::Paused { left: then, .. } if *then == left + S(80))
    );
    // To any other state it says nothing.
    types(&mut world, "\x7f");
    world.run_for(S(1));
    types(&mut world, "\x03");
    world.event(Event::RetryAfter(Some(asked)));
    assert!(matches!(world.session.state(), State::Cancelled { .. }));
}

/// A shell in the CLI's place, which runs these words; the file's place and the log are in this folder.
fn shell(words: &str, folder: &Path) -> Command {
    let cli = folder.join("cli");
    fs::write(&cli, format!("#!/bin/sh\n{words}\n")).expect("a script");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&cli, mode).expect("its mode");
    let mut command = wrapped(&cli);
    command
        .env("CLAUDE_RETRY_RETRY_AFTER", "on")
        .env("CLAUDE_RETRY_HOOK", "off")
        .env("CLAUDE_RETRY_LOG", folder.join("log"))
        .env("XDG_RUNTIME_DIR", folder.join("run"))
        .env("XDG_STATE_HOME", folder.join("state"))
        .env("HOME", folder)
        .env("LOG", folder.join("log"))
        .env_remove("ANTHROPIC_LOG");
    command
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("run")).expect("a folder");
    folder
}

/// The names below our folder in the runtime folder.
fn left_behind(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join("run/claude-retry"));
    let names = entries.into_iter().flatten().flatten();
    names
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

const TELLS: &str = r#"echo "args=$*"; echo "level=${ANTHROPIC_LOG-unset}"
if [ "$1" = --debug-file ]; then echo "mode=$(stat -c %a "$2")"; ln -s x "$(dirname "$2")/latest"; fi"#;

#[test]
fn the_cli_gets_the_flag_before_the_users_own_and_the_file_goes_with_it() {
    let folder = folder();
    let mut command = shell(TELLS, folder.path());
    command.args(["--resume", "abc"]);
    let mut terminal = Terminal::start(command);
    let args = terminal.value("args");
    let place = folder.path().join("run/claude-retry");
    let flag = format!("--debug-file {}/", place.display());
    assert!(args.starts_with(&flag), "{args}");
    assert!(args.ends_with("/debug.log --resume abc"), "{args}");
    assert_eq!(terminal.value("level"), "debug");
    assert_eq!(terminal.value("mode"), "600");
    assert!(terminal.finish().1.success());
    assert_eq!(left_behind(folder.path()), [""; 0]);
}

#[test]
fn what_the_user_asked_for_is_kept() {
    for (args, level, reason) in [
        (&["--debug"][..], None, "debug log is asked for"),
        (&["mcp", "list"], None, "may be a verb"),
        (&[], Some("info"), "ANTHROPIC_LOG"),
    ] {
        let folder = folder();
        let mut command = shell(TELLS, folder.path());
        command.args(args);
        if let Some(level) = level {
            command.env("ANTHROPIC_LOG", level);
        }
        let mut terminal = Terminal::start(command);
        assert_eq!(terminal.value("args"), args.join(" "));
        assert_eq!(terminal.value("level"), level.unwrap_or("unset"));
        assert!(terminal.finish().1.success());
        let log = fs::read_to_string(folder.path().join("log")).expect("a log");
        assert!(
            log.contains("no-retry-after") && log.contains(reason),
            "{log}"
        );
    }
}

#[test]
fn off_is_off() {
    let folder = folder();
    let mut command = shell(TELLS, folder.path());
    command.env("CLAUDE_RETRY_RETRY_AFTER", "off");
    let mut terminal = Terminal::start(command);
    assert_eq!(terminal.value("args"), "");
    assert_eq!(terminal.value("level"), "unset");
    terminal.finish();
    assert!(!folder.path().join("run/claude-retry").exists());
}

#[test]
fn without_a_place_the_cli_runs_all_the_same() {
    let folder = folder();
    let mut command = shell(TELLS, folder.path());
    command
        .env("XDG_RUNTIME_DIR", folder.path().join("cli"))
        .env("XDG_STATE_HOME", folder.path().join("cli"));
    let mut terminal = Terminal::start(command);
    assert_eq!(terminal.value("args"), "");
    assert_eq!(terminal.value("level"), "unset");
    assert!(terminal.finish().1.success());
    let log = fs::read_to_string(folder.path().join("log")).expect("a log");
    assert!(log.contains("no-retry-after"), "{log}");
}

#[test]
fn the_file_goes_on_every_way_out_and_what_a_kill_leaves_is_swept() {
    let folder = folder();
    let words = "echo pid=$PPID; trap 'exit 3' TERM; echo ready=1; while :; do sleep 1; done";
    for (signal, left) in [(Signal::TERM, 0), (Signal::HUP, 0), (Signal::KILL, 1)] {
        let mut terminal = Terminal::start(shell(words, folder.path()));
        terminal.value("ready");
        assert_eq!(left_behind(folder.path()).len(), 1);
        let pid = terminal.pid();
        kill(&pid.to_string(), signal);
        terminal.finish();
        assert_eq!(left_behind(folder.path()).len(), left, "{signal:?}");
    }
    // The one that was killed is collected by now.
    assert!(
        Terminal::start(shell("true", folder.path()))
            .finish()
            .1
            .success()
    );
    assert_eq!(left_behind(folder.path()), [""; 0]);
}

/// A session whose turn fails: its transcript, its response in the debug log, its screen; then what the
/// wrapper makes of it.
const FAILS: &str = r#"stty raw -echo; F=${FILE:-$2}; C=$HOME/.claude
mkdir -p "$C/sessions" "$C/projects/p"
T=$(date -u +%Y-%m-%dT%H:%M:%S.999Z)
echo "{\"sessionId\":\"s\",\"startedAt\":$(date +%s)999}" > "$C/sessions/$$.json"
sed "s/TIME/$T/" "$SCREENS/transcript" > "$C/projects/p/s.jsonl"
eval "$LOGS"
cat "$SCREENS/failed"
until grep -q '"waiting"' "$LOG"; do sleep 0.02; done
printf '\033[2J\033[H'; stty sane; echo "waiting=$(grep '"waiting"' "$LOG")""#;
const RESPONSE: &str = r#"printf '%s [DEBUG] console.log: [log_1] response error (error; no more retries left) {\n  status: 429,\n  headers: {\n    '"'retry-after': '7'"',\n  },\n}\n' "$T" >> "$F""#;

/// What the wrapper logs of the wait, after these words of the shell.
fn waits(words: &str, change: impl FnOnce(&mut Command, &Path)) -> serde_json::Value {
    let folder = folder();
    let mut command = shell(FAILS, folder.path());
    command
        .env("LOGS", words)
        .env("SCREENS", folder.path())
        .env("CLAUDE_RETRY_BASE", "5m")
        .env("CLAUDE_RETRY_CAP", "5m")
        .env("LANG", "C.UTF-8");
    change(&mut command, folder.path());
    // It draws for another width.
    let frame = String::from_utf8(FakeCli::new().fails(0, REJECTED)).expect("text");
    let rule = |columns: u16| "─".repeat(columns.into());
    let frame = frame.replace(&rule(COLS), &rule(SIZE.ws_col));
    let line = json!({
        "type": "assistant", "uuid": "u", "parentUuid": null, "timestamp": "TIME", "sessionId": "s",
        "isSidechain": false, "isApiErrorMessage": true, "error": "rate_limit",
        "message": {"role": "assistant", "content": [{"type": "text", "text": REJECTED}]},
    });
    fs::write(folder.path().join("failed"), frame).expect("a screen");
    fs::write(folder.path().join("transcript"), format!("{line}\n")).expect("a transcript");
    let mut terminal = Terminal::start(command);
    let record = terminal.value("waiting");
    terminal.finish();
    serde_json::from_str(&record).expect("a record")
}

#[test]
fn the_file_is_read_when_the_turn_has_failed() {
    let record = waits(RESPONSE, |_, _| {});
    assert_eq!(record["asked_ms"], 7000, "{record}");
}

#[test]
fn the_users_own_file_is_read_too() {
    let record = waits(RESPONSE, |command, folder| {
        let own = folder.join("own.log");
        command.args(["--debug-file".as_ref(), own.as_os_str()]);
        command.env("FILE", own);
    });
    assert_eq!(record["asked_ms"], 7000, "{record}");
}

#[test]
fn a_file_that_vanished_or_says_nothing_asks_for_nothing() {
    let old = RESPONSE.replace("\"$T\"", "2020-01-01T00:00:00.000Z");
    for words in [
        &format!("{RESPONSE}; rm \"$F\""),
        &format!("{RESPONSE}; rm -r \"$(dirname \"$F\")\""),
        &format!("{RESPONSE}; rm \"$F\"; mkdir \"$F\""),
        ":",
        old.as_str(),
    ] {
        let record = waits(words, |_, _| {});
        assert!(record.get("asked_ms").is_none(), "{words}: {record}");
    }
}
