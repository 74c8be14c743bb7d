//! A session in two terminals, one with the bar and one without.

use std::time::Duration;

use alacritty_terminal::term::cell::Flags;
use alacritty_terminal::vte::ansi::{Color, NamedColor};
use claude_retry::config::BarMode;
use claude_retry::term::Size;
use claude_retry::term::bar::{self, Model, Phase};
use claude_retry::term::modes::Modes;
use claude_retry::term::overlay::{Compositor, Placement};
use claude_retry::term::scan::{Scanner, Token};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::case::{Case, Step};
use crate::emulator::Emulator;
use crate::tally::{Seen, Tally, count};

/// A countdown with so many tenths of a second left.
pub(crate) fn model(tenths: u64) -> Model {
    Model {
        what: "throttled",
        attempt: 2,
        max: 6,
        phase: Phase::Waiting {
            left: Duration::from_millis(tenths * 100),
            total: Duration::from_secs(10),
            asked: None,
        },
        unicode: true,
        color: true,
    }
}

/// What the child has done, for the tally alone.
#[derive(Default)]
struct Childs {
    scanner: Scanner,
    modes: Modes,
    had_origin: bool,
    region: bool,
    resized: bool,
}

impl Childs {
    fn note(&mut self, bytes: &[u8]) {
        let Self {
            scanner,
            modes,
            had_origin,
            region,
            ..
        } = self;
        scanner.feed(bytes, |token| {
            modes.apply(&token);
            *had_origin |= modes.is_on(6);
            match &token {
                Token::Csi(csi) if csi.marker == 0 && csi.last == b'r' => {
                    *region = csi.param(0, 1) > 1;
                }
                Token::Csi(csi) if csi.last == b'p' => *region = false,
                Token::Esc { last: b'c', .. } => *region = false,
                _ => {}
            }
        });
    }
}

pub(crate) struct Run<'a> {
    tally: &'a Tally,
    pub(crate) compositor: Compositor,
    /// With the bar, and without.
    pub(crate) real: Emulator,
    pub(crate) alone: Emulator,
    /// Answers that reached the child.
    answers: Vec<String>,
    pub(crate) wanted: Option<Model>,
    case: &'a Case,
    rows: u16,
    cols: u16,
    /// The row with the bar on it.
    bar: Option<i32>,
    /// The window has moved a drawn bar since the child's last repaint.
    moved: bool,
    /// Into so many rows at the most, on the main screen.
    wrapped: usize,
    childs: Childs,
}

impl<'a> Run<'a> {
    pub(crate) fn new(case: &'a Case, tally: &'a Tally) -> Self {
        let mut real = Emulator::new(case.rows, case.cols);
        let mut alone = Emulator::new(case.rows, case.cols);
        let mut compositor = Compositor::new(Size::new(case.rows, case.cols), BarMode::Auto, true);
        compositor.set_synchronized(case.synchronized);
        let resizes = |step: &Step| matches!(step, Step::Resize(..));
        if !case.steps.iter().any(resizes) {
            real.never_resizes();
            alone.never_resizes();
        }
        if let Some((row, col)) = case.inline {
            let old = |line: u16| format!("\x1b[{line};1Hold {line} \x1b[31mtext\x1b[m");
            let before: String = (1..=case.rows).map(old).collect();
            let start = format!("\x1b[{};{}H", row + 1, col + 1);
            for text in [&before, &start] {
                real.feed(text.as_bytes());
                alone.feed(text.as_bytes());
            }
        }
        let mut run = Self {
            tally,
            compositor,
            real,
            alone,
            answers: Vec::new(),
            wanted: None,
            case,
            rows: case.rows,
            cols: case.cols,
            bar: None,
            moved: false,
            wrapped: 0,
            childs: Childs::default(),
        };
        if case.inline.is_none() {
            run.child(b"\x1b[?1049h\x1b[H")
                .expect("nothing is drawn yet");
        }
        run
    }

    /// Brings what the terminal answered to whom it is for.
    fn hear(&mut self) {
        for reply in self.real.take_replies() {
            let report = reply
                .strip_prefix("\x1b[")
                .and_then(|rest| rest.strip_suffix('R'));
            let report = report.and_then(|rest| rest.split_once(';'));
            let ours = report.is_some_and(|(row, col)| {
                let number = |text: &str| text.parse().expect("a report of two numbers");
                self.compositor.cursor_report(number(row), number(col))
            });
            if !ours {
                self.answers.push(reply);
            }
        }
    }

