//! A fresh home for one scenario: the CLI's state, a project folder, the log of the wrapper.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::bell::{Bell, lock};
use super::terminal;

/// How the CLI thinks it pays; both secrets are dummies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    /// A subscription.
    OAuth,
    /// An API key.
    ApiKey,
}

/// The home. Removed when dropped, with every process that still runs in it.
pub(crate) struct Home {
    directory: TempDir,
}

impl Home {
    /// Writes what the CLI of this version needs to start with no question.
    pub(crate) fn new(version: &str) -> io::Result<Self> {
        // As long as `/home/dev`, which stands for it in what is recorded: no width changes.
        let mut name = tempfile::Builder::new();
        let directory = name.prefix("").rand_bytes(4).tempdir_in("/tmp")?;
        let home = Self { directory };
        fs::create_dir(home.project())?;
        fs::create_dir(home.scratch())?;
        let state = json!({
            "hasCompletedOnboarding": true,
            "theme": "dark",
            "lastOnboardingVersion": version,
            "lastReleaseNotesSeen": version,
            "bypassPermissionsModeAccepted": true,
            "customApiKeyResponses": {"approved": ["AAAAAAAAAAAAAAAAAAAA"], "rejected": []},
            "projects": {home.project().to_string_lossy(): {
                "hasTrustDialogAccepted": true,
                "hasCompletedProjectOnboarding": true,
                "allowedTools": []
            }}
        });
        fs::write(home.path().join(".claude.json"), state.to_string())?;
        Ok(home)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The project that the CLI starts in.
    pub(crate) fn project(&self) -> PathBuf {
        self.path().join("proj")
    }

    /// For temporary files.
    fn scratch(&self) -> PathBuf {
        self.path().join("tmp")
    }

    /// The transcript that was written last.
    pub(crate) fn transcript(&self) -> Option<String> {
        let projects = fs::read_dir(self.path().join(".claude/projects"));
        let files = projects.into_iter().flatten().flatten();
        let files = files.filter_map(|project| fs::read_dir(project.path()).ok());
        let files = files.flatten().flatten().map(|file| file.path());
        let newest = files
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "jsonl")
            })
            .max_by_key(|path| path.metadata().and_then(|data| data.modified()).ok())?;
        fs::read_to_string(newest).ok()
    }

    /// Every transcript of a session, by the session's id.
    pub(crate) fn transcripts(&self) -> BTreeMap<String, String> {
        let projects = fs::read_dir(self.path().join(".claude/projects"));
        let files = projects.into_iter().flatten().flatten();
        let files = files.filter_map(|project| fs::read_dir(project.path()).ok());
        let transcripts = files.flatten().flatten().filter_map(|file| {
            let path = file.path();
            let name = path.file_name()?.to_str()?.strip_suffix(".jsonl")?;
            Some((name.to_owned(), fs::read_to_string(&path).ok()?))
        });
        transcripts.collect()
    }

    /// Does a line of the transcripts hold all of these?
    pub(crate) fn is_written(&self, texts: &[&str]) -> bool {
        let projects = fs::read_dir(self.path().join(".claude/projects"));
        let files = projects.into_iter().flatten().flatten();
        let files = files.filter_map(|project| fs::read_dir(project.path()).ok());
        files.flatten().flatten().any(|file| {
            let transcript = fs::read_to_string(file.path()).unwrap_or_default();
            let mut lines = transcript.lines();
            lines.any(|line| texts.iter().all(|text| line.contains(text)))
        })
    }

    /// Where the wrapper logs to.
    pub(crate) fn log(&self) -> PathBuf {
        self.path().join("retry.log")
    }

    /// The whole environment of the CLI, which talks to the API at `url` only.
    pub(crate) fn environment(&self, url: &str, auth: Auth) -> Vec<(OsString, OsString)> {
        let secret = match auth {
            Auth::OAuth => ("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-dummydummydummy"),
            Auth::ApiKey => ("ANTHROPIC_API_KEY", "sk-ant-api03-AAAAAAAAAAAAAAAAAAAA"),
        };
        let (home, scratch) = (self.path().to_string_lossy(), self.scratch());
        [
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("HOME", home.as_ref()),
            ("TMPDIR", scratch.to_string_lossy().as_ref()),
            ("TERM", "xterm-256color"),
            ("COLORTERM", "truecolor"),
            ("LANG", "C.UTF-8"),
            ("SHELL", "/bin/sh"),
            ("ANTHROPIC_BASE_URL", url),
            ("CLAUDE_CODE_MAX_RETRIES", "0"),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
            ("DISABLE_AUTOUPDATER", "1"),
            secret,
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .to_vec()
    }

    /// Processes of this user whose home this is: what a scenario left behind. Linux only; elsewhere
    /// the end of their terminal is all that ends them.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let mark = [b"HOME=", self.path().as_os_str().as_encoded_bytes()].concat();
        let Ok(entries) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.filter(|pid| {
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|environ| environ.split(|&byte| byte == 0).any(|entry| entry == mark))
        })
        .collect()
    }
}

