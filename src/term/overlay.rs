//! The compositor: the child's bytes, and one line of ours over them.
//!
//! As long as no bar is drawn, what goes to the terminal is what the child wrote, byte for byte.
//! A drawn bar is taken off before the child's next byte, by drawing anew what the shadow says is
//! beneath it; cursor and pen are put back. Neither DECSC nor DECRC is used: the slot is the child's.

use std::collections::VecDeque;

use super::Size;
use super::bar::{self, Glyph, Model};
use super::leftovers::Leftovers;
use super::restore;
use super::scan::Scanner;
use super::screen::Screen;
use super::shadow::Shadow;
use crate::config::BarMode;

/// So many bytes of the child's at the most may be on the terminal before the shadow has been told of them:
/// some frames of a large screen.
const BACKLOG: usize = 256 * 1024;
/// So many may wait for whoever asks next, a fraction of a millisecond's work.
const BEHIND: usize = 8 * 1024;
/// The shadow is told of so many at a time where something else may come meanwhile, a key for instance: some
/// ten microseconds.
const SLICE: usize = 2048;
/// Most cursor queries that are kept in mind; a terminal that answers none is not asked for ever.
const QUERY_LIMIT: usize = 64;

/// Where the wanted bar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// On a row.
    Row,
    /// In the window's title.
    Title,
    /// Nowhere just now, and why.
    Hidden(&'static str),
    /// None is wanted.
    None,
}

/// Who asked the terminal for the cursor's position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Query {
    Child,
    /// We did, when this many pieces of output had been seen.
    Ours(u64),
}

/// The bar as it stands on the screen.
#[derive(Clone, Debug)]
struct Drawn {
    row: u16,
    glyphs: Vec<Glyph>,
}

/// The compositor.
///
/// While nothing of ours stands on the terminal, the child's bytes go there first and wait in a backlog for the
/// shadow. Whoever asks for anything that the shadow knows has it catch up before.
pub struct Compositor {
    scanner: Scanner,
    shadow: Shadow,
    backlog: Backlog,
    mode: BarMode,
    addressable: bool,
    synchronized: bool,
    wanted: Option<Model>,
    drawn: Option<Drawn>,
    /// Our title, while it stands.
    our_title: Option<String>,
    queries: VecDeque<Query>,
    /// Counts what may move the cursor: output, resizes.
    age: u64,
    asked_at: Option<u64>,
    /// The modes are undone for a stop.
    suspended: bool,
}

impl Compositor {
    /// A compositor for a terminal of this size. `addressable` is false where the terminal knows no
    /// cursor addressing (`TERM=dumb`): nothing is ever drawn there.
    pub fn new(size: Size, mode: BarMode, addressable: bool) -> Self {
        Self {
            scanner: Scanner::new(),
            shadow: Shadow::new(size),
            backlog: Backlog::default(),
            mode,
            addressable,
            synchronized: false,
            wanted: None,
            drawn: None,
            our_title: None,
            queries: VecDeque::new(),
            age: 0,
            asked_at: None,
            suspended: false,
        }
    }

    /// The child wrote `bytes`: they go to `tty` as they are, behind what takes a drawn bar off.
    pub fn child_output(&mut self, bytes: &[u8], tty: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        self.age += 1;
        self.undraw(tty);
        if self.our_title.is_none() {
            tty.extend_from_slice(bytes);
            self.backlog.push(bytes);
            if self.backlog.len() >= BACKLOG {
                self.catch_up();
            }
            return;
        }
        self.catch_up();
        let boundary = self.scanner.at_boundary();
        let title = self.shadow.modes().title().to_owned();
        self.feed(bytes);
        let touched = self.shadow.modes_mut().take_title_touched();
        let set = self.shadow.modes_mut().take_title_set();
        if boundary && (touched || !self.scanner.at_boundary()) {
            // The child saves or reads the title, or may be about to: it shall find its own.
            write_title(&title, tty);
            self.our_title = None;
        } else if set {
            self.our_title = None;
        }
        tty.extend_from_slice(bytes);
    }

    /// Has the shadow yet to be told of so much that is on the terminal that whoever asks next would have to wait?
    pub fn is_behind(&self) -> bool {
        self.backlog.len() >= BEHIND
    }

    /// Tells the shadow a little of that. To be called when there is nothing else to do.
    pub fn catch_up_a_little(&mut self) {
        self.catch_up_by(SLICE);
    }

