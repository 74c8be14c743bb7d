//! The turn ended in a transient error, but the prompt is not free: nothing is typed until it is. The hook
//! resumes, and the prompt stays as it is.

use super::{Case, SETTING_UP, Step, Want, case};
use crate::real::checks::DONE;
use crate::real::setup::Setup;
use crate::real::stage::RESUMED;
use crate::support::api::Answer;
use crate::support::terminal::Key;

const CTRL_U: Step = Step::Press(Key::Ctrl(b'u'));
const BACKSPACE: Step = Step::Type("\x7f");
const FREE: Step = Step::Prompt("");

/// After a failed turn, these steps of the user's.
fn hands_off(
    name: &'static str,
    steps: &'static [Step],
    keeps: &'static str,
    covers: bool,
    then: &'static [Step],
) -> Case {
    let want = Want::HandsOff {
        keeps,
        covers,
        then,
    };
    let setup = Setup::new([Answer::throttle(), Answer::text(DONE)]).wait(SETTING_UP);
    case(name, want, setup, steps, &["hello there", RESUMED])
}

/// The same with the user's steps done while the turn still runs: their keys do not pause the wait then.
fn set_up_before(
    name: &'static str,
    steps: &'static [Step],
    keeps: &'static str,
    then: &'static [Step],
) -> Case {
    let api = [Answer::throttle().gated(), Answer::text(DONE)];
    Case {
        setup: Setup::new(api),
        ..hands_off(name, steps, keeps, false, then)
    }
}

pub(super) fn all() -> Vec<Case> {
    vec![
        hands_off(
            "throttle-draft",
            &[
                Step::Ask("hello there"),
                Step::Failed,
                FREE,
                Step::Type("my half typed draft"),
                Step::Prompt("my half typed draft"),
            ],
            "my half typed draft",
            false,
            &[CTRL_U],
        ),
        hands_off(
            "dialog-open",
            &[
                Step::Ask("hello there"),
                Step::Failed,
                FREE,
                Step::Type("/model"),
                Step::See(&["/model"]),
                Step::Press(Key::Enter),
                Step::See(&["Select model"]),
            ],
            "Select model",
            true,
            &[Step::Press(Key::Escape)],
        ),
        set_up_before(
            "shell-mode",
            &[
                Step::Ask("hello there"),
                Step::Turns(1),
                FREE,
                Step::Type("!"),
                Step::Glyph('!'),
                Step::Release,
                Step::Failed,
            ],
            "",
            &[BACKSPACE],
        ),
        set_up_before(
            "shell-mode-draft",
            &[
                Step::Ask("hello there"),
                Step::Turns(1),
                FREE,
                Step::Type("!"),
                Step::Glyph('!'),
                Step::Type("rm -rf build"),
                Step::See(&["rm -rf build"]),
                Step::Release,
                Step::Failed,
            ],
            "rm -rf build",
            &[CTRL_U, Step::Gone("rm -rf build"), BACKSPACE],
        ),
        set_up_before(
            "slash-menu",
            &[
                Step::Ask("hello there"),
                Step::Turns(1),
                FREE,
                Step::Type("/"),
                Step::See(&["/add-dir"]),
                Step::Release,
                Step::Failed,
            ],
            "/add-dir",
            &[CTRL_U],
        ),
        hands_off(
            "transcript-view",
            &[
                Step::Ask("hello there"),
                Step::Failed,
                FREE,
                Step::Press(Key::Ctrl(b'o')),
                Step::See(&["detailed transcript"]),
            ],
            "detailed transcript",
            false,
            &[Step::Press(Key::Ctrl(b'o'))],
        ),
        hands_off(
            "history-search",
            &[
                Step::Ask("hello there"),
                Step::Failed,
                FREE,
                Step::Press(Key::Ctrl(b'r')),
                Step::See(&["search prompts:", "Filter history"]),
            ],
            "",
            false,
            &[Step::Press(Key::Escape)],
        ),
    ]
}
