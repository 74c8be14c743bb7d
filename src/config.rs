//! The settings: flag beats environment beats file beats default.

mod settings;
mod value;
mod wordings;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use self::settings::{SETTINGS, Setting, setting};
pub(crate) use self::value::span;
pub use self::wordings::show as show_wordings;
use crate::error::{Error, Origin, nearest};
use crate::supervisor::wording::{Catalogue, Class};

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

/// Does the companion hook live in the CLI that we run?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookMode {
    /// Where the CLI takes it.
    Auto,
    /// Never.
    Off,
}

/// How a turn is resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResumeMode {
    /// By typing where the prompt is free, by the hook where it is not.
    Auto,
    /// By typing only.
    Type,
    /// By the hook only.
    Hook,
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
    /// Does the companion hook live in the CLI?
    pub hook: HookMode,
    /// How a turn is resumed.
    pub resume: ResumeMode,
    /// Wait for as long as the server asked to, at least.
    pub retry_after: bool,
    /// Turn on the CLI's own watchdog for the child.
    pub native_watchdog: bool,
    /// Say nothing on stderr about the retries of a run without a terminal.
    pub quiet: bool,
    /// Put a line of ours into `stream-json` at each wait.
    pub stream_events: bool,
    /// The log file, or `None` for no log.
    pub log: Option<PathBuf>,
    /// The wordings that are in force.
    pub catalogue: Arc<Catalogue>,
}

impl Settings {
    /// The setting for which the hook does nothing where no wrapper runs the CLI, if one says so.
    pub const fn keeps_hook_idle(&self) -> Option<&'static str> {
        match (self.hook, self.resume) {
            (HookMode::Off, _) => Some("hook = off"),
            (HookMode::Auto, ResumeMode::Type) => Some("resume = type"),
            (HookMode::Auto, ResumeMode::Auto | ResumeMode::Hook) => None,
        }
    }
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
            hook: HookMode::Auto,
            resume: ResumeMode::Auto,
            retry_after: false,
            native_watchdog: false,
            quiet: false,
            stream_events: true,
            log: None,
            catalogue: Arc::new(Catalogue::builtin().clone()),
        }
    }
}

/// What begins our environment variables.
pub const ENV_PREFIX: &str = "CLAUDE_RETRY_";

/// The settings and where each came from.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The settings.
    pub settings: Settings,
    /// Where each came from, by [`Setting::name`].
    pub origins: BTreeMap<&'static str, Origin>,
    /// Environment variables that are named like ours and are not: perhaps a slip, perhaps another
    /// version's.
    pub unknown_env: Vec<String>,
}

impl Resolved {
    /// Where a setting came from.
    pub fn origin(&self, name: &str) -> Origin {
        self.origins.get(name).cloned().unwrap_or(Origin::Default)
    }
}

/// What the settings are made from, read once.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Our flags, in the order given: the last one of a name wins.
    pub flags: Vec<(&'static Setting, String)>,
    /// The environment.
    pub env: Vec<(String, OsString)>,
    /// `config.toml`: its path and its text, where there is one.
    pub file: Option<(PathBuf, String)>,
    /// Where the log goes if no setting says otherwise.
    pub log: Option<PathBuf>,
}

/// Reads the environment and the file.
///
/// # Errors
///
/// [`Error::Unreadable`] for a file that is there and cannot be read.
pub fn sources(flags: Vec<(&'static Setting, String)>) -> Result<Sources, Error> {
    let env = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .collect();
    let file = match config_file() {
        Some(path) => match crate::sys::read_text(&path) {
            Ok(text) => Some((path, text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                return Err(Error::Unreadable {
                    path,
                    reason: error.to_string(),
                });
            }
        },
        None => None,
    };
    Ok(Sources {
        flags,
        env,
        file,
        log: log_file(),
    })
}

/// `$XDG_CONFIG_HOME/claude-retry/config.toml`, by default under `~/.config`.
pub fn config_file() -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    let dirs = etcetera::base_strategy::Xdg::new().ok()?;
    Some(dirs.config_dir().join("claude-retry/config.toml"))
}

/// `$XDG_STATE_HOME/claude-retry/claude-retry.log`, by default under `~/.local/state`.
fn log_file() -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    let dirs = etcetera::base_strategy::Xdg::new().ok()?;
    Some(dirs.state_dir()?.join("claude-retry/claude-retry.log"))
}

