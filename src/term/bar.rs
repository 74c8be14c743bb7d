//! The status line: a model, one ratatui row, its bytes.

use std::fmt::Write as _;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget as _;
use unicode_width::UnicodeWidthChar as _;

use super::modes::strip;

/// What the line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Counting down.
    Waiting {
        /// Until the resume.
        left: Duration,
        /// The whole wait.
        total: Duration,
        /// How long the server asked to be left alone, where it did.
        asked: Option<Duration>,
    },
    /// The user is typing; the countdown stands. When it goes on, in words.
    Paused(&'static str),
    /// Due, but no way to resume is open: the reason in words.
    HoldingOff(&'static str),
    /// The message is being typed, or the turn is beginning.
    Resuming,
    /// The tries are spent.
    GaveUp {
        /// What was tried in vain: "6 tries", "60 resumes in an hour".
        why: String,
    },
    /// The user cancelled the resume of this error.
    Cancelled,
}

/// The status line's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// What happened, in a word: `throttled`, `overloaded`, `server error`, `connection lost`, `cut off`.
    pub what: &'static str,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// The most tries.
    pub max: u32,
    /// What the line says.
    pub phase: Phase,
    /// UTF-8 terminal; else plain ASCII.
    pub unicode: bool,
    /// Colours are wanted.
    pub color: bool,
}

/// Widest and narrowest gauge, without its ends.
const GAUGE: std::ops::RangeInclusive<usize> = 6..=16;

/// One column of the drawn line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glyph {
    /// One character, one column wide.
    pub symbol: char,
    /// The SGR sequence that it is drawn with, from any pen.
    pub sgr: String,
}

/// The window title for a model: the same news in whole seconds.
pub fn title(model: &Model) -> String {
    let news = match &model.phase {
        Phase::Waiting { left, .. } => {
            let seconds = u64::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u64::MAX);
            let left = match seconds {
                0..60 => format!("{seconds}s"),
                _ => clock(Duration::from_secs(seconds)),
            };
            let (what, dot) = (model.what, dot(model));
            format!(
                "{what} {dot} retry {}/{} in {left}",
                model.attempt, model.max
            )
        }
        _ => head(model),
    };
    strip(&format!("{} {news}", glyph(model)))
}

/// Renders the line at a width, one glyph a column.
pub fn glyphs(model: &Model, width: u16) -> Vec<Glyph> {
    crate::fault::point("bar");
    let area = Rect::new(0, 0, width, 1);
    let buffer = render(model, area);
    let mut last: Option<(Style, String)> = None;
    buffer
        .content()
        .iter()
        .map(|cell| {
            let style = cell.style();
            let sgr = match &last {
                Some((before, sgr)) if *before == style => sgr.clone(),
                _ => sgr(style),
            };
            last = Some((style, sgr.clone()));
            Glyph {
                symbol: cell.symbol().chars().next().unwrap_or(' '),
                sgr,
            }
        })
        .collect()
}

/// Renders the line into a ratatui buffer of one row.
pub fn render(model: &Model, area: Rect) -> Buffer {
    let mut buffer = Buffer::empty(area);
    let styles = Styles::new(model);
    buffer.set_style(area, styles.base);
    fit(model, &styles, usize::from(area.width)).render(area, &mut buffer);
    buffer
}

struct Styles {
    base: Style,
    news: Style,
    gauge: Style,
    keys: Style,
}

impl Styles {
    fn new(model: &Model) -> Self {
        if !model.color {
            let base = Style::new().add_modifier(Modifier::REVERSED);
            let news = base.add_modifier(Modifier::BOLD);
            return Self {
                base,
                news,
                gauge: base,
                keys: base,
            };
        }
        let accent = match model.phase {
            Phase::Waiting { .. } | Phase::HoldingOff(_) => Color::Indexed(215),
            Phase::Paused(_) => Color::Indexed(111),
            Phase::Resuming => Color::Indexed(114),
            Phase::GaveUp { .. } => Color::Indexed(210),
            Phase::Cancelled => Color::Indexed(250),
        };
        let base = Style::new().fg(Color::Indexed(252)).bg(Color::Indexed(236));
        Self {
            base,
            news: base.fg(accent).add_modifier(Modifier::BOLD),
            gauge: base.fg(accent),
            keys: base.fg(Color::Indexed(248)),
        }
    }
}

