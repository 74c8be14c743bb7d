//! Our own failure: a wrapper with fault points (`CLAUDE_RETRY_FAULT`, in builds with debug assertions) is made
//! to fail in the middle of a session, and is a pipe from then on. Where it has none, nothing comes of it.

use std::fs::File;

use rand::RngExt;

use crate::cli::Turn;
use crate::world::{Outcome, World, text};

/// Points that are passed while the CLI draws and the user types, and those that only an error leads to.
pub(crate) const AT_REST: [&str; 4] = ["scan", "shadow", "keys", "prompt"];
pub(crate) const AT_AN_ERROR: [&str; 4] = ["banner", "verdict", "transcript", "bar"];

impl World {
    /// Makes the wrapper fail. It may say so in no other way than by what it does not do any more.
    pub(crate) fn break_it(&mut self) -> Outcome {
        let Some(point) = self.setup.fault else {
            return Ok(());
        };
        self.step(format!("a fault at the point {point}"));
        // Taking a bar off is ours, and so is passing on what was kept.
        self.loosen()?;
        let file = self.home.join("fault");
        if AT_REST.contains(&point) {
            File::create(file).map_err(text)?;
            self.draft_and_erase()?;
            self.draw(true);
            if cfg!(debug_assertions) {
                // Some are passed only when the wrapper looks at the screen.
                self.wait("the failure", |world| world.logged.failed.is_some())?;
            }
        } else {
            self.asks()?;
            self.works()?;
            self.erase()?;
            self.wait_for_hooks()?;
            File::create(file).map_err(text)?;
            self.fails()?;
            self.wait("the failure, or the resume", |world| {
                world.logged.failed.is_some() || !world.is_failed()
            })?;
            if self.logged.failed.is_none() {
                self.works()?;
                self.erase()?;
            }
            self.cli.turn = Turn::Over;
            self.answer_line("All done.")?;
            self.turn_over("● All done.")?;
        }
        self.piped = self.logged.failed.is_some();
        self.calm()?;
        self.piped |= self.logged.failed.is_some();
        self.tally.pipes += u32::from(self.piped);
        Ok(())
    }

    /// An error that nobody sees to: nothing comes of it.
    pub(crate) fn stays_failed(&mut self) -> Outcome {
        self.cli.dead = true;
        let time = self.rng.random_range(0..900);
        self.pass(std::time::Duration::from_millis(time))
    }
}
