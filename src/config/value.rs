//! Values as they are written: durations, switches, lists.

use std::fmt::Write as _;
use std::time::Duration;

use toml::de::DeValue;

/// No wait is longer.
pub(super) const DAY: Duration = Duration::from_hours(24);

/// A value of the file as the other layers would write it: text as it is, numbers and switches as text,
/// a list of texts with commas.
pub(super) fn of_toml(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.as_ref().to_owned()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Boolean(on) => Some(if *on { "on" } else { "off" }.to_owned()),
        DeValue::Array(items) => items
            .iter()
            .map(|item| match item.get_ref() {
                DeValue::String(text) => Some(text.as_ref().to_owned()),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()
            .map(|items| items.join(",")),
        _ => None,
    }
}

/// The units of a duration, in milliseconds, the larger ones first.
const UNITS: &[(&str, u64)] = &[("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
/// Those of a span of the past.
const SPAN_UNITS: &[(&str, u64)] = &[
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
];
/// No log is older.
const SPAN_AT_MOST: Duration = Duration::from_hours(24 * 3660);

/// Reads `500ms`, `30s`, `2m`, `1h30m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let remedy = || "write a duration such as 500ms, 30s, 2m or 1h30m".to_owned();
    let total = sum_of_units(text, UNITS).ok_or_else(remedy)?;
    if total.is_zero() || total > DAY {
        return Err("write a duration from 1ms to 24h".into());
    }
    Ok(total)
}

/// Reads a span of the past: `7d`, `12h`, `90m`, `1d12h`.
pub(crate) fn span(text: &str) -> Option<Duration> {
    sum_of_units(text, SPAN_UNITS).filter(|span| !span.is_zero() && *span <= SPAN_AT_MOST)
}

/// Numbers with units, each unit at most once, the larger ones first.
fn sum_of_units(text: &str, units: &[(&str, u64)]) -> Option<Duration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total = Duration::ZERO;
    let mut units = units;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                .len();
        let at = units
            .iter()
            .position(|(unit, _)| *unit == &rest[..letters])?;
        rest = &rest[letters..];
        total = total.checked_add(Duration::from_millis(number.checked_mul(units[at].1)?))?;
        units = &units[at + 1..];
    }
    Some(total)
}

/// Writes a duration as [`duration`] reads it.
pub(super) fn show_duration(duration: Duration) -> String {
    let mut millis = duration.as_millis();
    let mut text = String::new();
    for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        if millis >= size {
            let _ = write!(text, "{}{unit}", millis / size);
            millis %= size;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

/// Reads a number from 1 on.
pub(super) fn count(text: &str, most: u32) -> Result<u32, String> {
    text.trim()
        .parse()
        .ok()
        .filter(|n| (1..=most).contains(n))
        .ok_or_else(|| format!("write a whole number from 1 to {most}"))
}

/// Reads one of some names.
pub(super) fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let word = text.trim();
    let found = choices.iter().find(|(name, _)| *name == word);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        let near = crate::error::nearest(word, names.iter().copied());
        let near = near.map_or_else(String::new, |near| format!(" (did you mean {near}?)"));
        format!("write one of {}{near}", names.join(", "))
    })
}

/// Reads a message that may be typed: one line, no control characters, at most 200 characters, and not
/// something that the CLI would take for a command, a shell line, a memory or a file.
pub(super) fn message(text: &str) -> Result<String, String> {
    let first = text.chars().next();
    if text.trim().is_empty() {
        Err("it is empty; write a word such as continue".into())
    } else if text.chars().any(char::is_control) {
        Err("it must be one line without control characters".into())
    } else if text.chars().count() > 200 {
        Err("it must have at most 200 characters".into())
    } else if first.is_some_and(|c| "/!#@".contains(c)) {
        Err("it must not start with / ! # or @, which mean something to the CLI".into())
    } else if text.trim() != text {
        Err("it must not begin or end with a blank".into())
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_may_have_days_and_no_milliseconds() {
        let hours = |hours| Some(Duration::from_hours(hours));
        assert_eq!(span("7d"), hours(7 * 24));
        assert_eq!(span("1w"), hours(7 * 24));
        assert_eq!(span("12h"), hours(12));
        assert_eq!(span(" 1d12h "), hours(36));
        assert_eq!(span("90m"), Some(Duration::from_mins(90)));
        for bad in [
            "", "7", "d", "7days", "0d", "-1d", "1h1d", "1d1d", "5ms", "9999999w", "1.5d",
        ] {
            assert_eq!(span(bad), None, "{bad}");
        }
        assert!(duration("1d").is_err());
    }
}
