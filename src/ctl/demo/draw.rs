//! What the stand-in draws, the way CLI 2.1.330 draws on the alternate screen: the conversation, the
//! prompt between two rules, the footer.
//!
//! Every row that has changed is written whole, from its first column to its end or an erasure, so that
//! whoever watches knows all of it.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::stage::{ANSWER, Ending, Said, Stage, THROTTLE};
use crate::term::Size;

/// The alternate screen, bracketed paste, no cursor (the prompt draws its own).
pub(super) const ENTER: &[u8] = b"\x1b[?2004h\x1b[?1049h\x1b[2J\x1b[H\x1b[?25l";
/// All of that undone, and no title.
pub(super) const LEAVE: &[u8] = b"\x1b[?2004l\x1b[0m\x1b[?1049l\x1b[?25h\x1b]0;\x07";

const HEADER: &str = "claude-retry demo · a stand-in for Claude Code";
const ABOUT: &str = "No account, no network. Throttled twice: hands off, watch the last line.";
const PLACEHOLDER: &str = "Resend your message to try again";
const SPINNER: [char; 6] = ['·', '✢', '✳', '✶', '✻', '✽'];
const SPINNER_FRAME_MS: u128 = 120;

const BOLD: &str = "1";
const DIM: &str = "2";
const INVERSE: &str = "7";
/// The CLI's colours, from the sixteen that every terminal has.
const ORANGE: &str = "33";
const RULE: &str = "90";
const BUBBLE: &str = "48;5;237;97";

/// Columns before the text of a block.
const INDENT: usize = 2;

/// A row of the screen: its bytes, and how many columns they take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Row {
    bytes: String,
    width: usize,
}

impl Row {
    fn of(sgr: &str, text: &str) -> Self {
        Self::default().and(sgr, text)
    }

    /// The text behind what is there, with this rendition (nothing: the plain one).
    fn and(mut self, sgr: &str, text: &str) -> Self {
        if !sgr.is_empty() {
            let _ = write!(self.bytes, "\x1b[{sgr}m");
        }
        self.bytes.push_str(text);
        if !sgr.is_empty() {
            self.bytes.push_str("\x1b[0m");
        }
        self.width += text.width();
        self
    }
}

/// The screen as it was drawn.
#[derive(Default)]
pub(super) struct Painter {
    size: Option<(u16, u16)>,
    rows: Vec<Row>,
    title: String,
}

impl Painter {
    /// The bytes that make the screen show the stage, from what it showed before.
    pub(super) fn paint(&mut self, stage: &Stage, size: Size) -> Vec<u8> {
        let mut out = String::new();
        let title = format!(
            "{} claude-retry demo",
            if stage.busy().is_some() { '◐' } else { '✳' }
        );
        if title != self.title {
            let _ = write!(out, "\x1b]0;{title}\x07");
            self.title = title;
        }
        if self.size != Some((size.rows, size.cols)) {
            out.push_str("\x1b[0m\x1b[2J");
            self.size = Some((size.rows, size.cols));
            self.rows = vec![Row::default(); usize::from(size.rows)];
        }
        let cols = usize::from(size.cols);
        let (rows, cursor) = picture(stage, usize::from(size.rows), cols);
        let before = out.len();
        for (at, row) in rows.iter().enumerate() {
            if self.rows[at] != *row {
                // An erasure behind a full row would take its last character away.
                let rest = if row.width < cols { "\x1b[K" } else { "" };
                let _ = write!(out, "\x1b[{};1H{}{rest}", at + 1, row.bytes);
            }
        }
        if out.len() > before || self.rows.is_empty() {
            let _ = write!(out, "\x1b[{};{}H", cursor.0 + 1, cursor.1 + 1);
        }
        self.rows = rows;
        out.into_bytes()
    }
}

/// All rows, and the cursor's place.
fn picture(stage: &Stage, height: usize, cols: usize) -> (Vec<Row>, (usize, usize)) {
    let (prompt, column) = prompt(stage, cols);
    let rule = Row::of(RULE, &"─".repeat(cols));
    let mut bottom = vec![rule.clone(), prompt, rule, footer(stage, cols)];
    // A blank row sets the conversation off, also where it scrolls.
    let mut top = conversation(stage, cols);
    let room = height.saturating_sub(bottom.len() + 1);
    top.drain(..top.len().saturating_sub(room));
    top.resize(height.saturating_sub(bottom.len()), Row::default());
    top.append(&mut bottom);
    top.drain(..top.len() - height);
    let row = height.saturating_sub(3);
    (top, (row, column.min(cols.saturating_sub(1))))
}

