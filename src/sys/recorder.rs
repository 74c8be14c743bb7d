//! Records a session as it runs: what the driver tells the session goes into an asciicast, and nothing of it
//! anywhere else. A fault ends the recording, never the session.

mod place;
mod sink;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use self::place::Place;
use self::sink::Sink;
use super::clock::{self, Clock};
use super::{config_dir, guarded, transcript};
use crate::cast::{Mask, Note, Ours, Writer, reduce};
use crate::config::{SETTINGS, Setting, Settings, show_wordings};
use crate::supervisor::session::Event;
use crate::supervisor::transcript::Report;
use crate::supervisor::verdict::Status;
use crate::term::Size;

/// An Esc that nothing follows for so long is a key of its own.
const KEY_GAP: Duration = Duration::from_millis(50);
/// A wall clock that has jumped by more is noted, in milliseconds.
const JUMP: u64 = 500;
/// As much of a transcript's end is kept: more than any session writes in a day.
const TRANSCRIPT: u64 = 256 * 1024 * 1024;

/// Settings that are not noted: the paths, and what only makes others.
const LEFT_OUT: [&str; 5] = ["program", "log", "profile", "notify", "native-watchdog"];

/// A recording that is being made, and its transcript beside it.
#[derive(Debug)]
pub struct Recorder {
    place: Place,
    transcript_place: Place,
    /// Until the session begins.
    file: Option<File>,
    sink: Option<Sink>,
    transcript_file: Option<File>,
    writer: Writer,
    /// None where typed text is to be kept.
    masks: Option<[Mask; 2]>,
    start: Instant,
    /// The wall clock at the start, as it runs now.
    wall0: u64,
    /// Since when an unfinished key is kept.
    key_since: Option<Duration>,
    /// The sessions whose transcripts were looked at, and where a hook said that those are.
    sessions: Vec<(String, Option<PathBuf>)>,
    /// The one that was noted last.
    session: Option<String>,
    /// What its session file was last noted to say.
    status: Status,
    fault: Option<String>,
    begun: bool,
    settings: BTreeMap<String, String>,
    wordings: String,
}

impl Recorder {
    /// Makes both files, for nobody else to read. `input`: what is typed is kept as it is; `overwrite`: what stands
    /// there already is replaced, as soon as the session has begun.
    ///
    /// # Errors
    ///
    /// The path at fault, and why: it is there already, or cannot be made.
    pub fn create(
        path: PathBuf,
        transcript_path: PathBuf,
        input: bool,
        overwrite: bool,
    ) -> Result<Self, (PathBuf, io::Error)> {
        let make =
            |path: PathBuf| Place::make(path.clone(), overwrite).map_err(|error| (path, error));
        let (place, file) = make(path)?;
        let (transcript_place, transcript_file) =
            make(transcript_path).inspect_err(|_| place.remove())?;
        Ok(Self {
            place,
            transcript_place,
            file: Some(file),
            sink: None,
            transcript_file: Some(transcript_file),
            writer: Writer::default(),
            masks: (!input).then(Default::default),
            start: Clock::instant(),
            wall0: 0,
            key_since: None,
            sessions: Vec::new(),
            session: None,
            status: Status::Unknown,
            fault: None,
            begun: false,
            settings: BTreeMap::new(),
            wordings: String::new(),
        })
    }

    /// The recording.
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// The transcript beside it.
    pub fn transcript_path(&self) -> &Path {
        self.transcript_place.path()
    }

    /// Why the recording ended before the session did, if it did.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Was a transcript found?
    pub fn has_transcript(&self) -> bool {
        self.transcript_file.is_some()
    }

    /// Where the session did not even begin, nothing is left behind, and nothing is given back.
    pub fn begun(self) -> Option<Self> {
        if self.begun {
            return Some(self);
        }
        self.place.remove();
        self.transcript_place.remove();
        None
    }

    /// Notes the settings that decide anything; where things are is nobody's business. Of the message, which is typed
    /// text too, there is only the length.
    pub fn keep_settings(&mut self, settings: &Settings) {
        let decides = |setting: &&Setting| !LEFT_OUT.contains(&setting.name);
        let of = |setting: &Setting| (setting.name.to_owned(), setting.as_flag(settings));
        self.settings = SETTINGS.iter().filter(decides).map(of).collect();
        self.wordings = show_wordings(&settings.catalogue);
        if self.masks.is_some() {
            let masked = settings.message.chars().map(|_| 'x').collect();
            self.settings.insert("message".into(), masked);
        }
    }

