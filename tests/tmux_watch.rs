//! `ctl tmux watch` in a real tmux server: CLIs that were started without us are resumed, and nothing else is touched.
//!
//! tmux must be installed: there is nothing to put in its place.

#![cfg(target_os = "linux")]

#[path = "tmux_watch/cli.rs"]
mod cli;
#[path = "tmux_watch/stage.rs"]
mod stage;
#[path = "tmux_watch/watcher.rs"]
mod watcher;

use stage::Stage;

/// The program in the panes: see [`cli`].
#[test]
fn the_cli_that_is_told_what_to_do() {
    cli::program();
}

/// The program under test: see [`watcher`].
#[test]
fn the_watch_that_tells_what_it_sees() {
    watcher::program();
}

#[test]
fn an_error_in_a_watched_pane_is_resumed() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let mut watch = stage.watch();
    watch.joins(&pane);
    pane.turn_fails();
    assert_eq!(pane.next(), "submitted continue");
    watch.see(&["Resumed"]);
    assert_eq!(pane.keys(), r#""\u{1b}[200~continue\u{1b}[201~\r""#);
    pane.tell("say all is well");
    watch.wish("quit");
    assert_eq!(watch.end(), (0, String::new()));
    assert_eq!(
        (stage.options(), stage.buffers()),
        (String::new(), String::new())
    );
}
