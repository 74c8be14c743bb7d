//! The child's end is ours: its code, its signal as a shell tells it, its last words.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/pty.rs"]
mod pty;

use std::fs;

use pty::{CLAUDE_RETRY, Terminal, bare, script, wrapped};
use rustix::process::Signal;

fn lines(range: std::ops::Range<u32>, line: impl FnMut(u32) -> String) -> String {
    range.map(line).collect::<Vec<_>>().concat()
}

/// Every code there is: a shell in a terminal runs us once for each, and tells what it saw.
#[test]
fn each_code_from_0_to_255_is_passed_on_and_nothing_else_is_shown() {
    let words = r#"code=$1; while [ $code -lt $2 ]; do
        "$3" -c "exit $code"; echo code=$?; code=$((code + 1)); done"#;
    let start = |from: u32| {
        let args = [&from.to_string(), &(from + 64).to_string(), CLAUDE_RETRY];
        let mut command = script(bare("/bin/sh"), words, &args);
        // The companion hook's folder is not what this is about.
        command.env("CLAUDE_RETRY_HOOK", "off");
        Terminal::start(command)
    };
    let shown: String = [0, 64, 128, 192]
        .map(start)
        .into_iter()
        .map(|terminal| String::from_utf8_lossy(&terminal.finish().0).into_owned())
        .collect();
    let expected = lines(0..256, |code| format!("code={code}\r\n"));
    assert_eq!(shown, expected);
}

#[test]
fn death_by_a_signal_ends_us_with_128_and_its_number() {
    for signal in [
        Signal::TERM,
        Signal::KILL,
        Signal::INT,
        Signal::SEGV,
        Signal::ABORT,
        Signal::QUIT,
        Signal::HUP,
        Signal::PIPE,
        Signal::USR1,
        Signal::ALARM,
    ] {
        let number = signal.as_raw();
        let words = format!("ulimit -c 0; echo last words; kill -{number} $$; sleep 1000");
        let run = |command| Terminal::start(script(command, &words, &[])).finish();
        let (output, status) = run(wrapped("/bin/sh"));
        // A code, not the signal: nothing of ours dumps core, and a shell says the same.
        assert_eq!(status.code(), Some(128 + number), "{signal:?}");
        assert!(output.starts_with(b"last words\r\n"), "{output:?}");
        let (_, bare) = run(bare("/bin/sh"));
        assert_eq!(pty::shell_code(bare), 128 + number, "{signal:?}");
    }
}

/// More than a read of ours, written right before the end, again and again: the end must not overtake it.
#[test]
fn words_written_right_before_the_end_are_all_shown() {
    let tmp = tempfile::tempdir().expect("a folder");
    let file = tmp.path().join("words");
    let words = lines(0..1500, |n| format!("{n:06} last words\n"));
    fs::write(&file, &words).expect("the words");
    let args = [file.to_str().expect("a plain path")];
    for end in ["exit 3", "kill -KILL $$"] {
        for _ in 0..10 {
            let child = format!("stty raw; cat \"$1\"; {end}");
            let (output, _) = Terminal::start(script(wrapped("/bin/sh"), &child, &args)).finish();
            let shown = output.get(..words.len()).unwrap_or(&output);
            assert_eq!(String::from_utf8_lossy(shown), words, "{end}");
        }
    }
}

/// We cannot have read them: we are stopped until the child and its leader are gone. Where a grandchild keeps
/// the terminal open there is no end of file that would tell.
#[test]
fn words_that_nobody_has_read_yet_when_the_child_ends_are_shown() {
    let tmp = tempfile::tempdir().expect("a folder");
    let said = tmp.path().join("said");
    pty::fifo(&said);
    for (who, words) in [
        ("the child", "say"),
        ("the child, with a grandchild", "sleep 1000 & pid=$!; say"),
        (
            "a grandchild",
            "(say; echo > \"$1\"; exec sleep 1000) & pid=$!; read said < \"$1\"",
        ),
    ] {
        let words = format!(
            "say() {{ seq 500; echo last words; }}; \
             us=${{CLAUDE_RETRY%%:*}}; echo us=$us; echo leader=$PPID; echo ready; read line; \
             kill -STOP $us; until grep -q ') T ' /proc/$us/stat; do :; done; \
             {words}; echo pid=$pid; exit 3"
        );
        let args = [said.to_str().expect("a plain path")];
        let mut terminal = Terminal::start(script(wrapped("/bin/sh"), &words, &args));
        let (us, leader) = (terminal.value("us"), terminal.value("leader"));
        terminal.expect("ready");
        terminal.send(b"\n");
        pty::gone(&leader);
        pty::kill(&us, Signal::CONT);
        let (output, status) = terminal.finish();
        let text = String::from_utf8_lossy(&output).replace('\r', "");
        let (_, seen) = text.split_once("ready\n\n").expect("its begin");
        let (seen, pid) = seen.split_once("pid=").expect("its end");
        let mut expected = lines(1..501, |n| format!("{n}\n"));
        expected.push_str("last words\n");
        assert_eq!(seen, expected, "{who}");
        assert_eq!(status.code(), Some(3));
        // As under a shell, it lives on.
        if !pid.trim().is_empty() {
            pty::kill(pid.trim(), Signal::KILL);
            pty::gone(pid.trim());
        }
    }
}

#[test]
fn a_grandchild_that_keeps_the_terminal_does_not_keep_us() {
    let words = "sleep 1000 & echo pid=$!; exit 4";
    let mut terminal = Terminal::start(script(wrapped("/bin/sh"), words, &[]));
    let pid = terminal.value("pid");
    assert_eq!(terminal.finish().1.code(), Some(4));
    // As under a shell, it lives on.
    pty::kill(&pid, Signal::KILL);
    pty::gone(&pid);
}

/// A grandchild that writes for ever must not keep us either.
#[test]
fn a_grandchild_that_floods_the_terminal_does_not_keep_us() {
    let words = "yes & echo pid=$!; exit 4";
    let mut terminal = Terminal::start(script(wrapped("/bin/sh"), words, &[]));
    let pid = terminal.value("pid");
    assert_eq!(terminal.finish().1.code(), Some(4));
    // Nobody has its terminal open any more.
    pty::gone(&pid);
}
