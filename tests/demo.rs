//! `ctl demo`, whole, in a real pty: the wrapper, its monitor and the fake CLI.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/pty.rs"]
mod pty;

use std::path::Path;
use std::process::Command;

use pty::{CLAUDE_RETRY, Terminal};

fn demo(tmp: &Path) -> Command {
    let mut command = pty::settled(Command::new(CLAUDE_RETRY), "/nonexistent".as_ref());
    command
        .args(["ctl", "demo"])
        .env("TMPDIR", tmp)
        .env("LANG", "C.UTF-8")
        // A visitor's own settings do not spoil it.
        .env("CLAUDE_RETRY_CAP", "a long while")
        .env("CLAUDE_RETRY_BAR", "off");
    command
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder)
        .expect("a folder")
        .next()
        .is_none()
}

#[test]
fn a_visitor_sees_the_bar_the_wait_and_the_resume_twice() {
    let tmp = tempfile::tempdir().expect("a folder");
    let mut terminal = Terminal::start(demo(tmp.path()));
    terminal.expect("Rate limited");
    terminal.expect("throttled · retry 1/6");
    terminal.expect("esc to interrupt");
    terminal.expect("throttled · retry 2/6");
    terminal.expect("esc to interrupt");
    terminal.expect("nobody at the keyboard");
    terminal.expect("Now type claude-retry instead of claude.");
    let (output, status) = terminal.finish();
    assert!(status.success());
    let text = String::from_utf8_lossy(&output);
    let end = text
        .rfind("\x1b[?1049l")
        .expect("the alternate screen is left");
    assert!(text[end..].contains("That was claude-retry"));
    assert!(is_empty(tmp.path()), "nothing is left behind");
}

#[test]
fn ctrl_c_cancels_the_wait_and_twice_more_leaves() {
    let tmp = tempfile::tempdir().expect("a folder");
    let mut terminal = Terminal::start(demo(tmp.path()));
    terminal.expect("throttled · retry 1/6");
    terminal.send(b"\x03");
    // Only cells that change are drawn anew: the words are not in one piece, the glyph is.
    terminal.expect("○");
    terminal.send(b"\x03");
    terminal.expect("again to leave");
    terminal.send(b"\x03");
    let (output, status) = terminal.finish();
    assert!(status.success());
    assert!(!String::from_utf8_lossy(&output).contains("That was claude-retry"));
    assert!(is_empty(tmp.path()));
}
