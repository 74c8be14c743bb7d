//! While nothing is wrong the wrapper is not there: the bytes, both ways.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/pty.rs"]
mod pty;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use pty::{Terminal, bare, script, wrapped};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// A megabyte: longer than any buffer on the way.
const LONG: usize = 1 << 20;

/// A generator of its own, so that every run draws the same.
struct Draw(u32);

impl Draw {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }
}

/// Bytes of every kind: all values, text cut in the middle, broken and overlong sequences.
fn odd_bytes() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.extend("ünïcödé 漢字 👩\u{200d}👩\u{200d}👧 e\u{301}\n".as_bytes());
    for broken in [
        &b"\x1b["[..],
        b"\x1b[38;5",
        b"\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19;20;21;22;23;24;25;26;27;28;29;30;31;32;33m",
        b"\x1b[99999999999999999999;4:3:2::m",
        b"\x1b[?25\x1b[?25h\x1b[\x18\x1b[31\x1a\x1b[\x00m\x1b[\nm",
        b"\x1b]0;title without an end",
        b"\x1bP+q544e\x1b\\",
        b"\x1b]8;;http://example.com\x1b\\link\x1b]8;;\x1b\\\x1b]\x1b\\\x1b]0\x07",
        b"\x1b[?2026h\x1b[?1049h\x1b[2J\x1b[999;999H\x1b[?2026l",
        b"\x1b[>0q\x1b[c\x1b[?u\x1b[6n\x1b]52;c;!\x07",
        b"\xe2\x94",
        b"\xff\xfe\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80",
        b"\x1b\x1b\x1b[A\x18\x1a\x9b31m\x90\x9c\x9dtitle\x9c",
        b"\x1b_Gf=100;AAAA\x1b\\\x1b^privacy\x1b\\\x1bXstart\x1b\\\x1b[!p\x1bc",
        b"\x1b(0lqk\x1b(B\x0e\x0f\x1b%G\x1b#8\x1b%@",
    ] {
        bytes.extend_from_slice(broken);
        bytes.extend_from_slice(b"|\n");
    }
    bytes
}

/// A megabyte of a string, ended in each way that there is, and by nothing at all.
fn long_strings() -> Vec<u8> {
    let mut bytes = Vec::new();
    for (start, fill, end) in [
        (&b"\x1b]1337;File=inline=1:"[..], b'A', &b"\x07"[..]),
        (b"\x1b]52;c;", b'=', b"\x1b\\"),
        (b"\x1bPq#0;2;0;0;0", b'~', b"\x1b\\"),
        (b"\x1b_Gf=100;", b'/', b"\x1b\\"),
        (b"\x1bP+q", b'4', b"\x18"),
    ] {
        bytes.extend_from_slice(start);
        bytes.resize(bytes.len() + LONG, fill);
        bytes.extend_from_slice(end);
        bytes.extend_from_slice(b"end\n");
    }
    bytes
}

fn noise(draw: &mut Draw, n: usize) -> impl Iterator<Item = u8> {
    (0..n).map(|_| draw.next().to_le_bytes()[1])
}

/// Nothing is left on at the end, or the way out would undo it.
const NOTHING_LEFT_ON: &[u8] = b"\x18\x1b\\\x1b[?2026l\x1b[?1049l\x1bc";

/// Runs `words` as the child with a file of these bytes as `$1`.
fn shown(command: Command, words: &str, bytes: &[u8], code: i32) -> Vec<u8> {
    let tmp = tempfile::tempdir().expect("a folder");
    let file = tmp.path().join("bytes");
    fs::write(&file, bytes).expect("the bytes");
    let file = file.to_str().expect("a plain path");
    let (output, status) = Terminal::start(script(command, words, &[file])).finish();
    assert_eq!(status.code(), Some(code));
    output
}

/// Where two byte strings differ first, shortly.
fn same(with: &[u8], without: &[u8], what: &str) {
    if with != without {
        let pairs = with.iter().zip(without);
        let at = pairs.take_while(|(a, b)| a == b).count();
        let around = |bytes: &[u8]| {
            let range = at.saturating_sub(20).min(bytes.len())..(at + 20).min(bytes.len());
            bytes[range].escape_ascii().to_string()
        };
        panic!(
            "{what}: {} bytes, not {}; from byte {at}\n{}\nnot\n{}",
            with.len(),
            without.len(),
            around(with),
            around(without)
        );
    }
}

#[test]
fn the_terminal_gets_exactly_the_childs_bytes() {
    let mut draw = Draw(0x2545_f491);
    let mut bytes = odd_bytes();
    bytes.extend(noise(&mut draw, 200_000));
    bytes.extend_from_slice(NOTHING_LEFT_ON);
    let output = shown(
        wrapped("/bin/sh"),
        "stty raw; cat \"$1\"; exit 3",
        &bytes,
        3,
    );
    same(&output, &bytes, "raw");
}

#[test]
fn strings_of_a_megabyte_pass_unchanged() {
    let mut bytes = long_strings();
    bytes.extend_from_slice(NOTHING_LEFT_ON);
    let output = shown(
        wrapped("/bin/sh"),
        "stty raw; cat \"$1\"; exit 3",
        &bytes,
        3,
    );
    same(&output, &bytes, "strings");
}

