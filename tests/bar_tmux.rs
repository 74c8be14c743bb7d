//! The bar in tmux, whose own screen and scrollback are the oracle: after it is gone, they are those of the
//! CLI without a wrapper in a pane of the same size.
//!
//! tmux must be installed: there is nothing to put in its place.

#[path = "support/panes.rs"]
mod panes;
#[path = "support/talker.rs"]
mod talker;

use panes::{Case, Panes, Server};

/// The program that the panes run: see [`talker`].
#[test]
fn a_cli_that_is_told_what_to_draw() {
    talker::program();
}

fn play(case: Case) {
    let server = Server::start();
    let mut panes = Panes::open(&server, case);
    panes.both("begin");
    panes.is_gone("before the error");
    panes.both("fail");
    panes.bar_shows("after the error", "retry 1/6 in");
    for command in ["notes", "no notes", "scroll", "region", "no region"] {
        panes.both(command);
        panes.bar_shows(command, "retry 1/6 in");
    }
    panes.both("busy");
    panes.is_gone("after the bar");
    panes.both("fail");
    panes.bar_shows("after another error", "in");
    for (cols, rows) in [(case.cols, case.rows - 2), (case.cols + 7, case.rows + 4)] {
        panes.resize(cols, rows);
        panes.bar_shows("resized", "in");
    }
    panes.with.of_pane(&["send-keys", "C-c"]);
    panes.bar_shows("cancelled", "not resuming");
    panes.both("busy");
    panes.is_gone("after it was cancelled");
    for pane in [&mut panes.bare, &mut panes.with] {
        pane.prompter.tell("exit");
        // Nothing but the end.
        assert_eq!(pane.prompter.answer(), "");
    }
    panes.is_gone("at the end");
    // Blanks that were written where none had been would be wrapped into rows of their own.
    for pane in [&panes.bare, &panes.with] {
        pane.resize(case.cols / 2, case.rows);
    }
    panes.is_gone("in half the width");
}

fn play_on(inline: bool) {
    std::thread::scope(|scope| {
        for (cols, rows) in [(80, 24), (120, 40), (40, 10)] {
            scope.spawn(move || {
                play(Case {
                    inline,
                    cols,
                    rows,
                    base: "10m",
                });
            });
        }
    });
}

#[test]
fn in_tmux_a_bar_over_the_alternate_screen_leaves_no_trace() {
    play_on(false);
}

#[test]
fn in_tmux_an_inline_bar_leaves_no_trace() {
    play_on(true);
}
