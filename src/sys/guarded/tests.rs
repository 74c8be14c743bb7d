use super::*;

/// Passes everything on, upper case, and fails at the byte `!`, half-way.
struct Fragile;

impl Handle for Fragile {
    fn handle(&mut self, _: Now, event: Event<'_>, out: &mut Outbox) {
        match event {
            Event::ChildOutput(bytes) => {
                for byte in bytes {
                    assert_ne!(*byte, b'!', "cannot bear it");
                    out.tty.push(byte.to_ascii_uppercase());
                }
            }
            Event::UserInput(bytes) => out.child.extend(bytes.to_ascii_uppercase()),
            _ => {}
        }
    }

    fn next_deadline(&self) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    fn is_behind(&self) -> bool {
        true
    }

    fn read_on(&mut self) {
        panic!("cannot read it");
    }
}

const NOW: Now = Now {
    elapsed: Duration::ZERO,
    unix_ms: 0,
};

#[test]
fn after_a_failure_it_is_a_pipe_and_the_chunk_at_hand_passes_whole() {
    install_panic_hook();
    let mut out = Outbox::default();
    let mut guarded = Guarded::new(|| Fragile);
    guarded.handle(NOW, &Event::ChildOutput(b"ab"), &mut out);
    assert_eq!(guarded.next_deadline(), Some(Duration::ZERO));
    guarded.handle(NOW, &Event::ChildOutput(b"cd!ef"), &mut out);
    guarded.handle(NOW, &Event::UserInput(b"key"), &mut out);
    assert_eq!(out.tty, b"ABcd!ef");
    assert_eq!(out.child, b"key");
    assert_eq!(guarded.next_deadline(), None);
    let failure = guarded.take_failure(&mut out).expect("a failure");
    assert!(
        failure.contains("cannot bear it") && failure.contains("guarded/tests.rs"),
        "{failure}"
    );
    assert_eq!(guarded.take_failure(&mut out), None);
}

/// Fails at every event but output, with a bar that stands and keys that wait.
struct Covered {
    bar: &'static str,
    tellable: bool,
}

impl Handle for Covered {
    fn handle(&mut self, _: Now, event: Event<'_>, out: &mut Outbox) {
        out.tty.extend_from_slice(b"half a");
        out.child.extend_from_slice(b"half a");
        assert_eq!(event, Event::Deadline, "cannot bear it");
    }

    fn next_deadline(&self) -> Option<Duration> {
        None
    }

    fn bar_shown(&self) -> bool {
        true
    }

    fn uncover(&mut self, tty: &mut Vec<u8>) {
        tty.extend_from_slice(b"<uncovered>");
    }

    fn take_bar_off(&mut self, tty: &mut Vec<u8>) {
        tty.extend_from_slice(b"half off");
        assert_ne!(self.bar, "stuck");
        tty.clear();
        tty.extend_from_slice(b"<off>");
    }

    fn leftovers(&self) -> Leftovers {
        assert!(self.tellable);
        let mut left = Leftovers::default();
        left.feed(b"\x1b[?1000h");
        left
    }

    fn withheld(&self) -> Vec<u8> {
        b"<kept>".to_vec()
    }
}

#[test]
fn a_failure_behind_the_childs_back_takes_nothing_along() {
    install_panic_hook();
    let mut guarded = Guarded::new(|| Fragile);
    assert!(guarded.is_behind());
    guarded.read_on();
    assert!(!guarded.is_behind());
    let mut out = Outbox::default();
    guarded.handle(NOW, &Event::ChildOutput(b"cd"), &mut out);
    assert_eq!(out.tty, b"cd");
    assert!(
        guarded
            .take_failure(&mut out)
            .is_some_and(|failure| failure.contains("cannot read it"))
    );
}

#[test]
fn a_bar_is_taken_off_and_keys_that_waited_are_passed_on() {
    install_panic_hook();
    for (event, tty, child) in [
        (Event::ChildOutput(b"out"), "<uncovered>out", "<kept>"),
        (Event::UserInput(b"in"), "<off>", "<kept>in"),
        (
            Event::Resize(crate::term::Size::new(1, 1)),
            "<off>",
            "<kept>",
        ),
    ] {
        let mut out = Outbox::default();
        let covered = || Covered {
            bar: "drawn",
            tellable: true,
        };
        let mut guarded = Guarded::new(covered);
        guarded.handle(NOW, &event, &mut out);
        assert!(guarded.take_failure(&mut out).is_some());
        assert!(!guarded.take_bar_left());
        assert_eq!(String::from_utf8_lossy(&out.tty), tty);
        assert_eq!(String::from_utf8_lossy(&out.child), child);

        // A reader of the driver's failed, between two events.
        let (mut out, mut guarded) = (Outbox::default(), Guarded::new(covered));
        guarded.fail("elsewhere".into());
        assert!(guarded.take_failure(&mut out).is_some());
        assert_eq!(
            (&out.tty[..], &out.child[..]),
            (&b"<off>"[..], &b"<kept>"[..])
        );
    }
}

