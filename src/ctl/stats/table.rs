//! The figures as a table with small charts.

use std::fmt::Write as _;

use jiff::civil::Date;

use super::chart::{bar, columns};
use super::summary::{Outcome, PERSON_MS, Summary};
use crate::ctl::journal::span_text;
use crate::ctl::text::{count, folded};
use crate::supervisor::wording::Class;

/// No line is longer, however wide the terminal.
const WIDEST: usize = 80;
/// A column an hour, indented by two.
const NARROWEST: usize = 26;
/// A longer bar says no more.
const BAR: usize = 40;
/// Labels are as wide as the longest, and no wider.
const LABEL: usize = 30;

/// How it may be drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// Blocks, where the locale has them.
    pub(super) unicode: bool,
    pub(super) color: bool,
    /// Of the terminal.
    pub(super) columns: usize,
}

impl Style {
    fn width(self) -> usize {
        self.columns.clamp(NARROWEST, WIDEST)
    }

    fn heading(self, text: &str) -> String {
        let text = folded(text, self.width(), 0);
        if self.color {
            format!("\n\x1b[1m{text}\x1b[m\n")
        } else {
            format!("\n{text}\n")
        }
    }

    fn chart(self, text: &str) -> String {
        if self.color && !text.trim().is_empty() {
            format!("\x1b[36m{text}\x1b[m")
        } else {
            text.to_owned()
        }
    }
}

/// The whole of it. `span` is the value of `--since`.
pub(super) fn text(sum: &Summary, span: Option<&str>, style: &Style) -> String {
    let style = *style;
    let when = match span {
        Some(span) => format!("in the last {}", span.trim()),
        None => "in the whole log".to_owned(),
    };
    let mut text = String::new();
    if sum.errors == 0 {
        let _ = writeln!(text, "No error to be resumed {when}: nothing to count yet.");
        left_alone(&mut text, sum, style);
        skipped(&mut text, sum, style);
        return text;
    }
    let head = format!(
        "{} {when}, {}.",
        count(sum.errors, "error", "errors"),
        count(sum.sessions, "wrapper started", "wrappers started"),
    );
    let _ = writeln!(text, "{}", folded(&head, style.width(), 0));

    text += &style.heading("Errors by class");
    let known = Class::ALL.map(Class::name);
    let mut classes: Vec<(String, usize)> = known
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), *sum.by_class.get(*name)?)))
        .collect();
    let others = sum.by_class.iter();
    classes.extend(
        others
            .filter(|(name, _)| !known.contains(&name.as_str()))
            .map(|(name, n)| (name.clone(), *n)),
    );
    bars(&mut text, &classes, style);

    hours(&mut text, sum, style);
    days(&mut text, sum, style);

    text += &style.heading("What came of them");
    let outcomes: Vec<(String, usize)> = Outcome::ALL
        .into_iter()
        .map(|outcome| (words(outcome).to_owned(), sum.outcome(outcome)))
        .filter(|(_, n)| *n > 0)
        .collect();
    bars(&mut text, &outcomes, style);

    if !sum.by_attempt.is_empty() {
        text += &style.heading("Recovered at try");
        let attempts = sum.by_attempt.iter();
        let attempts: Vec<(String, usize)> = attempts
            .map(|(attempt, n)| (attempt.to_string(), *n))
            .collect();
        bars(&mut text, &attempts, style);
    }

    totals(&mut text, sum, style);
    left_alone(&mut text, sum, style);
    skipped(&mut text, sum, style);
    text
}

const fn words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Recovered => "recovered",
        Outcome::FailedAgain => "failed again",
        Outcome::GaveUp => "gave up",
        Outcome::Cancelled => "cancelled",
        Outcome::Left => "left to you",
        Outcome::Unseen => "end not seen yet",
    }
}