impl Home {
    /// Those of them that wait as a hook of ours.
    pub(crate) fn hooks(&self) -> Vec<u32> {
        let mut pids = self.processes();
        pids.retain(|pid| {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| {
                let line = String::from_utf8_lossy(&line).replace('\0', " ");
                line.contains("ctl hook run")
            })
        });
        pids
    }

    /// What wrappers have left in the folder that they share.
    pub(crate) fn left_by_wrappers(&self) -> Vec<PathBuf> {
        let folder = self.path().join(".local/state/claude-retry/run");
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // A killed process takes a moment to go, and would write into the folder until then.
        for _ in 0..400 {
            let left = self.processes();
            if left.is_empty() {
                break;
            }
            left.into_iter().for_each(terminal::kill);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The log of the wrapper, as it is written: one JSON object a line, `event` names what happened.
pub(crate) struct Log {
    entries: Arc<Mutex<Vec<Value>>>,
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Log {
    /// How often the file is looked at: files have no portable event, and the shortest time that a
    /// scenario must hit is the 150 ms between paste and Enter.
    const LOOK: Duration = Duration::from_millis(5);

    /// Follows the file; every line rings the bell.
    pub(crate) fn follow(path: PathBuf, bell: Bell) -> Self {
        let (entries, done) = (Arc::default(), Arc::default());
        let thread = std::thread::spawn({
            let (entries, done) = (Arc::clone(&entries), Arc::clone(&done));
            move || follow(&path, &entries, &done, &bell)
        });
        Self {
            entries,
            done,
            thread: Some(thread),
        }
    }

    /// Every line so far.
    pub(crate) fn entries(&self) -> Vec<Value> {
        lock(&self.entries).clone()
    }

    /// Every line so far with this `event`.
    pub(crate) fn events(&self, event: &str) -> Vec<Value> {
        let entries = lock(&self.entries);
        let events = entries.iter().filter(|entry| entry["event"] == event);
        events.cloned().collect()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its panic, if any, is on stderr already.
            let _ = thread.join();
        }
    }
}

fn follow(path: &Path, entries: &Mutex<Vec<Value>>, done: &AtomicBool, bell: &Bell) {
    use std::io::Read;
    let (mut file, mut pending) = (None, String::new());
    while !done.load(Ordering::Relaxed) {
        if file.is_none() {
            file = fs::File::open(path).ok();
        }
        let read = file.as_mut().map_or(0, |file| {
            file.read_to_string(&mut pending).unwrap_or_default()
        });
        if read == 0 {
            std::thread::sleep(Log::LOOK);
            continue;
        }
        while let Some(end) = pending.find('\n') {
            let line: String = pending.drain(..=end).collect();
            // What is no JSON shows in the dump of a failure, and matches no event.
            let entry = serde_json::from_str(&line).unwrap_or(Value::String(line));
            lock(entries).push(entry);
        }
        bell.ring();
    }
}
