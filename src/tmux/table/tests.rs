use std::time::Duration;

use super::*;

const UNICODE: Look = Look {
    unicode: true,
    color: true,
};
const PLAIN: Look = Look {
    unicode: false,
    color: false,
};

fn pane(id: u32, place: &str, folder: &str, standing: Standing, resumed: u32) -> Watched {
    Watched {
        pane: PaneId(id),
        place: place.into(),
        folder: (!folder.is_empty()).then(|| folder.into()),
        standing,
        resumed,
        last: None,
    }
}

fn panes() -> Vec<Watched> {
    let what = "throttled";
    let (attempt, max) = (2, 6);
    let waiting = |what, left, total| Standing::Waiting {
        what,
        attempt,
        max,
        left: Duration::from_millis(left),
        total: Duration::from_millis(total),
    };
    let holding = Standing::HoldingOff {
        what,
        attempt,
        max,
        reason: "the prompt is not empty",
    };
    let gave_up = Standing::GaveUp {
        why: "6 tries".into(),
    };
    vec![
        pane(0, "main:0.0", "/home/dev/web", Standing::Watching, 0),
        pane(
            1,
            "main:0.1",
            "/home/dev/api",
            waiting(what, 3_400, 8_000),
            1,
        ),
        pane(
            12,
            "main:1.0",
            "/home/dev/a/long/way/down/to/the/folder",
            waiting("overloaded", 245_000, 300_000),
            0,
        ),
        pane(3, "a rather long name of one:10.3", "/srv", holding, 12),
        pane(
            4,
            "文字:0.0",
            "/home/dev/文字",
            Standing::Resuming { what, attempt, max },
            0,
        ),
        pane(5, "other:0.0", "", gave_up, 6),
        pane(6, "other:0.1", "/home/dev/x", Standing::Cancelled, 0),
        pane(7, "other:0.2", "/home/dev/y", Standing::Failed, 0),
        pane(8, "other:0.3", "/home/dev/z", Standing::Confirming, 0),
    ]
}

fn table(panes: &[Watched]) -> Table {
    let mut table = Table::default();
    table.set(panes);
    table
}

fn text(table: &Table, cols: u16, rows: u16, look: Look) -> String {
    let buffer = table.render(Rect::new(0, 0, cols, rows), look);
    let rows = (0..rows).map(|row| {
        let bytes = String::from_utf8(row_bytes(&buffer, row)).expect("UTF-8");
        let mut text = String::new();
        // Colours are another test's.
        for (index, piece) in bytes.split('\x1b').enumerate() {
            let piece = match index {
                0 => piece,
                _ => piece.split_once('m').expect("SGR").1,
            };
            text += piece;
        }
        assert_eq!(text.width(), usize::from(cols), "{text:?}");
        format!("|{text}|")
    });
    rows.collect::<Vec<_>>().join("\n")
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn the_table_at_every_width() {
    let table = table(&panes());
    let all = [140, 100, 80, 60, 40, 20]
        .map(|cols| format!("{cols} columns\n{}", text(&table, cols, 13, UNICODE)));
    snapshot("tmux_table", &all.join("\n\n"));
}

#[test]
fn the_table_in_ascii() {
    let table = table(&panes());
    let all = [80, 40].map(|cols| text(&table, cols, 13, PLAIN));
    assert!(all.iter().all(|text| text.replace("文字", "").is_ascii()));
    snapshot("tmux_table_ascii", &all.join("\n\n"));
}

#[test]
fn without_panes_the_table_says_why() {
    snapshot("tmux_table_empty", &text(&table(&[]), 80, 8, UNICODE));
}

#[test]
fn without_colours_no_colour_is_written() {
    let of = |look: Look| {
        let buffer = table(&panes()).render(Rect::new(0, 0, 80, 13), look);
        (0..13)
            .flat_map(|row| row_bytes(&buffer, row))
            .collect::<Vec<_>>()
    };
    let colour = |bytes: &[u8]| bytes.windows(3).any(|three| three == b"8;5");
    let unicode = true;
    assert!(colour(&of(Look {
        unicode,
        color: true
    })));
    assert!(!colour(&of(Look {
        unicode,
        color: false
    })));
}

#[test]
fn any_size_is_drawn_with_the_selected_row_in_sight() {
    let mut table = table(&panes());
    for _ in 0..20 {
        table.select(true);
    }
    assert_eq!(table.selected(), Some(PaneId(8)));
    for cols in 0..90 {
        for rows in 0..14 {
            let text = text(&table, cols, rows, UNICODE);
            let marked = text.contains('▸');
            assert_eq!(marked, rows > 1 && cols > 0, "{cols}x{rows}\n{text}");
        }
    }
}

#[test]
fn the_selection_is_a_pane_and_stays_with_it() {
    let all = panes();
    let mut table = table(&all[2..5]);
    table.select(true);
    assert_eq!(table.selected(), Some(PaneId(3)));
    // Rows come above it.
    table.set(&all);
    assert_eq!(table.selected(), Some(PaneId(3)));
    table.select(false);
    table.select(true);
    assert_eq!(table.selected(), Some(PaneId(3)));
    // It goes: the one that takes its row.
    table.set(&[&all[..3], &all[4..]].concat());
    assert_eq!(table.selected(), Some(PaneId(4)));
    table.set(&all[..2]);
    assert_eq!(table.selected(), Some(PaneId(1)));
    table.set(&[]);
    assert_eq!(table.selected(), None);
    table.select(true);
    assert_eq!(table.selected(), None);
}

#[test]
fn a_name_with_control_characters_controls_nothing() {
    let evil = pane(
        1,
        "a\x1b[2Jb\u{9b}c:0.0",
        "/\x1b]0;x\x07\n",
        Standing::Watching,
        0,
    );
    let buffer = table(std::slice::from_ref(&evil)).render(Rect::new(0, 0, 80, 6), UNICODE);
    let drawn: String = (0..6)
        .map(|row| String::from_utf8(row_bytes(&buffer, row)).expect("UTF-8"))
        .collect();
    assert!(
        !drawn.replace("\x1b[0", "").contains(char::is_control),
        "{drawn:?}"
    );
    let line = event(&evil, &Happened::LeftAlone("a\x1bb".into()));
    assert_eq!(line, "a[2Jbc:0.0 %1 /]0;x: left alone: ab");
}

#[test]
fn what_happens_is_a_line() {
    let waiting = panes().remove(1);
    let lines = [
        Happened::Joined,
        Happened::Changed,
        Happened::Resumed,
        Happened::Left,
    ]
    .map(|happened| event(&waiting, &happened));
    assert_eq!(
        lines,
        [
            "main:0.1 %1 /home/dev/api: watching",
            "main:0.1 %1 /home/dev/api: throttled, retry 2/6 in 4s",
            "main:0.1 %1 /home/dev/api: resumed",
            "main:0.1 %1 /home/dev/api: gone",
        ]
    );
}
