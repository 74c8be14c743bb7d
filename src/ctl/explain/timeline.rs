//! The replay in words, for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Map, Value, json};
use unicode_width::UnicodeWidthStr;

use super::decision::{Decision, Outcome};
use super::replay::{Step, WOULD_TYPE};
use crate::supervisor::wording::plain;
use crate::term::screen::Screen;

/// The witnesses of a verdict, in the order they are told in.
const WITNESSES: [&str; 6] = ["screen", "prompt", "title", "transcript", "hook", "cli"];
/// Where a line's text begins.
const INDENT: usize = 24;

/// One step as a line.
pub(super) fn line(step: &Step) -> String {
    let (what, text) = words(&step.record);
    format!("{:>9}  {what:<11}  {}\n", clock(step.at), plain(&text))
}

/// One step as a JSON object.
pub(super) fn object(step: &Step, with_screen: bool) -> Value {
    let mut object = Map::new();
    object.insert("at_ms".into(), ms(step.at).into());
    if let Value::Object(record) = &step.record {
        object.extend(record.clone());
    }
    if let Some(screen) = step.screen.as_ref().filter(|_| with_screen) {
        let rows: Vec<String> = screen.rows.iter().map(|row| clean(&row.text)).collect();
        object.insert("rows".into(), rows.into());
    }
    Value::Object(object)
}

/// The screen in a frame.
pub(super) fn frame(screen: &Screen) -> String {
    let cols = usize::from(screen.size.cols);
    let rule = "─".repeat(cols);
    let mut text = format!("{:INDENT$}┌{rule}┐\n", "");
    for row in &screen.rows {
        let row = clean(&row.text);
        let blank = cols.saturating_sub(row.width());
        let _ = writeln!(text, "{:INDENT$}│{row}{:blank$}│", "", "");
    }
    let _ = writeln!(text, "{:INDENT$}└{rule}┘", "");
    text
}

fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// What a record says: a word, and the rest.
fn words(record: &Value) -> (&'static str, String) {
    let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    match record["event"].as_str().unwrap_or_default() {
        "candidate" => ("error", format!("{}: {}", text("class"), text("text"))),
        "hook-failure" => ("hook", format!("tells of a failed turn: {}", text("text"))),
        "hook" if record["lives"] == true => ("hook", "lives in this session".into()),
        "hook" => (
            "hook",
            "has fallen silent, and is not waited for again".into(),
        ),
        "verdict" => ("verdict", verdict(record)),
        "waiting" => ("wait", waiting(record)),
        "paused" => ("pause", "the user types".into()),
        "unpaused" => ("wait", "goes on".into()),
        "hold" => ("hold off", text("reason")),
        WOULD_TYPE => ("would type", format!("“{}”, then Enter", text("text"))),
        "typing" => (
            "type",
            match record["text"].as_str() {
                Some(message) => format!("“{message}”"),
                None => "the message".into(),
            },
        ),
        "typed" => (
            "type",
            "Enter: the message was read back from the prompt".into(),
        ),
        "woken" => (
            "wake",
            format!("the hook resumes the turn: {}", text("prompt")),
        ),
        "resumed" => ("resumed", "a turn has begun".into()),
        "undone" => ("undo", text("reason")),
        "stood-down" => ("stand down", text("reason")),
        "gave-up" => ("give up", format!("after {}", text("why"))),
        "cancelled" => ("cancelled", "the user pressed Ctrl+C".into()),
        "turn-ok" => ("turn", "ended well".into()),
        "exit" => ("end", format!("the CLI ended with {}", text("how"))),
        "failed" => (
            "failed",
            "a fault of ours: live, claude-retry goes on as a plain pipe; please report it with this file".into(),
        ),
        "recording-ends" => (
            "end",
            "of the recording; from here on nothing more happens, and the clock runs on".into(),
        ),
        // A record that came later than this table.
        _ => ("note", record.to_string()),
    }
}

fn verdict(record: &Value) -> String {
    let mut parts = vec![match record["verdict"].as_str() {
        Some("act") => "act".to_owned(),
        Some("wait") => "wait".to_owned(),
        Some("keep-out") => "keep out".to_owned(),
        other => other.unwrap_or("?").to_owned(),
    }];
    if let Some(reason) = record["reason"].as_str() {
        let text = record["text"].as_str().unwrap_or_default();
        let _ = write!(parts[0], ": {}", why(reason, text));
    }
    let witnesses = &record["witnesses"];
    for name in WITNESSES {
        if let Some(said) = witnesses[name].as_str() {
            parts.push(format!("{name} {said}"));
        }
    }
    if witnesses.is_null() {
        if let Some(class) = record["class"].as_str() {
            parts.push(class.to_owned());
        }
        if let Some(by) = record["by"].as_str() {
            parts.push(format!("by the {by}"));
        }
        if record["hook"] == true {
            parts.push("and the hook".to_owned());
        }
    }
    parts.join(" · ")
}

/// A reason; the kind of an error that is not transient is one word, and says little without the error.
fn why(reason: &str, text: &str) -> String {
    if reason.contains(' ') {
        reason.to_owned()
    } else {
        format!("not transient ({reason}): {text}")
    }
}

