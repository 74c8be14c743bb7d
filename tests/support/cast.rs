//! Recordings, as the tests of the readers use them.

#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;
use std::time::Duration;

use claude_retry::cast::{self, What};
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
        let bytes =
            std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let cast =
            cast::Cast::read(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let events = cast.events.into_iter().filter_map(|event| {
            let (kind, data) = match event.what {
                What::Output(data) => (Kind::Output, data),
                What::Input(data) | What::Typed(data) => (Kind::Input, data),
                _ => return None,
            };
            let at = event.at;
            Some(Event { at, kind, data })
        });
        Self {
            size: cast.size,
            events: events.collect(),
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