    fn catch_up(&mut self) {
        self.catch_up_by(usize::MAX);
    }

    fn catch_up_by(&mut self, most: usize) {
        if self.backlog.len() == 0 {
            return;
        }
        let Self {
            scanner,
            shadow,
            backlog,
            ..
        } = self;
        // Given out before it is read: a panic in the middle must not have it read again.
        scanner.feed(backlog.next(most), |token| shadow.apply(&token));
        self.backlog.is_read();
        self.note_queries();
        // No title of ours stands in the child's way.
        self.shadow.modes_mut().take_title_touched();
        self.shadow.modes_mut().take_title_set();
    }

    /// What the bar should show from now on; [`Self::draw`] draws it.
    pub fn set_bar(&mut self, bar: Option<Model>) {
        self.wanted = bar;
    }

    /// Draws or refreshes the wanted bar, or takes it off, where that is safe right now.
    ///
    /// To be called when the child has been quiet for some 16 ms: in the middle of a frame of its
    /// own the bar would flicker. Writes only what changed since the last call.
    pub fn draw(&mut self, tty: &mut Vec<u8>) -> Placement {
        let Some(model) = self.wanted.clone() else {
            self.hide(tty);
            return Placement::None;
        };
        if !self.addressable {
            return Placement::Hidden("the terminal cannot address its cursor");
        }
        if self.mode == BarMode::Off {
            return Placement::Hidden("bar = off");
        }
        if !self.at_boundary() {
            return Placement::Hidden("the child is in the middle of a frame");
        }
        if self.mode == BarMode::Auto {
            if let Some(row) = self.place() {
                self.draw_row(row, &model, tty);
                self.put_title_back(tty);
                return Placement::Row;
            }
            self.undraw(tty);
            if self.cursor_query_wanted() {
                return Placement::Hidden("the cursor's place is to be asked for first");
            }
        }
        self.draw_title(&model, tty);
        Placement::Title
    }

    /// Takes the bar off now and puts the child's title back; what is wanted stays wanted.
    pub fn hide(&mut self, tty: &mut Vec<u8>) {
        crate::fault::point("hide");
        self.catch_up();
        self.undraw(tty);
        if self.scanner.at_boundary() {
            self.put_title_back(tty);
        }
    }

    /// Takes the row off alone, as before the child's next byte.
    pub fn uncover(&mut self, tty: &mut Vec<u8>) {
        self.catch_up();
        self.undraw(tty);
    }

    /// What the child has on, for who goes on without us.
    pub fn leftovers(&self) -> Leftovers {
        let mut left = Leftovers::new(self.shadow.modes().clone(), *self.shadow.pen());
        left.feed(self.backlog.unread());
        left
    }

    /// The terminal has another size (SIGWINCH). It has moved what it showed already, a bar too:
    /// that is not taken off, the child's own repaint covers it.
    pub fn resize(&mut self, size: Size) {
        self.catch_up();
        self.drawn = None;
        self.shadow.resize(size);
        self.age += 1;
    }

    /// The terminal was in other hands (stopped and continued): nothing on it is known.
    pub fn trust_lost(&mut self) {
        self.catch_up();
        self.drawn = None;
        self.our_title = None;
        self.shadow.distrust();
        self.queries.clear();
        self.age += 1;
    }

    /// Would the answer to a cursor query let the bar be drawn? Asked at most once a state of the screen.
    pub fn cursor_query_wanted(&mut self) -> bool {
        self.catch_up();
        let modes = self.shadow.modes();
        self.wanted.is_some()
            && self.mode == BarMode::Auto
            && self.addressable
            && self.is_whole()
            && self.asked_at != Some(self.age)
            && !self.shadow.cursor_known()
            && !self.shadow.wrap_pending()
            && !modes.is_on(6)
            && !modes.is_on(69)
            && !self
                .queries
                .iter()
                .any(|query| matches!(query, Query::Ours(_)))
    }

    /// Asks the terminal where the cursor is (`CSI 6 n`).
    pub fn query_cursor(&mut self, tty: &mut Vec<u8>) {
        self.catch_up();
        tty.extend_from_slice(b"\x1b[6n");
        self.asked_at = Some(self.age);
        self.note_query(Query::Ours(self.age));
    }

