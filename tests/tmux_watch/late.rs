//! When something comes between the look, the paste, the Enter and the end.

use super::stage::{Stage, until};

#[test]
fn a_server_that_was_stuck_types_nothing_late() {
    let stage = Stage::new();
    let (mut pane, mut watch) = stage.long_wait();
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
    let (mut pane, mut watch) = stage.long_wait();
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
    let (mut pane, mut watch) = stage.long_wait();
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
    let (mut pane, mut watch) = stage.long_wait();
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
