//! A file of our own that takes its place when it is sure that it is wanted.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

/// The name that a file is to have, and the one that it has until then.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    beside: Option<PathBuf>,
    overwrite: bool,
    /// Device and inode: only what we made is removed.
    made: (u64, u64),
}

impl Place {
    /// Makes the file, for nobody else to read, beside the place that it is to take.
    ///
    /// # Errors
    ///
    /// Something that may not be replaced is there, or the folder does not take a file.
    pub(super) fn make(path: PathBuf, overwrite: bool) -> io::Result<(Self, File)> {
        match fs::symlink_metadata(&path) {
            Ok(_) if path.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(_) if !overwrite => return Err(io::ErrorKind::AlreadyExists.into()),
            // Through a link a file of somebody else's would be lost.
            Ok(meta) if !meta.is_file() => return Err(io::Error::other("it is no plain file")),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let name = format!(
            ".claude-retry-{}-{:08x}",
            std::process::id(),
            rand::random::<u32>()
        );
        let beside = path.with_file_name(name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)?;
        let meta = file.metadata()?;
        let place = Self {
            path,
            beside: Some(beside),
            overwrite,
            made: (meta.dev(), meta.ino()),
        };
        Ok((place, file))
    }

    /// The name that it is to have.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name.
    ///
    /// # Errors
    ///
    /// Where something has come to be there meanwhile that may not be replaced.
    pub(super) fn take(&mut self) -> io::Result<()> {
        let Some(beside) = &self.beside else {
            return Ok(());
        };
        if self.overwrite {
            fs::rename(beside, &self.path)?;
        } else {
            match renameat_with(CWD, beside, CWD, &self.path, RenameFlags::NOREPLACE) {
                // Not every file system can.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                    fs::hard_link(beside, &self.path)?;
                    fs::remove_file(beside)?;
                }
                done => done?,
            }
        }
        self.beside = None;
        Ok(())
    }

    /// Removes the file, and nothing else that may have its name by now.
    pub(super) fn remove(&self) {
        let path = self.beside.as_ref().unwrap_or(&self.path);
        let is_ours =
            fs::symlink_metadata(path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.made);
        if is_ours {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_replaced_before_it_is_wanted_and_nothing_else_is_removed() {
        let tmp = tempfile::tempdir().expect("a folder");
        let path = tmp.path().join("a.cast");
        fs::write(&path, "mine").expect("a file");
        assert!(Place::make(path.clone(), false).is_err());
        let (place, _file) = Place::make(path.clone(), true).expect("a file beside it");
        place.remove();
        assert_eq!(fs::read_to_string(&path).expect("it"), "mine");
        assert_eq!(fs::read_dir(tmp.path()).expect("the folder").count(), 1);

        let (mut place, _file) = Place::make(path.clone(), true).expect("a file beside it");
        place.take().expect("its place");
        assert_eq!(fs::read_to_string(&path).expect("it"), "");
        fs::rename(&path, tmp.path().join("moved")).expect("a move");
        fs::write(&path, "new").expect("a file");
        place.remove();
        assert_eq!(fs::read_to_string(&path).expect("it"), "new");
    }

    #[test]
    fn what_came_meanwhile_stays() {
        let tmp = tempfile::tempdir().expect("a folder");
        let path = tmp.path().join("a.cast");
        let (mut place, _file) = Place::make(path.clone(), false).expect("a file");
        fs::write(&path, "mine").expect("a file");
        place.take().expect_err("it is taken");
        place.remove();
        assert_eq!(fs::read_to_string(&path).expect("it"), "mine");
        assert_eq!(fs::read_dir(tmp.path()).expect("the folder").count(), 1);
    }
}
