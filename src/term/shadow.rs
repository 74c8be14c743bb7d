//! The screen as the user sees it, and how far that can be trusted. The only file that names vt100.
//!
//! vt100 models less than a terminal does, and terminals do not agree on everything. So this file
//! never hands it the child's bytes: it hands it what each token of [`scan`](super::scan) means, in
//! sequences that vt100 gets right, and keeps two trusts beside it. *Cursor trust*: the cursor's row
//! is known, its column to within `drift`. *Row trust*: see `trust.rs`. A sequence that is
//! not on the lists below costs both; an absolute cursor position brings the first back, an erase or
//! a rewrite the second.
//!
//! On the main screen the row in which the child started is unknown, so the shadow *floats*: its
//! rows are the terminal's, less an unknown number. An absolute position, or an answered cursor
//! query ([`Shadow::anchor`]), ends that.

mod control;
mod erase;
mod print;
mod sequence;
mod string;

use std::cell::RefCell;
use std::num::NonZeroU16;

use super::modes::{Charsets, Modes, Region};
use super::pen::{Color, Pen, attr};
use super::scan::{Broken, Token};
use super::screen::{Cell, Row, Screen};
use super::trust::Rows;
use super::{Size, push_number};

/// What the child printed last, if the cursor still stands right behind it.
#[derive(Clone, Debug, Default)]
struct Tail {
    /// The last thing that moved the cursor was printing.
    after_text: bool,
    /// Nothing came in between: `REP` repeats it.
    direct: bool,
    /// The cell is exactly as vt100 has it.
    known: bool,
    /// How many combining characters it has.
    combining: u8,
    /// The character.
    last: Option<char>,
}

/// What DECSC saved.
#[derive(Clone, Debug)]
struct Saved {
    row: u16,
    col: u16,
    row_known: bool,
    drift: u16,
    /// A wrap may have been pending, which some terminals save too.
    wrap_unclear: bool,
    pen: Pen,
    charsets: Charsets,
    origin: bool,
    /// By SCOSC, whose slot may be another one than DECSC's.
    ansi: bool,
}

/// The shadow.
pub struct Shadow {
    vt: vt100::Parser,
    size: Size,
    modes: Modes,
    pen: Pen,
    /// The cursor's row is known (on a floating screen: in the shadow's own rows).
    row_known: bool,
    /// How many columns the cursor may be off.
    drift: u16,
    /// A wrap may be pending though the cursor has moved: some terminals forget it later than others.
    wrap_unclear: bool,
    tail: Tail,
    /// Rows of the main and of the alternate screen.
    rows: [Rows; 2],
    saved: [Option<Saved>; 2],
    /// The main screen's first row in the terminal is unknown.
    floating: bool,
    /// The lowest row that the child has been in, while floating.
    deepest: u16,
    /// Nothing but blanks has been on the main screen since it was erased.
    blank: bool,
    custom_tabs: bool,
    pictures: RefCell<Pictures>,
    /// Where sequences for the emulator are made.
    scratch: Vec<u8>,
}

/// Rows as the readers want them, made when they are asked for.
#[derive(Default)]
struct Pictures {
    rows: Vec<Option<Row>>,
}

fn cells(value: u16) -> NonZeroU16 {
    NonZeroU16::new(value).unwrap_or(NonZeroU16::MIN)
}

#[expect(clippy::disallowed_methods, reason = "this is the shadow")]
fn emulator(size: Size) -> vt100::Parser {
    vt100::Parser::new(cells(size.rows), cells(size.cols), 0)
}

impl Shadow {
    /// The shadow of a terminal of this size, in which the child has not written yet.
    pub fn new(size: Size) -> Self {
        let size = Size {
            rows: size.rows.max(1),
            cols: size.cols.max(1),
            ..size
        };
        Self {
            vt: emulator(size),
            size,
            modes: Modes::default(),
            pen: Pen::default(),
            row_known: true,
            drift: size.cols,
            wrap_unclear: false,
            tail: Tail::default(),
            rows: [Rows::new(size, false), Rows::new(size, false)],
            saved: [None, None],
            floating: true,
            deepest: 0,
            blank: false,
            custom_tabs: false,
            pictures: RefCell::default(),
            scratch: Vec::new(),
        }
    }

