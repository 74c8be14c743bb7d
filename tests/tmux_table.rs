//! `ctl tmux watch` on a terminal: the table is on the alternate screen, and every way out leaves the terminal as it was.
//!
//! tmux must be installed: there is nothing to put in its place.

#[path = "support/emulator.rs"]
mod emulator;
#[path = "support/window.rs"]
mod window;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use portable_pty::CommandBuilder;
use window::Window;

/// A server with a session in which nobody runs a CLI.
struct Server {
    folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let server = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        let session = [
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-s",
            "s",
            "exec cat",
        ];
        let started = server.tmux().args(session).status();
        assert!(started.expect("tmux, the package of that name").success());
        server
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("tmux")
    }

    fn tmux(&self) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.socket()).env_remove("TMUX");
        command.stdin(Stdio::null());
        command
    }

    /// Sends the watch a signal: it is the parent of its client.
    fn signal(&self, name: &str) {
        let client = loop {
            let mut command = self.tmux();
            command.args(["list-clients", "-F", "#{client_pid}"]);
            let clients = command.output().expect("tmux");
            let client = String::from_utf8(clients.stdout).expect("UTF-8");
            if client.lines().count() == 1 {
                break client;
            }
            // It draws before its client is there.
            std::thread::yield_now();
        };
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", client.trim()));
        let stat = stat.expect("its client");
        let (_, fields) = stat.rsplit_once(") ").expect("its fields");
        let parent = fields.split(' ').nth(1).expect("its parent");
        let sent = Command::new("kill").args(["-s", name, parent]).status();
        assert!(sent.expect("kill").success());
    }

    /// A shell's terminal, in which the watch is run; the shell says how it ended, and how the terminal is set.
    fn watch(&self, size: (u16, u16), environment: &[(&str, &str)]) -> Window {
        let mut command = CommandBuilder::new("sh");
        let script = r#"stty -g >before; echo begin
            trap : INT TERM HUP; "$0" ctl tmux watch -t s -S "$1"; code=$?
            stty -g >after; cmp before after && echo "ended with $code""#;
        command.args(["-c", script, env!("CARGO_BIN_EXE_claude-retry")]);
        command.arg(self.socket());
        command.cwd(self.folder.path());
        command.env_remove("TMUX");
        for name in [
            "HOME",
            "XDG_CONFIG_HOME",
            "XDG_STATE_HOME",
            "XDG_RUNTIME_DIR",
        ] {
            command.env(name, self.folder.path());
        }
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        command.env_remove("NO_COLOR");
        for (name, value) in environment {
            command.env(name, value);
        }
        Window::open(command, size, "")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.tmux().arg("kill-server").output();
    }
}

fn text(window: &Window) -> String {
    let rows = (0..i32::from(window.size.0)).map(|row| window.emulator.row_text(row));
    rows.map(|row| row.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Waits for this on the screen.
fn sees(window: &mut Window, what: &str) {
    let seen = window.until(what, |window| {
        let text = text(window);
        text.contains(what).then_some(()).ok_or(text)
    });
    seen.expect("it shows");
}

/// What stood there before, and the shell's words.
fn is_as_before(window: &mut Window, code: &str) {
    sees(window, code);
    assert_eq!(text(window).trim_end(), format!("begin\n{code}"));
    let modes = ["\x1b[?1049", "\x1b[?25", "\x1b[?7"];
    let bytes = String::from_utf8_lossy(&window.bytes).into_owned();
    for mode in modes {
        let on = bytes.rfind(&format!("{mode}h"));
        let off = bytes.rfind(&format!("{mode}l"));
        assert_eq!(on < off, mode == "\x1b[?1049", "{mode}");
    }
}

#[test]
fn a_key_ends_the_table_and_leaves_no_trace() {
    let server = Server::start();
    for (key, code) in [("q", "ended with 0"), ("\x03", "ended with 130")] {
        let mut window = server.watch((10, 80), &[]);
        sees(&mut window, "No pane here runs a claude");
        sees(&mut window, "q quit");
        window.press(key.as_bytes());
        is_as_before(&mut window, code);
    }
}

#[test]
fn a_signal_ends_the_table_and_leaves_no_trace() {
    let server = Server::start();
    for (signal, code) in [("TERM", "ended with 143"), ("HUP", "ended with 129")] {
        let mut window = server.watch((10, 80), &[]);
        sees(&mut window, "q quit");
        server.signal(signal);
        is_as_before(&mut window, code);
    }
}

#[test]
fn a_stop_and_what_was_drawn_meanwhile_leave_the_table_whole() {
    let server = Server::start();
    let mut window = server.watch((10, 80), &[]);
    sees(&mut window, "q quit");
    server.signal("STOP");
    // As a shell would have it, and write over it.
    window.emulator.feed(b"\x1b[?1049l\x1b[?25hjobs\r\n");
    server.signal("CONT");
    let seen = window.until("the table", |window| {
        let shown = text(window);
        let whole = shown.contains("q quit") && !shown.contains("jobs");
        whole.then_some(()).ok_or(shown)
    });
    seen.expect("it shows");
    window.press(b"q");
    sees(&mut window, "ended with 0");
    assert_eq!(text(&window).trim_end(), "begin\njobs\nended with 0");
}

#[test]
fn the_end_of_the_server_ends_the_table_and_says_so() {
    let server = Server::start();
    let mut window = server.watch((10, 80), &[]);
    sees(&mut window, "q quit");
    assert!(
        server
            .tmux()
            .arg("kill-server")
            .status()
            .expect("tmux")
            .success()
    );
    sees(&mut window, "ended with 0");
    let text = text(&window);
    assert!(text.starts_with("begin\nclaude-retry: "), "{text}");
}

#[test]
fn the_table_follows_the_size_of_the_terminal() {
    let server = Server::start();
    let mut window = server.watch((10, 80), &[]);
    sees(&mut window, "enter resume now");
    for size in [(6, 41), (20, 120)] {
        window.resize(size);
        let keys = if size.1 < 60 {
            "enter now"
        } else {
            "enter resume now"
        };
        let last = i32::from(size.0) - 1;
        let seen = window.until("the keys in the last row", |window| {
            let row = window.emulator.row_text(last);
            row.contains(keys).then_some(()).ok_or(row)
        });
        seen.expect("it shows");
    }
    window.press(b"q");
    is_as_before(&mut window, "ended with 0");
}

#[test]
fn without_a_terminal_that_can_be_drawn_on_there_is_no_table() {
    let server = Server::start();
    let mut window = server.watch((10, 80), &[("TERM", "dumb")]);
    // Lines, of which there are none: Ctrl+C is the terminal's signal.
    sees(&mut window, "begin");
    let clients = || {
        let clients = server.tmux().arg("list-clients").output().expect("tmux");
        !clients.stdout.is_empty()
    };
    while !clients() {
        std::thread::yield_now();
    }
    window.press(b"\x03");
    sees(&mut window, "ended with 130");
    assert!(!window.bytes.contains(&0x1b));
}
