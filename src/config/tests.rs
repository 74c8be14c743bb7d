use super::*;
use rstest::rstest;

fn flag(name: &str, value: &str) -> (&'static Setting, String) {
    (setting(name).expect("a setting"), value.into())
}

fn sources(flags: &[(&str, &str)], env: &[(&str, &str)], file: &str) -> Sources {
    Sources {
        flags: flags
            .iter()
            .map(|(name, value)| flag(name, value))
            .collect(),
        env: env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), OsString::from(value)))
            .collect(),
        file: Some((
            "/home/dev/.config/claude-retry/config.toml".into(),
            file.into(),
        )),
        log: Some("/home/dev/.local/state/claude-retry/claude-retry.log".into()),
    }
}

fn error(flags: &[(&str, &str)], env: &[(&str, &str)], file: &str) -> String {
    let error = resolve(&sources(flags, env, file)).expect_err("bad");
    assert_eq!(error.exit_code(), 2);
    error.to_string()
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let file = "cap = \"10s\"\nbase = \"2s\"\nmax_retries = 3\n";
    let env = [("CLAUDE_RETRY_CAP", "20s"), ("CLAUDE_RETRY_BASE", "3s")];
    let resolved = resolve(&sources(&[("cap", "40s")], &env, file)).expect("good");
    assert_eq!(resolved.settings.cap, Duration::from_secs(40));
    assert_eq!(resolved.settings.base, Duration::from_secs(3));
    assert_eq!(resolved.settings.max_retries, 3);
    assert_eq!(resolved.settings.max_per_hour, 60);
    assert_eq!(resolved.origin("cap"), Origin::Flag("--retry-cap".into()));
    assert_eq!(
        resolved.origin("base"),
        Origin::Env("CLAUDE_RETRY_BASE".into())
    );
    assert_eq!(
        resolved.origin("max-retries").to_string(),
        "/home/dev/.config/claude-retry/config.toml:3"
    );
    assert_eq!(resolved.origin("max-per-hour"), Origin::Default);
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let resolved = resolve(&Sources::default()).expect("good");
    assert_eq!(resolved.settings, Settings::default());
    let shown: Vec<String> = SETTINGS
        .iter()
        .map(|setting| format!("{} = {}", setting.key(), setting.show(&resolved.settings)))
        .collect();
    assert_eq!(
        shown,
        [
            "program = \"claude\"",
            "message = \"continue\"",
            "profile = \"default\"",
            "base = \"1s\"",
            "cap = \"30s\"",
            "max_retries = 6",
            "jitter = \"full\"",
            "retry_on = [\"throttle\", \"overloaded\", \"server-error\", \"connection\", \"cut\"]",
            "bar = \"auto\"",
            "notify = \"bell\"",
            "max_per_hour = 60",
            "transcript = \"auto\"",
            "hook = \"auto\"",
            "resume = \"auto\"",
            "retry_after = \"off\"",
            "native_watchdog = \"off\"",
            "quiet = \"off\"",
            "stream_events = \"on\"",
            "log = \"off\"",
        ]
    );
}

#[test]
fn what_is_shown_can_be_read_back() {
    let flags = [
        ("message", "go \"on\" \\ please"),
        ("base", "1m2s3ms"),
        ("cap", "1h30m"),
        ("retry-on", "cut, throttle"),
        ("native-watchdog", "on"),
        ("log", "/tmp/x y.log"),
        ("jitter", "none"),
    ];
    let first = resolve(&sources(&flags, &[], "")).expect("good").settings;
    let file: String = SETTINGS
        .iter()
        .flat_map(|setting| {
            [
                setting.key(),
                " = ".into(),
                setting.show(&first),
                "\n".into(),
            ]
        })
        .collect();
    assert_eq!(
        resolve(&sources(&[], &[], &file)).expect(&file).settings,
        first
    );
}

#[test]
fn patient_changes_defaults_only() {
    let patient = [("profile", "patient")];
    let resolved = resolve(&sources(&patient, &[], "")).expect("good");
    assert_eq!(resolved.settings.cap, Duration::from_mins(5));
    assert_eq!(resolved.settings.max_retries, 150);
    assert_eq!(
        resolved.origin("cap").to_string(),
        "profile patient (--retry-profile)"
    );
    let resolved = resolve(&sources(&patient, &[], "cap = \"1m\"")).expect("good");
    assert_eq!(resolved.settings.cap, Duration::from_mins(1));
    assert_eq!(resolved.settings.max_retries, 150);
}

#[test]
fn an_empty_variable_is_unset_and_a_foreign_one_is_no_error() {
    let env = [
        ("CLAUDE_RETRY_CAP", ""),
        ("CLAUDE_RETRY", "12:/dev/pts/3"),
        ("CLAUDE_RETRY_FUTURE", "x"),
    ];
    let resolved = resolve(&sources(&[], &env, "")).expect("good");
    assert_eq!(resolved.origin("cap"), Origin::Default);
    assert_eq!(resolved.unknown_env, ["CLAUDE_RETRY_FUTURE"]);
}

#[rstest]
#[case("500ms", 500)]
#[case("30s", 30_000)]
#[case("2m", 120_000)]
#[case("1h30m", 5_400_000)]
#[case("1m500ms", 60_500)]
fn durations(#[case] text: &str, #[case] millis: u64) {
    let duration = Duration::from_millis(millis);
    assert_eq!(value::duration(text), Ok(duration));
    assert_eq!(
        value::duration(&value::show_duration(duration)),
        Ok(duration)
    );
}

