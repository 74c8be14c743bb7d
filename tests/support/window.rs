//! A window: a program on a pty with the independent emulator behind it, which answers its questions.

#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::emulator::Emulator;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Window {
    pub(crate) emulator: Emulator,
    /// All that the program wrote.
    pub(crate) bytes: Vec<u8>,
    pub(crate) size: (u16, u16),
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    chunks: Receiver<Vec<u8>>,
    child: Box<dyn Child + Send + Sync>,
}

fn pty_size((rows, cols): (u16, u16)) -> PtySize {
    PtySize {
        rows,
        cols,
        pixel_width: cols * 9,
        pixel_height: rows * 18,
    }
}

impl Window {
    /// A window of so many rows and columns that shows `before`, in which the program starts.
    pub(crate) fn open(command: CommandBuilder, size: (u16, u16), before: &str) -> Self {
        let pair = native_pty_system().openpty(pty_size(size)).expect("a pty");
        let child = pair.slave.spawn_command(command).expect("the program");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("its output");
        let keyboard = pair.master.take_writer().expect("its input");
        let (sender, chunks) = channel();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            // The end of a pty is an error on Linux.
            // Linux may tell the end before the last bytes.
            while let Ok(n @ 1..) = reader
                .read(&mut buffer)
                .or_else(|_| reader.read(&mut buffer))
            {
                if sender.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        let mut emulator = Emulator::new(size.0, size.1);
        emulator.feed(before.as_bytes());
        Self {
            emulator,
            bytes: Vec::new(),
            size,
            master: pair.master,
            keyboard,
            chunks,
            child,
        }
    }

    pub(crate) fn press(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).expect("the program's input");
        self.keyboard.flush().expect("the program's input");
    }

    pub(crate) fn resize(&mut self, size: (u16, u16)) {
        self.size = size;
        self.emulator.resize(size.0, size.1);
        self.master.resize(pty_size(size)).expect("a size");
    }

    /// Shows what the program writes until there is something to see. Says what was last missing where that
    /// takes too long, or the program has ended.
    #[expect(clippy::disallowed_methods, reason = "the deadline of a test")]
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&Self) -> Result<T, String>,
    ) -> Result<T, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let missing = match look(self) {
                Ok(found) => return Ok(found),
                Err(missing) => missing,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            match self.chunks.recv_timeout(left) {
                Ok(chunk) => self.show(&chunk),
                Err(why) => {
                    let why = match why {
                        RecvTimeoutError::Timeout => "never",
                        RecvTimeoutError::Disconnected => "not before the end",
                    };
                    return Err(format!("{what}: {why}: {missing}\n{}", self.picture()));
                }
            }
        }
    }

    /// Shows everything up to the program's end.
    pub(crate) fn finish(&mut self) -> Result<(), String> {
        loop {
            match self.chunks.recv_timeout(PATIENCE) {
                Ok(chunk) => self.show(&chunk),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return Err("it does not end".into()),
            }
        }
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("{status}\n{}", self.picture()))
        }
    }

    fn show(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
        self.emulator.feed(chunk);
        for reply in self.emulator.take_replies() {
            // Who has just ended needs no answer.
            let _ = self.keyboard.write_all(reply.as_bytes());
        }
        let _ = self.keyboard.flush();
    }

    /// The screen's last rows, for messages.
    pub(crate) fn picture(&self) -> String {
        let rows = i32::from(self.size.0);
        let rows = (rows.saturating_sub(24).max(0)..rows).map(|row| {
            let row = self.emulator.row_text(row);
            format!("|{}", row.trim_end())
        });
        rows.collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
