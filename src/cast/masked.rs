//! The user's input without what was written: each character of text becomes `x`.

use crate::supervisor::keys::{Kind, Reader};

const PASTE_BEGIN: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";
const ESC: u8 = 0x1b;
/// Stands for a character.
const MASK: u8 = b'x';

/// Masks input as it comes. Keys that are no text stay, Enter, Esc, Ctrl and arrows among them, and so do the brackets
/// of a paste, mouse, focus and the terminal's short answers. Left out are releases of keys, which name the key, and
/// answers that may hold the clipboard or a title.
///
/// What is read as one key may be Alt and a bracket with text behind them, so only shapes that no text has are kept:
/// of all else the introducer stays, and `x` stands for each character behind it.
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
                Kind::Reply => {
                    if is_short_reply(&piece.bytes) {
                        out.extend_from_slice(&piece.bytes);
                    }
                }
                Kind::Enter
                | Kind::CtrlC
                | Kind::CtrlZ
                | Kind::Key
                | Kind::Pointer
                | Kind::CursorReport(..) => key(&piece.bytes, &mut out),
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

/// A key that the reader takes for no text.
fn key(bytes: &[u8], out: &mut Vec<u8>) {
    match bytes {
        [byte] if byte.is_ascii_control() => out.push(*byte),
        [ESC, b'[', body @ ..] if is_key(body) => out.extend_from_slice(bytes),
        [ESC, b'[', body @ ..] => {
            if let Some(same) = coded(body) {
                out.extend_from_slice(&same);
            } else {
                let start = 2 + usize::from(body.first() == Some(&b'M'));
                rest(bytes, start, out);
            }
        }
        [ESC, b'O', b'A'..=b'I' | b'M' | b'P'..=b'S'] => out.extend_from_slice(bytes),
        // As newer terminals have it.
        [
            ESC,
            b'O',
            held @ b'2'..=b'8',
            last @ (b'A'..=b'I' | b'P'..=b'S'),
        ] => {
            out.extend_from_slice(b"\x1b[1;");
            out.extend_from_slice(&[*held, *last]);
        }
        [ESC, b'O' | b']' | b'P' | b'_', ..] => rest(bytes, 2, out),
        _ => rest(bytes, 1, out),
    }
}

/// Keeps so many bytes and the control characters behind them.
fn rest(bytes: &[u8], kept: usize, out: &mut Vec<u8>) {
    let (kept, rest) = bytes.split_at(kept.min(bytes.len()));
    out.extend_from_slice(kept);
    for &byte in rest {
        if byte.is_ascii_control() {
            out.push(byte);
        } else {
            put(byte, out);
        }
    }
}

/// Is it a control sequence, from behind `ESC [`, that tells of no character, and has a shape that letters and digits
/// behind Alt and a bracket do not have?
fn is_key(body: &[u8]) -> bool {
    let Some((&last, params)) = body.split_last() else {
        return false;
    };
    match (params, last) {
        // Backtab, arrows, focus; a mouse report without its bytes is none.
        ([], b'M') => false,
        ([], b'A'..=b'Z')
        // The Linux console's function keys.
        | ([b'['], b'A'..=b'E')
        | ([b'1'..=b'9'] | [b'1'..=b'3', b'0'..=b'9'], b'~') => true,
        (_, b'M' | b'm' | b'n' | b'R' | b'A'..=b'Z') => are_fields(params),
        (_, b'~') => are_fields(params) && !params.starts_with(b"27;"),
        _ => false,
    }
}

/// Two numbers or more with a semicolon between them, none of them long; of the second there may be a part (the kind
/// of a key's event). A sign of private use may stand before.
fn are_fields(params: &[u8]) -> bool {
    let params = params.strip_prefix(b"<").unwrap_or(params);
    let params = params.strip_prefix(b"?").unwrap_or(params);
    let is_number =
        |part: &[u8]| (1..=4).contains(&part.len()) && part.iter().all(u8::is_ascii_digit);
    let fields = || params.split(|&byte| byte == b';');
    (2..=3).contains(&fields().count())
        && fields().enumerate().all(|(at, field)| {
            let mut parts = field.split(|&byte| byte == b':');
            parts.next().is_some_and(is_number)
                && (at == 1 || field.iter().all(u8::is_ascii_digit))
                && parts.all(|part| part.len() == 1 && is_number(part))
        })
}

/// The same key of the kitty protocol or of `modifyOtherKeys` without the text that it tells; `x` stands for its
/// character, unless that is typed with Ctrl alone.
fn coded(body: &[u8]) -> Option<Vec<u8>> {
    const CTRL: u32 = 4;
    const LOCKS: u32 = 64 | 128;
    let (&last, params) = body.split_last()?;
    let fields: Vec<&str> = str::from_utf8(params).ok()?.split(';').collect();
    let (code, modifiers) = match (last, &fields[..]) {
        (b'u', [code]) => (*code, "1"),
        (b'~', ["27", modifiers, code]) | (b'u', [code, modifiers] | [code, modifiers, _]) => {
            (*code, *modifiers)
        }
        _ => return None,
    };
    let number = |text: &str| text.split(':').next()?.parse::<u32>().ok();
    let held = number(modifiers).unwrap_or(1);
    let (held, code_point) = (held.clamp(1, 256), number(code)?);
    let is_ctrl = (held - 1) & !LOCKS == CTRL;
    // On other layouts the base key tells which Ctrl it is.
    let base = code.split(':').nth(2).and_then(|base| base.parse().ok());
    let code = match code_point {
        0..0x20 | 0x7f | 0xe000..=0xf8ff => code_point,
        0x20..0x7f if is_ctrl => code_point,
        _ if is_ctrl => base.filter(|base| *base < 0x7f).unwrap_or(u32::from(MASK)),
        _ => u32::from(MASK),
    };
    Some(match (code, held) {
        // A number alone looks like text behind Alt and a bracket.
        (13 | 57414, 1) => b"\r".to_vec(),
        (0x7f, 1) => vec![0x7f],
        _ if last == b'~' => format!("\x1b[27;{held};{code}~").into_bytes(),
        _ => format!("\x1b[{code};{held}u").into_bytes(),
    })
}

/// Device attributes, modes and the like; XTVERSION, the terminal's name, is no secret.
fn is_short_reply(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"\x1bP>|") {
        return bytes.ends_with(b"\x1b\\");
    }
    let Some((last, params)) = bytes.strip_prefix(b"\x1b[").and_then(<[u8]>::split_last) else {
        return false;
    };
    match last {
        b'y' => params
            .strip_prefix(b"?")
            .and_then(|params| params.strip_suffix(b"$"))
            .is_some_and(are_fields),
        b'c' | b'n' | b't' => are_fields(params),
        _ => false,
    }
}
