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
    let mut pane = stage.pane();
    let slow = [("CLAUDE_RETRY_BASE", "1m"), ("CLAUDE_RETRY_CAP", "1m")];
    let mut watch = stage.watch_with(&["-t", "base"], &slow);
    watch.joins(&pane);
    pane.turn_fails();
    watch.see(&["Changed", "Waiting"]);
    watch.wish(&format!("cancel {}", pane.id));
    watch.see(&["Changed", "Cancelled"]);
    assert_eq!(pane.keys(), r#""""#);
}

#[test]
fn a_cli_under_the_wrapper_or_another_terminal_is_left_alone() {
    let stage = Stage::new();
    let listener = stage.listen();
    let line = stage.cli_line(&listener.1);
    let wrapper = env!("CARGO_BIN_EXE_claude-retry");
    let program = stage.path().join("claude");
    let inside = line.replace(
        &format!(" {} ", program.display()),
        &format!(" CLAUDE_RETRY_PROGRAM={} {wrapper} ", program.display()),
    );
    let _one = stage.pane_of(&["new-window", "-d", "-t", "base:"], &inside, listener);
    // With a terminal between, of which nothing else tells.
    let listener = stage.listen();
    let line = stage.cli_line(&listener.1);
    let recorded = format!("exec script -qec '{line}' /dev/null");
    let _other = stage.pane_of(&["new-window", "-d", "-t", "base:"], &recorded, listener);
    let mut plain = stage.pane();
    let mut watch = stage.watch();
    // All panes are looked at at once.
    watch.joins(&plain);
    plain.turn_fails();
    assert_eq!(plain.next(), "submitted continue");
    watch.see(&["Resumed"]);
    let joined = watch.seen().iter().filter(|line| line.contains("Joined"));
    assert_eq!(joined.count(), 1);
}

#[test]
fn a_new_pane_joins_and_one_whose_cli_ends_leaves_and_joins_again() {
    let stage = Stage::new();
    let mut watch = stage.watch();
    watch.see(&["show"]);
    let listener = stage.listen();
    // A shell that is there before and behind it.
    let line = format!(
        "{}; exec cat",
        stage.cli_line(&listener.1).replace("exec ", "")
    );
    let mut pane = stage.pane_of(&["new-window", "-d", "-t", "base:"], &line, listener);
    watch.joins(&pane);
    pane.turn_fails();
    assert_eq!(pane.next(), "submitted continue");
    watch.see(&["Resumed"]);
    pane.tell("say well");
    pane.exit();
    watch.see(&[&pane.id, "Left"]);
    let listener = stage.listen();
    let again = stage.cli_line(&listener.1);
    stage.tmux(&[
        "respawn-pane",
        "-k",
        "-t",
        &pane.id,
        "--",
        "sh",
        "-c",
        &again,
    ]);
    let mut pane = stage::Pane::accept(&stage, pane.id.clone(), &listener.0);
    watch.joins(&pane);
    pane.turn_fails();
    assert_eq!(pane.next(), "submitted continue");
}

#[test]
fn a_cli_that_a_script_starts_after_a_while_is_found() {
    let stage = Stage::new();
    let mut watch = stage.watch();
    watch.see(&["show"]);
    let listener = stage.listen();
    let cli = stage.cli_line(&listener.1).replace("exec ", "");
    // The shell stays what tmux takes for the pane's program, and the screen the main one.
    let line = format!("read -r _; {}=1 {cli}; exec cat", cli::INLINE);
    let opened = [
        "new-window",
        "-d",
        "-t",
        "base:",
        "-P",
        "-F",
        "#{pane_id}",
        "-c",
    ];
    let folder = stage.path().join("proj").display().to_string();
    let id = stage.tmux(&[&opened[..], &[&folder, "--", "sh", "-c", &line]].concat());
    // tmux tells of the new pane within a second; what comes later it does not tell of.
    stage.tmux(&["run-shell", "sleep 1.5"]);
    stage.tmux(&["send-keys", "-t", &id, "Enter"]);
    let mut pane = stage::Pane::accept(&stage, id, &listener.0);
    watch.joins(&pane);
    pane.turn_fails();
    assert_eq!(pane.next(), "submitted continue");
}

