//! The courses that are more than a question and its answer.

use std::time::Duration;

use super::scenarios::{BANNER, DONE, Play, done};
use super::stage::{Outcome, Stage, ensure};
use crate::support::screen::Screen;
use crate::support::terminal::{Exit, Key};

/// What the log has once the wrapper has begun to do something about an error.
const ACTS: [&str; 5] = ["waiting", "typing", "typed", "resumed", "gave-up"];
/// Longer than the wrapper lets the screen rest before it looks, and than the usual wait before a
/// resume: what has not begun by then does not begin.
const AT_REST: Duration = Duration::from_millis(900);

/// Plays it.
pub(crate) fn run(stage: &mut Stage, play: Play) -> Outcome {
    match play {
        Play::Recovers(turns) => recovers(stage, turns),
        Play::LeftAlone {
            shows,
            looks_like_one,
            then,
        } => left_alone(stage, shows, looks_like_one, then),
        Play::Own(play) => play(stage),
    }
}

/// Is our bar to be seen?
fn has_bar(screen: &Screen) -> bool {
    (0..screen.cells.len()).any(|row| is_bar(&screen.row(row)))
}

/// Is this text our bar's: ` ⟳ throttled · retry 2/6 in 3.4s …`, a shorter form of it, or the one that
/// gives up? The CLI has words of its own with "retry" in them.
fn is_bar(text: &str) -> bool {
    let attempt = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit());
    text.contains('⟳') || text.contains("patient") || text.split("retry ").skip(1).any(attempt)
}

/// These turns, the session has recovered by each `continue` among them, and is at rest again.
pub(super) fn recovered(stage: &Stage, turns: &[&str]) -> Outcome {
    let resumes = turns.iter().filter(|turn| **turn == "continue").count();
    recovered_by(stage, resumes, turns)
}

fn recovered_by(stage: &Stage, resumes: usize, turns: &[&str]) -> Outcome {
    stage.turns(turns.len())?;
    stage.see_text(DONE)?;
    stage.logged("turn-ok")?;
    stage.see("a free prompt and no bar", |screen| {
        screen.prompt().as_deref() == Some("") && !has_bar(screen)
    })?;
    stage.expect_turns(turns)?;
    for event in ["typing", "typed", "resumed"] {
        let found = stage.events(event).len();
        ensure(found == resumes, || {
            format!("{found} times {event:?} in the log, not {resumes}")
        })?;
    }
    stage.expect_no_event(&["failed", "gave-up"])
}

fn recovers(stage: &mut Stage, turns: &[&str]) -> Outcome {
    stage.start()?;
    stage.ask(turns[0])?;
    recovered(stage, turns)
}

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

fn left_alone(stage: &mut Stage, shows: &str, looks_like_one: bool, then: &str) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    stage.see_text(shows)?;
    stage.prompt("")?;
    // 2.1.330 marks an answer, and only an answer, with a line that tells when it was done.
    if looks_like_one && stage.version() == "2.1.145" {
        stage.logged("candidate")?;
    }
    kept_out(stage)?;
    goes_on(stage, then)
}

