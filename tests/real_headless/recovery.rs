//! Runs that fail and come through.

use super::format::Format::{self, Json, Stream, StreamInput, Text};
use super::output::{as_one_run, progress, result};
use super::process::Done;
use super::world::{Who, World};
use super::{Scenario, witness::Witnessed};
use crate::real::stage::{Outcome, ensure};
use crate::support::api::Answer;

/// What is asked.
pub(crate) const QUESTION: &str = "say something";
/// What comes in the end.
pub(crate) const DONE: &str = "All of it is done.";

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("throttle", &[Text, Json, Stream, StreamInput], throttle),
        Scenario::new("cut", &Format::PROMPTED, cut),
        Scenario::new("tool", &Format::PROMPTED, tool),
        Scenario::new("dropped", &[Text], dropped),
        Scenario::new("no-print-flag", &[Text], no_print_flag),
        Scenario::new("list-behind-equals", &[Text], list_behind_equals),
    ]
}

/// What a run of the CLI alone writes, in a world of its own.
pub(crate) fn alone(
    version: &'static str,
    format: Format,
    script: impl Into<Vec<Answer>>,
    more: &[&str],
) -> Outcome<Done> {
    let world = World::new(version, script)?;
    world.ask(Who::Alone, format, QUESTION, more)
}

/// The API has got these turns; each ends with what was said last.
pub(crate) fn turns(world: &World, expected: &[&str]) -> Outcome {
    let turns = world.api.turns();
    let each = turns.iter().zip(expected);
    let same = turns.len() == expected.len()
        && each
            .into_iter()
            .all(|(turn, end)| turn.trim_end().ends_with(end));
    ensure(same, || format!("turns {turns:?}, not {expected:?}"))
}

fn throttle(version: &'static str, format: Format) -> Outcome {
    let throttle = Answer::throttle;
    let failed = alone(version, format, [throttle()], &[])?;
    let good = alone(version, format, [Answer::text(DONE)], &[])?;
    ensure(failed.code == 1 && good.code == 0, || {
        format!("alone: {failed:?} {good:?}")
    })?;
    let world = World::new(version, [throttle(), throttle(), Answer::text(DONE)])?;
    let done = world.ask(Who::Ours, format, QUESTION, &[])?;
    as_one_run(format, &done, &[&failed, &failed, &good]).map_err(|error| world.explain(&error))?;
    turns(&world, &[QUESTION, "continue", "continue"])?;
    progress(&done, 2, 0)
}

fn cut(version: &'static str, format: Format) -> Outcome {
    let cut = || Answer::cut("The beginning of it");
    // Newer versions go on by themselves after a cut, a few times.
    let world = World::new(version, [cut()])?;
    let failed = world.ask(Who::Alone, format, QUESTION, &[])?;
    let own = world.api.turns();
    let good = alone(version, format, [Answer::text(DONE)], &[])?;
    let cuts = std::iter::repeat_with(cut).take(own.len());
    let script: Vec<_> = cuts.chain([Answer::text(DONE)]).collect();
    let world = World::new(version, script)?;
    let done = world.ask(Who::Ours, format, QUESTION, &[])?;
    as_one_run(format, &done, &[&failed, &good]).map_err(|error| world.explain(&error))?;
    let expected = own.iter().map(String::as_str).chain(["continue"]);
    turns(&world, &expected.collect::<Vec<_>>())?;
    progress(&done, 1, 0)
}

