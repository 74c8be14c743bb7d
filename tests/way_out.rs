//! However it ends, the user's terminal is as it was: attributes, flags, modes, the screen.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/emulator.rs"]
mod emulator;
#[path = "support/pty.rs"]
mod pty;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;

use alacritty_terminal::term::TermMode;
use emulator::Emulator;
use pty::{CLAUDE_RETRY, Idle, SIZE, Terminal, bare, script, wrapped};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::process::Signal;
use rustix::termios::{Termios, tcgetattr};

/// How the child ends, in its own words, and what the shell tells of it. `$us` is the wrapper.
const ENDS: [(&str, &str); 12] = [
    ("exit 0", "0"),
    ("exit 6", "6"),
    ("kill -KILL $$", "137"),
    ("kill -SEGV $$", "139"),
    ("kill -TERM $$", "143"),
    ("kill -INT $$", "130"),
    ("kill -TERM $us; exec sleep 1000", "143"),
    ("kill -HUP $us; exec sleep 1000", "129"),
    ("kill -INT $us; exec sleep 1000", "130"),
    ("kill -QUIT $us; exec sleep 1000", "131"),
    // It catches the signal, and ends in its own way.
    (
        "trap 'exit 9' TERM; kill -TERM $us; while :; do sleep 0.01; done",
        "9",
    ),
    // It and its leader are killed at once.
    ("kill -KILL $PPID $$", "137"),
];

/// Every attribute, comparable.
fn settings(termios: &Termios) -> String {
    format!("{termios:?}")
}

/// The attributes and the flags of the description that we share with the shell.
fn state(shared: &OwnedFd) -> (String, OFlags) {
    let flags = fcntl_getfl(shared).expect("its flags");
    (settings(&tcgetattr(shared).expect("its attributes")), flags)
}

/// A shell with attributes of its own, which says the code of `$1` that it runs as a child, then holds the
/// terminal until it is told to end: only then there is somebody whose terminal it is.
const SHELL: &str = "ulimit -c 0; stty -ixon intr ^K; echo ready; read go; \
                     \"$@\"; echo code=$?; read go";

#[test]
fn attributes_and_flags_of_the_shared_terminal_are_as_before_after_every_end() {
    for (end, code) in ENDS {
        let idle = Idle::open();
        let shared = idle.shared();
        let child = format!("us=${{CLAUDE_RETRY%%:*}}; stty raw -echo; echo in; read go; {end}");
        let args = [CLAUDE_RETRY, "-c", &child];
        let mut command = script(bare("/bin/sh"), SHELL, &args);
        command.env("CLAUDE_RETRY_PROGRAM", "/bin/sh");
        let mut terminal = idle.start(command);
        terminal.expect("ready");
        let before = state(&shared);
        assert!(!before.1.contains(OFlags::NONBLOCK));
        terminal.send(b"\n");
        terminal.expect("in");
        let within = state(&shared);
        assert_ne!(within.0, before.0, "raw");
        assert_eq!(within.1, before.1, "{end}: the flags are the shell's, too");
        terminal.send(b"\n");
        assert_eq!(terminal.value("code"), code, "{end}");
        assert_eq!(state(&shared), before, "{end}");
    }
}

/// A fault of our own, in builds that have such points: in the loop, beside every guard, and while the terminal is
/// being made raw.
#[cfg(debug_assertions)]
#[test]
fn attributes_and_flags_are_as_before_after_a_panic() {
    for point in ["driver", "uncaught", "raw"] {
        let tmp = tempfile::tempdir().expect("a folder");
        let flag = tmp.path().join("now");
        let idle = Idle::open();
        let shared = idle.shared();
        let child = "echo in; exec sleep 1000";
        let mut command = script(bare("/bin/sh"), SHELL, &[CLAUDE_RETRY, "-c", child]);
        let fault = format!("{point}:1:{}", flag.display());
        command
            .env("CLAUDE_RETRY_PROGRAM", "/bin/sh")
            .env("CLAUDE_RETRY_FAULT", fault);
        let mut terminal = idle.start(command);
        terminal.expect("ready");
        let before = state(&shared);
        if point == "driver" {
            // The loop is at work.
            terminal.send(b"\n");
            terminal.expect("in");
            std::fs::write(&flag, "").expect("a file");
            terminal.send(b"x");
        } else {
            std::fs::write(&flag, "").expect("a file");
            terminal.send(b"\n");
        }
        terminal.expect(&format!("the point {point}"));
        assert_eq!(terminal.value("code"), "125", "{point}");
        assert_eq!(state(&shared), before, "{point}");
    }
}

