//! The CLI: is it there, which version, and what does its program text say.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::report::Finding;
use super::wordings::{self, Version};
use crate::ctl::hook::program::{numbers, version};
use crate::sys;

/// The oldest version that we were tried on.
const OLDEST: Version = (2, 1, 112);
/// The newest.
const NEWEST: Version = (2, 1, 330);
/// What is shorter is a launcher, in no language that we would not read.
const LAUNCHER: u64 = 64 * 1024;
/// No chain of launchers is longer.
const LAUNCHERS: usize = 4;

/// The findings, and the version where it is known.
pub(super) fn check(program: &Path) -> (Vec<Finding>, Option<Version>) {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let found = sys::find_program(
        program,
        std::env::var_os("PATH").as_deref(),
        home.as_deref(),
        std::env::current_exe().ok().as_deref(),
    );
    let path = match found {
        Ok(found) => found.path,
        Err(error) => return (vec![missing(&error)], None),
    };
    let files = program_files(&path, home.as_deref());
    if let Some(ourselves) = files.iter().find(|file| is_ourselves(file)) {
        return (vec![starts_us(&path, ourselves)], None);
    }
    let told = version(&path);
    let version = told.as_deref().ok().and_then(numbers);
    let mut findings = vec![match &told {
        Ok(_) => of_version(&path, version),
        Err(why) => unusable(&path, why),
    }];
    findings.extend(of_text(&path, &files, version));
    (findings, version)
}

fn missing(error: &sys::LaunchError) -> Finding {
    let remedy = match error {
        sys::LaunchError::ProgramNotFound { .. } => {
            "install Claude Code (`npm i -g @anthropic-ai/claude-code`), or name it: `program = \"/path/to/claude\"` \
             in config.toml, or CLAUDE_RETRY_PROGRAM"
        }
        sys::LaunchError::ProgramIsOurselves { .. } => {
            "`program` must name the real CLI, not this one"
        }
        _ => "make it executable, or name another: `program = \"/path/to/claude\"` in config.toml",
    };
    Finding::problem("CLI", error.to_string(), remedy)
}

/// It is there, and does not run.
fn unusable(path: &Path, why: &str) -> Finding {
    Finding::problem(
        "CLI",
        format!("{}, which does not tell its version: {why}", path.display()),
        "run it with --version and mend what it says, or name another: `program = \"/path/to/claude\"` in config.toml",
    )
}

/// A launcher of ours where the CLI should be: each would start the other.
fn starts_us(path: &Path, ourselves: &Path) -> Finding {
    Finding::problem(
        "CLI",
        format!(
            "{} launches {}, which is claude-retry and not the CLI",
            path.display(),
            ourselves.display()
        ),
        "name the real CLI: `program = \"/path/to/claude\"` in config.toml",
    )
}

/// This program, or another build of it.
fn is_ourselves(file: &Path) -> bool {
    let exe = std::env::current_exe().and_then(|exe| exe.canonicalize());
    let name = file.file_name().map(|name| name.to_string_lossy());
    exe.is_ok_and(|exe| exe == file) || name.is_some_and(|name| name.starts_with("claude-retry"))
}

fn of_version(path: &Path, version: Option<Version>) -> Finding {
    let path = path.display();
    let Some(version) = version else {
        return Finding::warning(
            "CLI",
            format!("{path}, which does not tell its version"),
            "run it with --version and see; is it Claude Code?",
        );
    };
    let text = format!("{path}, version {}", dotted(version));
    if version < OLDEST {
        let text = format!("{text}: older than {}, the oldest known", dotted(OLDEST));
        Finding::warning("CLI", text, "update Claude Code: `claude update`")
    } else if version > NEWEST {
        let text = format!("{text}: newer than {}, the newest known", dotted(NEWEST));
        let remedy = "it may word or draw things otherwise, and what is not known is left alone: see \
                      below which wordings it has, and look for a newer claude-retry";
        Finding::warning("CLI", text, remedy)
    } else {
        Finding::ok("CLI", text)
    }
}

pub(super) fn dotted((major, minor, patch): Version) -> String {
    format!("{major}.{minor}.{patch}")
}

/// What the program's text says, of the first file on the way that says anything.
fn of_text(path: &Path, files: &[PathBuf], version: Option<Version>) -> Vec<Finding> {
    let mut failed = None;
    for file in files {
        match File::open(file).and_then(wordings::find) {
            Ok(found) if found.contains(&true) => return wordings::judge(&found, version),
            Ok(_) => {}
            Err(error) => failed = Some(format!("{}: {error}", file.display())),
        }
    }
    let why = failed.unwrap_or_else(|| {
        format!(
            "{} and what it launches contain none of them",
            path.display()
        )
    });
    vec![Finding::warning(
        "wordings",
        format!(
            "its program text could not be read ({why}), so whether it words its errors otherwise is not known"
        ),
        "`program = …` may name the CLI itself where this is a launcher; nothing else depends on it",
    )]
}