    /// The session begins now, within a runtime, and nothing is forked any more.
    pub(super) fn begin(&mut self, size: Size, unix_ms: u64, seed: u64) {
        (self.start, self.begun) = (Clock::instant(), true);
        self.wall0 = unix_ms;
        for place in [&mut self.place, &mut self.transcript_place] {
            if let Err(error) = place.take() {
                let path = place.path().display();
                self.fault.get_or_insert(format!("{path}: {error}"));
                place.remove();
                self.file = None;
            }
        }
        self.sink = self.file.take().and_then(|file| match Sink::start(file) {
            Ok(sink) => Some(sink),
            Err(error) => {
                self.fault.get_or_insert(error.to_string());
                None
            }
        });
        let ours = Ours {
            version: env!("CARGO_PKG_VERSION").into(),
            started_ms: unix_ms,
            seed,
            settings: std::mem::take(&mut self.settings),
            wordings: std::mem::take(&mut self.wordings),
        };
        let term = super::env("TERM").unwrap_or_default();
        self.write(Writer::header(size, &ours, &term.to_string_lossy()));
    }

    /// The session was told of this, and `to_child` was its answer for the child.
    pub(super) fn note(&mut self, event: &Event<'_>, to_child: &[u8]) {
        if self.sink.is_none() {
            return;
        }
        crate::fault::point("recorder");
        let at = Clock::instant().duration_since(self.start);
        self.end_key(at);
        self.tell_time(at, clock::unix_ms());
        let text = match event {
            Event::ChildOutput(bytes) => self.writer.output(at, bytes),
            Event::UserInput(bytes) => self.input(at, bytes),
            Event::Resize(size) => self.writer.resize(at, *size),
            Event::Transcript(Report::Turn(turn)) => self.looked_at(at, &turn.session_id),
            Event::Status(status) if *status != self.status => {
                self.status = *status;
                let busy = match status {
                    Status::Unknown => None,
                    status => Some(*status == Status::Busy),
                };
                self.writer.note(at, &Note::Status { busy })
            }
            Event::Hook(id, hook) => {
                self.know(&hook.session_id, Some(&hook.transcript));
                self.writer.note(
                    at,
                    &Note::Hook {
                        id: *id,
                        session_id: hook.session_id.clone(),
                        happened: hook.happened.clone(),
                    },
                )
            }
            Event::HookGone(id) => self.writer.note(at, &Note::HookGone { id: *id }),
            Event::RetryAfter(Some(asked)) => {
                let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                self.writer.note(
                    at,
                    &Note::Asked {
                        whole_ms: ms(asked.whole),
                        left_ms: ms(asked.left),
                    },
                )
            }
            Event::ChildStopped => self.writer.note(at, &Note::Stopped),
            Event::Resumed => self.writer.note(at, &Note::Resumed),
            Event::ChildExited(kind) => self.writer.exit(at, *kind),
            Event::Deadline
            | Event::Transcript(_)
            | Event::Status(_)
            | Event::Pty(_)
            | Event::RetryAfter(None)
            | Event::Claimed(..)
            | Event::Touched(_)
            | Event::Wish(_)
            | Event::NotTyped
            | Event::Signal(_) => String::new(),
        };
        self.write(text);
        if !to_child.is_empty() && !matches!(event, Event::UserInput(_)) {
            let bytes = match &mut self.masks {
                Some([_, mask]) => [mask.feed(to_child), mask.flush()].concat(),
                None => to_child.to_vec(),
            };
            let text = self.writer.typed(at, &bytes);
            self.write(text);
        }
    }

    /// The clock of the times stands still while the machine sleeps, the wall clock does not.
    fn tell_time(&mut self, at: Duration, unix_ms: u64) {
        let at_ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        let wall0 = unix_ms.saturating_sub(at_ms);
        if wall0.abs_diff(self.wall0) > JUMP {
            self.wall0 = wall0;
            let text = self.writer.note(at, &Note::Clock { unix_ms });
            self.write(text);
        }
    }

