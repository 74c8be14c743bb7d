//! A CLI in a process of its own, which says its part when it is told to: for tests of what the wrapper draws
//! over it. It draws as the real one does, keeps its files as that does, and has neither clock nor sleep.
//!
//! The test binary runs itself as this program ([`program`]); it hears commands from a socket, a line each,
//! and answers `done N` once it has written everything. The Nth frame ends by the title `talk N`.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime};

use rustix::termios::{OptionalActions, tcgetattr, tcgetwinsize, tcsetattr};
use serde_json::{Value, json};

/// Where the commands come from.
const SOCKET: &str = "TALKER_SOCKET";
/// It draws inline, on the main screen.
const INLINE: &str = "TALKER_INLINE";
/// What is typed to go on.
pub(crate) const MESSAGE: &str = "continue";

const THROTTLE: &str =
    "API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited";
const SESSION: &str = "11111111-2222-4333-8444-555555555555";
const PATIENCE: Duration = Duration::from_secs(30);

/// The environment that makes this test binary's `name` the program.
pub(crate) fn environment(socket: &Path, inline: bool) -> Vec<(&'static str, String)> {
    let mut environment = vec![(SOCKET, socket.display().to_string())];
    if inline {
        environment.push((INLINE, "1".into()));
    }
    environment
}

/// The test's end of the socket.
pub(crate) struct Prompter {
    listener: UnixListener,
    ends: Option<(UnixStream, BufReader<UnixStream>)>,
}

impl Prompter {
    pub(crate) fn listen(socket: &Path) -> Self {
        Self {
            listener: UnixListener::bind(socket).expect("a socket"),
            ends: None,
        }
    }

    /// The next command is for the next program that calls.
    pub(crate) fn call_again(&mut self) {
        self.ends = None;
    }

    /// Gives a command, without waiting for its end.
    pub(crate) fn tell(&mut self, command: &str) {
        let listener = &self.listener;
        let (writer, _) = self.ends.get_or_insert_with(|| {
            let (stream, _) = listener.accept().expect("the program calls");
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            let reader = BufReader::new(stream.try_clone().expect("a copy"));
            (stream, reader)
        });
        writeln!(writer, "{command}").expect("the program listens");
    }

    /// Waits for the next answer; empty once the program has ended.
    pub(crate) fn answer(&mut self) -> String {
        let (_, reader) = self.ends.as_mut().expect("it was told something");
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(_) => line.trim().to_owned(),
            Err(error) => panic!("no answer from the program: {error}"),
        }
    }
}

enum Event {
    Told(String),
    Typed(Vec<u8>),
    Resized,
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
    let (events, heard) = channel();
    let socket = UnixStream::connect(socket).expect("the test listens");
    listen(&socket, &events);
    let mut termios = tcgetattr(std::io::stdin()).expect("a terminal");
    let cooked = termios.clone();
    termios.make_raw();
    tcsetattr(std::io::stdin(), OptionalActions::Now, &termios).expect("raw mode");
    Talker::new(socket, heard).run();
    tcsetattr(std::io::stdin(), OptionalActions::Now, &cooked).expect("as before");
    std::process::exit(0);
}

/// Three threads, for three sources of events.
fn listen(socket: &UnixStream, events: &Sender<Event>) {
    let (told, typed, resized) = (events.clone(), events.clone(), events.clone());
    let socket = BufReader::new(socket.try_clone().expect("a copy"));
    std::thread::spawn(move || {
        for line in socket.lines().map_while(Result::ok) {
            let _ = told.send(Event::Told(line));
        }
    });
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(n @ 1..) = std::io::stdin().read(&mut buffer) {
            let _ = typed.send(Event::Typed(buffer[..n].to_vec()));
        }
    });
    let (ready, is_ready) = channel();
    std::thread::spawn(move || {
        use tokio::signal::unix::{SignalKind, signal};
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let mut changes = signal(SignalKind::window_change()).expect("SIGWINCH");
            ready.send(()).expect("it is waited for");
            while changes.recv().await.is_some() {
                let _ = resized.send(Event::Resized);
            }
        });
    });
    is_ready.recv().expect("SIGWINCH is heard");
}

