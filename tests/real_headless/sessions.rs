//! Runs that go on with a session, or name it: the right one goes on after an error, and no other is touched.

use std::collections::BTreeMap;

use super::Scenario;
use super::format::Format::{self, Json, Stream, Text};
use super::output::result;
use super::process::Done;
use super::recovery::{DONE, QUESTION, turns};
use super::world::{Who, World};
use crate::real::stage::{Outcome, ensure};
use crate::support::api::Answer;

/// Two sessions of before, the second is the newer one.
const FIRST: &str = "11111111-1111-4111-8111-111111111111";
const SECOND: &str = "22222222-2222-4222-8222-222222222222";
/// A name for a new one.
const NAMED: &str = "33333333-3333-4333-8333-333333333333";

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("resume", &[Text, Json], resume),
        Scenario::new("continue", &Format::PROMPTED, continue_newest),
        Scenario::new("session-id", &[Text, Stream], session_id),
        Scenario::new("fork", &[Text, Json], fork),
        Scenario::new("fork-newest-named", &[Text], fork_newest_named),
    ]
}

/// A world in which two sessions have ended well, and what they left.
struct Before {
    world: World,
    transcripts: BTreeMap<String, String>,
}

fn before(version: &'static str) -> Outcome<Before> {
    let answer = |text: &str| Answer::text(text);
    let script = [
        answer("First answer."),
        answer("Second answer."),
        Answer::throttle(),
        answer(DONE),
    ];
    let world = World::new(version, script)?;
    for (id, question) in [(FIRST, "question one"), (SECOND, "question two")] {
        let done = world.ask(Who::Alone, Text, question, &["--session-id", id])?;
        ensure(done.code == 0, || format!("alone: {done:?}"))?;
    }
    let transcripts = world.home().transcripts();
    ensure(transcripts.keys().eq([FIRST, SECOND]), || {
        format!("sessions {:?}", transcripts.keys())
    })?;
    Ok(Before { world, transcripts })
}

impl Before {
    /// Runs ours with these arguments, is answered, and gives the session that went on: one of before that has
    /// grown, or the one that is new. The others are as they were.
    fn goes_on(&self, format: Format, more: &[&str]) -> Outcome<String> {
        let done = self.world.ask(Who::Ours, format, QUESTION, more)?;
        let error = || format!("{done:?}\n{}", self.world.dump());
        ensure(done.code == 0 && says(format, &done)? == DONE, error)?;
        turns(
            &self.world,
            &["question one", "question two", QUESTION, "continue"],
        )?;
        let after = self.world.home().transcripts();
        let changed: Vec<_> = after
            .iter()
            .filter(|(id, text)| self.transcripts.get(*id) != Some(text))
            .collect();
        ensure(
            changed.len() == 1 && after.len() >= self.transcripts.len(),
            || {
                let ids: Vec<_> = changed.iter().map(|(id, _)| id).collect();
                format!("changed: {ids:?}\n{}", error())
            },
        )?;
        let (id, text) = changed[0];
        let holds = |what: &str| text.matches(what).count();
        // The question once, though the session may repeat it in a line of its own kind.
        ensure(holds(DONE) > 0 && holds(QUESTION) > 0, || {
            format!("not in {id}: {text}")
        })?;
        let before = self.transcripts.get(id).map_or("", String::as_str);
        ensure(text.starts_with(before), || {
            format!("{id} has lost something: {text}")
        })?;
        Ok(id.clone())
    }
}

/// The answer.
fn says(format: Format, done: &Done) -> Outcome<String> {
    let text = match format {
        Text => done.stdout.trim().to_owned(),
        _ => result(done)?["result"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    };
    Ok(text)
}

/// The session that goes on is this one.
fn is(id: &str, expected: &str) -> Outcome {
    ensure(id == expected, || format!("{id} went on"))
}

fn resume(version: &'static str, format: Format) -> Outcome {
    is(
        &before(version)?.goes_on(format, &["--resume", FIRST])?,
        FIRST,
    )
}

fn continue_newest(version: &'static str, format: Format) -> Outcome {
    is(&before(version)?.goes_on(format, &["--continue"])?, SECOND)
}

fn session_id(version: &'static str, format: Format) -> Outcome {
    let named = ["--session-id", NAMED];
    is(&before(version)?.goes_on(format, &named)?, NAMED)
}

/// The fork goes on, and is not forked again.
fn fork(version: &'static str, format: Format) -> Outcome {
    let id = before(version)?.goes_on(format, &["--resume", FIRST, "--fork-session"])?;
    ensure(id != FIRST && id != SECOND, || format!("{id} went on"))
}

fn fork_newest_named(version: &'static str, format: Format) -> Outcome {
    let more = ["--continue", "--fork-session", "--session-id", NAMED];
    is(&before(version)?.goes_on(format, &more)?, NAMED)
}
