//! `ctl tmux watch` in a real tmux server: CLIs that were started without us are resumed, and nothing else is touched.
//!
//! tmux must be installed: there is nothing to put in its place.

#![cfg(target_os = "linux")]

#[path = "tmux_watch/cli.rs"]
mod cli;
#[path = "tmux_watch/ends.rs"]
mod ends;
#[path = "tmux_watch/late.rs"]
mod late;
#[path = "tmux_watch/places.rs"]
mod places;
#[path = "tmux_watch/stage.rs"]
mod stage;
#[path = "tmux_watch/watcher.rs"]
mod watcher;

use stage::{Stage, until};

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

#[test]
fn two_that_fail_at_once_are_both_resumed() {
    let stage = Stage::new();
    let (mut one, mut two) = (stage.pane(), stage.pane());
    let mut watch = stage.watch();
    watch.both_join(&one, &two);
    one.turn_fails();
    two.turn_fails();
    assert_eq!(one.next(), "submitted continue");
    assert_eq!(two.next(), "submitted continue");
    let resumed = |pane: &stage::Pane<'_>| format!("{} Resumed", pane.id);
    let (a, b) = (resumed(&one), resumed(&two));
    let first = watch.see(&["Resumed"]);
    watch.see(&[if first.contains(&a) { &b } else { &a }]);
}

#[test]
fn a_row_of_errors_is_resumed_and_given_up_and_a_turn_of_the_users_begins_another() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let mut watch = stage.watch_with(&["-t", "base"], &[("CLAUDE_RETRY_MAX_RETRIES", "2")]);
    watch.joins(&pane);
    pane.turn_fails();
    assert_eq!(pane.next(), "submitted continue");
    watch.see(&["Resumed"]);
    pane.tell("fail");
    assert_eq!(pane.next(), "submitted continue");
    watch.see(&["Resumed"]);
    pane.tell("fail");
    watch.see(&["Changed", "GaveUp", "2 tries"]);
    until("the option", || match stage.options() {
        options if options.contains("gave up after 2 tries") => Ok(()),
        options => Err(options),
    });
    // Its beginning is what makes the turn another.
    pane.tell("turn hello");
    watch.see(&["Changed", "Watching"]);
    pane.tell("fail");
    assert_eq!(pane.next(), "submitted continue");
}

#[test]
fn an_answer_that_quotes_the_banner_is_left_alone() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let mut watch = stage.watch();
    watch.joins(&pane);
    pane.tell("turn quote the banner");
    pane.tell(&format!("say {}", cli::THROTTLE));
    watch.see(&["LeftAlone", "ended well"]);
    assert_eq!(pane.keys(), r#""""#);
}

#[test]
fn a_draft_is_never_touched() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let mut watch = stage.watch();
    watch.joins(&pane);
    pane.tell("turn hello");
    pane.send_keys(&["-l", "my draft"]);
    until("the draft", || {
        pane.shows("my draft").then_some(()).ok_or(String::new())
    });
    pane.tell("fail");
    watch.see(&["Changed", "HoldingOff", "draft"]);
    assert_eq!(pane.keys(), r#""my draft""#);
    assert!(pane.shows("my draft"));
    // The user clears it, and it goes on.
    pane.send_keys(&["C-u"]);
    assert_eq!(pane.next(), "submitted continue");
}

#[test]
fn a_dialog_is_never_typed_into() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let mut watch = stage.watch_with(
        &["-t", "base"],
        &[("CLAUDE_RETRY_BASE", "1s"), ("CLAUDE_RETRY_CAP", "1s")],
    );
    watch.joins(&pane);
    pane.turn_fails();
    watch.see(&["Changed", "Waiting"]);
    pane.tell("dialog");
    watch.see(&["Changed", "HoldingOff"]);
    assert_eq!(pane.keys(), r#""""#);
}

#[test]
fn a_pane_in_copy_mode_is_resumed_and_shows_what_it_did() {
    let stage = Stage::new();
    // Lines that scroll off, so that there is something to look at.
    let listener = stage.listen();
    let line = format!("seq 100; {}", stage.cli_line(&listener.1));
    let mut pane = stage.pane_of(&["new-window", "-d", "-t", "base:"], &line, listener);
    let mut watch = stage.watch();
    watch.joins(&pane);
    stage.tmux(&["copy-mode", "-t", &pane.id]);
    pane.send_keys(&["-X", "cursor-up"]);
    let view = "#{pane_in_mode} #{scroll_position} #{copy_cursor_x} #{copy_cursor_y}";
    let before = stage.ask(&pane.id, view);
    assert!(before.starts_with("1 0 "), "{before}");
    pane.turn_fails();
    assert_eq!(pane.next(), "submitted continue");
    watch.see(&["Resumed"]);
    assert_eq!(before, stage.ask(&pane.id, view));
}

