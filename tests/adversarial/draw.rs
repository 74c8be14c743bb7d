//! Draws what the CLI would: blocks with a sign and a hanging indent, words wrapped at the width.

use claude_retry::term::Size;
use claude_retry::term::screen::Screen;
use unicode_width::UnicodeWidthStr;

use crate::replay::Replay;

/// A block: a sign, then the text, wrapped with a hanging indent as wide as the sign. Each line of the text
/// begins a row.
pub(crate) fn block(cols: u16, sign: &str, text: &str) -> String {
    let cols = usize::from(cols);
    let indent = " ".repeat(sign.width());
    let mut rows = Vec::new();
    for line in text.split('\n') {
        let mut row = if rows.is_empty() { sign } else { &indent }.to_owned();
        let mut empty = true;
        for word in line.split(' ') {
            if !empty && row.width() + 1 + word.width() > cols {
                rows.push(std::mem::replace(&mut row, indent.clone()));
                empty = true;
            }
            if !empty {
                row.push(' ');
            }
            row.push_str(word);
            empty = false;
        }
        rows.push(row);
    }
    rows.join("\n")
}

/// A message, a call, an error: behind `●`.
pub(crate) fn bullet(cols: u16, text: &str) -> String {
    block(cols, "● ", text)
}

/// What belongs to the block above.
pub(crate) fn elbow(cols: u16, text: &str) -> String {
    block(cols, "  ⎿  ", text)
}

/// The user's line, on a background.
pub(crate) fn user(cols: u16, text: &str) -> String {
    let rows = block(cols, "❯ ", text);
    let filled = |row: &str| format!("\x1b[48;5;237m{row}\x1b[49m");
    rows.split('\n').map(filled).collect::<Vec<_>>().join("\n")
}

pub(crate) fn rule(cols: u16) -> String {
    "─".repeat(cols.into())
}

/// What stands below the conversation.
#[derive(Clone, Debug)]
pub(crate) struct Below {
    /// Between the rules.
    pub(crate) prompt: String,
    /// The cursor's column, in the prompt's first row.
    pub(crate) col: u16,
    /// Below the rules.
    pub(crate) footer: String,
}

impl Default for Below {
    fn default() -> Self {
        Self {
            prompt: "❯\u{a0}\x1b[7m \x1b[27m".to_owned(),
            col: 2,
            footer: "  ? for shortcuts".to_owned(),
        }
    }
}

/// The conversation, and the prompt right below it, on a screen that is just high enough.
pub(crate) fn session(cols: u16, conversation: &str, below: &Below) -> Screen {
    let rule = rule(cols);
    let Below {
        prompt,
        col,
        footer,
    } = below;
    let text = format!("{conversation}\n{rule}\n{prompt}\n{rule}\n{footer}");
    let above = u16::try_from(conversation.split('\n').count()).expect("few rows");
    page(cols, &text, (above + 1, *col))
}

/// Lines from the top, whatever they are.
pub(crate) fn page(cols: u16, text: &str, cursor: (u16, u16)) -> Screen {
    let rows = u16::try_from(text.split('\n').count()).expect("few rows");
    let mut replay = Replay::new(Size::new(rows, cols));
    replay.feed(b"\x1b[?7l");
    replay.feed(text.replace('\n', "\r\n").as_bytes());
    replay.feed(format!("\x1b[?25l\x1b[{};{}H", cursor.0 + 1, cursor.1 + 1).as_bytes());
    replay.screen()
}
