//! Seeds, made of the recordings.

use std::fs;
use std::time::Duration;

use crate::cast::Kind;
use crate::dictionary;
use crate::properties::step::resize;
use crate::recorded::{casts, drawn, files, last_screens};

/// A seed of a whole recording is cut into pieces of this many bytes.
const PIECE: usize = 3_000;

/// One fuzz target: what is checked, and what its inputs are made of.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) check: fn(&[u8]),
    pub(crate) dictionary: &'static [&'static [u8]],
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    /// How many mutated seeds are tried: a second or two each.
    pub(crate) cases: usize,
}

/// All of them, as in `fuzz/Cargo.toml`.
pub(crate) const TARGETS: [Target; 5] = [
    Target {
        name: "scan",
        check: crate::properties::scan::check,
        dictionary: dictionary::SCREEN,
        seeds: output,
        cases: 2_000,
    },
    Target {
        name: "shadow",
        check: crate::properties::shadow::check,
        dictionary: dictionary::SCREEN,
        seeds: sessions,
        cases: 600,
    },
    Target {
        name: "keys",
        check: crate::properties::keys::check,
        dictionary: dictionary::KEYS,
        seeds: input,
        cases: 20_000,
    },
    Target {
        name: "transcript",
        check: crate::properties::transcript::check,
        dictionary: dictionary::TRANSCRIPT,
        seeds: transcripts,
        cases: 2_000,
    },
    Target {
        name: "banner_prompt",
        check: crate::properties::banner_prompt::check,
        dictionary: dictionary::SCREEN,
        seeds: screens,
        cases: 1_500,
    },
];

fn pieces(data: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    data.chunks(PIECE).map(<[u8]>::to_vec)
}

/// What the CLI wrote, and a string that is longer than what is kept of one.
fn output() -> Vec<Vec<u8>> {
    let clipboard = [&b"\x1b]52;c;"[..], &[b'A'; 5_000], b"\x07"].concat();
    let recorded = casts().flat_map(|cast| {
        let all: Vec<u8> = cast.output().flatten().copied().collect();
        pieces(&all).collect::<Vec<_>>()
    });
    recorded.chain([clipboard]).collect()
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
            let sized = |piece: Vec<u8>| [&resize(cast.size)[..], &piece].concat();
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

/// The recorded ones, and lines that no recording has.
fn transcripts() -> Vec<Vec<u8>> {
    let files = files(".transcript.jsonl").into_iter();
    let recorded = files.map(|path| fs::read(path).expect("readable"));
    let lines = dictionary::TRANSCRIPT_LINES.iter();
    let mut made: Vec<_> = lines.map(|line| [line, &b"\n"[..]].concat()).collect();
    made.push(made.concat());
    recorded.chain(made).collect()
}

/// The last screen of each recording, drawn row by row: short, and all of it is in sight.
fn screens() -> Vec<Vec<u8>> {
    last_screens()
        .iter()
        .map(|screen| [&resize(screen.size)[..], &drawn(screen)].concat())
        .collect()
}