/// A row of the screen: bytes, and how many columns they take.
struct Row(String, usize);

impl Row {
    fn plain(text: &str) -> Self {
        Self(text.into(), text.chars().map(columns).sum())
    }
}

/// What it draws with has one column, or two.
fn columns(character: char) -> usize {
    if ('\u{3000}'..'\u{a000}').contains(&character) {
        2
    } else {
        1
    }
}

struct Talker {
    socket: UnixStream,
    events: Receiver<Event>,
    files: Files,
    inline: bool,
    size: (usize, usize),
    frames: u32,
    talk: Vec<String>,
    /// Blocks of it that stand above what is drawn anew, inline.
    printed: usize,
    draft: String,
    busy: bool,
    /// Rows below the prompt beyond the footer.
    notes: usize,
    /// Rows that were drawn below the talk, inline.
    drawn: usize,
}

impl Talker {
    fn new(socket: UnixStream, events: Receiver<Event>) -> Self {
        Self {
            socket,
            events,
            files: Files::begin(),
            inline: std::env::var_os(INLINE).is_some(),
            size: window(),
            frames: 0,
            talk: vec!["Claude Code, as it were".into()],
            printed: 0,
            draft: String::new(),
            busy: false,
            notes: 0,
            drawn: 0,
        }
    }

    fn run(&mut self) {
        let mut waiting_for = None;
        let mut typed = Vec::new();
        while let Ok(event) = self.events.recv_timeout(PATIENCE) {
            match event {
                Event::Told(command) if command == "exit" => return self.leave(),
                Event::Told(command) => {
                    if let Some(size) = command.strip_prefix("size ") {
                        let (rows, cols) = size.split_once(' ').expect("two numbers");
                        let number = |text: &str| text.parse::<usize>().expect("a number");
                        waiting_for = Some((number(rows), number(cols)));
                    } else {
                        self.obey(&command);
                    }
                }
                Event::Typed(bytes) => {
                    typed.extend(bytes);
                    self.read(&mut typed);
                }
                Event::Resized => {}
            }
            if waiting_for.is_some_and(|size| size == window()) {
                waiting_for = None;
                self.size = window();
                self.repaint();
            }
        }
    }

    fn obey(&mut self, command: &str) {
        match command {
            "begin" => {
                write("\x1b[?2004h");
                if !self.inline {
                    write("\x1b[?1049h\x1b[2J\x1b[H");
                }
                self.talk.push("\x1b[48;5;237m❯ hello \x1b[0m".into());
                self.files.line(false);
                self.busy = true;
                self.draw("");
            }
            // The answers go to whoever reads next: to nobody here.
            "ask" => self.draw("\x1b[?2026$p\x1b[c"),
            "fail" => {
                self.busy = false;
                self.talk.push(format!("● {THROTTLE}"));
                // The file first: the screen is what makes the wrapper look at it.
                self.files.line(true);
                self.draw("");
            }
            "busy" => {
                self.busy = true;
                self.draw("");
            }
            // Rows below the prompt: inline they scroll, and leave blank rows when they go.
            "notes" => {
                self.notes = 3;
                self.draw("");
            }
            "no notes" => {
                self.notes = 0;
                self.draw("");
            }
            // Rows move up in a region; the frame behind it puts all right.
            "scroll" => {
                write(if self.inline {
                    "\x1b7\x1b[1;2r\x1b[2;1H\n\n\x1b[r\x1b8"
                } else {
                    "\x1b[1;2r\x1b[2;1H\n\n\x1bM\x1b[r"
                });
                self.draw("");
            }
            // An update that stays open, and one that is closed.
            "open" => self.draw("\x1b[?2026h"),
            "close" => self.draw("\x1b[?2026l"),
            // A scroll region, and addresses relative to it.
            "origin" => self.draw("\x1b7\x1b[1;2r\x1b[?6h"),
            "no origin" => {
                write("\x1b[?6l\x1b[r\x1b8");
                self.draw("");
            }
            "region" => self.draw("\x1b7\x1b[1;2r\x1b8"),
            "no region" => self.draw("\x1b7\x1b[r\x1b8"),
            _ => panic!("{command:?} is no command"),
        }
    }

