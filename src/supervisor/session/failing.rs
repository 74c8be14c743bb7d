//! What is asked of a session around each event, so that its failure costs nothing: it may be in any state when
//! it is asked for the last time.

use super::Session;
use crate::supervisor::retry::State;
use crate::term::leftovers::Leftovers;

impl Session {
    /// Does something of ours stand on the terminal?
    pub fn bar_shown(&self) -> bool {
        self.screen.bar_shown()
    }

    /// Takes our row off, as [`Session::handle`] does before the child's output.
    pub fn uncover(&mut self, tty: &mut Vec<u8>) {
        self.screen.uncover(tty);
    }

    /// Takes off what is ours, for good.
    pub fn take_bar_off(&mut self, tty: &mut Vec<u8>) {
        self.screen.hide(tty);
    }

    /// What the child has on.
    pub fn leftovers(&self) -> Leftovers {
        self.screen.leftovers()
    }

    /// The user's input that was not passed on yet, in order.
    pub fn withheld(&self) -> Vec<u8> {
        let mut input = match &self.state {
            State::Typing { typing, .. } => typing.held().to_vec(),
            _ => Vec::new(),
        };
        let kept = self.keys.kept();
        input.extend_from_slice(&kept[self.passed_ahead.min(kept.len())..]);
        input
    }
}
