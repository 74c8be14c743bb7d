//! A tmux server of its own, panes with a CLI in them, and a watch: everything that a test needs, gone at its end.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{cli, watcher};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// What has no event is looked at this often.
const LOOK: Duration = Duration::from_millis(10);
/// The functions of the test binary that are the programs.
const CLI: &str = "the_cli_that_is_told_what_to_do";
const WATCHER: &str = "the_watch_that_tells_what_it_sees";

/// A server, and a home.
pub(crate) struct Stage {
    folder: tempfile::TempDir,
    panes: AtomicU32,
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

impl Stage {
    pub(crate) fn new() -> Self {
        let version = Command::new("tmux").arg("-V").output();
        assert!(
            version.is_ok_and(|output| output.status.success()),
            "tmux is not installed, and this test is about nothing else: install the package tmux"
        );
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("proj")).expect("a folder");
        let own = std::env::current_exe().expect("this program");
        std::os::unix::fs::symlink(own, folder.path().join("claude")).expect("a link");
        let stage = Self {
            folder,
            panes: AtomicU32::new(0),
        };
        // A session for it to live by, whose windows no test cares for.
        stage.tmux(&[
            "new-session",
            "-d",
            "-s",
            "base",
            "-x",
            "80",
            "-y",
            "24",
            "exec cat",
        ]);
        stage.tmux(&["set-option", "-g", "default-command", ""]);
        stage
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path().join("sock")
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.path().join("retry.log")
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command
            .args(["-u", "-f", "/dev/null", "-S"])
            .arg(self.socket());
        command.env_remove("TMUX").env("LC_ALL", "C.UTF-8");
        for (name, value) in self.environment() {
            command.env(name, value);
        }
        command.stdin(Stdio::null());
        command
    }

