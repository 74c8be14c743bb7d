//! The scenarios of the real-CLI suite.

pub(crate) mod after;
pub(crate) mod again;
pub(crate) mod checks;
pub(crate) mod grid;
pub(crate) mod hooked;
pub(crate) mod mode;
pub(crate) mod plays;
pub(crate) mod scenarios;
pub(crate) mod setup;
pub(crate) mod stage;
pub(crate) mod suite;
pub(crate) mod versions;
