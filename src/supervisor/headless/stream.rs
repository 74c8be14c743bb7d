//! Lines of JSON: whole ones out of chunks, and what each is.

use serde::Deserialize;

/// Collects whole lines out of chunks that end anywhere.
#[derive(Debug, Default)]
pub struct Lines {
    /// The beginning of a line.
    rest: Vec<u8>,
    /// So much of it has no end of a line.
    looked: usize,
}

impl Lines {
    /// Takes a chunk; gives the lines that it ends, each with its end.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.rest.extend_from_slice(bytes);
        let mut lines = Vec::new();
        let mut from = 0;
        while let Some(at) = self.rest[self.looked..]
            .iter()
            .position(|byte| *byte == b'\n')
        {
            let end = self.looked + at + 1;
            lines.push(self.rest[from..end].to_vec());
            (from, self.looked) = (end, end);
        }
        self.rest.drain(..from);
        self.looked = self.rest.len();
        lines
    }

    /// The beginning of a line whose end has not come.
    pub fn rest(&self) -> &[u8] {
        &self.rest
    }

    /// The same, taken.
    pub fn take_rest(&mut self) -> Vec<u8> {
        self.looked = 0;
        std::mem::take(&mut self.rest)
    }
}

/// What a line of the CLI's is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `system`, `init`: a run, or with input as lines a turn, begins.
    Init,
    /// `result`.
    Result,
    /// An answer to a request of this id.
    Response(String),
    /// A user's message, with its uuid: of a tool, or one that the CLI repeats.
    User(Option<String>),
    /// Of a turn: an assistant's message or a piece of it.
    Turn,
    /// Anything else.
    Other,
}

/// A line's fields that tell what it is.
#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    subtype: Option<serde_json::Value>,
    #[serde(default)]
    uuid: Option<serde_json::Value>,
    #[serde(default)]
    response: Option<serde_json::Value>,
}

/// Reads a line; what is no JSON is [`Kind::Other`].
pub fn kind(line: &[u8]) -> Kind {
    let Ok(fields) = serde_json::from_slice::<Fields>(line) else {
        return Kind::Other;
    };
    let text = |value: Option<&serde_json::Value>| value?.as_str().map(str::to_owned);
    match fields.kind.as_str() {
        "system" if text(fields.subtype.as_ref()).as_deref() == Some("init") => Kind::Init,
        "result" => Kind::Result,
        "control_response" => {
            let response = fields.response.as_ref();
            text(response.and_then(|response| response.get("request_id")))
                .map_or(Kind::Other, Kind::Response)
        }
        "user" => Kind::User(text(fields.uuid.as_ref())),
        "assistant" | "stream_event" => Kind::Turn,
        _ => Kind::Other,
    }
}

/// A line of the user's, as far as it matters.
#[derive(Deserialize)]
struct Asked {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    request_id: serde_json::Value,
    #[serde(default)]
    request: serde_json::Value,
}

impl Asked {
    fn read(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    fn is_request(&self, subtype: &str) -> bool {
        self.kind == "control_request" && self.request["subtype"] == subtype
    }
}

/// A request of the user's that asks for the session to be set up, with its id.
pub fn initialize_id(line: &[u8]) -> Option<String> {
    let asked = Asked::read(line).filter(|asked| asked.is_request("initialize"))?;
    asked.request_id.as_str().map(str::to_owned)
}

/// Does the user go on with this line: a message, or a word to stop?
pub fn goes_on(line: &[u8]) -> bool {
    Asked::read(line).is_some_and(|asked| asked.kind == "user" || asked.is_request("interrupt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_under_any_chunking() {
        let text = "{\"a\":\"é\"}\n\n{\"b\":1}\r\nrest".as_bytes();
        for size in 1..=text.len() {
            let mut lines = Lines::default();
            let mut whole: Vec<Vec<u8>> = Vec::new();
            for chunk in text.chunks(size) {
                whole.extend(lines.feed(chunk));
            }
            let expected: [&[u8]; 3] = ["{\"a\":\"é\"}\n".as_bytes(), b"\n", b"{\"b\":1}\r\n"];
            assert_eq!(whole, expected, "chunks of {size}");
            assert_eq!(lines.take_rest(), b"rest");
            assert_eq!(lines.rest(), b"");
        }
    }

    #[test]
    fn each_line_is_told_by_its_type() {
        let cases: &[(&str, Kind)] = &[
            (r#"{"type":"system","subtype":"init","x":1}"#, Kind::Init),
            (r#"{"type":"system","subtype":"api_retry"}"#, Kind::Other),
            (
                r#"{"subtype":"success","is_error":true,"type":"result"}"#,
                Kind::Result,
            ),
            (
                r#"{"type":"control_response","response":{"subtype":"success","request_id":"r"}}"#,
                Kind::Response("r".into()),
            ),
            (
                r#"{"type":"user","uuid":"u"}"#,
                Kind::User(Some("u".into())),
            ),
            (r#"{"type":"user"}"#, Kind::User(None)),
            (
                r#"{"type":"assistant","message":{"type":"result"}}"#,
                Kind::Turn,
            ),
            (r#"{"type":"rate_limit_event"}"#, Kind::Other),
            (r#"{"type":7}"#, Kind::Other),
            ("no JSON", Kind::Other),
        ];
        for (line, expected) in cases {
            assert_eq!(kind(line.as_bytes()), *expected, "{line}");
        }
    }

    #[test]
    fn a_request_to_set_up_is_known_by_its_id() {
        let line = br#"{"type":"control_request","request_id":"7","request":{"subtype":"initialize","hooks":{}}}"#;
        assert_eq!(initialize_id(line).as_deref(), Some("7"));
        let other =
            br#"{"type":"control_request","request_id":"7","request":{"subtype":"interrupt"}}"#;
        assert_eq!(initialize_id(other), None);
        assert_eq!(initialize_id(b"{\"type\":\"user\"}"), None);
    }

    #[test]
    fn the_user_goes_on_with_a_message_or_an_interrupt() {
        for (line, expected) in [
            (
                r#"{"type":"user","message":{"role":"user","content":"hi"}}"#,
                true,
            ),
            (
                r#"{"type":"control_request","request_id":"7","request":{"subtype":"interrupt"}}"#,
                true,
            ),
            (
                r#"{"type":"control_request","request_id":"7","request":{"subtype":"set_model"}}"#,
                false,
            ),
            (
                r#"{"type":"control_response","response":{"subtype":"success","request_id":"7"}}"#,
                false,
            ),
            (r#"{"type":"keep_alive"}"#, false),
            ("", false),
            ("no JSON", false),
        ] {
            assert_eq!(goes_on(line.as_bytes()), expected, "{line}");
        }
    }
}
