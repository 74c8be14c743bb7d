//! The CLI's debug log, from which [`crate::supervisor::retry_after`] reads: a private file of ours, or the
//! user's own.
//!
//! The CLI opens it anew for each record and appends (2.1.145, 2.1.330), so it may be cut while the CLI runs.
//! Beside it the CLI makes a link `latest`. Where the folder is gone it goes on without a word.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::OFlags;
use rustix::process::{Pid, geteuid, test_kill_process};

use super::transcript::open;

/// What makes the CLI's API client log each response.
pub(super) const LOG_VAR: &str = "ANTHROPIC_LOG";
/// Its value for that.
pub(super) const LOG_LEVEL: &str = "debug";
/// The CLI's flag. Of two the first counts.
const FLAG: &str = "--debug-file";
/// So much of the end is read: some eighty requests.
const TAIL: u64 = 256 * 1024;
/// A file of this size is emptied.
const MAX_BYTES: u64 = 1024 * 1024;
/// How often its size is looked at, at the most.
const CHECK_EVERY: Duration = Duration::from_mins(1);
/// It is emptied only where nothing was written for so long: the response that a turn fails with is read
/// sooner than that.
const AT_REST: Duration = Duration::from_secs(1);

/// Where the CLI logs to.
#[derive(Debug)]
pub(super) struct DebugFile {
    path: PathBuf,
    /// The folder that is ours, and goes with us.
    folder: Option<PathBuf>,
    checked: Option<Instant>,
}

/// Whose file it is.
#[derive(Debug, PartialEq, Eq)]
enum Whose {
    Ours,
    Theirs(PathBuf),
}

impl DebugFile {
    /// The file for a CLI with these arguments; the error says in words why there is none.
    pub(super) fn new(args: &[OsString]) -> Result<Self, String> {
        match whose(args, super::env(LOG_VAR).as_deref())? {
            Whose::Ours => Self::create(&places()),
            Whose::Theirs(path) => Ok(Self {
                path,
                folder: None,
                checked: None,
            }),
        }
    }

    /// Makes a file in the first of these places where that can be done.
    fn create(places: &[PathBuf]) -> Result<Self, String> {
        let mut why = "no place for a private file is known".to_owned();
        for place in places {
            match create_in(place) {
                Ok((path, folder)) => {
                    return Ok(Self {
                        path,
                        folder: Some(folder),
                        checked: None,
                    });
                }
                Err(error) => why = format!("no private file in {}: {error}", place.display()),
            }
        }
        Err(why)
    }

    /// What comes before the user's own arguments.
    pub(super) fn args(&self) -> Vec<OsString> {
        match self.folder {
            Some(_) => vec![FLAG.into(), self.path.clone().into()],
            None => Vec::new(),
        }
    }

    /// The end of the file.
    pub(super) fn tail(&self) -> io::Result<Vec<u8>> {
        let (mut file, len) = open(&self.path)?;
        file.seek(SeekFrom::Start(len.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(2 * TAIL).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Empties our file when it has grown large; to be called now and then. A fault leaves it as it is.
    pub(super) fn keep_short(&mut self, now: Instant) {
        let due = self.checked.is_none_or(|at| now >= at + CHECK_EVERY);
        if self.folder.is_some() && due && self.try_keep_short(MAX_BYTES).unwrap_or(true) {
            self.checked = Some(now);
        }
    }

    /// False where it is large, but not at rest.
    fn try_keep_short(&self, max_bytes: u64) -> io::Result<bool> {
        let meta = fs::symlink_metadata(&self.path)?;
        if !meta.is_file() || meta.len() <= max_bytes {
            return Ok(true);
        }
        if !is_at_rest(meta.modified()?) {
            return Ok(false);
        }
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = OpenOptions::new()
            .write(true)
            .custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
            .open(&self.path)?;
        file.set_len(0)?;
        Ok(true)
    }
}

impl Drop for DebugFile {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "compared with a file's time")]
fn is_at_rest(modified: SystemTime) -> bool {
    // A file from the future is not worth waiting for.
    let age = SystemTime::now().duration_since(modified);
    age.map_or(true, |age| age >= AT_REST)
}

/// What the user asked for is kept: their file, their debug log, their level.
fn whose(args: &[OsString], level: Option<&OsStr>) -> Result<Whose, String> {
    if level.is_some_and(|level| level != LOG_LEVEL) {
        return Err(format!(
            "{LOG_VAR} is set to something else than {LOG_LEVEL}"
        ));
    }
    let mut own = args.iter().take_while(|arg| *arg != "--");
    while let Some(arg) = own.next() {
        let bytes = arg.as_bytes();
        if bytes == FLAG.as_bytes() {
            let file = own.next().ok_or("--debug-file has no value")?;
            return Ok(Whose::Theirs(file.into()));
        }
        if let Some(file) = bytes.strip_prefix(b"--debug-file=") {
            return Ok(Whose::Theirs(OsStr::from_bytes(file).into()));
        }
        let short = bytes
            .strip_prefix(b"-")
            .and_then(|short| short.iter().find(|byte| !b"chv".contains(byte)));
        if bytes.starts_with(b"--debug") || short == Some(&b'd') {
            // Ours would take it away from where the CLI puts it.
            return Err("the CLI's own debug log is asked for".into());
        }
    }
    // Some verbs are only seen as the very first argument: behind a flag `claude attach` is a prompt.
    let verb = args.first().is_some_and(|first| {
        let first = first.as_bytes();
        !first.starts_with(b"-") && !first.iter().any(u8::is_ascii_whitespace)
    });
    if verb {
        return Err("the first argument may be a verb of the CLI".into());
    }
    Ok(Whose::Ours)
}

/// Where a private folder of ours may be, the best first.
fn places() -> Vec<PathBuf> {
    use etcetera::BaseStrategy as _;
    let runtime = super::env("XDG_RUNTIME_DIR").map(PathBuf::from);
    let runtime = runtime.filter(|folder| folder.is_absolute());
    let state = etcetera::base_strategy::Xdg::new()
        .ok()
        .and_then(|dirs| dirs.state_dir());
    let runtime = runtime.map(|folder| folder.join("claude-retry"));
    let state = state.map(|folder| folder.join("claude-retry/run"));
    runtime.into_iter().chain(state).collect()
}

/// Makes `<place>/<pid>-<random>/debug.log`: the file and its folder.
fn create_in(place: &Path) -> io::Result<(PathBuf, PathBuf)> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(place)?;
    let meta = fs::symlink_metadata(place)?;
    if !meta.is_dir() || meta.uid() != geteuid().as_raw() || meta.mode() & 0o022 != 0 {
        return Err(io::Error::other("others may write there"));
    }
    let name = format!("{}-{:016x}", std::process::id(), rand::random::<u64>());
    let folder = place.join(name);
    DirBuilder::new().mode(0o700).create(&folder)?;
    let path = folder.join("debug.log");
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path);
    match made {
        Ok(_) => Ok((path, folder)),
        Err(error) => {
            let _ = fs::remove_dir(&folder);
            Err(error)
        }
    }
}

