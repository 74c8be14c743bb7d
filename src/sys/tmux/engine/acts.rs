//! Looking at a pane anew, and typing into it.

use std::time::Duration;

use super::super::client::ClientId;
use super::super::look::{self, Fields, Look};
use super::super::{Loaded, News};
use super::{Question, Watch, now_ms};
use crate::supervisor::session::Event;
use crate::sys::guarded;
use crate::tmux::PaneId;

/// Who touched a key longer ago does not matter.
const TOUCHED: Duration = Duration::from_mins(1);

impl Watch {
    /// Has the shadow see what stands there.
    pub(super) fn look(&mut self, id: PaneId) {
        if !self.looks.contains_key(&id) {
            self.ask_look(id, false, None);
        }
    }

    /// Looks at last, where the frame is whole now.
    pub(super) fn look_if_stale(&mut self, id: PaneId) {
        if self.stale.contains(&id)
            && let Some(pane) = self.panes.get_mut(&id)
            && pane.is_whole()
        {
            self.stale.remove(&id);
            self.look(id);
        }
    }

    /// Asks for a look; false where there is nobody to ask.
    fn ask_look(&mut self, id: PaneId, probe: bool, buffer: Option<(String, Vec<u8>)>) -> bool {
        let serial = self.next_look;
        self.next_look += 1;
        let owner = self.listed.get(&id).and_then(|(_, owner)| *owner);
        let client = owner.and_then(|owner| Some((owner, self.clients.get_mut(&owner)?)));
        let Some((owner, client)) = client else {
            // Its session has just ended, and the next listing tells where the pane is now.
            self.panes
                .retain(|_, pane| pane.id != id || pane.has_begun());
            if let Some((buffer, _)) = buffer {
                self.drop_buffer(id, &buffer);
            }
            return false;
        };
        client.ask_for(&look::command(id), 3, Question::Look(id, serial));
        let look = Look {
            client: owner,
            serial,
            asked_ms: now_ms(),
            probe,
            buffer,
            fields: None,
            clients: Vec::new(),
        };
        self.looks.insert(id, look);
        true
    }

    /// Nobody waits for its answer any more.
    pub(super) fn forget_look(&mut self, id: PaneId) {
        if let Some(look) = self.looks.remove(&id)
            && let Some((buffer, _)) = look.buffer
        {
            self.drop_buffer(id, &buffer);
        }
    }

    /// Who was asked has ended, and will not answer.
    pub(super) fn forget_looks_of(&mut self, client: ClientId) {
        let looks = self.looks.iter().filter(|(_, look)| look.client == client);
        let looks: Vec<(PaneId, bool)> = looks.map(|(id, look)| (*id, look.probe)).collect();
        for (id, probe) in looks {
            self.forget_look(id);
            if probe {
                self.tell(id, &Event::NotTyped);
            }
        }
    }

    pub(super) fn on_look(&mut self, id: PaneId, serial: u32, failed: bool, lines: Vec<Vec<u8>>) {
        let look = self.looks.get(&id);
        if look.is_none_or(|look| look.serial != serial) {
            return;
        }
        if let Some(mut look) = self.looks.remove(&id) {
            let rows = look.take(if failed { Vec::new() } else { lines });
            self.take_look(id, look, &rows);
        }
    }

