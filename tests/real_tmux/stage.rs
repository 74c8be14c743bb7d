//! A tmux server of its own, a home, panes with the real CLI in them, and a watch beside them.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::api::{Answer, Api};
use crate::support::bell::{Bell, lock};
use crate::support::home::{Auth, Home};

/// The most that a trial may take.
const LIMIT: Duration = Duration::from_mins(1);
/// tmux tells nobody when it has shown something: it is asked this often.
const LOOK: Duration = Duration::from_millis(20);
/// What stands before the CLI's prompt.
const PROMPT: char = '❯';

/// What went wrong, in words.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// An error of our own unless it is so.
pub(crate) fn ensure(is: bool, what: impl FnOnce() -> String) -> Outcome {
    if is { Ok(()) } else { Err(what()) }
}

/// The program under test.
fn ours() -> PathBuf {
    let named = std::env::var_os("CLAUDE_RETRY_BIN").map(|path| {
        // The panes are in folders of their own.
        std::path::absolute(&path).unwrap_or_else(|_| path.into())
    });
    named.unwrap_or_else(|| env!("CARGO_BIN_EXE_claude-retry").into())
}

/// The world. Everything in it ends when it is dropped.
pub(crate) struct Stage {
    cli: PathBuf,
    deadline: Instant,
    panes: Vec<(String, String)>,
    watch: Option<Watch>,
    // Last: it ends the processes that the others left, then removes their files.
    home: Home,
}

/// A pane with the CLI in it, which has an API of its own: what it asks is known by that.
pub(crate) struct Pane {
    /// `%7`.
    pub(crate) id: String,
    pub(crate) api: Api,
}

struct Watch {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Stage {
    pub(crate) fn new(version: &str) -> Outcome<Self> {
        let home = Home::new(version).map_err(|error| format!("cannot make a home: {error}"))?;
        let stage = Self {
            cli: crate::versions::installed(version),
            deadline: Instant::now() + LIMIT,
            panes: Vec::new(),
            watch: None,
            home,
        };
        // A session for the server to live by.
        stage.tmux(&[
            "new-session",
            "-d",
            "-s",
            "work",
            "-x",
            "100",
            "-y",
            "30",
            "exec cat",
        ])?;
        Ok(stage)
    }

    fn socket(&self) -> PathBuf {
        self.home.path().join("tmux")
    }

    fn tmux_command(&self) -> Command {
        let mut command = Command::new("tmux");
        command
            .args(["-u", "-f", "/dev/null", "-S"])
            .arg(self.socket());
        command
            .env_clear()
            .envs(self.environment("http://127.0.0.1:9"));
        command.stdin(Stdio::null());
        command
    }