#[test]
fn a_cli_that_is_stopped_hides_no_other() {
    let stage = Stage::new();
    let (first, second) = (stage.listen(), stage.listen());
    let line = |socket: &std::path::Path| stage.cli_line(socket).replace("exec ", "");
    let line = format!(
        "set -m; {}; sleep 1.5; {}; exec cat",
        line(&first.1),
        line(&second.1)
    );
    let mut one = stage.pane_of(&["new-window", "-d", "-t", "base:"], &line, first);
    let mut watch = stage.watch();
    watch.joins(&one);
    let session = one.session()["session"].as_str().map(str::to_owned);
    let pid = i32::from_str_radix(&session.expect("an id")[..8], 16).expect("its pid");
    let stopped = std::process::Command::new("kill")
        .args(["-s", "STOP", &pid.to_string()])
        .status();
    assert!(stopped.expect("kill").success());
    let mut two = stage::Pane::accept(&stage, one.id.clone(), &second.0);
    watch.see(&["Left"]);
    watch.joins(&two);
    two.turn_fails();
    assert_eq!(two.next(), "submitted continue");
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
    let mut pane = stage.pane();
    let slow = [("CLAUDE_RETRY_BASE", "1m"), ("CLAUDE_RETRY_CAP", "1m")];
    let mut watch = stage.watch_with(&["-t", "base"], &slow);
    watch.joins(&pane);
    pane.turn_fails();
    watch.see(&["Changed", "Waiting"]);
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
fn whoever_types_in_the_pane_holds_it_off() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let mut watch = stage.watch();
    watch.joins(&pane);
    stage.tmux(&["select-window", "-t", &pane.id]);
    let mut client = stage.client("base");
    pane.tell("turn hello");
    // A key that shows nowhere.
    client.press(b"\x1b[A");
    until("the key", || match pane.keys() {
        keys if keys.contains("[A") || keys.contains("OA") => Ok(()),
        keys => Err(keys),
    });
    pane.tell("fail");
    watch.see(&["Changed", "HoldingOff", "you are typing"]);
    let keys = pane.keys();
    assert!(!keys.contains("continue"), "{keys}");
    assert_eq!(pane.next(), "submitted continue");
}

#[test]
fn whoever_types_in_another_pane_holds_nothing_off() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let mut beside = stage.pane_by(&["split-window", "-t", &pane.id]);
    let mut watch = stage.watch();
    watch.joins(&pane);
    stage.tmux(&["select-window", "-t", &pane.id]);
    let mut client = stage.client("base");
    pane.tell("turn hello");
    client.press(b"x");
    until("the key", || match beside.keys() {
        keys if keys.contains('x') => Ok(()),
        keys => Err(keys),
    });
    pane.tell("fail");
    assert_eq!(pane.next(), "submitted continue");
    let held = watch
        .seen()
        .iter()
        .any(|line| line.contains("you are typing"));
    assert!(!held);
}

#[test]
fn the_options_say_what_happens_and_are_unset_behind_it() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let slow = [("CLAUDE_RETRY_BASE", "1m"), ("CLAUDE_RETRY_CAP", "1m")];
    let mut watch = stage.watch_with(&["-t", "base"], &slow);
    watch.joins(&pane);
    pane.turn_fails();
    watch.see(&["Changed", "Waiting"]);
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
fn what_a_killed_watch_has_left_is_unset_by_the_next() {
    for scope in [&["-t", "base"][..], &["--all"]] {
        let stage = Stage::new();
        let mut pane = stage.pane();
        let slow = [("CLAUDE_RETRY_BASE", "1m"), ("CLAUDE_RETRY_CAP", "1m")];
        let mut watch = stage.watch_with(scope, &slow);
        watch.joins(&pane);
        pane.turn_fails();
        watch.see(&["Changed", "Waiting"]);
        until("both options", || match stage.options() {
            options if options.lines().count() == 2 => Ok(()),
            options => Err(options),
        });
        watch.signal("KILL");
        watch.end();
        assert_ne!(stage.options(), "");
        let mut next = stage.watch_with(scope, &slow);
        next.joins(&pane);
        until("no option", || match stage.options() {
            options if options.is_empty() => Ok(()),
            options => Err(options),
        });
        drop(next);
    }
}

