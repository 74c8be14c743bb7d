//! Stopping, going on and ending, as a job of a shell.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/pty.rs"]
mod pty;

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use pty::{CLAUDE_RETRY, SIZE, Terminal, fifo, gone, patiently, wrapped};
use rustix::process::Signal;
use rustix::termios::Winsize;

/// A job-controlling shell; `$W` is the wrapper around `/bin/sh`. The child's words are in `$C`, for the
/// shell shows the words of a job.
fn shell(child: &str, words: &str) -> Terminal {
    let mut bash = pty::settled(Command::new("/bin/bash"), "/bin/sh".as_ref());
    bash.args(["--norc", "--noprofile", "-c", &format!("set -m; {words}")]);
    bash.env("W", CLAUDE_RETRY).env("C", child);
    Terminal::start(bash)
}

fn child(words: &str) -> Terminal {
    let mut command = wrapped("/bin/sh");
    command.args(["-c", words]);
    Terminal::start(command)
}

fn kill(signal: &str, pid: &str) {
    let signal = match signal {
        "TERM" => Signal::TERM,
        "HUP" => Signal::HUP,
        "INT" => Signal::INT,
        "QUIT" => Signal::QUIT,
        "TSTP" => Signal::TSTP,
        "KILL" => Signal::KILL,
        "CONT" => Signal::CONT,
        other => panic!("no signal {other}"),
    };
    pty::kill(pid, signal);
}

/// 128 + SIGSTOP, by this system's number.
fn stopped() -> String {
    (128 + Signal::STOP.as_raw()).to_string()
}

#[test]
fn a_child_that_stops_itself_stops_the_job_and_fg_brings_both_back() {
    let mut terminal = shell(
        "stty raw -echo; echo words; kill -STOP $$; \
         echo size=$(stty size); head -c 3 | od -c; exit 5",
        r#"echo before=$(stty -g); "$W" -c "$C"; echo stopped=$?; echo after=$(stty -g);
         read key; fg; echo done=$?; echo end=$(stty -g)"#,
    );
    let before = terminal.value("before");
    terminal.expect("words");
    assert_eq!(terminal.value("stopped"), stopped());
    assert_eq!(
        terminal.value("after"),
        before,
        "the shell gets its terminal back"
    );
    terminal.resize(Winsize {
        ws_row: 31,
        ws_col: 99,
        ..SIZE
    });
    terminal.send(b"\n");
    assert_eq!(
        terminal.value("size"),
        "31 99",
        "the size has changed meanwhile"
    );
    terminal.send(b"\x03\x1az");
    terminal.expect("003 032   z");
    assert_eq!(terminal.value("done"), "5");
    assert_eq!(terminal.value("end"), before);
}

/// The CLI's own way, which only works in a group that is not orphaned.
#[test]
fn a_child_that_stops_its_group_with_tstp_stops_the_job() {
    let mut terminal = shell(
        "kill -TSTP 0; echo back; exit 5",
        r#""$W" -c "$C"; echo stopped=$?; fg; echo done=$?"#,
    );
    assert_eq!(terminal.value("stopped"), stopped());
    terminal.expect("back");
    assert_eq!(terminal.value("done"), "5");
}

#[test]
fn it_stops_again_and_again() {
    let mut terminal = shell(
        "for n in 1 2 3; do kill -STOP $$; echo round=$n; done",
        r#""$W" -c "$C"; for n in 1 2 3; do echo stopped=$?; fg; done; echo done=$?"#,
    );
    for n in 1..=3 {
        assert_eq!(terminal.value("stopped"), stopped());
        assert_eq!(terminal.value("round"), n.to_string());
    }
    assert_eq!(terminal.value("done"), "0");
}

#[test]
fn tstp_stops_the_child_first() {
    let mut terminal = shell(
        "echo us=${CLAUDE_RETRY%%:*}; echo child=$$; read line; echo line=$line",
        r#""$W" -c "$C"; echo stopped=$?; read key; fg; echo done=$?"#,
    );
    let (us, child) = (terminal.value("us"), terminal.value("child"));
    kill("TSTP", &us);
    assert_eq!(terminal.value("stopped"), stopped());
    if let Ok(stat) = std::fs::read_to_string(format!("/proc/{child}/stat")) {
        assert!(stat.contains(") T "), "{stat}");
    }
    terminal.send(b"\n");
    // Typed before it runs again; nothing of it is lost.
    terminal.send(b"hello\n");
    assert_eq!(terminal.value("line"), "hello");
    assert_eq!(terminal.value("done"), "0");
}

#[test]
fn in_the_background_it_leaves_the_terminal_alone_until_fg() {
    let mut terminal = shell(
        "echo us=${CLAUDE_RETRY%%:*}; kill -STOP $$; echo back; exit 3",
        r#""$W" -c "$C"; echo stopped=$?; echo before=$(stty -g); bg; read key; echo key=$key;
         echo after=$(stty -g); fg; echo done=$?"#,
    );
    let us = terminal.value("us");
    assert_eq!(terminal.value("stopped"), stopped());
    let before = terminal.value("before");
    terminal.send(b"for the shell\n");
    assert_eq!(terminal.value("key"), "for the shell", "{us} reads nothing");
    assert_eq!(terminal.value("after"), before);
    terminal.expect("back");
    assert_eq!(terminal.value("done"), "3");
}