    /// Has tmux do something; gives what it says.
    pub(crate) fn tmux(&self, args: &[&str]) -> Outcome<String> {
        let output = self.tmux_command().args(args).output();
        let output = output.map_err(|error| format!("tmux does not run: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned();
        ensure(output.status.success(), || {
            format!("tmux {args:?}: {}", String::from_utf8_lossy(&output.stderr))
        })?;
        Ok(text)
    }

    /// What a format says of a pane.
    pub(crate) fn ask_tmux(&self, pane: &str, format: &str) -> Outcome<String> {
        self.tmux(&["display-message", "-p", "-t", pane, format])
    }

    /// Puts a pane into copy mode; gives how it is in it.
    pub(crate) fn reads(&self, pane: &Pane) -> Outcome<String> {
        self.tmux(&["copy-mode", "-t", &pane.id])?;
        self.tmux(&["send-keys", "-t", &pane.id, "-X", "top-line"])?;
        let mode = self.mode(pane)?;
        ensure(mode.starts_with("1 copy-mode"), || mode.clone())?;
        Ok(mode)
    }

    /// The mode of a pane, and where in it.
    pub(crate) fn mode(&self, pane: &Pane) -> Outcome<String> {
        let mode =
            "#{pane_in_mode} #{pane_mode} #{scroll_position} #{copy_cursor_x} #{copy_cursor_y}";
        self.ask_tmux(&pane.id, mode)
    }

    fn environment(&self, url: &str) -> Vec<(OsString, OsString)> {
        let mut environment = self.home.environment(url, Auth::OAuth);
        environment.retain(|(name, _)| name != "TERM");
        environment.push(("TERM".into(), "tmux-256color".into()));
        environment
    }

    /// The CLI alone in a new pane of the session.
    pub(crate) fn pane(&mut self, name: &str, script: Vec<Answer>) -> Outcome<Pane> {
        let cli = self.cli.clone();
        self.pane_of(name, script, &cli, &[], "exec env \"$@\"")
    }

    /// A shell that starts the CLI at an Enter, and lives on.
    pub(crate) fn shell_pane(&mut self, name: &str, script: Vec<Answer>) -> Outcome<Pane> {
        let cli = self.cli.clone();
        let shell = r#"echo a shell; read -r _; env "$@"; echo the shell again; exec cat"#;
        self.pane_of(name, script, &cli, &[], shell)
    }

    /// The CLI under the wrapper.
    pub(crate) fn wrapped_pane(&mut self, name: &str, script: Vec<Answer>) -> Outcome<Pane> {
        let log = self.log_of_wrapper().display().to_string();
        let cli = self.cli.display().to_string();
        let environment = [
            ("CLAUDE_RETRY_PROGRAM", cli.as_str()),
            ("CLAUDE_RETRY_LOG", &log),
            ("CLAUDE_RETRY_JITTER", "none"),
            ("CLAUDE_RETRY_BASE", "1s"),
        ];
        self.pane_of(name, script, &ours(), &environment, "exec env \"$@\"")
    }

    /// Where the wrapper logs to.
    pub(crate) fn log_of_wrapper(&self) -> PathBuf {
        self.home.path().join("wrapper.log")
    }

    fn pane_of(
        &mut self,
        name: &str,
        script: Vec<Answer>,
        program: &Path,
        more: &[(&str, &str)],
        shell: &str,
    ) -> Outcome<Pane> {
        let api = Api::serve(script, Bell::default());
        let api = api.map_err(|error| format!("cannot serve the API: {error}"))?;
        let (folder, program) = (self.home.project(), program.display().to_string());
        let folder = folder.to_string_lossy();
        let mut words: Vec<String> = self
            .environment(&api.url())
            .iter()
            .map(|(name, value)| format!("{}={}", name.to_string_lossy(), value.to_string_lossy()))
            .chain(more.iter().map(|(name, value)| format!("{name}={value}")))
            .collect();
        words.push(program);
        // A window each, so that all have the same size.
        let mut args = vec![
            "new-window",
            "-d",
            "-t",
            "work:",
            "-n",
            name,
            "-c",
            &folder,
            "-P",
            "-F",
            "#{pane_id}",
        ];
        // What tmux puts into the environment of a pane stays, as it is for users.
        args.extend(["--", "sh", "-c", shell, "sh"]);
        args.extend(words.iter().map(String::as_str));
        let id = self.tmux(&args)?;
        self.panes.push((name.to_owned(), id.clone()));
        Ok(Pane { id, api })
    }

    /// Starts the watch where there is no terminal: it tells what happens in lines.
    pub(crate) fn watch(&mut self, settings: &[(&str, &str)]) -> Outcome {
        let mut command = Command::new(ours());
        command
            .args(["ctl", "tmux", "watch", "-t", "work", "-S"])
            .arg(self.socket());
        command
            .env_clear()
            .envs(self.environment("http://127.0.0.1:9"));
        command.env("CLAUDE_RETRY_LOG", self.home.log());
        command.envs(WATCH_SETTINGS).envs(settings.iter().copied());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn();
        let mut child = child.map_err(|error| format!("the watch does not start: {error}"))?;
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let (out, told) = (child.stdout.take().ok_or("no pipe")?, Arc::clone(&lines));
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                lock(&told).push(line);
            }
        });
        self.watch = Some(Watch { child, lines });
        Ok(())
    }

    /// Starts the watch in a pane of its own: it draws a table. Gives the pane, in which a shell says how it ended.
    pub(crate) fn watch_in_pane(&mut self) -> Outcome<String> {
        let socket = self.socket().display().to_string();
        let mut words = vec![format!("CLAUDE_RETRY_LOG={}", self.home.log().display())];
        words.extend(WATCH_SETTINGS.map(|(name, value)| format!("{name}={value}")));
        words.push(ours().display().to_string());
        words.extend(["ctl", "tmux", "watch", "-t", "work", "-S", &socket].map(Into::into));
        let mut args = vec![
            "new-session",
            "-d",
            "-s",
            "table",
            "-x",
            "100",
            "-y",
            "12",
            "-P",
            "-F",
            "#{pane_id}",
        ];
        args.extend([
            "--",
            "sh",
            "-c",
            r#"echo before; "$@"; echo "ended with $?"; exec cat"#,
            "sh",
            "env",
        ]);
        args.extend(words.iter().map(String::as_str));
        let id = self.tmux(&args)?;
        self.panes.push(("table".into(), id.clone()));
        Ok(id)
    }

