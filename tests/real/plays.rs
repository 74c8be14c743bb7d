//! The courses that are more than a question and its answer.

use super::checks::{AT_REST, BANNER, DONE, failed, has_bar, is_bar, recovered, recovered_by};
use super::hooked::{hook_waits, no_hook_waits};
use super::mode::Mode;
use super::stage::{Outcome, RESUMED, Stage, ensure};
use crate::support::terminal::{Exit, Key};

/// The user goes on, and the wrapper has done nothing about the error before.
fn goes_on(stage: &Stage, then: &str) -> Outcome {
    let before = stage.api.turns().len();
    stage.ask("and now")?;
    stage.turns(before + 1)?;
    stage.see(&format!("{then:?} after the next turn"), |screen| {
        let text = screen.text();
        let Some(at) = text.rfind("and now") else {
            return false;
        };
        text[at..].contains(then) && screen.prompt().as_deref() == Some("")
    })?;
    let turns = stage.api.turns();
    ensure(turns[before].ends_with("and now"), || {
        format!("turn {before} of {turns:?} is not the user's")
    })?;
    ensure(!turns.iter().any(|turn| turn.ends_with("continue")), || {
        format!("resumed: {turns:?}")
    })?;
    stage.expect_no_event(&["typing", "typed", "resumed", "failed"])
}

/// The harness on the CLI alone: the test user does what the wrapper is for.
pub(crate) fn bare(stage: &mut Stage) -> Outcome {
    stage.launch_with(&[], false)?;
    stage.ask("hello there")?;
    stage.see_text(BANNER)?;
    stage.ask("continue")?;
    stage.turns(2)?;
    stage.see_text(DONE)?;
    stage.prompt("")?;
    stage.expect_turns(&["hello there", "continue"])?;
    stage.quiet(AT_REST)?;
    stage.press(Key::Ctrl(b'c'))?;
    stage.see_text("again to exit")?;
    stage.press(Key::Ctrl(b'c'))?;
    let exit = stage.ended()?;
    ensure(exit == Exit::Code(0), || format!("{exit:?}"))?;
    left_as_found(stage)
}

/// Waits for the turn to have failed and the wrapper to count down.
pub(super) fn throttled(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    failed(stage)?;
    stage.prompt("")
}

/// The user's key comes between our text and our Enter: both are taken back, the key stays.
pub(crate) fn key_in_between(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    stage.logged("typing")?;
    stage.type_text("x")?;
    stage.logged("undone")?;
    stage.prompt("x")?;
    stage.expect_no_event(&["typed"])?;
    stage.expect_turns(&["hello there"])?;
    // What the user submits is theirs alone.
    stage.press(Key::Enter)?;
    stage.turns(2)?;
    stage.see_text(DONE)?;
    stage.expect_turns(&["hello there", "x"])
}

/// With no transcript the screen alone decides, and must have seen the turn run. A local API answers
/// faster than 2.1.145 draws that; a real one does not.
pub(crate) fn screen_only(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    works_and_ends(stage, 1)?;
    let verdict = stage.logged("verdict")?;
    if stage.screen().shows(" · done ") {
        // 2.1.250 has this line behind errors and answers alike, and an answer may have an error's words.
        ensure(verdict["verdict"] == "keep-out", || {
            format!("the screen alone decided: {verdict}")
        })?;
        stage.quiet(AT_REST)?;
        return stage.expect_turns(&["hello there"]);
    }
    works_and_ends(stage, 2)?;
    recovered(stage, &["hello there", RESUMED])
}

/// The CLI is seen at work on this turn, then the API lets its answer go.
fn works_and_ends(stage: &mut Stage, turn: usize) -> Outcome {
    stage.turns(turn)?;
    stage.see_text("esc to interrupt")?;
    // As long as the spinner turns, the wrapper has seen it.
    for _ in 0..3 {
        stage.more_output()?;
    }
    stage.api.release();
    Ok(())
}

/// Ctrl+C is ours while we wait: the CLI does not even arm its exit.
pub(crate) fn cancel(stage: &mut Stage) -> Outcome {
    throttled(stage)?;
    if stage.mode == Mode::Hook {
        hook_waits(stage)?;
    }
    stage.press(Key::Ctrl(b'c'))?;
    stage.logged("cancelled")?;
    no_hook_waits(stage)?;
    stage.quiet(AT_REST)?;
    ensure(!stage.screen().shows("again to exit"), || {
        "the CLI is armed to exit".into()
    })?;
    goes_on(stage, DONE)?;
    stage.expect_turns(&["hello there", "and now"])
}

