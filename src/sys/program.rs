//! Which program to run.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Access, access};

use super::LaunchError;

/// Where the CLI's own installers put it, from the home folder.
const INSTALL_PLACES: [&str; 2] = [".local/bin/claude", ".claude/local/claude"];

/// The program that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The file to execute; a path, never looked up again.
    pub path: PathBuf,
    /// The name it is to see as its own, as a shell would give it.
    pub arg0: OsString,
}

impl Found {
    /// The command that executes it with these arguments.
    pub(super) fn command(&self, args: &[OsString]) -> Command {
        let mut command = Command::new(&self.path);
        command.arg0(&self.arg0).args(args);
        command
    }

    /// What the failure to execute it means.
    pub(super) fn exec_error(&self, error: &io::Error) -> LaunchError {
        LaunchError::ProgramNotExecutable {
            program: self.path.clone(),
            reason: error.to_string(),
        }
    }
}

/// Finds `program`: a name in the folders of `path`, then, for `claude`, in the usual install places
/// below `home`; what has a slash is taken as it is.
///
/// Whatever is `ourselves` by its canonical path is skipped: where `claude` is a link to us, we would
/// start ourselves for ever.
///
/// # Errors
///
/// When it is nowhere, when none of what is found can be executed, and when a path given outright is
/// ourselves.
pub fn find(
    program: &Path,
    path: Option<&OsStr>,
    home: Option<&Path>,
    ourselves: Option<&Path>,
) -> Result<Found, LaunchError> {
    let ourselves = ourselves.and_then(|path| path.canonicalize().ok());
    let is_ourselves = |file: &Path| ourselves.is_some() && file.canonicalize().ok() == ourselves;

    if program.as_os_str().as_encoded_bytes().contains(&b'/') {
        return match check(program) {
            Check::Missing => Err(LaunchError::ProgramNotFound {
                program: program.to_owned(),
            }),
            Check::Unusable(reason) => Err(LaunchError::ProgramNotExecutable {
                program: program.to_owned(),
                reason,
            }),
            Check::Usable if is_ourselves(program) => Err(LaunchError::ProgramIsOurselves {
                program: program.to_owned(),
            }),
            Check::Usable => Ok(Found {
                path: program.to_owned(),
                arg0: program.as_os_str().to_owned(),
            }),
        };
    }

    let in_path = path
        .into_iter()
        .flat_map(std::env::split_paths)
        .map(|folder| {
            // An empty entry is the current folder; a bare name would be looked up again at exec.
            let folder = if folder.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                folder
            };
            Found {
                path: folder.join(program),
                arg0: program.as_os_str().to_owned(),
            }
        });
    let installed = home
        .filter(|_| program == Path::new("claude"))
        .into_iter()
        .flat_map(|home| INSTALL_PLACES.map(|place| home.join(place)))
        .map(|path| Found {
            arg0: path.clone().into_os_string(),
            path,
        });

    let mut unusable = None;
    for found in in_path.chain(installed) {
        match check(&found.path) {
            Check::Usable if !is_ourselves(&found.path) => return Ok(found),
            Check::Unusable(reason) if unusable.is_none() => {
                unusable = Some(LaunchError::ProgramNotExecutable {
                    program: found.path,
                    reason,
                });
            }
            _ => {}
        }
    }
    Err(unusable.unwrap_or_else(|| LaunchError::ProgramNotFound {
        program: program.to_owned(),
    }))
}

enum Check {
    Missing,
    Unusable(String),
    Usable,
}

fn check(file: &Path) -> Check {
    match file.metadata() {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Check::Missing
        }
        Err(error) => Check::Unusable(error.to_string()),
        Ok(meta) if meta.is_dir() => Check::Unusable("it is a directory".into()),
        Ok(_) => match access(file, Access::EXEC_OK) {
            Ok(()) => Check::Usable,
            Err(error) => Check::Unusable(io::Error::from(error).to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn file(folder: &Path, name: &str, mode: u32) -> PathBuf {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(&path, "#!/bin/sh\n").expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
        path
    }

    #[test]
    fn an_alias_link_to_ourselves_is_skipped() {
        let tmp = tempfile::tempdir().expect("a folder");
        let us = file(tmp.path(), "bin/claude-retry", 0o755);
        fs::create_dir(tmp.path().join("alias")).expect("a folder");
        symlink(&us, tmp.path().join("alias/claude")).expect("a link");
        let real = file(tmp.path(), "real/claude", 0o755);

        let path = std::env::join_paths([tmp.path().join("alias"), tmp.path().join("real")]);
        let path = path.expect("a path");
        let found = find(Path::new("claude"), Some(&path), None, Some(&us)).expect("the program");
        assert_eq!(
            found,
            Found {
                path: real,
                arg0: "claude".into()
            }
        );

        let only_alias = tmp.path().join("alias");
        let nothing = find(
            Path::new("claude"),
            Some(only_alias.as_os_str()),
            None,
            Some(&us),
        );
        assert_eq!(nothing.expect_err("only ourselves").exit_code(), 127);
        let outright = find(&tmp.path().join("alias/claude"), None, None, Some(&us));
        assert_eq!(outright.expect_err("ourselves").exit_code(), 2);
    }

    #[test]
    fn install_places_come_after_the_path_and_only_for_claude() {
        let tmp = tempfile::tempdir().expect("a folder");
        let local = file(tmp.path(), ".claude/local/claude", 0o755);
        let home = Some(tmp.path());
        let found = find(Path::new("claude"), None, home, None).expect("the local install");
        assert_eq!(found.path, local);
        let first = file(tmp.path(), ".local/bin/claude", 0o755);
        assert_eq!(
            find(Path::new("claude"), None, home, None)
                .expect("it")
                .path,
            first
        );
        assert_eq!(
            find(Path::new("other"), None, home, None)
                .expect_err("none")
                .exit_code(),
            127
        );
    }

    #[test]
    fn what_cannot_be_executed_is_126_unless_something_later_can() {
        let tmp = tempfile::tempdir().expect("a folder");
        file(tmp.path(), "a/claude", 0o644);
        fs::create_dir_all(tmp.path().join("d/claude")).expect("a folder");
        let (a, d) = (tmp.path().join("a"), tmp.path().join("d"));
        for folder in [&a, &d] {
            let found = find(Path::new("claude"), Some(folder.as_os_str()), None, None);
            assert_eq!(found.expect_err("not executable").exit_code(), 126);
        }
        let outright = find(&a.join("claude"), None, None, None);
        assert_eq!(outright.expect_err("not executable").exit_code(), 126);

        let good = file(tmp.path(), "b/claude", 0o755);
        let path = std::env::join_paths([a, d, tmp.path().join("b")]).expect("a path");
        assert_eq!(
            find(Path::new("claude"), Some(&path), None, None)
                .expect("it")
                .path,
            good
        );
    }
}
