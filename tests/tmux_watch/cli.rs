//! A CLI in a pane, as a program of its own: this very test binary under the name `claude`. It draws, edits its
//! prompt and keeps its files as the real one does, and says its part when it is told to.
//!
//! It hears commands from a socket, a line each, and answers `done`; what is submitted at its prompt it tells as
//! `submitted TEXT`.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, SystemTime};

use rustix::termios::{OptionalActions, tcgetattr, tcgetwinsize, tcsetattr};
use serde_json::{Value, json};

/// Where the commands come from; its presence makes this binary the program.
pub(crate) const SOCKET: &str = "FAKE_CLAUDE_SOCKET";
/// Set: it stays on the main screen.
pub(crate) const INLINE: &str = "FAKE_CLAUDE_INLINE";
pub(crate) const THROTTLE: &str =
    "API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited";

const PATIENCE: Duration = Duration::from_mins(1);

enum Event {
    Told(String),
    Typed(Vec<u8>),
    Resized,
    /// Nobody tells anything any more.
    Alone,
}

/// The program itself; returns at once where the environment does not ask for it.
#[expect(
    clippy::disallowed_methods,
    reason = "the end of a program of its own, before the test harness says that it passed"
)]
pub(crate) fn program() {
    let Some(socket) = std::env::var_os(SOCKET) else {
        return;
    };
    let mut termios = tcgetattr(std::io::stdin()).expect("a terminal");
    let cooked = termios.clone();
    termios.make_raw();
    tcsetattr(std::io::stdin(), OptionalActions::Now, &termios).expect("raw mode");
    let socket = UnixStream::connect(socket).expect("the test listens");
    Cli::new(socket).run();
    write("\x1b[?2004l\x1b[?1049l");
    tcsetattr(std::io::stdin(), OptionalActions::Now, &cooked).expect("as before");
    std::process::exit(0);
}

fn listen(socket: &UnixStream, events: &Sender<Event>) {
    let (told, typed, resized) = (events.clone(), events.clone(), events.clone());
    let socket = BufReader::new(socket.try_clone().expect("a copy"));
    std::thread::spawn(move || {
        for line in socket.lines().map_while(Result::ok) {
            let _ = told.send(Event::Told(line));
        }
        let _ = told.send(Event::Alone);
    });
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(n @ 1..) = std::io::stdin().read(&mut buffer) {
            let _ = typed.send(Event::Typed(buffer[..n].to_vec()));
        }
    });
    std::thread::spawn(move || {
        use tokio::signal::unix::{SignalKind, signal};
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let mut changes = signal(SignalKind::window_change()).expect("SIGWINCH");
            while changes.recv().await.is_some() {
                let _ = resized.send(Event::Resized);
            }
        });
    });
}

struct Cli {
    socket: UnixStream,
    files: Files,
    talk: Vec<String>,
    draft: String,
    busy: bool,
    /// What is typed is taken in so much later.
    lag: Duration,
    /// All that was typed.
    keys: Vec<u8>,
}

impl Cli {
    fn new(socket: UnixStream) -> Self {
        Self {
            socket,
            files: Files::begin(),
            talk: vec![" Claude Code, as it were".into()],
            draft: String::new(),
            busy: false,
            lag: Duration::ZERO,
            keys: Vec::new(),
        }
    }

    fn run(&mut self) {
        let (events, heard) = channel();
        listen(&self.socket, &events);
        let inline = std::env::var_os(INLINE).is_some();
        write(if inline { "" } else { "\x1b[?1049h" });
        write("\x1b[?2004h\x1b[2J\x1b[H");
        self.draw();
        self.tell("ready");
        while let Ok(event) = heard.recv_timeout(PATIENCE) {
            match event {
                Event::Told(command) if command == "exit" => return,
                Event::Told(command) => self.obey(&command),
                Event::Typed(bytes) => self.read(&bytes),
                Event::Resized => self.draw(),
                Event::Alone => return,
            }
        }
    }

    fn tell(&mut self, line: &str) {
        // The test may have ended.
        let _ = writeln!(self.socket, "{line}");
    }

