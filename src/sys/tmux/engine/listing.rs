//! Panes come and go, and so do the CLIs in them.

use std::collections::HashSet;
use std::time::Duration;

use rustix::process::Pid;
#[cfg(target_os = "linux")]
use rustix::process::{PidfdFlags, pidfd_open};
use serde_json::json;
#[cfg(target_os = "linux")]
use tokio::io::Interest;

#[cfg(target_os = "linux")]
use super::super::News;
use super::super::client::{Client, ClientId};
use super::super::list::{Listed, Scope, panes_of};
use super::super::pane::Pane;
use super::super::processes::Processes;
use super::super::{End, options};
use super::{Question, Watch};
#[cfg(target_os = "linux")]
use crate::sys::{duplex::watch, guarded};
use crate::tmux::PaneId;
use crate::tmux::watched::Happened;

/// A pane without a CLI that writes is looked at again after this, then after twice as long, and so on.
const FIRST_GAP: Duration = Duration::from_secs(1);
/// A `tail -f` is not worth more than this: all processes are looked through.
const LONGEST_GAP: Duration = Duration::from_secs(30);

/// A pane without a CLI that has written something: one may have been started by a script or a launcher, which stays
/// the program that tmux tells of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loud {
    /// Not looked at before this.
    next: Duration,
    gap: Duration,
}

impl Watch {
    /// Such a pane writes: it is looked at soon.
    pub(super) fn hear_loud(&mut self, pane: PaneId) {
        let now = self.shared.clock.now().elapsed;
        let loud = self.loud.entry(pane).or_insert(Loud {
            next: now,
            gap: FIRST_GAP,
        });
        let at = loud.next.max(now);
        if loud.next <= now {
            loud.next = now + loud.gap;
            loud.gap = (loud.gap * 2).min(LONGEST_GAP);
        }
        self.find_at = Some(self.find_at.map_or(at, |before| before.min(at)));
    }

    /// Lists a session anew; where that is being done, once more after it.
    pub(super) fn list(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        if client.asks(&Question::Panes) {
            if !self.again.contains(&id) {
                self.again.push(id);
            }
            return;
        }
        client.ask(&panes_of(client.session), Question::Panes);
    }

    /// The panes of a client's session.
    pub(super) fn on_listing(&mut self, id: ClientId, lines: &[Vec<u8>]) {
        let scope = self.scope;
        let lines = lines.iter().filter_map(|line| str::from_utf8(line).ok());
        let listed: Vec<Listed> = lines
            .filter_map(Listed::read)
            .filter(|listed| scope.has(listed))
            .collect();
        // Other programs run there, perhaps.
        self.loud.clear();
        let there: HashSet<PaneId> = listed.iter().map(|listed| listed.pane).collect();
        for new in listed {
            let pane = new.pane;
            let owner = self.listed.get(&pane).and_then(|(_, owner)| *owner);
            // Seen through another session as well: that one tells of it.
            if owner.is_some_and(|owner| owner != id && self.clients.contains_key(&owner)) {
                continue;
            }
            if new.told && !self.listed.contains_key(&pane) {
                // Of a watch that was killed.
                self.ask_any(pane, &options::of_pane(pane, None));
            }
            let place = new.place.clone();
            self.listed.insert(pane, (new, Some(id)));
            let Some(watched) = self.panes.get_mut(&pane) else {
                continue;
            };
            let resized = watched.place.size != place.size;
            watched.place = place.clone();
            if resized && watched.has_begun() {
                watched.resize(place.size, &mut self.shared);
            }
            if (resized || owner.is_none()) && watched.has_begun() {
                self.look(pane);
            }
        }
        let mut moved = false;
        let gone = self
            .listed
            .iter_mut()
            .filter(|(pane, (_, owner))| *owner == Some(id) && !there.contains(pane));
        for (_, (_, owner)) in gone {
            *owner = None;
            moved = true;
        }
        if moved {
            // Another client may have listed it before this one, and passed it over as this one's.
            self.list_others(id);
        }
        self.adopt();
        self.find();
        if there.is_empty() && matches!(scope, Scope::Window(..) | Scope::Pane(..)) {
            let what = if matches!(scope, Scope::Pane(..)) {
                "pane"
            } else {
                "window"
            };
            let words = format!("the tmux {what} was closed: nothing is left to watch");
            self.end.get_or_insert(End::Gone(words));
        }
    }

