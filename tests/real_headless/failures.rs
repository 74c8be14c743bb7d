//! Runs that fail for good.

use std::time::{Duration, SystemTime};

use super::Scenario;
use super::format::Format::{self, Text};
use super::output::{as_alone, as_one_run, progress};
use super::recovery::{QUESTION, alone, turns};
use super::world::{Who, World};
use crate::real::stage::{Outcome, ensure};
use crate::support::api::Answer;

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("six-failures", &Format::PROMPTED, six_failures),
        Scenario::new("refused", &[Text], refused),
        Scenario::new("usage-limit", &Format::PROMPTED, usage_limit),
        Scenario::new("login", &Format::PROMPTED, login),
        Scenario::new("billing", &Format::PROMPTED, billing),
    ]
}

/// As often as the settings have it, then it is left.
fn six_failures(version: &'static str, format: Format) -> Outcome {
    let failed = alone(version, format, [Answer::throttle()], &[])?;
    let world = World::new(version, [Answer::throttle()])?;
    let done = world.ask(Who::Ours, format, QUESTION, &[])?;
    as_one_run(format, &done, &[&failed; 7]).map_err(|error| world.explain(&error))?;
    let continues = ["continue"; 6];
    turns(&world, &[&[QUESTION][..], &continues].concat())?;
    ensure(done.code == 1, || format!("{done:?}"))?;
    progress(&done, 6, 1)
}

/// Nobody listens at all.
fn refused(version: &'static str, format: Format) -> Outcome {
    let world = || Outcome::Ok(World::new(version, [Answer::throttle()])?.with_no_api());
    let failed = world()?.ask(Who::Alone, format, QUESTION, &[])?;
    ensure(failed.code == 1, || format!("alone: {failed:?}"))?;
    let world = world()?.env("CLAUDE_RETRY_MAX_RETRIES", "2");
    let done = world.ask(Who::Ours, format, QUESTION, &[])?;
    as_one_run(format, &done, &[&failed; 3]).map_err(|error| world.explain(&error))?;
    progress(&done, 2, 1)
}

/// One of ours writes what the CLI alone writes, and asks no more often than it.
fn left_alone(version: &'static str, format: Format, answer: &Answer, says: &str) -> Outcome {
    let world = World::new(version, [answer.clone()])?;
    let alone = world.ask(Who::Alone, format, QUESTION, &[])?;
    let asked = world.api.turns().len();
    ensure(alone.code == 1 && alone.stdout.contains(says), || {
        format!("alone: {alone:?}")
    })?;
    let world = World::new(version, [answer.clone()])?;
    let done = world.ask(Who::Ours, format, QUESTION, &[])?;
    as_alone(format, &done, &alone).map_err(|error| world.explain(&error))?;
    turns(&world, &vec![QUESTION; asked])?;
    ensure(done.stderr.is_empty(), || {
        format!("on stderr: {:?}", done.stderr)
    })
}

fn usage_limit(version: &'static str, format: Format) -> Outcome {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let reset = now.unwrap_or_default() + Duration::from_hours(1);
    let message = "This request would exceed your account's rate limit. Please try again later.";
    let answer = Answer::error(429, "rate_limit_error", message)
        .header("anthropic-ratelimit-unified-status", "rejected")
        .header(
            "anthropic-ratelimit-unified-reset",
            reset.as_secs().to_string(),
        )
        .header(
            "anthropic-ratelimit-unified-representative-claim",
            "five_hour",
        );
    left_alone(version, format, &answer, "hit your")
}

fn login(version: &'static str, format: Format) -> Outcome {
    let answer = Answer::error(401, "authentication_error", "invalid x-api-key");
    left_alone(version, format, &answer, "Please run /login")
}

fn billing(version: &'static str, format: Format) -> Outcome {
    let message = "Your credit balance is too low to access the Anthropic API";
    let answer = Answer::error(400, "invalid_request_error", message);
    left_alone(version, format, &answer, "Credit balance")
}
