//! The grid: each case in each of the three modes, on each version. A case is data: what the API answers,
//! what the user does, what is to be seen; the expectation for each mode follows from what is wanted.

mod hands_off;
mod leave;
mod retry;

use std::time::Duration;

use super::checks::{
    AT_REST, DONE, DRAWN, at_rest, drawn, failed, kept_out, no_resume_among, recovered, same_rows,
};
use super::mode::Mode;
use super::scenarios::SETTING_UP;
use super::setup::Setup;
use super::stage::{Outcome, RESUMED, Stage, ensure};
use crate::support::terminal::Key;

/// Longer than the wait of [`SETTING_UP`].
const LONGER: Duration = Duration::from_secs(3);
/// What the log has of a resume.
const NO_RESUME: [&str; 6] = [
    "typing",
    "typed",
    "woken",
    "resumed",
    "hook-resumed",
    "gave-up",
];

/// What the user does, or waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Writes a message into the free prompt and submits it.
    Ask(&'static str),
    /// Types this.
    Type(&'static str),
    /// Presses a key.
    Press(Key),
    /// Sees a text, the first of these or another.
    See(&'static [&'static str]),
    /// Sees this in the prompt, and nothing else.
    Prompt(&'static str),
    /// Sees the prompt begin with this.
    Glyph(char),
    /// Sees this text go.
    Gone(&'static str),
    /// The turn has failed, and the wait runs.
    Failed,
    /// The API has got so many turns.
    Turns(usize),
    /// The CLI has written a line with all of these into the transcript.
    Written(&'static [&'static str]),
    /// The API lets one answer go that it held back.
    Release,
}

/// What is to happen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Want {
    /// The turn ended in a transient error, and the prompt is free.
    Retry,
    /// It did, but the prompt is not free.
    HandsOff {
        /// What the user has on the screen, and keeps there.
        keeps: &'static str,
        /// The CLI begins no turn before that is closed.
        covers: bool,
        /// What the user does to have a free prompt again.
        then: &'static [Step],
    },
    /// Nothing is resumed.
    Leave(Because),
}

/// Why nothing is resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Because {
    /// No turn has failed: the CLI runs no hook.
    NoFailure,
    /// One has, but it is not for us.
    NotOurs,
    /// One has, and we wait; then the user goes on.
    GoneOn,
    /// One has, and the CLI goes on by itself.
    CliGoesOn,
    /// The CLI is at work all the while.
    AtWork,
}

/// A case.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it starts from.
    pub(crate) setup: Setup,
    /// A session before it in which the user does this, with nobody to watch.
    pub(crate) before: &'static [Step],
    /// What the user does.
    pub(crate) steps: &'static [Step],
    /// What is to happen.
    pub(crate) want: Want,
    /// The turns that the API gets in all; none stands for any, but no resume among them.
    pub(crate) turns: &'static [&'static str],
    /// Since which version it is to be had.
    pub(crate) since: u32,
}

/// The CLI's own retries, and its mode for screen readers.
const NEWER: u32 = 200;

