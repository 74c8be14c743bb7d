//! `claude-retry ctl hook run`, driven as the CLI drives it: an event on stdin, a transcript beside.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

const SESSION: &str = "2ef695ba-6dd4-4d72-915f-cdf1336d22e5";
const THROTTLE: &str =
    "API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited";

/// A home with a transcript, and the environment of a hook in it.
struct Home {
    dir: TempDir,
    env: Vec<(String, String)>,
}

/// How a hook ended.
#[derive(Debug)]
struct Ended {
    status: ExitStatus,
    stderr: String,
}

impl Ended {
    fn resumed(&self) -> bool {
        let told = self
            .stderr
            .starts_with("The last turn was cut off by a transient error");
        assert_eq!(self.status.code() == Some(2), told, "{self:?}");
        assert!(told || self.stderr.is_empty(), "{self:?}");
        told
    }

    #[track_caller]
    fn let_go(&self) {
        assert!(!self.resumed(), "{self:?}");
        assert_eq!(self.status.code(), Some(0), "{self:?}");
    }
}

/// A hook that runs. Killed when dropped.
struct Hook(Child);

impl Drop for Hook {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Hook {
    fn end(mut self) -> Ended {
        // What it writes fits into the pipes.
        let mut ended = |_: &u32| self.0.try_wait().expect("a child").is_some();
        let wait = |_: &u32| std::thread::sleep(Duration::from_millis(5));
        assert!((0..12_000).inspect(wait).any(|n| ended(&n)), "it hangs");
        let read = |from: Option<&mut dyn Read>| {
            let mut text = String::new();
            from.expect("a pipe")
                .read_to_string(&mut text)
                .expect("UTF-8");
            text
        };
        let stdout = read(self.0.stdout.as_mut().map(|pipe| pipe as _));
        let stderr = read(self.0.stderr.as_mut().map(|pipe| pipe as _));
        assert_eq!(stdout, "", "stdout is never ours");
        let status = self.0.wait().expect("its end");
        Ended { status, stderr }
    }
}

fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

fn user(uuid: &str, parent: Option<&str>) -> Value {
    json!({"type": "user", "uuid": uuid, "parentUuid": parent, "sessionId": SESSION,
        "isSidechain": false, "timestamp": now(), "message": {"role": "user", "content": "hello"}})
}

/// A turn that a hook began.
fn woken(uuid: &str, parent: &str) -> Value {
    let mut line = user(uuid, Some(parent));
    line["origin"] = json!({"kind": "task-notification"});
    line
}

fn error(uuid: &str, parent: &str, text: &str) -> Value {
    json!({"type": "assistant", "uuid": uuid, "parentUuid": parent, "sessionId": SESSION,
        "isSidechain": false, "timestamp": now(), "isApiErrorMessage": true, "error": "rate_limit",
        "message": {"role": "assistant", "content": [{"type": "text", "text": text}]}})
}

impl Home {
    /// With a transcript of a turn that has just failed, and waits of this length, all of it waited.
    fn new(wait: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let env = [
            ("HOME", text(dir.path().to_owned())),
            ("PATH", "/usr/bin:/bin".into()),
            ("XDG_RUNTIME_DIR", text(dir.path().join("run"))),
            ("CLAUDE_RETRY_LOG", text(dir.path().join("log"))),
            ("CLAUDE_RETRY_BASE", wait.into()),
            ("CLAUDE_RETRY_CAP", "1h".into()),
            ("CLAUDE_RETRY_JITTER", "none".into()),
            ("CLAUDE_CODE_ENTRYPOINT", "cli".into()),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let home = Self { dir, env };
        fs::create_dir_all(home.transcript().parent().expect("a folder")).expect("folders");
        home.write(&[user("u1", None), error("e1", "u1", THROTTLE)]);
        home
    }

    fn set(&mut self, name: &str, value: &str) {
        self.env.push((name.into(), value.into()));
    }

    fn transcript(&self) -> PathBuf {
        let folder = self.dir.path().join(".claude/projects/-home-dev-proj");
        folder.join(format!("{SESSION}.jsonl"))
    }

    fn write(&self, lines: &[Value]) {
        let lines: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(self.transcript(), lines.concat()).expect("the transcript");
    }

    fn append(&self, line: &Value) {
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(self.transcript())
            .expect("the transcript");
        writeln!(file, "{line}").expect("a line");
    }

    /// The session file of the CLI, which is named in `CLAUDE_PID`.
    fn session_file(&mut self, pid: u32, session: &str, status: &str) {
        let folder = self.dir.path().join(".claude/sessions");
        fs::create_dir_all(&folder).expect("a folder");
        let file = json!({"pid": pid, "sessionId": session, "status": status});
        // Never seen half written.
        fs::write(folder.join("new"), file.to_string()).expect("a file");
        fs::rename(folder.join("new"), folder.join(format!("{pid}.json"))).expect("the file");
        self.set("CLAUDE_PID", &pid.to_string());
    }

    fn event(&self, name: &str) -> Value {
        json!({"hook_event_name": name, "session_id": SESSION, "transcript_path": self.transcript(),
            "cwd": "/home/dev/proj", "error": "rate_limit", "last_assistant_message": THROTTLE})
    }

    fn run_with(&self, args: &[&str], stdin: &[u8]) -> Hook {
        let mut child = Command::new(env!("CARGO_BIN_EXE_claude-retry"))
            .args(["ctl", "hook", "run"])
            .args(args)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut pipe = child.stdin.take().expect("a pipe");
        // It need not read all of it.
        let _ = pipe.write_all(stdin);
        Hook(child)
    }

    fn run(&self, args: &[&str]) -> Hook {
        self.run_with(args, self.event("StopFailure").to_string().as_bytes())
    }

    fn log(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// The log's only record of this event, once it is there.
    fn logged(&self, event: &str) -> Value {
        for _ in 0..12_000 {
            if let Some(record) = self.log().into_iter().find(|line| line["event"] == event) {
                return record;
            }
            // Files have no portable event.
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("no {event} in {:?}", self.log());
    }

    /// A wrapper's socket, named in the environment.
    fn listen(&mut self) -> UnixListener {
        let path = self.dir.path().join("socket");
        self.set("CLAUDE_RETRY_SOCKET", &path.to_string_lossy());
        UnixListener::bind(path).expect("a socket")
    }
}

/// The next call to the wrapper.
fn accept(listener: &UnixListener) -> (Value, UnixStream) {
    let (stream, _) = listener.accept().expect("a hook");
    let mut line = String::new();
    BufReader::new(&stream)
        .read_line(&mut line)
        .expect("a line");
    (serde_json::from_str(&line).expect("JSON"), stream)
}

#[test]
fn alone_it_waits_and_resumes() {
    let home = Home::new("10ms");
    assert!(home.run(&[]).end().resumed());
    let log = home.log();
    let events: Vec<_> = log
        .iter()
        .filter_map(|line| line["event"].as_str())
        .collect();
    assert_eq!(events, ["hook-waiting", "hook-resumed"]);
    assert_eq!(log[0]["attempt"], 1);
    assert_eq!(log[0]["wait_ms"], 10);
    for line in log {
        assert_eq!(
            (&line["by"], &line["session"]),
            (&json!("hook"), &json!(SESSION))
        );
    }
}

#[test]
fn an_error_is_acted_on_once() {
    let home = Home::new("10ms");
    let (one, two) = (home.run(&[]), home.run(&[]));
    let resumed = [one.end(), two.end()]
        .iter()
        .filter(|end| end.resumed())
        .count();
    assert_eq!(resumed, 1);
    home.run(&[]).end().let_go();
    home.append(&woken("u2", "e1"));
    home.append(&error("e2", "u2", THROTTLE));
    assert!(home.run(&[]).end().resumed(), "another error");
    // The user has another try of their own.
    home.append(&user("u3", Some("e2")));
    home.append(&error("e3", "u3", THROTTLE));
    assert!(home.run(&[]).end().resumed(), "a series of its own");
    let attempts: Vec<_> = home
        .log()
        .iter()
        .filter_map(|line| line["attempt"].as_u64())
        .collect();
    assert_eq!(attempts, [1, 2, 1]);
}

#[test]
fn the_seventh_error_in_a_row_is_left_alone() {
    let home = Home::new("10ms");
    for n in 2..=7 {
        home.append(&woken(&format!("u{n}"), &format!("e{}", n - 1)));
        home.append(&error(&format!("e{n}"), &format!("u{n}"), THROTTLE));
    }
    home.run(&[]).end().let_go();
    let record = home.logged("hook-let-go");
    assert_eq!(
        (&record["reason"], &record["gave_up"]),
        (&"6 tries".into(), &true.into())
    );
}

#[test]
fn the_storm_guard_reads_the_hour_from_the_transcript() {
    let mut home = Home::new("10ms");
    home.set("CLAUDE_RETRY_MAX_PER_HOUR", "1");
    home.append(&user("u2", Some("e1")));
    home.append(&error("e2", "u2", THROTTLE));
    home.run(&[]).end().let_go();
    let reason = &home.logged("hook-let-go")["reason"];
    assert_eq!(reason, "over 1 error in an hour");
}

#[test]
fn a_user_who_goes_on_is_left_alone() {
    let home = Home::new("30s");
    let hook = home.run(&[]);
    home.logged("hook-waiting");
    home.append(&user("u2", Some("e1")));
    hook.end().let_go();
    home.logged("hook-let-go");
}

#[test]
fn a_cli_that_is_busy_again_or_elsewhere_is_left_alone() {
    let other = "00000000-6dd4-4d72-915f-cdf1336d22e5";
    for (session, status, reason) in [
        (SESSION, "busy", "the CLI is at work"),
        (other, "idle", "the CLI shows another session"),
    ] {
        let mut home = Home::new("30s");
        home.session_file(std::process::id(), SESSION, "idle");
        let hook = home.run(&[]);
        home.logged("hook-waiting");
        home.session_file(std::process::id(), session, status);
        hook.end().let_go();
        assert_eq!(home.logged("hook-let-go")["reason"], reason);
    }
}

#[test]
fn a_cli_that_did_not_run_the_hook_counts_for_nothing() {
    // The variable is that of a CLI further up, or in another window.
    let mut other = Command::new("sleep").arg("60").spawn().expect("a process");
    let mut home = Home::new("10ms");
    home.session_file(other.id(), "00000000-6dd4-4d72-915f-cdf1336d22e5", "busy");
    let ended = home.run(&[]).end();
    other.kill().and_then(|()| other.wait()).expect("its end");
    assert!(ended.resumed());
}

#[test]
fn what_cannot_be_claimed_is_left_alone() {
    let home = Home::new("10ms");
    for place in ["run", ".local"] {
        let place = home.dir.path().join(place);
        let _ = fs::remove_dir_all(&place);
        fs::write(place, "no folder").expect("a file");
    }
    home.run(&[]).end().let_go();
}

/// The hook runs below a shell that leads a session of its own, as the CLI does it, and says nothing of the
/// CLI's number (2.1.145). Killed, the CLI takes nobody with it.
#[test]
#[cfg(target_os = "linux")]
fn the_end_of_the_cli_ends_it() {
    let home = Home::new("30s");
    let shell =
        "exec 3<&0; setsid sh -c '\"$0\" ctl hook run <&3; : not the last' \"$0\" & echo $!; wait";
    let mut cli = Command::new("sh")
        .args(["-c", shell, env!("CARGO_BIN_EXE_claude-retry")])
        .env_clear()
        .envs(home.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("a shell");
    let mut pipe = cli.stdin.take().expect("a pipe");
    write!(pipe, "{}", home.event("StopFailure")).expect("the event");
    drop(pipe);
    home.logged("hook-waiting");
    cli.kill().expect("killed");
    // Not reaped: its number lives on.
    assert_eq!(home.logged("hook-let-go")["reason"], "the CLI has ended");
    cli.wait().expect("its end");
}

#[test]
fn a_signal_resumes_nothing() {
    for signal in ["TERM", "HUP", "INT"] {
        let home = Home::new("30s");
        let hook = home.run(&[]);
        home.logged("hook-waiting");
        let pid = hook.0.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.expect("kill").success());
        let ended = hook.end();
        assert!(!ended.resumed());
        assert!(ended.status.signal().is_some(), "{ended:?}");
    }
}

#[test]
fn what_is_not_ours_is_passed_over_in_silence() {
    let home = Home::new("10ms");
    for stdin in ["", "{", "[]", "{\"hook_event_name\":\"StopFailure\"}"] {
        home.run_with(&[], stdin.as_bytes()).end().let_go();
    }
    for name in ["SessionStart", "UserPromptSubmit", "Stop", "PreToolUse"] {
        let event = home.event(name).to_string();
        home.run_with(&[], event.as_bytes()).end().let_go();
    }
    // An argument of another version: a usage error would end with code 2, and resume.
    home.run_with(&["--newer"], b"{}").end().let_go();
    assert_eq!(home.log().len(), 6, "{:?}", home.log());
    assert!(home.log().iter().all(|line| line["event"] == "hook-unread"));
}

#[test]
fn settings_that_say_no_or_nothing_are_obeyed() {
    type Change = fn(&mut Home);
    let cases: [Change; 5] = [
        |home| home.set("CLAUDE_RETRY_RESUME", "type"),
        |home| home.set("CLAUDE_RETRY_HOOK", "off"),
        |home| home.set("CLAUDE_RETRY_CAP", "nonsense"),
        |home| home.set("CLAUDE_RETRY_RETRY_ON", "cut"),
        // `-p`
        |home| home.set("CLAUDE_CODE_ENTRYPOINT", "sdk-cli"),
    ];
    for change in cases {
        let mut home = Home::new("10ms");
        change(&mut home);
        home.run(&[]).end().let_go();
    }
}

#[test]
fn a_wrapper_is_told_and_obeyed() {
    let mut home = Home::new("10ms");
    let listener = home.listen();
    home.set("CLAUDE_PID", &std::process::id().to_string());
    for (answer, resumed) in [
        ("{\"answer\":\"resume\"}\n", true),
        ("{\"answer\":\"let-go\"}\n", false),
        ("{\"answer\":\"of a version to come\"}\n", false),
        ("garbage\n", false),
        ("", false),
    ] {
        for args in [&[][..], &["--wrapped"]] {
            let hook = home.run(args);
            let (call, mut stream) = accept(&listener);
            assert_eq!(call["event"], "stop-failure");
            assert_eq!(call["text"], THROTTLE);
            assert_eq!(call["session_id"], SESSION);
            assert_eq!(call["cli"], std::process::id());
            stream.write_all(answer.as_bytes()).expect("the answer");
            drop(stream);
            assert_eq!(hook.end().resumed(), resumed, "{answer}");
        }
    }
    assert!(home.log().is_empty(), "the wrapper keeps the log");
}

#[test]
fn a_wrapper_that_has_another_cli_leaves_it_to_itself() {
    let mut home = Home::new("10ms");
    let listener = home.listen();
    for (args, resumed) in [(&["--wrapped"][..], false), (&[], true)] {
        let hook = home.run(args);
        let (_, mut stream) = accept(&listener);
        stream
            .write_all(b"{\"answer\":\"foreign\"}\n")
            .expect("the answer");
        assert_eq!(hook.end().resumed(), resumed);
    }
}

#[test]
fn a_wrapper_that_is_gone_is_none() {
    let mut home = Home::new("10ms");
    drop(home.listen());
    home.run(&["--wrapped"]).end().let_go();
    assert!(home.run(&[]).end().resumed());
}

#[test]
fn other_events_are_told_in_passing() {
    let mut home = Home::new("10ms");
    let listener = home.listen();
    for (name, told) in [
        ("SessionStart", "session-start"),
        ("UserPromptSubmit", "user-prompt-submit"),
        ("Stop", "stop"),
    ] {
        let hook = home.run_with(&["--wrapped"], home.event(name).to_string().as_bytes());
        // It ends though nobody has answered.
        hook.end().let_go();
        assert_eq!(accept(&listener).0["event"], told);
    }
}

#[test]
fn a_wrapper_without_the_hook_has_the_session_if_it_has_the_terminal() {
    let mut home = Home::new("10ms");
    let pid = std::process::id();
    home.set("CLAUDE_PID", &pid.to_string());
    // The CLI of this test is the test, whatever its terminal is.
    let own = fs::read_link("/proc/self/fd/0").unwrap_or("/dev/tty".into());
    home.set("CLAUDE_RETRY", &format!("{pid}:{}", own.display()));
    home.run(&[]).end().let_go();
    home.set("CLAUDE_RETRY", &format!("2147483647:{}", own.display()));
    assert!(home.run(&[]).end().resumed(), "that wrapper is gone");
    if cfg!(target_os = "linux") {
        let mut home = Home::new("10ms");
        home.set("CLAUDE_PID", &pid.to_string());
        home.set("CLAUDE_RETRY", &format!("{pid}:/dev/pts/2147483647"));
        assert!(home.run(&[]).end().resumed(), "the terminal is another");
    }
}
