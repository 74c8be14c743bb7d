//! The user's input: typed text, paste, mouse, focus, terminal replies; legacy and CSI-u keys.
//!
//! Sequences are cut as ECMA-48 says (CSI: parameters `0x30–0x3f`, intermediates `0x20–0x2f`, a final
//! `0x40–0x7e`); keys are read in xterm's legacy encoding, in xterm's `modifyOtherKeys`
//! (`CSI 27 ; modifiers ; code ~`) and in the kitty keyboard protocol
//! (`CSI code : shifted : base ; modifiers : event ; text u`).
//!
//! Nothing is ever changed or dropped: the pieces' bytes, in order, are the input.

/// What one piece of input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Enter without modifiers: CR, or CSI-u 13 (press or repeat); the keypad's Enter too.
    Enter,
    /// Ctrl+C: 0x03, or CSI-u 99 with ctrl alone.
    CtrlC,
    /// Ctrl+Z: 0x1a, or CSI-u 122 with ctrl alone.
    CtrlZ,
    /// Text that goes into the prompt, pastes included.
    Text,
    /// Another key: arrows, function keys, Esc, Ctrl combinations, Backspace, Tab.
    Key,
    /// A key's release (kitty event type 3), or the press of a bare modifier: never typing.
    Release,
    /// Mouse, focus, a colour scheme report: never typing.
    Pointer,
    /// A cursor position report, `CSI row ; col R`, from 1. A terminal without the kitty protocol may
    /// mean F3 with modifiers by `CSI 1 ; 2 R`: only who has asked knows.
    CursorReport(u16, u16),
    /// Another answer of the terminal to a query (DA, DECRPM, XTVERSION, OSC, DCS, kitty flags…).
    Reply,
}

/// A piece of the input: `bytes[start..end]` of what [`Reader::feed`] was given plus what it kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub kind: Kind,
    /// The very bytes.
    pub bytes: Vec<u8>,
}

/// An answer to DECRQM, `CSI ? mode ; value $ y`: the mode and its value (0 not known, 1 set, 2 reset,
/// 3 always set, 4 always reset).
pub fn decrpm(piece: &Piece) -> Option<(u16, u16)> {
    let params = piece.bytes.strip_prefix(b"\x1b[?")?.strip_suffix(b"$y")?;
    let (mode, value) = str::from_utf8(params).ok()?.split_once(';')?;
    Some((mode.parse().ok()?, value.parse().ok()?))
}

/// An unfinished sequence is given out in pieces of this many bytes: a terminal's answer (OSC 52) may
/// be long, but memory is not for the terminal to take.
const MAX_KEPT: usize = 64 * 1024;

const ESC: u8 = 0x1b;
const PASTE_END: &[u8] = b"\x1b[201~";

/// Where in the input the reader is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Between sequences.
    #[default]
    Ground,
    /// In a character of more than one byte: so many are missing.
    Utf8(u8),
    /// Behind an Esc.
    Escape,
    /// The same, in a character of more than one byte (Alt and that character).
    EscapeUtf8(u8),
    /// Behind `ESC [`.
    Csi,
    /// Behind `ESC [ [`: a function key of the Linux console.
    Console,
    /// Behind `ESC [ M`: so many bytes of a mouse report are missing.
    Mouse(u8),
    /// Behind `ESC O`.
    Ss3,
    /// Behind `ESC ]`, `ESC P` or `ESC _`, nothing of the string read yet.
    StringStart,
    /// In such a string.
    String,
    /// At an Esc in such a string: its end, if a backslash follows.
    StringEscape,
    /// In a bracketed paste: so many bytes of its end have been read.
    Paste(u8),
}

/// Cuts the user's input into pieces, across reads. The pieces' bytes, in order, are the input.
#[derive(Debug, Default)]
pub struct Reader {
    state: State,
    /// The bytes of the unfinished sequence.
    kept: Vec<u8>,
    /// A part of the string that we are in was given out already ([`MAX_KEPT`]).
    given_out: bool,
}

