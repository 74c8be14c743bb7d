//! What the CLI may have read, given what was typed: the user's bytes in order, and of ours the message and
//! its CR or its undo, never inside of one another.
//!
//! A nondeterministic automaton over the bytes that are read: which of two equal CRs was the user's and
//! which was ours is left open for as long as both can be.

use std::collections::{BTreeSet, VecDeque};
use std::ops::RangeInclusive;

/// The message as it is typed: a bracketed paste.
pub(crate) const MESSAGE: &[u8] = b"\x1b[200~continue\x1b[201~";

/// What went to the wrapper's terminal: nothing of ours may stand inside of one of these.
#[derive(Clone, Debug)]
pub(crate) enum Unit {
    /// Of the user's.
    User {
        bytes: Vec<u8>,
        /// The bar may have taken it.
        takeable: bool,
    },
    /// An answer of the terminal, which may be to a question of ours.
    Reply(Vec<u8>),
    /// From here on, an error may stand and be resumed, or not any more.
    Loose(bool),
}

impl Unit {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::User { bytes, .. } | Self::Reply(bytes) => bytes,
            Self::Loose(_) => &[],
        }
    }
}

/// How the typing of ours stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ours {
    /// None.
    None,
    /// So much of the message was read.
    Message(usize),
    /// All of it; the user's input is held.
    Pasted,
    /// It was erased, and may be once more.
    Undone,
    /// The first half of an erasure from the line's end.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    unit: usize,
    offset: usize,
    ours: Ours,
    loose: bool,
    replies: usize,
}

/// The automaton.
#[derive(Debug)]
pub(crate) struct Matcher {
    units: VecDeque<Unit>,
    states: BTreeSet<State>,
}

impl Default for Matcher {
    fn default() -> Self {
        Self::starting(false)
    }
}

impl Matcher {
    fn starting(loose: bool) -> Self {
        Self {
            units: VecDeque::new(),
            states: BTreeSet::from([State {
                unit: 0,
                offset: 0,
                ours: Ours::None,
                loose,
                replies: 0,
            }]),
        }
    }

    /// This was sent.
    pub(crate) fn sent(&mut self, unit: Unit) {
        self.units.push_back(unit);
    }

    /// The states that can be reached with nothing read.
    fn closure(&self) -> BTreeSet<State> {
        let mut all = self.states.clone();
        let mut open: Vec<State> = all.iter().copied().collect();
        while let Some(state) = open.pop() {
            let Some(unit) = self.units.get(state.unit) else {
                continue;
            };
            let next = State {
                unit: state.unit + 1,
                ..state
            };
            let next = match unit {
                Unit::Loose(loose) => State {
                    loose: *loose,
                    ..next
                },
                Unit::User { takeable: true, .. } | Unit::Reply(_)
                    if state.offset == 0 && state.loose =>
                {
                    next
                }
                _ => continue,
            };
            if all.insert(next) {
                open.push(next);
            }
        }
        all
    }

