//! The scenarios with a course of their own.

use super::checks::DONE;
use super::mode::Mode::{self, Hook, Typing};
use super::plays;
use super::setup::Setup;
use super::stage::{Outcome, Stage};
use crate::support::api::Answer;

/// A wait long enough for the scenario to be set up before it ends.
pub(crate) const SETTING_UP: &str = "2500ms";
/// A wait that no scenario sees the end of.
pub(crate) const ENDLESS: &str = "10m";

/// A scenario.
pub(crate) struct Scenario {
    /// Its name.
    pub(crate) name: &'static str,
    /// The modes that it is for.
    pub(crate) modes: &'static [Mode],
    /// Since which version it is to be had.
    pub(crate) since: u32,
    /// What it starts from.
    pub(crate) setup: Setup,
    /// Its course.
    pub(crate) play: fn(&mut Stage) -> Outcome,
}

/// One for every version.
pub(crate) fn scenario(
    name: &'static str,
    modes: &'static [Mode],
    setup: Setup,
    play: fn(&mut Stage) -> Outcome,
) -> Scenario {
    Scenario {
        name,
        modes,
        since: 0,
        setup,
        play,
    }
}

/// Those of the wrapper itself: its keys, its bar, its end.
pub(crate) fn all() -> Vec<Scenario> {
    let done = || Answer::text(DONE);
    let throttled = || Setup::new([Answer::throttle(), done()]);
    let endless = || throttled().wait(ENDLESS);
    let typing: &[Mode] = &[Typing];
    let wrapped: &[Mode] = &[Typing, Hook];
    vec![
        scenario("bare", typing, throttled(), plays::bare),
        scenario(
            "screen-only",
            typing,
            Setup::new([Answer::throttle().gated(), done().gated()])
                .env("CLAUDE_RETRY_TRANSCRIPT", "off"),
            plays::screen_only,
        ),
        scenario("key-in-between", typing, throttled(), plays::key_in_between),
        scenario("ctrl-c-cancels", wrapped, endless(), plays::cancel),
        scenario("enter-goes-now", wrapped, endless(), plays::go_now),
        scenario(
            "a-word-pauses",
            wrapped,
            throttled().wait(SETTING_UP),
            plays::pauses,
        ),
        scenario(
            "six-failures",
            wrapped,
            Setup::new([Answer::throttle()]).wait("100ms"),
            plays::spent,
        ),
        scenario(
            "bar",
            wrapped,
            Setup::new([Answer::throttle(), done(), Answer::throttle(), done()]).wait(SETTING_UP),
            plays::bar,
        ),
        scenario(
            "resized",
            typing,
            throttled().wait(SETTING_UP),
            plays::resized,
        ),
        scenario("quits", wrapped, Setup::new([done()]), plays::quits),
        scenario(
            "exit-code",
            wrapped,
            Setup::new([done()]).args(&["--no-such-option"]),
            plays::exit_code,
        ),
    ]
}
