//! Signals, pipes that nobody reads, what is said on stderr.

use std::io::Read as _;
use std::time::Duration;

use rustix::process::Signal;

use crate::pty::{patiently, shell_code};
use crate::world::{THROTTLE, World};

#[test]
fn an_interrupt_while_it_waits_ends_it_with_130_and_prints_no_half_answer() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        for (format, plan) in [
            ("text", "fail_text"),
            ("json", "fail_json"),
            ("stream-json", "fail_stream"),
        ] {
            let world = World::patient(&[plan, "echo never"]);
            let mut live = world.start(&["-p", "--output-format", format, "hi"]);
            live.hears("retry 1/6 in 3600.0s");
            live.signal(signal);
            let ran = live.end();
            assert_eq!((ran.code, world.runs()), (code, 1), "{format}");
            if format == "stream-json" {
                let last = ran.lines().pop().expect("a line");
                assert_eq!(
                    (&last["type"], &last["is_error"]),
                    (&"result".into(), &true.into())
                );
            } else {
                assert_eq!(ran.text(), "");
            }
            assert!(world.events().contains(&"cancelled".to_owned()));
        }
    }
}

/// Says on stderr that it is there, and ends at a signal with a code of its own.
const ENDS_BY_ITSELF: &str = r#"trap 'echo "$throttle"; asked; failed; exit 1' TERM INT
    echo ready >&2; while :; do sleep 0.01; done"#;

#[test]
fn a_signal_while_a_run_lives_is_passed_on_and_nothing_is_retried() {
    let world = World::new(&[ENDS_BY_ITSELF, "echo never"]);
    let mut live = world.start(&["-p", "hi"]);
    live.hears("ready");
    live.signal(Signal::TERM);
    let ran = live.end();
    assert_eq!((ran.code, world.runs()), (1, 1));
    assert_eq!(ran.text(), format!("{THROTTLE}\n"));

    let world = World::new(&["echo ready >&2; exec sleep 60", "echo never"]);
    let mut live = world.start(&["-p", "hi"]);
    live.hears("ready");
    live.signal(Signal::TERM);
    assert_eq!((live.end().code, world.runs()), (143, 1));
}

#[test]
fn a_run_that_was_killed_is_passed_on() {
    let world = World::new(&[
        "asked; failed; echo \"$throttle\"; kill -KILL $$",
        "echo never",
    ]);
    let ran = world.run(&["-p", "hi"]);
    assert_eq!((ran.code, world.runs()), (137, 1));
    assert_eq!(ran.text(), format!("{THROTTLE}\n"));
}

#[test]
fn where_nobody_reads_it_ends_as_a_writer_into_a_pipe_does_and_takes_the_run_along() {
    let plan = "echo $$ > \"$WORLD/pid\"; trap 'echo ended > \"$WORLD/ended\"; exit 9' TERM
        said one; while :; do sleep 0.01; said more; done 2>/dev/null";
    let world = World::new(&[plan]);
    let mut live = world.start(&["-p", "--output-format", "stream-json", "hi"]);
    let mut pipe = live.child.stdout.take().expect("a pipe");
    let mut some = [0; 8];
    pipe.read_exact(&mut some).expect("a line's beginning");
    drop(pipe);
    assert_eq!(live.end().code, 141);
    let pid: i32 = String::from_utf8(world.file("pid"))
        .expect("text")
        .trim()
        .parse()
        .expect("a number");
    let pid = rustix::process::Pid::from_raw(pid).expect("a process");
    assert_eq!(
        rustix::process::test_kill_process(pid),
        Err(rustix::io::Errno::SRCH)
    );
    // By itself, not by force.
    assert_eq!(world.file("ended"), b"ended\n");
}

/// A run that says when it is there, and is told to end, or ends by itself after a while.
const WAITS: &str = r#"trap 'echo ended > "$WORLD/ended"; exit 9' TERM; echo ready >&2
    for i in $(seq 2000); do sleep 0.01; done"#;

#[test]
#[cfg(target_os = "linux")]
fn where_it_is_killed_the_run_is_told_to_end() {
    let world = World::new(&[WAITS]);
    let mut live = world.start(&["-p", "hi"]);
    live.hears("ready");
    live.signal(Signal::KILL);
    // Its stderr ends with the run.
    assert_eq!(live.end().code, 137);
    assert_eq!(world.file("ended"), b"ended\n");
}