fn waiting(record: &Value) -> String {
    let of = |name: &str| record[name].as_u64();
    let mut text = seconds(of("wait_ms").unwrap_or_default());
    if let (Some(attempt), Some(max)) = (of("attempt"), of("max")) {
        let _ = write!(text, ", try {attempt} of {max}");
    }
    if let Some(ceiling) = of("ceiling_ms") {
        let _ = write!(text, ", at most {}", seconds(ceiling));
    }
    if let Some(asked) = of("asked_ms") {
        let _ = write!(text, ", the server asked for {}", seconds(asked));
    }
    text
}

/// The last line for people.
pub(super) fn summary(decisions: &[Decision], message: &str) -> String {
    let Some(last) = decisions.last() else {
        return "verdict: nothing to do · no error ended the conversation\n".into();
    };
    let class = last.class.as_deref().unwrap_or("error");
    let after = match last.wait_ms {
        Some(wait) => format!("after a wait of {}", seconds(wait)),
        None => "at once".into(),
    };
    let what = match &last.outcome {
        Outcome::WouldType { then: None } => {
            format!("act · {class}: it would type “{message}” {after}")
        }
        Outcome::WouldType { then: Some(then) } => format!(
            "act · {class}: it would type “{message}” {after}; nothing was typed, and later: {then}"
        ),
        Outcome::Typed => format!("act · {class}: it typed “{message}” {after}"),
        Outcome::Wakes => format!("act · {class}: its hook resumes the turn {after}"),
        Outcome::Waits => format!("act · {class}: it still waits where the recording ends"),
        Outcome::HoldsOff(why) => {
            format!("act, but hands off · {class}: {why}; it goes on when the prompt is free")
        }
        Outcome::StoodDown(why) => format!("stand down · {class}: {why}"),
        Outcome::GaveUp(why) => format!("give up · {class}: after {why}"),
        Outcome::Cancelled => format!("cancelled · {class}: the user pressed Ctrl+C"),
        Outcome::KeptOut(reason) => format!("keep out · {}", why(reason, &last.text)),
    };
    let count = match decisions.len() {
        1 => String::new(),
        n => format!(" (the last of {n} errors)"),
    };
    format!("verdict{count}: {}\n", plain(&what))
}

/// The same for programs.
pub(super) fn summary_object(decisions: &[Decision]) -> Value {
    let last = decisions.last();
    json!({
        "event": "summary",
        "verdict": last.map_or("none", |last| last.outcome.verdict()),
        "reason": last.and_then(|last| last.outcome.reason()),
        "class": last.and_then(|last| last.class.as_deref()),
        "text": last.map(|last| last.text.as_str()),
        "wait_ms": last.and_then(|last| last.wait_ms),
        "at_ms": last.map(|last| ms(last.at)),
        "errors": decisions.len(),
    })
}

/// Minutes, seconds, milliseconds.
fn clock(at: Duration) -> String {
    let (minutes, seconds) = (at.as_secs() / 60, at.as_secs() % 60);
    format!("{minutes}:{seconds:02}.{:03}", at.subsec_millis())
}

pub(super) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// As a person writes it: `0.4s`, `12.0s`, `2m05s`.
pub(super) fn seconds(ms: u64) -> String {
    let tenths = ms / 100;
    if tenths < 600 {
        format!("{}.{}s", tenths / 10, tenths % 10)
    } else {
        format!("{}m{:02}s", ms / 60_000, ms / 1000 % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(record: Value) -> String {
        line(&Step {
            at: Duration::from_millis(61_005),
            record,
            screen: None,
        })
    }

    #[test]
    fn the_witnesses_are_told_where_they_are_known() {
        let witnesses = json!({"screen": "throttle", "busy": false, "prompt": "free", "title": "idle",
            "transcript": "assistant", "hook": "absent", "cli": "unknown"});
        let record = json!({"event": "verdict", "verdict": "wait", "reason": "the file lags", "witnesses": witnesses});
        assert_eq!(
            told(record),
            " 1:01.005  verdict      wait: the file lags · screen throttle · prompt free · title idle · \
             transcript assistant · hook absent · cli unknown\n"
        );
        let record = json!({"event": "verdict", "verdict": "keep-out", "reason": "credits", "text": "Credit balance too low"});
        assert!(
            told(record).ends_with("keep out: not transient (credits): Credit balance too low\n")
        );
    }

    #[test]
    fn a_wait_is_told_with_its_draw() {
        let record = json!({"event": "waiting", "wait_ms": 125_000, "attempt": 2, "max": 6, "ceiling_ms": 4_000, "asked_ms": 120_000});
        assert!(
            told(record).ends_with("2m05s, try 2 of 6, at most 4.0s, the server asked for 2m00s\n")
        );
    }

    #[test]
    fn nothing_of_a_recording_controls_the_terminal() {
        for record in [
            json!({"event": "candidate", "class": "x", "text": "a\u{1b}[2J\u{7}b\nc"}),
            json!({"event": "of tomorrow", "text": "a\u{1b}]0;b"}),
        ] {
            let line = told(record);
            let text = line.strip_suffix('\n').expect("one line");
            assert!(!text.contains(char::is_control), "{text:?}");
        }
    }
}
