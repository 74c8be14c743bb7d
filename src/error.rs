//! What can go wrong before the CLI runs: one clear line each, with the culprit, where it came from, and
//! the remedy.

use std::path::PathBuf;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The built-in default.
    Default,
    /// The default of the profile `patient`, and where that was chosen.
    Profile(Box<Self>),
    /// `config.toml`, with the line (from 1).
    File(PathBuf, usize),
    /// An environment variable.
    Env(String),
    /// A flag.
    Flag(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Profile(origin) => write!(f, "profile patient ({origin})"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Env(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// An error that ends the program before the CLI runs.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A flag that is not ours, though it is named like one.
    #[error("unknown flag {flag}{}; `claude-retry --help` lists them, and `--` before it hands it to claude", did_you_mean(.near.as_deref()))]
    UnknownFlag {
        /// As it was given.
        flag: String,
        /// One that is spelt nearly so.
        near: Option<String>,
    },
    /// A flag without its value.
    #[error("{flag} needs a value: {flag} {example} (with = if it begins with a dash)")]
    MissingValue {
        /// The flag.
        flag: String,
        /// A value that would do.
        example: &'static str,
    },
    /// A key in the file that is not ours.
    #[error("{path}:{line}: unknown key `{key}`{}; the keys are the flags' names in `claude-retry --help`, with _ for -", did_you_mean(.near.as_deref()), path = .path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// The key.
        key: String,
        /// One that is spelt nearly so.
        near: Option<String>,
    },
    /// A value that does not do.
    #[error("{origin}: {value:?} is no good value for {name}: {remedy}")]
    BadValue {
        /// The setting.
        name: &'static str,
        /// As it was given.
        value: String,
        /// Where.
        origin: Origin,
        /// What would do.
        remedy: String,
    },
    /// A `[[wording]]` of the file that does not do.
    #[error("{path}:{line}: wording {name:?}: {message}", path = .path.display())]
    BadWording {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// The wording's name, or empty.
        name: String,
        /// What is wrong, and what would do.
        message: String,
    },
    /// `base` is over `cap`.
    #[error(
        "base ({base}, from {base_origin}) is over cap ({cap}, from {cap_origin}): lower base or raise cap"
    )]
    BaseOverCap {
        /// The first ceiling.
        base: String,
        /// Where it came from.
        base_origin: Origin,
        /// The highest ceiling.
        cap: String,
        /// Where it came from.
        cap_origin: Origin,
    },
    /// The file is not TOML.
    #[error("{path}:{line}: {message}; mend that line, or move the file away", path = .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// The parser's words.
        message: String,
    },
    /// The file is there but cannot be read.
    #[error("cannot read {path}: {reason}; mend it, or move it away", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A verb of `ctl` that is not ours, or its arguments.
    #[error("{0}")]
    Usage(String),
    /// The program is not there.
    #[error(
        "cannot find the program {program:?} (from {origin}): install Claude Code, or name it with --retry-program PATH"
    )]
    ProgramNotFound {
        /// As it was asked for.
        program: PathBuf,
        /// Where that came from.
        origin: Origin,
    },
    /// The program cannot be executed.
    #[error(
        "cannot execute the program {program:?} (from {origin}): {reason}; mend it, or name another with --retry-program PATH"
    )]
    ProgramNotExecutable {
        /// As it was found.
        program: PathBuf,
        /// Where that came from.
        origin: Origin,
        /// The system's words.
        reason: String,
    },
    /// The program is this one.
    #[error(
        "{origin}: the program {program:?} is claude-retry itself; name the real CLI with --retry-program PATH"
    )]
    ProgramIsOurselves {
        /// As it was asked for.
        program: PathBuf,
        /// Where that came from.
        origin: Origin,
    },
    /// A failure of our own.
    #[error("{0}")]
    Own(String),
}

impl Error {
    /// 2 for bad input, 127 and 126 for a program that is not found or not executable, 125 for failures of our own.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::ProgramNotFound { .. } => 127,
            Self::ProgramNotExecutable { .. } => 126,
            Self::Own(_) => 125,
            _ => 2,
        }
    }
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!(" (did you mean {near}?)"))
}

/// The candidate that is spelt nearly like `word`, if one is.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    candidates
        .into_iter()
        .map(|candidate| (edits(word, candidate), candidate))
        .filter(|(edits, candidate)| *edits <= 1 + candidate.len() / 5)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// Levenshtein's distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spelt_nearly_so_is_named_and_what_is_not_is_not() {
        let names = ["base", "cap", "max_retries", "jitter"];
        assert_eq!(nearest("max_retrys", names).as_deref(), Some("max_retries"));
        assert_eq!(nearest("jiter", names).as_deref(), Some("jitter"));
        assert_eq!(nearest("cap", names).as_deref(), Some("cap"));
        assert_eq!(nearest("colour", names), None);
    }
}
