//! What a record says, in words.

use std::fmt::Write as _;

use serde_json::Value;

use crate::ctl::journal::{Fields, span_text};
use crate::supervisor::wording::plain;

/// An error's text is cut here: the banner's server part may be a page.
const TEXT: usize = 120;

/// A record as a sentence, without control characters.
pub(super) fn of(fields: &Fields) -> String {
    let word = |field: &Option<String>| plain(field.as_deref().unwrap_or_default());
    let reason = || word(&fields.reason);
    let attempt = || {
        fields
            .attempt
            .map_or_else(String::new, |n| format!(" (try {n})"))
    };
    match fields.event.as_str() {
        "start" => "started, claude-retry ".to_owned() + &word(&fields.version),
        "candidate" => with(
            "sees an error",
            fields.class.as_deref(),
            fields.text.as_deref(),
        ),
        "verdict" => verdict(fields),
        "waiting" => waits(fields),
        "hook-waiting" => {
            let waits = format!("the hook {}", waits(fields));
            with(&waits, fields.class.as_deref(), None)
        }
        "paused" => "paused: you are typing".into(),
        "unpaused" => "goes on waiting".into(),
        "hold" => format!("due, and holds off: {}", reason()),
        "typing" => match &fields.text {
            Some(text) => format!("types {:?}{}", plain(text), attempt()),
            None => format!("types the message{}", attempt()),
        },
        "typed" if fields.how.as_deref() == Some("run") => {
            format!("runs the CLI again with the message{}", attempt())
        }
        "typed" if fields.how.as_deref() == Some("start-over") => {
            format!("runs the CLI again from the start{}", attempt())
        }
        "typed" => format!("sent it with Enter{}", attempt()),
        "woken" => format!(
            "told its hook to resume{}; the prompt: {}",
            attempt(),
            word(&fields.prompt)
        ),
        "resumed" => "the turn runs again".into(),
        "turn-ok" => "the turn ended well".into(),
        "undone" => format!("took the message back: {}", reason()),
        "stood-down" => format!("stood down: {}", reason()),
        "gave-up" => format!("gave up after {}", word(&fields.why)),
        "cancelled" => "cancelled by you".into(),
        "hook" if fields.lives == Some(true) => "the companion hook lives in this session".into(),
        "hook" => "the companion hook has fallen silent".into(),
        "hook-failure" => with(
            "the hook told of a failed turn",
            None,
            fields.text.as_deref(),
        ),
        "hook-unavailable" => format!("no companion hook: {}", word(&fields.error)),
        "hook-resumed" => "the hook resumed the turn".into(),
        "hook-let-go" => format!("the hook let go: {}", reason()),
        "hook-unread" => format!("the hook could not read its event: {}", reason()),
        "no-retry-after" => format!("no Retry-After: {}", reason()),
        "failed" => format!(
            "failed, and is a plain pipe from here on: {}",
            word(&fields.error)
        ),
        "exit" => format!("the CLI ended, {}", word(&fields.how)),
        "end" => match (fields.code, fields.signal) {
            (Some(code), _) => format!("ended with code {code}"),
            (None, Some(signal)) => format!("ended by signal {signal}"),
            (None, None) => "ended".into(),
        },
        // Of a later version.
        other => {
            with(
                &plain(other),
                fields.class.as_deref(),
                fields.text.as_deref(),
            ) + &tail(&reason())
        }
    }
}

fn waits(fields: &Fields) -> String {
    let mut text = String::from("waits ");
    text += &span_text(fields.wait_ms.unwrap_or_default());
    match (fields.attempt, fields.max) {
        (Some(attempt), Some(max)) => {
            let _ = write!(text, " (try {attempt} of {max})");
        }
        (Some(attempt), None) => {
            let _ = write!(text, " (try {attempt})");
        }
        _ => {}
    }
    if let Some(asked) = fields.asked_ms {
        let _ = write!(text, "; the server asked for {}", span_text(asked));
    }
    text
}

fn verdict(fields: &Fields) -> String {
    let reason = plain(fields.reason.as_deref().unwrap_or_default());
    match fields.verdict.as_deref() {
        Some("act") => with(
            "an error to be resumed",
            fields.class.as_deref(),
            fields.text.as_deref(),
        ),
        Some("wait") => with("waits for the witnesses", None, Some(&reason)),
        Some("keep-out") => with("left alone", Some(&reason), fields.text.as_deref()),
        other => with(
            &format!("verdict {}", plain(other.unwrap_or_default())),
            Some(&reason),
            fields.text.as_deref(),
        ),
    }
}

/// `what, kind: text`, with what is there.
fn with(what: &str, kind: Option<&str>, text: Option<&str>) -> String {
    let part = |field: Option<&str>| plain(field.unwrap_or_default());
    let (kind, text) = (part(kind), part(text));
    let kind = if kind.is_empty() {
        kind
    } else {
        format!(", {kind}")
    };
    format!("{what}{kind}{}", tail(&text))
}

fn tail(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut cut: String = text.chars().take(TEXT).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    format!(": {cut}")
}

/// The witnesses of a verdict, one after the other.
pub(super) fn witnesses(witnesses: &Value) -> String {
    let Value::Object(fields) = witnesses else {
        return plain(&witnesses.to_string());
    };
    let parts = fields.iter().map(|(name, value)| match value {
        Value::String(text) => format!("{} {}", plain(name), plain(text)),
        other => format!("{} {}", plain(name), plain(&other.to_string())),
    });
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(json: &str) -> String {
        of(&serde_json::from_str(json).expect("a record"))
    }

    #[test]
    fn each_record_is_a_sentence() {
        let cases = [
            (
                r#"{"event":"verdict","verdict":"act","class":"throttle","text":"API Error: x","reason":"r"}"#,
                "an error to be resumed, throttle: API Error: x",
            ),
            (
                r#"{"event":"verdict","verdict":"act","class":"cut","uuid":null,"by":"screen","hook":false}"#,
                "an error to be resumed, cut",
            ),
            (
                r#"{"event":"verdict","verdict":"keep-out","reason":"usage-limit","text":"You've hit"}"#,
                "left alone, usage-limit: You've hit",
            ),
            (
                r#"{"event":"verdict","verdict":"wait","reason":"the transcript lags"}"#,
                "waits for the witnesses: the transcript lags",
            ),
            (
                r#"{"event":"waiting","attempt":2,"max":6,"wait_ms":12300,"asked_ms":10000}"#,
                "waits 12s (try 2 of 6); the server asked for 10s",
            ),
            (
                r#"{"event":"hook-waiting","by":"hook","class":"cut","attempt":1,"max":6,"wait_ms":400}"#,
                "the hook waits 400ms (try 1 of 6), cut",
            ),
            (
                r#"{"event":"typed","attempt":1,"how":"run"}"#,
                "runs the CLI again with the message (try 1)",
            ),
            (r#"{"event":"end","signal":9}"#, "ended by signal 9"),
            (
                r#"{"event":"gave-up","why":"6 tries"}"#,
                "gave up after 6 tries",
            ),
            (
                r#"{"event":"levitated","reason":"magic"}"#,
                "levitated: magic",
            ),
        ];
        for (json, words) in cases {
            assert_eq!(said(json), words);
        }
    }

    #[test]
    fn witnesses_are_named_one_by_one() {
        let value = serde_json::json!({ "busy": false, "screen": "throttle" });
        assert_eq!(witnesses(&value), "busy false, screen throttle");
    }
}
