//! What is measured, and how. Each part takes turns among the subjects, so that a change of the machine's
//! pace meets them alike.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::child::{DRAW, ECHO, END, GO, KEY, LOAD, QUIET, READY, TAKE};
use crate::outer::Outer;
use crate::report::{Row, Target};
use crate::streams::{BULK, FRAME, PASTE};
use crate::subject::{Stage, Subject};

/// One part of the bench.
pub struct Part {
    /// Its name, for the command line.
    pub name: &'static str,
    /// Runs it.
    pub run: fn(&Stage) -> Vec<Row>,
}

/// All of them, in the table's order.
pub const ALL: [Part; 9] = [
    Part {
        name: "keystroke-idle",
        run: keystroke_idle,
    },
    Part {
        name: "keystroke-loaded",
        run: keystroke_loaded,
    },
    Part {
        name: "frame",
        run: frame,
    },
    Part {
        name: "bulk-ascii",
        run: |stage| bulk(stage, "ascii", 3.0),
    },
    Part {
        name: "bulk-ansi",
        run: |stage| bulk(stage, "ansi", 2.5),
    },
    Part {
        name: "paste",
        run: paste,
    },
    Part {
        name: "spawn",
        run: spawn,
    },
    Part {
        name: "true",
        run: wrap_true,
    },
    Part {
        name: "memory-and-idle",
        run: memory_and_idle,
    },
];

/// The size of the terminals.
const SIZE: (u16, u16) = (40, 120);

type Samples = [Vec<f64>; 3];

fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index into a short list"
    )]
    let at = (share * (sorted.len() - 1) as f64).round() as usize;
    sorted[at]
}

fn row(name: &str, unit: &'static str, samples: &Samples, share: f64, target: Target) -> Row {
    Row {
        name: name.into(),
        unit,
        values: [0, 1, 2].map(|at| quantile(&samples[at], share)),
        target,
    }
}

/// A session of each subject, ready.
fn sessions(stage: &Stage, stream: &str) -> Vec<Outer> {
    let start = |subject| {
        let mut outer = Outer::start(stage.around_child(subject, stream), SIZE).expect("a session");
        outer.wait_for(READY);
        outer.idle(Duration::from_millis(50));
        outer
    };
    Subject::ALL.map(start).into()
}

fn end(sessions: Vec<Outer>) {
    for mut outer in sessions {
        outer.send(&[END]);
        outer.finish();
    }
}

