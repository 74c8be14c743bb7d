//! One scenario's world: home, API, terminal, log, and the test user's hands and eyes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::support::api::{Answer, Api};
use crate::support::bell::Bell;
use crate::support::home::{Auth, Home, Log};
use crate::support::screen::Screen;
use crate::support::terminal::{Command, Exit, Key, Kind, Terminal};

/// The most that a scenario may take.
const LIMIT: Duration = Duration::from_mins(1);

/// What went wrong, in words.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// What a scenario starts from.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// What the API answers.
    pub(crate) api: Vec<Answer>,
    /// Rows and columns.
    pub(crate) size: (u16, u16),
    /// How the CLI pays.
    pub(crate) auth: Auth,
    /// The CLI's arguments.
    pub(crate) args: Vec<&'static str>,
    /// Settings of the wrapper, and whatever else.
    pub(crate) env: Vec<(&'static str, &'static str)>,
    /// Run the CLI under the wrapper, or bare.
    pub(crate) wrapped: bool,
}

impl Setup {
    /// The usual one: an answer to each turn, 30 rows by 100 columns, a subscriber, short exact waits.
    pub(crate) fn new(api: impl Into<Vec<Answer>>) -> Self {
        Self {
            api: api.into(),
            size: (30, 100),
            auth: Auth::OAuth,
            args: Vec::new(),
            env: vec![
                ("CLAUDE_RETRY_JITTER", "none"),
                ("CLAUDE_RETRY_BASE", "400ms"),
                ("CLAUDE_RETRY_CAP", "400ms"),
            ],
            wrapped: true,
        }
    }

    /// In a terminal of this size.
    pub(crate) fn size(mut self, rows: u16, columns: u16) -> Self {
        self.size = (rows, columns);
        self
    }

    /// With this wait before each resume.
    pub(crate) fn wait(self, wait: &'static str) -> Self {
        self.env("CLAUDE_RETRY_BASE", wait)
            .env("CLAUDE_RETRY_CAP", wait)
    }

    /// With this variable; a later one beats an earlier one.
    pub(crate) fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env.retain(|(known, _)| *known != name);
        self.env.push((name, value));
        self
    }

    /// With these arguments for the CLI.
    pub(crate) fn args(mut self, args: &[&'static str]) -> Self {
        self.args = args.to_vec();
        self
    }

    /// As a user with an API key.
    pub(crate) fn api_key(mut self) -> Self {
        self.auth = Auth::ApiKey;
        self
    }

    /// Without the wrapper.
    pub(crate) fn bare(mut self) -> Self {
        self.wrapped = false;
        self
    }
}

/// How long the log may lag behind the program's end.
const LAST_LINE: Duration = Duration::from_secs(1);

/// The world. Everything in it ends when it is dropped.
pub(crate) struct Stage {
    /// The version of the CLI.
    pub(crate) version: &'static str,
    /// The scripted API.
    pub(crate) api: Api,
    setup: Setup,
    kind: Kind,
    deadline: Instant,
    bell: Bell,
    terminal: Option<Terminal>,
    log: Log,
    // Last: it ends the processes that the others left, then removes their files.
    home: Home,
}

/// The CLI of a version, where the project's script puts it.
pub(crate) fn installed(version: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("target/claude").join(version).join("bin/claude")
}

impl Stage {
    /// Sets it up; nothing runs yet.
    pub(crate) fn new(version: &'static str, kind: Kind, setup: Setup) -> Outcome<Self> {
        let failed = |what: &str, error: std::io::Error| format!("cannot {what}: {error}");
        let bell = Bell::default();
        let home = Home::new(version).map_err(|error| failed("make a home", error))?;
        let api = Api::serve(setup.api.clone(), bell.clone());
        Ok(Self {
            version,
            api: api.map_err(|error| failed("serve the API", error))?,
            setup,
            kind,
            deadline: Instant::now() + LIMIT,
            terminal: None,
            log: Log::follow(home.log(), bell.clone()),
            bell,
            home,
        })
    }