    fn obey(&mut self, command: &str) {
        let (word, text) = command.split_once(' ').unwrap_or((command, ""));
        match word {
            // A turn of the user's.
            "turn" => self.submit(text),
            "fail" => {
                self.files.error(Files::unix_ms());
                self.fail();
            }
            // The two halves of it.
            "write-error" => self.files.error(Files::unix_ms()),
            "draw-error" => self.fail(),
            // One of an hour ago.
            "old-error" => {
                self.files.error(Files::unix_ms() - 3_600_000);
                self.fail();
            }
            "say" => {
                self.files.answer(text);
                self.busy = false;
                self.talk.push(format!("● {text}"));
                self.draw();
            }
            "dialog" => {
                write(
                    "\x1b[2J\x1b[H▔▔▔▔\r\n  Select model\r\n\r\n  ❯ 1. Default (recommended)\r\n    2. Opus\r\n\r\n  Enter to confirm · Esc to cancel",
                );
            }
            "lag" => self.lag = Duration::from_millis(text.parse().expect("milliseconds")),
            "flood" => {
                let line = "0123456789abcdef".repeat(64);
                for _ in 0..text.parse().expect("a number of kilobytes") {
                    write(&format!("\x1b[1;1H{line}"));
                }
                self.draw();
            }
            "keys" => {
                let keys = String::from_utf8_lossy(&self.keys).into_owned();
                self.tell(&format!("keys {keys:?}"));
            }
            "session" => {
                let session = json!({"session": self.files.session, "uuid": self.files.last,
                    "transcript": self.files.transcript});
                self.tell(&session.to_string());
            }
            _ => panic!("{command:?} is no command"),
        }
        self.tell("done");
    }

    fn fail(&mut self) {
        self.busy = false;
        self.talk.push(format!("● {THROTTLE}"));
        self.draw();
    }

    fn submit(&mut self, message: &str) {
        self.files.user(message);
        self.talk.push(format!("\x1b[48;5;237m❯ {message} \x1b[0m"));
        self.busy = true;
        self.draw();
    }

    fn read(&mut self, bytes: &[u8]) {
        self.keys.extend_from_slice(bytes);
        std::thread::sleep(self.lag);
        let text = String::from_utf8_lossy(bytes).into_owned();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                // A control sequence, the brackets of a paste among them, ends with its letter or `~`.
                '\x1b' => drop(chars.find(|c| c.is_ascii_alphabetic() || *c == '~')),
                '\r' if self.draft.is_empty() => {}
                '\r' => {
                    let message = std::mem::take(&mut self.draft);
                    self.submit(&message);
                    self.tell(&format!("submitted {message}"));
                }
                '\x15' => self.draft.clear(),
                '\x7f' => drop(self.draft.pop()),
                c if c.is_control() => {}
                c => self.draft.push(c),
            }
        }
        self.draw();
    }

    fn draw(&self) {
        let size = tcgetwinsize(std::io::stdin()).expect("a size");
        let (rows, cols) = (usize::from(size.ws_row), usize::from(size.ws_col));
        let mut talk: Vec<String> = Vec::new();
        for block in &self.talk {
            if block.contains('\x1b') {
                talk.push(block.clone());
            } else {
                talk.extend(wrapped(block, cols));
            }
            talk.push(String::new());
        }
        let rule = "─".repeat(cols);
        let footer = if self.busy {
            "  esc to interrupt"
        } else {
            "  ? for shortcuts"
        };
        let floor = [
            rule.clone(),
            format!("❯\u{a0}{}", self.draft),
            rule,
            footer.into(),
        ];
        let room = rows.saturating_sub(floor.len());
        talk.drain(..talk.len().saturating_sub(room));
        talk.resize(room, String::new());
        talk.extend(floor);
        let glyph = if self.busy { "◐" } else { "✳" };
        let mut frame = format!("\x1b]0;{glyph} fake\x07\x1b[?2026h");
        for (at, row) in talk.iter().enumerate() {
            let _ = write!(frame, "\x1b[{};1H\x1b[2K{row}", at + 1);
        }
        let column = 3 + self.draft.chars().count();
        let _ = write!(
            frame,
            "\x1b[{};{column}H\x1b[?2026l",
            rows.saturating_sub(2)
        );
        write(&frame);
    }
}

