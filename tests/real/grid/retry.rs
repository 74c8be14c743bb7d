//! The turn ended in a transient error, and the prompt is free: it is resumed.

use super::{Case, NEWER, SETTING_UP, Step, Want, case};
use crate::real::checks::DONE;
use crate::real::setup::Setup;
use crate::real::stage::RESUMED;
use crate::support::api::Answer;
use crate::support::terminal::Key;

const ASK: &[Step] = &[Step::Ask("hello there")];
const ONCE: &[&str] = &["hello there", RESUMED];

fn retry(
    name: &'static str,
    setup: Setup,
    steps: &'static [Step],
    turns: &'static [&'static str],
) -> Case {
    case(name, Want::Retry, setup, steps, turns)
}

fn after(answer: Answer) -> Setup {
    Setup::new([answer, Answer::text(DONE)])
}

fn error(status: u16, kind: &'static str, message: &'static str) -> Setup {
    after(Answer::error(status, kind, message))
}

/// More than a screen.
fn long_answer() -> Answer {
    let paragraphs = (0..40).map(|n| {
        format!("Paragraph {n}: the quick brown fox jumps over the lazy dog, and keeps on running.")
    });
    Answer::text(paragraphs.collect::<Vec<_>>().join("\n\n"))
}

pub(super) fn all() -> Vec<Case> {
    let throttle = Answer::throttle;
    let throttled = || after(throttle());
    let done = || Answer::text(DONE);
    let mut all = vec![
        retry("throttle", throttled(), ASK, ONCE),
        retry("throttle-narrow", throttled().size(24, 44), ASK, ONCE),
        retry("throttle-wide", throttled().size(50, 200), ASK, ONCE),
        retry("throttle-short", throttled().size(14, 80), ASK, ONCE),
        retry(
            "throttle-after-tool",
            Setup::new([Answer::bash("echo tool ran"), throttle(), done()]),
            ASK,
            &["hello there", "<tool_result>", RESUMED],
        ),
        retry(
            "throttle-second-turn",
            Setup::new([Answer::text("First answer."), throttle(), done()]),
            &[
                Step::Ask("hello there"),
                Step::See(&["First answer."]),
                Step::Ask("and again"),
            ],
            &["hello there", "and again", RESUMED],
        ),
        retry(
            "throttle-twice",
            Setup::new([throttle(), throttle(), done()]),
            ASK,
            &["hello there", RESUMED, RESUMED],
        ),
        retry(
            "throttle-long-talk",
            Setup::new([long_answer(), throttle(), done()]),
            &[
                Step::Ask("hello there"),
                Step::See(&["Paragraph 39"]),
                Step::Ask("and again"),
            ],
            &["hello there", "and again", RESUMED],
        ),
        retry("throttle-apikey", throttled().api_key(), ASK, ONCE),
        retry(
            "throttle-own-retries",
            Setup::new([throttle(), throttle(), throttle(), done()])
                .env("CLAUDE_CODE_MAX_RETRIES", "2"),
            ASK,
            &["hello there", "hello there", "hello there", RESUMED],
        ),
        retry(
            "throttle-screen-reader",
            throttled().args(&["--ax-screen-reader"]),
            ASK,
            ONCE,
        ),
        // In NORMAL mode a plain `continue` would be eaten as commands.
        retry(
            "throttle-vim-normal",
            throttled()
                .wait(SETTING_UP)
                .args(&["--settings", r#"{"editorMode":"vim"}"#]),
            &[
                Step::See(&["INSERT"]),
                Step::Ask("hello there"),
                Step::Failed,
                Step::Press(Key::Escape),
                Step::Gone("INSERT"),
            ],
            ONCE,
        ),
    ];
    for case in &mut all {
        if ["throttle-own-retries", "throttle-screen-reader"].contains(&case.name) {
            case.since = NEWER;
        }
    }
    all.extend(other_classes());
    all
}

fn other_classes() -> Vec<Case> {
    vec![
        retry(
            "overloaded",
            error(529, "overloaded_error", "Overloaded"),
            ASK,
            ONCE,
        ),
        retry(
            "server-error",
            error(500, "api_error", "Internal server error"),
            ASK,
            ONCE,
        ),
        retry(
            "unavailable",
            error(503, "api_error", "Service unavailable"),
            ASK,
            ONCE,
        ),
        retry(
            "connection-dropped",
            after(Answer::drop_connection()),
            ASK,
            ONCE,
        ),
        retry(
            "cut-in-the-middle",
            after(Answer::cut("Half an answer is")),
            ASK,
            ONCE,
        ),
    ]
}
