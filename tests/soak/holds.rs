//! What must hold; the numbers are those of the invariants in ARCHITECTURE.md.

use std::fs;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::cli::{Did, Face, Turn};
use crate::matcher::{MESSAGE, Unit};
use crate::wire::ask;
use crate::world::{Outcome, PATIENCE, TYPING_GAP, World, text};

impl World {
    /// The CLI has read something.
    pub(crate) fn on_input(&mut self, bytes: &[u8]) -> Outcome {
        self.tally.input += bytes.len() as u64;
        self.input_seen.extend_from_slice(bytes);
        if !self.matcher.read(bytes) {
            return Err(format!(
                "[1] the CLI read {}, which nobody sent so\n{}",
                bytes[..bytes.len().min(300)].escape_ascii(),
                self.matcher.explain()
            ));
        }
        let mut redraw = false;
        for did in self.cli.reads(bytes) {
            match did {
                Did::Edited => {
                    self.state += 1;
                    redraw = true;
                }
                Did::Pasted { text, before } => {
                    if text.as_bytes() == &MESSAGE[6..MESSAGE.len() - 6] {
                        self.on_message(before)?;
                    }
                    self.state += 1;
                    redraw = true;
                }
                Did::Submitted(message) => {
                    self.on_submitted(&message)?;
                    redraw = true;
                }
            }
        }
        if redraw {
            self.draw(false);
        }
        Ok(())
    }

    /// The message came: it may only come into a free and empty prompt, of an error that is not dealt with.
    pub(crate) fn on_message(&mut self, before: usize) -> Outcome {
        let obstacle = if before > 0 {
            let just_typed = self.typed_at.is_some_and(|at| at.elapsed() < TYPING_GAP);
            if just_typed {
                return Err("[4] the message was typed while the user typed".into());
            }
            Some("[4] the message was typed into a draft")
        } else if self.cli.face != Face::Prompt {
            self.swallowed += 1;
            Some("[4] the message was typed under a dialog")
        } else {
            match &self.cli.turn {
                Turn::Failed(_) if self.cli.dead => {
                    return Err("[5] the message was typed after a cancel or the last try".into());
                }
                Turn::Failed(uuid) if self.resumed.contains(uuid) => {
                    return Err(format!("[5] the message was typed twice for {uuid}"));
                }
                Turn::Failed(_) => None,
                Turn::Busy => Some("[5] the message was typed while a turn ran"),
                Turn::Over => return Err("[5] the message was typed with no error".into()),
            }
        };
        match obstacle {
            // What has not been drawn yet, the wrapper could not see.
            Some(_) if self.state > self.settled => {
                self.tally.races += 1;
                self.step("(the message crossed with a change)");
                Ok(())
            }
            Some(what) => Err(what.into()),
            None => Ok(()),
        }
    }

    pub(crate) fn on_submitted(&mut self, message: &str) -> Outcome {
        let ours = message == "continue";
        if ours {
            let Turn::Failed(uuid) = self.cli.turn.clone() else {
                return Err("[5] the message was submitted with no error".into());
            };
            if self.cli.dead || self.resumed.contains(&uuid) {
                return Err(format!("[5] {uuid} was resumed though it was dealt with"));
            }
            self.resumed.push(uuid);
            self.tally.resumes += 1;
            self.own_in_a_row += 1;
        } else {
            if message.contains("continue") {
                return Err(format!("[4] {message:?} was submitted, with ours in it"));
            }
            self.own_in_a_row = 0;
        }
        self.step(format!("submitted: {message}"));
        self.cli.turn = Turn::Busy;
        self.cli.dead = false;
        self.cli.says(&format!("❯ {message}"));
        self.state += 1;
        self.run_hook("UserPromptSubmit", None);
        let line =
            serde_json::json!({"type": "user", "message": {"role": "user", "content": message}});
        self.write_line(line)?;
        self.write_session_file(true)
    }

    /// A hook's process has ended: with code 2 the CLI begins a turn by itself, and the draft stays.
    pub(crate) fn on_hook_end(&mut self, id: u32, code: u32) -> Outcome {
        let at = self.hooks.iter().position(|(hook, _)| *hook == id);
        let (_, error) = self.hooks.remove(at.ok_or("a hook that nobody ran")?);
        match (code, error) {
            (0, _) => return Ok(()),
            (2, Some(uuid)) => {
                let dealt_with = self.resumed.contains(&uuid);
                let stands = self.cli.turn == Turn::Failed(uuid.clone());
                if dealt_with || (stands && self.cli.dead) {
                    return Err(format!("[5] the hook resumed {uuid}, which was dealt with"));
                }
                if !stands || self.cli.face != Face::Prompt {
                    if self.state > self.settled {
                        self.tally.races += 1;
                        self.step("(the hook's word crossed with a change)");
                        return Ok(());
                    }
                    return Err(format!("[5] the hook resumed {uuid}, which does not stand"));
                }
                self.resumed.push(uuid);
            }
            (code, error) => return Err(format!("a hook of {error:?} ended with {code}")),
        }
        self.tally.woken += 1;
        self.own_in_a_row += 1;
        self.step("woken by the hook");
        self.cli.says("● claude-retry: going on");
        self.cli.turn = Turn::Busy;
        self.run_hook("UserPromptSubmit", None);
        let line = serde_json::json!({
            "type": "user",
            "origin": {"kind": "task-notification"},
            "message": {"role": "user", "content": "go on"},
        });
        self.write_line(line)?;
        self.write_session_file(true)?;
        self.changed();
        Ok(())
    }

