//! What happens in a session: turns that are answered or fail, and all that a user, a terminal and a shell
//! do meanwhile, at random.

use std::time::Duration;

use rand::RngExt;
use rand::seq::IndexedRandom;
use rustix::process::Signal;
use serde_json::json;

use crate::cli::{Face, Turn};
use crate::wire::ask;
use crate::world::{Outcome, World};

const THROTTLE: &str =
    "API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited";
const TRANSIENT: [(&str, u16); 4] = [
    (THROTTLE, 429),
    (
        "API Error: 529 Overloaded. This is a server-side issue, usually temporary — try again in a moment.",
        529,
    ),
    ("API Error: 500 Internal server error.", 500),
    (
        "API Error: Server error mid-response. The response above may be incomplete.",
        500,
    ),
];
const PERMANENT: [&str; 3] = [
    "API Error: 400 messages: text content blocks must be non-empty",
    "You've hit your limit · resets 3am (UTC)",
    "Credit balance is too low",
];
/// Text that is never ours, and never begins a mode of the prompt.
const WORDS: [&str; 8] = [
    "hello",
    "fix the tests",
    "über alles",
    "漢字 too",
    "why?",
    "a b  c",
    "x",
    "go on then",
];
/// What is never typing: mouse, focus, a key's release.
const POINTERS: [&[u8]; 6] = [
    b"\x1b[<0;10;5M",
    b"\x1b[<35;11;6m",
    b"\x1b[I",
    b"\x1b[O",
    b"\x1b[97;1:3u",
    b"\x1b[M !!",
];
/// Keys that do nothing in this CLI.
const KEYS: [&[u8]; 5] = [b"\x1b[A", b"\x1bOB", b"\x1b[1;5C", b"\x1b[15~", b"\t"];
/// What the CLI may set, and what resets it. Of the kinds of mouse tracking the last that is set counts:
/// they come in the order of the real CLI.
/// Of keyboard flags the real CLI never stacks two.
const MODES: [(&str, &str); 6] = [
    (
        "\x1b[?1000h\x1b[?1002h\x1b[?1003h\x1b[?1006h",
        "\x1b[?1006l\x1b[?1003l\x1b[?1002l\x1b[?1000l",
    ),
    ("\x1b[?1004h", "\x1b[?1004l"),
    ("\x1b[>1u", "\x1b[<1u"),
    ("\x1b[?1h\x1b=", "\x1b>\x1b[?1l"),
    ("\x1b[4 q", "\x1b[0 q"),
    ("\x1b[?2031h", "\x1b[?2031l"),
];

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

impl World {
    fn chance(&mut self, of: u32) -> bool {
        self.rng.random_ratio(1, of)
    }

    fn wait_a_little(&mut self, most: u64) -> Outcome {
        let time = ms(self.rng.random_range(0..=most));
        self.pass(time)
    }

    /// The session until it is to end, by itself or by `over`.
    pub(crate) fn session(&mut self, steps: u32, over: &dyn Fn() -> bool) -> Outcome {
        self.start()?;
        self.calm()?;
        let (descriptors, memory) = self.size_of_wrapper()?;
        for _ in 0..steps {
            if over() {
                break;
            }
            self.between_turns()?;
            if self.chance(2) {
                self.turns()?;
            }
            self.calm()?;
        }
        let (then, much) = self.size_of_wrapper()?;
        if then != descriptors {
            return Err(format!(
                "{then} descriptors of the wrapper, {descriptors} at its start"
            ));
        }
        if much > memory + 12 * 1024 {
            return Err(format!("the wrapper grew from {memory} kB to {much} kB"));
        }
        self.end()
    }

    fn start(&mut self) -> Outcome {
        self.step("start");
        let modes = self.rng.random_range(0..4);
        for _ in 0..modes {
            let mode = *MODES.choose(&mut self.rng).expect("some");
            if !self.cli.modes.iter().any(|(set, _)| *set == mode.0) {
                self.cli.modes.push(mode);
            }
        }
        let enter = self.cli.enter();
        self.write(&enter);
        if self.chance(2) {
            self.write(b"\x1b[c\x1b[?2026$p\x1b[?u\x1b[6n");
        }
        self.cli.says("● Welcome.");
        self.draw(true);
        Ok(())
    }

