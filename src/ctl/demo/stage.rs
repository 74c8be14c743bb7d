//! The demo's story: what the stand-in shows and hears, and when. No clock, no terminal, no file.
//!
//! A message types itself; its turn and the next one are throttled, the third is answered. What goes on
//! between the turns is up to whoever sits at the prompt: the wrapper, or the user.

use std::time::Duration;

use crate::term::scan::{Scanner, Token};

/// What the wrapper types.
pub(super) const MESSAGE: &str = "continue";

/// The message that types itself.
const FIRST: &str = "fix the flaky test";
/// The real CLI's words (2.1.330) for a 429 that is not the user's limit.
pub(super) const THROTTLE: &str =
    "API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited";
/// The answer, a paragraph at a time.
pub(super) const ANSWER: [&str; 3] = [
    "The test slept for 50 ms and hoped. It waits for the event now: 200 runs, 200 passed.",
    "(A made-up answer: there is no model here, and nothing of yours was touched.)",
    "What was real is claude-retry: it saw both throttles, waited, and typed `continue`.",
];
/// Turns that are throttled.
const THROTTLED: u32 = 2;

/// Before the message types itself, between two of its keys, and before its Enter.
const OPENING: Duration = Duration::from_millis(800);
const KEY: Duration = Duration::from_millis(70);
const BEFORE_ENTER: Duration = Duration::from_millis(400);
/// A turn, before it fails or the answer begins.
const THINKING: Duration = Duration::from_secs(1);
/// Between two paragraphs of the answer.
const PARAGRAPH: Duration = Duration::from_millis(400);
/// The answer stands for so long.
const CLOSING: Duration = Duration::from_secs(3);
/// The second Ctrl+C must come within this time.
const ARMED: Duration = Duration::from_secs(2);
/// Where the user took over and left, the demo ends by itself.
const ABANDONED: Duration = Duration::from_secs(30);
/// Longest draft, in characters.
const DRAFT: usize = 400;

/// One block of the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The user's message.
    User(String),
    /// The turn was throttled.
    Throttled,
    /// So many paragraphs of the answer.
    Answer(usize),
    /// Esc ended the turn.
    Interrupted,
}

/// How the story ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With the answer, after so many resumes by the wrapper.
    Told(u32),
    /// The user left.
    Left,
}

/// Where the story is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// The first message types itself.
    Opening,
    /// A turn runs.
    Thinking,
    /// The answer appears.
    Answering,
    /// It is the prompt's turn.
    Prompt,
    /// The answer stands.
    Closing,
    Over(Ending),
}

/// The story.
pub(super) struct Stage {
    act: Act,
    /// When the act began.
    since: Duration,
    now: Duration,
    keys: Scanner,
    pasting: bool,
    draft: String,
    /// All of the draft was pasted at once.
    pasted: bool,
    talk: Vec<Said>,
    /// So many blocks of it are final, and were taken for the transcript.
    recorded: usize,
    turns: u32,
    resumed: u32,
    armed: Option<Duration>,
    last_key: Duration,
}

impl Stage {
    /// The story begins, at time zero.
    pub(super) fn new() -> Self {
        Self {
            act: Act::Opening,
            since: Duration::ZERO,
            now: Duration::ZERO,
            keys: Scanner::new(),
            pasting: false,
            draft: String::new(),
            pasted: false,
            talk: Vec::new(),
            recorded: 0,
            turns: 0,
            resumed: 0,
            armed: None,
            last_key: Duration::ZERO,
        }
    }

    /// The conversation so far.
    pub(super) fn talk(&self) -> &[Said] {
        &self.talk
    }

    /// What stands in the prompt.
    pub(super) fn draft(&self) -> &str {
        &self.draft
    }

    /// For how long the turn has run, if one runs.
    pub(super) fn busy(&self) -> Option<Duration> {
        matches!(self.act, Act::Thinking | Act::Answering)
            .then(|| self.now.saturating_sub(self.since))
    }

    /// Ctrl+C was pressed, and a second one leaves.
    pub(super) fn is_armed(&self) -> bool {
        self.armed.is_some()
    }

    /// The end, once it has come.
    pub(super) fn ending(&self) -> Option<Ending> {
        match self.act {
            Act::Over(ending) => Some(ending),
            _ => None,
        }
    }

    /// The blocks that have become final since the last call.
    pub(super) fn take_final(&mut self) -> &[Said] {
        let from = self.recorded;
        self.recorded = match self.act {
            Act::Answering => self.talk.len() - 1,
            _ => self.talk.len(),
        };
        &self.talk[from..self.recorded]
    }

