//! The user's input: typed text, paste, mouse, focus, terminal replies; legacy and CSI-u keys.

/// What one piece of input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Enter without modifiers: CR, or CSI-u 13 (press or repeat).
    Enter,
    /// Ctrl+C: 0x03, or CSI-u 99 with ctrl alone.
    CtrlC,
    /// Ctrl+Z: 0x1a, or CSI-u 122 with ctrl alone.
    CtrlZ,
    /// Text that goes into the prompt, pastes included.
    Text,
    /// Another key: arrows, function keys, Esc, Ctrl combinations, Backspace, Tab.
    Key,
    /// A key's release (kitty event type 3): never typing.
    Release,
    /// Mouse, focus, a colour scheme report: never typing.
    Pointer,
    /// A cursor position report, `CSI row ; col R`, from 1.
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

/// Cuts the user's input into pieces, across reads. The pieces' bytes, in order, are the input.
#[derive(Debug, Default)]
pub struct Reader {
    _private: (),
}

impl Reader {
    /// Takes more input and appends the pieces that are whole. An unfinished sequence is kept.
    pub fn feed(&mut self, input: &[u8], pieces: &mut Vec<Piece>) {
        let _ = (input, pieces);
    }

    /// Is an unfinished sequence kept?
    pub fn pending(&self) -> bool {
        false
    }

    /// Gives up waiting for the rest of an unfinished sequence (a lone Esc is a key).
    pub fn flush(&mut self, pieces: &mut Vec<Piece>) {
        let _ = pieces;
    }
}
