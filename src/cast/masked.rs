//! The user's input without what was written: each character of text becomes `x`.

use crate::supervisor::keys::{Kind, Reader};

const PASTE_BEGIN: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";
/// Stands for a character.
const MASK: u8 = b'x';

/// Masks input as it comes. Keys that are no text keep their bytes, Enter, Esc, Ctrl and arrows among them, and so
/// do the brackets of a paste, mouse, focus and the terminal's short answers. Left out are releases of keys, which
/// name the key, and answers that may hold the clipboard or a title.
#[derive(Debug, Default)]
pub struct Mask {
    keys: Reader,
    in_paste: bool,
    /// What may be the beginning of the paste's end.
    kept: Vec<u8>,
}

impl Mask {
    /// Takes input and gives what may be kept of it.
    pub fn feed(&mut self, input: &[u8]) -> Vec<u8> {
        let mut pieces = Vec::new();
        self.keys.feed(input, &mut pieces);
        self.mask(pieces)
    }

    /// Is an unfinished key kept, perhaps an Esc alone?
    pub fn pending(&self) -> bool {
        self.keys.pending()
    }

    /// Nothing more of that key comes.
    pub fn flush(&mut self) -> Vec<u8> {
        let mut pieces = Vec::new();
        self.keys.flush(&mut pieces);
        self.mask(pieces)
    }

    fn mask(&mut self, pieces: Vec<crate::supervisor::keys::Piece>) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in pieces {
            match piece.kind {
                Kind::Text => self.text(&piece.bytes, &mut out),
                Kind::Release => {}
                Kind::Reply if is_string(&piece.bytes) => {}
                Kind::Enter
                | Kind::CtrlC
                | Kind::CtrlZ
                | Kind::Key
                | Kind::Pointer
                | Kind::CursorReport(..)
                | Kind::Reply => out.extend_from_slice(&piece.bytes),
            }
        }
        out
    }

    /// Text, a paste with its brackets, and keys that tell their text in a sequence.
    fn text(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut bytes = [std::mem::take(&mut self.kept), bytes.to_vec()].concat();
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            if self.in_paste {
                if rest.starts_with(PASTE_END) {
                    self.in_paste = false;
                    out.extend_from_slice(PASTE_END);
                    at += PASTE_END.len();
                } else if PASTE_END.starts_with(rest) {
                    self.kept = bytes.split_off(at);
                    return;
                } else {
                    at += 1;
                    put(rest[0], out);
                }
            } else if rest.starts_with(PASTE_BEGIN) {
                self.in_paste = true;
                out.extend_from_slice(PASTE_BEGIN);
                at += PASTE_BEGIN.len();
            } else if rest[0] == 0x1b {
                // CSI … final byte, or SS3 and a letter.
                let end = rest
                    .iter()
                    .skip(2)
                    .position(|byte| (0x40..0x7f).contains(byte));
                at += end.map_or(rest.len(), |end| end + 3);
                out.push(MASK);
            } else {
                at += 1;
                put(rest[0], out);
            }
        }
    }
}

/// One mark a character: the bytes behind its first give none.
fn put(byte: u8, out: &mut Vec<u8>) {
    if !(0x80..0xc0).contains(&byte) {
        out.push(MASK);
    }
}

/// OSC, DCS or APC; XTVERSION, the terminal's name, is no secret.
fn is_string(bytes: &[u8]) -> bool {
    !bytes.starts_with(b"\x1b[") && !bytes.starts_with(b"\x1bP>|")
}
