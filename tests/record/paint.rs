//! A screen to the bytes that draw it anew, and back: a recording of one moment.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use alacritty_terminal::event::{Event, EventListener};
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::term::{Config, Term, TermMode};
use alacritty_terminal::vte::ansi::{Color, NamedColor, Processor};

use crate::support::bell::lock;
use crate::support::screen::Screen;

/// What of the modes is drawn.
const MODES: TermMode = TermMode::SHOW_CURSOR
    .union(TermMode::ALT_SCREEN)
    .union(TermMode::BRACKETED_PASTE);
/// What of a cell's attributes is not drawn, but comes of the drawing.
const PLACES: Flags = Flags::WIDE_CHAR
    .union(Flags::WIDE_CHAR_SPACER)
    .union(Flags::LEADING_WIDE_CHAR_SPACER)
    .union(Flags::WRAPLINE);
/// What a wide character leaves beside it.
const SPACERS: Flags = Flags::WIDE_CHAR_SPACER.union(Flags::LEADING_WIDE_CHAR_SPACER);

/// The bytes that draw the screen in a new terminal of its size.
///
/// # Errors
///
/// A terminal would show something else.
pub(crate) fn paint(screen: &Screen) -> Result<String, String> {
    let mut out = String::new();
    if screen.modes.contains(TermMode::ALT_SCREEN) {
        out.push_str("\x1b[?1049h");
    }
    if screen.modes.contains(TermMode::BRACKETED_PASTE) {
        out.push_str("\x1b[?2004h");
    }
    if !screen.title.is_empty() {
        let _ = write!(out, "\x1b]0;{}\x07", screen.title);
    }
    out.push_str("\x1b[?25l\x1b[2J");
    let mut runs_on = false;
    for (row, cells) in screen.cells.iter().enumerate() {
        let wraps = cells.last().is_some_and(|cell| {
            cell.flags.contains(Flags::WRAPLINE) && row + 1 < screen.cells.len()
        });
        let length = match cells.iter().rposition(|cell| !is_blank(cell)) {
            _ if wraps => cells.len(),
            Some(last) => last + 1,
            None => 0,
        };
        if length > 0 {
            if !runs_on {
                let _ = write!(out, "\x1b[{}H", row + 1);
            }
            paint_row(&cells[..length], &mut out);
        }
        runs_on = wraps;
    }
    let _ = write!(out, "\x1b[{};{}H", screen.cursor.0 + 1, screen.cursor.1 + 1);
    if screen.modes.contains(TermMode::SHOW_CURSOR) {
        out.push_str("\x1b[?25h");
    }
    let size = (screen.cells.len(), screen.cells.first().map_or(0, Vec::len));
    match difference(screen, &emulate(size, out.as_bytes())) {
        None => Ok(out),
        Some(what) => Err(format!("the screen cannot be drawn anew: {what}")),
    }
}

/// What a terminal of this size shows of these bytes.
pub(crate) fn emulate((rows, columns): (usize, usize), bytes: &[u8]) -> Screen {
    let ear = Ear::default();
    let mut term = Term::new(Config::default(), &Grid(rows, columns), ear.clone());
    let mut processor: Processor = Processor::new();
    processor.advance(&mut term, bytes);
    processor.stop_sync(&mut term);
    let title = lock(&ear.0).clone();
    Screen::of(&term, &title)
}

/// Where the two are not the same.
fn difference(one: &Screen, other: &Screen) -> Option<String> {
    if one.modes & MODES != other.modes & MODES {
        return Some(format!("modes {:?}, {:?}", one.modes, other.modes));
    }
    if one.cursor != other.cursor || one.title != other.title {
        return Some(format!("cursor {:?}, {:?}", one.cursor, other.cursor));
    }
    let last = one.cells.len() - 1;
    for (row, cells) in one.cells.iter().enumerate() {
        for (column, (a, b)) in cells.iter().zip(&other.cells[row]).enumerate() {
            let mut flags = (a.flags, b.flags);
            if row == last {
                // There is no row to run on into.
                flags.0.remove(Flags::WRAPLINE);
                flags.1.remove(Flags::WRAPLINE);
            }
            let zerowidth = (a.zerowidth(), b.zerowidth());
            let same = glyph(a) == glyph(b)
                && flags.0 == flags.1
                && (a.fg, a.bg) == (b.fg, b.bg)
                && zerowidth.0.unwrap_or_default() == zerowidth.1.unwrap_or_default();
            if !same {
                return Some(format!("row {row}, column {column}: {a:?}, {b:?}"));
            }
        }
    }
    None
}

