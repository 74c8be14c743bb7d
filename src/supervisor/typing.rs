//! The typing transaction: `message` into a free prompt, or nothing at all.
//!
//! 1. The message is pasted: as a bracketed paste where DEC 2004 is on (it works in vim's NORMAL mode,
//!    where plain letters are commands), else plain.
//! 2. It is read back from the screen.
//! 3. CR alone, [`CR_AFTER`] later or more: the CLI takes a fast burst for a paste and swallows a CR in it.
//!
//! Until the CR or the undo the user's input is held in order. If any comes, or the message cannot be
//! read back: Ctrl+U, read back empty, deliver what was held, stand down. Not before the message was seen, for
//! a while: 2.1.250 takes a paste in its own time, and a Ctrl+U that overtakes it leaves the message behind the
//! cursor, where Ctrl+U does nothing any more.
//!
//! One key of the user between the paste and the CR would make it `continuex`, submitted. Holding the input
//! closes that race.

use std::time::Duration;

/// From the paste to the CR at least.
pub const CR_AFTER: Duration = Duration::from_millis(150);
/// From the paste to the message's appearance at most.
pub const READ_BACK: Duration = Duration::from_millis(1500);
/// From the paste to the end of the undo at most: no input is held longer.
pub const LIMIT: Duration = Duration::from_secs(2);
/// From the start of an undo to its end at most.
pub const UNDO: Duration = Duration::from_millis(500);

/// For so long an undo waits for the message to appear: the CLI draws a paste within 60 ms, under load 200.
pub(super) const APPEARS: Duration = Duration::from_millis(250);
/// An undo that has shown no effect for so long is done again.
const AGAIN: Duration = Duration::from_millis(120);

/// Erases up to the line's start.
const CTRL_U: &[u8] = b"\x15";
/// The same wherever the cursor is: to the line's end first.
pub(super) const END_CTRL_U: &[u8] = b"\x05\x15";

/// One transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Typing {
    pasted_at: Duration,
    /// The message stood in the prompt at the last look.
    seen: bool,
    /// When that was.
    looked_at: Duration,
    undo: Option<Undo>,
    /// What the user sent meanwhile.
    held: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Undo {
    since: Duration,
    why: Why,
    /// When the message was last erased.
    erased: Option<Duration>,
}

/// Why a transaction was undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The user typed.
    UserTyped,
    /// The message was not to be read back from the prompt.
    NotReadBack,
    /// The CLI began to work, or the job was stopped.
    Interrupted,
}

impl Undo {
    fn erase(&mut self, now: Duration, keys: &[u8], child: &mut Vec<u8>) {
        self.erased = Some(now);
        child.extend_from_slice(keys);
    }
}

impl Why {
    /// In words, for the log.
    pub const fn text(self) -> &'static str {
        match self {
            Self::UserTyped => "the user typed",
            Self::NotReadBack => "the prompt did not show the message",
            Self::Interrupted => "something else happened meanwhile",
        }
    }
}

/// How a transaction stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It goes on.
    Open,
    /// CR was sent; the held input (mouse, focus) is to be delivered after it.
    Entered(Vec<u8>),
    /// It was undone; the held input is to be delivered.
    Undone(Why, Vec<u8>),
}

/// What the prompt shows, as the transaction needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The message, whole and alone.
    Message,
    /// Nothing: free and empty.
    Empty,
    /// Something else.
    Other,
}

impl Typing {
    /// Pastes the message.
    pub fn begin(now: Duration, message: &str, bracketed: bool, child: &mut Vec<u8>) -> Self {
        if bracketed {
            child.extend_from_slice(b"\x1b[200~");
        }
        child.extend_from_slice(message.as_bytes());
        if bracketed {
            child.extend_from_slice(b"\x1b[201~");
        }
        Self {
            pasted_at: now,
            seen: false,
            looked_at: now,
            undo: None,
            held: Vec::new(),
        }
    }

    /// Holds input back. `typing` says whether it is the user's typing (and not mouse or focus).
    pub fn hold(&mut self, now: Duration, bytes: &[u8], typing: bool, child: &mut Vec<u8>) {
        self.held.extend_from_slice(bytes);
        if typing {
            self.start_undo(now, Why::UserTyped, child);
        }
    }

    /// Undoes, unless that has begun.
    pub fn start_undo(&mut self, now: Duration, why: Why, child: &mut Vec<u8>) {
        if self.undo.is_some() {
            return;
        }
        let mut undo = Undo {
            since: now,
            why,
            erased: None,
        };
        if self.seen || why == Why::NotReadBack {
            undo.erase(now, CTRL_U, child);
        }
        self.undo = Some(undo);
    }

