//! Where nobody reads what we write, and where our own code fails.

use std::io;

use rustix::process::kill_process;
use serde_json::json;

use super::ends::Input;
use super::{Driver, GRACE};
use crate::supervisor::headless::{Event, Job};
use crate::supervisor::session::ExitKind;
use crate::sys::clock::Clock;
use crate::sys::guarded;

impl Driver {
    /// What we write nobody reads: the run gets to feel the same, and is told to end.
    pub(super) fn on_broken(&mut self, error: &io::Error) {
        self.log
            .append(&json!({ "event": "failed", "error": format!("stdout: {error}") }));
        self.job = None;
        self.broken = true;
        self.line.wipe();
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.unwritten = ExitKind::Code(1);
            self.line
                .say(&format!("cannot write what claude prints: {error}"));
        }
        let Some(pid) = self.pid() else {
            self.end = Some(self.unwritten);
            return;
        };
        if let Some(run) = &mut self.run {
            run.stdout = None;
        }
        let _ = kill_process(pid, rustix::process::Signal::TERM);
        self.kill_at = Clock::instant().checked_add(GRACE);
    }

    /// Our own code failed: what is held is passed on as it was printed, and so is all that comes.
    pub(super) fn fail(&mut self, failure: &str, event: &Event<'_>) {
        self.log
            .append(&json!({ "event": "failed", "error": failure }));
        let job = self.job.take();
        let held = guarded::catch(|| job.as_ref().map(Job::withheld));
        if let Ok(Some(held)) = held {
            self.output.write(held);
        }
        if let Some(run) = &mut self.run {
            run.closing |= self.input.as_ref().is_some_and(Input::ended);
        }
        let _ = guarded::catch(move || drop(job));
        self.line.wipe();
        self.without_job(event);
    }

    pub(super) fn without_job(&mut self, event: &Event<'_>) {
        match event {
            Event::Output(bytes) => self.output.write(bytes.to_vec()),
            Event::Input(bytes) => {
                if let Some(run) = &mut self.run {
                    run.queue.extend_from_slice(bytes);
                }
            }
            Event::InputEnded => {
                if let Some(run) = &mut self.run {
                    run.closing = true;
                    run.close_if_done();
                }
            }
            Event::Exited(kind) => self.end = Some(*kind),
            Event::Signal(signal) => self.pass_on(*signal),
            Event::Begin => {
                let args = self.args.clone();
                self.failed = self.start(&args).err();
            }
            Event::NotStarted | Event::Sight(_) | Event::Help(_) | Event::Deadline => {}
        }
        if self.run.is_none() && self.end.is_none() {
            // Between two runs: the last one's end is not known here any more.
            self.end = Some(ExitKind::Code(1));
        }
    }
}
