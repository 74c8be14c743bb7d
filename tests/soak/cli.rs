//! The CLI as far as the soak needs one: a prompt with a draft, a conversation, a transcript, both
//! renderers. It gives bytes to draw and takes bytes that were read; it knows no descriptor.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// What stands where the prompt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    Prompt,
    Dialog,
}

/// How the last turn stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// None, or answered.
    Over,
    /// Runs.
    Busy,
    /// Failed in the error of this uuid.
    Failed(String),
}

/// What came of bytes that were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    /// The draft is another.
    Edited,
    /// This was submitted.
    Submitted(String),
    /// This was pasted, into a draft that was so long.
    Pasted { text: String, before: usize },
}

/// Where in the input it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Input {
    Ground,
    Escape,
    Csi(Vec<u8>),
    Ss3,
    /// X10's mouse: so many bytes are missing.
    Mouse(u8),
    Paste(Vec<u8>),
}

pub(crate) struct Cli {
    pub(crate) rows: u16,
    pub(crate) cols: u16,
    /// It draws on the alternate screen, else at the cursor.
    pub(crate) full: bool,
    /// Its frames are synchronized updates.
    pub(crate) synchronized: bool,
    pub(crate) titles: bool,
    pub(crate) draft: String,
    pub(crate) face: Face,
    pub(crate) turn: Turn,
    /// The turn in question was cancelled at the bar, or its tries are spent.
    pub(crate) dead: bool,
    spinner: usize,
    blocks: Vec<String>,
    input: Input,
    half: Vec<u8>,
    /// Modes beyond those that it always sets: what sets and what resets them.
    pub(crate) modes: Vec<(&'static str, &'static str)>,
    /// The rows on the screen, where they are known, and (inline) the cursor's row among them.
    shown: Option<Vec<String>>,
    at: usize,
}

impl Cli {
    pub(crate) fn new(rows: u16, cols: u16, full: bool) -> Self {
        Self {
            rows,
            cols,
            full,
            synchronized: false,
            titles: false,
            draft: String::new(),
            face: Face::Prompt,
            turn: Turn::Over,
            dead: false,
            spinner: 0,
            blocks: Vec::new(),
            input: Input::Ground,
            half: Vec::new(),
            modes: Vec::new(),
            shown: None,
            at: 0,
        }
    }

    /// A block of the conversation: its sign, and its text, which is wrapped with a hanging indent.
    pub(crate) fn says(&mut self, text: &str) {
        self.blocks.push(text.to_owned());
        if self.blocks.len() > 40 {
            self.blocks.drain(..20);
        }
    }

    /// What it sets when it starts or comes back.
    pub(crate) fn enter(&mut self) -> Vec<u8> {
        self.shown = None;
        let mut bytes = String::from("\x1b[?2004h");
        if self.full {
            bytes.push_str("\x1b[?1049h\x1b[2J\x1b[H");
        }
        bytes.extend(self.modes.iter().map(|(set, _)| *set));
        bytes.into_bytes()
    }

    /// What it resets before it leaves by itself.
    pub(crate) fn leave(&mut self) -> Vec<u8> {
        self.shown = None;
        let mut bytes: String = self.modes.iter().rev().map(|(_, reset)| *reset).collect();
        if self.full {
            bytes.push_str("\x1b[?1049l");
        } else {
            bytes.push_str("\r\n");
        }
        bytes.push_str("\x1b[?2004l\x1b[?25h\x1b[0m");
        bytes.into_bytes()
    }

    /// The screen is not what it was: the next frame draws all of it, as the CLI does after a resize.
    pub(crate) fn forget(&mut self) -> Vec<u8> {
        self.shown = None;
        b"\x1b[0m\x1b[2J\x1b[3J\x1b[H".to_vec()
    }

    pub(crate) fn resize(&mut self, rows: u16, cols: u16) {
        (self.rows, self.cols) = (rows, cols);
        self.shown = None;
    }