#[test]
fn a_bar_that_cannot_be_taken_off_is_told_of_once() {
    install_panic_hook();
    let mut out = Outbox::default();
    let mut guarded = Guarded::new(|| Covered {
        bar: "stuck",
        tellable: true,
    });
    guarded.handle(NOW, &Event::UserInput(b""), &mut out);
    assert!(out.tty.is_empty());
    assert!(guarded.take_bar_left() && !guarded.take_bar_left());
}

#[test]
fn a_failed_session_leaves_no_mode_on() {
    install_panic_hook();
    let undone = |tellable: bool, output: &[u8], end: Event<'_>| {
        let mut out = Outbox::default();
        let mut guarded = Guarded::new(|| Covered {
            bar: "drawn",
            tellable,
        });
        guarded.handle(NOW, &Event::ChildOutput(output), &mut out);
        out.tty.clear();
        guarded.handle(NOW, &end, &mut out);
        String::from_utf8_lossy(&out.tty).into_owned()
    };
    for kind in [ExitKind::Code(0), ExitKind::Killed(9)] {
        let end = Event::ChildExited(kind);
        // What it knew, and what came since.
        assert_eq!(undone(true, b"", end.clone()), "\x1b[?1000l");
        let both = undone(true, b"\x1b[?2004h\x1b[?25l", end.clone());
        assert_eq!(both, "\x1b[?25h\x1b[?1000l\x1b[?2004l");
        assert_eq!(undone(true, b"\x1b[?1000l", end), "");
    }
    assert_eq!(undone(true, b"", Event::ChildStopped), "\x1b[?1000l");
    assert_eq!(undone(true, b"", Event::Resumed), "\x1b[?1000h");
    // Nobody knows: only for who could not do it himself.
    let resort = String::from_utf8_lossy(LAST_RESORT);
    assert_eq!(
        undone(false, b"", Event::ChildExited(ExitKind::Killed(9))),
        resort
    );
    assert_eq!(
        undone(false, b"", Event::ChildExited(ExitKind::Code(0))),
        ""
    );
}

#[test]
fn a_session_that_did_not_even_begin_is_a_pipe_that_knows_the_modes() {
    install_panic_hook();
    let mut guarded = Guarded::<Fragile>::new(|| panic!("no start"));
    let mut out = Outbox::default();
    guarded.handle(NOW, &Event::ChildOutput(b"\x1b[?1049h\x1b[>5u"), &mut out);
    guarded.handle(NOW, &Event::ChildExited(ExitKind::Code(1)), &mut out);
    assert_eq!(out.tty, b"\x1b[?1049h\x1b[>5u\x1b[<1u\x1b[?1049l");
    let failure = guarded.take_failure(&mut out).expect("a failure");
    assert!(failure.contains("no start"), "{failure}");
}

#[test]
fn the_job_can_still_be_stopped() {
    let mut guarded = Guarded::<Fragile>::new(|| panic!("no start"));
    let mut out = Outbox::default();
    guarded.handle(NOW, &Event::Signal(Signal::Tstp), &mut out);
    assert_eq!(out.effects, [Effect::Suspend]);
}

#[test]
fn a_task_that_fails_ends_alone() {
    install_panic_hook();
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        spawn(async {
            tokio::task::yield_now().await;
            panic!("in a task");
        });
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    });
    let failure = task_failure().expect("a failure");
    assert!(failure.contains("in a task"), "{failure}");
    assert_eq!(task_failure(), None);
}

/// Not a test: what [`two_panics_at_once_leave_raw_mode_and_are_told`] watches.
#[test]
fn two_panics_at_once() {
    struct Fails;
    impl Drop for Fails {
        fn drop(&mut self) {
            panic!("the second");
        }
    }
    if std::env::var_os("TWO_PANICS").is_none() {
        return;
    }
    install_panic_hook();
    let _ = catch(|| {
        let _fails = Fails;
        panic!("the first");
    });
}

#[test]
fn two_panics_at_once_leave_raw_mode_and_are_told() {
    let output = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args([
            "sys::guarded::tests::two_panics_at_once",
            "--exact",
            "--nocapture",
        ])
        .env("TWO_PANICS", "1")
        .output()
        .expect("it runs");
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains("the second") && !told.contains("the first"),
        "{told}"
    );
}
