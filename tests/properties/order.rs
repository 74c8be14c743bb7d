//! Keys, output, hooks, sizes, stops, in any order: every byte of the user's reaches the child once and in
//! order, and none of ours does but the message and what undoes it.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use claude_retry::config::{BarMode, Jitter, Settings};
use claude_retry::supervisor::hook::{Answer, Happened, HookEvent};
use claude_retry::supervisor::retry::State;
use claude_retry::supervisor::session::{Event, Signal};
use claude_retry::supervisor::transcript::Report;
use claude_retry::term::Size;
use proptest::prelude::*;

use crate::fake::{COLS, Face, FakeCli, ROWS, THROTTLE};
use crate::watch::MESSAGE;
use crate::world::{self, Outside, World};

/// What the user and the terminal send. None is Ctrl+U, and none is the message: those are ours.
const KEYS: &[(&[u8], Sent)] = &[
    (b"a", Sent::Typed),
    (b"hello ", Sent::Typed),
    ("é".as_bytes(), Sent::Typed),
    ("日本".as_bytes(), Sent::Typed),
    (b"\xff", Sent::Typed),
    (b"\x7f", Sent::Typed),
    (b"\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f", Sent::Typed),
    (b"\n", Sent::Typed),
    (b"\x1b", Sent::Typed),
    (b"\x1b[A", Sent::Typed),
    (b"\x1a", Sent::Typed),
    (b"\x1b[97;1:3u", Sent::Typed),
    (b"\x1b[200~pa\rst\x03ed\x1b[201~", Sent::Typed),
    (b"\x1b[I", Sent::Typed),
    (b"\x1b[<0;10;10M", Sent::Typed),
    (b"\r", Sent::Bar),
    (b"\x1b[13u", Sent::Bar),
    (b"\x03", Sent::Bar),
    (b"\x1b[99;5u", Sent::Bar),
    (b"\x1b[?1;2c", Sent::Answer),
    (b"\x1b]11;rgb:0/0/0\x07", Sent::Answer),
    (b"\x1b[5;5R", Sent::Report),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// Always the child's.
    Typed,
    /// Enter or Ctrl+C, which the bar takes while it counts down.
    Bar,
    /// An answer of the terminal's, which is not held back.
    Answer,
    /// A cursor report, which is ours where we have asked.
    Report,
}

const fn is_answer(sent: Sent) -> bool {
    matches!(sent, Sent::Answer | Sent::Report)
}

#[derive(Clone, Debug)]
enum Happening {
    /// A key, in two reads with so many milliseconds between them, where it is cut.
    Key(usize, Option<(usize, u64)>),
    Pass(u64),
    Fails,
    /// The turn fails, and the message is being typed.
    Due,
    Answers,
    /// A turn begins that the user did not begin.
    Works,
    Dialog(bool),
    /// CR does nothing, or no key does.
    Refuses(bool, bool),
    Resize(u16, u16),
    Hook(u64, u8),
    HookGone(u64),
    /// The job is stopped for a while.
    Stop(u64),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let cut = proptest::option::weighted(
        0.3,
        (
            1_usize..8,
            prop_oneof![Just(0), Just(20), 40_u64..70, Just(500)],
        ),
    );
    let pass = prop_oneof![2 => 0_u64..200, 1 =>  200_u64..3_000, 1 => 3_000_u64..20_000];
    let one = prop_oneof![
        12 => (0..KEYS.len(), cut).prop_map(|(key, cut)| Happening::Key(key, cut)),
        8 => pass.prop_map(Happening::Pass),
        3 => Just(Happening::Fails),
        3 => Just(Happening::Due),
        1 => Just(Happening::Answers),
        1 => Just(Happening::Works),
        1 => any::<bool>().prop_map(Happening::Dialog),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(cr, all)| Happening::Refuses(cr, all)),
        1 => (2_u16..40, 10_u16..140).prop_map(|(rows, cols)| Happening::Resize(rows, cols)),
        2 => (1_u64..4, 0_u8..4).prop_map(|(id, what)| Happening::Hook(id, what)),
        1 => (1_u64..4).prop_map(Happening::HookGone),
        1 => (0_u64..5_000).prop_map(Happening::Stop),
    ];
    proptest::collection::vec(one, 1..40)
}

