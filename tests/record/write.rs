//! Fixtures: asciicasts v2 and transcripts.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use super::scrub::Scrub;
use crate::support::terminal::Passed;

/// The fields of a transcript's line that no reader needs, and that tell of the machine or are long.
const LEFT_OUT: [&str; 3] = ["toolUseResult", "gitBranch", "attachment"];
/// Of a line that is no message only these are kept.
const LINKS: [&str; 7] = [
    "type",
    "subtype",
    "uuid",
    "parentUuid",
    "isSidechain",
    "sessionId",
    "timestamp",
];

/// The first line of a cast.
pub(crate) fn header((rows, columns): (usize, usize), title: &str) -> String {
    let header = json!({"version": 2, "width": columns, "height": rows, "title": title,
        "env": {"TERM": "xterm-256color"}});
    format!("{header}\n")
}

/// A line of a cast.
pub(crate) fn event(seconds: f64, typed: bool, data: &str) -> String {
    let kind = if typed { "i" } else { "o" };
    let rounded = (seconds * 10_000.0).round() / 10_000.0;
    format!("{}\n", json!([rounded, kind, data]))
}

/// All that passed as the lines of a cast. A character that came in two reads stands where it began.
pub(crate) fn events(began: Instant, passed: &[Passed], scrub: &Scrub) -> Result<String, String> {
    let mut output: Vec<u8> = Vec::new();
    for part in passed.iter().filter(|part| !part.typed) {
        output.extend_from_slice(&part.bytes);
    }
    scrub.bytes(&mut output)?;
    let mut lines = String::new();
    let (mut from, mut to) = (0, 0);
    for part in passed {
        let seconds = part.at.saturating_duration_since(began).as_secs_f64();
        if part.typed {
            lines += &event(seconds, true, &String::from_utf8_lossy(&part.bytes));
            continue;
        }
        to += part.bytes.len();
        let mut end = to.max(from);
        while output.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
            end += 1;
        }
        let text = std::str::from_utf8(&output[from..end]).map_err(|error| error.to_string())?;
        if !text.is_empty() {
            lines += &event(seconds, false, text);
        }
        from = end;
    }
    Ok(lines)
}

/// A transcript with what the readers need of it. With `slim` only the messages are left, and each names the
/// message before it as its parent.
pub(crate) fn transcript(text: &str, slim: bool, scrub: &Scrub) -> Result<String, String> {
    let mut parents: HashMap<String, Value> = HashMap::new();
    let mut lines = String::new();
    for line in text.lines() {
        // Its last line may be half written.
        let Ok(mut line) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let Some(fields) = line.as_object_mut() else {
            continue;
        };
        let is_message = matches!(
            fields.get("type").and_then(Value::as_str),
            Some("user" | "assistant" | "system")
        );
        if let Some(parent) = fields.get("parentUuid").and_then(Value::as_str)
            && let Some(before) = parents.get(parent)
        {
            let before = before.clone();
            fields.insert("parentUuid".into(), before);
        }
        if is_message {
            fields.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
            if let Some(message) = fields.get_mut("message").and_then(Value::as_object_mut) {
                message.remove("usage");
            }
        } else if slim {
            if let Some(uuid) = fields.get("uuid").and_then(Value::as_str) {
                let parent = fields.get("parentUuid").cloned().unwrap_or_default();
                parents.insert(uuid.to_owned(), parent);
            }
            continue;
        } else {
            fields.retain(|name, _| LINKS.contains(&name.as_str()));
        }
        let _ = writeln!(lines, "{line}");
    }
    scrub.text(&lines)
}

/// Writes a file with its folder.
pub(crate) fn file(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)
}