/// The wrapper does nothing about what is on the screen. Where it took it for a possible error, it has
/// decided so.
fn kept_out(stage: &Stage) -> Outcome {
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

/// The limit ends in an hour: no resume would help.
pub(crate) fn usage_limit(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    stage.see_text("hit your")?;
    kept_out(stage)?;
    if stage.screen().prompt().is_none() {
        // 2.1.145 opens a dialog: wait or upgrade.
        stage.press(Key::Escape)?;
    }
    goes_on(stage, DONE)
}

/// The harness on the CLI alone: the test user does what the wrapper is for.
pub(crate) fn bare(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    stage.see_text(BANNER)?;
    stage.ask("continue")?;
    stage.turns(2)?;
    stage.see_text(DONE)?;
    stage.prompt("")?;
    stage.expect_turns(&["hello there", "continue"])?;
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
    stage.logged("waiting")?;
    stage.see_text(BANNER)?;
    stage.prompt("")
}

/// In NORMAL mode a plain `continue` would be eaten as commands.
pub(crate) fn vim_normal(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.see_text("INSERT")?;
    stage.ask("hello there")?;
    stage.logged("waiting")?;
    stage.see_text(BANNER)?;
    stage.press(Key::Escape)?;
    stage.see("NORMAL mode", |screen| !screen.shows("INSERT"))?;
    recovered(stage, &["hello there", "continue"])
}

/// A draft is never touched: due or not, the resume waits for it to go.
pub(crate) fn draft(stage: &mut Stage) -> Outcome {
    throttled(stage)?;
    stage.type_text("my half typed draft")?;
    stage.logged("hold")?;
    stage.prompt("my half typed draft")?;
    stage.expect_turns(&["hello there"])?;
    stage.expect_no_event(&["typing"])?;
    stage.press(Key::Ctrl(b'u'))?;
    recovered(stage, &["hello there", "continue"])
}

pub(crate) fn model_dialog(stage: &mut Stage) -> Outcome {
    throttled(stage)?;
    stage.type_text("/model")?;
    stage.see_text("/model")?;
    stage.press(Key::Enter)?;
    stage.see_text("Select model")?;
    stage.logged("hold")?;
    stage.see_text("Select model")?;
    stage.expect_turns(&["hello there"])?;
    stage.press(Key::Escape)?;
    recovered(stage, &["hello there", "continue"])
}

/// The user's key comes between our text and our Enter: both are taken back, the key stays.
pub(crate) fn key_during_typing(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    stage.logged("typing")?;
    stage.type_text("x")?;
    stage.logged("stood-down")?;
    stage.prompt("x")?;
    stage.expect_no_event(&["typed"])?;
    stage.expect_turns(&["hello there"])?;
    // What the user submits is theirs alone.
    stage.press(Key::Enter)?;
    stage.turns(2)?;
    stage.see_text(DONE)?;
    stage.expect_turns(&["hello there", "x"])
}

/// The same words and a free prompt, but no turn has failed.
pub(crate) fn compact_fails(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    stage.see_text("Hello.")?;
    stage.prompt("")?;
    stage.type_text("/compact")?;
    stage.prompt("/compact")?;
    stage.press(Key::Enter)?;
    stage.see_text("Error during compaction")?;
    stage.prompt("")?;
    kept_out(stage)?;
    stage.api.answer_from_now(done());
    goes_on(stage, DONE)
}

/// What stood there before the start is history.
pub(crate) fn resumed_error(stage: &mut Stage) -> Outcome {
    stage.launch_with(&[], false)?;
    stage.ask("hello there")?;
    stage.see_text(BANNER)?;
    stage.quiet(AT_REST)?;
    stage.launch_with(&["--continue"], true)?;
    stage.see_text(BANNER)?;
    stage.prompt("")?;
    kept_out(stage)?;
    goes_on(stage, DONE)?;
    stage.expect_turns(&["hello there", "and now"])
}

/// The CLI goes on by itself: with the message that waits.
pub(crate) fn queued_message(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    stage.turns(1)?;
    stage.type_text("and do that too")?;
    stage.prompt("and do that too")?;
    stage.press(Key::Enter)?;
    stage.prompt("")?;
    stage.api.release();
    stage.turns(2)?;
    stage.see_text("Handled.")?;
    stage.prompt("")?;
    stage.quiet(AT_REST)?;
    goes_on(stage, DONE)?;
    stage.expect_turns(&["hello there", "and do that too", "and now"])
}

/// With no transcript the screen alone decides, and must have seen the turn run. A local API answers
/// faster than 2.1.145 draws that; a real one does not.
pub(crate) fn screen_alone(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    for turn in 1..=2 {
        stage.turns(turn)?;
        stage.see_text("esc to interrupt")?;
        // As long as the spinner turns, the wrapper has seen it.
        for _ in 0..3 {
            stage.more_output()?;
        }
        stage.api.release();
    }
    recovered(stage, &["hello there", "continue"])
}

/// Ctrl+C is ours while we wait: the CLI does not even arm its exit.
pub(crate) fn cancel(stage: &mut Stage) -> Outcome {
    throttled(stage)?;
    stage.press(Key::Ctrl(b'c'))?;
    stage.logged("cancelled")?;
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
    recovered(stage, &["hello there", "continue"])
}

pub(crate) fn typing_pauses(stage: &mut Stage) -> Outcome {
    throttled(stage)?;
    stage.type_text("wait")?;
    stage.logged("paused")?;
    stage.prompt("wait")?;
    stage.press(Key::Ctrl(b'u'))?;
    stage.logged("unpaused")?;
    recovered(stage, &["hello there", "continue"])
}

/// Six resumes, then the error is left to the user, and the screen to the CLI.
pub(crate) fn spent(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    stage.logged("gave-up")?;
    let mut turns = vec!["hello there"];
    turns.extend(["continue"; 6]);
    stage.expect_turns(&turns)?;
    stage.see_text("patient")?;
    stage.see("no bar", |screen| {
        !has_bar(screen) && !is_bar(&screen.title)
    })?;
    // The user's next turn is an eighth request, and starts afresh: a resume is begun for it.
    stage.ask("and now")?;
    stage.turns(8)?;
    turns.push("and now");
    let turns_then = stage.api.turns();
    ensure(
        std::iter::zip(&turns_then, &turns).all(|(turn, end)| turn.ends_with(end)),
        || format!("{turns_then:?}"),
    )
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
        &["hello there", "continue", "hello there", "continue"],
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
    recovered(stage, &["hello there", "continue"])
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
