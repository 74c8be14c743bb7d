//! The demo's stand-in for Claude Code, without its terminal: keys in, frames and transcript lines out.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use crate::term::Size;

/// What the visitor is shown to ask.
const QUESTION: &str = "fix the flaky test";
/// The banner of the real CLI for a throttled subscriber.
const THROTTLED: &str =
    "API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited";
const ANSWER: &str = "The test raced with the server it starts. It now waits for the port, and passed \
                      200 times in a row.";
/// So many turns fail before one is answered.
const FAILURES: u32 = 2;

const BEFORE_TYPING: Duration = Duration::from_millis(1200);
const KEY: Duration = Duration::from_millis(60);
const BEFORE_ENTER: Duration = Duration::from_millis(400);
const BUSY: Duration = Duration::from_millis(1200);
const SPIN: Duration = Duration::from_millis(120);
const CURTAIN: Duration = Duration::from_secs(4);
/// Where nobody resumes the turn (the visitor cancelled, and left), it ends by itself.
const ALONE: Duration = Duration::from_secs(20);
/// A second Ctrl+C within this time leaves, as in the real CLI.
const ARMED: Duration = Duration::from_secs(1);

const SPINNER: [&str; 6] = ["·", "✢", "✳", "✶", "✻", "✽"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// The question types itself; so many of its characters stand there.
    Typing(usize),
    /// The turn runs since then.
    Busy(Duration),
    /// The prompt is the wrapper's, or the visitor's, and nothing has been typed since then.
    Idle(Duration),
    /// It is over since then.
    Over(Duration),
}

/// One block of the conversation.
#[derive(Clone, Debug)]
enum Block {
    User(String),
    Error,
    Answer,
}

/// The play.
#[derive(Debug)]
pub(super) struct Stage {
    act: Act,
    /// When the act goes on by itself.
    next: Option<Duration>,
    draft: String,
    said: Vec<Block>,
    failures: u32,
    armed: Option<Duration>,
    left: bool,
    /// Inside an escape sequence of the input.
    escape: bool,
    lines: Vec<Value>,
    written: u32,
}

