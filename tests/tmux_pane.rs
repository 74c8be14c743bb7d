//! `claude-retry` in a tmux pane: what users of tmux do to a pane in the middle of a countdown. After the bar is gone, the
//! pane is that of the same CLI without the wrapper, to which the same was done.
//!
//! tmux must be installed: there is nothing to put in its place.

#![cfg(target_os = "linux")]

#[path = "support/emulator.rs"]
mod emulator;
#[path = "support/panes.rs"]
mod panes;
#[path = "support/talker.rs"]
mod talker;
#[path = "support/window.rs"]
mod window;

use panes::{Case, Panes, Server, until};
use portable_pty::CommandBuilder;
use window::Window;

/// The program that the panes run: see [`talker`].
#[test]
fn a_cli_that_is_told_what_to_draw() {
    talker::program();
}

const BOTH: [&str; 2] = ["bare", "with"];

fn case(inline: bool) -> Case {
    Case {
        inline,
        cols: 100,
        rows: 30,
        base: "10m",
    }
}

/// On the alternate screen and inline, each with a server of its own.
fn on_both_screens(play: impl Fn(&Server, Case) + Sync) {
    std::thread::scope(|scope| {
        for inline in [false, true] {
            let play = &play;
            scope.spawn(move || play(&Server::start(), case(inline)));
        }
    });
}

/// A turn runs in both, and the wrapper has shown it: an error from before its own start would be history.
fn begun(server: &Server, case: Case) -> Panes<'_> {
    let mut panes = Panes::open(server, case);
    panes.both("begin");
    panes.is_gone("before the error");
    panes
}

/// A turn has failed in both, and the bar counts down.
fn failed(server: &Server, case: Case) -> Panes<'_> {
    let mut panes = begun(server, case);
    panes.both("fail");
    panes.bar_shows("after the error", "retry 1/6 in");
    panes
}

/// The same beside another pane, whose keys are copied into ours and the other way round.
fn failed_in_sync(server: &Server, case: Case) -> Panes<'_> {
    let mut panes = begun(server, case);
    tmux_both(&panes, &["split-window", "-d", "-v", "-l", "8", "exec cat"]);
    redraws(&mut panes);
    tmux_both(&panes, &["set-option", "-w", "synchronize-panes", "on"]);
    panes.both("fail");
    panes.bar_shows("after the error", "retry 1/6 in");
    panes
}

/// Another turn begins: no trace is left.
fn no_trace(panes: &mut Panes<'_>) {
    panes.both("busy");
    panes.is_gone("after the bar");
}

/// The same in both.
fn tmux_both(panes: &Panes<'_>, words: &[&str]) {
    panes.bare.of_pane(words);
    panes.with.of_pane(words);
}

/// The CLI draws anew once it has heard of its pane's new size.
fn redraws(panes: &mut Panes<'_>) {
    let size = panes
        .bare
        .of_pane(&["display-message", "-p", "size #{pane_height} #{pane_width}"]);
    until("the same size", || {
        let with =
            panes
                .with
                .of_pane(&["display-message", "-p", "size #{pane_height} #{pane_width}"]);
        (with == size).then_some(()).ok_or(with)
    });
    panes.both(size.trim());
}

fn text(window: &Window) -> String {
    let rows = (0..i32::from(window.size.0)).map(|row| window.emulator.row_text(row));
    rows.collect::<Vec<_>>().join("\n")
}

/// A user's terminal at this session.
fn attach(server: &Server, session: &str, (rows, cols): (u16, u16)) -> Window {
    let mut command = CommandBuilder::new("tmux");
    command.args(["-u", "-f", "/dev/null", "-S"]);
    command.arg(server.folder.path().join("tmux"));
    command.args(["attach-session", "-t", session]);
    command.env_remove("TMUX");
    command.env("LC_ALL", "C.UTF-8");
    command.env("TERM", "xterm-256color");
    Window::open(command, (rows, cols), "")
}

/// Waits until the terminal shows the bar, or not.
fn shows(window: &mut Window, bar: bool) {
    let seen = window.until("the bar in the user's terminal", |window| {
        let text = text(window);
        let drawn = text.contains("help") || text.contains("interrupt") || text.contains("retry");
        (drawn && text.contains("retry 1/6 in") == bar)
            .then_some(())
            .ok_or_else(|| text.clone())
    });
    seen.expect("it shows");
}