/// A label, a number and a bar each.
fn bars(text: &mut String, rows: &[(String, usize)], style: Style) {
    let most = rows.iter().map(|(_, n)| *n).max().unwrap_or_default();
    let digits = most.to_string().len();
    let label = rows.iter().map(|(label, _)| label.chars().count()).max();
    // Room for four cells of a bar, whatever the label.
    let room = style.width().saturating_sub(2 + 2 + digits + 2 + 4);
    let label = label.unwrap_or_default().min(room).min(LABEL);
    let width = style.width().saturating_sub(2 + label + 2 + digits + 2);
    let width = width.min(BAR);
    for (name, n) in rows {
        let name: String = name.chars().take(label).collect();
        let bar = style.chart(&bar(*n, most, width, style.unicode));
        let line = format!("  {name:<label$}  {n:>digits$}  {bar}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

/// The hours of the day: two cells each where there is room.
fn hours(text: &mut String, sum: &Summary, style: Style) {
    let most = sum.by_hour.iter().max().copied().unwrap_or_default();
    *text += &style.heading(&format!("Errors by hour of the day, {most} at the most"));
    let wide = style.width() >= 2 + 48;
    let each = if wide { 2 } else { 1 };
    let columns: String = columns(&sum.by_hour, style.unicode)
        .chars()
        .flat_map(|column| std::iter::repeat_n(column, each))
        .collect();
    let columns = style.chart(columns.trim_end());
    let _ = writeln!(text, "  {columns}");
    let mut axis = String::new();
    for hour in (0..24).step_by(6) {
        let _ = write!(axis, "{hour:<width$}", width = 6 * each);
    }
    let _ = writeln!(text, "  {}", axis.trim_end());
}

/// A column a day, where there is more than one.
fn days(text: &mut String, sum: &Summary, style: Style) {
    let room = style.width() - 2;
    let days = &sum.by_day[sum.by_day.len().saturating_sub(room)..];
    let ([(first, _), .., (last, _)], true) = (days, days.len() > 1) else {
        return;
    };
    let heading = match sum.by_day.len() - days.len() {
        0 => "Errors by day".to_owned(),
        _ => format!("Errors by day, the last {}", days.len()),
    };
    let numbers: Vec<usize> = days.iter().map(|(_, n)| *n).collect();
    let most = numbers.iter().max().copied().unwrap_or_default();
    *text += &style.heading(&format!("{heading}, {most} at the most"));
    let each = (room / numbers.len()).clamp(1, 3);
    let columns: String = columns(&numbers, style.unicode)
        .chars()
        .flat_map(|column| std::iter::repeat_n(column, each))
        .collect();
    let _ = writeln!(text, "  {}", style.chart(columns.trim_end()));
    let (first, last) = (day(*first), day(*last));
    let gap = (numbers.len() * each).saturating_sub(first.len() + last.len());
    if gap > 0 {
        let _ = writeln!(text, "  {first}{}{last}", " ".repeat(gap));
    } else {
        let _ = writeln!(text, "  {first} to {last}");
    }
}

fn day(date: Date) -> String {
    date.strftime("%-d %b").to_string()
}

fn totals(text: &mut String, sum: &Summary, style: Style) {
    *text += &style.heading("In all");
    let resumes = sum.resumes();
    let ways = [
        (sum.typed, "typed"),
        (sum.by_hook, "by the hook"),
        (sum.by_hook_alone, "by the hook without the wrapper"),
    ];
    let ways: Vec<String> = ways
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, way)| format!("{n} {way}"))
        .collect();
    let mut line = |label: &str, value: &str| {
        let line = format!("  {label:<8}  {value}");
        *text += &folded(&line, style.width(), 2 + 8 + 2);
        text.push('\n');
    };
    let of = if ways.is_empty() {
        String::new()
    } else {
        format!(": {}", ways.join(", "))
    };
    line("resumes", &format!("{resumes}{of}"));
    if resumes > 0 {
        let each = sum.waited_ms / u64::try_from(resumes).unwrap_or(1);
        line(
            "waited",
            &format!(
                "{}, {} a resume on average",
                span_text(sum.waited_ms),
                span_text(each)
            ),
        );
    }
    let saved = match sum.saved_ms {
        0 => "nothing".to_owned(),
        ms => span_text(ms),
    };
    line(
        "saved",
        &format!(
            "{saved}, against the {} that a person takes to notice and type",
            span_text(PERSON_MS)
        ),
    );
}

fn left_alone(text: &mut String, sum: &Summary, style: Style) {
    if sum.left_alone.is_empty() {
        return;
    }
    *text += &style.heading("Left alone, and why");
    let reasons = sum.left_alone.iter();
    let mut reasons: Vec<(String, usize)> =
        reasons.map(|(reason, n)| (reason.clone(), *n)).collect();
    reasons.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    // As sentences, a number before each: a bar would leave them no room.
    for (reason, n) in reasons {
        *text += &folded(&format!("  {n:>4}  {reason}"), style.width(), 8);
        text.push('\n');
    }
}

fn skipped(text: &mut String, sum: &Summary, style: Style) {
    if sum.skipped > 0 {
        let line = format!(
            "({} of the log passed over: half written, or not ours)",
            count(sum.skipped, "line", "lines")
        );
        let _ = writeln!(text, "\n{}", folded(&line, style.width(), 0));
    }
}

#[cfg(test)]
mod tests;
