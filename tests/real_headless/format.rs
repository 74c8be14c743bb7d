//! The formats of a headless run.

use std::fmt;

/// What the CLI reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// The answer alone.
    Text,
    /// One object.
    Json,
    /// A line for everything that happens.
    Stream,
    /// The same, and the input is lines too.
    StreamInput,
}

impl Format {
    /// What begins with a prompt among the arguments.
    pub(crate) const PROMPTED: [Self; 3] = [Self::Text, Self::Json, Self::Stream];

    /// The arguments that ask for it.
    pub(crate) const fn args(self) -> &'static [&'static str] {
        match self {
            Self::Text => &["-p"],
            Self::Json => &["-p", "--output-format", "json"],
            Self::Stream => &["-p", "--output-format", "stream-json", "--verbose"],
            Self::StreamInput => &[
                "-p",
                "--input-format",
                "stream-json",
                "--output-format",
                "stream-json",
                "--verbose",
            ],
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Stream => "stream-json",
            Self::StreamInput => "stream-input",
        })
    }
}