/// The inner terminal makes a line's end of `\n` and whatever else its settings say; ours is raw, or it
/// would be done twice.
#[test]
fn cooked_output_is_what_the_childs_own_terminal_makes_of_it() {
    let mut bytes = odd_bytes();
    bytes.extend_from_slice(b"\ta\tb\n\r\n\n\r\x0b\x0c\x08\n");
    bytes.extend_from_slice(NOTHING_LEFT_ON);
    for settings in ["onlcr", "-onlcr", "-opost", "ocrnl", "onlret", "tab3"] {
        let words = format!("stty {settings}; cat \"$1\"; exit 3");
        let with = shown(wrapped("/bin/sh"), &words, &bytes, 3);
        same(&with, &shown(bare("/bin/sh"), &words, &bytes, 3), settings);
    }
    let with = shown(wrapped("/bin/sh"), "cat \"$1\"", b"a\nb\n", 0);
    assert_eq!(with, b"a\r\nb\r\n");
}

/// Not a test: the child that writes the file of its environment in pieces of any length, each a write of
/// its own.
#[test]
fn child_that_writes_in_pieces() {
    let Some(file) = std::env::var_os("WRITE_IN_PIECES") else {
        return;
    };
    let bytes = fs::read(PathBuf::from(file)).expect("the bytes");
    let mut stdout = fs::OpenOptions::new()
        .write(true)
        .open("/dev/tty")
        .expect("the terminal");
    let mut termios = tcgetattr(&stdout).expect("its attributes");
    termios.make_raw();
    tcsetattr(&stdout, OptionalActions::Now, &termios).expect("raw mode");
    stdout.write_all(b"BEGIN").expect("it is shown");
    let mut draw = Draw(0x9e37_79b9);
    let mut left = &bytes[..];
    while !left.is_empty() {
        // Mostly a few bytes, as one key's echo is; now and then a frame.
        let most = if draw.next().is_multiple_of(8) {
            9000
        } else {
            7
        };
        let n = draw.next() as usize % most + 1;
        let (piece, rest) = left.split_at(n.min(left.len()));
        stdout.write_all(piece).expect("it is shown");
        left = rest;
    }
    pty::end(0)
}

#[test]
fn sequences_and_strings_split_anywhere_pass_unchanged() {
    let mut draw = Draw(0x0bad_5eed);
    let mut bytes = Vec::new();
    for _ in 0..40 {
        bytes.extend(odd_bytes());
        let n = draw.next() as usize % 300;
        bytes.extend(noise(&mut draw, n));
    }
    bytes.extend(long_strings());
    bytes.extend_from_slice(NOTHING_LEFT_ON);
    let tmp = tempfile::tempdir().expect("a folder");
    let file = tmp.path().join("bytes");
    fs::write(&file, &bytes).expect("the bytes");
    let child = ("WRITE_IN_PIECES", file.to_str().expect("a plain path"));
    let command = pty::ourselves(wrapped, "child_that_writes_in_pieces", child);
    let (output, status) = Terminal::start(command).finish();
    assert!(status.success());
    let begin = output.windows(5).position(|window| window == b"BEGIN");
    same(
        &output[begin.expect("its begin") + 5..],
        &bytes,
        "in pieces",
    );
}

#[test]
fn the_child_gets_exactly_the_users_bytes() {
    let tmp = tempfile::tempdir().expect("a folder");
    let file = tmp.path().join("got");
    let mut bytes = odd_bytes();
    bytes.extend(noise(&mut Draw(0x2545_f491), 100_000));
    let words = "stty raw -echo; echo ready; head -c \"$1\" > \"$2\"; echo; echo over";
    let args = [
        &bytes.len().to_string(),
        file.to_str().expect("a plain path"),
    ];
    let mut terminal = Terminal::start(script(wrapped("/bin/sh"), words, &args));
    terminal.expect("ready");
    terminal.send(&bytes);
    terminal.expect("over");
    assert!(terminal.finish().1.success());
    same(&fs::read(&file).expect("what it got"), &bytes, "typed");
}

/// A key at a time, with the echo awaited: nothing is held back for more to come.
#[test]
fn each_of_the_256_byte_values_arrives_by_itself() {
    let words = "stty raw -echo; echo ready; while :; do \
                 dd bs=1 count=1 2>/dev/null | od -An -tu1 | tr -dc 0-9; echo .; done";
    let mut terminal = Terminal::start(script(wrapped("/bin/sh"), words, &[]));
    terminal.expect("ready\n");
    for byte in 0..=255u8 {
        terminal.send(&[byte]);
        terminal.expect(&format!("{byte}.\n"));
    }
}

#[test]
fn line_editing_is_the_inner_terminals() {
    let tmp = tempfile::tempdir().expect("a folder");
    let typed = b"abX\x7fc\x16\x03d\n second\x15third\n\x04";
    let run = |command: Command, file: &str| {
        let file = tmp.path().join(file);
        let args = [file.to_str().expect("a plain path")];
        let words = "echo ready; cat > \"$1\"; exit 0";
        let mut terminal = Terminal::start(script(command, words, &args));
        terminal.expect("ready");
        terminal.send(typed);
        (terminal.finish().0, fs::read(&file).expect("what it got"))
    };
    let with = run(wrapped("/bin/sh"), "with");
    assert_eq!(with.1, b"abc\x03d\nthird\n");
    assert_eq!(with, run(bare("/bin/sh"), "without"));
}

/// Ctrl+C and Ctrl+\ are bytes on their way through us; the signal is the inner terminal's.
#[test]
fn the_signals_of_keys_are_the_inner_terminals() {
    for (key, number) in [(b'\x03', 2), (b'\x1c', 3)] {
        let run = |command: Command| {
            let words = "echo ready; exec sleep 1000";
            let mut terminal = Terminal::start(script(command, words, &[]));
            terminal.expect("ready");
            terminal.send(&[key]);
            let (output, status) = terminal.finish();
            (output, pty::shell_code(status))
        };
        let with = run(wrapped("/bin/sh"));
        assert_eq!(with, run(bare("/bin/sh")));
        assert_eq!(with.1, 128 + number);
    }
}
