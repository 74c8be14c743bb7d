//! What a run wrote, against what runs of the CLI alone write.

use serde_json::{Map, Value};

use super::format::Format;
use super::process::Done;
use crate::real::stage::{Outcome, ensure};

/// What is another one in each run.
const VOLATILE: [&str; 16] = [
    "request_sent_wall_ms",
    "user_message_uuids",
    "user_message_uuid",
    "messaging_socket_path",
    "session_id",
    "uuid",
    "timestamp",
    "request_id",
    "id",
    "duration_ms",
    "ttft_ms",
    "ttft_stream_ms",
    "time_to_request_ms",
    "first_content_frame_ms",
    "result_index",
    "retry_delay_ms",
];
/// What a result adds up.
const SUMMED: [&str; 6] = [
    "num_turns",
    "duration_api_ms",
    "total_cost_usd",
    "usage",
    "modelUsage",
    "model_usage_since_last_result",
];
/// The sums of it that are the same in each run, by their places.
const SUMS: [&str; 7] = [
    "/num_turns",
    "/total_cost_usd",
    "/usage/input_tokens",
    "/usage/output_tokens",
    "/usage/cache_creation_input_tokens",
    "/usage/cache_read_input_tokens",
    "/usage/server_tool_use/web_search_requests",
];
/// The same for each model in `modelUsage`.
const MODEL_SUMS: [&str; 5] = [
    "inputTokens",
    "outputTokens",
    "cacheReadInputTokens",
    "cacheCreationInputTokens",
    "costUSD",
];
/// Costs are sums of fractions.
const EXACT: f64 = 1e-9;

/// Each line by itself, whole.
pub(crate) fn lines(text: &str) -> Outcome<Vec<Value>> {
    ensure(text.is_empty() || text.ends_with('\n'), || {
        format!("the last line has no end: {text:?}")
    })?;
    let lines = text.lines().map(|line| {
        serde_json::from_str(line).map_err(|error| format!("{error} in the line {line:?}"))
    });
    lines.collect()
}

/// The last line of the output.
pub(crate) fn result(done: &Done) -> Outcome<Value> {
    let last = lines(&done.stdout)?.pop();
    let last = last.filter(|line| line["type"] == "result");
    last.ok_or_else(|| format!("no result at the end of {:?}", done.stdout))
}

/// A line without what is another one in each run.
pub(crate) fn plain(mut line: Value) -> Value {
    if line["type"] == "result" {
        let fields = line.as_object_mut().into_iter();
        fields.for_each(|fields| fields.retain(|name, _| !SUMMED.contains(&name.as_str())));
    }
    strip(&mut line);
    line
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            // The last are told of turns whose message has an id, as ours have.
            let stays =
                |name: &str| !VOLATILE.contains(&name) && !name.starts_with("first_request_");
            fields.retain(|name, _| stays(name));
            fields.values_mut().for_each(strip);
        }
        Value::Array(values) => values.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Is this a line of ours?
pub(crate) fn is_ours(line: &Value) -> bool {
    line["subtype"] == "claude_retry"
}

/// The output is what the CLI alone writes: byte for byte, or but for what is another one in each run.
pub(crate) fn as_alone(format: Format, done: &Done, alone: &Done) -> Outcome {
    ensure(done.code == alone.code, || {
        format!("code {}, alone {}: {done:?}", done.code, alone.code)
    })?;
    if format == Format::Text {
        return same("the output", &done.stdout, &alone.stdout);
    }
    let all = |done: &Done| Outcome::Ok(lines(&done.stdout)?.into_iter().map(plain).collect());
    let (lines, expected): (Vec<_>, Vec<_>) = (all(done)?, all(alone)?);
    same_lines(&lines, &expected)
}

/// The output is that of one run that came through, or of the last that did not: `parts` are what the CLI alone
/// writes in each of the runs that it took.
pub(crate) fn as_one_run(format: Format, done: &Done, parts: &[&Done]) -> Outcome {
    let (last, failed) = parts.split_last().expect("a run");
    ensure(done.code == last.code, || {
        format!("code {}, alone {}: {done:?}", done.code, last.code)
    })?;
    match format {
        Format::Text => same("the output", &done.stdout, &last.stdout),
        Format::Json => {
            let written = lines(&done.stdout)?;
            ensure(written.len() == 1, || {
                format!("not one object: {:?}", done.stdout)
            })?;
            let (written, expected) = (result(done)?, result(last)?);
            same_lines(&[plain(written)], &[plain(expected)])?;
            sums(done, parts)
        }
        Format::Stream | Format::StreamInput => {
            let written = lines(&done.stdout)?;
            let mut expected = Vec::new();
            for (number, part) in failed.iter().enumerate() {
                let all = lines(&part.stdout)?;
                // The first begins; no result but the last.
                let from = usize::from(number > 0);
                expected.extend(all[from..all.len() - 1].iter().cloned().map(plain));
                expected.push(retry_line(number + 1));
            }
            let from = usize::from(!failed.is_empty());
            expected.extend(lines(&last.stdout)?.into_iter().skip(from).map(plain));
            one_session(&written)?;
            written
                .iter()
                .filter(|line| is_ours(line))
                .try_for_each(is_complete)?;
            let written: Vec<_> = written.into_iter().map(shortened).collect();
            // A run that lives on tells of a limit once, not in each of its turns.
            let [written, expected] = [written, expected].map(|mut lines| {
                lines.retain(|line| line["type"] != "rate_limit_event");
                lines
            });
            same_lines(&written, &expected)?;
            sums(done, parts)
        }
    }
}

