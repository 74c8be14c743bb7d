//! A stand-in for the CLI that becomes it, and keeps what each run was given and what it wrote.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Each run has a folder of its own: runs of one command follow each other. The CLI keeps the number of this
/// process; the copies are made beside it.
const SCRIPT: &str = r#"#!/bin/bash
for ((run = 0; ; run++)); do mkdir "$0.runs/$run" 2>/dev/null && break; done
here=$0.runs/$run
printf '%s\0' "$@" >"$here/args"
exec "$(readlink "$0.cli")" "$@" < <(exec tee "$here/stdin" 2>/dev/null) > >(exec tee "$here/stdout" 2>/dev/null)
"#;

/// One run of the CLI.
#[derive(Debug)]
pub(crate) struct Witnessed {
    /// Its arguments.
    pub(crate) args: Vec<String>,
    /// What it was given to read.
    pub(crate) stdin: String,
    /// What it wrote.
    pub(crate) stdout: String,
}

impl Witnessed {
    /// The result that it wrote last.
    pub(crate) fn result(&self) -> Value {
        let last = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_default()
    }
}

/// Puts the stand-in into a folder; gives its path.
pub(crate) fn set_up(folder: &Path, cli: &Path) -> io::Result<PathBuf> {
    let path = folder.join("witness");
    fs::write(&path, SCRIPT)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    fs::create_dir(path.with_extension("runs"))?;
    std::os::unix::fs::symlink(cli, path.with_extension("cli"))?;
    Ok(path)
}

/// The runs so far, in order.
pub(crate) fn runs(folder: &Path) -> Vec<Witnessed> {
    let runs = (0..).map(|run| folder.join("witness.runs").join(run.to_string()));
    runs.take_while(|run| run.is_dir())
        .map(|run| {
            let read = |name: &str| {
                let bytes = fs::read(run.join(name)).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            };
            let args = read("args");
            Witnessed {
                args: args.split_terminator('\0').map(String::from).collect(),
                stdin: read("stdin"),
                stdout: read("stdout"),
            }
        })
        .collect()
}