    fn wrapped(&self, text: &str, indent: usize, into: &mut Vec<String>) {
        let width = usize::from(self.cols).saturating_sub(1).max(4);
        let mut row = String::new();
        for word in text.split(' ') {
            if !row.trim().is_empty() && row.width() + 1 + word.width() > width {
                into.push(std::mem::replace(&mut row, " ".repeat(indent)));
                row.push_str(word);
            } else {
                if !row.is_empty() && !row.ends_with(' ') {
                    row.push(' ');
                }
                row.push_str(word);
            }
        }
        into.push(row);
    }

    /// The rows of a frame, and the cursor's row and column among them.
    fn layout(&self) -> (Vec<String>, (usize, usize)) {
        let cols = usize::from(self.cols);
        let rule = "─".repeat(cols);
        let mut rows = vec![" Soak".to_owned(), String::new()];
        for block in &self.blocks {
            if let Some(message) = block.strip_prefix("❯ ") {
                let room: String = clip(message, cols.saturating_sub(4));
                rows.push(format!("\x1b[48;5;237m❯ {room} \x1b[0m"));
            } else {
                self.wrapped(block, 2, &mut rows);
            }
            rows.push(String::new());
        }
        if self.turn == Turn::Busy {
            let dots = ["✻", "✽", "✶"][self.spinner % 3];
            rows.push(format!(
                "\x1b[38;5;174m{dots} Thinking… ({}s)\x1b[39m",
                self.spinner / 3
            ));
            rows.push(String::new());
        }
        let cursor;
        match self.face {
            Face::Prompt => {
                rows.push(rule.clone());
                let draft = clip(&self.draft, cols.saturating_sub(4));
                cursor = (rows.len(), 2 + draft.width());
                rows.push(format!("❯\u{a0}{draft}"));
                rows.push(rule);
                rows.push(if self.turn == Turn::Busy {
                    "  esc to interrupt".into()
                } else {
                    "  ? for shortcuts".into()
                });
            }
            Face::Dialog => {
                rows.push(rule);
                rows.push("  Select model".into());
                rows.push(String::new());
                cursor = (rows.len(), 2);
                rows.push("  ❯ 1. Default (recommended)".into());
                rows.push("    2. Another".into());
                rows.push(String::new());
                rows.push("  Enter to confirm · Esc to cancel".into());
            }
        }
        (rows, cursor)
    }

    /// The bytes of the next frame. Every `thorough` one draws all rows, others what has changed.
    pub(crate) fn frame(&mut self, thorough: bool) -> Vec<u8> {
        self.spinner += 1;
        let (mut rows, mut cursor) = self.layout();
        let mut frame = String::new();
        if self.synchronized {
            frame.push_str("\x1b[?2026h");
        }
        if self.titles {
            let glyph = if self.turn == Turn::Busy {
                '◐'
            } else {
                '✳'
            };
            let _ = write!(frame, "\x1b]0;{glyph} soak\x07");
        }
        frame.push_str("\x1b[?25l");
        let most = usize::from(self.rows);
        let room = if self.full {
            most
        } else {
            most.saturating_sub(1).max(1)
        };
        let off = rows.len().saturating_sub(room);
        rows.drain(..off);
        cursor.0 = cursor
            .0
            .saturating_sub(off)
            .min(rows.len().saturating_sub(1));
        let clipped = cursor.1.min(usize::from(self.cols).saturating_sub(1));
        if self.full {
            let before = self.shown.take().filter(|_| !thorough);
            for (at, row) in rows.iter().enumerate() {
                if before.as_ref().and_then(|before| before.get(at)) != Some(row) {
                    let _ = write!(frame, "\x1b[{};1H\x1b[2K{row}", at + 1);
                }
            }
            if rows.len() < most && before.is_none_or(|before| before.len() > rows.len()) {
                let _ = write!(frame, "\x1b[{};1H\x1b[J", rows.len() + 1);
            }
            let _ = write!(frame, "\x1b[{};{}H", cursor.0 + 1, clipped + 1);
        } else {
            if self.shown.is_some() && self.at > 0 {
                let _ = write!(frame, "\x1b[{}A", self.at);
            }
            let up = rows.len() - 1 - cursor.0;
            let _ = write!(frame, "\r\x1b[J{}", rows.join("\r\n"));
            if up > 0 {
                let _ = write!(frame, "\x1b[{up}A");
            }
            let _ = write!(frame, "\x1b[{}G", clipped + 1);
            self.at = cursor.0;
        }
        self.shown = Some(rows);
        frame.push_str("\x1b[?25h");
        if self.synchronized {
            frame.push_str("\x1b[?2026l");
        }
        frame.into_bytes()
    }

