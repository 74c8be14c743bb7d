//! What the wrapper costs, as ratios: against the least pass-through there is (`passthru.c`) and against
//! util-linux `script`, interleaved in one run, in a real pseudo-terminal. `just bench` runs it.
//!
//! Prints a table in Markdown, then the same as JSON, and writes both to `target/overhead.{md,json}`. Arguments
//! name the parts to run: `cargo bench --bench overhead -- keystroke bulk`.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it measures, and prints what it measured"
)]

#[path = "overhead/child.rs"]
mod child;
#[path = "overhead/outer.rs"]
mod outer;
#[path = "overhead/parts.rs"]
mod parts;
#[path = "overhead/report.rs"]
mod report;
#[path = "overhead/streams.rs"]
mod streams;
#[path = "overhead/subject.rs"]
mod subject;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, mode] = args.as_slice()
        && flag == child::FLAG
    {
        return child::run(mode);
    }
    // What cargo hands to every bench.
    let wanted: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let stage = match subject::Stage::new() {
        Ok(stage) => stage,
        Err(reason) => {
            eprintln!("overhead: {reason}");
            return ExitCode::from(2);
        }
    };
    let started = std::time::Instant::now();
    let mut rows = Vec::new();
    for part in parts::ALL {
        if wanted.is_empty() || wanted.iter().any(|name| part.name.contains(name)) {
            eprintln!("{} …", part.name);
            rows.extend((part.run)(&stage));
        }
    }
    let text = report::markdown(&rows);
    let json = report::json(&rows);
    println!("{text}\n{json}");
    eprintln!("took {:.0} s", started.elapsed().as_secs_f64());
    for (suffix, content) in [("md", &text), ("json", &json)] {
        let path = stage.target().join(format!("overhead.{suffix}"));
        if let Err(error) = std::fs::write(&path, content) {
            eprintln!("overhead: {}: {error}", path.display());
            return ExitCode::from(2);
        }
    }
    let missed = rows.iter().filter(|row| row.met() == Some(false)).count();
    if missed > 0 {
        eprintln!("{missed} targets missed");
    }
    ExitCode::SUCCESS
}