#[test]
fn synchronized_panes_get_nothing_that_is_not_theirs() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let mut beside = stage.pane_by(&["split-window", "-d", "-t", &pane.id]);
    stage.tmux(&[
        "set-option",
        "-w",
        "-t",
        &pane.id,
        "synchronize-panes",
        "on",
    ]);
    let mut watch = stage.watch();
    watch.joins(&pane);
    pane.turn_fails();
    assert_eq!(pane.next(), "submitted continue");
    watch.see(&["Resumed"]);
    assert_eq!(beside.keys(), r#""""#);
}

#[test]
fn a_pane_that_is_closed_in_the_middle_of_a_wait_leaves_and_the_others_stay() {
    let stage = Stage::new();
    let (mut one, mut two) = (stage.pane(), stage.pane());
    let slow = [("CLAUDE_RETRY_BASE", "1m"), ("CLAUDE_RETRY_CAP", "1m")];
    let mut watch = stage.watch_with(&["-t", "base"], &slow);
    watch.both_join(&one, &two);
    one.turn_fails();
    watch.see(&["Changed", "Waiting"]);
    stage.tmux(&["kill-pane", "-t", &one.id]);
    watch.see(&[&one.id, "Left"]);
    two.turn_fails();
    watch.see(&[&two.id, "Changed", "Waiting"]);
    watch.wish(&format!("now {}", two.id));
    assert_eq!(two.next(), "submitted continue");
    watch.wish("quit");
    assert_eq!(watch.end(), (0, String::new()));
}

