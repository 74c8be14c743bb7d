//! Nothing can be written: the session goes on, with nothing but the log missing.

use std::fs;
use std::path::Path;

use crate::bar::{BAR, cancels_and_leaves};
use crate::stage::{CLAUDE_RETRY, Play};
use crate::terminal::Exit;

/// What is in the folder that wrappers share.
fn left(home: &Path) -> usize {
    fs::read_dir(home.join(".local/state/claude-retry/run"))
        .map_or(0, |entries| entries.flatten().count())
}

#[test]
fn a_log_that_cannot_be_written_is_done_without() {
    let logs = ["/dev/full", "/proc/version", "/nonexistent/log", "/"];
    let stages = logs.map(|log| Play::stand_in().set("LOG", log).start());
    for (log, stage) in logs.into_iter().zip(stages) {
        stage.shows(BAR);
        cancels_and_leaves(&stage, log);
    }
}

/// `ulimit -f`: no file may grow beyond this, and who tries gets SIGXFSZ, which kills.
#[test]
fn files_that_may_not_grow_end_no_session() {
    for blocks in [0, 1] {
        let words = format!("ulimit -f {blocks}; exec \"$0\" -c \"$1\"");
        let child = "stty raw -echo; printf 'plugin=%s.' $CLAUDE_CODE_PLUGIN_DIRS; printf ready; \
                     dd bs=1 count=1 of=/dev/null 2>/dev/null; exit 6";
        let play = Play::bare(&words, &[])
            .set("BAR", "off")
            .words(&words, &[CLAUDE_RETRY, child]);
        let stage = play.start();
        stage.shows("ready");
        // The plugin did not fit, so there is none.
        if blocks == 0 {
            stage.shows("plugin=.");
        }
        stage.types("x");
        assert_eq!(stage.ends(), Exit::Code(6), "{blocks}");
        assert_eq!(left(stage.home.path()), 0, "{blocks}: left behind");
    }
}

/// Its disposition is not ours to change for the child.
#[test]
fn the_child_has_the_signal_as_it_would() {
    let words = "(ulimit -f 0; echo x > \"$HOME/file\"); printf 'code=%s.' $?; exit 0";
    for play in [Play::bare(words, &[]), Play::wrapped(words, &[])] {
        let stage = play.start();
        stage.shows("code=153.");
        assert_eq!(stage.ends(), Exit::Code(0));
    }
}
