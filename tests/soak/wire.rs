//! How the parts of the soak talk beside the terminal: frames on a unix socket.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

/// One word of one part to another: what it is, and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) body: Vec<u8>,
}

/// What the CLI and the shell tell.
pub(crate) mod tell {
    /// A part has started: `c` for the CLI, `s` for the shell, then its process id.
    pub(crate) const HELLO: u8 = b'H';
    /// The CLI has read these bytes.
    pub(crate) const INPUT: u8 = b'I';
    /// All before has been written and read: the number of the question, then the size.
    pub(crate) const SYNCED: u8 = b'Y';
    /// SIGWINCH, with the size.
    pub(crate) const WINCH: u8 = b'W';
    /// SIGCONT.
    pub(crate) const CONTINUED: u8 = b'C';
    /// A hook's process has ended: its number, then its code.
    pub(crate) const HOOK: u8 = b'O';
    /// The job has started, with its process id.
    pub(crate) const STARTED: u8 = b'S';
    /// The job has stopped, with the terminal's attributes.
    pub(crate) const STOPPED: u8 = b'T';
    /// The job has ended: its status, then the terminal's attributes.
    pub(crate) const ENDED: u8 = b'E';
}

/// What they are told.
pub(crate) mod ask {
    /// Write to the terminal.
    pub(crate) const WRITE: u8 = b'W';
    /// Tell when all is written and read.
    pub(crate) const SYNC: u8 = b'Y';
    /// Stop yourself: by SIGSTOP (0), or the whole group by SIGTSTP (1).
    pub(crate) const STOP: u8 = b'Z';
    /// Exit with this code.
    pub(crate) const EXIT: u8 = b'X';
    /// Die by this signal.
    pub(crate) const DIE: u8 = b'K';
    /// Run our hook: its number, then what is told to it.
    pub(crate) const HOOK: u8 = b'O';
    /// Start the job in the foreground.
    pub(crate) const RUN: u8 = b'R';
    /// Continue it in the foreground.
    pub(crate) const FOREGROUND: u8 = b'G';
    /// Continue it in the background.
    pub(crate) const BACKGROUND: u8 = b'B';
}

impl Frame {
    pub(crate) fn new(kind: u8, body: impl Into<Vec<u8>>) -> Self {
        Self {
            kind,
            body: body.into(),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let length = u32::try_from(self.body.len()).expect("a short frame");
        out.push(self.kind);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&self.body);
    }

    /// The number at this place of the body.
    pub(crate) fn number(&self, at: usize) -> u32 {
        let bytes = self.body[at..at + 4].try_into().expect("four bytes");
        u32::from_le_bytes(bytes)
    }
}

/// One end of a socket, with what is still to be sent and what has come.
#[derive(Debug)]
pub(crate) struct Peer {
    socket: UnixStream,
    out: Vec<u8>,
    come: Vec<u8>,
    closed: bool,
}

impl Peer {
    pub(crate) fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            out: Vec::new(),
            come: Vec::new(),
            closed: false,
        })
    }

    pub(crate) fn socket(&self) -> &UnixStream {
        &self.socket
    }

    pub(crate) fn has_more_to_send(&self) -> bool {
        !self.out.is_empty()
    }

    /// The other end is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(crate) fn send(&mut self, frame: &Frame) {
        frame.encode(&mut self.out);
        self.flush();
    }

    /// Sends what goes without waiting.
    pub(crate) fn flush(&mut self) {
        while !self.out.is_empty() {
            match self.socket.write(&self.out) {
                Ok(n) => drop(self.out.drain(..n)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.out.clear();
                    self.closed = true;
                }
            }
        }
    }

    /// Takes what has come, and gives the frames that are whole.
    pub(crate) fn receive(&mut self) -> Vec<Frame> {
        let mut buffer = vec![0; 65536];
        while !self.closed {
            match self.socket.read(&mut buffer) {
                Ok(0) => self.closed = true,
                Ok(n) => self.come.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => self.closed = true,
            }
        }
        let mut frames = Vec::new();
        let mut at = 0;
        while let Some(head) = self.come.get(at..at + 5) {
            let length = u32::from_le_bytes(head[1..].try_into().expect("four bytes")) as usize;
            let Some(body) = self.come.get(at + 5..at + 5 + length) else {
                break;
            };
            frames.push(Frame::new(head[0], body));
            at += 5 + length;
        }
        self.come.drain(..at);
        frames
    }
}
