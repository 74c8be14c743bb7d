//! A CLI made of a prompt, a conversation and a transcript: for speed, not for proof. The proof is
//! `tests/real_claude.rs`.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fmt::Write as _;

use claude_retry::supervisor::hook::Answer;
use claude_retry::supervisor::retry_after::Asked;
use claude_retry::supervisor::session::PtyState;
use claude_retry::supervisor::transcript::{Ending, LastTurn, Report};

use crate::world::Outside;

pub const COLS: u16 = 100;
pub const ROWS: u16 = 24;
pub const THROTTLE: &str =
    "API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited";

/// What stands where the prompt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    Prompt,
    Dialog,
}

pub struct FakeCli {
    pub draft: String,
    pub conversation: Vec<String>,
    pub busy: bool,
    pub face: Face,
    /// The messages that were submitted.
    pub turns: Vec<String>,
    pub report: Report,
    pub pty: PtyState,
    /// CR does nothing.
    pub swallow_cr: bool,
    /// It draws at the cursor, as a CLI on the main screen does, and not at absolute places.
    pub inline: bool,
    /// Keys and pastes do nothing.
    pub deaf: bool,
    woken_under_dialog: bool,
    /// What the server asked for.
    pub asked: Option<Asked>,
    /// The failed turns that this was asked about.
    pub asked_about: Vec<Option<u64>>,
    errors: u32,
    uuid: u32,
    /// The session that the transcript is of.
    pub session: String,
}

impl FakeCli {
    pub fn new() -> Self {
        Self {
            draft: String::new(),
            conversation: Vec::new(),
            busy: false,
            face: Face::Prompt,
            turns: Vec::new(),
            report: Report::Pending,
            pty: PtyState {
                raw: true,
                foreground: true,
            },
            swallow_cr: false,
            inline: false,
            deaf: false,
            woken_under_dialog: false,
            asked: None,
            asked_about: Vec::new(),
            errors: 0,
            uuid: 0,
            session: "session".into(),
        }
    }

    fn line(&mut self, unix_ms: u64, ending: Ending) {
        self.uuid += 1;
        self.report = Report::Turn(LastTurn {
            uuid: format!("uuid-{}", self.uuid),
            unix_ms,
            session_id: self.session.clone(),
            ending,
            consecutive_errors: self.errors,
            unattended_errors: self.errors,
        });
    }

    /// The turn ends in an error.
    pub fn fails(&mut self, unix_ms: u64, text: &str) -> Vec<u8> {
        self.busy = false;
        self.errors += 1;
        self.conversation.push(format!("● {text}"));
        self.line(
            unix_ms,
            Ending::ApiError {
                text: text.into(),
                error: Some("rate_limit".into()),
                status: Some(429),
            },
        );
        self.frame()
    }

    /// The turn ends in an answer.
    pub fn answers(&mut self, unix_ms: u64, text: &str) -> Vec<u8> {
        self.busy = false;
        self.errors = 0;
        self.conversation.push(format!("● {text}"));
        self.line(unix_ms, Ending::Assistant);
        self.frame()
    }

    /// The whole screen.
    pub fn frame(&self) -> Vec<u8> {
        let rule = "─".repeat(usize::from(COLS));
        let mut rows: Vec<String> = vec![" Claude Code".into(), String::new()];
        for block in &self.conversation {
            rows.push(block.clone());
            rows.push(String::new());
        }
        if self.busy {
            rows.push("✻ Thinking…".into());
        }
        let mut cursor = (1, 1);
        match self.face {
            Face::Prompt => {
                rows.push(rule.clone());
                rows.push(format!("❯\u{a0}{}", self.draft));
                cursor = (rows.len(), 3 + self.draft.chars().count());
                rows.push(rule);
                let footer = if self.busy {
                    "  esc to interrupt"
                } else {
                    "  ? for shortcuts"
                };
                rows.push(footer.into());
            }
            Face::Dialog => {
                rows.push(rule);
                rows.push("  Select model".into());
                rows.push(String::new());
                rows.push("  ❯ 1. Default (recommended)".into());
                rows.push("    2. Opus".into());
                rows.push(String::new());
                rows.push("  Enter to confirm · Esc to cancel".into());
            }
        }
        // What does not fit is scrolled off.
        let off = rows.len().saturating_sub(usize::from(ROWS));
        rows.drain(..off);
        cursor.0 -= off.min(cursor.0 - 1);
        if self.inline {
            let up = rows.len() - cursor.0;
            let rows = rows.join("\r\n");
            let column = cursor.1;
            return format!("\x1b[?2004h\x1b[{ROWS}B\r\n{rows}\x1b[{up}A\x1b[{column}G")
                .into_bytes();
        }
        let mut frame = String::from("\x1b[?2004h\x1b[H");
        for (n, row) in rows.iter().enumerate() {
            let _ = write!(frame, "\x1b[{};1H\x1b[2K{row}", n + 1);
        }
        let _ = write!(frame, "\x1b[J\x1b[{};{}H", cursor.0, cursor.1);
        frame.into_bytes()
    }

    fn submit(&mut self) {
        if self.draft.is_empty() || self.swallow_cr {
            return;
        }
        let message = std::mem::take(&mut self.draft);
        // As the CLI draws a message of the user's: behind the glyph with a plain space, on a background.
        self.conversation
            .push(format!("\x1b[48;5;237m❯ {message} \x1b[0m"));
        self.turns.push(message);
        self.busy = true;
        self.line(u64::MAX, Ending::User);
    }
}

impl FakeCli {
    /// What the hook asked for while a dialog was open starts when it closes.
    pub fn closes(&mut self) -> Vec<u8> {
        self.face = Face::Prompt;
        if std::mem::take(&mut self.woken_under_dialog) {
            self.wake();
        }
        self.frame()
    }

    fn wake(&mut self) {
        self.conversation.push("● claude-retry: going on".into());
        self.turns.push("(woken)".into());
        self.busy = true;
        self.line(u64::MAX, Ending::User);
    }
}

impl Outside for FakeCli {
    fn hook_ends(&mut self, answer: Answer) -> Vec<u8> {
        match (answer, self.face) {
            (Answer::Resume, Face::Prompt) => {
                self.wake();
                self.frame()
            }
            (Answer::Resume, Face::Dialog) => {
                self.woken_under_dialog = true;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn transcript(&mut self, _unix_ms: u64) -> Report {
        self.report.clone()
    }

    fn pty(&mut self) -> PtyState {
        self.pty
    }

    fn retry_after(&mut self, failed: Option<u64>) -> Option<Asked> {
        self.asked_about.push(failed);
        self.asked
    }

    fn child_reads(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.deaf || self.face == Face::Dialog {
            return Vec::new();
        }
        let text = String::from_utf8_lossy(bytes);
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                // A control sequence, the brackets of a paste among them, ends with its letter or `~`.
                '\x1b' => drop(chars.find(|c| c.is_ascii_alphabetic() || *c == '~')),
                '\r' => self.submit(),
                '\x15' => self.draft.clear(),
                '\x7f' => drop(self.draft.pop()),
                c if c.is_control() => {}
                c => self.draft.push(c),
            }
        }
        self.frame()
    }
}
