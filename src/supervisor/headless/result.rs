//! The results of several runs as one: what a script that reads `json` or `stream-json` expects of one run.
//!
//! Turns, durations, tokens and costs are added up, and so are the permissions that were denied. Whatever is not known
//! to be an amount is the last run's. From 2.1.330 on the transcript has `cost-state` lines, and a run that resumes such a session goes on
//! from there: its `total_cost_usd`, `modelUsage` and `duration_api_ms` are those of the session, while `usage`,
//! `num_turns` and `duration_ms` are its own. The same holds for the turns of one process ([`Totals::OfSession`]).

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Number;
use serde_json::value::{RawValue, to_raw_value};

/// What a run's costs are those of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Totals {
    /// The run alone.
    OfRun,
    /// All of the session so far.
    OfSession,
}

/// An object whose fields keep their order and, where they are not touched, their very bytes.
#[derive(Debug)]
pub struct Object(Vec<(String, Box<RawValue>)>);

impl Object {
    /// Reads one.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The field of this name.
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| &**value)
    }

    /// A field that is a text.
    pub fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// A field that is a number without a sign.
    pub fn count(&self, name: &str) -> Option<u64> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// A field that is an object.
    pub fn object(&self, name: &str) -> Option<Self> {
        Self::read(self.get(name)?.get())
    }

    /// Is this field true?
    pub fn is(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.get() == "true")
    }

    fn set(&mut self, name: &str, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Object(fields))
            }
        }
        from.deserialize_map(Fields)
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// How a field of the runs becomes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// The numbers in it, however deep, are added up, but for those that say how large a model is.
    Sum,
    /// The higher one.
    Most,
    /// One list behind the other.
    Append,
}

/// Amounts of a result. Those of [`OF_SESSION`] are the session's where [`Totals::OfSession`] says so.
const AMOUNTS: &[(&str, Rule)] = &[
    ("duration_ms", Rule::Sum),
    ("duration_api_ms", Rule::Sum),
    ("num_turns", Rule::Sum),
    ("total_cost_usd", Rule::Sum),
    ("usage", Rule::Sum),
    ("modelUsage", Rule::Sum),
    ("model_usage_since_last_result", Rule::Sum),
    ("permission_denials", Rule::Append),
    ("subagent_stats", Rule::Sum),
    ("safety_stops", Rule::Sum),
];

/// Those that the CLI goes on counting from where a session stood.
const OF_SESSION: &[&str] = &["duration_api_ms", "total_cost_usd", "modelUsage"];

/// Numbers within the amounts that are none: sizes of a model, depths.
const SIZES: &[&str] = &["contextWindow", "maxOutputTokens", "max_depth"];

/// Adds a run's result to those before it; the later one is what remains.
pub fn add(before: &Object, mut last: Object, totals: Totals) -> Object {
    for (name, rule) in AMOUNTS {
        if totals == Totals::OfSession && OF_SESSION.contains(name) {
            continue;
        }
        let (Some(old), new) = (before.get(name), last.get(name)) else {
            continue;
        };
        let sum = match new {
            Some(new) => join(old, new, *rule),
            None => Some(old.to_owned()),
        };
        if let Some(sum) = sum {
            last.set(name, sum);
        }
    }
    last
}

/// `None`: the later one stays as it is.
fn join(old: &RawValue, new: &RawValue, rule: Rule) -> Option<Box<RawValue>> {
    if let (Some(old), Some(mut new)) = (Object::read(old.get()), Object::read(new.get())) {
        for (name, value) in &old.0 {
            let rule = if SIZES.contains(&name.as_str()) {
                Rule::Most
            } else {
                rule
            };
            let joined = match new.get(name) {
                Some(there) => join(value, there, rule),
                None => Some(value.clone()),
            };
            if let Some(joined) = joined {
                new.set(name, joined);
            }
        }
        return to_raw_value(&new).ok();
    }
    if rule == Rule::Append {
        let mut items: Vec<&RawValue> = serde_json::from_str(old.get()).ok()?;
        items.extend(serde_json::from_str::<Vec<&RawValue>>(new.get()).ok()?);
        return to_raw_value(&items).ok();
    }
    let old: Number = serde_json::from_str(old.get()).ok()?;
    let new: Number = serde_json::from_str(new.get()).ok()?;
    let joined = match (old.as_u64(), new.as_u64(), rule) {
        (Some(old), Some(new), Rule::Most) => Number::from(old.max(new)),
        (Some(old), Some(new), _) => Number::from(old.saturating_add(new)),
        (_, _, Rule::Most) => return None,
        _ => Number::from_f64(old.as_f64()? + new.as_f64()?)?,
    };
    to_raw_value(&joined).ok()
}

