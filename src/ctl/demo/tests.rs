use std::os::unix::fs::PermissionsExt;

use std::path::Path;
use std::time::Duration;

use super::draw::Painter;
use super::record::Transcript;
use super::stage::{Ending, Stage};
use super::*;
use crate::supervisor::session::{Effect, Event, Now, Outbox, PtyState, Session, TerminalTraits};
use crate::supervisor::transcript::{Report, last_turn};
use crate::term::Size;

#[test]
fn the_folder_is_private_and_goes() {
    let folder = Folder::new().expect("a folder");
    let path = folder.0.clone();
    fs::write(path.join("file"), "").expect("a file");
    let mode = fs::metadata(&path).expect("it").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    drop(folder);
    assert!(!path.exists());
}

#[test]
fn every_flag_is_one_and_does() {
    let args = FLAGS.map(|(name, value)| format!("--retry-{name}={value}").into());
    let Ok(crate::cli::Command::Run { flags, args }) = crate::cli::parse(args.to_vec()) else {
        panic!("the wrapper's flags");
    };
    assert!(args.is_empty());
    // What may differ: whether the CLI is let wait longer first, which the stand-in does not know, and what is said
    // and printed with -p.
    assert_eq!(flags.len() + 3, crate::config::SETTINGS.len());
}

#[test]
fn the_exit_code_is_the_wrappers() {
    assert_eq!(exit_code(ExitStatus::from_raw(7 << 8)), 7);
    assert_eq!(exit_code(ExitStatus::from_raw(15)), 143);
}

/// The wrapper's session around the stand-in, under a fake clock.
struct Show {
    stage: Stage,
    painter: Painter,
    session: Session,
    transcript: Transcript,
    lines: String,
    size: Size,
    elapsed: Duration,
    log: Vec<serde_json::Value>,
    tty: Vec<u8>,
}

/// What the wall clock says at the start.
const WALL: u64 = 1_800_000_000_000;

impl Show {
    fn new(rows: u16, cols: u16) -> Self {
        let args = FLAGS.map(|(name, value)| format!("--retry-{name}={value}").into());
        let Ok(crate::cli::Command::Run { flags, .. }) = crate::cli::parse(args.to_vec()) else {
            panic!("the wrapper's flags");
        };
        let sources = crate::config::Sources {
            flags,
            ..crate::config::Sources::default()
        };
        let settings = crate::config::resolve(&sources).expect("settings").settings;
        let size = Size {
            rows,
            cols,
            xpixel: 0,
            ypixel: 0,
        };
        let traits = TerminalTraits {
            unicode: true,
            color: true,
            addressable: true,
        };
        let now = Now {
            elapsed: Duration::ZERO,
            unix_ms: WALL,
        };
        Self {
            stage: Stage::new(),
            painter: Painter::default(),
            session: Session::new(settings, traits, size, now, 1),
            transcript: Transcript::new(Path::new("/home/dev/proj")),
            lines: String::new(),
            size,
            elapsed: Duration::ZERO,
            log: Vec::new(),
            tty: Vec::new(),
        }
    }

    fn unix_ms(&self) -> u64 {
        WALL + u64::try_from(self.elapsed.as_millis()).expect("a short test")
    }

    fn event(&mut self, event: Event<'_>) {
        let mut out = Outbox::default();
        let now = Now {
            elapsed: self.elapsed,
            unix_ms: self.unix_ms(),
        };
        self.session.handle(now, event, &mut out);
        self.tty.extend(out.tty);
        if !out.child.is_empty() {
            self.stage.tick(self.elapsed);
            self.stage.input(&out.child);
            self.frame();
        }
        for effect in out.effects {
            match effect {
                Effect::ReadTranscript(_) => {
                    let turn = last_turn(self.lines.as_bytes(), true);
                    self.event(Event::Transcript(
                        turn.map_or(Report::Pending, Report::Turn),
                    ));
                }
                Effect::ProbePty => {
                    let pty = PtyState {
                        raw: true,
                        foreground: true,
                    };
                    self.event(Event::Pty(pty));
                }
                Effect::Log(line) => self.log.push(line),
                Effect::AnswerHook(..)
                | Effect::ReadRetryAfter { .. }
                | Effect::Claim { .. }
                | Effect::Suspend => {}
            }
        }
    }

