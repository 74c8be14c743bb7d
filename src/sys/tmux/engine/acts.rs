//! Looking at a pane anew, and typing into it.

use std::time::Duration;

use super::super::client::ClientId;
use super::super::look::{self, Fields, Look};
use super::super::{Loaded, News};
use super::{Question, Watch, now_ms};
use crate::supervisor::session::{Event, Signal};
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

    fn ask_look(&mut self, id: PaneId, probe: bool, buffer: Option<(String, Vec<u8>)>) {
        let serial = self.next_look;
        self.next_look += 1;
        let owner = self.listed.get(&id).and_then(|(_, owner)| *owner);
        let client = owner.and_then(|owner| Some((owner, self.clients.get_mut(&owner)?)));
        let Some((owner, client)) = client else {
            // Its session has just ended, and the next listing tells where the pane is now.
            self.panes
                .retain(|_, pane| pane.id != id || pane.has_begun());
            return;
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
                match fields.filter(|_| look.is_fresh(now)) {
                    None => pane.tell(&Event::NotTyped, &mut self.shared),
                    Some(fields) => {
                        if let Some(ago) = touched {
                            pane.tell(&Event::Touched(ago), &mut self.shared);
                        }
                        // What came up before the answer is no answer.
                        let before = std::mem::take(&mut pane.acts);
                        let state = pane.pty_state();
                        pane.answer_look(state, &mut self.shared);
                        let mut acts = std::mem::take(&mut pane.acts);
                        if let (Some((name, text)), Some(act)) = (&buffer, acts.first())
                            && look::unbracketed(act) == text
                        {
                            acts.remove(0);
                            pasted = true;
                            let is_text = look::is_text(text);
                            let still = fields.still(look.asked_ms);
                            let command = look::paste(id, name, is_text, &still, self.pastes);
                            if let Some(client) = self.client_of(id) {
                                client.ask_for(&command, 2, Question::Paste(id, true));
                            }
                        }
                        if let Some(pane) = self.panes.get_mut(&id) {
                            pane.acts = before;
                            pane.acts.extend(acts);
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
        let acts = std::mem::take(&mut pane.acts);
        let probe = pane.wants_look && !self.looks.contains_key(&id);
        let next = if probe {
            pane.wants_look = false;
            Some(pane.next_act(&self.shared))
        } else {
            None
        };
        for act in acts {
            self.load(id, look::unbracketed(&act).to_vec(), false);
        }
        if let Some(text) = next {
            self.load(id, text, true);
        }
    }

    /// A buffer of its own for each text: a process of its own fills it.
    fn load(&mut self, id: PaneId, text: Vec<u8>, probe: bool) {
        let buffer = format!("claude-retry-{}-{}", std::process::id(), self.next_buffer);
        self.next_buffer += 1;
        let (server, news) = (self.server.clone(), self.send.clone());
        let asked_ms = now_ms();
        guarded::spawn(async move {
            let there = server.load(&buffer, &text).await.unwrap_or(false);
            let loaded = Loaded {
                buffer,
                text,
                there,
                asked_ms,
                probe,
            };
            let _ = news.send(News::Loaded(id, loaded)).await;
        });
    }

    pub(super) fn on_loaded(&mut self, id: PaneId, loaded: Loaded) {
        let Loaded {
            buffer,
            text,
            there,
            asked_ms,
            probe,
        } = loaded;
        let watched = self.panes.contains_key(&id);
        if !there || !watched || self.looks.contains_key(&id) && probe {
            if there {
                self.drop_buffer(id, &buffer);
            }
            if probe && watched {
                self.tell(id, &Event::NotTyped);
            }
            return;
        }
        if probe {
            self.ask_look(id, true, Some((buffer, text)));
            return;
        }
        // What takes our own message back: seen whole and alone in the prompt just now.
        let condition = look::in_time(asked_ms / 1000 + 2);
        let is_text = look::is_text(&text);
        let command = look::paste(id, &buffer, is_text, &condition, self.pastes);
        if let Some(client) = self.client_of(id) {
            client.ask_for(&command, 2, Question::Paste(id, true));
            // Where it was too late the buffer is there still.
            client.ask(&format!("delete-buffer -b {buffer}"), Question::Nothing);
        }
    }

    fn drop_buffer(&mut self, id: PaneId, buffer: &str) {
        let command = format!("delete-buffer -b {buffer}");
        let client = match self.client_of(id) {
            Some(client) => Some(client),
            None => self.clients.values_mut().next(),
        };
        if let Some(client) = client {
            client.ask(&command, Question::Nothing);
        }
    }

    /// The session of a pane is to end: what it has half typed is taken back.
    pub(super) async fn end_session(&mut self, id: PaneId) {
        let Some(pane) = self.panes.get_mut(&id) else {
            return;
        };
        pane.tell(&Event::Signal(Signal::Term), &mut self.shared);
        pane.wants_look = false;
        for act in std::mem::take(&mut pane.acts) {
            let text = look::unbracketed(&act).to_vec();
            let buffer = format!("claude-retry-{}-{}", std::process::id(), self.next_buffer);
            self.next_buffer += 1;
            let asked_ms = now_ms();
            let loaded = super::patiently(self.server.load(&buffer, &text)).await;
            let there = matches!(loaded, Some(Ok(true)));
            self.on_loaded(
                id,
                Loaded {
                    buffer,
                    text,
                    there,
                    asked_ms,
                    probe: false,
                },
            );
        }
    }
}
