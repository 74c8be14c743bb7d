//! `retry-after = on`: the courses where the server asks to be left alone for a while.

use std::time::{Duration, SystemTime};

use super::checks::{DONE, recovered};
use super::mode::Mode;
use super::plays::throttled;
use super::scenarios::{Scenario, scenario};
use super::setup::Setup;
use super::stage::{Outcome, RESUMED, Stage, ensure};
use crate::support::api::Answer;
use crate::support::terminal::Key;

/// A file that the user asks for, in the project.
const OWN: &str = "own.log";

/// The date that the server names lies so far ahead: longer than the whole suite takes.
const DATE_IN: Duration = Duration::from_hours(1);

/// That date, as HTTP writes it.
fn date() -> String {
    let then = jiff::Timestamp::try_from(SystemTime::now() + DATE_IN).unwrap_or_default();
    then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// All of them.
pub(crate) fn all() -> Vec<Scenario> {
    let setup = |answer: Answer| {
        Setup::new([answer, Answer::text(DONE)]).env("CLAUDE_RETRY_RETRY_AFTER", "on")
    };
    let asks = |value: &str| setup(Answer::throttle().header("retry-after", value));
    let typing: &[Mode] = &[Mode::Typing];
    let wrapped: &[Mode] = &[Mode::Typing, Mode::Hook];
    let own = asks("2").args(&["--debug-file", OWN]);
    vec![
        scenario("after-2", wrapped, asks("2"), two_seconds),
        scenario("after-90-cancelled", wrapped, asks("90"), ninety_cancelled),
        scenario("after-90-now", wrapped, asks("90"), ninety_now),
        scenario("after-a-date", typing, asks(&date()), a_date),
        scenario("after-nothing", typing, setup(Answer::throttle()), nothing),
        scenario("after-a-file-that-vanished", typing, asks("90"), vanished),
        scenario(
            "after-2-in-the-users-own-file",
            typing,
            own,
            in_the_users_own,
        ),
    ]
}

/// What the wrapper says of the wait.
fn waiting(stage: &Stage) -> Outcome<serde_json::Value> {
    stage.logged("waiting")
}

fn asked(stage: &Stage, wanted: Option<u64>) -> Outcome {
    let record = waiting(stage)?;
    ensure(record["asked_ms"].as_u64() == wanted, || {
        format!("asked for {wanted:?}, but: {record}")
    })
}

fn two_seconds(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    asked(stage, Some(2000))?;
    recovered(stage, &["hello there", RESUMED])?;
    // A little of it was over when the wrapper saw the failure; the drawn wait comes on top.
    let record = waiting(stage)?;
    let wait = record["wait_ms"].as_u64().unwrap_or_default();
    let drawn = 400;
    ensure((drawn + 1..=drawn + 2000).contains(&wait), || {
        record.to_string()
    })
}

/// It counts down for as long as that, says why, and stays where it is.
fn ninety(stage: &mut Stage) -> Outcome {
    throttled(stage)?;
    asked(stage, Some(90_000))?;
    let screen = stage.see("a countdown of more than a minute", |screen| {
        screen.shows("in 1m") || screen.title.contains("in 1m")
    })?;
    if screen.alternate {
        ensure(screen.shows("server asked for 90s"), || screen.text())?;
    }
    stage.expect_turns(&["hello there"])
}

fn ninety_cancelled(stage: &mut Stage) -> Outcome {
    ninety(stage)?;
    stage.press(Key::Ctrl(b'c'))?;
    stage.logged("cancelled")?;
    stage.ask("and now")?;
    stage.see_text(DONE)?;
    stage.expect_turns(&["hello there", "and now"])?;
    stage.expect_no_event(&["typing", "failed"])
}

fn ninety_now(stage: &mut Stage) -> Outcome {
    ninety(stage)?;
    stage.press(Key::Enter)?;
    recovered(stage, &["hello there", RESUMED])
}

fn a_date(stage: &mut Stage) -> Outcome {
    throttled(stage)?;
    let record = waiting(stage)?;
    let asked = record["asked_ms"].as_u64().unwrap_or_default();
    let most = u64::try_from(DATE_IN.as_millis()).unwrap_or(u64::MAX);
    ensure((1..=most).contains(&asked), || record.to_string())?;
    stage.press(Key::Enter)?;
    recovered(stage, &["hello there", RESUMED])
}

fn nothing(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    asked(stage, None)?;
    recovered(stage, &["hello there", RESUMED])
}

/// The CLI says nothing about it, and the wrapper does as if nothing had been asked for.
fn vanished(stage: &mut Stage) -> Outcome {
    stage.start()?;
    let folder = stage.home().path().join(".local/state/claude-retry/run");
    std::fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    stage.ask("hello there")?;
    asked(stage, None)?;
    recovered(stage, &["hello there", RESUMED])
}

/// It is read, and left where it is.
fn in_the_users_own(stage: &mut Stage) -> Outcome {
    two_seconds(stage)?;
    let own = stage.home().path().join("proj").join(OWN);
    ensure(own.is_file(), || format!("no {}", own.display()))?;
    let ours = stage.home().path().join(".local/state/claude-retry/run");
    ensure(!ours.exists(), || format!("{} is there", ours.display()))
}