#[test]
fn every_way_out_leaves_nothing_behind() {
    for (way, code) in [
        ("quit", 0),
        ("interrupt", 130),
        ("TERM", 143),
        ("INT", 130),
        ("HUP", 129),
    ] {
        let stage = Stage::new();
        let mut pane = stage.pane();
        let slow = [("CLAUDE_RETRY_BASE", "1m"), ("CLAUDE_RETRY_CAP", "1m")];
        let mut watch = stage.watch_with(&["-t", "base"], &slow);
        watch.joins(&pane);
        pane.turn_fails();
        watch.see(&["Changed", "Waiting"]);
        until("the option", || match stage.options() {
            options if options.contains("retry 1/6") => Ok(()),
            options => Err(options),
        });
        match way {
            "quit" | "interrupt" => watch.wish(way),
            signal => watch.signal(signal),
        }
        assert_eq!(watch.end(), (code, String::new()), "{way}");
        assert_eq!(stage.options(), "", "{way}");
        assert_eq!(stage.tmux(&["list-clients"]), "", "{way}");
        assert_eq!(pane.keys(), r#""""#, "{way}");
    }
}

#[test]
fn whoever_attaches_alone_does_not_end_it() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let slow = [("CLAUDE_RETRY_BASE", "1m"), ("CLAUDE_RETRY_CAP", "1m")];
    let mut watch = stage.watch_with(&["-t", "base"], &slow);
    watch.joins(&pane);
    pane.turn_fails();
    watch.see(&["Changed", "Waiting"]);
    let before = stage.control_client();
    let _client = stage.client_by(&["attach-session", "-d", "-t", "base"], (25, 80));
    until("the watch to be back", || match stage.control_client() {
        now if now.is_empty() || now == before => Err(now),
        _ => Ok(()),
    });
    watch.wish(&format!("now {}", pane.id));
    assert_eq!(pane.next(), "submitted continue");
    watch.see(&["Resumed"]);
    let gone = watch.seen().iter().any(|line| line.contains("Left"));
    assert!(!gone);
    watch.wish("quit");
    assert_eq!(watch.end(), (0, String::new()));
}

#[test]
fn whoever_detaches_it_twice_ends_it() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let slow = [("CLAUDE_RETRY_BASE", "1m"), ("CLAUDE_RETRY_CAP", "1m")];
    let mut watch = stage.watch_with(&["-t", "base"], &slow);
    watch.joins(&pane);
    pane.turn_fails();
    watch.see(&["Changed", "Waiting"]);
    let before = stage.control_client();
    stage.tmux(&["detach-client", "-s", "base"]);
    until("the watch to be back", || match stage.control_client() {
        now if now.is_empty() || now == before => Err(now),
        _ => Ok(()),
    });
    stage.tmux(&["detach-client", "-s", "base"]);
    let (code, words) = watch.end();
    assert_eq!((code, words.lines().count()), (1, 1), "{words}");
    assert!(words.contains("detached from tmux"), "{words}");
    assert_eq!(stage.options(), "");
}

#[test]
fn a_control_client_that_is_killed_ends_it() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let slow = [("CLAUDE_RETRY_BASE", "1m"), ("CLAUDE_RETRY_CAP", "1m")];
    let mut watch = stage.watch_with(&["-t", "base"], &slow);
    watch.joins(&pane);
    pane.turn_fails();
    watch.see(&["Changed", "Waiting"]);
    let client = stage.tmux(&["list-clients", "-F", "#{client_pid}"]);
    let killed = std::process::Command::new("kill")
        .args(["-9", &client])
        .status();
    assert!(killed.expect("kill").success());
    let (code, words) = watch.end();
    assert_eq!((code, words.lines().count()), (1, 1), "{words}");
    assert!(words.contains("cut"), "{words}");
    assert_eq!(stage.options(), "");
}

