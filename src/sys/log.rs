//! The log: JSON lines, appended.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::guarded;
use super::plain_file::open_to_read;

/// A file of this size is rotated.
const MAX_BYTES: u64 = 10 * 1024 * 1024;
/// So many old files are kept: `log.1` (the newest) to `log.5`.
const KEPT: u32 = 5;

/// A log that many processes may share. A record is one append; a fault never disturbs the session: the
/// record is lost, the next one tries anew.
#[derive(Debug)]
pub struct Log {
    path: Option<PathBuf>,
    file: Option<File>,
    /// The last record may stand there by half: the disk was full.
    torn: bool,
    max_bytes: u64,
}

impl Log {
    /// A log into this file, or none. Nothing is opened before the first record.
    pub fn new(path: Option<PathBuf>) -> Self {
        Self {
            path,
            file: None,
            torn: false,
            max_bytes: MAX_BYTES,
        }
    }

    /// Appends a record, with the time (RFC 3339, UTC, milliseconds) and our process before it.
    pub fn append(&mut self, record: &Value) {
        let Some(path) = self.path.clone() else {
            return;
        };
        // A panic loses the record too, and no more than that.
        let appended = guarded::catch(|| self.try_append(&path, record));
        if !matches!(appended, Ok(Ok(()))) {
            self.file = None;
        }
    }

    fn try_append(&mut self, path: &Path, record: &Value) -> io::Result<()> {
        crate::fault::point("log");
        let mut line = serde_json::to_vec(&with_time(record))?;
        line.push(b'\n');
        if self.torn {
            line.insert(0, b'\n');
        }
        let mut file = match self.file.take() {
            // Another process has rotated it.
            Some(file) if is_at(&file, path) => file,
            _ => open(path)?,
        };
        if file.metadata()?.len() >= self.max_bytes {
            rotate(&file, path)?;
            file = open(path)?;
        }
        self.torn = true;
        file.write_all(&line)?;
        self.torn = false;
        self.file = Some(file);
        Ok(())
    }
}

fn with_time(record: &Value) -> Value {
    let now = jiff::Timestamp::now();
    let mut line = Map::new();
    line.insert("time".into(), format!("{now:.3}").into());
    line.insert("pid".into(), std::process::id().into());
    match record {
        Value::Object(fields) => line.extend(fields.clone()),
        other => {
            line.insert("record".into(), other.clone());
        }
    }
    Value::Object(line)
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let nonblock = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(i32::try_from(nonblock.bits()).unwrap_or_default())
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        // A pipe or a device could block us.
        Err(io::ErrorKind::InvalidInput.into())
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    matches!((file.metadata(), fs::metadata(path)),
        (Ok(open), Ok(there)) if (open.dev(), open.ino()) == (there.dev(), there.ino()))
}

/// Renames `log` to `log.1` and so on. Under a lock on the full file itself: of many processes that see it
/// full, the first renames it, and for the others it is no longer at its path.
fn rotate(full: &File, path: &Path) -> io::Result<()> {
    full.lock()?;
    if is_at(full, path) {
        for n in (1..KEPT).rev() {
            let _ = fs::rename(numbered(path, n), numbered(path, n + 1));
        }
        fs::rename(path, numbered(path, 1))?;
    }
    full.unlock()
}

/// The log and its old files that are there, the oldest first, opened all at once: what is rotated while
/// they are read is read all the same, and only once.
///
/// # Errors
///
/// The first file's that is there and cannot be opened, with its path.
pub fn open_all(path: &Path) -> Result<Vec<File>, (PathBuf, io::Error)> {
    let mut files: Vec<File> = Vec::new();
    // The newest first: a file that is rotated meanwhile is then seen twice, and not missed.
    let paths = (1..=KEPT).map(|n| numbered(path, n));
    for path in std::iter::once(path.to_owned()).chain(paths) {
        let file = match open_to_read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err((path, error)),
        };
        if !files.iter().any(|other| is_same(other, &file)) {
            files.push(file);
        }
    }
    files.reverse();
    Ok(files)
}

fn is_same(a: &File, b: &File) -> bool {
    matches!((a.metadata(), b.metadata()),
        (Ok(a), Ok(b)) if (a.dev(), a.ino()) == (b.dev(), b.ino()))
}

