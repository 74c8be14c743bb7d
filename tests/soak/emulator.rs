//! A terminal, of which there are two: what the user sees, and what would be seen without us.

use std::cell::RefCell;
use std::rc::Rc;

use alacritty_terminal::Term;
use alacritty_terminal::event::{Event, EventListener};
use alacritty_terminal::grid::Dimensions as _;
use alacritty_terminal::index::{Column, Line};
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
}

impl Emulator {
    pub(crate) fn new(rows: u16, cols: u16) -> Self {
        let heard = Listener::default();
        let config = Config {
            kitty_keyboard: true,
            scrolling_history: 300,
            ..Config::default()
        };
        let size = TermSize::new(usize::from(cols), usize::from(rows));
        Self {
            term: Term::new(config, &size, heard.clone()),
            parser: Processor::new(),
            heard,
            held: Vec::new(),
        }
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
        self.parser.advance(&mut self.term, &self.held);
        self.held = rest;
    }

    pub(crate) fn resize(&mut self, rows: u16, cols: u16) {
        self.term
            .resize(TermSize::new(usize::from(cols), usize::from(rows)));
    }

    /// Takes what the terminal answered since the last call.
    pub(crate) fn take_replies(&mut self) -> Vec<String> {
        std::mem::take(&mut self.heard.0.borrow_mut().replies)
    }

    fn title(&self) -> String {
        let heard = self.heard.0.borrow();
        let title = heard.title.as_deref().unwrap_or_default();
        title.chars().filter(|c| !c.is_control()).collect()
    }

    pub(crate) fn mode(&self) -> TermMode {
        *self.term.mode()
    }

    /// The rows, for a person.
    pub(crate) fn text(&self) -> String {
        let grid = self.term.grid();
        let rows = i32::try_from(grid.screen_lines()).expect("a small screen");
        let row = |row: i32| {
            let cells = (0..grid.columns()).map(|col| grid[Line(row)][Column(col)].c);
            cells.collect::<String>().trim_end().to_owned()
        };
        (0..rows).map(|at| row(at) + "\n").collect()
    }

    /// The first difference to another terminal: cells with all their attributes, scrollback
    /// included, cursor, pen, saved cursor, modes, title.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        let (one, two) = (self.term.grid(), other.term.grid());
        if one.history_size() != two.history_size() {
            return Some(format!(
                "{} or {} rows of scrollback",
                one.history_size(),
                two.history_size()
            ));
        }
        let first = -i32::try_from(one.history_size()).expect("a short history");
        let last = i32::try_from(one.screen_lines()).expect("a small screen");
        for row in first..last {
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
            let saved = (&one.saved_cursor, &two.saved_cursor);
            return Some(format!("saved cursor {:?}\nnot {:?}", saved.0, saved.1));
        }
        self.difference_of_modes(other)
    }

    /// The same of modes and title alone.
    pub(crate) fn difference_of_modes(&self, other: &Self) -> Option<String> {
        if self.mode() != other.mode() {
            return Some(format!("modes {:?}\nnot {:?}", self.mode(), other.mode()));
        }
        if self.title() != other.title() {
            return Some(format!("title {:?}\nnot {:?}", self.title(), other.title()));
        }
        None
    }
}