#[test]
fn a_countdown_goes_on_through_detach_and_attach() {
    on_both_screens(|server, case| {
        let mut panes = failed(server, case);
        let terminals = BOTH.map(|session| attach(server, session, (case.rows, case.cols)));
        let [_bare, mut with] = terminals;
        shows(&mut with, true);
        for session in BOTH {
            server.tell(&["detach-client", "-s", session]);
        }
        with.finish().expect("it detaches");
        panes.bar_shows("detached", "retry 1/6 in");
        let [_bare, mut with] = BOTH.map(|session| attach(server, session, (case.rows, case.cols)));
        shows(&mut with, true);
        panes.bar_shows("attached again", "retry 1/6 in");
        no_trace(&mut panes);
        shows(&mut with, false);
    });
}

#[test]
fn a_smaller_client_shrinks_the_pane_and_leaves_no_trace_when_it_goes() {
    on_both_screens(|server, case| {
        let mut panes = failed(server, case);
        // The window follows the client that came last: it comes last.
        let _large = BOTH.map(|session| {
            let mut window = attach(server, session, (case.rows, case.cols));
            shows(&mut window, session == "with");
            window
        });
        // Inline, a narrower window wraps the bar before anybody hears of it: a known gap of all terminals.
        let cols = if case.inline { case.cols } else { 70 };
        let [bare, mut with] = BOTH.map(|session| attach(server, session, (20, cols)));
        let size = format!("{cols}x20");
        until("the smaller pane", || {
            let sizes = BOTH.map(|session| {
                server.tell(&[
                    "display-message",
                    "-p",
                    "-t",
                    session,
                    "#{window_width}x#{window_height}",
                ])
            });
            sizes
                .iter()
                .all(|is| is.trim() == size)
                .then_some(())
                .ok_or(sizes.concat())
        });
        redraws(&mut panes);
        panes.bar_shows("in the smaller pane", "retry 1/6 in");
        shows(&mut with, true);
        drop((bare, with));
        let size = format!("{}x{}", case.cols, case.rows);
        until("the pane as before", || {
            let sizes = BOTH.map(|session| {
                server.tell(&[
                    "display-message",
                    "-p",
                    "-t",
                    session,
                    "#{window_width}x#{window_height}",
                ])
            });
            sizes
                .iter()
                .all(|is| is.trim() == size)
                .then_some(())
                .ok_or(sizes.concat())
        });
        redraws(&mut panes);
        panes.bar_shows("in the pane as before", "retry 1/6 in");
        no_trace(&mut panes);
    });
}

#[test]
fn resizing_and_zooming_the_pane_leaves_no_trace() {
    on_both_screens(|server, case| {
        let mut panes = failed(server, case);
        for words in [
            &["split-window", "-d", "-v", "-l", "10", "exec cat"][..],
            &["resize-pane", "-y", "14"],
            &["resize-pane", "-Z"],
            &["resize-pane", "-Z"],
            &["resize-pane", "-y", "22"],
        ] {
            tmux_both(&panes, words);
            redraws(&mut panes);
            panes.bar_shows(&words.join(" "), "retry 1/6 in");
        }
        no_trace(&mut panes);
        for session in BOTH {
            server.tell(&["kill-pane", "-t", &format!("{session}:.1")]);
        }
        redraws(&mut panes);
        panes.is_gone("alone in the window again");
    });
}

/// Where the user is in copy mode, and what stands there.
fn copy_view(panes: &Panes<'_>) -> String {
    let place = "#{pane_in_mode} #{pane_mode} #{scroll_position} #{copy_cursor_x} #{copy_cursor_y} #{copy_cursor_line}";
    panes.with.of_pane(&["display-message", "-p", place])
}