    /// The child writes: the compositor is asked nothing, so that the shadow may stay behind.
    pub(crate) fn child(&mut self, bytes: &[u8]) -> Result<(), TestCaseError> {
        let mut tty = Vec::new();
        let shown = self.compositor.bar_shown();
        let (scrolled, screen) = (self.alone.scrolled_off(), self.childs.modes.alternate);
        self.compositor.child_output(bytes, &mut tty);
        prop_assert!(tty.ends_with(bytes));
        prop_assert!(
            shown || tty == bytes,
            "without a bar the bytes are the child's"
        );
        self.real.feed(&tty);
        self.alone.feed(bytes);
        self.hear();
        self.childs.note(bytes);
        if !bytes.is_empty() && self.bar.take().is_some() {
            let tally = self.tally;
            tally.note(Seen::Scrolled, self.alone.scrolled_off() > scrolled);
            tally.note(Seen::Switched, self.childs.modes.alternate != screen);
            tally.note(Seen::UpdateOpened, self.childs.modes.is_on(2026));
        }
        Ok(())
    }

    pub(crate) fn draw(&mut self) -> Result<(), TestCaseError> {
        let stood = self.bar.is_some();
        let (mut placement, mut written) = self.draw_once();
        if matches!(placement, Placement::Hidden(_)) && self.compositor.cursor_query_wanted() {
            let mut tty = Vec::new();
            self.compositor.query_cursor(&mut tty);
            self.real.feed(&tty);
            self.hear();
            (placement, written) = self.draw_once();
        }
        count(&self.tally.draws);
        self.bar = None;
        match placement {
            Placement::Row => {
                count(&self.tally.rows);
                self.check_row()?;
                self.tally.note(Seen::Refreshed, stood && written > 0);
            }
            Placement::Title => {
                count(&self.tally.titles);
                let origin = self.childs.modes.is_on(6);
                self.tally.note(Seen::OriginTitle, origin);
            }
            Placement::Hidden(_) => {
                let open = self.childs.modes.is_on(2026);
                self.tally.note(Seen::UpdateWaits, open);
            }
            Placement::None => {}
        }
        let mut again = Vec::new();
        let twice = self.compositor.draw(&mut again);
        prop_assert_eq!(
            (twice, again),
            (placement, Vec::new()),
            "drawing again writes nothing"
        );
        Ok(())
    }

    /// The bar is on its row, and everything else is as without it.
    fn check_row(&mut self) -> Result<(), TestCaseError> {
        let model = self.wanted.as_ref().expect("only a wanted bar is drawn");
        let glyphs = bar::glyphs(model, self.cols);
        let bar: String = glyphs.iter().map(|glyph| glyph.symbol).collect();
        let last = i32::from(self.rows) - 1;
        let row = [last, 0]
            .into_iter()
            .find(|row| self.real.row_text(*row) == bar);
        let Some(row) = row else {
            return Err(TestCaseError::fail(format!(
                "the bar {bar:?} is not to be seen"
            )));
        };
        self.bar = Some(row);
        if let Some(difference) = self.real.difference_but_for(self.bar, &self.alone) {
            let why = format!("with a bar on row {row}: {difference}");
            return Err(TestCaseError::fail(why));
        }
        self.note_row(row, last);
        Ok(())
    }

    fn note_row(&self, row: i32, last: i32) {
        let alternate = self.childs.modes.alternate.is_some();
        let (tally, alone) = (self.tally, &self.alone);
        let (cursor, _, pending) = alone.cursor();
        let end = usize::from(self.cols) - 1;
        let (left, right) = (alone.cell(row, 0), alone.cell(row, end));
        let wide = Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER;
        let pen = alone.pen();
        for (seen, holds) in [
            (Seen::Alternate, alternate),
            (Seen::Main, !alternate),
            (Seen::LastRow, row == last),
            (Seen::FirstRow, row == 0 && cursor == last),
            (Seen::PendingWrap, pending),
            (Seen::WideLeft, left.flags.intersects(wide)),
            (Seen::WideRight, right.flags.intersects(wide)),
            (Seen::LastColumn, right.c != ' '),
            (
                Seen::ColoredPen,
                pen.fg != Color::Named(NamedColor::Foreground)
                    || pen.bg != Color::Named(NamedColor::Background),
            ),
            (Seen::ScrollRegion, self.childs.region),
            (Seen::AfterOrigin, self.childs.had_origin),
            (Seen::AfterResize, self.childs.resized),
            (Seen::Synchronized, self.case.synchronized),
            (Seen::Plain, !self.case.synchronized),
            (Seen::Rows2, self.rows == 2),
            (Seen::Rows100, self.rows == 100),
            (Seen::Cols20, self.cols == 20),
            (Seen::Cols300, self.cols == 300),
        ] {
            tally.note(seen, holds);
        }
    }