#[test]
fn the_end_of_the_server_and_of_the_session_is_the_end() {
    for (command, words_of_it) in [
        (&["kill-server"][..], "server has ended"),
        (&["kill-session", "-t", "base"], "session has ended"),
    ] {
        let stage = Stage::new();
        let pane = stage.pane();
        stage.tmux(&["new-session", "-d", "-s", "other", "exec cat"]);
        let mut watch = stage.watch();
        watch.joins(&pane);
        stage.tmux(command);
        let (code, words) = watch.end();
        assert_eq!((code, words.lines().count()), (0, 1), "{words}");
        assert!(words.contains(words_of_it), "{words}");
    }
}

#[test]
fn sizes_and_the_environment_are_not_ours_to_change() {
    let stage = Stage::new();
    let pane = stage.pane();
    stage.tmux(&["set-option", "-g", "update-environment", "WATCH_ARGS"]);
    let all = || {
        let sizes = [
            "list-windows",
            "-a",
            "-F",
            "#{window_id} #{window_width}x#{window_height}",
        ];
        [
            stage.tmux(&sizes),
            stage.tmux(&["show-environment", "-t", "base"]),
            stage.tmux(&["show-environment", "-g"]),
            stage.tmux(&["show-options", "-g"]),
        ]
    };
    // A terminal that is larger than a client without one: whoever counted ours would make the windows smaller.
    stage.tmux(&["set-option", "-g", "window-size", "smallest"]);
    let _client = stage.client_by(&["attach-session", "-t", "base"], (41, 132));
    stage.tmux(&["select-window", "-t", &pane.id]);
    until("the terminal's size", || match &all()[0] {
        sizes if sizes.lines().all(|line| line.ends_with(" 132x40")) => Ok(()),
        sizes => Err(sizes.clone()),
    });
    let before = all();
    let mut watch = stage.watch();
    watch.joins(&pane);
    assert_eq!(all(), before);
    // Another window has tmux reckon anew.
    stage.tmux(&["select-window", "-t", "base:0"]);
    stage.tmux(&["select-window", "-t", &pane.id]);
    assert_eq!(all()[0], before[0]);
    watch.wish("quit");
    assert_eq!(watch.end().0, 0);
    assert_eq!(all(), before);
}

