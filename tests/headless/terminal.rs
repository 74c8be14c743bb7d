//! In a terminal: the countdown on stderr is one line that is written over, and goes.

use rustix::process::Signal;

use crate::pty::{Terminal, kill, shell_code};
use crate::world::World;

fn start(world: &World) -> Terminal {
    let mut command = world.command(&["-p", "hi"]);
    command.env("TERM", "xterm-256color").env("NO_COLOR", "1");
    Terminal::start(command)
}

#[test]
fn the_countdown_is_wiped_before_the_answer() {
    let world = World::new(&["fail_text", "echo the answer"]);
    let mut terminal = start(&world);
    terminal.expect("\rclaude-retry: ⟳ throttled · retry 1/6 in ");
    terminal.expect("s · Ctrl+C stops\x1b[K");
    terminal.expect("\r\x1b[Kthe answer\r\n");
    let (shown, status) = terminal.finish();
    assert!(status.success());
    // Nothing else ends a line.
    let shown = String::from_utf8(shown).expect("text");
    assert_eq!(shown.lines().count(), 1, "{shown:?}");
}

#[test]
fn the_countdown_counts_in_one_line() {
    let mut world = World::new(&["fail_text", "echo never"]);
    world.set("CLAUDE_RETRY_BASE", "20s");
    world.set("CLAUDE_RETRY_CAP", "20s");
    let mut terminal = start(&world);
    terminal.expect("retry 1/6 in 20s · Ctrl+C stops\x1b[K\r");
    // A second less, or more on a machine that is busy.
    terminal.expect("claude-retry: ⟳ throttled · retry 1/6 in 1");
    terminal.send(b"\x03");
    let (shown, status) = terminal.finish();
    assert_eq!(shell_code(status), 130);
    assert!(!shown.contains(&b'\n'));
}

#[test]
fn ctrl_c_while_it_counts_wipes_it_and_is_130() {
    let world = World::patient(&["fail_text", "echo never"]);
    let mut terminal = start(&world);
    terminal.expect("retry 1/6 in 1h00m · Ctrl+C stops");
    terminal.send(b"\x03");
    let (shown, status) = terminal.finish();
    assert_eq!((shell_code(status), world.runs()), (130, 1));
    let shown = String::from_utf8(shown).expect("text");
    assert!(shown.ends_with("\r\x1b[K"), "{shown:?}");
    assert!(!shown.contains("API Error"), "{shown:?}");
}

#[test]
fn ctrl_c_while_a_run_lives_reaches_it_once() {
    let plan = "trap 'echo one >> \"$WORLD/got\"' INT; echo ready >&2
        while [ ! -e \"$WORLD/got\" ]; do sleep 0.01; done; exit 130";
    let world = World::new(&[plan, "echo never"]);
    let mut terminal = start(&world);
    terminal.expect("ready\r\n");
    terminal.send(b"\x03");
    let (_, status) = terminal.finish();
    assert_eq!((shell_code(status), world.runs()), (130, 1));
    assert_eq!(world.file("got"), b"one\n");
}

#[test]
fn a_signal_to_us_alone_reaches_the_run_too() {
    for signal in ["INT", "QUIT"] {
        let plan = format!(
            "trap 'echo one >> \"$WORLD/got\"' {signal}; echo ready >&2
            for i in $(seq 2000); do [ -e \"$WORLD/got\" ] && exit 9; sleep 0.01; done"
        );
        let world = World::new(&[&plan, "echo never"]);
        let mut terminal = start(&world);
        terminal.expect("ready\r\n");
        let number = if signal == "INT" {
            Signal::INT
        } else {
            Signal::QUIT
        };
        kill(&terminal.pid().to_string(), number);
        let (_, status) = terminal.finish();
        assert_eq!((shell_code(status), world.runs()), (9, 1), "{signal}");
        assert_eq!(world.file("got"), b"one\n", "{signal}");
    }
}

/// What the terminal sends is not sent again: this run has left its group, and hears only what we send.
#[test]
fn ctrl_c_is_left_to_the_terminal() {
    let plan =
        "exec setsid sh -c 'trap \"echo int >> got\" INT; trap \"exit 9\" TERM; echo ready >&2
        for i in $(seq 2000); do sleep 0.01; done'";
    let world = World::new(&[plan, "echo never"]);
    let mut terminal = start(&world);
    terminal.expect("ready\r\n");
    terminal.send(b"\x03");
    terminal.expect("^C");
    kill(&terminal.pid().to_string(), Signal::TERM);
    let (_, status) = terminal.finish();
    assert_eq!((shell_code(status), world.runs()), (9, 1));
    assert_eq!(world.file("got"), b"");
}