    /// The environment of the CLIs, of hooks and of the watch.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let path = self.path();
        vec![
            ("HOME", text(path.to_owned())),
            ("XDG_RUNTIME_DIR", text(path.join("run"))),
            ("XDG_STATE_HOME", text(path.join("state"))),
            ("XDG_CONFIG_HOME", text(path.join("config"))),
            ("CLAUDE_CONFIG_DIR", text(path.join(".claude"))),
            ("CLAUDE_RETRY_LOG", text(self.log_file())),
            ("CLAUDE_RETRY_JITTER", "none".into()),
            ("SHELL", "/bin/sh".into()),
        ]
    }

    /// Has tmux do something; gives what it says.
    pub(crate) fn tmux(&self, args: &[&str]) -> String {
        let output = self.command().args(args).output().expect("tmux runs");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "tmux {args:?}: {error}");
        String::from_utf8(output.stdout)
            .expect("UTF-8")
            .trim_end()
            .to_owned()
    }

    /// What a format says of a pane.
    pub(crate) fn ask(&self, pane: &str, format: &str) -> String {
        self.tmux(&["display-message", "-p", "-t", pane, format])
    }

    /// A pane whose turn has failed, and a watch that waits for a minute.
    pub(crate) fn long_wait(&self) -> (Pane<'_>, Watcher) {
        let mut pane = self.pane();
        let slow = [("CLAUDE_RETRY_BASE", "1m"), ("CLAUDE_RETRY_CAP", "1m")];
        let mut watch = self.watch_with(&["-t", "base"], &slow);
        watch.joins(&pane);
        pane.turn_fails();
        watch.see(&["Changed", "Waiting"]);
        (pane, watch)
    }

    /// A CLI in a new window of the session `base`.
    pub(crate) fn pane(&self) -> Pane<'_> {
        self.pane_by(&["new-window", "-d", "-t", "base:"])
    }

    /// A CLI in what this command of tmux's opens.
    pub(crate) fn pane_by(&self, args: &[&str]) -> Pane<'_> {
        let listener = self.listen();
        let line = self.cli_line(&listener.1);
        self.pane_of(args, &line, listener)
    }

    /// The socket of one more CLI.
    pub(crate) fn listen(&self) -> (UnixListener, PathBuf) {
        let n = self.panes.fetch_add(1, Ordering::Relaxed);
        let path = self.path().join(format!("cli-{n}"));
        (UnixListener::bind(&path).expect("a socket"), path)
    }

    /// What starts the CLI, in a shell's words.
    pub(crate) fn cli_line(&self, socket: &Path) -> String {
        let program = self.path().join("claude");
        format!(
            "exec env {}={} {} {CLI} --exact --nocapture",
            cli::SOCKET,
            socket.display(),
            program.display()
        )
    }

    pub(crate) fn pane_of(
        &self,
        args: &[&str],
        line: &str,
        (listener, _): (UnixListener, PathBuf),
    ) -> Pane<'_> {
        let folder = self.path().join("proj");
        let folder = folder.to_string_lossy();
        let more = [
            "-c",
            &folder,
            "-P",
            "-F",
            "#{pane_id}",
            "--",
            "sh",
            "-c",
            line,
        ];
        let id = self.tmux(&[args, &more].concat());
        Pane::accept(self, id, &listener)
    }

    /// The watch of these arguments; `environment` beside the usual.
    pub(crate) fn watch_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Watcher {
        let socket = self.socket();
        let socket = socket.to_string_lossy();
        let args = if args.contains(&"-L") || args.contains(&"-S") {
            args.join("\n")
        } else {
            [&["-S", &socket][..], args].concat().join("\n")
        };
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args([WATCHER, "--exact", "--nocapture"]);
        command.env_remove("TMUX").env(watcher::ARGS, args);
        command.envs(self.environment());
        command
            .env("CLAUDE_RETRY_BASE", "50ms")
            .env("CLAUDE_RETRY_CAP", "50ms");
        command.envs(environment.iter().copied());
        Watcher::start(command)
    }

    /// A watch of the session `base`, waits of 50 ms.
    pub(crate) fn watch(&self) -> Watcher {
        self.watch_with(&["-t", "base"], &[])
    }

    /// A hook of ours that the CLI runs at a turn's end, as `ctl hook install` has it.
    pub(crate) fn hook(&self, session: &Value, base: &str) -> Child {
        let event = json!({"hook_event_name": "StopFailure", "session_id": session["session"],
            "transcript_path": session["transcript"], "cwd": self.path().join("proj"),
            "error": "rate_limit", "last_assistant_message": cli::THROTTLE});
        let mut command = Command::new(env!("CARGO_BIN_EXE_claude-retry"));
        command.args(["ctl", "hook", "run"]).env_clear();
        command.envs(self.environment());
        command
            .env("CLAUDE_RETRY_BASE", base)
            .env("CLAUDE_RETRY_CAP", "1h");
        command.env("CLAUDE_CODE_ENTRYPOINT", "cli");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        write!(stdin, "{event}").expect("the event");
        child
    }

    /// A terminal that shows a session.
    pub(crate) fn client(&self, session: &str) -> Client {
        self.client_by(&["attach-session", "-t", session], (25, 80))
    }

    /// The pid of the watch's client, where it has one.
    pub(crate) fn control_client(&self) -> String {
        let format = "#{?client_control_mode,#{client_pid},}";
        let pids = self.tmux(&["list-clients", "-F", format]);
        pids.trim().to_owned()
    }

    /// A terminal of this size that shows what this command of tmux's attaches to.
    pub(crate) fn client_by(&self, args: &[&str], (rows, cols): (u16, u16)) -> Client {
        let size = portable_pty::PtySize {
            rows,
            cols,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = portable_pty::native_pty_system()
            .openpty(size)
            .expect("a terminal");
        let mut command = portable_pty::CommandBuilder::new("tmux");
        command.args(["-u", "-f", "/dev/null", "-S"]);
        command.arg(self.socket());
        command.args(args);
        command.env_remove("TMUX");
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        let child = pair.slave.spawn_command(command).expect("it starts");
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
        let writer = pair.master.take_writer().expect("a writer");
        until("the client", || {
            let clients =
                self.tmux(&["list-clients", "-F", "#{client_tty}|#{client_control_mode}"]);
            let there = clients.lines().any(|line| line.ends_with("|0"));
            there.then_some(()).ok_or(clients)
        });
        Client {
            child,
            writer,
            _master: pair.master,
        }
    }

    /// The records of the log.
    pub(crate) fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.log_file()).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// For `run-shell` in a hook: whoever ran what the hook is of is held up until [`Stage::release`], and nobody else.
    pub(crate) fn hold(&self, name: &str) -> String {
        let file = self.held(name);
        let file = file.display();
        format!("touch {file}; while [ -e {file} ]; do sleep 0.01; done")
    }

    fn held(&self, name: &str) -> PathBuf {
        self.path().join(format!("held-{name}"))
    }

    /// Waits until somebody is held up.
    pub(crate) fn holds(&self, name: &str) {
        until("somebody to be held up", || {
            self.held(name).exists().then_some(()).ok_or(String::new())
        });
    }

    pub(crate) fn release(&self, name: &str) {
        std::fs::remove_file(self.held(name)).expect("somebody is held up");
    }

    /// The options of ours that are set, on the server, on all sessions and on all panes.
    pub(crate) fn options(&self) -> String {
        let mut all = self.tmux(&["show-options", "-g"]);
        for session in self.tmux(&["list-sessions", "-F", "#{session_id}"]).lines() {
            all.push('\n');
            all.push_str(&self.tmux(&["show-options", "-t", session]));
        }
        let panes = self.tmux(&["list-panes", "-a", "-F", "#{@claude_retry}"]);
        let lines = all.lines().filter(|line| line.contains("claude_retry"));
        lines
            .chain(panes.lines().filter(|line| !line.is_empty()))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// The buffers of ours that are left.
    pub(crate) fn buffers(&self) -> String {
        self.tmux(&["list-buffers", "-F", "#{buffer_name}"])
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.log_file()).unwrap_or_default();
            let _ = writeln!(std::io::stderr(), "the log is {log}");
        }
        let _ = self.command().arg("kill-server").output();
    }
}

