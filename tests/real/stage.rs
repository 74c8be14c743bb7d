//! One scenario's world: home, API, terminal, log, and the test user's hands and eyes.

mod evidence;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use alacritty_terminal::term::cell::Cell;
use claude_retry::supervisor::hook;

use super::mode::Mode;
use super::setup::Setup;
use super::suite;
use crate::support::api::Api;
use crate::support::bell::Bell;
use crate::support::home::{Home, Log};
use crate::support::screen::Screen;
use crate::support::terminal::{Command, Exit, Key, Kind, Terminal};

/// The most that a scenario may take.
const LIMIT: Duration = Duration::from_mins(1);

/// The program under test: the one that `CLAUDE_RETRY_BIN` names (a release, as its users have it), else what was
/// built with the tests.
fn ours() -> PathBuf {
    let named = std::env::var_os("CLAUDE_RETRY_BIN");
    let path = named.unwrap_or_else(|| env!("CARGO_BIN_EXE_claude-retry").into());
    // The sessions run in folders of their own.
    std::path::absolute(&path).unwrap_or_else(|_| path.into())
}

/// The rows of a prompt.
pub(crate) type Rows = Option<Vec<Vec<Cell>>>;

/// Stands for a turn that we began.
pub(crate) const RESUMED: &str = "<resumed>";

/// What went wrong, in words.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// Between two looks at what rings no bell.
const POLL: Duration = Duration::from_millis(20);
/// How long the log may lag behind the program's end.
const LAST_LINE: Duration = Duration::from_secs(1);

/// The world. Everything in it ends when it is dropped.
pub(crate) struct Stage {
    /// The version of the CLI.
    pub(crate) version: &'static str,
    /// The scripted API.
    pub(crate) api: Api,
    /// Who is to resume.
    pub(crate) mode: Mode,
    setup: Setup,
    kind: Kind,
    deadline: Instant,
    bell: Bell,
    terminal: Option<Terminal>,
    /// Further terminals, set aside for the while.
    aside: Vec<Terminal>,
    log: Log,
    // Last: it ends the processes that the others left, then removes their files.
    home: Home,
}

impl Stage {
    /// Sets it up; nothing runs yet.
    pub(crate) fn new(
        version: &'static str,
        mode: Mode,
        kind: Kind,
        setup: Setup,
    ) -> Outcome<Self> {
        let failed = |what: &str, error: std::io::Error| format!("cannot {what}: {error}");
        let bell = Bell::default();
        let home = Home::new(version).map_err(|error| failed("make a home", error))?;
        let api = Api::serve(setup.api.clone(), bell.clone());
        Ok(Self {
            version,
            api: api.map_err(|error| failed("serve the API", error))?,
            mode,
            setup,
            kind,
            deadline: Instant::now() + LIMIT,
            terminal: None,
            aside: Vec::new(),
            log: Log::follow(home.log(), bell.clone()),
            bell,
            home,
        })
    }

    /// Gives it more time than a test has: a recording is made once, on whatever machine.
    pub(crate) fn patient(mut self, limit: Duration) -> Self {
        self.deadline = Instant::now() + limit;
        self
    }

    /// Starts the CLI as its mode has it, and waits for its free prompt.
    pub(crate) fn start(&mut self) -> Outcome {
        if self.mode.installs(self.version) {
            self.install()?;
        }
        self.start_again()
    }

    /// The same where the hook is in the settings already, or is not to be there.
    pub(crate) fn start_again(&mut self) -> Outcome {
        let args = self.setup.args.clone();
        self.launch_with(&args, self.mode.wrapped())?;
        self.prompt("")
    }

    /// Puts the hook into the settings of this home.
    pub(crate) fn install(&self) -> Outcome {
        let done = std::process::Command::new(ours())
            .args(["ctl", "hook", "install", "--yes"])
            .env_clear()
            .envs(self.environment())
            .current_dir(self.home.project())
            .stdin(std::process::Stdio::null())
            .output()
            .map_err(|error| format!("cannot install the hook: {error}"))?;
        ensure(done.status.success(), || {
            format!("the hook is not installed: {done:?}")
        })
    }

    /// The next start is in another terminal, beside this one.
    pub(crate) fn set_aside(&mut self) {
        self.aside.extend(self.terminal.take());
    }

    /// Changes this terminal for the one set aside at this place.
    pub(crate) fn turn_to(&mut self, place: usize) {
        if let Some(terminal) = &mut self.terminal {
            std::mem::swap(terminal, &mut self.aside[place]);
        }
    }

