//! The panes that are watched, as a table: a model, rows of cells, bytes.

use std::path::Path;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::watched::{Happened, PaneId, Standing, Watched, seconds};
use crate::term::bar::{gauge, sgr};
use crate::term::modes::strip;

/// How it may be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// UTF-8 terminal; else plain ASCII.
    pub unicode: bool,
    /// Colours are wanted.
    pub color: bool,
}

/// What the table shows.
#[derive(Clone, Debug, Default)]
pub struct Table {
    panes: Vec<Watched>,
    /// A pane, not a row: rows come and go above it.
    selected: Option<PaneId>,
}

/// Longer places and folders are cut.
const PLACE: usize = 24;
const FOLDER: usize = 28;
/// The state is never narrower where something else can go instead.
const STATE: usize = 33;
/// Of the gauge, without its ends.
const GAUGE: std::ops::RangeInclusive<usize> = 6..=16;
/// A column's blank, and the mark of the row that is selected.
const GAP: usize = 2;

impl Table {
    /// Other panes, or the same ones otherwise.
    pub fn set(&mut self, panes: &[Watched]) {
        let before = self.row();
        self.panes = panes.to_vec();
        if self.selected.is_none_or(|pane| self.find(pane).is_none()) {
            // The one that is where the lost one was.
            let row = before.min(self.panes.len().saturating_sub(1));
            self.selected = self.panes.get(row).map(|pane| pane.pane);
        }
    }

    /// Selects the row above or below.
    pub fn select(&mut self, down: bool) {
        let row = self.row();
        let row = if down { row + 1 } else { row.saturating_sub(1) };
        if let Some(pane) = self.panes.get(row) {
            self.selected = Some(pane.pane);
        }
    }

    /// The pane that is selected.
    pub fn selected(&self) -> Option<PaneId> {
        self.selected
    }

    fn find(&self, pane: PaneId) -> Option<usize> {
        self.panes.iter().position(|watched| watched.pane == pane)
    }

    fn row(&self) -> usize {
        self.selected.and_then(|pane| self.find(pane)).unwrap_or(0)
    }

    /// The whole terminal.
    pub fn render(&self, area: Rect, look: Look) -> Buffer {
        let mut buffer = Buffer::empty(area);
        let mut draw = Draw {
            buffer: &mut buffer,
            width: usize::from(area.width),
            look,
        };
        let rows = usize::from(area.height);
        draw.line(0, 0, &self.head(look, draw.width), draw.strong());
        // The keys go first where there is no room, then the headings.
        let keys = usize::from(rows > 3);
        let headings = usize::from(rows > 4);
        let room = rows.saturating_sub(1 + headings + keys);
        if self.panes.is_empty() {
            for (line, row) in EMPTY.iter().zip(0..room) {
                draw.line(1 + headings + row, GAP, line, draw.faint());
            }
        } else {
            let columns = Columns::of(&self.panes, draw.width);
            if headings > 0 {
                columns.headings(&mut draw);
            }
            // The selected one stays in sight.
            let first = (self.row() + 1).saturating_sub(room.max(1));
            let shown = self.panes.iter().enumerate().skip(first).take(room);
            for (row, (index, pane)) in shown.enumerate() {
                let at = 1 + headings + row;
                columns.pane(&mut draw, at, pane, index == self.row());
            }
        }
        if keys > 0 {
            let words = keys_line(look, draw.width);
            draw.line(rows - 1, 1, words, draw.faint());
        }
        buffer
    }

    /// As much of the sum as fits.
    fn head(&self, look: Look, width: usize) -> String {
        let of = |wanted: fn(&Standing) -> bool| {
            let panes = self.panes.iter();
            panes.filter(|pane| wanted(&pane.standing)).count()
        };
        let waiting = of(|standing| {
            matches!(
                standing,
                Standing::Waiting { .. } | Standing::HoldingOff { .. } | Standing::Resuming { .. }
            )
        });
        let lost = of(|standing| matches!(standing, Standing::GaveUp { .. } | Standing::Failed));
        let panes = match self.panes.len() {
            1 => "1 pane".to_owned(),
            n => format!("{n} panes"),
        };
        let mut parts = vec![panes];
        if waiting > 0 {
            parts.push(format!("{waiting} to be resumed"));
        }
        if lost > 0 {
            parts.push(format!("{lost} given up"));
        }
        let dot = if look.unicode { " · " } else { " - " };
        let parts = parts.join(dot);
        let whole = format!(" claude-retry{dot}{parts}");
        if whole.width() <= width {
            whole
        } else {
            format!(" {parts}")
        }
    }
}

const EMPTY: [&str; 2] = [
    "No pane here runs a claude of its own yet.",
    "One that starts is found; those under claude-retry are left alone.",
];

/// The fullest that fits.
fn keys_line(look: Look, width: usize) -> &'static str {
    let lines = if look.unicode {
        [
            "↑↓ select   enter resume now   c leave the error alone   q quit",
            "↑↓ select  enter now  c cancel  q quit",
        ]
    } else {
        [
            "j/k select   enter resume now   c leave the error alone   q quit",
            "j/k select  enter now  c cancel  q quit",
        ]
    };
    let fits = lines.into_iter().find(|line| line.width() < width);
    fits.unwrap_or("q quit")
}