/// Something that was sent.
struct Input {
    bytes: Vec<u8>,
    sent: Sent,
    /// The bar may take it.
    takeable: bool,
}

/// The CLI, and what it had in its prompt when an Enter of ours came.
struct Watched {
    cli: FakeCli,
    /// The message was pasted, and neither entered nor undone.
    open: bool,
    entered: Vec<(Face, String)>,
}

impl Outside for Watched {
    fn transcript(&mut self, unix_ms: u64) -> Report {
        self.cli.transcript(unix_ms)
    }

    fn hook_ends(&mut self, answer: Answer) -> Vec<u8> {
        self.cli.hook_ends(answer)
    }

    fn child_reads(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.open && bytes.starts_with(b"\r") {
            self.entered.push((self.cli.face, self.cli.draft.clone()));
        }
        self.open &= !bytes.starts_with(b"\r") && !bytes.starts_with(b"\x15");
        self.open |= contains(bytes, MESSAGE.as_bytes());
        self.cli.child_reads(bytes)
    }
}

struct Run {
    world: World<Watched>,
    bar: bool,
    inputs: Vec<Input>,
    /// Keys of ours were not heard at times: what is left of the message may be added to.
    deaf: bool,
    dice: u64,
}

impl Run {
    fn new(bar: BarMode) -> Self {
        let settings = Settings {
            message: MESSAGE.into(),
            base: Duration::from_secs(2),
            cap: Duration::from_secs(2),
            jitter: Jitter::None,
            bar,
            ..Settings::default()
        };
        let size = Size::new(ROWS, COLS);
        let outside = Watched {
            cli: FakeCli::new(),
            open: false,
            entered: Vec::new(),
        };
        let mut run = Self {
            world: World::new(settings, size, world::WALL, outside),
            bar: bar != BarMode::Off,
            inputs: Vec::new(),
            deaf: false,
            dice: 1,
        };
        run.draw(&run.world.outside.cli.frame());
        run.world.run_for(Duration::from_secs(1));
        run
    }