    /// Drawn when the message is whole and when it is sent, however it comes in pieces.
    fn read(&mut self, typed: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(typed).into_owned();
        let text = text.replace("\x1b[200~", "").replace("\x1b[201~", "");
        if text.contains('\x03') {
            typed.clear();
            self.talk.push("(Ctrl+C)".into());
            self.draw("");
        } else if self.draft.is_empty() && text.ends_with(MESSAGE) {
            typed.clear();
            self.draft = MESSAGE.into();
            self.draw("");
        } else if !self.draft.is_empty() && text.ends_with('\r') {
            typed.clear();
            let message = std::mem::take(&mut self.draft);
            self.talk.push(format!("\x1b[48;5;237m❯ {message} \x1b[0m"));
            self.files.line(false);
            self.busy = true;
            self.draw("");
        }
    }

    /// As the CLI after a resize (2.1.145, inline): row by row, the scrollback as it is.
    fn repaint(&mut self) {
        self.printed = 0;
        self.drawn = 0;
        let rows = "\x1b[2K\x1b[1B".repeat(self.size.0);
        write(&format!("\x1b[H{rows}\x1b[H"));
        self.draw("");
    }

    fn leave(&mut self) {
        write("\x1b[?2004l");
        if self.inline {
            let below = self.drawn.saturating_sub(2);
            write(&format!("\x1b[{below}B\r\nbye\r\n"));
        } else {
            write("\x1b[?1049l");
        }
    }

    /// A frame, `ending` behind it, and the answer.
    fn draw(&mut self, ending: &str) {
        self.frames += 1;
        let (n, frame) = (self.frames, self.frame());
        // As one write, as the CLI does.
        write(&format!("{frame}\x1b]0;talk {n}\x07{ending}"));
        writeln!(self.socket, "done {n}").expect("the test listens");
    }

    fn frame(&mut self) -> String {
        let (blocks, floor) = (self.blocks(), self.floor());
        if self.inline {
            let mut out = String::new();
            if self.drawn > 0 {
                // From the prompt down to the last row, and from there up, erasing.
                let _ = write!(out, "\x1b[{}B\r\x1b[2K", self.drawn - 2);
                for _ in 1..self.drawn {
                    out.push_str("\x1b[1A\x1b[2K");
                }
            }
            for row in &blocks[self.printed..] {
                let _ = write!(out, "{}\r\n", row.0);
            }
            self.printed = blocks.len();
            let rows: Vec<_> = floor.iter().map(|row| row.0.as_str()).collect();
            out.push_str(&rows.join("\r\n"));
            self.drawn = floor.len();
            let _ = write!(out, "\r\x1b[{}A", floor.len() - 2);
            let _ = write!(out, "\x1b[{}G", 3 + self.draft.len());
            return out;
        }
        let (rows, cols) = self.size;
        let below = floor.len() - 2;
        let mut all = blocks;
        all.resize_with(all.len().max(rows.saturating_sub(floor.len())), || {
            Row::plain("")
        });
        all.extend(floor);
        let off = all.len().saturating_sub(rows);
        all.drain(..off);
        let mut out = String::from("\x1b[?2026h");
        for n in 0..rows {
            let _ = write!(out, "\x1b[{};1H", n + 1);
            match all.get(n) {
                // An erasure behind a full row would take its last character away.
                Some(Row(text, width)) if *width >= cols => out.push_str(text),
                Some(Row(text, _)) => {
                    let _ = write!(out, "{text}\x1b[K");
                }
                None => out.push_str("\x1b[2K"),
            }
        }
        let row = rows.saturating_sub(below).max(1);
        let _ = write!(out, "\x1b[{row};{}H\x1b[?2026l", 3 + self.draft.len());
        out
    }

    /// The conversation.
    fn blocks(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for block in &self.talk {
            rows.extend(wrapped(block, self.size.1));
            rows.push(Row::plain(""));
        }
        rows
    }

