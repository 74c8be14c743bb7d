//! What is said on stderr, and Ctrl+C.

use std::fs::{self, File};

use super::Scenario;
use super::format::Format::{self, Stream, Text};
use super::output::{as_one_run, lines};
use super::process::Input;
use super::recovery::{DONE, QUESTION, alone};
use super::world::{Who, World};
use crate::real::stage::{Outcome, ensure};
use crate::support::api::Answer;
use crate::support::screen::Screen;
use crate::support::terminal::{Exit, Key, Terminal};

/// What stands before everything that we say.
const OURS: &str = "claude-retry: ";

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("stderr-file", &[Text], stderr_file),
        Scenario::new("quiet", &[Text], quiet),
        Scenario::new("stderr-terminal", &[Text], stderr_terminal),
        Scenario::new("ctrl-c-waiting", &Format::PROMPTED, ctrl_c_waiting),
    ]
}

/// One line a wait.
fn stderr_file(version: &'static str, _: Format) -> Outcome {
    let world = World::new(
        version,
        [Answer::throttle(), Answer::throttle(), Answer::text(DONE)],
    )?;
    let path = world.home().path().join("stderr");
    let file = File::create(&path).map_err(|error| format!("no file: {error}"))?;
    let process = world.start_with(Who::Ours, &["-p", QUESTION], Input::Nothing, Some(file))?;
    let done = world.end(&process)?;
    let said = fs::read_to_string(&path).unwrap_or_default();
    let lines: Vec<_> = said.split_inclusive('\n').collect();
    let is_line = |line: &&str| {
        line.starts_with(OURS) && line.ends_with('\n') && !line.contains(['\x1b', '\r'])
    };
    ensure(
        done.code == 0 && lines.len() == 2 && lines.iter().all(is_line),
        || format!("{done:?}, on stderr: {said:?}\n{}", world.dump()),
    )
}

/// Nothing at all.
fn quiet(version: &'static str, format: Format) -> Outcome {
    let good = alone(version, format, [Answer::text(DONE)], &[])?;
    let world = World::new(version, [Answer::throttle(), Answer::text(DONE)])?;
    let done = world.run(Who::Ours, &["--retry-quiet", "-p", QUESTION])?;
    as_one_run(format, &done, &[&good]).map_err(|error| world.explain(&error))?;
    ensure(done.stderr.is_empty(), || {
        format!("on stderr: {:?}", done.stderr)
    })
}

/// Waits for a screen, but not for longer than the program runs.
fn see(world: &World, terminal: &Terminal, text: &str) -> Outcome<Screen> {
    let found = world.wait(&format!("{text:?} on the screen"), || {
        let screen = terminal.screen();
        let seen = screen.shows(text);
        (seen || terminal.exit().is_some()).then_some((seen, screen))
    });
    let (seen, screen) = found?;
    ensure(seen, || {
        format!(
            "no {text:?} on the screen\n{}\n{}",
            screen.text(),
            world.dump()
        )
    })?;
    Ok(screen)
}

/// Waits for its end.
fn end(world: &World, terminal: &Terminal) -> Outcome<Exit> {
    world.wait("its end", || terminal.exit())
}

/// What stands on the screen but the error that newer versions write to a terminal themselves.
fn but_for_the_clis_own(terminal: &Terminal) -> String {
    let text = terminal.screen().text();
    let lines = text.lines().filter(|line| !line.starts_with("API Error: "));
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// A line with the countdown that goes when the run goes on: what is left is the answer.
fn stderr_terminal(version: &'static str, _: Format) -> Outcome {
    let script = [Answer::throttle(), Answer::text(DONE).gated()];
    let world = World::new(version, script)?.wait_for("1500ms");
    let terminal = world.start_in_terminal("", &["-p", QUESTION])?;
    see(&world, &terminal, OURS)?;
    world.wait("the second turn", || {
        (world.api.turns().len() == 2).then_some(())
    })?;
    let waiting = but_for_the_clis_own(&terminal);
    world.api.release();
    let exit = end(&world, &terminal)?;
    let text = but_for_the_clis_own(&terminal);
    ensure(exit == Exit::Code(0) && text == DONE, || {
        format!("{exit:?}, screen: {text:?}\n{}", world.dump())
    })?;
    ensure(waiting.is_empty(), || {
        format!("the line stands while the CLI runs: {waiting:?}")
    })?;
    let updates = String::from_utf8_lossy(&terminal.history())
        .matches(OURS)
        .count();
    ensure(updates >= 2, || {
        format!("the line was written {updates} times")
    })
}

/// It ends at once, and the line is gone.
fn ctrl_c_waiting(version: &'static str, format: Format) -> Outcome {
    let failed = alone(version, format, [Answer::throttle()], &[])?;
    let world = World::new(version, [Answer::throttle()])?.wait_for("1h");
    let args = [format.args(), &[QUESTION]].concat();
    let terminal = world.start_in_terminal(">../stdout", &args)?;
    see(&world, &terminal, OURS)?;
    terminal
        .press(Key::Ctrl(b'c'))
        .map_err(|error| format!("no key: {error}"))?;
    let exit = end(&world, &terminal)?;
    let text = but_for_the_clis_own(&terminal);
    ensure(exit == Exit::Code(130), || format!("{exit:?}"))?;
    // The terminal itself shows the key.
    ensure(["", "^C"].contains(&text.as_str()), || {
        format!("left on the screen: {text:?}")
    })?;
    ensure(world.home().processes().is_empty(), || {
        "processes are left".into()
    })?;
    let written = fs::read_to_string(world.home().path().join("stdout")).unwrap_or_default();
    if format != Stream {
        return ensure(written.is_empty(), || format!("stdout: {written:?}"));
    }
    // The lines of the run that failed, the one that was held back as the last, and ours before it.
    let kinds = |text: &str| {
        let kind = |line: serde_json::Value| format!("{}/{}", line["type"], line["subtype"]);
        Outcome::Ok(lines(text)?.into_iter().map(kind).collect::<Vec<_>>())
    };
    let mut expected = kinds(&failed.stdout)?;
    let last = expected.len() - 1;
    expected.insert(last, "\"system\"/\"claude_retry\"".into());
    let got = kinds(&written)?;
    ensure(got == expected, || {
        format!("lines {got:?}, not {expected:?}")
    })
}
