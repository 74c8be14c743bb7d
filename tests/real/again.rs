//! The throttle, twenty times over with delays drawn anew: of the user's keys, of the API's answers, and of our
//! own wait. The draws are those of the trial's number, so that a failure can be had again.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::checks::{DONE, recovered};
use super::mode::Mode;
use super::setup::Setup;
use super::stage::{Outcome, RESUMED, Stage};
use crate::support::api::Answer;
use crate::support::terminal::Key;

/// How often.
pub(crate) const TIMES: u64 = 20;
/// No delay of the user's or the API's is longer, in milliseconds.
const LONGEST: u64 = 1_500;
/// What is asked.
const QUESTION: &str = "hello there";

/// What it starts from.
pub(crate) fn setup() -> Setup {
    Setup::new([Answer::throttle().gated(), Answer::text(DONE).gated()])
        .env("CLAUDE_RETRY_JITTER", "full")
        .env("CLAUDE_RETRY_BASE", "1s")
        .env("CLAUDE_RETRY_CAP", "30s")
}

/// Each time the other of the wrapper's two modes.
pub(crate) fn mode(number: u64) -> Mode {
    if number.is_multiple_of(2) {
        Mode::Hook
    } else {
        Mode::Typing
    }
}

/// Its course.
pub(crate) fn play(stage: &mut Stage, number: u64) -> Outcome {
    let mut rng = StdRng::seed_from_u64(number);
    let mut pause = |longest| Duration::from_millis(rng.random_range(0..=longest));
    stage.start()?;
    stage.pass(pause(LONGEST));
    for letter in QUESTION.chars() {
        stage.type_text(&letter.to_string())?;
        stage.pass(pause(60));
    }
    stage.prompt(QUESTION)?;
    stage.pass(pause(LONGEST));
    stage.press(Key::Enter)?;
    for turn in 1..=2 {
        stage.turns(turn)?;
        stage.pass(pause(LONGEST));
        stage.api.release();
    }
    recovered(stage, &[QUESTION, RESUMED])
}
