//! What the CLI's arguments mean: is it a run without a terminal, what does it print, which session is it, and how is
//! it resumed.
//!
//! They are read as the CLI's parser (commander.js) reads them. An option that we do not know is a question only where a
//! word follows: is that its value, or the prompt? The CLI's own `--help` tells ([`Invocation::with_help`]).

mod table;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use self::table::{Role, Takes};

/// What is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The answer.
    #[default]
    Text,
    /// One object, or, with `--verbose`, one array.
    Json,
    /// A line an event.
    StreamJson,
}

/// Which session the run is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Session {
    /// A new one, with the user's id for it or one of the CLI's own choice.
    New(Option<String>),
    /// One with this id goes on.
    Resumed(String),
    /// One that only the CLI knows goes on: `--continue`, `--resume NAME`, `--from-pr`.
    Found,
    /// A copy of another, with the user's id for it or one of the CLI's own choice.
    Fork(Option<String>),
}

/// Why a run cannot be resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// An option with a word behind it, and nobody knows whether that is its value.
    Unknown(String),
    /// `--no-session-persistence`.
    Unsaved,
    /// `--worktree`.
    Worktree,
    /// An option whose value is a pipe, as a shell's `<(…)` is: it can be read once.
    Pipe(String),
}

impl Obstacle {
    /// In words, with the remedy.
    pub fn text(&self) -> String {
        match self {
            Self::Unknown(option) => format!(
                "{option} is no option that claude-retry knows, so what follows may be its value or the prompt: write {option}=value, or the prompt before it"
            ),
            Self::Unsaved => "with --no-session-persistence there is no session to resume".into(),
            Self::Worktree => "with --worktree a resumed run would make another worktree".into(),
            Self::Pipe(option) => format!(
                "what {option} names is a pipe, which the next run could not read again: give it a file"
            ),
        }
    }
}

/// A piece of the command line: an option with its values, the prompt, or `--`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    words: Vec<OsString>,
    role: Role,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Option,
    Operand,
    Dashes,
}

/// A command line of the CLI, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    args: Vec<OsString>,
    pieces: Vec<Piece>,
    /// What is printed.
    pub format: Format,
    /// The user's messages come as lines of JSON.
    pub stream_input: bool,
    /// Which session it is to be.
    pub session: Session,
    obstacle: Option<Obstacle>,
    /// Nothing here keeps the session from being saved.
    pub saved: bool,
    /// Settings are given that no file tells of.
    pub own_settings: bool,
    print: bool,
    elsewhere: bool,
}

impl Invocation {
    /// Reads the CLI's arguments.
    pub fn read(args: &[OsString]) -> Self {
        Self::parse(args, None)
    }

    /// The same with the CLI's `--help` beside.
    #[must_use]
    pub fn with_help(&self, help: &str) -> Self {
        Self::parse(&self.args, Some(help))
    }

    /// Is it a run without a terminal that can be waited for? `terminal`: stdout is one, so that the CLI prints only
    /// where it is told to.
    pub fn is_headless(&self, terminal: bool) -> bool {
        if self.elsewhere {
            return false;
        }
        if self.print {
            return true;
        }
        // One word may be a verb: `mcp serve` must never be held back.
        let operand = self.operands().next();
        let verb = operand.is_some_and(|word| !word.as_bytes().iter().any(u8::is_ascii_whitespace));
        !terminal && !verb
    }

    /// Is `-p` or `--print` among them?
    pub const fn prints(&self) -> bool {
        self.print
    }

    /// Why it cannot be resumed, where it cannot.
    pub const fn obstacle(&self) -> Option<&Obstacle> {
        self.obstacle.as_ref()
    }

    /// The arguments of the first run: the user's, and `id` for a session that is new and has none of the user's.
    /// Gives the session's id beside, where it is known before.
    pub fn first(&self, id: &str) -> (Vec<OsString>, Option<String>) {
        match &self.session {
            Session::New(None) | Session::Fork(None) => {
                let mut args = vec!["--session-id".into(), id.into()];
                args.extend(self.args.iter().cloned());
                (args, Some(id.to_owned()))
            }
            Session::New(own) | Session::Fork(own) => (self.args.clone(), own.clone()),
            Session::Resumed(id) => (self.args.clone(), Some(id.clone())),
            Session::Found => (self.args.clone(), None),
        }
    }

