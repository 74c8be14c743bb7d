//! What tmux says to a control client (`tmux -C`): lines, a message each, but for the blocks that answer a command.
//!
//! The format is in tmux(1), CONTROL MODE; where that is silent, what 3.3a does holds (`tests/fixtures/tmux/` are
//! recordings of it):
//!
//! - In `%output` a byte below space and the backslash are `\ooo`; all else is as it is, DEL and bytes that are not
//!   UTF-8 too.
//! - `%output` needs not begin or end at a character's or an escape sequence's boundary.
//! - The lines of a block are as they are, and may look like anything. Its end is told by the time and the number of
//!   its beginning. `%pause` and `%continue` that answer a `refresh-client -A` stand inside its block.
//! - The first block answers the command that the client was started with; its flags are 0, those of what was written
//!   to it are 1.
//! - Numbers of blocks grow, but not by one: commands run in the order in which they were written, and one that
//!   cannot be parsed has an `%error` of its own. A line of several commands (`a ; b`) has a block for each.

use super::{PaneId, SessionId, number};

/// What tmux tells a control client, as much of it as anybody here wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A pane's program wrote this.
    Output {
        /// Where.
        pane: PaneId,
        /// What, as the program wrote it.
        bytes: Vec<u8>,
    },
    /// A command has ended.
    Reply(Reply),
    /// This client shows another session now.
    SessionChanged(SessionId),
    /// A session was made, or is gone.
    SessionsChanged,
    /// Windows or panes came, went, or have another size or place, a session has another name, or a value that this
    /// client subscribed to is another: what is listed is out of date.
    Rearranged,
    /// This client ends.
    Exit {
        /// Why, where tmux says: "server exited", "too far behind", ….
        reason: Option<String>,
    },
    /// Any other line.
    Other(Vec<u8>),
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// When the command ran, in seconds since 1970.
    pub time: u64,
    /// tmux's number for it.
    pub number: u64,
    /// 1 for a command that this client wrote.
    pub flags: u64,
    /// It failed: the lines say why.
    pub failed: bool,
    /// What it said, without the ends of the lines.
    pub lines: Vec<Vec<u8>>,
}

/// Takes tmux's output apart, however it comes in pieces.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    block: Option<Reply>,
}

impl Parser {
    /// Takes a piece of tmux's output; gives what it completes.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end + 1..];
            let line = std::mem::take(&mut self.line);
            messages.extend(self.line(line));
        }
        self.line.extend_from_slice(bytes);
        messages
    }

    fn line(&mut self, line: Vec<u8>) -> Option<Message> {
        let Some(mut block) = self.block.take() else {
            self.block = guard(&line, "%begin ");
            if self.block.is_some() {
                return None;
            }
            return Some(notification(&line).unwrap_or(Message::Other(line)));
        };
        for (word, failed) in [("%end ", false), ("%error ", true)] {
            if guard(&line, word).is_some_and(|end| end.same(&block)) {
                block.failed = failed;
                return Some(Message::Reply(block));
            }
        }
        block.lines.push(line);
        self.block = Some(block);
        None
    }
}

impl Reply {
    fn same(&self, other: &Self) -> bool {
        (self.time, self.number, self.flags) == (other.time, other.number, other.flags)
    }
}

/// `%begin`, `%end` or `%error`, with the time, the number and the flags.
fn guard(line: &[u8], word: &str) -> Option<Reply> {
    let text = str::from_utf8(line.strip_prefix(word.as_bytes())?).ok()?;
    let mut numbers = text.split(' ').map(number);
    let reply = Reply {
        time: numbers.next()??,
        number: numbers.next()??,
        flags: numbers.next()??,
        failed: false,
        lines: Vec::new(),
    };
    numbers.next().is_none().then_some(reply)
}

/// What a line outside a block says. None where it is unknown, or not as it should be.
fn notification(line: &[u8]) -> Option<Message> {
    let mut rest = Words(line);
    let word = rest.word()?;
    Some(match word {
        "%output" => Message::Output {
            pane: rest.id(PaneId::read)?,
            bytes: unescape(rest.0),
        },
        "%extended-output" => {
            let pane = rest.id(PaneId::read)?;
            rest.skip_to_value()?;
            Message::Output {
                pane,
                bytes: unescape(rest.0),
            }
        }
        "%session-changed" => Message::SessionChanged(rest.id(SessionId::read)?),
        "%sessions-changed" => Message::SessionsChanged,
        // Whatever they say of it: it is listed anew.
        "%window-add"
        | "%unlinked-window-add"
        | "%window-close"
        | "%unlinked-window-close"
        | "%layout-change"
        | "%session-renamed"
        | "%subscription-changed" => Message::Rearranged,
        "%exit" => Message::Exit {
            reason: (!rest.0.is_empty()).then(|| rest.text()),
        },
        _ => return None,
    })
}

/// A line's words, one after the other.
struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    /// The next word. None at the end, and where it is not UTF-8.
    fn word(&mut self) -> Option<&'a str> {
        let end = self.0.iter().position(|byte| *byte == b' ');
        let (word, rest) = match end {
            Some(end) => (&self.0[..end], &self.0[end + 1..]),
            None => (self.0, &self.0[self.0.len()..]),
        };
        self.0 = rest;
        str::from_utf8(word).ok().filter(|word| !word.is_empty())
    }

    fn id<T>(&mut self, read: fn(&str) -> Option<T>) -> Option<T> {
        read(self.word()?)
    }

    /// Goes behind the lone colon before the value; what stands before it is for versions to come.
    fn skip_to_value(&mut self) -> Option<()> {
        while self.word()? != ":" {}
        Some(())
    }

    /// All that is left.
    fn text(&self) -> String {
        String::from_utf8_lossy(self.0).into_owned()
    }
}

/// Undoes tmux's octal escapes. A backslash that begins none stays.
fn unescape(value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        bytes.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        if let [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] = *rest {
            bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
            rest = &rest[4..];
        } else {
            bytes.push(b'\\');
            rest = &rest[1..];
        }
    }
    bytes.extend_from_slice(rest);
    bytes
}

#[cfg(test)]
mod tests;
