//! The panes that are watched, as they are shown: a plain model, made by the engine (`sys/tmux`) and drawn by
//! whoever wants to.

use std::path::PathBuf;
use std::time::Duration;

pub use super::PaneId;

/// How a watched pane stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is wrong.
    Watching,
    /// An error is being looked into.
    Confirming,
    /// The backoff runs.
    Waiting {
        /// The error's class in a word or two: `throttled`.
        what: &'static str,
        /// Which try it is, from 1.
        attempt: u32,
        /// The most tries in a row.
        max: u32,
        /// What is left of the wait when the model was made.
        left: Duration,
        /// The whole wait.
        total: Duration,
    },
    /// The wait is over, but no way to resume is open just now.
    HoldingOff {
        /// The error's class.
        what: &'static str,
        /// Which try it is.
        attempt: u32,
        /// The most tries in a row.
        max: u32,
        /// Why, in words.
        reason: &'static str,
    },
    /// The message is being typed, or the turn should begin.
    Resuming {
        /// The error's class.
        what: &'static str,
        /// Which try it is.
        attempt: u32,
        /// The most tries in a row.
        max: u32,
    },
    /// The tries are spent.
    GaveUp {
        /// After what: `6 tries`.
        why: String,
    },
    /// Whoever watches cancelled the wait.
    Cancelled,
    /// The supervisor of this pane failed, and was dropped; the others go on.
    Failed,
}

impl Standing {
    /// In the words of tmux's options and of lines; `None` while there is nothing to be said. Whole seconds.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Watching | Self::Confirming => None,
            Self::Waiting {
                what,
                attempt,
                max,
                left,
                ..
            } => Some(format!(
                "{what}, retry {attempt}/{max} in {}",
                seconds(*left)
            )),
            Self::HoldingOff {
                what,
                attempt,
                max,
                reason,
            } => Some(format!("{what}, retry {attempt}/{max}: {reason}")),
            Self::Resuming {
                what, attempt, max, ..
            } => Some(format!("{what}, retry {attempt}/{max} now")),
            Self::GaveUp { why } => Some(format!("gave up after {why}")),
            Self::Cancelled => Some("retry cancelled".into()),
            Self::Failed => Some("claude-retry failed here, see its log".into()),
        }
    }
}

/// Rounded up, so that it never says 0: `9s`, `1:05`.
pub fn seconds(left: Duration) -> String {
    let whole = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    match whole {
        0..60 => format!("{}s", whole.max(1)),
        _ => format!("{}:{:02}", whole / 60, whole % 60),
    }
}

/// A pane that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Its id.
    pub pane: PaneId,
    /// Where it is, as tmux's user would say it: `session:window.pane`.
    pub place: String,
    /// The folder that its CLI was started in.
    pub folder: Option<PathBuf>,
    /// How it stands.
    pub standing: Standing,
    /// So many turns were resumed in it since the watch began.
    pub resumed: u32,
    /// What happened last, in words.
    pub last: Option<String>,
}

/// What happened to one pane: a line where there is no table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A CLI was found in it.
    Joined,
    /// Its CLI has ended, or the pane was closed.
    Left,
    /// It stands otherwise: see [`Watched::standing`]. Not for every second of a countdown.
    Changed,
    /// Its error is not ours, in words: a quotation, history, somebody else's.
    LeftAlone(String),
    /// The turn was resumed, and has begun.
    Resumed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_countdown_is_told_in_whole_seconds_and_never_as_none() {
        let text = |ms| seconds(Duration::from_millis(ms));
        assert_eq!(
            [0, 1, 1000, 1001, 59_001, 65_000].map(text),
            ["1s", "1s", "1s", "2s", "1:00", "1:05"]
        );
    }
}
