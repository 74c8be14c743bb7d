//! Random sessions: a terminal, and what happens in it.

use proptest::prelude::*;
use proptest::sample::select;

use crate::grammar;

/// One thing that happens.
#[derive(Clone)]
pub(crate) enum Step {
    /// The child writes.
    Child(Vec<u8>),
    /// Another model is wanted, or none.
    Bar(Option<u64>),
    /// The bar is drawn, if it may be.
    Draw,
    /// It is taken off, and the terminals are compared.
    Hide,
    /// Nothing else happens: the shadow may be told of what the child wrote.
    Rest,
    /// The window gets these rows and columns; a child that has a bar on its screen repaints it.
    Resize(u16, u16),
}

/// As Rust, a line each, so that a failing case can be read and made a test of.
impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Child(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => write!(f, "Child({text:?})"),
                Err(_) => write!(f, "Child(b\"{}\")", bytes.escape_ascii()),
            },
            Self::Bar(tenths) => write!(f, "Bar({tenths:?})"),
            Self::Draw => f.write_str("Draw"),
            Self::Hide => f.write_str("Hide"),
            Self::Rest => f.write_str("Rest"),
            Self::Resize(rows, cols) => write!(f, "Resize({rows}, {cols})"),
        }
    }
}

/// A session.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) rows: u16,
    pub(crate) cols: u16,
    /// The terminal has old text in it and the cursor stands in this row and column; else the child
    /// begins with the alternate screen.
    pub(crate) inline: Option<(u16, u16)>,
    pub(crate) synchronized: bool,
    pub(crate) steps: Vec<Step>,
}

/// Many small terminals, which are cheap and where everything meets; some of each extreme.
fn size() -> BoxedStrategy<(u16, u16)> {
    let extremes = select(vec![
        (2, 20),
        (2, 300),
        (100, 20),
        (100, 300),
        (50, 120),
        (24, 80),
    ]);
    prop_oneof![
        60 => (2_u16..16, 20_u16..41),
        10 => (6_u16..16, 8_u16..20),
        10 => (2_u16..5, 20_u16..81),
        2 => (16_u16..61, 41_u16..161),
        2 => extremes,
    ]
    .boxed()
}

/// What one element of the random list becomes. Each decides for itself how it joins the one before it, so
/// that the others stay as they are when one is left out.
#[derive(Clone, Debug)]
struct Item {
    bytes: Vec<u8>,
    /// It comes with what was written before, in one piece.
    joins: bool,
    /// It is cut in two here, with an attempt to draw in between.
    cut: Option<u8>,
    controls: Vec<Step>,
    no_bar: bool,
    resizes: Vec<(u16, u16)>,
}

impl Item {
    fn unfold(self, steps: &mut Vec<Step>) {
        let Self { bytes, cut, .. } = self;
        let at = cut.map_or(0, |cut| usize::from(cut) % (bytes.len() + 1));
        if at > 0 {
            let (left, right) = bytes.split_at(at);
            let (left, right) = (left.to_vec(), right.to_vec());
            steps.extend([Step::Child(left), Step::Draw, Step::Child(right)]);
        } else if let (Some(Step::Child(last)), true) = (steps.last_mut(), self.joins) {
            last.extend(bytes);
        } else {
            steps.push(Step::Child(bytes));
        }
        steps.extend(self.controls);
        if self.no_bar {
            steps.extend([Step::Bar(None), Step::Draw]);
        }
        let resizes = self.resizes.into_iter();
        steps.extend(resizes.map(|(rows, cols)| Step::Resize(rows, cols)));
    }
}

fn item(rows: u16, cols: u16) -> impl Strategy<Value = Item> {
    let controls = prop_oneof![
        2 => Just(Vec::new()),
        1 => Just(vec![Step::Rest]),
        4 => Just(vec![Step::Draw]),
        2 => Just(vec![Step::Hide]),
        1 => (0_u64..100).prop_map(|tenths| vec![Step::Bar(Some(tenths))]),
        // A second of a countdown.
        1 => (0_u64..100).prop_map(|tenths| vec![Step::Draw, Step::Bar(Some(tenths)), Step::Draw]),
    ];
    let no_bar = prop_oneof![20 => Just(false), 1 => Just(true)];
    let cut = prop_oneof![2 => Just(None), 1 => any::<u8>().prop_map(Some)];
    // A window that is dragged has many sizes before the child has drawn once.
    let resizes = prop_oneof![
        40 => Just(Vec::new()),
        1 => proptest::collection::vec(size(), 1..4),
    ];
    let bytes = grammar::item(rows, cols);
    (bytes, any::<bool>(), cut, controls, no_bar, resizes).prop_map(
        |(bytes, joins, cut, controls, no_bar, resizes)| Item {
            bytes,
            joins,
            cut,
            controls,
            no_bar,
            resizes,
        },
    )
}

