//! Who is measured.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::child;

/// A program around a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// This project's.
    Ours,
    /// `passthru.c`.
    Passthru,
    /// util-linux.
    Script,
}

impl Subject {
    /// In the order of the table's columns.
    pub const ALL: [Self; 3] = [Self::Ours, Self::Passthru, Self::Script];
}

/// Where everything is.
pub struct Stage {
    target: PathBuf,
    passthru: PathBuf,
    home: tempfile::TempDir,
    /// In memory, as `$XDG_RUNTIME_DIR` is where a session manager made it.
    runtime: tempfile::TempDir,
}

/// Where Linux has a file system in memory for everybody.
const IN_MEMORY: &str = "/dev/shm";

impl Stage {
    /// Builds the pass-through.
    pub fn new() -> Result<Self, String> {
        let ours = Path::new(env!("CARGO_BIN_EXE_claude-retry"));
        let target = ours
            .parent()
            .and_then(Path::parent)
            .ok_or("no target folder")?
            .to_owned();
        let passthru = target.join("passthru");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/passthru.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-O2", "-o"]).arg(&passthru).arg(source);
        if !compiler.status().is_ok_and(|status| status.success()) {
            return Err("cc could not build benches/passthru.c; install a C compiler".into());
        }
        if !Command::new("script")
            .arg("--version")
            .output()
            .is_ok_and(|out| out.status.success())
        {
            return Err("no `script` here; install util-linux (bsdutils on Debian)".into());
        }
        let home = tempfile::tempdir().map_err(|error| error.to_string())?;
        for folder in ["config", "state"] {
            fs::create_dir(home.path().join(folder)).map_err(|error| error.to_string())?;
        }
        let runtime = tempfile::tempdir_in(IN_MEMORY).map_err(|error| error.to_string())?;
        Ok(Self {
            target,
            passthru,
            home,
            runtime,
        })
    }

    /// The build's folder.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// The subject around this bench as the child, with that stream.
    pub fn around_child(&self, subject: Subject, stream: &str) -> Command {
        let bench = std::env::current_exe().expect("this program");
        self.around(subject, &bench, &[child::FLAG, stream])
    }

    /// The subject around a program.
    pub fn around(&self, subject: Subject, program: &Path, args: &[&str]) -> Command {
        let mut command = match subject {
            Subject::Ours => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_claude-retry"));
                command.args(args);
                command
            }
            Subject::Passthru => {
                let mut command = Command::new(&self.passthru);
                command.arg(program).args(args);
                command
            }
            Subject::Script => {
                let mut command = Command::new("script");
                let words = [program.to_str().expect("a plain path")];
                let words = words
                    .iter()
                    .chain(args)
                    .copied()
                    .collect::<Vec<_>>()
                    .join(" ");
                // `exec`: no shell stays in between.
                command.args(["-q", "-e", "-c", &format!("exec {words}"), "/dev/null"]);
                command
            }
        };
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"CLAUDE") {
                command.env_remove(name);
            }
        }
        let home = |folder: &str| self.home.path().join(folder);
        command
            .env("CLAUDE_RETRY_PROGRAM", program)
            .env("HOME", self.home.path())
            .env("XDG_CONFIG_HOME", home("config"))
            .env("XDG_STATE_HOME", home("state"))
            .env("XDG_RUNTIME_DIR", self.runtime.path())
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm-256color")
            .env("LANG", OsStr::new("C.UTF-8"));
        command
    }
}