#[test]
fn a_target_is_a_pane_a_window_or_a_session() {
    let stage = Stage::new();
    let mut one = stage.pane();
    let mut beside = stage.pane_by(&["split-window", "-d", "-t", &one.id]);
    let window = stage.pane();
    stage.tmux(&["new-session", "-d", "-s", "other", "exec cat"]);
    let other = stage.pane_by(&["new-window", "-d", "-t", "other:"]);
    let at = |format: &str| stage.ask(&one.id, format);
    let pane = at("#{session_name}:#{window_index}.#{pane_index}");
    let window_of_it = at("#{session_name}:#{window_index}");
    for (target, meant) in [
        (one.id.clone(), [false, false]),
        (pane, [false, false]),
        (at("#{window_id}"), [true, false]),
        (window_of_it, [true, false]),
        (at("#{session_id}"), [true, true]),
        ("base".into(), [true, true]),
    ] {
        let mut watch = stage.watch_with(&["-t", &target], &[]);
        let others = [&beside.id, &window.id].into_iter().zip(meant);
        let meant: Vec<&String> = others
            .filter(|(_, meant)| *meant)
            .map(|(id, _)| id)
            .collect();
        for _ in 0..=meant.len() {
            watch.see(&["Joined"]);
        }
        // Behind this all that was found has been looked at.
        one.turn_fails();
        assert_eq!(one.next(), "submitted continue");
        watch.see(&["Resumed"]);
        one.tell("say well");
        let joined: Vec<&String> = [&one.id, &beside.id, &window.id, &other.id]
            .into_iter()
            .filter(|id| {
                watch
                    .seen()
                    .iter()
                    .any(|line| line.contains(&format!("{id} Joined")))
            })
            .collect();
        assert_eq!(joined, [vec![&one.id], meant].concat(), "{target}");
    }
    // What a target does not name is not touched.
    let mut watch = stage.watch_with(&["-t", &one.id], &[]);
    watch.joins(&one);
    beside.turn_fails();
    one.turn_fails();
    assert_eq!(one.next(), "submitted continue");
    assert_eq!(beside.keys(), r#""""#);
    drop(one);
    watch.see(&["Left"]);
    let (code, words) = watch.end();
    assert_eq!(code, 0);
    assert!(words.contains("pane was closed"), "{words}");
}

#[test]
fn all_sessions_are_those_to_come_as_well() {
    let stage = Stage::new();
    let first = stage.pane();
    let mut watch = stage.watch_with(&["--all"], &[]);
    watch.joins(&first);
    let mut late = stage.pane_by(&["new-session", "-d", "-s", "late", "-x", "80", "-y", "24"]);
    watch.joins(&late);
    late.turn_fails();
    assert_eq!(late.next(), "submitted continue");
    stage.tmux(&["kill-session", "-t", "late"]);
    watch.see(&[&late.id, "Left"]);
    watch.wish("quit");
    assert_eq!(watch.end(), (0, String::new()));
}

#[test]
fn a_pane_that_two_sessions_show_is_watched_once_and_stays_with_the_other() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    stage.tmux(&["new-session", "-d", "-s", "other", "exec cat"]);
    let window = stage.ask(&pane.id, "#{window_id}");
    stage.tmux(&["link-window", "-d", "-s", &window, "-t", "other:"]);
    let mut watch = stage.watch_with(&["--all"], &[]);
    watch.joins(&pane);
    pane.turn_fails();
    assert_eq!(pane.next(), "submitted continue");
    watch.see(&["Resumed"]);
    pane.tell("say well");
    stage.tmux(&["kill-session", "-t", "base"]);
    watch.see(&["show", "other:"]);
    pane.turn_fails();
    assert_eq!(pane.next(), "submitted continue");
    let typed = r"\u{1b}[200~continue\u{1b}[201~\r";
    assert_eq!(pane.keys(), format!("\"{typed}{typed}\""));
    let left = watch
        .seen()
        .iter()
        .filter(|line| line.contains("Left"))
        .count();
    assert_eq!(left, 0);
}

#[test]
fn a_pane_that_is_moved_to_another_session_keeps_its_wait() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    stage.tmux(&["new-session", "-d", "-s", "other", "exec cat"]);
    let slow = [("CLAUDE_RETRY_BASE", "1m"), ("CLAUDE_RETRY_CAP", "1m")];
    let mut watch = stage.watch_with(&["--all"], &slow);
    watch.joins(&pane);
    pane.turn_fails();
    watch.see(&["Changed", "Waiting"]);
    // The session that it leaves tells of it last.
    let session = stage.ask(&pane.id, "#{session_id}");
    let hook = format!(
        "if-shell -F '#{{==:#{{hook_flag_t}},{session}}}' \"run-shell '{}'\"",
        stage.hold("listing")
    );
    stage.tmux(&["set-hook", "-g", "after-list-panes", &hook]);
    stage.tmux(&["new-window", "-d", "-t", "base:", "exec cat"]);
    stage.holds("listing");
    stage.tmux(&["set-hook", "-gu", "after-list-panes"]);
    stage.tmux(&["move-window", "-d", "-s", &pane.id, "-t", "other:"]);
    let second = stage.pane_by(&["new-window", "-d", "-t", "other:"]);
    watch.joins(&second);
    stage.release("listing");
    watch.see(&["show", &format!("{} other:", pane.id), "Waiting"]);
    // And by chance.
    for to in ["base:", "other:"].into_iter().cycle().take(6) {
        stage.tmux(&["move-window", "-d", "-s", &pane.id, "-t", to]);
        watch.see(&["show", &format!("{} {to}", pane.id), "Waiting"]);
    }
    stage.tmux(&["join-pane", "-d", "-s", &pane.id, "-t", "other:0"]);
    watch.see(&["show", &format!("{} other:0.1", pane.id), "Waiting"]);
    let left = watch.seen().iter().find(|line| line.contains("Left"));
    assert_eq!(left, None);
    watch.wish(&format!("now {}", pane.id));
    assert_eq!(pane.next(), "submitted continue");
}

