//! One control client: a `tmux -C attach-session` of ours. Its lines come in by the engine's channel, commands go out
//! by a queue of its own, so that a server that is stuck never holds the loop.

use std::collections::VecDeque;
use std::io;
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::mpsc::{Sender, UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::super::guarded;
use super::News;
use super::server::Server;
use crate::tmux::{Message, Parser, Reply, SessionId};

/// One read takes at most this much.
const READ: usize = 64 * 1024;
/// The flags of a block that answers what was written to the client.
const OURS: u64 = 1;

/// Which of our clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ClientId(pub(super) u32);

/// A command that was written, in the order in which its answer comes.
#[derive(Debug)]
struct Asked<Q> {
    question: Q,
    /// So many blocks are its answer; fewer if one says that it failed.
    blocks: u32,
    lines: Vec<Vec<u8>>,
}

/// What a client says: tmux's own news, or the answer to a question.
#[derive(Debug)]
pub(super) enum Said<Q> {
    Message(Message),
    Answer {
        question: Q,
        failed: bool,
        lines: Vec<Vec<u8>>,
    },
}

/// The client. `Q` is what its owner asks.
#[derive(Debug)]
pub(super) struct Client<Q> {
    pub(super) session: SessionId,
    /// The tmux process, as `#{client_pid}` has it.
    pub(super) pid: u32,
    /// None once it is to end.
    commands: Option<UnboundedSender<String>>,
    /// Has its process killed when dropped.
    _alive: oneshot::Sender<()>,
    parser: Parser,
    asked: VecDeque<Asked<Q>>,
    /// What is to be written once it is attached: a command that comes before finds no client (3.3a).
    early: Option<Vec<String>>,
    /// Why it ended, in tmux's words.
    pub(super) reason: Option<String>,
    /// It said that it ends.
    pub(super) exited: bool,
}

impl<Q: PartialEq> Client<Q> {
    /// Is this being asked?
    pub(super) fn asks(&self, question: &Q) -> bool {
        self.asked.iter().any(|asked| asked.question == *question)
    }
}

impl<Q> Client<Q> {
    /// Attaches to the session, within the current runtime: without a size of its own, and without touching the
    /// session's environment.
    pub(super) fn attach(
        server: &Server,
        id: ClientId,
        session: SessionId,
        news: Sender<News>,
    ) -> io::Result<Self> {
        let mut command = server.command();
        command.args(["-C", "attach-session", "-E", "-f", "ignore-size", "-t"]);
        command.arg(session.to_string());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn()?;
        let pid = child.id().unwrap_or_default();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (commands, queue) = unbounded_channel();
        let (alive, dropped) = oneshot::channel();
        if let (Some(stdin), Some(stdout)) = (stdin, stdout) {
            guarded::spawn(write(stdin, queue));
            guarded::spawn(read(child, stdout, id, news, dropped));
        }
        Ok(Self {
            session,
            pid,
            commands: Some(commands),
            _alive: alive,
            parser: Parser::default(),
            asked: VecDeque::new(),
            early: Some(Vec::new()),
            reason: None,
            exited: false,
        })
    }

    /// Writes one command, whose answer is one block.
    pub(super) fn ask(&mut self, command: &str, question: Q) {
        self.ask_for(command, 1, question);
    }

    /// The same of one that has another command run: `if-shell`.
    pub(super) fn ask_for(&mut self, command: &str, blocks: u32, question: Q) {
        let Some(commands) = &self.commands else {
            return;
        };
        debug_assert!(!command.contains('\n'), "a command is a line");
        let line = format!("{command}\n");
        let written = match &mut self.early {
            Some(early) => {
                early.push(line);
                true
            }
            None => commands.send(line).is_ok(),
        };
        if written {
            self.asked.push_back(Asked {
                question,
                blocks,
                lines: Vec::new(),
            });
        }
    }

    /// Nothing more is asked: it ends when it has done what was.
    pub(super) fn close(&mut self) {
        self.commands = None;
    }

    /// Was it told to end?
    pub(super) const fn is_closed(&self) -> bool {
        self.commands.is_none()
    }

    /// So many questions are not answered yet.
    pub(super) fn open(&self) -> usize {
        self.asked.len()
    }

    /// Is nothing to be answered any more?
    pub(super) fn is_idle(&self) -> bool {
        self.asked.is_empty()
    }

    /// A piece of what it says.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Vec<Said<Q>> {
        let messages = self.parser.feed(bytes);
        messages
            .into_iter()
            .filter_map(|message| match message {
                Message::Reply(reply) => self.answer(reply),
                Message::Exit { reason } => {
                    (self.exited, self.reason) = (true, reason);
                    None
                }
                other => Some(Said::Message(other)),
            })
            .collect()
    }

    fn answer(&mut self, reply: Reply) -> Option<Said<Q>> {
        if reply.flags & OURS == 0 {
            // The attach itself, or later a hook of the user's.
            for line in self.early.take().into_iter().flatten() {
                let _ = self.commands.as_ref()?.send(line);
            }
            return None;
        }
        let asked = self.asked.front_mut()?;
        asked.lines.extend(reply.lines);
        asked.blocks = asked.blocks.saturating_sub(1);
        if asked.blocks > 0 && !reply.failed {
            return None;
        }
        let Asked {
            question, lines, ..
        } = self.asked.pop_front()?;
        Some(Said::Answer {
            question,
            failed: reply.failed,
            lines,
        })
    }
}

/// Writes what is queued; at the queue's end the pipe is closed, at which the client ends.
async fn write(mut stdin: ChildStdin, mut queue: UnboundedReceiver<String>) {
    while let Some(command) = queue.recv().await {
        if stdin.write_all(command.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Hands on what it says until its end, or until nobody wants it any more.
async fn read(
    mut child: Child,
    mut stdout: ChildStdout,
    id: ClientId,
    news: Sender<News>,
    mut dropped: oneshot::Receiver<()>,
) {
    let mut buffer = vec![0; READ];
    loop {
        tokio::select! {
            // Its process is killed with `child`.
            _ = &mut dropped => return,
            read = stdout.read(&mut buffer) => match read {
                Ok(n @ 1..) => {
                    let said = buffer[..n].to_vec();
                    if news.send(News::Said(id, said)).await.is_err() {
                        return;
                    }
                }
                _ => break,
            },
        }
    }
    // Nobody waits for it for ever: what has closed its output is about to end.
    let _ = tokio::time::timeout(super::server::PATIENCE, child.wait()).await;
    let _ = news.send(News::Gone(id)).await;
}
