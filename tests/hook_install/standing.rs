//! Sessions that stand at an error since before an install are named.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::home::{Home, US, ran};

const THROTTLE: &str =
    "API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited";

#[test]
fn sessions_that_stand_at_an_error_are_named() {
    let home = Home::new();
    let session = |n: u32, pid: u32, cwd: &str, lines: &[Value]| {
        let id = format!("0b6f34c5-0c7a-4a1e-9b57-d6f1a8f2c00{n}");
        let state = json!({"pid": pid, "sessionId": id, "cwd": cwd, "startedAt": 1});
        home.write(&format!(".claude/sessions/{pid}.json"), state.to_string());
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        let lines = lines.join("\n") + "\n";
        home.write(&format!(".claude/projects/-any/{id}.jsonl"), lines);
    };
    let line = |kind: &str, n: u32, text: &str, error: bool| {
        json!({"type": kind, "uuid": format!("u{n}"), "sessionId": "s", "isApiErrorMessage": error,
            "timestamp": format!("2026-01-01T00:00:0{n}.000Z"),
            "message": {"content": [{"type": "text", "text": text}]}})
    };
    let user = line("user", 1, "hello", false);
    let failed = |text: &str| [user.clone(), line("assistant", 2, text, true)];
    // Processes that live for as long as the test holds their stdin.
    let mut cats: Vec<_> = (0..5)
        .map(|_| {
            let mut cat = Command::new("cat");
            cat.stdin(Stdio::piped()).stdout(Stdio::null());
            cat.spawn().expect("cat runs")
        })
        .collect();
    let pid = |n: usize| cats[n].id();
    session(0, pid(0), "/elsewhere/standing", &failed(THROTTLE));
    session(
        1,
        pid(1),
        "/elsewhere/limit",
        &failed("You've hit your session limit · resets 4:04am (UTC)"),
    );
    let mut on = failed(THROTTLE).to_vec();
    on.push(line("user", 3, "continue", false));
    session(2, pid(2), "/elsewhere/went-on", &on);
    session(
        3,
        pid(3),
        "/elsewhere/cut",
        &failed("API Error: Connection lost mid-response. The response above may be incomplete."),
    );
    session(
        4,
        i32::MAX.unsigned_abs(),
        "/elsewhere/dead",
        &failed(THROTTLE),
    );
    // Another process has the number now.
    let reused = json!({"pid": pid(4), "sessionId": "0b6f34c5-0c7a-4a1e-9b57-d6f1a8f2c000",
        "cwd": "/elsewhere/reused", "startedAt": 1, "procStart": "1"});
    if cfg!(target_os = "linux") {
        home.write(
            &format!(".claude/sessions/{}.json", pid(4)),
            reused.to_string(),
        );
    }
    home.write(".claude/sessions/notes.json", "{}");

    let mut command = home.command(Path::new(US), &["install", "--yes"]);
    command.env("CLAUDE_RETRY_RETRY_ON", "throttle,overloaded");
    let install = ran(command);
    for cat in &mut cats {
        drop(cat.stdin.take());
        cat.wait().expect("its end");
    }
    assert_eq!(install.code, 0, "{}", install.stderr);
    let named: Vec<&str> = install
        .stdout
        .lines()
        .filter(|line| line.contains("/elsewhere/"))
        .collect();
    assert_eq!(named.len(), 1, "{}", install.stdout);
    assert!(
        named[0].contains("/elsewhere/standing (") && named[0].ends_with(THROTTLE),
        "{named:?}"
    );
    assert!(install.stdout.contains("type `continue` there"));
}

/// Linux only: elsewhere the environment of another process cannot be read.
#[cfg(target_os = "linux")]
#[test]
fn a_session_under_a_wrapper_is_left_to_it() {
    let home = Home::new();
    let system = portable_pty::native_pty_system();
    let pair = system
        .openpty(portable_pty::PtySize::default())
        .expect("a pty");
    let terminal = pair.master.tty_name().expect("a name");
    let named_under = |wrapper: String| {
        let mut cat = portable_pty::CommandBuilder::new("/bin/cat");
        cat.env("CLAUDE_RETRY", wrapper);
        let mut cat = pair.slave.spawn_command(cat).expect("cat runs");
        let pid = cat.process_id().expect("its number");
        let id = "0b6f34c5-0c7a-4a1e-9b57-d6f1a8f2c000";
        let state = json!({"pid": pid, "sessionId": id, "cwd": "/elsewhere/it", "startedAt": 1});
        home.write(&format!(".claude/sessions/{pid}.json"), state.to_string());
        let error = json!({"type": "assistant", "uuid": "u", "sessionId": "s", "isApiErrorMessage": true,
            "timestamp": "2026-01-01T00:00:01.000Z",
            "message": {"content": [{"type": "text", "text": THROTTLE}]}});
        home.write(
            &format!(".claude/projects/-it/{id}.jsonl"),
            format!("{error}\n"),
        );
        home.run(&["remove", "--yes"]);
        let install = home.run(&["install", "--yes"]);
        cat.kill().expect("it ends");
        cat.wait().expect("its end");
        fs::remove_file(home.path(&format!(".claude/sessions/{pid}.json"))).expect("it");
        install.stdout.contains("/elsewhere/it")
    };
    let (us, terminal) = (std::process::id(), terminal.display());
    assert!(!named_under(format!("{us}:{terminal}")));
    assert!(
        named_under(format!("{us}:/dev/pts/none")),
        "the variable leaked"
    );
    assert!(
        named_under(format!("{}:{terminal}", i32::MAX)),
        "the wrapper is dead"
    );
}