    fn take_look(&mut self, id: PaneId, mut look: Look, rows: &[Vec<u8>]) {
        let ours: Vec<u32> = self.clients.values().map(|client| client.pid).collect();
        let buffer = look.buffer.take();
        let now = now_ms();
        let touched = look.touched(&ours, now).filter(|ago| *ago < TOUCHED);
        let fields = look.fields.as_ref().filter(|fields| !fields.dead);
        let mut pasted = false;
        if let Some(pane) = self.panes.get_mut(&id) {
            if let Some(fields) = fields {
                let drawn = fields.repaint(rows);
                if !pane.has_begun() {
                    pane.begin(fields, &drawn, &mut self.shared);
                } else if pane.is_whole() {
                    if pane.place.size != fields.cells() {
                        pane.resize(fields.cells(), &mut self.shared);
                    }
                    pane.tell(&Event::ChildOutput(&drawn), &mut self.shared);
                } else {
                    self.stale.insert(id);
                }
            }
            if look.probe {
                let keys = buffer.as_ref().map(|(_, keys)| keys);
                match fields.filter(|_| look.is_fresh(now)) {
                    None => pane.tell(&Event::NotTyped, &mut self.shared),
                    // Something else is wanted by now, and a look for that is to come.
                    Some(_) if keys != pane.next_keys().as_ref() => {}
                    Some(fields) => {
                        if let Some(ago) = touched {
                            pane.tell(&Event::Touched(ago), &mut self.shared);
                        }
                        let state = pane.pty_state();
                        pane.answer_look(state, &mut self.shared);
                        if let (Some((name, keys)), Some(act)) = (&buffer, pane.acts.first())
                            && look::unbracketed(act) == keys
                        {
                            pane.acts.remove(0);
                            pasted = true;
                            let is_text = look::is_text(keys);
                            let still = fields.still(look.asked_ms);
                            let command = look::paste(id, name, is_text, &still, self.pastes);
                            if let Some(client) = self.client_of(id) {
                                client.ask_for(&command, 2, Question::Paste(id));
                                // Where it was too late the buffer is there still.
                                client.ask(&format!("delete-buffer -b {name}"), Question::Nothing);
                            }
                        }
                    }
                }
            }
        }
        // It may have another size since it was listed.
        let cells = fields.map(Fields::cells);
        if let (Some(cells), Some((listed, Some(owner)))) = (cells, self.listed.get(&id))
            && listed.place.size != cells
        {
            self.list(*owner);
        }
        if let Some((name, _)) = buffer
            && !pasted
        {
            self.drop_buffer(id, &name);
        }
        if self.panes.get(&id).is_some_and(|pane| !pane.has_begun()) {
            // It could not be looked at: the next listing tries again.
            self.panes.remove(&id);
        }
        self.settle(id);
    }

    /// What a session wants of us.
    pub(super) fn settle(&mut self, id: PaneId) {
        let Some(pane) = self.panes.get_mut(&id) else {
            return;
        };
        if !std::mem::take(&mut pane.acts).is_empty() {
            // Nothing is typed without a look.
            pane.tell(&Event::NotTyped, &mut self.shared);
        }
        if pane.wants_look
            && !pane.loading
            && !self.looks.contains_key(&id)
            && let Some(keys) = pane.next_keys()
        {
            (pane.wants_look, pane.loading) = (false, true);
            self.load(id, keys);
        }
    }

    /// A buffer of its own for each text: a process of its own fills it.
    fn load(&mut self, id: PaneId, text: Vec<u8>) {
        let buffer = format!("claude-retry-{}-{}", std::process::id(), self.next_buffer);
        self.next_buffer += 1;
        self.loading += 1;
        let (server, news) = (self.server.clone(), self.send.clone());
        guarded::spawn(async move {
            let there = server.load(&buffer, &text).await.unwrap_or(false);
            let loaded = Loaded {
                buffer,
                text,
                there,
            };
            let _ = news.send(News::Loaded(id, loaded)).await;
        });
    }

    /// What is to be typed is at hand: a fresh look comes before it.
    pub(super) fn on_loaded(&mut self, id: PaneId, loaded: Loaded) {
        let Loaded {
            buffer,
            text,
            there,
        } = loaded;
        self.loading = self.loading.saturating_sub(1);
        let watched = match self.panes.get_mut(&id) {
            Some(pane) => {
                pane.loading = false;
                true
            }
            None => false,
        };
        let looked = if !there {
            false
        } else if watched && !self.looks.contains_key(&id) {
            self.ask_look(id, true, Some((buffer, text)))
        } else {
            self.drop_buffer(id, &buffer);
            false
        };
        if !looked {
            self.tell(id, &Event::NotTyped);
        }
    }

    fn drop_buffer(&mut self, id: PaneId, buffer: &str) {
        self.ask_any(id, &format!("delete-buffer -b {buffer}"));
    }

    /// Has the pane's client do this, or any that is there; false where none is.
    pub(super) fn ask_any(&mut self, id: PaneId, command: &str) -> bool {
        let client = match self.client_of(id) {
            Some(client) => Some(client),
            None => self.clients.values_mut().next(),
        };
        let asked = client.map(|client| client.ask(command, Question::Nothing));
        asked.is_some()
    }
}
