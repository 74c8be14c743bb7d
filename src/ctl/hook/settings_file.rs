//! A settings file of the CLI: read, and written so that it is whole at every moment.
//!
//! A link stays a link: the file that it leads to is replaced. The temporary file is made beside that one,
//! the backup beside the name that the user knows.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;

use crate::error::Error;

/// Behind the file's name.
const BACKUP: &str = ".claude-retry-backup";
/// How many of them there are at most, the newest without a number.
const BACKUPS: usize = 3;
/// No chain of links is longer, or it is a loop.
const LINKS: usize = 40;
const WRITABLE: u32 = 0o222;

/// A settings file as it was read.
#[derive(Debug)]
pub(super) struct SettingsFile {
    /// As the user knows it.
    pub(super) path: PathBuf,
    /// Where the links end.
    target: PathBuf,
    /// What was in it; `None` where there is no file.
    before: Option<Before>,
}

#[derive(Debug, PartialEq, Eq)]
struct Before {
    text: String,
    mode: u32,
    owner: (u32, u32),
}

impl SettingsFile {
    /// Reads it. A file that is not there is no error.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`], also for what is no file, or not UTF-8.
    pub(super) fn read(path: PathBuf) -> Result<Self, Error> {
        let unreadable = |reason: String| Error::Unreadable {
            path: path.clone(),
            reason,
        };
        let target = follow(&path).map_err(&unreadable)?;
        let before = read(&target).map_err(&unreadable)?;
        Ok(Self {
            path,
            target,
            before,
        })
    }

    /// What is in it; nothing where it is not there.
    pub(super) fn text(&self) -> &str {
        self.before.as_ref().map_or("", |before| &before.text)
    }

    /// Puts this text in the place of the file, or takes the file away, and keeps a backup of what was
    /// there. Gives the backup's path.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] where the user has made it read-only, or somebody has changed it since it was read;
    /// [`Error::Own`] for failures of the system. The file is then as it was.
    pub(super) fn replace(&self, new: Option<&str>) -> Result<Option<PathBuf>, Error> {
        self.check_writable()?;
        let folder = parent(&self.target);
        let failed = |what: &str, path: &Path, error: &io::Error| {
            Error::Own(format!("failed to {what} {}: {error}", path.display()))
        };
        fs::create_dir_all(folder).map_err(|error| failed("make the folder", folder, &error))?;
        let backup = self
            .back_up()
            .map_err(|error| failed("write a backup beside", &self.path, &error))?;
        let Some(new) = new else {
            self.check_unchanged()?;
            fs::remove_file(&self.target)
                .map_err(|error| failed("remove", &self.target, &error))?;
            return Ok(backup);
        };
        let (mode, owner) = match &self.before {
            Some(before) => (before.mode, Some(before.owner)),
            None => (0o600, None),
        };
        let temporary = Temporary::new(&self.target, new, mode, owner)
            .map_err(|error| failed("write a file beside", &self.target, &error))?;
        self.check_unchanged()?;
        temporary
            .become_file(&self.target)
            .map_err(|error| failed("replace", &self.target, &error))?;
        Ok(backup)
    }

    /// The texts of the backups, the newest first.
    pub(super) fn backups(&self) -> Vec<String> {
        let files = (0..BACKUPS).map(|number| backup_path(&self.path, number));
        files
            .filter_map(|file| fs::read_to_string(file).ok())
            .collect()
    }

    /// May it be changed? By the mode bits first: root may write everywhere, and means a read-only file no
    /// less.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] where the file or its folder is read-only.
    pub(super) fn check_writable(&self) -> Result<(), Error> {
        if let Some(before) = &self.before
            && (before.mode & WRITABLE == 0 || is_forbidden(&self.target))
        {
            return Err(Error::Usage(format!(
                "{} is read-only: make it writable (chmod u+w), or put the hook where it is made from",
                self.target.display()
            )));
        }
        let mut folders = parent(&self.target).ancestors();
        let folder = folders.find(|folder| folder.as_os_str().is_empty() || folder.exists());
        let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) else {
            return Ok(());
        };
        let mode = fs::metadata(folder).map_or(WRITABLE, |meta| meta.mode());
        if mode & WRITABLE == 0 || is_forbidden(folder) {
            return Err(Error::Usage(format!(
                "the folder {} is read-only: make it writable (chmod u+w)",
                folder.display()
            )));
        }
        Ok(())
    }

    /// The CLI writes this file too.
    fn check_unchanged(&self) -> Result<(), Error> {
        let same = follow(&self.path).is_ok_and(|target| target == self.target)
            && read(&self.target).is_ok_and(|now| now == self.before);
        if same {
            return Ok(());
        }
        Err(Error::Usage(format!(
            "{} was changed by somebody else just now and is left alone: run this again",
            self.path.display()
        )))
    }

    /// Keeps what was there. A text that a backup holds already is not kept twice.
    fn back_up(&self) -> io::Result<Option<PathBuf>> {
        let Some(before) = &self.before else {
            return Ok(None);
        };
        let paths: Vec<PathBuf> = (0..BACKUPS)
            .map(|number| backup_path(&self.path, number))
            .collect();
        let holds = |path: &&PathBuf| fs::read(path).is_ok_and(|old| old == before.text.as_bytes());
        if let Some(path) = paths.iter().find(holds) {
            return Ok(Some(path.clone()));
        }
        // From the first number that is free, or the last, everything moves up by one.
        let free = paths
            .iter()
            .position(|path| path.symlink_metadata().is_err());
        for number in (1..=free.unwrap_or(BACKUPS - 1)).rev() {
            fs::rename(&paths[number - 1], &paths[number])?;
        }
        let temporary = Temporary::new(&paths[0], &before.text, before.mode & 0o600, None)?;
        temporary.become_file(&paths[0])?;
        Ok(Some(paths[0].clone()))
    }
}

