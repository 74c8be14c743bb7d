//! Stdin, stdout and stderr, whatever they are: where there is nothing to supervise the wrapper becomes the CLI, a
//! run without a terminal gets pipes, and where there is a terminal a redirected stderr stays redirected.
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of waits on the outside"
)]

#[path = "support/pty.rs"]
mod pty;

use std::fs;
use std::process::Stdio;

use pty::{CLAUDE_RETRY, Terminal, bare, script, wrapped};

/// What each may be, in a shell's words; empty is the terminal.
const INPUTS: [&str; 6] = ["", "<input", "</dev/null", "<&-", "<.", "PIPE"];
const OUTPUTS: [&str; 6] = ["", ">output", ">/dev/null", ">&-", ">/dev/full", "PIPE"];
const ERRORS: [&str; 5] = ["", "2>errors", "2>/dev/null", "2>&-", "2>&1"];

/// The CLI: it reads, writes to both, and notes what came of it in a file that it opens by name.
const CHILD: &str = r#"
    note() { echo "$@" >> facts; }
    note child=$$
    for fd in 0 1 2; do note $fd=$(readlink /proc/$$/fd/$fd | sed 's/\[.*//'); done
    line=none; read line; note read=$? line="$line"
    printf 'out\tput\n'; note out=$?
    echo errors >&2; note err=$?
    exit 7"#;

/// One word, as a verb is; the program's arguments then are not a prompt.
const VERB: &str = "./child";
/// The script itself: a prompt by its looks.
const PROMPT: &str = "-c \"$CHILD\"";

/// Runs it, under a shell in a terminal, with these redirections. `$1` is the program.
const AROUND: &str = r#"
    : > facts; stty -echo; echo ready
    run() { echo us=$BASHPID >> facts; eval "exec \"\$1\" $ARGS"; }
    case $PIPED in
        in) printf 'line\n' | eval "(run \"\$1\") $REDIRECTED"; code=$? ;;
        out) eval "(run \"\$1\") $REDIRECTED" | cat > output; code=${PIPESTATUS[0]} ;;
        both) printf 'line\n' | eval "(run \"\$1\") $REDIRECTED" | cat > output; code=${PIPESTATUS[1]} ;;
        *) eval "(run \"\$1\") $REDIRECTED"; code=$? ;;
    esac
    echo code=$code >> facts"#;

/// Everything that can be seen of a run: the terminal, the files, what the child noted.
fn run(program: &str, args: &str, [stdin, stdout, stderr]: [&str; 3]) -> Vec<String> {
    let tmp = tempfile::tempdir().expect("a folder");
    fs::write(tmp.path().join("input"), "line\nmore\n").expect("the input");
    fs::write(tmp.path().join("child"), CHILD).expect("the script");
    let piped = match (stdin, stdout) {
        ("PIPE", "PIPE") => "both",
        ("PIPE", _) => "in",
        (_, "PIPE") => "out",
        _ => "",
    };
    let redirected = [stdin, stdout, stderr].map(|word| word.trim_start_matches("PIPE"));
    let mut command = script(bare("/bin/bash"), AROUND, &[program]);
    command
        .current_dir(tmp.path())
        .env("CLAUDE_RETRY_PROGRAM", "/bin/sh")
        .env("CHILD", CHILD)
        .env("ARGS", args)
        .env("PIPED", piped)
        .env("REDIRECTED", redirected.join(" "));
    let mut terminal = Terminal::start(command);
    terminal.expect("ready\r\n");
    terminal.send(b"line\n");
    let (shown, status) = terminal.finish();
    assert!(status.success(), "{}", shown.escape_ascii());
    let read = |name| fs::read(tmp.path().join(name)).unwrap_or_default();
    let mut seen = vec![format!("shown {}", shown.escape_ascii())];
    for file in ["output", "errors"] {
        seen.push(format!("{file} {}", read(file).escape_ascii()));
    }
    let facts = String::from_utf8(read("facts")).expect("text");
    let place = tmp.path().to_string_lossy().into_owned();
    seen.extend(facts.lines().map(|line| line.replace(&place, "")));
    seen
}

/// Takes the line of this name.
fn take(seen: &mut Vec<String>, name: &str) -> String {
    let at = seen.iter().position(|line| line.starts_with(name));
    seen.remove(at.unwrap_or_else(|| panic!("no {name} in {seen:#?}")))[name.len()..].to_owned()
}

fn on_a_terminal([stdin, stdout, _]: [&str; 3]) -> bool {
    stdin.is_empty() && stdout.is_empty()
}

/// Each with each: the same process, the same descriptors (a closed one is closed), the same bytes, the
/// same code.
#[test]
fn without_a_terminal_on_both_sides_it_becomes_the_program() {
    let mut cases = Vec::new();
    for stdin in INPUTS {
        for stdout in OUTPUTS {
            cases.extend(ERRORS.map(|stderr| [stdin, stdout, stderr]));
        }
    }
    cases.retain(|case| !on_a_terminal(*case));
    // A shell refuses to copy what is closed.
    cases.retain(|[_, stdout, stderr]| (*stdout, *stderr) != (">&-", "2>&1"));
    assert_eq!(cases.len(), 6 * 6 * 5 - 5 - 6);
    for case in cases {
        let (mut with, mut without) = (run(CLAUDE_RETRY, VERB, case), run("/bin/sh", VERB, case));
        assert_eq!(
            take(&mut with, "us="),
            take(&mut with, "child="),
            "{case:?}"
        );
        for name in ["us=", "child="] {
            take(&mut without, name);
        }
        // Each run has a terminal of its own.
        for seen in [&mut with, &mut without] {
            for line in seen {
                if let Some((before, _)) = line.split_once("/dev/pts/") {
                    *line = format!("{before}a terminal");
                }
            }
        }
        assert_eq!(with, without, "{case:?}");
        assert!(with.contains(&"code=7".to_owned()), "{case:?}: {with:#?}");
    }
}

