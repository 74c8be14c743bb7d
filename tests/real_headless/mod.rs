//! The scenarios of the headless suite.

mod begin;
mod beside;
mod failures;
mod format;
mod input;
mod output;
mod process;
mod recovery;
mod sessions;
mod terminal;
mod witness;
mod world;

pub(crate) use self::format::Format;
use crate::real::stage::Outcome;

/// One of them.
pub(crate) struct Scenario {
    /// Its name.
    pub(crate) name: &'static str,
    /// The formats that it is for; none, where it has them all at once.
    pub(crate) formats: &'static [Format],
    /// Its course on a version of the CLI.
    pub(crate) play: fn(&'static str, Format) -> Outcome,
}

impl Scenario {
    const fn new(
        name: &'static str,
        formats: &'static [Format],
        play: fn(&'static str, Format) -> Outcome,
    ) -> Self {
        Self {
            name,
            formats,
            play,
        }
    }
}

/// All of them, the long one first: what is left at the end is short.
pub(crate) fn all() -> Vec<Scenario> {
    let mut all = beside::all();
    all.extend(recovery::all());
    all.extend(failures::all());
    all.extend(begin::all());
    all.extend(sessions::all());
    all.extend(input::all());
    all.extend(terminal::all());
    all
}
