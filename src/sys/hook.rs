//! What a hook of ours does: `claude-retry ctl hook run`, started by the CLI at an event, with the event on
//! stdin.
//!
//! Where the CLI runs under a wrapper, it hands the event over and does as it is told. Where not, it is the
//! supervisor itself ([`Alone`]). It waits asleep: there may be many, one a session that failed.

pub(super) mod claim;
mod cli;
mod wrapper;

use std::io::{self, Read};
use std::time::Duration;

use serde_json::json;

use self::cli::Cli;
use self::wrapper::Told;
use super::Log;
use super::clock::{self, Clock};
use crate::config::{self, Settings};
use crate::supervisor::alone::{Alone, Claim, Outcome, Step};
use crate::supervisor::hook::{self, Happened, HookEvent, Unreadable};

/// No event is longer; a prompt stands in some.
const STDIN_AT_MOST: u64 = 16 * 1024 * 1024;

/// Has a hook without a wrapper acted on this error of this session, or does it wait to?
pub fn is_claimed(session: &str, uuid: &str) -> bool {
    claim::is_claimed(session, uuid)
}

/// How a hook ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The CLI is to resume the turn.
    Resume,
    /// Nothing is to happen.
    Nothing,
}

/// Sees to the event on stdin; returns when it is known what is to happen, which may take as long as the
/// backoff does. `wrapped` says that a wrapper put the hook there, so that it is never on its own.
///
/// Whatever goes wrong, the CLI is not to be disturbed: then nothing happens, and nothing is said but in the
/// log.
pub fn run(wrapped: bool) -> End {
    let mut stdin = Vec::new();
    let input = io::stdin().lock();
    if input.take(STDIN_AT_MOST).read_to_end(&mut stdin).is_err() {
        return End::Nothing;
    }
    let event = match hook::read(&stdin) {
        Ok(event) => event,
        Err(error) => {
            let event = match error {
                Unreadable::Agent => "hook-let-go",
                Unreadable::Shape(_) | Unreadable::Event(_) => "hook-unread",
            };
            if let Some(settings) = settings() {
                let reason = error.to_string();
                log_of(&settings)
                    .append(&json!({ "event": event, "by": "hook", "reason": reason }));
            }
            return End::Nothing;
        }
    };
    // Megabytes of somebody's prompt are not to be kept for the wait.
    drop(stdin);
    let cli = Cli::of(&event);
    match wrapper::tell(&event, &cli) {
        Told::Resume => return End::Resume,
        Told::Nothing => return End::Nothing,
        Told::Foreign | Told::NoWrapper if wrapped => return End::Nothing,
        // It does without the hook, or does not know the CLI behind a launcher: it types.
        Told::Foreign | Told::NoWrapper if wrapper::is_around(&cli) => return End::Nothing,
        Told::Foreign | Told::NoWrapper => {}
    }
    match event.happened {
        // The CLI resumes nothing without a terminal, and ends without asking us.
        Happened::StopFailure { .. } if cli::is_headless() => End::Nothing,
        Happened::StopFailure { ref text } => supervise(&event, text.clone(), cli),
        Happened::SessionStart | Happened::UserPromptSubmit | Happened::Stop => End::Nothing,
    }
}

/// The settings, unless there is a fault in them, of which nobody can be told here.
fn settings() -> Option<Settings> {
    let sources = config::sources(Vec::new()).ok()?;
    Some(config::resolve(&sources).ok()?.settings)
}

fn log_of(settings: &Settings) -> Log {
    Log::new(settings.log.clone())
}

/// Waits the error out.
fn supervise(event: &HookEvent, text: String, mut cli: Cli) -> End {
    let Some(settings) = settings() else {
        return End::Nothing;
    };
    if let Some(reason) = settings.keeps_hook_idle() {
        log_of(&settings).append(&json!({
            "event": "hook-let-go", "by": "hook", "session": event.session_id, "reason": reason,
        }));
        return End::Nothing;
    }
    let (clock, session) = (Clock::start(), event.session_id.clone());
    let (mut log, max) = (log_of(&settings), settings.max_retries);
    let mut alone = Alone::new(settings, text, session.clone(), clock.now(), rand::random());
    let mut step = Step::LookAt(Duration::ZERO);
    let outcome = loop {
        step = match step {
            Step::LookAt(at) => {
                std::thread::sleep(at.saturating_sub(clock.now().elapsed));
                let sight = cli.look();
                alone.handle(clock.now(), &sight)
            }
            Step::Claim(uuid) => {
                let claimed = claim::claim(&session, &uuid, clock::unix_ms());
                let step = alone.claimed(clock.now(), claimed);
                if let (Claim::Ours, Some(wait)) = (claimed, alone.wait()) {
                    log.append(&json!({
                        "event": "hook-waiting", "by": "hook", "session": session, "uuid": wait.uuid,
                        "class": wait.class.name(), "attempt": wait.attempt, "max": max,
                        "wait_ms": u64::try_from(wait.total.as_millis()).unwrap_or(u64::MAX),
                    }));
                }
                step
            }
            Step::End(outcome) => break outcome,
        };
    };
    let uuid = alone.wait().map(|wait| wait.uuid.as_str());
    match outcome {
        Outcome::Resume => {
            log.append(&json!({
                "event": "hook-resumed", "by": "hook", "session": session, "uuid": uuid,
            }));
            End::Resume
        }
        Outcome::Nothing(reason) => {
            log.append(&json!({
                "event": "hook-let-go", "by": "hook", "session": session, "uuid": uuid,
                "reason": reason,
            }));
            End::Nothing
        }
        Outcome::Refused(reason) => {
            log.append(&json!({
                "event": "hook-let-go", "by": "hook", "session": session, "uuid": uuid,
                "reason": reason, "refused": true,
            }));
            End::Nothing
        }
        Outcome::GaveUp(reason) => {
            log.append(&json!({
                "event": "hook-let-go", "by": "hook", "session": session, "uuid": uuid,
                "reason": reason, "gave_up": true,
            }));
            End::Nothing
        }
    }
}