/// The fullest form that fits the width.
fn fit(model: &Model, styles: &Styles, width: usize) -> Line<'static> {
    let news = format!(" {} {} ", glyph(model), head(model));
    let keys = keys(model);
    let listed = |news: &str, keys: &[String]| {
        let wide = columns(news);
        let keys = keys.iter().find(|keys| width >= wide + columns(keys) + 3)?;
        Some(Line::from(vec![
            Span::styled(news.to_owned(), styles.news),
            Span::styled(format!("{} {keys} ", dot(model)), styles.keys),
        ]))
    };
    if let Phase::Waiting { left, total, asked } = model.phase {
        let gauged = |news: &str, keys: Option<&String>| {
            let rest = columns(news) + keys.map_or(1, |keys| columns(keys) + 2);
            let room = width.checked_sub(rest + 2)?.min(*GAUGE.end());
            (room >= *GAUGE.start()).then(|| {
                let keys = keys.map_or(String::new(), |keys| format!(" {keys} "));
                Line::from(vec![
                    Span::styled(news.to_owned(), styles.news),
                    Span::styled(gauge(left, total, room, model.unicode), styles.gauge),
                    Span::styled(keys, styles.keys),
                ])
            })
        };
        if let Some(asked) = asked {
            let [long, short] = asked_heads(model, left, asked);
            let plain = [&long, &short]
                .into_iter()
                .find_map(|news| listed(news, &keys));
            let line = keys.iter().find_map(|keys| gauged(&long, Some(keys)));
            if let Some(line) = line.or(plain) {
                return line;
            }
        }
        let keys = keys.iter().map(Some).chain([None]);
        if let Some(line) = keys.into_iter().find_map(|keys| gauged(&news, keys)) {
            return line;
        }
    } else if let Some(line) = listed(&news, &keys) {
        return line;
    }
    let mut texts = vec![
        news,
        format!(" {} {} ", glyph(model), short(model)),
        format!(" {} ", short(model)),
        format!(" {} {} ", glyph(model), tiny(model)),
        tiny(model),
    ];
    if matches!(model.phase, Phase::GaveUp { .. }) {
        // What to do is more than what happened.
        texts.remove(0);
    }
    let last = texts.pop().unwrap_or_default();
    let text = texts
        .into_iter()
        .find(|text| columns(text) <= width)
        .unwrap_or_else(|| last.chars().take(width).collect());
    Line::from(Span::styled(text, styles.news))
}

fn columns(text: &str) -> usize {
    text.chars()
        .map(|character| character.width().unwrap_or(0))
        .sum()
}

/// Plain characters of one column: what came from elsewhere may hold others.
fn plain(text: &str, unicode: bool) -> String {
    let keep = |c: char| {
        if c.width() == Some(1) && (unicode || c.is_ascii()) {
            c
        } else {
            '?'
        }
    };
    strip(text).chars().map(keep).collect()
}

fn dot(model: &Model) -> char {
    if model.unicode { '·' } else { '-' }
}

fn glyph(model: &Model) -> char {
    let (unicode, ascii) = match model.phase {
        Phase::Waiting { .. } => ('⟳', '~'),
        Phase::Paused(_) => ('‖', '='),
        Phase::HoldingOff(_) => ('◷', '~'),
        Phase::Resuming => ('▸', '>'),
        Phase::GaveUp { .. } => ('✕', '!'),
        Phase::Cancelled => ('○', 'x'),
    };
    if model.unicode { unicode } else { ascii }
}

/// What happened, which try, and what is next.
fn head(model: &Model) -> String {
    let (what, dot, tries) = (
        model.what,
        dot(model),
        format!("{}/{}", model.attempt, model.max),
    );
    match &model.phase {
        Phase::Waiting { left, .. } => format!("{what} {dot} retry {tries} in {}", clock(*left)),
        Phase::Paused(_) => format!("{what} {dot} retry {tries} paused by typing"),
        Phase::HoldingOff(why) => format!(
            "{what} {dot} retry {tries} held off: {}",
            plain(why, model.unicode)
        ),
        Phase::Resuming => format!("{what} {dot} retry {tries}: resuming"),
        Phase::GaveUp { why } => {
            format!("{what} {dot} gave up after {}", plain(why, model.unicode))
        }
        Phase::Cancelled => format!("{what} {dot} not resuming"),
    }
}

/// A countdown that is as long as the server asked for, at two lengths.
fn asked_heads(model: &Model, left: Duration, asked: Duration) -> [String; 2] {
    let (glyph, what, dot) = (glyph(model), model.what, dot(model));
    let retry = format!("retry {}/{} in {}", model.attempt, model.max, clock(left));
    let asked = format!("server asked for {}", whole(asked));
    [
        format!(" {glyph} {what} {dot} {asked} {dot} {retry} "),
        format!(" {glyph} {retry} {dot} {asked} "),
    ]
}