impl Reader {
    /// Takes more input and appends the pieces that are whole. An unfinished sequence is kept.
    ///
    /// Text comes in as few pieces as the reads allow; a paste is given out as it comes, with the
    /// sequences round it.
    pub fn feed(&mut self, input: &[u8], pieces: &mut Vec<Piece>) {
        crate::fault::point("keys");
        let first = pieces.len();
        let mut rest = input;
        while let Some((&byte, after)) = rest.split_first() {
            let plain = self.plain_run(rest);
            if plain == 0 {
                self.step(byte, first, pieces);
                rest = after;
            } else {
                let (run, after) = rest.split_at(plain);
                self.kept.extend_from_slice(run);
                self.give_part(Kind::Text, first, pieces);
                rest = after;
            }
        }
    }

    /// How many bytes from here on are text, with no need to look at each: a paste may be large.
    fn plain_run(&self, input: &[u8]) -> usize {
        let end = match self.state {
            State::Paste(0) => input.iter().position(|&byte| byte == PASTE_END[0]),
            State::Ground => input.iter().position(|byte| !(0x20..0x7f).contains(byte)),
            _ => Some(0),
        };
        end.unwrap_or(input.len())
    }

    /// Is an unfinished sequence kept?
    pub fn pending(&self) -> bool {
        !self.kept.is_empty()
    }

    /// The bytes of the unfinished sequence.
    pub fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// Is a bracketed paste open, its end still to come?
    pub fn in_paste(&self) -> bool {
        matches!(self.state, State::Paste(_))
    }

    /// Gives up waiting for the rest of an unfinished sequence (a lone Esc is a key).
    pub fn flush(&mut self, pieces: &mut Vec<Piece>) {
        if !self.pending() {
            return;
        }
        let kind = match self.state {
            State::Utf8(_) => Kind::Text,
            State::Mouse(_) => Kind::Pointer,
            State::String | State::StringEscape => Kind::Reply,
            _ => Kind::Key,
        };
        let first = pieces.len();
        self.give(kind, first, pieces);
    }

    /// Gives out what is kept, and is between sequences again. Text joins the text before it, from
    /// `first` on.
    fn give(&mut self, kind: Kind, first: usize, pieces: &mut Vec<Piece>) {
        self.state = State::Ground;
        self.given_out = false;
        self.give_part(kind, first, pieces);
    }

    /// Gives out what is kept.
    fn give_part(&mut self, kind: Kind, first: usize, pieces: &mut Vec<Piece>) {
        let bytes = &mut self.kept;
        if bytes.is_empty() {
            return;
        }
        match pieces.get_mut(first..).and_then(<[Piece]>::last_mut) {
            Some(last) if kind == Kind::Text && last.kind == Kind::Text => last.bytes.append(bytes),
            _ => pieces.push(Piece {
                kind,
                bytes: std::mem::take(bytes),
            }),
        }
    }

    fn step(&mut self, byte: u8, first: usize, pieces: &mut Vec<Piece>) {
        match self.state {
            State::Ground => self.ground(byte, first, pieces),
            State::Utf8(missing) => self.utf8(byte, missing, Kind::Text, first, pieces),
            State::Escape => self.escape(byte, first, pieces),
            State::EscapeUtf8(missing) => self.utf8(byte, missing, Kind::Key, first, pieces),
            State::Csi => self.csi(byte, first, pieces),
            State::Console if (0x20..0x7f).contains(&byte) => {
                self.take(byte, Kind::Key, first, pieces);
            }
            State::Mouse(missing) if byte >= 0x20 => {
                self.kept.push(byte);
                self.state = State::Mouse(missing - 1);
                if missing == 1 {
                    self.give(Kind::Pointer, first, pieces);
                }
            }
            State::Ss3 => self.ss3(byte, first, pieces),
            State::StringStart if starts_string(self.kept[1], byte) => {
                self.kept.push(byte);
                self.state = State::String;
            }
            State::StringStart | State::Console | State::Mouse(_) => {
                self.abort(Kind::Key, byte, first, pieces);
            }
            State::String => self.string(byte, first, pieces),
            State::StringEscape => {
                if byte == b'\\' {
                    self.take(byte, Kind::Reply, first, pieces);
                } else {
                    // The Esc begins something else.
                    self.kept.pop();
                    self.give(Kind::Reply, first, pieces);
                    self.ground(ESC, first, pieces);
                    self.step(byte, first, pieces);
                }
            }
            State::Paste(matched) => self.paste(byte, matched, first, pieces),
        }
    }