    /// The terminal reported the cursor at `row` and `col` (as it counts, from 1). True: we had
    /// asked, and the report is not for the child.
    pub fn cursor_report(&mut self, row: u16, col: u16) -> bool {
        self.catch_up();
        let Some(Query::Ours(age)) = self.queries.front().copied() else {
            self.queries.pop_front();
            return false;
        };
        self.queries.pop_front();
        if age == self.age {
            self.shadow
                .anchor(row.saturating_sub(1), col.saturating_sub(1));
        }
        true
    }

    /// The terminal knows synchronized updates (DEC 2026), it says: then what we write is one.
    pub fn set_synchronized(&mut self, supported: bool) {
        self.synchronized = supported;
    }

    /// The screen as the user sees it, without the bar.
    pub fn screen(&mut self) -> Screen {
        self.catch_up();
        self.shadow.screen()
    }

    /// Between sequences and characters, and outside an open synchronized update.
    pub fn at_boundary(&mut self) -> bool {
        self.catch_up();
        self.is_whole()
    }

    /// The same of what the shadow has been told.
    fn is_whole(&self) -> bool {
        self.scanner.at_boundary() && !self.shadow.modes().is_on(2026)
    }

    /// The alternate screen is on.
    pub fn alternate(&mut self) -> bool {
        self.catch_up();
        self.shadow.alternate()
    }

    /// The title that the child set last, or empty.
    pub fn title(&mut self) -> &str {
        self.catch_up();
        self.shadow.modes().title()
    }

    /// The terminal's size.
    pub fn size(&self) -> Size {
        self.shadow.size()
    }

    /// A row of ours is drawn, or our title stands.
    pub fn bar_shown(&self) -> bool {
        self.drawn.is_some() || self.our_title.is_some()
    }

    /// The way out: takes the bar off, and undoes every mode that the child left on. Writes nothing
    /// where there is nothing to undo.
    pub fn restore(&mut self, tty: &mut Vec<u8>) {
        crate::fault::point("restore");
        self.catch_up();
        self.undraw(tty);
        let mut bytes = Vec::new();
        if !self.scanner.at_boundary() {
            // CAN ends any sequence that the child did not finish.
            bytes.push(0x18);
            self.feed(&[0x18]);
        }
        self.put_title_back(&mut bytes);
        let cursor = self.shadow.cursor_known().then(|| self.shadow.cursor());
        let begin = bytes.len();
        restore::write(self.shadow.modes(), self.shadow.pen(), cursor, &mut bytes);
        let undo = bytes[begin..].to_vec();
        self.feed(&undo);
        tty.extend_from_slice(&bytes);
    }

    /// The job stops: as [`Self::restore`], but the child, which is stopped as well, goes on where it was,
    /// so that the shadow keeps its modes.
    pub fn suspend(&mut self, tty: &mut Vec<u8>) {
        self.hide(tty);
        let cursor = self.shadow.cursor_known().then(|| self.shadow.cursor());
        let mut modes = self.shadow.modes().clone();
        if std::mem::replace(&mut self.suspended, true) {
            // Told twice, of our own stop and of the child's: what a second pop takes is somebody else's.
            modes.alternate = None;
            (modes.kitty_pushed, modes.kitty_set) = ([0; 2], [false; 2]);
        }
        restore::write(&modes, self.shadow.pen(), cursor, tty);
    }

    /// The job goes on: sets the child's modes anew, and draws an alternate screen as it was. A child
    /// that stopped itself had undone them, and sets and draws them itself. What was on the terminal
    /// meanwhile is unknown: all trust is lost.
    pub fn resume(&mut self, tty: &mut Vec<u8>) {
        self.catch_up();
        let undone = std::mem::take(&mut self.suspended);
        restore::again(self.shadow.modes(), undone, tty);
        if self.shadow.alternate() {
            for row in 0..self.size().rows {
                tty.extend_from_slice(format!("\x1b[0m\x1b[{};1H", u32::from(row) + 1).as_bytes());
                self.shadow.write_row(row, tty);
            }
            self.shadow.write_cursor(tty);
        }
        self.trust_lost();
    }

    fn feed(&mut self, bytes: &[u8]) {
        let shadow = &mut self.shadow;
        self.scanner.feed(bytes, |token| shadow.apply(&token));
        self.note_queries();
    }

    fn note_queries(&mut self) {
        for _ in 0..self.shadow.modes_mut().take_cursor_queries() {
            self.note_query(Query::Child);
        }
    }

