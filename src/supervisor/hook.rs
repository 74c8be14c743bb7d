//! What the CLI tells its hooks, and what a hook of ours answers.
//!
//! The CLI runs a hook as a command with a JSON object on stdin (`hook_event_name`, `session_id`,
//! `transcript_path`, `cwd`, …; 2.1.145 and 2.1.330). A `StopFailure` hook with `asyncRewake` that ends with
//! code 2 makes it start a turn by itself, with the hook's stderr told to the model; code 0 changes nothing.
//! The prompt is not touched either way.
//!
//! Between our hook and the wrapper goes one JSON line each way, [`Call`] and [`Answer`].

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::wording::plain;

/// Names the wrapper's socket to the hooks of the CLI that it runs.
pub const SOCKET_VAR: &str = "CLAUDE_RETRY_SOCKET";
/// How long the CLI lets a hook wait, in seconds: a week. Longer than any wait, and still a number that its
/// timers take (they count milliseconds in 31 bits).
pub const TIMEOUT_S: u64 = 7 * 24 * 3600;
/// What the CLI shows when the hook has resumed a turn (2.1.330; 2.1.145 has a fixed text of its own).
pub const SUMMARY: &str = "claude-retry: going on after a transient API error";
/// Stands before [`notice`] in what the model is told (2.1.330; 2.1.145 has a fixed text of its own).
const PREAMBLE: &str = "From claude-retry, the user's supervisor for API errors:";
/// More of an error's text is not looked at.
const TEXT_AT_MOST: usize = 4096;

/// One call of a hook of ours, for as long as its process waits for our word.
pub type HookId = u64;

/// What happened in the CLI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Happened {
    /// A session began: at the start, by `/clear`, by `/resume`, or it was compacted.
    SessionStart,
    /// A turn was begun: by the user, by us, or by a hook that resumed.
    UserPromptSubmit,
    /// A turn ended well.
    Stop,
    /// A turn ended in an API error.
    StopFailure {
        /// The error's whole text, control characters stripped, cut at 4096 bytes; empty where the CLI told none.
        text: String,
    },
}

/// One event of the CLI's, without anything of the conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookEvent {
    /// What happened.
    #[serde(flatten)]
    pub happened: Happened,
    /// In which session.
    pub session_id: String,
    /// The session's transcript; it need not be there yet.
    pub transcript: PathBuf,
}

/// What our hook sends to the wrapper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The event.
    #[serde(flatten)]
    pub event: HookEvent,
    /// The process of the CLI that ran the hook.
    pub cli: Option<i32>,
}

/// What the wrapper answers to a `StopFailure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// End with code 2: the CLI resumes the turn.
    Resume,
    /// End with code 0: nothing is to be done by the hook.
    LetGo,
    /// The CLI that ran the hook is not the wrapper's own.
    Foreign,
}

/// Why a hook's input says nothing to us.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not the JSON object that the CLI gives to its hooks.
    #[error("not what Claude Code tells its hooks: {0}")]
    Shape(String),
    /// Of an agent below the conversation: the CLI sees to those itself.
    #[error("an event of a subagent")]
    Agent,
    /// An event that no hook of ours is for.
    #[error("the event {0:?} is not one of ours")]
    Event(String),
}

/// Reads what the CLI wrote to a hook's stdin.
///
/// # Errors
///
/// When it is no such object, or of another event.
pub fn read(stdin: &[u8]) -> Result<HookEvent, Unreadable> {
    #[derive(Deserialize)]
    struct Fields {
        hook_event_name: String,
        session_id: String,
        transcript_path: PathBuf,
        #[serde(default)]
        last_assistant_message: Value,
        #[serde(default)]
        agent_id: Value,
    }
    let fields: Fields =
        serde_json::from_slice(stdin).map_err(|error| Unreadable::Shape(error.to_string()))?;
    if !fields.agent_id.is_null() {
        return Err(Unreadable::Agent);
    }
    let happened = match fields.hook_event_name.as_str() {
        "SessionStart" => Happened::SessionStart,
        "UserPromptSubmit" => Happened::UserPromptSubmit,
        "Stop" => Happened::Stop,
        "StopFailure" => {
            let text = plain(fields.last_assistant_message.as_str().unwrap_or_default());
            let text = cut(&text).to_owned();
            Happened::StopFailure { text }
        }
        _ => return Err(Unreadable::Event(plain(&fields.hook_event_name))),
    };
    Ok(HookEvent {
        happened,
        session_id: fields.session_id,
        transcript: fields.transcript_path,
    })
}

/// As much of an error's text as an event holds.
pub fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_AT_MOST)]
}

/// The hook that resumes, as an entry of the CLI's settings or of a plugin.
pub fn stop_failure(command: &str) -> Value {
    json!({
        "type": "command",
        "command": command,
        "asyncRewake": true,
        "timeout": TIMEOUT_S,
        "rewakeSummary": SUMMARY,
        "rewakeMessage": PREAMBLE,
    })
}

/// `hooks.json` of the wrapper's plugin. The other events are told in passing: nothing waits for them.
pub fn plugin_hooks(command: &str) -> Value {
    let told = json!([{"hooks": [{"type": "command", "command": command, "async": true}]}]);
    json!({"hooks": {
        "SessionStart": told,
        "UserPromptSubmit": told,
        "Stop": told,
        "StopFailure": [{"hooks": [stop_failure(command)]}],
    }})
}

/// What the model is told when the hook resumes: the hook's stderr. Nothing of it comes from the API or
/// the screen.
pub fn notice() -> &'static str {
    "The last turn was cut off by a transient error of the API, not by the user. The server takes requests \
     again. Go on exactly where you were; do not start over, and do not repeat what is done. If the user has \
     written anything since, that comes first."
}

#[cfg(test)]
mod tests;
