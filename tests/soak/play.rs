//! What happens in a session: turns that are answered or fail, and all that a user, a terminal and a shell
//! do meanwhile, at random.

use std::time::Duration;

use rand::RngExt;
use rand::seq::IndexedRandom;

use crate::cli::Face;
use crate::world::{Outcome, World};

/// Text that is never ours, and never begins a mode of the prompt.
pub(crate) const WORDS: [&str; 8] = [
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
pub(crate) const POINTERS: [&[u8]; 6] = [
    b"\x1b[<0;10;5M",
    b"\x1b[<35;11;6m",
    b"\x1b[I",
    b"\x1b[O",
    b"\x1b[97;1:3u",
    b"\x1b[M !!",
];
/// Keys that do nothing in this CLI.
pub(crate) const KEYS: [&[u8]; 5] = [b"\x1b[A", b"\x1bOB", b"\x1b[1;5C", b"\x1b[15~", b"\t"];
/// What the CLI may set, and what resets it. Of the kinds of mouse tracking the last that is set counts:
/// they come in the order of the real CLI.
/// Of keyboard flags the real CLI never stacks two.
pub(crate) const MODES: [(&str, &str); 6] = [
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
    pub(crate) fn chance(&mut self, of: u32) -> bool {
        self.rng.random_ratio(1, of)
    }

    pub(crate) fn wait_a_little(&mut self, most: u64) -> Outcome {
        let time = ms(self.rng.random_range(0..=most));
        self.pass(time)
    }

    /// The session until it is to end, by itself or by `over`.
    pub(crate) fn session(&mut self, steps: u32, over: &dyn Fn() -> bool) -> Outcome {
        self.start()?;
        self.calm()?;
        let (descriptors, memory) = self.size_of_wrapper()?;
        let breaks_at = self.rng.random_range(0..steps.min(6));
        for step in 0..steps {
            if over() {
                break;
            }
            if step == breaks_at {
                self.break_it()?;
            }
            self.between_turns()?;
            if self.chance(2) {
                self.turns()?;
            }
            self.calm()?;
        }
        let (then, much) = self.size_of_wrapper()?;
        // A pipe has let go of some.
        if then > descriptors || (then < descriptors && !self.piped) {
            return Err(format!(
                "{then} descriptors of the wrapper, {descriptors} at its start"
            ));
        }
        if much > memory + 12 * 1024 {
            return Err(format!("the wrapper grew from {memory} kB to {much} kB"));
        }
        self.end()
    }

    pub(crate) fn start(&mut self) -> Outcome {
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
        self.run_hook("SessionStart", None);
        self.wait_for_hooks()
    }

    /// The CLI waits for its user, and nothing is wrong.
    pub(crate) fn between_turns(&mut self) -> Outcome {
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
            5 => {
                self.flood();
                Ok(())
            }
            6 => self.stalled_flood(),
            7 => {
                self.change_modes();
                Ok(())
            }
            8 => self.resizes(),
            9 => self.stop_and_go(),
            10 => self.dialog(),
            11 => {
                self.odd_output();
                Ok(())
            }
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

    pub(crate) fn types(&mut self, text: &str) -> Outcome {
        for c in text.chars() {
            self.type_unit(c.encode_utf8(&mut [0; 4]).as_bytes(), false, true)?;
            if self.chance(6) {
                self.wait_a_little(30)?;
            }
        }
        self.notice = false;
        Ok(())
    }

    pub(crate) fn words(&mut self) -> &'static str {
        WORDS.choose(&mut self.rng).expect("some")
    }

    /// Those that are told something in passing: the CLI takes longer for a turn than they do.
    pub(crate) fn wait_for_hooks(&mut self) -> Outcome {
        self.wait("the hooks that do not wait", |world| {
            world.hooks.iter().all(|(_, error)| error.is_some())
        })
    }

    pub(crate) fn erase(&mut self) -> Outcome {
        self.type_unit(b"\x15", false, true)?;
        self.wait("the empty draft", |world| world.cli.draft.is_empty())
    }

    pub(crate) fn draft_and_erase(&mut self) -> Outcome {
        let words = self.words();
        self.step(format!("draft {words:?}, and erase it"));
        self.types(words)?;
        self.wait_a_little(100)?;
        self.erase()
    }

    /// Pasted, read to its end, erased.
    pub(crate) fn paste(&mut self, most: usize) -> Outcome {
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
        self.erase()
    }

    pub(crate) fn points(&mut self, most: u32) -> Outcome {
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

    pub(crate) fn lines(&mut self, count: usize) -> Vec<String> {
        (0..count)
            .map(|n| {
                let color = self.rng.random_range(31..38);
                let long = self.rng.random_range(0..90);
                format!("\x1b[{color}mline {n}\x1b[0m {}", "漢x é ".repeat(long / 6))
            })
            .collect()
    }

    pub(crate) fn flood(&mut self) {
        let count = self.rng.random_range(10..2000);
        self.step(format!("flood of {count} lines"));
        let lines = self.lines(count);
        self.print(&lines);
    }

    pub(crate) fn print(&mut self, lines: &[String]) {
        if self.cli.full {
            let text: String = lines
                .iter()
                .flat_map(|line| ["\x1b[1;1H", line, "\x1b[K\r\n"])
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
    pub(crate) fn stalled_flood(&mut self) -> Outcome {
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

    pub(crate) fn change_modes(&mut self) {
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
    }

    /// Sequences of all kinds between two whole frames.
    pub(crate) fn odd_output(&mut self) {
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
    }

    /// Twenty sizes in a burst; the CLI draws anew when it has the last one.
    pub(crate) fn resizes(&mut self) -> Outcome {
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

    pub(crate) fn redraw_at_size(&mut self) {
        self.cli.resize(self.size[0], self.size[1]);
        let forget = self.cli.forget();
        self.write(&forget);
        // A terminal moves the saved cursor with its rows: it depends on what was still on its way.
        self.write(b"\x1b7");
        self.draw(true);
    }

    pub(crate) fn dialog(&mut self) -> Outcome {
        self.step("a dialog");
        self.cli.face = Face::Dialog;
        self.changed();
        self.barrier()?;
        self.wait_a_little(900)?;
        self.cli.face = Face::Prompt;
        self.changed();
        Ok(())
    }
}