    fn note_query(&mut self, query: Query) {
        if self.queries.len() < QUERY_LIMIT {
            self.queries.push_back(query);
        }
    }

    /// The row for the bar: the last, else the first. On the main screen the last alone: a window that becomes
    /// shorter pushes the first into the scrollback, from where nobody takes it back.
    fn place(&self) -> Option<u16> {
        if self.shadow.obstacle().is_some() || self.size().rows < 2 {
            return None;
        }
        let (cursor, _) = self.shadow.cursor();
        let first = self.shadow.alternate().then_some(0);
        [Some(self.size().rows - 1), first]
            .into_iter()
            .flatten()
            .find(|row| *row != cursor && self.shadow.row_trusted(*row))
    }

    fn draw_row(&mut self, row: u16, model: &Model, tty: &mut Vec<u8>) {
        let glyphs = bar::glyphs(model, self.size().cols);
        let before = match &self.drawn {
            Some(drawn) if drawn.row == row => Some(&drawn.glyphs),
            Some(_) => {
                self.undraw(tty);
                None
            }
            None => None,
        };
        let changed = |at: usize| before.and_then(|before| before.get(at)) != glyphs.get(at);
        if (0..glyphs.len()).any(changed) {
            self.open(tty);
            let mut sgr = "";
            let mut next = None;
            for (at, glyph) in glyphs.iter().enumerate().filter(|(at, _)| changed(*at)) {
                if next != Some(at) {
                    tty.extend_from_slice(
                        format!("\x1b[{};{}H", u32::from(row) + 1, at + 1).as_bytes(),
                    );
                }
                next = Some(at + 1);
                if sgr != glyph.sgr {
                    tty.extend_from_slice(glyph.sgr.as_bytes());
                    sgr = &glyph.sgr;
                }
                tty.extend_from_slice(glyph.symbol.encode_utf8(&mut [0; 4]).as_bytes());
            }
            self.shadow.write_cursor(tty);
            self.close(tty);
        }
        self.drawn = Some(Drawn { row, glyphs });
    }

    fn undraw(&mut self, tty: &mut Vec<u8>) {
        let Some(drawn) = self.drawn.take() else {
            return;
        };
        self.open(tty);
        tty.extend_from_slice(format!("\x1b[0m\x1b[{};1H", u32::from(drawn.row) + 1).as_bytes());
        self.shadow.write_row(drawn.row, tty);
        self.shadow.write_cursor(tty);
        self.close(tty);
    }

    fn open(&self, tty: &mut Vec<u8>) {
        if self.synchronized {
            tty.extend_from_slice(b"\x1b[?2026h");
        }
    }

    fn close(&self, tty: &mut Vec<u8>) {
        if self.synchronized {
            tty.extend_from_slice(b"\x1b[?2026l");
        }
    }

    fn draw_title(&mut self, model: &Model, tty: &mut Vec<u8>) {
        let title = bar::title(model);
        if self.our_title.as_ref() != Some(&title) {
            write_title(&title, tty);
            self.our_title = Some(title);
        }
    }

    fn put_title_back(&mut self, tty: &mut Vec<u8>) {
        if self.our_title.take().is_some() {
            write_title(self.shadow.modes().title(), tty);
        }
    }
}

/// Bytes in order, given out from the front.
#[derive(Default)]
struct Backlog {
    bytes: Vec<u8>,
    given: usize,
    /// Of those, whoever took them has read so many.
    read: usize,
}

impl Backlog {
    fn len(&self) -> usize {
        self.bytes.len() - self.given
    }

    fn push(&mut self, bytes: &[u8]) {
        // Keeps the memory bounded while it never runs quite empty.
        if self.given >= self.len() {
            self.bytes.drain(..self.given);
            (self.given, self.read) = (0, 0);
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next bytes, at most so many.
    fn next(&mut self, most: usize) -> &[u8] {
        let from = self.given;
        self.given += most.min(self.len());
        &self.bytes[from..self.given]
    }

    /// What was given out is read.
    fn is_read(&mut self) {
        self.read = self.given;
    }

    /// What was not read to its end, if it was given out or not.
    fn unread(&self) -> &[u8] {
        &self.bytes[self.read..]
    }
}

fn write_title(title: &str, tty: &mut Vec<u8>) {
    tty.extend_from_slice(b"\x1b]0;");
    tty.extend_from_slice(title.as_bytes());
    tty.push(0x07);
}

#[cfg(test)]
mod tests;
