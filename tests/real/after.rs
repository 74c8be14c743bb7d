//! `retry-after = on`: the courses where the server asks to be left alone for a while.

use std::time::{Duration, SystemTime};

use super::plays::{recovered, throttled};
use super::scenarios::{DONE, Play, Scenario, done};
use super::stage::{Outcome, Setup, Stage, ensure};
use crate::support::api::Answer;
use crate::support::terminal::Key;

/// A file that the user asks for, in the project.
const OWN: &str = "own.log";

/// All of them.
pub(super) fn scenarios() -> Vec<Scenario> {
    let own = |name, answer: Answer, play| Scenario {
        name,
        setup: Setup::new([answer, done()]).env("CLAUDE_RETRY_RETRY_AFTER", "on"),
        play: Play::Own(play),
    };
    let asks = |value: &str| Answer::throttle().header("retry-after", value);
    let mut users_own = own("after-2-in-the-users-own-file", asks("2"), in_the_users_own);
    users_own.setup = users_own.setup.args(&["--debug-file", OWN]);
    vec![
        own("after-2", asks("2"), two_seconds),
        own("after-90-cancelled", asks("90"), ninety_cancelled),
        own("after-90-now", asks("90"), ninety_now),
        own("after-a-date", Answer::throttle(), a_date),
        own("after-nothing", Answer::throttle(), nothing),
        own("after-a-file-that-vanished", asks("90"), vanished),
        users_own,
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

/// How long after the failure the resume came, by the wrapper's log.
fn time_between(stage: &Stage, first: &str, then: &str) -> Outcome<Duration> {
    let time = |event: &str| {
        let record = stage.logged(event)?;
        let time = record["time"].as_str().map(str::parse::<jiff::Timestamp>);
        time.and_then(Result::ok)
            .ok_or(format!("no time: {record}"))
    };
    let between = time(then)?.duration_since(time(first)?);
    Duration::try_from(between).map_err(|error| error.to_string())
}

fn two_seconds(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    asked(stage, Some(2000))?;
    recovered(stage, &["hello there", "continue"])?;
    // A little of it was over when the wrapper saw the failure; the drawn wait comes on top.
    let waited = time_between(stage, "waiting", "typing")?;
    let record = waiting(stage)?;
    let wait = Duration::from_millis(record["wait_ms"].as_u64().unwrap_or_default());
    ensure(wait > Duration::from_millis(900) && waited >= wait, || {
        format!("{waited:?} after {record}")
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
    recovered(stage, &["hello there", "continue"])
}

fn a_date(stage: &mut Stage) -> Outcome {
    let minute = Duration::from_mins(1);
    let then = jiff::Timestamp::try_from(SystemTime::now() + 2 * minute);
    let then = then.map_err(|error| error.to_string())?;
    let then = then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let refuses = Answer::throttle().header("retry-after", then);
    stage.api.answer_from_now(refuses);
    throttled(stage)?;
    let record = waiting(stage)?;
    let asked = record["asked_ms"].as_u64().unwrap_or_default();
    ensure((60_000..=120_000).contains(&asked), || record.to_string())?;
    stage.api.answer_from_now(done());
    stage.press(Key::Enter)?;
    recovered(stage, &["hello there", "continue"])
}

fn nothing(stage: &mut Stage) -> Outcome {
    stage.start()?;
    stage.ask("hello there")?;
    asked(stage, None)?;
    recovered(stage, &["hello there", "continue"])
}

/// The CLI says nothing about it, and the wrapper does as if nothing had been asked for.
fn vanished(stage: &mut Stage) -> Outcome {
    stage.start()?;
    let folder = stage.home().join(".local/state/claude-retry/run");
    std::fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    stage.ask("hello there")?;
    asked(stage, None)?;
    recovered(stage, &["hello there", "continue"])
}

/// It is read, and left where it is.
fn in_the_users_own(stage: &mut Stage) -> Outcome {
    two_seconds(stage)?;
    let own = stage.home().join("proj").join(OWN);
    ensure(own.is_file(), || format!("no {}", own.display()))?;
    let ours = stage.home().join(".local/state/claude-retry/run");
    ensure(!ours.exists(), || format!("{} is there", ours.display()))
}
