use proptest::prelude::*;

use super::*;

const COMMAND: &str = "'/usr/local/bin/claude-retry' ctl hook run";
const OLD: &str = "'/old/claude-retry' ctl hook run";

fn put(text: &str) -> String {
    with_hook(text, COMMAND).expect("good settings")
}

/// Every line of `old` stands in `new`, in the same order, but for a comma at its end.
fn assert_only_added(old: &str, new: &str) {
    let mut lines = new
        .split('\n')
        .map(|line| line.trim_end_matches([',', '\r']));
    for line in old.split('\n') {
        let line = line.trim_end_matches([',', '\r']);
        assert!(lines.any(|new| new == line), "{line:?} in {new}");
    }
}

#[test]
fn it_comes_last_in_the_layout_that_is_there() {
    let others = r#"{
    "model": "opus",
    "hooks": {
        "Stop": [{"hooks": [{"type": "command", "command": "a"}]}],
        "StopFailure": [
            {
                "hooks": [
                    {"type": "command", "command": "b"}
                ]
            }
        ]
    },
    "env": {"A": "1"}
}
"#;
    for text in [
        others.to_owned(),
        others.replace("    ", "\t"),
        others.replace("    ", "  ").replace('\n', "\r\n"),
        format!("\u{feff}{others}"),
        "{\n}\n".to_owned(),
        "{\n  \"hooks\": {}\n}".to_owned(),
        "{\n  \"a\": 1,\n  \"hooks\": { \"StopFailure\": [ ] }\n}".to_owned(),
    ] {
        let new = put(&text);
        assert_eq!(put(&new), new, "once is enough");
        assert_eq!(ours(&new).expect("JSON").len(), 1);
        assert_eq!(new.contains('\r'), text.contains('\r'));
        assert_eq!(
            new.matches('\n').count(),
            new.matches("\r\n").count().max(if text.contains('\r') {
                0
            } else {
                new.matches('\n').count()
            })
        );
        if text.contains("opus") {
            assert_only_added(&text, &new);
            assert_eq!(without_hook(&new).expect("JSON"), text);
        }
    }
    let new = put(&others.replace("    ", "\t"));
    assert!(
        new.contains("\n\t\t\t\t\t{\n\t\t\t\t\t\t\"asyncRewake\": true"),
        "{new}"
    );
}

