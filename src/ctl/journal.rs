//! The records of the log, read back: for `ctl log`, `ctl stats`, `ctl doctor`.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use crate::config;
use crate::error::Error;
use crate::supervisor::wording::plain;
use crate::sys;

/// What is longer is no record of ours.
const LINE_AT_MOST: usize = 1024 * 1024;
/// A longer name of a folder is cut.
const NAME: usize = 20;
/// So much of a session's id tells it from others.
const ID: usize = 8;

/// One record. There may be hundreds of thousands, so that of what it says only the line is kept.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// When.
    pub(super) at: Timestamp,
    /// As it was written.
    pub(super) line: Box<str>,
    /// The name of its session: the folder's, where the session told it, or the beginning of the id.
    pub(super) name: Option<Arc<str>>,
    /// The wrapper, or the hook.
    pub(super) pid: u32,
}

impl Record {
    /// What it says.
    pub(super) fn fields(&self) -> Fields {
        // It was read before, or there would be no record.
        serde_json::from_str(&self.line).unwrap_or_default()
    }
}

/// What is read of a record. Everything but the process and the event may be missing.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Fields {
    time: String,
    /// The wrapper, or the hook.
    pub(super) pid: u32,
    /// What happened.
    pub(super) event: String,
    /// `hook` for records of a hook without a wrapper.
    pub(super) by: Option<String>,
    /// The CLI's session, in records of such a hook.
    pub(super) session: Option<String>,
    /// The folder of the session.
    pub(super) folder: Option<String>,
    pub(super) version: Option<String>,
    pub(super) program: Option<String>,
    pub(super) verdict: Option<String>,
    pub(super) class: Option<String>,
    pub(super) uuid: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) why: Option<String>,
    pub(super) how: Option<String>,
    pub(super) error: Option<String>,
    pub(super) text: Option<String>,
    pub(super) prompt: Option<String>,
    pub(super) attempt: Option<u32>,
    pub(super) max: Option<u32>,
    pub(super) wait_ms: Option<u64>,
    pub(super) asked_ms: Option<u64>,
    pub(super) code: Option<i64>,
    pub(super) signal: Option<i64>,
    pub(super) lives: Option<bool>,
    pub(super) gave_up: bool,
    pub(super) refused: bool,
    pub(super) witnesses: Option<Value>,
}

impl Fields {
    /// Was it written by a hook without a wrapper?
    pub(super) fn is_alone(&self) -> bool {
        self.by.as_deref() == Some("hook") && self.event.starts_with("hook-")
    }
}

/// The records, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    /// By time; those of one process in the order in which it wrote them, whatever its clock did.
    pub(super) records: Vec<Record>,
    /// Lines that are no records: half written, or not ours.
    pub(super) skipped: usize,
}

impl Journal {
    /// Reads the log and its old files. Where there are none it is empty.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`].
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let unreadable = |path: &Path, error: &std::io::Error| Error::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let files = sys::open_logs(path).map_err(|(path, error)| unreadable(&path, &error))?;
        let mut reader = Reader::default();
        for file in files {
            reader
                .file(BufReader::new(file))
                .map_err(|error| unreadable(path, &error))?;
        }
        Ok(reader.end())
    }

    /// The same of a piece of a log, whose first line may be cut.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        let mut reader = Reader::default();
        bytes
            .split(|byte| *byte == b'\n')
            .for_each(|line| reader.line(line));
        reader.end()
    }

    /// The same of texts, the oldest first.
    #[cfg(test)]
    pub(super) fn of(texts: &[&str]) -> Self {
        let mut reader = Reader::default();
        for text in texts {
            text.split('\n')
                .for_each(|line| reader.line(line.as_bytes()));
        }
        reader.end()
    }
}

#[derive(Default)]
struct Reader {
    /// With each record the time to sort it by.
    records: Vec<(Timestamp, Record)>,
    /// The latest time of each process.
    latest: HashMap<u32, Timestamp>,
    /// The folder of each process. A number that starts again is another's.
    folders: HashMap<u32, Arc<str>>,
    /// The names of sessions without a folder.
    ids: HashMap<String, Arc<str>>,
    skipped: usize,
}

impl Reader {
    /// Of a line that is too long no more is kept than shows that it is.
    fn file(&mut self, mut file: impl BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        loop {
            line.clear();
            let most = u64::try_from(LINE_AT_MOST + 1).unwrap_or(u64::MAX);
            if (&mut file).take(most).read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            if line.last() == Some(&b'\n') {
                line.pop();
            } else if line.len() > LINE_AT_MOST {
                file.skip_until(b'\n')?;
            }
            self.line(&line);
        }
    }

    fn line(&mut self, line: &[u8]) {
        if line.is_empty() {
            return;
        }
        match record(line) {
            Some((mut record, fields)) => {
                record.name = self.name(&fields);
                let pid = record.pid;
                let before = self.latest.get(&pid).filter(|_| fields.event != "start");
                let key = before.map_or(record.at, |before| record.at.max(*before));
                self.latest.insert(pid, key);
                self.records.push((key, record));
            }
            None => self.skipped += 1,
        }
    }