    /// What the watch has told.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.watch
            .as_ref()
            .map(|watch| lock(&watch.lines).clone())
            .unwrap_or_default()
    }

    /// Waits for a line of the watch about this pane.
    pub(crate) fn told(&self, pane: &Pane, what: &str) -> Outcome {
        let id = format!(" {} ", pane.id);
        self.wait(&format!("{what:?} of {}", pane.id), || {
            let lines = self.lines();
            let found = lines
                .iter()
                .any(|line| line.contains(&id) && line.contains(what));
            Ok(found.then_some(()))
        })
    }

    /// Ends the watch as a service manager does; gives what it said on stderr.
    pub(crate) fn end_watch(&mut self) -> Outcome<String> {
        let mut watch = self.watch.take().ok_or("there is no watch")?;
        let pid = Pid::from_child(&watch.child);
        kill_process(pid, Signal::TERM).map_err(|error| error.to_string())?;
        let mut words = String::new();
        if let Some(mut stderr) = watch.child.stderr.take() {
            let _ = stderr.read_to_string(&mut words);
        }
        let status = watch.child.wait().map_err(|error| error.to_string())?;
        ensure(status.code() == Some(143), || {
            format!("the watch ended with {status}: {words}")
        })?;
        Ok(words)
    }

    /// Nothing of ours is left in the server.
    pub(crate) fn is_clean(&self) -> Outcome {
        let global = self.tmux(&["show-options", "-g"])?;
        ensure(!global.contains("@claude_retry"), || global)?;
        let session = self.tmux(&["show-options", "-t", "work:"])?;
        ensure(!session.contains("@claude_retry"), || session)?;
        let panes = self.tmux(&["list-panes", "-a", "-F", "#{@claude_retry}"])?;
        ensure(panes.trim().is_empty(), || panes)?;
        let buffers = self.tmux(&["list-buffers"])?;
        ensure(buffers.is_empty(), || buffers)?;
        let clients = self.tmux(&["list-clients"])?;
        ensure(clients.is_empty(), || clients)
    }

    /// Waits until there is something to see; the error names what was waited for.
    pub(crate) fn wait<T>(
        &self,
        what: &str,
        mut look: impl FnMut() -> Outcome<Option<T>>,
    ) -> Outcome<T> {
        loop {
            if let Some(found) = look()? {
                return Ok(found);
            }
            ensure(Instant::now() < self.deadline, || {
                format!("nothing came in time, waiting for {what}")
            })?;
            std::thread::sleep(LOOK);
        }
    }

    /// What a pane shows, without its history; not what copy mode shows.
    pub(crate) fn screen(&self, pane: &str) -> Outcome<String> {
        self.tmux(&["capture-pane", "-p", "-t", pane])
    }

    /// Waits for a text in a pane.
    pub(crate) fn see(&self, pane: &str, text: &str) -> Outcome {
        self.wait(&format!("{text:?} in {pane}"), || {
            Ok(self.screen(pane)?.contains(text).then_some(()))
        })
    }

    /// Waits until this is typed in the CLI's prompt, and nothing else. A dim placeholder counts as nothing.
    pub(crate) fn prompt(&self, pane: &Pane, text: &str) -> Outcome {
        self.wait(&format!("{text:?} in the prompt of {}", pane.id), || {
            let screen = self.tmux(&["capture-pane", "-p", "-e", "-t", &pane.id])?;
            Ok((prompt_of(&screen).as_deref() == Some(text)).then_some(()))
        })
    }

    /// Types as a user does, by tmux's keys.
    pub(crate) fn type_text(&self, pane: &Pane, text: &str) -> Outcome {
        self.tmux(&["send-keys", "-t", &pane.id, "-l", "--", text])?;
        self.prompt(pane, text)
    }

    /// Asks the CLI this.
    pub(crate) fn ask(&self, pane: &Pane, text: &str) -> Outcome {
        self.prompt(pane, "")?;
        self.type_text(pane, text)?;
        self.tmux(&["send-keys", "-t", &pane.id, "Enter"]).map(drop)
    }

    /// Asks the CLI this, and waits until it has been seen at work on it. A local API answers faster than 2.1.145 draws
    /// that it works; a real one does not.
    pub(crate) fn asks_and_works(&self, pane: &Pane, text: &str) -> Outcome {
        self.ask(pane, text)?;
        self.turns(pane, &[text])?;
        self.see(&pane.id, "esc to interrupt")?;
        // As long as the spinner turns, whoever looks has seen it.
        let mut before = self.screen(&pane.id)?;
        for _ in 0..3 {
            before = self.wait("the spinner", || {
                let now = self.screen(&pane.id)?;
                Ok((now != before).then_some(now))
            })?;
        }
        Ok(())
    }

    /// Waits for the API of a pane to have got these turns, and no others.
    pub(crate) fn turns(&self, pane: &Pane, turns: &[&str]) -> Outcome {
        self.wait(&format!("{turns:?} at the API of {}", pane.id), || {
            let got = pane.api.turns();
            ensure(got.len() <= turns.len(), || {
                format!("{} asked {got:?}", pane.id)
            })?;
            Ok((got.len() == turns.len()).then_some(()))
        })?;
        let got = pane.api.turns();
        let same = got.iter().zip(turns).all(|(got, turn)| got.ends_with(turn));
        ensure(same, || format!("{} asked {got:?}", pane.id))
    }

    /// All that may help, for a failure's message.
    pub(crate) fn dump(&self) -> String {
        let mut text = String::new();
        for (name, id) in &self.panes {
            let screen = self.screen(id).unwrap_or_else(|error| error);
            let _ = writeln!(text, "--- {name} {id}\n{}", screen.trim_end());
        }
        let _ = writeln!(text, "--- the watch's lines\n{}", self.lines().join("\n"));
        for log in [self.home.log(), self.log_of_wrapper()] {
            let log = std::fs::read_to_string(log).unwrap_or_default();
            let _ = writeln!(text, "--- log\n{log}");
        }
        text
    }
}