/// A CLI in a pane.
pub(crate) struct Pane<'a> {
    stage: &'a Stage,
    /// `%7`.
    pub(crate) id: String,
    writer: UnixStream,
    reader: BufReader<UnixStream>,
    /// What it told beside answers.
    told: VecDeque<String>,
}

impl<'a> Pane<'a> {
    pub(crate) fn accept(stage: &'a Stage, id: String, listener: &UnixListener) -> Self {
        let (writer, _) = listener.accept().expect("the CLI calls");
        writer.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let reader = BufReader::new(writer.try_clone().expect("a copy"));
        let mut pane = Self {
            stage,
            id,
            writer,
            reader,
            told: VecDeque::new(),
        };
        assert_eq!(pane.line(), "ready");
        pane
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(_) => line.trim_end().to_owned(),
            Err(error) => panic!("no word from the CLI in {}: {error}", self.id),
        }
    }

    /// Gives a command, and waits until it is done.
    pub(crate) fn tell(&mut self, command: &str) {
        writeln!(self.writer, "{command}").expect("the CLI listens");
        loop {
            match self.line().as_str() {
                "done" => return,
                "" => panic!("the CLI in {} has ended", self.id),
                other => self.told.push_back(other.to_owned()),
            }
        }
    }

    /// What it tells next beside answers: `submitted TEXT`.
    pub(crate) fn next(&mut self) -> String {
        match self.told.pop_front() {
            Some(told) => told,
            None => self.line(),
        }
    }

    /// A turn of the user's that fails.
    pub(crate) fn turn_fails(&mut self) {
        self.tell("turn hello");
        self.tell("fail");
    }

    /// All that was typed so far.
    pub(crate) fn keys(&mut self) -> String {
        self.tell("keys");
        let at = self.told.iter().position(|line| line.starts_with("keys "));
        self.told.remove(at.expect("its answer")).expect("a line")[5..].to_owned()
    }

    /// `session`, `uuid`, `transcript`.
    pub(crate) fn session(&mut self) -> Value {
        self.tell("session");
        let at = self.told.iter().position(|line| line.starts_with('{'));
        let line = self.told.remove(at.expect("its answer")).expect("a line");
        serde_json::from_str(&line).expect("JSON")
    }

    /// Types by tmux's own means.
    pub(crate) fn send_keys(&self, keys: &[&str]) {
        self.stage
            .tmux(&[&["send-keys", "-t", &self.id], keys].concat());
    }

    /// Says that its CLI is to end, without waiting for more.
    pub(crate) fn exit(&mut self) {
        writeln!(self.writer, "exit").expect("the CLI listens");
    }

    /// Is this shown in it?
    pub(crate) fn shows(&self, text: &str) -> bool {
        self.stage
            .tmux(&["capture-pane", "-p", "-t", &self.id])
            .contains(text)
    }
}

/// A client of a user's.
pub(crate) struct Client {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    _master: Box<dyn portable_pty::MasterPty + Send>,
}

impl Client {
    pub(crate) fn press(&mut self, keys: &[u8]) {
        self.writer
            .write_all(keys)
            .and_then(|()| self.writer.flush())
            .expect("a terminal");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The watch.
pub(crate) struct Watcher {
    pub(crate) child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Watcher {
    fn start(mut command: Command) -> Self {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            stdin,
            lines,
            seen: Vec::new(),
        }
    }

    /// The next line that contains all of these.
    pub(crate) fn see(&mut self, words: &[&str]) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if words.iter().all(|word| line.contains(word)) {
                        return line;
                    }
                }
                Err(error) => panic!("{words:?}: {error}; seen: {:#?}", self.seen),
            }
        }
    }

    /// The pane joins.
    pub(crate) fn joins(&mut self, pane: &Pane<'_>) {
        self.see(&["happened", &format!("{} Joined", pane.id)]);
    }

    /// Two panes join, in any order.
    pub(crate) fn both_join(&mut self, one: &Pane<'_>, two: &Pane<'_>) {
        let names = [one, two].map(|pane| format!("{} Joined", pane.id));
        let first = self.see(&["Joined"]);
        let other = names.iter().find(|name| !first.contains(*name));
        self.see(&[other.expect("another pane")]);
    }

    /// The lines so far.
    pub(crate) fn seen(&mut self) -> &[String] {
        self.seen.extend(self.lines.try_iter());
        &self.seen
    }

    pub(crate) fn wish(&mut self, wish: &str) {
        writeln!(self.stdin, "{wish}").expect("it listens");
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill").success());
    }

    /// Its code, and its words on stderr.
    pub(crate) fn end(mut self) -> (i32, String) {
        use std::io::Read as _;
        until("the end of the watch", || match self.child.try_wait() {
            Ok(Some(_)) => Ok(()),
            _ => Err(format!("it lives; seen: {:#?}", self.seen())),
        });
        let status = self.child.wait().expect("its end");
        let mut words = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut words).expect("text");
        }
        let code = status
            .code()
            .unwrap_or_else(|| -status.signal().unwrap_or_default());
        (code, words)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let told = format!("the watch told {:#?}", self.seen());
            let _ = writeln!(std::io::stderr(), "{told}");
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
