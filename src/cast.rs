//! Recordings of a terminal: asciicast v2 and v3, read and written, and raw captures.
//!
//! The formats are those of <https://docs.asciinema.org/manual/asciicast/v2/> and `…/v3/`: a JSON header, then a
//! line `[time, code, data]` for each event. Read are `o` (output), `i` (input), `r` (resize), `m` (marker), `x`
//! (exit), and [`NOTE`], our own code, which players pass over as they do every code that they do not know.
//!
//! An event's data is a JSON string, so it holds characters, not bytes. A [`Writer`] keeps a character whose end
//! has not come yet for the next event of its kind; only what is no UTF-8 at all becomes U+FFFD.

mod masked;
mod reduced;
mod writer;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::masked::Mask;
pub use self::reduced::reduce;
pub use self::writer::Writer;
use crate::supervisor::hook::Happened;
use crate::supervisor::session::ExitKind;
use crate::term::Size;

/// The code of events that only we read: a [`Note`] as JSON.
pub const NOTE: &str = "c";
/// Sides of a screen that is replayed: far beyond any terminal's, and no danger to memory.
const SIDE: std::ops::RangeInclusive<u64> = 1..=2000;
/// No recording is longer: a replay looks at the screen every so often, idle or not.
const LONGEST: Duration = Duration::from_hours(7 * 24);
/// A raw capture is cut into pieces of about so many bytes, each before an escape sequence…
const PIECE: usize = 256;
/// …and each comes so long after the one before it: longer than the session waits to look at the screen while it
/// has seen no turn run.
const PIECE_GAP: Duration = Duration::from_millis(30);

/// Where a recording comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// asciicast v2: times since the start.
    V2,
    /// asciicast v3: times since the event before.
    V3,
    /// What a program wrote, without times.
    Raw,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V2 => "asciicast v2",
            Self::V3 => "asciicast v3",
            Self::Raw => "raw capture",
        })
    }
}

/// What a recording of our own says of itself, in the header's field `claude_retry`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ours {
    /// Our version.
    pub version: String,
    /// The wall clock at the recording's time 0, in milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// What the jitter was drawn with.
    #[serde(default)]
    pub seed: u64,
    /// The settings that decide anything, by name, as behind the flags.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// The user's wordings, as in `config.toml`.
    #[serde(default)]
    pub wordings: String,
}

/// What we alone note in a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "kebab-case")]
pub enum Note {
    /// The next input event was not typed by the user but by us.
    Ours,
    /// The transcript that was looked at is of this session from now on.
    Session {
        /// Its id.
        id: String,
    },
    /// The CLI's session file says from now on that a turn runs, that none does, or nothing.
    Status {
        /// Does a turn run?
        busy: Option<bool>,
    },
    /// A hook of ours told of an event.
    Hook {
        /// Which call.
        id: u64,
        /// In which session.
        session_id: String,
        /// What happened.
        #[serde(flatten)]
        happened: Happened,
    },
    /// That hook's process is gone.
    HookGone {
        /// Which call.
        id: u64,
    },
    /// The server was found to have asked for a wait.
    Asked {
        /// From its answer on.
        whole_ms: u64,
        /// From now on.
        left_ms: u64,
    },
    /// The wall clock jumped against the recording's times, as while a laptop slept; now it says this.
    Clock {
        /// In milliseconds since the Unix epoch.
        unix_ms: u64,
    },
    /// The job was stopped.
    Stopped,
    /// It goes on.
    Resumed,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The child wrote.
    Output(Vec<u8>),
    /// The user typed, or the terminal answered.
    Input(Vec<u8>),
    /// We typed into the child.
    Typed(Vec<u8>),
    /// The terminal has this size now.
    Resize(Size),
    /// A mark that somebody set.
    Marker(String),
    /// The child ended.
    Exit(ExitKind),
    /// What we noted.
    Note(Note),
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Since the start.
    pub at: Duration,
    /// What happened.
    pub what: What,
}

