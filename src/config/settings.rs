//! The table of settings: every layer, `--help`, `ctl config`, the manual and the completions are made
//! from it.

use std::path::PathBuf;

use super::value::{choice, count, duration, message, show_duration};
use super::{BarMode, HookMode, Jitter, Notify, Profile, ResumeMode, Settings, TranscriptMode};
use crate::supervisor::wording::Class;

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Its name, as in `--retry-NAME`.
    pub name: &'static str,
    /// What it is for, in one line.
    pub help: &'static str,
    /// What its value looks like, in capitals or as choices.
    pub value: &'static str,
    /// A value that does.
    pub example: &'static str,
    /// The values there are, where they are few.
    pub choices: &'static [&'static str],
    /// Its value where its flag stands without one.
    pub bare: Option<&'static str>,
    pub(super) set: fn(&mut Settings, &str) -> Result<(), String>,
    show: fn(&Settings) -> String,
}

impl PartialEq for Setting {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Setting {}

impl Setting {
    /// Its key in the file.
    pub fn key(&self) -> String {
        self.name.replace('-', "_")
    }

    /// Its environment variable, behind [`super::ENV_PREFIX`].
    pub fn env_suffix(&self) -> String {
        self.key().to_uppercase()
    }

    /// Its environment variable.
    pub fn env(&self) -> String {
        format!("{}{}", super::ENV_PREFIX, self.env_suffix())
    }

    /// A value that does, as the file has it.
    pub fn toml_example(&self) -> String {
        toml_text(self.example)
    }

    /// Its value in these settings, as behind its flag.
    pub fn as_flag(&self, settings: &Settings) -> String {
        let text = format!("value = {}", self.show(settings));
        match toml::from_str::<toml::Table>(&text)
            .as_ref()
            .map(|table| &table["value"])
        {
            Ok(toml::Value::String(text)) => text.clone(),
            Ok(toml::Value::Array(values)) => {
                let values: Vec<_> = values.iter().filter_map(toml::Value::as_str).collect();
                values.join(",")
            }
            Ok(value) => value.to_string(),
            Err(_) => self.show(settings),
        }
    }

    /// Its value in these settings, as the file has it.
    pub fn show(&self, settings: &Settings) -> String {
        (self.show)(settings)
    }
}

/// The setting of this name.
pub fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// A value as TOML: numbers bare, all else as text.
fn toml_text(value: &str) -> String {
    match value.parse::<u32>() {
        Ok(number) => number.to_string(),
        Err(_) => toml::Value::String(value.to_owned()).to_string(),
    }
}

const JITTERS: &[(&str, Jitter)] = &[
    ("full", Jitter::Full),
    ("equal", Jitter::Equal),
    ("decorrelated", Jitter::Decorrelated),
    ("none", Jitter::None),
];
const PROFILES: &[(&str, Profile)] =
    &[("default", Profile::Default), ("patient", Profile::Patient)];
const BARS: &[(&str, BarMode)] = &[
    ("auto", BarMode::Auto),
    ("title", BarMode::Title),
    ("off", BarMode::Off),
];
const NOTIFIES: &[(&str, Notify)] = &[
    ("bell", Notify::Bell),
    ("desktop", Notify::Desktop),
    ("off", Notify::Off),
];
const TRANSCRIPTS: &[(&str, TranscriptMode)] =
    &[("auto", TranscriptMode::Auto), ("off", TranscriptMode::Off)];
const HOOKS: &[(&str, HookMode)] = &[("auto", HookMode::Auto), ("off", HookMode::Off)];
const RESUMES: &[(&str, ResumeMode)] = &[
    ("auto", ResumeMode::Auto),
    ("type", ResumeMode::Type),
    ("hook", ResumeMode::Hook),
];
const SWITCH: &[(&str, bool)] = &[("on", true), ("off", false)];

/// The name of a value of one of the tables above, as TOML.
fn named<T: PartialEq>(choices: &[(&str, T)], value: &T) -> String {
    let found = choices.iter().find(|(_, choice)| choice == value);
    toml_text(found.map_or("", |(name, _)| name))
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.trim().is_empty() {
        return Err("write a name or a path".into());
    }
    if text.starts_with("~/") || text == "~" {
        return Err("write the whole path: ~ is the shell's, and is not expanded here".into());
    }
    Ok(PathBuf::from(text))
}

fn classes(text: &str) -> Result<Vec<Class>, String> {
    let mut classes = Vec::new();
    for name in text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        if name == "all" {
            return Ok(Class::ALL.to_vec());
        }
        let names = Class::ALL.map(|class| (class.name(), class));
        let class = choice(name, &names).map_err(|remedy| format!("{remedy}, or all"))?;
        if !classes.contains(&class) {
            classes.push(class);
        }
    }
    if classes.is_empty() {
        return Err(
            "name one class at least: throttle, overloaded, server-error, connection, cut, or all"
                .into(),
        );
    }
    Ok(classes)
}

