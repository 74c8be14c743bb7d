//! Every way out, and what is left behind it.

use super::stage::{Stage, until};

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
    let (mut pane, mut watch) = stage.long_wait();
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
    let (_pane, watch) = stage.long_wait();
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
    let (_pane, watch) = stage.long_wait();
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
