//! What the random sessions came to: a bar that is never drawn proves nothing.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// A situation in which a bar stood, or was taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Seen {
    // The bar is on a row …
    Alternate,
    Main,
    LastRow,
    /// … the first one, because the cursor is on the last one.
    FirstRow,
    PendingWrap,
    /// … with a wide character under its first columns,
    WideLeft,
    /// … under its last ones,
    WideRight,
    /// … with anything at all in its last column.
    LastColumn,
    ColoredPen,
    ScrollRegion,
    /// … after origin mode was on,
    AfterOrigin,
    /// … after a resize,
    AfterResize,
    Synchronized,
    Plain,
    Rows2,
    Rows100,
    Cols20,
    Cols300,
    /// … and only some of its cells are drawn anew.
    Refreshed,
    // The bar is on a row, and then the child …
    /// … opens an update and leaves it open,
    UpdateOpened,
    /// … writes what scrolls a row into the scrollback,
    Scrolled,
    /// … switches the screen,
    Switched,
    /// … is in a window of another size.
    ResizedAlternate,
    ResizedMain,
    // The bar is wanted, and is not on a row because …
    /// … origin mode is on,
    OriginTitle,
    /// … an update is open.
    UpdateWaits,
}

impl Seen {
    const ALL: [Self; 26] = [
        Self::Alternate,
        Self::Main,
        Self::LastRow,
        Self::FirstRow,
        Self::PendingWrap,
        Self::WideLeft,
        Self::WideRight,
        Self::LastColumn,
        Self::ColoredPen,
        Self::ScrollRegion,
        Self::AfterOrigin,
        Self::AfterResize,
        Self::Synchronized,
        Self::Plain,
        Self::Rows2,
        Self::Rows100,
        Self::Cols20,
        Self::Cols300,
        Self::Refreshed,
        Self::UpdateOpened,
        Self::Scrolled,
        Self::Switched,
        Self::ResizedAlternate,
        Self::ResizedMain,
        Self::OriginTitle,
        Self::UpdateWaits,
    ];
}

/// How often the bar was asked for, where it came to be, and what happened around it.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) draws: Cell<u32>,
    pub(crate) rows: Cell<u32>,
    pub(crate) titles: Cell<u32>,
    seen: Mutex<BTreeMap<Seen, u32>>,
}

impl Tally {
    pub(crate) fn note(&self, seen: Seen, holds: bool) {
        if holds {
            let mut all = self.seen.lock().expect("one thread");
            *all.entry(seen).or_default() += 1;
        }
    }

    /// A test that never draws would prove nothing: on a row once in so many draws, and in every situation.
    pub(crate) fn is_full(&self, one_in: u32) {
        assert!(
            self.rows.get() * one_in > self.draws.get(),
            "the bar is on a row too seldom: {self}"
        );
        let seen = self.seen.lock().expect("one thread").clone();
        let never: Vec<_> = Seen::ALL
            .iter()
            .filter(|situation| !seen.contains_key(situation))
            .collect();
        assert!(never.is_empty(), "never {never:?}: {self}");
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (draws, rows, titles) = (self.draws.get(), self.rows.get(), self.titles.get());
        let seen = self.seen.lock().expect("one thread");
        write!(
            f,
            "{draws} draws: {rows} on a row, {titles} in the title; {seen:?}"
        )
    }
}

pub(crate) fn count(counter: &Cell<u32>) {
    counter.set(counter.get() + 1);
}