    /// Looks at the prompt: after output went quiet, and at [`Typing::deadline`].
    pub fn look(&mut self, now: Duration, shown: Shown, child: &mut Vec<u8>) -> Outcome {
        self.looked_at = now;
        if let Some(undo) = &mut self.undo {
            // A paste that the CLI has not drawn yet looks like an empty prompt: the undo counts as read
            // back only when the message was seen before, or at the limit.
            let over = now >= undo.since + UNDO || now >= self.pasted_at + LIMIT;
            if over || (self.seen && shown == Shown::Empty) {
                // A dialog that was open for a moment may have swallowed the undo.
                if shown == Shown::Message {
                    undo.erase(now, END_CTRL_U, child);
                }
                return Outcome::Undone(undo.why, std::mem::take(&mut self.held));
            }
            self.seen |= shown == Shown::Message;
            match undo.erased {
                None if self.seen || now >= undo.since + APPEARS => {
                    undo.erase(now, CTRL_U, child);
                }
                Some(at) if shown == Shown::Message && now >= at + AGAIN => {
                    undo.erase(now, END_CTRL_U, child);
                }
                _ => {}
            }
            return Outcome::Open;
        }
        self.seen = shown == Shown::Message;
        if self.seen && now >= self.pasted_at + CR_AFTER {
            child.push(b'\r');
            return Outcome::Entered(std::mem::take(&mut self.held));
        }
        if now >= self.pasted_at + READ_BACK {
            self.start_undo(now, Why::NotReadBack, child);
        }
        Outcome::Open
    }

    /// The user's input that waits for the end of this.
    pub fn held(&self) -> &[u8] {
        &self.held
    }

    /// Was the message pasted so long ago?
    pub(super) fn is_older(&self, now: Duration, age: Duration) -> bool {
        now >= self.older_at(age)
    }

    /// When that is.
    pub(super) fn older_at(&self, age: Duration) -> Duration {
        self.pasted_at + age
    }

    /// When to look even if nothing is drawn.
    pub fn deadline(&self) -> Duration {
        match self.undo {
            Some(undo) => {
                let next = undo.erased.map_or(undo.since + APPEARS, |at| at + AGAIN);
                // Past these the end alone is waited for: a deadline that stands still would fire for ever.
                let next = if next > self.looked_at {
                    next
                } else {
                    undo.since + UNDO
                };
                next.min(undo.since + UNDO).min(self.pasted_at + LIMIT)
            }
            None if self.seen => self.pasted_at + CR_AFTER,
            None => self.pasted_at + READ_BACK,
        }
    }