/// All of them, in the order of the documentation.
pub static SETTINGS: &[Setting] = &[
    Setting {
        name: "program",
        help: "the CLI to run: a name looked up in PATH, or a path",
        value: "PROGRAM",
        example: "claude",
        choices: &[],
        bare: None,
        set: |s, text| path(text).map(|path| s.program = path),
        show: |s| toml_text(&s.program.to_string_lossy()),
    },
    Setting {
        name: "message",
        help: "what is put into the prompt",
        value: "TEXT",
        example: "continue",
        choices: &[],
        bare: None,
        set: |s, text| message(text).map(|message| s.message = message),
        show: |s| toml::Value::String(s.message.clone()).to_string(),
    },
    Setting {
        name: "profile",
        help: "a set of defaults; patient, for a night alone: cap 5m, max-retries 150",
        value: "default|patient",
        example: "patient",
        choices: &["default", "patient"],
        bare: None,
        set: |s, text| choice(text, PROFILES).map(|profile| s.profile = profile),
        show: |s| named(PROFILES, &s.profile),
    },
    Setting {
        name: "base",
        help: "the first wait's ceiling; it doubles with each try, up to cap",
        value: "DURATION",
        example: "1s",
        choices: &[],
        bare: None,
        set: |s, text| duration(text).map(|duration| s.base = duration),
        show: |s| toml_text(&show_duration(s.base)),
    },
    Setting {
        name: "cap",
        help: "the highest ceiling of a wait",
        value: "DURATION",
        example: "30s",
        choices: &[],
        bare: None,
        set: |s, text| duration(text).map(|duration| s.cap = duration),
        show: |s| toml_text(&show_duration(s.cap)),
    },
    Setting {
        name: "max-retries",
        help: "resumes of failed turns in a row before giving up",
        value: "NUMBER",
        example: "6",
        choices: &[],
        bare: None,
        set: |s, text| count(text, 100_000).map(|count| s.max_retries = count),
        show: |s| s.max_retries.to_string(),
    },
    Setting {
        name: "jitter",
        help: "how a wait is drawn below its ceiling; none waits exactly the ceiling",
        value: "full|equal|decorrelated|none",
        example: "full",
        choices: &["full", "equal", "decorrelated", "none"],
        bare: None,
        set: |s, text| choice(text, JITTERS).map(|jitter| s.jitter = jitter),
        show: |s| named(JITTERS, &s.jitter),
    },
    Setting {
        name: "retry-on",
        help: "which errors are resumed, with commas: throttle, overloaded, server-error, connection, cut",
        value: "CLASSES",
        example: "throttle,overloaded",
        choices: &[],
        bare: None,
        set: |s, text| classes(text).map(|classes| s.retry_on = classes),
        show: |s| {
            let names = s.retry_on.iter().map(|class| class.name().into());
            toml::Value::Array(names.collect()).to_string()
        },
    },
    Setting {
        name: "bar",
        help: "where the countdown shows: on a row where that is safe, else in the title",
        value: "auto|title|off",
        example: "title",
        choices: &["auto", "title", "off"],
        bare: None,
        set: |s, text| choice(text, BARS).map(|bar| s.bar = bar),
        show: |s| named(BARS, &s.bar),
    },
    Setting {
        name: "notify",
        help: "how giving up is announced",
        value: "bell|desktop|off",
        example: "desktop",
        choices: &["bell", "desktop", "off"],
        bare: None,
        set: |s, text| choice(text, NOTIFIES).map(|notify| s.notify = notify),
        show: |s| named(NOTIFIES, &s.notify),
    },
    Setting {
        name: "max-per-hour",
        help: "resumes in any hour at the most",
        value: "NUMBER",
        example: "60",
        choices: &[],
        bare: None,
        set: |s, text| count(text, 100_000).map(|count| s.max_per_hour = count),
        show: |s| s.max_per_hour.to_string(),
    },
    Setting {
        name: "transcript",
        help: "read the session's transcript as a witness; off: the screen alone decides",
        value: "auto|off",
        example: "auto",
        choices: &["auto", "off"],
        bare: None,
        set: |s, text| choice(text, TRANSCRIPTS).map(|mode| s.transcript = mode),
        show: |s| named(TRANSCRIPTS, &s.transcript),
    },
    Setting {
        name: "hook",
        help: "the companion hook, a witness and a way to resume; off: the CLI gets none of us",
        value: "auto|off",
        example: "auto",
        choices: &["auto", "off"],
        bare: None,
        set: |s, text| choice(text, HOOKS).map(|mode| s.hook = mode),
        show: |s| named(HOOKS, &s.hook),
    },
    Setting {
        name: "resume",
        help: "how a turn is resumed; auto types where the prompt is free, else the hook resumes",
        value: "auto|type|hook",
        example: "auto",
        choices: &["auto", "type", "hook"],
        bare: None,
        set: |s, text| choice(text, RESUMES).map(|mode| s.resume = mode),
        show: |s| named(RESUMES, &s.resume),
    },
    Setting {
        name: "retry-after",
        help: "wait for as long as the server asked to, at least; needs the CLI's debug log",
        value: "on|off",
        example: "on",
        choices: &["on", "off"],
        bare: None,
        set: |s, text| choice(text, SWITCH).map(|on| s.retry_after = on),
        show: |s| named(SWITCH, &s.retry_after),
    },
    Setting {
        name: "native-watchdog",
        help: "let the CLI itself wait longer first (CLAUDE_CODE_RETRY_WATCHDOG)",
        value: "on|off",
        example: "on",
        choices: &["on", "off"],
        bare: None,
        set: |s, text| choice(text, SWITCH).map(|on| s.native_watchdog = on),
        show: |s| named(SWITCH, &s.native_watchdog),
    },
    Setting {
        name: "quiet",
        help: "with -p: say nothing about retries on stderr",
        value: "on|off",
        example: "on",
        choices: &["on", "off"],
        bare: Some("on"),
        set: |s, text| choice(text, SWITCH).map(|on| s.quiet = on),
        show: |s| named(SWITCH, &s.quiet),
    },
    Setting {
        name: "stream-events",
        help: "with -p and stream-json: a line of ours (system, claude_retry) at each wait",
        value: "on|off",
        example: "off",
        choices: &["on", "off"],
        bare: None,
        set: |s, text| choice(text, SWITCH).map(|on| s.stream_events = on),
        show: |s| named(SWITCH, &s.stream_events),
    },
    Setting {
        name: "log",
        help: "the log of decisions, one JSON object a line",
        value: "FILE|off",
        example: "off",
        choices: &[],
        bare: None,
        set: |s, text| {
            s.log = if text.trim() == "off" {
                None
            } else {
                Some(path(text)?)
            };
            Ok(())
        },
        show: |s| {
            let log = s.log.as_ref().map(|path| path.to_string_lossy());
            toml_text(log.as_deref().unwrap_or("off"))
        },
    },
];
