//! JSONL lines of the CLI's transcript to how the last turn ended.
//!
//! Which line is the newest is a question of `parentUuid` and time, not of the place in the file: the
//! CLI was seen to write a user's line behind the error that answers it. Lines of other types
//! (attachments, `system`) are links of the same chain.
//!
//! Slash commands that the CLI does by itself (`/model`) start no turn: they do not hide how the turn
//! before them ended. They leave `system` lines (2.1.145 and 2.1.330), or user lines of a known form.
//! Those that change what the conversation is (`/compact`, `/rewind`, …) and leave user lines do hide it,
//! whether they succeed or not: after them an earlier error is not to be acted upon, and a failed
//! `/compact` leaves no error line of its own.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::banner::REWRITING_COMMANDS;

/// How the newest main-chain `user` or `assistant` line stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A synthetic line with `isApiErrorMessage`: the turn ended in an API error.
    ApiError {
        /// The whole text, `API Error: …`, control characters stripped.
        text: String,
        /// The line's `error` field: `rate_limit`, `server_error`, …
        error: Option<String>,
        /// The HTTP status, where the line has one.
        status: Option<u16>,
    },
    /// An assistant's own message is last.
    Assistant,
    /// A user's line is last (a message, a tool's result): the turn goes on, or was interrupted.
    User,
}

/// The last turn by the transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastTurn {
    /// The newest line's uuid: an error's identity.
    pub uuid: String,
    /// Its time, in milliseconds since the Unix epoch.
    pub unix_ms: u64,
    /// The session's id.
    pub session_id: String,
    /// How it stands.
    pub ending: Ending,
    /// How many error lines stand at the end of the chain with no assistant's own line between
    /// them (0 when the last line is not an error).
    pub consecutive_errors: u32,
    /// How many of them came since the user last wrote: turns that a hook began are nobody's.
    pub unattended_errors: u32,
}

/// What a look at the transcript gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// No transcript can be found for this session (or `transcript = off`).
    Unknown,
    /// It is named, but is not there (yet), cannot be read, or holds no turn yet.
    Pending,
    /// The last turn.
    Turn(LastTurn),
}

/// Reads the last turn from the end of a transcript. `tail` may begin in the middle of a line
/// unless `whole`; its last line may be half written.
///
/// Lines that are not JSON, or of another shape, are passed over. `None` when no turn is in it.
pub fn last_turn(tail: &[u8], whole: bool) -> Option<LastTurn> {
    crate::fault::point("transcript");
    let lines = read_lines(tail, whole);
    let chain = Chain::new(&lines);
    let newest = chain.newest()?;
    let line = &lines[newest];
    let ending = match line.role {
        Role::Error => {
            let detail = Detail::read(line.bytes);
            Ending::ApiError {
                text: detail.text,
                error: detail.error,
                status: detail.status,
            }
        }
        Role::Assistant | Role::Filler => Ending::Assistant,
        Role::User | Role::Woken | Role::Link => Ending::User,
    };
    Some(LastTurn {
        uuid: line.uuid.clone(),
        unix_ms: line.unix_ms,
        session_id: line.session_id.clone(),
        ending,
        consecutive_errors: chain.errors_back_from(newest, &[Role::Assistant]),
        unattended_errors: chain.errors_back_from(newest, &[Role::Assistant, Role::User]),
    })
}

/// How many error lines of the end of a transcript are of this time (in milliseconds since the Unix epoch)
/// or later, in whatever branch. `tail` and `whole` as for [`last_turn`].
pub fn errors_since(tail: &[u8], whole: bool, unix_ms: u64) -> u32 {
    let lines = read_lines(tail, whole);
    let errors = lines
        .iter()
        .filter(|line| line.role == Role::Error && line.unix_ms >= unix_ms);
    u32::try_from(errors.count()).unwrap_or(u32::MAX)
}

/// Does the tail hold a line with the session's costs?
pub fn has_costs(tail: &[u8]) -> bool {
    const START: &[u8] = br#"{"type":"cost-state""#;
    tail.split(|&byte| byte == b'\n')
        .any(|line| line.starts_with(START))
}

/// What a line is to the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    User,
    /// A user's line that the CLI wrote: a hook, or a task in the background, began the turn.
    Woken,
    Assistant,
    Error,
    /// Of the CLI's own making in a run that resumes a failed turn (2.1.145): neither an answer nor a message. It is the
    /// newest line as long as nothing follows.
    Filler,
    /// Of the chain, but no turn's: attachments, `system`, a local command.
    Link,
}