/// Of a line of ours what is known before.
fn retry_line(attempt: usize) -> Value {
    serde_json::json!({"type": "system", "subtype": "claude_retry", "attempt": attempt})
}

/// The same of any line.
fn shortened(line: Value) -> Value {
    if !is_ours(&line) {
        return plain(line);
    }
    let mut line = line;
    let fields = line.as_object_mut().into_iter();
    fields.for_each(|fields| {
        fields.retain(|name, _| ["type", "subtype", "attempt"].contains(&name.as_str()));
    });
    line
}

/// A line of ours says all that it should.
fn is_complete(line: &Value) -> Outcome {
    let has = line["max_retries"].is_u64()
        && line["retry_delay_ms"].is_u64()
        && (line["error_status"].is_u64() || line["error_status"].is_null())
        && line["error"]
            .as_str()
            .is_some_and(|error| !error.is_empty())
        && line["uuid"].as_str().is_some_and(|uuid| uuid.len() == 36);
    ensure(has, || format!("incomplete: {line}"))
}

/// Every line is of the same session.
fn one_session(lines: &[Value]) -> Outcome {
    let mut ids: Vec<_> = lines.iter().map(|line| &line["session_id"]).collect();
    ids.dedup();
    ensure(ids.len() == 1 && ids[0].is_string(), || {
        format!("not one session: {ids:?}")
    })
}

/// The result says what all the runs took.
fn sums(done: &Done, parts: &[&Done]) -> Outcome {
    let written = result(done)?;
    let parts = parts.iter().map(|part| result(part));
    let parts = parts.collect::<Outcome<Vec<_>>>()?;
    let number = |value: &Value, place: &str| value.pointer(place).and_then(Value::as_f64);
    for place in SUMS {
        let expected: f64 = parts.iter().filter_map(|part| number(part, place)).sum();
        let got = number(&written, place);
        ensure(
            got.is_some_and(|got| (got - expected).abs() < EXACT),
            || format!("{place} is {got:?}, not {expected}: {written}"),
        )?;
    }
    let models = |value: &Value| value["modelUsage"].as_object().cloned().unwrap_or_default();
    let written = models(&written);
    let mut expected: Map<String, Value> = Map::new();
    for (name, usage) in parts.iter().flat_map(models) {
        let sum = expected
            .entry(name)
            .or_insert_with(|| Value::Object(Map::new()));
        for field in MODEL_SUMS {
            let add = usage[field].as_f64().unwrap_or_default();
            sum[field] = Value::from(sum[field].as_f64().unwrap_or_default() + add);
        }
    }
    ensure(written.keys().eq(expected.keys()), || {
        format!("models {written:?}, not {expected:?}")
    })?;
    for (name, sum) in expected {
        for field in MODEL_SUMS {
            let (got, expected) = (written[&name][field].as_f64(), sum[field].as_f64());
            let exact = got
                .zip(expected)
                .is_some_and(|(got, sum)| (got - sum).abs() < EXACT);
            ensure(exact, || {
                format!("{field} of {name}: {got:?}, not {expected:?}")
            })?;
        }
    }
    Ok(())
}

/// One line of ours for each wait, and so many more.
pub(crate) fn progress(done: &Done, waits: usize, more: usize) -> Outcome {
    let lines: Vec<_> = done.stderr.lines().collect();
    let ours = lines.iter().all(|line| line.starts_with("claude-retry: "));
    ensure(ours && lines.len() == waits + more, || {
        format!("{waits} waits and {more} more on stderr: {:?}", done.stderr)
    })
}

fn same(what: &str, got: &str, expected: &str) -> Outcome {
    ensure(got == expected, || {
        format!("{what} is {got:?}, not {expected:?}")
    })
}

/// The lines are these.
pub(crate) fn same_lines(got: &[Value], expected: &[Value]) -> Outcome {
    let kinds = |lines: &[Value]| {
        let kind = |line: &Value| match line["subtype"].as_str() {
            Some(subtype) => subtype.to_owned(),
            None => line["type"].as_str().unwrap_or_default().to_owned(),
        };
        lines.iter().map(kind).collect::<Vec<_>>().join(", ")
    };
    ensure(kinds(got) == kinds(expected), || {
        format!("lines {}; not {}", kinds(got), kinds(expected))
    })?;
    let mut pairs = got.iter().zip(expected).enumerate();
    pairs.try_for_each(|(number, (got, expected))| {
        let differs = difference(got, expected);
        ensure(differs.is_none(), || {
            let (place, got, expected) = differs.unwrap_or_default();
            format!("line {number}: {place} is {got}, not {expected}")
        })
    })
}

/// The first place where they differ, and what stands there.
fn difference(got: &Value, expected: &Value) -> Option<(String, String, String)> {
    let deeper = |name: &str, got: &Value, expected: &Value| {
        let (place, got, expected) = difference(got, expected)?;
        Some((format!("/{name}{place}"), got, expected))
    };
    match (got, expected) {
        (Value::Object(got), Value::Object(expected)) => {
            let mut names = got.keys().chain(expected.keys());
            let value = |fields: &Map<String, Value>, name: &str| {
                fields.get(name).cloned().unwrap_or_default()
            };
            names.find_map(|name| deeper(name, &value(got, name), &value(expected, name)))
        }
        (Value::Array(got), Value::Array(expected)) if got.len() == expected.len() => {
            let mut pairs = got.iter().zip(expected).enumerate();
            pairs.find_map(|(number, (got, expected))| deeper(&number.to_string(), got, expected))
        }
        _ => (got != expected).then(|| (String::new(), got.to_string(), expected.to_string())),
    }
}