pub(crate) fn go_now(stage: &mut Stage) -> Outcome {
    throttled(stage)?;
    stage.press(Key::Enter)?;
    recovered(stage, &["hello there", RESUMED])?;
    no_hook_waits(stage)
}

pub(crate) fn pauses(stage: &mut Stage) -> Outcome {
    throttled(stage)?;
    stage.type_text("wait")?;
    stage.logged("paused")?;
    stage.prompt("wait")?;
    stage.press(Key::Ctrl(b'u'))?;
    stage.logged("unpaused")?;
    recovered(stage, &["hello there", RESUMED])
}

/// Six resumes, then the error is left to the user, and the screen to the CLI.
pub(crate) fn spent(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    stage.logged("gave-up")?;
    let mut turns = vec!["hello there"];
    turns.extend([RESUMED; 6]);
    stage.expect_turns(&turns)?;
    stage.see_text("patient")?;
    stage.see("no bar", |screen| {
        !has_bar(screen) && !is_bar(&screen.title)
    })?;
    // The user's next turn is an eighth request, and starts afresh: a resume is begun for it.
    stage.ask("and now")?;
    stage.turns(8)?;
    let last = stage.api.turns().swap_remove(7);
    ensure(last.ends_with("and now"), || format!("turn 8 is {last:?}"))
}

/// The bar is there while we wait; then the screen is that of a run without us.
pub(crate) fn bar(stage: &mut Stage) -> Outcome {
    stage.launch_with(&[], false)?;
    stage.ask("hello there")?;
    stage.see_text(BANNER)?;
    stage.ask("continue")?;
    stage.see_text(DONE)?;
    stage.prompt("")?;
    stage.quiet(AT_REST)?;
    let without = stage.screen();
    // Killed, 2.1.330 would start with another renderer the next time.
    stage.press(Key::Ctrl(b'c'))?;
    stage.see_text("again to exit")?;
    stage.press(Key::Ctrl(b'c'))?;
    stage.ended()?;

    stage.start()?;
    stage.ask("hello there")?;
    let counting = stage.see("the bar", |screen| has_bar(screen) || is_bar(&screen.title))?;
    if counting.alternate {
        ensure(is_bar(&counting.last_row()), || {
            format!("the last row is {:?}", counting.last_row())
        })?;
    }
    ensure(counting.alternate == without.alternate, || {
        "not the screen of a run without us".into()
    })?;
    recovered_by(
        stage,
        1,
        &["hello there", "continue", "hello there", RESUMED],
    )?;
    stage.see("the last row as the CLI draws it", |screen| {
        screen.cells.last() == without.cells.last()
    })?;
    stage.see("the CLI's own title", |screen| {
        screen.title == without.title
    })?;
    Ok(())
}

/// The window changes its size while we wait.
pub(crate) fn resized(stage: &mut Stage) -> Outcome {
    throttled(stage)?;
    stage.resize(24, 60)?;
    stage.prompt("")?;
    recovered(stage, &["hello there", RESUMED])
}

/// The terminal is as it was before the start.
fn left_as_found(stage: &Stage) -> Outcome {
    let terminal = stage.terminal();
    ensure(terminal.settings_restored(), || {
        "the line settings are not restored".into()
    })?;
    let left = terminal.modes_left_on();
    ensure(left.is_empty(), || format!("modes left changed: {left:?}"))
}

pub(crate) fn quits(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    stage.see_text(DONE)?;
    stage.prompt("")?;
    // A Ctrl+C before the turn is over interrupts it.
    stage.quiet(AT_REST)?;
    stage.press(Key::Ctrl(b'c'))?;
    stage.see_text("again to exit")?;
    stage.press(Key::Ctrl(b'c'))?;
    let exit = stage.ended()?;
    ensure(exit == Exit::Code(0), || format!("{exit:?}"))?;
    stage.logged("exit")?;
    left_as_found(stage)
}

/// The CLI's own exit code is ours.
pub(crate) fn exit_code(stage: &mut Stage) -> Outcome {
    let args = ["--no-such-option"];
    stage.launch_with(&args, false)?;
    let bare = stage.ended()?;
    ensure(bare != Exit::Code(0), || "the CLI takes the option".into())?;
    stage.launch_with(&args, true)?;
    let wrapped = stage.ended()?;
    ensure(wrapped == bare, || {
        format!("{wrapped:?} under the wrapper, {bare:?} without")
    })?;
    left_as_found(stage)
}
