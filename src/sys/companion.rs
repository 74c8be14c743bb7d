//! The companion hook's end on our side: a private folder with a plugin for the CLI and the socket that the
//! plugin's hooks call.
//!
//! ```text
//! $XDG_RUNTIME_DIR/claude-retry/HOST-PID-RANDOM/      (else under the state folder, in run/)
//!   socket                    one call a hook, one line each way
//!   plugin/.claude-plugin/plugin.json
//!   plugin/hooks/hooks.json   SessionStart, UserPromptSubmit, Stop, StopFailure
//! ```
//!
//! The CLI takes the plugin from `CLAUDE_CODE_PLUGIN_DIRS` (2.1.330; 2.1.145 does not know it): neither its
//! arguments nor any setting changes. What goes wrong here only means that there is no hook.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::net::UnixStream as Probe;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, test_kill_process};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use super::ids::{led_by, session_of};
use crate::supervisor::hook::{
    Answer, Call, Happened, HookEvent, HookId, SOCKET_VAR, plugin_hooks,
};

/// The CLI's list of plugin folders, separated as in `PATH`.
const PLUGIN_DIRS: &str = "CLAUDE_CODE_PLUGIN_DIRS";
/// A socket's path must fit into 104 bytes on some systems, with its end.
const SOCKET_PATH: usize = 100;
/// A call is one line, no longer than this.
const CALL: u64 = 64 * 1024;
/// Whoever connects says what it wants within this time.
const CALL_TIME: Duration = Duration::from_secs(5);
/// So many calls may be open at once.
const CALLS: usize = 64;
/// A folder without a socket is of a wrapper that starts, unless it is older.
const STARTING: Duration = Duration::from_mins(1);

/// What a hook of ours did.
#[derive(Debug)]
pub(super) enum Heard {
    /// It told of an event, and waits if there is a reply to be given.
    Call(HookId, Call, Option<oneshot::Sender<Answer>>),
    /// It waited, and is gone.
    Gone(HookId),
}

/// What the session is told.
#[derive(Debug, PartialEq)]
pub(super) enum News {
    /// A hook of the CLI's tells of an event.
    Event(HookId, HookEvent),
    /// A hook's process that waited is gone.
    Gone(HookId),
}

/// The folder, removed when dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The socket and its callers.
#[derive(Debug)]
pub(super) struct Companion {
    folder: Folder,
    calls: mpsc::Receiver<Heard>,
    waiting: HashMap<HookId, oneshot::Sender<Answer>>,
    /// The process that the events come from, once it is known.
    cli: Option<i32>,
}

impl Companion {
    /// Makes the folder and listens, within the current runtime.
    ///
    /// # Errors
    ///
    /// Where there is no place for the folder, or no socket can be made in it.
    pub(super) fn start() -> io::Result<Self> {
        let bases = bases();
        let mut why = io::Error::other("no folder for it: neither XDG_RUNTIME_DIR nor HOME is set");
        for base in &bases {
            match Self::start_in(base) {
                Ok(companion) => {
                    tokio::spawn(async move {
                        for base in &bases {
                            sweep(base);
                        }
                    });
                    return Ok(companion);
                }
                Err(error) => why = io::Error::other(format!("{}: {error}", base.display())),
            }
        }
        Err(why)
    }

