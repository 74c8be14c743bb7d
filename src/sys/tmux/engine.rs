//! The loop: tmux's news in, events to the sessions of the panes, their acts out.

mod acts;
mod listing;
mod showing;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use rustix::process::Signal as Number;

use self::listing::Loud;
use super::client::{Client, ClientId, Said};
use super::list::{Listed, SESSIONS, SUBSCRIBE, Scope, panes_of};
use super::look::{Look, Pastes};
use super::pane::{Pane, Shared};
use super::server::Server;
use super::{End, News, View, WatchError, WatchOptions, Wish};
use crate::config::Settings;
use crate::supervisor::session::{self, Event};
use crate::sys::signals::is_ignored;
use crate::tmux::watched::Watched;
use crate::tmux::{Message, PaneId, SessionId};

/// So many pieces of news may wait; who has more waits.
const NEWS: usize = 64;
/// So many are taken before anything else is looked at.
const IN_A_ROW: usize = 64;
/// At the end tmux gets so long to do what it was told.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Who detaches us twice within this time means us.
const INSISTS: Duration = Duration::from_secs(5);

/// What is asked of a control client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Nothing: it is to be done, whatever it says.
    Nothing,
    /// An option is to be set.
    Option,
    Sessions,
    Panes,
    /// The look of this number.
    Look(PaneId, u32),
    /// A paste.
    Paste(PaneId),
}

/// A watch.
pub(super) struct Watch {
    server: Server,
    pastes: Pastes,
    scope: Scope,
    shared: Shared,
    clients: BTreeMap<ClientId, Client<Question>>,
    next_client: u32,
    /// When somebody last detached the client of a session.
    detached: HashMap<SessionId, Duration>,
    /// Clients whose session is to be listed anew when what was asked is answered.
    again: Vec<ClientId>,
    /// The panes that are there, and whose client tells of each.
    listed: HashMap<PaneId, (Listed, Option<ClientId>)>,
    panes: BTreeMap<PaneId, Pane>,
    /// Panes without a CLI that have written something.
    loud: HashMap<PaneId, Loud>,
    /// When a CLI is to be looked for in them.
    find_at: Option<Duration>,
    looks: HashMap<PaneId, Look>,
    /// Panes whose last look came in the middle of a frame, and could not be taken.
    stale: HashSet<PaneId>,
    next_look: u32,
    next_buffer: u32,
    /// So many buffers are being loaded.
    loading: u32,
    send: Sender<News>,
    news: Receiver<News>,
    signals: Vec<(Signal, Number)>,
    /// Panes that are not watched any more, and that nobody was told of.
    left: Vec<Pane>,
    /// As it was shown last, by pane; and the summary's option.
    shown: Vec<Watched>,
    summary: Option<String>,
    /// What is to be unset with no client left to do it.
    unset: Vec<String>,
    /// Show it all again.
    redraw: bool,
    end: Option<End>,
}

impl Watch {
    /// Attaches to what is to be watched.
    pub(super) async fn start(
        options: &WatchOptions,
        settings: Settings,
    ) -> Result<Self, WatchError> {
        if !cfg!(target_os = "linux") {
            return Err(WatchError::Unusable(
                "ctl tmux watch needs Linux: it finds the CLI in a pane by /proc; run claude-retry in the pane instead"
                    .into(),
            ));
        }
        let server = Server::new(&options.socket);
        server.check().await?;
        let scope = Scope::of(options, &server).await?;
        let usage = server.run(&["list-commands", "paste-buffer"]).await?;
        let (send, news) = channel(NEWS);
        let own = |what: &str, error: &dyn std::fmt::Display| {
            WatchError::Own(format!("failed to {what}: {error}"))
        };
        let signals = take_signals().map_err(|error| own("take signals", &error))?;
        let mut watch = Self {
            server,
            pastes: Pastes::read(&usage),
            scope,
            shared: Shared::new(settings),
            clients: BTreeMap::new(),
            next_client: 0,
            detached: HashMap::new(),
            again: Vec::new(),
            listed: HashMap::new(),
            panes: BTreeMap::new(),
            loud: HashMap::new(),
            find_at: None,
            looks: HashMap::new(),
            stale: HashSet::new(),
            next_look: 0,
            next_buffer: 0,
            loading: 0,
            send,
            news,
            signals,
            left: Vec::new(),
            shown: Vec::new(),
            summary: None,
            unset: Vec::new(),
            redraw: true,
            end: None,
        };
        let sessions = match scope {
            Scope::Session(id) | Scope::Window(id, _) | Scope::Pane(id, _) => vec![id],
            Scope::All => {
                let list = watch.server.run(&["list-sessions", "-F", "#{session_id}"]);
                list.await?.lines().filter_map(SessionId::read).collect()
            }
        };
        for session in sessions {
            watch
                .attach(session)
                .map_err(|error| own("attach to tmux", &error))?;
        }
        // What a watch that was killed has left there.
        let stale = super::options::of_all(scope.session(), None);
        if let Some(client) = watch.clients.values_mut().next() {
            client.ask(&stale, Question::Nothing);
        }
        Ok(watch)
    }

