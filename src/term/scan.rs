//! Cuts the child's output into tokens: text, control characters, escape sequences.
//!
//! Incremental: bytes may come in any pieces, and every cut gives the same tokens. Bounded: of a
//! string sequence (OSC, DCS, APC, PM, SOS) only the first [`STRING_LIMIT`] bytes are kept.
//!
//! The states are those of the DEC parser as Paul Williams drew it (vt100.net), with UTF-8 text:
//! a C1 control is only known in its seven-bit form, `ESC` and a letter.

/// The most bytes of a string sequence that are kept; titles are shorter than this.
pub const STRING_LIMIT: usize = 4096;

/// The most parameters of a CSI sequence that are taken for well-formed.
const PARAM_LIMIT: usize = 32;

/// The most intermediate bytes.
const INTERMEDIATE_LIMIT: usize = 2;

/// The kinds of string sequence besides OSC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StringKind {
    /// Device control string, `ESC P`.
    Dcs,
    /// Application program command, `ESC _`.
    Apc,
    /// Privacy message, `ESC ^`.
    Pm,
    /// Start of string, `ESC X`.
    Sos,
}

/// One numeric parameter of a CSI sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its value; 0 where none was written. Saturates.
    pub value: u16,
    /// A colon, not a semicolon, stands before it.
    pub sub: bool,
}

/// A control sequence: `ESC [`, a private marker, parameters, intermediates, a final byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Csi {
    /// `?`, `>`, `<` or `=`, or 0 for none.
    pub marker: u8,
    /// The parameters, at least one.
    pub params: Vec<Param>,
    /// Bytes from space to `/` before the final byte.
    pub intermediates: Vec<u8>,
    /// The final byte.
    pub last: u8,
}

impl Csi {
    /// Parameter `index`, or `default` where it is missing or 0.
    pub fn param(&self, index: usize, default: u16) -> u16 {
        match self.params.get(index) {
            Some(param) if param.value != 0 => param.value,
            _ => default,
        }
    }

    /// It has sub-parameters (colons).
    pub fn has_sub(&self) -> bool {
        self.params.iter().any(|param| param.sub)
    }

    fn clear(&mut self) {
        self.marker = 0;
        self.params.clear();
        self.intermediates.clear();
        self.last = 0;
    }
}

/// What was malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Bytes that are not UTF-8.
    Utf8,
    /// A sequence that is not well-formed, or too long.
    Sequence,
}

