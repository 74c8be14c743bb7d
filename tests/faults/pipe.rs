//! With no bar: not a byte is lost or doubled either way, and what the child left on is undone.

use std::fmt::Write as _;
use std::fs;

use crate::stage::{Play, Stage};
use crate::terminal::Exit;

/// The alternate screen with all that a program may switch on there; then a stream, then keys, then the end with
/// nothing undone.
const CHILD: &str = r"
stty raw -echo
printf '\033[?1h\033[>5u\033[?1049h\033[>1u\033[=3u\033[?1000h\033[?1006h\033[?1004h\033[?2004h\033[?25l\033[5;20r\033=ready'
dd bs=1 count=1 of=/dev/null 2>/dev/null
printf '\033[?1003h'
cat $1
printf sent
dd bs=1 count=$(wc -c < $2) of=$3 2>/dev/null
printf '\033[1mend'
";

/// Keys of every kind; text, a paste, a mouse report, an answer, an unfinished sequence.
pub(crate) const KEYS: &str = "plain \u{e9}\u{6f22}\x03\x04\x1a\x1b[A\x1b[200~pasted\x1b[201~\x1b[<0;1;1M\x1b[?62c\x1b]11;rgb:0/0/0\x07\x1b[";

/// Text, colours, moves, wide characters, odd ends.
fn stream() -> String {
    let mut text = String::new();
    for n in 0..400 {
        let (row, col) = (n % 24 + 1, n * 7 % 100 + 1);
        let _ = write!(
            text,
            "\x1b[{row};{col}H\x1b[3{}mrow {n} \u{6f22}\u{5b57}\x1b[0m\r\n",
            n % 8
        );
    }
    text + "\x1b[?2026h\x1b[2J\x1b[?2026l\x1b]0;a title\x07\x1b[999;999H\u{6f22}e\u{301}\x1b[?7l\x1b[999"
}

/// How the child ends.
#[derive(Clone, Copy)]
pub(crate) enum End {
    Exit,
    Killed,
}

pub(crate) struct Run {
    pub(crate) stage: Stage,
    pub(crate) exit: Exit,
    /// What the child got.
    pub(crate) got: Vec<u8>,
}

pub(crate) fn play(end: End, wrapped: bool) -> Play {
    let words = match end {
        End::Exit => format!("{CHILD}exit 7"),
        End::Killed => format!("{CHILD}kill -KILL $$"),
    };
    let play = if wrapped {
        Play::wrapped(&words, &[])
    } else {
        Play::bare(&words, &[])
    };
    let files = ["stream", "keys", "got"].map(|name| play.path(name));
    fs::write(&files[0], stream()).expect("the stream");
    fs::write(&files[1], KEYS).expect("the keys");
    play.args(&files)
}

/// Up to the end: `middle` is between the stream and the keys.
pub(crate) fn run(play: Play, middle: impl FnOnce(&Stage)) -> Run {
    let got = play.path("got");
    let stage = play.start();
    let drawn = |text: &str| {
        let history = String::from_utf8_lossy(&stage.terminal.history()).into_owned();
        history.contains(text).then_some(())
    };
    stage.wait("ready", || drawn("ready"));
    stage.strike();
    stage.types("g");
    stage.wait("sent", || drawn("sent"));
    middle(&stage);
    stage.types(KEYS);
    let exit = stage.wait("end", || stage.terminal.exit());
    let got = fs::read(got).expect("what it got");
    Run { stage, exit, got }
}

/// The same on its own: its bytes.
pub(crate) fn bare(end: End) -> Vec<u8> {
    let run = run(play(end, false), |_| {});
    assert_eq!(run.got, KEYS.as_bytes());
    run.stage.terminal.history()
}

#[track_caller]
fn passes_all(end: End, bare: &[u8], point: &str, nth: usize, logged: bool) {
    let run = run(play(end, true).fault(&[(point, nth)]), |stage| {
        if logged {
            stage.fails_at(point);
        }
    });
    let exit = run.stage.ends();
    assert_eq!(exit, run.exit, "{point}");
    let code = match end {
        End::Exit => 7,
        End::Killed => 128 + 9,
    };
    assert_eq!(exit, Exit::Code(code), "{point}");
    assert_eq!(run.got, KEYS.as_bytes(), "{point}: what the child got");
    let history = run.stage.terminal.history();
    let common = history.iter().zip(bare).take_while(|(a, b)| a == b).count();
    assert!(
        common == bare.len(),
        "{point}: from byte {common} on {:?}, not {:?}",
        String::from_utf8_lossy(&history[common..history.len().min(common + 80)]),
        String::from_utf8_lossy(&bare[common..bare.len().min(common + 80)]),
    );
    if logged {
        let failed = run.stage.log.events("failed");
        assert_eq!(failed.len(), 1, "{point}: {failed:?}");
    }
    // Its last words come when all is over.
    run.stage.logs("end");
}

#[test]
fn a_child_that_exits_leaves_nothing_on_whatever_failed() {
    let bare = bare(End::Exit);
    for (point, nth) in [
        ("scan", 1),
        ("shadow", 1),
        ("shadow", 300),
        ("prompt", 1),
        ("banner", 1),
    ] {
        passes_all(End::Exit, &bare, point, nth, true);
    }
}

#[test]
fn a_child_that_is_killed_leaves_nothing_on_whatever_failed() {
    let bare = bare(End::Killed);
    for (point, nth) in [("scan", 2), ("shadow", 2), ("keys", 1), ("banner", 1)] {
        passes_all(End::Killed, &bare, point, nth, true);
    }
}

#[test]
fn a_failure_at_the_very_end_leaves_nothing_on() {
    for end in [End::Exit, End::Killed] {
        let bare = bare(end);
        passes_all(end, &bare, "restore", 1, false);
        passes_all(end, &bare, "log", 1, false);
    }
}
