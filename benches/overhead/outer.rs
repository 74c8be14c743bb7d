//! The outer terminal: it takes everything at once and shows nothing.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{ioctl_tiocsctty, setsid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Nothing takes so long, or something is wrong.
const PATIENCE: Duration = Duration::from_mins(1);

/// A command in a terminal.
pub struct Outer {
    master: File,
    pub process: Child,
    buffer: Vec<u8>,
}

impl Outer {
    /// Starts the command in a terminal of so many rows and columns.
    pub fn start(mut command: Command, (rows, cols): (u16, u16)) -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave: OwnedFd = open(name.as_c_str(), flags, Mode::empty())?;
        let size = Winsize {
            ws_row: rows,
            ws_col: cols,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&slave, size)?;
        command
            .stdin(slave.try_clone()?)
            .stdout(slave.try_clone()?)
            .stderr(slave);
        let take_terminal = || {
            setsid()?;
            ioctl_tiocsctty(io::stdin())?;
            Ok(())
        };
        // SAFETY: two system calls between fork and exec, no allocation and no lock.
        #[expect(unsafe_code, reason = "a child gets its terminal no other way")]
        let process = unsafe { command.pre_exec(take_terminal) }.spawn()?;
        drop(command);
        Ok(Self {
            master: File::from(master),
            process,
            buffer: vec![0; 256 * 1024],
        })
    }

    /// The keyboard.
    pub fn send(&mut self, bytes: &[u8]) {
        self.master
            .write_all(bytes)
            .expect("the terminal takes input");
    }

    /// One read of what comes out; empty at the end.
    fn read(&mut self, patience: Duration) -> &[u8] {
        let timeout = patience.try_into().ok();
        let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
        let ready = poll(&mut fds, timeout.as_ref()).expect("poll");
        assert!(ready > 0, "nothing came for {patience:?}");
        let n = self.master.read(&mut self.buffer).unwrap_or(0);
        &self.buffer[..n]
    }

    /// Waits for so many bytes.
    pub fn take(&mut self, mut bytes: usize) {
        while bytes > 0 {
            let n = self.read(PATIENCE).len();
            assert!(n > 0, "the end came {bytes} bytes too early");
            bytes = bytes.saturating_sub(n);
        }
    }

    /// Waits for this byte, drops what comes before it.
    pub fn wait_for(&mut self, byte: u8) {
        loop {
            let read = self.read(PATIENCE);
            assert!(!read.is_empty(), "the end came before {byte:#x}");
            if read.contains(&byte) {
                return;
            }
        }
    }

    /// Takes what comes for so long.
    pub fn idle(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = left.try_into().ok();
            let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
            if left.is_zero() || poll(&mut fds, timeout.as_ref()).expect("poll") == 0 {
                return;
            }
            let _ = self.master.read(&mut self.buffer);
        }
    }

    /// Types into the terminal while it is read; both until `answer` came.
    pub fn paste(&mut self, bytes: &[u8], answer: u8) {
        let mut keyboard = self.master.try_clone().expect("a copy");
        std::thread::scope(|scope| {
            scope.spawn(move || keyboard.write_all(bytes).expect("the terminal takes input"));
            self.wait_for(answer);
        });
    }

    /// Waits for the end of output and process.
    pub fn finish(mut self) {
        while !self.read(PATIENCE).is_empty() {}
        self.process.wait().expect("its status");
    }
}

impl Drop for Outer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
