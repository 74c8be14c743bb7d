//! The wrapper in a terminal, with a fault at a point of its own that strikes when the test says so.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::bell::Bell;
use crate::home::{Auth, Home, Log};
use crate::terminal::{Command, Exit, Kind, Terminal};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The program under test.
pub(crate) const CLAUDE_RETRY: &str = env!("CARGO_BIN_EXE_claude-retry");
/// Rows and columns.
pub(crate) const SIZE: (u16, u16) = (24, 100);
/// What runs in the stand-in's place of `claude`: the wrapper refuses to run itself.
const STAND_IN: &str = "exec \"$0\" ctl demo-cli \"$1\"";
/// The same, held: it writes the session file behind the transcript, and there stands a pipe. A second name of that
/// is the gate.
const HELD: &str = r#"mkdir "$1/sessions"; mkfifo "$1/sessions/$$.json"; ln "$1/sessions/$$.json" "$1/gate"
exec "$0" ctl demo-cli "$1""#;

/// A program in its terminal.
pub(crate) struct Stage {
    pub(crate) terminal: Terminal,
    pub(crate) log: Log,
    pub(crate) home: Home,
    bell: Bell,
}

/// What runs, and what goes wrong.
pub(crate) struct Play {
    home: Home,
    env: Vec<(OsString, OsString)>,
    program: PathBuf,
    args: Vec<OsString>,
}

impl Play {
    /// `/bin/sh` on its own.
    pub(crate) fn bare(words: &str, args: &[&Path]) -> Self {
        let mut play = Self::new("/bin/sh");
        play.args = vec!["-c".into(), words.into(), "sh".into()];
        play.args.extend(args.iter().map(|arg| (*arg).into()));
        play
    }

    /// `/bin/sh` under the wrapper, which has no bar.
    pub(crate) fn wrapped(words: &str, args: &[&Path]) -> Self {
        let bare = Self::bare(words, args);
        Self {
            program: CLAUDE_RETRY.into(),
            ..bare
        }
        .set("BAR", "off")
    }

    /// The demo's stand-in for the CLI under the wrapper. Its first turn is throttled; the wait is long.
    pub(crate) fn stand_in() -> Self {
        let mut play = Self::new(CLAUDE_RETRY);
        let folder = play.home.path().join(".claude");
        fs::create_dir(&folder).expect("a folder");
        let args: [OsString; 4] = [
            "-c".into(),
            STAND_IN.into(),
            CLAUDE_RETRY.into(),
            folder.into(),
        ];
        play.args = args.to_vec();
        play.set("HOOK", "off")
            .set("JITTER", "none")
            .set("BASE", "60s")
            .set("CAP", "60s")
    }

    /// The same, whose story begins at [`Stage::go`]: its transcript is there, and empty.
    pub(crate) fn held() -> Self {
        let mut play = Self::stand_in();
        play.args[1] = HELD.into();
        play
    }

    fn new(program: &str) -> Self {
        let home = Home::new("2.1.330").expect("a home");
        let mut env = home.environment("http://127.0.0.1:1", Auth::OAuth);
        env.push(("XDG_CONFIG_HOME".into(), "/nonexistent".into()));
        let play = Self {
            program: program.into(),
            home,
            env,
            args: Vec::new(),
        };
        let log = play.home.log();
        play.set("PROGRAM", "/bin/sh").set("LOG", log)
    }

    /// A setting of the wrapper's.
    pub(crate) fn set(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env
            .push((format!("CLAUDE_RETRY_{name}").into(), value.into()));
        self
    }

    /// A variable.
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The file of [`Stage::strike`].
    pub(crate) fn flag(&self) -> PathBuf {
        flag(&self.home)
    }

    /// A shell with these words, which are given these.
    pub(crate) fn words(mut self, words: &str, args: &[&str]) -> Self {
        self.args = vec!["-c".into(), words.into()];
        self.args.extend(args.iter().map(OsString::from));
        self
    }

    /// Arguments behind the others.
    pub(crate) fn args(mut self, args: &[impl AsRef<Path>]) -> Self {
        self.args.extend(args.iter().map(|arg| arg.as_ref().into()));
        self
    }

    /// Arguments before the others.
    pub(crate) fn before(mut self, args: &[&str]) -> Self {
        self.args.splice(0..0, args.iter().map(OsString::from));
        self
    }

