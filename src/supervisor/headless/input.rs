//! What came on stdin: kept for a run that starts over, and as lines what a run that is resumed needs of it.

use serde_json::json;

use super::stream::{Lines, initialize_id};

/// What is kept for a run that starts over.
pub const KEPT_AT_MOST: usize = 10 * 1024 * 1024;

/// The user's input so far.
#[derive(Debug)]
pub(super) struct Input {
    /// None where it was too much.
    kept: Option<Vec<u8>>,
    /// It has ended.
    pub(super) ended: bool,
    /// Only where it is lines of JSON.
    lines: Option<Lines>,
    /// The request that set the session up, with its id.
    initialize: Option<(String, Vec<u8>)>,
}

impl Input {
    pub(super) fn new(stream: bool) -> Self {
        Self {
            kept: Some(Vec::new()),
            ended: false,
            lines: stream.then(Lines::default),
            initialize: None,
        }
    }

    /// Takes what came; gives the lines that it ends, where it is lines.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        match &mut self.kept {
            Some(kept) if kept.len() + bytes.len() <= KEPT_AT_MOST => kept.extend_from_slice(bytes),
            kept => *kept = None,
        }
        let lines = self.lines.as_mut().map(|lines| lines.feed(bytes));
        let lines = lines.unwrap_or_default();
        if self.initialize.is_none() {
            self.initialize = lines
                .iter()
                .find_map(|line| Some((initialize_id(line)?, line.clone())));
        }
        lines
    }

    /// Has a line begun that has not ended?
    pub(super) fn in_line(&self) -> bool {
        self.lines
            .as_ref()
            .is_some_and(|lines| !lines.rest().is_empty())
    }

    /// All of it, unless it was too much.
    pub(super) fn kept(&self) -> Option<&[u8]> {
        self.kept.as_deref()
    }

    /// The request that sets a session up, with its id.
    pub(super) fn initialize(&self) -> Option<&(String, Vec<u8>)> {
        self.initialize.as_ref()
    }
}

/// The message as a line of `stream-json`.
pub(super) fn message_line(message: &str, session: &str, uuid: &str) -> Vec<u8> {
    let line = json!({
        "type": "user",
        "message": { "role": "user", "content": [{ "type": "text", "text": message }] },
        "parent_tool_use_id": null,
        "session_id": session,
        "uuid": uuid,
    });
    format!("{line}\n").into_bytes()
}
