//! The keys of the table, from the bytes of a terminal, however they come in pieces.

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// The row above.
    Up,
    /// The row below.
    Down,
    /// Resume now.
    Now,
    /// Leave the error alone.
    Cancel,
    /// The end.
    Quit,
    /// The end, by Ctrl+C.
    Interrupt,
    /// Draw all of it anew.
    Redraw,
}

/// Reads keys. What is none of ours does nothing.
#[derive(Debug, Default)]
pub struct Keys {
    at: At,
}

#[derive(Debug, Default)]
enum At {
    #[default]
    Ground,
    Escape,
    /// In a sequence, behind its `[` or `O`.
    Sequence,
}

impl Keys {
    /// The key that this byte completes.
    pub fn feed(&mut self, byte: u8) -> Option<Key> {
        let at = std::mem::take(&mut self.at);
        match (at, byte) {
            (_, 0x1b) => self.at = At::Escape,
            (_, 0x03) => return Some(Key::Interrupt),
            // Its beginning, and its parameters.
            (At::Escape, b'[' | b'O') | (At::Sequence, b' '..=b'?') => self.at = At::Sequence,
            (At::Sequence, b'A') => return Some(Key::Up),
            (At::Sequence, b'B') => return Some(Key::Down),
            (At::Ground, byte) => return plain(byte),
            // With Alt, or another sequence's end.
            (At::Escape | At::Sequence, _) => {}
        }
        None
    }
}

const fn plain(byte: u8) -> Option<Key> {
    Some(match byte {
        b'k' | 0x10 => Key::Up,
        b'j' | 0x0e => Key::Down,
        b'\r' | b'\n' => Key::Now,
        b'c' => Key::Cancel,
        b'q' => Key::Quit,
        0x0c => Key::Redraw,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut keys = Keys::default();
        bytes.iter().filter_map(|byte| keys.feed(*byte)).collect()
    }

    #[test]
    fn keys_are_read_and_what_is_none_of_ours_does_nothing() {
        use Key::{Cancel, Down, Interrupt, Now, Quit, Redraw, Up};
        let all = b"k\x10\x1b[A\x1bOAj\x0e\x1b[B\x1bOB\r\ncq\x03\x0c";
        assert_eq!(
            keys(all),
            [
                Up, Up, Up, Up, Down, Down, Down, Down, Now, Now, Cancel, Quit, Interrupt, Redraw
            ]
        );
        // Alt and a letter, keys with modifiers that end in a letter of ours, F1, a mouse report.
        let others = b"\x1bq\x1bc\x1b[1;5C\x1b[15~\x1bOP\x1b[<0;1;2MxyzQ\xc3\xa9";
        assert_eq!(keys(others), []);
    }

    #[test]
    fn a_ctrl_c_ends_it_whatever_came_before() {
        assert_eq!(keys(b"\x1b\x03\x1b[1\x03"), [Key::Interrupt; 2]);
    }
}