    fn start_in(base: &Path) -> io::Result<Self> {
        let (host, pid, random) = (host(), std::process::id(), rand::random::<u32>());
        let path = base.join(format!("{host}-{pid}-{random:08x}"));
        let socket = path.join("socket");
        if socket.as_os_str().len() > SOCKET_PATH {
            return Err(io::Error::other("the path is too long for a socket"));
        }
        if path.as_os_str().as_bytes().contains(&b':') {
            return Err(io::Error::other(
                "a colon cannot stand in a list of folders",
            ));
        }
        private_folder(base)?;
        private_folder(&path)?;
        let folder = Folder(path);
        let ourselves = std::env::current_exe()?;
        let command = format!(
            "{} ctl hook run --wrapped",
            sh_quoted(ourselves.as_os_str())?
        );
        let plugin = folder.0.join("plugin");
        for part in [".claude-plugin", "hooks"] {
            private_folder(&plugin.join(part))?;
        }
        let about = json!({
            "name": "claude-retry",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Tells claude-retry, which runs this session, how each turn ends",
        });
        private_file(&plugin.join(".claude-plugin/plugin.json"), &about)?;
        private_file(&plugin.join("hooks/hooks.json"), &plugin_hooks(&command))?;
        let listener = UnixListener::bind(socket)?;
        let (sender, calls) = mpsc::channel(CALLS);
        tokio::spawn(listen(listener, sender));
        Ok(Self {
            folder,
            calls,
            waiting: HashMap::new(),
            cli: None,
        })
    }

    /// The plugin's folder and the socket.
    fn paths(&self) -> [PathBuf; 2] {
        ["plugin", "socket"].map(|name| self.folder.0.join(name))
    }

    /// Waits for a hook.
    pub(super) async fn next(&mut self) -> Heard {
        match self.calls.recv().await {
            Some(heard) => heard,
            // Nobody listens any more: there will be none.
            None => std::future::pending().await,
        }
    }

    /// What of it the session is to know; `child` is the wrapper's own, in the terminal session `session`. Who is not of our own CLI is answered at once.
    pub(super) fn sort(&mut self, heard: Heard, child: Pid, session: Pid) -> Option<News> {
        let (id, call, reply) = match heard {
            Heard::Call(id, call, reply) => (id, call, reply),
            Heard::Gone(id) => {
                let known = self.waiting.remove(&id).is_some();
                return known.then_some(News::Gone(id));
            }
        };
        if !self.is_own(&call, child, session) {
            if let Some(reply) = reply {
                let _ = reply.send(Answer::Foreign);
            }
            return None;
        }
        if let Some(reply) = reply {
            self.waiting.insert(id, reply);
        }
        Some(News::Event(id, call.event))
    }

    /// The plugin and the socket's name leak to what the CLI starts, another CLI among it. Ours is the
    /// child, or, behind a launcher, the first in the child's terminal session that has begun a session.
    fn is_own(&mut self, call: &Call, child: Pid, session: Pid) -> bool {
        let Some(cli) = call.cli else { return false };
        if cli == led_by(child) {
            self.cli = Some(cli);
            return true;
        }
        let begins = call.event.happened == Happened::SessionStart;
        if self.cli.is_none() && begins {
            let inside = session_of(Pid::from_raw(cli)).ok() == Some(led_by(session));
            self.cli = inside.then_some(cli);
        }
        self.cli == Some(cli)
    }

    /// Tells a hook's process how to end.
    pub(super) fn answer(&mut self, id: HookId, answer: Answer) {
        if let Some(reply) = self.waiting.remove(&id) {
            let _ = reply.send(answer);
        }
    }
}

/// What the child's environment has of the hook, in place of what ours has: another wrapper's may have
/// leaked into it, and a plugin of the same name would stand before ours. `None`: it is to have none.
pub(super) fn environment(companion: Option<&Companion>) -> [(&'static str, Option<OsString>); 2] {
    let [plugin, socket] = match companion.map(Companion::paths) {
        Some([plugin, socket]) => [Some(plugin), Some(socket)],
        None => [None, None],
    };
    let dirs = plugin_dirs(super::env(PLUGIN_DIRS), &bases(), plugin);
    [
        (PLUGIN_DIRS, dirs),
        (SOCKET_VAR, socket.map(PathBuf::into_os_string)),
    ]
}

/// The list of plugin folders without those of wrappers, and with our own.
fn plugin_dirs(
    given: Option<OsString>,
    bases: &[PathBuf],
    own: Option<PathBuf>,
) -> Option<OsString> {
    let given = given.unwrap_or_default();
    let others = std::env::split_paths(&given).filter(|dir| {
        !dir.as_os_str().is_empty() && !bases.iter().any(|base| dir.starts_with(base))
    });
    let dirs = std::env::join_paths(others.chain(own)).ok()?;
    (!dirs.is_empty()).then_some(dirs)
}

/// Where the folders of all wrappers are: the first that will do.
fn bases() -> Vec<PathBuf> {
    use etcetera::BaseStrategy as _;
    let Ok(dirs) = etcetera::base_strategy::Xdg::new() else {
        return Vec::new();
    };
    let runtime = dirs.runtime_dir().filter(|dir| dir.is_dir());
    let runtime = runtime.map(|dir| dir.join("claude-retry"));
    let state = dirs.state_dir().map(|dir| dir.join("claude-retry/run"));
    runtime.into_iter().chain(state).collect()
}

fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn private_file(path: &Path, text: &serde_json::Value) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(format!("{text}\n").as_bytes())
}