    fn name(&mut self, fields: &Fields) -> Option<Arc<str>> {
        if fields.event == "start" {
            self.folders.remove(&fields.pid);
        }
        if let Some(folder) = &fields.folder {
            let name = folder.trim_end_matches('/').rsplit('/').next();
            let name: String = plain(name.unwrap_or_default()).chars().take(NAME).collect();
            self.folders.insert(fields.pid, name.into());
        }
        if let Some(folder) = self.folders.get(&fields.pid) {
            return Some(Arc::clone(folder));
        }
        let id: String = plain(fields.session.as_deref()?).chars().take(ID).collect();
        let name = self
            .ids
            .entry(id)
            .or_insert_with_key(|id| id.as_str().into());
        Some(Arc::clone(name))
    }

    fn end(mut self) -> Journal {
        self.records.sort_by_key(|(key, _)| *key);
        Journal {
            records: self.records.into_iter().map(|(_, record)| record).collect(),
            skipped: self.skipped,
        }
    }
}

fn record(line: &[u8]) -> Option<(Record, Fields)> {
    let line = std::str::from_utf8(line).ok()?;
    if line.len() > LINE_AT_MOST {
        return None;
    }
    let fields: Fields = serde_json::from_str(line).ok()?;
    let at = fields.time.parse().ok()?;
    let record = Record {
        at,
        line: line.into(),
        name: None,
        pid: fields.pid,
    };
    (!fields.event.is_empty() && fields.pid > 0).then_some((record, fields))
}

/// The time before which nothing is wanted, from the value of `--since`.
///
/// # Errors
///
/// [`Error::Usage`] for what is no span.
pub(super) fn cutoff(since: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let Some(text) = since else { return Ok(None) };
    let span = config::span(text).ok_or_else(|| {
        Error::Usage(format!(
            "--since: {text:?} is no span of time: write one such as 7d, 12h or 90m"
        ))
    })?;
    let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    Ok(Some(now.checked_sub(span).unwrap_or(Timestamp::MIN)))
}

/// The present.
pub(super) fn now() -> Timestamp {
    let ms = i64::try_from(sys::unix_ms()).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

/// A time span in words: `850ms`, `12s`, `1m 20s`, `3h 5m`, `2d 4h`.
pub(super) fn span_text(ms: u64) -> String {
    let seconds = ms.saturating_add(500) / 1000;
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large}{large_unit}"),
        _ => format!("{large}{large_unit} {small}{small_unit}"),
    };
    match seconds {
        _ if ms < 1000 => format!("{ms}ms"),
        0..60 => format!("{seconds}s"),
        60..3600 => two(seconds / 60, "m", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "m"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(journal: &Journal) -> Vec<String> {
        let events = journal.records.iter();
        events.map(|record| record.fields().event).collect()
    }

    #[test]
    fn files_are_merged_by_time_and_a_clock_that_goes_back_turns_no_process_around() {
        let journal = Journal::of(&[
            r#"{"time":"2026-11-24T10:00:00.000Z","pid":7,"event":"a"}
{"time":"2026-11-24T10:00:05.000Z","pid":7,"event":"c"}"#,
            r#"{"time":"2026-11-24T10:00:02.000Z","pid":8,"event":"b"}
{"time":"2026-11-24T09:00:00.000Z","pid":7,"event":"d"}
{"time":"2026-11-24T10:00:06.000Z","pid":8,"event":"e"}"#,
        ]);
        assert_eq!(events(&journal), ["a", "b", "c", "d", "e"]);
        assert_eq!(journal.skipped, 0);
    }

    #[test]
    fn half_written_and_foreign_lines_are_counted_and_passed_over() {
        let journal = Journal::of(&["{\"time\":\"2026-11-24T10:0\n\
            {\"time\":\"2026-11-24T10:00:00.000Z\",\"pid\":7,\"event\":\"typed\",\"future\":{}}\n\
            \n\
            [1]\n{\"pid\":7,\"event\":\"x\"}\n{\"time\":\"yesterday\",\"pid\":7,\"event\":\"x\"}\n\
            {\"time\":\"2026-11-24T10:00:00.000Z\",\"pid\":7}\n\
            {\"time\":\"2026-11-24T10:00:00.000Z\",\"pid\":7,\"event\":\"waiting\",\"attempt\":\"x\"}"]);
        assert_eq!(events(&journal), ["typed"]);
        assert_eq!(journal.skipped, 6);
    }

    #[test]
    fn a_line_without_end_is_one_that_is_passed_over() {
        let record = r#"{"time":"2026-11-24T10:00:00.000Z","pid":7,"event":"a"}"#;
        let long = "x".repeat(3 * LINE_AT_MOST);
        let mut reader = Reader::default();
        let text = format!("{record}\n{long}\n{record}\n{record}");
        reader.file(text.as_bytes()).expect("it can be read");
        let journal = reader.end();
        assert_eq!((journal.records.len(), journal.skipped), (3, 1));
    }

    #[test]
    fn since_is_a_span_before_now() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().expect("a time");
        let at = |text| {
            cutoff(Some(text), now)
                .ok()
                .flatten()
                .map(|at| at.to_string())
        };
        assert_eq!(at("7d").as_deref(), Some("2026-11-17T12:00:00Z"));
        assert_eq!(at("90m").as_deref(), Some("2026-11-24T10:30:00Z"));
        assert!(cutoff(None, now).is_ok_and(|at| at.is_none()));
        let error = cutoff(Some("a week"), now).expect_err("no span");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn spans_are_told_in_their_two_largest_units() {
        let texts = [0, 850, 12_000, 60_000, 80_400, 11_100_000, 187_200_000].map(span_text);
        assert_eq!(
            texts,
            ["0ms", "850ms", "12s", "1m", "1m 20s", "3h 5m", "2d 4h"]
        );
    }
}
