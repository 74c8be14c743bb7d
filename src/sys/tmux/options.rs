//! What is shown where tmux's users look: the option `@claude_retry` of each pane, and `@claude_retry_all` of the
//! session, or of all.

use std::time::Duration;

use crate::tmux::watched::{Standing, Watched, seconds};
use crate::tmux::{PaneId, SessionId, quote};

/// The steps of a long countdown: at each tmux draws the status line and the borders of all who look at it anew.
const STEP: Duration = Duration::from_secs(10);
/// Below this it counts by the second.
const FINE: Duration = Duration::from_mins(1);

/// What is left of a wait, in the steps in which an option tells of it: rounded up.
fn coarse(left: Duration) -> Duration {
    if left <= FINE {
        return left;
    }
    let ms = left.as_millis().div_ceil(STEP.as_millis()) * STEP.as_millis();
    u64::try_from(ms).map_or(left, Duration::from_millis)
}

/// What a pane's option says.
pub(super) fn text(standing: &Standing) -> Option<String> {
    let mut standing = standing.clone();
    if let Standing::Waiting { left, .. } = &mut standing {
        *left = coarse(*left);
    }
    standing.text()
}

/// Sets a pane's option, or unsets it.
pub(super) fn of_pane(pane: PaneId, text: Option<&str>) -> String {
    match text {
        Some(text) => format!("set-option -p -t {pane} @claude_retry {}", quote(text)),
        None => format!("set-option -p -u -t {pane} @claude_retry"),
    }
}

/// The same of the summary: an option of the session, where one alone is watched, else a global one. A format shows the
/// session's before the global one.
pub(super) fn of_all(session: Option<SessionId>, text: Option<&str>) -> String {
    let whose = session.map_or_else(
        || "-g".into(),
        |id| format!("-t {}", quote(&id.to_string())),
    );
    match text {
        Some(text) => format!("set-option {whose} @claude_retry_all {}", quote(text)),
        None => format!("set-option -u {whose} @claude_retry_all"),
    }
}

/// The panes of which there is something to be said: `2 waiting, next in 12s; 1 held`.
pub(super) fn summary(panes: &[Watched]) -> Option<String> {
    let waits: Vec<Duration> = panes
        .iter()
        .filter_map(|pane| match pane.standing {
            Standing::Waiting { left, .. } => Some(left),
            _ => None,
        })
        .collect();
    let count = |is: fn(&Standing) -> bool| panes.iter().filter(|pane| is(&pane.standing)).count();
    let mut parts = Vec::new();
    if let Some(next) = waits.iter().min() {
        parts.push(format!(
            "{} waiting, next in {}",
            waits.len(),
            seconds(coarse(*next))
        ));
    }
    let others = [
        (
            count(|s| matches!(s, Standing::Resuming { .. })),
            "resuming",
        ),
        (count(|s| matches!(s, Standing::HoldingOff { .. })), "held"),
        (
            count(|s| matches!(s, Standing::GaveUp { .. } | Standing::Failed)),
            "given up",
        ),
    ];
    for (n, what) in others.into_iter().filter(|(n, _)| *n > 0) {
        parts.push(format!("{n} {what}"));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(standing: Standing) -> Watched {
        Watched {
            pane: PaneId(1),
            place: "a:0.0".into(),
            folder: None,
            standing,
            resumed: 0,
            last: None,
        }
    }

    #[test]
    fn the_summary_says_what_there_is_to_be_said() {
        let waiting = |ms| {
            watched(Standing::Waiting {
                what: "throttled",
                attempt: 1,
                max: 6,
                left: Duration::from_millis(ms),
                total: Duration::from_secs(20),
            })
        };
        assert_eq!(summary(&[watched(Standing::Watching)]), None);
        let held = watched(Standing::HoldingOff {
            what: "throttled",
            attempt: 1,
            max: 6,
            reason: "you are typing",
        });
        assert_eq!(
            summary(&[waiting(61_000), waiting(11_200), held]).as_deref(),
            Some("2 waiting, next in 12s; 1 held")
        );
        let long = [
            waiting(61_000),
            waiting(70_000),
            waiting(70_001),
            waiting(60_000),
        ];
        let told = long.map(|pane| text(&pane.standing).unwrap_or_default());
        let left = told.map(|text| text.rsplit(' ').next().unwrap_or_default().to_owned());
        assert_eq!(left, ["1:10", "1:10", "1:20", "1:00"]);
        let next = summary(&[waiting(95_000)]);
        assert_eq!(next.as_deref(), Some("1 waiting, next in 1:40"));
    }

    #[test]
    fn a_text_is_one_argument_and_none_unsets() {
        assert_eq!(
            of_pane(PaneId(3), Some("it's")),
            r"set-option -p -t %3 @claude_retry 'it'\''s'"
        );
        assert_eq!(
            of_pane(PaneId(3), None),
            "set-option -p -u -t %3 @claude_retry"
        );
        assert_eq!(of_all(None, None), "set-option -u -g @claude_retry_all");
        assert_eq!(
            of_all(Some(SessionId(2)), Some("1 held")),
            "set-option -t '$2' @claude_retry_all '1 held'"
        );
    }
}
