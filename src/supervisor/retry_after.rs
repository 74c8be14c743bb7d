//! How long the server asked to be left alone: from the CLI's debug log.
//!
//! The CLI tells `Retry-After` nowhere else. With `ANTHROPIC_LOG=debug` its debug log has every response, the
//! headers among it (2.1.145 over many lines as below, 2.1.330 as one JSON string on one line):
//!
//! ```text
//! 2026-11-24T14:56:20.530Z [DEBUG] console.log: [log_d47ce1] response error (error; no more retries left) {
//!   url: 'http://127.0.0.1:9146/v1/messages?beta=true',
//!   status: 429,
//!   headers: {
//!     date: 'Tue, 24 Nov 2026 14:56:20 GMT',
//!     'retry-after': '90',
//! ```
//!
//! A request without tools, such as the one for the session's title, is not a turn's: `tools: []` in its
//! `sending request` record. What follows from a forged record is a longer wait, of a day at the most, that
//! the bar shows and a key ends.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use super::wording::Class;

/// The server may ask for a day at the most; what is over that is ignored, as if it had asked for nothing: no
/// transient error lasts so long, and nobody would wait for it.
pub const LONGEST: Duration = Duration::from_hours(24);
/// A failed turn's response was logged so long before the turn's end at the most. Seen: 10 ms; the rest is
/// for a loaded machine.
pub const BEFORE_END: Duration = Duration::from_secs(10);

/// The last response to a turn that was an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its HTTP status.
    pub status: u16,
    /// When it was logged, in milliseconds since the Unix epoch.
    pub unix_ms: u64,
    /// How long from then on the server asked to be left alone; `None` where it did not, or asked for
    /// something that makes no sense.
    pub asked: Option<Duration>,
}

/// What the server asked for, and what is left of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// From its answer on.
    pub whole: Duration,
    /// From now on.
    pub left: Duration,
}

impl Refusal {
    /// What is left of it `now`, where it belongs to the turn that failed then (both in milliseconds since
    /// the Unix epoch); `None` where nothing is.
    pub fn asked(&self, failed: u64, now: u64) -> Option<Asked> {
        let slack = u64::try_from(BEFORE_END.as_millis()).unwrap_or(u64::MAX);
        if self.unix_ms.saturating_add(slack) < failed {
            return None;
        }
        let gone = Duration::from_millis(now.saturating_sub(self.unix_ms));
        let whole = self.asked?;
        let left = whole.saturating_sub(gone);
        (left > Duration::ZERO).then_some(Asked { whole, left })
    }
}

/// Can an error of this class come with a `Retry-After`? A connection that broke was no answer, and an answer
/// that was cut had begun well.
pub const fn may_ask(class: Class) -> bool {
    match class {
        Class::Throttle | Class::Overloaded | Class::ServerError => true,
        Class::Connection | Class::Cut => false,
    }
}

/// The last response to a turn that was an error, in the end of a debug log; what is cut at its beginning
/// does not count.
pub fn last_refusal(log: &[u8]) -> Option<Refusal> {
    let text = String::from_utf8_lossy(log);
    let mut turns: HashMap<String, bool> = HashMap::new();
    let mut last = None;
    for (time, text) in records(&text) {
        let Some((id, what, body)) = sdk(&text) else {
            continue;
        };
        if what.starts_with("sending request") {
            turns.insert(id.to_owned(), has_tools(body));
        } else if what.starts_with("response error")
            && turns.get(id).is_none_or(|turn| *turn)
            && let Some(refusal) = refusal(time, body)
        {
            last = Some(refusal);
        }
    }
    last
}

/// The records, each with its time and its text in lines. A record begins a line with a time and a level;
/// 2.1.330 writes one that has many lines as a JSON string.
fn records(log: &str) -> impl Iterator<Item = (Timestamp, String)> {
    let mut starts: Vec<(usize, usize, Timestamp)> = Vec::new();
    let mut at = 0;
    for line in log.split_inclusive('\n') {
        if let Some((time, head)) = head(line) {
            starts.push((at, at + head, time));
        }
        at += line.len();
    }
    let ends: Vec<usize> = starts
        .iter()
        .skip(1)
        .map(|(start, ..)| *start)
        .chain([log.len()])
        .collect();
    starts.into_iter().zip(ends).map(|((_, from, time), to)| {
        let text = log[from..to].trim_end();
        let text = match serde_json::from_str::<String>(text) {
            Ok(unquoted) if text.starts_with('"') => unquoted,
            _ => text.to_owned(),
        };
        (time, text)
    })
}

/// `2026-11-24T14:56:20.530Z [DEBUG] `: the time, and how long it is.
fn head(line: &str) -> Option<(Timestamp, usize)> {
    if !line.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let (time, rest) = line.split_once(" [")?;
    let (level, text) = rest.split_once("] ")?;
    let level = !level.is_empty() && level.bytes().all(|byte| byte.is_ascii_uppercase());
    let time = level.then(|| time.parse().ok())??;
    Some((time, line.len() - text.len()))
}

/// The SDK's records: the request's id, what happened, and the lines about it.
fn sdk(text: &str) -> Option<(&str, &str, &str)> {
    let rest = text.strip_prefix("console.log: [")?;
    let (id, rest) = rest.split_once("] ")?;
    let (what, body) = rest.split_once('\n')?;
    Some((id, what, body))
}

/// Does the request's body name tools?
fn has_tools(body: &str) -> bool {
    let tools = body
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("tools: "));
    tools.is_some_and(|tools| !tools.starts_with("[]") && !tools.starts_with("undefined"))
}

fn refusal(time: Timestamp, body: &str) -> Option<Refusal> {
    // Two columns in: the object's own fields. Four: those of its headers.
    let own = |name: &str| field(body, "  ", name);
    let header = |name: &str| field(body, "    ", name);
    let unix_ms = u64::try_from(time.as_millisecond()).ok()?;
    let answered = header("date").and_then(http_date).unwrap_or(time);
    Some(Refusal {
        status: own("status")?.parse().ok()?,
        unix_ms,
        asked: header("retry-after").and_then(|value| asked(value, answered)),
    })
}

/// The value of a field that stands so far in, without its quotes.
fn field<'a>(body: &'a str, indent: &str, name: &str) -> Option<&'a str> {
    body.lines().find_map(|line| {
        let rest = line.strip_prefix(indent)?;
        let quoted = rest.strip_prefix('\'');
        let rest = match quoted {
            Some(rest) => rest.strip_prefix(name)?.strip_prefix('\'')?,
            None => rest.strip_prefix(name)?,
        };
        let value = rest.strip_prefix(": ")?;
        let value = value.strip_suffix(',').unwrap_or(value);
        Some(value.trim_matches(['\'', '"', '`']))
    })
}

/// A `Retry-After`: seconds, or a date, which counts from the response's own.
fn asked(value: &str, answered: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let number = value
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let asked = if number {
        Duration::try_from_secs_f64(value.parse().ok()?).ok()?
    } else {
        Duration::try_from(http_date(value)?.duration_since(answered)).ok()?
    };
    (asked > Duration::ZERO && asked <= LONGEST).then_some(asked)
}

fn http_date(value: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(value).ok()
}

#[cfg(test)]
mod tests;