/// Removes what wrappers that were killed have left.
pub(super) fn sweep() {
    for place in places() {
        sweep_in(&place);
    }
}

fn sweep_in(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else {
        return;
    };
    for entry in entries.flatten() {
        let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if folder && owner(&entry.file_name()).is_some_and(is_dead) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The process in `<pid>-<16 hexadecimal digits>`.
fn owner(name: &OsStr) -> Option<Pid> {
    let (pid, random) = name.to_str()?.split_once('-')?;
    let random = random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    random.then(|| Pid::from_raw(pid.parse().ok()?))?
}

fn is_dead(pid: Pid) -> bool {
    test_kill_process(pid) == Err(rustix::io::Errno::SRCH)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn os(args: &[&str]) -> Vec<OsString> {
        args.iter().map(OsString::from).collect()
    }

    fn whose_of(args: &[&str]) -> Result<Whose, String> {
        whose(&os(args), None)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it").permissions().mode() & 0o777
    }

    /// A number that no process has.
    const NOBODY: &str = "2147483647-0123456789abcdef";

    #[test]
    fn a_file_of_ours_unless_something_else_was_asked_for() {
        for args in [
            &[][..],
            &["-c"],
            &["--resume", "abc"],
            &["fix the tests"],
            &["--", "-d"],
            &["--model", "debug"],
        ] {
            assert_eq!(whose_of(args), Ok(Whose::Ours), "{args:?}");
        }
        for args in [
            &["--debug-file", "a.log"][..],
            &["-c", "--debug-file=a.log"],
            &["--debug-file", "a.log", "-d"],
            &["--debug-file", "a.log", "--debug-file", "b.log"],
        ] {
            assert_eq!(
                whose_of(args),
                Ok(Whose::Theirs("a.log".into())),
                "{args:?}"
            );
        }
        for args in [
            &["-d"][..],
            &["-cd"],
            &["-dapi"],
            &["--debug"],
            &["--debug=api"],
            &["--debug-to-stderr"],
            &["-c", "--debug"],
            &["--debug-file"],
            &["attach", "abc"],
            &["mcp", "list"],
        ] {
            assert!(whose_of(args).is_err(), "{args:?}");
        }
    }

    #[test]
    fn another_level_of_the_users_is_kept() {
        assert!(whose(&[], Some("info".as_ref())).is_err());
        assert_eq!(whose(&[], Some("debug".as_ref())), Ok(Whose::Ours));
    }

    #[test]
    fn the_file_is_private_and_goes_with_its_owner() {
        let tmp = tempfile::tempdir().expect("a folder");
        let place = tmp.path().join("claude-retry");
        let debug = DebugFile::create(std::slice::from_ref(&place)).expect("a file");
        let folder = debug.folder.clone().expect("a folder");
        assert_eq!(mode(&debug.path), 0o600);
        assert_eq!((mode(&folder), mode(&place)), (0o700, 0o700));
        assert_eq!(
            debug.args(),
            os(&["--debug-file", debug.path.to_str().expect("text")])
        );
        // As the CLI does.
        symlink(&debug.path, folder.join("latest")).expect("a link");
        drop(debug);
        assert!(!folder.exists());
        assert!(place.exists());
    }

    #[test]
    fn the_next_place_is_taken_where_the_first_is_no_good() {
        let tmp = tempfile::tempdir().expect("a folder");
        let (shared, file) = (tmp.path().join("shared"), tmp.path().join("file"));
        fs::create_dir(&shared).expect("a folder");
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).expect("its mode");
        fs::write(&file, "").expect("a file");
        let bad = [shared, file.join("below")];
        let why = DebugFile::create(&bad).expect_err("no place");
        assert!(why.contains("file/below"), "{why}");
        let good = tmp.path().join("good");
        let places = [&bad[..], std::slice::from_ref(&good)].concat();
        let debug = DebugFile::create(&places).expect("a file");
        assert!(debug.path.starts_with(good));
    }

    #[test]
    fn a_file_of_the_users_is_read_and_never_touched() {
        let tmp = tempfile::tempdir().expect("a folder");
        let path = tmp.path().join("a.log");
        fs::write(&path, "words").expect("a file");
        let args = os(&["--debug-file", path.to_str().expect("text")]);
        let mut debug = DebugFile::new(&args).expect("theirs");
        assert!(debug.args().is_empty());
        assert_eq!(debug.tail().expect("it"), b"words");
        debug.keep_short(super::super::clock::Clock::instant());
        drop(debug);
        assert_eq!(fs::read(path).expect("it"), b"words");
    }

    #[test]
    fn only_the_end_is_read_and_what_is_no_file_is_not() {
        let tmp = tempfile::tempdir().expect("a folder");
        let debug = DebugFile::create(&[tmp.path().join("place")]).expect("a file");
        let len = usize::try_from(TAIL).expect("small");
        let mut bytes = vec![b'x'; len];
        bytes.extend(b"end");
        fs::write(&debug.path, &bytes).expect("a file");
        let tail = debug.tail().expect("it");
        assert!(tail.len() == len && tail.ends_with(b"end"));

        fs::remove_file(&debug.path).expect("it was there");
        assert!(debug.tail().is_err(), "vanished");
        assert!(debug.try_keep_short(0).is_err());
        fs::create_dir(&debug.path).expect("a folder in its place");
        assert!(debug.tail().is_err(), "replaced");
        fs::remove_dir(&debug.path).expect("it was there");
        let made = std::process::Command::new("mkfifo")
            .arg(&debug.path)
            .status();
        assert!(made.expect("mkfifo").success());
        assert!(debug.tail().is_err(), "a pipe");
    }

    #[test]
    fn a_large_file_at_rest_is_emptied_under_the_writer() {
        let tmp = tempfile::tempdir().expect("a folder");
        let debug = DebugFile::create(&[tmp.path().join("place")]).expect("a file");
        let append = || {
            let mut file = OpenOptions::new().append(true).open(&debug.path);
            let file = file.as_mut().expect("it");
            file.write_all(b"12345").expect("room");
            file.try_clone().expect("a copy")
        };
        let file = append();
        assert!(!debug.try_keep_short(4).expect("it"), "just written");
        assert!(debug.try_keep_short(5).expect("it"), "not large");
        assert_eq!(fs::read(&debug.path).expect("it"), b"12345");
        file.set_modified(SystemTime::UNIX_EPOCH).expect("a time");
        assert!(debug.try_keep_short(4).expect("it"));
        append();
        assert_eq!(fs::read(&debug.path).expect("it"), b"12345", "no hole");

        // A link in its place is not followed.
        let elsewhere = tmp.path().join("elsewhere");
        fs::rename(&debug.path, &elsewhere).expect("moved");
        symlink(&elsewhere, &debug.path).expect("a link");
        assert!(debug.try_keep_short(0).expect("a link"));
        assert_eq!(fs::read(elsewhere).expect("it"), b"12345");
    }

    #[test]
    fn what_dead_wrappers_left_is_swept_and_nothing_else() {
        let tmp = tempfile::tempdir().expect("a folder");
        let living = format!("{}-0123456789abcdef", std::process::id());
        let others = [living.as_str(), "notes", "2147483647-", "2147483647-0123"];
        for name in others.iter().chain([&NOBODY]) {
            fs::create_dir(tmp.path().join(name)).expect("a folder");
        }
        fs::write(tmp.path().join(NOBODY).join("debug.log"), "").expect("a file");
        let target = tmp.path().join("target");
        fs::create_dir(&target).expect("a folder");
        let link = tmp.path().join("2147483647-fedcba9876543210");
        symlink(&target, &link).expect("a link");
        sweep_in(tmp.path());
        assert!(!tmp.path().join(NOBODY).exists());
        assert!(others.iter().all(|name| tmp.path().join(name).exists()));
        assert!(target.exists() && link.exists());
    }
}
