//! Files and folders: the CLI's, our settings, the log.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{Access, OFlags, access};

use super::report::Finding;
use crate::config::Resolved;
use crate::ctl::journal::{Journal, span_text};
use crate::ctl::text::count;
use crate::error::Error;
use crate::sys;

/// Our settings; `file` is where they would be.
pub(super) fn settings(resolved: &Result<Resolved, Error>, file: Option<&Path>) -> Vec<Finding> {
    let resolved = match resolved {
        Ok(resolved) => resolved,
        Err(error) => {
            return vec![Finding::problem(
                "settings",
                error.to_string(),
                "claude-retry does not start until that is mended; below the defaults are taken",
            )];
        }
    };
    let found = match file {
        Some(file) if file.exists() => file.display().to_string(),
        Some(file) => format!("the defaults: there is no {}", file.display()),
        None => "the defaults: nobody knows where config.toml would be, for HOME is not set".into(),
    };
    let mut findings = vec![Finding::ok("settings", found)];
    if !resolved.unknown_env.is_empty() {
        findings.push(Finding::warning(
            "environment",
            format!(
                "no settings of this version: {}",
                resolved.unknown_env.join(", ")
            ),
            "unset them, or spell them as `claude-retry --help` does",
        ));
    }
    findings
}

/// The CLI's own folder, with the transcripts and the sessions that run.
pub(super) fn cli_folder(folder: Option<&Path>) -> Vec<Finding> {
    let Some(folder) = folder else {
        return vec![Finding::problem(
            "transcripts",
            "nobody knows where the CLI keeps them: neither CLAUDE_CONFIG_DIR nor HOME is set",
            "set HOME",
        )];
    };
    let unreadable = |name, path: &Path, error: &io::Error| {
        Finding::problem(
            name,
            format!("{} cannot be read: {error}", path.display()),
            "make it readable; without it an error is told from a quotation of one by the screen alone",
        )
    };
    let projects = folder.join("projects");
    let transcripts = match entries(&projects) {
        Ok(Some(number)) => {
            let number = count(number, "project", "projects");
            Finding::ok("transcripts", format!("{}, {number}", projects.display()))
        }
        Ok(None) => Finding::warning(
            "transcripts",
            format!("there is no {} yet", projects.display()),
            "the CLI makes it at its first turn; if it has run, set CLAUDE_CONFIG_DIR as the CLI has it",
        ),
        Err(error) => unreadable("transcripts", &projects, &error),
    };
    let sessions = folder.join("sessions");
    let running = match entries(&sessions) {
        Ok(Some(_)) => {
            let running = count(sys::running(folder).len(), "runs", "run");
            Finding::ok("sessions", format!("{}, {running} now", sessions.display()))
        }
        Ok(None) => Finding::ok(
            "sessions",
            format!(
                "there is no {} (the CLI makes it since 2.1.145): the transcript is found by folder and time",
                sessions.display()
            ),
        ),
        Err(error) => unreadable("sessions", &sessions, &error),
    };
    vec![transcripts, running]
}

/// How much is in a folder; `None` where there is none.
fn entries(folder: &Path) -> io::Result<Option<usize>> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(Some(entries.flatten().count())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The log.
pub(super) fn log(path: Option<&Path>, now: Timestamp) -> Finding {
    let Some(path) = path else {
        return Finding::warning(
            "log",
            "off: `claude-retry ctl log` and `stats` have nothing to tell",
            "take `log = off` out of the settings",
        );
    };
    let shown = path.display();
    let bad = |why: String| {
        Finding::problem(
            "log",
            format!("{shown} cannot be written: {why}"),
            "make it writable, or name another: `log = \"/path/to/file\"` in config.toml",
        )
    };
    let nonblock = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = {
        use std::os::unix::fs::OpenOptionsExt as _;
        OpenOptions::new()
            .append(true)
            .read(true)
            .custom_flags(nonblock)
            .open(path)
    };
    let (file, meta) = match file.and_then(|file| file.metadata().map(|meta| (file, meta))) {
        Ok((_, meta)) if !meta.is_file() => return bad("it is no plain file".into()),
        Ok(open) => open,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match writable_above(path) {
                Ok(()) => Finding::ok("log", format!("{shown}, which the first record makes")),
                Err(why) => bad(why),
            };
        }
        Err(error) => return bad(error.to_string()),
    };
    let mut text = format!("{shown}, {}", size(meta.len()));
    if let Ok(Some(last)) = last_record(file, meta.len()) {
        let ms = u64::try_from(now.duration_since(last).as_millis()).unwrap_or_default();
        let _ = write!(text, ", the last record {} ago", span_text(ms));
    }
    let mode = meta.mode() & 0o777;
    if mode & 0o077 != 0 {
        let text = format!("{text}; its mode {mode:04o} lets others at it");
        return Finding::warning("log", text, format!("chmod 600 {shown}"));
    }
    Finding::ok("log", text)
}

