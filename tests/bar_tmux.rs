//! The bar in tmux, whose own screen and scrollback are the oracle: after it is gone, they are those of the
//! CLI without a wrapper in a pane of the same size.
//!
//! tmux must be installed: there is nothing to put in its place.

#[path = "support/talker.rs"]
mod talker;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use talker::Prompter;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// tmux tells nobody when it has shown something: it is asked this often.
const LOOK: Duration = Duration::from_millis(10);

/// The program that the panes run: see [`talker`].
#[test]
fn a_cli_that_is_told_what_to_draw() {
    talker::program();
}

/// A server of its own, which ends with the test.
struct Server {
    folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let version = Command::new("tmux").arg("-V").output();
        assert!(
            version.is_ok_and(|output| output.status.success()),
            "tmux is not installed, and this test is about nothing else: install the package tmux"
        );
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-u", "-f", "/dev/null", "-S"]);
        command.arg(self.folder.path().join("tmux"));
        command.env_remove("TMUX").env("LC_ALL", "C.UTF-8");
        command.stdin(Stdio::null());
        command
    }

    /// Has tmux do something; gives what it says.
    fn tell(&self, args: &[&str]) -> String {
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
struct Pane<'a> {
    server: &'a Server,
    name: &'static str,
    prompter: Prompter,
    frames: String,
}

impl<'a> Pane<'a> {
    fn open(server: &'a Server, case: Case, wrapped: bool) -> Self {
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

    fn of_pane(&self, words: &[&str]) -> String {
        let (verb, rest) = words.split_first().expect("a command");
        self.server.tell(&[&[verb, "-t", self.name], rest].concat())
    }

    /// Rows with their colours and the blanks at their ends, the scrollback first.
    fn rows(&self) -> Vec<String> {
        let text = self.of_pane(&["capture-pane", "-p", "-e", "-N", "-S", "-"]);
        text.lines().map(str::to_owned).collect()
    }

    fn last_row(&self) -> String {
        let text = self.of_pane(&["capture-pane", "-p"]);
        text.lines().last().unwrap_or_default().to_owned()
    }

    /// Cursor, modes, title, scrollback: what is no text.
    fn state(&self) -> String {
        let flags = "#{cursor_x} #{cursor_y} #{cursor_flag} #{insert_flag} #{wrap_flag} #{origin_flag} \
                     #{scroll_region_upper} #{scroll_region_lower} #{alternate_on} #{history_size} \
                     #{pane_width}x#{pane_height} #{pane_title}";
        self.of_pane(&["display-message", "-p", flags])
    }

    /// Has a frame drawn, and waits until tmux has it.
    fn told(&mut self, command: &str) {
        self.prompter.tell(command);
        let answer = self.prompter.answer();
        let n = answer.strip_prefix("done ").expect("it is drawn");
        self.frames = format!("talk {n}");
    }

    fn resize(&self, cols: u16, rows: u16) {
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
        ("CLAUDE_RETRY_BASE", "10m".into()),
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
    words.extend(["a_cli_that_is_told_what_to_draw", "--exact", "--nocapture"].map(Into::into));
    words
}

#[derive(Clone, Copy, Debug)]
struct Case {
    inline: bool,
    cols: u16,
    rows: u16,
}

/// Looks until there is something to see.
#[expect(clippy::disallowed_methods, reason = "the deadline of a test")]
fn until(what: &str, mut look: impl FnMut() -> Result<(), String>) {
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

struct Panes<'a> {
    bare: Pane<'a>,
    with: Pane<'a>,
}

impl Panes<'_> {
    /// Has both draw a frame; tmux has it in the pane without the wrapper.
    fn both(&mut self, command: &str) {
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

    fn bar_shows(&self, when: &str, text: &str) {
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

    fn same_state(&self) -> Result<(), String> {
        let (with, bare) = (self.with.state(), self.bare.state());
        (with == bare)
            .then_some(())
            .ok_or_else(|| format!("{with}not {bare}"))
    }

    fn is_gone(&self, when: &str) {
        until(when, || {
            same_rows(&self.with.rows(), &self.bare.rows())?;
            self.same_state()
        });
    }

    fn resize(&mut self, cols: u16, rows: u16) {
        self.bare.resize(cols, rows);
        self.with.resize(cols, rows);
        self.both(&format!("size {rows} {cols}"));
    }
}

fn play(case: Case) {
    let server = Server::start();
    let mut panes = Panes {
        bare: Pane::open(&server, case, false),
        with: Pane::open(&server, case, true),
    };
    panes.both("begin");
    panes.is_gone("before the error");
    panes.both("fail");
    panes.bar_shows("after the error", "retry 1/6 in");
    for command in ["notes", "no notes", "scroll", "region", "no region"] {
        panes.both(command);
        panes.bar_shows(command, "retry 1/6 in");
    }
    panes.both("busy");
    panes.is_gone("after the bar");
    panes.both("fail");
    panes.bar_shows("after another error", "in");
    for (cols, rows) in [(case.cols, case.rows - 2), (case.cols + 7, case.rows + 4)] {
        panes.resize(cols, rows);
        panes.bar_shows("resized", "in");
    }
    panes.with.of_pane(&["send-keys", "C-c"]);
    panes.bar_shows("cancelled", "not resuming");
    panes.both("busy");
    panes.is_gone("after it was cancelled");
    for pane in [&mut panes.bare, &mut panes.with] {
        pane.prompter.tell("exit");
        // Nothing but the end.
        assert_eq!(pane.prompter.answer(), "");
    }
    panes.is_gone("at the end");
    // Blanks that were written where none had been would be wrapped into rows of their own.
    for pane in [&panes.bare, &panes.with] {
        pane.resize(case.cols / 2, case.rows);
    }
    panes.is_gone("in half the width");
}

fn play_on(inline: bool) {
    std::thread::scope(|scope| {
        for (cols, rows) in [(80, 24), (120, 40), (40, 10)] {
            scope.spawn(move || {
                play(Case { inline, cols, rows });
            });
        }
    });
}

#[test]
fn in_tmux_a_bar_over_the_alternate_screen_leaves_no_trace() {
    play_on(false);
}

#[test]
fn in_tmux_an_inline_bar_leaves_no_trace() {
    play_on(true);
}
