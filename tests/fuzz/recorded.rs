//! The recordings, all of them, and their last screens as bytes.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use claude_retry::term::screen::{Row, Screen};

use crate::cast::Cast;
use crate::replay::Replay;

/// The recordings with this ending, in order of their paths.
pub(crate) fn files(ending: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut folders = vec![root];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the fixtures are there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(files.len() > 100, "{} files {ending}", files.len());
    files
}

/// All recordings.
pub(crate) fn casts() -> impl Iterator<Item = Cast> {
    files(".cast").into_iter().map(|path| Cast::read(&path))
}

/// The last screen of each recording.
pub(crate) fn last_screens() -> Vec<Screen> {
    casts().map(|cast| Replay::last_screen(&cast)).collect()
}

/// The bytes that draw a screen.
pub(crate) fn drawn(screen: &Screen) -> Vec<u8> {
    let mut text = String::from("\x1b[?2004h\x1b[H\x1b[2J");
    if !screen.title.is_empty() {
        let _ = write!(text, "\x1b]0;{}\x07", screen.title);
    }
    for (at, row) in screen.rows.iter().enumerate() {
        if !row.text.is_empty() {
            let _ = write!(text, "\x1b[{};1H{}", at + 1, attributed(row));
        }
    }
    let (row, col) = screen.cursor;
    let _ = write!(text, "\x1b[{};{}H", row + 1, col + 1);
    text.push_str(if screen.cursor_hidden {
        "\x1b[?25l"
    } else {
        "\x1b[?25h"
    });
    text.into_bytes()
}

/// A row's text with what the readers know of its looks.
fn attributed(row: &Row) -> String {
    let mut text = String::new();
    let mut look = (false, false, false);
    for (col, cell) in row.cells.iter().enumerate() {
        let start = cell.start as usize;
        if col > 0 && row.cells[col - 1].start == cell.start {
            continue;
        }
        let next = row.cells[col..]
            .iter()
            .find(|next| next.start != cell.start);
        let end = next.map_or(row.text.len(), |next| next.start as usize);
        let now = (cell.dim, cell.inverse, cell.filled);
        if now != look {
            look = now;
            text.push_str("\x1b[0");
            for (on, code) in [(now.0, ";2"), (now.1, ";7"), (now.2, ";48;5;237")] {
                text.push_str(if on { code } else { "" });
            }
            text.push('m');
        }
        text.push_str(&row.text[start..end]);
    }
    if look != (false, false, false) {
        text.push_str("\x1b[0m");
    }
    text
}
