//! Finds the CLI's transcript and reads its end.
//!
//! The CLI keeps `sessions/<pid>.json` for itself while it runs (2.1.145 on; undocumented, so it may be
//! missing): `{"pid":…,"sessionId":…,"cwd":…,"startedAt":<unix ms>,…}`, which follows `/clear` and
//! `/resume`, and `projects/<folder>/<sessionId>.jsonl`.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use rustix::process::Pid;
use serde::Deserialize;
use serde_json::Value;

use super::cli_settings::keeps_transcripts;
use super::ids::{Id, led_by, session_of};
use super::plain_file::open_to_read;
use crate::supervisor::transcript::{LastTurn, Report, errors_since, last_turn};
use crate::supervisor::verdict::Status;

/// How much of the end is read: as little as holds the last turn.
const TAILS: [u64; 3] = [256 * 1024, 1024 * 1024, 4 * 1024 * 1024];
/// No session file is larger.
const SESSION_FILE: u64 = 64 * 1024;
/// `startedAt` is worked out by the CLI from its uptime, so it may lie a little before our own time of
/// the start.
const CLOCK_SLACK_MS: u64 = 1000;
/// Longer folder names are cut here by the CLI, with a hash behind a `-` (2.1.145, 2.1.330).
const FOLDER_NAME: usize = 200;

/// Where a session's transcript can be. Everything is looked up anew at every look: `/clear`, `/resume`
/// and a fork change the file.
#[derive(Clone, Debug)]
pub struct Locator {
    config_dir: PathBuf,
    cwd: PathBuf,
    child: Pid,
    session: Id,
    spawned_unix_ms: u64,
}

/// The fields of `sessions/<pid>.json` that we need.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionFile {
    session_id: String,
    pub(super) cwd: Option<String>,
    started_at: u64,
    /// `idle` or `busy`.
    status: Option<String>,
    /// When the kernel started the process, as `/proc/<pid>/stat` has it; not in every version.
    #[serde(default)]
    pub(super) proc_start: Value,
}

impl SessionFile {
    /// Reads one; `None` where it is none.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let session: Self = serde_json::from_slice(&read_small(path).ok()?).ok()?;
        is_plain(&session.session_id).then_some(session)
    }

    /// What the CLI says of itself. A word that is not known says nothing.
    fn status(&self) -> Status {
        match self.status.as_deref() {
            Some("idle") => Status::Idle,
            Some("busy") => Status::Busy,
            _ => Status::Unknown,
        }
    }
}

impl Locator {
    /// For the CLI that runs as `child`, or elsewhere in its terminal `session`, started at this time in
    /// `cwd`, with its files in `config_dir`.
    pub fn new(
        config_dir: PathBuf,
        cwd: PathBuf,
        child: Pid,
        session: Id,
        spawned_unix_ms: u64,
    ) -> Self {
        Self {
            config_dir,
            cwd,
            child,
            session,
            spawned_unix_ms,
        }
    }

    /// The same, with the folders that our own environment gives to the child.
    pub(super) fn of_child(child: Pid, session: Pid, spawned_unix_ms: u64) -> Option<Self> {
        let config_dir = config_dir()?;
        let cwd = std::env::current_dir().ok()?;
        let session = led_by(session);
        Some(Self::new(config_dir, cwd, child, session, spawned_unix_ms))
    }

    /// Reads the last turn of the transcript that is named, or looks for it; and what the CLI says of itself.
    pub fn look(&self, named: Option<&Path>) -> (Report, Status) {
        crate::fault::point("locator");
        // The status first: a turn that begins in between is in neither, or in the transcript.
        let session = self.session();
        let status = session
            .as_ref()
            .map_or(Status::Unknown, SessionFile::status);
        let report = match self.file(named, session.as_ref()) {
            Ok(file) => read_last_turn(&file)
                .ok()
                .flatten()
                .map_or(Report::Pending, Report::Turn),
            Err(report) => report,
        };
        (report, status)
    }

    /// The session that our CLI shows, where it says.
    pub(super) fn session_id(&self) -> Option<String> {
        self.session().map(|session| session.session_id)
    }

    /// The transcript, or what there is to be said without it.
    fn file(&self, named: Option<&Path>, session: Option<&SessionFile>) -> Result<PathBuf, Report> {
        match (named, session) {
            // Also where the hook has named another: it does not tell of every /clear and /resume.
            (named, Some(session)) if named.is_none_or(|named| !is_of(named, session)) => {
                self.file_of(session).ok_or(Report::Pending)
            }
            (Some(named), _) => Ok(named.to_owned()),
            (None, _) => self.file_by_times().ok_or(Report::Unknown),
        }
    }