#[test]
fn a_pane_that_comes_back_is_waited_for_again() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    stage.tmux(&["new-session", "-d", "-s", "other", "exec cat"]);
    let slow = [("CLAUDE_RETRY_BASE", "1m"), ("CLAUDE_RETRY_CAP", "1m")];
    let mut watch = stage.watch_with(&["-t", "base"], &slow);
    watch.joins(&pane);
    pane.turn_fails();
    watch.see(&["Changed", "Waiting"]);
    let moves = |to: &str| stage.tmux(&["move-window", "-d", "-s", &pane.id, "-t", to]);
    moves("other:");
    watch.see(&["Left"]);
    until("no option there", || {
        let said = stage.ask(&pane.id, "#{@claude_retry}");
        said.is_empty().then_some(()).ok_or(said)
    });
    moves("base:");
    watch.joins(&pane);
    watch.see(&["Changed", "Waiting"]);
    // What was cancelled stays so.
    watch.wish(&format!("cancel {}", pane.id));
    watch.see(&["Changed", "Cancelled"]);
    moves("other:");
    watch.see(&["Left"]);
    moves("base:");
    watch.joins(&pane);
    watch.see(&["LeftAlone"]);
    assert_eq!(pane.keys(), r#""""#);
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
fn a_server_that_was_stuck_types_nothing_late() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let slow = [("CLAUDE_RETRY_BASE", "1m"), ("CLAUDE_RETRY_CAP", "1m")];
    let mut watch = stage.watch_with(&["-t", "base"], &slow);
    watch.joins(&pane);
    pane.turn_fails();
    watch.see(&["Changed", "Waiting"]);
    let server = stage.tmux(&["display-message", "-p", "#{pid}"]);
    let signal = |name: &str| {
        let sent = std::process::Command::new("kill")
            .args(["-s", name, &server])
            .status();
        assert!(sent.expect("kill").success());
    };
    signal("STOP");
    watch.wish(&format!("now {}", pane.id));
    watch.see(&["Changed", "Resuming"]);
    // Meanwhile somebody goes on.
    pane.tell("turn on and on");
    signal("CONT");
    watch.see(&["Changed", "Watching"]);
    assert_eq!(pane.keys(), r#""""#);
}

#[test]
fn what_came_between_the_look_and_the_paste_keeps_it_out() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let slow = [("CLAUDE_RETRY_BASE", "1m"), ("CLAUDE_RETRY_CAP", "1m")];
    let mut watch = stage.watch_with(&["-t", "base"], &slow);
    watch.joins(&pane);
    pane.turn_fails();
    watch.see(&["Changed", "Waiting"]);
    // The look ends with a capture-pane: whoever asked for it is held up behind that, and nobody else is.
    let hook = format!("run-shell '{}'", stage.hold("look"));
    stage.tmux(&["set-hook", "-g", "after-capture-pane", &hook]);
    watch.wish(&format!("now {}", pane.id));
    stage.holds("look");
    stage.tmux(&["set-hook", "-gu", "after-capture-pane"]);
    pane.send_keys(&["-l", "mine"]);
    until("the draft", || {
        pane.shows("mine").then_some(()).ok_or(String::new())
    });
    stage.release("look");
    watch.see(&["Changed", "HoldingOff"]);
    assert_eq!(pane.keys(), r#""mine""#);
    until("no buffer", || match stage.buffers() {
        buffers if buffers.is_empty() => Ok(()),
        buffers => Err(buffers),
    });
}

#[test]
fn a_paste_that_would_come_late_is_none() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let slow = [("CLAUDE_RETRY_BASE", "1m"), ("CLAUDE_RETRY_CAP", "1m")];
    let mut watch = stage.watch_with(&["-t", "base"], &slow);
    watch.joins(&pane);
    pane.turn_fails();
    watch.see(&["Changed", "Waiting"]);
    let hook = format!("run-shell '{}'", stage.hold("look"));
    stage.tmux(&["set-hook", "-g", "after-capture-pane", &hook]);
    watch.wish(&format!("now {}", pane.id));
    stage.holds("look");
    stage.tmux(&["set-hook", "-gu", "after-capture-pane"]);
    // Longer than any look is fresh; nothing changes meanwhile.
    stage.tmux(&["run-shell", "sleep 3"]);
    stage.release("look");
    watch.see(&["Changed", "HoldingOff", "too slow"]);
    assert_eq!(pane.keys(), r#""""#);
    assert_eq!(pane.next(), "submitted continue");
}

#[test]
fn a_key_between_the_paste_and_the_enter_has_the_message_taken_back() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let mut watch = stage.watch();
    watch.joins(&pane);
    stage.tmux(&["select-window", "-t", &pane.id]);
    let mut client = stage.client("base");
    // The message stands there 300 ms after the paste, and the key comes before that.
    pane.tell("lag 300");
    pane.turn_fails();
    until("the paste", || {
        let typing = stage.log().iter().any(|line| line["event"] == "typing");
        typing.then_some(()).ok_or(String::new())
    });
    client.press(b"\x1b[A");
    watch.see(&["Changed", "HoldingOff", "you are typing"]);
    until("the message to be taken back", || match pane.keys() {
        keys if keys.ends_with(r#"\u{5}\u{15}""#) => Ok(()),
        keys => Err(keys),
    });
    assert!(!pane.keys().contains(r"\r"));
    // And tried again.
    assert_eq!(pane.next(), "submitted continue");
}

#[test]
fn a_look_that_nobody_can_be_asked_for_is_taken_again() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let slow = [("CLAUDE_RETRY_BASE", "1m"), ("CLAUDE_RETRY_CAP", "1m")];
    let mut watch = stage.watch_with(&["-t", "base"], &slow);
    watch.joins(&pane);
    pane.turn_fails();
    watch.see(&["Changed", "Waiting"]);
    let hold = |command: &str, name: &str| {
        let hook = format!("run-shell '{}'", stage.hold(name));
        stage.tmux(&["set-hook", "-g", command, &hook]);
    };
    // While what is to be typed is loaded the client goes, and the next one has not heard yet where the panes are.
    hold("after-load-buffer", "load");
    watch.wish(&format!("now {}", pane.id));
    stage.holds("load");
    hold("after-refresh-client", "attach");
    stage.tmux(&["detach-client", "-s", "base"]);
    stage.holds("attach");
    for command in ["after-load-buffer", "after-refresh-client"] {
        stage.tmux(&["set-hook", "-gu", command]);
    }
    stage.release("load");
    watch.see(&["Changed", "HoldingOff", "too slow"]);
    stage.release("attach");
    assert_eq!(pane.next(), "submitted continue");
    watch.see(&["Resumed"]);
    assert_eq!(stage.buffers(), "");
}

