//! `ctl demo`, as a newcomer sees it.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/pty.rs"]
mod pty;

use std::path::Path;
use std::process::{Command, Stdio};

use pty::{CLAUDE_RETRY, Terminal};
use rustix::process::Signal;

/// The demo with temporary files below `tmp`.
fn demo(tmp: &Path) -> Command {
    let mut command = pty::bare(CLAUDE_RETRY);
    command.args(["ctl", "demo"]);
    set_up(&mut command, tmp);
    command
}

/// The demo in a shell that tells the terminal's attributes before and after, and the exit code.
fn demo_in_a_shell(tmp: &Path) -> Terminal {
    let mut command = pty::bare("/bin/sh");
    command.args([
        "-c",
        r#"echo before=$(stty -g); "$W" ctl demo; echo code=$?; echo after=$(stty -g)"#,
    ]);
    set_up(&mut command, tmp);
    Terminal::start(command)
}

/// Settings of the user's that would spoil it, were they obeyed.
fn set_up(command: &mut Command, tmp: &Path) {
    let config = tmp.join("config/claude-retry");
    std::fs::create_dir_all(&config).expect("folders");
    std::fs::write(config.join("config.toml"), "no such = thing\n").expect("a file");
    std::fs::create_dir_all(tmp.join("tmp")).expect("a folder");
    command
        .env("TMPDIR", tmp.join("tmp"))
        .env("XDG_CONFIG_HOME", tmp.join("config"))
        .env("CLAUDE_RETRY_W", "no such setting")
        .env("CLAUDE_RETRY_BAR", "off")
        .env("W", CLAUDE_RETRY)
        .env("LC_ALL", "C.UTF-8")
        .env_remove("NO_COLOR");
}

/// Nothing is left behind.
fn is_empty(tmp: &Path) -> bool {
    let left = std::fs::read_dir(tmp.join("tmp")).expect("the folder");
    left.count() == 0
}

/// The message in the conversation; in the prompt a no-break space stands behind the sign.
const RESUME: &str = "❯ continue ";

#[test]
fn it_is_throttled_twice_and_resumed_twice_with_nobody_at_the_keyboard() {
    let tmp = tempfile::tempdir().expect("a folder");
    let mut terminal = demo_in_a_shell(tmp.path());
    let before = terminal.value("before");
    terminal.expect("\x1b[?1049h");
    terminal.expect("a stand-in for Claude Code");
    terminal.expect("fix the flaky test");
    for attempt in ["retry 1/6", "retry 2/6"] {
        terminal.expect("API Error: Server is temporarily limiting requests");
        terminal.expect("throttled");
        terminal.expect(attempt);
        terminal.expect(RESUME);
    }
    terminal.expect("What was real is claude-retry");
    terminal.expect("\x1b[?1049l");
    terminal.expect("Throttled twice, resumed twice");
    assert_eq!(terminal.value("code"), "0");
    assert_eq!(terminal.value("after"), before);
    let (output, _) = terminal.finish();
    let count = |text: &str| {
        let windows = output.windows(text.len());
        windows.filter(|window| *window == text.as_bytes()).count()
    };
    assert_eq!(count("retry 3/6"), 0);
    assert!(is_empty(tmp.path()));
}

#[test]
fn ctrl_c_cancels_the_wait_and_twice_more_leaves() {
    let tmp = tempfile::tempdir().expect("a folder");
    let mut terminal = demo_in_a_shell(tmp.path());
    let before = terminal.value("before");
    terminal.expect("retry 1/6");
    terminal.send(b"\x03");
    terminal.expect("cancel");
    terminal.send(b"\x03");
    terminal.expect("Press Ctrl-C again");
    terminal.send(b"\x03");
    terminal.expect("You left the demo.");
    assert_eq!(terminal.value("code"), "0");
    assert_eq!(terminal.value("after"), before);
    assert!(is_empty(tmp.path()));
}

#[test]
fn a_signal_ends_it_cleanly() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let tmp = tempfile::tempdir().expect("a folder");
        let mut terminal = Terminal::start(demo(tmp.path()));
        terminal.expect("retry 1/6");
        pty::kill(&terminal.pid().to_string(), signal);
        terminal.expect("\x1b[?1049l");
        let (_, status) = terminal.finish();
        assert_eq!(status.code(), Some(code), "{signal:?}");
        assert!(is_empty(tmp.path()), "{signal:?}");
    }
}

/// One line that says what it needs, exit 2, and nothing drawn.
fn refusal(mut command: Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let error = String::from_utf8(output.stderr).expect("text");
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn without_a_terminal_it_says_what_it_needs() {
    let tmp = tempfile::tempdir().expect("a folder");
    assert!(refusal(demo(tmp.path())).contains("ctl demo needs a terminal: run it in one"));
    assert!(is_empty(tmp.path()));

    let mut stand_in = Command::new(CLAUDE_RETRY);
    stand_in.args(["ctl", "demo-cli"]);
    assert!(refusal(stand_in).contains("claude-retry ctl demo"));
}

#[test]
fn on_a_dumb_terminal_it_says_what_it_needs() {
    let tmp = tempfile::tempdir().expect("a folder");
    let mut command = demo(tmp.path());
    command.env("TERM", "dumb");
    let mut terminal = Terminal::start(command);
    terminal.expect("a terminal that can be drawn on");
    let (_, status) = terminal.finish();
    assert_eq!(status.code(), Some(2));
}

#[test]
fn under_the_wrapper_it_says_why_not() {
    let tmp = tempfile::tempdir().expect("a folder");
    let mut command = pty::wrapped("/bin/sh");
    command.args(["-c", r#""$D" ctl demo; echo code=$?"#]);
    command.env("D", CLAUDE_RETRY).env("TMPDIR", tmp.path());
    let mut terminal = Terminal::start(command);
    terminal.expect("under claude-retry already");
    assert_eq!(terminal.value("code"), "2");
}