    /// Its size.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The modes that the child has set.
    pub fn modes(&self) -> &Modes {
        &self.modes
    }

    /// The modes, to take notes from.
    pub fn modes_mut(&mut self) -> &mut Modes {
        &mut self.modes
    }

    /// The pen.
    pub fn pen(&self) -> &Pen {
        &self.pen
    }

    /// The alternate screen is on.
    pub fn alternate(&self) -> bool {
        self.vt.screen().alternate_screen()
    }

    /// The main screen is on, and its place in the terminal is unknown.
    pub fn is_floating(&self) -> bool {
        self.floating && !self.alternate()
    }

    /// The cursor: row and column from 0; the column is the width while a wrap is pending.
    pub fn cursor(&self) -> (u16, u16) {
        self.vt.screen().cursor_position()
    }

    /// The cursor's row and column are those of the terminal.
    pub fn cursor_known(&self) -> bool {
        self.row_known && self.drift == 0 && !self.is_floating()
    }

    /// The last column was printed, the cursor stands on it, and the next character wraps.
    pub fn wrap_pending(&self) -> bool {
        self.cursor().1 >= self.size.cols
    }

    /// The row is known cell by cell.
    pub fn row_trusted(&self, row: u16) -> bool {
        !self.is_floating() && self.rows[self.index()].is_trusted(row)
    }

