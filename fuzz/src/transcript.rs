//! The reader of the transcript.

use claude_retry::supervisor::transcript::{Ending, LastTurn, errors_since, last_turn};
use serde::Deserialize;

use super::Dice;

/// Nothing is an error but what a line says is one, and what is half written changes nothing.
pub fn check(data: &[u8]) {
    let turn = last_turn(data, true);
    let all = errors_since(data, true, 0);
    if let Some(turn) = &turn {
        counts(turn, all);
        if let Ending::ApiError { text, error, .. } = &turn.ending {
            assert!(is_error_line(data, &turn.uuid), "no line says so: {turn:?}");
            for text in [text, error.as_ref().unwrap_or(text)] {
                assert!(!text.contains(char::is_control), "{text:?}");
            }
        }
    }
    // Without one there may be errors still: lines that are each other's parents are no turn.
    let mut dice = Dice::of(data);
    since(data, all, &mut dice);
    parts(data, turn.as_ref(), &mut dice);
}

fn counts(turn: &LastTurn, all: u32) {
    let failed = matches!(turn.ending, Ending::ApiError { .. });
    assert_eq!(failed, turn.consecutive_errors > 0, "{turn:?}");
    assert_eq!(failed, turn.unattended_errors > 0, "{turn:?}");
    assert!(
        turn.unattended_errors <= turn.consecutive_errors,
        "{turn:?}"
    );
    assert!(turn.consecutive_errors <= all, "{turn:?} of {all}");
}

/// Later times have fewer errors.
fn since(data: &[u8], all: u32, dice: &mut Dice) {
    let mut before = all;
    let mut time = 0_u64;
    for _ in 0..4 {
        time = time.saturating_add(1 << dice.below(46));
        let now = errors_since(data, true, time);
        assert!(now <= before, "{now} since {time}, {before} before");
        before = now;
    }
}

/// A tail is read from its second line on; a line that is still being written does not count.
fn parts(data: &[u8], turn: Option<&LastTurn>, dice: &mut Dice) {
    let mut start = dice.below(data.len() + 1);
    if dice.below(2) == 0 {
        // Right at a line's start: that line is whole, which the reader cannot know.
        let line = data[..start].iter().rposition(|&byte| byte == b'\n');
        start = line.map_or(0, |at| at + 1);
    }
    let tail = &data[start..];
    let second = tail.iter().position(|&byte| byte == b'\n');
    let rest = second.map_or(&[][..], |at| &tail[at + 1..]);
    assert_eq!(
        last_turn(tail, false),
        last_turn(rest, true),
        "from {start}"
    );
    assert_eq!(
        errors_since(tail, false, 0),
        errors_since(rest, true, 0),
        "from {start}"
    );

    let half = br#"
{"type":"assistant","uuid":"half","isApiErrorMessage":true,"timestamp":"2999-01-01T00:00:00Z","message":{"content":"#;
    let mut longer = data.to_vec();
    longer.extend_from_slice(&half[..=dice.below(half.len() - 1)]);
    assert_eq!(
        last_turn(&longer, true).as_ref(),
        turn,
        "a half line behind"
    );
}

/// Is there a line with this uuid that says that it is an API error? An independent look: the lines' other
/// fields, and which of them is the newest, are not its business.
fn is_error_line(data: &[u8], uuid: &str) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Line {
        uuid: Option<String>,
        is_api_error_message: Option<bool>,
        is_sidechain: Option<bool>,
    }
    data.split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Line>(line).ok())
        .any(|line| {
            line.uuid.as_deref() == Some(uuid)
                && line.is_api_error_message == Some(true)
                && line.is_sidechain != Some(true)
        })
}
