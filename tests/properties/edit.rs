//! Screens like a real one, and not quite it.

use claude_retry::term::screen::{Cell, Row, Screen};
use proptest::prelude::*;
use unicode_width::UnicodeWidthChar;

/// One change. Rows and columns are counted round.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Drop(usize),
    Double(usize),
    Swap(usize, usize),
    /// So many rows from there go elsewhere: the error's block, the prompt's box.
    Move {
        from: usize,
        count: usize,
        to: usize,
    },
    /// A row of words from the CLI's own.
    Insert(usize, &'static str),
    /// Another character in a cell.
    Put(usize, usize, char),
    /// A blank put in before the row: it hangs otherwise.
    Indent(usize),
    /// Dim, inverse or filled turned round in some cells.
    Look {
        row: usize,
        col: usize,
        count: usize,
        which: u8,
    },
    /// Another width, with the rules drawn anew.
    Width(u16),
    /// Rows off at the top, or at the bottom.
    Height(usize, bool),
    Cursor(u16, u16),
    Hide,
    Title(&'static str),
}

/// Rows that mean something where they stand in the right place.
const ROWS: &[&str] = &[
    "",
    "❯ hi",
    "❯ ",
    "❯\u{a0}",
    "❯ /model",
    "❯ /compact",
    "> quoted",
    "! ls",
    "$",
    "error: API Error: 529 Overloaded",
    "● API Error: Server is temporarily limiting requests (not your usage limit)",
    "  ⎿  API Error: 529 Overloaded",
    "  ⎿  API Error (529 overloaded) · Retrying in 4 seconds… (attempt 3/10)",
    "● All done.",
    "● Bash(ls)",
    "  ⎿  out",
    "     ⎿  in",
    "✻ Brewed for 3s",
    "✻ Crunching…",
    "  ? for shortcuts",
    "  esc to interrupt",
    "  Esc to cancel",
    "  ❯ 1. Yes",
    "  ❯ /add-dir",
    "● 日本語です。",
    "  Showing detailed transcript · ctrl+o to toggle",
];

const TITLES: &[&str] = &["", "✳ Claude Code", "⠂ at work", "◐ at work", "~/proj"];

pub(crate) fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let at = 0_usize..64;
    let char = prop_oneof![
        Just(' '),
        Just('\u{a0}'),
        Just('─'),
        Just('❯'),
        Just('●'),
        Just('⎿'),
        Just('日'),
        Just('\u{301}'),
        Just('/'),
        any::<char>().prop_filter("no control character", |c| !c.is_control()),
    ];
    let edit = prop_oneof![
        2 => at.clone().prop_map(Edit::Drop),
        1 => at.clone().prop_map(Edit::Double),
        2 => (at.clone(), at.clone()).prop_map(|(a, b)| Edit::Swap(a, b)),
        2 => (at.clone(), 1_usize..6, at.clone())
            .prop_map(|(from, count, to)| Edit::Move { from, count, to }),
        4 => (at.clone(), 0..ROWS.len()).prop_map(|(row, n)| Edit::Insert(row, ROWS[n])),
        2 => (at.clone(), 0_usize..12, char).prop_map(|(row, col, c)| Edit::Put(row, col, c)),
        1 => at.clone().prop_map(Edit::Indent),
        2 => (at.clone(), 0_usize..100, 1_usize..40, 0_u8..3)
            .prop_map(|(row, col, count, which)| Edit::Look { row, col, count, which }),
        1 => (1_u16..140).prop_map(Edit::Width),
        1 => (0_usize..40, any::<bool>()).prop_map(|(n, top)| Edit::Height(n, top)),
        1 => (0_u16..64, 0_u16..12).prop_map(|(row, col)| Edit::Cursor(row, col)),
        1 => Just(Edit::Hide),
        1 => (0..TITLES.len()).prop_map(|n| Edit::Title(TITLES[n])),
    ];
    proptest::collection::vec(edit, 0..8)
}

/// The screen after all of them.
pub(crate) fn edited(screen: &Screen, edits: &[Edit]) -> Screen {
    let mut screen = screen.clone();
    for edit in edits {
        apply(&mut screen, edit);
    }
    screen
}

