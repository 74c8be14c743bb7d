//! The tmux server, by processes of our own: what a control client cannot do, and what comes before and after it.

use std::ffi::OsString;
use std::io;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::{Socket, WatchError};

/// So long may a command take. A server that is stuck says nothing at all.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// The first version that does (2022): older ones have no user options of panes that a format can show in time, and 3.3
/// itself was mended by this one within days.
const LEAST: (u32, u32, Option<char>) = (3, 3, Some('a'));

/// How the server is reached.
#[derive(Clone, Debug)]
pub(super) struct Server {
    socket: Vec<OsString>,
}

impl Server {
    pub(super) fn new(socket: &Socket) -> Self {
        let socket = match socket {
            Socket::Default => Vec::new(),
            Socket::Name(name) => vec!["-L".into(), name.into()],
            Socket::Path(path) => vec!["-S".into(), path.into()],
        };
        Self { socket }
    }

    /// A command of tmux's. It never starts a server, and ends with us.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command.args(&self.socket);
        // A locale without UTF-8 would have the client replace what it prints.
        command.arg("-u").kill_on_drop(true);
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        // Ctrl+C in our terminal is for us.
        command.process_group(0);
        command
    }

    /// Runs one command; what it says.
    pub(super) async fn run(&self, args: &[&str]) -> Result<String, WatchError> {
        let mut command = self.command();
        command.args(args).stdout(Stdio::piped());
        let output = within(command.output()).await;
        let output = output.map_err(|error| could_not_run(&error))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(WatchError::Unusable(words_of(&output)))
        }
    }

    /// Puts text into a buffer of this name: by stdin, so that no list of processes shows it.
    pub(super) async fn load(&self, name: &str, text: &[u8]) -> io::Result<bool> {
        let mut command = self.command();
        command.args(["load-buffer", "-b", name, "-"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        within(async {
            let mut child = command.spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(text).await?;
            }
            Ok(child.wait().await?.success())
        })
        .await
    }

    /// Is there a tmux that does, with a server?
    ///
    /// # Errors
    ///
    /// [`WatchError::Unusable`], with the remedy.
    pub(super) async fn check(&self) -> Result<(), WatchError> {
        let mut command = self.command();
        let output = within(command.arg("-V").stdout(Stdio::piped()).output()).await;
        let output = output.map_err(|error| could_not_run(&error))?;
        check_version(&String::from_utf8_lossy(&output.stdout))?;
        // The server may be an older one that has run since before an upgrade.
        let version = self.run(&["display-message", "-p", "#{version}"]).await?;
        check_version(&version)
    }
}

async fn within<T>(what: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let timeout = tokio::time::timeout(PATIENCE, what).await;
    timeout.unwrap_or_else(|_| {
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "it does not answer",
        ))
    })
}

fn could_not_run(error: &io::Error) -> WatchError {
    WatchError::Unusable(match error.kind() {
        io::ErrorKind::NotFound => {
            "cannot find tmux: install it (3.3a or later), or put it on PATH".into()
        }
        io::ErrorKind::TimedOut => {
            "the tmux server does not answer: is it stopped? `tmux list-sessions` should show its sessions".into()
        }
        _ => format!("cannot run tmux: {error}; mend it, or put another on PATH"),
    })
}

/// tmux's own words, with a remedy.
fn words_of(output: &Output) -> String {
    let words = String::from_utf8_lossy(&output.stderr);
    let words = words.trim().lines().next().unwrap_or("no word").to_owned();
    let remedy = if words.contains("no server running") || words.contains("error connecting") {
        "start tmux first, or name its socket with -L NAME or -S PATH"
    } else if words.contains("no current") || words.contains("no sessions") {
        "name a session, window or pane with -t, or take --all"
    } else if words.contains("can't find") {
        "`tmux list-panes -a` shows what there is"
    } else {
        "see `man tmux`"
    };
    format!("tmux: {words}; {remedy}")
}

/// `tmux 3.3a`, `3.4`, `tmux next-3.6`; a version that has no number is new enough.
fn check_version(text: &str) -> Result<(), WatchError> {
    let version = text.trim().trim_start_matches("tmux ");
    let digits = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    let mut numbers = digits.split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next()?.parse::<u32>().ok();
    let (Some(major), minor) = (number(), number().unwrap_or(0)) else {
        return Ok(());
    };
    let letter = version.chars().last().filter(char::is_ascii_lowercase);
    if (major, minor, letter) >= LEAST || version.starts_with("openbsd") {
        return Ok(());
    }
    Err(WatchError::Unusable(format!(
        "tmux {version} is too old: this needs 3.3a or later; upgrade it, and restart its server"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_are_told_and_new_ones_do() {
        for old in [
            "tmux 3.2a\n",
            "tmux 2.9",
            "tmux 1.8",
            "3.2",
            "tmux next-3.2",
            "tmux 3.3\n",
        ] {
            let error = check_version(old).expect_err(old).to_string();
            assert!(
                error.contains("too old") && error.contains("3.3a"),
                "{error}"
            );
        }
        for new in [
            "tmux 3.3a\n",
            "3.3a",
            "3.3b",
            "tmux 3.4",
            "tmux next-3.6",
            "tmux 4.0",
            "tmux master",
            "tmux openbsd-7.1",
        ] {
            assert!(check_version(new).is_ok(), "{new}");
        }
    }
}
