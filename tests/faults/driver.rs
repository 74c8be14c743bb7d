//! The loop itself, the way out, the tasks and threads beside it.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::stage::{Play, Stage};
use crate::terminal::Exit;

/// Everything that a program may switch on; it tells of the hangup, for which it waits.
const CHILD: &str = r#"
trap 'printf hung-up > "$1"; exit' HUP
printf '\033[?1049h\033[>5u\033[?1000h\033[?2004h\033[?25l'
stty raw -echo; printf ready
while :; do sleep 1000 & wait; done
"#;

#[track_caller]
fn gone(stage: &Stage, file: &std::path::Path) {
    stage.wait("hangup", || {
        let told = fs::read_to_string(file).unwrap_or_default();
        look_again(stage);
        (told == "hung-up").then_some(())
    });
}

/// A file has no event; the processes' end has none either. No busy loop: it would take a core from them.
fn look_again(stage: &Stage) {
    std::thread::sleep(Duration::from_millis(5));
    stage.ring();
}

#[test]
fn a_failing_loop_hangs_the_child_up_and_says_what_it_was() {
    let play = Play::wrapped(CHILD, &[]);
    let told = play.path("told");
    let stage = play.args(&[&told]).fault(&[("driver", 1)]).start();
    stage.shows("ready");
    stage.strike();
    stage.types("x");
    assert_eq!(stage.ends(), Exit::Code(125));
    gone(&stage, &told);
    let screen = stage.terminal.screen();
    assert!(
        screen.shows("claude-retry: failed to go on"),
        "{}",
        screen.text()
    );
    assert!(screen.shows("the point driver"), "{}", screen.text());
    assert!(!screen.alternate);
    stage.logs("end");
}

#[test]
fn a_failing_loop_leaves_nobody_behind() {
    let words = "trap '' HUP; stty raw -echo; sleep 1000 & printf 'pids=%s %s %s.' $PPID $$ $!; \
                 while :; do wait; done";
    let stage = Play::wrapped(words, &[]).fault(&[("driver", 1)]).start();
    let pids = stage.wait("pids", || {
        let history = String::from_utf8_lossy(&stage.terminal.history()).into_owned();
        let (_, rest) = history.split_once("pids=")?;
        Some(rest.split_once('.')?.0.to_owned())
    });
    stage.strike();
    stage.types("x");
    assert_eq!(stage.ends(), Exit::Code(125));
    for (who, pid) in ["leader", "shell", "sleep"]
        .into_iter()
        .zip(pids.split(' '))
    {
        stage.wait(&format!("end of the {who}, {pid}"), || {
            // In a container nobody may collect it.
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            look_again(&stage);
            (stat.is_empty() || stat.contains(") Z ")).then_some(())
        });
    }
}

/// The panic hook, and what it finds locked.
#[test]
fn a_panic_that_nobody_catches_leaves_raw_mode_before_its_message() {
    for point in ["uncaught", "raw"] {
        let stage = Play::wrapped("sleep 1000", &[])
            .fault_at_once(&[(point, 1)])
            .start();
        assert_eq!(stage.ends(), Exit::Code(125), "{point}");
        let screen = stage.terminal.screen();
        assert!(
            screen.shows(&format!("the point {point}")),
            "{}",
            screen.text()
        );
        // In raw mode the second line would begin where the first has ended.
        if point == "uncaught" {
            let lines = screen.text();
            let message = lines.lines().find(|line| line.contains("the point"));
            assert!(
                message.is_some_and(|line| !line.starts_with(' ')),
                "{lines}"
            );
        }
    }
}

const ECHO: &str = "stty raw -echo; echo \"socket=$CLAUDE_RETRY_SOCKET.\"; dd bs=1 count=4 2>/dev/null | od -c; exit 5";

#[test]
fn a_recording_that_fails_ends_alone() {
    for point in ["recorder", "recorder-thread"] {
        let play = Play::wrapped(ECHO, &[]).before(&["ctl", "record", "--output", "a.cast", "--"]);
        let stage = play.fault(&[(point, 1)]).start();
        stage.shows("socket=");
        stage.strike();
        stage.types("\x03abc");
        stage.shows("003   a   b   c");
        assert_eq!(stage.ends(), Exit::Code(5), "{point}");
        let screen = stage.terminal.screen();
        assert!(
            screen.shows(&format!("the point {point}")),
            "{}",
            screen.text()
        );
        let history = String::from_utf8_lossy(&stage.terminal.history()).into_owned();
        let (session, _) = history
            .split_once("003   a   b   c")
            .expect("the end of the session");
        assert!(!session.contains("panicked"), "{history}");
    }
}

#[test]
fn a_companion_that_fails_ends_alone() {
    for point in ["companion", "companion-task"] {
        let stage = Play::wrapped(ECHO, &[]).fault(&[(point, 1)]).start();
        let socket = stage.wait("socket", || {
            let history = String::from_utf8_lossy(&stage.terminal.history()).into_owned();
            let (_, rest) = history.split_once("socket=")?;
            Some(rest.split_once(".\n")?.0.to_owned())
        });
        stage.strike();
        let mut stream = UnixStream::connect(socket).expect("it listens");
        let call = r#"{"event":"stop","session_id":"s","transcript":"/t","cli":1}"#;
        // It may be gone before it has read the call.
        let _ = stream.write_all(format!("{call}\n").as_bytes());
        stage.types("\x03");
        let told = stage.logs("hook-unavailable");
        let error = told["error"].as_str().unwrap_or_default();
        assert!(error.contains(&format!("the point {point}")), "{error}");
        stage.types("abc");
        stage.shows("003   a   b   c");
        assert_eq!(stage.ends(), Exit::Code(5), "{point}");
        let history = String::from_utf8_lossy(&stage.terminal.history()).into_owned();
        assert!(!history.contains("panicked"), "{history}");
        assert!(stage.log.events("failed").is_empty(), "{point}");
    }
}
