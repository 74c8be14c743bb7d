//! Nothing is resumed: no later try can help, the turn has not failed, or the user has gone on.

use std::time::{Duration, SystemTime};

use super::{Because, Case, NEWER, SETTING_UP, Step, Want, case};
use crate::real::checks::DONE;
use crate::real::setup::Setup;
use crate::support::api::Answer;
use crate::support::terminal::Key;

const NOT_OURS: Want = Want::Leave(Because::NotOurs);
const GONE_ON: Want = Want::Leave(Because::GoneOn);
const NO_FAILURE: Want = Want::Leave(Because::NoFailure);

const FREE: Step = Step::Prompt("");
const ENTER: Step = Step::Press(Key::Enter);

/// The whole error, as the CLI words it.
macro_rules! error_text {
    () => {
        "API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited"
    };
}
const ERROR: &str = error_text!();
const HELLO: &[&str] = &["hello there"];

fn done() -> Answer {
    Answer::text(DONE)
}

fn throttled() -> Setup {
    Setup::new([Answer::throttle(), done()])
}

fn echo() -> Answer {
    Answer::bash(concat!("echo '", error_text!(), "'"))
}

/// A 429 of a usage limit that ends after this time.
fn usage_limit(claim: &'static str, time: Duration) -> Setup {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let reset = now.unwrap_or_default() + time;
    let message = "This request would exceed your account's rate limit. Please try again later.";
    let answer = Answer::error(429, "rate_limit_error", message)
        .header("anthropic-ratelimit-unified-status", "rejected")
        .header(
            "anthropic-ratelimit-unified-reset",
            reset.as_secs().to_string(),
        )
        .header("anthropic-ratelimit-unified-representative-claim", claim)
        .header("retry-after", time.as_secs().to_string());
    Setup::new([answer, done()])
}

pub(super) fn all() -> Vec<Case> {
    let mut all = not_transient();
    all.extend(not_a_failed_turn());
    all.extend(only_the_words());
    all.extend(gone_on());
    all
}

fn not_transient() -> Vec<Case> {
    // 2.1.330 asks a second time by itself after some of them.
    let refused = |name, status, kind, message, steps| {
        let setup = Setup::new([Answer::error(status, kind, message)]);
        case(name, NOT_OURS, setup, steps, &[])
    };
    let day = Duration::from_hours(24);
    let limit: &[Step] = &[Step::Ask("hello there"), Step::See(&["hit your"])];
    vec![
        refused(
            "bad-request",
            400,
            "invalid_request_error",
            "messages: bad thing",
            &[Step::Ask("hello there"), Step::See(&["400 messages"])],
        ),
        refused(
            "no-credit",
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API",
            &[
                Step::Ask("hello there"),
                Step::See(&["Credit balance too low"]),
            ],
        ),
        refused(
            "auth-failed",
            401,
            "authentication_error",
            "invalid x-api-key",
            &[Step::Ask("hello there"), Step::See(&["Please run /login"])],
        ),
        refused(
            "forbidden",
            403,
            "permission_error",
            "forbidden",
            &[Step::Ask("hello there"), Step::See(&["403 forbidden"])],
        ),
        refused(
            "too-large",
            413,
            "request_too_large",
            "Request too large",
            &[Step::Ask("hello there"), Step::See(&["Request too large"])],
        ),
        refused(
            "long-context-credits",
            429,
            "rate_limit_error",
            "Extra usage is required for long context requests.",
            &[
                Step::Ask("hello there"),
                Step::See(&["Usage credits required"]),
            ],
        ),
        case(
            "usage-5h",
            NOT_OURS,
            usage_limit("five_hour", Duration::from_hours(1)),
            limit,
            HELLO,
        ),
        case(
            "usage-7d",
            NOT_OURS,
            usage_limit("seven_day", 2 * day),
            limit,
            HELLO,
        ),
    ]
}

