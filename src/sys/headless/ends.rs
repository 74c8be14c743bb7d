//! Our stdin and stdout, each behind a thread: they may be files, which no poll waits for, and pipes that others share.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::mpsc;

/// One read of stdin at the most.
const READ: usize = 64 * 1024;

/// Stdin.
#[derive(Debug)]
pub(super) struct Input {
    chunks: mpsc::Receiver<io::Result<Vec<u8>>>,
    ended: bool,
}

impl Input {
    /// Begins to read. The thread ends with the process.
    pub(super) fn start() -> Self {
        let (sender, chunks) = mpsc::channel(1);
        let reader = std::thread::Builder::new().name("stdin".into());
        let started = reader.spawn(move || {
            let mut buffer = vec![0; READ];
            loop {
                let read = patient(&io::stdin(), PollFlags::IN, || {
                    io::stdin().lock().read(&mut buffer)
                });
                let over = matches!(read, Ok(0) | Err(_));
                let chunk = read.map(|read| buffer[..read].to_vec());
                if sender.blocking_send(chunk).is_err() || over {
                    return;
                }
            }
        });
        drop(started);
        Self {
            chunks,
            ended: false,
        }
    }

    /// The next bytes; none at the end. Nothing is lost where this is dropped.
    pub(super) async fn next(&mut self) -> io::Result<Vec<u8>> {
        if self.ended {
            return std::future::pending().await;
        }
        self.chunks.recv().await.unwrap_or_else(|| Ok(Vec::new()))
    }

    /// It has ended.
    pub(super) const fn end(&mut self) {
        self.ended = true;
    }

    /// Has it?
    pub(super) const fn ended(&self) -> bool {
        self.ended
    }
}

/// Stdout.
#[derive(Debug)]
pub(super) struct Output {
    chunks: Option<mpsc::UnboundedSender<Vec<u8>>>,
    done: mpsc::UnboundedReceiver<io::Result<()>>,
    waiting: Arc<AtomicUsize>,
    /// So many writes were not heard of.
    open: usize,
    broken: bool,
}

impl Output {
    pub(super) fn new() -> Self {
        let (chunks, mut received) = mpsc::unbounded_channel::<Vec<u8>>();
        let (heard, done) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&waiting);
        let writer = std::thread::Builder::new().name("stdout".into());
        let started = writer.spawn(move || {
            while let Some(chunk) = received.blocking_recv() {
                let written = write_all(&chunk);
                left.fetch_sub(chunk.len(), Ordering::Relaxed);
                let over = written.is_err();
                if heard.send(written).is_err() || over {
                    return;
                }
            }
        });
        drop(started);
        Self {
            chunks: Some(chunks),
            done,
            waiting,
            open: 0,
            broken: false,
        }
    }

    /// Queues bytes.
    pub(super) fn write(&mut self, bytes: Vec<u8>) {
        let len = bytes.len();
        if len == 0 || self.broken {
            return;
        }
        self.waiting.fetch_add(len, Ordering::Relaxed);
        if let Some(chunks) = &self.chunks
            && chunks.send(bytes).is_ok()
        {
            self.open += 1;
        }
    }

    /// So many bytes are not written yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Is all written, as far as it was heard of?
    pub(super) const fn is_idle(&self) -> bool {
        self.open == 0 || self.broken
    }

    /// What came of the next write.
    pub(super) async fn written(&mut self) -> io::Result<()> {
        if self.is_idle() {
            return std::future::pending().await;
        }
        let written = self.done.recv().await;
        self.open -= 1;
        let written = written.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into()));
        self.broken = written.is_err();
        written
    }

    /// Waits until all is written.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        while !self.is_idle() {
            self.written().await?;
        }
        Ok(())
    }
}

fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    let stdout = io::stdout();
    while !bytes.is_empty() {
        // Not through its own buffer, which would end at line ends.
        let written = patient(&stdout, PollFlags::OUT, || {
            rustix::io::write(&stdout, bytes).map_err(io::Error::from)
        })?;
        bytes = &bytes[written..];
    }
    io::stdout().flush()
}

/// Tries again where somebody who shares the pipe has made it nonblocking.
fn patient(
    fd: &impl std::os::fd::AsFd,
    flags: PollFlags,
    mut what: impl FnMut() -> io::Result<usize>,
) -> io::Result<usize> {
    loop {
        match what() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let _ = poll(&mut [PollFd::new(fd, flags)], None);
            }
            other => return other,
        }
    }
}
