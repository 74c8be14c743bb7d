//! Seeds, made of the recordings.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use claude_retry::term::Size;
use claude_retry::term::screen::{Row, Screen};

use crate::cast::{Cast, Kind};
use crate::dictionary;
use crate::replay::Replay;

/// A seed of a whole recording is cut into pieces of this many bytes.
const PIECE: usize = 3_000;

/// One fuzz target: what is checked, and what its inputs are made of.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) check: fn(&[u8]),
    pub(crate) dictionary: &'static [&'static [u8]],
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them, as in `fuzz/Cargo.toml`.
pub(crate) const TARGETS: [Target; 5] = [
    Target {
        name: "scan",
        check: crate::properties::scan::check,
        dictionary: dictionary::SCREEN,
        seeds: output,
    },
    Target {
        name: "shadow",
        check: crate::properties::shadow::check,
        dictionary: dictionary::SCREEN,
        seeds: sessions,
    },
    Target {
        name: "keys",
        check: crate::properties::keys::check,
        dictionary: dictionary::KEYS,
        seeds: input,
    },
    Target {
        name: "transcript",
        check: crate::properties::transcript::check,
        dictionary: dictionary::TRANSCRIPT,
        seeds: transcripts,
    },
    Target {
        name: "banner_prompt",
        check: crate::properties::banner_prompt::check,
        dictionary: dictionary::SCREEN,
        seeds: screens,
    },
];

/// The recordings with this ending, in order of their paths.
fn files(ending: &str) -> Vec<PathBuf> {
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

fn casts() -> impl Iterator<Item = Cast> {
    files(".cast").into_iter().map(|path| Cast::read(&path))
}

fn pieces(data: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    data.chunks(PIECE).map(<[u8]>::to_vec)
}

/// What the CLI wrote.
fn output() -> Vec<Vec<u8>> {
    casts()
        .flat_map(|cast| {
            let all: Vec<u8> = cast.output().flatten().copied().collect();
            pieces(&all).collect::<Vec<_>>()
        })
        .collect()
}

/// What was written and typed, read by read, with the time that passed.
fn sessions() -> Vec<Vec<u8>> {
    casts()
        .flat_map(|cast| {
            let mut data = Vec::new();
            let mut last = Duration::ZERO;
            for event in &cast.events {
                let passed = (event.at.saturating_sub(last)).as_millis().isqrt();
                last = event.at;
                let _ = u8::try_from(passed).map(|n| data.extend_from_slice(&[0xff, b't', n]));
                if event.kind == Kind::Input {
                    data.extend_from_slice(b"\xffi");
                    data.extend_from_slice(&event.data);
                    data.extend_from_slice(b"\xffc");
                } else {
                    data.extend_from_slice(&event.data);
                    data.extend_from_slice(b"\xffd");
                }
            }
            let sized = |piece| [resize(cast.size), piece].concat();
            pieces(&data).map(sized).collect::<Vec<_>>()
        })
        .collect()
}

/// What was typed, and, since little of it is more than letters, each token by itself.
fn input() -> Vec<Vec<u8>> {
    let typed = casts().map(|cast| {
        let events = cast.events.into_iter();
        let keys = events.filter(|event| event.kind == Kind::Input);
        keys.flat_map(|event| event.data).collect::<Vec<u8>>()
    });
    let mut seeds: Vec<_> = typed.filter(|keys| !keys.is_empty()).collect();
    seeds.extend(dictionary::KEYS.iter().map(|token| token.to_vec()));
    seeds.push(dictionary::KEYS.concat());
    seeds
}

fn transcripts() -> Vec<Vec<u8>> {
    let files = files(".transcript.jsonl").into_iter();
    files
        .map(|path| fs::read(path).expect("readable"))
        .collect()
}

/// The last screen of each recording, drawn row by row: short, and all of it is in sight.
fn screens() -> Vec<Vec<u8>> {
    casts()
        .map(|cast| {
            let screen = Replay::last_screen(&cast);
            [resize(screen.size), drawn(&screen)].concat()
        })
        .collect()
}

fn resize(size: Size) -> Vec<u8> {
    let cells = |n: u16| u8::try_from(n).expect("a small terminal");
    vec![0xff, b'r', cells(size.rows), cells(size.cols)]
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
        let next = row.cells[col..].iter().find(|next| next.start != cell.start);
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