fn numbered(path: &Path, n: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_is_a_line_with_time_and_process_in_a_private_file() {
        let tmp = tempfile::tempdir().expect("a folder");
        let path = tmp.path().join("state/log.jsonl");
        let mut log = Log::new(Some(path.clone()));
        assert!(!path.exists());
        log.append(&json!({ "event": "start" }));
        log.append(&json!({ "event": "end", "code": 3 }));
        let text = fs::read_to_string(&path).expect("the log");
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(lines[1]["code"], 3);
        assert_eq!(lines[0]["pid"], std::process::id());
        let time = lines[0]["time"].as_str().expect("a time");
        assert!(time.parse::<jiff::Timestamp>().is_ok());
        assert!(
            time.ends_with('Z') && time.len() == "2026-01-01T00:00:00.000Z".len(),
            "{time}"
        );
        let mode = |path: &Path| fs::metadata(path).expect("it").permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().expect("a folder")), 0o700);
    }

    #[test]
    fn many_writers_lose_and_tear_nothing_while_it_rotates() {
        let tmp = tempfile::tempdir().expect("a folder");
        let path = tmp.path().join("log");
        std::thread::scope(|scope| {
            for writer in 0..25 {
                let path = path.clone();
                scope.spawn(move || {
                    let mut log = Log::new(Some(path));
                    log.max_bytes = 16 * 1024;
                    for n in 0..30 {
                        log.append(&json!({ "writer": writer, "n": n }));
                    }
                });
            }
        });
        let mut seen = std::collections::BTreeSet::new();
        let files = (1..=KEPT).map(|n| numbered(&path, n)).chain([path.clone()]);
        let mut count = 0;
        for file in files.filter(|file| file.exists()) {
            count += 1;
            for line in fs::read_to_string(file).expect("a log").lines() {
                let line: Value = serde_json::from_str(line).expect("a whole line");
                seen.insert((line["writer"].as_u64(), line["n"].as_u64()));
            }
        }
        assert!(count > 1, "it never rotated");
        assert_eq!(seen.len(), 25 * 30);
    }

    #[test]
    fn only_so_many_old_files_are_kept() {
        let tmp = tempfile::tempdir().expect("a folder");
        let path = tmp.path().join("log");
        let mut log = Log::new(Some(path.clone()));
        log.max_bytes = 1;
        for n in 0..20 {
            log.append(&json!({ "n": n }));
        }
        assert_eq!(fs::read_dir(tmp.path()).expect("the folder").count(), 6);
        assert!(
            fs::read_to_string(numbered(&path, 5))
                .expect("the oldest")
                .contains("\"n\":14")
        );
    }

    #[test]
    fn all_files_are_read_oldest_first_and_a_file_with_two_names_once() {
        use std::io::Read as _;
        let tmp = tempfile::tempdir().expect("a folder");
        let path = tmp.path().join("log");
        let read = || {
            let mut text = String::new();
            for mut file in open_all(&path).expect("the files") {
                file.read_to_string(&mut text).expect("text");
            }
            text
        };
        assert_eq!(read(), "");
        fs::write(&path, "new ").expect("a file");
        fs::write(numbered(&path, 1), "old ").expect("a file");
        fs::write(numbered(&path, 5), "oldest ").expect("a file");
        assert_eq!(read(), "oldest old new ");
        fs::hard_link(&path, numbered(&path, 2)).expect("a second name");
        assert_eq!(read(), "oldest old new ");
        fs::create_dir(numbered(&path, 3)).expect("a folder");
        assert_eq!(open_all(&path).expect_err("no file").0, numbered(&path, 3));
    }

    #[test]
    fn a_fault_disturbs_nobody_and_does_not_last() {
        let tmp = tempfile::tempdir().expect("a folder");
        let path = tmp.path().join("log");
        fs::create_dir(&path).expect("a folder in its way");
        let mut log = Log::new(Some(path.clone()));
        log.append(&json!({ "n": 0 }));
        fs::remove_dir(&path).expect("out of the way");
        log.append(&json!({ "n": 1 }));
        assert!(
            fs::read_to_string(&path)
                .expect("the log")
                .contains("\"n\":1")
        );
        Log::new(None).append(&json!({}));
    }

    #[test]
    fn half_a_record_spoils_no_other() {
        let tmp = tempfile::tempdir().expect("a folder");
        let path = tmp.path().join("log");
        let mut log = Log::new(Some(path.clone()));
        log.append(&json!({ "n": 0 }));
        // The disk was full in the middle of a record.
        log.torn = true;
        let mut file = OpenOptions::new().append(true).open(&path).expect("it");
        file.write_all(b"{\"time\":\"2026").expect("a half");
        log.append(&json!({ "n": 1 }));
        log.append(&json!({ "n": 2 }));
        let text = fs::read_to_string(&path).expect("the log");
        let whole = |line: &str| serde_json::from_str::<Value>(line).ok()?["n"].as_u64();
        let seen: Vec<_> = text.lines().filter_map(whole).collect();
        assert_eq!(seen, [0, 1, 2], "{text}");
    }
}