    /// The last byte of a piece.
    fn take(&mut self, byte: u8, kind: Kind, first: usize, pieces: &mut Vec<Piece>) {
        self.kept.push(byte);
        self.give(kind, first, pieces);
    }

    /// A byte that cannot go on with what is kept: that ends, the byte begins anew.
    fn abort(&mut self, kind: Kind, byte: u8, first: usize, pieces: &mut Vec<Piece>) {
        self.give(kind, first, pieces);
        self.ground(byte, first, pieces);
    }

    fn ground(&mut self, byte: u8, first: usize, pieces: &mut Vec<Piece>) {
        let kind = match byte {
            ESC => {
                self.kept.push(byte);
                self.state = State::Escape;
                return;
            }
            0xc2..=0xf4 => {
                self.kept.push(byte);
                self.state = State::Utf8(missing_behind(byte));
                return;
            }
            b'\r' => Kind::Enter,
            0x03 => Kind::CtrlC,
            0x1a => Kind::CtrlZ,
            // A line feed is a line in the prompt (Ctrl+J); a byte that is no UTF-8 is somebody's text.
            b'\n' | 0x20..=0x7e | 0x80.. => Kind::Text,
            _ => Kind::Key,
        };
        self.take(byte, kind, first, pieces);
    }

    fn utf8(&mut self, byte: u8, missing: u8, kind: Kind, first: usize, pieces: &mut Vec<Piece>) {
        if !(0x80..0xc0).contains(&byte) {
            return self.abort(kind, byte, first, pieces);
        }
        if missing == 1 {
            return self.take(byte, kind, first, pieces);
        }
        self.kept.push(byte);
        self.state = match self.state {
            State::EscapeUtf8(_) => State::EscapeUtf8(missing - 1),
            _ => State::Utf8(missing - 1),
        };
    }

    fn escape(&mut self, byte: u8, first: usize, pieces: &mut Vec<Piece>) {
        self.state = match byte {
            b'[' => State::Csi,
            b'O' => State::Ss3,
            b']' | b'P' | b'_' => State::StringStart,
            // A second Esc begins anew: the first one was a key, or an Alt before an arrow.
            ESC => return self.abort(Kind::Key, byte, first, pieces),
            0xc2..=0xf4 => State::EscapeUtf8(missing_behind(byte)),
            _ => return self.take(byte, Kind::Key, first, pieces),
        };
        self.kept.push(byte);
    }

    fn csi(&mut self, byte: u8, first: usize, pieces: &mut Vec<Piece>) {
        match byte {
            b'[' if self.kept.len() == 2 => {
                self.kept.push(byte);
                self.state = State::Console;
            }
            b'M' if self.kept.len() == 2 => {
                self.kept.push(byte);
                self.state = State::Mouse(3);
            }
            0x20..=0x3f => {
                self.kept.push(byte);
                if self.kept.len() >= MAX_KEPT {
                    self.give(Kind::Reply, first, pieces);
                }
            }
            0x40..=0x7e => {
                self.kept.push(byte);
                if self.kept == b"\x1b[200~" {
                    self.give(Kind::Text, first, pieces);
                    self.state = State::Paste(0);
                } else {
                    let kind = csi_kind(&self.kept[2..]);
                    self.give(kind, first, pieces);
                }
            }
            _ => self.abort(Kind::Key, byte, first, pieces),
        }
    }