    /// The arguments that resume the session: the user's without the prompt and without what chose the session.
    /// `message`: none where it comes on stdin.
    pub fn resumed(&self, id: &str, message: Option<&str>) -> Vec<OsString> {
        let mut args: Vec<OsString> = Vec::new();
        for piece in &self.pieces {
            let kept = match piece.role {
                Role::Continue
                | Role::Resume
                | Role::SessionId
                | Role::Fork
                | Role::FromPr
                | Role::Once => false,
                _ => piece.kind == Kind::Option,
            };
            if kept {
                args.extend(piece.words.iter().cloned());
            }
        }
        args.extend(["--resume".into(), id.into()]);
        if let Some(message) = message {
            if message.starts_with('-') {
                args.push("--".into());
            }
            args.push(message.into());
        }
        args
    }

    fn operands(&self) -> impl Iterator<Item = &OsStr> {
        self.pieces
            .iter()
            .filter(|piece| piece.kind == Kind::Operand)
            .flat_map(|piece| piece.words.iter().map(OsString::as_os_str))
    }

    fn parse(args: &[OsString], help: Option<&str>) -> Self {
        let mut parser = Parser {
            rest: args.iter().cloned().rev().collect(),
            help,
            pieces: Vec::new(),
            unknown: None,
        };
        parser.run();
        let Parser {
            pieces, unknown, ..
        } = parser;
        let has = |role: Role| pieces.iter().any(|piece| piece.role == role);
        let value = |role: Role| {
            let last = pieces.iter().rev().find(|piece| piece.role == role)?;
            last.value()
        };
        let is = |role: Role, text: &str| value(role).is_some_and(|value| value == text);
        let format = if is(Role::OutputFormat, "stream-json") {
            Format::StreamJson
        } else if is(Role::OutputFormat, "json") {
            Format::Json
        } else {
            Format::Text
        };
        let id = value(Role::SessionId).and_then(|id| id.into_string().ok());
        let goes_on = has(Role::Continue) || has(Role::Resume) || has(Role::FromPr);
        let session = match (goes_on, has(Role::Fork)) {
            (false, _) => Session::New(id),
            (true, true) => Session::Fork(id),
            (true, false) => match value(Role::Resume).and_then(|id| id.into_string().ok()) {
                Some(id) if is_uuid(&id) && !has(Role::Continue) && !has(Role::FromPr) => {
                    Session::Resumed(id)
                }
                _ => Session::Found,
            },
        };
        let pipe = pieces.iter().find_map(Piece::pipe);
        // Those first that keep a run from being started over, too.
        let obstacle = if has(Role::Worktree) {
            Some(Obstacle::Worktree)
        } else if let Some(option) = pipe {
            Some(Obstacle::Pipe(option))
        } else if has(Role::Unsaved) {
            Some(Obstacle::Unsaved)
        } else {
            unknown.map(Obstacle::Unknown)
        };
        Self {
            format,
            stream_input: is(Role::InputFormat, "stream-json"),
            session,
            obstacle,
            saved: !has(Role::Unsaved),
            own_settings: has(Role::Settings),
            print: has(Role::Print),
            elsewhere: has(Role::Elsewhere),
            args: args.to_vec(),
            pieces,
        }
    }
}

impl Piece {
    /// The option's name, where a value of it is a pipe by its name.
    fn pipe(&self) -> Option<String> {
        let value = self.value()?;
        let mut values = self.words.iter().skip(1).chain(std::iter::once(&value));
        let is_pipe = |value: &OsString| {
            let value = value.as_bytes();
            let folders: [&[u8]; 2] = [b"/dev/fd/", b"/proc/self/fd/"];
            folders.iter().any(|folder| value.starts_with(folder)) || value == b"/dev/stdin"
        };
        let word = self.words.first()?.to_string_lossy();
        let name = word.split_once('=').map_or(&*word, |(name, _)| name);
        (self.kind == Kind::Option && values.any(is_pipe)).then(|| name.to_owned())
    }

