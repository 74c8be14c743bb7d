//! What is on the outer terminal's screen, as a user sees it.

use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::term::{Term, TermMode};

/// The glyph before the CLI's prompt.
const PROMPT: char = '❯';
/// The rules above and below the prompt.
const RULE: char = '─';

/// A copy of the screen.
#[derive(Clone)]
pub(crate) struct Screen {
    /// Every cell, row by row.
    pub(crate) cells: Vec<Vec<Cell>>,
    /// Row and column of the cursor, from 0.
    pub(crate) cursor: (usize, usize),
    /// The alternate screen is shown.
    pub(crate) alternate: bool,
    /// What else the program has switched on.
    pub(crate) modes: TermMode,
    /// The window's title.
    pub(crate) title: String,
}

impl Screen {
    /// Copies the screen of the emulator.
    pub(crate) fn of<T>(term: &Term<T>, title: &str) -> Self {
        let grid = term.grid();
        let row = |line: usize| {
            let line = Line(i32::try_from(line).expect("a small screen"));
            let cells = (0..grid.columns()).map(|column| grid[line][Column(column)].clone());
            cells.collect()
        };
        let cursor = grid.cursor.point;
        Self {
            cells: (0..grid.screen_lines()).map(row).collect(),
            cursor: (usize::try_from(cursor.line.0).unwrap_or(0), cursor.column.0),
            alternate: term.mode().contains(TermMode::ALT_SCREEN),
            modes: *term.mode(),
            title: title.to_owned(),
        }
    }

    /// The text of a row.
    pub(crate) fn row(&self, row: usize) -> String {
        text_of(&self.cells[row], Flags::empty())
    }

    /// The text of the last row.
    pub(crate) fn last_row(&self) -> String {
        self.row(self.cells.len() - 1)
    }

    /// All rows.
    pub(crate) fn text(&self) -> String {
        let rows: Vec<_> = (0..self.cells.len()).map(|row| self.row(row)).collect();
        rows.join("\n")
    }

    /// Is this text to be seen, line breaks and runs of blanks counting as one blank?
    pub(crate) fn shows(&self, text: &str) -> bool {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        words(&self.text()).contains(&words(text))
    }

    /// The rows between the prompt's rules, whatever is typed there and in whatever mode; a placeholder
    /// counts as blank. `None` with no such place in sight.
    pub(crate) fn prompt_rows(&self) -> Option<Vec<Vec<Cell>>> {
        let is_rule = |row: &usize| self.cells[*row][0].c == RULE;
        let mut rules = (0..self.cells.len()).rev().filter(is_rule);
        let (bottom, top) = (rules.next()?, rules.next()?);
        let rows = self.cells[top + 1..bottom].iter();
        Some(rows.map(|row| without_placeholder(row)).collect())
    }

    /// What the prompt's first row begins with: `❯`, or `!` in shell mode.
    pub(crate) fn glyph(&self) -> Option<char> {
        Some(self.prompt_rows()?.first()?[0].c)
    }

    /// What is typed where the CLI draws for a screen reader: behind the last `$`.
    pub(crate) fn spoken_prompt(&self) -> Option<String> {
        let rows = (0..self.cells.len()).rev().map(|row| self.row(row));
        let row = rows.into_iter().find(|row| row.starts_with('$'))?;
        Some(row[1..].trim().to_owned())
    }

    /// What is typed in the prompt, rows joined, a dim placeholder left out; `None` with no prompt in
    /// sight.
    pub(crate) fn prompt(&self) -> Option<String> {
        let is_rule = |row: &Vec<Cell>| row[0].c == RULE;
        let top = (1..self.cells.len())
            .rev()
            .find(|&row| self.cells[row][0].c == PROMPT && is_rule(&self.cells[row - 1]))?;
        let rows = self.cells[top..].iter().take_while(|row| !is_rule(row));
        // The CLI draws its own cursor inversely, over a placeholder's first letter too.
        let typed = rows.map(|row| text_of(&row[2..], Flags::DIM | Flags::INVERSE));
        Some(typed.collect::<String>().trim().to_owned())
    }
}

/// A row with its dim text blanked, and with the letter before that which the cursor stands on.
fn without_placeholder(row: &[Cell]) -> Vec<Cell> {
    let dim = |cell: &Cell| cell.flags.intersects(Flags::DIM);
    let cells = row.iter().enumerate().map(|(column, cell)| {
        let mut cell = cell.clone();
        let begins = cell.flags.intersects(Flags::INVERSE) && row.get(column + 1).is_some_and(dim);
        if dim(&cell) {
            cell = Cell::default();
        } else if begins {
            cell.c = ' ';
        }
        cell
    });
    cells.collect()
}

/// The text of the cells that have none of these attributes.
fn text_of(cells: &[Cell], without: Flags) -> String {
    let mut text = String::new();
    for cell in cells {
        if cell.flags.intersects(Flags::WIDE_CHAR_SPACER) {
            continue;
        }
        if cell.flags.intersects(without) {
            text.push(' ');
            continue;
        }
        text.push(if cell.c == '\u{a0}' { ' ' } else { cell.c });
        text.extend(cell.zerowidth().unwrap_or_default());
    }
    text.truncate(text.trim_end().len());
    text
}
