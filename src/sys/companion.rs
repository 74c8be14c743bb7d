//! The companion hook's end on our side: a private folder with a plugin for the CLI and the socket that the
//! plugin's hooks call.
//!
//! ```text
//! socket                             one call a hook, one line each way
//! plugin/.claude-plugin/plugin.json
//! plugin/hooks/hooks.json            SessionStart, UserPromptSubmit, Stop, StopFailure
//! ```
//!
//! The CLI takes the plugin from `CLAUDE_CODE_PLUGIN_DIRS` (since [`PLUGINS_SINCE`]): neither its arguments nor any setting changes. What goes wrong here only means that there is no hook.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Pid;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use super::guarded;
use super::ids::{led_by, session_of};
use super::private::{self, Folder, places};
use crate::supervisor::hook::{
    Answer, Call, Happened, HookEvent, HookId, SOCKET_VAR, plugin_hooks,
};

/// The CLI's list of plugin folders, separated as in `PATH`.
const PLUGIN_DIRS: &str = "CLAUDE_CODE_PLUGIN_DIRS";
/// The first version of the CLI that takes plugins from its environment.
pub const PLUGINS_SINCE: (u32, u32, u32) = (2, 1, 300);
/// The socket's name in the folder.
const SOCKET: &str = "socket";
/// A socket's path must fit into 104 bytes on some systems, with its end.
const SOCKET_PATH: usize = 100;
/// A call is one line, no longer than this.
const CALL: u64 = 64 * 1024;
/// Whoever connects says what it wants within this time.
const CALL_TIME: Duration = Duration::from_secs(5);
/// So many calls may be open at once.
const CALLS: usize = 64;

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
        Folder::in_first(&places(), Self::start_in)
    }

    /// Starts one and takes it away again: the place of its folder.
    ///
    /// # Errors
    ///
    /// As [`Companion::start`]; also without a runtime to be had.
    pub(super) fn probe() -> io::Result<PathBuf> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let _inside = runtime.enter();
        let companion = Self::start()?;
        let folder = companion.folder.path();
        Ok(folder.parent().unwrap_or(folder).to_owned())
    }

    fn start_in(folder: Folder) -> io::Result<Self> {
        let [plugin, socket] = paths(&folder);
        if socket.as_os_str().len() > SOCKET_PATH {
            return Err(io::Error::other("the path is too long for a socket"));
        }
        if plugin.as_os_str().as_bytes().contains(&b':') {
            return Err(io::Error::other(
                "a colon cannot stand in a list of folders",
            ));
        }
        let ourselves = std::env::current_exe()?;
        let command = format!(
            "{} ctl hook run --wrapped",
            sh_quoted(ourselves.as_os_str())?
        );
        for part in [".claude-plugin", "hooks"] {
            private::make(&plugin.join(part))?;
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
        guarded::spawn(listen(listener, sender));
        Ok(Self {
            folder,
            calls,
            waiting: HashMap::new(),
            cli: None,
        })
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
        crate::fault::point("companion");
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
    let [plugin, socket] = match companion.map(|companion| paths(&companion.folder)) {
        Some([plugin, socket]) => [Some(plugin), Some(socket)],
        None => [None, None],
    };
    let dirs = plugin_dirs(super::env(PLUGIN_DIRS), &places(), plugin);
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

/// The plugin's folder and the socket.
fn paths(folder: &Folder) -> [PathBuf; 2] {
    ["plugin", SOCKET].map(|name| folder.path().join(name))
}

fn private_file(path: &Path, text: &serde_json::Value) -> io::Result<()> {
    private::file(path)?.write_all(format!("{text}\n").as_bytes())
}

/// A word for sh.
fn sh_quoted(word: &OsStr) -> io::Result<String> {
    let word = word
        .to_str()
        .ok_or_else(|| io::Error::other("our own path is not UTF-8"))?;
    Ok(format!("'{}'", word.replace('\'', r"'\''")))
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
        guarded::spawn(async move {
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
    crate::fault::point("companion-task");
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