    /// The session file of our CLI. Files of killed CLIs stay behind and their numbers are used again, so
    /// process, terminal session and time must all fit.
    fn session(&self) -> Option<SessionFile> {
        let fits = |pid: Pid| {
            let path = self
                .config_dir
                .join(format!("sessions/{}.json", pid.as_raw_nonzero()));
            let session = SessionFile::read(&path)?;
            let started = session.started_at + CLOCK_SLACK_MS >= self.spawned_unix_ms;
            started.then_some(session)
        };
        if let Some(session) = fits(self.child) {
            return Some(session);
        }
        // Behind a launcher the CLI is a grandchild. What the CLI itself starts comes later.
        let entries = fs::read_dir(self.config_dir.join("sessions")).ok()?;
        entries
            .flatten()
            .filter_map(|entry| pid_in(&entry.file_name()))
            .filter(|pid| session_of(Some(*pid)).ok() == Some(self.session))
            .filter_map(fits)
            .min_by_key(|session| session.started_at)
    }

    /// The transcript of this session, if it is there: in the folder of its `cwd`, else wherever it is.
    pub(super) fn file_of(&self, session: &SessionFile) -> Option<PathBuf> {
        let cwd = session.cwd.as_deref().map_or(self.cwd.as_path(), Path::new);
        self.file_of_id(&session.session_id, cwd)
    }

    fn file_of_id(&self, id: &str, cwd: &Path) -> Option<PathBuf> {
        let name = format!("{id}.jsonl");
        let usual = self.projects().join(folder_name(cwd)).join(&name);
        if usual.exists() {
            return Some(usual);
        }
        let folders = fs::read_dir(self.projects()).ok()?;
        folders
            .flatten()
            .map(|folder| folder.path().join(&name))
            .find(|file| file.exists())
    }

    /// The one transcript in our folder that was written since the start; `None` also where there are two,
    /// for then nobody knows whose is whose.
    fn file_by_times(&self) -> Option<PathBuf> {
        only(self.written_since(self.spawned_unix_ms).into_iter())
    }

    /// The transcripts in our folder that were written since this time.
    fn written_since(&self, unix_ms: u64) -> Vec<PathBuf> {
        let files = self
            .folder()
            .and_then(|folder| fs::read_dir(folder).ok())
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        files
            .filter(|file| {
                is_session_transcript(file)
                    && fs::metadata(file).is_ok_and(|meta| modified_unix_ms(&meta) >= unix_ms)
            })
            .collect()
    }

    /// Our folder's project.
    fn folder(&self) -> Option<PathBuf> {
        let full = folder_name(&self.cwd);
        if full.len() <= FOLDER_NAME {
            return Some(self.projects().join(full));
        }
        let cut = format!("{}-", &full[..FOLDER_NAME]);
        let folders = fs::read_dir(self.projects()).ok()?;
        only(
            folders
                .flatten()
                .map(|folder| folder.path())
                .filter(|folder| {
                    folder
                        .file_name()
                        .is_some_and(|name| name.as_encoded_bytes().starts_with(cut.as_bytes()))
                }),
        )
    }

    fn projects(&self) -> PathBuf {
        self.config_dir.join("projects")
    }
}

/// The transcripts of runs that have no process any more, in the folders that our own environment gives to the CLI.
#[derive(Clone, Debug)]
pub(super) struct Project(Locator);

impl Project {
    pub(super) fn of_ours() -> Option<Self> {
        let nobody = rustix::process::getpid();
        Locator::of_child(nobody, nobody, 0).map(Self)
    }

    /// The transcript of the session with this id, wherever it is.
    pub(super) fn file_of(&self, id: &str) -> Option<PathBuf> {
        let cwd = &self.0.cwd;
        is_plain(id).then(|| self.0.file_of_id(id, cwd)).flatten()
    }

    /// Would there be one of a run that has done something?
    pub(super) fn keeps(&self) -> bool {
        let projects = self.0.projects();
        let folder = self.0.folder().unwrap_or_else(|| projects.clone());
        keeps_transcripts(&self.0.config_dir, &self.0.cwd, &folder)
    }

    /// The transcripts of this folder that were written since this time (milliseconds since the Unix epoch).
    pub(super) fn written_since(&self, unix_ms: u64) -> Vec<PathBuf> {
        self.0.written_since(unix_ms)
    }
}

/// The CLI's folder, by our environment: `CLAUDE_CONFIG_DIR`, else `~/.claude`.
pub fn config_dir() -> Option<PathBuf> {
    super::env("CLAUDE_CONFIG_DIR")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&super::env("HOME")?).join(".claude")))
}