    fn input(&mut self, at: Duration, bytes: &[u8]) -> String {
        let Some([mask, _]) = &mut self.masks else {
            return self.writer.input(at, bytes);
        };
        let kept = mask.feed(bytes);
        self.key_since = mask.pending().then_some(at);
        self.writer.input(at, &kept)
    }

    /// A key that is kept has no more to it by now.
    fn end_key(&mut self, at: Duration) {
        if let (Some(since), Some([mask, _])) = (self.key_since, &mut self.masks)
            && at >= since + KEY_GAP
        {
            self.key_since = None;
            let kept = mask.flush();
            let text = self.writer.input(since + KEY_GAP, &kept);
            self.write(text);
        }
    }

    fn looked_at(&mut self, at: Duration, session: &str) -> String {
        if self.session.as_deref() == Some(session) {
            return String::new();
        }
        self.know(session, None);
        self.session = Some(session.to_owned());
        let id = session.to_owned();
        self.writer.note(at, &Note::Session { id })
    }

    /// A session of this recording.
    pub(super) fn know(&mut self, id: &str, file: Option<&Path>) {
        match self.sessions.iter_mut().find(|(known, _)| known == id) {
            Some((_, place)) => {
                if let Some(file) = file {
                    *place = Some(file.to_owned());
                }
            }
            None => self
                .sessions
                .push((id.to_owned(), file.map(Path::to_owned))),
        }
    }

    /// Is a session known whose transcript can be kept?
    pub(super) fn knows_a_session(&self) -> bool {
        !self.sessions.is_empty()
    }

    /// The session is over: the transcripts, reduced.
    pub(super) fn finish(&mut self) {
        if let Some(Err(fault)) = self.sink.take().map(Sink::finish) {
            self.fail(fault);
        }
        let Some(mut file) = self.transcript_file.take() else {
            return;
        };
        let texts = self.sessions.iter().filter_map(|(id, place)| {
            let path = place.clone().filter(|path| path.is_file());
            Some(reduce(&read(&path.or_else(|| find(id))?).ok()?))
        });
        let text: String = texts.collect();
        if text.is_empty() {
            self.transcript_place.remove();
            return;
        }
        match file.write_all(text.as_bytes()) {
            Ok(()) => self.transcript_file = Some(file),
            Err(error) => {
                self.fault.get_or_insert(error.to_string());
                self.transcript_place.remove();
            }
        }
    }

    fn write(&mut self, text: String) {
        if let Some(sink) = self.sink.as_ref().filter(|_| !text.is_empty())
            && let Err(fault) = sink.write(text)
        {
            self.fail(fault);
        }
    }

    /// Does something; a panic of ours ends the recording, never the session.
    pub(super) fn guarded(&mut self, what: impl FnOnce(&mut Self)) {
        if let Err(failure) = guarded::catch(|| what(self)) {
            self.fail(failure);
        }
    }

    /// The recording ends here.
    fn fail(&mut self, fault: String) {
        self.fault.get_or_insert(fault);
        self.sink = None;
    }
}

/// The transcript of a session, wherever the CLI keeps it.
fn find(id: &str) -> Option<PathBuf> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if id.is_empty() || !id.bytes().all(plain) {
        return None;
    }
    let folders = std::fs::read_dir(config_dir()?.join("projects")).ok()?;
    let name = format!("{id}.jsonl");
    let mut files = folders.flatten().map(|folder| folder.path().join(&name));
    files.find(|file| file.is_file())
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let (mut file, len) = transcript::open(path)?;
    file.seek(SeekFrom::Start(len.saturating_sub(TRANSCRIPT)))?;
    let mut bytes = Vec::new();
    file.take(TRANSCRIPT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_the_recording_alone() {
        let tmp = tempfile::tempdir().expect("a folder");
        let path = |name: &str| tmp.path().join(name);
        let recorder = Recorder::create(path("a.cast"), path("a.transcript.jsonl"), false, false);
        let mut recorder = recorder.expect("files");
        recorder.guarded(|_| panic!("of ours"));
        assert!(
            recorder
                .fault()
                .is_some_and(|fault| fault.contains("of ours"))
        );
        assert!(recorder.sink.is_none());
    }
}