/// May the file be made, with the folders to it?
fn writable_above(path: &Path) -> Result<(), String> {
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    for folder in path.ancestors().skip(1) {
        match fs::metadata(folder) {
            Ok(meta) if !meta.is_dir() => return Err(format!("{} is no folder", folder.display())),
            Ok(_) => {
                return access(folder, Access::WRITE_OK | Access::EXEC_OK)
                    .map_err(|error| format!("{}: {}", folder.display(), io::Error::from(error)));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{}: {error}", folder.display())),
        }
    }
    Ok(())
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => count(usize::try_from(bytes).unwrap_or_default(), "byte", "bytes"),
        1024..1_048_576 => format!("{} kB", bytes / 1024),
        _ => format!("{}.{} MB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20),
    }
}

/// The time of the last record, by the end of the file.
fn last_record(mut file: File, len: u64) -> io::Result<Option<Timestamp>> {
    const TAIL: u64 = 64 * 1024;
    file.seek(SeekFrom::Start(len.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    let journal = Journal::of_bytes(&tail);
    Ok(journal.records.iter().map(|record| record.at).max())
}

/// Where the companion hook would live.
pub(super) fn companion(probe: &io::Result<PathBuf>, off: bool) -> Finding {
    match probe {
        _ if off => Finding::ok(
            "companion hook",
            "off by `hook = off`: a prompt that is not free is not resumed",
        ),
        Ok(place) => Finding::ok(
            "companion hook",
            format!("its folder and socket can be made in {}", place.display()),
        ),
        Err(error) => Finding::warning(
            "companion hook",
            format!("there would be none: {error}"),
            "set XDG_RUNTIME_DIR or HOME to a folder of yours with a short path; until then it types only",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::ctl::doctor::report::Status;

    fn now() -> Timestamp {
        "2026-11-24T10:05:00Z".parse().expect("a time")
    }

    fn private(path: &Path, text: &str, mode: u32) {
        fs::write(path, text).expect("a file");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
    }

    #[test]
    fn a_log_is_private_and_tells_its_age() {
        let tmp = tempfile::tempdir().expect("a folder");
        let path = tmp.path().join("log");
        let record = "{\"time\":\"2026-11-24T10:00:00.000Z\",\"pid\":1,\"event\":\"end\"}\n";
        private(&path, record, 0o600);
        let finding = log(Some(&path), now());
        assert_eq!(finding.status, Status::Ok, "{finding:?}");
        assert!(
            finding.found.ends_with("58 bytes, the last record 5m ago"),
            "{}",
            finding.found
        );
        private(&path, record, 0o640);
        let finding = log(Some(&path), now());
        assert_eq!(finding.status, Status::Warning);
        assert!(finding.found.contains("0640"), "{}", finding.found);
    }

    #[test]
    fn a_log_that_cannot_be_written_is_a_problem_and_one_that_is_not_there_yet_is_none() {
        let tmp = tempfile::tempdir().expect("a folder");
        let new = tmp.path().join("state/claude-retry/log");
        assert_eq!(log(Some(&new), now()).status, Status::Ok);
        private(&tmp.path().join("state"), "", 0o600);
        assert_eq!(log(Some(&new), now()).status, Status::Problem);
        assert_eq!(log(Some(tmp.path()), now()).status, Status::Problem);
        assert_eq!(log(None, now()).status, Status::Warning);
    }

    #[test]
    fn the_clis_folders_may_not_be_there_yet_but_must_be_readable() {
        let tmp = tempfile::tempdir().expect("a folder");
        let of = |folder: &Path| {
            cli_folder(Some(folder))
                .iter()
                .map(|f| f.status)
                .collect::<Vec<_>>()
        };
        assert_eq!(of(tmp.path()), [Status::Warning, Status::Ok]);
        fs::create_dir(tmp.path().join("projects")).expect("a folder");
        fs::create_dir(tmp.path().join("sessions")).expect("a folder");
        assert_eq!(of(tmp.path()), [Status::Ok, Status::Ok]);
        let file = tmp.path().join("file");
        private(&file, "", 0o600);
        assert_eq!(of(&file), [Status::Problem, Status::Problem]);
        assert_eq!(cli_folder(None)[0].status, Status::Problem);
    }

    #[test]
    fn broken_settings_are_a_problem_with_the_place() {
        let error = Error::Syntax {
            path: "/x/config.toml".into(),
            line: 3,
            message: "unclosed".into(),
        };
        let findings = settings(&Err(error), None);
        assert_eq!(findings[0].status, Status::Problem);
        assert!(findings[0].found.starts_with("/x/config.toml:3"));
    }

    #[test]
    fn sizes_are_rounded_down() {
        let sizes = [1, 2000, 1_572_864, 10_485_760].map(size);
        assert_eq!(sizes, ["1 byte", "1 kB", "1.5 MB", "10.0 MB"]);
    }
}