/// Is this the transcript of the session?
fn is_of(file: &Path, session: &SessionFile) -> bool {
    file.file_stem() == Some(OsStr::new(&session.session_id))
}

/// The only item, if there is one and no other.
fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.next().is_none().then_some(first)
}

/// `<pid>.json`.
pub(super) fn pid_in(name: &OsStr) -> Option<Pid> {
    Pid::from_raw(name.to_str()?.strip_suffix(".json")?.parse().ok()?)
}

/// A session id can be no path.
fn is_plain(id: &str) -> bool {
    !id.is_empty()
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// `<uuid>.jsonl`; older versions put those of subagents beside it, as `agent-….jsonl`.
fn is_session_transcript(file: &Path) -> bool {
    let Some(stem) = file.file_stem().and_then(OsStr::to_str) else {
        return false;
    };
    file.extension() == Some(OsStr::new("jsonl"))
        && stem.len() == 36
        && stem
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// The CLI's name for the folder of a project: `-` for every UTF-16 unit that is no ASCII letter or digit.
fn folder_name(cwd: &Path) -> String {
    let units = |c: char| match c {
        c if c.is_ascii_alphanumeric() => c.to_string(),
        c => "-".repeat(c.len_utf16()),
    };
    cwd.to_string_lossy().chars().map(units).collect()
}

fn modified_unix_ms(meta: &Metadata) -> u64 {
    let modified = meta
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    u64::try_from(modified.unwrap_or(Duration::ZERO).as_millis()).unwrap_or(u64::MAX)
}

/// Opens a regular file: a pipe or a device in its place could block us.
pub(super) fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = open_to_read(path)?;
    let len = file.metadata()?.len();
    Ok((file, len))
}

/// Reads a file that is never large.
pub(super) fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let (file, _) = open(path)?;
    let mut bytes = Vec::new();
    file.take(SESSION_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The last turn, from as short a tail as holds one.
pub(super) fn read_last_turn(path: &Path) -> io::Result<Option<LastTurn>> {
    let (mut file, len) = open(path)?;
    for tail in TAILS {
        let from = len.saturating_sub(tail);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        // What is appended meanwhile is taken too, within reason.
        file.by_ref().take(2 * tail).read_to_end(&mut bytes)?;
        let turn = last_turn(&bytes, from == 0);
        if turn.is_some() || from == 0 {
            return Ok(turn);
        }
    }
    Ok(None)
}

/// Does the end of a transcript hold the session's costs, from which a run that resumes it goes on? (2.1.330.)
pub(super) fn counts_on(path: &Path) -> io::Result<bool> {
    let [.., tail] = TAILS;
    let (mut file, len) = open(path)?;
    let from = len.saturating_sub(tail);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(2 * tail).read_to_end(&mut bytes)?;
    Ok(crate::supervisor::transcript::has_costs(&bytes))
}

/// How many error lines of this time or later stand at the end of a transcript.
pub(super) fn read_errors_since(path: &Path, unix_ms: u64) -> io::Result<u32> {
    let [.., tail] = TAILS;
    let (mut file, len) = open(path)?;
    let from = len.saturating_sub(tail);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(2 * tail).read_to_end(&mut bytes)?;
    Ok(errors_since(&bytes, from == 0, unix_ms))
}

#[cfg(test)]
mod odd;

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0b6f34c5-0c7a-4a1e-9b57-d6f1a8f2c001";
    const OTHER: &str = "0b6f34c5-0c7a-4a1e-9b57-d6f1a8f2c002";

    struct Home {
        dir: tempfile::TempDir,
        locator: Locator,
    }

    /// A config folder whose CLI is this very process: it is alive, and its terminal session is known.
    fn home() -> Home {
        let dir = tempfile::tempdir().expect("a folder");
        let cwd = PathBuf::from("/home/dev/my proj");
        let pid = rustix::process::getpid();
        let session = session_of(None).expect("a session");
        let locator = Locator::new(dir.path().to_owned(), cwd, pid, session, 10_000);
        Home { dir, locator }
    }

    impl Home {
        fn write(&self, path: &str, text: &str) -> PathBuf {
            let path = self.dir.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            fs::write(&path, text).expect("a file");
            path
        }

        fn session(&self, pid: Pid, id: &str, cwd: &str, started_at: u64) {
            let pid = pid.as_raw_nonzero();
            self.write(
                &format!("sessions/{pid}.json"),
                &format!(
                    r#"{{"pid":{pid},"sessionId":"{id}","cwd":"{cwd}","startedAt":{started_at},"status":"idle"}}"#
                ),
            );
        }

        fn found(&self) -> Option<PathBuf> {
            self.locator
                .file(None, self.locator.session().as_ref())
                .ok()
        }
    }

    #[test]
    fn what_the_hook_names_counts_until_the_cli_is_elsewhere() {
        let home = home();
        let named = Path::new("/elsewhere").join(format!("{ID}.jsonl"));
        let file = || {
            let session = home.locator.session();
            home.locator.file(Some(&named), session.as_ref())
        };
        assert_eq!(file(), Ok(named.clone()), "no session file");
        home.session(home.locator.child, ID, "/home/dev/my proj", 10_500);
        assert_eq!(file(), Ok(named.clone()), "the same session");
        home.session(home.locator.child, OTHER, "/home/dev/my proj", 10_500);
        assert_eq!(file(), Err(Report::Pending), "/clear");
        let other = home.write(&format!("projects/-home-dev-my-proj/{OTHER}.jsonl"), "");
        assert_eq!(file(), Ok(other), "/resume");
    }

    #[test]
    fn the_session_file_names_the_transcript_and_is_read_anew() {
        let home = home();
        assert_eq!(home.locator.look(None).0, Report::Unknown);
        home.session(home.locator.child, ID, "/home/dev/my proj", 10_500);
        assert_eq!(
            home.locator.look(None).0,
            Report::Pending,
            "named, not there yet"
        );
        let first = home.write(&format!("projects/-home-dev-my-proj/{ID}.jsonl"), "");
        let second = home.write(&format!("projects/-home-dev-my-proj/{OTHER}.jsonl"), "");
        assert_eq!(home.found(), Some(first));
        home.session(home.locator.child, OTHER, "/home/dev/my proj", 10_500);
        assert_eq!(home.found(), Some(second));
        assert_eq!(home.locator.look(None).0, Report::Pending, "no turn in it");
    }

    #[test]
    fn a_transcript_elsewhere_is_found_by_its_id() {
        let home = home();
        home.session(home.locator.child, ID, "/home/dev/other", 10_500);
        let file = home.write(&format!("projects/-some-other-name/{ID}.jsonl"), "");
        assert_eq!(home.found(), Some(file));
    }

    #[test]
    fn stale_and_foreign_session_files_do_not_count() {
        let mut home = home();
        let file = home.write(&format!("projects/-home-dev-my-proj/{ID}.jsonl"), "");
        home.write(&format!("projects/-home-dev-my-proj/{OTHER}.jsonl"), "");
        home.session(home.locator.child, ID, "/home/dev/my proj", 8_000);
        assert!(home.locator.session().is_none(), "started before our child");
        home.session(
            home.locator.child,
            "../../secret",
            "/home/dev/my proj",
            10_500,
        );
        assert!(home.locator.session().is_none(), "no id");

        // Behind a launcher: our child is one process, the CLI another.
        let cli = home.locator.child;
        home.session(cli, ID, "/home/dev/my proj", 10_500);
        home.locator.child = Pid::from_raw(i32::MAX).expect("a number");
        assert_eq!(home.found(), Some(file));
        home.locator.session = led_by(home.locator.child);
        assert!(home.locator.session().is_none(), "another terminal's");
    }

    #[test]
    fn by_times_only_where_there_is_one_transcript_of_a_session() {
        let mut home = home();
        let file = home.write(&format!("projects/-home-dev-my-proj/{ID}.jsonl"), "");
        home.write("projects/-home-dev-my-proj/agent-0a1b.jsonl", "");
        home.write("projects/-home-dev-my-proj/notes.txt", "");
        assert_eq!(home.found(), Some(file.clone()));
        let modified = modified_unix_ms(&fs::metadata(&file).expect("it"));
        home.locator.spawned_unix_ms = modified + 1;
        assert_eq!(home.found(), None, "written before the start");
        home.locator.spawned_unix_ms = modified;
        home.write(&format!("projects/-home-dev-my-proj/{OTHER}.jsonl"), "");
        assert_eq!(home.found(), None, "whose is whose?");
    }

    #[test]
    fn what_is_no_file_is_never_read() {
        let home = home();
        home.session(home.locator.child, ID, "/home/dev/my proj", 10_500);
        let path = home
            .dir
            .path()
            .join(format!("projects/-home-dev-my-proj/{ID}.jsonl"));
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        let made = std::process::Command::new("mkfifo")
            .arg(&path)
            .status()
            .expect("mkfifo");
        assert!(made.success());
        assert_eq!(home.locator.look(None).0, Report::Pending);
    }

    #[test]
    fn folders_are_named_as_the_cli_names_them() {
        assert_eq!(
            folder_name(Path::new("/tmp/pr\u{f6}\u{1f600}be-2.1/proj")),
            "-tmp-pr---be-2-1-proj"
        );
    }
}
