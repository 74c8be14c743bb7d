//! Job control: the child stops, we stop, and both go on; and what a signal means once the child has ended.

use std::io;

use rustix::process::Signal as Number;

use super::super::signals::Got;
use super::super::{job, tty};
use super::{Driver, QUIET_AFTER_STOP};
use crate::supervisor::session::{Event, Signal};

impl Driver {
    /// Stops the child; we stop when it has.
    pub(super) fn stop_child(&mut self) {
        if self.may_stop() {
            self.pty.signal(Number::STOP);
        }
    }

    /// We are a job that somebody can continue, and are not about to end.
    pub(super) fn may_stop(&self) -> bool {
        !self.background && self.ending.is_none() && !job::is_orphaned()
    }

    pub(super) async fn on_child_change(&mut self) -> io::Result<()> {
        if let Some(kind) = self.pty.try_wait()? {
            self.exited = Some(kind);
        } else if self.pty.take_stop() {
            if self.ending.is_some() || job::is_orphaned() {
                self.pty.resume();
            } else if self.background || !self.in_foreground() {
                // Its leader has stopped with it; `fg` is to continue both.
                self.child_stopped = true;
                if !self.background {
                    self.stay_in_background();
                }
            } else {
                self.suspend().await?;
            }
        }
        Ok(())
    }

    /// The child has stopped: the terminal as it was, then we stop too. [`Driver::on_continued`] goes on.
    pub(super) async fn suspend(&mut self) -> io::Result<()> {
        self.drain(QUIET_AFTER_STOP).await?;
        self.handle(&Event::ChildStopped);
        self.flush().await?;
        tty::leave_raw();
        self.clock.pause();
        self.background = true;
        self.child_stopped = true;
        job::stop_group();
        Ok(())
    }

    /// Does the terminal, while there is one, belong to us?
    fn in_foreground(&self) -> bool {
        self.tty_gone || self.tty.is_foreground()
    }

    /// Stops until `fg`, and does not touch the terminal: setting it would stop us half-way.
    fn stay_in_background(&mut self) {
        self.background = true;
        self.clock.pause();
        if self.ending.is_none() {
            job::stop_group_in_background();
        }
    }

    /// We were continued: by `fg`, by `bg`, or by somebody after a SIGSTOP that we did not see.
    pub(super) fn on_continued(&mut self) {
        if !self.in_foreground() {
            self.stay_in_background();
            return;
        }
        self.background = false;
        if !self.tty_gone && self.tty.enter_raw().is_err() {
            self.lose_tty();
        }
        self.clock.resume();
        self.update_size();
        self.handle(&Event::Resumed);
        if std::mem::take(&mut self.child_stopped) {
            self.pty.resume();
        } else {
            // Only we were stopped. It tells the child to draw anew.
            self.pty.signal(Number::CONT);
        }
    }

    /// A signal while the child's last words wait for the terminal: who wants us to end does not want to wait.
    pub(super) fn on_late_signal(&mut self, got: Got) {
        match got {
            Got::Asked(Signal::Tstp) | Got::Winch | Got::Child => {}
            Got::Asked(signal) => self.pass_on(signal),
            Got::Cont => {
                if self.tty.is_foreground() && self.tty.enter_raw().is_err() {
                    self.lose_tty();
                }
            }
        }
    }
}
