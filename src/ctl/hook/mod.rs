//! `claude-retry ctl hook`: the companion hook.

pub(super) mod run;