/// A recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cast {
    /// How it was written.
    pub format: Format,
    /// The terminal's size at the start.
    pub size: Size,
    /// When it was made, in seconds since the Unix epoch, where the header says so.
    pub timestamp: Option<u64>,
    /// Set where we made it.
    pub ours: Option<Ours>,
    /// All that happened; times never go back.
    pub events: Vec<Event>,
    /// The last line was cut off in the middle, and is left out.
    pub cut: bool,
}

/// What is wrong with a recording, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct BadCast {
    /// From 1.
    pub line: usize,
    /// In words, with the remedy.
    pub what: String,
}

impl BadCast {
    fn new(line: usize, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { line, what }
    }
}

impl Cast {
    /// Reads an asciicast.
    ///
    /// # Errors
    ///
    /// For a file that is none, names the line that is wrong, what is wrong with it, and what to do.
    pub fn read(bytes: &[u8]) -> Result<Self, BadCast> {
        let mut lines = bytes.split_inclusive(|&byte| byte == b'\n').enumerate();
        let Some((_, first)) = lines.next() else {
            return Err(BadCast::new(
                1,
                "the file is empty; record one with `claude-retry ctl record`",
            ));
        };
        let mut cast = header(first)?;
        let mut clock = Duration::ZERO;
        let mut ours = false;
        for (at, bytes) in lines {
            let number = at + 1;
            match line(bytes, cast.format) {
                Ok(None) => {}
                Ok(Some((time, code, data))) => {
                    let time = seconds(time).map_err(|what| BadCast::new(number, what))?;
                    clock = match cast.format {
                        Format::V3 => clock.saturating_add(time),
                        // Of two writers one may be a little late.
                        _ => clock.max(time),
                    };
                    if clock > LONGEST {
                        let what = "later than 7 days; cut the recording before it";
                        return Err(BadCast::new(number, what));
                    }
                    let what = event(&code, data).map_err(|what| BadCast::new(number, what))?;
                    let what = match what {
                        Some(What::Note(Note::Ours)) => {
                            ours = true;
                            continue;
                        }
                        Some(What::Input(bytes)) if std::mem::take(&mut ours) => What::Typed(bytes),
                        Some(what) => what,
                        None => continue,
                    };
                    cast.events.push(Event { at: clock, what });
                }
                // Who was killed may have left half a line.
                Err(_) if !bytes.ends_with(b"\n") => cast.cut = true,
                Err(what) => return Err(BadCast::new(number, what)),
            }
        }
        Ok(cast)
    }

    /// A raw capture of what a program wrote to a terminal of this size, cut where a look at the screen may fall
    /// between two pieces.
    pub fn raw(bytes: &[u8], size: Size) -> Self {
        let mut events = Vec::new();
        let (mut at, mut rest) = (Duration::ZERO, bytes);
        while !rest.is_empty() {
            let least = PIECE.min(rest.len());
            let end = rest[least..]
                .iter()
                .position(|&byte| byte == 0x1b)
                .map_or(rest.len(), |more| least + more);
            let (piece, after) = rest.split_at(end.min(2 * PIECE).min(rest.len()));
            events.push(Event {
                at,
                what: What::Output(piece.to_vec()),
            });
            (at, rest) = (at + PIECE_GAP, after);
        }
        Self {
            format: Format::Raw,
            size,
            timestamp: None,
            ours: None,
            events,
            cut: false,
        }
    }

    /// Does a file begin as an asciicast does?
    pub fn is_cast(bytes: &[u8]) -> bool {
        let first = bytes.split(|&byte| byte == b'\n').next();
        first.is_some_and(|first| {
            serde_json::from_slice::<Value>(first).is_ok_and(|header| header["version"].is_u64())
        })
    }

    /// How long it is.
    pub fn duration(&self) -> Duration {
        self.events.last().map_or(Duration::ZERO, |event| event.at)
    }

    /// When the user pressed Enter.
    pub fn enters(&self) -> Vec<Duration> {
        let is_enter =
            |event: &&Event| matches!(&event.what, What::Input(bytes) if bytes.contains(&b'\r'));
        self.events
            .iter()
            .filter(is_enter)
            .map(|event| event.at)
            .collect()
    }
}

