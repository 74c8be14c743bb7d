use std::fmt::Write as _;

use super::*;

const WIDTHS: [u16; 6] = [200, 100, 60, 40, 20, 10];
/// Beside those, where the server has asked for something.
const ASKED_WIDTHS: [u16; 4] = [300, 120, 80, 70];

fn phases() -> Vec<(&'static str, Phase)> {
    let waiting = |left, total| Phase::Waiting {
        left: Duration::from_millis(left),
        total: Duration::from_millis(total),
        asked: None,
    };
    let asked = |left, total, asked| Phase::Waiting {
        left: Duration::from_millis(left),
        total: Duration::from_millis(total),
        asked: Some(Duration::from_secs(asked)),
    };
    vec![
        ("waiting", waiting(3_400, 8_000)),
        ("waiting_long", waiting(245_000, 300_000)),
        ("asked", asked(91_400, 94_000, 90)),
        ("asked_long", asked(7_205_000, 7_210_000, 7_200)),
        ("paused", Phase::Paused("goes on when the prompt is empty")),
        ("holding_off", Phase::HoldingOff("a dialog is open")),
        ("resuming", Phase::Resuming),
        (
            "gave_up",
            Phase::GaveUp {
                why: "6 tries".into(),
            },
        ),
        ("cancelled", Phase::Cancelled),
    ]
}

fn model(phase: Phase, unicode: bool, color: bool) -> Model {
    Model {
        what: "throttled",
        attempt: 2,
        max: 6,
        phase,
        unicode,
        color,
    }
}

fn text(model: &Model, width: u16) -> String {
    glyphs(model, width)
        .iter()
        .map(|glyph| glyph.symbol)
        .collect()
}

#[test]
fn every_phase_at_every_width() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (name, phase) in phases() {
            let mut picture = String::new();
            for unicode in [true, false] {
                let model = model(phase.clone(), unicode, true);
                let _ = writeln!(picture, "title |{}|", title(&model));
                let asked = ASKED_WIDTHS.iter().filter(|_| name.starts_with("asked"));
                for &width in WIDTHS.iter().chain(asked) {
                    let _ = writeln!(picture, "{width:5} |{}|", text(&model, width));
                }
            }
            insta::assert_snapshot!(format!("bar_{name}"), picture);
        }
    });
}

#[test]
fn it_fills_every_width_with_characters_of_one_column() {
    for (_, phase) in phases() {
        for (unicode, width) in [true, false]
            .into_iter()
            .flat_map(|unicode| (0..=240).map(move |width| (unicode, width)))
        {
            let line = text(&model(phase.clone(), unicode, true), width);
            assert_eq!(line.chars().count(), usize::from(width), "{line:?}");
            assert!(line.chars().all(|c| c.width() == Some(1)), "{line:?}");
            assert!(unicode || line.is_ascii(), "{line:?}");
        }
    }
}

#[test]
fn without_colour_there_is_none() {
    for (_, phase) in phases() {
        for glyph in glyphs(&model(phase.clone(), true, false), 100) {
            assert!(
                !glyph.sgr.contains("38;") && !glyph.sgr.contains("48;"),
                "{glyph:?}"
            );
            assert!(glyph.sgr.contains(";7"), "{glyph:?}");
        }
        assert!(
            glyphs(&model(phase, true, true), 100)
                .iter()
                .all(|glyph| glyph.sgr.contains("48;5;"))
        );
    }
}

#[test]
fn the_gauge_fills_in_eighths() {
    let total = Duration::from_secs(8);
    let at = |left| gauge(Duration::from_millis(left), total, 8, true);
    assert_eq!(at(8000), "▕░░░░░░░░▏");
    assert_eq!(at(7875), "▕▏░░░░░░░▏");
    assert_eq!(at(3500), "▕████▌░░░▏");
    assert_eq!(at(0), "▕████████▏");
    assert_eq!(gauge(Duration::from_secs(9), total, 4, false), "[....]");
    assert_eq!(gauge(Duration::ZERO, Duration::ZERO, 4, false), "[####]");
}

#[test]
fn what_was_asked_for_is_told_in_whole_units() {
    for (millis, wanted) in [
        (1, "1s"),
        (89_700, "90s"),
        (99_000, "99s"),
        (100_000, "1m40s"),
        (120_000, "2m"),
        (3_600_000, "1h00m"),
    ] {
        assert_eq!(whole(Duration::from_millis(millis)), wanted);
    }
}

#[test]
fn a_clock_is_rounded_up() {
    for (millis, wanted) in [
        (0, "0.0s"),
        (1, "0.1s"),
        (3_400, "3.4s"),
        (59_900, "59.9s"),
        (59_901, "1m00s"),
        (125_000, "2m05s"),
        (3_720_000, "1h02m"),
    ] {
        assert_eq!(clock(Duration::from_millis(millis)), wanted);
    }
}

#[test]
fn control_characters_never_reach_the_terminal() {
    let why = "a\x1b[2Jb\u{9b}c\r漢".to_owned();
    let model = model(Phase::GaveUp { why }, true, true);
    assert!(title(&model).chars().all(|c| !c.is_control()));
    assert!(
        text(&model, 200).contains("after a[2Jbc?"),
        "{}",
        text(&model, 200)
    );
}

#[test]
fn the_title_counts_whole_seconds() {
    let at = |millis| {
        let phase = Phase::Waiting {
            left: Duration::from_millis(millis),
            total: Duration::from_secs(9),
            asked: None,
        };
        title(&model(phase, true, true))
    };
    assert_eq!(at(3_001), at(4_000));
    assert_ne!(at(3_000), at(3_001));
    assert_eq!(at(3_400), "⟳ throttled · retry 2/6 in 4s");
}
