//! Stopping, going on and ending.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rustix::process::Signal;

use crate::wire::ask;
use crate::world::{Outcome, World};

impl World {
    /// The job is stopped in one of the ways there are, and goes on.
    pub(crate) fn stop_and_go(&mut self) -> Outcome {
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
        // Who is stopped by STOP can put nothing right.
        if way != 4 {
            self.tell_shell(ask::WRITE, b"\n[1]+  Stopped\n$ ");
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
        // The title may be ours while the bar counts down, or says how it ended.
        let ours = self.logged.open || self.notice;
        if let Some(difference) = self.outer.difference_of_modes(&self.alone)
            && !ours
        {
            return Err(format!("[6] after a stop and fg: {difference}"));
        }
        // What is on the terminal is other programs' too: it begins anew. After a STOP nobody has written, and
        // what the terminal keeps out of sight (a stack of flags) is still to be right at the end.
        if way != 4 {
            self.write(b"\x1bc");
            let enter = self.cli.enter();
            self.write(&enter);
        }
        self.redraw_at_size();
        self.begin_anew()
    }

    pub(crate) fn attributes_are_back(&self, now: Option<&str>) -> Outcome {
        let before = &self.attributes;
        if now != before.as_deref() {
            return Err(format!("[6] attributes {now:?}\nnot {before:?}"));
        }
        Ok(())
    }

    /// The shell's words are through, and so is all that came before them.
    pub(crate) fn wait_for_the_shell(&mut self, when: &str) -> Outcome {
        self.shell_words += 1;
        let marker = format!("\x1b]777;shell;{}\x07", self.shell_words);
        self.tell_shell(ask::WRITE, marker.as_bytes());
        self.wait(&format!("the shell's words after {when}"), |world| {
            world.tail_has(marker.as_bytes())
        })
    }

    pub(crate) fn modes_are_back(&self, when: &str) -> Outcome {
        let (now, before) = (self.outer.mode(), self.modes_before);
        if now != before {
            return Err(format!("[6] {when}: modes {now:?}\nnot {before:?}"));
        }
        Ok(())
    }

    /// The session ends, in one of the ways there are, perhaps in the middle of something.
    pub(crate) fn end(&mut self) -> Outcome {
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
    pub(crate) fn nothing_is_left(&self) -> Outcome {
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
