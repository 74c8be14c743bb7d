//! The stand-in's files, in the form of CLI 2.1.330, with the fields that matter: the session file and the
//! transcript.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::stage::{ANSWER, Said, THROTTLE};

/// The CLI's version that the files are like.
const VERSION: &str = "2.1.330";
/// A file's name may have 255 bytes; the CLI cuts those of projects at 200.
const FOLDER_NAME: usize = 200;

/// The files of one session.
pub(super) struct Record {
    transcript: Transcript,
    file: File,
}

impl Record {
    /// Begins a session of this process, in `cwd`, with its files below `folder`, at this time in
    /// milliseconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// When the files cannot be written.
    pub(super) fn begin(folder: &Path, cwd: &Path, unix_ms: u64) -> io::Result<Self> {
        let transcript = Transcript::new(cwd);
        let project = folder.join("projects").join(folder_name(cwd));
        let path = project.join(format!("{}.jsonl", transcript.session));
        fs::create_dir_all(project)?;
        let file = OpenOptions::new().create(true).append(true).open(path)?;

        let sessions = folder.join("sessions");
        fs::create_dir_all(&sessions)?;
        let pid = std::process::id();
        let session = json!({
            "pid": pid,
            "sessionId": transcript.session,
            "cwd": transcript.cwd,
            "startedAt": unix_ms,
            "version": VERSION,
            "kind": "interactive",
            "entrypoint": "cli",
        });
        fs::write(sessions.join(format!("{pid}.json")), session.to_string())?;
        Ok(Self { transcript, file })
    }

    /// Appends what was said.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub(super) fn append(&mut self, said: &Said, unix_ms: u64) -> io::Result<()> {
        let line = self.transcript.line(said, unix_ms);
        // In one write: a reader never sees a half of it.
        self.file.write_all(format!("{line}\n").as_bytes())
    }
}

/// The lines of one session, each the child of the one before.
pub(super) struct Transcript {
    session: String,
    cwd: PathBuf,
    parent: Option<String>,
}

impl Transcript {
    pub(super) fn new(cwd: &Path) -> Self {
        Self {
            session: uuid(),
            cwd: cwd.to_owned(),
            parent: None,
        }
    }

    /// The next line.
    pub(super) fn line(&mut self, said: &Said, unix_ms: u64) -> Value {
        let uuid = uuid();
        let mut line = json!({
            "parentUuid": self.parent,
            "isSidechain": false,
            "uuid": uuid,
            "timestamp": timestamp(unix_ms),
            "userType": "external",
            "entrypoint": "cli",
            "cwd": self.cwd.to_string_lossy(),
            "sessionId": self.session,
            "version": VERSION,
        });
        self.parent = Some(uuid);
        let more = match said {
            Said::User(text) => json!({
                "type": "user",
                "message": {"role": "user", "content": text},
            }),
            Said::Interrupted => json!({
                "type": "user",
                "message": {"role": "user", "content": [text_block("[Request interrupted by user]")]},
            }),
            Said::Throttled => json!({
                "type": "assistant",
                "message": {
                    "role": "assistant",
                    "model": "<synthetic>",
                    "stop_reason": "stop_sequence",
                    "content": [text_block(THROTTLE)],
                },
                "isApiErrorMessage": true,
                "apiErrorIsTransient": true,
                "error": "rate_limit",
                "apiErrorStatus": 429,
                "apiErrorType": "rate_limit_error",
            }),
            Said::Answer(shown) => json!({
                "type": "assistant",
                "message": {
                    "role": "assistant",
                    "model": "<synthetic>",
                    "stop_reason": "end_turn",
                    "content": [text_block(&ANSWER[..*shown].join("\n\n"))],
                },
            }),
        };
        if let (Value::Object(line), Value::Object(more)) = (&mut line, more) {
            line.extend(more);
        }
        line
    }
}

fn text_block(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn timestamp(unix_ms: u64) -> String {
    let time = i64::try_from(unix_ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .unwrap_or_default();
    format!("{time:.3}")
}

/// A random UUID, version 4.
fn uuid() -> String {
    let bits: u128 = rand::random();
    let bits = bits & !(0xf << 76) & !(0b11 << 62) | (4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

/// The CLI's name for a project's folder: `-` for all that is no ASCII letter or digit.
fn folder_name(cwd: &Path) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name = cwd.to_string_lossy();
    name.chars().map(plain).take(FOLDER_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::transcript::{Ending, last_turn};

    #[test]
    fn the_wrapper_reads_the_lines_as_those_of_the_real_cli() {
        let mut transcript = Transcript::new(Path::new("/home/dev/proj"));
        let mut lines = String::new();
        let mut add = |said: &Said, unix_ms| {
            lines.extend([transcript.line(said, unix_ms).to_string(), "\n".into()]);
            last_turn(lines.as_bytes(), true).expect("a turn")
        };
        let turn = add(&Said::User("hello".into()), 1_800_000_000_001);
        assert_eq!(
            (turn.ending, turn.unix_ms),
            (Ending::User, 1_800_000_000_001)
        );
        add(&Said::Throttled, 1_800_000_000_002);
        add(&Said::User("continue".into()), 1_800_000_000_003);
        let turn = add(&Said::Throttled, 1_800_000_000_003);
        assert_eq!(turn.consecutive_errors, 2);
        let error = Ending::ApiError {
            text: THROTTLE.into(),
            error: Some("rate_limit".into()),
            status: Some(429),
        };
        assert_eq!(turn.ending, error);
        let turn = add(&Said::Answer(2), 1_800_000_000_004);
        assert_eq!(turn.ending, Ending::Assistant);
        assert_eq!(turn.session_id, transcript.session);
    }

    #[test]
    fn ids_are_uuids() {
        let id = uuid();
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(
            matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'),
            "{id}"
        );
    }

    #[test]
    fn the_folder_is_named_as_by_the_cli_and_never_too_long() {
        assert_eq!(
            folder_name(Path::new("/home/dev/my proj")),
            "-home-dev-my-proj"
        );
        let long = format!("/{}", "x".repeat(300));
        assert_eq!(folder_name(Path::new(&long)).len(), FOLDER_NAME);
    }
}
