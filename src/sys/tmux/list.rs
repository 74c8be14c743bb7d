//! What there is: the sessions, windows and panes that are meant, and the panes as the server lists them.

use std::path::PathBuf;

use super::pane::Place;
use super::server::Server;
use super::{WatchError, WatchOptions};
use crate::tmux::{PaneId, SessionId, WindowId, quote};

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    All,
    Session(SessionId),
    Window(SessionId, WindowId),
    Pane(SessionId, PaneId),
}

/// A pane as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) pane: PaneId,
    pub(super) window: WindowId,
    /// The pane's first process.
    pub(super) pid: i32,
    pub(super) dead: bool,
    /// Our option is set there.
    pub(super) told: bool,
    pub(super) place: Place,
}

/// A session's name may hold blanks, but no colon; what the option says may hold anything.
const PANE: &str = "#{pane_id} #{window_id} #{pane_pid} #{pane_dead} #{pane_width} #{pane_height} #{pane_tty} \
#{window_index} #{pane_index} #{session_name}:#{@claude_retry}";

/// Lists all panes of a session.
pub(super) fn panes_of(session: SessionId) -> String {
    format!(
        "list-panes -s -t {} -F '{PANE}'",
        quote(&session.to_string())
    )
}

/// Lists all sessions.
pub(super) const SESSIONS: &str = "list-sessions -F '#{session_id}'";

/// Has tmux tell when it is to be listed anew: a program in a pane is another, or the pane is elsewhere.
pub(super) const SUBSCRIBE: &str = "refresh-client -B 'claude-retry:%*:#{pane_pid} #{pane_dead} #{alternate_on} \
#{pane_current_command} #{session_name}:#{window_index}.#{pane_index}'";

impl Listed {
    pub(super) fn read(line: &str) -> Option<Self> {
        let mut words = line.splitn(10, ' ');
        let mut word = || words.next();
        let pane = PaneId::read(word()?)?;
        let window = WindowId::read(word()?)?;
        let pid = word()?.parse().ok()?;
        let dead = word()? == "1";
        let size = (word()?.parse().ok()?, word()?.parse().ok()?);
        let terminal = PathBuf::from(word()?);
        let (at, index) = (word()?.parse().ok()?, word()?.parse().ok()?);
        let (session, option) = word()?.split_once(':')?;
        let session = session.to_owned();
        Some(Self {
            pane,
            window,
            pid,
            dead,
            told: !option.is_empty(),
            place: Place {
                terminal,
                size,
                name: format!("{session}:{at}.{index}"),
                order: (session, at, index),
            },
        })
    }
}

impl Scope {
    /// What the options mean.
    ///
    /// # Errors
    ///
    /// [`WatchError::Unusable`] where there is no such thing.
    pub(super) async fn of(options: &WatchOptions, server: &Server) -> Result<Self, WatchError> {
        if options.all {
            return Ok(Self::All);
        }
        let ids = "#{session_id} #{window_id} #{pane_id}";
        let Some(target) = options.target.as_deref() else {
            let here = server.run(&["display-message", "-p", ids]).await?;
            return Self::read(&here, Kind::Session);
        };
        let plain = Kind::plain(target);
        // A name alone is a session's first, then a window's.
        let kind = match plain {
            Some(kind) => kind,
            None => match server.run(&["has-session", "-t", target]).await {
                Ok(_) => Kind::Session,
                Err(_) => Kind::Window,
            },
        };
        let found = match kind {
            // display-message takes what it does not find for the current one.
            Kind::Session => {
                server.run(&["has-session", "-t", target]).await?;
                let session = format!("{}:", target.trim_end_matches(':'));
                server
                    .run(&["list-panes", "-t", &session, "-F", ids])
                    .await?
            }
            Kind::Window => server.run(&["list-panes", "-t", target, "-F", ids]).await?,
            Kind::Pane => {
                server.run(&["list-panes", "-t", target, "-F", ids]).await?;
                server
                    .run(&["display-message", "-p", "-t", target, ids])
                    .await?
            }
        };
        Self::read(&found, kind)
    }

    fn read(text: &str, kind: Kind) -> Result<Self, WatchError> {
        let mut words = text.lines().next().unwrap_or_default().split(' ');
        let mut read = || {
            let session = SessionId::read(words.next()?)?;
            let window = WindowId::read(words.next()?)?;
            let pane = PaneId::read(words.next()?)?;
            Some(match kind {
                Kind::Session => Self::Session(session),
                Kind::Window => Self::Window(session, window),
                Kind::Pane => Self::Pane(session, pane),
            })
        };
        read().ok_or_else(|| {
            WatchError::Unusable(
                "tmux shows no session here: name one with -t, or take --all".into(),
            )
        })
    }

    /// The session, where there is but one.
    pub(super) const fn session(self) -> Option<SessionId> {
        match self {
            Self::All => None,
            Self::Session(id) | Self::Window(id, _) | Self::Pane(id, _) => Some(id),
        }
    }

    /// Is it meant?
    pub(super) fn has(self, listed: &Listed) -> bool {
        match self {
            Self::All | Self::Session(_) => true,
            Self::Window(_, window) => listed.window == window,
            Self::Pane(_, pane) => listed.pane == pane,
        }
    }
}

/// What a target names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Session,
    Window,
    Pane,
}

impl Kind {
    /// By how the target is written: no name holds a colon or a period.
    fn plain(target: &str) -> Option<Self> {
        match target.as_bytes().first() {
            Some(b'%' | b'{') => return Some(Self::Pane),
            Some(b'@') => return Some(Self::Window),
            _ => {}
        }
        match target.split_once(':') {
            Some((_, "")) => Some(Self::Session),
            Some((_, rest)) if rest.contains('.') => Some(Self::Pane),
            Some(_) => Some(Self::Window),
            None if target.contains('.') => Some(Self::Pane),
            None if target.starts_with(['$', '=']) => Some(Self::Session),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_told_by_how_it_is_written() {
        for (target, kind) in [
            ("%3", Some(Kind::Pane)),
            ("main:1.2", Some(Kind::Pane)),
            (":.2", Some(Kind::Pane)),
            (".2", Some(Kind::Pane)),
            ("{last}", Some(Kind::Pane)),
            ("@3", Some(Kind::Window)),
            ("main:1", Some(Kind::Window)),
            ("main:", Some(Kind::Session)),
            ("$0", Some(Kind::Session)),
            ("=main", Some(Kind::Session)),
            ("main", None),
        ] {
            assert_eq!(Kind::plain(target), kind, "{target}");
        }
    }

    #[test]
    fn a_pane_is_listed_with_its_place() {
        let line = "%4 @2 99 0 80 24 /dev/pts/7 2 1 my work:";
        let listed = Listed::read(line).expect("a pane");
        assert_eq!((listed.pane, listed.window), (PaneId(4), WindowId(2)));
        assert_eq!((listed.pid, listed.dead), (99, false));
        assert_eq!(listed.place.name, "my work:2.1");
        assert_eq!(listed.place.size, (80, 24));
        assert!(!listed.told);
        let told = Listed::read(&format!("{line}throttled: a reason")).expect("a pane");
        assert!(told.told && told.place == listed.place);
        assert_eq!(Listed::read("%4 @2 99"), None);
    }
}
