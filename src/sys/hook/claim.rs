//! One hook an error: the CLI runs a hook as often as it is installed (for the user and for the project).

use std::ffi::OsString;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::supervisor::alone::Claim;

/// A claim is of no use any more after this time, in milliseconds: a day.
const KEPT_MS: u64 = 24 * 3600 * 1000;

/// Are we the first to act on this error of this session?
///
/// The claim stays when we have ended: an error is acted on once, however late another hook for it starts.
/// Claims of days gone by are removed on the way.
pub(super) fn claim(session: &str, uuid: &str, now_ms: u64) -> Claim {
    if !is_plain(session) || !is_plain(uuid) {
        return Claim::Impossible;
    }
    claim_in_first(&folders(), &format!("{session}-{uuid}"), now_ms)
}

/// The same in the folder of a hook that would run in this environment.
pub(in crate::sys) fn claim_as(
    environment: &dyn Fn(&str) -> Option<OsString>,
    session: &str,
    uuid: &str,
    now_ms: u64,
) -> Claim {
    if !is_plain(session) || !is_plain(uuid) {
        return Claim::Impossible;
    }
    let folders = folders_of(environment);
    claim_in_first(&folders, &format!("{session}-{uuid}"), now_ms)
}

/// What [`folders`] would give there: etcetera reads our own environment alone.
fn folders_of(environment: &dyn Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    // A folder of XDG's that is not absolute does not count, by its specification.
    let absolute = |name| {
        environment(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let runtime = absolute("XDG_RUNTIME_DIR").filter(|dir| dir.is_dir());
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| Some(PathBuf::from(environment("HOME")?).join(".local/state")));
    let bases = runtime.into_iter().chain(state);
    bases.map(|base| base.join("claude-retry/hook")).collect()
}

/// Has a hook claimed this error?
pub(super) fn is_claimed(session: &str, uuid: &str) -> bool {
    let name = format!("{session}-{uuid}");
    is_plain(session)
        && is_plain(uuid)
        && folders().iter().any(|folder| folder.join(&name).exists())
}

/// The hooks of one CLI have one environment, and so take the same folder.
fn folders() -> Vec<PathBuf> {
    use etcetera::BaseStrategy as _;
    let Ok(dirs) = etcetera::base_strategy::Xdg::new() else {
        return Vec::new();
    };
    let runtime = dirs.runtime_dir().filter(|dir| dir.is_dir());
    let bases = runtime.into_iter().chain(dirs.state_dir());
    bases.map(|base| base.join("claude-retry/hook")).collect()
}

fn claim_in_first(folders: &[PathBuf], name: &str, now_ms: u64) -> Claim {
    for folder in folders {
        match claim_in(folder, name, now_ms) {
            Ok(()) => return Claim::Ours,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Claim::Taken,
            Err(_) => {}
        }
    }
    Claim::Impossible
}

/// Fit for a file's name.
fn is_plain(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 64
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn claim_in(folder: &Path, name: &str, now_ms: u64) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(folder.join(name))?;
    sweep(folder, now_ms);
    Ok(())
}

fn sweep(folder: &Path, now_ms: u64) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|meta| meta.modified());
        let age = modified
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        if age.is_some_and(|at| at.saturating_add(KEPT_MS) < now_ms) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now_ms() -> u64 {
        crate::sys::clock::unix_ms()
    }

    #[test]
    fn the_folders_are_the_same_as_by_our_own_environment() {
        assert_eq!(folders_of(&|name| std::env::var_os(name)), folders());
    }

    #[test]
    fn an_error_is_claimed_once() {
        let tmp = tempfile::tempdir().expect("a folder");
        let folder = tmp.path().join("claude-retry/hook");
        assert!(claim_in(&folder, "s-1", now_ms()).is_ok());
        assert!(claim_in(&folder, "s-1", now_ms()).is_err());
        assert!(claim_in(&folder, "s-2", now_ms()).is_ok());
    }

    #[test]
    fn a_folder_that_is_no_good_is_passed_over_and_none_is_not_somebody_elses() {
        let tmp = tempfile::tempdir().expect("a folder");
        let file = tmp.path().join("file");
        fs::write(&file, "").expect("a file");
        let folders = [file.join("hook"), tmp.path().join("hook")];
        let claim = |folders: &[PathBuf]| claim_in_first(folders, "s-1", now_ms());
        assert_eq!(claim(&folders), Claim::Ours);
        assert_eq!(claim(&folders), Claim::Taken);
        assert_eq!(claim(&folders[..1]), Claim::Impossible);
    }

    #[test]
    fn of_many_at_once_one_has_it() {
        let tmp = tempfile::tempdir().expect("a folder");
        let won = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| claim_in(tmp.path(), "s-1", now_ms()).is_ok()))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .filter(|won| *won)
                .count()
        });
        assert_eq!(won, 1);
    }

    #[test]
    fn old_claims_go_and_the_others_stay() {
        let tmp = tempfile::tempdir().expect("a folder");
        claim_in(tmp.path(), "s-1", now_ms()).expect("the claim");
        claim_in(tmp.path(), "s-2", now_ms()).expect("the claim");
        assert!(tmp.path().join("s-1").exists());
        claim_in(tmp.path(), "s-3", now_ms() + KEPT_MS + 60_000).expect("the claim");
        assert!(!tmp.path().join("s-1").exists());
    }

    #[test]
    fn what_is_no_id_is_no_claim() {
        for id in ["", "..", "a/b", "\0"] {
            assert!(!is_plain(id), "{id:?}");
            assert_eq!(claim(id, "u", 0), Claim::Impossible);
            assert_eq!(claim("s", id, 0), Claim::Impossible);
        }
    }
}
