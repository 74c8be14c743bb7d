//! What is sent through.

use std::path::Path;

use claude_retry::cast::{Cast, What};

/// The size of one bulk transfer.
pub const BULK: usize = 64 << 20;
/// One frame of a large screen.
pub const FRAME: usize = 100_000;
/// A large paste.
pub const PASTE: usize = 1 << 20;

/// Lines of printable ASCII, 79 columns each.
pub fn ascii() -> Vec<u8> {
    let line = |n: usize| {
        let text =
            (0..79).map(move |at| b'!' + u8::try_from((n * 7 + at) % 94).unwrap_or_default());
        text.chain(*b"\r\n")
    };
    (0..1000).flat_map(line).collect()
}

/// What the real CLI writes: its recordings one after another, both renderers, with their frames, colours and
/// cursor moves.
pub fn ansi() -> Vec<u8> {
    let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recordings");
    let mut bytes = Vec::new();
    for name in [
        "2.1.330/throttle-long-talk.cast",
        "2.1.330/queued-message.cast",
        "2.1.145/throttle-after-tool.cast",
        "2.1.145/queued-message.cast",
        "2.1.250-inline/throttle.cast",
    ] {
        let path = recordings.join(name);
        let file =
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let cast = Cast::read(&file).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for event in cast.events {
            if let What::Output(data) = event.what {
                bytes.extend(data);
            }
        }
    }
    bytes
}

/// `length` bytes, the pattern over and over.
pub fn repeated(pattern: &[u8], length: usize) -> Vec<u8> {
    pattern.iter().copied().cycle().take(length).collect()
}
