//! Our hook in the text of the CLI's settings: found, put in, taken out, with every other byte kept. Pure.
//!
//! The CLI takes plain JSON only: with a comment or a trailing comma it ignores the whole file (2.1.145,
//! 2.1.330). A byte-order mark is fine, and of two members with one name the last counts. So do we.

use std::ops::Range;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::command::program_in;
use super::json::{Node, places};
use super::style::Style;
use crate::supervisor::hook::stop_failure;

const BOM: char = '\u{feff}';
const HOOKS: &str = "hooks";
const EVENT: &str = "StopFailure";

/// Why settings are left alone; fit for "PATH … ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The CLI would not take it either.
    #[error("is not plain JSON ({0})")]
    NotJson(String),
    /// Something that we would have to go into is no such thing.
    #[error("has no {1} where {0} should be one")]
    Shape(&'static str, &'static str),
    /// What came out would not be what was meant: a bug of ours, and a reason to write nothing.
    #[error("cannot be changed without touching more than our hook")]
    Unsure,
}

/// A hook of ours in the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its command, as it is there.
    pub(crate) command: String,
    /// The program in it.
    pub(crate) program: PathBuf,
    /// Can it resume? Only a command with `asyncRewake` can.
    pub(crate) works: bool,
    /// Its group's `matcher`, where that leaves errors out.
    pub(crate) only: Option<String>,
    /// Its group in `StopFailure`, and its place in the group.
    place: (usize, usize),
}

/// The hooks of ours in these settings.
///
/// # Errors
///
/// When it is no JSON object. Other things of another shape hold no hook of ours.
pub(super) fn ours(text: &str) -> Result<Vec<Entry>, Refusal> {
    if is_blank(text) {
        return Ok(Vec::new());
    }
    Ok(entries(&value_of(text)?))
}

/// The settings with our hook in them exactly once, with this command: an older one of ours is changed
/// where it stands, else it comes last. The same text where there is nothing to do.
///
/// # Errors
///
/// When the text is no JSON, or `hooks` or `StopFailure` is of another shape.
pub(super) fn with_hook(text: &str, command: &str) -> Result<String, Refusal> {
    if is_blank(text) {
        let settings = json!({HOOKS: {EVENT: [{HOOKS: [stop_failure(command)]}]}});
        let style = Style::of("", 0..0);
        return Ok(style.render(&settings, "") + style.newline);
    }
    let mut new = text.to_owned();
    // One round for each that there is, and one to put it in.
    for _ in 0..ours(text)?.len() + 2 {
        let found = ours(&new)?;
        let narrow = found.iter().find(|entry| entry.only.is_some());
        new = match (found.as_slice(), narrow) {
            ([], _) => appended(&new, command)?,
            (_, Some(narrow)) => without(&new, narrow)?,
            ([only], None) if only.works && only.command == command => {
                let kept = stripped(value_of(text)?) == stripped(value_of(&new)?);
                return if kept { Ok(new) } else { Err(Refusal::Unsure) };
            }
            ([only], None) => replaced(&new, only, command)?,
            ([.., last], None) => without(&new, last)?,
        };
    }
    // Our own command is not known again.
    Err(Refusal::Unsure)
}

/// The settings with no hook of ours in them, and without what that leaves empty.
///
/// # Errors
///
/// When the text is no JSON.
pub(super) fn without_hook(text: &str) -> Result<String, Refusal> {
    let mut new = text.to_owned();
    while let Some(last) = ours(&new)?.last() {
        new = without(&new, last)?;
    }
    let kept = is_blank(text) || stripped(value_of(text)?) == stripped(value_of(&new)?);
    if kept { Ok(new) } else { Err(Refusal::Unsure) }
}

/// Nothing but blanks: to the CLI as if it were not there.
pub(super) fn is_blank(text: &str) -> bool {
    text.trim_start_matches(BOM).trim().is_empty()
}

/// The settings as a value.
///
/// # Errors
///
/// When it is no JSON object.
pub(super) fn value_of(text: &str) -> Result<Value, Refusal> {
    let value: Value = serde_json::from_str(text.trim_start_matches(BOM))
        .map_err(|error| Refusal::NotJson(error.to_string()))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(Refusal::Shape("the whole", "object"))
    }
}

/// The command of a hook, where it is ours, and the program in it.
fn as_ours(hook: &Value) -> Option<(&str, PathBuf)> {
    let command = hook["command"].as_str()?;
    Some((command, program_in(command)?))
}

fn entries(settings: &Value) -> Vec<Entry> {
    let mut found = Vec::new();
    let groups = settings[HOOKS][EVENT].as_array();
    for (group_at, group) in groups.into_iter().flatten().enumerate() {
        let only = group["matcher"]
            .as_str()
            .filter(|only| !["", "*"].contains(only));
        let hooks = group[HOOKS].as_array();
        for (at, hook) in hooks.into_iter().flatten().enumerate() {
            if let Some((command, program)) = as_ours(hook) {
                found.push(Entry {
                    command: command.to_owned(),
                    program,
                    works: hook["type"] == "command" && hook["asyncRewake"] == true,
                    only: only.map(str::to_owned),
                    place: (group_at, at),
                });
            }
        }
    }
    found
}