fn micros(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e6
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// A pause of one to three milliseconds, so that keys come at no fixed phase of anything.
fn pause(round: u32) {
    std::thread::sleep(Duration::from_micros(
        1000 + u64::from(round.wrapping_mul(2_654_435_761) >> 21),
    ));
}

fn keystroke_idle(stage: &Stage) -> Vec<Row> {
    let mut sessions = sessions(stage, "ascii");
    let mut samples = Samples::default();
    for round in 0..1500 {
        for turn in 0..3 {
            let at = (turn + round as usize) % 3;
            pause(round);
            let since = Instant::now();
            sessions[at].send(&[KEY]);
            sessions[at].wait_for(ECHO);
            samples[at].push(micros(since));
        }
    }
    end(sessions);
    keystrokes("idle", &samples)
}

fn keystrokes(when: &str, samples: &Samples) -> Vec<Row> {
    vec![
        row(
            &format!("keystroke, {when}, p50"),
            "µs",
            samples,
            0.5,
            Target::Ratio(1.1),
        ),
        row(
            &format!("keystroke, {when}, p99"),
            "µs",
            samples,
            0.99,
            Target::Ratio(1.3),
        ),
    ]
}

fn keystroke_loaded(stage: &Stage) -> Vec<Row> {
    let mut sessions = sessions(stage, "ansi");
    let mut samples = Samples::default();
    for block in 0..45 {
        for turn in 0..3 {
            let at = (turn + block) % 3;
            sessions[at].send(&[LOAD]);
            sessions[at].idle(Duration::from_millis(20));
            for round in 0..40u32 {
                let phase = 1000 + u64::from(round.wrapping_mul(2_654_435_761) >> 20);
                sessions[at].idle(Duration::from_micros(phase));
                let since = Instant::now();
                sessions[at].send(&[KEY]);
                sessions[at].wait_for(ECHO);
                samples[at].push(micros(since));
            }
            sessions[at].send(&[QUIET]);
            sessions[at].idle(Duration::from_millis(10));
        }
    }
    end(sessions);
    keystrokes("under 1 MB/s", &samples)
}

fn frame(stage: &Stage) -> Vec<Row> {
    let mut sessions = sessions(stage, "ansi");
    let mut samples = Samples::default();
    for round in 0..300 {
        for turn in 0..3 {
            let at = (turn + round as usize) % 3;
            pause(round);
            let since = Instant::now();
            sessions[at].send(&[DRAW]);
            sessions[at].take(FRAME);
            samples[at].push(micros(since));
        }
    }
    end(sessions);
    vec![row(
        "a frame of 100 kB",
        "µs",
        &samples,
        0.5,
        Target::Ratio(1.15),
    )]
}

fn bulk(stage: &Stage, stream: &str, most: f64) -> Vec<Row> {
    let mut sessions = sessions(stage, stream);
    let (mut samples, mut cpu) = (Samples::default(), Samples::default());
    for round in 0..7 {
        for turn in 0..3 {
            let at = (turn + round) % 3;
            let before = cpu_time(sessions[at].process.id());
            let since = Instant::now();
            sessions[at].send(&[GO]);
            sessions[at].take(BULK);
            samples[at].push(millis(since));
            // What is still to be done behind what was shown is a cost too.
            sessions[at].idle(Duration::from_millis(30));
            cpu[at].push(cpu_time(sessions[at].process.id()) - before);
        }
    }
    end(sessions);
    let what = stream.to_uppercase();
    vec![
        row(
            &format!("64 MB of {what}"),
            "ms",
            &samples,
            0.5,
            Target::Ratio(most),
        ),
        row(
            &format!("64 MB of {what}, CPU"),
            "ms",
            &cpu,
            0.5,
            Target::None,
        ),
    ]
}

fn paste(stage: &Stage) -> Vec<Row> {
    let mut sessions = sessions(stage, "ascii");
    let mut samples = Samples::default();
    let bytes = vec![b'v'; PASTE];
    for round in 0..20 {
        for turn in 0..3 {
            let at = (turn + round) % 3;
            let since = Instant::now();
            sessions[at].send(&[TAKE]);
            sessions[at].paste(&bytes, ECHO);
            samples[at].push(millis(since));
        }
    }
    end(sessions);
    vec![row("a paste of 1 MB", "ms", &samples, 0.5, Target::None)]
}

fn spawn(stage: &Stage) -> Vec<Row> {
    let mut samples = Samples::default();
    for round in 0..150 {
        for turn in 0..3 {
            let at = (turn + round) % 3;
            let command = stage.around(Subject::ALL[at], Path::new("/bin/echo"), &["Z"]);
            let since = Instant::now();
            let mut outer = Outer::start(command, SIZE).expect("a session");
            outer.wait_for(b'Z');
            samples[at].push(millis(since));
            outer.finish();
        }
    }
    vec![row(
        "start to the first byte",
        "ms",
        &samples,
        0.5,
        Target::Ratio(1.6),
    )]
}

fn wrap_true(stage: &Stage) -> Vec<Row> {
    let mut samples = Samples::default();
    for round in 0..150 {
        for turn in 0..3 {
            let at = (turn + round) % 3;
            let command = stage.around(Subject::ALL[at], Path::new("/bin/true"), &[]);
            let since = Instant::now();
            Outer::start(command, SIZE).expect("a session").finish();
            samples[at].push(millis(since));
        }
    }
    vec![row(
        "`true`, from start to end",
        "ms",
        &samples,
        0.5,
        Target::Ratio(1.6),
    )]
}

fn memory_and_idle(stage: &Stage) -> Vec<Row> {
    let mut sessions = sessions(stage, "ansi");
    let pids: Vec<u32> = sessions.iter().map(|outer| outer.process.id()).collect();
    let each = |f: &dyn Fn(u32) -> f64| [0, 1, 2].map(|at| f(pids[at]));
    let idle_memory = each(&|pid| megabytes(pid, "VmRSS"));
    for outer in &mut sessions {
        outer.send(&[GO]);
        outer.take(BULK);
        outer.idle(Duration::from_secs(1));
    }
    // A helper's own share is taken now: nothing tells its peak, and it does nothing but wait.
    let helper = each(&helper_memory);
    let mut peak = each(&|pid| megabytes(pid, "VmHWM"));
    peak.iter_mut()
        .zip(helper)
        .for_each(|(peak, helper)| *peak += helper);
    let (wakes, cpu) = (each(&wake_ups), each(&cpu_time));
    std::thread::sleep(Duration::from_secs(20));
    let woken = each(&wake_ups);
    let used = each(&cpu_time);
    end(sessions);
    let difference = |a: [f64; 3], b: [f64; 3]| [0, 1, 2].map(|at| a[at] - b[at]);
    let told = |name: &str, unit, values, target| Row {
        name: name.into(),
        unit,
        values,
        target,
    };
    vec![
        told("memory at rest", "MB", idle_memory, Target::None),
        told(
            "memory at its peak, 40 × 120, 64 MB of ANSI",
            "MB",
            peak,
            Target::Most(8.0),
        ),
        told("of that its helper's own", "MB", helper, Target::None),
        told(
            "wake-ups in 20 s at rest",
            "",
            difference(woken, wakes),
            Target::Most(0.0),
        ),
        told(
            "CPU in 20 s at rest",
            "ms",
            difference(used, cpu),
            Target::None,
        ),
    ]
}

// What the kernel says of a process (proc(5)).

fn status(pid: u32, name: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).unwrap_or(f64::NAN)
}

fn megabytes(pid: u32, name: &str) -> f64 {
    status(pid, name) / 1024.0
}

/// Both kinds of switch away from the process: each ends with a wake-up.
fn wake_ups(pid: u32) -> f64 {
    let tree = std::iter::once(pid).chain(helpers(pid));
    tree.map(|pid| {
        status(pid, "voluntary_ctxt_switches") + status(pid, "nonvoluntary_ctxt_switches")
    })
    .sum()
}

/// Milliseconds of CPU, its helper processes' too.
fn cpu_time(pid: u32) -> f64 {
    let of = |pid: u32| {
        let schedule = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
        let nanos = schedule
            .split_whitespace()
            .next()
            .and_then(|word| word.parse().ok());
        nanos.unwrap_or(f64::NAN) / 1e6
    };
    std::iter::once(pid).chain(helpers(pid)).map(of).sum()
}

/// The processes below it that run the same program, or have no program of their own.
fn helpers(pid: u32) -> Vec<u32> {
    let program = |pid: u32| fs::read_link(format!("/proc/{pid}/exe")).ok();
    let children =
        fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = children
        .split_whitespace()
        .filter_map(|word| word.parse().ok());
    children
        .filter(|child| program(*child) == program(pid))
        .collect()
}

/// What its helpers add: memory that is not shared with it.
fn helper_memory(pid: u32) -> f64 {
    let private = |pid: u32| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let lines = rollup.lines().filter(|line| line.starts_with("Private_"));
        let words = lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        words.sum::<f64>() / 1024.0
    };
    helpers(pid).into_iter().map(private).sum()
}
