//! One scenario's world: a home, an API, and what runs there.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use super::format::Format;
use super::process::{Done, Input, Process};
use super::witness::{self, Witnessed};
use crate::real::stage::Outcome;
use crate::real::versions::installed;
use crate::support::api::{Answer, Api, Request};
use crate::support::bell::Bell;
use crate::support::home::{Auth, Home};
use crate::support::terminal;

/// The most that a scenario may take.
const LIMIT: Duration = Duration::from_mins(1);

/// Who runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The CLI by itself.
    Alone,
    /// Ours, with the CLI below it.
    Ours,
}

/// The world. Everything in it ends when it is dropped.
pub(crate) struct World {
    /// The version of the CLI.
    pub(crate) version: &'static str,
    /// The scripted API.
    pub(crate) api: Api,
    /// Our settings, and whatever else.
    env: Vec<(OsString, OsString)>,
    program: PathBuf,
    url: String,
    deadline: Instant,
    bell: Bell,
    // Last: it ends the processes that the others left, then removes their files.
    home: Home,
}

/// The program under test: the one that `CLAUDE_RETRY_BIN` names (a release, as its users have it), else what was
/// built with the tests.
fn ours() -> PathBuf {
    let named = std::env::var_os("CLAUDE_RETRY_BIN");
    let path = named.unwrap_or_else(|| env!("CARGO_BIN_EXE_claude-retry").into());
    // The runs are in folders of their own.
    std::path::absolute(&path).unwrap_or_else(|_| path.into())
}

/// What the user says, as a line of input.
pub(crate) fn user_message(text: &str) -> String {
    let message = json!({"role": "user", "content": [{"type": "text", "text": text}]});
    json!({"type": "user", "message": message}).to_string()
}

impl World {
    /// One whose API answers from this script.
    pub(crate) fn new(version: &'static str, script: impl Into<Vec<Answer>>) -> Outcome<Self> {
        let script = script.into();
        Self::by(version, move |place, _| {
            script[place.min(script.len() - 1)].clone()
        })
    }

    /// One whose API decides at the sight of each turn.
    pub(crate) fn by(
        version: &'static str,
        script: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static,
    ) -> Outcome<Self> {
        let failed = |what: &str, error: std::io::Error| format!("cannot {what}: {error}");
        let bell = Bell::default();
        let home = Home::new(version).map_err(|error| failed("make a home", error))?;
        let api = Api::serve_by(script, bell.clone());
        let api = api.map_err(|error| failed("serve the API", error))?;
        let world = Self {
            version,
            env: Vec::new(),
            program: installed(version),
            url: api.url(),
            api,
            deadline: Instant::now() + LIMIT,
            bell,
            home,
        };
        // As short as a wait can be that is one.
        Ok(world.wait_for("10ms"))
    }

    /// With this wait before each resume.
    pub(crate) fn wait_for(self, wait: &str) -> Self {
        self.env("CLAUDE_RETRY_JITTER", "none")
            .env("CLAUDE_RETRY_BASE", wait)
            .env("CLAUDE_RETRY_CAP", wait)
    }

    /// With this variable; a later one beats an earlier one.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Nobody listens where the API should be.
    pub(crate) fn with_no_api(mut self) -> Self {
        self.url = "http://127.0.0.1:1".into();
        self
    }

    /// What each run of the CLI is given and writes is kept, see [`World::runs`].
    pub(crate) fn witnessed(mut self) -> Outcome<Self> {
        let path = witness::set_up(self.home.path(), &self.program);
        self.program = path.map_err(|error| format!("cannot set up the witness: {error}"))?;
        Ok(self)
    }

    /// The runs that were witnessed.
    pub(crate) fn runs(&self) -> Vec<Witnessed> {
        witness::runs(self.home.path())
    }

    /// Where the scenario lives.
    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// What every program of this scenario finds in its environment.
    fn environment(&self) -> Vec<(OsString, OsString)> {
        let mut env = self.home.environment(&self.url, Auth::OAuth);
        env.push(("CLAUDE_RETRY_LOG".into(), self.home.log().into()));
        env.push(("CLAUDE_RETRY_PROGRAM".into(), self.program.clone().into()));
        env.extend(self.env.iter().cloned());
        env
    }