    fn ss3(&mut self, byte: u8, first: usize, pieces: &mut Vec<Piece>) {
        match byte {
            // Old terminals put modifiers here.
            b'0'..=b'9' | b';' if self.kept.len() < 8 => self.kept.push(byte),
            b'M' if self.kept.len() == 2 => self.take(byte, Kind::Enter, first, pieces),
            0x20..=0x7e => self.take(byte, Kind::Key, first, pieces),
            _ => self.abort(Kind::Key, byte, first, pieces),
        }
    }

    fn string(&mut self, byte: u8, first: usize, pieces: &mut Vec<Piece>) {
        match byte {
            0x07 => self.take(byte, Kind::Reply, first, pieces),
            ESC => {
                self.kept.push(byte);
                self.state = State::StringEscape;
            }
            // No answer has a control character in it: it was Alt and a key, and more was typed.
            0..0x20 => {
                let kind = if self.given_out {
                    Kind::Reply
                } else {
                    Kind::Key
                };
                self.abort(kind, byte, first, pieces);
            }
            _ => {
                self.kept.push(byte);
                if self.kept.len() >= MAX_KEPT {
                    self.given_out = true;
                    self.give_part(Kind::Reply, first, pieces);
                }
            }
        }
    }

    fn paste(&mut self, byte: u8, matched: u8, first: usize, pieces: &mut Vec<Piece>) {
        let matched = if byte == PASTE_END[usize::from(matched)] {
            matched + 1
        } else {
            u8::from(byte == PASTE_END[0])
        };
        // Given out as it comes: bytes of the end are the paste's too.
        self.kept.push(byte);
        self.give_part(Kind::Text, first, pieces);
        self.state = if usize::from(matched) == PASTE_END.len() {
            State::Ground
        } else {
            State::Paste(matched)
        };
    }
}

/// How many bytes follow the first one of a character.
const fn missing_behind(lead: u8) -> u8 {
    match lead {
        0xf0.. => 3,
        0xe0.. => 2,
        _ => 1,
    }
}

/// Does an answer of the terminal begin like this? Else it was Alt and `]`, `P` or `_`.
///
/// OSC begins with a number; DCS answers are XTVERSION (`> |`), DECRQSS (`1 $ r`), XTGETTCAP (`1 + r`),
/// tertiary attributes (`! |`); APC is kitty's graphics (`G`).
const fn starts_string(introducer: u8, byte: u8) -> bool {
    match introducer {
        b']' => byte.is_ascii_digit(),
        b'P' => byte.is_ascii_digit() || matches!(byte, b'>' | b'!' | b'$' | b'+'),
        _ => byte == b'G',
    }
}

/// Reads a control sequence, from behind `ESC [` to its final byte.
fn csi_kind(sequence: &[u8]) -> Kind {
    let (&last, params) = sequence.split_last().expect("a sequence has a final byte");
    let private = params
        .first()
        .copied()
        .filter(|byte| (b'<'..=b'?').contains(byte));
    if private.is_some() {
        return match last {
            b'M' | b'm' if private == Some(b'<') => Kind::Pointer,
            b'n' if params.starts_with(b"?997;") => Kind::Pointer,
            _ => Kind::Reply,
        };
    }
    match last {
        // urxvt's mouse encoding; without parameters it would be X10's.
        b'M' => Kind::Pointer,
        b'I' | b'O' if params.is_empty() => Kind::Pointer,
        b'R' => cursor_report(params).unwrap_or_else(|| legacy_key(params)),
        b'c' | b'n' | b't' | b'x' | b'y' => Kind::Reply,
        b'u' => kitty_key(params),
        b'~' => tilde_key(params),
        _ if params.iter().any(|byte| (0x20..0x30).contains(byte)) => Kind::Reply,
        _ => legacy_key(params),
    }
}

/// `row ; col`, both from 1.
fn cursor_report(params: &[u8]) -> Option<Kind> {
    let (row, col) = str::from_utf8(params).ok()?.split_once(';')?;
    let position = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse().ok())
            .flatten()
    };
    Some(Kind::CursorReport(position(row)?, position(col)?))
}

