//! The verbs of `claude-retry ctl`, a file each.
