//! While a turn has failed: nobody types, and a bar that stands is taken off.

use crate::stage::{Play, Stage};
use crate::terminal::Exit;

pub(crate) const BAR: &str = "retry 1/";
pub(crate) const ERROR: &str = "API Error: Server is temporarily limiting requests";

/// The supervisor lives: the user cancels the wait, and leaves.
#[track_caller]
pub(crate) fn cancels_and_leaves(stage: &Stage, case: &str) {
    stage.types("\x03");
    stage.shows("not resuming");
    leaves(stage, case);
}

/// The user leaves the stand-in, so the keys reach it; nothing was typed by us.
#[track_caller]
pub(crate) fn leaves(stage: &Stage, point: &str) {
    stage.types("\x03");
    stage.shows("Press Ctrl-C again");
    stage.types("\x03");
    stage.shows("You left the demo.");
    assert_eq!(stage.ends(), Exit::Code(0), "{point}");
    for event in ["typing", "resumed"] {
        assert!(stage.log.events(event).is_empty(), "{point}: {event}");
    }
}

#[test]
fn a_failure_before_there_is_a_bar_ends_the_supervisor_alone() {
    let points = ["locator", "transcript", "verdict", "bar"];
    // Its story takes its time: all of them at once.
    let stages = points.map(|point| Play::stand_in().fault_at_once(&[(point, 1)]).start());
    for (point, stage) in points.into_iter().zip(stages) {
        stage.shows(ERROR);
        stage.fails_at(point);
        assert!(!stage.terminal.screen().shows(BAR), "{point}");
        leaves(&stage, point);
    }
}

#[test]
fn a_bar_that_stands_is_taken_off() {
    let points = ["bar", "keys", "banner", "shadow", "scan"];
    let stages = points.map(|point| Play::stand_in().fault(&[(point, 1)]).start());
    for (point, stage) in points.into_iter().zip(stages) {
        stage.shows(BAR);
        stage.strike();
        // Drawn by the stand-in, and taken back, so that all the readers pass.
        stage.types("x");
        stage.fails_at(point);
        stage.shows_no_more(BAR);
        assert!(stage.terminal.screen().shows(ERROR), "{point}");
        stage.types("\x7f");
        leaves(&stage, point);
        // By us: the child has not drawn all of it anew.
        assert_eq!(whole_screens(&stage), 1, "{point}");
    }
}

#[test]
fn a_bar_that_cannot_be_taken_off_is_drawn_over_by_the_child() {
    let stage = Play::stand_in().fault(&[("bar", 1), ("hide", 1)]).start();
    stage.shows(BAR);
    stage.strike();
    stage.fails_at("bar");
    stage.shows_no_more(BAR);
    stage.shows(ERROR);
    // At the other size, and at its own again.
    stage.wait("third picture", || {
        (whole_screens(&stage) == 3).then_some(())
    });
    leaves(&stage, "bar");
}

/// How often the stand-in has drawn all of the screen, as it does at each new size.
fn whole_screens(stage: &Stage) -> usize {
    let history = String::from_utf8_lossy(&stage.terminal.history()).into_owned();
    history.matches("\x1b[0m\x1b[2J").count()
}
