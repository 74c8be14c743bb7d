//! The recorder's parts.

pub(crate) mod paint;
pub(crate) mod scrub;
pub(crate) mod states;
pub(crate) mod take;
pub(crate) mod tmux;
pub(crate) mod write;
