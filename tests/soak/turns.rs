//! Turns: asked, answered, failed, and what is done while an error stands.

use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::json;

use crate::cli::Turn;
use crate::play::KEYS;
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

impl World {
    /// The user asks, and what comes of it, until a turn ends well or the error is left.
    pub(crate) fn turns(&mut self) -> Outcome {
        self.asks()?;
        loop {
            self.works()?;
            self.wait_for_hooks()?;
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
                    let uuid = self.error_line(error, 400)?;
                    self.turn_over(&format!("● {error}"))?;
                    self.run_hook("StopFailure", Some((uuid, error)));
                    self.nothing_happens()?;
                    return self.erase();
                }
                14 | 15 => {
                    self.step("an answer that quotes an error");
                    self.answer_line(THROTTLE)?;
                    self.turn_over(&format!("● {THROTTLE}"))?;
                    self.run_hook("Stop", None);
                    self.nothing_happens()?;
                    return self.erase();
                }
                _ => {
                    self.step("answers");
                    self.answer_line("All done.")?;
                    self.turn_over("● All done.")?;
                    self.run_hook("Stop", None);
                    self.own_in_a_row = 0;
                    return self.erase();
                }
            }
        }
    }

    pub(crate) fn asks(&mut self) -> Outcome {
        let words = self.words();
        self.step(format!("asks {words:?}"));
        self.types(words)?;
        self.wait("the draft", |world| world.cli.draft == words)?;
        self.wait_a_little(30)?;
        self.type_unit(b"\r", false, true)?;
        self.wait("the turn", |world| world.cli.turn == Turn::Busy)
    }

    pub(crate) fn works(&mut self) -> Outcome {
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
        if !self.cli.draft.is_empty() {
            if self.chance(2) {
                self.erase()?;
            }
        } else if self.chance(6) {
            let words = self.words();
            self.step(format!("draft {words:?} while the turn runs"));
            self.types(words)?;
            self.wait("the draft", |world| world.cli.draft == words)?;
            // From here on there is no excuse.
            self.barrier()?;
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

    pub(crate) fn answer_line(&mut self, words: &str) -> Outcome<String> {
        self.write_line(json!({
            "type": "assistant",
            "message": {"role": "assistant", "content": [{"type": "text", "text": words}]},
        }))
    }

    pub(crate) fn error_line(&mut self, words: &str, status: u16) -> Outcome<String> {
        self.write_line(json!({
            "type": "assistant",
            "message": {"model": "<synthetic>", "content": [{"type": "text", "text": words}]},
            "error": "rate_limit",
            "isApiErrorMessage": true,
            "apiErrorStatus": status,
        }))
    }

    pub(crate) fn turn_over(&mut self, block: &str) -> Outcome {
        self.write_session_file(false)?;
        self.cli.turn = Turn::Over;
        self.cli.says(block);
        self.changed();
        Ok(())
    }

    /// For longer than a look takes; every byte that comes is looked at.
    pub(crate) fn nothing_happens(&mut self) -> Outcome {
        let most = if self.chance(6) { 2600 } else { 500 };
        self.wait_a_little(most)
    }

    /// The turn fails in a transient error.
    pub(crate) fn fails(&mut self) -> Outcome {
        if !self.piped {
            self.loosen()?;
        }
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
        self.cli.turn = Turn::Failed(uuid.clone());
        self.changed();
        if late {
            self.wait_a_little(400)?;
            uuid = self.error_line(words, status)?;
            self.cli.turn = Turn::Failed(uuid.clone());
        }
        self.run_hook("StopFailure", Some((uuid, words)));
        Ok(())
    }

    pub(crate) fn is_failed(&self) -> bool {
        matches!(self.cli.turn, Turn::Failed(_))
    }

    /// What is done while the error stands. True if a turn runs then.
    pub(crate) fn failed(&mut self) -> Outcome<bool> {
        let (_, gave_up) = self.before;
        if self.piped {
            self.stays_failed()?;
            return self.leaves_it();
        }
        if self.cli.draft.is_empty() {
            self.while_it_stands()?;
        } else if !self.setup.hook {
            self.step("the draft stays for a while");
            self.barrier()?;
            self.wait_a_little(2500)?;
            self.erase()?;
        }
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
    pub(crate) fn leaves_it(&mut self) -> Outcome<bool> {
        self.wait_a_little(600)?;
        self.erase()?;
        if self.chance(2) {
            self.asks()?;
            return Ok(true);
        }
        self.types("x")?;
        self.wait("the key", |world| !world.cli.draft.is_empty())?;
        self.erase()?;
        Ok(false)
    }

    pub(crate) fn wait_for_the_wait(&mut self) -> Outcome {
        let (waiting, gave_up) = self.before;
        self.wait("a wait", |world| {
            world.logged.waiting > waiting || !world.is_failed() || world.logged.gave_up > gave_up
        })
    }

    pub(crate) fn while_it_stands(&mut self) -> Outcome {
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
            10 => {
                self.flood();
                Ok(())
            }
            11 => {
                self.odd_output();
                Ok(())
            }
            12 => {
                self.change_modes();
                Ok(())
            }
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

    pub(crate) fn paste_meanwhile(&mut self) -> Outcome {
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

    pub(crate) fn cancels(&mut self) -> Outcome {
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
}