/// The tool has run when the error comes, and must not run again.
fn tool(version: &'static str, format: Format) -> Outcome {
    let tool = || Answer::bash("echo once >>ran; echo its-$((40 + 2))");
    let more = ["--allowedTools", "Bash"];
    let failed = alone(version, format, [tool(), Answer::throttle()], &more)?;
    let good = alone(version, format, [Answer::text(DONE)], &more)?;
    let script = [
        tool(),
        Answer::throttle(),
        Answer::throttle(),
        Answer::text(DONE),
    ];
    let world = World::new(version, script)?.witnessed()?;
    let done = world.ask(Who::Ours, format, QUESTION, &more)?;
    let second = alone(version, format, [Answer::throttle()], &more)?;
    as_one_run(format, &done, &[&failed, &second, &good]).map_err(|error| world.explain(&error))?;

    let ran = std::fs::read_to_string(world.home().project().join("ran")).unwrap_or_default();
    ensure(ran == "once\n", || format!("the tool ran: {ran:?}"))?;
    let log = world.api.log();
    let last = log.iter().rfind(|request| request.turn);
    ensure(last.is_some_and(|last| last.says("its-42") == 1), || {
        format!("the tool's result is not in {last:?}")
    })?;
    turns(&world, &[QUESTION, "<tool_result>", "continue", "continue"])?;
    progress(&done, 2, 0)?;
    let runs = world.runs();
    resumed_with_the_same(&runs, &more)?;
    if format == Text {
        return Ok(());
    }
    durations(&done, &runs)
}

/// The resumed runs have these arguments of the first, its session, and the message.
fn resumed_with_the_same(runs: &[Witnessed], args: &[&str]) -> Outcome {
    for run in &runs[1..] {
        let has = |words: &[&str]| run.args.windows(words.len()).any(|window| window == words);
        let resumed = run.args.iter().filter(|arg| *arg == "--resume").count();
        let good = has(args)
            && resumed == 1
            && run.args.last().is_some_and(|last| last == "continue")
            && !run.args.iter().any(|arg| arg == QUESTION);
        ensure(good, || format!("resumed by {:?}", run.args))?;
    }
    Ok(())
}

/// The result's times are those of its runs.
fn durations(done: &Done, runs: &[Witnessed]) -> Outcome {
    let written = result(done)?;
    let of = |field: &str| {
        let values = runs.iter().map(|run| run.result()[field].as_u64());
        values.collect::<Option<Vec<_>>>().unwrap_or_default()
    };
    ensure(of("duration_ms").len() == 3, || format!("runs {runs:?}"))?;
    let total: u64 = of("duration_ms").iter().sum();
    ensure(written["duration_ms"] == total, || {
        format!("duration_ms is {}, not {total}", written["duration_ms"])
    })?;
    // Newer versions go on from the session's time, as from its costs.
    let (api, costs) = (of("duration_api_ms"), &runs[2].result()["total_cost_usd"]);
    let carried = written["total_cost_usd"] == *costs;
    let total = if carried { api[2] } else { api.iter().sum() };
    ensure(written["duration_api_ms"] == total, || {
        let got = &written["duration_api_ms"];
        format!("duration_api_ms is {got}, not {total} ({api:?})")
    })
}

/// The connection is closed with no answer.
fn dropped(version: &'static str, format: Format) -> Outcome {
    let good = alone(version, format, [Answer::text(DONE)], &[])?;
    let world = World::new(version, [Answer::drop_connection(), Answer::text(DONE)])?;
    let done = world.ask(Who::Ours, format, QUESTION, &[])?;
    as_one_run(format, &done, &[&good]).map_err(|error| world.explain(&error))?;
    progress(&done, 1, 0)
}

/// Without a terminal the CLI prints, whether it is told to or not.
fn no_print_flag(version: &'static str, format: Format) -> Outcome {
    let good = alone(version, format, [Answer::text(DONE)], &[])?;
    let world = World::new(version, [Answer::throttle(), Answer::text(DONE)])?;
    let done = world.run(Who::Ours, &[QUESTION])?;
    as_one_run(format, &done, &[&good]).map_err(|error| world.explain(&error))?;
    turns(&world, &[QUESTION, "continue"])?;
    progress(&done, 1, 0)
}

/// Of a list behind `=` the next word is no part: it is the prompt, which is not asked again.
fn list_behind_equals(version: &'static str, format: Format) -> Outcome {
    let good = alone(version, format, [Answer::text(DONE)], &[])?;
    let world = World::new(version, [Answer::throttle(), Answer::text(DONE)])?;
    let done = world.run(Who::Ours, &["-p", "--allowedTools=Bash", QUESTION])?;
    as_one_run(format, &done, &[&good]).map_err(|error| world.explain(&error))?;
    turns(&world, &[QUESTION, "continue"])?;
    progress(&done, 1, 0)
}
