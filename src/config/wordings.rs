//! `[[wording]]` in the file: wordings of the user's, and built-in ones that are switched off.

use std::fmt::Write as _;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, nearest};
use crate::supervisor::wording::{Catalogue, Class, Refused, Wording, entries};

/// The table's key in the file.
pub(super) const KEY: &str = "wording";

/// The class of an error that is never resumed.
const NEVER: &str = "never";

/// The file that is read.
#[derive(Clone, Copy)]
struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    /// What is wrong with the wording of this name, at this offset.
    fn error(self, name: &str, at: usize, message: impl Into<String>) -> Error {
        Error::BadWording {
            path: self.path.to_owned(),
            line: self.text[..at.min(self.text.len())].matches('\n').count() + 1,
            name: name.to_owned(),
            message: message.into(),
        }
    }
}

/// Reads all of them.
///
/// # Errors
///
/// [`Error::BadWording`] for the first that is wrong.
pub(super) fn read(
    path: &Path,
    text: &str,
    value: &Spanned<DeValue<'_>>,
) -> Result<Catalogue, Error> {
    let file = File { path, text };
    let shape = |at| {
        file.error(
            "",
            at,
            "write each wording as a table of its own, [[wording]]",
        )
    };
    let start = value.span().start;
    let DeValue::Array(items) = value.get_ref() else {
        return Err(shape(start));
    };
    let mut own: Vec<Wording> = Vec::new();
    let mut off = Vec::new();
    for item in items {
        let at = item.span().start;
        let DeValue::Table(table) = item.get_ref() else {
            return Err(shape(at));
        };
        match read_one(file, at, table)? {
            One::Off(name) => off.push(name),
            One::Own(wording) => {
                let twice = own.iter().any(|other| other.name == wording.name);
                let whose = if twice {
                    "another wording"
                } else if entries().iter().any(|entry| entry.name == wording.name) {
                    "a built-in wording"
                } else {
                    own.push(wording);
                    continue;
                };
                let message = format!("{whose} has this name: choose another");
                return Err(file.error(&wording.name, at, message));
            }
        }
    }
    Catalogue::new(own, off).map_err(|refused| file.error("", start, refused.to_string()))
}

enum One {
    Own(Wording),
    Off(&'static str),
}

fn read_one(file: File<'_>, start: usize, table: &DeTable<'_>) -> Result<One, Error> {
    // The name first: every message has it.
    let name = match table.get("name") {
        Some(value) => text_of(file, "", "name", value)?.0,
        None => "",
    };
    let error = |at, message: String| file.error(name, at, message);
    let (mut pattern, mut class, mut off) = (None, None, false);
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "name" => {}
            "pattern" => pattern = Some(text_of(file, name, "pattern", value)?),
            "class" => class = Some(text_of(file, name, "class", value)?),
            "off" => match value.get_ref() {
                DeValue::Boolean(on) => off = *on,
                _ => return Err(error(value.span().start, "write off = true".into())),
            },
            other => {
                let keys = ["name", "pattern", "class", "off"];
                let near = nearest(other, keys);
                let near = near.map_or(String::new(), |near| format!(" (did you mean {near}?)"));
                let message = format!(
                    "unknown key `{other}`{near}; a wording has name, pattern and class, or name and off"
                );
                return Err(error(key.span().start, message));
            }
        }
    }
    if name.trim().is_empty() {
        return Err(error(start, "give it a name".into()));
    }
    if name.chars().any(char::is_control) {
        return Err(error(
            start,
            "write the name without control characters".into(),
        ));
    }
    if off {
        if pattern.is_some() || class.is_some() {
            let message = "off = true is for a built-in wording: leave pattern and class out";
            return Err(error(start, message.into()));
        }
        return Catalogue::switch(name).map(One::Off).map_err(|refused| {
            let mut message = refused.to_string();
            if refused == Refused::Unknown {
                if let Some(near) = nearest(name, entries().iter().map(|entry| entry.name)) {
                    let _ = write!(message, " (did you mean {near}?)");
                }
                message += "; `claude-retry ctl config --wordings` lists them";
            } else {
                message += ", and cannot be switched off";
            }
            error(start, message)
        });
    }
    let Some((pattern, at)) = pattern else {
        let message = "give it a pattern, a regular expression, and a class; or off = true";
        return Err(error(start, message.into()));
    };
    Catalogue::check(pattern).map_err(|refused| {
        let message = match &refused {
            Refused::Pattern(reason) => format!("the pattern is no regular expression: {reason}"),
            _ => format!("the pattern is too wide: {refused}"),
        };
        error(at, format!("{message}; mend it"))
    })?;
    let names = || Class::ALL.map(Class::name).join(", ");
    let Some((class, at)) = class else {
        let message = format!("give it a class: {}, or {NEVER}", names());
        return Err(error(start, message));
    };
    let class = match Class::named(class) {
        None if class == NEVER => None,
        None => {
            let message = format!("there is no class {class:?}; write {}, or {NEVER}", names());
            return Err(error(at, message));
        }
        class => class,
    };
    Ok(One::Own(Wording {
        name: name.to_owned(),
        pattern: pattern.to_owned(),
        class,
    }))
}

/// A text, and where it stands.
fn text_of<'v>(
    file: File<'_>,
    name: &str,
    key: &str,
    value: &'v Spanned<DeValue<'_>>,
) -> Result<(&'v str, usize), Error> {
    let at = value.span().start;
    match value.get_ref() {
        DeValue::String(text) => Ok((text, at)),
        _ => Err(file.error(name, at, format!("write {key} as text, in quotes"))),
    }
}

/// The user's part of the catalogue as the file has it; empty where there is none.
pub fn show(catalogue: &Catalogue) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let mut text = String::new();
    for wording in catalogue.own() {
        let class = wording.class.map_or(NEVER, Class::name);
        let _ = write!(
            text,
            "\n[[{KEY}]]\nname = {}\npattern = {}\nclass = {}\n",
            quoted(&wording.name),
            quoted(&wording.pattern),
            quoted(class)
        );
    }
    for name in catalogue.off() {
        let _ = write!(text, "\n[[{KEY}]]\nname = {}\noff = true\n", quoted(name));
    }
    text
}
