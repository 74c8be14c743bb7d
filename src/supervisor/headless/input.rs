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

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        match &mut self.kept {
            Some(kept) if kept.len() + bytes.len() <= KEPT_AT_MOST => kept.extend_from_slice(bytes),
            kept => *kept = None,
        }
        if let Some(lines) = &mut self.lines {
            for line in lines.feed(bytes) {
                if self.initialize.is_none()
                    && let Some(id) = initialize_id(&line)
                {
                    self.initialize = Some((id, line));
                }
            }
        }
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
