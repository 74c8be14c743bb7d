//! Can our hook run? Each question by itself, so that others can ask it too.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use serde_json::Value;

use super::edit::{self, Entry, Refusal};
use super::program;
use super::settings_file::SettingsFile;
use crate::supervisor::wording::plain;
use crate::sys;

/// Since which version the CLI runs `StopFailure` hooks.
const STOP_FAILURE: (u32, u32, u32) = (2, 1, 78);
/// The oldest version that was seen to resume by `asyncRewake`.
const REWAKE: (u32, u32, u32) = (2, 1, 112);

/// A settings file that the hook can be installed in.
#[derive(Debug)]
pub(crate) struct Place {
    /// Whose settings they are.
    pub(crate) name: &'static str,
    /// Where they are.
    pub(crate) path: PathBuf,
    /// What mends a hook of ours in them.
    pub(crate) remedy: &'static str,
    /// They are the user's own: what they name may be run. A folder's may have come with it.
    pub(crate) trusted: bool,
}

/// The settings of the CLI for this folder, the weakest first.
pub(crate) fn places(config_dir: Option<&Path>, cwd: Option<&Path>) -> Vec<Place> {
    let user = config_dir.map(|folder| Place {
        name: "user",
        path: folder.join("settings.json"),
        remedy: "`claude-retry ctl hook install` puts this one there",
        trusted: true,
    });
    let shared = cwd.map(|cwd| Place {
        name: "project, shared",
        path: cwd.join(".claude/settings.json"),
        remedy: "take it out by hand, for only a hand can have put it there",
        trusted: false,
    });
    let local = cwd.map(|cwd| Place {
        name: "project",
        path: cwd.join(".claude/settings.local.json"),
        remedy: "`claude-retry ctl hook install --project` puts this one there",
        trusted: false,
    });
    let mut places: Vec<Place> = Vec::new();
    for place in [user, shared, local].into_iter().flatten() {
        // In the home folder itself two of them are one file.
        if places.iter().all(|other| other.path != place.path) {
            places.push(place);
        }
    }
    places
}

/// What is wrong with a place's settings.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// They cannot be read.
    Unreadable(String),
    /// The CLI will not take them.
    Refused(Refusal),
}

/// The hooks of ours in a place.
pub(crate) fn entries(place: &Place) -> Result<Vec<Entry>, Trouble> {
    let file = SettingsFile::read(place.path.clone())
        .map_err(|error| Trouble::Unreadable(error.to_string()))?;
    edit::ours(file.text()).map_err(Trouble::Refused)
}

/// How the program in a hook's command is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// This very program.
    Ours,
    /// Another file with the same version.
    SameVersion,
    /// Another version of us.
    OtherVersion(String),
    /// Something that does not say that it is claude-retry.
    Stranger,
    /// Another file, which is not run to be asked.
    NotAsked,
    /// It cannot be executed, in the system's words.
    NotExecutable(String),
    /// Nothing is there.
    Gone,
}

/// Looks at the program in a hook's command; runs it for its version if it is another than us and its
/// place is trusted.
pub(crate) fn program(path: &Path, trusted: bool) -> Program {
    let path = &in_path(path);
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Program::Gone,
        Err(error) => return Program::NotExecutable(error.to_string()),
        Ok(meta) if !meta.is_file() => return Program::NotExecutable("it is no file".into()),
        Ok(_) => {}
    }
    if let Err(error) = access(path, Access::EXEC_OK) {
        return Program::NotExecutable(io::Error::from(error).to_string());
    }
    let ourselves = std::env::current_exe().and_then(|exe| exe.canonicalize());
    if ourselves.ok() == path.canonicalize().ok() {
        return Program::Ours;
    }
    if !trusted {
        return Program::NotAsked;
    }
    let version = program::version(path).ok();
    let version = version
        .as_deref()
        .and_then(|text| text.strip_prefix("claude-retry "))
        .and_then(|rest| rest.split_whitespace().next());
    match version {
        Some(env!("CARGO_PKG_VERSION")) => Program::SameVersion,
        Some(other) => Program::OtherVersion(plain(other)),
        None => Program::Stranger,
    }
}

/// A bare name as the shell finds it.
fn in_path(path: &Path) -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = (path.components().count() == 1).then(|| {
        std::env::split_paths(&folders)
            .map(|folder| folder.join(path))
            .find(|path| path.is_file())
    });
    found.flatten().unwrap_or_else(|| path.to_owned())
}

/// Settings that keep our hook from being run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Off {
    /// The key.
    pub(crate) key: &'static str,
    /// The file that it is in.
    pub(crate) path: PathBuf,
}