#[test]
fn one_line_stays_one_line() {
    let text = r#"{"model":"opus","hooks":{"Stop":[]}}"#;
    let new = put(text);
    assert!(
        !new.contains('\n') && new.contains(r#","StopFailure":[{"hooks":[{"asyncRewake":true,"#)
    );
    assert_eq!(without_hook(&new).expect("JSON"), text);
    let new = put(r#"{"model": "opus", "x": [1, 2]}"#);
    assert!(
        new.contains(r#", "hooks": {"StopFailure": [{"hooks": [{"asyncRewake": true, "#),
        "{new}"
    );
}

#[test]
fn an_older_one_of_ours_is_changed_where_it_stands() {
    let old = put(r#"{"hooks":{"StopFailure":[{"hooks":[{"type":"command","command":"b"}]}]}}"#)
        .replace(COMMAND, OLD)
        .replace("604800", "60");
    let new = put(&old);
    assert_eq!(new, old.replace(OLD, COMMAND), "the user's timeout is kept");
    // One that cannot resume is no use.
    let lame = old.replace("\"asyncRewake\":true,", "");
    let new = put(&lame);
    assert!(
        new.contains("\"asyncRewake\":true") && new.contains("604800"),
        "{new}"
    );
    assert_eq!(ours(&new).expect("JSON").len(), 1);
}

#[test]
fn two_of_ours_become_one() {
    let hook = |command: &str| stop_failure(command);
    let text = json!({"hooks": {"StopFailure": [
        {"hooks": [hook("other"), hook(OLD)]}, {"matcher": "", "hooks": [hook(COMMAND)]}
    ]}});
    let new = value_of(&put(&text.to_string())).expect("JSON");
    let wanted = json!({"hooks": {"StopFailure": [{"hooks": [hook("other"), hook(COMMAND)]}]}});
    assert_eq!(new, wanted);
    let gone = without_hook(&text.to_string()).expect("JSON");
    let wanted = json!({"hooks": {"StopFailure": [{"hooks": [hook("other")]}]}});
    assert_eq!(value_of(&gone).expect("JSON"), wanted);
}

#[test]
fn of_two_members_with_one_name_the_last_counts() {
    let text = r#"{"hooks":{"StopFailure":[]},"hooks":{"Stop":[]}}"#;
    let new = put(text);
    assert!(new.starts_with(r#"{"hooks":{"StopFailure":[]},"hooks":{"Stop":[],"StopFailure""#));
    assert_eq!(without_hook(&new).expect("JSON"), text);
}

#[test]
fn what_the_cli_would_not_take_is_refused() {
    for text in [
        "{} // comment",
        "{\"a\": 1,}",
        "/* */ {}",
        "{'a': 1}",
        "nonsense",
        "{",
        "[]",
        "null",
        "{\"hooks\": []}",
        "{\"hooks\": null}",
        "{\"hooks\": {\"StopFailure\": {}}}",
    ] {
        assert!(with_hook(text, COMMAND).is_err(), "{text}");
    }
    assert_eq!(
        with_hook("{\n  // x\n}", COMMAND)
            .expect_err("a comment")
            .to_string(),
        "is not plain JSON (key must be a string at line 2 column 3)"
    );
    for blank in ["", "\n", "\u{feff}"] {
        assert_eq!(put(blank), put(""));
    }
}

#[test]
fn odd_neighbours_are_left_alone() {
    let text = r#"{"hooks":{"StopFailure":[7,null,{"hooks":"x"},{"hooks":[7,{"command":9}]},{}]}}"#;
    let new = put(text);
    assert_eq!(without_hook(&new).expect("JSON"), text);
}

/// Some JSON.
fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z{}\\[\\]\",:\\\\é\n]{0,6}".prop_map(Value::from),
    ];
    scalar.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z\"\\\\]{0,3}", inner, 1..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Settings with hooks or without, never with nothing in a place that an install would fill.
fn settings() -> impl Strategy<Value = Value> {
    let groups = prop::collection::vec(value(), 1..3).prop_map(Value::from);
    let hooks = prop::collection::btree_map("[A-Z]{1,2}|StopFailure", groups, 1..3);
    let rest = prop::collection::btree_map("[a-z]{1,3}", value(), 1..4);
    (rest, prop::option::of(hooks)).prop_map(|(rest, hooks)| {
        let mut settings: serde_json::Map<String, Value> = rest.into_iter().collect();
        if let Some(hooks) = hooks {
            settings.insert(HOOKS.into(), Value::Object(hooks.into_iter().collect()));
        }
        Value::Object(settings)
    })
}

/// The text of a value with blanks of any kind between its tokens.
fn scattered(value: &Value, blanks: &[&'static str]) -> String {
    let mut at = 0;
    let mut blank = || {
        at += 1;
        blanks[at % blanks.len()]
    };
    let text = value.to_string();
    let (mut out, mut in_string, mut escaped) = (String::new(), false, false);
    for c in text.chars() {
        let mark = !in_string && "{}[]:,".contains(c);
        if mark {
            out += blank();
        }
        out.push(c);
        if mark {
            out += blank();
        }
        in_string ^= c == '"' && !escaped;
        escaped = in_string && c == '\\' && !escaped;
    }
    out
}

proptest! {
    #[test]
    fn taken_out_again_every_byte_is_as_it_was(
        settings in settings(),
        blanks in prop::collection::vec(
            prop_oneof![Just(""), Just(" "), Just("\n"), Just("\r\n"), Just("\t"), Just("\n    ")],
            1..9,
        ),
        pretty in any::<bool>(),
    ) {
        let text = if pretty {
            serde_json::to_string_pretty(&settings).expect("JSON") + "\n"
        } else {
            scattered(&settings, &blanks)
        };
        let new = put(&text);
        prop_assert_eq!(&put(&new), &new);
        prop_assert_eq!(with_hook(&with_hook(&text, OLD).expect("JSON"), COMMAND).expect("JSON"), new.clone());
        prop_assert_eq!(ours(&new).expect("JSON").len(), 1);
        prop_assert_eq!(without_hook(&new).expect("JSON"), text);
    }
}