fn steps(rows: u16, cols: u16) -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(item(rows, cols), 10..60).prop_map(|items| {
        let mut steps = vec![Step::Bar(Some(50))];
        for item in items {
            item.unfold(&mut steps);
        }
        steps
    })
}

/// Any session on the main screen, or one that begins on the alternate one.
pub(crate) fn case(inline: bool) -> impl Strategy<Value = Case> {
    size().prop_flat_map(move |(rows, cols)| {
        let start = if inline {
            (0..rows, prop_oneof![3 => Just(0), 1 => 0..cols])
                .prop_map(Some)
                .boxed()
        } else {
            Just(None).boxed()
        };
        (start, any::<bool>(), steps(rows, cols)).prop_map(move |(inline, synchronized, steps)| {
            Case {
                rows,
                cols,
                inline,
                synchronized,
                steps,
            }
        })
    })
}

/// Sessions that once left a trace, as they were found.
pub(crate) fn found() -> Vec<Case> {
    use Step::{Bar, Child, Draw, Hide, Resize};
    let child = |text: &str| Child(text.as_bytes().to_vec());
    vec![
        // A wrap is pending still after a back tab, to some terminals.
        Case {
            rows: 6,
            cols: 21,
            inline: Some((0, 0)),
            synchronized: false,
            steps: vec![
                Bar(Some(50)),
                child("\n\n\n\n\n\n\n\n"),
                child("\x1b[5;1H\x1b[2K\x1b[6;1H\x1b[2K||mmmmmmmmmmmmmmmmm||\x1b[3;1H"),
                child("\reeeeeeeeeeeeeeeeeeeee"),
                child("\x1b[Z"),
                Draw,
                child("── "),
                Hide,
                child("\x1b[1;1H"),
                child("\x1b[2T"),
                child("\x1b[0m"),
                child("\x1b[r"),
                Draw,
                child("a"),
            ],
        },
        // A window that has become wider has a wrap pending in the middle of a row.
        Case {
            rows: 15,
            cols: 11,
            inline: None,
            synchronized: false,
            steps: vec![
                Bar(Some(50)),
                child("\reeeeeeeeeee"),
                Hide,
                Resize(2, 20),
                child("\x1b[K"),
                Draw,
                child("\x1b[2L"),
                child("\x1b[0m"),
                Draw,
                child("a"),
            ],
        },
        // An update of before the resize sets its scroll region after it.
        Case {
            rows: 2,
            cols: 26,
            inline: None,
            synchronized: false,
            steps: vec![
                Bar(Some(50)),
                child("\x1b[?2026h"),
                child("\x1b[1;2r\x1b[2;1H\n\ntext\x1b[1;1H"),
                child("a"),
                Resize(6, 8),
                child("\x1b[2J\x1b[H"),
                child("\x1b[?2026h"),
                child("\x1b[2;2H"),
                child("\x1b[K"),
                child("acontinue a"),
            ],
        },
        // On the main screen a shorter window pushes its first row into the scrollback.
        Case {
            rows: 6,
            cols: 22,
            inline: Some((0, 0)),
            synchronized: false,
            steps: vec![
                Bar(Some(50)),
                child("\x1b[2J\x1b[H\x1b[6;1Hab"),
                Draw,
                Resize(2, 22),
                child("a"),
            ],
        },
        // What came before a resize is of the old size, also where the shadow was not told of it yet.
        Case {
            rows: 6,
            cols: 20,
            inline: None,
            synchronized: false,
            steps: vec![
                Bar(Some(50)),
                child("\x1b[2J\x1b[6;1Habcdefghij\x1b[2;1H"),
                Resize(4, 20),
                Draw,
                Hide,
            ],
        },
    ]
}