/// What turns hooks off: `disableAllHooks` in the strongest settings that have it (managed ones before the
/// project's, these before the user's; 2.1.145 and 2.1.330), `allowManagedHooksOnly` in managed ones.
pub(crate) fn off(places: &[Place], managed: &[PathBuf]) -> Option<Off> {
    let read = |path: &Path| -> Value {
        let file = SettingsFile::read(path.to_owned());
        let value = file.map(|file| edit::value_of(file.text()).unwrap_or_default());
        value.unwrap_or_default()
    };
    for path in managed {
        let settings = read(path);
        for key in ["disableAllHooks", "allowManagedHooksOnly"] {
            if settings[key] == true {
                let path = path.clone();
                return Some(Off { key, path });
            }
        }
    }
    let key = "disableAllHooks";
    let strongest = places
        .iter()
        .rev()
        .find_map(|place| Some((read(&place.path)[key].as_bool()?, place)));
    let (_, place) = strongest.filter(|(off, _)| *off)?;
    let path = place.path.clone();
    Some(Off { key, path })
}

/// How the installed CLI takes our hook.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cli {
    /// It is not found, or does not tell.
    Unknown,
    /// It runs no `StopFailure` hooks.
    NoStopFailure(String),
    /// It runs them, and was not seen to resume.
    NoRewake(String),
    /// It resumes.
    Good(String),
}

/// Asks the CLI for its version.
pub(crate) fn cli(program: &Path) -> Cli {
    let (path, home) = (std::env::var_os("PATH"), std::env::var_os("HOME"));
    let home = home.map(PathBuf::from);
    let ourselves = std::env::current_exe().ok();
    let found = sys::find_program(
        program,
        path.as_deref(),
        home.as_deref(),
        ourselves.as_deref(),
    );
    let text = found
        .ok()
        .and_then(|found| program::version(&found.path).ok());
    cli_by(&text.unwrap_or_default())
}

fn cli_by(text: &str) -> Cli {
    let Some(numbers) = program::numbers(text) else {
        return Cli::Unknown;
    };
    let (major, minor, patch) = numbers;
    let version = format!("{major}.{minor}.{patch}");
    if numbers < STOP_FAILURE {
        Cli::NoStopFailure(version)
    } else if numbers < REWAKE {
        Cli::NoRewake(version)
    } else {
        Cli::Good(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_settings_decide_whether_hooks_are_off() {
        let dir = tempfile::tempdir().expect("a folder");
        let (user, cwd) = (dir.path().join("user"), dir.path().join("proj"));
        let managed = dir.path().join("managed");
        let write = |path: PathBuf, text: &str| {
            fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            fs::write(path, text).expect("a file");
        };
        let places = places(Some(&user), Some(&cwd));
        let by = || {
            let off = off(&places, &sys::managed_settings_in(&managed))?;
            let name = off.path.file_name()?.to_str()?.to_owned();
            Some((off.key, name))
        };
        let (all, only) = ("disableAllHooks", "allowManagedHooksOnly");
        assert_eq!(by(), None);
        write(user.join("settings.json"), r#"{"disableAllHooks":true}"#);
        assert_eq!(by(), Some((all, "settings.json".into())));
        let local = cwd.join(".claude/settings.local.json");
        write(local.clone(), r#"{"disableAllHooks":false}"#);
        assert_eq!(by(), None);
        write(
            local,
            r#"{"disableAllHooks":true,"allowManagedHooksOnly":true}"#,
        );
        assert_eq!(by(), Some((all, "settings.local.json".into())));
        let part = managed.join("managed-settings.d/10-x.json");
        write(part, r#"{"allowManagedHooksOnly":true}"#);
        assert_eq!(by(), Some((only, "10-x.json".into())));
        let file = managed.join("managed-settings.json");
        write(file, r#"{"disableAllHooks":true}"#);
        assert_eq!(sys::managed_settings_in(&managed).len(), 2);
        assert!(by().is_some());
    }

    #[test]
    fn the_version_says_what_the_cli_can() {
        assert_eq!(
            cli_by("2.1.77 (Claude Code)"),
            Cli::NoStopFailure("2.1.77".into())
        );
        assert_eq!(
            cli_by("2.1.78 (Claude Code)"),
            Cli::NoRewake("2.1.78".into())
        );
        assert_eq!(cli_by("2.1.112 (Claude Code)"), Cli::Good("2.1.112".into()));
        assert_eq!(cli_by("2.2.0"), Cli::Good("2.2.0".into()));
        assert_eq!(cli_by("claude: not found"), Cli::Unknown);
    }
}
