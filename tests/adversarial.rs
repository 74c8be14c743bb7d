//! Screens made up to deceive, each with what comes of it: by the screen alone, where no transcript can be
//! found, and with a transcript that tells how the turn ended. At several widths.

#[path = "adversarial/cases.rs"]
mod cases;
#[path = "support/cast.rs"]
mod cast;
#[path = "adversarial/conversations.rs"]
mod conversations;
#[path = "adversarial/draw.rs"]
mod draw;
#[path = "fuzz/recorded.rs"]
mod recorded;
#[path = "support/replay.rs"]
mod replay;
#[path = "properties/truth.rs"]
mod truth;
#[path = "properties/watch.rs"]
mod watch;
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeSet;

use cases::{Case, cases};
use claude_retry::supervisor::prompt::Prompt;
use claude_retry::supervisor::transcript::Report;
use claude_retry::term::screen::Screen;
use truth::Truth;
use watch::{Before, Hook, watch};

/// Columns: from a split pane to a wide window.
const WIDTHS: [u16; 4] = [24, 44, 80, 150];

/// What the session does about a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It types the message, into a free prompt.
    Typed,
    /// It would, but the prompt is not free: it holds off.
    Held,
    /// Nothing is ours.
    Left,
}

fn outcome(screen: &Screen, report: &Report) -> Outcome {
    // A turn was seen to run: without a transcript the screen may decide.
    let before = Before {
        busy: true,
        hook: Hook::Absent,
    };
    let done = watch(std::slice::from_ref(screen), report, &before);
    assert_eq!(done.woken, 0, "there is no hook");
    match (&done.typed_into[..], done.acts) {
        ([], 0) => Outcome::Left,
        ([], _) => Outcome::Held,
        (prompts, _) => {
            let free = prompts.iter().all(|prompt| *prompt == Prompt::Free);
            assert!(free, "typed into {prompts:?}");
            Outcome::Typed
        }
    }
}

/// How a case should come out: by the screen alone, and with the transcript of how the turn really ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// A turn that ended well, and nothing on the screen says otherwise.
    Left,
    /// A turn that ended well, and the screen alone would be fooled: the transcript saves it.
    Fooled,
    /// A turn that failed, to be resumed.
    Resumed,
    /// A turn that failed, while the prompt is not free.
    HeldOff,
    /// A turn that failed, of which too little is in sight: left alone, which harms nobody.
    Missed,
}

impl Expected {
    const fn outcomes(self) -> (Outcome, Outcome) {
        match self {
            Self::Left | Self::Missed => (Outcome::Left, Outcome::Left),
            Self::Fooled => (Outcome::Typed, Outcome::Left),
            Self::Resumed => (Outcome::Typed, Outcome::Typed),
            Self::HeldOff => (Outcome::Held, Outcome::Held),
        }
    }

    const fn truth(self) -> Truth {
        match self {
            Self::Left | Self::Fooled => Truth::Answered,
            Self::Resumed | Self::HeldOff | Self::Missed => Truth::Failed(cases::BANNER),
        }
    }
}

#[test]
fn each_screen_comes_out_as_it_should() {
    let mut wrong = Vec::new();
    for cols in WIDTHS {
        for case in cases(cols) {
            let Case { name, expected, .. } = case;
            let screen = case.screen(cols);
            let alone = outcome(&screen, &Report::Unknown);
            let with = outcome(&screen, &expected.truth().report());
            if (alone, with) != expected.outcomes() {
                let seen: Vec<_> = screen.rows.iter().map(|row| row.text.as_str()).collect();
                wrong.push(format!(
                    "{name} at {cols}: {alone:?} alone, {with:?} with the transcript, \
                     expected {expected:?}\n{}",
                    seen.join("\n")
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

/// Whatever the screen shows: where the transcript's last line is the user's, a permanent error or an old
/// one, nothing is done.
#[test]
fn no_screen_outweighs_a_transcript_that_says_no() {
    let truths = [
        Truth::Asked,
        Truth::Hopeless("You've hit your session limit · resets 3am"),
        Truth::Old(cases::BANNER),
        Truth::Pending,
    ];
    for case in cases(80) {
        for truth in &truths {
            let outcome = outcome(&case.screen(80), &truth.report());
            assert_eq!(outcome, Outcome::Left, "{}, {truth:?}", case.name);
        }
    }
}

#[test]
fn there_are_many_of_them_and_no_name_twice() {
    let cases = cases(80);
    let names: BTreeSet<_> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len());
    assert!(cases.len() >= 60, "{}", cases.len());
}