    /// All that the CLI wrote is through, and all that is on its way to it was read.
    pub(crate) fn barrier(&mut self) -> Outcome {
        self.asked += 1;
        let (asked, state) = (self.asked, self.state);
        let marker = format!("\x1b]777;soak;{asked}\x07");
        self.write(marker.as_bytes());
        // The number is with the CLI's word behind what it has read, so that both are in order.
        self.tell_cli(ask::SYNC, &asked.to_le_bytes());
        let mut from = 0;
        self.wait("the marker and the CLI's word", |world| {
            let unseen = world.seen.get(from..).unwrap_or_default();
            let found = unseen
                .windows(marker.len())
                .any(|at| at == marker.as_bytes());
            if !found {
                from = world.seen.len().saturating_sub(marker.len());
            }
            found && world.synced >= asked
        })?;
        // What the wrapper had on its way when it saw that has been read only now.
        self.asked += 1;
        let again = self.asked;
        self.tell_cli(ask::SYNC, &again.to_le_bytes());
        self.wait("the CLI's word", |world| world.synced >= again)?;
        self.settled = self.settled.max(state);
        Ok(())
    }

    /// Without a bar: the terminal got what the CLI wrote, and nothing else.
    pub(crate) fn exact(&mut self) -> Outcome {
        if self.seen != self.wrote {
            return Err(format!(
                "[1] {} bytes, not {}",
                self.seen.len(),
                self.wrote.len()
            ));
        }
        self.seen.clear();
        self.wrote.clear();
        Ok(())
    }

    /// From here on an error may be resumed.
    pub(crate) fn loosen(&mut self) -> Outcome {
        if self.loose {
            return Ok(());
        }
        self.barrier()?;
        self.exact()?;
        self.loose = true;
        self.matcher.sent(Unit::Loose(true));
        Ok(())
    }

    /// Nothing stands any more: the bar is gone, the screen as if it had never been there, the input whole.
    pub(crate) fn calm(&mut self) -> Outcome {
        self.wait("the end of the wait", |world| !world.logged.open)?;
        self.wait("the end of the hooks", |world| world.hooks.is_empty())?;
        if self.notice {
            return Err("the soak: a notice stands".into());
        }
        self.barrier()?;
        self.wait("the end of the wait", |world| !world.logged.open)?;
        self.wait_for_input()?;
        self.barrier()?;
        let replies = self.replies_due();
        self.matcher.begin_anew(&replies);
        self.replies = 0;
        self.input_seen.clear();
        if self.loose {
            self.tally.with_bar += u32::from(self.seen.len() > self.wrote.len());
            if !self.all_came() {
                return Err("[1] bytes of the CLI's are missing or not in order".into());
            }
            self.seen.clear();
            self.wrote.clear();
            self.loose = false;
            self.matcher.sent(Unit::Loose(false));
        } else {
            self.exact()?;
        }
        self.compare("at rest")
    }

    /// The terminal got all that the CLI wrote, in order, whatever came between.
    pub(crate) fn all_came(&self) -> bool {
        let mut rest = self.seen.iter();
        self.wrote
            .iter()
            .all(|byte| rest.any(|other| other == byte))
    }

    /// How many answers of the terminal the CLI is to get: those that it asked for, and, where the wrapper has
    /// failed over the answer to a question of its own, that one.
    fn replies_due(&self) -> RangeInclusive<usize> {
        let spare = usize::from(self.logged.failed.is_some());
        self.replies..=self.replies + spare
    }

    /// All of the input has come, with nothing missing.
    pub(crate) fn wait_for_input(&mut self) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        while !self.matcher.is_complete(&self.replies_due()) {
            if Instant::now() > deadline {
                return Err(format!("[1] input is missing\n{}", self.matcher.explain()));
            }
            self.pump(Duration::from_millis(100))?;
        }
        Ok(())
    }

    pub(crate) fn compare(&mut self, when: &str) -> Outcome {
        self.tally.comparisons += 1;
        match self.outer.difference(&self.alone) {
            Some(difference) => Err(format!("[3] {when}: {difference}")),
            None => Ok(()),
        }
    }

    /// Other programs have used the terminal: what came is not compared, what comes is.
    pub(crate) fn begin_anew(&mut self) -> Outcome {
        self.barrier()?;
        self.seen.clear();
        self.wrote.clear();
        self.elsewhere = false;
        Ok(())
    }

    /// All processes of this session that are there, and not just waiting to be collected.
    pub(crate) fn processes(&self) -> Vec<(u32, String)> {
        let mark = format!("SOAK={}", self.mark);
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| *pid != self.shell_process.id())
            .filter(|pid| {
                fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| {
                    environ
                        .split(|&byte| byte == 0)
                        .any(|entry| entry == mark.as_bytes())
                })
            })
            .map(|pid| {
                (
                    pid,
                    fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default(),
                )
            })
            .collect()
    }

    /// The wrapper's descriptors, and its memory in kB.
    pub(crate) fn size_of_wrapper(&self) -> Outcome<(usize, u64)> {
        let pid = self.wrapper.ok_or("no wrapper")?.as_raw_nonzero();
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))
            .map_err(text)?
            .count();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(text)?;
        let memory = status.lines().find_map(|line| {
            line.strip_prefix("VmRSS:")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        });
        Ok((descriptors, memory.ok_or("no VmRSS")?))
    }
}