/// How a pane stands, in plain words.
pub fn words(standing: &Standing) -> String {
    standing.text().unwrap_or_else(|| match standing {
        Standing::Confirming => "looking at an error".into(),
        _ => "watching".into(),
    })
}

/// The same where there is little room: what the user waits for.
fn short(standing: &Standing) -> Option<String> {
    match standing {
        Standing::Waiting { left, .. } => Some(format!("retry in {}", seconds(*left))),
        Standing::HoldingOff { reason, .. } => Some((*reason).to_owned()),
        Standing::Resuming { .. } => Some("retry now".into()),
        Standing::GaveUp { .. } => Some("gave up".into()),
        Standing::Cancelled => Some("cancelled".into()),
        Standing::Failed => Some("failed".into()),
        Standing::Watching | Standing::Confirming => None,
    }
}

/// What happened to a pane, as a line where there is no table.
pub fn event(pane: &Watched, happened: &Happened) -> String {
    let what = match happened {
        Happened::Joined => "watching".into(),
        Happened::Left => "gone".into(),
        Happened::Changed => words(&pane.standing),
        Happened::LeftAlone(why) => format!("left alone: {why}"),
        Happened::Resumed => "resumed".into(),
    };
    let folder = pane.folder.as_deref().map(folder).unwrap_or_default();
    let gap = if folder.is_empty() { "" } else { " " };
    strip(&format!(
        "{} {}{gap}{folder}: {what}",
        pane.place, pane.pane
    ))
}

fn folder(path: &Path) -> String {
    strip(&path.to_string_lossy())
}

/// The columns' widths; 0 is a column that is left out.
#[derive(Debug)]
struct Columns {
    place: usize,
    pane: usize,
    folder: usize,
    state: usize,
    resumed: usize,
}

const PANE_HEADING: &str = "ID";
const RESUMED_HEADING: &str = "RESUMED";

impl Columns {
    fn of(panes: &[Watched], width: usize) -> Self {
        let widest = |heading: &str, most: usize, text: &dyn Fn(&Watched) -> String| {
            let texts = panes.iter().map(|pane| text(pane).width());
            texts.fold(heading.width(), usize::max).min(most)
        };
        let mut columns = Self {
            place: widest("PANE", PLACE, &|pane| strip(&pane.place)),
            pane: widest(PANE_HEADING, 6, &|pane| pane.pane.to_string()),
            folder: widest("FOLDER", FOLDER, &|pane| {
                pane.folder.as_deref().map(folder).unwrap_or_default()
            }),
            state: 0,
            resumed: RESUMED_HEADING.len(),
        };
        let state = widest("STATE", usize::MAX, &|pane| {
            let gauge = matches!(pane.standing, Standing::Waiting { .. });
            let gauge = if gauge { 3 + GAUGE.end() } else { 0 };
            format!("{}{}", words(&pane.standing), " ".repeat(gauge))
        });
        // What says least goes first.
        for shrink in [
            |_: &mut Self, _: usize| {},
            |columns: &mut Self, _| columns.resumed = 0,
            |columns: &mut Self, over: usize| {
                columns.folder = columns.folder.saturating_sub(over).max(12);
            },
            |columns: &mut Self, _| columns.folder = 0,
            |columns: &mut Self, _| columns.pane = 0,
            |columns: &mut Self, over: usize| {
                columns.place = columns.place.saturating_sub(over).max(8);
            },
        ] {
            let room = |columns: &Self| width.checked_sub(columns.fixed());
            let over = (columns.fixed() + STATE.min(state)).saturating_sub(width);
            shrink(&mut columns, over);
            if room(&columns).is_some_and(|room| room >= STATE.min(state)) {
                break;
            }
        }
        let room = width.saturating_sub(columns.fixed());
        columns.state = if columns.resumed > 0 {
            state.min(room)
        } else {
            room
        };
        columns
    }

    /// All but the state, with the blanks between.
    fn fixed(&self) -> usize {
        let columns = [self.place, self.pane, self.folder, self.resumed];
        let shown = columns.into_iter().filter(|width| *width > 0);
        GAP + shown.map(|width| width + GAP).sum::<usize>()
    }

    fn headings(&self, draw: &mut Draw<'_>) {
        let texts = ["PANE", PANE_HEADING, "FOLDER", "STATE", RESUMED_HEADING];
        self.texts(draw, 1, texts.map(|text| (text.to_owned(), draw.faint())));
    }