fn conversation(stage: &Stage, cols: usize) -> Vec<Row> {
    let text_cols = cols.saturating_sub(INDENT + 1).max(1);
    let mut rows = vec![Row::default()];
    for line in wrap(HEADER, text_cols) {
        rows.push(Row::of("", " ").and(BOLD, &line));
    }
    for line in wrap(ABOUT, text_cols) {
        rows.push(Row::of("", " ").and(DIM, &line));
    }
    for said in stage.talk() {
        rows.push(Row::default());
        match said {
            Said::User(text) => {
                for (at, line) in wrap(text, text_cols).iter().enumerate() {
                    let sign = if at == 0 { "❯ " } else { "  " };
                    rows.push(Row::of(BUBBLE, &format!("{sign}{line} ")));
                }
            }
            Said::Throttled => rows.extend(block(("●", ORANGE), "", THROTTLE, text_cols)),
            Said::Answer(shown) => {
                for (at, text) in ANSWER[..*shown].iter().enumerate() {
                    if at == 0 {
                        rows.extend(block(("●", ""), "", text, text_cols));
                    } else {
                        rows.push(Row::default());
                        rows.extend(block((" ", ""), "", text, text_cols));
                    }
                }
            }
            Said::Interrupted => {
                rows.pop();
                rows.push(Row::of(DIM, "  ⎿  Interrupted"));
            }
        }
    }
    if let Some(busy) = stage.busy()
        && !matches!(stage.talk().last(), Some(Said::Answer(_)))
    {
        let frame = usize::try_from(busy.as_millis() / SPINNER_FRAME_MS).unwrap_or_default();
        let glyph = SPINNER[frame % SPINNER.len()];
        rows.push(Row::default());
        rows.push(Row::of(ORANGE, &format!("{glyph} Thinking…")));
    }
    rows
}

/// A block: a sign with its rendition, and the text with a hanging indent.
fn block(sign: (&str, &str), sgr: &str, text: &str, cols: usize) -> Vec<Row> {
    let lines = wrap(text, cols);
    let row = |(at, line): (usize, &String)| {
        let start = if at == 0 {
            Row::of(sign.1, sign.0).and("", " ")
        } else {
            Row::of("", "  ")
        };
        start.and(sgr, line)
    };
    lines.iter().enumerate().map(row).collect()
}

/// The prompt's row, and the cursor's column in it.
fn prompt(stage: &Stage, cols: usize) -> (Row, usize) {
    let start = Row::of("", "❯\u{a0}");
    let room = cols.saturating_sub(INDENT + 1);
    if !stage.draft().is_empty() {
        let shown = end_of(stage.draft(), room);
        let row = start.and("", shown);
        let column = row.width;
        return (row.and(INVERSE, " "), column);
    }
    let failed = stage.busy().is_none() && stage.talk().last() == Some(&Said::Throttled);
    if failed && PLACEHOLDER.len() <= room {
        let (first, rest) = PLACEHOLDER.split_at(1);
        return (start.and(INVERSE, first).and(DIM, rest), INDENT);
    }
    (start.and(INVERSE, " "), INDENT)
}

fn footer(stage: &Stage, cols: usize) -> Row {
    let text = if stage.is_armed() {
        "  Press Ctrl-C again to leave the demo"
    } else if stage.busy().is_some() {
        "  esc to interrupt · ctrl+c twice leaves the demo"
    } else {
        "  ctrl+c twice leaves the demo"
    };
    Row::of(DIM, start_of(text, cols.saturating_sub(1)))
}

/// What stays on the terminal when all is over, in rows of at most so many columns.
pub(super) fn last_words(ending: Ending, cols: u16) -> Vec<String> {
    let seen = match ending {
        Ending::Told(2) => "Throttled twice, resumed twice by itself.",
        Ending::Told(_) => "That was the demo.",
        Ending::Left => "You left the demo.",
    };
    let text = format!("{seen} For the real thing, type `claude-retry` instead of `claude`.");
    wrap(&text, usize::from(cols))
}

/// As much of the text's start as fits.
fn start_of(text: &str, cols: usize) -> &str {
    let mut width = 0;
    let fits = |&(_, c): &(usize, char)| {
        width += c.width().unwrap_or(0);
        width > cols
    };
    let end = text.char_indices().find(fits);
    &text[..end.map_or(text.len(), |(at, _)| at)]
}

/// As much of the text's end as fits.
fn end_of(text: &str, cols: usize) -> &str {
    let mut width = 0;
    let too_much = |&(_, c): &(usize, char)| {
        width += c.width().unwrap_or(0);
        width > cols
    };
    let last_out = text.char_indices().rev().find(too_much);
    &text[last_out.map_or(0, |(at, c)| at + c.len_utf8())..]
}

/// Breaks a text into rows at its blanks; a word that is longer than a row is broken where it must be.
fn wrap(text: &str, cols: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    for word in text.split_whitespace() {
        let row = rows.last().map_or(0, |row| row.width());
        if row > 0 && row + 1 + word.width() > cols {
            rows.push(String::new());
        } else if row > 0
            && let Some(last) = rows.last_mut()
        {
            last.push(' ');
        }
        for c in word.chars() {
            let row = rows.last().map_or(0, |row| row.width());
            if row > 0 && row + c.width().unwrap_or(0) > cols {
                rows.push(String::new());
            }
            if let Some(last) = rows.last_mut() {
                last.push(c);
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_broken_at_blanks_where_they_have_some() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!((start_of("abcdef", 3), end_of("abcdef", 3)), ("abc", "def"));
        assert_eq!((start_of("ab", 3), end_of("ab", 3)), ("ab", "ab"));
        assert_eq!(end_of("ab日本", 3), "本");
    }

    #[test]
    fn any_size_is_filled_and_never_overfull() {
        let stage = Stage::new();
        for rows in 1..40u16 {
            for cols in 1..70u16 {
                let (picture, cursor) = picture(&stage, rows.into(), cols.into());
                assert_eq!(picture.len(), usize::from(rows));
                // The prompt takes three columns; a narrower terminal cuts it.
                let widest = picture.iter().map(|row| row.width).max();
                assert!(widest <= Some(usize::from(cols).max(3)), "{rows}x{cols}");
                assert!(cursor.0 < usize::from(rows) && cursor.1 < usize::from(cols));
            }
        }
    }
}
