//! What the run is given to read.

use serde_json::{Value, json};

use super::Scenario;
use super::format::Format::{self, StreamInput, Text};
use super::output::{as_one_run, is_ours, lines, plain, progress, same_lines};
use super::process::{Done, Input, Process};
use super::recovery::{DONE, QUESTION, alone, turns};
use super::world::{Who, World, user_message};
use crate::real::stage::{Outcome, ensure};
use crate::support::api::Answer;

/// What is piped in.
const NOTES: &str = "the notes of the day";
/// The second message.
const SECOND: &str = "and now the other thing";
/// The answer to it.
const OTHER: &str = "The other thing is done too.";

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("piped-notes", &[Text], piped_notes),
        Scenario::new("piped-prompt", &[Text], piped_prompt),
        Scenario::new("kept-open", &[StreamInput], kept_open),
        Scenario::new("closed-initialized", &[StreamInput], closed_initialized),
        Scenario::new("two-messages", &[StreamInput], two_messages),
        Scenario::new("queued", &[StreamInput], queued),
    ]
}

/// Read by the first run, and by no other.
fn piped(version: &'static str, args: &[&str], input: &str) -> Outcome<World> {
    let good = alone(version, Text, [Answer::text(DONE)], &[])?;
    let script = [Answer::throttle(), Answer::throttle(), Answer::text(DONE)];
    let world = World::new(version, script)?.witnessed()?;
    let done = world.run_with(Who::Ours, args, Input::Text(input.into()))?;
    as_one_run(Text, &done, &[&good]).map_err(|error| world.explain(&error))?;
    let inputs: Vec<_> = world.runs().into_iter().map(|run| run.stdin).collect();
    ensure(inputs == [input, "", ""], || format!("inputs {inputs:?}"))?;
    let log = world.api.log();
    let last = log.iter().rfind(|request| request.turn);
    ensure(
        last.is_some_and(|last| last.says(input.trim()) == 1),
        || format!("the input is not once in {last:?}"),
    )?;
    progress(&done, 2, 0)?;
    Ok(world)
}

fn piped_notes(version: &'static str, _: Format) -> Outcome {
    let world = piped(version, &["-p", QUESTION], &format!("{NOTES}\n"))?;
    let log = world.api.log();
    let first = log.iter().find(|request| request.turn);
    ensure(first.is_some_and(|first| first.says(QUESTION) == 1), || {
        format!("the prompt is not in {first:?}")
    })
}

fn piped_prompt(version: &'static str, _: Format) -> Outcome {
    piped(version, &["-p"], &format!("{NOTES}\n")).map(drop)
}

/// What a program that drives the CLI says first.
fn initialize() -> String {
    json!({"type": "control_request", "request_id": "first",
        "request": {"subtype": "initialize"}})
    .to_string()
}

/// Writes a line.
fn say(process: &mut Process, line: &str) -> Outcome {
    let written = process.write(line);
    written.map_err(|error| format!("cannot write: {error}; {}", process.dump()))
}

/// Waits for this many whole lines of a type.
fn await_lines(world: &World, process: &Process, kind: &str, count: usize) -> Outcome {
    let mark = format!("\"type\":\"{kind}\"");
    world.wait(&format!("{count} lines of {kind}"), || {
        let text = process.stdout();
        let whole = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        // The CLI writes a line's fields in its order, but a field of this name and value is its type.
        let found = whole.filter(|line| {
            line.contains(&mark)
                && serde_json::from_str::<Value>(line).is_ok_and(|line| line["type"] == kind)
        });
        let ended = process.done().is_some();
        (found.count() >= count || ended).then_some(())
    })
}

/// A conversation as a program has it: it waits for the result of each message before it goes on.
fn converse(world: &World, who: Who, messages: &[&str]) -> Outcome<Done> {
    let mut process = world.start(who, StreamInput.args(), Input::Open)?;
    say(&mut process, &initialize())?;
    await_lines(world, &process, "control_response", 1)?;
    for (number, message) in messages.iter().enumerate() {
        say(&mut process, &user_message(message))?;
        await_lines(world, &process, "result", number + 1)?;
    }
    process.close();
    world.end(&process)
}