/// The output of a run in `json`: one object, or, with `--verbose`, an array of all that happened, whose last item is
/// the result.
#[derive(Debug)]
pub struct Printed {
    /// What stands before the result; none where it is an object.
    items: Option<Vec<Box<RawValue>>>,
    /// The result.
    pub result: Object,
}

impl Printed {
    /// Reads one; `None` where it is no result.
    pub fn read(output: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(output).ok()?.trim();
        let (items, result) = if text.starts_with('[') {
            let mut items: Vec<Box<RawValue>> = serde_json::from_str(text).ok()?;
            let last = items.pop()?;
            (Some(items), Object::read(last.get())?)
        } else {
            (None, Object::read(text)?)
        };
        (result.text("type").as_deref() == Some("result")).then_some(Self { items, result })
    }

    /// This run behind another: as `stream-json` would have it, without the other's result and this one's `init`.
    #[must_use]
    pub fn behind(self, before: &Self, totals: Totals) -> Self {
        let items = self.items.map(|items| {
            let is_init = |item: &RawValue| {
                Object::read(item.get())
                    .is_some_and(|item| item.text("subtype").as_deref() == Some("init"))
            };
            let mut all: Vec<Box<RawValue>> = before.items.iter().flatten().cloned().collect();
            all.extend(items.into_iter().filter(|item| !is_init(item)));
            all
        });
        Self {
            items,
            result: add(&before.result, self.result, totals),
        }
    }