fn case(
    name: &'static str,
    want: Want,
    setup: Setup,
    steps: &'static [Step],
    turns: &'static [&'static str],
) -> Case {
    Case {
        name,
        setup,
        before: &[],
        steps,
        want,
        turns,
        since: 0,
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    let mut all = retry::all();
    all.extend(hands_off::all());
    all.extend(leave::all());
    all
}

/// Plays it.
pub(crate) fn play(stage: &mut Stage, case: &Case) -> Outcome {
    if !case.before.is_empty() {
        stage.launch_with(&[], false)?;
        walk(stage, case.before)?;
        stage.quiet(AT_REST)?;
    }
    stage.start()?;
    walk(stage, case.steps)?;
    match case.want {
        Want::Retry => recovered(stage, case.turns),
        Want::HandsOff { keeps, then, .. } if stage.mode == Mode::Typing => {
            held_off(stage, keeps, case.turns)?;
            walk(stage, then)?;
            recovered(stage, case.turns)
        }
        Want::HandsOff {
            keeps,
            covers,
            then,
        } => woken(stage, keeps, covers, then, case.turns),
        Want::Leave(because) => left_alone(stage, case.turns, because),
    }
}

/// Does what the user does.
pub(crate) fn walk(stage: &Stage, steps: &[Step]) -> Outcome {
    for step in steps {
        match *step {
            Step::Ask(text) => stage.ask(text)?,
            Step::Type(text) => stage.type_text(text)?,
            Step::Press(key) => stage.press(key)?,
            Step::See(texts) => drop(stage.see(&format!("one of {texts:?}"), |screen| {
                texts.iter().any(|text| screen.shows(text))
            })?),
            Step::Gone(text) => {
                drop(stage.see(&format!("no {text:?}"), |screen| !screen.shows(text))?);
            }
            Step::Prompt(text) => stage.prompt(text)?,
            Step::Glyph(glyph) => drop(stage.see(&format!("the prompt {glyph:?}"), |screen| {
                screen.glyph() == Some(glyph)
            })?),
            Step::Failed => failed(stage)?,
            Step::Turns(count) => stage.turns(count)?,
            Step::Written(text) => stage.written(text)?,
            Step::Release => stage.api.release(),
        }
    }
    Ok(())
}

/// It is due, and nothing is typed: the prompt is not free.
fn held_off(stage: &Stage, keeps: &str, turns: &[&str]) -> Outcome {
    let before = drawn(stage)?;
    stage.sit_through(|| stage.logged("hold"))?;
    same_rows(stage, &before, keeps)?;
    let so_far = turns.iter().take_while(|turn| **turn != RESUMED);
    stage.expect_turns(&so_far.copied().collect::<Vec<_>>())?;
    stage.expect_no_event(&["typing"])
}

/// What is over the prompt may change the conversation, so the wrapper waits for its end.
fn closed(stage: &Stage, keeps: &str, then: &[Step], turns: &[&str]) -> Outcome {
    let before = drawn(stage)?;
    stage.sit_through(|| {
        stage.wait("a resume that is held off", |stage| {
            let holds = stage.events("hold");
            holds
                .iter()
                .any(|hold| hold["reason"] == "goes on when the dialog closes")
                .then_some(())
        })
    })?;
    stage.expect_turns(&turns[..turns.len() - 1])?;
    same_rows(stage, &before, keeps)?;
    walk(stage, then)?;
    stage.turns(turns.len())?;
    stage.see_text(DONE)?;
    at_rest(stage, 1, turns)
}

/// The hook resumes, and the prompt stays as it is.
fn woken(stage: &Stage, keeps: &str, covers: bool, then: &[Step], turns: &[&str]) -> Outcome {
    if covers && stage.mode == Mode::Hook {
        return closed(stage, keeps, then, turns);
    }
    let before = drawn(stage)?;
    let event = match stage.mode {
        Mode::Alone => "hook-resumed",
        Mode::Typing | Mode::Hook => "woken",
    };
    stage.sit_through(|| stage.logged(event))?;
    if covers {
        // The CLI begins the turn when that is closed.
        stage.quiet(DRAWN)?;
        stage.expect_turns(&turns[..turns.len() - 1])?;
    } else {
        stage.turns(turns.len())?;
        stage.quiet(AT_REST)?;
    }
    same_rows(stage, &before, keeps)?;
    walk(stage, then)?;
    stage.turns(turns.len())?;
    stage.see_text(DONE)?;
    at_rest(stage, 1, turns)?;
    stage.expect_no_event(&["typing"])?;
    let woken = stage.events("woken").len();
    ensure(stage.mode == Mode::Alone || woken == 1, || {
        format!("woken {woken} times")
    })
}

/// Nothing is resumed: not now, and not once the wait is over.
fn left_alone(stage: &Stage, turns: &[&str], because: Because) -> Outcome {
    let fails = !matches!(because, Because::NoFailure | Because::AtWork);
    match stage.mode {
        Mode::Alone if fails => drop(stage.logged("hook-let-go")?),
        Mode::Alone => {}
        Mode::Typing | Mode::Hook if because == Because::GoneOn => {
            drop(stage.logged("stood-down")?);
        }
        // A wait may begin, and end with the CLI at work.
        Mode::Typing | Mode::Hook if because == Because::CliGoesOn => stage.quiet(AT_REST)?,
        Mode::Typing | Mode::Hook if because == Because::AtWork => {}
        Mode::Typing | Mode::Hook => kept_out(stage)?,
    }
    if matches!(because, Because::GoneOn | Because::AtWork) {
        stage.pass(LONGER);
    } else if stage.mode == Mode::Alone {
        stage.quiet(AT_REST)?;
    }
    stage.expect_no_event(&NO_RESUME)?;
    if turns.is_empty() {
        return no_resume_among(stage);
    }
    stage.expect_turns(turns)
}