/// A word for sh.
fn sh_quoted(word: &OsStr) -> io::Result<String> {
    let word = word
        .to_str()
        .ok_or_else(|| io::Error::other("our own path is not UTF-8"))?;
    Ok(format!("'{}'", word.replace('\'', r"'\''")))
}

/// This machine's name, as a part of a file's. Folders of other machines may stand beside ours.
fn host() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    name.chars().take(16).collect()
}

/// Removes what killed wrappers of this machine left.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else {
        return;
    };
    for entry in entries.flatten() {
        if is_left_behind(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_left_behind(folder: &Path) -> bool {
    let name = folder
        .file_name()
        .and_then(OsStr::to_str)
        .unwrap_or_default();
    let mut parts = name.split('-');
    let (Some(of), Some(pid), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let Some(pid) = pid.parse().ok().and_then(Pid::from_raw) else {
        return false;
    };
    if of != host() || test_kill_process(pid) != Err(rustix::io::Errno::SRCH) {
        return false;
    }
    // In another container the number may be alive; its socket tells.
    match Probe::connect(folder.join("socket")) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let age = fs::metadata(folder).and_then(|meta| meta.modified());
            age.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > STARTING))
        }
        _ => false,
    }
}

/// Takes calls, for as long as anybody listens to them.
async fn listen(listener: UnixListener, sender: mpsc::Sender<Heard>) {
    let open = std::sync::Arc::new(tokio::sync::Semaphore::new(CALLS));
    let mut id = 0;
    while let Ok(place) = std::sync::Arc::clone(&open).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, perhaps: not a reason to turn in circles.
            tokio::time::sleep(CALL_TIME).await;
            continue;
        };
        id += 1;
        let sender = sender.clone();
        tokio::spawn(async move {
            let _ = attend(id, stream, &sender).await;
            drop(place);
        });
    }
}

/// One call, to its end.
async fn attend(
    id: HookId,
    mut stream: UnixStream,
    sender: &mpsc::Sender<Heard>,
) -> io::Result<()> {
    let mut line = Vec::new();
    {
        let mut reader = BufReader::new(&mut stream).take(CALL);
        tokio::time::timeout(CALL_TIME, reader.read_until(b'\n', &mut line)).await??;
    }
    let call: Call = serde_json::from_slice(&line)?;
    let waits = matches!(call.event.happened, Happened::StopFailure { .. });
    if !waits {
        let _ = sender.send(Heard::Call(id, call, None)).await;
        return Ok(());
    }
    let (reply, answer) = oneshot::channel();
    let _ = sender.send(Heard::Call(id, call, Some(reply))).await;
    let mut rest = [0];
    tokio::select! {
        answer = answer => {
            // A dropped reply: nothing is to be done by the hook.
            let answer = answer.unwrap_or(Answer::LetGo);
            let mut line = serde_json::to_vec(&answer)?;
            line.push(b'\n');
            stream.write_all(&line).await?;
        }
        _ = stream.read(&mut rest) => {
            let _ = sender.send(Heard::Gone(id)).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
