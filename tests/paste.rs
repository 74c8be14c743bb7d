//! Large input and large output, in each direction while the other one is blocked: nothing lost, in order,
//! in bounded memory.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/pty.rs"]
mod pty;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use pty::{Idle, Terminal, patiently, script, wrapped};

const MEGABYTE: usize = 1 << 20;

/// So much comes out while there is a paste, and while the terminal stalls.
const FLOOD: usize = 16 * MEGABYTE;

/// Bytes that tell their place: no part of them is like another.
fn numbered(len: usize) -> Vec<u8> {
    let lines = (0u32..).flat_map(|n| format!("{n:07} the quick brown fox\n").into_bytes());
    lines.take(len).collect()
}

/// Like [`numbered`], with every byte value in it.
fn binary(len: usize) -> Vec<u8> {
    (0u32..)
        .flat_map(|n| n.wrapping_mul(0x9e37_79b1).to_le_bytes())
        .take(len)
        .collect()
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// Pastes from a thread of its own, as the terminal may have to wait for us.
fn paste(terminal: &Terminal, bytes: &[u8]) -> JoinHandle<std::io::Result<()>> {
    let (mut keyboard, bytes) = (terminal.keyboard(), bytes.to_vec());
    std::thread::spawn(move || keyboard.write_all(&bytes))
}

fn all_was_taken(typing: JoinHandle<std::io::Result<()>>) {
    patiently("the paste", move || typing.join().expect("the typist")).expect("all was taken");
}

/// The other end of a pipe that the child waits for.
fn opened(fifo: PathBuf) -> File {
    patiently("the child waits", move || {
        let options = fs::OpenOptions::new().write(true).open(fifo);
        options.expect("the pipe")
    })
}

#[test]
fn a_large_paste_waits_for_the_child_and_output_does_not_wait_for_it() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (go, got) = (tmp.path().join("go"), tmp.path().join("got"));
    pty::fifo(&go);
    let pasted = binary(MEGABYTE);
    let words = "stty raw -echo; echo ready; cat \"$2\"; head -c \"$1\" > \"$3\"; echo over";
    let args = [&pasted.len().to_string(), path(&go), path(&got)];
    let mut terminal = Terminal::start(script(wrapped("/bin/sh"), words, &args));
    terminal.expect("ready");
    let typing = paste(&terminal, &pasted);
    // The child reads nothing yet, and writes more than all buffers hold.
    let mut go = opened(go);
    for _ in 0..64 {
        go.write_all(&[b'o'; 16 * 1024]).expect("the pipe");
    }
    go.write_all(b"still here").expect("the pipe");
    terminal.expect("still here");
    assert!(!typing.is_finished(), "the paste went nowhere");
    drop(go);
    terminal.expect("over");
    assert!(terminal.finish().1.success());
    all_was_taken(typing);
    assert!(fs::read(&got).expect("what it got") == pasted);
}

/// As a CLI that draws while it takes a paste: both at full speed, neither waits for the other.
#[test]
fn a_large_paste_and_a_flood_of_output_pass_each_other_whole() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (flood, got) = (tmp.path().join("flood"), tmp.path().join("got"));
    let (pasted, shown) = (binary(MEGABYTE), numbered(FLOOD));
    fs::write(&flood, &shown).expect("the flood");
    let words = "stty raw -echo; exec 3<&0; head -c \"$1\" <&3 > \"$3\" & \
                 echo ready; cat \"$2\"; wait; echo over";
    let args = [&pasted.len().to_string(), path(&flood), path(&got)];
    let mut terminal = Terminal::start(script(wrapped("/bin/sh"), words, &args));
    terminal.expect("ready\n");
    let typing = paste(&terminal, &pasted);
    let (output, status) = terminal.finish();
    assert!(status.success());
    all_was_taken(typing);
    assert!(fs::read(&got).expect("what it got") == pasted, "the paste");
    let output = output.strip_prefix(b"ready\n").expect("its begin");
    assert!(
        output.strip_suffix(b"over\n") == Some(&shown[..]),
        "the flood"
    );
}

#[test]
fn a_child_may_end_with_its_input_unread() {
    let tmp = tempfile::tempdir().expect("a folder");
    let go = tmp.path().join("go");
    pty::fifo(&go);
    let words = "stty raw -echo; echo ready; cat \"$1\"; exit 3";
    let mut terminal = Terminal::start(script(wrapped("/bin/sh"), words, &[path(&go)]));
    terminal.expect("ready");
    let mut keyboard = terminal.keyboard();
    let (sender, typed) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        while keyboard.write_all(&[b'x'; 4096]).is_ok() && sender.send(()).is_ok() {}
    });
    // Much more than its terminal holds: the rest waits in us.
    for _ in 0..32 {
        typed.recv_timeout(pty::PATIENCE).expect("it is taken");
    }
    drop(opened(go));
    drop(typed);
    assert_eq!(terminal.finish().1.code(), Some(3));
}

/// What a process may have read or written so far, and its greatest memory in kB.
struct Process(u32);

impl Process {
    fn file(&self, name: &str) -> String {
        let file = format!("/proc/{}/{name}", self.0);
        fs::read_to_string(file).expect("this test reads /proc")
    }