    /// One round of the stand-in.
    fn frame(&mut self) {
        self.stage.tick(self.elapsed);
        let unix_ms = self.unix_ms();
        for said in self.stage.take_final() {
            let line = self.transcript.line(said, unix_ms);
            self.lines.extend([line.to_string(), "\n".into()]);
        }
        let drawn = self.painter.paint(&self.stage, self.size);
        if !drawn.is_empty() {
            self.event(Event::ChildOutput(&drawn));
        }
    }

    /// Plays on until this holds, with a frame each tenth of a second.
    fn run_until(&mut self, what: impl Fn(&Self) -> bool) {
        let mut next = self.elapsed;
        while !what(self) {
            assert!(self.elapsed < Duration::from_mins(1), "{:?}", self.log);
            match self.session.next_deadline() {
                Some(deadline) if deadline < next => {
                    self.elapsed = self.elapsed.max(deadline);
                    self.event(Event::Deadline);
                }
                _ => {
                    self.elapsed = next;
                    self.frame();
                    next += Duration::from_millis(100);
                }
            }
        }
    }

    fn events(&self, name: &str) -> usize {
        let named = |line: &&serde_json::Value| line["event"] == name;
        self.log.iter().filter(named).count()
    }
}

#[test]
fn the_wrapper_resumes_the_stand_in_twice_within_twenty_seconds_at_any_size() {
    for (rows, cols) in [LEAST, (16, 44), (20, 60), (24, 80), (30, 100), (60, 250)] {
        let mut show = Show::new(rows, cols);
        show.event(Event::ChildOutput(draw::ENTER));
        show.run_until(|show| show.stage.ending().is_some());
        assert_eq!(show.stage.ending(), Some(Ending::Told(2)), "{rows}x{cols}");
        assert_eq!(show.events("resumed"), 2, "{rows}x{cols}: {:?}", show.log);
        assert_eq!(show.events("turn-ok"), 1, "{rows}x{cols}: {:?}", show.log);
        assert!(show.elapsed < Duration::from_secs(20), "{:?}", show.elapsed);
        // The bar is to be seen on its row, not in the title alone.
        let tty = String::from_utf8(std::mem::take(&mut show.tty)).expect("text");
        let on_rows: String = tty
            .split("\x1b]0;")
            .map(|part| part.split_once('\x07').map_or(part, |(_, rest)| rest))
            .collect();
        for attempt in ["1/6", "2/6"] {
            assert!(on_rows.contains(attempt), "{rows}x{cols}: {attempt}");
        }
    }
}

#[test]
fn enter_on_the_empty_prompt_resumes_now_and_a_draft_pauses() {
    let mut show = Show::new(24, 80);
    show.event(Event::ChildOutput(draw::ENTER));
    show.run_until(|show| show.events("waiting") == 1);
    let began = show.elapsed;
    show.event(Event::UserInput(b"\r"));
    show.run_until(|show| show.events("waiting") == 2);
    assert!(
        show.elapsed < began + Duration::from_secs(3),
        "it did not wait"
    );
    show.event(Event::UserInput(b"a draft"));
    show.run_until(|show| show.stage.draft() == "a draft");
    assert_eq!(show.events("paused"), 1);
    show.event(Event::UserInput(b"\x15"));
    show.run_until(|show| show.stage.ending().is_some());
    assert_eq!(show.stage.ending(), Some(Ending::Told(2)));
}

#[test]
fn a_cancelled_wait_is_left_to_the_user() {
    let mut show = Show::new(24, 80);
    show.event(Event::ChildOutput(draw::ENTER));
    show.run_until(|show| show.events("waiting") == 1);
    show.event(Event::UserInput(b"\x03"));
    assert!(!show.stage.is_armed(), "the bar's key");
    show.run_until(|show| show.stage.ending().is_some());
    assert_eq!(show.stage.ending(), Some(Ending::Left), "by itself");
    assert_eq!((show.events("cancelled"), show.events("typed")), (1, 0));
}
