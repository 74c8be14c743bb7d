//! A home, and a CLI in it that does what each run's plan says.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::Value;

use crate::pty::shell_code;

pub const THROTTLE: &str =
    "API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited";

pub struct World {
    dir: tempfile::TempDir,
    env: Vec<(String, String)>,
}

/// How it ended, and what it wrote.
#[derive(Debug)]
pub struct Ran {
    /// 128 and the number for a signal.
    pub code: i32,
    pub out: Vec<u8>,
    pub err: String,
}

impl Ran {
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.out).expect("text")
    }

    /// Its lines, each JSON.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        let lines = self.text().lines();
        lines
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }
}

impl World {
    /// With the plans of the runs, the first one's first; waits are short.
    pub fn new(plans: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let claude = dir.path().join("claude");
        fs::write(&claude, include_str!("claude.sh")).expect("the CLI");
        fs::set_permissions(&claude, fs::Permissions::from_mode(0o755)).expect("its mode");
        for (n, plan) in plans.iter().enumerate() {
            fs::write(dir.path().join(format!("plan.{}", n + 1)), plan).expect("a plan");
        }
        let mut world = Self {
            env: Vec::new(),
            dir,
        };
        world.set("CLAUDE_RETRY_BASE", "1ms");
        world.set("CLAUDE_RETRY_CAP", "1ms");
        world.set("CLAUDE_RETRY_JITTER", "none");
        world
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.env.push((name.into(), value.into()));
    }

    /// Waits are so long that none ends by itself.
    pub fn patient(plans: &[&str]) -> Self {
        let mut world = Self::new(plans);
        world.set("CLAUDE_RETRY_BASE", "1h");
        world.set("CLAUDE_RETRY_CAP", "1h");
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_claude-retry"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .env("HOME", self.dir.path())
            .env("WORLD", self.dir.path())
            .env("PATH", "/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("CLAUDE_RETRY_PROGRAM", self.path("claude"))
            .env("CLAUDE_RETRY_LOG", self.path("log"))
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        let output = self.command(args).output().expect("it runs");
        ran(output.status, output.stdout, output.stderr)
    }

    pub fn run_with(&self, args: &[&str], stdin: &[u8]) -> Ran {
        let mut command = self.command(args);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("it runs");
        let mut pipe = child.stdin.take().expect("a pipe");
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // It need not read all of it.
                let _ = pipe.write_all(stdin);
            });
            let output = child.wait_with_output().expect("its end");
            ran(output.status, output.stdout, output.stderr)
        })
    }

    pub fn start(&self, args: &[&str]) -> Live {
        Live::new(&mut self.command(args))
    }

    /// So many runs there were.
    pub fn runs(&self) -> usize {
        let count = fs::read_to_string(self.path("count")).unwrap_or_default();
        count.trim().parse().unwrap_or_default()
    }

    /// The arguments of a run, from 1.
    pub fn args(&self, run: usize) -> Vec<String> {
        let args = fs::read_to_string(self.path(&format!("args.{run}"))).expect("its arguments");
        args.lines().map(str::to_owned).collect()
    }

    /// A file that a run wrote.
    pub fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_default()
    }

    /// The names of the log's events.
    pub fn log(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("log")).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a record"))
            .collect()
    }

    pub fn events(&self) -> Vec<String> {
        let log = self.log();
        log.iter()
            .map(|record| record["event"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

fn ran(status: std::process::ExitStatus, out: Vec<u8>, err: Vec<u8>) -> Ran {
    Ran {
        code: shell_code(status),
        out,
        err: String::from_utf8(err).expect("UTF-8"),
    }
}

/// One that runs.
pub struct Live {
    pub child: Child,
    stderr: BufReader<ChildStderr>,
    heard: String,
}

impl Live {
    pub fn new(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("it runs");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        Self {
            child,
            stderr,
            heard: String::new(),
        }
    }

    /// Reads stderr up to a line that has this in it.
    #[track_caller]
    pub fn hears(&mut self, part: &str) {
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line).expect("a line");
            assert!(read > 0, "no {part:?} in {:?}", self.heard);
            self.heard += &line;
            if line.contains(part) {
                return;
            }
        }
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.id()).expect("a number");
        let pid = rustix::process::Pid::from_raw(pid).expect("a process");
        rustix::process::kill_process(pid, signal).expect("it lives");
    }

    pub fn end(mut self) -> Ran {
        let mut out = Vec::new();
        if let Some(mut pipe) = self.child.stdout.take() {
            pipe.read_to_end(&mut out).expect("its output");
        }
        self.stderr
            .read_to_string(&mut self.heard)
            .expect("its stderr");
        let status = self.child.wait().expect("its end");
        ran(status, out, self.heard.into_bytes())
    }
}
