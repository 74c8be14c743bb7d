//! The scenarios of the real-CLI suite.

mod after;
pub(crate) mod plays;
pub(crate) mod scenarios;
pub(crate) mod stage;
