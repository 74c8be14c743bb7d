//! Sessions that stand at a transient error since before an install: the hook acts on no old error.

use std::fmt::Write as _;
use std::time::Duration;

use crate::config::Settings;
use crate::supervisor::transcript::Ending;
use crate::supervisor::wording::{Reading, plain};
use crate::sys;

/// A session that stands at an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Its folder.
    pub(crate) folder: String,
    /// Since when.
    pub(crate) age: Duration,
    /// The error's text.
    pub(crate) error: String,
}

/// The sessions that run, under no wrapper of ours, and whose last turn ended in an error of these
/// classes.
pub(crate) fn standing(settings: &Settings) -> Vec<Standing> {
    let Some(config_dir) = sys::config_dir() else {
        return Vec::new();
    };
    let now = sys::unix_ms();
    let sessions = sys::running(&config_dir).into_iter();
    sessions
        .filter(|session| !session.wrapped)
        .filter_map(|session| {
            let turn = session.turn?;
            if sys::is_claimed(&turn.session_id, &turn.uuid) {
                // A hook sees to it, or did.
                return None;
            }
            let Ending::ApiError { text, .. } = turn.ending else {
                return None;
            };
            matches!(settings.catalogue.read(&text), Reading::Transient(class) if settings.retry_on.contains(&class)).then(
                || {
                    let folder = session.cwd.map(|cwd| plain(&cwd.to_string_lossy()));
                    Standing {
                        folder: folder.unwrap_or_else(|| "(an unknown folder)".into()),
                        age: Duration::from_millis(now.saturating_sub(turn.unix_ms)),
                        error: text,
                    }
                },
            )
        })
        .collect()
}

/// A word on each of them; nothing where there are none.
pub(super) fn report(settings: &Settings) -> String {
    let standing = standing(settings);
    if standing.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "these sessions failed before, and the hook never acts on an old error; type `continue` there:\n",
    );
    for session in standing {
        let error: String = session.error.chars().take(90).collect();
        let _ = writeln!(
            text,
            "  {} ({} ago): {error}",
            session.folder,
            age(session.age)
        );
    }
    text
}

/// Rounded down to its largest unit.
pub(crate) fn age(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..86400 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86400),
    }
}