    /// A frame comes in three reads.
    fn draw(&mut self, frame: &[u8]) {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let at = usize::try_from(self.dice >> 40).expect("small") % (frame.len() + 1);
        for part in [&frame[..at / 2], &frame[at / 2..at], &frame[at..]] {
            if !part.is_empty() {
                self.world.event(Event::ChildOutput(part));
                self.world
                    .run_for(Duration::from_millis(self.dice >> 33 & 15));
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) -> bool {
        let cli = &self.world.outside.cli;
        let is_idle = cli.draft.is_empty() && cli.face == Face::Prompt && !cli.busy;
        let bar_listens = match self.world.session.state() {
            State::Waiting(_) | State::HoldingOff { .. } | State::LastLook(_) => is_idle,
            State::Typing { .. } => true,
            _ => false,
        };
        self.world.event(Event::UserInput(bytes));
        bar_listens
    }

    fn happens(&mut self, what: &Happening) {
        let now = self.world.now().unix_ms;
        match what {
            Happening::Key(key, cut) => {
                let (bytes, sent) = KEYS[*key];
                let (first, second) = bytes.split_at(cut.map_or(0, |(at, _)| at % bytes.len()));
                let mut listens = false;
                // The parts of an answer come together: an Esc that nothing follows for 50 ms is a key.
                let longest = if is_answer(sent) { 40 } else { u64::MAX };
                if !first.is_empty() {
                    listens |= self.send(first);
                    let gap = cut.map_or(0, |(_, ms)| ms.min(longest));
                    self.world.run_for(Duration::from_millis(gap));
                }
                listens |= self.send(second);
                self.inputs.push(Input {
                    bytes: bytes.to_vec(),
                    sent,
                    takeable: self.bar && (sent == Sent::Bar && listens || sent == Sent::Report),
                });
            }
            Happening::Pass(ms) => self.world.run_for(Duration::from_millis(*ms)),
            Happening::Fails => {
                let frame = self.world.outside.cli.fails(now, THROTTLE);
                self.draw(&frame);
            }
            Happening::Due => {
                self.happens(&Happening::Fails);
                for _ in 0..100 {
                    if !matches!(self.world.session.state(), State::Typing { .. }) {
                        self.world.run_for(Duration::from_millis(50));
                    }
                }
            }
            Happening::Answers => {
                let frame = self.world.outside.cli.answers(now, "All done.");
                self.draw(&frame);
            }
            Happening::Works => {
                self.world.outside.cli.busy = true;
                self.draw(&self.world.outside.cli.frame());
            }
            Happening::Dialog(open) => {
                self.deaf |= open;
                let frame = if *open {
                    self.world.outside.cli.face = Face::Dialog;
                    self.world.outside.cli.frame()
                } else {
                    self.world.outside.cli.closes()
                };
                self.draw(&frame);
            }
            Happening::Refuses(cr, all) => {
                self.deaf |= cr | all;
                self.world.outside.cli.swallow_cr = *cr;
                self.world.outside.cli.deaf = *all;
            }
            Happening::Resize(rows, cols) => {
                self.world.event(Event::Resize(Size::new(*rows, *cols)));
                self.draw(&self.world.outside.cli.frame());
            }
            Happening::Hook(id, what) => {
                let happened = match what {
                    0 => Happened::SessionStart,
                    1 => Happened::UserPromptSubmit,
                    2 => Happened::Stop,
                    _ => Happened::StopFailure {
                        text: THROTTLE.into(),
                    },
                };
                let event = HookEvent {
                    happened,
                    session_id: "session".into(),
                    transcript: "/home/dev/session.jsonl".into(),
                };
                self.world.event(Event::Hook(*id, event));
            }
            Happening::HookGone(id) => self.world.event(Event::HookGone(*id)),
            Happening::Stop(ms) => {
                self.world.event(Event::Signal(Signal::Tstp));
                self.world.run_for(Duration::from_millis(*ms));
                self.world.event(Event::Resumed);
            }
        }
    }

    fn count(&self, event: &str) -> usize {
        let log = self.world.log.iter();
        log.filter(|record| record["event"] == event).count()
    }

    /// Everything is accounted for; how often the message was typed.
    fn check(mut self) -> usize {
        self.world.run_for(Duration::from_secs(1));
        while matches!(self.world.session.state(), State::Typing { .. }) {
            // No transaction is open for longer than two seconds.
            self.world.run_for(Duration::from_millis(500));
        }
        let (left, pasted, entered) = self.without_message();
        assert_eq!(pasted, self.count("typing"), "pastes, and those in the log");
        assert_eq!(entered, self.count("typed"), "Enters, and those in the log");
        // One more each, where the prompt still showed the message.
        // An undo that had no effect is done again from the line's end.
        let undo: Vec<&[u8]> = left.split(|&byte| byte == 0x15).collect();
        let undone = undo.len() - 1;
        let keys = |(n, keys): (usize, &&[u8])| {
            let before_undo = n < undone;
            let keys = keys
                .strip_suffix(b"\x05")
                .filter(|_| before_undo)
                .unwrap_or(keys);
            keys.to_vec()
        };
        let left: Vec<u8> = undo.iter().enumerate().flat_map(keys).collect();
        assert!(undone <= pasted, "{undone} undone of {pasted}");
        // The terminal's answers do not wait while the message is typed: they may overtake keys.
        let (answers, keys) = without_answers(&left);
        self.check_users_bytes(&answers, is_answer);
        self.check_users_bytes(&keys, |sent| !is_answer(sent));
        for entered in &self.world.outside.entered {
            assert_eq!(*entered, (Face::Prompt, MESSAGE.to_owned()), "Enter");
        }
        for turn in self.world.outside.cli.turns.iter().filter(|_| !self.deaf) {
            assert!(turn == MESSAGE || !turn.contains(MESSAGE), "{turn:?}");
        }
        pasted
    }

    /// The child's bytes without the message and the Enter or Ctrl+U behind each; how many messages, and how
    /// many were entered.
    fn without_message(&self) -> (Vec<u8>, usize, usize) {
        let answers: Vec<u8> = self
            .inputs
            .iter()
            .filter(|input| is_answer(input.sent))
            .flat_map(|input| input.bytes.clone())
            .collect();
        let bracketed = format!("\x1b[200~{MESSAGE}\x1b[201~").into_bytes();
        let (mut left, mut pasted, mut entered) = (Vec::new(), 0, 0);
        let mut rest = &self.world.child[..];
        while !rest.is_empty() {
            let message = [&bracketed[..], MESSAGE.as_bytes()]
                .into_iter()
                .find_map(|message| rest.strip_prefix(message));
            let Some(after) = message else {
                left.push(rest[0]);
                rest = &rest[1..];
                continue;
            };
            pasted += 1;
            let end = after.iter().position(|byte| b"\r\x15".contains(byte));
            let end = end.expect("the message is entered or undone");
            // Only the terminal's own words come in between.
            let between = &after[..end];
            assert!(
                between.is_empty() || contains(&answers, between),
                "behind the message: {between:?}"
            );
            entered += usize::from(after[end] == b'\r');
            left.extend_from_slice(between);
            rest = &after[end + 1..];
        }
        (left, pasted, entered)
    }

    /// Walks through what was sent and what came: only what the bar may take may be missing.
    fn check_users_bytes(&self, left: &[u8], which: impl Fn(Sent) -> bool) {
        let mut places = BTreeSet::from([0]);
        let inputs = self.inputs.iter().enumerate();
        for (n, input) in inputs.filter(|(_, input)| which(input.sent)) {
            let mut next = BTreeSet::new();
            for &place in &places {
                if left[place..].starts_with(&input.bytes) {
                    next.insert(place + input.bytes.len());
                }
                if input.takeable {
                    next.insert(place);
                }
            }
            assert!(
                !next.is_empty(),
                "input {n}, {:?}, is not where it should be in {:?}",
                String::from_utf8_lossy(&input.bytes),
                String::from_utf8_lossy(left)
            );
            places = next;
        }
        assert!(
            places.contains(&left.len()),
            "more than was sent: {:?}",
            String::from_utf8_lossy(left)
        );
    }
}

/// The terminal's answers, and the rest.
fn without_answers(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut answers, mut keys) = (Vec::new(), Vec::new());
    let mut rest = bytes;
    while !rest.is_empty() {
        let mut all = KEYS.iter().filter(|(_, sent)| is_answer(*sent));
        let (to, length) = match all.find(|(bytes, _)| rest.starts_with(bytes)) {
            Some((bytes, _)) => (&mut answers, bytes.len()),
            None => (&mut keys, 1),
        };
        to.extend_from_slice(&rest[..length]);
        rest = &rest[length..];
    }
    (answers, keys)
}

fn contains(all: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && all.windows(part.len()).any(|window| window == part)
}

#[test]
fn every_key_reaches_the_child_once_and_in_order() {
    let typed = Cell::new(0);
    let case = (any::<bool>(), happenings());
    crate::holds(400, &case, |(bar, happenings)| {
        let mut run = Run::new(if bar { BarMode::Auto } else { BarMode::Off });
        for what in &happenings {
            run.happens(what);
        }
        typed.set(typed.get() + run.check());
    });
    assert!(typed.get() > 100, "typed {} times", typed.get());
}

/// A Ctrl+C while the message is typed is the bar's; the click or the focus report beside it is the child's.
#[test]
fn what_comes_beside_a_ctrl_c_is_not_lost() {
    let key = |bytes: &[u8]| {
        let at = KEYS.iter().position(|(key, _)| *key == bytes);
        Happening::Key(at.expect("a key"), None)
    };
    let mut run = Run::new(BarMode::Auto);
    for what in [
        Happening::Due,
        key(b"\x1b[I"),
        key(b"\x03"),
        key(b"\x1b[<0;10;10M"),
    ] {
        run.happens(&what);
    }
    run.world.run_for(Duration::from_secs(3));
    assert_eq!(run.count("cancelled"), 1);
    assert!(
        run.world.child.ends_with(b"\x15\x1b[I\x1b[<0;10;10M"),
        "{:?}",
        run.world.child
    );
    run.check();
}
