//! An independent terminal, to ask what the user would see.

#![allow(dead_code, reason = "each test file uses its part")]

use std::cell::RefCell;
use std::rc::Rc;

use alacritty_terminal::Term;
use alacritty_terminal::event::{Event, EventListener};
use alacritty_terminal::grid::Dimensions as _;
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::term::test::TermSize;
use alacritty_terminal::term::{Config, TermMode};
use alacritty_terminal::vte::ansi::Processor;

/// What the terminal said by itself.
#[derive(Default)]
struct Heard {
    replies: Vec<String>,
    title: Option<String>,
}

#[derive(Clone, Default)]
struct Listener(Rc<RefCell<Heard>>);

impl EventListener for Listener {
    fn send_event(&self, event: Event) {
        let mut heard = self.0.borrow_mut();
        match event {
            Event::PtyWrite(text) => heard.replies.push(text),
            Event::Title(title) => heard.title = Some(title),
            Event::ResetTitle => heard.title = None,
            _ => {}
        }
    }
}

/// A terminal emulator.
pub(crate) struct Emulator {
    term: Term<Listener>,
    parser: Processor,
    heard: Listener,
    /// An incomplete character.
    held: Vec<u8>,
    /// The window may change its size.
    resizes: bool,
}

impl Emulator {
    pub(crate) fn new(rows: u16, cols: u16) -> Self {
        let heard = Listener::default();
        let config = Config {
            kitty_keyboard: true,
            scrolling_history: 200,
            ..Config::default()
        };
        let size = TermSize::new(usize::from(cols), usize::from(rows));
        Self {
            term: Term::new(config, &size, heard.clone()),
            parser: Processor::new(),
            heard,
            held: Vec::new(),
            resizes: true,
        }
    }

    /// The window keeps its size, which is faster.
    pub(crate) fn never_resizes(&mut self) {
        self.resizes = false;
    }

    /// A character that is not complete yet is held back: this emulator's parser may lose the one
    /// behind it when it comes in two pieces.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        let incomplete = (1..=self.held.len().min(3)).find(|back| {
            let tail = &self.held[self.held.len() - back..];
            std::str::from_utf8(tail)
                .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
        });
        let rest = self
            .held
            .split_off(self.held.len() - incomplete.unwrap_or(0));
        let bytes = std::mem::replace(&mut self.held, rest);
        let mut rest = bytes.as_slice();
        while self.resizes
            && let Some(at) = rest.iter().skip(1).position(|byte| *byte == 0x1b)
        {
            // Also the screen that the next sequence may switch away from.
            self.parser.advance(&mut self.term, &rest[..=at]);
            self.soil();
            rest = &rest[at + 1..];
        }
        self.parser.advance(&mut self.term, rest);
        if self.resizes {
            self.soil();
        }
    }

    /// The window has another size: rows and their scrollback move as this terminal does it.
    pub(crate) fn resize(&mut self, rows: u16, cols: u16) {
        let size = TermSize::new(usize::from(cols), usize::from(rows));
        self.term.resize(size);
        self.soil();
    }

    /// Makes every row be erased to its last column when it is erased: this emulator leaves out what it
    /// believes erased already, and is wrong about rows with a background that have become wider.
    fn soil(&mut self) {
        let grid = self.term.grid_mut();
        let first = -i32::try_from(grid.history_size()).expect("a short history");
        let last = i32::try_from(grid.screen_lines()).expect("a small screen");
        let column = Column(grid.columns() - 1);
        for row in first..last {
            let _ = &mut grid[Line(row)][column];
        }
    }

    /// Rows of scrollback.
    pub(crate) fn scrolled_off(&self) -> usize {
        self.term.grid().history_size()
    }

    /// Takes what the terminal answered since the last call.
    pub(crate) fn take_replies(&mut self) -> Vec<String> {
        std::mem::take(&mut self.heard.0.borrow_mut().replies)
    }

    /// The title, control characters stripped; one that was never set is an empty one.
    pub(crate) fn title(&self) -> String {
        let heard = self.heard.0.borrow();
        let title = heard.title.as_deref().unwrap_or_default();
        title
            .chars()
            .filter(|character| !character.is_control())
            .collect()
    }

    pub(crate) fn mode(&self) -> TermMode {
        *self.term.mode()
    }

    /// The cursor's row and column, and whether a wrap is pending.
    pub(crate) fn cursor(&self) -> (i32, usize, bool) {
        let cursor = &self.term.grid().cursor;
        (
            cursor.point.line.0,
            cursor.point.column.0,
            cursor.input_needs_wrap,
        )
    }

    /// The cell that the next character would be drawn as.
    pub(crate) fn pen(&self) -> &Cell {
        &self.term.grid().cursor.template
    }

    pub(crate) fn cell(&self, row: i32, col: usize) -> &Cell {
        &self.term.grid()[Line(row)][Column(col)]
    }

    /// The text of a row, a wide character once, trailing blanks kept.
    pub(crate) fn row_text(&self, row: i32) -> String {
        let mut text = String::new();
        for col in 0..self.term.columns() {
            let cell = self.cell(row, col);
            if cell.flags.contains(Flags::WIDE_CHAR_SPACER) {
                continue;
            }
            text.push(if cell.c == '\t' { ' ' } else { cell.c });
            text.extend(cell.zerowidth().into_iter().flatten());
        }
        text
    }

    /// The first difference to another terminal: cells with all their attributes, scrollback
    /// included, cursor, pen, modes, title.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        self.difference_but_for(None, other)
    }

    /// The same, but for one row of the screen.
    pub(crate) fn difference_but_for(&self, but: Option<i32>, other: &Self) -> Option<String> {
        let (one, two) = (self.term.grid(), other.term.grid());
        if one.history_size() != two.history_size() {
            return Some(format!(
                "{} or {} rows of scrollback",
                one.history_size(),
                two.history_size()
            ));
        }
        let first = -i32::try_from(one.history_size()).expect("a short history");
        self.difference_from(first, but, other)
    }

    /// The same, but for the scrollback.
    pub(crate) fn difference_on_screen(&self, other: &Self) -> Option<String> {
        self.difference_from(0, None, other)
    }

    fn difference_from(&self, first: i32, but: Option<i32>, other: &Self) -> Option<String> {
        let (one, two) = (self.term.grid(), other.term.grid());
        let last = i32::try_from(one.screen_lines()).expect("a small screen");
        for row in (first..last).filter(|row| Some(*row) != but) {
            let (ours, theirs) = (&one[Line(row)], &two[Line(row)]);
            if ours != theirs {
                let col = (0..one.columns()).find(|col| ours[Column(*col)] != theirs[Column(*col)]);
                let col = col.unwrap_or(0);
                let cells = (&ours[Column(col)], &theirs[Column(col)]);
                return Some(format!(
                    "row {row}, column {col}: {:?}\nnot {:?}",
                    cells.0, cells.1
                ));
            }
        }
        if one.cursor != two.cursor {
            return Some(format!("cursor {:?}\nnot {:?}", one.cursor, two.cursor));
        }
        if one.saved_cursor != two.saved_cursor {
            return Some(format!(
                "saved cursor {:?}\nnot {:?}",
                one.saved_cursor, two.saved_cursor
            ));
        }
        if self.mode() != other.mode() {
            return Some(format!("modes {:?}\nnot {:?}", self.mode(), other.mode()));
        }
        if self.title() != other.title() {
            return Some(format!("title {:?}\nnot {:?}", self.title(), other.title()));
        }
        None
    }
}