#[test]
fn who_reads_nothing_can_still_end_it() {
    let world = World::new(&["head -c 4000000 /dev/zero"]);
    let live = world.start(&["-p", "hi"]);
    while !world.events().contains(&"exit".to_owned()) {
        std::thread::sleep(Duration::from_millis(5));
    }
    live.signal(Signal::TERM);
    let mut child = live.child;
    let status = patiently("its end", move || child.wait().expect("its end"));
    assert_eq!(shell_code(status), 143);
}

/// Both at once: each takes its ten seconds.
#[test]
fn who_does_not_end_and_who_does_not_read_are_not_waited_for_forever() {
    let deaf = World::new(&["trap '' TERM; echo ready >&2; exec sleep 600"]);
    let mut runs = deaf.start(&["-p", "hi"]);
    runs.hears("ready");
    let long = "x=$(head -c 300000 /dev/zero | tr '\\0' x); said \"$x\"; fail_stream";
    let unread = World::patient(&[long, "echo never"]);
    let mut waits = unread.start(&["-p", "--output-format", "stream-json", "hi"]);
    waits.hears("retry 1/6");
    runs.signal(Signal::TERM);
    waits.signal(Signal::TERM);
    assert_eq!(runs.end().code, 137);
    let mut child = waits.child;
    let status = patiently("its end", move || child.wait().expect("its end"));
    assert_eq!(shell_code(status), 143);
}

#[test]
fn where_the_program_is_gone_after_the_wait_the_error_is_printed() {
    let world = World::new(&["rm \"$WORLD/claude\"; fail_text"]);
    let ran = world.run(&["-p", "hi"]);
    assert_eq!((ran.code, ran.text()), (1, &*format!("{THROTTLE}\n")));
    assert!(ran.err.contains("not retried: "), "{}", ran.err);
}

#[test]
fn quiet_says_nothing_at_all() {
    for args in [
        &["--retry-quiet", "-p", "hi"][..],
        &["--retry-quiet=on", "-p", "hi"],
    ] {
        let mut world = World::new(&["fail_text", "fail_text"]);
        world.set("CLAUDE_RETRY_MAX_RETRIES", "1");
        let ran = world.run(args);
        assert_eq!((ran.code, ran.err.as_str(), world.runs()), (1, "", 2));
    }
    let mut world = World::new(&["fail_text", "echo done >&2"]);
    world.set("CLAUDE_RETRY_QUIET", "on");
    assert_eq!(world.run(&["-p", "hi"]).err, "done\n");
}

#[test]
fn the_exit_code_is_the_last_runs() {
    let world = World::new(&["fail_text", "echo odd; exit 42"]);
    let ran = world.run(&["-p", "hi"]);
    assert_eq!((ran.code, ran.text()), (42, "odd\n"));
    let world = World::new(&["fail_text", "echo 'Prompt is too long'; exit 1"]);
    let ran = world.run(&["-p", "hi"]);
    assert_eq!(
        (ran.code, ran.text(), world.runs()),
        (1, "Prompt is too long\n", 2)
    );
}

#[test]
fn the_hourly_guard_holds() {
    let mut world = World::new(&["fail_text", "fail_text", "echo never"]);
    world.set("CLAUDE_RETRY_MAX_PER_HOUR", "1");
    let ran = world.run(&["-p", "hi"]);
    assert_eq!((ran.code, world.runs()), (1, 2));
    assert!(
        ran.err.ends_with("gave up after 1 resume in an hour\n"),
        "{}",
        ran.err
    );
}

/// A fault of ours at the `n`th event of the job.
fn with_fault(world: &mut World, n: u32) {
    std::fs::write(world.path("now"), "").expect("a file");
    let fault = format!("headless:{n}:{}", world.path("now").display());
    world.set("CLAUDE_RETRY_FAULT", &fault);
}

#[test]
fn after_a_fault_of_ours_all_that_was_printed_is_passed_on_and_nothing_is_run_again() {
    // The last ones come behind the end of this run.
    for n in 1..=8 {
        let mut world = World::new(&[
            "cat > \"$WORLD/stdin.$n\"; printf one; fail_text",
            "echo never",
        ]);
        with_fault(&mut world, n);
        let ran = world.run_with(&["-p"], b"the prompt");
        assert_eq!((ran.code, world.runs()), (1, 1), "{n}: {}", ran.err);
        assert_eq!(ran.text(), format!("one{THROTTLE}\n"), "{n}");
        assert_eq!(world.file("stdin.1"), b"the prompt", "{n}");
    }
}