    /// The option's value: behind `=`, behind a short name, or the argument of its own.
    fn value(&self) -> Option<OsString> {
        if let Some(value) = self.words.get(1) {
            return Some(value.clone());
        }
        let word = self.words.first()?.as_bytes();
        let value = if word.starts_with(b"--") {
            let at = word.iter().position(|byte| *byte == b'=')?;
            &word[at + 1..]
        } else {
            word.get(2..).filter(|value| !value.is_empty())?
        };
        Some(OsString::from_vec(value.to_vec()))
    }
}

struct Parser<'a> {
    /// The last one comes first.
    rest: Vec<OsString>,
    help: Option<&'a str>,
    pieces: Vec<Piece>,
    /// The first option that is not known and has a word behind it.
    unknown: Option<String>,
}

impl Parser<'_> {
    fn run(&mut self) {
        while let Some(arg) = self.rest.pop() {
            if arg == "--" {
                self.push(Kind::Dashes, Role::Plain, vec![arg]);
                while let Some(operand) = self.rest.pop() {
                    self.push(Kind::Operand, Role::Plain, vec![operand]);
                }
            } else if looks_like_option(&arg) {
                self.option(arg);
            } else {
                self.push(Kind::Operand, Role::Plain, vec![arg]);
            }
        }
    }

    fn push(&mut self, kind: Kind, role: Role, words: Vec<OsString>) {
        self.pieces.push(Piece { words, role, kind });
    }

    fn option(&mut self, arg: OsString) {
        let text = arg.to_string_lossy().into_owned();
        let name = text
            .strip_prefix("--")
            .or_else(|| text.strip_prefix('-'))
            .unwrap_or_default();
        let long = text.starts_with("--");
        // A single dash has those of one letter, and `-d2e`.
        let spelt = if long {
            name.len() > 1
        } else {
            name.len() == 1 || name == "d2e"
        };
        if let Some(option) = table::named(name).filter(|_| spelt) {
            let words = self.values(arg, option.takes);
            self.push(Kind::Option, option.role, words);
            return;
        }
        if let Some((name, _)) = name.split_once('=').filter(|_| long) {
            // Of a list it is the only one: what follows is the prompt.
            let role = table::named(name).map_or(Role::Plain, |option| option.role);
            self.push(Kind::Option, role, vec![arg]);
            return;
        }
        // Several short ones in a word, or one with its value: `-cp`, `-dapi`.
        if !long && let Some(first) = name.chars().next() {
            let short = first.to_string();
            if let Some(option) = table::named(&short).filter(|_| name.len() > short.len()) {
                if option.takes == Takes::Flag {
                    let others = format!("-{}", &name[short.len()..]);
                    self.push(
                        Kind::Option,
                        option.role,
                        vec![OsString::from(format!("-{short}"))],
                    );
                    self.rest.push(others.into());
                } else {
                    self.push(Kind::Option, option.role, vec![arg]);
                }
                return;
            }
        }
        let by_help = self.help.and_then(|help| table::takes_by_help(help, &text));
        let takes = by_help.unwrap_or_else(|| {
            let word = self
                .rest
                .last()
                .is_some_and(|next| !looks_like_option(next));
            if word {
                self.unknown.get_or_insert(text);
            }
            Takes::Flag
        });
        let words = self.values(arg, takes);
        self.push(Kind::Option, Role::Plain, words);
    }

    fn values(&mut self, arg: OsString, takes: Takes) -> Vec<OsString> {
        let mut words = vec![arg];
        match takes {
            Takes::Flag => {}
            Takes::Value | Takes::Many => words.extend(self.rest.pop()),
            Takes::Optional => words.extend(self.word()),
        }
        if takes == Takes::Many {
            words.extend(std::iter::from_fn(|| self.word()));
        }
        words
    }

    /// The next argument, unless it looks like an option.
    fn word(&mut self) -> Option<OsString> {
        self.rest.pop_if(|next| !looks_like_option(next))
    }
}

/// A single dash is a word.
fn looks_like_option(arg: &OsString) -> bool {
    arg.len() > 1 && arg.as_bytes()[0] == b'-'
}

/// Is it an id of a session, and not a name?
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests;
