//! What happens in the panes.

use crate::stage::{Outcome, Pane, Stage, ensure};
use crate::support::api::Answer;

type Play = fn(&mut Stage) -> Outcome;

pub(crate) const ALL: [(&str, Play); 8] = [
    ("three-panes", three_panes),
    ("five-panes", five_panes),
    ("copy-mode", copy_mode),
    ("closed", closed),
    ("draft", draft),
    ("wrapper-beside", wrapper_beside),
    ("joins-and-leaves", joins_and_leaves),
    ("synchronized", synchronized),
];

/// What the CLI makes of the 429.
const BANNER: &str = "Server is temporarily limiting requests";
const DONE: &str = "all is well now";
/// A model that speaks of the error, in its very words.
const QUOTE: &str =
    "API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited";

/// An error, held back until it is let go, then an answer.
fn throttled() -> Vec<Answer> {
    vec![Answer::throttle().gated(), Answer::text(DONE)]
}

/// It was resumed, once, and has its answer.
fn resumed(stage: &Stage, pane: &Pane) -> Outcome {
    stage.turns(pane, &["hello there", "continue"])?;
    stage.see(&pane.id, DONE)?;
    stage.prompt(pane, "")?;
    stage.turns(pane, &["hello there", "continue"])
}

/// Ends the watch, which had no complaints, and leaves nothing.
fn ends(stage: &mut Stage) -> Outcome {
    let words = stage.end_watch()?;
    ensure(words.is_empty(), || format!("the watch said {words:?}"))?;
    stage.is_clean()
}

/// Two are throttled at once, the third quotes the banner; the table is in a pane of its own.
fn three_panes(stage: &mut Stage) -> Outcome {
    let one = stage.pane("one", throttled())?;
    let two = stage.pane("two", throttled())?;
    let quoting = stage.pane("quoting", vec![Answer::text(QUOTE)])?;
    for pane in [&one, &two, &quoting] {
        stage.prompt(pane, "")?;
    }
    let table = stage.watch_in_pane()?;
    stage.see(&table, "3 panes")?;
    stage.ask(&quoting, "hello there")?;
    stage.see(&quoting.id, BANNER)?;
    stage.prompt(&quoting, "")?;
    for pane in [&one, &two] {
        stage.asks_and_works(pane, "hello there")?;
    }
    one.api.release();
    two.api.release();
    // Where users of tmux look.
    for pane in [&one, &two] {
        stage.wait("the pane's option", || {
            let text = stage.ask_tmux(&pane.id, "#{@claude_retry}")?;
            Ok(text.starts_with("throttled, retry 1/6 in ").then_some(()))
        })?;
    }
    for pane in [&one, &two] {
        resumed(stage, pane)?;
    }
    stage.turns(&quoting, &["hello there"])?;
    let said = stage.ask_tmux(&quoting.id, "#{@claude_retry}")?;
    ensure(said.is_empty(), || {
        format!("of the one that quotes: {said}")
    })?;
    stage.wait("both to have been counted", || {
        let screen = stage.screen(&table)?;
        let counted = screen.lines().filter(|row| row.trim_end().ends_with(" 1"));
        Ok((counted.count() == 2).then_some(()))
    })?;
    stage.tmux(&["send-keys", "-t", &table, "q"])?;
    stage.see(&table, "ended with 0")?;
    let screen = stage.screen(&table)?;
    ensure(screen.trim() == "before\nended with 0", || {
        format!("the table left {screen:?}")
    })?;
    stage.is_clean()
}

/// All at once in one watch: two are throttled, a third as well while it is read in copy mode, one quotes the banner, one
/// is closed in the middle of its wait.
fn five_panes(stage: &mut Stage) -> Outcome {
    let one = stage.pane("one", throttled())?;
    let two = stage.pane("two", throttled())?;
    let read = stage.pane("read", throttled())?;
    let gone = stage.pane("gone", throttled())?;
    let quoting = stage.pane("quoting", vec![Answer::text(QUOTE)])?;
    for pane in [&one, &two, &read, &gone, &quoting] {
        stage.prompt(pane, "")?;
    }
    stage.watch(&[("CLAUDE_RETRY_BASE", "4s")])?;
    for pane in [&one, &two, &read, &gone, &quoting] {
        stage.told(pane, "watching")?;
    }
    stage.ask(&quoting, "hello there")?;
    stage.see(&quoting.id, BANNER)?;
    stage.prompt(&quoting, "")?;
    for pane in [&one, &two, &read, &gone] {
        stage.asks_and_works(pane, "hello there")?;
    }
    let before = stage.reads(&read)?;
    for pane in [&gone, &one, &two, &read] {
        pane.api.release();
    }
    for pane in [&one, &two, &read, &gone] {
        stage.told(pane, "retry 1/6 in")?;
    }
    stage.tmux(&["kill-pane", "-t", &gone.id])?;
    stage.told(&gone, "gone")?;
    for pane in [&one, &two, &read] {
        resumed(stage, pane)?;
        stage.told(pane, "resumed")?;
    }
    let after = stage.mode(&read)?;
    ensure(after == before, || {
        format!("copy mode was {before}, is {after}")
    })?;
    stage.turns(&gone, &["hello there"])?;
    stage.turns(&quoting, &["hello there"])?;
    stage.prompt(&quoting, "")?;
    let said = stage.ask_tmux(&quoting.id, "#{@claude_retry}")?;
    ensure(said.is_empty(), || {
        format!("of the one that quotes: {said}")
    })?;
    ends(stage)
}