#[rstest]
#[case("")]
#[case("5")]
#[case("s")]
#[case("0s")]
#[case("1.5s")]
#[case("-1s")]
#[case("30m1h")]
#[case("1s1s")]
#[case("25h")]
#[case("1 s")]
#[case("99999999999999999999s")]
#[case("18446744073709551615h")]
fn no_durations(#[case] text: &str) {
    assert!(value::duration(text).is_err(), "{text}");
}

#[rstest]
#[case("")]
#[case(" ")]
#[case("a\nb")]
#[case("\u{1b}[A")]
#[case("/clear")]
#[case("!ls")]
#[case("#note")]
#[case("@file")]
#[case("continue ")]
#[case(&"x".repeat(201))]
fn no_messages(#[case] text: &str) {
    assert!(value::message(text).is_err(), "{text:?}");
    assert!(value::message(&"ü".repeat(200)).is_ok());
}

#[test]
fn every_message_names_culprit_origin_and_remedy() {
    let messages = [
        error(&[("cap", "soon")], &[], ""),
        error(&[], &[("CLAUDE_RETRY_JITTER", "ful")], ""),
        error(&[], &[], "\nmax_retries = 0\n"),
        error(&[], &[], "max-retries = 3\n"),
        error(&[], &[], "max_retrys = 3\n"),
        error(&[], &[], "colour = true\n"),
        error(&[], &[], "cap = 1.5\n"),
        error(&[], &[], "cap = \"1s\"\nbar = = 2\n"),
        error(&[], &[], "cap = \"1s\"\ncap = \"2s\"\n"),
        error(&[], &[], "[server]\nport = 1\n"),
        error(&[("base", "1m")], &[], ""),
        error(&[("message", "/clear")], &[], ""),
        error(&[], &[("CLAUDE_RETRY_RETRY_ON", "throttle,overload")], ""),
        error(&[("max-per-hour", "many")], &[], ""),
    ];
    let mut snapshots = insta::Settings::clone_current();
    snapshots.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"));
    snapshots.set_prepend_module_to_snapshot(false);
    snapshots.bind(|| insta::assert_snapshot!("settings-messages", messages.join("\n")));
}

const GATEWAY: &str = "[[wording]]\nname = \"gateway\"\npattern = 'gateway is \"warming\" up'\nclass = \"server-error\"\n";

#[test]
fn wordings_are_taken_in_any_number_and_shown_as_they_can_be_read_back() {
    let file = format!(
        "cap = \"10s\"\n\n{GATEWAY}\n[[wording]]\nname = \"mine\"\npattern = \"teapot\"\nclass = \"never\"\n\
         \n[[wording]]\nname = \"429 rejected\"\noff = true\n"
    );
    let settings = resolve(&sources(&[], &[], &file)).expect("good").settings;
    let classes: Vec<_> = settings
        .catalogue
        .own()
        .iter()
        .map(|w| (w.name.as_str(), w.class))
        .collect();
    assert_eq!(
        classes,
        [("gateway", Some(Class::ServerError)), ("mine", None)]
    );
    assert_eq!(settings.catalogue.off(), ["429 rejected"]);
    let shown = show_wordings(&settings.catalogue);
    let again = resolve(&sources(&[], &[], &shown)).expect("good").settings;
    assert_eq!(again.catalogue, settings.catalogue);
    assert_eq!(show_wordings(Catalogue::builtin()), "");
}

#[test]
fn every_message_on_a_wording_names_it_its_line_and_the_remedy() {
    let wording = |lines: &str| error(&[], &[], &format!("cap = \"9s\"\n[[wording]]\n{lines}\n"));
    let messages = [
        wording("name = \"gateway\"\npattern = \"(\"\nclass = \"cut\""),
        wording("name = \"gateway\"\npattern = \"x*\"\nclass = \"cut\""),
        wording("name = \"gateway\"\npattern = \"x\""),
        wording("name = \"gateway\"\npattern = \"x\"\nclass = \"sometimes\""),
        wording("name = \"gateway\"\npattern = 3"),
        wording("name = \"gateway\""),
        wording("pattern = \"x\"\nclass = \"cut\""),
        wording("name = \"gateway\"\npatern = \"x\""),
        wording("name = \"529\"\npattern = \"x\"\nclass = \"cut\""),
        wording("name = \"529\"\noff = \"yes\""),
        wording("name = \"529\"\noff = true\nclass = \"cut\""),
        wording("name = \"429 reject\"\noff = true"),
        wording("name = \"limit hit\"\noff = true"),
        error(&[], &[], &format!("{GATEWAY}{GATEWAY}")),
        error(&[], &[], "wording = \"x\"\n"),
        error(&[], &[], "wording = [\"x\"]\n"),
        error(&[], &[], "[[wordings]]\nname = \"x\"\n"),
    ];
    let mut snapshots = insta::Settings::clone_current();
    snapshots.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"));
    snapshots.set_prepend_module_to_snapshot(false);
    snapshots.bind(|| insta::assert_snapshot!("wording-messages", messages.join("\n")));
}
