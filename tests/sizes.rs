//! The child has the terminal's size, in cells and pixels, from its first moment and at every change.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/pty.rs"]
mod pty;

use std::io::{Read, Write};
use std::thread;

use pty::{SIZE, Terminal, script, wrapped};
use rustix::termios::{Winsize, tcgetwinsize};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Not a test: the child of the others. It tells its size as it starts, at every SIGWINCH and at every
/// byte of input; at `q` it ends.
#[test]
fn child_that_tells_its_size() {
    if std::env::var_os("TELL_THE_SIZE").is_none() {
        return;
    }
    let tell = |how: &str| {
        let size = shown(tcgetwinsize(std::io::stdin()).expect("a size"));
        writeln!(std::io::stdout(), "{how}={size}").expect("it is told");
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .expect("a loop");
    runtime.block_on(async {
        let mut changes = signal(SignalKind::window_change()).expect("the signal");
        let (key, mut keys) = mpsc::unbounded_channel();
        thread::spawn(move || {
            for byte in std::io::stdin().lock().bytes().map_while(Result::ok) {
                let _ = key.send(byte);
            }
        });
        tell("start");
        loop {
            tokio::select! {
                _ = changes.recv() => tell("change"),
                byte = keys.recv() => match byte {
                    Some(b'q') | None => break,
                    Some(_) => tell("look"),
                },
            }
        }
    });
    pty::end(0)
}

fn teller() -> Terminal {
    let function = "child_that_tells_its_size";
    Terminal::start(pty::ourselves(wrapped, function, ("TELL_THE_SIZE", "1")))
}

fn shown(size: Winsize) -> String {
    let Winsize {
        ws_row,
        ws_col,
        ws_xpixel,
        ws_ypixel,
    } = size;
    format!("{ws_row} {ws_col} {ws_xpixel} {ws_ypixel}")
}

fn size(ws_row: u16, ws_col: u16, width: u16, height: u16) -> Winsize {
    Winsize {
        ws_row,
        ws_col,
        ws_xpixel: width,
        ws_ypixel: height,
    }
}

#[test]
fn the_child_has_the_size_at_exec_and_at_every_change_pixels_too() {
    let mut terminal = teller();
    assert_eq!(terminal.value("start"), "24 80 800 480");
    for size in [
        size(50, 133, 1330, 1000),
        // Only the pixels: another font.
        size(50, 133, 2660, 2000),
        size(50, 133, 0, 0),
        size(1, 1, 0, 0),
        size(100, 300, u16::MAX, u16::MAX),
        // A terminal that does not know its size.
        size(0, 0, 0, 0),
        SIZE,
    ] {
        terminal.resize(size);
        assert_eq!(terminal.value("change"), shown(size), "told by SIGWINCH");
    }
    terminal.send(b"q\n");
    assert!(terminal.finish().1.success());
}

/// All of them within less than a second: nothing waits between them.
#[test]
fn after_twenty_changes_at_once_the_child_has_the_last_and_saw_none_that_was_never_set() {
    let mut terminal = teller();
    terminal.expect("start=");
    let sizes: Vec<_> = (1..=20)
        .map(|n| size(24 + n, 80 + 3 * n, 801 + n, 480 + 7 * n))
        .collect();
    for size in &sizes {
        terminal.resize(*size);
    }
    let last = shown(sizes[19]);
    let mut seen = Vec::new();
    while seen.last() != Some(&last) {
        seen.push(terminal.value("change"));
    }
    terminal.send(b"?\n");
    assert_eq!(terminal.value("look"), last, "and it stays");
    terminal.send(b"q\n");
    let (output, status) = terminal.finish();
    assert!(status.success());

    let known: Vec<_> = sizes.iter().copied().map(shown).collect();
    let places: Vec<_> = seen
        .iter()
        .map(|size| known.iter().position(|known| known == size))
        .collect();
    assert!(places.iter().all(Option::is_some), "{seen:?}");
    assert!(places.is_sorted(), "in their order: {seen:?}");
    let text = String::from_utf8_lossy(&output).into_owned();
    let told = text.lines().filter_map(|line| line.split_once('='));
    for (how, size) in told.filter(|(how, _)| *how != "start") {
        assert!(known.iter().any(|known| known == size), "{how}={size}");
    }
}

/// It may come before the child is there, or between our first look at the terminal and the loop.
#[test]
fn a_change_while_we_start_is_not_lost() {
    for n in 1..=5 {
        let mut terminal = teller();
        let set = size(30 + n, 90, 0, 0);
        terminal.resize(set);
        let mut seen = terminal.value("start");
        while seen != shown(set) {
            seen = terminal.value("change");
        }
        terminal.send(b"q\n");
        assert!(terminal.finish().1.success());
    }
}

/// The signal goes to the whole foreground group, as by any terminal.
#[test]
fn a_shell_as_the_child_learns_of_a_new_size_by_its_trap() {
    let words = "trap 'echo size=$(stty size); kill $!; exit' WINCH; sleep 1000 & echo ready; wait";
    let mut terminal = Terminal::start(script(wrapped("/bin/sh"), words, &[]));
    terminal.expect("ready");
    terminal.resize(Winsize { ws_row: 30, ..SIZE });
    assert_eq!(terminal.value("size"), "30 80");
}
