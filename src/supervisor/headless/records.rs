//! The records for the log, the lines for stderr and for the stream.

use std::time::Duration;

use rand::{Rng, RngExt as _};
use serde_json::json;

use super::output::Said;
use super::{Effect, Outbox};
use crate::supervisor::retry::Wait;
use crate::supervisor::session::{ExitKind, Signal, what};
use crate::supervisor::verdict::Failure;

/// An error line is logged up to this many characters.
const LINE: usize = 240;

/// A random id (version 4).
pub(super) fn uuid(rng: &mut impl Rng) -> String {
    let random: u128 = rng.random();
    let bits = random & !(0xf << 76) & !(0b11 << 62) | 4 << 76 | 0b10 << 62;
    let hex = format!("{bits:032x}");
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

/// A signal's number, the same on every unix.
pub const fn signal_number(signal: Signal) -> u8 {
    match signal {
        Signal::Hup => 1,
        Signal::Int => 2,
        Signal::Quit => 3,
        Signal::Term => 15,
        Signal::Tstp => 20,
    }
}

pub(super) fn act(failure: &Failure, said: &Said, out: &mut Outbox) {
    let text: String = said.text.chars().take(LINE).collect();
    let by = if failure.uuid.is_some() {
        "transcript"
    } else {
        "output"
    };
    out.effects.push(Effect::Log(json!({
        "event": "verdict", "verdict": "act", "reason": "the turn ended in a transient error",
        "text": text, "class": failure.class.name(), "uuid": failure.uuid, "by": by, "hook": false,
        "session": failure.session_id,
        "witnesses": { "output": failure.class.name(), "transcript": failure.uuid.is_some() },
    })));
}

pub(super) fn keep_out(reason: &str, words: &str) -> Effect {
    Effect::Log(json!({
        "event": "verdict", "verdict": "keep-out", "reason": reason, "text": words,
    }))
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn waiting(wait: &Wait, max: u32) -> Effect {
    Effect::Log(json!({
        "event": "waiting", "attempt": wait.attempt, "max": max,
        "class": wait.failure.class.name(), "wait_ms": ms(wait.total), "ceiling_ms": ms(wait.ceiling),
    }))
}

/// The CLI runs again.
pub(super) fn again(attempt: u32, over: bool) -> [Effect; 2] {
    let how = if over { "start-over" } else { "run" };
    [
        Effect::Log(json!({ "event": "typed", "attempt": attempt, "how": how })),
        Effect::Log(json!({ "event": "resumed" })),
    ]
}

pub(super) fn turn_ok() -> Effect {
    Effect::Log(json!({ "event": "turn-ok" }))
}

pub(super) fn stood_down(reason: &str) -> Effect {
    Effect::Log(json!({ "event": "stood-down", "reason": reason }))
}

pub(super) fn gave_up(why: &str) -> Effect {
    Effect::Log(json!({ "event": "gave-up", "why": why }))
}

pub(super) fn cancelled() -> Effect {
    Effect::Log(json!({ "event": "cancelled" }))
}

pub(super) fn exit(kind: ExitKind) -> Effect {
    let how = match kind {
        ExitKind::Code(code) => format!("code {code}"),
        ExitKind::Killed(signal) => format!("signal {signal}"),
    };
    Effect::Log(json!({ "event": "exit", "how": how }))
}

/// A wait as a line for stderr.
pub(super) fn waits(wait: &Wait, max: u32) -> String {
    let tenths = wait.total.as_millis().div_ceil(100);
    let (what, attempt) = (what(wait.failure.class), wait.attempt);
    format!(
        "{what}, retry {attempt}/{max} in {}.{}s",
        tenths / 10,
        tenths % 10
    )
}

/// A wait as a line of the stream, in the words of the CLI's own `api_retry`.
pub(super) fn event_line(
    wait: &Wait,
    max: u32,
    status: Option<u64>,
    session: Option<&str>,
    uuid: &str,
) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Line<'a> {
        r#type: &'a str,
        subtype: &'a str,
        attempt: u32,
        max_retries: u32,
        retry_delay_ms: u64,
        error_status: Option<u64>,
        error: &'a str,
        session_id: Option<&'a str>,
        uuid: &'a str,
    }
    let line = Line {
        r#type: "system",
        subtype: "claude_retry",
        attempt: wait.attempt,
        max_retries: max,
        retry_delay_ms: ms(wait.total),
        error_status: status,
        error: wait.failure.class.name(),
        session_id: session,
        uuid,
    };
    let mut line = serde_json::to_vec(&line).unwrap_or_default();
    line.push(b'\n');
    line
}
