//! tmux with the told CLI in two panes, under the wrapper and bare: tmux's own screen and scrollback are the oracle.
//!
//! A test binary that has it needs [`talker`](crate::talker) and its program as a test, under the name in [`PROGRAM`].

#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::talker::{self, Prompter};

/// The test that is the program.
const PROGRAM: &str = "a_cli_that_is_told_what_to_draw";
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// tmux tells nobody when it has shown something: it is asked this often.
const LOOK: Duration = Duration::from_millis(10);

/// A server of its own, which ends with the test.
pub(crate) struct Server {
    pub(crate) folder: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        let version = Command::new("tmux").arg("-V").output();
        assert!(
            version.is_ok_and(|output| output.status.success()),
            "tmux is not installed, and this test is about nothing else: install the package tmux"
        );
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder }
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-u", "-f", "/dev/null", "-S"]);
        command.arg(self.folder.path().join("tmux"));
        command.env_remove("TMUX").env("LC_ALL", "C.UTF-8");
        command.stdin(Stdio::null());
        command
    }

    /// Has tmux do something; gives what it says.
    pub(crate) fn tell(&self, args: &[&str]) -> String {
        let output = self.command().args(args).output().expect("tmux runs");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "tmux {args:?}: {error}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.command().arg("kill-server").output();
    }
}

/// A pane in a session of its own.
pub(crate) struct Pane<'a> {
    server: &'a Server,
    pub(crate) name: &'static str,
    pub(crate) prompter: Prompter,
    frames: String,
}

impl<'a> Pane<'a> {
    pub(crate) fn open(server: &'a Server, case: Case, wrapped: bool) -> Self {
        let name = if wrapped { "with" } else { "bare" };
        let folder = server.folder.path().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        let prompter = Prompter::listen(&folder.join("socket"));
        let (cols, rows) = (case.cols.to_string(), case.rows.to_string());
        let mut args = vec!["start-server", ";", "set", "-g", "status", "off", ";"];
        args.extend(["set", "-g", "history-limit", "500", ";"]);
        args.extend(["new-session", "-d", "-s", name, "-x", &cols, "-y", &rows]);
        let place = folder.display().to_string();
        args.extend(["-c", &place, "--"]);
        // A shell's text, down to the last row, and a shell that is there afterwards.
        let words =
            r#"n=0; while [ $n -lt 60 ]; do echo "old $n"; n=$((n+1)); done; "$@"; exec cat"#;
        args.extend(["sh", "-c", words, "sh", "env", "-i"]);
        let program = environment(&folder, case, wrapped);
        args.extend(program.iter().map(String::as_str));
        server.tell(&args);
        Self {
            server,
            name,
            prompter,
            frames: String::new(),
        }
    }

    pub(crate) fn of_pane(&self, words: &[&str]) -> String {
        let (verb, rest) = words.split_first().expect("a command");
        self.server.tell(&[&[verb, "-t", self.name], rest].concat())
    }