/// The keys that work, or what to do: the longest form first.
fn keys(model: &Model) -> Vec<String> {
    let dot = dot(model);
    match model.phase {
        Phase::Waiting { .. } => {
            vec![
                format!("enter now {dot} ctrl+c cancel"),
                "ctrl+c cancel".into(),
            ]
        }
        Phase::Paused(when) => vec![(*when).to_owned()],
        Phase::HoldingOff(_) => vec!["ctrl+c cancel".into()],
        Phase::Resuming => Vec::new(),
        Phase::GaveUp { .. } => vec![
            "type continue, or set profile = patient for nights".into(),
            "profile = patient".into(),
        ],
        Phase::Cancelled => vec!["type continue when you like".into()],
    }
}

/// The news at about 20 columns.
fn short(model: &Model) -> String {
    let tries = format!("{}/{}", model.attempt, model.max);
    match &model.phase {
        Phase::Waiting { left, .. } => format!("retry {tries} in {}", clock(*left)),
        Phase::Paused(_) => format!("retry {tries} paused"),
        Phase::HoldingOff(why) => format!("held off: {}", plain(why, model.unicode)),
        Phase::Resuming => format!("retry {tries}"),
        Phase::GaveUp { .. } => "gave up: profile = patient".into(),
        Phase::Cancelled => "not resuming".into(),
    }
}

/// The news at about 10 columns.
fn tiny(model: &Model) -> String {
    match &model.phase {
        Phase::Waiting { left, .. } => clock(*left),
        Phase::Paused(_) => "paused".into(),
        Phase::HoldingOff(_) => "held off".into(),
        Phase::Resuming => "resuming".into(),
        Phase::GaveUp { .. } => "gave up".into(),
        Phase::Cancelled => "cancelled".into(),
    }
}

/// A wait that is left, rounded up: `3.4s`, `2m05s`, `1h02m`.
fn clock(left: Duration) -> String {
    let tenths = left.as_millis().div_ceil(100);
    let seconds = left.as_millis().div_ceil(1000);
    match seconds {
        _ if tenths < 600 => format!("{}.{}s", tenths / 10, tenths % 10),
        0..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// What was asked for, in whole seconds rounded up: `90s`, `2m`, `2m05s`, `1h02m`.
fn whole(asked: Duration) -> String {
    let seconds = u64::try_from(asked.as_millis().div_ceil(1000)).unwrap_or(u64::MAX);
    match (seconds, seconds % 60) {
        (0..100, _) => format!("{seconds}s"),
        (100..3600, 0) => format!("{}m", seconds / 60),
        _ => clock(Duration::from_secs(seconds)),
    }
}

/// A gauge of the time that has gone, in eighths of a column.
pub(crate) fn gauge(left: Duration, total: Duration, width: usize, unicode: bool) -> String {
    let eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let steps = u128::try_from(width * 8).unwrap_or(0);
    let total = total.as_millis().max(1);
    let gone = total.saturating_sub(left.as_millis()) * steps / total;
    let gone = usize::try_from(gone).unwrap_or(0).min(width * 8);
    let (full, part) = (gone / 8, gone % 8);
    if unicode {
        let rest = width - full - usize::from(part > 0);
        format!(
            "▕{}{}{}▏",
            "█".repeat(full),
            eighths[part],
            "░".repeat(rest)
        )
    } else {
        format!("[{}{}]", "#".repeat(full), ".".repeat(width - full))
    }
}

/// A style as SGR, from any pen. ratatui's own encoder would do, but crossterm's colours depend on
/// the process's `NO_COLOR`, and this module depends on its arguments alone.
pub(crate) fn sgr(style: Style) -> String {
    let mut out = String::from("\x1b[0");
    for (modifier, code) in [
        (Modifier::BOLD, 1),
        (Modifier::DIM, 2),
        (Modifier::UNDERLINED, 4),
        (Modifier::REVERSED, 7),
    ] {
        if style.add_modifier.contains(modifier) {
            let _ = write!(out, ";{code}");
        }
    }
    for (color, base) in [(style.fg, 38), (style.bg, 48)] {
        if let Some(Color::Indexed(index)) = color {
            let _ = write!(out, ";{base};5;{index}");
        }
    }
    out.push('m');
    out
}

#[cfg(test)]
mod tests;
