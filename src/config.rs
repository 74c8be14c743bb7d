//! The settings: flag beats environment beats file beats default.

use std::path::PathBuf;
use std::time::Duration;

use crate::supervisor::wording::Class;

/// How a wait is drawn, see [`crate::supervisor::backoff`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// `uniform(0, min(cap, base * 2^attempt))`.
    Full,
    /// Half fixed, half drawn.
    Equal,
    /// `min(cap, uniform(base, 3 * previous))`.
    Decorrelated,
    /// Exactly `min(cap, base * 2^attempt)`.
    None,
}

/// Named sets of defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// The defaults.
    Default,
    /// For a night alone: cap 5m, 150 tries.
    Patient,
}

/// Where the countdown shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarMode {
    /// On a row where it can be drawn safely, else in the title.
    Auto,
    /// In the window's title only.
    Title,
    /// Nowhere.
    Off,
}

/// How giving up is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notify {
    /// BEL.
    Bell,
    /// A desktop notification through the terminal (OSC 9).
    Desktop,
    /// Not at all.
    Off,
}

/// Is the transcript read?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TranscriptMode {
    /// Where it can be found.
    Auto,
    /// Never: the screen alone decides.
    Off,
}

/// The resolved settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The CLI to run: a name looked up in `PATH`, or a path.
    pub program: PathBuf,
    /// What is put into the prompt.
    pub message: String,
    /// The set of defaults that was chosen.
    pub profile: Profile,
    /// First backoff ceiling.
    pub base: Duration,
    /// Highest backoff ceiling.
    pub cap: Duration,
    /// Resumes of consecutive failed turns before giving up.
    pub max_retries: u32,
    /// How a wait is drawn.
    pub jitter: Jitter,
    /// Which classes are resumed.
    pub retry_on: Vec<Class>,
    /// Where the countdown shows.
    pub bar: BarMode,
    /// How giving up is announced.
    pub notify: Notify,
    /// Resumes in any hour at the most.
    pub max_per_hour: u32,
    /// Is the transcript read?
    pub transcript: TranscriptMode,
    /// Turn on the CLI's own watchdog for the child.
    pub native_watchdog: bool,
    /// The log file, or `None` for no log.
    pub log: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            program: PathBuf::from("claude"),
            message: "continue".into(),
            profile: Profile::Default,
            base: Duration::from_secs(1),
            cap: Duration::from_secs(30),
            max_retries: 6,
            jitter: Jitter::Full,
            retry_on: Class::ALL.to_vec(),
            bar: BarMode::Auto,
            notify: Notify::Bell,
            max_per_hour: 60,
            transcript: TranscriptMode::Auto,
            native_watchdog: false,
            log: None,
        }
    }
}