/// The program, behind its links; and where it is a launcher, what it may launch.
fn program_files(path: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut next = vec![path.to_owned()];
    for _ in 0..LAUNCHERS {
        let mut further = Vec::new();
        for file in next {
            let file = file.canonicalize().unwrap_or(file);
            if files.contains(&file) || !file.is_file() {
                continue;
            }
            if let Ok(Some(script)) = script(&file) {
                further.extend(beside(&file));
                further.extend(mentioned(&script, file.parent(), home));
            }
            files.push(file);
        }
        next = further;
    }
    files
}

/// The text of a launcher.
fn script(file: &Path) -> io::Result<Option<String>> {
    let mut file = File::open(file)?;
    if file.metadata()?.len() > LAUNCHER {
        return Ok(None);
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(text
        .starts_with(b"#!")
        .then(|| String::from_utf8_lossy(&text).into_owned()))
}

/// Where npm puts the program of a package whose launcher this is: in the same package, or in that of the
/// platform, beside it or within.
fn beside(launcher: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for package in launcher.ancestors().skip(1).take(2) {
        files.push(package.join("cli.js"));
        files.push(package.join("bin/claude.exe"));
        let scopes = [
            package.parent().map(Path::to_owned),
            Some(package.join("node_modules/@anthropic-ai")),
        ];
        for scope in scopes.into_iter().flatten() {
            let packages = fs::read_dir(scope).into_iter().flatten().flatten();
            let natives = packages
                .filter(|entry| {
                    entry
                        .file_name()
                        .to_string_lossy()
                        .starts_with("claude-code-")
                })
                .map(|entry| entry.path().join("claude"));
            files.extend(natives);
        }
    }
    files
}

/// The programs that a launcher's text names, if they are called as the CLI is.
fn mentioned(script: &str, folder: Option<&Path>, home: Option<&Path>) -> Vec<PathBuf> {
    let words = script.split(|c: char| c.is_whitespace() || "\"'`;()&|<>=".contains(c));
    let paths = words.filter_map(|word| {
        let under = |prefixes: &[&str], base: Option<&Path>| {
            let rest = prefixes
                .iter()
                .find_map(|prefix| word.strip_prefix(prefix))?;
            Some(base?.join(rest))
        };
        if word.starts_with('/') {
            return Some(PathBuf::from(word));
        }
        under(&["$HOME/", "${HOME}/", "~/"], home)
            .or_else(|| under(&["$basedir/", "$DIR/", "$dir/", "./", "../"], folder))
    });
    let named = paths.filter(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy());
        name.is_some_and(|name| name.starts_with("claude") || name.starts_with("cli."))
    });
    named.filter(|path| path.is_file()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::doctor::report::Status;

    #[test]
    fn a_version_out_of_what_is_known_is_a_warning_in_words() {
        let of = |version| of_version(Path::new("/bin/claude"), version);
        assert_eq!(of(Some((2, 1, 330))).status, Status::Ok);
        assert_eq!(of(Some((2, 1, 112))).found, "/bin/claude, version 2.1.112");
        for (version, word) in [
            ((2, 1, 111), "older"),
            ((2, 1, 331), "newer"),
            ((3, 0, 0), "newer"),
        ] {
            let finding = of(Some(version));
            assert_eq!(finding.status, Status::Warning);
            assert!(finding.found.contains(word), "{}", finding.found);
        }
        assert_eq!(of(None).status, Status::Warning);
    }

    fn write(path: &Path, text: &str) -> PathBuf {
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, text).expect("a file");
        path.canonicalize().expect("it")
    }

    #[test]
    fn a_launcher_is_followed_to_the_program() {
        let tmp = tempfile::tempdir().expect("a folder");
        let home = tmp.path();
        // What `claude migrate-installer` once left: a script that runs the local package's link.
        let scope = home.join(".claude/local/node_modules/@anthropic-ai");
        let wrapper = write(
            &scope.join("claude-code/cli-wrapper.cjs"),
            "#!/usr/bin/env node\nrequire('child_process')\n",
        );
        let native = write(&scope.join("claude-code-linux-x64/claude"), "\x7fELF");
        let bin = home.join(".claude/local/node_modules/.bin");
        fs::create_dir_all(&bin).expect("a folder");
        std::os::unix::fs::symlink(&wrapper, bin.join("claude")).expect("a link");
        let launcher = write(
            &home.join(".claude/local/claude"),
            "#!/bin/bash\nexec \"$HOME/.claude/local/node_modules/.bin/claude\" \"$@\"\n",
        );
        let files = program_files(&launcher, Some(home));
        assert_eq!(files[0], launcher);
        assert!(
            files.contains(&wrapper) && files.contains(&native),
            "{files:?}"
        );
        // By npm's link alone too.
        let files = program_files(&bin.join("claude"), None);
        assert_eq!(files, [wrapper, native]);
    }

    #[test]
    fn what_is_no_launcher_stands_for_itself() {
        let tmp = tempfile::tempdir().expect("a folder");
        let other = write(&tmp.path().join("claude-other"), "x");
        let program = write(
            &tmp.path().join("claude"),
            &format!("\x7fELF {}", other.display()),
        );
        assert_eq!(program_files(&program, None), [program]);
        let looped = tmp.path().join("claude-loop");
        let looped = write(&looped, &format!("#!/bin/sh\nexec {}\n", looped.display()));
        assert_eq!(program_files(&looped, None), [looped]);
    }
}