    /// The CLI waits for its user, and nothing is wrong.
    fn between_turns(&mut self) -> Outcome {
        match self.rng.random_range(0..14) {
            0 | 1 => self.draft_and_erase(),
            2 => self.paste(300_000),
            3 => self.points(30),
            4 => {
                self.step("keys");
                for _ in 0..self.rng.random_range(1..10) {
                    let key = *KEYS.choose(&mut self.rng).expect("some");
                    self.type_unit(key, false, true)?;
                }
                // A key on its own, which is only a key when nothing follows for a while.
                self.type_unit(b"\x1b", false, true)?;
                self.wait_for_input()?;
                self.pass(ms(60))?;
                self.cli.end_of_escape();
                Ok(())
            }
            5 => self.flood(),
            6 => self.stalled_flood(),
            7 => self.change_modes(),
            8 => self.resizes(),
            9 => self.stop_and_go(),
            10 => self.dialog(),
            11 => self.odd_output(),
            12 => {
                self.step("controls at the empty prompt");
                for key in [&b"\x03"[..], b"\r", b"\x15", b"\x05"] {
                    self.type_unit(key, false, true)?;
                }
                Ok(())
            }
            _ => {
                self.step("frames");
                for _ in 0..self.rng.random_range(1..20) {
                    self.draw(false);
                    self.pass(ms(2))?;
                }
                Ok(())
            }
        }
    }

    fn types(&mut self, text: &str) -> Outcome {
        for c in text.chars() {
            self.type_unit(c.encode_utf8(&mut [0; 4]).as_bytes(), false, true)?;
            if self.chance(6) {
                self.wait_a_little(30)?;
            }
        }
        self.notice = false;
        Ok(())
    }