    fn field(&self, file: &str, name: &str) -> u64 {
        let text = self.file(file);
        let mut lines = text.lines();
        let field = lines.find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
        field.expect("its field").parse().expect("a number")
    }

    fn written(&self) -> u64 {
        self.field("io", "wchar:")
    }

    fn sleeps(&self) -> bool {
        self.file("stat").contains(") S ")
    }

    fn peak(&self) -> u64 {
        self.field("status", "VmHWM:")
    }
}

/// The flood has begun once so much has come from the child.
const BEGUN: u64 = 64 * 1024;

/// Waits until the flood has begun, and then until both have come to rest: the child sleeps, and nobody has moved a
/// byte for so long that a loaded machine is no reason.
fn at_rest(us: &Process, child: &Process, so_far: u64) -> u64 {
    const REST: Duration = Duration::from_secs(1);
    let deadline = Instant::now() + pty::PATIENCE;
    while child.written() - so_far <= BEGUN {
        assert!(Instant::now() < deadline, "the flood does not begin");
        std::thread::sleep(pty::LOOK);
    }
    let (mut since, mut last) = (Instant::now(), (0, 0));
    while since.elapsed() < REST {
        assert!(Instant::now() < deadline, "the flood does not stop");
        std::thread::sleep(pty::LOOK);
        let now = (us.written(), child.written());
        if now != last || !child.sleeps() {
            (since, last) = (Instant::now(), now);
        }
    }
    last.1 - so_far
}

#[test]
fn a_terminal_that_stalls_during_a_flood_loses_nothing_and_costs_bounded_memory() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (go, flood) = (tmp.path().join("go"), tmp.path().join("flood"));
    let told = tmp.path().join("told");
    for fifo in [&go, &told] {
        pty::fifo(fifo);
    }
    let shown = numbered(FLOOD);
    fs::write(&flood, &shown).expect("the flood");
    // The terminal shows nothing yet, so the processes are told elsewhere.
    let words =
        "stty raw -echo; echo $$ ${CLAUDE_RETRY%%:*} > \"$1\"; read line < \"$2\"; exec cat \"$3\"";
    let args = [path(&told), path(&go), path(&flood)];
    let command = script(wrapped("/bin/sh"), words, &args);
    let mut terminal = Idle::open().start_stalled(command);
    let numbers = patiently("the child tells", move || fs::read_to_string(told)).expect("numbers");
    let mut numbers = numbers
        .split_whitespace()
        .map(|n| n.parse().expect("a number"));
    let (child, us) = (numbers.next(), numbers.next());
    let (child, us) = (Process(child.expect("the child")), Process(us.expect("us")));

    let before = us.peak();
    let so_far = child.written();
    opened(go).write_all(b"go\n").expect("it goes");
    let taken = at_rest(&us, &child, so_far);
    assert!(taken < 4 << 20, "it waits for the terminal: {taken} bytes");
    // Keys are not blocked by it: they reach the child's terminal, though nothing tells.
    terminal.send(b"key");
    let grown = us.peak() - before;
    assert!(grown < 6 * 1024, "{grown} kB more than before the flood");

    terminal.flow();
    let (output, status) = terminal.finish();
    assert!(status.success());
    assert!(output == shown, "{} of {} bytes", output.len(), shown.len());
}

/// A child that has ended with more to say than the terminal takes; the process that still has it.
fn ended_under_a_stalled_terminal(words: &[u8]) -> (Terminal, String) {
    let tmp = tempfile::tempdir().expect("a folder");
    let (told, file) = (tmp.path().join("told"), tmp.path().join("words"));
    pty::fifo(&told);
    fs::write(&file, words).expect("its words");
    let child = "stty raw -echo; cat \"$2\"; echo $$ $PPID ${CLAUDE_RETRY%%:*} > \"$1\"; exit 3";
    let args = [path(&told), path(&file)];
    let terminal = Idle::open().start_stalled(script(wrapped("/bin/sh"), child, &args));
    let numbers = patiently("the child tells", move || fs::read_to_string(told)).expect("numbers");
    let numbers: Vec<_> = numbers.split_whitespace().collect();
    pty::gone(numbers[0]);
    pty::gone(numbers[1]);
    (terminal, numbers[2].to_owned())
}

/// The CLI ends while the terminal takes nothing (a paused multiplexer, a slow line): what it said waits
/// for the terminal, as it does without us.
#[test]
fn last_words_wait_for_a_terminal_that_stalls() {
    let words = numbered(200_000);
    let (mut terminal, _) = ended_under_a_stalled_terminal(&words);
    // There is no event in waiting for ever. Where somebody asks for the end, we wait for 1 s.
    std::thread::sleep(Duration::from_millis(1500));
    terminal.flow();
    let (output, status) = terminal.finish();
    assert_eq!(status.code(), Some(3));
    assert!(output == words, "{} of {} bytes", output.len(), words.len());
}

#[test]
fn who_wants_an_end_does_not_wait_for_a_terminal_that_stalls() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT] {
        let (mut terminal, us) = ended_under_a_stalled_terminal(&numbered(200_000));
        pty::kill(&us, Signal::TSTP);
        pty::kill(&us, signal);
        pty::gone(&us);
        terminal.flow();
        assert_eq!(terminal.finish().1.code(), Some(3));
    }
}
