//! The command that the CLI runs as our hook: how it is written, and how it is known again.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use crate::error::Error;

/// Our program's name.
const NAME: &str = "claude-retry";
/// What stands behind the program.
const TAIL: &str = " ctl hook run";

/// The command for a program at this place, for `sh`.
pub(super) fn command(program: &str) -> String {
    let mut command = String::new();
    let _ = write!(command, "'{}'{TAIL}", program.replace('\'', r"'\''"));
    command
}

/// The program in a command that is ours by its shape: one word that is quoted as we quote it, or is named
/// as we are, and then our verb.
pub(super) fn program_in(command: &str) -> Option<PathBuf> {
    let word = command.trim().strip_suffix(TAIL)?;
    let (path, quoted) = one_word(word)?;
    let path = PathBuf::from(path);
    let ours = path.file_name() == Some(OsStr::new(NAME)) || (quoted && path.is_absolute());
    ours.then_some(path)
}

/// The text of a single word of `sh`, and whether it was quoted with `'` from end to end. `None` for
/// anything that the shell would expand.
fn one_word(word: &str) -> Option<(String, bool)> {
    let inner = |quote: char| word.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(inner) = inner('\'') {
        let text = inner.replace(r"'\''", "\0");
        return (!text.contains('\'')).then(|| (text.replace('\0', "'"), true));
    }
    if let Some(inner) = inner('"') {
        let plain = !inner.contains(['"', '\\', '$', '`']);
        return plain.then(|| (inner.to_owned(), false));
    }
    // What a hand may write.
    let home = word.strip_prefix("~/").or(word.strip_prefix("$HOME/"));
    let plain = |c: char| c.is_alphanumeric() || "/._-+@%,=:".contains(c);
    let text = home.unwrap_or(word);
    if text.is_empty() || !text.chars().all(plain) {
        return None;
    }
    let Some(rest) = home else {
        return Some((word.to_owned(), false));
    };
    let home = std::env::var("HOME").ok()?;
    Some((format!("{home}/{rest}"), false))
}

/// The path by which we are to be run later: one that stays when the program is replaced by a newer one.
///
/// # Errors
///
/// [`Error::Own`] when our own file cannot be found, [`Error::Usage`] when its path is not UTF-8.
pub(super) fn ourselves() -> Result<String, Error> {
    let exe = std::env::current_exe()
        .map_err(|error| Error::Own(format!("failed to find this program's own file: {error}")))?;
    let folders = std::env::var_os("PATH");
    let arg0 = std::env::args_os().next();
    let cwd = std::env::current_dir().ok();
    let path = stable(&exe, folders.as_deref(), arg0, cwd.as_deref());
    path.into_os_string().into_string().map_err(|path| {
        Error::Usage(format!(
            "the path of this program, {}, is not UTF-8, and the settings are: move the program",
            path.display()
        ))
    })
}

/// `exe` by the name in `PATH` that leads to it, else by the name it was called by, else itself. Those
/// may be links that outlive the file they lead to (`~/.cargo/bin`, Homebrew's `bin`); a link with another
/// name may be taken over by another program.
fn stable(
    exe: &Path,
    folders: Option<&OsStr>,
    arg0: Option<OsString>,
    cwd: Option<&Path>,
) -> PathBuf {
    let real = exe.canonicalize().ok();
    let in_path = folders
        .into_iter()
        .flat_map(std::env::split_paths)
        .map(|folder| folder.join(NAME));
    let called = arg0
        .map(PathBuf::from)
        .filter(|path| path.components().count() > 1 && path.file_name() == Some(OsStr::new(NAME)))
        .and_then(|path| absolute(&path, cwd));
    in_path
        .chain(called)
        .filter(|path| path.is_absolute())
        .find(|path| real.is_some() && path.canonicalize().ok() == real)
        .unwrap_or_else(|| exe.to_owned())
}

/// Absolute, with no `.` and no `..` in it, its links kept where that can be.
fn absolute(path: &Path, cwd: Option<&Path>) -> Option<PathBuf> {
    let path = cwd.map_or_else(|| path.to_owned(), |cwd| cwd.join(path));
    if path.components().any(|part| part == Component::ParentDir) {
        return Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    }
    Some(path.components().collect())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn ours_are_known_by_their_shape() {
        let program = |command: &str| program_in(command).map(|path| path.display().to_string());
        for path in ["/usr/bin/claude-retry", "/a b/it's/claude-retry", "/opt/cr"] {
            assert_eq!(program(&command(path)).as_deref(), Some(path));
        }
        for plain in [
            "claude-retry ctl hook run",
            "~/bin/claude-retry ctl hook run",
            "$HOME/bin/claude-retry ctl hook run",
            "\"/a b/claude-retry\" ctl hook run",
            "/x/claude-retry ctl hook run ",
        ] {
            assert!(program(plain).is_some(), "{plain}");
        }
        for other in [
            "",
            " ctl hook run",
            "/opt/cr ctl hook run",
            "\"/opt/cr\" ctl hook run",
            "claude-retry ctl hook status",
            "claude-retry ctl hook run --wrapped",
            "sleep 1; claude-retry ctl hook run",
            "echo 'x' 'claude-retry' ctl hook run",
            "$OTHER/claude-retry ctl hook run",
            "/x/not-claude-retry ctl hook run",
        ] {
            assert_eq!(program(other), None, "{other}");
        }
    }

    #[test]
    fn the_path_that_stays_is_preferred() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path().canonicalize().expect("it");
        for folder in ["cellar/1.2", "bin", "other", "alias"] {
            fs::create_dir_all(root.join(folder)).expect("folders");
        }
        let exe = root.join("cellar/1.2/claude-retry");
        fs::write(&exe, "").expect("a file");
        let link = root.join("bin/claude-retry");
        symlink(&exe, &link).expect("a link");
        fs::write(root.join("other/claude-retry"), "").expect("another program");
        symlink(&exe, root.join("alias/claude")).expect("a link");

        let folders = |names: &[&str]| {
            std::env::join_paths(names.iter().map(|name| root.join(name))).expect("a list")
        };
        let both = folders(&["other", "bin"]);
        assert_eq!(stable(&exe, Some(&both), None, None), link);
        let none = folders(&["other", "alias"]);
        let call = |arg0: &str| stable(&exe, Some(&none), Some(arg0.into()), Some(&root));
        assert_eq!(call("./bin/claude-retry"), link);
        assert_eq!(call("bin/../bin/claude-retry"), link);
        for odd in ["claude-retry", "alias/claude", "other/claude-retry", ""] {
            assert_eq!(call(odd), exe, "{odd}");
        }
    }
}