    /// Starts the CLI and waits for its free prompt.
    pub(crate) fn start(&mut self) -> Outcome {
        self.launch()?;
        self.prompt("")
    }

    /// Starts the CLI.
    pub(crate) fn launch(&mut self) -> Outcome {
        let setup = self.setup.clone();
        self.launch_with(&setup.args, setup.wrapped)
    }

    /// Starts the CLI with these arguments, under the wrapper or bare, in place of the one that ran.
    pub(crate) fn launch_with(&mut self, args: &[&str], wrapped: bool) -> Outcome {
        if let Some(before) = self.terminal.take() {
            before.kill();
            self.bell
                .wait(self.deadline, || before.exit())
                .ok_or("the first run does not end")?;
        }
        let cli = installed(self.version);
        let mut env = self.home.environment(&self.api.url(), self.setup.auth);
        if wrapped {
            env.push(("CLAUDE_RETRY_PROGRAM".into(), cli.clone().into()));
            env.push(("CLAUDE_RETRY_LOG".into(), self.home.log().into()));
        }
        let settings = self.setup.env.iter();
        env.extend(settings.map(|&(name, value)| (name.into(), value.into())));
        let command = Command {
            program: if wrapped {
                env!("CARGO_BIN_EXE_claude-retry").into()
            } else {
                cli
            },
            args: args.iter().map(Into::into).collect(),
            env,
            directory: self.home.project(),
        };
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
        let is = |screen: &Screen| screen.prompt().as_deref() == Some(text);
        self.see(&what, is).map(drop)
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

    /// The user's home folder.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The CLI's version.
    pub(crate) fn version(&self) -> &str {
        self.version
    }

    /// The lines of the log with this event.
    pub(crate) fn events(&self, event: &str) -> Vec<serde_json::Value> {
        self.log.events(event)
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

    /// Asserts the turns that the API has got: what the last user text of each ends with.
    pub(crate) fn expect_turns(&self, expected: &[&str]) -> Outcome {
        let turns = self.api.turns();
        let same = turns.len() == expected.len()
            && std::iter::zip(&turns, expected).all(|(turn, end)| turn.ends_with(end));
        ensure(same, || {
            format!("the API got the turns {turns:?}, not {expected:?}")
        })
    }

    /// Asserts that none of these events is in the log.
    pub(crate) fn expect_no_event(&self, events: &[&str]) -> Outcome {
        for event in events {
            let found = self.log.events(event);
            ensure(found.is_empty(), || {
                format!("the log has {event:?}: {found:?}")
            })?;
        }
        Ok(())
    }

    /// Everything there is to know after a failure.
    pub(crate) fn dump(&self) -> String {
        let mut out = String::new();
        let mut part = |title: &str, body: &str| {
            let _ = writeln!(out, "--- {title}\n{}", body.trim_end());
        };
        if let Some(terminal) = &self.terminal {
            let screen = terminal.screen();
            part("screen", &screen.text());
            let exit = terminal.exit();
            part(
                "terminal",
                &format!(
                    "title {:?}, cursor {:?}, alternate {}, {:?}, pid {}, exit {exit:?}",
                    screen.title,
                    screen.cursor,
                    screen.alternate,
                    self.kind,
                    terminal.pid()
                ),
            );
        }
        let log: Vec<_> = self.log.entries().iter().map(ToString::to_string).collect();
        part("log of claude-retry", &log.join("\n"));
        let api = self.api.log();
        let api: Vec<_> = api.iter().map(ToString::to_string).collect();
        part("requests at the API", &api.join("\n"));
        out
    }

    /// Everything the program wrote.
    pub(crate) fn history(&self) -> Vec<u8> {
        self.terminal
            .as_ref()
            .map(Terminal::history)
            .unwrap_or_default()
    }
}

/// An error with these words, unless it holds.
pub(crate) fn ensure(holds: bool, words: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(words()) }
}