#[test]
fn the_end_right_behind_a_paste_takes_it_back() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let mut watch = stage.watch();
    watch.joins(&pane);
    pane.tell("lag 100");
    pane.turn_fails();
    until("the paste", || {
        let typing = stage.log().iter().any(|line| line["event"] == "typing");
        typing.then_some(()).ok_or(String::new())
    });
    watch.wish("quit");
    assert_eq!(watch.end(), (0, String::new()));
    assert_eq!(
        pane.keys(),
        r#""\u{1b}[200~continue\u{1b}[201~\u{5}\u{15}""#
    );
    assert!(!pane.shows("\u{a0}continue"));
    assert_eq!(
        (stage.options(), stage.buffers()),
        (String::new(), String::new())
    );
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

#[test]
fn what_cannot_be_watched_is_told_in_one_line() {
    let stage = Stage::new();
    let old = stage.path().join("old");
    std::fs::create_dir(&old).expect("a folder");
    std::fs::write(old.join("tmux"), "#!/bin/sh\necho tmux 3.2a\n").expect("a file");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(old.join("tmux"), executable).expect("a mode");
    let (old, none) = (
        old.display().to_string(),
        stage.path().display().to_string(),
    );
    let away = stage.path().join("nobody").display().to_string();
    for (args, environment, words) in [
        (
            &["-t", "base"][..],
            &[("PATH", none.as_str())][..],
            "install it",
        ),
        (&["-t", "base"], &[("PATH", &old)], "too old"),
        (&["-t", "nowhere"], &[], "can't find"),
        (&["-t", "%99"], &[], "can't find"),
        (&["-t", "base:99"], &[], "can't find"),
        (&["-S", &away], &[], "start tmux first"),
    ] {
        let (code, told) = stage.watch_with(args, environment).end();
        assert_eq!((code, told.lines().count()), (2, 1), "{args:?}: {told}");
        assert!(told.contains(words), "{args:?}: {told}");
    }
}

