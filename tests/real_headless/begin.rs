//! Runs whose session is not kept: they start over if nothing was done, or are left.

use super::Scenario;
use super::format::Format::{self, Json, Stream, Text};
use super::output::{as_alone, as_one_run, progress};
use super::process::Input;
use super::recovery::{DONE, QUESTION, turns};
use super::world::{Who, World};
use crate::real::stage::{Outcome, ensure};
use crate::support::api::{Answer, Request};

/// The session leaves no transcript.
const NOT_KEPT: &str = "--no-session-persistence";
/// What is piped in.
const NOTES: &str = "the notes of the day";

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("start-over", &[Json, Stream], start_over),
        Scenario::new("not-kept-tool", &Format::PROMPTED, not_kept_tool),
        Scenario::new("history-skipped-tool", &[Text], history_skipped_tool),
    ]
}

/// Nothing was done: the same again, with the same input.
fn start_over(version: &'static str, format: Format) -> Outcome {
    let notes = || Input::Text(format!("{NOTES}\n"));
    let args = [format.args(), &[QUESTION, NOT_KEPT]].concat();
    let alone = |answer| World::new(version, [answer])?.run_with(Who::Alone, &args, notes());
    let (failed, good) = (alone(Answer::throttle())?, alone(Answer::text(DONE))?);
    let world = World::new(version, [Answer::throttle(), Answer::text(DONE)])?.witnessed()?;
    let done = world.run_with(Who::Ours, &args, notes())?;
    as_one_run(format, &done, &[&failed, &good]).map_err(|error| world.explain(&error))?;
    let asked = |request: &Request| {
        (
            request.says(QUESTION),
            request.says(NOTES),
            request.says("continue"),
        )
    };
    let asked: Vec<_> = world
        .api
        .log()
        .iter()
        .filter(|r| r.turn)
        .map(asked)
        .collect();
    ensure(asked == [(1, 1, 0), (1, 1, 0)], || {
        format!("asked {asked:?}")
    })?;
    let inputs: Vec<_> = world.runs().into_iter().map(|run| run.stdin).collect();
    ensure(
        inputs == [format!("{NOTES}\n"), format!("{NOTES}\n")],
        || format!("inputs {inputs:?}"),
    )?;
    progress(&done, 1, 0)
}

/// Something was done, and there is no session to go on with: what the CLI says is passed on, and why it is left.
fn not_kept_tool(version: &'static str, format: Format) -> Outcome {
    let more = ["--allowedTools", "Bash", NOT_KEPT];
    left_after_a_tool(version, format, &more, |world| world)
}

/// The same where the environment says so, and a text does not tell how many turns there were.
fn history_skipped_tool(version: &'static str, format: Format) -> Outcome {
    let more = ["--allowedTools", "Bash"];
    left_after_a_tool(version, format, &more, |world| {
        world.env("CLAUDE_CODE_SKIP_PROMPT_HISTORY", "1")
    })
}

fn left_after_a_tool(
    version: &'static str,
    format: Format,
    more: &[&str],
    with: impl Fn(World) -> World,
) -> Outcome {
    let world = || {
        let script = [Answer::bash("echo once >>ran"), Answer::throttle()];
        Outcome::Ok(with(World::new(version, script)?))
    };
    let failed = world()?.ask(Who::Alone, format, QUESTION, more)?;
    let world = world()?;
    let done = world.ask(Who::Ours, format, QUESTION, more)?;
    as_alone(format, &done, &failed).map_err(|error| world.explain(&error))?;
    turns(&world, &[QUESTION, "<tool_result>"])?;
    let ran = std::fs::read_to_string(world.home().project().join("ran")).unwrap_or_default();
    ensure(ran == "once\n", || format!("the tool ran: {ran:?}"))?;
    progress(&done, 0, 1)
}