    /// What every program of this scenario finds in its environment.
    fn environment(&self) -> Vec<(OsString, OsString)> {
        let mut env = self.home.environment(&self.api.url(), self.setup.auth);
        env.push(("CLAUDE_RETRY_LOG".into(), self.home.log().into()));
        let settings = self.mode.settings().iter().chain(&self.setup.env);
        env.extend(settings.map(|&(name, value)| (name.into(), value.into())));
        env
    }

    /// Starts the CLI with these arguments, under the wrapper or bare, in place of the one that ran.
    pub(crate) fn launch_with(&mut self, args: &[&str], wrapped: bool) -> Outcome {
        self.launch_as(args, wrapped, |command| command)
    }

    /// The same by another command that is made of the usual one.
    pub(crate) fn launch_as(
        &mut self,
        args: &[&str],
        wrapped: bool,
        make: impl FnOnce(Command) -> Command,
    ) -> Outcome {
        if let Some(before) = self.terminal.take() {
            before.kill();
            self.bell
                .wait(self.deadline, || before.exit())
                .ok_or("the first run does not end")?;
        }
        let cli = super::versions::installed(self.version);
        let mut env = self.environment();
        if wrapped {
            env.push(("CLAUDE_RETRY_PROGRAM".into(), cli.clone().into()));
        }
        let command = make(Command {
            program: if wrapped { ours() } else { cli },
            args: args.iter().map(Into::into).collect(),
            env,
            directory: self.home.project(),
        });
        let terminal = Terminal::start(&command, self.kind, self.setup.size, &self.bell);
        self.terminal = Some(terminal.map_err(|error| format!("cannot start the CLI: {error}"))?);
        Ok(())
    }

    /// The terminal that runs.
    pub(crate) fn terminal(&self) -> &Terminal {
        self.terminal.as_ref().expect("the CLI was started")
    }

    /// The screen as it is.
    pub(crate) fn screen(&self) -> Screen {
        self.terminal().screen()
    }

    /// Waits until there is something to see; the error names what was waited for. Also over once the
    /// program has ended and there still is nothing.
    pub(crate) fn wait<T>(
        &self,
        what: &str,
        mut look: impl FnMut(&Self) -> Option<T>,
    ) -> Outcome<T> {
        let found = self.bell.wait(self.deadline, || {
            let ended = self.terminal.as_ref().and_then(Terminal::exit);
            match (look(self), ended) {
                (Some(found), _) => Some(Ok(found)),
                (None, Some(exit)) => Some(Err(exit)),
                (None, None) => None,
            }
        });
        match found {
            Some(Ok(found)) => Ok(found),
            Some(Err(exit)) => Err(format!("the program ended ({exit:?}), waiting for {what}")),
            None => Err(format!("nothing came in time, waiting for {what}")),
        }
    }

    /// Waits for a screen.
    pub(crate) fn see(&self, what: &str, mut is: impl FnMut(&Screen) -> bool) -> Outcome<Screen> {
        self.wait(what, |stage| {
            Some(stage.screen()).filter(|screen| is(screen))
        })
    }

    /// Waits for a text on the screen.
    pub(crate) fn see_text(&self, text: &str) -> Outcome<Screen> {
        self.see(&format!("{text:?} on the screen"), |screen| {
            screen.shows(text)
        })
    }

    /// Waits until this stands in the prompt, and nothing else.
    pub(crate) fn prompt(&self, text: &str) -> Outcome {
        let what = format!("{text:?} in the prompt");
        self.see(&what, |screen| self.typed(screen).as_deref() == Some(text))
            .map(drop)
    }

    /// What is typed in the prompt of this screen.
    pub(crate) fn typed(&self, screen: &Screen) -> Option<String> {
        if self.setup.for_screen_reader() {
            screen.spoken_prompt()
        } else {
            screen.prompt()
        }
    }

    /// Waits for the API to have got this many turns.
    pub(crate) fn turns(&self, count: usize) -> Outcome {
        let what = format!("turn {count} at the API");
        let there = |stage: &Self| (stage.api.turns().len() >= count).then_some(());
        self.wait(&what, there)
    }

    /// Waits for the first line of the log with this event.
    pub(crate) fn logged(&self, event: &str) -> Outcome<serde_json::Value> {
        self.logged_times(event, 1)
    }

