//! Private folders of wrappers that run: for what a wrapper shares with the CLI below it.
//!
//! One lies in `$XDG_RUNTIME_DIR/claude-retry/`, else in the state folder under `run/`, named
//! `HOST-PID-RANDOM`. It goes with its wrapper; what a killed one left is swept by the next.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, geteuid, test_kill_process};

/// The file that a living wrapper has locked.
const LOCK: &str = "lock";
/// A folder of our own, removed when dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Locked for as long as the wrapper lives: the kernel lets go of it with the process, whatever pid
    /// namespace that is in.
    _lock: File,
}

impl Folder {
    /// Makes one in this place.
    ///
    /// # Errors
    ///
    /// Also where others than we may write there.
    pub(super) fn create(place: &Path) -> io::Result<Self> {
        make(place)?;
        let meta = fs::symlink_metadata(place)?;
        if !meta.is_dir() || meta.uid() != geteuid().as_raw() || meta.mode() & 0o022 != 0 {
            return Err(io::Error::other("others may write there"));
        }
        let (host, pid, random) = (host(), std::process::id(), rand::random::<u32>());
        let path = place.join(format!("{host}-{pid}-{random:08x}"));
        DirBuilder::new().mode(0o700).create(&path)?;
        let lock = file(&path.join(LOCK))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { path, _lock: lock })
    }

    /// Makes one in the first place where `make` succeeds.
    ///
    /// # Errors
    ///
    /// The last place's, with its name.
    pub(super) fn in_first<T>(
        places: &[PathBuf],
        make: impl Fn(Self) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut why = io::Error::other("neither XDG_RUNTIME_DIR nor HOME is set");
        for place in places {
            match Self::create(place).and_then(&make) {
                Ok(it) => return Ok(it),
                Err(error) => why = io::Error::other(format!("{}: {error}", place.display())),
            }
        }
        Err(why)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Makes a folder, 0700, and those above it.
pub(super) fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a new file, 0600.
pub(super) fn file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Where the folders of all wrappers may be, the best first.
pub(super) fn places() -> Vec<PathBuf> {
    use etcetera::BaseStrategy as _;
    let Ok(dirs) = etcetera::base_strategy::Xdg::new() else {
        return Vec::new();
    };
    let runtime = dirs.runtime_dir().filter(|dir| dir.is_dir());
    let runtime = runtime.map(|dir| dir.join("claude-retry"));
    let state = dirs.state_dir().map(|dir| dir.join("claude-retry/run"));
    runtime.into_iter().chain(state).collect()
}

/// Removes what killed wrappers of this machine left.
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
        if folder && is_left_behind(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_left_behind(folder: &Path) -> bool {
    let name = folder.file_name().and_then(OsStr::to_str);
    let parts: Vec<&str> = name.unwrap_or_default().split('-').collect();
    let [of, pid, random] = parts[..] else {
        return false;
    };
    let random = random.len() == 8 && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    let Some(pid) = pid.parse().ok().and_then(Pid::from_raw) else {
        return false;
    };
    if !random || of != host() || test_kill_process(pid) != Err(rustix::io::Errno::SRCH) {
        return false;
    }
    // In another container the process may be alive; its lock tells.
    match File::open(folder.join(LOCK)) {
        Ok(lock) => flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// This machine's name, as a part of a file's: folders of other machines may stand beside ours.
fn host() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .take(16)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        let meta = fs::metadata(path).expect("it");
        meta.permissions().mode() & 0o777
    }

    #[test]
    fn folder_and_place_are_private_and_the_folder_goes() {
        let tmp = tempfile::tempdir().expect("a folder");
        let place = tmp.path().join("claude-retry/run");
        let folder = Folder::create(&place).expect("a folder");
        let path = folder.path().to_owned();
        file(&path.join("file")).expect("a file");
        assert_eq!((mode(&path), mode(&place)), (0o700, 0o700));
        assert_eq!(mode(&path.join("file")), 0o600);
        drop(folder);
        assert!(!path.exists() && place.exists());
    }

    #[test]
    fn the_next_place_is_taken_where_the_first_is_no_good() {
        let tmp = tempfile::tempdir().expect("a folder");
        let (shared, file) = (tmp.path().join("shared"), tmp.path().join("file"));
        fs::create_dir(&shared).expect("a folder");
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).expect("its mode");
        fs::write(&file, "").expect("a file");
        let bad = [shared, file.join("below")];
        let why = Folder::in_first(&bad, Ok).expect_err("no place");
        assert!(why.to_string().contains("file/below"), "{why}");
        let good = tmp.path().join("good");
        let places = [&bad[..], std::slice::from_ref(&good)].concat();
        let folder = Folder::in_first(&places, Ok).expect("a folder");
        assert!(folder.path().starts_with(good));
    }

    #[test]
    fn only_what_dead_wrappers_of_this_machine_left_is_swept() {
        let base = tempfile::tempdir().expect("a folder");
        let make = |name: &str| {
            let path = base.path().join(name);
            fs::create_dir(&path).expect("a folder");
            path
        };
        let (host, nobody) = (host(), i32::MAX);
        let leave = |name: &str| {
            let path = make(name);
            drop(file(&path.join(LOCK)).expect("a lock"));
            path
        };
        let dead = leave(&format!("{host}-{nobody}-0000000a"));
        let alive = leave(&format!("{host}-{}-0000000b", std::process::id()));
        let elsewhere = leave(&format!("{host}x-{nobody}-0000000c"));
        let without = make(&format!("{host}-{nobody}-0000000d"));
        let contained = make(&format!("{host}-{nobody}-0000000e"));
        let held = file(&contained.join(LOCK)).expect("a lock");
        flock(&held, FlockOperation::NonBlockingLockExclusive).expect("free");
        let other = leave(&format!("{host}-{nobody}-notes"));
        let link = base.path().join(format!("{host}-{nobody}-0000000f"));
        std::os::unix::fs::symlink(&other, &link).expect("a link");
        sweep_in(base.path());
        assert!(!dead.exists() && !without.exists());
        for kept in [&alive, &elsewhere, &contained, &other, &link] {
            assert!(kept.exists(), "{}", kept.display());
        }
        drop(held);
        sweep_in(base.path());
        assert!(!contained.exists());
    }
}