/// A line of the main chain.
#[derive(Debug)]
struct Line<'a> {
    bytes: &'a [u8],
    uuid: String,
    parent: Option<String>,
    unix_ms: u64,
    session_id: String,
    role: Role,
}

/// The fields that place a line; what else is in it is skipped unread.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    uuid: Cow<'a, str>,
    #[serde(borrow, default)]
    parent_uuid: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    timestamp: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    session_id: Option<Cow<'a, str>>,
    #[serde(default)]
    is_sidechain: Option<bool>,
    #[serde(default)]
    is_api_error_message: Option<bool>,
    #[serde(default)]
    origin: Option<Origin>,
}

/// Who wrote a user's line (2.1.145, 2.1.330); a field whose shape is not promised.
#[derive(Deserialize)]
#[serde(untagged)]
enum Origin {
    Of { kind: String },
    Other(IgnoredAny),
}

/// The kind of a line that stands for a hook's end.
const NOTIFICATION: &str = "task-notification";

fn read_lines(tail: &[u8], whole: bool) -> Vec<Line<'_>> {
    let tail = if whole {
        tail
    } else {
        let first_end = tail
            .iter()
            .position(|&byte| byte == b'\n')
            .map_or(tail.len(), |at| at + 1);
        &tail[first_end..]
    };
    tail.split(|&byte| byte == b'\n')
        .filter_map(read_line)
        .collect()
}

fn read_line(bytes: &[u8]) -> Option<Line<'_>> {
    // Most of a transcript's other lines (modes, snapshots, queue operations) have no uuid.
    if !bytes.starts_with(b"{") || !contains(bytes, b"\"uuid\"") {
        return None;
    }
    let fields: Fields<'_> = serde_json::from_slice(bytes).ok()?;
    if fields.is_sidechain == Some(true) {
        return None;
    }
    let role = match &*fields.kind {
        "assistant" if fields.is_api_error_message == Some(true) => Role::Error,
        "assistant" if is_filler(bytes) => Role::Filler,
        "assistant" => Role::Assistant,
        "user" if is_local_command(bytes) => Role::Link,
        "user" if matches!(&fields.origin, Some(Origin::Of { kind }) if kind == NOTIFICATION) => {
            Role::Woken
        }
        "user" => Role::User,
        _ => Role::Link,
    };
    Some(Line {
        bytes,
        uuid: fields.uuid.into_owned(),
        parent: fields.parent_uuid.map(Cow::into_owned),
        unix_ms: fields
            .timestamp
            .and_then(|time| unix_ms(&time))
            .unwrap_or(0),
        session_id: fields.session_id.map(Cow::into_owned).unwrap_or_default(),
        role,
    })
}

/// Does the needle occur?
fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

fn unix_ms(time: &str) -> Option<u64> {
    let time: jiff::Timestamp = time.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok()
}

/// The synthetic answer that the CLI puts between a failed turn and the message that resumes it.
fn is_filler(bytes: &[u8]) -> bool {
    contains(bytes, b"\"<synthetic>\"") && Detail::read(bytes).text == NO_RESPONSE
}

/// Its text.
const NO_RESPONSE: &str = "No response requested.";

/// A user line that stands for a slash command that started no turn: the caveat before it, the command,
/// its output.
///
/// A command that expands to a prompt begins with `<command-message>`, and the prompt follows in a line
/// of its own.
fn is_local_command(bytes: &[u8]) -> bool {
    if !contains(bytes, b"<command-name>") && !contains(bytes, b"<local-command-") {
        return false;
    }
    let text = Detail::read(bytes).text;
    if let Some(rest) = text.strip_prefix("<command-name>") {
        let name = rest.split('<').next().unwrap_or_default().trim();
        return name
            .strip_prefix('/')
            .is_some_and(|name| !REWRITING_COMMANDS.contains(&name));
    }
    [
        "<local-command-caveat>",
        "<local-command-stdout>",
        "<local-command-stderr>",
    ]
    .iter()
    .any(|tag| text.starts_with(tag))
}

/// What only the line in question is read for.
struct Detail {
    text: String,
    error: Option<String>,
    status: Option<u16>,
}

