//! A transcript reduced to what the supervisor reads of it: who followed whom and when, and the text of errors.

use serde_json::{Map, Value, json};

use crate::supervisor::wording::plain;

/// Fields that are kept as they are.
const KEPT: [&str; 10] = [
    "type",
    "subtype",
    "uuid",
    "parentUuid",
    "timestamp",
    "sessionId",
    "version",
    "isSidechain",
    "isMeta",
    "isApiErrorMessage",
];
/// Fields that are kept where the line is of an error of the API.
const OF_ERRORS: [&str; 4] = [
    "error",
    "apiErrorStatus",
    "apiErrorType",
    "apiErrorIsTransient",
];
/// The CLI's own marks before what a slash command of its own left behind.
const COMMAND: &str = "<command-name>";
const LEFT_BEHIND: [&str; 3] = [
    "<local-command-caveat>",
    "<local-command-stdout>",
    "<local-command-stderr>",
];

/// Reduces whole lines of a transcript. Lines that are no part of the conversation's chain are left out, and so is
/// all text but that of error lines and the names of slash commands.
pub fn reduce(transcript: &[u8]) -> String {
    transcript
        .split(|&byte| byte == b'\n')
        .filter_map(line)
        .fold(String::new(), |text, line| text + &line.to_string() + "\n")
}

fn line(bytes: &[u8]) -> Option<Value> {
    let Value::Object(full) = serde_json::from_slice(bytes).ok()? else {
        return None;
    };
    full.get("uuid")?;
    let mut line = Map::new();
    let is_error = full.get("isApiErrorMessage") == Some(&Value::Bool(true));
    let of_errors = is_error || full.get("subtype").is_some_and(|kind| kind == "api_error");
    let of_errors = OF_ERRORS.iter().filter(|_| of_errors);
    for name in KEPT.iter().chain(of_errors) {
        // A text of an unforeseen shape is not let through.
        if let Some(value) = full
            .get(*name)
            .filter(|value| !value.is_object() && !value.is_array())
        {
            line.insert((*name).into(), value.clone());
        }
    }
    if let Some(kind) = full
        .get("origin")
        .and_then(|origin| origin["kind"].as_str())
    {
        line.insert("origin".into(), json!({ "kind": kind }));
    }
    if let Some(message) = full.get("message") {
        let text = text_of(&message["content"]);
        let kept = if is_error {
            text
        } else if full["type"] == "user" {
            mark(&text)
        } else {
            String::new()
        };
        let role = message["role"].as_str();
        let role = role.filter(|role| matches!(*role, "user" | "assistant"));
        line.insert(
            "message".into(),
            json!({ "role": role, "content": [{ "type": "text", "text": kept }] }),
        );
    }
    Some(Value::Object(line))
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => plain(text),
        Value::Array(blocks) => {
            let texts: Vec<_> = blocks
                .iter()
                .filter_map(|block| block["text"].as_str())
                .collect();
            plain(&texts.join(" "))
        }
        _ => String::new(),
    }
}

/// The mark of a slash command that started no turn, without what it was given or said.
fn mark(text: &str) -> String {
    if let Some(rest) = text.strip_prefix(COMMAND) {
        let name = rest.split('<').next().unwrap_or_default().trim();
        let name = name.split(' ').next().unwrap_or_default();
        let is_part = |c: char| c.is_ascii_alphanumeric() || ":_-".contains(c);
        let is_name = name
            .strip_prefix('/')
            .is_some_and(|name| !name.is_empty() && name.chars().all(is_part));
        return format!(
            "{COMMAND}{}</command-name>",
            if is_name { name } else { "" }
        );
    }
    let left = LEFT_BEHIND.iter().find(|mark| text.starts_with(**mark));
    left.map_or(String::new(), ToString::to_string)
}