/// The same for what may be a prompt, where stdout is no terminal: a process of its own with pipes, and to be seen is
/// what is seen without us.
#[test]
fn a_run_without_a_terminal_gets_pipes_and_all_else_as_it_is() {
    for stdin in INPUTS {
        for stdout in [">output", "PIPE"] {
            for stderr in ["2>errors", "2>&-"] {
                let case = [stdin, stdout, stderr];
                let mut with = run(CLAUDE_RETRY, PROMPT, case);
                let mut without = run("/bin/sh", PROMPT, case);
                assert_ne!(
                    take(&mut with, "us="),
                    take(&mut with, "child="),
                    "{case:?}"
                );
                assert_eq!(take(&mut with, "1="), "pipe:", "{case:?}");
                let (own, bare) = (take(&mut with, "0="), take(&mut without, "0="));
                match stdin {
                    "" => assert!(own.starts_with("/dev/pts/"), "{case:?}: {own}"),
                    "<&-" => assert_eq!(own, bare, "{case:?}"),
                    _ => assert_eq!(own, "pipe:", "{case:?}"),
                }
                for name in ["us=", "child=", "1="] {
                    take(&mut without, name);
                }
                for seen in [&mut with, &mut without] {
                    for line in seen {
                        if let Some((before, _)) = line.split_once("/dev/pts/") {
                            *line = format!("{before}a terminal");
                        }
                    }
                }
                assert_eq!(with, without, "{case:?}");
            }
        }
    }
}

/// Where stdout is closed there is nothing to be held.
#[test]
fn with_stdout_closed_it_becomes_the_program() {
    let mut seen = run(CLAUDE_RETRY, PROMPT, ["<input", ">&-", ""]);
    assert_eq!(take(&mut seen, "us="), take(&mut seen, "child="));
}

#[test]
fn what_cannot_be_written_is_said_and_is_a_failure() {
    let mut seen = run(CLAUDE_RETRY, PROMPT, ["<input", ">/dev/full", "2>errors"]);
    let said = take(&mut seen, "errors ");
    assert!(said.contains("cannot write"), "{said}");
    assert!(seen.contains(&"code=1".to_owned()), "{seen:#?}");
}

/// `claude --debug 2>log`: the terminal shows nothing of it, and the child runs in the pty.
#[test]
fn a_redirected_stderr_stays_redirected_on_a_terminal() {
    for stderr in ["2>errors", "2>/dev/null", "2>&-"] {
        let case = ["", "", stderr];
        let (mut with, mut without) = (run(CLAUDE_RETRY, VERB, case), run("/bin/sh", VERB, case));
        assert_ne!(
            take(&mut with, "us="),
            take(&mut with, "child="),
            "{case:?}"
        );
        for name in ["us=", "child="] {
            take(&mut without, name);
        }
        let terminals = |seen: &mut Vec<String>| ["0=", "1="].map(|name| take(seen, name));
        let [stdin, stdout] = terminals(&mut with);
        assert_eq!(stdin, stdout, "{case:?}");
        assert!(stdin.starts_with("/dev/pts/"), "{case:?}: {stdin}");
        terminals(&mut without);
        assert_eq!(with, without, "{case:?}");
    }
}

/// Where it is the terminal, by whatever name, the child's is its own terminal: what it writes there is
/// drawn by us, in its place.
#[test]
fn a_stderr_on_the_terminal_is_the_childs_terminal() {
    for stderr in ["", "2>/dev/tty", "2>&1"] {
        let mut with = run(CLAUDE_RETRY, VERB, ["", "", stderr]);
        assert_eq!(take(&mut with, "0="), take(&mut with, "2="), "{stderr:?}");
        let shown = take(&mut with, "shown ");
        assert!(shown.contains(r"out\tput\r\nerrors\r\n"), "{shown}");
    }
}

#[test]
fn without_a_terminal_it_becomes_the_program() {
    let mut command = script(
        wrapped("/bin/sh"),
        // One word, as a verb is.
        "echo$IFS$$:${CLAUDE_RETRY-none};exit${IFS}5",
        &[],
    );
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let pid = child.id();
    let output = child.wait_with_output().expect("its output");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("{pid}:none\n")
    );
    assert_eq!(output.status.code(), Some(5));
}

#[test]
fn in_print_mode_it_has_a_child_and_inside_itself_it_becomes_the_program() {
    let pid_in = |terminal: &mut Terminal| terminal.value("pid");
    let mut terminal = Terminal::start(script(wrapped("/bin/sh"), "echo pid=$$", &["-p"]));
    assert_ne!(pid_in(&mut terminal), terminal.pid().to_string(), "-p");
    let mut terminal = Terminal::start(script(wrapped("/bin/sh"), "echo pid=$$", &["--", "-p"]));
    assert_ne!(
        pid_in(&mut terminal),
        terminal.pid().to_string(),
        "a prompt of -p"
    );

    let nested = "echo pid=$$; exec \"$1\" -c 'echo pid=$$'";
    let mut terminal = Terminal::start(script(wrapped("/bin/sh"), nested, &[CLAUDE_RETRY]));
    assert_eq!(
        pid_in(&mut terminal),
        pid_in(&mut terminal),
        "inside itself"
    );

    let mut leaked = script(wrapped("/bin/sh"), "echo pid=$$", &[]);
    leaked.env(
        "CLAUDE_RETRY",
        format!("{}:/dev/pts/none", std::process::id()),
    );
    let mut terminal = Terminal::start(leaked);
    assert_ne!(
        pid_in(&mut terminal),
        terminal.pid().to_string(),
        "on another terminal"
    );
}
