//! Which panes are watched, and where they are: targets, sessions, moves, sizes.

use super::cli;
use super::stage::{Pane, Stage, until};

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
    let mut pane = Pane::accept(&stage, id, &listener.0);
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
    let mut pane = Pane::accept(&stage, pane.id.clone(), &listener.0);
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
    let mut pane = Pane::accept(&stage, id, &listener.0);
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
    let mut two = Pane::accept(&stage, one.id.clone(), &second.0);
    watch.see(&["Left"]);
    watch.joins(&two);
    two.turn_fails();
    assert_eq!(two.next(), "submitted continue");
}
