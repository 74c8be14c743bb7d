//! JSONL lines of the CLI's transcript to how the last turn ended.

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
pub fn last_turn(tail: &[u8], whole: bool) -> Option<LastTurn> {
    let _ = (tail, whole);
    None
}