#[test]
fn a_program_that_cannot_be_started_leaves_the_terminal_as_it_was() {
    let tmp = tempfile::tempdir().expect("a folder");
    let broken = tmp.path().join("broken");
    std::fs::write(&broken, "#!/nonexistent/interpreter\n").expect("a file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&broken, mode).expect("its mode");
    let idle = Idle::open();
    let shared = idle.shared();
    let mut command = script(bare("/bin/sh"), SHELL, &[CLAUDE_RETRY]);
    command.env("CLAUDE_RETRY_PROGRAM", broken);
    let mut terminal = idle.start(command);
    terminal.expect("ready");
    let before = state(&shared);
    terminal.send(b"\n");
    assert_eq!(terminal.value("code"), "126");
    assert_eq!(state(&shared), before);
}

/// What a full-screen program sets, as `printf` has it. The main screen first: each screen has a stack of
/// keyboard flags of its own.
const SETS: &str = r"\033[>1u\033[?2004h\033[>4;2m\033[1;31mmain\033[?1049h\033[H\033[2J\033[>5u\033[>7u\033[=15;1u\033[?1000h\033[?1002h\033[?1003h\033[?1006h\033[?1004h\033[?1h\033[=\033[?25l\033[?7l\033[?5h\033[?1016h\033[?2031h\033[?2027h\033[?2048h\033[?69h\033[4h\033[20h\033[5 q\033[3;9r\033(0\033]8;;http://example.com\033\\text\033]0;title\033\\\033[?2026h";

/// The modes that the emulator does not know, from the bytes: each that was set and not reset.
fn left_on(bytes: &[u8]) -> BTreeSet<String> {
    let mut on = BTreeMap::new();
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut rest = text.as_str();
    while let Some((_, after)) = rest.split_once("\x1b[") {
        rest = after;
        let end = after
            .find(|c: char| matches!(c, '@'..='~'))
            .unwrap_or(after.len());
        let (params, last) = (&after[..end], after[end..].chars().next());
        match (last, params.strip_prefix('?'), params.strip_prefix('>')) {
            (Some(last @ ('h' | 'l')), Some(modes), _) => {
                for mode in modes.split(';') {
                    // These two a terminal starts with.
                    let starts_on = matches!(mode, "7" | "25");
                    on.insert(format!("?{mode}"), (last == 'h') != starts_on);
                }
            }
            (Some('m'), _, Some(keys)) => {
                on.insert(">4".into(), keys.starts_with("4;") && keys != "4;0");
            }
            (Some('q'), _, None) if params.ends_with(' ') => {
                on.insert("cursor".into(), params != "0 ");
            }
            _ => {}
        }
    }
    let left = on.into_iter().filter(|(_, on)| *on);
    left.map(|(mode, _)| mode).collect()
}

/// What is on the screen of a terminal that got these bytes.
fn screen(bytes: &[u8]) -> Emulator {
    let mut emulator = Emulator::new(SIZE.ws_row, SIZE.ws_col);
    emulator.feed(bytes);
    emulator
}

/// A full-screen program that leaves everything on, ends in each way; the shell goes on on the main screen
/// where that was, with every mode as a fresh terminal has it.
#[test]
fn every_mode_is_back_and_the_main_screen_shown_after_every_end() {
    for (end, code) in ENDS {
        let child = format!(
            "us=${{CLAUDE_RETRY%%:*}}; stty raw -echo; printf 'in\\r\\n'; read go; printf '{SETS}'; {end}"
        );
        let words = "ulimit -c 0; seq 30; echo earlier words; \"$@\"; echo \" code=$?\"";
        let mut command = script(bare("/bin/sh"), words, &[CLAUDE_RETRY, "-c", &child]);
        command.env("CLAUDE_RETRY_PROGRAM", "/bin/sh");
        // Its leader has to be known before it is killed.
        let mut terminal = Terminal::start(command);
        terminal.expect("in\r\n");
        terminal.send(b"\n");
        let (output, _) = terminal.finish();
        let text = String::from_utf8_lossy(&output);
        assert!(
            text.contains("\x1b[?1049h"),
            "{end}: it was in the alternate screen"
        );
        assert_eq!(left_on(&output), BTreeSet::new(), "{end}");

        // A shell of some systems says who was killed.
        let mut seen = screen(&output);
        let title = seen.title();
        seen.feed(b"\x1b]0;\x07");
        // What is to be seen: the main screen with its words, none of the other one's.
        let rows: Vec<_> = (1..=30).map(|n| format!("{n}\r\n")).collect();
        let mut expected = rows.concat();
        expected.push_str("earlier words\r\nin\r\n\x1b[1;31mmain\x1b[?1049h\x1b[?1049l\x1b[m");
        let (_, rest) = text.rsplit_once("\x1b[0m").unwrap_or(("", &text));
        let rest = rest.trim_start_matches(|c: char| c != ' ' && c != '\r');
        expected.push_str(rest);
        assert!(
            rest.contains(&format!("code={code}\r\n")),
            "{end}: {rest:?}"
        );
        let mut expected = screen(expected.as_bytes());
        expected.feed(b"\x1b]0;\x07");
        if let Some(difference) = seen.difference(&expected) {
            panic!("{end}: {difference}\n{}", output.escape_ascii());
        }
        assert!(title.is_empty() || title == "title");
        // The other screen's keyboard flags: the next full-screen program finds its own.
        for emulator in [&mut seen, &mut expected] {
            emulator.feed(b"\x1b[?1049h");
        }
        assert_eq!(seen.mode(), expected.mode(), "{end}");
    }
}

#[test]
fn the_modes_of_the_main_screen_are_back_too() {
    let sets = r"\033[>1u\033[=5;1u\033[?1000h\033[?1006h\033[?2004h\033[?25l\033[2;5r\033[?6h\033[4mdraws\033[?2026h";
    for (end, code) in ENDS {
        let child = format!(
            "us=${{CLAUDE_RETRY%%:*}}; stty raw -echo; printf 'in\\r\\n'; read go; printf '{sets}'; {end}"
        );
        let mut command = wrapped("/bin/sh");
        command.args(["-c", &child]);
        let mut terminal = Terminal::start(command);
        terminal.expect("in\r\n");
        terminal.send(b"\n");
        let (output, status) = terminal.finish();
        assert_eq!(pty::shell_code(status).to_string(), code, "{end}");
        assert_eq!(left_on(&output), BTreeSet::new(), "{end}");
        let (seen, fresh) = (screen(&output), screen(b""));
        assert_eq!(
            seen.mode(),
            fresh.mode(),
            "{end}: {}",
            output.escape_ascii()
        );
    }
}

/// Stopped as a job: the shell has its terminal as it was. A child that was stopped with us, and does not know,
/// finds its modes set again; one that stops itself sets them itself.
#[test]
fn at_a_stop_the_modes_are_off_and_fg_sets_them_again() {
    let child = format!(
        "echo us=${{CLAUDE_RETRY%%:*}}; stty raw -echo; printf '{SETS}'; printf drawn; read go; exit 3"
    );
    let words = "set -m; stty=$(stty -g); \"$@\"; echo stopped=$? $([ \"$stty\" = \"$(stty -g)\" ] && echo same); \
                 read go; fg; echo \" done=$?\"";
    let mut command = script(bare("/bin/bash"), words, &[CLAUDE_RETRY, "-c", &child]);
    command.env("CLAUDE_RETRY_PROGRAM", "/bin/sh");
    let mut terminal = Terminal::start(command);
    let us = terminal.value("us");
    terminal.expect("drawn");
    let before = screen(terminal.shown()).mode();
    pty::kill(&us, Signal::TSTP);
    let stopped = format!("{} same", 128 + Signal::STOP.as_raw());
    assert_eq!(terminal.value("stopped"), stopped);
    assert_eq!(left_on(terminal.shown()), BTreeSet::new());
    assert_eq!(screen(terminal.shown()).mode(), screen(b"").mode());

    terminal.send(b"\n");
    // The last of what is set again.
    terminal.expect("\x1b[5 q");
    // These are left to the child's repaint.
    let drawing = TermMode::INSERT | TermMode::LINE_FEED_NEW_LINE;
    let after = screen(terminal.shown()).mode();
    assert_eq!(after | drawing, before | drawing);
    terminal.send(b"\n");
    assert_eq!(terminal.value("done"), "3");
    assert_eq!(left_on(terminal.shown()), BTreeSet::new());
    assert_eq!(screen(terminal.shown()).mode(), screen(b"").mode());
}

#[test]
fn where_the_child_stops_itself_the_shell_has_a_clean_terminal_too() {
    let child = format!("stty raw -echo; printf '{SETS}'; printf drawn; kill -STOP $$; exit 3");
    let words = "set -m; \"$@\"; echo stopped=$?; read go; fg; echo \" done=$?\"";
    let mut command = script(bare("/bin/bash"), words, &[CLAUDE_RETRY, "-c", &child]);
    command.env("CLAUDE_RETRY_PROGRAM", "/bin/sh");
    let mut terminal = Terminal::start(command);
    terminal.expect("drawn");
    terminal.expect("stopped=");
    assert_eq!(left_on(terminal.shown()), BTreeSet::new());
    assert_eq!(screen(terminal.shown()).mode(), screen(b"").mode());
    terminal.send(b"\n");
    assert_eq!(terminal.value("done"), "3");
    assert_eq!(left_on(terminal.shown()), BTreeSet::new());
}