impl Stage {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            act: Act::Typing(0),
            next: Some(now + BEFORE_TYPING),
            draft: String::new(),
            said: Vec::new(),
            failures: 0,
            armed: None,
            left: false,
            escape: false,
            lines: Vec::new(),
            written: 0,
        }
    }

    /// When [`Stage::tick`] is to be called at the latest.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.next
    }

    /// It has ended, or the visitor has left.
    pub(super) fn finished(&self, now: Duration) -> bool {
        let over = match self.act {
            Act::Over(since) => now >= since + CURTAIN,
            Act::Idle(since) => now >= since + ALONE,
            Act::Typing(_) | Act::Busy(_) => false,
        };
        self.left || over
    }

    /// The whole story was seen.
    pub(super) fn complete(&self) -> bool {
        matches!(self.act, Act::Over(_))
    }

    fn is_idle(&self) -> bool {
        matches!(self.act, Act::Idle(_))
    }

    /// New lines of the transcript.
    pub(super) fn take_lines(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.lines)
    }

    /// Goes on with what is due.
    pub(super) fn tick(&mut self, now: Duration) {
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        match self.act {
            Act::Typing(n) => {
                if let Some((at, character)) = QUESTION.char_indices().nth(n) {
                    debug_assert_eq!(at, self.draft.len());
                    self.draft.push(character);
                    self.act = Act::Typing(n + 1);
                    let last = n + 1 == QUESTION.chars().count();
                    self.next = Some(now + if last { BEFORE_ENTER } else { KEY });
                } else {
                    self.submit(now);
                }
            }
            Act::Busy(since) if now >= since + BUSY => self.turn_ends(now),
            Act::Busy(_) => self.next = Some(now + SPIN),
            Act::Idle(_) | Act::Over(_) => self.next = None,
        }
    }

    fn submit(&mut self, now: Duration) {
        let text = std::mem::take(&mut self.draft);
        self.line(json!({"type": "user", "message": {"role": "user", "content": text}}));
        self.said.push(Block::User(text));
        self.act = Act::Busy(now);
        self.next = Some(now + SPIN);
    }

    fn turn_ends(&mut self, now: Duration) {
        let content = |text: &str| json!([{"type": "text", "text": text}]);
        if self.failures < FAILURES {
            self.failures += 1;
            self.line(json!({
                "type": "assistant",
                "message": {"model": "<synthetic>", "role": "assistant", "content": content(THROTTLED)},
                "error": "rate_limit",
                "isApiErrorMessage": true,
                "apiErrorStatus": 429,
            }));
            self.said.push(Block::Error);
            self.act = Act::Idle(now);
            self.next = None;
        } else {
            self.line(json!({
                "type": "assistant",
                "message": {"model": "demo", "role": "assistant", "content": content(ANSWER)},
            }));
            self.said.push(Block::Answer);
            self.act = Act::Over(now);
            self.next = Some(now + CURTAIN);
        }
    }

    /// A main-chain line: each is the child of the one before.
    fn line(&mut self, mut line: Value) {
        let uuid = |n: u32| format!("00000000-0000-4000-8000-{n:012}");
        let parent = (self.written > 0).then(|| uuid(self.written));
        self.written += 1;
        line["parentUuid"] = parent.into();
        line["uuid"] = uuid(self.written).into();
        line["isSidechain"] = false.into();
        self.lines.push(line);
    }

    /// The visitor typed, or the wrapper did.
    pub(super) fn input(&mut self, now: Duration, bytes: &[u8]) {
        if let Act::Idle(since) = &mut self.act {
            *since = now;
        }
        for character in String::from_utf8_lossy(bytes).chars() {
            if self.escape {
                // A control sequence, the brackets of a paste among them, ends with its letter or `~`.
                self.escape = !(character.is_ascii_alphabetic() || character == '~');
                continue;
            }
            match character {
                '\x1b' => self.escape = true,
                '\x03' if self.draft.is_empty() || !self.is_idle() => {
                    self.left = self.armed.is_some_and(|armed| now <= armed + ARMED);
                    self.armed = Some(now);
                }
                '\x04' if self.draft.is_empty() => self.left = true,
                _ if !self.is_idle() => {}
                '\x03' | '\x15' => self.draft.clear(),
                '\r' if !self.draft.trim().is_empty() => self.submit(now),
                '\x7f' | '\x08' => drop(self.draft.pop()),
                character if !character.is_control() => self.draft.push(character),
                _ => {}
            }
        }
    }

    /// The whole screen, and the title.
    pub(super) fn frame(&self, now: Duration, size: Size) -> Vec<u8> {
        let (rows, cols) = (usize::from(size.rows), usize::from(size.cols));
        let busy = matches!(self.act, Act::Busy(_));
        let mut above = self.conversation(now, cols);
        let rule = format!("\x1b[38;5;244m{}\x1b[0m", "─".repeat(cols));
        // The prompt box has four rows, its footer included.
        let room = rows.saturating_sub(4);
        above.drain(..above.len().saturating_sub(room));
        above.resize(room, String::new());
        let mut frame = String::from("\x1b[?25l");
        let title = if busy { "◐" } else { "✳" };
        let _ = write!(frame, "\x1b]0;{title} claude-retry demo\x07");
        let box_rows = [
            rule.clone(),
            self.prompt(cols),
            rule,
            self.footer(now, cols),
        ];
        for (row, text) in above.iter().chain(&box_rows).take(rows).enumerate() {
            let _ = write!(frame, "\x1b[{};1H\x1b[0m\x1b[2K{text}\x1b[0m", row + 1);
        }
        let column = (self.draft.width() + 3).min(cols);
        let _ = write!(frame, "\x1b[{};{column}H\x1b[?25h", room + 2);
        frame.into_bytes()
    }

    fn prompt(&self, cols: usize) -> String {
        if self.draft.is_empty() && self.failures > 0 && self.is_idle() {
            let placeholder = "Resend your message to try again";
            let (first, rest) = placeholder.split_at(1);
            let rest: String = rest.chars().take(cols.saturating_sub(3)).collect();
            return format!("❯\u{a0}\x1b[7m{first}\x1b[27m\x1b[2m{rest}");
        }
        format!("❯\u{a0}{}", self.draft)
    }

    fn footer(&self, now: Duration, cols: usize) -> String {
        let text = if self.armed.is_some_and(|armed| now <= armed + ARMED) {
            "  press ctrl+c again to leave"
        } else if matches!(self.act, Act::Busy(_)) {
            "  esc to interrupt"
        } else {
            "  a demo: ctrl+d leaves"
        };
        let text: String = text.chars().take(cols).collect();
        format!("\x1b[38;5;244m{text}")
    }

    fn conversation(&self, now: Duration, cols: usize) -> Vec<String> {
        let mut rows = Vec::new();
        let header = "A stand-in for Claude Code: no CLI, no account, no network.";
        rows.extend(
            wrap(header, " ", " ", cols)
                .into_iter()
                .map(|row| format!("\x1b[2m{row}")),
        );
        rows.push(String::new());
        for block in &self.said {
            match block {
                Block::User(text) => {
                    let fill = " ".repeat(cols.saturating_sub(text.width() + 2));
                    rows.push(format!(
                        "\x1b[48;5;237m\x1b[38;5;244m❯ \x1b[39m{text}{fill}"
                    ));
                }
                Block::Error => {
                    let text = wrap(THROTTLED, "● ", "  ", cols);
                    rows.extend(text.into_iter().map(|row| format!("\x1b[33m{row}")));
                }
                Block::Answer => {
                    rows.extend(wrap(ANSWER, "● ", "  ", cols));
                    rows.push(String::new());
                    let moral =
                        "Two throttles, two waits, two resumes, and nobody at the keyboard.";
                    let moral = wrap(moral, "  ", "  ", cols);
                    rows.extend(moral.into_iter().map(|row| format!("\x1b[1m{row}")));
                }
            }
            rows.push(String::new());
        }
        if let Act::Busy(since) = self.act {
            let turn = now.saturating_sub(since).as_millis() / SPIN.as_millis();
            let glyph =
                usize::try_from(turn).map_or(SPINNER[0], |turn| SPINNER[turn % SPINNER.len()]);
            rows.push(format!("\x1b[38;5;173m{glyph} Thinking…"));
        }
        rows
    }
}

