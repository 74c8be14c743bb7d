//! The screen as the user sees it, and how far that can be trusted. The only file that names vt100.
//!
//! vt100 models less than a terminal does, and terminals do not agree on everything. So this file
//! never hands it the child's bytes: it hands it what each token of [`scan`](super::scan) means, in
//! sequences that vt100 gets right, and keeps two trusts beside it. *Cursor trust*: the cursor's row
//! is known, its column to within `drift`. *Row trust*: see [`Rows`]. A sequence that is
//! not on the lists below costs both; an absolute cursor position brings the first back, an erase or
//! a rewrite the second.
//!
//! On the main screen the row in which the child started is unknown, so the shadow *floats*: its
//! rows are the terminal's, less an unknown number. An absolute position, or an answered cursor
//! query ([`Shadow::anchor`]), ends that.

use std::cell::RefCell;
use std::num::NonZeroU16;

use unicode_width::UnicodeWidthChar as _;

use super::Size;
use super::modes::{Charsets, Modes, Region};
use super::pen::{Color, Pen, attr};
use super::scan::{Broken, Csi, StringKind, Token};
use super::screen::{Cell, Row, Screen};
use super::trust::Rows;

/// More combining characters than this in one cell, and vt100 drops some.
const COMBINING_LIMIT: u8 = 3;

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

    /// The cursor is known in the shadow's own rows.
    pub fn cursor_consistent(&self) -> bool {
        self.row_known && self.drift == 0
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
        self.vt
            .screen_mut()
            .set_size(cells(size.rows), cells(size.cols));
        self.size = size;
        if self.modes.region != Region::Full {
            self.modes.region = Region::Unknown;
        }
        self.distrust();
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
        if certain {
            self.drift = 0;
        } else {
            self.drift = 1;
        }
        if !row_fits || own_col != col {
            self.tail.known = false;
        }
    }

    /// Writes the row as it is, from its first column to its last: pen and cursor are left anywhere.
    pub fn write_row(&self, row: u16, out: &mut Vec<u8>) {
        let mut pen = None;
        let mut col = 0;
        while col < self.size.cols {
            col += self.write_cell(row, col, &mut pen, out).max(1);
        }
    }

    /// Puts cursor and pen back to where the child left them, from any pen and place.
    pub fn write_cursor(&self, out: &mut Vec<u8>) {
        let (row, col) = self.cursor();
        if self.tail.after_text && col > 0 {
            // Printing the last character anew brings a pending wrap back, and what a combining
            // character or REP would go to.
            let start = if self
                .cell(row, col - 1)
                .is_some_and(vt100::Cell::is_wide_continuation)
            {
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

    fn feed(&mut self, bytes: &[u8]) {
        self.vt.process(bytes);
    }

    /// Feeds a sequence with one number.
    fn feed_csi(&mut self, number: u16, last: char) {
        self.feed(format!("\x1b[{number}{last}").as_bytes());
    }

    fn go_to(&mut self, row: u16, col: u16) {
        self.feed(format!("\x1b[{};{}H", u32::from(row) + 1, u32::from(col) + 1).as_bytes());
    }

    fn repaint(&mut self, row: u16) {
        if let Some(picture) = self.pictures.get_mut().rows.get_mut(usize::from(row)) {
            *picture = None;
        }
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
            self.feed_csi(cols, 'G');
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
        let second = |col| {
            self.cell(row, col)
                .is_some_and(vt100::Cell::is_wide_continuation)
        };
        if start > 0 && second(start) {
            start - 1
        } else if end < self.size.cols && second(end) {
            end
        } else {
            u16::MAX
        }
    }

    // Text.

    fn text(&mut self, text: &str) {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let run = rest
                .char_indices()
                .find(|(_, character)| !is_simple(*character))
                .map_or(rest.len(), |(at, _)| at);
            if run > 0 {
                self.print(&rest[..run]);
                rest = &rest[run..];
            } else {
                self.odd(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }

    /// Prints characters of one or two columns.
    fn print(&mut self, text: &str) {
        self.blank = false;
        let width = if text.is_ascii() {
            text.len()
        } else {
            text.chars().map(|c| usize::from(width_of(c))).sum()
        };
        let (row, col) = self.cursor();
        let cols = usize::from(self.size.cols);
        let fits = usize::from(col) + width + usize::from(self.drift) <= cols;
        if !self.row_known || (self.drift > 0 && !fits) {
            self.feed(text.as_bytes());
            self.repaint_all();
            self.lose_rows();
            self.row_known = false;
            self.tail = Tail {
                after_text: true,
                ..Tail::default()
            };
        } else if self.drift > 0 {
            self.feed(text.as_bytes());
            self.repaint(row);
            let index = self.index();
            let first = col.saturating_sub(self.drift + 1);
            self.rows[index].limit(row, first);
            self.note_wide(row, text);
            self.tail = Tail {
                after_text: true,
                ..Tail::default()
            };
        } else if fits {
            self.print_in_row(row, col, text, u16::try_from(width).unwrap_or(u16::MAX));
        } else {
            let mut buffer = [0; 4];
            for character in text.chars() {
                self.print_wrapping(character.encode_utf8(&mut buffer), width_of(character));
            }
        }
        if let Some(last) = text.chars().next_back() {
            self.tail.last = Some(last);
            self.tail.direct = true;
            self.tail.combining = 0;
        }
    }

    fn note_wide(&mut self, row: u16, text: &str) {
        if !text.is_ascii() && text.chars().any(|c| width_of(c) == 2) {
            let index = self.index();
            self.rows[index].set_wide(row);
        }
    }

    fn print_in_row(&mut self, row: u16, col: u16, text: &str, width: u16) {
        let end = col + width;
        let uncertain = self.cut_wide(row, col, end);
        self.feed(text.as_bytes());
        self.repaint(row);
        self.note_wide(row, text);
        let plain = self.pen.is_plain() && self.modes.charsets.is_plain() && !self.modes.insert;
        let index = self.index();
        if plain {
            self.rows[index].cover(row, col, end);
        } else {
            self.rows[index].limit(row, col);
        }
        self.rows[index].limit(row, uncertain);
        self.tail = Tail {
            after_text: true,
            // A wide character at a row's start, drawn anew, may change how the row above it wraps.
            known: plain && uncertain == u16::MAX && (col > 1 || text.is_ascii()),
            ..Tail::default()
        };
    }

    fn print_wrapping(&mut self, text: &str, width: u16) {
        let (row, col) = self.cursor();
        let cols = self.size.cols;
        if !self.row_known || self.drift > 0 || width > cols {
            self.lose();
        } else if col + width <= cols {
            self.print_in_row(row, col, text, width);
        } else if !self.modes.is_on(7) {
            // Without autowrap the last column is overwritten, or not, and the cursor stays.
            let index = self.index();
            self.rows[index].limit(row, cols.saturating_sub(width));
            self.go_to(row, cols - 1);
            self.drift = 1;
            self.tail = Tail {
                after_text: true,
                ..Tail::default()
            };
        } else {
            let Some((_, bottom)) = self.region() else {
                return self.lose();
            };
            let index = self.index();
            self.rows[index].set_soft(row);
            if row == bottom {
                self.scroll_trust_up(1);
            } else if self.is_floating() {
                self.deepen(row + 1);
            }
            let next = if row == bottom || row + 1 == self.size.rows {
                row
            } else {
                row + 1
            };
            let uncertain = self.cut_wide(next, 0, width);
            self.feed(text.as_bytes());
            self.repaint_all();
            self.note_wide(next, text);
            let plain = self.pen.is_plain() && self.modes.charsets.is_plain() && !self.modes.insert;
            self.rows[index].set_soft(next);
            self.rows[index].limit(next, if plain { uncertain } else { 0 });
            if plain {
                self.rows[index].cover(next, 0, width);
            }
            self.tail = Tail {
                after_text: true,
                known: plain && width == 1 && uncertain == u16::MAX,
                ..Tail::default()
            };
        }
    }

    /// Characters whose place or width is not certain.
    fn odd(&mut self, character: char) {
        self.blank = false;
        let (row, col) = self.cursor();
        if !self.row_known {
            return self.lose_rows();
        }
        if character == '\u{fffd}' {
            return self.replacement();
        }
        if character.is_control() {
            // A C1 control to some terminals, nothing to others.
            return self.lose();
        }
        let index = self.index();
        let base = match col.checked_sub(1) {
            Some(before)
                if self
                    .cell(row, before)
                    .is_some_and(vt100::Cell::is_wide_continuation) =>
            {
                before - 1
            }
            Some(before) => before,
            None => 0,
        };
        if is_combining(character) {
            if self.tail.after_text
                && self.tail.known
                && self.tail.combining < COMBINING_LIMIT
                && col > 0
            {
                self.feed(character.encode_utf8(&mut [0; 4]).as_bytes());
                self.repaint(row);
                self.tail.combining += 1;
            } else {
                self.feed(character.encode_utf8(&mut [0; 4]).as_bytes());
                self.repaint(row);
                self.rows[index].limit(row, base.saturating_sub(self.drift));
                self.tail.known = false;
            }
            return;
        }
        // vt100 makes the cell wide for VS16, and panics when that does not fit.
        if character != '\u{fe0f}' {
            self.feed(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        let off = self.drift + 2;
        if usize::from(col) + usize::from(off) + 2 > usize::from(self.size.cols) {
            self.repaint_all();
            self.lose();
        } else {
            self.repaint(row);
            self.rows[index].limit(row, base.saturating_sub(self.drift));
            self.rows[index].set_wide(row);
            self.drift = off;
        }
        self.tail = Tail {
            after_text: true,
            ..Tail::default()
        };
    }

    /// Terminals draw something for bytes that are not UTF-8; how many characters, they do not agree.
    fn replacement(&mut self) {
        let (row, col) = self.cursor();
        let off = self.drift + 4;
        if !self.row_known || usize::from(col) + usize::from(off) > usize::from(self.size.cols) {
            return self.lose();
        }
        let index = self.index();
        self.rows[index].limit(row, col.saturating_sub(self.drift + 1));
        self.drift = off;
        self.tail = Tail {
            after_text: true,
            ..Tail::default()
        };
    }

    // Controls.

    fn control(&mut self, byte: u8) {
        match byte {
            0x08 => {
                self.settle_wrap();
                self.feed(b"\x08");
                self.moved();
                if self.modes.is_on(45) {
                    self.lose();
                }
            }
            b'\t' => self.tab(),
            b'\n' | 0x0b | 0x0c => {
                self.line_feed();
                if self.modes.newline {
                    // Not every terminal knows this mode.
                    self.drift = self.size.cols;
                    self.wrap_unclear = true;
                }
            }
            b'\r' => self.carriage_return(),
            0x1a => self.replacement(),
            _ => {}
        }
    }

    fn carriage_return(&mut self) {
        self.feed(b"\r");
        self.drift = 0;
        self.wrap_unclear = false;
        if self.modes.is_on(69) {
            self.drift = self.size.cols;
        }
        self.moved();
    }

    fn tab(&mut self) {
        let (row, col) = self.cursor();
        let index = self.index();
        if !self.row_known || self.wrap_pending() {
            self.wrap_unclear = true;
            return self.lose();
        }
        // Some terminals put the tab itself into the cell.
        self.rows[index].limit(row, col.saturating_sub(self.drift));
        self.feed(b"\t");
        if self.custom_tabs {
            self.drift = self.size.cols;
        } else if self.drift > 0 {
            self.drift += 8;
        }
        self.moved();
    }

    /// The cursor reaches a row that it may not have been in.
    fn deepen(&mut self, row: u16) {
        if row > self.deepest {
            self.deepest = row;
            if !self.scrolled_in_known() {
                self.rows[0].limit(row, 0);
            }
        }
    }

    /// Trust follows the region's rows as they move up.
    fn scroll_trust_up(&mut self, count: u16) {
        let Some((top, bottom)) = self.region() else {
            return self.lose_rows();
        };
        let known = self.scrolled_in_known();
        let index = self.index();
        // The shadow at its bottom, the terminal is too: nothing was off.
        if self.is_floating() {
            self.floating = false;
        }
        self.rows[index].scroll_up(top, bottom, count, known);
    }

    fn line_feed(&mut self) {
        let pending = self.wrap_pending();
        let (row, _) = self.cursor();
        if self.row_known {
            match self.region() {
                Some((_, bottom)) if row == bottom => {
                    self.scroll_trust_up(1);
                    self.repaint_all();
                }
                Some(_) if self.is_floating() => self.deepen(row + 1),
                Some(_) => {}
                None => self.lose(),
            }
        } else {
            self.lose_rows();
            self.repaint_all();
        }
        self.feed(b"\n");
        self.moved();
        if pending {
            self.settle_wrap();
        }
    }

    fn reverse_index(&mut self) {
        self.settle_wrap();
        let (row, _) = self.cursor();
        match self.region() {
            _ if !self.row_known => self.lose_rows(),
            None => self.lose(),
            Some((top, _)) if row == top && self.is_floating() => self.lose(),
            Some((top, bottom)) if row == top => {
                let known = self.scrolled_in_known();
                let index = self.index();
                self.rows[index].scroll_down(top, bottom, 1, known);
            }
            // Above the region nothing scrolls; vt100 would.
            Some(_) if row == 0 => return self.moved(),
            Some(_) => {}
        }
        self.feed(b"\x1bM");
        self.repaint_all();
        self.moved();
    }

    fn save(&mut self, ansi: bool) {
        let (row, col) = self.cursor();
        let index = self.index();
        let drift = if self.wrap_pending() {
            self.drift.max(1)
        } else {
            self.drift
        };
        self.saved[index] = Some(Saved {
            row,
            col: col.min(self.size.cols - 1),
            row_known: self.row_known,
            drift,
            pen: self.pen,
            charsets: self.modes.charsets,
            origin: self.modes.is_on(6),
            ansi,
        });
    }

    fn restore(&mut self, ansi: bool) {
        self.moved();
        let index = self.index();
        let Some(saved) = self.saved[index].clone().filter(|saved| saved.ansi == ansi) else {
            self.modes.charsets.forget();
            return self.unknown();
        };
        if saved.origin || self.modes.is_on(6) {
            self.lose();
        } else {
            self.go_to(saved.row, saved.col);
            self.row_known = saved.row_known;
            self.drift = saved.drift;
        }
        self.pen = Pen {
            link: self.pen.link || saved.pen.link,
            ..saved.pen
        };
        self.sync_pen();
        if !(saved.charsets.is_default() && self.modes.charsets.is_default()) {
            self.modes.charsets.forget();
        }
    }

    fn sync_pen(&mut self) {
        let mut bytes = Vec::new();
        self.pen.write(&mut bytes);
        self.feed(&bytes);
    }

    fn escape(&mut self, intermediates: &[u8], last: u8) {
        match (intermediates, last) {
            ([], b'7') => self.save(false),
            ([], b'8') => self.restore(false),
            ([], b'D') => self.line_feed(),
            ([], b'E') => {
                self.line_feed();
                self.carriage_return();
            }
            ([], b'M') => self.reverse_index(),
            ([], b'H') => self.custom_tabs = true,
            ([], b'c') => {
                self.vt = emulator(self.size);
                self.pen = Pen::default();
                self.rows = [Rows::new(self.size, true), Rows::new(self.size, true)];
                self.saved = [None, None];
                self.floating = false;
                self.custom_tabs = false;
                self.row_known = true;
                self.drift = 0;
                self.repaint_all();
                self.moved();
            }
            ([], b'=' | b'>' | b'\\' | b'Z' | b'n' | b'o' | b'|' | b'}' | b'~')
            | ([b'(' | b')' | b'*' | b'+' | b'-' | b'.' | b'/'], _)
            | ([b'%'], b'G')
            | ([b' '], b'F' | b'G') => {}
            _ => self.unknown(),
        }
    }

    // Control sequences.

    fn control_sequence(&mut self, csi: &Csi, direct: bool) {
        if csi.has_sub() && csi.last != b'm' {
            return self.unknown();
        }
        match (csi.marker, csi.intermediates.as_slice(), csi.last) {
            (0, [], b'm') => self.sgr(csi),
            (0, [], b'A') => self.up(csi.param(0, 1)),
            (0, [], b'B' | b'e') => self.down(csi.param(0, 1)),
            (0, [], b'E') => {
                self.down(csi.param(0, 1));
                self.carriage_return();
            }
            (0, [], b'F') => {
                self.up(csi.param(0, 1));
                self.carriage_return();
            }
            (0, [], b'C' | b'a') => self.sideways(csi.param(0, 1), 'C'),
            (0, [], b'D') => self.sideways(csi.param(0, 1), 'D'),
            (0, [], b'G' | b'`') => {
                self.feed_csi(csi.param(0, 1), 'G');
                self.drift = 0;
                self.wrap_unclear = false;
                self.moved();
                if self.modes.is_on(6) || self.modes.is_on(69) {
                    self.lose();
                }
            }
            (0, [], b'H' | b'f') => {
                self.ground();
                self.feed(format!("\x1b[{};{}H", csi.param(0, 1), csi.param(1, 1)).as_bytes());
                self.row_known =
                    !(self.modes.is_on(69) || (self.modes.is_on(6) && self.region().is_none()));
                self.drift = 0;
                self.wrap_unclear = false;
                self.moved();
            }
            (0, [], b'd') => {
                self.settle_wrap();
                self.ground();
                self.feed_csi(csi.param(0, 1), 'd');
                self.row_known = true;
                self.moved();
                if self.modes.is_on(6) {
                    self.lose();
                }
            }
            (0, [], b'Z' | b'I') => {
                self.settle_wrap();
                self.drift = self.size.cols;
                self.wrap_unclear = true;
                self.moved();
            }
            (0, [], b'J') => self.erase_display(csi.param(0, 0)),
            (0, [], b'K') => self.erase_line(csi.param(0, 0)),
            (0, [], b'X') => {
                let (row, col) = self.cursor();
                self.erase_cells(
                    row,
                    col,
                    col.saturating_add(csi.param(0, 1)).min(self.size.cols),
                );
                self.feed_csi(csi.param(0, 1), 'X');
            }
            (0, [], b'@' | b'P') => self.shift_cells(csi),
            (0, [], b'L' | b'M') => self.shift_lines(csi),
            (0, [], b'S') => self.scroll(csi),
            (0, [], b'T') if csi.params.len() == 1 => self.scroll(csi),
            (0, [], b'b') => self.repeat(csi.param(0, 1), direct),
            (0, [], b'r') => self.set_region(csi),
            (0, [], b'h' | b'l') => {
                if csi
                    .params
                    .iter()
                    .any(|param| !matches!(param.value, 2 | 4 | 12 | 20))
                {
                    self.lose();
                }
            }
            (b'?', [], b'h' | b'l') => {
                for param in &csi.params {
                    self.set_private(param.value, csi.last == b'h');
                }
            }
            (0, [], b'g') => self.custom_tabs = true,
            (0, [b' '], b'q')
            | (0, [], b'c' | b'n' | b't' | b'x' | b'q')
            | (b'>', [], b'c' | b'q' | b'm' | b'n' | b'u' | b'p' | b't')
            | (b'<' | b'=', [], b'u')
            | (b'=', [], b'c')
            | (b'?', [], b'n' | b'u' | b's' | b'm' | b'g' | b'S' | b'c')
            | (b'?' | 0, [b'$'], b'p') => {}
            // Without left and right margins these save and restore the cursor.
            (0, [], b's') if !self.modes.is_on(69) => self.save(true),
            (0, [], b'u') => self.restore(true),
            _ => self.unknown(),
        }
    }

    fn sgr(&mut self, csi: &Csi) {
        let before = self.pen;
        self.pen.apply(csi);
        if self.pen != before {
            self.sync_pen();
        }
    }

    fn up(&mut self, count: u16) {
        self.settle_wrap();
        let (row, _) = self.cursor();
        let clamps = match self.modes.region {
            Region::Full => self.is_floating() && count > row,
            Region::Rows(top, _) => row >= top && row.saturating_sub(count) < top,
            Region::Unknown => true,
        };
        self.feed_csi(count, 'A');
        self.moved();
        if clamps || self.modes.is_on(6) {
            self.row_known = false;
        }
    }

    fn down(&mut self, count: u16) {
        self.settle_wrap();
        let (row, _) = self.cursor();
        let target = row.saturating_add(count);
        let clamps = match self.modes.region {
            Region::Full => self.is_floating() && target > self.deepest,
            Region::Rows(_, bottom) => row <= bottom && target > bottom,
            Region::Unknown => true,
        };
        self.feed_csi(count, 'B');
        self.moved();
        if clamps || self.modes.is_on(6) {
            self.row_known = false;
        }
    }

    fn sideways(&mut self, count: u16, last: char) {
        self.settle_wrap();
        self.feed_csi(count, last);
        self.moved();
        if self.modes.is_on(69) || (self.modes.is_on(45) && last == 'D') {
            self.lose();
        }
    }

    /// Trust in the cells of a row that are erased.
    fn erase_cells(&mut self, row: u16, start: u16, end: u16) {
        let index = self.index();
        self.tail.known = false;
        if !self.row_known {
            self.repaint_all();
            return self.lose_rows();
        }
        self.repaint(row);
        if self.drift > 0 || self.wrap_pending() {
            self.drift = self.drift.max(1);
            let first = start.min(self.size.cols - 1).saturating_sub(self.drift);
            return self.rows[index].limit(row, first);
        }
        let uncertain = self.cut_wide(row, start, end);
        if self.erased_known() {
            self.rows[index].cover(row, start, end);
        } else {
            self.rows[index].limit(row, start);
        }
        self.rows[index].limit(row, uncertain);
    }

    fn erase_line(&mut self, mode: u16) {
        let (row, col) = self.cursor();
        let cols = self.size.cols;
        let index = self.index();
        match mode {
            0 if col == 0 && self.drift == 0 && self.row_known => self.erase_row(row),
            0 => self.erase_cells(row, col, cols),
            1 => self.erase_cells(row, 0, col.saturating_add(1).min(cols)),
            2 if self.row_known => {
                let pending = self.wrap_pending();
                self.erase_row(row);
                if pending {
                    self.drift = self.drift.max(1);
                }
            }
            2 => {
                self.rows[index].lose_all();
                self.repaint_all();
            }
            _ => return self.lose(),
        }
        self.tail.known = false;
        self.feed_csi(mode, 'K');
    }

    fn erase_row(&mut self, row: u16) {
        let known = self.erased_known();
        let index = self.index();
        self.rows[index].erase(row, known);
        self.repaint(row);
    }

    fn erase_display(&mut self, mode: u16) {
        let (row, col) = self.cursor();
        let index = self.index();
        let rows = self.size.rows;
        // Of a floating screen the rows below the terminal's last will come in by scrolling.
        let known = self.erased_known() && (!self.is_floating() || self.scrolled_in_known());
        match mode {
            0 | 1 if !self.row_known => self.lose_rows(),
            0 => {
                if col == 0 && self.drift == 0 {
                    self.erase_row(row);
                } else {
                    self.erase_cells(row, col, self.size.cols);
                }
                for below in row + 1..rows {
                    self.rows[index].erase(below, known);
                }
            }
            1 => {
                for above in 0..row {
                    self.rows[index].limit(above, 0);
                }
                self.erase_cells(row, 0, col.saturating_add(1).min(self.size.cols));
            }
            2 => {
                for any in 0..rows {
                    self.rows[index].erase(any, known);
                }
                if index == 0 {
                    self.blank = known && self.pen.bg == Color::Default;
                }
                if self.wrap_pending() {
                    self.drift = self.drift.max(1);
                }
            }
            3 => return,
            _ => return self.lose(),
        }
        self.tail.known = false;
        self.repaint_all();
        self.feed_csi(mode, 'J');
    }

    /// ICH, DCH.
    fn shift_cells(&mut self, csi: &Csi) {
        let (row, col) = self.cursor();
        let index = self.index();
        let count = csi.param(0, 1);
        if self.row_known {
            let over = count.saturating_sub(self.size.cols.saturating_sub(col));
            let first = col.saturating_sub(over).saturating_sub(self.drift + 1);
            let first = if self.wrap_pending() { 0 } else { first };
            self.rows[index].limit(row, first);
        } else {
            self.lose_rows();
        }
        self.settle_wrap();
        self.tail.known = false;
        self.repaint_all();
        self.feed_csi(count, char::from(csi.last));
    }

    /// IL, DL.
    fn shift_lines(&mut self, csi: &Csi) {
        let count = csi.param(0, 1);
        self.settle_wrap();
        let (row, col) = self.cursor();
        let index = self.index();
        match self.region() {
            Some((top, bottom)) if self.row_known && !self.is_floating() => {
                if (top..=bottom).contains(&row) {
                    let known = self.scrolled_in_known();
                    if csi.last == b'L' {
                        self.rows[index].scroll_down(row, bottom, count, known);
                    } else {
                        self.rows[index].scroll_up(row, bottom, count, known);
                    }
                }
            }
            _ => self.lose_rows(),
        }
        self.feed_csi(count, char::from(csi.last));
        self.repaint_all();
        self.moved();
        // Some terminals return the carriage.
        if col > 0 {
            self.drift = self.size.cols;
        }
    }

    /// SU, SD.
    fn scroll(&mut self, csi: &Csi) {
        let count = csi.param(0, 1);
        let known = self.scrolled_in_known();
        let index = self.index();
        match self.region() {
            Some((top, bottom)) if !self.is_floating() => {
                if csi.last == b'S' {
                    self.rows[index].scroll_up(top, bottom, count, known);
                } else {
                    self.rows[index].scroll_down(top, bottom, count, known);
                }
            }
            _ => self.lose_rows(),
        }
        self.feed_csi(count, char::from(csi.last));
        self.repaint_all();
        self.tail.known = false;
    }

    fn repeat(&mut self, count: u16, direct: bool) {
        let room = u32::from(self.size.rows) * u32::from(self.size.cols);
        match self.tail.last {
            Some(last)
                if direct
                    && self.tail.combining == 0
                    && is_simple(last)
                    && u32::from(count) <= room =>
            {
                let text: String = std::iter::repeat_n(last, usize::from(count)).collect();
                self.print(&text);
                self.tail.direct = false;
            }
            _ => self.lose(),
        }
    }

    fn set_region(&mut self, csi: &Csi) {
        let rows = self.size.rows;
        let (top, bottom) = (csi.param(0, 1), csi.param(1, rows));
        self.moved();
        if self.modes.is_on(6) || self.modes.is_on(69) || top >= bottom || bottom > rows {
            self.modes.region = Region::Unknown;
            return self.lose();
        }
        let full = top == 1 && bottom == rows;
        self.modes.region = if full {
            Region::Full
        } else {
            Region::Rows(top - 1, bottom - 1)
        };
        self.feed(format!("\x1b[{top};{bottom}r\x1b[H").as_bytes());
        self.drift = 0;
        if self.is_floating() && full {
            // Home is somewhere above; a restored cursor may bring the child back.
            self.row_known = false;
        } else {
            self.ground();
            self.row_known = true;
        }
    }

    fn set_private(&mut self, mode: u16, on: bool) {
        match mode {
            6 => {
                self.ground();
                self.feed(if on { b"\x1b[?6h" } else { b"\x1b[?6l" });
                // Some terminals home the cursor only when it is turned on.
                self.row_known = false;
                self.drift = self.size.cols;
                self.moved();
            }
            25 => self.feed(if on { b"\x1b[?25h" } else { b"\x1b[?25l" }),
            1049 if on => self.enter_alternate(),
            1049 => self.leave_alternate(),
            47 | 1047 => {
                self.lose();
                self.feed(format!("\x1b[?47{}", if on { 'h' } else { 'l' }).as_bytes());
                self.lose();
                self.repaint_all();
            }
            1048 if on => {
                let index = self.index();
                self.saved[index] = None;
            }
            1
            | 4
            | 5
            | 7
            | 8
            | 9
            | 12
            | 40
            | 45
            | 66
            | 67
            | 80
            | 1000..=1007
            | 1015
            | 1016
            | 1034
            | 1035
            | 1036
            | 1039
            | 1042
            | 1043
            | 1070
            | 2004
            | 2026
            | 2027
            | 2031
            | 2048
            | 8452 => {}
            _ => self.lose(),
        }
    }

    fn enter_alternate(&mut self) {
        self.repaint_all();
        self.moved();
        if self.alternate() {
            return self.lose();
        }
        let (row, col) = self.cursor();
        let known = self.row_known && !self.floating;
        let drift = if self.wrap_pending() {
            self.drift.max(1)
        } else {
            self.drift
        };
        self.save(false);
        self.feed(b"\x1b[?1049h");
        self.go_to(row, col);
        self.rows[1] = Rows::new(self.size, self.scrolled_in_known());
        self.saved[1] = None;
        self.row_known = known;
        self.drift = drift;
        if self.modes.region != Region::Full {
            self.modes.region = Region::Unknown;
        }
    }

    fn leave_alternate(&mut self) {
        self.repaint_all();
        self.moved();
        if !self.alternate() {
            return self.lose();
        }
        self.feed(b"\x1b[?1049l");
        self.restore(false);
        if self.modes.region != Region::Full {
            self.modes.region = Region::Unknown;
        }
    }

    // Strings.

    fn command(&mut self, data: &[u8]) {
        let end = data
            .iter()
            .position(|&byte| byte == b';')
            .unwrap_or(data.len());
        let (number, rest) = data.split_at(end);
        let rest = rest.get(1..).unwrap_or_default();
        match number {
            b"8" => {
                let uri = rest
                    .iter()
                    .position(|&byte| byte == b';')
                    .map_or(&[][..], |at| &rest[at + 1..]);
                self.pen.link = !uri.is_empty();
            }
            b"0" | b"1" | b"2" | b"3" | b"4" | b"5" | b"6" | b"7" | b"9" | b"10" | b"11"
            | b"12" | b"13" | b"14" | b"15" | b"16" | b"17" | b"18" | b"19" | b"21" | b"22"
            | b"50" | b"52" | b"99" | b"104" | b"105" | b"106" | b"110" | b"111" | b"112"
            | b"113" | b"114" | b"115" | b"116" | b"117" | b"118" | b"119" | b"633" | b"777" => {}
            // A fresh line is begun where the cursor is not at a line's start.
            b"133" if !rest.starts_with(b"A") && !rest.starts_with(b"L") => {}
            // A question draws nothing, whatever it is about; the CLI asks `7501;?`.
            _ if rest == b"?" => {}
            b"1337" if !rest.starts_with(b"File") && !rest.starts_with(b"Multipart") => {}
            _ => self.lose(),
        }
    }

    fn string(&mut self, kind: StringKind, data: &[u8]) {
        let harmless = match kind {
            StringKind::Dcs => [&b"+q"[..], b"$q", b"+p"]
                .iter()
                .any(|prefix| data.starts_with(prefix)),
            // Kitty's graphics: only asking whether they are there draws nothing.
            StringKind::Apc => {
                data.starts_with(b"G") && {
                    let control = data.split(|&byte| byte == b';').next().unwrap_or_default();
                    control[1..]
                        .split(|&byte| byte == b',')
                        .any(|pair| pair == b"a=q")
                }
            }
            StringKind::Pm | StringKind::Sos => true,
        };
        if !harmless {
            self.lose();
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
        let mut text = String::new();
        let mut cells = Vec::with_capacity(usize::from(self.size.cols));
        let (mut end_text, mut end_cells) = (0, 0);
        let mut start = 0;
        for col in 0..self.size.cols {
            let Some(cell) = self.cell(row, col) else {
                break;
            };
            let second = cell.is_wide_continuation();
            if !second {
                start = u32::try_from(text.len()).unwrap_or(u32::MAX);
                if cell.has_contents() {
                    text.push_str(cell.contents());
                } else {
                    text.push(' ');
                }
            }
            let filled = cell.bgcolor() != vt100::Color::Default;
            cells.push(Cell {
                start,
                dim: cell.dim(),
                inverse: cell.inverse(),
                filled,
            });
            if second || (cell.has_contents() && cell.contents() != " ") {
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
    out.extend_from_slice(
        format!("\x1b[{};{}H", u32::from(row) + 1, u32::from(col) + 1).as_bytes(),
    );
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

/// Columns of a simple character.
fn width_of(character: char) -> u16 {
    if character.width() == Some(2) { 2 } else { 1 }
}

/// All terminals give it the same width, and it stands by itself.
fn is_simple(character: char) -> bool {
    match character {
        ' '..='~' => true,
        // Regional indicators pair up; skin tones join.
        '\0'..='\u{9f}'
        | '\u{ad}'
        | '\u{fffd}'
        | '\u{1f1e6}'..='\u{1f1ff}'
        | '\u{1f3fb}'..='\u{1f3ff}' => false,
        _ => matches!(character.width(), Some(1 | 2)),
    }
}

/// Combining marks that every terminal puts into the cell before.
fn is_combining(character: char) -> bool {
    matches!(character,
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1ace}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20f0}' | '\u{fe20}'..='\u{fe2f}')
        && character.width() == Some(0)
}