/// May we not write there? What is not there any more is another matter.
fn is_forbidden(path: &Path) -> bool {
    matches!(
        access(path, Access::WRITE_OK),
        Err(Errno::ACCESS | Errno::PERM | Errno::ROFS)
    )
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new("/"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

fn backup_path(path: &Path, number: usize) -> PathBuf {
    match number {
        0 => with_suffix(path, BACKUP),
        number => with_suffix(path, &format!("{BACKUP}.{number}")),
    }
}

/// Where the links end; nothing need be there.
fn follow(path: &Path) -> Result<PathBuf, String> {
    let mut at = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&at) {
            Ok(to) => at = parent(&at).join(to),
            Err(error) => {
                // EINVAL: it is no link.
                let there = matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::NotFound
                );
                return if there {
                    Ok(at)
                } else {
                    Err(error.to_string())
                };
            }
        }
    }
    Err("its links lead in a circle".into())
}

fn read(file: &Path) -> Result<Option<Before>, String> {
    let meta = match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|error| error.to_string())?,
    };
    if !meta.is_file() {
        return Err("it is no file".into());
    }
    let bytes = fs::read(file).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
    Ok(Some(Before {
        text,
        mode: meta.mode() & 0o7777,
        owner: (meta.uid(), meta.gid()),
    }))
}

/// A file beside another, gone again unless it takes its place.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    fn new(beside: &Path, text: &str, mode: u32, owner: Option<(u32, u32)>) -> io::Result<Self> {
        let path = with_suffix(beside, &format!(".{}.tmp", std::process::id()));
        // Left by a run that was killed and had our number.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let temporary = Self { path };
        file.write_all(text.as_bytes())?;
        if let Some((user, group)) = owner {
            // Only root can give it away, and for others it is theirs.
            let _ = std::os::unix::fs::fchown(&file, Some(user), Some(group));
        }
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()?;
        Ok(temporary)
    }

    fn become_file(&self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        // The name is on the disk when the folder is; not every file system can do that.
        let _ = File::open(parent(target)).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Not there any more when it took its place.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> (tempfile::TempDir, SettingsFile) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("settings.json");
        fs::write(&path, text).expect("a file");
        let file = SettingsFile::read(path).expect("a file");
        (dir, file)
    }

    #[test]
    fn what_somebody_else_wrote_meanwhile_is_not_lost() {
        let (dir, file) = settings("{}");
        let meanwhile: [&dyn Fn(); 4] = [
            &|| fs::write(&file.path, "{\"model\": \"opus\"}").expect("a file"),
            &|| fs::set_permissions(&file.path, Permissions::from_mode(0o600)).expect("its mode"),
            &|| fs::remove_file(&file.path).expect("it goes"),
            &|| {
                fs::write(dir.path().join("other"), "{}").expect("a file");
                std::os::unix::fs::symlink("other", &file.path).expect("a link");
            },
        ];
        for change in meanwhile {
            change();
            let before = fs::read(&file.path).ok();
            for new in [Some("new"), None] {
                let error = file.replace(new).expect_err("it was changed");
                assert!(error.exit_code() == 2 && error.to_string().contains("run this again"));
                assert_eq!(fs::read(&file.path).ok(), before);
            }
            let names = fs::read_dir(dir.path()).expect("it").flatten();
            let mut names = names.map(|entry| entry.file_name().into_string().expect("a name"));
            assert!(names.all(|name| !name.contains(".tmp")));
        }
    }

    #[test]
    fn a_file_that_appeared_meanwhile_is_not_lost() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = SettingsFile::read(dir.path().join("settings.json")).expect("nothing there");
        fs::write(&file.path, "{}").expect("a file");
        assert!(file.replace(Some("new")).is_err());
        assert_eq!(fs::read_to_string(&file.path).expect("it"), "{}");
    }

    #[test]
    fn the_file_keeps_its_mode_and_a_backup_is_for_its_owner() {
        let (dir, file) = settings("{}");
        fs::set_permissions(&file.path, Permissions::from_mode(0o664)).expect("its mode");
        let file = SettingsFile::read(file.path).expect("a file");
        let backup = file.replace(Some("new")).expect("it is written");
        let backup = backup.expect("a backup");
        let mode = |path: &Path| fs::metadata(path).expect("it").mode() & 0o7777;
        assert_eq!((mode(&file.path), mode(&backup)), (0o664, 0o600));
        assert_eq!(fs::read_to_string(&file.path).expect("it"), "new");
        assert_eq!(file.backups(), ["{}"]);
        assert_eq!(fs::read_dir(dir.path()).expect("it").count(), 2);
    }
}
