//! Control characters and short escapes.

use super::super::pen::Pen;
use super::super::trust::Rows;
use super::{Saved, Shadow};

impl Shadow {
    pub(super) fn control(&mut self, byte: u8) {
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

    pub(super) fn carriage_return(&mut self) {
        self.feed(b"\r");
        self.drift = 0;
        self.wrap_unclear = false;
        if self.modes.is_on(69) {
            self.drift = self.size.cols;
        }
        self.moved();
    }

    pub(super) fn tab(&mut self) {
        let (row, col) = self.cursor();
        let index = self.index();
        if !self.row_known || self.wrap_pending() || self.wrap_unclear {
            // Some terminals wrap first.
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
    pub(super) fn deepen(&mut self, row: u16) {
        if row > self.deepest {
            self.deepest = row;
            if !self.scrolled_in_known() {
                self.rows[0].limit(row, 0);
            }
        }
    }

    /// The region's rows are about to move up by one.
    pub(super) fn scrolls_up(&mut self) {
        let Some((top, bottom)) = self.region() else {
            return self.lose_rows();
        };
        let known = self.scrolled_in_known();
        let index = self.index();
        // The shadow at its bottom, the terminal is too: nothing was off.
        if self.is_floating() {
            self.floating = false;
        }
        self.rows[index].scroll_up(top, bottom, 1, known);
        self.repaint_scrolled(top, bottom);
    }

    pub(super) fn line_feed(&mut self) {
        let pending = self.wrap_pending();
        let (row, _) = self.cursor();
        if self.row_known {
            match self.region() {
                Some((_, bottom)) if row == bottom => self.scrolls_up(),
                Some(_) if self.is_floating() => self.deepen(row + 1),
                Some(_) => {}
                None => {
                    self.lose();
                    self.repaint_all();
                }
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

    pub(super) fn reverse_index(&mut self) {
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
            // Above the region nothing scrolls; the emulator would.
            Some(_) if row == 0 => return self.moved(),
            Some(_) => {}
        }
        self.feed(b"\x1bM");
        self.repaint_all();
        self.moved();
    }

    pub(super) fn save(&mut self, ansi: bool) {
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
            wrap_unclear: self.wrap_pending() || self.wrap_unclear,
            pen: self.pen,
            charsets: self.modes.charsets,
            origin: self.modes.is_on(6),
            ansi,
        });
    }

    pub(super) fn restore(&mut self, ansi: bool) {
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
            self.wrap_unclear = saved.wrap_unclear;
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

    pub(super) fn sync_pen(&mut self) {
        self.scratch.clear();
        self.pen.write(&mut self.scratch);
        self.vt.process(&self.scratch);
    }

    pub(super) fn escape(&mut self, intermediates: &[u8], last: u8) {
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
                self.start_over();
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
}
