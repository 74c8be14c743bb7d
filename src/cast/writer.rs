//! Writes asciicast v2 line by line.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::{NOTE, Note, Ours};
use crate::supervisor::session::ExitKind;
use crate::term::Size;

/// The lines of a recording, in order. Times are since the start, and never go back.
#[derive(Debug, Default)]
pub struct Writer {
    last: Duration,
    /// The beginning of a character whose end has not come.
    output: Vec<u8>,
    input: Vec<u8>,
    typed: Vec<u8>,
}

impl Writer {
    /// The header; `term` is the value of `TERM`.
    pub fn header(size: Size, ours: &Ours, term: &str) -> String {
        // In this order: some readers look for the version at the file's very start.
        #[derive(Serialize)]
        struct Header<'a> {
            version: u8,
            width: u16,
            height: u16,
            timestamp: u64,
            env: Value,
            claude_retry: &'a Ours,
        }
        let header = Header {
            version: 2,
            width: size.cols,
            height: size.rows,
            timestamp: ours.started_ms / 1000,
            env: json!({ "TERM": term }),
            claude_retry: ours,
        };
        let header = serde_json::to_string(&header).unwrap_or_default();
        format!("{header}\n")
    }

    /// The child wrote.
    pub fn output(&mut self, at: Duration, bytes: &[u8]) -> String {
        let text = whole(&mut self.output, bytes);
        self.text(at, "o", &text)
    }

    /// The user typed, or the terminal answered.
    pub fn input(&mut self, at: Duration, bytes: &[u8]) -> String {
        let text = whole(&mut self.input, bytes);
        self.text(at, "i", &text)
    }

    /// We typed into the child.
    pub fn typed(&mut self, at: Duration, bytes: &[u8]) -> String {
        let text = whole(&mut self.typed, bytes);
        if text.is_empty() {
            return String::new();
        }
        self.note(at, &Note::Ours) + &self.text(at, "i", &text)
    }

    /// The terminal has this size now.
    pub fn resize(&mut self, at: Duration, size: Size) -> String {
        self.text(at, "r", &format!("{}x{}", size.cols, size.rows))
    }

    /// What only we read.
    pub fn note(&mut self, at: Duration, note: &Note) -> String {
        let note = serde_json::to_string(note).unwrap_or_default();
        self.text(at, NOTE, &note)
    }

    /// The child has ended; what began and did not end goes before it.
    pub fn exit(&mut self, at: Duration, kind: ExitKind) -> String {
        let code = match kind {
            ExitKind::Code(code) => code,
            ExitKind::Killed(signal) => 128u8.saturating_add(signal),
        };
        let rest = String::from_utf8_lossy(&std::mem::take(&mut self.output)).into_owned();
        self.text(at, "o", &rest) + &self.text(at, "x", &code.to_string())
    }

    fn text(&mut self, at: Duration, code: &str, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        self.last = self.last.max(at);
        let text = Value::from(text);
        format!("[{:.6}, \"{code}\", {text}]\n", self.last.as_secs_f64())
    }
}

/// What is whole of the text so far; a character that is not stays in `kept`.
fn whole(kept: &mut Vec<u8>, bytes: &[u8]) -> String {
    kept.extend_from_slice(bytes);
    let end = kept.len() - unfinished(kept);
    let rest = kept.split_off(end);
    let text = String::from_utf8_lossy(kept).into_owned();
    *kept = rest;
    text
}

/// How many bytes at the end may be the beginning of a character.
fn unfinished(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    let start = tail.iter().rposition(|&byte| byte >= 0xc0);
    let Some(start) = start else { return 0 };
    match str::from_utf8(&tail[start..]) {
        // No error length: more bytes could make it a character.
        Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => tail.len() - start,
        _ => 0,
    }
}