/// Words in rows, with a hanging indent.
fn wrapped(text: &str, cols: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match rows.last_mut() {
            Some(row) if row.chars().count() + 1 + word.chars().count() < cols => {
                row.push(' ');
                row.push_str(word);
            }
            Some(_) => rows.push(format!("  {word}")),
            None => rows.push(word.to_owned()),
        }
    }
    rows
}

fn write(text: &str) {
    let mut out = std::io::stdout().lock();
    // The pane may have been closed.
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Its session file and its transcript.
struct Files {
    session: String,
    session_file: PathBuf,
    transcript: PathBuf,
    cwd: PathBuf,
    last: Option<String>,
    lines: u32,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the times in the transcript of a program of its own"
)]
impl Files {
    fn begin() -> Self {
        let config = PathBuf::from(std::env::var_os("CLAUDE_CONFIG_DIR").expect("a folder"));
        let cwd = std::env::current_dir().expect("a folder");
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = cwd.to_string_lossy().chars().map(plain).collect();
        let (sessions, project) = (config.join("sessions"), config.join("projects").join(name));
        std::fs::create_dir_all(&sessions).expect("a folder");
        std::fs::create_dir_all(&project).expect("a folder");
        let pid = std::process::id();
        let session = format!("{pid:08x}-2222-4333-8444-{:012x}", Self::unix_ms());
        let transcript = project.join(format!("{session}.jsonl"));
        let session_file = sessions.join(format!("{pid}.json"));
        let files = Self {
            session,
            session_file,
            transcript,
            cwd,
            last: None,
            lines: 0,
        };
        files.status("idle");
        files
    }

    fn status(&self, status: &str) {
        let session = json!({
            "pid": std::process::id(),
            "sessionId": self.session,
            "cwd": self.cwd,
            "startedAt": Self::unix_ms(),
            "status": status,
        });
        // Never seen half written.
        let new = self.session_file.with_extension("new");
        std::fs::write(&new, session.to_string()).expect("a file");
        std::fs::rename(new, &self.session_file).expect("the file");
    }

    fn unix_ms() -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        u64::try_from(since.expect("a clock").as_millis()).expect("a time")
    }

    fn user(&mut self, text: &str) {
        self.status("busy");
        let more = json!({"type": "user", "message": {"role": "user", "content": text}});
        self.line(Self::unix_ms(), &more);
    }

    fn answer(&mut self, text: &str) {
        let more = json!({"type": "assistant", "message": {"role": "assistant",
            "stop_reason": "end_turn", "content": [{"type": "text", "text": text}]}});
        self.line(Self::unix_ms(), &more);
        self.status("idle");
    }

    fn error(&mut self, at: u64) {
        let more = json!({
            "type": "assistant",
            "message": {"role": "assistant", "model": "<synthetic>", "stop_reason": "stop_sequence",
                "content": [{"type": "text", "text": THROTTLE}]},
            "isApiErrorMessage": true, "error": "rate_limit", "apiErrorStatus": 429,
        });
        self.line(at, &more);
        self.status("idle");
    }

    fn line(&mut self, at: u64, more: &Value) {
        self.lines += 1;
        let at = i64::try_from(at).expect("a time");
        let time = jiff::Timestamp::from_millisecond(at).expect("a time");
        let uuid = format!("{}-{:04}", &self.session[..31], self.lines);
        let mut line = json!({
            "parentUuid": self.last,
            "isSidechain": false,
            "uuid": uuid,
            "timestamp": format!("{time:.3}"),
            "sessionId": self.session,
            "version": "2.1.330",
        });
        if let (Value::Object(line), Value::Object(more)) = (&mut line, more) {
            line.extend(more.clone());
        }
        self.last = Some(uuid);
        append(&self.transcript, &format!("{line}\n"));
    }
}

fn append(path: &Path, text: &str) {
    let mut file = std::fs::OpenOptions::new();
    let mut file = file.create(true).append(true).open(path).expect("a file");
    file.write_all(text.as_bytes()).expect("a line");
}