#[test]
fn a_wait_is_cancelled_by_wish() {
    let stage = Stage::new();
    let (mut pane, mut watch) = stage.long_wait();
    watch.wish(&format!("cancel {}", pane.id));
    watch.see(&["Changed", "Cancelled"]);
    assert_eq!(pane.keys(), r#""""#);
}

#[test]
fn an_error_older_than_the_watch_is_left_alone() {
    let stage = Stage::new();
    let (mut fresh, mut old) = (stage.pane(), stage.pane());
    fresh.turn_fails();
    old.tell("turn hello");
    old.tell("old-error");
    let mut watch = stage.watch();
    watch.see(&["LeftAlone", "older"]);
    watch.see(&["LeftAlone", "older"]);
    assert_eq!((fresh.keys(), old.keys()), (r#""""#.into(), r#""""#.into()));
    // The next one is another.
    old.turn_fails();
    assert_eq!(old.next(), "submitted continue");
}

#[test]
fn what_a_hook_has_claimed_is_left_alone() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let mut watch = stage.watch();
    watch.joins(&pane);
    pane.tell("turn hello");
    pane.tell("write-error");
    let mut hook = stage.hook(&pane.session(), "1h");
    until("the hook's claim", || {
        let log = stage.log();
        let waits = log.iter().any(|line| line["event"] == "hook-waiting");
        waits.then_some(()).ok_or_else(|| format!("{log:?}"))
    });
    pane.tell("draw-error");
    watch.see(&["LeftAlone", "a hook"]);
    assert_eq!(pane.keys(), r#""""#);
    hook.kill().and_then(|()| hook.wait()).expect("its end");
}

#[test]
fn what_the_watch_has_claimed_is_left_alone_by_the_hook() {
    let stage = Stage::new();
    let (mut pane, _watch) = stage.long_wait();
    let mut hook = stage.hook(&pane.session(), "10ms");
    assert_eq!(hook.wait().expect("its end").code(), Some(0));
    let log = stage.log();
    let let_go = log.iter().any(|line| line["event"] == "hook-let-go");
    assert!(let_go, "{log:?}");
}

#[test]
fn of_two_watches_one_acts() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let (mut one, mut two) = (stage.watch(), stage.watch());
    one.joins(&pane);
    two.joins(&pane);
    pane.turn_fails();
    assert_eq!(pane.next(), "submitted continue");
    pane.tell("say well");
    pane.turn_fails();
    assert_eq!(pane.next(), "submitted continue");
    let typed = r"\u{1b}[200~continue\u{1b}[201~\r";
    assert_eq!(pane.keys(), format!("\"{typed}{typed}\""));
}

#[test]
fn the_options_say_what_happens_and_are_unset_behind_it() {
    let stage = Stage::new();
    let (mut pane, mut watch) = stage.long_wait();
    until("both options", || {
        let (all, own) = ("#{@claude_retry_all}", "#{@claude_retry}");
        let said = stage.ask(&pane.id, &format!("{all}|{own}"));
        let good = said.contains("1 waiting, next in") && said.contains("throttled, retry 1/6 in ");
        good.then_some(()).ok_or(said)
    });
    watch.wish(&format!("now {}", pane.id));
    assert_eq!(pane.next(), "submitted continue");
    until("no option", || match stage.options() {
        options if options.is_empty() => Ok(()),
        options => Err(options),
    });
}

#[test]
fn each_of_two_watches_has_a_summary_of_its_own() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let mut other = stage.pane_by(&["new-session", "-d", "-s", "other", "-x", "80", "-y", "24"]);
    let slow = [("CLAUDE_RETRY_BASE", "1m"), ("CLAUDE_RETRY_CAP", "1m")];
    let mut one = stage.watch_with(&["-t", "base"], &slow);
    let mut two = stage.watch_with(&["-t", "other"], &slow);
    one.joins(&pane);
    two.joins(&other);
    let all = |pane: &str| stage.ask(pane, "#{@claude_retry_all}");
    pane.turn_fails();
    until("the first summary", || match all(&pane.id) {
        text if text.starts_with("1 waiting") => Ok(()),
        text => Err(text),
    });
    assert_eq!(all(&other.id), "");
    other.turn_fails();
    two.see(&["Changed", "Waiting"]);
    until("the second summary", || match all(&other.id) {
        text if text.starts_with("1 waiting") => Ok(()),
        text => Err(text),
    });
    two.wish("quit");
    assert_eq!(two.end(), (0, String::new()));
    assert_eq!(all(&other.id), "");
    assert!(all(&pane.id).starts_with("1 waiting"));
}

#[test]
fn a_flood_in_one_pane_holds_no_other_up() {
    let stage = Stage::new();
    let (mut loud, mut pane) = (stage.pane(), stage.pane());
    let mut watch = stage.watch();
    watch.both_join(&loud, &pane);
    std::thread::scope(|scope| {
        scope.spawn(|| loud.tell("flood 4000"));
        pane.turn_fails();
        assert_eq!(pane.next(), "submitted continue");
    });
    loud.turn_fails();
    assert_eq!(loud.next(), "submitted continue");
}

#[test]
fn the_failure_of_one_session_is_not_that_of_the_others() {
    let stage = Stage::new();
    let (mut one, mut two) = (stage.pane(), stage.pane());
    let armed = stage.path().join("armed");
    let fault = format!("verdict:1:{}", armed.display());
    let mut watch = stage.watch_with(&["-t", "base"], &[("CLAUDE_RETRY_FAULT", &fault)]);
    watch.both_join(&one, &two);
    std::fs::write(&armed, "").expect("a file");
    one.turn_fails();
    watch.see(&[&one.id, "Changed", "Failed"]);
    two.turn_fails();
    assert_eq!(two.next(), "submitted continue");
    assert_eq!(one.keys(), r#""""#);
    let failed = stage
        .log()
        .into_iter()
        .find(|line| line["event"] == "failed");
    assert_eq!(failed.expect("a record")["pane"], one.id);
}

#[test]
fn the_log_is_read_as_that_of_the_wrapper() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let mut watch = stage.watch();
    watch.joins(&pane);
    pane.turn_fails();
    assert_eq!(pane.next(), "submitted continue");
    watch.see(&["Resumed"]);
    pane.tell("say all is well");
    until("the turn's end", || {
        let ended = stage.log().iter().any(|line| line["event"] == "turn-ok");
        ended.then_some(()).ok_or_else(|| "no turn-ok".into())
    });
    watch.wish("quit");
    watch.end();
    let records = stage.log();
    let session = pane.session();
    let typed = records
        .iter()
        .find(|line| line["event"] == "typed")
        .expect("a record");
    assert_eq!(
        (&typed["pane"], &typed["session"]),
        (&pane.id.as_str().into(), &session["session"])
    );
    let ctl = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_claude-retry"));
        command.arg("ctl").args(args).envs(stage.environment());
        let output = command.output().expect("it runs");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let stats: serde_json::Value = serde_json::from_str(&ctl(&["stats", "--json"])).expect("JSON");
    assert_eq!(stats["errors"]["total"], 1, "{stats}");
    assert_eq!(stats["outcomes"]["recovered"], 1, "{stats}");
    assert!(ctl(&["log"]).contains("proj"));
}
