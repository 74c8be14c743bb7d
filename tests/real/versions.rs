//! The versions of the CLI that the suite runs on. All are of 2.1, and known by their last number.

use std::path::{Path, PathBuf};

/// Inline on the main screen (2.1.145), on the alternate screen, the newest we know, and two between.
pub(crate) const ALL: [&str; 4] = ["2.1.145", "2.1.200", "2.1.250", "2.1.330"];

/// The oldest and the newest of them: what CI runs.
pub(crate) const FAST: [&str; 2] = ["2.1.145", "2.1.330"];

/// Since which version the CLI takes plugins from `CLAUDE_CODE_PLUGIN_DIRS`, about.
pub(crate) const PLUGIN_DIRS: u32 = 300;

/// Is this version so new?
pub(crate) fn is_since(version: &str, since: u32) -> bool {
    let number = version.strip_prefix("2.1.").and_then(|n| n.parse().ok());
    number.is_some_and(|number: u32| number >= since)
}

/// The CLI of a version, where the project's script puts it.
pub(crate) fn installed(version: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("target/claude").join(version).join("bin/claude")
}
