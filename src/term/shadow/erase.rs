//! Erasing, and moving what is drawn.

use super::super::pen::Color;
use super::super::scan::Csi;
use super::Shadow;

impl Shadow {
    /// Trust in the cells of a row that are erased.
    pub(super) fn erase_cells(&mut self, row: u16, start: u16, end: u16) {
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

    pub(super) fn erase_line(&mut self, mode: u16) {
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
        self.feed_csi(mode, b'K');
    }

    pub(super) fn erase_row(&mut self, row: u16) {
        let known = self.erased_known();
        let index = self.index();
        self.rows[index].erase(row, known);
        self.repaint(row);
    }

    pub(super) fn erase_display(&mut self, mode: u16) {
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
        self.feed_csi(mode, b'J');
    }

    /// ICH, DCH.
    pub(super) fn shift_cells(&mut self, csi: &Csi) {
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
        self.feed_csi(count, csi.last);
    }

    /// IL, DL.
    pub(super) fn shift_lines(&mut self, csi: &Csi) {
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
        self.feed_csi(count, csi.last);
        self.repaint_all();
        self.moved();
        // Some terminals return the carriage.
        if col > 0 {
            self.drift = self.size.cols;
        }
    }

    /// SU, SD.
    pub(super) fn scroll(&mut self, csi: &Csi) {
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
        self.feed_csi(count, csi.last);
        self.repaint_all();
        self.tail.known = false;
    }
}