/// Reads `COLSxROWS`.
pub fn parse_size(text: &str) -> Option<Size> {
    let (cols, rows) = text.split_once(['x', 'X', '×'])?;
    size(cols.trim().parse().ok()?, rows.trim().parse().ok()?)
}

fn size(cols: u64, rows: u64) -> Option<Size> {
    if !SIDE.contains(&cols) || !SIDE.contains(&rows) {
        return None;
    }
    Some(Size::new(
        u16::try_from(rows).ok()?,
        u16::try_from(cols).ok()?,
    ))
}

fn header(bytes: &[u8]) -> Result<Cast, BadCast> {
    let bad = |what: String| BadCast::new(1, what);
    let header: Value = serde_json::from_slice(bytes).map_err(|_| {
        bad(
            "no asciicast header; give a file in asciicast v2 or v3, or the size of a raw capture with \
             --size COLSxROWS"
                .into(),
        )
    })?;
    let (format, cols, rows) = match header["version"].as_u64() {
        Some(2) => (Format::V2, &header["width"], &header["height"]),
        Some(3) => (Format::V3, &header["term"]["cols"], &header["term"]["rows"]),
        Some(other) => {
            return Err(bad(format!(
                "asciicast v{other} is not read; make it v2 with `asciinema convert`"
            )));
        }
        None => {
            return Err(bad(
                "the header has no \"version\"; give a file in asciicast v2 or v3".into(),
            ));
        }
    };
    let size = cols
        .as_u64()
        .zip(rows.as_u64())
        .and_then(|(cols, rows)| size(cols, rows));
    let size = size.ok_or_else(|| {
        let fields = match format {
            Format::V3 => "\"term\": {\"cols\", \"rows\"}",
            _ => "\"width\" and \"height\"",
        };
        bad(format!(
            "the header has no good size; give {fields}, each from 1 to 2000"
        ))
    })?;
    Ok(Cast {
        format,
        size,
        timestamp: header["timestamp"].as_u64(),
        ours: Ours::deserialize(&header["claude_retry"]).ok(),
        events: Vec::new(),
        cut: false,
    })
}

/// An event's three parts; `None` for a line that is none.
fn line(bytes: &[u8], format: Format) -> Result<Option<(f64, String, String)>, String> {
    let text = str::from_utf8(bytes).map_err(|_| {
        "not UTF-8; for a raw capture give the size with --size COLSxROWS".to_owned()
    })?;
    let text = text.trim();
    if text.is_empty() || format == Format::V3 && text.starts_with('#') {
        return Ok(None);
    }
    serde_json::from_str(text).map(Some).map_err(|_| {
        "no event, which is [time, \"code\", \"data\"]; mend the line, or take it out".into()
    })
}

fn seconds(time: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(time)
        .ok()
        .ok_or_else(|| format!("{time} is no time of an event; mend the line, or take it out"))
}

/// What an event says; `None` for one that nobody here reads.
fn event(code: &str, data: String) -> Result<Option<What>, String> {
    Ok(Some(match code {
        "o" => What::Output(data.into_bytes()),
        "i" => What::Input(data.into_bytes()),
        "r" => What::Resize(parse_size(&data).ok_or_else(|| {
            format!("{data:?} is no size, which is COLSxROWS, each from 1 to 2000; mend the line, or take it out")
        })?),
        "m" => What::Marker(data),
        "x" => What::Exit(exit(&data)),
        NOTE => match serde_json::from_str(&data) {
            Ok(note) => What::Note(note),
            // Of a later version, or of somebody else.
            Err(_) => return Ok(None),
        },
        _ => return Ok(None),
    }))
}

/// An exit status as a shell has it.
fn exit(data: &str) -> ExitKind {
    match data.trim().parse::<u8>() {
        Ok(code @ 129..=192) => ExitKind::Killed(code - 128),
        Ok(code) => ExitKind::Code(code),
        Err(_) => ExitKind::Code(255),
    }
}

#[cfg(test)]
mod tests;