/// The words of an error and a free prompt, but no turn of ours has failed.
fn not_a_failed_turn() -> Vec<Case> {
    vec![
        case(
            "compact-fails",
            NOT_OURS,
            Setup::new([
                Answer::text("Hello."),
                Answer::text("There is more."),
                Answer::throttle(),
            ]),
            &[
                Step::Ask("hello there"),
                Step::See(&["Hello."]),
                // Since about 2.1.200 one message is not enough to be compacted.
                Step::Ask("what more"),
                Step::See(&["There is more."]),
                FREE,
                Step::Type("/compact"),
                Step::Prompt("/compact"),
                ENTER,
                Step::See(&["Error during compaction"]),
                FREE,
            ],
            &[],
        ),
        Case {
            before: &[
                FREE,
                Step::Ask("hello there"),
                // 2.1.145 may write a quick answer before the question, and then shows only that again.
                Step::Turns(1),
                Step::Written(&["\"type\":\"user\"", "hello there"]),
                Step::Release,
                Step::See(&["Server is temporarily limiting requests"]),
                Step::Written(&["isApiErrorMessage"]),
            ],
            ..case(
                "resumed-error",
                NO_FAILURE,
                Setup::new([Answer::throttle().gated(), done()]).args(&["--continue"]),
                &[
                    Step::See(&["Server is temporarily limiting requests"]),
                    FREE,
                ],
                HELLO,
            )
        },
        // The CLI goes on by itself: with the message that waits.
        case(
            "queued-message",
            Want::Leave(Because::CliGoesOn),
            Setup::new([Answer::throttle().gated(), Answer::text("Handled.")]),
            &[
                Step::Ask("hello there"),
                Step::Turns(1),
                Step::Type("and do that too"),
                Step::Prompt("and do that too"),
                ENTER,
                FREE,
                Step::Release,
                Step::Turns(2),
                Step::See(&["Handled."]),
                FREE,
            ],
            &["hello there", "and do that too"],
        ),
        Case {
            since: NEWER,
            ..case(
                "own-retry-running",
                Want::Leave(Because::AtWork),
                Setup::new([Answer::throttle()]).env("CLAUDE_CODE_MAX_RETRIES", "10"),
                &[
                    Step::Ask("hello there"),
                    Step::See(&["attempt 2/10"]),
                    Step::See(&["attempt 3/10"]),
                ],
                &[],
            )
        },
    ]
}

/// The words are there, the error is not.
fn only_the_words() -> Vec<Case> {
    let quoted = |name, setup, steps, turns| case(name, NO_FAILURE, setup, steps, turns);
    let hello = || Setup::new([Answer::text("Hello.")]);
    let tool: &[&str] = &["hello there", "<tool_result>"];
    vec![
        quoted(
            "reply-quotes-banner",
            Setup::new([Answer::text(format!(
                "The log says: {ERROR}. You could retry."
            ))]),
            &[Step::Ask("hello there"), Step::See(&["You could retry."])],
            HELLO,
        ),
        quoted(
            "reply-is-banner",
            Setup::new([Answer::text(ERROR)]),
            &[Step::Ask("hello there"), Step::See(&[ERROR])],
            HELLO,
        ),
        quoted(
            "tool-prints-banner",
            Setup::new([echo(), Answer::text("Done.")]),
            &[Step::Ask("hello there"), Step::See(&["Done."])],
            tool,
        ),
        quoted(
            "tool-prints-banner-last",
            Setup::new([echo(), Answer::text(".")]),
            &[Step::Ask("hello there"), Step::Turns(2)],
            tool,
        ),
        quoted(
            "user-quotes-banner",
            Setup::new([Answer::text("I see.")]).size(30, 130),
            &[
                Step::Ask(concat!("what does ", error_text!(), " mean")),
                Step::See(&["I see."]),
            ],
            &[concat!("what does ", error_text!(), " mean")],
        ),
        quoted(
            "draft-quotes-banner",
            hello(),
            &[
                Step::Ask("hello there"),
                Step::See(&["Hello."]),
                FREE,
                Step::Type(ERROR),
                Step::Prompt(ERROR),
            ],
            HELLO,
        ),
        // 2.1.330 tells the model of a shell command, 2.1.145 does not.
        quoted(
            "pasted-as-shell",
            hello(),
            &[
                Step::Ask("hello there"),
                Step::See(&["Hello."]),
                FREE,
                Step::Type("!"),
                Step::Glyph('!'),
                Step::Type(concat!("echo '", error_text!(), "'")),
                Step::See(&["echo 'API Error"]),
                ENTER,
                FREE,
                Step::See(&["⎿ API Error"]),
            ],
            &[],
        ),
    ]
}

/// The user is faster than we are.
fn gone_on() -> Vec<Case> {
    let turns: &[&str] = &["hello there", "continue"];
    vec![
        case(
            "already-recovered",
            GONE_ON,
            throttled().wait(SETTING_UP),
            &[
                Step::Ask("hello there"),
                Step::Failed,
                Step::Ask("continue"),
                Step::See(&[DONE]),
                FREE,
            ],
            turns,
        ),
        case(
            "busy-after-error",
            GONE_ON,
            Setup::new([Answer::throttle(), done().gated()]).wait(SETTING_UP),
            &[
                Step::Ask("hello there"),
                Step::Failed,
                Step::Ask("continue"),
                Step::Turns(2),
            ],
            turns,
        ),
    ]
}
