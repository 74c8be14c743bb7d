//! A fault of our own, wherever it strikes: the session goes on as a plain pipe, the log says why, and at the end the
//! terminal is as it was.
#![cfg(debug_assertions)]
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/bell.rs"]
mod bell;
#[path = "support/home.rs"]
#[expect(dead_code, reason = "the tests on the real CLI use the rest")]
mod home;
#[path = "support/screen.rs"]
#[expect(dead_code, reason = "the tests on the real CLI use the rest")]
mod screen;
#[path = "faults/stage.rs"]
mod stage;
#[path = "support/terminal.rs"]
#[expect(dead_code, reason = "the tests on the real CLI use the rest")]
mod terminal;

#[path = "faults/bar.rs"]
mod bar;
#[path = "faults/disk.rs"]
mod disk;
#[path = "faults/driver.rs"]
mod driver;
#[path = "faults/pipe.rs"]
mod pipe;
#[cfg(target_os = "linux")]
#[path = "faults/system.rs"]
mod system;
#[path = "faults/transcript.rs"]
mod transcript;