    /// Rows with their colours and the blanks at their ends, the scrollback first.
    pub(crate) fn rows(&self) -> Vec<String> {
        let text = self.of_pane(&["capture-pane", "-p", "-e", "-N", "-S", "-"]);
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn last_row(&self) -> String {
        let text = self.of_pane(&["capture-pane", "-p"]);
        text.lines().last().unwrap_or_default().to_owned()
    }

    /// Cursor, modes, title, scrollback: what is no text.
    pub(crate) fn state(&self) -> String {
        let flags = "#{cursor_x} #{cursor_y} #{cursor_flag} #{insert_flag} #{wrap_flag} #{origin_flag} \
                     #{scroll_region_upper} #{scroll_region_lower} #{alternate_on} #{history_size} \
                     #{pane_width}x#{pane_height} #{pane_title}";
        self.of_pane(&["display-message", "-p", flags])
    }

    /// Has a frame drawn, and waits until tmux has it.
    pub(crate) fn told(&mut self, command: &str) {
        self.prompter.tell(command);
        let answer = self.prompter.answer();
        let n = answer.strip_prefix("done ").expect("it is drawn");
        self.frames = format!("talk {n}");
    }

    pub(crate) fn resize(&self, cols: u16, rows: u16) {
        let (cols, rows) = (cols.to_string(), rows.to_string());
        self.of_pane(&["resize-window", "-x", &cols, "-y", &rows]);
    }
}

fn environment(folder: &Path, case: Case, wrapped: bool) -> Vec<String> {
    let talker = std::env::current_exe().expect("this program");
    let place = folder.display().to_string();
    let mut words: Vec<String> = [
        ("PATH", std::env::var("PATH").unwrap_or_default()),
        ("TERM", "screen-256color".into()),
        ("LC_ALL", "C.UTF-8".into()),
        ("XDG_CONFIG_HOME", place.clone()),
        ("XDG_RUNTIME_DIR", place.clone()),
        ("CLAUDE_CONFIG_DIR", place),
        ("CLAUDE_RETRY_PROGRAM", talker.display().to_string()),
        ("CLAUDE_RETRY_LOG", "off".into()),
        ("CLAUDE_RETRY_HOOK", "off".into()),
        ("CLAUDE_RETRY_RETRY_AFTER", "off".into()),
        ("CLAUDE_RETRY_JITTER", "none".into()),
        ("CLAUDE_RETRY_BASE", case.base.into()),
        ("CLAUDE_RETRY_CAP", "10m".into()),
    ]
    .into_iter()
    .chain(talker::environment(&folder.join("socket"), case.inline))
    .map(|(name, value)| format!("{name}={value}"))
    .collect();
    words.push(if wrapped {
        env!("CARGO_BIN_EXE_claude-retry").into()
    } else {
        talker.display().to_string()
    });
    words.extend([PROGRAM, "--exact", "--nocapture"].map(Into::into));
    words
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) inline: bool,
    pub(crate) cols: u16,
    pub(crate) rows: u16,
    /// The first wait.
    pub(crate) base: &'static str,
}

/// Looks until there is something to see.
#[expect(clippy::disallowed_methods, reason = "the deadline of a test")]
pub(crate) fn until(what: &str, mut look: impl FnMut() -> Result<(), String>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(()) => return,
            Err(missing) if Instant::now() > deadline => panic!("{what}: {missing}"),
            Err(_) => std::thread::sleep(LOOK),
        }
    }
}

/// The first row that differs.
fn same_rows(with: &[String], bare: &[String]) -> Result<(), String> {
    if with.len() != bare.len() {
        return Err(format!("{} or {} rows", with.len(), bare.len()));
    }
    let mut rows = with.iter().zip(bare).zip(0..);
    match rows.find(|((with, bare), _)| with != bare) {
        Some(((with, bare), row)) => Err(format!("row {row}: {with:?}\nnot {bare:?}")),
        None => Ok(()),
    }
}

pub(crate) struct Panes<'a> {
    pub(crate) bare: Pane<'a>,
    pub(crate) with: Pane<'a>,
}

impl<'a> Panes<'a> {
    pub(crate) fn open(server: &'a Server, case: Case) -> Self {
        Self {
            bare: Pane::open(server, case, false),
            with: Pane::open(server, case, true),
        }
    }

    /// Has both draw a frame; tmux has it in the pane without the wrapper.
    pub(crate) fn both(&mut self, command: &str) {
        self.bare.told(command);
        self.with.told(command);
        until(command, || {
            let title = self
                .bare
                .of_pane(&["display-message", "-p", "#{pane_title}"]);
            let drawn = title.trim() == self.bare.frames;
            drawn.then_some(()).ok_or(title)
        });
    }

    pub(crate) fn bar_shows(&self, when: &str, text: &str) {
        until(when, || {
            let last = self.with.last_row();
            if !last.contains(text) {
                return Err(format!("the last row is {last:?}"));
            }
            let (mut with, mut bare) = (self.with.rows(), self.bare.rows());
            with.pop();
            bare.pop();
            same_rows(&with, &bare)?;
            self.same_state()
        });
    }

    pub(crate) fn same_state(&self) -> Result<(), String> {
        let (with, bare) = (self.with.state(), self.bare.state());
        (with == bare)
            .then_some(())
            .ok_or_else(|| format!("{with}not {bare}"))
    }

    pub(crate) fn is_gone(&self, when: &str) {
        until(when, || {
            same_rows(&self.with.rows(), &self.bare.rows())?;
            self.same_state()
        });
    }

    pub(crate) fn resize(&mut self, cols: u16, rows: u16) {
        self.bare.resize(cols, rows);
        self.with.resize(cols, rows);
        self.both(&format!("size {rows} {cols}"));
    }
}
