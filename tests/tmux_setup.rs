//! `ctl tmux setup`: tmux takes its lines, they show what the watch tells, and the user's own settings stay.
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

const SIZE: (u16, u16) = (12, 100);

/// A server of its own with the user's own settings, then ours.
struct Server {
    folder: tempfile::TempDir,
}

impl Server {
    fn start(own: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let setup = Command::new(env!("CARGO_BIN_EXE_claude-retry"))
            .args(["ctl", "tmux", "setup"])
            .output()
            .expect("it runs");
        assert!(setup.status.success() && setup.stderr.is_empty());
        let server = Self { folder };
        let lines = String::from_utf8(setup.stdout).expect("UTF-8");
        std::fs::write(server.conf(), format!("{own}\n{lines}")).expect("a file");
        server.tell(&["new-session", "-d", "-s", "s", "exec cat"]);
        server.reads();
        server
    }

    fn conf(&self) -> PathBuf {
        self.folder.path().join("tmux.conf")
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("tmux")
    }

    fn tell(&self, args: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command
            .args(["-u", "-f", "/dev/null", "-S"])
            .arg(self.socket());
        command.env_remove("TMUX").env("LC_ALL", "C.UTF-8");
        let output = command
            .args(args)
            .stdin(Stdio::null())
            .output()
            .expect("tmux, the package of that name");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success() && error.is_empty(),
            "tmux {args:?}: {error}"
        );
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Reads the file: tmux complains of no line of it.
    fn reads(&self) {
        let conf = self.conf().display().to_string();
        assert_eq!(self.tell(&["source-file", &conf]), "");
    }

    fn option(&self, name: &str) -> String {
        self.tell(&["show-options", "-gv", name])
            .trim_end()
            .to_owned()
    }

    /// The user's terminal.
    fn attach(&self) -> Window {
        let mut command = CommandBuilder::new("tmux");
        command.args(["-u", "-f", "/dev/null", "-S"]);
        command.arg(self.socket());
        command.args(["attach-session", "-t", "s"]);
        command.env_remove("TMUX");
        command.env("LC_ALL", "C.UTF-8");
        command.env("TERM", "xterm-256color");
        Window::open(command, SIZE, "")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut command = Command::new("tmux");
        let _ = command
            .arg("-S")
            .arg(self.socket())
            .arg("kill-server")
            .output();
    }
}

fn row(window: &Window, row: i32) -> String {
    window.emulator.row_text(row).trim_end().to_owned()
}

/// Waits for this in the row.
fn shows(window: &mut Window, at: i32, is: impl Fn(&str) -> bool) {
    let seen = window.until("the row", |window| {
        let text = row(window, at);
        is(&text).then_some(()).ok_or(text)
    });
    seen.expect("it shows");
}

const OWN: &str = "set -g status-right 'my own #{?0,a,b} %%'\nset -g pane-border-format ' mine '\nset -g pane-border-status top";

#[test]
fn the_lines_show_what_the_watch_tells_behind_the_users_own() {
    let server = Server::start(OWN);
    let mut window = server.attach();
    let (border, status) = (0, i32::from(SIZE.0) - 1);
    shows(&mut window, border, |row| row.contains(" mine "));
    shows(&mut window, status, |row| row.ends_with("my own b %"));
    server.tell(&[
        "set-option",
        "-g",
        "@claude_retry_all",
        "2 waiting, next in 12s; 1 held",
    ]);
    server.tell(&[
        "set-option",
        "-p",
        "-t",
        "s",
        "@claude_retry",
        "throttled, retry 1/6 in 12s",
    ]);
    shows(&mut window, status, |row| {
        row.ends_with("my own b % [2 waiting, next in 12s; 1 held]")
    });
    shows(&mut window, border, |row| {
        row.contains(" mine  throttled, retry 1/6 in 12s ")
    });
    server.tell(&["set-option", "-g", "-u", "@claude_retry_all"]);
    server.tell(&["set-option", "-p", "-u", "-t", "s", "@claude_retry"]);
    shows(&mut window, status, |row| row.ends_with("my own b %"));
    shows(&mut window, border, |row| {
        row.contains(" mine ") && !row.contains("throttled")
    });
}

#[test]
fn the_lines_say_it_once_however_often_they_are_read() {
    // Of the user nothing: the file does not set it back either.
    let server = Server::start("");
    let options = [
        "status-right",
        "status-right-length",
        "pane-border-format",
        "pane-border-status",
    ];
    let once = options.map(|name| server.option(name));
    server.reads();
    server.reads();
    assert_eq!(options.map(|name| server.option(name)), once);
    assert_eq!(
        once[0].matches("[#{@claude_retry_all}]").count(),
        1,
        "{}",
        once[0]
    );
    assert_eq!(
        once[2].matches("#{@claude_retry}").count(),
        1,
        "{}",
        once[2]
    );
    assert_eq!((once[1].as_str(), once[3].as_str()), ("100", "off"));
}

#[test]
fn a_longer_status_line_of_the_users_stays_as_long() {
    let server = Server::start("set -g status-right-length 200");
    assert_eq!(server.option("status-right-length"), "200");
}

#[test]
fn with_tmuxs_own_settings_the_whole_text_is_seen() {
    let server = Server::start("");
    let mut window = server.attach();
    server.tell(&[
        "set-option",
        "-g",
        "@claude_retry_all",
        "2 waiting, next in 12s; 1 held",
    ]);
    shows(&mut window, i32::from(SIZE.0) - 1, |row| {
        row.ends_with(" [2 waiting, next in 12s; 1 held]")
    });
}
