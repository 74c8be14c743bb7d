use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::date;

use super::*;

fn summary() -> Summary {
    let mut by_hour = [0; 24];
    for (hour, n) in [
        (0, 1),
        (9, 4),
        (10, 11),
        (11, 8),
        (14, 6),
        (15, 3),
        (17, 2),
        (23, 1),
    ] {
        by_hour[hour] = n;
    }
    Summary {
        records: 260,
        skipped: 2,
        sessions: 9,
        errors: 36,
        by_class: BTreeMap::from([
            ("throttle".into(), 23),
            ("overloaded".into(), 9),
            ("cut".into(), 3),
            ("of a later version".into(), 1),
        ]),
        by_hour,
        by_day: vec![
            (date(2026, 11, 18), 0),
            (date(2026, 11, 19), 12),
            (date(2026, 11, 20), 3),
            (date(2026, 11, 21), 0),
            (date(2026, 11, 22), 1),
            (date(2026, 11, 23), 0),
            (date(2026, 11, 24), 20),
        ],
        outcomes: BTreeMap::from([
            (Outcome::Recovered, 24),
            (Outcome::FailedAgain, 8),
            (Outcome::Cancelled, 1),
            (Outcome::Left, 2),
            (Outcome::Unseen, 1),
        ]),
        typed: 29,
        by_hook: 3,
        by_hook_alone: 1,
        by_attempt: BTreeMap::from([(1, 19), (2, 4), (5, 1)]),
        presumed: 1,
        left_alone: BTreeMap::from([
            ("usage-limit".into(), 2),
            (
                "the transcript does not show this error, or not any more".into(),
                11,
            ),
        ]),
        waited_ms: 412_000,
        saved_ms: 8_100_000,
        ..Summary::default()
    }
}

#[test]
fn the_table_with_blocks_and_without() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let style = Style {
        unicode: true,
        color: false,
        columns: 80,
    };
    let blocks = text(&summary(), Some("7d"), &style);
    let narrow = Style {
        unicode: false,
        columns: 36,
        ..style
    };
    let plain = text(&summary(), None, &narrow);
    assert!(plain.is_ascii(), "{plain}");
    settings.bind(|| {
        insta::assert_snapshot!("stats-table", blocks);
        insta::assert_snapshot!("stats-table-narrow", plain);
    });
}

#[test]
fn it_fits_every_width_and_a_bar_is_as_long_as_its_number() {
    for columns in 26..=200 {
        for unicode in [true, false] {
            let style = Style {
                unicode,
                color: false,
                columns,
            };
            let table = text(&summary(), Some("7d"), &style);
            for line in table.lines() {
                let width = line.chars().count();
                assert!(width <= columns.min(80), "{columns}: {line:?}");
                assert_eq!(line.trim_end(), line);
            }
        }
    }
}

#[test]
fn colours_only_where_they_are_wanted_and_always_ended() {
    let colored = Style {
        unicode: true,
        color: true,
        columns: 80,
    };
    let table = text(&summary(), None, &colored);
    assert_eq!(table.matches("\x1b[").count() % 2, 0);
    assert_eq!(
        table.matches("\x1b[m").count(),
        table.matches("\x1b[").count() / 2
    );
    let plain = Style {
        color: false,
        ..colored
    };
    let stripped = ["\x1b[1m", "\x1b[36m", "\x1b[m"]
        .iter()
        .fold(table, |text, code| text.replace(code, ""));
    assert_eq!(text(&summary(), None, &plain), stripped);
}

#[test]
fn an_empty_log_is_a_friendly_line() {
    let style = Style {
        unicode: true,
        color: false,
        columns: 80,
    };
    let text = text(&Summary::default(), Some("12h"), &style);
    assert_eq!(
        text,
        "No error to be resumed in the last 12h: nothing to count yet.\n"
    );
}