    /// Faults at these points, each at its nth pass after [`Stage::strike`].
    pub(crate) fn fault(self, points: &[(&str, usize)]) -> Self {
        let flag = flag(&self.home);
        let points = points
            .iter()
            .map(|(name, nth)| format!("{name}:{nth}:{}", flag.display()));
        let points: Vec<_> = points.collect();
        self.set("FAULT", points.join(","))
    }

    /// The same, from the start.
    pub(crate) fn fault_at_once(self, points: &[(&str, usize)]) -> Self {
        fs::write(flag(&self.home), "").expect("a file");
        self.fault(points)
    }

    /// Where a file of this name is put.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Starts it.
    pub(crate) fn start(self) -> Stage {
        let bell = Bell::default();
        let command = Command {
            program: self.program,
            args: self.args,
            env: self.env,
            directory: self.home.project(),
        };
        let log = Log::follow(self.home.log(), bell.clone());
        let terminal = Terminal::start(&command, Kind::Full, SIZE, &bell).expect("it starts");
        Stage {
            terminal,
            log,
            home: self.home,
            bell,
        }
    }
}

fn flag(home: &Home) -> PathBuf {
    home.path().join("now")
}

impl Stage {
    /// Lets a stand-in go that is held, with a proper session file.
    pub(crate) fn go(&self, transcript: &Path) {
        let folder = self.home.path().join(".claude");
        let gate = folder.join("gate");
        let pipe = self.wait("pipe", || {
            let mut files = fs::read_dir(folder.join("sessions")).ok()?;
            Some(files.next()?.ok()?.path())
        });
        let stem = |path: &Path| path.file_stem()?.to_str().map(str::to_owned);
        // A session file from before the wrapper began is somebody else's.
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.expect("a time");
        let session = json!({
            "pid": stem(&pipe).and_then(|pid| pid.parse::<u32>().ok()),
            "sessionId": stem(transcript),
            "cwd": self.home.project(),
            "startedAt": u64::try_from(now.as_millis()).expect("a time"),
            "version": "2.1.330",
            "kind": "interactive",
            "entrypoint": "cli",
        });
        let beside = folder.join("session");
        fs::write(&beside, session.to_string()).expect("a file");
        fs::rename(beside, pipe).expect("in its place");
        // It waits for a reader.
        fs::read(gate).expect("it writes");
    }

    /// From now on the faults strike.
    pub(crate) fn strike(&self) {
        fs::write(flag(&self.home), "").expect("a file");
    }

    /// Waits for something to be seen.
    #[track_caller]
    pub(crate) fn wait<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        let found = self.bell.wait(Instant::now() + PATIENCE, look);
        found.unwrap_or_else(|| {
            panic!(
                "no {what}:\n{}\n{:#?}",
                self.terminal.screen().text(),
                self.log.entries()
            )
        })
    }

    /// Waits for a text on the screen.
    #[track_caller]
    pub(crate) fn shows(&self, text: &str) {
        self.wait(text, || self.terminal.screen().shows(text).then_some(()));
    }

    /// Waits for a text to be gone from the screen.
    #[track_caller]
    pub(crate) fn shows_no_more(&self, text: &str) {
        let what = format!("end of {text}");
        self.wait(&what, || {
            (!self.terminal.screen().shows(text)).then_some(())
        });
    }

    /// Waits for such a record in the log.
    #[track_caller]
    pub(crate) fn logs(&self, event: &str) -> Value {
        self.wait(event, || self.log.events(event).pop())
    }

    /// Waits for the log to name the failure at this point.
    #[track_caller]
    pub(crate) fn fails_at(&self, point: &str) {
        let failed = self.logs("failed");
        let error = failed["error"].as_str().unwrap_or_default();
        assert!(error.contains(&format!("the point {point}")), "{error}");
    }

    /// Has whoever waits look again, where nothing else tells.
    pub(crate) fn ring(&self) {
        self.bell.ring();
    }

    pub(crate) fn types(&self, keys: &str) {
        self.terminal
            .type_text(keys)
            .expect("the terminal takes input");
    }

    /// Waits for the end: everything that was on the terminal is undone.
    #[track_caller]
    pub(crate) fn ends(&self) -> Exit {
        let exit = self.wait("end", || self.terminal.exit());
        assert!(self.terminal.settings_restored(), "the line settings");
        assert!(
            self.terminal.modes_left_on().is_empty(),
            "{:?} left on",
            self.terminal.modes_left_on()
        );
        exit
    }
}
