//! Stopping and going on, as a job of a shell.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/pty.rs"]
mod pty;

use std::process::Command;

use pty::{CLAUDE_RETRY, SIZE, Terminal, gone, kill, wrapped};
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

/// Has the shell go on to its `fg`, once we wait for it: `bg` has continued us, and a shell that believes us
/// running would send no SIGCONT.
fn bring_back(terminal: &mut Terminal, us: &str) {
    pty::until(us, "T");
    terminal.send(b"\n");
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
    kill(&us, Signal::TSTP);
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
         echo after=$(stty -g); read key; fg; echo done=$?"#,
    );
    let us = terminal.value("us");
    assert_eq!(terminal.value("stopped"), stopped());
    let before = terminal.value("before");
    terminal.send(b"for the shell\n");
    assert_eq!(terminal.value("key"), "for the shell", "{us} reads nothing");
    assert_eq!(terminal.value("after"), before);
    bring_back(&mut terminal, &us);
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
    kill(&us, Signal::TSTP);
    terminal.send(b"hello\n");
    assert_eq!(terminal.value("line"), "hello");
    assert!(terminal.finish().1.success());
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

/// Nobody told us: we are stopped in raw mode, the child runs on.
#[test]
fn after_a_stop_that_we_did_not_see_fg_brings_the_terminal_and_the_size() {
    let mut terminal = shell(
        "stty raw -echo; sleep 1000 & trap 'echo cont=told; c=1' CONT; trap 'echo size=$(stty size); w=1' WINCH; \
         echo us=${CLAUDE_RETRY%%:*}; while [ -z \"$c\" -o -z \"$w\" ]; do wait; done; kill $!; head -c 3 | od -c; exit 5",
        // An interactive shell would set them back by itself.
        r#"stty=$(stty -g); echo before=$stty; "$W" -c "$C"; echo stopped=$?; stty $stty; read key; fg;
         echo done=$?; echo end=$(stty -g)"#,
    );
    let before = terminal.value("before");
    let us = terminal.value("us");
    kill(&us, Signal::STOP);
    assert_eq!(terminal.value("stopped"), stopped());
    terminal.resize(Winsize {
        ws_row: 31,
        ws_col: 99,
        ..SIZE
    });
    terminal.send(b"\n");
    assert_eq!(terminal.value("size"), "31 99", "it has changed meanwhile");
    terminal.send(b"\x03\x1az");
    terminal.expect("003 032   z");
    assert_eq!(terminal.value("done"), "5");
    assert_eq!(terminal.value("end"), before);
}

#[test]
fn a_stopped_job_that_is_continued_by_kill_waits_for_fg() {
    let mut terminal = shell(
        "echo us=${CLAUDE_RETRY%%:*}; kill -STOP $$; echo back; read line; echo line=$line; exit 3",
        r#""$W" -c "$C"; echo stopped=$?; echo before=$(stty -g); kill -CONT %1; read key; echo key=$key;
         echo after=$(stty -g); read key; fg; echo done=$?"#,
    );
    let us = terminal.value("us");
    assert_eq!(terminal.value("stopped"), stopped());
    let before = terminal.value("before");
    terminal.send(b"for the shell\n");
    assert_eq!(terminal.value("key"), "for the shell");
    assert_eq!(
        terminal.value("after"),
        before,
        "it is the shell's terminal"
    );
    bring_back(&mut terminal, &us);
    terminal.expect("back");
    terminal.send(b"hello\n");
    assert_eq!(terminal.value("line"), "hello");
    assert_eq!(terminal.value("done"), "3");
}

/// While we wait for `fg` the child may run, and stop itself: both it and its leader are continued.
#[test]
fn a_child_that_stops_itself_while_we_are_in_the_background_is_continued_by_fg() {
    let tmp = tempfile::tempdir().expect("a folder");
    let stops = tmp.path().join("stops");
    pty::fifo(&stops);
    let mut terminal = shell(
        &format!(
            "echo us=${{CLAUDE_RETRY%%:*}}; echo leader=$PPID; read go < {}; kill -STOP $$; echo back; exit 3",
            stops.display()
        ),
        r#""$W" -c "$C"; echo stopped=$?; bg; echo bg; read key; fg; echo done=$?"#,
    );
    let (us, leader) = (terminal.value("us"), terminal.value("leader"));
    kill(&us, Signal::STOP);
    assert_eq!(terminal.value("stopped"), stopped());
    // The terminal is raw still: nobody could put it right at that stop.
    terminal.expect("bg\n");
    std::fs::write(&stops, "go\n").expect("it goes");
    pty::until(&leader, "T");
    bring_back(&mut terminal, &us);
    terminal.expect("back");
    assert_eq!(terminal.value("done"), "3");
    gone(&us);
}

/// Nothing was stopped: a SIGCONT out of the blue does no harm.
#[test]
fn a_sigcont_out_of_the_blue_does_no_harm() {
    let mut terminal = shell(
        "echo us=${CLAUDE_RETRY%%:*}; for n in 1 2 3; do read line; echo line=$line; done; exit 3",
        r#""$W" -c "$C"; echo done=$?"#,
    );
    let us = terminal.value("us");
    for word in ["one", "two", "three"] {
        kill(&us, Signal::CONT);
        terminal.send(format!("{word}\n").as_bytes());
        assert_eq!(terminal.value("line"), word);
    }
    assert_eq!(terminal.value("done"), "3");
}

/// As at a prompt: the keys go through us, the words through the shell.
#[test]
fn an_interactive_shell_stops_and_continues_it() {
    let mut bash = pty::settled(Command::new("/bin/bash"), "/bin/sh".as_ref());
    bash.args(["--norc", "--noprofile", "-i"])
        .env("W", CLAUDE_RETRY)
        .env("PS1", "prompt> ")
        .env(
            "C",
            "echo us=${CLAUDE_RETRY%%:*}; while read line; do echo line=$line; [ $line = stop ] && kill -TSTP 0; done; exit 3",
        );
    let mut terminal = Terminal::start(bash);
    terminal.expect("prompt> ");
    terminal.send(b"\"$W\" -c \"$C\"\n");
    let us = terminal.value("us");
    for round in 1..=3 {
        terminal.send(b"stop\n");
        assert_eq!(terminal.value("line"), "stop", "round {round}");
        terminal.expect("prompt> ");
        terminal.send(b"echo \"state=$(jobs -s | wc -l)\"\n");
        assert_eq!(pty_value(&mut terminal, "state"), "1");
        terminal.expect("prompt> ");
        terminal.send(b"bg\n");
        terminal.expect("prompt> ");
        pty::until(&us, "T");
        terminal.send(b"fg\n");
        terminal.expect("\"$C\"");
        terminal.send(b"on\n");
        assert_eq!(terminal.value("line"), "on", "round {round}");
    }
    terminal.send(b"\x04");
    terminal.expect("prompt> ");
    terminal.send(b"echo code=$?\n");
    assert_eq!(pty_value(&mut terminal, "code"), "3");
}

/// A value behind the echo of the words that ask for it.
fn pty_value(terminal: &mut Terminal, name: &str) -> String {
    terminal.expect(&format!("{name}=$"));
    terminal.value(name)
}
