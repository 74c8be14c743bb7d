//! asciicast v2 recordings: <https://docs.asciinema.org/manual/asciicast/v2/>.

#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;
use std::time::Duration;

use claude_retry::term::Size;

/// Who wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The child, to its terminal.
    Output,
    /// The user, or the terminal.
    Input,
}

/// One write.
pub struct Event {
    pub at: Duration,
    pub kind: Kind,
    pub data: Vec<u8>,
}

/// A recording.
pub struct Cast {
    pub size: Size,
    pub events: Vec<Event>,
}

impl Cast {
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut lines = text.lines();
        let header: serde_json::Value =
            serde_json::from_str(lines.next().expect("a header")).expect("a header");
        let cells = |key: &str| {
            header[key]
                .as_u64()
                .and_then(|n| u16::try_from(n).ok())
                .expect("a size")
        };
        let events = lines
            .filter(|line| !line.is_empty())
            .map(|line| {
                let (at, kind, data): (f64, String, String) =
                    serde_json::from_str(line).expect("an event");
                Event {
                    at: Duration::from_secs_f64(at),
                    kind: if kind == "i" {
                        Kind::Input
                    } else {
                        Kind::Output
                    },
                    data: data.into_bytes(),
                }
            })
            .collect();
        Self {
            size: Size::new(cells("height"), cells("width")),
            events,
        }
    }

    /// What the child wrote, write by write.
    pub fn output(&self) -> impl Iterator<Item = &[u8]> {
        let output = self
            .events
            .iter()
            .filter(|event| event.kind == Kind::Output);
        output.map(|event| event.data.as_slice())
    }
}