/// A tab leaves itself in a cell that shows nothing.
fn glyph(cell: &Cell) -> char {
    if cell.c == '\t' { ' ' } else { cell.c }
}

fn is_blank(cell: &Cell) -> bool {
    glyph(cell) == ' '
        && cell.bg == Color::Named(NamedColor::Background)
        && cell.fg == Color::Named(NamedColor::Foreground)
        && cell.flags.difference(Flags::WRAPLINE).is_empty()
        && cell.zerowidth().is_none()
}

fn paint_row(cells: &[Cell], out: &mut String) {
    let mut pen = (
        Color::Named(NamedColor::Foreground),
        Color::Named(NamedColor::Background),
        Flags::empty(),
    );
    for cell in cells {
        if cell.flags.intersects(SPACERS) {
            continue;
        }
        let wanted = (cell.fg, cell.bg, cell.flags.difference(PLACES));
        if wanted != pen {
            write_pen(wanted, out);
            pen = wanted;
        }
        out.push(glyph(cell));
        out.extend(cell.zerowidth().unwrap_or_default());
    }
    out.push_str("\x1b[m");
}

fn write_pen((fg, bg, flags): (Color, Color, Flags), out: &mut String) {
    const CODES: [(Flags, &str); 11] = [
        (Flags::BOLD, "1"),
        (Flags::DIM, "2"),
        (Flags::ITALIC, "3"),
        (Flags::UNDERLINE, "4"),
        (Flags::DOUBLE_UNDERLINE, "4:2"),
        (Flags::UNDERCURL, "4:3"),
        (Flags::DOTTED_UNDERLINE, "4:4"),
        (Flags::DASHED_UNDERLINE, "4:5"),
        (Flags::INVERSE, "7"),
        (Flags::HIDDEN, "8"),
        (Flags::STRIKEOUT, "9"),
    ];
    let mut codes = vec!["0".to_owned()];
    codes.extend(
        CODES
            .iter()
            .filter(|(flag, _)| flags.contains(*flag))
            .map(|(_, code)| (*code).to_owned()),
    );
    codes.extend(color_code(fg, 30));
    codes.extend(color_code(bg, 40));
    let _ = write!(out, "\x1b[{}m", codes.join(";"));
}

/// `base` is 30 for the text, 40 for its ground.
fn color_code(color: Color, base: usize) -> Option<String> {
    match color {
        Color::Named(name) => match name as usize {
            n @ 0..=7 => Some((base + n).to_string()),
            n @ 8..=15 => Some((base + 60 + n - 8).to_string()),
            _ => None,
        },
        Color::Indexed(index) => Some(format!("{};5;{index}", base + 8)),
        Color::Spec(rgb) => Some(format!("{};2;{};{};{}", base + 8, rgb.r, rgb.g, rgb.b)),
    }
}

/// Hears the title.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<String>>);

impl EventListener for Ear {
    fn send_event(&self, event: Event) {
        match event {
            Event::Title(title) => *lock(&self.0) = title,
            Event::ResetTitle => lock(&self.0).clear(),
            _ => {}
        }
    }
}

/// Rows and columns.
struct Grid(usize, usize);

impl Dimensions for Grid {
    fn total_lines(&self) -> usize {
        self.0
    }
    fn screen_lines(&self) -> usize {
        self.0
    }
    fn columns(&self) -> usize {
        self.1
    }
}
