//! Control sequences: what each one means for cursor and trust. A list of what is known; all else
//! costs.

use super::super::modes::Region;
use super::super::scan::Csi;
use super::super::trust::Rows;
use super::Shadow;

impl Shadow {
    pub(super) fn control_sequence(&mut self, csi: &Csi, direct: bool) {
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
            (0, [], b'C' | b'a') => self.sideways(csi.param(0, 1), b'C'),
            (0, [], b'D') => self.sideways(csi.param(0, 1), b'D'),
            (0, [], b'G' | b'`') => {
                self.feed_csi(csi.param(0, 1), b'G');
                self.drift = 0;
                self.wrap_unclear = false;
                self.moved();
                if self.modes.is_on(6) || self.modes.is_on(69) {
                    self.lose();
                }
            }
            (0, [], b'H' | b'f') => {
                self.ground();
                self.go_to(csi.param(0, 1) - 1, csi.param(1, 1) - 1);
                self.row_known =
                    !(self.modes.is_on(69) || (self.modes.is_on(6) && self.region().is_none()));
                self.drift = 0;
                self.wrap_unclear = false;
                self.moved();
            }
            (0, [], b'd') => {
                self.settle_wrap();
                self.ground();
                self.feed_csi(csi.param(0, 1), b'd');
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
                self.feed_csi(csi.param(0, 1), b'X');
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

    pub(super) fn sgr(&mut self, csi: &Csi) {
        let before = self.pen;
        self.pen.apply(csi);
        if self.pen != before {
            self.sync_pen();
        }
    }

    pub(super) fn up(&mut self, count: u16) {
        self.settle_wrap();
        let (row, _) = self.cursor();
        let clamps = match self.modes.region {
            Region::Full => self.is_floating() && count > row,
            Region::Rows(top, _) => row >= top && row.saturating_sub(count) < top,
            Region::Unknown => true,
        };
        self.feed_csi(count, b'A');
        self.moved();
        if clamps || self.modes.is_on(6) {
            self.row_known = false;
        }
    }

    pub(super) fn down(&mut self, count: u16) {
        self.settle_wrap();
        let (row, _) = self.cursor();
        let target = row.saturating_add(count);
        let clamps = match self.modes.region {
            Region::Full => self.is_floating() && target > self.deepest,
            Region::Rows(_, bottom) => row <= bottom && target > bottom,
            Region::Unknown => true,
        };
        self.feed_csi(count, b'B');
        self.moved();
        if clamps || self.modes.is_on(6) {
            self.row_known = false;
        }
    }

    pub(super) fn sideways(&mut self, count: u16, last: u8) {
        self.settle_wrap();
        self.feed_csi(count, last);
        self.moved();
        if self.modes.is_on(69) || (self.modes.is_on(45) && last == b'D') {
            self.lose();
        }
    }

    pub(super) fn set_region(&mut self, csi: &Csi) {
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

    pub(super) fn set_private(&mut self, mode: u16, on: bool) {
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
                self.agree_on_margins();
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

    /// The emulator keeps origin mode and scroll region for each screen, a terminal only once.
    fn agree_on_margins(&mut self) {
        self.feed(b"\x1b[r");
        self.feed(if self.modes.is_on(6) {
            b"\x1b[?6h"
        } else {
            b"\x1b[?6l"
        });
        if self.modes.region != Region::Full {
            self.modes.region = Region::Unknown;
        }
    }

    pub(super) fn enter_alternate(&mut self) {
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
        // Some terminals take a pending wrap along.
        let wrap_unclear = self.wrap_pending() || self.wrap_unclear;
        self.save(false);
        self.feed(b"\x1b[?1049h");
        self.agree_on_margins();
        self.go_to(row, col);
        self.rows[1] = Rows::new(self.size, self.scrolled_in_known());
        self.saved[1] = None;
        self.row_known = known;
        self.drift = drift;
        self.wrap_unclear = wrap_unclear;
    }

    pub(super) fn leave_alternate(&mut self) {
        self.repaint_all();
        self.moved();
        if !self.alternate() {
            return self.lose();
        }
        self.feed(b"\x1b[?1049l");
        self.agree_on_margins();
        self.restore(false);
    }
}
