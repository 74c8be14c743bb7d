//! A home with the CLI's settings in it, and the program run there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The program under test.
pub(crate) const US: &str = env!("CARGO_BIN_EXE_claude-retry");

pub(crate) struct Home {
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    /// A home with no settings, and a CLI that only knows its version.
    pub(crate) fn new() -> Self {
        let home = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        home.program("bin/claude", "echo '2.1.330 (Claude Code)'");
        fs::create_dir(home.path("proj")).expect("a folder");
        home
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(&path, text).expect("a file");
        path
    }

    /// A program. Written by another process: while this one has a file open to write, a program that
    /// another test starts inherits it, and for that moment nobody can execute it.
    pub(crate) fn program(&self, path: &str, script: &str) -> PathBuf {
        let text = self.write(&format!("{path}.text"), format!("#!/bin/sh\n{script}\n"));
        self.copy(&text, path)
    }

    pub(crate) fn copy(&self, from: &Path, to: &str) -> PathBuf {
        let to = self.path(to);
        fs::create_dir_all(to.parent().expect("a folder")).expect("folders");
        let copied = Command::new("/bin/sh")
            .args(["-c", "cp \"$0\" \"$1\" && chmod 755 \"$1\""])
            .args([from, &to])
            .status()
            .expect("sh runs");
        assert!(copied.success());
        to
    }

    pub(crate) fn settings(&self) -> PathBuf {
        self.path(".claude/settings.json")
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(self.settings()).expect("settings")
    }

    pub(crate) fn command(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(["ctl", "hook"])
            .args(args)
            .current_dir(self.path("proj"))
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", self.path("bin"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        ran(self.command(Path::new(US), args))
    }

    /// A backup, by its number.
    pub(crate) fn backup(&self, number: &str) -> Option<String> {
        fs::read_to_string(self.path(&format!(
            ".claude/settings.json.claude-retry-backup{number}"
        )))
        .ok()
    }

    /// The names in the folder of the settings.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path(".claude")).expect("a folder");
        let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("a name");
        let mut names: Vec<String> = entries.map(|entry| name(entry.expect("it"))).collect();
        names.sort();
        names
    }
}

pub(crate) fn ran(mut command: Command) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ran {
        code: status.code().expect("an exit code"),
        stdout: text(stdout),
        stderr: text(stderr),
    }
}

pub(crate) fn our_command(program: &Path) -> String {
    format!("'{}' ctl hook run", program.display())
}

/// The commands of `StopFailure` in a settings file.
pub(crate) fn commands(text: &str) -> Vec<String> {
    let settings: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).expect("JSON");
    let groups = settings["hooks"]["StopFailure"].as_array().cloned();
    let hooks = groups.unwrap_or_default().into_iter().flat_map(|group| {
        let hooks = group["hooks"].as_array().cloned();
        hooks.unwrap_or_default()
    });
    hooks
        .map(|hook| hook["command"].as_str().expect("a command").to_owned())
        .collect()
}
