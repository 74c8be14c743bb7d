//! Which rows of the shadow are known to be exactly what the terminal shows.

use super::Size;

/// What is known of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RowTrust {
    /// The cells left of this column are known.
    known_to: u16,
    /// It wrapped into the next row, or the one above wrapped into it, since it was erased.
    soft: bool,
    /// A wide character may stand in it.
    wide: bool,
}

/// The rows of one screen.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    rows: Vec<RowTrust>,
    cols: u16,
}

impl Rows {
    /// All blank and known, or all unknown.
    pub(super) fn new(size: Size, known: bool) -> Self {
        let known_to = if known { size.cols } else { 0 };
        let row = RowTrust {
            known_to,
            soft: false,
            wide: false,
        };
        Self {
            rows: vec![row; usize::from(size.rows)],
            cols: size.cols,
        }
    }

    /// The row can be drawn over and put back.
    pub(super) fn is_trusted(&self, row: u16) -> bool {
        let row = usize::from(row);
        let Some(trust) = self.rows.get(row) else {
            return false;
        };
        // A wide character at a row's start may belong to how the row above wraps; above the first
        // row there is scrollback.
        let above = row.checked_sub(1).and_then(|above| self.rows.get(above));
        let joined = above.is_some_and(|above| above.soft)
            || (trust.wide && above.is_none_or(|above| above.known_to < self.cols));
        trust.known_to >= self.cols && !trust.soft && !joined
    }

    /// A wide character may stand in the row.
    pub(super) fn may_hold_wide(&self, row: u16) -> bool {
        self.rows
            .get(usize::from(row))
            .is_some_and(|trust| trust.wide)
    }

    /// The cells from `start` to before `end` were drawn or erased, and are known.
    pub(super) fn cover(&mut self, row: u16, start: u16, end: u16) {
        if let Some(trust) = self.rows.get_mut(usize::from(row))
            && start <= trust.known_to
        {
            trust.known_to = trust.known_to.max(end);
        }
    }

    /// The cells from `col` on are unknown.
    pub(super) fn limit(&mut self, row: u16, col: u16) {
        if let Some(trust) = self.rows.get_mut(usize::from(row)) {
            trust.known_to = trust.known_to.min(col);
        }
    }

    /// A wide character was drawn in the row.
    pub(super) fn set_wide(&mut self, row: u16) {
        if let Some(trust) = self.rows.get_mut(usize::from(row)) {
            trust.wide = true;
        }
    }

    /// The row wraps, or is wrapped into.
    pub(super) fn set_soft(&mut self, row: u16) {
        if let Some(trust) = self.rows.get_mut(usize::from(row)) {
            trust.soft = true;
        }
    }

    /// The row was erased as a whole; `known` says whether its colour is.
    pub(super) fn erase(&mut self, row: u16, known: bool) {
        let known_to = if known { self.cols } else { 0 };
        if let Some(trust) = self.rows.get_mut(usize::from(row)) {
            *trust = RowTrust {
                known_to,
                soft: false,
                wide: false,
            };
        }
    }

    /// Nothing is known any more, nor where rows wrap.
    pub(super) fn lose_all(&mut self) {
        for trust in &mut self.rows {
            trust.known_to = 0;
            trust.soft = true;
            trust.wide = true;
        }
    }

    /// Rows `top` to `bottom` moved up by `count`; blank ones came in below.
    pub(super) fn scroll_up(&mut self, top: u16, bottom: u16, count: u16, known: bool) {
        let count = count.min(bottom + 1 - top);
        self.rows[usize::from(top)..=usize::from(bottom)].rotate_left(usize::from(count));
        for row in bottom + 1 - count..=bottom {
            self.erase(row, known);
        }
    }

    /// Rows `top` to `bottom` moved down by `count`; blank ones came in above.
    pub(super) fn scroll_down(&mut self, top: u16, bottom: u16, count: u16, known: bool) {
        let count = count.min(bottom + 1 - top);
        self.rows[usize::from(top)..=usize::from(bottom)].rotate_right(usize::from(count));
        for row in top..top + count {
            self.erase(row, known);
        }
    }
}
