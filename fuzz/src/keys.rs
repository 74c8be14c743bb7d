//! The reader of the user's input.

use claude_retry::supervisor::keys::{Kind, Piece, Reader, decrpm};

use super::Dice;

/// The pieces' bytes are the input, and any cut gives the same pieces.
pub fn check(data: &[u8]) {
    let whole = read(&[data]);
    let bytes: Vec<&[u8]> = data.chunks(1).collect();
    let single = read(&bytes);
    assert_eq!(
        joined(&single.pieces),
        joined(&whole.pieces),
        "byte by byte"
    );
    let pieces = Dice::of(data).cut(data, 16);
    let cut = read(&pieces);
    assert_eq!(joined(&cut.pieces), joined(&whole.pieces), "in pieces");
    let mut end = 0;
    for (piece, state) in pieces.iter().zip(&cut.states) {
        end += piece.len();
        assert_eq!(*state, single.states[end - 1], "state at {end}");
    }
    for piece in &whole.pieces {
        let _ = decrpm(piece);
    }
}

/// What came of some reads.
struct Read {
    pieces: Vec<Piece>,
    /// Behind each read: was something kept, was a paste open?
    states: Vec<(bool, bool)>,
}

fn read(reads: &[&[u8]]) -> Read {
    let mut reader = Reader::default();
    let mut pieces = Vec::new();
    let mut states = Vec::new();
    let mut given = 0;
    for bytes in reads {
        given += bytes.len();
        reader.feed(bytes, &mut pieces);
        let out: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
        assert!(out <= given, "more came out than went in");
        assert_eq!(out < given, reader.pending(), "kept, or not, as it says");
        states.push((reader.pending(), reader.in_paste()));
    }
    reader.flush(&mut pieces);
    assert!(!reader.pending(), "something is kept behind a flush");
    assert!(
        pieces.iter().all(|piece| !piece.bytes.is_empty()),
        "an empty piece"
    );
    let out: Vec<u8> = bytes_of(&pieces);
    assert_eq!(out, reads.concat(), "the bytes");
    Read { pieces, states }
}

fn bytes_of(pieces: &[Piece]) -> Vec<u8> {
    let bytes = pieces.iter().flat_map(|piece| &piece.bytes);
    bytes.copied().collect()
}

/// Reads may cut text: it is joined.
fn joined(pieces: &[Piece]) -> Vec<Piece> {
    let mut all: Vec<Piece> = Vec::new();
    for piece in pieces {
        match all.last_mut() {
            Some(last) if last.kind == Kind::Text && piece.kind == Kind::Text => {
                last.bytes.extend_from_slice(&piece.bytes);
            }
            _ => all.push(piece.clone()),
        }
    }
    all
}
