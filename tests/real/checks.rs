//! What must have happened, in each mode.

use std::time::Duration;

use super::mode::Mode;
use super::stage::{Outcome, RESUMED, Rows, Stage, ensure};
use crate::support::screen::Screen;

/// The last answer of most scripts.
pub(crate) const DONE: &str = "Recovered and done.";
/// The banner of a throttled subscriber, without the server's own message behind it.
pub(crate) const BANNER: &str =
    "API Error: Server is temporarily limiting requests (not your usage limit)";
/// What the log has once the wrapper has begun to do something about an error.
const ACTS: [&str; 6] = ["waiting", "typing", "typed", "woken", "resumed", "gave-up"];
/// Longer than the wrapper lets the screen rest before it looks, and than the usual wait before a
/// resume: what has not begun by then does not begin.
pub(crate) const AT_REST: Duration = Duration::from_millis(900);
/// After so long without a change the prompt's rows are drawn.
pub(crate) const DRAWN: Duration = Duration::from_millis(200);

/// Is our bar to be seen?
pub(crate) fn has_bar(screen: &Screen) -> bool {
    (0..screen.cells.len()).any(|row| is_bar(&screen.row(row)))
}

/// Is this text our bar's: ` ⟳ throttled · retry 2/6 in 3.4s …`, a shorter form of it, or the one that
/// gives up? The CLI has words of its own with "retry" in them.
pub(crate) fn is_bar(text: &str) -> bool {
    let attempt = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit());
    text.contains('⟳') || text.contains("patient") || text.split("retry ").skip(1).any(attempt)
}

/// The turn has failed, and we wait.
pub(crate) fn failed(stage: &Stage) -> Outcome {
    stage.logged(stage.waiting())?;
    stage.see_text(BANNER).map(drop)
}

/// These turns, the session has recovered by each [`RESUMED`] among them, and is at rest again.
pub(crate) fn recovered(stage: &Stage, turns: &[&str]) -> Outcome {
    let resumes = turns.iter().filter(|turn| **turn == RESUMED).count();
    recovered_by(stage, resumes, turns)
}

/// The same with so many resumes of the program that runs now.
pub(crate) fn recovered_by(stage: &Stage, resumes: usize, turns: &[&str]) -> Outcome {
    stage.turns(turns.len())?;
    stage.see_text(DONE)?;
    if stage.mode.wrapped() {
        stage.logged("turn-ok")?;
    }
    at_rest(stage, resumes, turns)
}

/// The turns are over, and nothing of ours is to be seen.
pub(crate) fn at_rest(stage: &Stage, resumes: usize, turns: &[&str]) -> Outcome {
    stage.see("a free prompt and no bar", |screen| {
        stage.typed(screen).as_deref() == Some("") && !has_bar(screen)
    })?;
    resumed(stage, resumes)?;
    stage.expect_turns(turns)
}

/// So many resumes by the log, in the way of this mode, and not one more.
pub(crate) fn resumed(stage: &Stage, resumes: usize) -> Outcome {
    let count = |event: &str| stage.events(event).len();
    let found = match stage.mode {
        Mode::Typing => {
            stage.logged_times("resumed", resumes)?;
            [count("typing"), count("typed"), count("resumed")]
        }
        // Where the prompt is free it types, else the hook does it.
        Mode::Hook => {
            stage.logged_times("resumed", resumes)?;
            let woken = count("woken");
            [
                count("typing") + woken,
                count("typed") + woken,
                count("resumed"),
            ]
        }
        Mode::Alone => {
            // There is no word of ours that the turn went well: one too many would begin now.
            stage.quiet(AT_REST)?;
            [count("hook-resumed"); 3]
        }
    };
    ensure(found == [resumes; 3], || {
        format!("begun, done and seen: {found:?} times, not {resumes}")
    })?;
    stage.expect_no_event(&["failed", "gave-up"])
}

/// The wrapper does nothing about what is on the screen. Where it took it for a possible error, it has
/// decided so.
pub(crate) fn kept_out(stage: &Stage) -> Outcome {
    stage.quiet(AT_REST)?;
    let candidates = stage.events("candidate").len();
    stage.wait("a verdict to keep out for each candidate", |stage| {
        let verdicts = stage.events("verdict");
        let out = verdicts
            .iter()
            .filter(|entry| entry["verdict"] == "keep-out");
        (out.count() >= candidates).then_some(())
    })?;
    stage.expect_no_event(&ACTS)
}

/// The rows of the prompt, once they are drawn.
pub(crate) fn drawn(stage: &Stage) -> Outcome<Rows> {
    let mut rows = stage.screen().prompt_rows();
    stage.poll("the prompt to be drawn", |stage| {
        stage.pass(DRAWN);
        let before = std::mem::replace(&mut rows, stage.screen().prompt_rows());
        (before == rows).then(|| rows.clone())
    })
}

/// The prompt is as it was, to the last cell.
pub(crate) fn same_rows(stage: &Stage, before: &Rows, keeps: &str) -> Outcome {
    let same = |screen: &Screen| screen.prompt_rows() == *before && screen.shows(keeps);
    stage.see("the prompt as the user left it", same).map(drop)
}

/// None of the turns is ours.
pub(crate) fn no_resume_among(stage: &Stage) -> Outcome {
    let turns = stage.api.turns();
    let ours = turns.iter().any(|turn| stage.is_resume(turn));
    ensure(!ours, || format!("resumed: {turns:?}"))
}