    fn program(&self, who: Who) -> PathBuf {
        match who {
            Who::Alone => self.program.clone(),
            Who::Ours => ours(),
        }
    }

    /// Starts it.
    pub(crate) fn start(&self, who: Who, args: &[&str], input: Input) -> Outcome<Process> {
        self.start_with(who, args, input, None)
    }

    /// The same with stderr going to a file.
    pub(crate) fn start_with(
        &self,
        who: Who,
        args: &[&str],
        input: Input,
        stderr: Option<File>,
    ) -> Outcome<Process> {
        let mut command = Command::new(self.program(who));
        command
            .args(args)
            .env_clear()
            .envs(self.environment())
            .current_dir(self.home.project());
        let process = Process::start(command, input, stderr, &self.bell);
        process.map_err(|error| format!("cannot start it: {error}"))
    }

    /// Starts it by a shell in a terminal: what the terminal does not get, the shell redirects.
    pub(crate) fn start_in_terminal(
        &self,
        redirect: &str,
        args: &[&str],
    ) -> Outcome<terminal::Terminal> {
        let script = format!("exec \"$0\" \"$@\" {redirect}");
        let mut all = vec![
            "-c".into(),
            script.into(),
            self.program(Who::Ours).into_os_string(),
        ];
        all.extend(args.iter().map(OsString::from));
        let command = terminal::Command {
            program: "/bin/sh".into(),
            args: all,
            env: self.environment(),
            directory: self.home.project(),
        };
        let kind = terminal::Kind::Plain;
        let terminal = terminal::Terminal::start(&command, kind, (30, 100), &self.bell);
        terminal.map_err(|error| format!("cannot start it: {error}"))
    }

    /// Waits until there is something to see; the error names what was waited for.
    pub(crate) fn wait<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> Outcome<T> {
        let found = self.bell.wait(self.deadline, look);
        found.ok_or_else(|| format!("nothing came in time, waiting for {what}\n{}", self.dump()))
    }

    /// Waits for its end.
    pub(crate) fn end(&self, process: &Process) -> Outcome<Done> {
        let what = "the end of it";
        let done = self
            .wait(what, || process.done())
            .map_err(|error| format!("{error}\n{}", process.dump()))?;
        // The same for every home.
        let home = self.home.path().to_string_lossy().into_owned();
        // In a folder's name of the CLI's too.
        let encoded = home.replace('/', "-");
        let same = |text: String| text.replace(&home, "~").replace(&encoded, "~");
        Ok(Done {
            code: done.code,
            stdout: same(done.stdout),
            stderr: same(done.stderr),
        })
    }

    /// Asks this in a run of that format, with more arguments behind.
    pub(crate) fn ask(
        &self,
        who: Who,
        format: Format,
        prompt: &str,
        more: &[&str],
    ) -> Outcome<Done> {
        let (prompts, input) = match format {
            Format::StreamInput => (&[][..], Input::Text(user_message(prompt) + "\n")),
            Format::Text | Format::Json | Format::Stream => (&[prompt][..], Input::Nothing),
        };
        let args = [format.args(), prompts, more].concat();
        self.run_with(who, &args, input)
    }

    /// Runs it from beginning to end, with nothing to read.
    pub(crate) fn run(&self, who: Who, args: &[&str]) -> Outcome<Done> {
        self.run_with(who, args, Input::Nothing)
    }

    /// The same with something to read.
    pub(crate) fn run_with(&self, who: Who, args: &[&str], input: Input) -> Outcome<Done> {
        let process = self.start(who, args, input)?;
        self.end(&process)
    }

    /// These words, and what happened here.
    pub(crate) fn explain(&self, error: &str) -> String {
        format!("{error}\n{}", self.dump())
    }

    /// The log of requests and our own, for a failure's words.
    pub(crate) fn dump(&self) -> String {
        let requests = self.api.log().into_iter();
        let requests: Vec<_> = requests.map(|request| format!("  {request}\n")).collect();
        let requests = requests.concat();
        let log = std::fs::read_to_string(self.home.log()).unwrap_or_default();
        format!("requests:\n{requests}log:\n{log}")
    }
}