    /// Why nothing may be drawn now and put back exactly, if so. Rows are another matter.
    pub fn obstacle(&self) -> Option<&'static str> {
        let modes = &self.modes;
        if self.is_floating() {
            Some("the cursor's row in the terminal is not known yet")
        } else if !self.cursor_known() {
            Some("the cursor's place is not certain")
        } else if !self.pen.is_restorable() {
            Some("a link or an unknown attribute is open")
        } else if modes.is_on(6) || modes.is_on(69) {
            Some("cursor addresses are relative to margins")
        } else if modes.insert || !modes.is_on(7) {
            Some("insert mode is on or autowrap is off")
        } else if !modes.charsets.is_plain() {
            Some("another character set is in use")
        } else if (self.tail.after_text && !self.tail.known)
            || (self.wrap_pending() && !self.tail.after_text)
        {
            Some("the character before the cursor is not certain")
        } else {
            None
        }
    }

    /// Takes one token of the child's output.
    pub fn apply(&mut self, token: &Token<'_>) {
        crate::fault::point("shadow");
        let direct = std::mem::take(&mut self.tail.direct);
        match token {
            Token::Text(text) => self.text(text),
            Token::Control(byte) => self.control(*byte),
            Token::Esc {
                intermediates,
                last,
            } => self.escape(intermediates, *last),
            Token::Csi(csi) => self.control_sequence(csi, direct),
            Token::Osc(data) => self.command(data),
            Token::Str(kind, data) => self.string(*kind, data),
            Token::Broken(Broken::Utf8) => self.replacement(),
            Token::Broken(Broken::Sequence) => self.unknown(),
        }
        self.modes.apply(token);
    }

    /// The terminal has another size now, and has moved its rows as it likes.
    pub fn resize(&mut self, size: Size) {
        let size = Size {
            rows: size.rows.max(1),
            cols: size.cols.max(1),
            ..size
        };
        // Where the window has become wider, it may be pending in the middle of a row.
        self.wrap_unclear |= self.wrap_pending() || self.drift > 0;
        self.vt
            .screen_mut()
            .set_size(cells(size.rows), cells(size.cols));
        self.size = size;
        // Some terminals obey an open update only at its end, and set a region of the old size then.
        if self.modes.region != Region::Full || self.modes.is_on(2026) {
            self.modes.region = Region::Unknown;
        }
        // Of what DECSC saved the place alone is unknown now: pen and character sets come back.
        let saved = std::mem::take(&mut self.saved);
        self.distrust();
        self.saved = saved.map(|saved| {
            Some(Saved {
                row_known: false,
                drift: size.cols,
                wrap_unclear: true,
                ..saved?
            })
        });
    }

    /// The terminal was in other hands: neither rows nor cursor are known.
    pub fn distrust(&mut self) {
        self.rows = [Rows::new(self.size, false), Rows::new(self.size, false)];
        self.saved = [None, None];
        self.floating = true;
        self.deepest = self.size.rows - 1;
        self.blank = false;
        self.row_known = false;
        self.drift = self.size.cols;
        self.tail = Tail::default();
        self.pictures.borrow_mut().rows.clear();
    }

    /// The terminal says that the cursor is at `row` and `col` (from 0), and nothing was written since it was asked.
    pub fn anchor(&mut self, row: u16, col: u16) {
        let (row, col) = (row.min(self.size.rows - 1), col.min(self.size.cols - 1));
        let (own_row, own_col) = self.cursor();
        if self.wrap_pending() || self.modes.is_on(6) {
            return;
        }
        let column_fits = own_col.abs_diff(col) <= self.drift;
        let row_fits = self.row_known
            && column_fits
            && if self.is_floating() {
                row >= own_row
            } else {
                row == own_row
            };
        if row_fits && self.is_floating() {
            let down = row - own_row;
            if down > 0 {
                self.feed(b"\x1b[H");
                self.feed(format!("\x1b[{down}L").as_bytes());
                self.rows[0].scroll_down(0, self.size.rows - 1, down, false);
                self.repaint_all();
                if let Some(saved) = &mut self.saved[0] {
                    saved.row += down;
                    saved.row_known &= saved.row < self.size.rows;
                }
            }
        } else if !row_fits {
            self.lose_rows();
            self.forget_saved();
        }
        if !self.alternate() {
            self.floating = false;
        }
        let last = self.size.cols - 1;
        // At the last column the answer does not tell whether a wrap is pending.
        let certain = self.drift == 0 || (col < last && !self.wrap_unclear);
        self.go_to(row, col);
        self.row_known = true;
        self.drift = match (certain, self.wrap_unclear) {
            (true, _) => 0,
            (false, false) => 1,
            // What is printed next may go to the next row, wherever the cursor stands in this one.
            (false, true) => self.size.cols,
        };
        if !row_fits || own_col != col {
            self.tail.known = false;
        }
    }

    /// Writes the row as it is, from its first column to its last: pen and cursor are left anywhere.
    pub fn write_row(&self, row: u16, out: &mut Vec<u8>) {
        let written = |col: &u16| {
            self.cell(row, *col).is_some_and(|cell| {
                cell.has_contents()
                    || cell.is_wide_continuation()
                    || cell.bgcolor() != vt100::Color::Default
            })
        };
        let end = (0..self.size.cols)
            .rev()
            .find(written)
            .map_or(0, |last| last + 1);
        let mut pen = None;
        let mut col = 0;
        while col < end {
            col += self.write_cell(row, col, &mut pen, out).max(1);
        }
        if end < self.size.cols {
            // Blanks that were written would be copied, and wrapped when the window becomes narrower.
            if pen != Some(Pen::default()) {
                Pen::default().write(out);
            }
            out.extend_from_slice(b"\x1b[K");
        }
    }

    /// Puts cursor and pen back to where the child left them, from any pen and place.
    pub fn write_cursor(&self, out: &mut Vec<u8>) {
        let (row, col) = self.cursor();
        if self.tail.after_text && col > 0 {
            // Printing the last character anew brings a pending wrap back, and what a combining
            // character or REP would go to.
            let start = if self.is_second_half(row, col - 1) {
                col - 2
            } else {
                col - 1
            };
            let mut pen = None;
            let mut cell = Vec::new();
            self.write_cell(row, start, &mut pen, &mut cell);
            write_position(row, start, out);
            out.extend_from_slice(&cell);
            if pen
                != Some(Pen {
                    link: false,
                    ..self.pen
                })
            {
                self.pen.write(out);
            }
        } else {
            self.pen.write(out);
            write_position(row, col.min(self.size.cols - 1), out);
        }
    }

    /// The screen for the readers.
    pub fn screen(&self) -> Screen {
        let screen = self.vt.screen();
        let mut pictures = self.pictures.borrow_mut();
        pictures.rows.resize(usize::from(self.size.rows), None);
        let rows = pictures.rows.iter_mut().zip(0..);
        let rows = rows
            .map(|(picture, row)| picture.get_or_insert_with(|| self.picture(row)).clone())
            .collect();
        let (row, col) = self.cursor();
        Screen {
            size: self.size,
            rows,
            cursor: (row, col.min(self.size.cols - 1)),
            cursor_hidden: screen.hide_cursor(),
            alternate: screen.alternate_screen(),
            bracketed_paste: self.modes.is_on(2004),
            title: self.modes.title().to_owned(),
        }
    }

    // Helpers.

    fn index(&self) -> usize {
        usize::from(self.alternate())
    }

    fn cell(&self, row: u16, col: u16) -> Option<&vt100::Cell> {
        self.vt.screen().cell(row, col)
    }

    /// A wide character's second column.
    fn is_second_half(&self, row: u16, col: u16) -> bool {
        self.cell(row, col)
            .is_some_and(vt100::Cell::is_wide_continuation)
    }

    /// The emulator of a terminal that was just switched on.
    fn start_over(&mut self) {
        self.vt = emulator(self.size);
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.vt.process(bytes);
    }

    /// Feeds a sequence with one number.
    fn feed_csi(&mut self, number: u16, last: u8) {
        self.scratch.clear();
        self.scratch.extend_from_slice(b"\x1b[");
        push_number(number, &mut self.scratch);
        self.scratch.push(last);
        self.vt.process(&self.scratch);
    }

    fn go_to(&mut self, row: u16, col: u16) {
        self.scratch.clear();
        write_position(row, col, &mut self.scratch);
        self.vt.process(&self.scratch);
    }

    fn repaint(&mut self, row: u16) {
        if let Some(picture) = self.pictures.get_mut().rows.get_mut(usize::from(row)) {
            *picture = None;
        }
    }

    /// Rows `top` to `bottom` moved up by one.
    fn repaint_scrolled(&mut self, top: u16, bottom: u16) {
        let rows = &mut self.pictures.get_mut().rows;
        if let Some(rows) = rows.get_mut(usize::from(top)..=usize::from(bottom)) {
            rows.rotate_left(1);
        }
        self.repaint(bottom);
    }

    fn repaint_all(&mut self) {
        self.pictures.get_mut().rows.clear();
    }

    fn lose_rows(&mut self) {
        let index = self.index();
        self.rows[index].lose_all();
        self.tail.known = false;
    }

    /// Something happened that could have done anything.
    fn lose(&mut self) {
        self.lose_rows();
        self.row_known = false;
        self.drift = self.size.cols;
        self.tail = Tail::default();
    }

    /// A sequence that is not on the lists: it could also have set the pen.
    fn unknown(&mut self) {
        self.lose();
        self.pen.unknown = true;
    }

    fn forget_saved(&mut self) {
        let index = self.index();
        if let Some(saved) = &mut self.saved[index] {
            saved.row_known = false;
        }
    }

    /// The cursor moved otherwise than by printing.
    fn moved(&mut self) {
        self.tail = Tail::default();
    }

    /// Terminals differ in what follows a pending wrap: stands on the last column, perhaps.
    fn settle_wrap(&mut self) {
        if self.wrap_pending() {
            let cols = self.size.cols;
            self.feed_csi(cols, b'G');
            self.drift = self.drift.max(1);
            self.wrap_unclear = true;
        }
    }

    /// An erased row's colour is known: terminals agree on the default background only where rows scroll in.
    fn scrolled_in_known(&self) -> bool {
        self.pen.bg == Color::Default && !self.pen.unknown
    }

    fn erased_known(&self) -> bool {
        !self.pen.unknown && !matches!(self.pen.bg, Color::Indexed(0..=15))
    }

    /// The scroll region's first and last row, where it is known.
    fn region(&self) -> Option<(u16, u16)> {
        match self.modes.region {
            Region::Full => Some((0, self.size.rows - 1)),
            Region::Rows(top, bottom) => Some((top, bottom)),
            Region::Unknown => None,
        }
    }

    /// The child addresses rows absolutely: a floating screen is one no more.
    fn ground(&mut self) {
        if self.is_floating() {
            self.floating = false;
            if !self.blank {
                self.lose_rows();
            }
            self.forget_saved();
        }
    }

    /// What stands in a wide character of which `start` or `end` would cut a half off is uncertain.
    fn cut_wide(&mut self, row: u16, start: u16, end: u16) -> u16 {
        let index = self.index();
        if !self.rows[index].may_hold_wide(row) {
            return u16::MAX;
        }
        let second = |col| self.is_second_half(row, col);
        if start > 0 && second(start) {
            start - 1
        } else if end < self.size.cols && second(end) {
            end
        } else {
            u16::MAX
        }
    }

    // Pictures.

    /// Writes one cell, with its pen where it is not `pen` already; gives its width.
    fn write_cell(&self, row: u16, col: u16, pen: &mut Option<Pen>, out: &mut Vec<u8>) -> u16 {
        let Some(cell) = self.cell(row, col) else {
            return 1;
        };
        // A blank has a background and nothing else.
        let wanted = if cell.has_contents() {
            pen_of(cell)
        } else {
            Pen {
                bg: color_of(cell.bgcolor()),
                ..Pen::default()
            }
        };
        if *pen != Some(wanted) {
            wanted.write(out);
            *pen = Some(wanted);
        }
        if cell.has_contents() {
            out.extend_from_slice(cell.contents().as_bytes());
        } else {
            out.push(b' ');
        }
        if cell.is_wide() { 2 } else { 1 }
    }

    fn picture(&self, row: u16) -> Row {
        let mut text = String::with_capacity(usize::from(self.size.cols));
        let mut cells = Vec::with_capacity(usize::from(self.size.cols));
        let (mut end_text, mut end_cells) = (0, 0);
        let mut look = Cell::default();
        for col in 0..self.size.cols {
            let Some(cell) = self.cell(row, col) else {
                break;
            };
            let contents = cell.contents();
            // A wide character's second column looks like its first.
            let second = cell.is_wide_continuation();
            if !second {
                look = Cell {
                    start: u32::try_from(text.len()).unwrap_or(u32::MAX),
                    dim: cell.dim(),
                    inverse: cell.inverse(),
                    filled: cell.bgcolor() != vt100::Color::Default,
                };
                text.push_str(if contents.is_empty() { " " } else { contents });
            }
            cells.push(look);
            if second || !matches!(contents, "" | " ") {
                (end_text, end_cells) = (text.len(), cells.len());
            }
        }
        text.truncate(end_text);
        cells.truncate(end_cells);
        Row {
            text,
            cells,
            wrapped: self.vt.screen().row_wrapped(row),
        }
    }
}

fn write_position(row: u16, col: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x1b[");
    push_number(u32::from(row) + 1, out);
    out.push(b';');
    push_number(u32::from(col) + 1, out);
    out.push(b'H');
}

fn color_of(color: vt100::Color) -> Color {
    match color {
        vt100::Color::Default => Color::Default,
        vt100::Color::Idx(index) if index < 16 => Color::Named(index),
        vt100::Color::Idx(index) => Color::Indexed(index),
        vt100::Color::Rgb(r, g, b) => Color::Rgb(r, g, b),
    }
}

fn pen_of(cell: &vt100::Cell) -> Pen {
    let bits = [
        (cell.bold(), attr::BOLD),
        (cell.dim(), attr::DIM),
        (cell.italic(), attr::ITALIC),
        (cell.underline(), attr::UNDERLINE),
        (cell.inverse(), attr::INVERSE),
    ];
    Pen {
        fg: color_of(cell.fgcolor()),
        bg: color_of(cell.bgcolor()),
        attrs: bits
            .iter()
            .filter(|(on, _)| *on)
            .fold(0, |set, (_, bit)| set | bit),
        unknown: false,
        link: false,
    }
}

#[cfg(test)]
mod tests;