/// The text in rows of so many columns, with these indents.
fn wrap(text: &str, first: &str, rest: &str, cols: usize) -> Vec<String> {
    let mut rows = Vec::new();
    let mut row = first.to_owned();
    let mut empty = true;
    for word in text.split(' ') {
        if !empty && row.width() + 1 + word.width() > cols {
            rows.push(std::mem::replace(&mut row, rest.to_owned()));
            empty = true;
        }
        if !empty {
            row.push(' ');
        }
        row.push_str(word);
        empty = false;
    }
    rows.push(row);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// Lets the play go on until it waits for somebody.
    fn play(stage: &mut Stage, now: &mut Duration) {
        while let Some(next) = stage.deadline() {
            *now = (*now).max(next);
            stage.tick(*now);
        }
    }

    fn text(stage: &Stage, now: Duration) -> String {
        String::from_utf8(stage.frame(now, Size::new(24, 80))).expect("text")
    }

    #[test]
    fn it_asks_fails_twice_and_answers() {
        let (mut stage, mut now) = (Stage::new(MS(0)), MS(0));
        play(&mut stage, &mut now);
        assert!(text(&stage, now).contains("Rate limited"));
        assert_eq!(stage.take_lines().len(), 2);
        for input in [&b"\x1b[200~continue\x1b[201~\r"[..], b"continue\r"] {
            assert!(!stage.complete());
            stage.input(now, input);
            assert!(text(&stage, now).contains("esc to interrupt"));
            play(&mut stage, &mut now);
        }
        assert!(stage.complete() && stage.finished(now));
        assert!(text(&stage, now).contains("nobody at the keyboard"));
        assert!(
            now < Duration::from_secs(13),
            "with 7 s of waits it takes {now:?}"
        );
        let lines = stage.take_lines();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[1]["isApiErrorMessage"], true);
        assert_eq!(lines[3]["parentUuid"], lines[2]["uuid"]);
    }

    #[test]
    fn keys_edit_the_prompt_and_ctrl_c_twice_leaves() {
        let (mut stage, mut now) = (Stage::new(MS(0)), MS(0));
        play(&mut stage, &mut now);
        stage.input(now, b"abc\x7f");
        assert!(text(&stage, now).contains("❯\u{a0}ab\x1b[0m"));
        stage.input(now, b"\x15");
        assert!(text(&stage, now).contains("esend your message"));
        stage.input(now, b"\r");
        assert_eq!(stage.deadline(), None, "an empty message is none");
        stage.input(now, b"\x03");
        assert!(!stage.finished(now) && text(&stage, now).contains("again to leave"));
        stage.input(now + MS(2000), b"\x03");
        assert!(!stage.finished(now + MS(2000)));
        stage.input(now + MS(2500), b"\x03");
        assert!(stage.finished(now + MS(2500)) && !stage.complete());
    }

    #[test]
    fn it_ends_by_itself_where_nobody_goes_on() {
        let (mut stage, mut now) = (Stage::new(MS(0)), MS(0));
        play(&mut stage, &mut now);
        assert!(!stage.finished(now + MS(19_000)));
        stage.input(now + MS(19_000), b"a");
        assert!(!stage.finished(now + MS(38_000)));
        assert!(stage.finished(now + MS(39_000)) && !stage.complete());
    }

    #[test]
    fn no_row_is_wider_than_the_terminal() {
        let (mut stage, mut now) = (Stage::new(MS(0)), MS(0));
        play(&mut stage, &mut now);
        for cols in [20, 44, 80] {
            let rows = stage.conversation(now, cols);
            let plain = |row: &str| {
                row.split('\x1b')
                    .map(|part| part.split_once('m').map_or(part, |p| p.1).width())
                    .sum::<usize>()
            };
            // The first part of a row has no escape before it.
            for row in rows {
                assert!(plain(&row) <= cols + 1, "{cols}: {row:?}");
            }
        }
    }
}