#[test]
fn where_nobody_can_continue_us_the_child_goes_on() {
    let mut terminal = child(
        "echo us=${CLAUDE_RETRY%%:*}; kill -STOP $$; kill -TSTP 0; echo alive; read line; echo line=$line",
    );
    let us = terminal.value("us");
    terminal.expect("alive");
    kill("TSTP", &us);
    terminal.send(b"hello\n");
    assert_eq!(terminal.value("line"), "hello");
    assert!(terminal.finish().1.success());
}

#[test]
fn signals_are_passed_on_and_the_childs_code_counts() {
    for name in ["TERM", "HUP", "INT", "QUIT"] {
        let mut terminal = child(&format!(
            "trap 'kill $!; echo got {name}; exit 9' {name}; echo us=${{CLAUDE_RETRY%%:*}}; sleep 1000 & echo child=$$; wait"
        ));
        let (us, child) = (terminal.value("us"), terminal.value("child"));
        kill(name, &us);
        terminal.expect(&format!("got {name}"));
        assert_eq!(terminal.finish().1.code(), Some(9), "{name}");
        gone(&child);
    }
}

#[test]
fn a_child_that_ends_by_the_signal_ends_us_with_its_number() {
    let mut terminal = child("echo us=${CLAUDE_RETRY%%:*}; exec sleep 1000");
    let us = terminal.value("us");
    kill("TERM", &us);
    assert_eq!(terminal.finish().1.code(), Some(128 + 15));
}

#[test]
fn a_child_that_will_not_end_is_killed_after_its_grace() {
    let mut terminal = child(
        "trap '' HUP; echo us=${CLAUDE_RETRY%%:*}; echo child=$$; while :; do sleep 1000; done",
    );
    let (us, child) = (terminal.value("us"), terminal.value("child"));
    kill("HUP", &us);
    assert_eq!(terminal.finish().1.code(), Some(128 + 1));
    gone(&child);
}

#[test]
fn last_words_that_nobody_has_read_yet_are_shown() {
    let mut terminal = child(
        "us=${CLAUDE_RETRY%%:*}; echo us=$us; echo leader=$PPID; read line; \
         kill -STOP $us; [ ! -r /proc/$us/stat ] || until grep -q ') T ' /proc/$us/stat; do :; done; \
         echo last words; exit 3",
    );
    let (us, leader) = (terminal.value("us"), terminal.value("leader"));
    terminal.send(b"\n");
    // Both have ended before we get to read a byte.
    gone(&leader);
    kill("CONT", &us);
    let (output, status) = terminal.finish();
    assert!(output.ends_with(b"last words\r\n"));
    assert_eq!(status.code(), Some(3));
}

#[test]
fn a_stopped_job_can_be_ended() {
    let mut terminal = shell(
        "trap 'echo last words; exit 9' TERM; echo us=${CLAUDE_RETRY%%:*}; echo child=$$; kill -STOP $$; read line",
        r#""$W" -c "$C"; echo stopped=$?; kill -TERM %1; read key"#,
    );
    let (us, child) = (terminal.value("us"), terminal.value("child"));
    assert_eq!(terminal.value("stopped"), stopped());
    terminal.expect("last words");
    gone(&child);
    gone(&us);
}

/// Not a test: a terminal in a process of its own, which can be killed with it.
#[test]
fn host_of_a_terminal() {
    let Ok(words) = std::env::var("HOSTED_WORDS") else {
        return;
    };
    let mut terminal = child(&words);
    #[expect(clippy::print_stdout, reason = "the host's report")]
    {
        println!("us={}", terminal.value("us"));
        println!("child={}", terminal.value("child"));
    }
    let _ = std::io::stdin().read(&mut [0]);
}

#[test]
fn the_child_is_hung_up_when_the_terminal_goes_and_when_we_are_killed() {
    let tmp = tempfile::tempdir().expect("a folder");
    for us_too in [false, true] {
        let path = tmp.path().join(format!("told-{us_too}"));
        fifo(&path);
        let words = format!(
            "trap 'kill $!; echo hung up > \"{}\"; exit' HUP; echo us=${{CLAUDE_RETRY%%:*}}; sleep 1000 & echo child=$$; wait",
            path.display()
        );
        let mut host = Command::new(std::env::current_exe().expect("this program"))
            .args(["host_of_a_terminal", "--exact", "--nocapture"])
            .env("HOSTED_WORDS", words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the host");
        let mut lines = BufReader::new(host.stdout.take().expect("its report")).lines();
        let mut value = |name: &str| {
            let mut values = lines.by_ref().map_while(Result::ok);
            values
                .find_map(|line| line.strip_prefix(name).map(str::to_owned))
                .expect("a report")
        };
        let (us, child) = (value("us="), value("child="));
        if us_too {
            kill("KILL", &us);
        } else {
            host.kill().expect("the host ends");
        }
        let told = patiently("the child's word", move || std::fs::read_to_string(path));
        assert_eq!(told.expect("a word"), "hung up\n");
        gone(&child);
        host.kill().expect("the host ends");
        host.wait().expect("the host has ended");
        gone(&us);
    }
}
