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

    /// What is still to go to the child: the user's input that was not passed on yet, in order, behind what takes
    /// back a message that is half typed.
    pub fn withheld(&self) -> Vec<u8> {
        let mut input = Vec::new();
        if let State::Typing { typing, .. } = &self.state {
            let held = typing.clone().abandon(&mut input);
            input.extend(held);
        }
        let kept = self.keys.kept();
        input.extend_from_slice(&kept[self.passed_ahead.min(kept.len())..]);
        input
    }
}