/// One piece of the child's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// Printable text, whole characters, never empty. A cut in the input cuts it.
    Text(&'a str),
    /// A C0 control character, or DEL.
    Control(u8),
    /// `ESC`, intermediates, a final byte.
    Esc {
        /// Bytes from space to `/`.
        intermediates: &'a [u8],
        /// The final byte.
        last: u8,
    },
    /// A control sequence.
    Csi(&'a Csi),
    /// An operating system command: its first bytes, without the terminator.
    Osc(&'a [u8]),
    /// Another string sequence: its first bytes, without the terminator.
    Str(StringKind, &'a [u8]),
    /// Something that terminals do not agree on.
    Broken(Broken),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ground,
    Escape,
    EscapeIntermediate,
    CsiEntry,
    CsiParam,
    CsiIntermediate,
    CsiIgnore,
    Osc,
    Str(StringKind),
}

/// The scanner.
#[derive(Clone, Debug)]
pub struct Scanner {
    state: State,
    /// An incomplete UTF-8 character.
    partial: Vec<u8>,
    csi: Csi,
    string: Vec<u8>,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// A scanner at a boundary.
    pub fn new() -> Self {
        Self {
            state: State::Ground,
            partial: Vec::new(),
            csi: Csi::default(),
            string: Vec::new(),
        }
    }

    /// Between sequences and between characters: here, and only here, other bytes may be put in.
    pub fn at_boundary(&self) -> bool {
        self.state == State::Ground && self.partial.is_empty()
    }

    /// Takes the next bytes and hands each completed token to `sink`.
    pub fn feed(&mut self, bytes: &[u8], mut sink: impl FnMut(Token<'_>)) {
        crate::fault::point("scan");
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.state {
                State::Ground => self.ground(rest, &mut sink),
                State::Osc | State::Str(_) => self.string(rest, &mut sink),
                _ => {
                    self.sequence(rest[0], &mut sink);
                    &rest[1..]
                }
            };
        }
    }

    fn ground<'a>(&mut self, bytes: &'a [u8], sink: &mut impl FnMut(Token<'_>)) -> &'a [u8] {
        if !self.partial.is_empty() {
            return self.continue_character(bytes, sink);
        }
        let end = bytes
            .iter()
            .position(|&byte| byte < 0x20 || byte == 0x7f)
            .unwrap_or(bytes.len());
        let (mut text, rest) = bytes.split_at(end);
        while !text.is_empty() {
            match std::str::from_utf8(text) {
                Ok(text) => {
                    sink(Token::Text(text));
                    break;
                }
                Err(error) => {
                    let (good, bad) = text.split_at(error.valid_up_to());
                    if let Ok(good) = std::str::from_utf8(good)
                        && !good.is_empty()
                    {
                        sink(Token::Text(good));
                    }
                    match error.error_len() {
                        Some(length) => {
                            sink(Token::Broken(Broken::Utf8));
                            text = &bad[length..];
                        }
                        None if rest.is_empty() => {
                            self.partial.extend_from_slice(bad);
                            break;
                        }
                        None => {
                            sink(Token::Broken(Broken::Utf8));
                            break;
                        }
                    }
                }
            }
        }
        let Some((&byte, rest)) = rest.split_first() else {
            return rest;
        };
        if byte == 0x1b {
            self.enter_escape();
        } else {
            sink(Token::Control(byte));
        }
        rest
    }

    /// Completes a character that an earlier piece began.
    fn continue_character<'a>(
        &mut self,
        bytes: &'a [u8],
        sink: &mut impl FnMut(Token<'_>),
    ) -> &'a [u8] {
        self.partial.push(bytes[0]);
        match std::str::from_utf8(&self.partial) {
            Ok(text) => {
                sink(Token::Text(text));
                self.partial.clear();
                &bytes[1..]
            }
            Err(error) if error.error_len().is_none() => &bytes[1..],
            Err(_) => {
                // The byte that does not fit may begin something of its own.
                self.partial.clear();
                sink(Token::Broken(Broken::Utf8));
                bytes
            }
        }
    }

    fn enter_escape(&mut self) {
        self.state = State::Escape;
        self.csi.clear();
        self.string.clear();
    }

    /// One byte of an escape or control sequence.
    fn sequence(&mut self, byte: u8, sink: &mut impl FnMut(Token<'_>)) {
        match byte {
            // A new sequence ends the old one, which then does nothing.
            0x1b => return self.enter_escape(),
            0x18 | 0x1a => {
                self.state = State::Ground;
                return sink(Token::Control(byte));
            }
            // Controls are obeyed in the middle of a sequence.
            0x00..=0x1f => return sink(Token::Control(byte)),
            0x7f => return,
            _ => {}
        }
        match self.state {
            State::Escape | State::EscapeIntermediate => self.escape(byte, sink),
            _ => self.control_sequence(byte, sink),
        }
    }

    fn escape(&mut self, byte: u8, sink: &mut impl FnMut(Token<'_>)) {
        match byte {
            0x20..=0x2f => {
                // One too many marks the sequence as too long.
                if self.csi.intermediates.len() <= INTERMEDIATE_LIMIT {
                    self.csi.intermediates.push(byte);
                }
                self.state = State::EscapeIntermediate;
                return;
            }
            // Some terminals go on with the sequence, some end it: until the next one begins this is
            // no boundary.
            0x80.. => return sink(Token::Broken(Broken::Sequence)),
            _ => {}
        }
        if self.state == State::Escape {
            let next = match byte {
                b'[' => Some(State::CsiEntry),
                b']' => Some(State::Osc),
                b'P' => Some(State::Str(StringKind::Dcs)),
                b'_' => Some(State::Str(StringKind::Apc)),
                b'^' => Some(State::Str(StringKind::Pm)),
                b'X' => Some(State::Str(StringKind::Sos)),
                _ => None,
            };
            if let Some(next) = next {
                self.state = next;
                return;
            }
        }
        self.state = State::Ground;
        if self.csi.intermediates.len() > INTERMEDIATE_LIMIT {
            return sink(Token::Broken(Broken::Sequence));
        }
        sink(Token::Esc {
            intermediates: &self.csi.intermediates,
            last: byte,
        });
    }

    fn control_sequence(&mut self, byte: u8, sink: &mut impl FnMut(Token<'_>)) {
        if self.state == State::CsiIgnore {
            if (0x40..=0x7e).contains(&byte) {
                self.state = State::Ground;
                sink(Token::Broken(Broken::Sequence));
            }
            return;
        }
        match byte {
            b'0'..=b'9' | b':' | b';' if self.state != State::CsiIntermediate => {
                self.state = State::CsiParam;
                if self.csi.params.is_empty() {
                    self.csi.params.push(Param {
                        value: 0,
                        sub: false,
                    });
                }
                if byte.is_ascii_digit() {
                    if let Some(param) = self.csi.params.last_mut() {
                        let digit = u16::from(byte - b'0');
                        param.value = param.value.saturating_mul(10).saturating_add(digit);
                    }
                } else if self.csi.params.len() == PARAM_LIMIT {
                    self.state = State::CsiIgnore;
                } else {
                    self.csi.params.push(Param {
                        value: 0,
                        sub: byte == b':',
                    });
                }
            }
            b'<'..=b'?' if self.state == State::CsiEntry => {
                self.csi.marker = byte;
                self.state = State::CsiParam;
            }
            0x20..=0x2f if self.csi.intermediates.len() < INTERMEDIATE_LIMIT => {
                self.csi.intermediates.push(byte);
                self.state = State::CsiIntermediate;
            }
            0x40..=0x7e => {
                if self.csi.params.is_empty() {
                    self.csi.params.push(Param {
                        value: 0,
                        sub: false,
                    });
                }
                self.csi.last = byte;
                self.state = State::Ground;
                sink(Token::Csi(&self.csi));
            }
            _ => self.state = State::CsiIgnore,
        }
    }

    /// The inside of a string sequence, up to its end or the end of the piece.
    fn string<'a>(&mut self, bytes: &'a [u8], sink: &mut impl FnMut(Token<'_>)) -> &'a [u8] {
        let osc = self.state == State::Osc;
        let is_end = |byte: u8| matches!(byte, 0x18 | 0x1a | 0x1b) || (osc && byte == 0x07);
        let end = bytes
            .iter()
            .position(|&byte| is_end(byte))
            .unwrap_or(bytes.len());
        let (data, rest) = bytes.split_at(end);
        let room = STRING_LIMIT - self.string.len();
        self.string.extend_from_slice(&data[..data.len().min(room)]);
        let Some((&byte, rest)) = rest.split_first() else {
            return rest;
        };
        let token = match self.state {
            State::Str(kind) => Token::Str(kind, &self.string),
            _ => Token::Osc(&self.string),
        };
        match byte {
            0x18 | 0x1a => {
                self.state = State::Ground;
                sink(Token::Control(byte));
            }
            0x1b => {
                sink(token);
                self.enter_escape();
            }
            _ => {
                sink(token);
                self.state = State::Ground;
                self.string.clear();
            }
        }
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens as owned lines, neighbouring text joined: cuts must not show.
    #[derive(Default)]
    struct Log(Vec<String>);

    impl Log {
        fn take(&mut self, token: &Token<'_>) {
            if let (Token::Text(text), Some(last)) = (token, self.0.last_mut())
                && let Some(before) = last.strip_prefix("text ")
            {
                *last = format!("text {before}{text}");
                return;
            }
            self.0.push(match token {
                Token::Text(text) => format!("text {text}"),
                Token::Osc(data) => format!("osc {}", String::from_utf8_lossy(data)),
                Token::Str(kind, data) => format!("{kind:?} {}", String::from_utf8_lossy(data)),
                Token::Esc {
                    intermediates,
                    last,
                } => {
                    format!(
                        "esc {}{}",
                        String::from_utf8_lossy(intermediates),
                        *last as char
                    )
                }
                Token::Csi(csi) => format!("{csi:?}"),
                other => format!("{other:?}"),
            });
        }
    }

    fn scan(pieces: &[&[u8]]) -> (Vec<String>, bool) {
        let mut scanner = Scanner::new();
        let mut log = Log::default();
        for piece in pieces {
            scanner.feed(piece, |token| log.take(&token));
        }
        (log.0, scanner.at_boundary())
    }

    const STREAM: &[u8] = b"plain \xe2\x9d\xaf\xf0\x9f\x98\x80 e\xcc\x81\r\n\x1b[38;2;1;2;3mred\x1b[4:3m\x1b[?2026h\
        \x1b]0;\xe2\x9c\xb3 title\x07\x1b]8;id=1;http://x/\x1b\\link\x1b]8;;\x1b\\\x1b(B\x1b7\x1b[>4;2m\
        \x1bP+q544e\x1b\\\x1b_Ga=q,i=1;AAAA\x1b\\\xff\xe2\x9d(\x1b[12\x07;3H\x1b[1 q\x1b[31\x1b[H\x1b[3\x18x\
        \x1b[1;2<3m\x1b[!p\x1b]0;cut\x1b[2J\x1b^pm\x1b\\\x1bXsos\x1b\\\x7f\xe2\x9d";

    #[test]
    fn every_cut_gives_the_same_tokens() {
        let whole = scan(&[STREAM]);
        assert!(whole.0.len() > 30, "{whole:?}");
        for cut in 0..=STREAM.len() {
            let (left, right) = STREAM.split_at(cut);
            assert_eq!(scan(&[left, right]), whole, "cut at {cut}");
        }
        let single: Vec<&[u8]> = STREAM.chunks(1).collect();
        assert_eq!(scan(&single), whole);
    }

    #[test]
    fn a_boundary_is_between_characters_and_sequences() {
        for (bytes, boundary) in [
            (&b"a"[..], true),
            (b"\xe2", false),
            (b"\xe2\x9d\xaf", true),
            (b"\x1b", false),
            (b"\x1b[3", false),
            (b"\x1b[3m", true),
            (b"\x1b]0;t", false),
            (b"\x1b]0;t\x1b", false),
            (b"\x1b]0;t\x1b\\", true),
            (b"\x1bPx\x07", false),
            (b"\x1bPx\x18", true),
        ] {
            assert_eq!(scan(&[bytes]).1, boundary, "{bytes:?}");
        }
    }

    #[test]
    fn strings_of_any_length_take_bounded_memory() {
        let mut scanner = Scanner::new();
        let mut seen = 0;
        scanner.feed(b"\x1b]52;c;", |_| {});
        for _ in 0..1000 {
            scanner.feed(&[b'A'; 4096], |_| {});
        }
        scanner.feed(b"\x07", |token| {
            if let Token::Osc(data) = token {
                seen = data.len();
            }
        });
        assert_eq!(seen, STRING_LIMIT);
        assert!(scanner.string.capacity() <= 2 * STRING_LIMIT);
    }

    #[test]
    fn params_saturate_and_default() {
        let mut scanner = Scanner::new();
        scanner.feed(b"\x1b[99999999;;7H", |token| {
            let Token::Csi(csi) = token else {
                panic!("{token:?}")
            };
            assert_eq!(
                (csi.param(0, 1), csi.param(1, 1), csi.param(2, 1)),
                (u16::MAX, 1, 7)
            );
            assert_eq!(csi.param(3, 9), 9);
        });
        let long = format!("\x1b[{}m", "1;".repeat(40));
        scanner.feed(long.as_bytes(), |token| {
            assert_eq!(token, Token::Broken(Broken::Sequence));
        });
    }
}
