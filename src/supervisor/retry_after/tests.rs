use std::fmt::Write as _;

use super::*;

const S: fn(u64) -> Duration = Duration::from_secs;

/// A throttled turn, as the real CLI logged it, with its request for a title where it made one.
const OLD: &str = include_str!("../../../tests/fixtures/debug/2.1.145.log");
const NEW: &str = include_str!("../../../tests/fixtures/debug/2.1.330.log");

fn unix_ms(time: &str) -> u64 {
    let time: Timestamp = time.parse().expect("a time");
    u64::try_from(time.as_millisecond()).expect("after 1970")
}

/// A response's record, in the manner of 2.1.145.
fn response(id: &str, status: u16, headers: &[(&str, &str)]) -> String {
    let mut text = format!(
        "2026-11-24T14:56:20.530Z [DEBUG] console.log: [log_{id}] response error (error; no more retries left) {{\n  \
         url: 'http://127.0.0.1:9000/v1/messages?beta=true',\n  status: {status},\n  headers: {{\n"
    );
    for (name, value) in headers {
        let _ = writeln!(text, "    {name}: '{value}',");
    }
    text + "  },\n  message: undefined,\n  durationMs: 48\n}\n"
}

fn request(id: &str, tools: &str) -> String {
    format!(
        "2026-11-24T14:56:20.482Z [DEBUG] console.log: [log_{id}] sending request {{\n  method: 'post',\n  options: {{\n    \
         body: {{\n      tools: {tools},\n    }}\n  }}\n}}\n"
    )
}

fn quoted(record: &str) -> String {
    let (head, text) = record.trim_end().split_once("] ").expect("a head");
    format!("{head}] {}\n", serde_json::to_string(text).expect("text"))
}

/// What is asked for by a response with these headers, in the manner of both versions.
fn asked_by(headers: &[(&str, &str)]) -> Option<Duration> {
    let record = response("1", 429, headers);
    let old = last_refusal(record.as_bytes()).expect("a refusal");
    let new = last_refusal(quoted(&record).as_bytes());
    assert_eq!(new, Some(old));
    old.asked
}

#[test]
fn the_real_clis_logs() {
    for (log, time) in [
        (OLD, "2026-11-24T14:56:20.530Z"),
        (NEW, "2026-11-24T14:56:19.974Z"),
    ] {
        let refusal = Refusal {
            status: 429,
            unix_ms: unix_ms(time),
            asked: Some(S(90)),
        };
        assert_eq!(last_refusal(log.as_bytes()), Some(refusal));
        // However the tail is cut, it is this one or none.
        for from in (0..log.len()).step_by(7) {
            let found = last_refusal(&log.as_bytes()[from..]);
            assert!(found.is_none() || found == Some(refusal), "from {from}");
        }
    }
}

#[test]
fn seconds_and_dates_and_what_makes_no_sense() {
    for (value, wanted) in [
        ("7", Some(S(7))),
        ("1.5", Some(Duration::from_millis(1500))),
        ("86400", Some(S(86_400))),
        ("86401", None),
        ("99999999999999999999999999", None),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("1e3", None),
        ("", None),
        ("1.2.3", None),
        ("Tue, 24 Nov 2026 14:58:20 GMT", Some(S(120))),
        ("Tue, 24 Nov 2026 14:56:20 GMT", None),
        ("Tue, 24 Nov 2026 14:50:20 GMT", None),
        ("Thu, 26 Nov 2026 14:56:20 GMT", None),
        ("Tue, 24 Nov", None),
    ] {
        let date = ("date", "Tue, 24 Nov 2026 14:56:20 GMT");
        assert_eq!(
            asked_by(&[date, ("'retry-after'", value)]),
            wanted,
            "{value:?}"
        );
    }
    assert_eq!(asked_by(&[("date", "x")]), None, "no header");
    assert_eq!(
        asked_by(&[("'x-retry-after'", "7")]),
        None,
        "another header"
    );
}

#[test]
fn a_date_counts_from_the_servers_own_clock_where_that_is_told() {
    let date = ("'retry-after'", "Tue, 24 Nov 2026 15:56:20 GMT");
    let ahead = ("date", "Tue, 24 Nov 2026 15:55:20 GMT");
    assert_eq!(asked_by(&[ahead, date]), Some(S(60)));
    // Else from the record's time.
    assert_eq!(asked_by(&[date]), Some(Duration::from_millis(3_599_470)));
}

#[test]
fn the_last_turns_refusal_counts_and_no_side_request() {
    let after = |seconds| [("'retry-after'", seconds)];
    let main = request("1", "[Array]") + &response("1", 429, &after("90"));
    let side = request("2", "[]") + &response("2", 429, &after("5"));
    let bare = request("3", "undefined") + &response("3", 404, &[]);
    let asked = |log: String| last_refusal(log.as_bytes()).and_then(|refusal| refusal.asked);
    assert_eq!(asked(main.clone() + &side + &bare), Some(S(90)));
    assert_eq!(
        asked(quoted(&request("2", "[]")) + &quoted(&response("2", 429, &after("5")))),
        None
    );
    // Another turn's, without the header: the server does not ask any more.
    let again = request("4", "[Array]") + &response("4", 529, &[]);
    assert_eq!(asked(main + &again), None);
    assert_eq!(
        last_refusal(again.as_bytes()).map(|refusal| refusal.status),
        Some(529)
    );
}

#[test]
fn what_is_in_a_records_text_is_no_record() {
    let record = response("1", 429, &[("'retry-after'", "90")]);
    let text = record.replace("console.log", "prompt: console.log");
    assert_eq!(last_refusal(text.as_bytes()), None);
    // As 2.1.330 writes it: nothing in a string begins a line.
    let inner = quoted(&format!("2026-11-24T14:56:20.530Z [DEBUG] words\n{record}"));
    assert_eq!(last_refusal(inner.as_bytes()), None);
    for garbage in [
        &b""[..],
        b"\xff\xfe\n\xff",
        b"2026 [DEBUG] ",
        b"2026-11-24T14:56:20.530Z [DEBUG] \"x",
    ] {
        assert_eq!(last_refusal(garbage), None);
    }
}

#[test]
fn what_is_left_counts_from_the_response_and_only_for_its_turn() {
    let refusal = Refusal {
        status: 429,
        unix_ms: 100_000,
        asked: Some(S(90)),
    };
    let left = |failed, now| refusal.asked(failed, now).map(|asked| asked.left);
    assert_eq!(left(100_010, 101_000), Some(S(89)));
    assert_eq!(
        refusal.asked(100_010, 101_000).map(|asked| asked.whole),
        Some(S(90))
    );
    assert_eq!(left(100_010, 190_000), None, "over");
    assert_eq!(left(110_000, 110_000), Some(S(80)));
    assert_eq!(left(110_001, 110_001), None, "an older turn's");
    assert_eq!(
        left(100_010, 99_000),
        Some(S(90)),
        "a clock that was set back"
    );
    let silent = Refusal {
        asked: None,
        ..refusal
    };
    assert_eq!(silent.asked(100_010, 101_000), None);
}

#[test]
fn only_an_answer_can_ask() {
    let may: Vec<&str> = Class::ALL
        .into_iter()
        .filter(|class| may_ask(*class))
        .map(Class::name)
        .collect();
    assert_eq!(may, ["throttle", "overloaded", "server-error"]);
}