/// The modifiers of the kitty protocol, less one.
mod modifier {
    pub(super) const SHIFT: u32 = 1;
    pub(super) const CTRL: u32 = 4;
    /// Caps Lock and Num Lock: states, not keys that are held.
    pub(super) const LOCKS: u32 = 64 | 128;
}

/// `modifiers : event` of the kitty protocol; an empty or missing field is its default, 1.
fn modifiers_and_event(field: Option<&[u8]>) -> (u32, u32) {
    let mut parts = field.unwrap_or_default().split(|&byte| byte == b':');
    let modifiers = number(parts.next()).unwrap_or(1).saturating_sub(1) & !modifier::LOCKS;
    (modifiers, number(parts.next()).unwrap_or(1))
}

/// A number, `None` where it is missing, empty or too large.
fn number(digits: Option<&[u8]>) -> Option<u32> {
    str::from_utf8(digits?).ok()?.parse().ok()
}

const RELEASE: u32 = 3;

/// Arrows, Home, F1…: `1 ; modifiers : event`.
fn legacy_key(params: &[u8]) -> Kind {
    let field = params.split(|&byte| byte == b';').nth(1);
    if modifiers_and_event(field).1 == RELEASE {
        Kind::Release
    } else {
        Kind::Key
    }
}

/// `number ; modifiers : event ~`, and `27 ; modifiers ; code ~` (modifyOtherKeys).
fn tilde_key(params: &[u8]) -> Kind {
    let mut fields = params.split(|&byte| byte == b';');
    if number(fields.next()) == Some(27) {
        let (modifiers, code) = (fields.next(), fields.next());
        if let Some(code) = number(code) {
            return key(code, None, modifiers_and_event(modifiers).0, false);
        }
    }
    legacy_key(params)
}

/// `code : shifted : base ; modifiers : event ; text`.
fn kitty_key(params: &[u8]) -> Kind {
    let mut fields = params.split(|&byte| byte == b';');
    let mut codes = fields
        .next()
        .unwrap_or_default()
        .split(|&byte| byte == b':');
    let code = number(codes.next()).unwrap_or(1);
    let base = number(codes.nth(1));
    let (modifiers, event) = modifiers_and_event(fields.next());
    if event == RELEASE || is_modifier_key(code) {
        return Kind::Release;
    }
    let has_text = fields.next().is_some_and(|text| !text.is_empty());
    key(code, base, modifiers, has_text)
}

/// A key by its code point, and by the code point that it has on a Latin layout, where that is told.
fn key(code: u32, base: Option<u32>, modifiers: u32, has_text: bool) -> Kind {
    const ENTER: u32 = 13;
    const KEYPAD_ENTER: u32 = 57414;
    // On a Cyrillic or Greek layout Ctrl+C is told by its base key.
    let latin = if code < 0x80 {
        code
    } else {
        base.unwrap_or(code)
    };
    match (modifiers, code) {
        (0, ENTER | KEYPAD_ENTER) => return Kind::Enter,
        (modifier::CTRL, _) if latin == u32::from(b'c') => return Kind::CtrlC,
        (modifier::CTRL, _) if latin == u32::from(b'z') => return Kind::CtrlZ,
        _ => {}
    }
    let types = modifiers & !modifier::SHIFT == 0 && (has_text || is_text(code));
    if types { Kind::Text } else { Kind::Key }
}

/// Does the key with this code put a character into the prompt? (Of the function keys, which the kitty
/// protocol numbers in the private use area, the keypad's digits and signs do.)
fn is_text(code: u32) -> bool {
    match code {
        57399..=57413 | 57415 | 57416 => true,
        0xe000..=0xf8ff => false,
        _ => char::from_u32(code).is_some_and(|c| !c.is_control()),
    }
}

/// Caps Lock, Scroll Lock, Num Lock; Shift to the right Meta, and the level shifts.
const fn is_modifier_key(code: u32) -> bool {
    matches!(code, 57358..=57360 | 57441..=57454)
}

#[cfg(test)]
mod tests;