/// Copy mode stays where the user has it, and the turn goes on below it.
fn copy_mode(stage: &mut Stage) -> Outcome {
    let pane = stage.pane("read", throttled())?;
    stage.prompt(&pane, "")?;
    stage.watch(&[])?;
    stage.told(&pane, "watching")?;
    stage.asks_and_works(&pane, "hello there")?;
    let before = stage.reads(&pane)?;
    pane.api.release();
    resumed(stage, &pane)?;
    stage.told(&pane, "resumed")?;
    let after = stage.mode(&pane)?;
    ensure(after == before, || {
        format!("copy mode was {before}, is {after}")
    })?;
    ends(stage)
}

/// One is closed in the middle of its wait: the other goes on, and nobody complains.
fn closed(stage: &mut Stage) -> Outcome {
    let (gone, stays) = (
        stage.pane("gone", throttled())?,
        stage.pane("stays", throttled())?,
    );
    stage.prompt(&gone, "")?;
    stage.prompt(&stays, "")?;
    stage.watch(&[("CLAUDE_RETRY_BASE", "3s")])?;
    for pane in [&gone, &stays] {
        stage.told(pane, "watching")?;
        stage.asks_and_works(pane, "hello there")?;
        pane.api.release();
    }
    stage.told(&gone, "retry 1/6 in")?;
    stage.tmux(&["kill-pane", "-t", &gone.id])?;
    stage.told(&gone, "gone")?;
    resumed(stage, &stays)?;
    stage.turns(&gone, &["hello there"])?;
    ends(stage)
}

/// What the user has typed is not touched, and keeps us off until it is gone.
fn draft(stage: &mut Stage) -> Outcome {
    let pane = stage.pane("draft", throttled())?;
    stage.prompt(&pane, "")?;
    stage.watch(&[])?;
    stage.told(&pane, "watching")?;
    stage.asks_and_works(&pane, "hello there")?;
    stage.prompt(&pane, "")?;
    stage.type_text(&pane, "half a thought")?;
    pane.api.release();
    stage.see(&pane.id, BANNER)?;
    stage.wait("the pane to be held off", || {
        let text = stage.ask_tmux(&pane.id, "#{@claude_retry}")?;
        Ok(text.starts_with("throttled, retry 1/6: ").then_some(()))
    })?;
    stage.prompt(&pane, "half a thought")?;
    stage.turns(&pane, &["hello there"])?;
    stage.tmux(&["send-keys", "-t", &pane.id, "C-u"])?;
    resumed(stage, &pane)?;
    ends(stage)
}

/// A CLI under the wrapper is the wrapper's.
fn wrapper_beside(stage: &mut Stage) -> Outcome {
    let wrapped = stage.wrapped_pane("wrapped", throttled())?;
    let bare = stage.pane("bare", throttled())?;
    stage.prompt(&wrapped, "")?;
    stage.prompt(&bare, "")?;
    stage.watch(&[])?;
    stage.told(&bare, "watching")?;
    for pane in [&wrapped, &bare] {
        stage.asks_and_works(pane, "hello there")?;
        pane.api.release();
    }
    resumed(stage, &wrapped)?;
    resumed(stage, &bare)?;
    let lines = stage.lines();
    let of_wrapped = format!(" {} ", wrapped.id);
    ensure(!lines.iter().any(|line| line.contains(&of_wrapped)), || {
        format!("the watch looked at {of_wrapped}: {lines:#?}")
    })?;
    let log = std::fs::read_to_string(stage.log_of_wrapper()).unwrap_or_default();
    let resumes = log.matches(r#""event":"resumed""#).count();
    ensure(resumes == 1, || {
        format!("the wrapper resumed {resumes} times")
    })?;
    ends(stage)
}

/// A pane that comes later, with a shell that starts the CLI; when that has ended, the pane is nobody's.
fn joins_and_leaves(stage: &mut Stage) -> Outcome {
    stage.watch(&[])?;
    let pane = stage.shell_pane("new", throttled())?;
    stage.see(&pane.id, "a shell")?;
    ensure(stage.lines().is_empty(), || format!("{:?}", stage.lines()))?;
    stage.tmux(&["send-keys", "-t", &pane.id, "Enter"])?;
    stage.told(&pane, "watching")?;
    stage.asks_and_works(&pane, "hello there")?;
    pane.api.release();
    resumed(stage, &pane)?;
    stage.ask(&pane, "/exit")?;
    stage.told(&pane, "gone")?;
    stage.see(&pane.id, "the shell again")?;
    ends(stage)
}

/// What is typed for one pane is not copied to the others.
fn synchronized(stage: &mut Stage) -> Outcome {
    let one = stage.pane("one", throttled())?;
    let other = stage.pane("other", throttled())?;
    stage.prompt(&one, "")?;
    stage.prompt(&other, "")?;
    stage.tmux(&["join-pane", "-d", "-v", "-s", &other.id, "-t", &one.id])?;
    stage.watch(&[])?;
    stage.told(&one, "watching")?;
    stage.told(&other, "watching")?;
    stage.asks_and_works(&one, "hello there")?;
    stage.tmux(&["set-option", "-w", "-t", &one.id, "synchronize-panes", "on"])?;
    one.api.release();
    resumed(stage, &one)?;
    stage.prompt(&other, "")?;
    stage.turns(&other, &[])?;
    ends(stage)
}