/// The process lives on after the error, and is told to go on: no other is started.
fn kept_open(version: &'static str, format: Format) -> Outcome {
    let alone = |answer| converse(&World::new(version, [answer])?, Who::Alone, &[QUESTION]);
    let (failed, good) = (alone(Answer::throttle())?, alone(Answer::text(DONE))?);
    let script = [Answer::throttle(), Answer::throttle(), Answer::text(DONE)];
    let world = World::new(version, script)?.witnessed()?;
    let done = converse(&world, Who::Ours, &[QUESTION])?;
    let first = only_turn(&failed)?;
    as_one_run(
        format,
        &only_turn(&done)?,
        &[&first, &first, &only_turn(&good)?],
    )
    .map_err(|error| world.explain(&error))?;
    turns(&world, &[QUESTION, "continue", "continue"])?;
    let runs = world.runs().len();
    ensure(runs == 1, || format!("{runs} runs"))?;
    progress(&done, 2, 0)
}

/// All is said at once, and the input has ended when the error comes: another process goes on.
fn closed_initialized(version: &'static str, format: Format) -> Outcome {
    let input = || Input::Text(format!("{}\n{}\n", initialize(), user_message(QUESTION)));
    let alone = |answer| {
        let world = World::new(version, [answer])?;
        world.run_with(Who::Alone, format.args(), input())
    };
    let (failed, good) = (alone(Answer::throttle())?, alone(Answer::text(DONE))?);
    let script = [Answer::throttle(), Answer::throttle(), Answer::text(DONE)];
    let world = World::new(version, script)?;
    let done = world.run_with(Who::Ours, format.args(), input())?;
    let first = only_turn(&failed)?;
    as_one_run(
        format,
        &only_turn(&done)?,
        &[&first, &first, &only_turn(&good)?],
    )
    .map_err(|error| world.explain(&error))?;
    turns(&world, &[QUESTION, "continue", "continue"])?;
    progress(&done, 2, 0)
}

/// Without the answer to what is said first, which must be there once.
fn only_turn(done: &Done) -> Outcome<Done> {
    let (answers, turn): (Vec<_>, Vec<_>) = done
        .stdout
        .split_inclusive('\n')
        .partition(|line| line.contains("\"type\":\"control_response\""));
    ensure(answers.len() == 1, || {
        format!("{} answers to initialize: {:?}", answers.len(), done.stdout)
    })?;
    Ok(Done {
        stdout: turn.concat(),
        ..done.clone()
    })
}

/// The first message is throttled, held, and answered; then comes the second.
fn two_messages(version: &'static str, _: Format) -> Outcome {
    let script = [Answer::throttle(), Answer::text(DONE), Answer::text(OTHER)];
    let world = World::new(version, script)?;
    let done = converse(&world, Who::Ours, &[QUESTION, SECOND])?;
    let error = || format!("{done:?}\n{}", world.dump());
    let lines = lines(&done.stdout)?;
    let results: Vec<_> = lines
        .iter()
        .filter(|line| line["type"] == "result")
        .map(|line| (&line["is_error"], &line["result"]))
        .collect();
    let (fine, answers) = (json!(false), [json!(DONE), json!(OTHER)]);
    ensure(
        done.code == 0 && results == [(&fine, &answers[0]), (&fine, &answers[1])],
        error,
    )?;
    ensure(
        lines.iter().filter(|line| is_ours(line)).count() == 1,
        error,
    )?;
    let inits = lines.iter().filter(|line| line["subtype"] == "init");
    ensure(inits.count() == 2, error)?;
    turns(&world, &[QUESTION, "continue", SECOND])?;
    progress(&done, 1, 0)
}

/// Both messages are there when the first is throttled: the CLI goes on with the second by itself, and is left to.
fn queued(version: &'static str, format: Format) -> Outcome {
    let both = || {
        let both = [QUESTION, SECOND].map(user_message);
        Input::Text(both.join("\n") + "\n")
    };
    let script = || [Answer::throttle(), Answer::text(OTHER)];
    let world = World::new(version, script())?;
    let alone = world.run_with(Who::Alone, format.args(), both())?;
    let asked = world.api.turns().len();
    let world = World::new(version, script())?.wait_for("5s");
    let done = world.run_with(Who::Ours, format.args(), both())?;
    let theirs = |done: &Done| {
        let lines = lines(&done.stdout)?.into_iter();
        Outcome::Ok(
            lines
                .filter(|line| !is_ours(line))
                .map(plain)
                .collect::<Vec<_>>(),
        )
    };
    same_lines(&theirs(&done)?, &theirs(&alone)?).map_err(|error| world.explain(&error))?;
    ensure(done.code == alone.code, || format!("{done:?}"))?;
    turns(&world, &[QUESTION, SECOND][..asked])
}
