//! The imperative shell, unix only: the pty, the terminal, signals, files. It decides nothing about
//! errors of the CLI; it feeds [`crate::supervisor::session::Session`] and performs what that answers.

mod log;
mod program;

use std::path::PathBuf;

pub use self::log::Log;
pub use self::program::{Found, find as find_program};

/// Why the CLI could not be run.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Neither `PATH` nor the usual install places have it.
    #[error("cannot find the program {program:?}")]
    ProgramNotFound {
        /// As it was asked for.
        program: PathBuf,
    },
    /// It is there, but cannot be executed.
    #[error("cannot execute the program {program:?}: {reason}")]
    ProgramNotExecutable {
        /// As it was found.
        program: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A failure of ours.
    #[error("{0}")]
    Own(String),
}

impl LaunchError {
    /// The exit code that says the same: 127, 126, or 125 for our own failures.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::ProgramNotFound { .. } => 127,
            Self::ProgramNotExecutable { .. } => 126,
            Self::Own(_) => 125,
        }
    }
}