    fn pane(&self, draw: &mut Draw<'_>, row: usize, pane: &Watched, selected: bool) {
        if selected {
            let mark = if draw.look.unicode { "▸" } else { ">" };
            draw.line(row, 0, mark, draw.strong());
        }
        let plain = draw.plain();
        let resumed = match pane.resumed {
            0 => String::new(),
            n => n.to_string(),
        };
        let folder = pane.folder.as_deref().map(folder).unwrap_or_default();
        let texts = [
            (strip(&pane.place), draw.strong()),
            (pane.pane.to_string(), draw.faint()),
            (draw.end_of(&folder, self.folder), plain),
            (self.state(draw, &pane.standing), draw.news(&pane.standing)),
            (format!("{resumed:>width$}", width = self.resumed), plain),
        ];
        self.texts(draw, row, texts);
        if selected {
            draw.mark(row);
        }
    }

    /// The words, with a gauge behind them where there is room.
    fn state(&self, draw: &Draw<'_>, standing: &Standing) -> String {
        let words = words(standing);
        if words.width() > self.state {
            return short(standing).unwrap_or(words);
        }
        if let Standing::Waiting { left, total, .. } = standing {
            let used = words.width() + 3;
            let room = self.state.saturating_sub(used).min(*GAUGE.end());
            if room >= *GAUGE.start() {
                let gauge = gauge(*left, *total, room, draw.look.unicode);
                return format!("{words} {gauge}");
            }
        }
        words
    }

    fn texts(&self, draw: &mut Draw<'_>, row: usize, texts: [(String, Style); 5]) {
        let widths = [self.place, self.pane, self.folder, self.state, self.resumed];
        let mut at = GAP;
        for ((text, style), width) in texts.into_iter().zip(widths) {
            if width > 0 {
                let text = draw.start_of(&text, width);
                draw.line(row, at, &text, style);
                at += width + GAP;
            }
        }
    }
}

struct Draw<'a> {
    buffer: &'a mut Buffer,
    width: usize,
    look: Look,
}

impl Draw<'_> {
    fn line(&mut self, row: usize, column: usize, text: &str, style: Style) {
        let area = self.buffer.area;
        let (Ok(y), Ok(x)) = (u16::try_from(row), u16::try_from(column)) else {
            return;
        };
        if y < area.height && x < area.width {
            let room = self.width - column;
            self.buffer.set_stringn(x, y, text, room, style);
        }
    }

    /// The whole row, as the one that is selected.
    fn mark(&mut self, row: usize) {
        let Ok(y) = u16::try_from(row) else { return };
        let style = if self.look.color {
            Style::new().bg(Color::Indexed(236))
        } else {
            Style::new().add_modifier(Modifier::REVERSED)
        };
        let row = Rect::new(0, y, self.buffer.area.width, 1);
        self.buffer
            .set_style(row.intersection(self.buffer.area), style);
    }

    fn strong(&self) -> Style {
        self.plain().add_modifier(Modifier::BOLD)
    }

    #[expect(clippy::unused_self, reason = "one of a kind with its neighbours")]
    fn plain(&self) -> Style {
        Style::new()
    }

    fn faint(&self) -> Style {
        if self.look.color {
            Style::new().fg(Color::Indexed(245))
        } else {
            Style::new()
        }
    }

    /// The bar's colours mean the same here.
    fn news(&self, standing: &Standing) -> Style {
        let accent = match standing {
            Standing::Watching | Standing::Confirming => return self.faint(),
            Standing::Waiting { .. } | Standing::HoldingOff { .. } => 215,
            Standing::Resuming { .. } => 114,
            Standing::GaveUp { .. } | Standing::Failed => 210,
            Standing::Cancelled => 250,
        };
        if self.look.color {
            Style::new().fg(Color::Indexed(accent))
        } else {
            Style::new()
        }
    }

    fn ellipsis(&self) -> char {
        if self.look.unicode { '…' } else { '~' }
    }

    fn start_of(&self, text: &str, width: usize) -> String {
        if text.width() <= width {
            return text.to_owned();
        }
        let mut cut = fitting(text.chars(), width.saturating_sub(1));
        cut.push(self.ellipsis());
        cut
    }

    /// The end of a path says more than its beginning.
    fn end_of(&self, text: &str, width: usize) -> String {
        if text.width() <= width {
            return text.to_owned();
        }
        let end = fitting(text.chars().rev(), width.saturating_sub(1));
        std::iter::once(self.ellipsis())
            .chain(end.chars().rev())
            .collect()
    }
}

/// So many of the characters as fit.
fn fitting(chars: impl Iterator<Item = char>, width: usize) -> String {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= width
        })
        .collect()
}

/// A row's bytes, from its first column on any pen, to the end of the line.
pub fn row_bytes(buffer: &Buffer, row: u16) -> Vec<u8> {
    let mut out = Vec::new();
    let mut pen = None;
    let mut covered = 0;
    for column in 0..buffer.area.width {
        // The second half of a wide character is drawn with the first.
        if covered > 0 {
            covered -= 1;
            continue;
        }
        let cell = &buffer[(column, row)];
        let style = cell.style();
        if pen != Some(style) {
            out.extend_from_slice(sgr(style).as_bytes());
            pen = Some(style);
        }
        out.extend_from_slice(cell.symbol().as_bytes());
        covered = cell.symbol().width().saturating_sub(1);
    }
    out.extend_from_slice(b"\x1b[0m");
    out
}

#[cfg(test)]
mod tests;
