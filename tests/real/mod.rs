//! The scenarios of the real-CLI suite.

pub(crate) mod plays;
pub(crate) mod scenarios;
pub(crate) mod stage;