/// The value without ours and without what may have been made for them.
fn stripped(mut settings: Value) -> Value {
    let event = settings
        .get_mut(HOOKS)
        .and_then(|hooks| hooks.get_mut(EVENT));
    if let Some(groups) = event.and_then(Value::as_array_mut) {
        groups.retain_mut(|group| {
            let Some(hooks) = group.get_mut(HOOKS).and_then(Value::as_array_mut) else {
                return true;
            };
            let before = hooks.len();
            hooks.retain(|hook| as_ours(hook).is_none());
            !hooks.is_empty() || before == 0
        });
    }
    let empty = |value: &Value| {
        value.as_array().is_some_and(Vec::is_empty)
            || value.as_object().is_some_and(serde_json::Map::is_empty)
    };
    if let Some(root) = settings.as_object_mut() {
        if let Some(hooks) = root.get_mut(HOOKS).and_then(Value::as_object_mut)
            && hooks.get(EVENT).is_some_and(empty)
        {
            hooks.remove(EVENT);
        }
        if root.get(HOOKS).is_some_and(empty) {
            root.remove(HOOKS);
        }
    }
    settings
}

/// The text without its byte-order mark, that mark, and where everything is.
fn parsed(text: &str) -> Result<(&str, &str, Node), Refusal> {
    value_of(text)?;
    let body = text.trim_start_matches(BOM);
    let mark = &text[..text.len() - body.len()];
    Ok((mark, body, places(body).ok_or(Refusal::Unsure)?))
}

fn spliced(mark: &str, body: &str, range: Range<usize>, with: &str) -> String {
    [mark, &body[..range.start], with, &body[range.end..]].concat()
}

fn appended(text: &str, command: &str) -> Result<String, Refusal> {
    let (mark, body, root) = parsed(text)?;
    let value = value_of(text)?;
    let mut item = json!({HOOKS: [stop_failure(command)]});
    let mut key = None;
    let mut container = &root;
    // Down as far as there is something to go into.
    if let Some(hooks) = root.member(HOOKS) {
        if !value[HOOKS].is_object() {
            return Err(Refusal::Shape("hooks", "object"));
        }
        container = &hooks.value;
        if let Some(event) = container.member(EVENT) {
            if !value[HOOKS][EVENT].is_array() {
                return Err(Refusal::Shape("hooks.StopFailure", "array"));
            }
            container = &event.value;
        } else {
            key = Some(EVENT);
            item = json!([item]);
        }
    } else {
        key = Some(HOOKS);
        item = json!({EVENT: [item]});
    }
    let style = Style::of(body, root.span.clone());
    let last = container.inside().pop();
    let (range, with) = style.addition(body, container.span.clone(), last, key, &item);
    Ok(spliced(mark, body, range, &with))
}

/// The places of an entry: its group, and itself.
fn place_of<'a>(root: &'a Node, entry: &Entry) -> Option<(&'a Node, &'a Node)> {
    let groups = &root.member(HOOKS)?.value.member(EVENT)?.value;
    let group = groups.elements().get(entry.place.0)?;
    let hooks = &group.member(HOOKS)?.value;
    Some((group, hooks.elements().get(entry.place.1)?))
}

fn replaced(text: &str, entry: &Entry, command: &str) -> Result<String, Refusal> {
    let (mark, body, root) = parsed(text)?;
    let (_, hook) = place_of(&root, entry).ok_or(Refusal::Unsure)?;
    if entry.works {
        // The user may have changed the rest of it.
        let place = &hook.member("command").ok_or(Refusal::Unsure)?.value.span;
        let with = Value::from(command).to_string();
        return Ok(spliced(mark, body, place.clone(), &with));
    }
    let with = Style::of(body, root.span.clone()).in_place(
        body,
        hook.span.clone(),
        &stop_failure(command),
    );
    Ok(spliced(mark, body, hook.span.clone(), &with))
}

fn without(text: &str, entry: &Entry) -> Result<String, Refusal> {
    let (mark, body, root) = parsed(text)?;
    let range = removal(&root, entry).ok_or(Refusal::Unsure)?;
    Ok(spliced(mark, body, range, ""))
}

/// What is to be cut out: the entry, or the outermost thing that would be left with nothing in it.
fn removal(root: &Node, entry: &Entry) -> Option<Range<usize>> {
    let (group, hook) = place_of(root, entry)?;
    let hooks = root.member(HOOKS)?;
    let event = hooks.value.member(EVENT)?;
    let chain = [
        (&group.member(HOOKS)?.value, &hook.span),
        (&event.value, &group.span),
        (&hooks.value, &event.span),
        (root, &hooks.span),
    ];
    for (container, item) in chain {
        let inside = container.inside();
        let at = inside.iter().position(|span| span == item)?;
        if at > 0 {
            return Some(inside[at - 1].end..item.end);
        }
        if let Some(next) = inside.get(1) {
            return Some(item.start..next.start);
        }
    }
    // Nothing else was in the settings.
    Some(root.span.start + 1..root.span.end - 1)
}

#[cfg(test)]
mod tests;