impl Detail {
    fn read(bytes: &[u8]) -> Self {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Full {
            message: Option<Message>,
            error: Option<Scalar>,
            api_error_status: Option<Scalar>,
        }
        #[derive(Deserialize)]
        struct Message {
            content: Option<Content>,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Content {
            Text(String),
            Blocks(Vec<Block>),
            Other(IgnoredAny),
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Block {
            Text { text: String },
            Other(IgnoredAny),
        }
        /// A field whose type is not promised.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Scalar {
            Number(u16),
            Text(String),
            Other(IgnoredAny),
        }
        let full: Option<Full> = serde_json::from_str(&String::from_utf8_lossy(bytes)).ok();
        let (message, error, status) = full.map_or((None, None, None), |full| {
            (full.message, full.error, full.api_error_status)
        });
        let text = match message.and_then(|message| message.content) {
            Some(Content::Text(text)) => text,
            Some(Content::Blocks(blocks)) => {
                let texts = blocks.into_iter().filter_map(|block| match block {
                    Block::Text { text } => Some(text),
                    Block::Other(_) => None,
                });
                texts.collect::<Vec<_>>().join(" ")
            }
            Some(Content::Other(_)) | None => String::new(),
        };
        Self {
            text: super::wording::plain(&text),
            error: match error {
                Some(Scalar::Text(error)) => Some(super::wording::plain(&error)),
                _ => None,
            },
            status: match status {
                Some(Scalar::Number(status)) => Some(status),
                _ => None,
            },
        }
    }
}

/// The lines by their parents.
struct Chain<'a> {
    lines: &'a [Line<'a>],
    /// The last line with a uuid.
    by_uuid: HashMap<&'a str, usize>,
}

impl<'a> Chain<'a> {
    fn new(lines: &'a [Line<'a>]) -> Self {
        let by_uuid = lines
            .iter()
            .enumerate()
            .map(|(at, line)| (line.uuid.as_str(), at))
            .collect();
        Self { lines, by_uuid }
    }

    fn parent(&self, at: usize) -> Option<usize> {
        self.by_uuid.get(self.lines[at].parent.as_deref()?).copied()
    }

    fn is_turn(&self, at: usize) -> bool {
        self.lines[at].role != Role::Link
    }

    /// The newest line of a turn: of those that no other one descends from the latest. (There are
    /// several where the user went back to an earlier message.)
    fn newest(&self) -> Option<usize> {
        let mut older = vec![false; self.lines.len()];
        for at in (0..self.lines.len()).filter(|&at| self.is_turn(at)) {
            let mut next = self.parent(at);
            while let Some(ancestor) = next.filter(|&ancestor| !older[ancestor]) {
                older[ancestor] = true;
                next = self.parent(ancestor);
            }
        }
        (0..self.lines.len())
            .filter(|&at| self.is_turn(at) && !older[at])
            .max_by_key(|&at| (self.lines[at].unix_ms, at))
    }

    /// The line of a turn before this one: its nearest ancestor, or, where the chain is broken, the
    /// latest one that is not later.
    fn before(&self, at: usize) -> Option<usize> {
        let mut seen = 0;
        let mut next = self.parent(at);
        while let Some(ancestor) = next.filter(|_| seen <= self.lines.len()) {
            if self.is_turn(ancestor) {
                return Some(ancestor);
            }
            seen += 1;
            next = self.parent(ancestor);
        }
        let key = |at: usize| (self.lines[at].unix_ms, at);
        (0..self.lines.len())
            .filter(|&other| self.is_turn(other) && key(other) < key(at))
            .max_by_key(|&other| key(other))
    }

    /// Errors from here back to the first line of one of these roles.
    fn errors_back_from(&self, newest: usize, ends: &[Role]) -> u32 {
        if self.lines[newest].role != Role::Error {
            return 0;
        }
        let mut visited = vec![false; self.lines.len()];
        let mut count = 0;
        let mut next = Some(newest);
        while let Some(at) = next.filter(|&at| !visited[at]) {
            visited[at] = true;
            match self.lines[at].role {
                role if ends.contains(&role) => break,
                Role::Error => count += 1,
                Role::Assistant | Role::User | Role::Woken | Role::Filler | Role::Link => {}
            }
            next = self.before(at);
        }
        count
    }
}

#[cfg(test)]
mod tests;
