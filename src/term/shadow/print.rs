//! Text: where it goes, and what is known of the cells that it fills.

use unicode_width::UnicodeWidthChar as _;

use super::{Shadow, Tail};

/// More combining characters than this in one cell, and the emulator drops some.
const COMBINING_LIMIT: u8 = 3;

impl Shadow {
    pub(super) fn text(&mut self, text: &str) {
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
    pub(super) fn print(&mut self, text: &str) {
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

    pub(super) fn note_wide(&mut self, row: u16, text: &str) {
        if !text.is_ascii() && text.chars().any(|c| width_of(c) == 2) {
            let index = self.index();
            self.rows[index].set_wide(row);
        }
    }

    pub(super) fn print_in_row(&mut self, row: u16, col: u16, text: &str, width: u16) {
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

    pub(super) fn print_wrapping(&mut self, text: &str, width: u16) {
        let (row, col) = self.cursor();
        let cols = self.size.cols;
        if !self.row_known || self.drift > 0 || width > cols {
            self.feed(text.as_bytes());
            self.repaint_all();
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
                self.feed(text.as_bytes());
                self.repaint_all();
                return self.lose();
            };
            let index = self.index();
            self.rows[index].set_soft(row);
            self.repaint(row);
            if row == bottom {
                self.scrolls_up();
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
            self.repaint(next);
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
    pub(super) fn odd(&mut self, character: char) {
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
            Some(before) if self.is_second_half(row, before) => before - 1,
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
        // The emulator makes the cell wide for VS16, and panics when that does not fit.
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
    pub(super) fn replacement(&mut self) {
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

    pub(super) fn repeat(&mut self, count: u16, direct: bool) {
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
