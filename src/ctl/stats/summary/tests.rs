use std::fmt::Write as _;

use super::*;

/// A log: each record at a second of 24 November 2026, 10:00 UTC, of a process.
struct Log(String);

impl Log {
    fn new() -> Self {
        Self(String::new())
    }

    fn at(mut self, second: i64, pid: u32, fields: &str) -> Self {
        let start: Timestamp = "2026-11-24T10:00:00Z".parse().expect("a time");
        let at = start + jiff::SignedDuration::from_secs(second);
        let _ = writeln!(self.0, r#"{{"time":"{at:.3}","pid":{pid},{fields}}}"#);
        self
    }

    fn error(self, second: i64, pid: u32, class: &str, uuid: &str) -> Self {
        let fields = format!(
            r#""event":"verdict","verdict":"act","class":"{class}","uuid":{uuid},"by":"transcript","hook":true"#
        );
        self.at(second, pid, &fields)
    }

    fn event(self, second: i64, pid: u32, event: &str) -> Self {
        self.at(second, pid, &format!(r#""event":"{event}""#))
    }

    fn wait(self, second: i64, pid: u32, attempt: u32) -> Self {
        let fields = format!(r#""event":"waiting","attempt":{attempt},"max":6,"wait_ms":1000"#);
        self.at(second, pid, &fields)
    }

    fn hook(self, second: i64, pid: u32, event: &str, more: &str) -> Self {
        let fields = format!(r#""event":"{event}","by":"hook","session":"s"{more}"#);
        self.at(second, pid, &fields)
    }

    fn sum(&self) -> Summary {
        self.since(None)
    }

    fn since(&self, since: Option<&str>) -> Summary {
        let since = since.map(|at| at.parse().expect("a time"));
        let sum = Summary::of(&Journal::of(&[&self.0]), since, &TimeZone::UTC);
        let outcomes: usize = sum.outcomes.values().sum();
        assert_eq!(outcomes, sum.errors, "each error has one outcome: {sum:?}");
        assert_eq!(sum.by_hour.iter().sum::<usize>(), sum.errors);
        assert_eq!(sum.by_day.iter().map(|(_, n)| n).sum::<usize>(), sum.errors);
        sum
    }
}

fn outcomes(sum: &Summary) -> Vec<(Outcome, usize)> {
    sum.outcomes
        .iter()
        .map(|(outcome, n)| (*outcome, *n))
        .collect()
}

/// One that recovers at the second try, by typing and then by the hook.
fn recovering() -> Log {
    Log::new()
        .event(0, 1, "start")
        .error(10, 1, "throttle", r#""a""#)
        .wait(10, 1, 1)
        .event(11, 1, "typing")
        .event(12, 1, "typed")
        .event(13, 1, "resumed")
        .error(20, 1, "overloaded", r#""b""#)
        .wait(20, 1, 2)
        .event(40, 1, "woken")
        .event(41, 1, "resumed")
        .event(60, 1, "turn-ok")
        .event(70, 1, "turn-ok")
        .event(90, 1, "end")
}

#[test]
fn a_row_of_errors_is_recovered_once_and_saves_once() {
    let sum = recovering().sum();
    assert_eq!((sum.sessions, sum.errors), (1, 2));
    assert_eq!(sum.by_class["throttle"], 1);
    assert_eq!(sum.by_class["overloaded"], 1);
    assert_eq!(
        outcomes(&sum),
        [(Outcome::Recovered, 1), (Outcome::FailedAgain, 1)]
    );
    assert_eq!((sum.typed, sum.by_hook, sum.by_hook_alone), (1, 1, 0));
    assert_eq!(sum.by_attempt, BTreeMap::from([(2, 1)]));
    assert_eq!(sum.waited_ms, 2000 + 20_000);
    // From the first error to the act that recovered it: 30 s.
    assert_eq!(sum.saved_ms, PERSON_MS - 30_000);
    assert_eq!(sum.by_hour[10], 2);
}

#[test]
fn nothing_is_saved_where_it_took_longer_than_a_person() {
    let sum = Log::new()
        .error(0, 1, "throttle", r#""a""#)
        .wait(0, 1, 1)
        .event(400, 1, "typed")
        .event(401, 1, "resumed")
        .event(402, 1, "turn-ok")
        .sum();
    assert_eq!((sum.saved_ms, sum.waited_ms), (0, 400_000));
    assert_eq!(sum.outcome(Outcome::Recovered), 1);
}

#[test]
fn an_error_that_is_judged_again_is_one_error() {
    let again = |uuid: &str| {
        Log::new()
            .error(0, 1, "cut", uuid)
            .wait(0, 1, 1)
            .at(
                1,
                1,
                r#""event":"verdict","verdict":"wait","reason":"busy""#,
            )
            .error(2, 1, "cut", uuid)
            .event(3, 1, "typed")
            .event(4, 1, "resumed")
            .event(5, 1, "turn-ok")
            .sum()
    };
    for uuid in [r#""a""#, "null"] {
        let sum = again(uuid);
        assert_eq!(
            (sum.errors, sum.outcome(Outcome::Recovered)),
            (1, 1),
            "{uuid}"
        );
    }
}

#[test]
fn what_was_not_resumed_is_told_apart() {
    let sum = Log::new()
        // Gave up, cancelled, the user went on, and the next one died while it waited.
        .error(0, 1, "throttle", r#""a""#)
        .at(1, 1, r#""event":"gave-up","why":"6 tries""#)
        .error(2, 1, "throttle", r#""b""#)
        .event(3, 1, "cancelled")
        .error(4, 1, "throttle", r#""c""#)
        .at(
            5,
            1,
            r#""event":"stood-down","reason":"the conversation went on""#,
        )
        .event(9, 1, "turn-ok")
        .error(10, 1, "throttle", r#""d""#)
        .event(100, 1, "start")
        // Resumed, and ended before the turn did.
        .error(110, 1, "throttle", r#""e""#)
        .event(111, 1, "typed")
        .event(112, 1, "resumed")
        .event(113, 1, "end")
        .sum();
    assert_eq!(
        outcomes(&sum),
        [
            (Outcome::GaveUp, 1),
            (Outcome::Cancelled, 1),
            (Outcome::Left, 1),
            (Outcome::Unseen, 2)
        ]
    );
    assert_eq!(sum.saved_ms, 0);
}

#[test]
fn a_turn_that_was_not_seen_to_begin_is_no_resume() {
    let sum = Log::new()
        .error(0, 1, "throttle", r#""a""#)
        .event(1, 1, "typed")
        .at(
            6,
            1,
            r#""event":"stood-down","reason":"no turn was seen to begin""#,
        )
        .event(9, 1, "turn-ok")
        .sum();
    assert_eq!((sum.resumes(), sum.waited_ms), (0, 0));
    assert_eq!(sum.outcome(Outcome::Left), 1);
}

#[test]
fn processes_are_told_apart_however_they_interleave() {
    let sum = Log::new()
        .error(0, 1, "throttle", r#""a""#)
        .error(0, 2, "cut", r#""b""#)
        .event(1, 1, "typed")
        .event(2, 2, "cancelled")
        .event(2, 1, "resumed")
        .event(3, 2, "turn-ok")
        .event(4, 1, "turn-ok")
        .sum();
    assert_eq!(
        outcomes(&sum),
        [(Outcome::Recovered, 1), (Outcome::Cancelled, 1)]
    );
}

#[test]
fn a_clock_that_goes_back_counts_as_no_time() {
    let sum = Log::new()
        .error(1000, 1, "throttle", r#""a""#)
        .event(-3000, 1, "typed")
        .event(-2999, 1, "resumed")
        .event(-2990, 1, "turn-ok")
        .sum();
    assert_eq!((sum.waited_ms, sum.saved_ms), (0, PERSON_MS));
    assert_eq!(sum.outcome(Outcome::Recovered), 1);
    let far = Log::new()
        .error(-3_000_000_000, 1, "throttle", r#""a""#)
        .event(0, 1, "turn-ok");
    let sum = Summary::of(&Journal::of(&[&far.0]), None, &TimeZone::UTC);
    assert!(sum.by_day.len() <= 366, "{}", sum.by_day.len());
}

#[test]
fn a_hook_alone_recovers_unless_the_next_try_says_otherwise() {
    let error = |attempt: u32, uuid: &str| {
        format!(r#","class":"throttle","attempt":{attempt},"max":2,"wait_ms":500,"uuid":"{uuid}""#)
    };
    let sum = Log::new()
        // Two tries, and a row of its own later.
        .hook(0, 11, "hook-waiting", &error(1, "a"))
        .hook(2, 11, "hook-resumed", r#","uuid":"a""#)
        .hook(10, 12, "hook-waiting", &error(2, "b"))
        .hook(13, 12, "hook-resumed", r#","uuid":"b""#)
        .hook(500, 13, "hook-waiting", &error(1, "c"))
        .hook(
            501,
            13,
            "hook-let-go",
            r#","uuid":"c","reason":"the user went on""#,
        )
        .sum();
    assert_eq!(
        outcomes(&sum),
        [
            (Outcome::Recovered, 1),
            (Outcome::FailedAgain, 1),
            (Outcome::Left, 1)
        ]
    );
    assert_eq!((sum.by_hook_alone, sum.presumed), (2, 1));
    assert_eq!(sum.by_attempt, BTreeMap::from([(2, 1)]));
    assert_eq!((sum.waited_ms, sum.saved_ms), (5000, PERSON_MS - 13_000));

    let gave_up = Log::new()
        .hook(0, 11, "hook-waiting", &error(1, "a"))
        .hook(2, 11, "hook-resumed", r#","uuid":"a""#)
        .hook(
            9,
            12,
            "hook-let-go",
            r#","uuid":null,"reason":"1 try","gave_up":true"#,
        )
        .sum();
    assert_eq!(outcomes(&gave_up), [(Outcome::GaveUp, 1)]);
}

#[test]
fn errors_before_the_time_asked_for_do_not_count_and_neither_does_what_came_of_them() {
    let log = recovering().error(100, 2, "cut", r#""z""#);
    let sum = log.since(Some("2026-11-24T10:00:15Z"));
    assert_eq!((sum.errors, sum.sessions), (2, 0));
    assert_eq!(sum.waited_ms, 20_000);
    // The row began before, and what it took counts whole.
    assert_eq!(sum.saved_ms, PERSON_MS - 30_000);
    assert_eq!(sum.outcome(Outcome::FailedAgain), 0);
    let none = log.since(Some("2026-11-25T00:00:00Z"));
    assert_eq!((none.records, none.errors, none.by_day.len()), (0, 0, 0));
}

#[test]
fn days_and_hours_are_local_and_no_day_is_left_out() {
    let log =
        Log::new()
            .error(0, 1, "cut", r#""a""#)
            .error(3 * 86_400 + 14 * 3600, 2, "cut", r#""b""#);
    let zone = TimeZone::fixed(jiff::tz::offset(1));
    let sum = Summary::of(&Journal::of(&[&log.0]), None, &zone);
    let days: Vec<(String, usize)> = sum
        .by_day
        .iter()
        .map(|(day, n)| (day.to_string(), *n))
        .collect();
    let days: Vec<(&str, usize)> = days.iter().map(|(day, n)| (day.as_str(), *n)).collect();
    assert_eq!(
        days,
        [
            ("2026-11-24", 1),
            ("2026-11-25", 0),
            ("2026-11-26", 0),
            ("2026-11-27", 0),
            ("2026-11-28", 1)
        ]
    );
    assert_eq!((sum.by_hour[11], sum.by_hour[1]), (1, 1));
}

#[test]
fn what_was_left_alone_is_counted_by_reason() {
    let keep_out = |reason: &str| {
        format!(r#""event":"verdict","verdict":"keep-out","reason":"{reason}","text":"x""#)
    };
    let sum = Log::new()
        .at(0, 1, &keep_out("usage-limit"))
        // Seen again after another turn.
        .event(1, 1, "turn-ok")
        .at(1, 1, &keep_out("usage-limit"))
        // Told again at a change of verdict.
        .at(
            1,
            1,
            r#""event":"verdict","verdict":"wait","reason":"busy","text":"x""#,
        )
        .at(1, 1, &keep_out("usage-limit"))
        .at(2, 1, &keep_out("login"))
        // The last look at one that waits.
        .error(3, 1, "throttle", r#""a""#)
        .at(4, 1, &keep_out("the error is gone"))
        .sum();
    assert_eq!((sum.errors, sum.outcome(Outcome::Unseen)), (1, 1));
    assert_eq!(sum.left_alone["usage-limit"], 2);
    assert_eq!(sum.json()["left_alone"]["total"], 3);
}

#[test]
fn a_resumed_turn_that_ends_in_an_error_not_to_be_resumed_has_failed_again() {
    let resumed = || {
        Log::new()
            .error(0, 1, "throttle", r#""a""#)
            .event(1, 1, "typed")
            .event(2, 1, "resumed")
    };
    let keep_out = |text: &str| {
        format!(r#""event":"verdict","verdict":"keep-out","reason":"usage-limit","text":"{text}""#)
    };
    let sum = resumed()
        .at(5, 1, &keep_out("You've hit"))
        .event(60, 1, "turn-ok")
        .sum();
    assert_eq!(outcomes(&sum), [(Outcome::FailedAgain, 1)]);
    assert_eq!((sum.saved_ms, sum.left_alone["usage-limit"]), (0, 1));
    let sum = resumed().at(5, 1, &keep_out("")).event(6, 1, "turn-ok");
    assert_eq!(outcomes(&sum.sum()), [(Outcome::Recovered, 1)]);

    let more = r#","uuid":null,"reason":"the error is not transient","refused":true"#;
    let sum = Log::new()
        .hook(
            0,
            11,
            "hook-waiting",
            r#","class":"cut","attempt":1,"uuid":"a""#,
        )
        .hook(2, 11, "hook-resumed", r#","uuid":"a""#)
        .hook(9, 12, "hook-let-go", more)
        .sum();
    assert_eq!(outcomes(&sum), [(Outcome::FailedAgain, 1)]);
}

#[test]
fn an_error_whose_uuid_comes_late_or_is_lost_is_one_error() {
    for (one, other) in [("null", r#""a""#), (r#""a""#, "null")] {
        let again = || {
            Log::new()
                .error(0, 1, "cut", one)
                .wait(0, 1, 1)
                .error(2, 1, "cut", other)
        };
        let sum = again()
            .error(3, 1, "cut", r#""a""#)
            .event(4, 1, "typed")
            .event(5, 1, "resumed")
            .event(6, 1, "turn-ok")
            .sum();
        assert_eq!(outcomes(&sum), [(Outcome::Recovered, 1)]);
        let sum = again().error(3, 1, "cut", r#""b""#).sum();
        assert_eq!(sum.errors, 2, "the uuid is kept");
        let sum = Log::new()
            .error(0, 1, "cut", one)
            .event(1, 1, "typed")
            .event(2, 1, "resumed")
            .error(3, 1, "cut", other)
            .sum();
        assert_eq!(sum.errors, 2, "one was resumed in between");
    }
}

#[test]
fn what_stood_down_is_left_and_a_message_taken_back_waits_on() {
    let error = || Log::new().error(0, 1, "cut", "null").wait(0, 1, 1);
    let down = r#""event":"stood-down","reason":"the conversation went on""#;
    let sum = error().at(1, 1, down).sum();
    assert_eq!(outcomes(&sum), [(Outcome::Left, 1)]);
    let sum = error().at(1, 1, down).error(9, 1, "cut", "null").sum();
    assert_eq!(outcomes(&sum), [(Outcome::Left, 1), (Outcome::Unseen, 1)]);
    let undone = r#""event":"undone","reason":"you typed""#;
    let sum = error().at(1, 1, undone).error(9, 1, "cut", "null").sum();
    assert_eq!(outcomes(&sum), [(Outcome::Unseen, 1)]);
}

#[test]
fn the_names_in_the_json_are_stable() {
    let json = recovering().sum().json();
    for pointer in [
        "/first",
        "/last",
        "/records",
        "/skipped_lines",
        "/sessions",
        "/errors/total",
        "/errors/by_class/throttle",
        "/errors/by_class/cut",
        "/errors/by_hour/23",
        "/errors/by_day/0/day",
        "/errors/by_day/0/errors",
        "/outcomes/recovered",
        "/outcomes/failed_again",
        "/outcomes/gave_up",
        "/outcomes/cancelled",
        "/outcomes/left",
        "/outcomes/unseen",
        "/resumes/total",
        "/resumes/typed",
        "/resumes/by_hook",
        "/resumes/by_hook_alone",
        "/recovered/presumed",
        "/recovered/by_attempt/2",
        "/left_alone/total",
        "/left_alone/by_reason",
        "/time/waited_ms",
        "/time/saved_ms",
        "/time/person_ms",
    ] {
        assert!(json.pointer(pointer).is_some(), "{pointer}: {json:#}");
    }
}