#[test]
fn copy_mode_stays_as_it_is_while_the_bar_counts_and_the_turn_is_resumed() {
    on_both_screens(|server, case| {
        // Long enough for copy mode to be entered before its end on a busy machine.
        let base = "4s";
        let mut panes = failed(server, Case { base, ..case });
        panes.with.of_pane(&["copy-mode"]);
        panes.with.of_pane(&["send-keys", "-X", "top-line"]);
        let before = copy_view(&panes);
        assert!(before.starts_with("1 copy-mode"), "{before}");
        // The message as it is typed, then sent.
        for _ in 0..2 {
            let answer = panes.with.prompter.answer();
            assert!(answer.starts_with("done "), "{answer}");
        }
        let after = copy_view(&panes);
        assert_eq!(after, before);
        panes.with.of_pane(&["send-keys", "-X", "cancel"]);
        until("the message in the pane", || {
            let shown = panes.with.of_pane(&["capture-pane", "-p"]);
            shown.contains("❯ continue").then_some(()).ok_or(shown)
        });
    });
}

#[test]
fn keys_that_tmux_copies_into_the_pane_are_the_users() {
    let server = Server::start();
    let panes = failed_in_sync(&server, case(false));
    // Into the other pane, which is the user's; ours gets a copy.
    server.tell(&["send-keys", "-t", "with:.1", "-l", "x"]);
    until("a pause", || {
        let shown = panes.with.of_pane(&["capture-pane", "-p"]);
        shown.contains("paused").then_some(()).ok_or(shown)
    });
    panes
        .with
        .of_pane(&["set-option", "-w", "synchronize-panes", "off"]);
}

#[test]
fn what_is_typed_for_the_user_goes_to_no_other_pane() {
    let server = Server::start();
    let base = "2s";
    let mut panes = failed_in_sync(&server, Case { base, ..case(true) });
    for _ in 0..2 {
        let answer = panes.with.prompter.answer();
        assert!(answer.starts_with("done "), "{answer}");
    }
    // A word of the user's behind it: tmux has shown all that came before.
    server.tell(&["send-keys", "-t", "with:.1", "-l", "end"]);
    until("the end", || {
        let shown = server.tell(&["capture-pane", "-p", "-t", "with:.1"]);
        (shown.trim() == "end").then_some(()).ok_or(shown)
    });
}

/// The processes whose environment has this folder.
fn processes(folder: &std::path::Path) -> Vec<String> {
    let mark = folder.to_string_lossy().into_owned();
    let entries = std::fs::read_dir("/proc").expect("/proc");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    pids.filter(|pid| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&mark)
    })
    .collect()
}

/// Nothing of what ran in this pane is left.
fn nothing_is_left(folder: &std::path::Path) {
    until("the end of all that ran in the pane", || {
        let left = processes(folder);
        left.is_empty().then_some(()).ok_or_else(|| left.join(" "))
    });
    let run = folder.join("claude-retry");
    let left: Vec<_> = std::fs::read_dir(run)
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_pane_or_server_that_is_killed_takes_everything_along() {
    for words in [&["kill-pane", "-t", "with"][..], &["kill-server"]] {
        let server = Server::start();
        let _panes = failed(&server, case(false));
        let folder = server.folder.path().join("with");
        assert!(
            processes(&folder).len() >= 3,
            "the wrapper, its monitor, the CLI"
        );
        server.tell(words);
        nothing_is_left(&folder);
    }
}

#[test]
fn a_pane_that_is_respawned_ends_the_old_one_and_counts_anew() {
    let server = Server::start();
    let mut panes = failed(&server, case(false));
    let folder = server.folder.path().join("with");
    let before = processes(&folder);
    panes.with.of_pane(&["respawn-pane", "-k"]);
    until("the end of the old ones", || {
        let now = processes(&folder);
        let old: Vec<_> = before.iter().filter(|pid| now.contains(pid)).collect();
        old.is_empty()
            .then_some(())
            .ok_or_else(|| format!("{old:?}"))
    });
    panes.with.prompter.call_again();
    panes.with.told("begin");
    until("the turn in the pane", || {
        let last = panes.with.last_row();
        last.contains("interrupt").then_some(()).ok_or(last)
    });
    panes.with.told("fail");
    until("the bar", || {
        let last = panes.with.last_row();
        last.contains("retry 1/6 in").then_some(()).ok_or(last)
    });
}
