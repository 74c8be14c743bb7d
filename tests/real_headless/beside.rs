//! Twenty runs side by side, in every format, in one project.

use std::collections::BTreeMap;
use std::sync::Mutex;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::Scenario;
use super::format::Format;
use super::output::{as_one_run, progress};
use super::process::{Done, Input};
use super::recovery::alone;
use super::world::{Who, World};
use crate::real::stage::{Outcome, ensure};
use crate::support::api::Answer;
use crate::support::bell::lock;

/// How many.
const RUNS: usize = 20;
/// Half of the requests are throttled, drawn from this.
const SEED: u64 = 1;
/// No run more often than the settings have it.
const MOST: usize = 6;

pub(super) fn all() -> Vec<Scenario> {
    vec![Scenario::new("side-by-side", &[], side_by_side)]
}

/// What a run says.
fn question(run: usize) -> String {
    format!("say number {run:02} again")
}

/// What it is answered.
fn answer(run: usize) -> String {
    format!("It is number {run:02}, and no other.")
}

/// Each is answered, by its own answer, once.
fn side_by_side(version: &'static str, _: Format) -> Outcome {
    let mut rng = StdRng::seed_from_u64(SEED);
    let mut failures = || (0..MOST).take_while(|_| rng.random_bool(0.5)).count();
    let failures: Vec<_> = (0..RUNS).map(|_| failures()).collect();
    let all: usize = failures.iter().sum();
    ensure(all >= RUNS / 2, || format!("the seed throttles {all}"))?;

    let seen: Mutex<BTreeMap<usize, usize>> = Mutex::default();
    let planned = failures.clone();
    let world = World::by(version, move |_, request| {
        let Some(run) = (0..RUNS).find(|&run| request.says(&question(run)) > 0) else {
            return Answer::text("Whose question is that?");
        };
        let mut seen = lock(&seen);
        let before = seen.entry(run).or_default();
        *before += 1;
        if *before <= planned[run] {
            Answer::throttle()
        } else {
            Answer::text(answer(run))
        }
    })?;
    let format = |run: usize| Format::PROMPTED[run % Format::PROMPTED.len()];
    let start = |run| {
        let question = question(run);
        let args = [format(run).args(), &[question.as_str()]].concat();
        world.start(Who::Ours, &args, Input::Nothing)
    };
    let running = (0..RUNS).map(start).collect::<Outcome<Vec<_>>>()?;
    let done = running.iter().map(|process| world.end(process));
    let done = done.collect::<Outcome<Vec<_>>>()?;

    let references = |answer: Answer| {
        let formats = Format::PROMPTED.iter();
        let each = formats.map(|&format| alone(version, format, [answer.clone()], &[]));
        each.collect::<Outcome<Vec<_>>>()
    };
    let failed = references(Answer::throttle())?;
    let good = references(Answer::text(answer(0)))?;
    for (run, (done, &failures)) in done.iter().zip(&failures).enumerate() {
        let (failed, good) = (&failed[run % failed.len()], &good[run % good.len()]);
        let good = Done {
            stdout: good.stdout.replace(&answer(0), &answer(run)),
            ..good.clone()
        };
        let mut parts = vec![failed; failures];
        parts.push(&good);
        as_one_run(format(run), done, &parts)
            .and_then(|()| progress(done, failures, 0))
            .map_err(|error| format!("run {run}: {error}\n{}", world.dump()))?;
    }
    let turns = world.api.turns().len();
    ensure(turns == all + RUNS, || {
        format!("{turns} turns, not {}", all + RUNS)
    })?;
    let sessions = world.home().transcripts().len();
    ensure(sessions == RUNS, || format!("{sessions} sessions"))
}