    /// As the CLI prints it.
    pub fn bytes(&self) -> Vec<u8> {
        let result = to_raw_value(&self.result).ok();
        let text = match &self.items {
            None => serde_json::to_vec(&result),
            Some(items) => {
                let items: Vec<_> = items.iter().chain(result.as_ref()).collect();
                serde_json::to_vec(&items)
            }
        };
        let mut text = text.unwrap_or_default();
        text.push(b'\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The failed run of a tool's turn, as 2.1.330 prints it, shortened.
    const FAILED: &str = r#"{"duration_api_ms":90,"session_id":"s","total_cost_usd":0.00014,"usage":{"input_tokens":10,"output_tokens":12,"server_tool_use":{"web_search_requests":1},"service_tier":"standard","iterations":[]},"modelUsage":{"a":{"inputTokens":10,"costUSD":0.00014,"contextWindow":1000000}},"permission_denials":[{"tool_name":"Bash"}],"subagent_stats":{"spawned":1,"max_depth":2,"by_type":{"x":1}},"is_error":true,"num_turns":2,"result":"API Error: x","type":"result","duration_ms":352,"uuid":"one"}"#;
    const DONE: &str = r#"{"duration_api_ms":10,"session_id":"s","total_cost_usd":0.1,"usage":{"input_tokens":1,"output_tokens":2,"server_tool_use":{"web_search_requests":0},"service_tier":"standard","iterations":[]},"modelUsage":{"a":{"inputTokens":1,"costUSD":0.1,"contextWindow":1000000},"b":{"inputTokens":7}},"permission_denials":[{"tool_name":"Edit"}],"subagent_stats":{"spawned":0,"max_depth":0,"by_type":{}},"is_error":false,"num_turns":1,"result":"done","type":"result","duration_ms":8,"uuid":"two"}"#;

    fn added(totals: Totals) -> Value {
        let before = Object::read(FAILED).expect("an object");
        let sum = add(&before, Object::read(DONE).expect("an object"), totals);
        serde_json::to_value(&sum).expect("JSON")
    }

    fn close(value: &Value, expected: f64) {
        let value = value.as_f64().expect("a number");
        assert!((value - expected).abs() < 1e-9, "{value}");
    }

    #[test]
    fn amounts_are_added_up_and_all_else_is_the_last_runs() {
        let sum = added(Totals::OfRun);
        close(&sum["total_cost_usd"], 0.10014);
        close(&sum["modelUsage"]["a"]["costUSD"], 0.10014);
        assert_eq!(sum["modelUsage"]["a"]["inputTokens"], 11);
        assert_eq!(sum["modelUsage"]["a"]["contextWindow"], 1_000_000);
        assert_eq!(sum["modelUsage"]["b"]["inputTokens"], 7);
        assert_eq!(sum["duration_api_ms"], 100);
        assert_eq!(sum["duration_ms"], 360);
        assert_eq!(sum["num_turns"], 3);
        assert_eq!(sum["usage"]["input_tokens"], 11);
        assert_eq!(sum["usage"]["output_tokens"], 14);
        assert_eq!(sum["usage"]["server_tool_use"]["web_search_requests"], 1);
        assert_eq!(sum["usage"]["service_tier"], "standard");
        let denied = json!([{"tool_name":"Bash"},{"tool_name":"Edit"}]);
        assert_eq!(sum["permission_denials"], denied);
        assert_eq!(
            sum["subagent_stats"],
            json!({"spawned":1,"max_depth":2,"by_type":{"x":1}})
        );
        assert_eq!(sum["result"], "done");
        assert_eq!(sum["is_error"], false);
        assert_eq!(sum["uuid"], "two");
    }

    #[test]
    fn what_is_the_sessions_is_not_counted_twice() {
        let sum = added(Totals::OfSession);
        close(&sum["total_cost_usd"], 0.1);
        assert_eq!(sum["modelUsage"]["a"]["inputTokens"], 1);
        assert_eq!(sum["duration_api_ms"], 10);
        assert_eq!(sum["num_turns"], 3);
        assert_eq!(sum["usage"]["input_tokens"], 11);
        assert_eq!(sum["duration_ms"], 360);
    }

    #[test]
    fn fields_keep_their_order_and_their_bytes() {
        let before = Object::read(r#"{"num_turns":1,"only":1,"usage":{"z":1}}"#).expect("one");
        let last = r#"{"z":1.10,"num_turns":2,"a":"\u00e9","usage":{"y":1,"z":2},"b":[1, 2]}"#;
        let sum = add(&before, Object::read(last).expect("one"), Totals::OfRun);
        assert_eq!(
            serde_json::to_string(&sum).expect("JSON"),
            r#"{"z":1.10,"num_turns":3,"a":"\u00e9","usage":{"y":1,"z":3},"b":[1, 2]}"#
        );
    }

    #[test]
    fn a_field_that_only_one_of_them_has_is_kept_and_one_of_another_shape_is_the_last_runs() {
        let before = Object::read(r#"{"num_turns":1,"usage":{"a":1},"safety_stops":3}"#);
        let last = Object::read(r#"{"num_turns":"two","usage":null}"#).expect("one");
        let sum = add(&before.expect("one"), last, Totals::OfRun);
        assert_eq!(
            serde_json::to_value(&sum).expect("JSON"),
            json!({"num_turns":"two","usage":null,"safety_stops":3})
        );
    }

    #[test]
    fn with_verbose_all_that_happened_is_one_list() {
        let run = |init: &str, said: &str, result: &str| {
            let text = format!(
                r#"[{{"type":"system","subtype":"init","n":{init}}},{{"type":"assistant","n":{said}}},{{"type":"result","num_turns":{result}}}]"#
            );
            Printed::read(text.as_bytes()).expect("a list")
        };
        let both = run("3", "4", "5").behind(&run("1", "2", "3"), Totals::OfRun);
        assert_eq!(
            String::from_utf8(both.bytes()).expect("text"),
            concat!(
                r#"[{"type":"system","subtype":"init","n":1},{"type":"assistant","n":2},"#,
                r#"{"type":"assistant","n":4},{"type":"result","num_turns":8}]"#,
                "\n"
            )
        );
    }

    #[test]
    fn what_is_no_result_is_not_read() {
        for output in [
            "",
            "{}",
            "[]",
            "[1]",
            "{\"type\":\"result\"",
            "nonsense",
            "[{\"type\":\"user\"}]",
        ] {
            assert!(Printed::read(output.as_bytes()).is_none(), "{output}");
        }
        assert!(Printed::read(b"\xff").is_none());
    }
}
