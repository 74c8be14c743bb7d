//! The CLI's own settings, as far as others than `ctl` ask for them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use serde_json::Value;

/// Keeps the CLI from writing transcripts.
const SKIP_HISTORY: &str = "CLAUDE_CODE_SKIP_PROMPT_HISTORY";

/// The managed settings of this machine: one file, and those in a folder beside it.
pub fn managed_settings() -> Vec<PathBuf> {
    managed_settings_in(Path::new(if cfg!(target_os = "macos") {
        "/Library/Application Support/ClaudeCode"
    } else {
        "/etc/claude-code"
    }))
}

/// The same in another folder.
pub fn managed_settings_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = vec![folder.join("managed-settings.json")];
    let more = fs::read_dir(folder.join("managed-settings.d"));
    let more = more
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    files.extend(more.filter(|path| path.extension().is_some_and(|end| end == "json")));
    files.sort();
    files
}

/// Does the CLI write transcripts into `projects`, by all that settings, environment and permissions say? Where that is
/// not known it does not.
pub(super) fn keeps_transcripts(config_dir: &Path, cwd: &Path, projects: &Path) -> bool {
    let own = [
        config_dir.join("settings.json"),
        cwd.join(".claude/settings.json"),
        cwd.join(".claude/settings.local.json"),
    ];
    super::env(SKIP_HISTORY).is_none()
        && own
            .iter()
            .chain(&managed_settings())
            .all(|file| lets_them_be_kept(file))
        && is_writable(projects)
}

fn lets_them_be_kept(file: &Path) -> bool {
    match fs::read_to_string(file) {
        Ok(text) => serde_json::from_str::<Value>(&text).is_ok_and(|settings| {
            settings["cleanupPeriodDays"] != 0 && settings["env"][SKIP_HISTORY].is_null()
        }),
        Err(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}

/// Can a file be written there, or in the nearest folder above, where that one is still to be made?
fn is_writable(folder: &Path) -> bool {
    let nearest = folder.ancestors().find(|folder| folder.exists());
    nearest.is_some_and(|folder| access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transcripts_are_kept_unless_something_says_no() {
        let home = tempfile::tempdir().expect("a folder");
        let (config, cwd) = (home.path().join("config"), home.path().join("cwd"));
        fs::create_dir_all(cwd.join(".claude")).expect("a folder");
        fs::create_dir_all(&config).expect("a folder");
        let keeps = || keeps_transcripts(&config, &cwd, &config.join("projects"));
        assert!(keeps());
        for (file, text, kept) in [
            (
                config.join("settings.json"),
                "{\"cleanupPeriodDays\":0}",
                false,
            ),
            (
                config.join("settings.json"),
                "{\"cleanupPeriodDays\":1}",
                true,
            ),
            (cwd.join(".claude/settings.json"), "no JSON", false),
            (
                cwd.join(".claude/settings.local.json"),
                "{\"env\":{\"CLAUDE_CODE_SKIP_PROMPT_HISTORY\":\"1\"}}",
                false,
            ),
        ] {
            fs::write(&file, text).expect("a file");
            assert_eq!(keeps(), kept, "{text}");
            fs::remove_file(&file).expect("it is there");
        }
        // Neither a folder nor a place for one.
        fs::write(config.join("projects"), "").expect("a file");
        assert!(!keeps());
    }
}
