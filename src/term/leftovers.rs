//! What a child has left on, kept track of where nothing else of the terminal is known any more.

use super::modes::Modes;
use super::pen::Pen;
use super::restore;
use super::scan::{Scanner, Token};

/// Modes and pen alone: no screen.
///
/// What it is given at first may have seen a part of what it is fed then: modes are set, not counted, and one pop
/// of the keyboard's flags too many does nothing.
#[derive(Clone, Debug)]
pub struct Leftovers {
    scanner: Scanner,
    modes: Modes,
    pen: Pen,
    /// The modes are undone for a stop.
    undone: bool,
}

impl Default for Leftovers {
    fn default() -> Self {
        Self::new(Modes::default(), Pen::default())
    }
}

impl Leftovers {
    /// Goes on from here.
    pub fn new(modes: Modes, pen: Pen) -> Self {
        Self {
            scanner: Scanner::new(),
            modes,
            pen,
            undone: false,
        }
    }

    /// The child wrote this.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Self {
            scanner,
            modes,
            pen,
            ..
        } = self;
        scanner.feed(bytes, |token| {
            match &token {
                Token::Csi(csi) if csi.last == b'm' && csi.marker == 0 => pen.apply(csi),
                Token::Csi(csi) if csi.last == b'p' && csi.intermediates == b"!" => {
                    *pen = Pen::default();
                }
                Token::Esc {
                    intermediates: [],
                    last: b'c',
                } => *pen = Pen::default(),
                Token::Osc(data) => {
                    if let Some(rest) = data.strip_prefix(b"8;") {
                        pen.link = rest
                            .iter()
                            .position(|&byte| byte == b';')
                            .is_some_and(|at| at + 1 < rest.len());
                    }
                }
                _ => {}
            }
            modes.apply(&token);
        });
    }

    /// Undoes it; nothing where nothing was left on.
    pub fn restore(&mut self, tty: &mut Vec<u8>) {
        self.undone = true;
        if !self.scanner.at_boundary() {
            // CAN ends any sequence that the child did not finish.
            tty.push(0x18);
        }
        restore::write(&self.modes, &self.pen, None, tty);
    }

    /// Sets it anew, after a stop.
    pub fn again(&mut self, tty: &mut Vec<u8>) {
        let undone = std::mem::take(&mut self.undone);
        restore::again(&self.modes, undone, tty);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_undoes_what_is_on_and_nothing_else() {
        let undo = |bytes: &[u8]| {
            let mut left = Leftovers::default();
            left.feed(bytes);
            let mut tty = Vec::new();
            left.restore(&mut tty);
            String::from_utf8(tty).expect("text")
        };
        assert_eq!(undo(b"plain\r\n\x1b[1mbold\x1b[m"), "");
        assert_eq!(undo(b"\x1b[?1049h\x1b[>5u"), "\x1b[<1u\x1b[?1049l");
        assert_eq!(undo(b"\x1b[?1000h\x1b[?1006h"), "\x1b[?1000l\x1b[?1006l");
        assert_eq!(undo(b"\x1b[?1000h\x1b[?1000l"), "");
        assert_eq!(undo(b"\x1b[31m"), "\x1b[0m");
        assert_eq!(undo(b"\x1b[31m\x1bc"), "");
        assert_eq!(undo(b"\x1b]8;;http://a\x1b\\"), "\x1b]8;;\x1b\\");
        assert_eq!(undo(b"\x1b]8;;http://a\x1b\\\x1b]8;;\x1b\\"), "");
        assert_eq!(undo(b"\x1b]0;half a title"), "\x18");
    }
}