    /// Inline: rows that stay above what is drawn, and scroll away.
    pub(crate) fn print_above(&mut self, lines: &[String]) -> Vec<u8> {
        let mut bytes = String::new();
        if self.shown.take().is_some() && self.at > 0 {
            let _ = write!(bytes, "\x1b[{}A", self.at);
        }
        bytes.push_str("\r\x1b[J");
        for line in lines {
            bytes.push_str(line);
            bytes.push_str("\r\n");
        }
        self.at = 0;
        bytes.into_bytes()
    }

    /// Nothing followed the Esc: it was a key.
    pub(crate) fn end_of_escape(&mut self) {
        self.input = Input::Ground;
    }

    /// Takes what was read.
    pub(crate) fn reads(&mut self, bytes: &[u8]) -> Vec<Did> {
        let mut did = Vec::new();
        for &byte in bytes {
            let input = std::mem::replace(&mut self.input, Input::Ground);
            self.input = self.step(input, byte, &mut did);
        }
        did
    }

    fn step(&mut self, input: Input, byte: u8, did: &mut Vec<Did>) -> Input {
        match input {
            Input::Ground if byte == 0x1b => return Input::Escape,
            Input::Ground => self.key(byte, did),
            Input::Escape => match byte {
                b'[' => return Input::Csi(Vec::new()),
                b'O' => return Input::Ss3,
                0x1b => return Input::Escape,
                _ => {}
            },
            Input::Mouse(missing) if missing > 1 => return Input::Mouse(missing - 1),
            Input::Ss3 | Input::Mouse(_) => {}
            Input::Csi(mut sequence) => {
                sequence.push(byte);
                if !(0x40..=0x7e).contains(&byte) {
                    return Input::Csi(sequence);
                }
                match &sequence[..] {
                    b"200~" => return Input::Paste(Vec::new()),
                    b"M" => return Input::Mouse(3),
                    b"99;5u" => self.key(0x03, did),
                    b"117;5u" => self.key(0x15, did),
                    _ => {}
                }
            }
            Input::Paste(mut text) => {
                text.push(byte);
                if !text.ends_with(b"\x1b[201~") {
                    return Input::Paste(text);
                }
                text.truncate(text.len() - 6);
                let text = String::from_utf8_lossy(&text).into_owned();
                let before = self.draft.chars().count();
                if self.face == Face::Prompt {
                    if text.len() > 200 {
                        let _ = write!(self.draft, "[Pasted text +{} lines]", text.lines().count());
                    } else {
                        self.draft.extend(text.chars().filter(|c| !c.is_control()));
                    }
                }
                did.push(Did::Pasted { text, before });
            }
        }
        Input::Ground
    }

    fn key(&mut self, byte: u8, did: &mut Vec<Did>) {
        if self.face == Face::Dialog {
            return;
        }
        match byte {
            b'\r' if self.draft.is_empty() || self.turn == Turn::Busy => {}
            b'\r' => did.push(Did::Submitted(std::mem::take(&mut self.draft))),
            0x15 | 0x03 => {
                self.draft.clear();
                did.push(Did::Edited);
            }
            0x7f => {
                self.draft.pop();
                did.push(Did::Edited);
            }
            0x20..=0x7e | 0x80.. => {
                self.half.push(byte);
                if let Ok(text) = std::str::from_utf8(&self.half) {
                    self.draft.push_str(text);
                    self.half.clear();
                    did.push(Did::Edited);
                } else if self.half.len() > 4 {
                    self.half.clear();
                }
            }
            _ => {}
        }
    }
}

/// As much of the end as fits.
fn clip(text: &str, width: usize) -> String {
    let mut room = width;
    let mut from = text.len();
    for (at, c) in text.char_indices().rev() {
        let wide = c.width().unwrap_or(0);
        if wide > room {
            break;
        }
        room -= wide;
        from = at;
    }
    text[from..].to_owned()
}