#[test]
fn a_server_is_named_as_to_tmux() {
    let stage = Stage::new();
    let named = |args: &[&str]| {
        let mut command = std::process::Command::new("tmux");
        command
            .args(["-u", "-f", "/dev/null", "-L", "named"])
            .args(args);
        command.env_remove("TMUX").env("TMUX_TMPDIR", stage.path());
        command.envs(stage.environment());
        command.output().expect("tmux runs")
    };
    let listener = stage.listen();
    let line = stage.cli_line(&listener.1);
    let folder = stage.path().join("proj").display().to_string();
    let made = named(&[
        "new-session",
        "-d",
        "-P",
        "-F",
        "#{pane_id}",
        "-s",
        "far",
        "-c",
        &folder,
        "--",
        "sh",
        "-c",
        &line,
    ]);
    let id = String::from_utf8(made.stdout)
        .expect("UTF-8")
        .trim()
        .to_owned();
    let mut pane = stage::Pane::accept(&stage, id, &listener.0);
    let place = stage.path().display().to_string();
    let mut watch = stage.watch_with(&["-L", "named"], &[("TMUX_TMPDIR", &place)]);
    watch.joins(&pane);
    pane.turn_fails();
    assert_eq!(pane.next(), "submitted continue");
    named(&["kill-server"]);
    assert_eq!(watch.end().0, 0);
}

#[test]
fn a_pane_of_another_size_is_read_as_it_is() {
    let stage = Stage::new();
    let mut pane = stage.pane();
    let mut watch = stage.watch();
    watch.joins(&pane);
    for (cols, rows) in [("50", "16"), ("120", "40")] {
        stage.tmux(&["resize-window", "-t", &pane.id, "-x", cols, "-y", rows]);
        pane.turn_fails();
        assert_eq!(pane.next(), "submitted continue");
        watch.see(&["Resumed"]);
        pane.tell("say well");
    }
    // A split takes half of it, a zoom gives it back.
    let mut beside = stage.pane_by(&["split-window", "-d", "-t", &pane.id]);
    watch.joins(&beside);
    stage.tmux(&["resize-pane", "-Z", "-t", &pane.id]);
    for pane in [&mut pane, &mut beside] {
        pane.turn_fails();
        assert_eq!(pane.next(), "submitted continue");
    }
}

#[test]
fn a_session_that_ends_does_not_take_us_to_another() {
    let stage = Stage::new();
    let pane = stage.pane();
    stage.tmux(&["set-option", "-g", "detach-on-destroy", "off"]);
    stage.tmux(&["new-session", "-d", "-s", "other", "exec cat"]);
    let mut watch = stage.watch();
    watch.joins(&pane);
    stage.tmux(&["kill-session", "-t", "base"]);
    let (code, words) = watch.end();
    assert_eq!((code, words.lines().count()), (0, 1), "{words}");
    assert!(words.contains("session has ended"), "{words}");
    assert_eq!(stage.tmux(&["list-clients"]), "");
}
