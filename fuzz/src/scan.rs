//! The scanner of the child's output.

use claude_retry::term::scan::{STRING_LIMIT, Scanner, Token};

use super::Dice;

/// Any cut gives the same tokens and the same boundaries, and at a boundary other bytes may be put in.
pub fn check(data: &[u8]) {
    let whole = scan(&[data]);
    let bytes: Vec<&[u8]> = data.chunks(1).collect();
    let single = scan(&bytes);
    assert_eq!(single.tokens, whole.tokens, "byte by byte");
    let mut dice = Dice::of(data);
    let pieces = dice.cut(data, 16);
    let cut = scan(&pieces);
    assert_eq!(cut.tokens, whole.tokens, "in pieces");
    let mut end = 0;
    for (piece, boundary) in pieces.iter().zip(&cut.boundaries) {
        end += piece.len();
        assert_eq!(*boundary, single.boundaries[end - 1], "boundary at {end}");
    }
    put_in(data, &single, &mut dice);
}

/// Puts a sequence in at one of the boundaries: all other tokens stay what they were.
fn put_in(data: &[u8], single: &Scanned, dice: &mut Dice) {
    let places: Vec<usize> = (1..=data.len())
        .filter(|&end| single.boundaries[end - 1])
        .collect();
    if places.is_empty() {
        return;
    }
    let place = places[dice.below(places.len())];
    let (before, after) = data.split_at(place);
    let mut expected = scan(&[before]).tokens;
    expected.push("csi m".into());
    let with = scan(&[before, b"\x1b[m", after]).tokens;
    assert_eq!(with[..expected.len()], expected, "at {place}");
    // What is behind is read as if nothing had been before.
    expected.extend(scan(&[after]).tokens);
    assert_eq!(with, expected, "at {place}");
}

/// What came of some pieces.
struct Scanned {
    /// Tokens in words, neighbouring text joined.
    tokens: Vec<String>,
    /// Was there a boundary behind each piece?
    boundaries: Vec<bool>,
}

fn scan(pieces: &[&[u8]]) -> Scanned {
    let mut scanner = Scanner::new();
    let mut tokens: Vec<String> = Vec::new();
    let mut boundaries = Vec::new();
    let mut in_text = false;
    for piece in pieces {
        scanner.feed(piece, |token| {
            if let Token::Text(text) = token {
                assert!(!text.is_empty(), "empty text");
                assert!(
                    !text.contains(|c: char| c < ' ' || c == '\x7f'),
                    "a control in text: {text:?}"
                );
                match tokens.last_mut().filter(|_| in_text) {
                    Some(last) => last.push_str(text),
                    None => tokens.push(format!("text {text}")),
                }
                in_text = true;
            } else {
                tokens.push(words(&token));
                in_text = false;
            }
        });
        boundaries.push(scanner.at_boundary());
    }
    Scanned { tokens, boundaries }
}

fn words(token: &Token<'_>) -> String {
    match token {
        Token::Csi(csi) if csi.last == b'm' && csi.marker == 0 && csi.param(0, 0) == 0 => {
            assert!(!csi.params.is_empty(), "no parameter");
            match (csi.params.len(), csi.intermediates.is_empty()) {
                (1, true) => "csi m".into(),
                _ => format!("{csi:?}"),
            }
        }
        Token::Osc(data) | Token::Str(_, data) => {
            assert!(data.len() <= STRING_LIMIT, "a string of {}", data.len());
            format!("{token:?}")
        }
        _ => format!("{token:?}"),
    }
}
