//! A plain picture of the screen, for the readers in [`crate::supervisor`]: they do not know which
//! emulator made it.

use super::Size;

/// One column of a [`Row`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Byte offset in [`Row::text`] of what stands in this column. A wide character's second column
    /// has its first one's offset.
    pub start: u32,
    /// Drawn faint (SGR 2).
    pub dim: bool,
    /// Drawn inverse (SGR 7).
    pub inverse: bool,
    /// Has a background colour of its own.
    pub filled: bool,
}

/// One row of the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Its text, combining characters included, trailing blanks kept off. A no-break space stays a
    /// no-break space.
    pub text: String,
    /// One entry a column, for the columns that `text` covers.
    pub cells: Vec<Cell>,
    /// The row runs on into the next one (a soft wrap by the terminal).
    pub wrapped: bool,
}

impl Row {
    /// The text from column `col` on (empty when the row ends before it).
    pub fn from_col(&self, col: usize) -> &str {
        self.cells
            .get(col)
            .map_or("", |cell| &self.text[cell.start as usize..])
    }
}

/// The screen at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Its size.
    pub size: Size,
    /// All rows, top to bottom: `size.rows` of them.
    pub rows: Vec<Row>,
    /// The cursor: row and column, from 0.
    pub cursor: (u16, u16),
    /// The cursor is hidden (DECTCEM off).
    pub cursor_hidden: bool,
    /// The alternate screen is on.
    pub alternate: bool,
    /// Bracketed paste (DEC 2004) is on.
    pub bracketed_paste: bool,
    /// The window title that the child set last (OSC 0 or 2), or empty.
    pub title: String,
}