/// Short waits, always the same.
const WATCH_SETTINGS: [(&str, &str); 2] =
    [("CLAUDE_RETRY_JITTER", "none"), ("CLAUDE_RETRY_BASE", "1s")];

/// What is typed behind the last prompt glyph that begins a row below a rule.
fn prompt_of(screen: &str) -> Option<String> {
    let rows: Vec<&str> = screen.lines().collect();
    let plain: Vec<String> = rows.iter().map(|row| without_sgr(row, false)).collect();
    let at = (1..rows.len())
        .rev()
        .find(|&row| plain[row].starts_with(PROMPT) && plain[row - 1].starts_with('─'))?;
    let typed = without_sgr(rows[at], true);
    Some(typed.trim_start_matches(PROMPT).trim().to_owned())
}

/// A row without its attributes; without what is dim, and without the inverse cell that is the CLI's own cursor, where
/// that is wanted.
fn without_sgr(row: &str, typed_only: bool) -> String {
    let mut text = String::new();
    let (mut dim, mut inverse) = (false, false);
    for (index, piece) in row.split('\x1b').enumerate() {
        let mut shown = piece;
        if index > 0 {
            let (codes, rest) = piece.split_once('m').unwrap_or(("", piece));
            shown = rest;
            let mut codes = codes.trim_start_matches('[').split(';');
            while let Some(code) = codes.next() {
                match code {
                    "" | "0" => (dim, inverse) = (false, false),
                    "2" => dim = true,
                    "22" => dim = false,
                    "7" => inverse = true,
                    "27" => inverse = false,
                    // A colour's numbers are no attributes.
                    "38" | "48" | "58" => {
                        let more = if codes.next() == Some("2") { 3 } else { 1 };
                        codes.by_ref().take(more).for_each(drop);
                    }
                    _ => {}
                }
            }
        }
        if !typed_only || !(dim || inverse) {
            text.push_str(shown);
        }
    }
    text
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(mut watch) = self.watch.take() {
            let _ = watch.child.kill();
            let _ = watch.child.wait();
        }
        let _ = self.tmux_command().arg("kill-server").output();
    }
}