    /// This was read by the CLI; false if it cannot be explained.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            if let Some(skipped) = self.skip(rest) {
                rest = &rest[skipped..];
                continue;
            }
            let next = self.closure();
            self.states = next
                .into_iter()
                .flat_map(|state| self.step(state, byte))
                .collect();
            if self.states.is_empty() {
                return false;
            }
            rest = after;
        }
        true
    }

    /// A large unit, and no doubt where in it we are: all of it that was read at once.
    fn skip(&mut self, rest: &[u8]) -> Option<usize> {
        let state = self
            .states
            .first()
            .copied()
            .filter(|_| self.states.len() == 1)?;
        let unit = self.units.get(state.unit)?.bytes().get(state.offset..)?;
        let most = unit.len().saturating_sub(1).min(rest.len());
        if state.offset == 0 || most < 64 || unit[..most] != rest[..most] {
            return None;
        }
        self.states = BTreeSet::from([State {
            offset: state.offset + most,
            ..state
        }]);
        Some(most)
    }

    fn step(&self, state: State, byte: u8) -> Vec<State> {
        let mut next = Vec::new();
        let mut ours = |ours| next.push(State { ours, ..state });
        let between = state.offset == 0;
        match state.ours {
            Ours::Message(n) => {
                if MESSAGE[n] == byte {
                    let whole = n + 1 == MESSAGE.len();
                    ours(if whole {
                        Ours::Pasted
                    } else {
                        Ours::Message(n + 1)
                    });
                }
                return next;
            }
            Ours::End => {
                if byte == 0x15 {
                    ours(Ours::Undone);
                }
                return next;
            }
            Ours::Pasted if between => match byte {
                b'\r' => ours(Ours::None),
                0x15 => ours(Ours::Undone),
                0x05 => ours(Ours::End),
                _ => {}
            },
            Ours::Undone if between => match byte {
                0x15 => ours(Ours::Undone),
                0x05 => ours(Ours::End),
                _ => {}
            },
            _ => {}
        }
        if between && state.loose && state.ours != Ours::Pasted && MESSAGE[0] == byte {
            ours(Ours::Message(1));
        }
        let Some(unit) = self.units.get(state.unit) else {
            return next;
        };
        // While the message stands there, only the terminal's own words pass.
        let passes = state.ours != Ours::Pasted || matches!(unit, Unit::Reply(_));
        if passes && unit.bytes().get(state.offset) == Some(&byte) {
            let whole = state.offset + 1 == unit.bytes().len();
            let read = State {
                unit: state.unit + usize::from(whole),
                offset: if whole { 0 } else { state.offset + 1 },
                ours: if state.ours == Ours::Undone {
                    Ours::None
                } else {
                    state.ours
                },
                replies: state.replies + usize::from(whole && matches!(unit, Unit::Reply(_))),
                ..state
            };
            next.push(read);
        }
        next
    }

    /// All that was sent may have been read, with so many answers, and nothing of ours is half typed.
    pub(crate) fn is_complete(&self, replies: &RangeInclusive<usize>) -> bool {
        self.complete(replies).is_some()
    }

    fn complete(&self, replies: &RangeInclusive<usize>) -> Option<State> {
        let end = self.units.len();
        self.closure().into_iter().find(|state| {
            state.unit == end
                && state.offset == 0
                && replies.contains(&state.replies)
                && matches!(state.ours, Ours::None | Ours::Undone)
        })
    }

    /// All of it has been read, and nothing is on its way: it begins anew.
    pub(crate) fn begin_anew(&mut self, replies: &RangeInclusive<usize>) {
        if let Some(state) = self.complete(replies) {
            *self = Self::starting(state.loose);
        }
    }

    /// Where it stands, for a person.
    pub(crate) fn explain(&self) -> String {
        let first = self.states.first().map_or(0, |state| state.unit);
        let units: Vec<String> = self
            .units
            .iter()
            .skip(first.saturating_sub(3))
            .take(12)
            .map(|unit| match unit {
                Unit::Loose(loose) => format!("loose={loose}"),
                other => {
                    let bytes = other.bytes();
                    let shown = bytes[..bytes.len().min(60)].escape_ascii();
                    format!("{shown} ({})", bytes.len())
                }
            })
            .collect();
        format!(
            "{:?}\nfrom unit {}: {units:#?}",
            self.states,
            first.saturating_sub(3)
        )
    }
}

/// The automaton itself must be able to say no.
pub(crate) fn checks() {
    let user = |bytes: &[u8], takeable| Unit::User {
        bytes: bytes.to_vec(),
        takeable,
    };
    let run = |loose: bool, read: &[u8]| {
        let mut matcher = Matcher::default();
        matcher.sent(Unit::Loose(loose));
        matcher.sent(user(b"abc", false));
        matcher.sent(user(b"\r", true));
        matcher.read(read) && matcher.is_complete(&(0..=0))
    };
    let with = |before: &[u8], after: &[u8]| [before, MESSAGE, after].concat();
    assert!(run(false, b"abc\r"));
    assert!(!run(false, b"abc"), "nothing is taken without a bar");
    assert!(run(true, b"abc"));
    assert!(run(true, &with(b"", b"\rabc\r")));
    assert!(run(true, &with(b"", b"\x15abc\r")));
    assert!(run(true, &with(b"abc", b"\r\r")));
    assert!(
        !run(true, &with(b"", b"abc\r")),
        "a key inside of the typing"
    );
    assert!(
        !run(true, &with(b"ab", b"\rc\r")),
        "the typing inside of a key"
    );
    assert!(
        !run(false, &with(b"", b"\rabc\r")),
        "typing without an error"
    );
    assert!(!run(true, b"acb\r") && !run(true, b"ab\r") && !run(true, b"abcc\r"));
}