    fn words(&mut self) -> &'static str {
        WORDS.choose(&mut self.rng).expect("some")
    }

    fn draft_and_erase(&mut self) -> Outcome {
        let words = self.words();
        self.step(format!("draft {words:?}, and erase it"));
        self.types(words)?;
        self.wait_a_little(100)?;
        self.type_unit(b"\x15", false, true)?;
        self.wait("the empty draft", |world| world.cli.draft.is_empty())
    }

    /// Pasted, read to its end, erased.
    fn paste(&mut self, most: usize) -> Outcome {
        let length = if self.chance(3) {
            self.rng.random_range(1..=most)
        } else {
            self.rng.random_range(1..100)
        };
        self.step(format!("paste of {length}, and erase it"));
        let mut unit = b"\x1b[200~".to_vec();
        let letters = b"abcdefghij klmnop\nqrstuvwxyz";
        unit.extend((0..length).map(|n| letters[(n * 7 + n / 28) % letters.len()]));
        unit.extend_from_slice(b"\x1b[201~");
        self.type_unit(&unit, false, true)?;
        self.wait("the paste", |world| {
            world.input_seen.ends_with(b"\x1b[201~") && !world.cli.draft.is_empty()
        })?;
        self.notice = false;
        self.type_unit(b"\x15", false, true)?;
        self.wait("the empty draft", |world| world.cli.draft.is_empty())
    }

    fn points(&mut self, most: u32) -> Outcome {
        self.step("mouse and focus");
        for _ in 0..self.rng.random_range(1..=most) {
            let bytes = *POINTERS.choose(&mut self.rng).expect("some");
            self.type_unit(bytes, false, false)?;
            if self.chance(10) {
                self.wait_a_little(20)?;
            }
        }
        Ok(())
    }

    fn lines(&mut self, count: usize) -> Vec<String> {
        (0..count)
            .map(|n| {
                let color = self.rng.random_range(31..38);
                let long = self.rng.random_range(0..90);
                format!("\x1b[{color}mline {n}\x1b[0m {}", "漢x é ".repeat(long / 6))
            })
            .collect()
    }

    fn flood(&mut self) -> Outcome {
        let count = self.rng.random_range(10..2000);
        self.step(format!("flood of {count} lines"));
        let lines = self.lines(count);
        self.print(&lines);
        Ok(())
    }

    fn print(&mut self, lines: &[String]) {
        if self.cli.full {
            let text: String = lines
                .iter()
                .map(|line| format!("\x1b[1;1H{line}\x1b[K\r\n"))
                .collect();
            self.write(text.as_bytes());
            let forget = self.cli.forget();
            self.write(&forget);
        } else {
            let bytes = self.cli.print_above(lines);
            self.write(&bytes);
        }
        self.draw(true);
    }

    /// The terminal takes nothing for a while; what is typed comes through all the same.
    fn stalled_flood(&mut self) -> Outcome {
        self.step("flood into a terminal that takes nothing, and keys");
        self.stalled = true;
        let lines = self.lines(12_000);
        self.print(&lines);
        let input = self.input_seen.len();
        self.type_unit(b"\x1b[A", false, true)?;
        let came = self.wait("a key during the stall", |world| {
            world.input_seen.len() >= input + 3
        });
        self.stalled = false;
        came
    }

    fn change_modes(&mut self) -> Outcome {
        let mode = *MODES.choose(&mut self.rng).expect("some");
        self.step(format!("mode {:?}", mode.0));
        if let Some(at) = self.cli.modes.iter().position(|(set, _)| *set == mode.0) {
            self.cli.modes.remove(at);
            self.write(mode.1.as_bytes());
        } else {
            self.cli.modes.push(mode);
            self.write(mode.0.as_bytes());
        }
        self.draw(false);
        Ok(())
    }

    /// Sequences of all kinds between two whole frames.
    fn odd_output(&mut self) -> Outcome {
        self.step("odd output");
        let odd: [&[u8]; 12] = [
            b"\x1b7\x1b[5;5Hsaved\x1b8",
            b"\x1b[3;6r\x1b[6;1H\r\n\r\n\r\nscrolled\x1b[r",
            b"\x1b[2;8r\x1b[?6h\x1b[1;1Horigin\x1b[?6l\x1b[r",
            b"\x1b(0lqqk\x1b(B",
            b"\x1b[4hinserted\x1b[4l",
            b"\x1b]8;;http://localhost/\x1b\\link\x1b]8;;\x1b\\",
            b"\x1b[4:3;58:2::255:0:0munderlined\x1b[0m",
            b"\x1bP+q544e\x1b\\",
            "👩\u{200d}👩\u{200d}👧 e\u{301}".as_bytes(),
            b"\x1b[?2026h\x1b[5;1Hhalf\x1b[?2026l",
            b"\xff\xfe\xc0 broken \x1b[38;5\x18",
            b"\x1b[999;999Hz",
        ];
        for _ in 0..self.rng.random_range(1..6) {
            let bytes = *odd.choose(&mut self.rng).expect("some");
            self.write(bytes);
        }
        let forget = self.cli.forget();
        self.write(&forget);
        self.draw(true);
        Ok(())
    }

    /// Twenty sizes in a burst; the CLI draws anew when it has the last one.
    fn resizes(&mut self) -> Outcome {
        let before = [self.size[0], self.size[1]];
        let count = if self.chance(3) {
            20
        } else {
            self.rng.random_range(1..4)
        };
        self.step(format!("{count} resizes"));
        for _ in 1..count {
            let (rows, cols) = (self.rng.random_range(2..60), self.rng.random_range(5..170));
            self.resize(rows, cols)?;
            if self.chance(2) {
                self.wait_a_little(5)?;
            }
        }
        let last = loop {
            let size = [
                self.rng.random_range(16..50),
                self.rng.random_range(50..150),
            ];
            if size != before && size != [self.size[0], self.size[1]] {
                break size;
            }
        };
        self.resize(last[0], last[1])?;
        self.wait("the last size", |world| world.told_size == world.size)?;
        self.step(format!("the CLI has {last:?}"));
        self.redraw_at_size();
        self.barrier()
    }

    fn redraw_at_size(&mut self) {
        self.cli.resize(self.size[0], self.size[1]);
        let forget = self.cli.forget();
        self.write(&forget);
        // A terminal moves the saved cursor with its rows: it depends on what was still on its way.
        self.write(b"\x1b7");
        self.draw(true);
    }

    fn dialog(&mut self) -> Outcome {
        self.step("a dialog");
        self.cli.face = Face::Dialog;
        self.changed();
        self.wait_a_little(300)?;
        self.cli.face = Face::Prompt;
        self.changed();
        Ok(())
    }

    /// The job is stopped in one of the ways there are, and goes on.
    fn stop_and_go(&mut self) -> Outcome {
        self.barrier()?;
        self.elsewhere = true;
        self.stopped = None;
        self.tally.stops += 1;
        let way = self.rng.random_range(0..5);
        let polite = way == 0;
        self.step(format!(
            "stop: {}",
            [
                "the CLI, politely, by TSTP to its group",
                "the CLI, by TSTP to its group",
                "the CLI, by STOP",
                "TSTP to us",
                "STOP to us",
            ][way]
        ));
        match way {
            0 | 1 => {
                if polite {
                    let leave = self.cli.leave();
                    self.write(&leave);
                }
                self.tell_cli(ask::STOP, &[1]);
            }
            2 => self.tell_cli(ask::STOP, &[0]),
            3 => self.signal(Signal::TSTP)?,
            _ => self.signal(Signal::STOP)?,
        }
        self.wait("the stop", |world| world.stopped.is_some())?;
        let attributes = self.stopped.take();
        let words = b"\n[1]+  Stopped\n$ ";
        self.tell_shell(ask::WRITE, words);
        // Who is stopped by STOP can put nothing right.
        if way != 4 {
            self.attributes_are_back(attributes.as_deref())?;
            self.wait_for_the_shell("a stop")?;
            self.modes_are_back("stopped")?;
        }
        if self.chance(3) {
            let (rows, cols) = (
                self.rng.random_range(16..50),
                self.rng.random_range(50..150),
            );
            self.resize(rows, cols)?;
        }
        if way != 4 && self.chance(4) {
            self.step("bg, which stops again");
            self.tell_shell(ask::BACKGROUND, &[]);
            self.wait("the second stop", |world| world.stopped.is_some())?;
        }
        self.step("fg");
        let continued = self.continued;
        self.tell_shell(ask::FOREGROUND, &[]);
        self.wait("SIGCONT in the CLI", |world| world.continued > continued)?;
        self.wait("the size", |world| {
            world.told_size == world.size || {
                world.tell_cli(ask::SYNC, &0_u32.to_le_bytes());
                false
            }
        })?;
        if polite {
            let enter = self.cli.enter();
            self.write(&enter);
        }
        self.barrier()?;
        if let Some(difference) = self.outer.difference_of_modes(&self.alone)
            && !self.logged.open
        {
            return Err(format!("[6] after a stop and fg: {difference}"));
        }
        // What is on the terminal is other programs' too: it begins anew.
        self.write(b"\x1bc");
        let enter = self.cli.enter();
        self.write(&enter);
        self.redraw_at_size();
        self.begin_anew()
    }

    // Turns.

    /// The user asks, and what comes of it, until a turn ends well or the error is left.
    fn turns(&mut self) -> Outcome {
        self.asks()?;
        loop {
            self.works()?;
            match self.rng.random_range(0..20) {
                0..12 => {
                    self.fails()?;
                    if !self.failed()? {
                        return Ok(());
                    }
                }
                12 | 13 => {
                    let error = *PERMANENT.choose(&mut self.rng).expect("some");
                    self.step(format!("fails for good: {error}"));
                    self.error_line(error, 400)?;
                    self.turn_over(&format!("● {error}"))?;
                    return self.nothing_happens();
                }
                14 | 15 => {
                    self.step("an answer that quotes an error");
                    self.answer_line(THROTTLE)?;
                    self.turn_over(&format!("● {THROTTLE}"))?;
                    self.nothing_happens()?;
                    return Ok(());
                }
                _ => {
                    self.step("answers");
                    self.answer_line("All done.")?;
                    self.turn_over("● All done.")?;
                    self.own_in_a_row = 0;
                    return Ok(());
                }
            }
        }
    }

    fn asks(&mut self) -> Outcome {
        let words = self.words();
        self.step(format!("asks {words:?}"));
        self.types(words)?;
        self.wait("the draft", |world| world.cli.draft == words)?;
        self.wait_a_little(30)?;
        self.type_unit(b"\r", false, true)?;
        self.wait("the turn", |world| world.cli.turn == Turn::Busy)
    }

    fn works(&mut self) -> Outcome {
        let resumed = self.logged.resumed;
        for _ in 0..self.rng.random_range(1..12) {
            self.draw(false);
            self.wait_a_little(15)?;
        }
        if self.loose && self.chance(2) {
            // Long enough to be seen.
            self.wait("the resume to be noticed", |world| {
                world.logged.resumed > resumed || !world.logged.open
            })?;
        }
        if self.chance(4) {
            let text = ["Let me look.", "Reading the files 漢字.", "I see."];
            let text = *text.choose(&mut self.rng).expect("some");
            self.cli.says(&format!("● {text}"));
            self.answer_line(text)?;
            self.changed();
        }
        Ok(())
    }

    fn answer_line(&mut self, words: &str) -> Outcome<String> {
        self.write_line(json!({
            "type": "assistant",
            "message": {"role": "assistant", "content": [{"type": "text", "text": words}]},
        }))
    }

    fn error_line(&mut self, words: &str, status: u16) -> Outcome<String> {
        self.write_line(json!({
            "type": "assistant",
            "message": {"model": "<synthetic>", "content": [{"type": "text", "text": words}]},
            "error": "rate_limit",
            "isApiErrorMessage": true,
            "apiErrorStatus": status,
        }))
    }

    fn turn_over(&mut self, block: &str) -> Outcome {
        self.write_session_file(false)?;
        self.cli.turn = Turn::Over;
        self.cli.says(block);
        self.changed();
        Ok(())
    }

    /// For longer than a look takes; every byte that comes is looked at.
    fn nothing_happens(&mut self) -> Outcome {
        let most = if self.chance(6) { 2600 } else { 500 };
        self.wait_a_little(most)
    }

    /// The turn fails in a transient error.
    fn fails(&mut self) -> Outcome {
        self.loosen()?;
        self.before = (self.logged.waiting, self.logged.gave_up);
        self.tally.errors += 1;
        let (words, status) = *TRANSIENT.choose(&mut self.rng).expect("some");
        self.step(format!("fails: {words}"));
        let late = self.chance(5);
        let mut uuid = String::new();
        if !late {
            uuid = self.error_line(words, status)?;
        }
        self.write_session_file(false)?;
        self.cli.says(&format!("● {words}"));
        self.cli.turn = Turn::Failed(uuid);
        self.changed();
        if late {
            self.wait_a_little(400)?;
            let uuid = self.error_line(words, status)?;
            self.cli.turn = Turn::Failed(uuid);
        }
        Ok(())
    }

    fn is_failed(&self) -> bool {
        matches!(self.cli.turn, Turn::Failed(_))
    }

    /// What is done while the error stands. True if a turn runs then.
    fn failed(&mut self) -> Outcome<bool> {
        let (_, gave_up) = self.before;
        self.while_it_stands()?;
        if !self.is_failed() {
            return Ok(true);
        }
        if self.cli.dead {
            return self.leaves_it();
        }
        self.wait("the resume", |world| {
            !world.is_failed() || world.logged.gave_up > gave_up
        })?;
        if !self.is_failed() {
            return Ok(true);
        }
        self.tally.gave_up += 1;
        self.step("gave up");
        let spent = self.own_in_a_row >= self.setup.max_retries;
        if !spent && self.swallowed == 0 {
            return Err(format!("it gave up after {} tries", self.own_in_a_row));
        }
        self.swallowed = 0;
        self.cli.dead = true;
        self.leaves_it()
    }

    /// The error is dealt with: nothing more comes of it, and the user takes the notice off.
    fn leaves_it(&mut self) -> Outcome<bool> {
        self.wait_a_little(600)?;
        if self.chance(2) {
            self.asks()?;
            return Ok(true);
        }
        self.types("x")?;
        self.wait("the key", |world| !world.cli.draft.is_empty())?;
        self.type_unit(b"\x15", false, true)?;
        self.wait("the empty draft", |world| world.cli.draft.is_empty())?;
        Ok(false)
    }

    fn wait_for_the_wait(&mut self) -> Outcome {
        let (waiting, gave_up) = self.before;
        self.wait("a wait", |world| {
            world.logged.waiting > waiting || !world.is_failed() || world.logged.gave_up > gave_up
        })
    }

    fn while_it_stands(&mut self) -> Outcome {
        if self.chance(3) {
            self.wait_for_the_wait()?;
        } else {
            self.wait_a_little(500)?;
        }
        if !self.is_failed() {
            return Ok(());
        }
        match self.rng.random_range(0..16) {
            0 => {
                let words = self.words();
                self.step(format!("draft {words:?} meanwhile, erased"));
                self.types(words)?;
                self.wait_a_little(700)?;
                self.type_unit(b"\x15", false, true)?;
                self.wait_for_input()
            }
            1 => {
                let words = self.words();
                self.step(format!("asks {words:?} instead"));
                self.types(words)?;
                self.wait_a_little(100)?;
                self.type_unit(b"\r", true, true)?;
                self.wait_for_input()
            }
            2 => {
                self.wait_for_the_wait()?;
                self.step("Enter for the bar");
                self.type_unit(b"\r", true, true)
            }
            3 => self.cancels(),
            4 => self.resizes(),
            5 => self.stop_and_go(),
            6 => self.dialog(),
            7 => self.points(60),
            8 => {
                self.step("frames meanwhile");
                for _ in 0..self.rng.random_range(1..30) {
                    self.draw(false);
                    self.wait_a_little(30)?;
                }
                Ok(())
            }
            9 => {
                self.step("paste meanwhile");
                self.paste_meanwhile()
            }
            10 => self.flood(),
            11 => self.odd_output(),
            12 => self.change_modes(),
            13 => {
                self.step("arrows meanwhile");
                for _ in 0..self.rng.random_range(1..5) {
                    let key = *KEYS.choose(&mut self.rng).expect("some");
                    self.type_unit(key, false, true)?;
                    self.wait_a_little(60)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn paste_meanwhile(&mut self) -> Outcome {
        let length = self.rng.random_range(1..200_000);
        let mut unit = b"\x1b[200~".to_vec();
        unit.resize(length + 6, b'p');
        unit.extend_from_slice(b"\x1b[201~");
        self.type_unit(&unit, false, true)?;
        self.notice = false;
        self.wait_for_input()?;
        self.wait_a_little(200)?;
        self.type_unit(b"\x15", false, true)?;
        self.wait_for_input()
    }

    fn cancels(&mut self) -> Outcome {
        self.wait_for_the_wait()?;
        if !self.is_failed() || self.notice {
            return Ok(());
        }
        self.step("Ctrl+C for the bar");
        let (cancelled, (_, gave_up)) = (self.logged.cancelled, self.before);
        let key: &[u8] = if self.cli.modes.iter().any(|(set, _)| set.ends_with('u')) {
            b"\x1b[99;5u"
        } else {
            b"\x03"
        };
        let read = self.input_seen.len();
        self.type_unit(key, true, true)?;
        self.wait("the cancel, or the key in the CLI", |world| {
            world.logged.cancelled > cancelled
                || world.logged.gave_up > gave_up
                || !world.is_failed()
                || world.input_seen[read.min(world.input_seen.len())..].ends_with(key)
        })?;
        if self.logged.cancelled > cancelled && self.is_failed() {
            self.step("cancelled");
            self.tally.cancels += 1;
            self.cli.dead = true;
        }
        Ok(())
    }

    // The end.

    fn attributes_are_back(&self, now: Option<&str>) -> Outcome {
        let before = &self.attributes;
        if now != before.as_deref() {
            return Err(format!("[6] attributes {now:?}\nnot {before:?}"));
        }
        Ok(())
    }

    /// The shell's words are through, and so is all that came before them.
    fn wait_for_the_shell(&mut self, when: &str) -> Outcome {
        self.shell_words += 1;
        let marker = format!("\x1b]777;shell;{}\x07", self.shell_words);
        self.tell_shell(ask::WRITE, marker.as_bytes());
        self.wait(&format!("the shell's words after {when}"), |world| {
            world.tail_has(marker.as_bytes())
        })
    }

    fn modes_are_back(&self, when: &str) -> Outcome {
        let (now, before) = (self.outer.mode(), self.modes_before);
        if now != before {
            return Err(format!("[6] {when}: modes {now:?}\nnot {before:?}"));
        }
        Ok(())
    }

    /// The session ends, in one of the ways there are, perhaps in the middle of something.
    fn end(&mut self) -> Outcome {
        if self.chance(2) {
            self.asks()?;
            if self.chance(2) {
                self.fails()?;
                self.wait_a_little(600)?;
            }
        }
        let way = self.rng.random_range(0..9);
        self.step(format!("end: way {way}"));
        self.barrier()?;
        let before = self.elsewhere;
        self.elsewhere = true;
        let signal = |n: usize| [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT][n];
        let mut expected = None;
        match way {
            0 | 1 => {
                let code = self.rng.random();
                if way == 0 {
                    let leave = self.cli.leave();
                    self.write(&leave);
                }
                self.tell_cli(ask::EXIT, &[code]);
                expected = Some(i32::from(code));
            }
            2 => {
                let signals = [
                    Signal::TERM,
                    Signal::KILL,
                    Signal::SEGV,
                    Signal::INT,
                    Signal::ABORT,
                ];
                let signal = *signals.choose(&mut self.rng).expect("some");
                let number = u8::try_from(signal.as_raw()).expect("a small number");
                self.tell_cli(ask::DIE, &[number]);
                expected = Some(128 + i32::from(number));
            }
            3..=6 => {
                self.signal(signal(way - 3))?;
                expected = Some(128 + signal(way - 3).as_raw());
            }
            7 => self.hang_up(),
            _ => self.signal(Signal::KILL)?,
        }
        self.wait("the end", |world| world.ended.is_some())?;
        let end = self.ended.clone().expect("it has ended");
        if let Some(code) = expected {
            if end.code != code {
                return Err(format!("[6] it ended with {}, not {code}", end.code));
            }
            self.attributes_are_back(Some(&end.attributes))?;
            self.wait_for_the_shell("the end")?;
            self.modes_are_back("ended")?;
            if !before && way != 0 {
                let leave: String = self
                    .cli
                    .modes
                    .iter()
                    .rev()
                    .map(|(_, reset)| *reset)
                    .collect();
                let screen = if self.cli.full { "\x1b[?1049l" } else { "" };
                let undo = format!("{leave}{screen}\x1b[?2004l\x1b[?25h\x1b[0m");
                self.alone.feed(undo.as_bytes());
            }
            // Who is killed may not have written its last frame.
            if !matches!(way, 3..=6) || self.all_came() {
                self.compare("after the end")?;
            }
        }
        self.wait("the end of all processes", |world| {
            world.processes().is_empty()
        })
        .map_err(|_| format!("left over: {:?}", self.processes()))?;
        if way != 8 {
            self.nothing_is_left()?;
        }
        Ok(())
    }

    /// In the folders that the wrapper shares with others.
    fn nothing_is_left(&self) -> Outcome {
        for folder in ["run/claude-retry", "state/claude-retry/run", "tmp"] {
            let entries = std::fs::read_dir(self.home.join(folder));
            let mut names = entries
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.file_name());
            if let Some(name) = names.next() {
                return Err(format!(
                    "[6] left behind: {folder}/{}",
                    name.to_string_lossy()
                ));
            }
        }
        Ok(())
    }
}