    /// What stands below it: the rules with the prompt between them, and the footer, with wide characters in
    /// its first and its last columns.
    fn floor(&self) -> Vec<Row> {
        let cols = self.size.1;
        let rule = || Row::plain(&"─".repeat(cols));
        let footer = if self.busy {
            "esc to interrupt"
        } else {
            "? help"
        };
        let blanks = " ".repeat(cols.saturating_sub(footer.len() + 4));
        let footer = format!("漢\x1b[2m{footer}\x1b[0m{blanks}字");
        let mut rows = vec![
            rule(),
            Row::plain(&format!("❯\u{a0}{}", self.draft)),
            rule(),
        ];
        rows.extend((0..self.notes).map(|n| Row::plain(&format!("  note {n}"))));
        rows.push(Row(footer, cols));
        rows
    }
}

/// Words in rows, with a hanging indent.
fn wrapped(text: &str, cols: usize) -> Vec<Row> {
    if text.contains('\x1b') {
        return vec![Row(text.into(), 0)];
    }
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
    rows.iter().map(|row| Row::plain(row)).collect()
}

fn write(text: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).expect("a terminal");
    out.flush().expect("a terminal");
}

fn window() -> (usize, usize) {
    let size = tcgetwinsize(std::io::stdin()).expect("a size");
    (size.ws_row.into(), size.ws_col.into())
}

/// Its session file and its transcript.
struct Files {
    transcript: PathBuf,
    lines: u32,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the times in the transcript of a program of its own"
)]
impl Files {
    fn begin() -> Self {
        let folder = PathBuf::from(std::env::var_os("CLAUDE_CONFIG_DIR").expect("a folder"));
        let cwd = std::env::current_dir().expect("a folder");
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = cwd.to_string_lossy().chars().map(plain).collect();
        let (sessions, project) = (folder.join("sessions"), folder.join("projects").join(name));
        std::fs::create_dir_all(&sessions).expect("a folder");
        std::fs::create_dir_all(&project).expect("a folder");
        let pid = std::process::id();
        let session = json!({
            "pid": pid,
            "sessionId": SESSION,
            "cwd": cwd,
            "startedAt": Self::unix_ms(),
        });
        std::fs::write(sessions.join(format!("{pid}.json")), session.to_string()).expect("a file");
        let transcript = project.join(format!("{SESSION}.jsonl"));
        // One that was started anew goes on with it, and no two lines have the same id.
        let before = std::fs::read_to_string(&transcript).unwrap_or_default();
        Self {
            transcript,
            lines: u32::try_from(before.lines().count()).expect("a few lines"),
        }
    }

    fn unix_ms() -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        u64::try_from(since.expect("a clock").as_millis()).expect("a time")
    }

    /// The user's message, or the failure.
    fn line(&mut self, failed: bool) {
        self.lines += 1;
        let time =
            jiff::Timestamp::from_millisecond(i64::try_from(Self::unix_ms()).expect("a time"));
        let time = time.expect("a time");
        let mut line = json!({
            "parentUuid": null,
            "isSidechain": false,
            "uuid": format!("11111111-2222-4333-8444-{:012}", self.lines),
            "timestamp": format!("{time:.3}"),
            "sessionId": SESSION,
            "version": "2.1.330",
        });
        let more = if failed {
            json!({
                "type": "assistant",
                "message": {
                    "role": "assistant",
                    "model": "<synthetic>",
                    "stop_reason": "stop_sequence",
                    "content": [{"type": "text", "text": THROTTLE}],
                },
                "isApiErrorMessage": true,
                "error": "rate_limit",
                "apiErrorStatus": 429,
            })
        } else {
            json!({
                "type": "user",
                "message": {"role": "user", "content": "hello"},
            })
        };
        if let (Value::Object(line), Value::Object(more)) = (&mut line, more) {
            line.extend(more);
        }
        let mut file = std::fs::OpenOptions::new();
        let mut file = file
            .create(true)
            .append(true)
            .open(&self.transcript)
            .expect("a file");
        file.write_all(format!("{line}\n").as_bytes())
            .expect("a line");
    }
}
