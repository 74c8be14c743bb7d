//! How the last turn really ended.

use claude_retry::supervisor::transcript::{Ending, LastTurn, Report};

use crate::world;

/// What the transcript says of the last turn.
#[derive(Clone, Debug)]
pub(crate) enum Truth {
    /// It ended well.
    Answered,
    /// A user's line is last.
    Asked,
    /// An error that a later try does not help, or one that nobody knows.
    Hopeless(&'static str),
    /// A transient error from before the start.
    Old(&'static str),
    /// A transient error, just now.
    Failed(&'static str),
    /// It is not there.
    Pending,
}

impl Truth {
    /// The same as the reader of transcripts would tell it.
    pub(crate) fn report(&self) -> Report {
        let failed = |text: &str| Ending::ApiError {
            text: text.to_owned(),
            error: None,
            status: None,
        };
        let (ending, unix_ms) = match self {
            Self::Answered => (Ending::Assistant, world::WALL + 1),
            Self::Asked => (Ending::User, world::WALL + 1),
            Self::Hopeless(text) | Self::Failed(text) => (failed(text), world::WALL + 1),
            Self::Old(text) => (failed(text), world::WALL - 1),
            Self::Pending => return Report::Pending,
        };
        let errors = u32::from(matches!(ending, Ending::ApiError { .. }));
        Report::Turn(LastTurn {
            uuid: "last".into(),
            unix_ms,
            session_id: "session".into(),
            ending,
            consecutive_errors: errors,
            unattended_errors: errors,
        })
    }
}