fn apply(screen: &mut Screen, edit: &Edit) {
    let height = screen.rows.len();
    let at = |row: &usize| row % height;
    let cols = usize::from(screen.size.cols);
    match edit {
        Edit::Drop(row) => {
            screen.rows.remove(at(row));
            screen.rows.push(Row::default());
        }
        Edit::Double(row) => {
            let twice = screen.rows[at(row)].clone();
            screen.rows.insert(at(row), twice);
            screen.rows.pop();
        }
        Edit::Swap(a, b) => screen.rows.swap(at(a), at(b)),
        Edit::Move { from, count, to } => {
            let from = at(from);
            let end = (from + count).min(height);
            let block: Vec<_> = screen.rows.drain(from..end).collect();
            let to = to % (screen.rows.len() + 1);
            screen.rows.splice(to..to, block);
        }
        Edit::Insert(row, text) => {
            screen.rows.insert(at(row), row_of(&glyphs_of(text), cols));
            screen.rows.pop();
        }
        Edit::Put(row, col, c) => {
            let row = at(row);
            let mut glyphs = glyphs(&screen.rows[row]);
            match glyphs.get_mut(*col) {
                Some(glyph) => glyph.text = c.to_string(),
                None => glyphs.extend(glyphs_of(&c.to_string())),
            }
            screen.rows[row] = row_of(&glyphs, cols);
        }
        Edit::Indent(row) => {
            let row = at(row);
            let mut glyphs = glyphs(&screen.rows[row]);
            glyphs.splice(0..0, glyphs_of(" "));
            screen.rows[row] = row_of(&glyphs, cols);
        }
        Edit::Look {
            row,
            col,
            count,
            which,
        } => {
            for cell in screen.rows[at(row)]
                .cells
                .iter_mut()
                .skip(*col)
                .take(*count)
            {
                match which {
                    0 => cell.dim = !cell.dim,
                    1 => cell.inverse = !cell.inverse,
                    _ => cell.filled = !cell.filled,
                }
            }
        }
        Edit::Width(cols) => {
            screen.size.cols = *cols;
            let cols = usize::from(*cols);
            for row in &mut screen.rows {
                let is_rule = row.text.chars().all(|c| c == '─') && !row.text.is_empty();
                let text = if is_rule {
                    glyphs_of(&"─".repeat(cols))
                } else {
                    glyphs(row)
                };
                *row = row_of(&text, cols);
            }
        }
        Edit::Height(count, top) => {
            let count = count % height;
            if *top {
                screen.rows.drain(..count);
            } else {
                screen.rows.truncate(height - count);
            }
            screen.size.rows = u16::try_from(screen.rows.len()).expect("few rows");
            let moved = u16::try_from(if *top { count } else { 0 }).expect("few rows");
            screen.cursor.0 = screen.cursor.0.saturating_sub(moved);
        }
        Edit::Cursor(row, col) => screen.cursor = (*row, *col),
        Edit::Hide => screen.cursor_hidden = !screen.cursor_hidden,
        Edit::Title(title) => (*title).clone_into(&mut screen.title),
    }
    screen.cursor.0 = screen.cursor.0.min(screen.size.rows - 1);
    screen.cursor.1 = screen.cursor.1.min(screen.size.cols - 1);
}

/// A character with what stands in its cell besides, and its looks.
#[derive(Clone, Debug)]
struct Glyph {
    text: String,
    look: Cell,
}

fn glyphs(row: &Row) -> Vec<Glyph> {
    let mut glyphs: Vec<Glyph> = Vec::new();
    for (col, cell) in row.cells.iter().enumerate() {
        let next = row.cells[col..].iter().find(|c| c.start != cell.start);
        let end = next.map_or(row.text.len(), |next| next.start as usize);
        if col == 0 || row.cells[col - 1].start != cell.start {
            glyphs.push(Glyph {
                text: row.text[cell.start as usize..end].to_owned(),
                look: *cell,
            });
        }
    }
    glyphs
}

fn glyphs_of(text: &str) -> Vec<Glyph> {
    let glyph = |c: char| Glyph {
        text: c.to_string(),
        look: Cell::default(),
    };
    text.chars().map(glyph).collect()
}

fn row_of(glyphs: &[Glyph], cols: usize) -> Row {
    let mut row = Row::default();
    for glyph in glyphs {
        let first = glyph.text.chars().next();
        let width = first.and_then(UnicodeWidthChar::width).unwrap_or(0);
        if row.cells.len() + width > cols {
            break;
        }
        let start = u32::try_from(row.text.len()).expect("a short row");
        row.text.push_str(&glyph.text);
        if width == 0 && row.cells.is_empty() {
            row.text.clear();
        }
        let cell = Cell {
            start,
            ..glyph.look
        };
        row.cells.extend(std::iter::repeat_n(cell, width));
    }
    row.text.truncate(row.text.trim_end_matches(' ').len());
    let length = row.text.len();
    row.cells.retain(|cell| (cell.start as usize) < length);
    row
}