    fn attach(&mut self, session: SessionId) -> std::io::Result<()> {
        let id = ClientId(self.next_client);
        self.next_client += 1;
        let mut client = Client::attach(&self.server, id, session, self.send.clone())?;
        client.ask(SUBSCRIBE, Question::Nothing);
        client.ask(&panes_of(session), Question::Panes);
        self.clients.insert(id, client);
        Ok(())
    }

    /// Watches until the end.
    pub(super) async fn run<V: View>(&mut self, view: &mut V) -> End {
        loop {
            self.show(view);
            if let Some(end) = self.end.clone() {
                return end;
            }
            let at = self.next_time();
            let time = async {
                match at {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                number = next_signal(&mut self.signals) => {
                    self.end = Some(End::Signal(u8::try_from(number.as_raw()).unwrap_or_default()));
                }
                wish = view.next() => self.on_wish(wish),
                () = time => {}
                Some(news) = self.news.recv() => {
                    self.on_news(news).await;
                    for _ in 1..IN_A_ROW {
                        let Ok(news) = self.news.try_recv() else { break };
                        self.on_news(news).await;
                    }
                }
            }
            self.on_time();
        }
    }

    fn on_wish(&mut self, wish: Wish) {
        let (pane, wish) = match wish {
            Wish::Quit => {
                self.end = Some(End::Quit);
                return;
            }
            Wish::Interrupt => {
                self.end = Some(End::Interrupt);
                return;
            }
            Wish::Redraw => {
                self.redraw = true;
                return;
            }
            Wish::Now(pane) => (pane, session::Wish::Now),
            Wish::Cancel(pane) => (pane, session::Wish::Cancel),
        };
        self.tell(pane, &Event::Wish(wish));
    }

    /// The next deadline of a session, or the next second of a countdown.
    fn next_time(&self) -> Option<Instant> {
        let deadlines = self.panes.values().filter_map(Pane::next_deadline);
        let others = self.next_second().into_iter().chain(self.find_at);
        let next = deadlines.chain(others).min()?;
        self.shared.clock.instant_of(next)
    }

    fn on_time(&mut self) {
        let now = self.shared.clock.now().elapsed;
        if self.find_at.take_if(|at| *at <= now).is_some() {
            self.find();
        }
        let due: Vec<PaneId> = {
            let now = self.shared.clock.now().elapsed;
            let due = |pane: &&Pane| pane.next_deadline().is_some_and(|at| at <= now);
            self.panes
                .values()
                .filter(due)
                .map(|pane| pane.id)
                .collect()
        };
        for id in due {
            if let Some(pane) = self.panes.get_mut(&id) {
                pane.on_time(&mut self.shared);
            }
            self.settle(id);
        }
    }

    async fn on_news(&mut self, news: News) {
        match news {
            News::Said(id, bytes) => {
                let Some(client) = self.clients.get_mut(&id) else {
                    return;
                };
                for said in client.hear(&bytes) {
                    match said {
                        Said::Message(message) => self.on_message(id, message),
                        Said::Answer {
                            question,
                            failed,
                            lines,
                        } => self.on_answer(id, &question, failed, lines),
                    }
                }
            }
            News::Gone(id) => self.on_gone(id).await,
            News::Loaded(pane, loaded) => self.on_loaded(pane, loaded),
            News::Ended(id, pid) => {
                if self
                    .panes
                    .get(&id)
                    .is_some_and(|pane| pane.claude.pid == pid)
                {
                    self.leave(id);
                    // Another may be there already.
                    self.find();
                }
            }
        }
    }

    fn on_message(&mut self, id: ClientId, message: Message) {
        match message {
            Message::Output { pane, bytes } => {
                let ours = matches!(self.listed.get(&pane), Some((_, Some(owner))) if *owner == id);
                if ours && !self.panes.contains_key(&pane) {
                    self.hear_loud(pane);
                } else if ours && self.panes.get(&pane).is_some_and(Pane::has_begun) {
                    if let Some(pane) = self.panes.get_mut(&pane) {
                        pane.output(&bytes, &mut self.shared);
                    }
                    self.settle(pane);
                    self.look_if_stale(pane);
                }
            }
            Message::SessionChanged(session) => {
                // Its own session is gone, and tmux has put it elsewhere (`detach-on-destroy off`).
                if let Some(client) = self.clients.get_mut(&id)
                    && client.session != session
                {
                    client.close();
                }
            }
            Message::SessionsChanged => {
                if self.scope == Scope::All
                    && let Some(client) = self.clients.get_mut(&id)
                {
                    client.ask(SESSIONS, Question::Sessions);
                }
            }
            Message::Rearranged => self.list(id),
            _ => {}
        }
    }

    fn on_answer(&mut self, id: ClientId, question: &Question, failed: bool, lines: Vec<Vec<u8>>) {
        match *question {
            Question::Nothing | Question::Option => {}
            Question::Sessions => {
                let ids = lines
                    .iter()
                    .filter_map(|line| SessionId::read(str::from_utf8(line).ok()?));
                for session in ids {
                    let attached = self
                        .clients
                        .values()
                        .any(|client| client.session == session);
                    if !attached && self.attach(session).is_err() {
                        // Tried again when the sessions change.
                        break;
                    }
                }
                self.adopt();
            }
            Question::Panes if failed => {}
            Question::Panes => self.on_listing(id, &lines),
            Question::Look(pane, serial) => self.on_look(pane, serial, failed, lines),
            Question::Paste(pane) => {
                if failed || lines.iter().any(|line| line == b"late") {
                    self.tell(pane, &Event::NotTyped);
                }
            }
        }
        if let Some(at) = self.again.iter().position(|again| *again == id)
            && *question == Question::Panes
        {
            self.again.remove(at);
            self.list(id);
        }
    }

    /// A control client has ended: with its session, with the server, or by somebody's hand.
    async fn on_gone(&mut self, id: ClientId) {
        let Some(client) = self.clients.remove(&id) else {
            return;
        };
        self.again.retain(|again| *again != id);
        let session = client.session.to_string();
        let words = match self.server.run(&["has-session", "-t", &session]).await {
            Ok(_) if client.is_closed() => None,
            Ok(_) if self.attach_again(&client) => None,
            Ok(_) => {
                let why = match client.reason {
                    Some(why) => format!(
                        "detached from tmux ({})",
                        crate::supervisor::wording::plain(&why)
                    ),
                    None if client.exited => "detached from tmux".into(),
                    None => "the connection to tmux was cut".to_owned(),
                };
                self.end = Some(End::Detached(format!("{why}: no pane is watched any more")));
                return;
            }
            Err(_) => match self.server.run(&["list-sessions"]).await {
                Ok(_) => Some("the tmux session has ended: nothing is left to watch"),
                Err(_) => Some("the tmux server has ended: nothing is left to watch"),
            },
        };
        self.orphan(id);
        if self.clients.is_empty() && self.end.is_none() {
            let words = words.unwrap_or("the tmux session has ended: nothing is left to watch");
            self.end = Some(End::Gone(words.into()));
        }
    }

    /// `attach -d` detaches all other clients, and does not mean us: we come back, but for one who insists.
    fn attach_again(&mut self, client: &Client<Question>) -> bool {
        let now = self.shared.clock.now().elapsed;
        let before = self.detached.insert(client.session, now);
        client.exited
            && self.end.is_none()
            && before.is_none_or(|before| now >= before + INSISTS)
            && self.attach(client.session).is_ok()
    }

    /// Tells a pane's session, and sees to what it wants.
    fn tell(&mut self, id: PaneId, event: &Event<'_>) {
        if let Some(pane) = self.panes.get_mut(&id) {
            pane.tell(event, &mut self.shared);
            self.settle(id);
        }
    }

    /// The client that tells of a pane.
    fn client_of(&mut self, pane: PaneId) -> Option<&mut Client<Question>> {
        let (_, owner) = self.listed.get(&pane)?;
        self.clients.get_mut(&(*owner)?)
    }

    /// The end: nothing of ours stays behind where the server lives.
    pub(super) async fn finish(&mut self) {
        let ids: Vec<PaneId> = self.panes.keys().copied().collect();
        for id in ids {
            self.tell(id, &Event::Signal(session::Signal::Term));
        }
        let _ = tokio::time::timeout(LAST_WORDS, self.take_back()).await;
        let ids: Vec<PaneId> = self.panes.keys().copied().collect();
        for id in ids {
            self.leave(id);
        }
        if self.summary.take().is_some() {
            let command = super::options::of_all(self.scope.session(), None);
            match self.clients.values_mut().next() {
                Some(client) => client.ask(&command, Question::Nothing),
                None => self.unset.push(command),
            }
        }
        let _ = tokio::time::timeout(LAST_WORDS, self.unset()).await;
        let _ = tokio::time::timeout(LAST_WORDS, self.last_words()).await;
        self.clients.clear();
    }

    /// Unsets what no client could.
    async fn unset(&mut self) {
        for command in std::mem::take(&mut self.unset) {
            let words = command.split(' ').map(|word| word.trim_matches('\''));
            let words: Vec<&str> = words.collect();
            // The pane may be gone.
            let _ = self.server.run(&words).await;
        }
    }

    /// Until what is half typed is taken back, where it can be.
    async fn take_back(&mut self) {
        while self.panes.values().any(Pane::has_left_over) {
            let news = match self.next_time() {
                Some(at) => tokio::time::timeout_at(at.into(), self.news.recv()).await,
                None => Ok(self.news.recv().await),
            };
            if let Ok(Some(news)) = news {
                self.on_news(news).await;
            }
            self.on_time();
        }
    }

    /// Until what was asked is done, and the clients have ended.
    async fn last_words(&mut self) {
        while !self.clients.is_empty() {
            // What is still being loaded is to be dropped by one of them.
            let done = self.loading == 0;
            let idle = self.clients.values_mut().filter(|client| client.is_idle());
            idle.filter(|_| done).for_each(Client::close);
            match self.news.recv().await {
                Some(News::Said(id, bytes)) => {
                    if let Some(client) = self.clients.get_mut(&id) {
                        client.hear(&bytes);
                    }
                }
                Some(News::Gone(id)) => drop(self.clients.remove(&id)),
                Some(News::Loaded(id, loaded)) => self.on_loaded(id, loaded),
                Some(News::Ended(..)) => {}
                None => return,
            }
        }
    }
}

/// Those that ask for an end, but for what whoever started us wants ignored.
fn take_signals() -> std::io::Result<Vec<(Signal, Number)>> {
    let numbers = [Number::TERM, Number::HUP, Number::INT, Number::QUIT];
    numbers
        .into_iter()
        .filter(|number| !is_ignored(*number))
        .map(|number| Ok((signal(SignalKind::from_raw(number.as_raw()))?, number)))
        .collect()
}

async fn next_signal(signals: &mut [(Signal, Number)]) -> Number {
    std::future::poll_fn(|context| {
        for (signal, number) in signals.iter_mut() {
            if signal.poll_recv(context).is_ready() {
                return std::task::Poll::Ready(*number);
            }
        }
        std::task::Poll::Pending
    })
    .await
}

/// Now, by the wall clock.
fn now_ms() -> u64 {
    crate::sys::clock::unix_ms()
}