/// Resolves the settings. Pure.
///
/// # Errors
///
/// The first thing that is wrong, in the order file, environment, flags.
pub fn resolve(sources: &Sources) -> Result<Resolved, Error> {
    // The layers, the weakest first: each value with where it came from.
    let mut given: Vec<(&'static Setting, String, Origin)> = Vec::new();
    let mut catalogue = None;
    if let Some((path, text)) = &sources.file {
        catalogue = read_file(path, text, &mut given)?;
    }
    let mut unknown_env = Vec::new();
    for (name, value) in &sources.env {
        let Some(rest) = name.strip_prefix(ENV_PREFIX) else {
            continue;
        };
        let Some(setting) = SETTINGS.iter().find(|setting| setting.env_suffix() == rest) else {
            if name != crate::supervisor::hook::SOCKET_VAR {
                unknown_env.push(name.clone());
            }
            continue;
        };
        let origin = Origin::Env(name.clone());
        let value = value.to_str().ok_or_else(|| Error::BadValue {
            name: setting.name,
            value: value.to_string_lossy().into_owned(),
            origin: origin.clone(),
            remedy: "it must be UTF-8".into(),
        })?;
        if !value.is_empty() {
            given.push((setting, value.to_owned(), origin));
        }
    }
    unknown_env.sort();
    for (setting, value) in &sources.flags {
        given.push((
            setting,
            value.clone(),
            Origin::Flag(format!("{}{}", crate::cli::PREFIX, setting.name)),
        ));
    }

    let mut settings = Settings {
        log: sources.log.clone(),
        ..Settings::default()
    };
    if let Some(catalogue) = catalogue {
        settings.catalogue = Arc::new(catalogue);
    }
    let mut origins = BTreeMap::new();
    for (setting, value, origin) in &given {
        (setting.set)(&mut settings, value).map_err(|remedy| Error::BadValue {
            name: setting.name,
            value: value.clone(),
            origin: origin.clone(),
            remedy,
        })?;
        origins.insert(setting.name, origin.clone());
    }
    // A profile only changes defaults, whatever layer it came from.
    if settings.profile == Profile::Patient {
        let chosen = origins.get("profile").cloned().unwrap_or(Origin::Default);
        let origin = || Origin::Profile(Box::new(chosen.clone()));
        if !origins.contains_key("cap") {
            settings.cap = Duration::from_mins(5);
            origins.insert("cap", origin());
        }
        if !origins.contains_key("max-retries") {
            settings.max_retries = 150;
            origins.insert("max-retries", origin());
        }
    }
    let resolved = Resolved {
        settings,
        origins,
        unknown_env,
    };
    if resolved.settings.base > resolved.settings.cap {
        return Err(Error::BaseOverCap {
            base: value::show_duration(resolved.settings.base),
            base_origin: resolved.origin("base"),
            cap: value::show_duration(resolved.settings.cap),
            cap_origin: resolved.origin("cap"),
        });
    }
    Ok(resolved)
}

/// The file's settings into `given`, and its catalogue, where it has wordings.
fn read_file(
    path: &Path,
    text: &str,
    given: &mut Vec<(&'static Setting, String, Origin)>,
) -> Result<Option<Catalogue>, Error> {
    let line_at = |offset: usize| text[..offset.min(text.len())].matches('\n').count() + 1;
    let table = toml::de::DeTable::parse(text).map_err(|error| Error::Syntax {
        path: path.to_owned(),
        line: line_at(error.span().map_or(0, |span| span.start)),
        message: error.message().replace('\n', " "),
    })?;
    // In the order of the file, so that the first thing wrong is the first one told.
    let mut entries: Vec<_> = table.get_ref().iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let mut catalogue = None;
    for (key, item) in entries {
        let line = line_at(key.span().start);
        let name = key.get_ref().as_ref();
        if name == wordings::KEY {
            catalogue = Some(wordings::read(path, text, item)?);
            continue;
        }
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key() == name) else {
            return Err(Error::UnknownKey {
                path: path.to_owned(),
                line,
                key: name.to_owned(),
                near: nearest_key(name),
            });
        };
        let origin = Origin::File(path.to_owned(), line);
        let value = value::of_toml(item.get_ref()).ok_or_else(|| Error::BadValue {
            name: setting.name,
            value: text[item.span()].to_owned(),
            origin: origin.clone(),
            remedy: format!("write {} = {}", setting.key(), setting.toml_example()),
        })?;
        given.push((setting, value, origin));
    }
    Ok(catalogue)
}

/// The key that is spelt nearly like this one.
fn nearest_key(name: &str) -> Option<String> {
    let keys: Vec<_> = SETTINGS.iter().map(Setting::key).collect();
    let keys = keys.iter().map(String::as_str);
    nearest(name, keys.chain([wordings::KEY]))
}

#[cfg(test)]
mod tests;