    /// The time has moved on.
    pub(super) fn tick(&mut self, now: Duration) {
        self.now = now;
        self.armed = self.armed.filter(|until| now < *until);
        let passed = now.saturating_sub(self.since);
        match self.act {
            Act::Opening => {
                let typing = passed.saturating_sub(OPENING);
                let keys = typing.as_millis() / KEY.as_millis();
                let keys = usize::try_from(keys).unwrap_or(usize::MAX);
                self.draft = FIRST.chars().take(keys).collect();
                let length = u32::try_from(FIRST.chars().count()).unwrap_or(u32::MAX);
                if typing >= KEY * length + BEFORE_ENTER {
                    self.submit();
                }
            }
            Act::Thinking if passed >= THINKING => {
                if self.turns <= THROTTLED {
                    self.talk.push(Said::Throttled);
                    self.last_key = now;
                    self.enter(Act::Prompt);
                } else {
                    self.talk.push(Said::Answer(1));
                    self.enter(Act::Answering);
                }
            }
            Act::Answering if passed >= PARAGRAPH => match self.talk.last_mut() {
                Some(Said::Answer(shown)) if *shown < ANSWER.len() => {
                    *shown += 1;
                    self.enter(Act::Answering);
                }
                _ => self.enter(Act::Closing),
            },
            Act::Closing if passed >= CLOSING => {
                self.enter(Act::Over(Ending::Told(self.resumed)));
            }
            Act::Prompt if now >= self.last_key + ABANDONED => {
                self.enter(Act::Over(Ending::Left));
            }
            _ => {}
        }
    }

    /// Keys, or a paste, in any pieces.
    pub(super) fn input(&mut self, bytes: &[u8]) {
        self.last_key = self.now;
        // Esc alone is a key; with more behind it, the beginning of one.
        if bytes == b"\x1b" && self.keys.at_boundary() {
            if matches!(self.act, Act::Thinking) {
                self.talk.push(Said::Interrupted);
                self.enter(Act::Prompt);
            }
            return;
        }
        let mut keys = std::mem::take(&mut self.keys);
        keys.feed(bytes, |token| self.key(&token));
        self.keys = keys;
    }

    fn key(&mut self, token: &Token<'_>) {
        match token {
            Token::Csi(csi) if csi.marker == 0 && csi.last == b'~' => match csi.param(0, 0) {
                200 => {
                    self.pasting = true;
                    self.pasted = self.draft.is_empty();
                }
                201 => self.pasting = false,
                _ => {}
            },
            Token::Control(b'\r' | b'\n' | b'\t') if self.pasting => self.text(" "),
            Token::Control(0x03) => self.ctrl_c(),
            Token::Control(0x04) if self.draft.is_empty() || self.act != Act::Prompt => {
                self.leave();
            }
            Token::Control(control) if self.act == Act::Prompt => match control {
                b'\r' if !self.draft.trim().is_empty() => self.submit(),
                0x7f | 0x08 => drop(self.draft.pop()),
                0x15 => self.draft.clear(),
                _ => {}
            },
            Token::Text(text) => {
                self.pasted &= self.pasting;
                self.text(text);
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.act == Act::Prompt {
            let room = DRAFT.saturating_sub(self.draft.chars().count());
            self.draft.extend(text.chars().take(room));
        }
    }

    fn ctrl_c(&mut self) {
        if self.act == Act::Prompt && !self.draft.is_empty() {
            self.draft.clear();
        } else if self.armed.is_some() {
            self.leave();
        } else {
            self.armed = Some(self.now + ARMED);
        }
    }

    /// The user has seen enough; with the answer there, all.
    fn leave(&mut self) {
        let ending = match self.act {
            Act::Closing => Ending::Told(self.resumed),
            _ => Ending::Left,
        };
        self.enter(Act::Over(ending));
    }

    fn submit(&mut self) {
        let draft = std::mem::take(&mut self.draft);
        self.resumed += u32::from(self.pasted && draft == MESSAGE);
        self.pasted = false;
        self.talk.push(Said::User(draft));
        self.turns += 1;
        self.armed = None;
        self.enter(Act::Thinking);
    }

    fn enter(&mut self, act: Act) {
        if !matches!(self.act, Act::Over(_)) {
            self.act = act;
            self.since = self.now;
        }
    }
}

#[cfg(test)]
mod tests;
