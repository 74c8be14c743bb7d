//! Plays an asciicast through `alacritty_terminal` and takes a [`Screen`] of it: a picture that does
//! not come from the emulator the program itself uses.

use std::cell::RefCell;
use std::rc::Rc;

use alacritty_terminal::Term;
use alacritty_terminal::event::{Event, EventListener};
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::Flags;
use alacritty_terminal::term::{Config, TermMode};
use alacritty_terminal::vte::ansi::{Color, NamedColor, Processor};
use claude_retry::term::Size;
use claude_retry::term::screen::{Cell, Row, Screen};

use crate::cast::Cast;

/// Keeps what the emulator tells besides the cells.
#[derive(Clone, Default)]
struct Listener {
    title: Rc<RefCell<String>>,
}

impl EventListener for Listener {
    fn send_event(&self, event: Event) {
        match event {
            Event::Title(title) => *self.title.borrow_mut() = title,
            Event::ResetTitle => self.title.borrow_mut().clear(),
            _ => {}
        }
    }
}

struct Cells(Size);

impl Dimensions for Cells {
    fn total_lines(&self) -> usize {
        self.0.rows.into()
    }
    fn screen_lines(&self) -> usize {
        self.0.rows.into()
    }
    fn columns(&self) -> usize {
        self.0.cols.into()
    }
}

/// An emulator that is fed bytes.
pub(crate) struct Replay {
    term: Term<Listener>,
    parser: Processor,
    listener: Listener,
    size: Size,
}

impl Replay {
    /// An empty screen.
    pub(crate) fn new(size: Size) -> Self {
        let listener = Listener::default();
        let term = Term::new(Config::default(), &Cells(size), listener.clone());
        Self {
            term,
            parser: Processor::new(),
            listener,
            size,
        }
    }

    /// The screen at the end of a recording.
    pub(crate) fn last_screen(cast: &Cast) -> Screen {
        let mut replay = Self::new(cast.size);
        for bytes in cast.output() {
            replay.feed(bytes);
        }
        replay.screen()
    }

    /// Feeds more output of the CLI.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.parser.advance(&mut self.term, bytes);
    }

    /// The screen as it stands.
    pub(crate) fn screen(&self) -> Screen {
        let cursor = self.term.grid().cursor.point;
        let mode = self.term.mode();
        Screen {
            size: self.size,
            rows: (0..self.size.rows).map(|row| self.row(row)).collect(),
            cursor: (
                u16::try_from(cursor.line.0).expect("the cursor is on the screen"),
                u16::try_from(cursor.column.0).expect("the cursor is on the screen"),
            ),
            cursor_hidden: !mode.contains(TermMode::SHOW_CURSOR),
            alternate: mode.contains(TermMode::ALT_SCREEN),
            bracketed_paste: mode.contains(TermMode::BRACKETED_PASTE),
            title: self.listener.title.borrow().clone(),
        }
    }

    fn row(&self, row: u16) -> Row {
        let line = &self.term.grid()[Line(row.into())];
        let mut text = String::new();
        let mut cells = Vec::new();
        for col in 0..usize::from(self.size.cols) {
            let cell = &line[Column(col)];
            let start = if cell.flags.contains(Flags::WIDE_CHAR_SPACER) {
                cells.last().map_or(0, |before: &Cell| before.start)
            } else {
                let start = u32::try_from(text.len()).expect("a row is short");
                text.push(cell.c);
                text.extend(cell.zerowidth().into_iter().flatten());
                start
            };
            cells.push(Cell {
                start,
                dim: cell.flags.contains(Flags::DIM),
                inverse: cell.flags.contains(Flags::INVERSE),
                filled: cell.bg != Color::Named(NamedColor::Background),
            });
        }
        let length = text.trim_end_matches(' ').len();
        text.truncate(length);
        cells.retain(|cell| (cell.start as usize) < length);
        let wrapped = line[Column(usize::from(self.size.cols) - 1)]
            .flags
            .contains(Flags::WRAPLINE);
        Row {
            text,
            cells,
            wrapped,
        }
    }
}
