//! The three ways in which a session is resumed.

use std::fmt;

use super::versions;

/// Who watches the session, and how it resumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The wrapper without the companion hook: it types.
    Typing,
    /// The wrapper with the companion hook; older versions take it from their settings.
    Hook,
    /// The hook in the CLI's settings, and no wrapper.
    Alone,
}

impl Mode {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Typing, Self::Hook, Self::Alone];

    /// Is there a wrapper?
    pub(crate) fn wrapped(self) -> bool {
        self != Self::Alone
    }

    /// Is the hook to be put into the settings of this version?
    pub(crate) fn installs(self, version: &str) -> bool {
        match self {
            Self::Typing => false,
            Self::Hook => !versions::is_since(version, versions::PLUGIN_DIRS),
            Self::Alone => true,
        }
    }

    /// The settings that make it so.
    pub(crate) fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Typing => &[
                ("CLAUDE_RETRY_HOOK", "off"),
                ("CLAUDE_RETRY_RESUME", "type"),
            ],
            Self::Hook | Self::Alone => &[],
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Typing => "typing",
            Self::Hook => "hook",
            Self::Alone => "alone",
        })
    }
}