    /// Ends it at once, without reading back (the way out): the held input.
    pub fn abandon(mut self, child: &mut Vec<u8>) -> Vec<u8> {
        if self.undo.is_none_or(|undo| undo.erased.is_none()) {
            child.extend_from_slice(CTRL_U);
        }
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn begun() -> (Typing, Vec<u8>) {
        let mut child = Vec::new();
        let typing = Typing::begin(MS(0), "continue", true, &mut child);
        assert_eq!(child, b"\x1b[200~continue\x1b[201~");
        child.clear();
        (typing, child)
    }

    #[test]
    fn without_bracketed_paste_it_is_plain() {
        let mut child = Vec::new();
        Typing::begin(MS(0), "continue", false, &mut child);
        assert_eq!(child, b"continue");
    }

    #[test]
    fn the_cr_comes_alone_and_not_too_early() {
        let (mut typing, mut child) = begun();
        assert_eq!(
            typing.look(MS(20), Shown::Message, &mut child),
            Outcome::Open
        );
        assert_eq!(typing.deadline(), CR_AFTER);
        assert!(child.is_empty());
        let outcome = typing.look(CR_AFTER, Shown::Message, &mut child);
        assert_eq!(outcome, Outcome::Entered(vec![]));
        assert_eq!(child, b"\r");
    }

    #[test]
    fn no_cr_without_the_message_read_back() {
        let (mut typing, mut child) = begun();
        for (at, shown) in [
            (200, Shown::Other),
            (400, Shown::Empty),
            (1499, Shown::Other),
        ] {
            assert_eq!(typing.look(MS(at), shown, &mut child), Outcome::Open);
            assert!(child.is_empty());
        }
        assert_eq!(
            typing.look(READ_BACK, Shown::Other, &mut child),
            Outcome::Open
        );
        assert_eq!(child, CTRL_U);
        let outcome = typing.look(LIMIT, Shown::Other, &mut child);
        assert_eq!(outcome, Outcome::Undone(Why::NotReadBack, vec![]));
    }

    #[test]
    fn a_message_that_was_seen_and_is_gone_gets_no_cr() {
        let (mut typing, mut child) = begun();
        typing.look(MS(20), Shown::Message, &mut child);
        assert_eq!(
            typing.look(MS(160), Shown::Other, &mut child),
            Outcome::Open
        );
        assert!(child.is_empty());
    }

    #[test]
    fn a_key_of_the_users_undoes_it_and_is_delivered_after() {
        let (mut typing, mut child) = begun();
        typing.look(MS(20), Shown::Message, &mut child);
        typing.hold(MS(50), b"x", true, &mut child);
        typing.hold(MS(51), b"y", true, &mut child);
        assert_eq!(
            child, CTRL_U,
            "one undo, and nothing of the user's before it"
        );
        assert_eq!(
            typing.look(MS(52), Shown::Message, &mut child),
            Outcome::Open
        );
        let outcome = typing.look(MS(60), Shown::Empty, &mut child);
        assert_eq!(outcome, Outcome::Undone(Why::UserTyped, b"xy".to_vec()));
    }

    #[test]
    fn an_undo_before_the_message_was_drawn_waits_for_it() {
        let (mut typing, mut child) = begun();
        typing.hold(MS(5), b"x", true, &mut child);
        assert_eq!(typing.look(MS(10), Shown::Empty, &mut child), Outcome::Open);
        assert!(child.is_empty(), "it would overtake the paste");
        assert_eq!(
            typing.look(MS(30), Shown::Message, &mut child),
            Outcome::Open
        );
        assert_eq!(child, CTRL_U);
        let outcome = typing.look(MS(40), Shown::Empty, &mut child);
        assert_eq!(outcome, Outcome::Undone(Why::UserTyped, b"x".to_vec()));
    }

    #[test]
    fn an_undo_of_what_never_appears_is_done_all_the_same() {
        let (mut typing, mut child) = begun();
        typing.hold(MS(5), b"x", true, &mut child);
        assert_eq!(typing.deadline(), MS(5) + APPEARS);
        typing.look(MS(5) + APPEARS, Shown::Other, &mut child);
        assert_eq!(child, CTRL_U);
        typing.look(MS(5) + APPEARS + AGAIN, Shown::Other, &mut child);
        assert_eq!(child, CTRL_U, "nothing of ours is to be seen");
        assert_eq!(typing.deadline(), MS(5) + UNDO);
    }

    #[test]
    fn an_undo_without_effect_is_done_again_from_the_lines_end() {
        let (mut typing, mut child) = begun();
        typing.look(MS(40), Shown::Message, &mut child);
        typing.hold(MS(50), b"x", true, &mut child);
        typing.look(MS(60), Shown::Message, &mut child);
        assert_eq!(child, CTRL_U);
        assert_eq!(typing.deadline(), MS(50) + AGAIN);
        typing.look(MS(50) + AGAIN, Shown::Message, &mut child);
        assert_eq!(child, b"\x15\x05\x15");
        let outcome = typing.look(MS(50) + UNDO, Shown::Message, &mut child);
        assert_eq!(outcome, Outcome::Undone(Why::UserTyped, b"x".to_vec()));
        assert_eq!(child, b"\x15\x05\x15\x05\x15");
    }

    #[test]
    fn input_is_never_held_for_longer_than_the_limit() {
        let (mut typing, mut child) = begun();
        typing.look(MS(20), Shown::Message, &mut child);
        typing.hold(MS(1900), b"x", true, &mut child);
        assert_eq!(typing.deadline(), LIMIT);
        let outcome = typing.look(LIMIT, Shown::Other, &mut child);
        assert_eq!(outcome, Outcome::Undone(Why::UserTyped, b"x".to_vec()));
    }

    #[test]
    fn mouse_and_focus_wait_but_undo_nothing() {
        let (mut typing, mut child) = begun();
        typing.hold(MS(5), b"\x1b[I", false, &mut child);
        assert!(child.is_empty());
        let outcome = typing.look(CR_AFTER, Shown::Message, &mut child);
        assert_eq!(outcome, Outcome::Entered(b"\x1b[I".to_vec()));
    }
}