    /// Waits for this many lines of the log with this event, gives the last of them.
    pub(crate) fn logged_times(&self, event: &str, times: usize) -> Outcome<serde_json::Value> {
        let what = format!("event {event:?}, {times} times, in the log");
        let nth = |stage: &Self| stage.log.events(event).into_iter().nth(times - 1);
        self.wait(&what, nth).or_else(|error| {
            // The last line before the end may be read a little after it.
            let until = (Instant::now() + LAST_LINE).min(self.deadline);
            self.bell.wait(until, || nth(self)).ok_or(error)
        })
    }

    /// Waits; where the user has just typed, so that nothing is done for ten seconds, another trial goes on meanwhile.
    pub(crate) fn sit_through<T>(&self, wait: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        if self.events("paused").len() > self.events("unpaused").len() {
            suite::sit_out(wait)
        } else {
            wait()
        }
    }

    /// The lines of the log with this event.
    pub(crate) fn events(&self, event: &str) -> Vec<serde_json::Value> {
        self.log.events(event)
    }

    /// Waits until one of these events is in the log.
    pub(crate) fn logged_any(&self, events: &[&str]) -> Outcome {
        self.wait(&format!("one of {events:?} in the log"), |stage| {
            let found = |event: &&str| !stage.log.events(event).is_empty();
            events.iter().any(found).then_some(())
        })
    }

    /// Lets this time pass.
    pub(crate) fn pass(&self, time: Duration) {
        let until = (Instant::now() + time).min(self.deadline);
        self.bell.wait(until, || None::<()>);
    }

    /// Waits for something that rings no bell: processes and files.
    pub(crate) fn poll<T>(
        &self,
        what: &str,
        mut look: impl FnMut(&Self) -> Option<T>,
    ) -> Outcome<T> {
        while Instant::now() < self.deadline {
            if let Some(found) = look(self) {
                return Ok(found);
            }
            self.pass(POLL);
        }
        Err(format!("nothing came in time, waiting for {what}"))
    }

    /// Waits until the CLI has written a line with all of these into a transcript, which lags behind the
    /// screen.
    pub(crate) fn written(&self, texts: &[&str]) -> Outcome {
        self.poll(&format!("{texts:?} in a transcript"), |stage| {
            stage.home.is_written(texts).then_some(())
        })
    }

    /// Where the scenario lives.
    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// Waits until the program draws again.
    pub(crate) fn more_output(&self) -> Outcome {
        let before = self.terminal().written();
        self.wait("more output", |stage| {
            (stage.terminal().written() != before).then_some(())
        })
    }

    /// Waits until the program has drawn what it had to: no output came for this long.
    pub(crate) fn quiet(&self, time: Duration) -> Outcome {
        while Instant::now() < self.deadline {
            let before = self.terminal().written();
            let more = || (self.terminal().written() != before).then_some(());
            if self.bell.wait(Instant::now() + time, more).is_none() {
                return Ok(());
            }
        }
        Err("the screen does not come to rest".into())
    }

    /// Waits for the program's end.
    pub(crate) fn ended(&self) -> Outcome<Exit> {
        self.wait("the program's end", |stage| stage.terminal().exit())
    }

    /// Types text.
    pub(crate) fn type_text(&self, text: &str) -> Outcome {
        let typed = self.terminal().type_text(text);
        typed.map_err(|error| format!("cannot type: {error}"))
    }

    /// Presses a key.
    pub(crate) fn press(&self, key: Key) -> Outcome {
        let pressed = self.terminal().press(key);
        pressed.map_err(|error| format!("cannot press a key: {error}"))
    }

    /// Changes the window's size.
    pub(crate) fn resize(&self, rows: u16, columns: u16) -> Outcome {
        let resized = self.terminal().resize(rows, columns);
        resized.map_err(|error| format!("cannot resize: {error}"))
    }

    /// The test user writes a message and submits it.
    pub(crate) fn ask(&self, text: &str) -> Outcome {
        self.prompt("")?;
        self.type_text(text)?;
        self.prompt(text)?;
        self.press(Key::Enter)
    }
}

/// Is this a turn that the CLI began because our hook told it to? The hook's own words are in it.
pub(crate) fn is_rewake(turn: &str) -> bool {
    let last = turn.rsplit(" | ").next().unwrap_or_default();
    last.contains("<task-notification>") && last.contains(hook::notice())
}

/// An error with these words, unless it holds.
pub(crate) fn ensure(holds: bool, words: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(words()) }
}
