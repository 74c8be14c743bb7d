use super::*;

fn cell(pane: u32, width: u16, height: u16, x: u16, y: u16) -> Cell {
    Cell {
        pane: PaneId(pane),
        width,
        height,
        x,
        y,
    }
}

/// As tmux 3.3a wrote them.
const ONE: &str = "b25d,80x24,0,0,0";
const TWO: &str = "b365,80x24,0,0{45x24,0,0,0,34x24,46,0,1}";
const FOUR: &str = "0b99,80x24,0,0{45x24,0,0,0,34x24,46,0[34x6,46,0,1,34x5,46,7,6,34x11,46,13,5]}";

#[test]
fn a_layout_gives_each_pane_its_place() {
    let one = Layout::parse(ONE).expect("a layout");
    assert_eq!((one.width, one.height), (80, 24));
    assert_eq!(one.cells, [cell(0, 80, 24, 0, 0)]);
    let two = Layout::parse(TWO).expect("a layout");
    assert_eq!(two.cell(PaneId(1)), Some(&cell(1, 34, 24, 46, 0)));
    assert_eq!(two.cell(PaneId(2)), None);
    let four = Layout::parse(FOUR).expect("a layout");
    assert_eq!(
        four.cells,
        [
            cell(0, 45, 24, 0, 0),
            cell(1, 34, 6, 46, 0),
            cell(6, 34, 5, 46, 7),
            cell(5, 34, 11, 46, 13),
        ]
    );
}

/// With its right checksum, so that nothing but the tree can be wrong.
fn signed(tree: &str) -> String {
    format!("{:04x},{tree}", checksum(tree))
}

#[test]
fn a_layout_that_is_cut_or_altered_is_none() {
    for layout in [ONE, TWO, FOUR] {
        for end in 0..layout.len() {
            assert_eq!(Layout::parse(&layout[..end]), None, "{end} of {layout}");
        }
        let altered = layout.replacen("80x24", "80x25", 1);
        assert_eq!(Layout::parse(&altered), None, "{altered}");
    }
}

#[test]
fn a_tree_that_is_none_is_refused_whatever_its_checksum_says() {
    assert!(Layout::parse(&signed("80x24,0,0,7")).is_some());
    let deep = "9x9,0,0{".repeat(100_000);
    for tree in [
        "",
        "80x24",
        "80x24,0,0",
        "80x24,0,0,",
        "80x24,0,0{}",
        "80x24,0,0{80x24,0,0,1",
        "80x24,0,0{80x24,0,0,1]",
        "80x24,0,0,1,",
        "80x24,0,0,1 ",
        "99999x24,0,0,1",
        "+8x24,0,0,1",
        "80x24,0,0{é}",
        &deep,
    ] {
        assert_eq!(Layout::parse(&signed(tree)), None, "{tree:.40}");
    }
}