    /// A client is gone, and the panes that it told of are nobody's.
    pub(super) fn orphan(&mut self, id: ClientId) {
        self.forget_looks_of(id);
        for (_, owner) in self.listed.values_mut() {
            owner.take_if(|owner| *owner == id);
        }
        if self.listed.values().any(|(_, owner)| owner.is_none()) {
            self.list_others(id);
        }
        self.adopt();
    }

    fn list_others(&mut self, id: ClientId) {
        let others = self.clients.keys().copied().filter(|other| *other != id);
        for other in others.collect::<Vec<_>>() {
            self.list(other);
        }
    }

    /// A pane that nobody tells of may be in another session: those are asked before it is given up.
    pub(super) fn adopt(&mut self) {
        let asks = |client: &Client<Question>| {
            client.asks(&Question::Panes) || client.asks(&Question::Sessions)
        };
        if self.clients.values().any(asks) || !self.again.is_empty() {
            return;
        }
        let orphans = self.listed.iter().filter(|(_, (_, owner))| owner.is_none());
        let orphans: Vec<PaneId> = orphans.map(|(pane, _)| *pane).collect();
        for pane in orphans {
            self.leave(pane);
            self.listed.remove(&pane);
        }
    }

    /// Looks for CLIs in the panes that have none so far, or one that is stopped, behind another perhaps.
    pub(super) fn find(&mut self) {
        let ended = self.panes.values().filter(|pane| !pane.claude.lives());
        let ended: Vec<PaneId> = ended.map(|pane| pane.id).collect();
        for pane in ended {
            self.leave(pane);
        }
        let watched = |pane| self.panes.get(&pane);
        let open: Vec<Listed> = self
            .listed
            .values()
            .filter(|(listed, owner)| {
                let watched = watched(listed.pane);
                let busy = watched.is_some_and(|pane: &Pane| pane.claude.is_foreground());
                owner.is_some() && !listed.dead && !busy
            })
            .map(|(listed, _)| listed.clone())
            .collect();
        if open.is_empty() {
            return;
        }
        let processes = Processes::look();
        for listed in open {
            let claude = processes.claude_below(listed.pid, &listed.place.terminal);
            let Some(claude) = claude else { continue };
            if let Some(pane) = self.panes.get(&listed.pane) {
                if pane.claude.key() == claude.key() || !claude.is_foreground() {
                    continue;
                }
                self.leave(listed.pane);
            }
            self.await_end(listed.pane, claude.pid);
            let pane = Pane::new(listed.pane, listed.place, claude);
            self.panes.insert(listed.pane, pane);
            self.look(listed.pane);
        }
    }

    /// Hears of the end of a process. Where the kernel does not tell (before 5.3), the next listing does.
    #[cfg(target_os = "linux")]
    fn await_end(&self, pane: PaneId, pid: Pid) {
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
            return;
        };
        let watched = watch(process.into(), Interest::READABLE);
        let news = self.send.clone();
        if let Ok(watched) = watched {
            guarded::spawn(async move {
                let ended = watched.readable().await.is_ok();
                drop(watched);
                if ended {
                    let _ = news.send(News::Ended(pane, pid)).await;
                }
            });
        }
    }

    /// There is no watch there.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "it stands for the one above")]
    const fn await_end(&self, _pane: PaneId, _pid: Pid) {}

    /// A pane is not watched any more.
    pub(super) fn leave(&mut self, id: PaneId) {
        let Some(mut pane) = self.panes.remove(&id) else {
            return;
        };
        self.forget_look(id);
        self.stale.remove(&id);
        pane.keep_claim(&mut self.shared);
        if pane.has_begun() {
            pane.log(json!({"event": "end"}), &mut self.shared);
            pane.news.push(Happened::Left);
        }
        if pane.option.take().is_some() {
            let command = options::of_pane(id, None);
            if !self.ask_any(id, &command) {
                self.unset.push(command);
            }
        }
        self.left.push(pane);
    }
}
