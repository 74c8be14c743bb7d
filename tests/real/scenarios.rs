//! The scenarios: what the API answers, what the test user does, what must have happened at the end.

use std::time::{Duration, SystemTime};

use super::plays;
use super::stage::{Outcome, Setup, Stage};
use crate::support::api::Answer;

/// The last answer of most scripts.
pub(crate) const DONE: &str = "Recovered and done.";
/// The banner of a throttled subscriber, without the server's own message behind it.
pub(crate) const BANNER: &str =
    "API Error: Server is temporarily limiting requests (not your usage limit)";
/// A wait long enough for the scenario to be set up before it ends.
const SETTING_UP: &str = "2500ms";
/// A wait that no scenario sees the end of.
const ENDLESS: &str = "10m";

/// The course of a scenario.
#[derive(Clone, Copy)]
pub(crate) enum Play {
    /// The user asks once and touches nothing more; the turns that the API gets, ending in [`DONE`].
    Recovers(&'static [&'static str]),
    /// The user asks, this shows, and nothing is resumed; then the user asks again.
    LeftAlone {
        /// What the screen shows once the first turn is over.
        shows: &'static str,
        /// It reads like an error that is to be resumed: the wrapper must look closer, and keep out.
        looks_like_one: bool,
        /// What the screen shows once the user's next turn is over.
        then: &'static str,
    },
    /// A course of its own.
    Own(fn(&mut Stage) -> Outcome),
}

/// A scenario.
pub(crate) struct Scenario {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it starts from.
    pub(crate) setup: Setup,
    /// Its course.
    pub(crate) play: Play,
}

fn scenario(name: &'static str, setup: Setup, play: Play) -> Scenario {
    Scenario { name, setup, play }
}

/// The answer that ends the trouble.
pub(crate) fn done() -> Answer {
    Answer::text(DONE)
}

/// A 429 of a usage limit that ends in an hour.
fn usage_limit() -> Answer {
    let hour = Duration::from_hours(1);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let reset = now.unwrap_or_default() + hour;
    let message = "This request would exceed your account's rate limit. Please try again later.";
    Answer::error(429, "rate_limit_error", message)
        .header("anthropic-ratelimit-unified-status", "rejected")
        .header(
            "anthropic-ratelimit-unified-reset",
            reset.as_secs().to_string(),
        )
        .header(
            "anthropic-ratelimit-unified-representative-claim",
            "five_hour",
        )
        .header("retry-after", hour.as_secs().to_string())
}

/// All of them.
pub(crate) fn all() -> Vec<Scenario> {
    let throttled = || Setup::new([Answer::throttle(), done()]);
    let once = Play::Recovers(&["hello there", "continue"]);
    let mut all = vec![
        scenario("bare", throttled().bare(), Play::Own(plays::bare)),
        scenario("throttle", throttled(), once),
        scenario(
            "throttle-twice",
            Setup::new([Answer::throttle(), Answer::throttle(), done()]),
            Play::Recovers(&["hello there", "continue", "continue"]),
        ),
        scenario(
            "throttle-after-tool",
            Setup::new([Answer::bash("echo tool ran"), Answer::throttle(), done()]),
            Play::Recovers(&["hello there", "<tool_result>", "continue"]),
        ),
        scenario("throttle-44-columns", throttled().size(24, 44), once),
        scenario("throttle-200-columns", throttled().size(50, 200), once),
        scenario("throttle-api-key", throttled().api_key(), once),
        scenario(
            "screen-alone",
            Setup::new([Answer::throttle().gated(), done().gated()])
                .env("CLAUDE_RETRY_TRANSCRIPT", "off"),
            Play::Own(plays::screen_alone),
        ),
    ];
    all.extend(other_classes(once));
    all.extend(prompt_not_free(&throttled));
    all.extend(left_alone());
    all.extend(keys_and_bar(&throttled));
    all.extend(super::after::scenarios());
    all
}

fn other_classes(once: Play) -> Vec<Scenario> {
    let overloaded = Answer::error(529, "overloaded_error", "Overloaded");
    let broken = Answer::error(500, "api_error", "Internal server error");
    vec![
        scenario("overloaded", Setup::new([overloaded, done()]), once),
        scenario("server-error", Setup::new([broken, done()]), once),
        scenario(
            "connection-dropped",
            Setup::new([Answer::drop_connection(), done()]),
            once,
        ),
        scenario(
            "cut-in-the-middle",
            Setup::new([Answer::cut("Half an answer is"), done()]),
            once,
        ),
    ]
}

fn prompt_not_free(throttled: &dyn Fn() -> Setup) -> Vec<Scenario> {
    let slow = || throttled().wait(SETTING_UP);
    let vim = ["--settings", r#"{"editorMode":"vim"}"#];
    vec![
        scenario(
            "vim-normal",
            slow().args(&vim),
            Play::Own(plays::vim_normal),
        ),
        scenario("draft", slow(), Play::Own(plays::draft)),
        scenario("model-dialog", slow(), Play::Own(plays::model_dialog)),
        scenario(
            "key-during-typing",
            throttled(),
            Play::Own(plays::key_during_typing),
        ),
    ]
}

fn left_alone() -> Vec<Scenario> {
    let unauthorised = Answer::error(401, "authentication_error", "invalid x-api-key");
    vec![
        scenario(
            "reply-is-banner",
            Setup::new([Answer::text(format!("{BANNER} · Rate limited")), done()]),
            Play::LeftAlone {
                shows: BANNER,
                looks_like_one: true,
                then: DONE,
            },
        ),
        scenario(
            "usage-limit",
            Setup::new([usage_limit(), done()]),
            Play::Own(plays::usage_limit),
        ),
        scenario(
            "auth-failed",
            Setup::new([unauthorised]),
            Play::LeftAlone {
                shows: "Please run /login",
                looks_like_one: false,
                then: "Please run /login",
            },
        ),
        scenario(
            "compact-fails",
            Setup::new([Answer::text("Hello."), Answer::throttle()]),
            Play::Own(plays::compact_fails),
        ),
        scenario(
            "resumed-error",
            Setup::new([Answer::throttle(), done()]),
            Play::Own(plays::resumed_error),
        ),
        scenario(
            "queued-message",
            Setup::new([Answer::throttle().gated(), Answer::text("Handled."), done()]),
            Play::Own(plays::queued_message),
        ),
    ]
}

fn keys_and_bar(throttled: &dyn Fn() -> Setup) -> Vec<Scenario> {
    let endless = || throttled().wait(ENDLESS);
    vec![
        scenario("ctrl-c-cancels", endless(), Play::Own(plays::cancel)),
        scenario("enter-goes-now", endless(), Play::Own(plays::go_now)),
        scenario(
            "typing-pauses",
            throttled().wait(SETTING_UP),
            Play::Own(plays::typing_pauses),
        ),
        scenario(
            "six-failures",
            Setup::new([Answer::throttle()]).wait("100ms"),
            Play::Own(plays::spent),
        ),
        scenario(
            "bar",
            Setup::new([Answer::throttle(), done(), Answer::throttle(), done()]).wait(SETTING_UP),
            Play::Own(plays::bar),
        ),
        scenario(
            "resized",
            throttled().wait(SETTING_UP),
            Play::Own(plays::resized),
        ),
        scenario("quits", Setup::new([done()]), Play::Own(plays::quits)),
        scenario(
            "exit-code",
            Setup::new([done()]).args(&["--no-such-option"]),
            Play::Own(plays::exit_code),
        ),
    ]
}
