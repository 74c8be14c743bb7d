//! What the wrapper's log says, what was done, and the report of a finding.

use std::fmt::Write as _;
use std::io::Read;

use serde_json::Value;

use crate::world::{Outcome, World, text};

/// The counts of the wrapper's log that are waited for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logged {
    pub(crate) waiting: u32,
    pub(crate) cancelled: u32,
    pub(crate) gave_up: u32,
    pub(crate) resumed: u32,
    pub(crate) typing: u32,
    pub(crate) failed: Option<String>,
    /// A wait is open: the bar may stand.
    pub(crate) open: bool,
    pub(crate) last: Vec<String>,
}

/// What was done in all, for the summary.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sessions: u32,
    pub(crate) errors: u32,
    pub(crate) resumes: u32,
    pub(crate) woken: u32,
    pub(crate) cancels: u32,
    pub(crate) gave_up: u32,
    pub(crate) pipes: u32,
    pub(crate) stops: u32,
    pub(crate) resizes: u32,
    pub(crate) comparisons: u32,
    pub(crate) with_bar: u32,
    pub(crate) races: u32,
    pub(crate) output: u64,
    pub(crate) input: u64,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} sessions, {} of them as a pipe after a fault: {} errors, {} resumed by typing and {} by the hook, {} cancelled, {} given up; \
             {} stops, {} resizes, {} kB of output, {} kB of input; the terminals compared {} times, \
             {} of them after a bar; {} times the message crossed with a change",
            self.sessions,
            self.pipes,
            self.errors,
            self.resumes,
            self.woken,
            self.cancels,
            self.gave_up,
            self.stops,
            self.resizes,
            self.output / 1000,
            self.input / 1000,
            self.comparisons,
            self.with_bar,
            self.races
        )
    }
}

impl Tally {
    /// Counts another session in.
    pub(crate) fn add(&mut self, other: &Self) {
        self.sessions += 1;
        self.errors += other.errors;
        self.resumes += other.resumes;
        self.woken += other.woken;
        self.cancels += other.cancels;
        self.gave_up += other.gave_up;
        self.pipes += other.pipes;
        self.stops += other.stops;
        self.resizes += other.resizes;
        self.comparisons += other.comparisons;
        self.with_bar += other.with_bar;
        self.races += other.races;
        self.output += other.output;
        self.input += other.input;
    }
}

impl World {
    pub(crate) fn read_log(&mut self) -> Outcome {
        let mut events = [std::mem::MaybeUninit::uninit(); 1024];
        while rustix::io::read(&self.watch, &mut events[..]).is_ok_and(|(read, _)| !read.is_empty())
        {
        }
        let mut new = String::new();
        self.log.read_to_string(&mut new).map_err(text)?;
        self.log_rest.push_str(&new);
        while let Some(end) = self.log_rest.find('\n') {
            let line: String = self.log_rest.drain(..=end).collect();
            let record: Value = serde_json::from_str(&line).map_err(text)?;
            let logged = &mut self.logged;
            logged.last.push(line.trim_end().to_owned());
            if logged.last.len() > 30 {
                logged.last.remove(0);
            }
            match record["event"].as_str().unwrap_or_default() {
                "waiting" => {
                    logged.waiting += 1;
                    logged.open = true;
                }
                "typing" => logged.typing += 1,
                "resumed" => {
                    logged.resumed += 1;
                    logged.open = false;
                }
                "stood-down" => logged.open = false,
                "cancelled" => {
                    logged.cancelled += 1;
                    logged.open = false;
                    self.notice = true;
                }
                "gave-up" => {
                    logged.gave_up += 1;
                    logged.open = false;
                    self.notice = true;
                }
                "failed" => {
                    logged.failed = Some(record["error"].to_string());
                    logged.open = false;
                    self.notice = false;
                }
                _ => {}
            }
        }
        if let Some(failure) = self.logged.failed.clone()
            && self.setup.fault.is_none()
        {
            return Err(format!("[7] the supervisor failed: {failure}"));
        }
        Ok(())
    }

    /// What a person needs to understand a finding.
    pub(crate) fn report(&mut self) -> String {
        let mut report = format!("{:#?}\nsteps:\n", self.setup);
        for (at, what) in self.steps.iter().rev().take(60).rev() {
            let _ = writeln!(report, "  {:8.3} {what}", at.as_secs_f64());
        }
        let _ = writeln!(
            report,
            "  {:8.3} (here)",
            self.began.elapsed().as_secs_f64()
        );
        let _ = writeln!(
            report,
            "turn {:?}, dead {}, face {:?}, draft {:?}, loose {}, notice {}, state {} settled {}\nlast output: {}",
            self.cli.turn,
            self.cli.dead,
            self.cli.face,
            self.cli.draft,
            self.loose,
            self.notice,
            self.state,
            self.settled,
            self.tail.escape_ascii()
        );
        let _ = writeln!(report, "the log:\n  {}", self.logged.last.join("\n  "));
        let _ = writeln!(report, "the terminal:\n{}", self.outer.text());
        let _ = writeln!(report, "without us:\n{}", self.alone.text());
        report
    }
}
