//! A transcript that is read as it was when the recording was made: line by line, as its times say.

use crate::supervisor::transcript::{self, Report};

/// The lines of a transcript with their times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines(Vec<Line>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    unix_ms: u64,
    session: Option<String>,
    user: bool,
    text: String,
}

impl Lines {
    /// Reads a transcript. A line without a time is as old as the one before it.
    ///
    /// # Errors
    ///
    /// The number of the first line that is no JSON object, unless it is the last and cut off.
    pub fn read(text: &str) -> Result<Self, usize> {
        let mut unix_ms = 0;
        let mut lines = Vec::new();
        for (at, line) in text.split_inclusive('\n').enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let value: serde_json::Value = match serde_json::from_str(line) {
                Ok(value @ serde_json::Value::Object(_)) => value,
                Err(_) if !line.ends_with('\n') => break,
                _ => return Err(at + 1),
            };
            let time = value["timestamp"]
                .as_str()
                .and_then(|time| time.parse::<jiff::Timestamp>().ok());
            if let Some(time) = time {
                unix_ms = u64::try_from(time.as_millisecond()).unwrap_or_default();
            }
            lines.push(Line {
                unix_ms,
                session: value["sessionId"].as_str().map(str::to_owned),
                user: value["type"] == "user",
                text: format!("{}\n", line.trim_end()),
            });
        }
        Ok(Self(lines))
    }

    /// Is nothing in it?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The time of the first line that has one.
    pub fn first(&self) -> Option<u64> {
        self.0.iter().map(|line| line.unix_ms).find(|ms| *ms > 0)
    }

    /// The latest time.
    pub fn last(&self) -> Option<u64> {
        self.0.iter().map(|line| line.unix_ms).max()
    }

    /// The time of the user's first line.
    pub fn first_user(&self) -> Option<u64> {
        self.0
            .iter()
            .find(|line| line.user)
            .map(|line| line.unix_ms)
    }

    /// The times of the user's lines, in order.
    pub fn users(&self) -> impl Iterator<Item = u64> {
        self.0
            .iter()
            .filter(|line| line.user)
            .map(|line| line.unix_ms)
    }

    /// How many lines there were at this time.
    pub fn count(&self, unix_ms: u64) -> usize {
        let is_there = |line: &&Line| line.unix_ms <= unix_ms;
        self.0.iter().filter(is_there).count()
    }

    /// What a look at it gave at this time; of one session alone, where that is known.
    pub fn report(&self, unix_ms: u64, session: Option<&str>) -> Report {
        let is_of = |line: &&Line| match (session, &line.session) {
            (Some(session), Some(of)) => session == of,
            _ => true,
        };
        let seen = self.0.iter().filter(|line| line.unix_ms <= unix_ms);
        let seen: String = seen.filter(is_of).map(|line| line.text.as_str()).collect();
        transcript::last_turn(seen.as_bytes(), true).map_or(Report::Pending, Report::Turn)
    }
}