    fn draw_once(&mut self) -> (Placement, usize) {
        let mut tty = Vec::new();
        let placement = self.compositor.draw(&mut tty);
        self.real.feed(&tty);
        (placement, tty.len())
    }

    pub(crate) fn hide(&mut self) -> Result<(), TestCaseError> {
        let mut tty = Vec::new();
        self.compositor.hide(&mut tty);
        self.bar = None;
        self.real.feed(&tty);
        // In an open update the emulator shows nothing of what it got, and a title cannot be put back
        // in the middle of a sequence.
        if self.compositor.at_boundary() {
            self.compare("hidden")
        } else {
            Ok(())
        }
    }

    /// The terminal has moved its rows, a bar too, before anybody hears of it. What is left of that is the
    /// child's to paint over.
    fn resize(&mut self, rows: u16, cols: u16) -> Result<(), TestCaseError> {
        let drawn = self.bar.take().is_some();
        let alternate = self.compositor.alternate();
        self.tally.note(Seen::ResizedAlternate, drawn && alternate);
        self.tally.note(Seen::ResizedMain, drawn && !alternate);
        self.moved |= drawn;
        if self.moved && !alternate && cols < self.cols {
            self.wrapped += usize::from(self.cols.div_ceil(cols));
        }
        self.childs.resized = true;
        self.childs.region = false;
        (self.rows, self.cols) = (rows, cols);
        for emulator in [&mut self.real, &mut self.alone] {
            emulator.resize(rows, cols);
        }
        self.compositor.resize(Size::new(rows, cols));
        prop_assert!(
            !(drawn && self.compositor.bar_shown()),
            "a bar that is who knows where cannot be taken off"
        );
        Ok(())
    }

    /// As the CLI repaints (2.1.145, inline): row by row, the scrollback as it is.
    fn repaint(&mut self) -> Result<(), TestCaseError> {
        if !std::mem::take(&mut self.moved) {
            return Ok(());
        }
        // The scrollback that a moved bar has made longer also moves what DECSC saved.
        let rows = "\x1b[2K\x1b[1B".repeat(usize::from(self.rows));
        self.child(format!("\x1b[H{rows}\x1b[H\x1b7").as_bytes())?;
        let wrapped = std::mem::take(&mut self.wrapped);
        if wrapped > 0 && self.compositor.at_boundary() {
            // The known gap: a narrower window wraps the bar, as it does every row that is written to its end,
            // and what that pushes off the screen cannot be taken back.
            let (real, alone) = (self.real.scrolled_off(), self.alone.scrolled_off());
            prop_assert!(
                real <= alone + wrapped,
                "{real} rows of scrollback, not {alone}"
            );
            if let Some(difference) = self.real.difference_on_screen(&self.alone) {
                let why = format!("the screen after a resize: {difference}");
                return Err(TestCaseError::fail(why));
            }
        }
        if wrapped > 0 {
            self.child(b"\x1b[3J")?;
        }
        if self.compositor.at_boundary() {
            self.compare("repainted after a resize")?;
        }
        Ok(())
    }

    fn compare(&self, when: &str) -> Result<(), TestCaseError> {
        match self.real.difference(&self.alone) {
            Some(difference) => Err(TestCaseError::fail(format!("{when}: {difference}"))),
            None => Ok(()),
        }
    }

    pub(crate) fn both(&mut self, bytes: &[u8], when: &str) -> Result<(), TestCaseError> {
        self.real.feed(bytes);
        self.alone.feed(bytes);
        self.compare(when)
    }

    pub(crate) fn run(mut self) -> Result<(), TestCaseError> {
        for step in &self.case.steps {
            if !matches!(step, Step::Resize(..)) {
                self.repaint()?;
            }
            match step {
                Step::Child(bytes) => self.child(bytes)?,
                Step::Bar(tenths) => {
                    self.wanted = tenths.map(model);
                    self.compositor.set_bar(self.wanted.clone());
                }
                Step::Draw => self.draw()?,
                Step::Hide => self.hide()?,
                Step::Rest => self.compositor.catch_up_a_little(),
                Step::Resize(rows, cols) => self.resize(*rows, *cols)?,
            }
        }
        self.repaint()?;
        // The child finishes what it began.
        self.child(b"\x18")?;
        self.child(b"\x1b[?2026l")?;
        self.draw()?;
        self.hide()?;
        self.both(b"M", "a marker printed")?;
        self.both(b"\x1b8S", "the saved cursor restored")?;
        self.both(b"\x1b[?1049l", "the main screen")?;
        // The child hears what it would have heard without us, in order.
        prop_assert_eq!(self.answers, self.alone.take_replies());
        Ok(())
    }
}
