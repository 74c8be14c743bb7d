//! The catalogue of error wordings and their classes: data, one place.

/// What kind of transient error ended the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// 429, the server limits requests for a moment.
    Throttle,
    /// 529, overloaded.
    Overloaded,
    /// Another 5xx.
    ServerError,
    /// The connection could not be made or was dropped before an answer.
    Connection,
    /// The answer was cut in the middle.
    Cut,
}

impl Class {
    /// All of them, in the order of the settings' documentation.
    pub const ALL: [Self; 5] =
        [Self::Throttle, Self::Overloaded, Self::ServerError, Self::Connection, Self::Cut];

    /// The name in settings and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::Overloaded => "overloaded",
            Self::ServerError => "server-error",
            Self::Connection => "connection",
            Self::Cut => "cut",
        }
    }
}

/// What an error text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A transient error: a later try helps.
    Transient(Class),
    /// A known error that a later try does not help (usage limit, billing, login, request…); the
    /// name says which.
    Permanent(&'static str),
    /// The CLI is still trying by itself.
    StillRetrying,
    /// Not in the catalogue.
    Unknown,
}

/// Reads one error text (wraps joined, no glyph, with or without the leading `API Error: `).
pub fn read(text: &str) -> Reading {
    let _ = text;
    Reading::Unknown
}
