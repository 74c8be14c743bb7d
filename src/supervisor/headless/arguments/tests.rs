use super::*;

const ID: &str = "0b6f34c5-0c7a-4a1e-9b57-d6f1a8f2c001";
const OURS: &str = "aaaaaaaa-0c7a-4a1e-9b57-d6f1a8f2c001";

fn read(line: &[&str]) -> Invocation {
    let args: Vec<_> = line.iter().map(OsString::from).collect();
    Invocation::read(&args)
}

fn text(args: &[OsString]) -> Vec<&str> {
    args.iter().filter_map(|arg| arg.to_str()).collect()
}

/// The arguments that resume it, without the end that all have.
fn kept(line: &[&str]) -> Vec<String> {
    let args = read(line).resumed(ID, Some("continue"));
    let args = text(&args);
    let (kept, end) = args.split_at(args.len() - 3);
    assert_eq!(end, ["--resume", ID, "continue"], "{line:?}");
    kept.iter().map(|&arg| arg.to_owned()).collect()
}

#[test]
fn the_prompt_goes_and_all_other_arguments_stay_wherever_it_stands() {
    let cases: &[(&[&str], &[&str])] = &[
        (&["-p", "hello"], &["-p"]),
        (&["hello", "-p"], &["-p"]),
        (
            &["-p", "--model", "opus", "hello there"],
            &["-p", "--model", "opus"],
        ),
        (
            &["--model=opus", "hello", "--print"],
            &["--model=opus", "--print"],
        ),
        (&["-p", "hello", "world"], &["-p"]),
        (&["-p", "--", "-x"], &["-p"]),
        (
            &["-p", "--verbose", "--", "--model", "x"],
            &["-p", "--verbose"],
        ),
        (&["-p"], &["-p"]),
        (&["-p", "-"], &["-p"]),
        (&["-p", ""], &["-p"]),
        // A required value is taken whatever it looks like.
        (
            &["-p", "--system-prompt", "-p", "hi"],
            &["-p", "--system-prompt", "-p"],
        ),
        (
            &["--settings", "{}", "hi", "-p"],
            &["--settings", "{}", "-p"],
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(kept(line), *expected, "{line:?}");
    }
}

#[test]
fn a_list_takes_words_up_to_the_next_option() {
    let cases: &[(&[&str], &[&str])] = &[
        (
            &["-p", "hi", "--allowedTools", "Bash(git *)", "Edit"],
            &["-p", "--allowedTools", "Bash(git *)", "Edit"],
        ),
        // The CLI takes this one for a tool, too, and reads the prompt from stdin.
        (
            &["-p", "--allowed-tools", "Bash", "hi"],
            &["-p", "--allowed-tools", "Bash", "hi"],
        ),
        (
            &["-p", "--add-dir", "a", "b", "--verbose", "hi"],
            &["-p", "--add-dir", "a", "b", "--verbose"],
        ),
        (&["-p", "--tools", "", "--", "hi"], &["-p", "--tools", ""]),
        // Behind `=` stands the only one.
        (&["-p", "--mcp-config=a", "hi"], &["-p", "--mcp-config=a"]),
        (
            &["-p", "--allowedTools=Bash", "hi", "-d"],
            &["-p", "--allowedTools=Bash", "-d"],
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(kept(line), *expected, "{line:?}");
    }
}

#[test]
fn an_optional_value_is_no_option() {
    let cases: &[(&[&str], &[&str])] = &[
        (&["-p", "-d", "api", "hi"], &["-p", "-d", "api"]),
        (&["-p", "-d", "--verbose", "hi"], &["-p", "-d", "--verbose"]),
        (&["-dapi", "-p", "hi"], &["-dapi", "-p"]),
        (&["--debug=api", "-p", "hi"], &["--debug=api", "-p"]),
        (&["-d2e", "-p", "hi"], &["-d2e", "-p"]),
    ];
    for (line, expected) in cases {
        assert_eq!(kept(line), *expected, "{line:?}");
    }
}

#[test]
fn what_chose_the_session_goes() {
    for line in [
        &["-p", "-c", "hi"][..],
        &["-cp", "hi"],
        &["-pc", "hi"],
        &["-p", "--continue", "hi"],
        &["-p", "-r", OURS, "hi"],
        &["-p", "--resume", OURS, "hi"],
        &["-p", "--resume=a name", "hi"],
        &["-p", "--resume", "--", "hi"],
        &["-pr", OURS, "hi"],
        &["-p", "--session-id", OURS, "hi"],
        &["-p", "--session-id=x", "hi"],
        &["-p", "-c", "--fork-session", "hi"],
        &["-p", "--from-pr", "17", "hi"],
        &["-p", "-c", "--resume-session-at", "x", "hi"],
    ] {
        assert_eq!(kept(line), ["-p"], "{line:?}");
    }
}

#[test]
fn the_session_is_told_by_the_options() {
    let id = || Some(OURS.to_owned());
    let cases: &[(&[&str], Session)] = &[
        (&["-p", "hi"], Session::New(None)),
        (&["-p", "--session-id", OURS, "hi"], Session::New(id())),
        (&["-p", "--session-id=x"], Session::New(Some("x".into()))),
        (&["-p", "-r", OURS], Session::Resumed(OURS.into())),
        (&["-p", &format!("-r{OURS}")], Session::Resumed(OURS.into())),
        (&["-p", "--resume", "my session"], Session::Found),
        (&["-p", "--resume"], Session::Found),
        (&["-cp"], Session::Found),
        (&["-p", "--from-pr=17"], Session::Found),
        (&["-p", "-c", "--fork-session"], Session::Fork(None)),
        (
            &["-p", "-r", OURS, "--fork-session", "--session-id", OURS],
            Session::Fork(id()),
        ),
    ];
    for (line, session) in cases {
        assert_eq!(read(line).session, *session, "{line:?}");
    }
}

#[test]
fn a_new_session_and_a_fork_get_an_id_of_ours_and_no_other_does() {
    let first = |line: &[&str]| {
        let (args, id) = read(line).first(ID);
        let args: Vec<String> = text(&args).into_iter().map(str::to_owned).collect();
        (args, id)
    };
    for line in [&["-p", "hi"][..], &["-p", "-c", "--fork-session", "hi"]] {
        let (args, id) = first(line);
        assert_eq!(args, [&["--session-id", ID], line].concat());
        assert_eq!(id.as_deref(), Some(ID));
    }
    for (line, id) in [
        (&["-p", "-c", "hi"][..], None),
        (&["-p", "-r", OURS, "hi"], Some(OURS)),
        (&["-p", "--session-id", OURS, "hi"], Some(OURS)),
    ] {
        assert_eq!(
            first(line),
            (
                line.iter().map(|&arg| arg.to_owned()).collect(),
                id.map(str::to_owned)
            )
        );
    }
}

#[test]
fn the_format_is_the_last_one_given() {
    let cases: &[(&[&str], Format, bool)] = &[
        (&["-p"], Format::Text, false),
        (&["-p", "--output-format", "json"], Format::Json, false),
        (
            &["-p", "--output-format=stream-json"],
            Format::StreamJson,
            false,
        ),
        (
            &["-p", "--output-format", "json", "--output-format", "text"],
            Format::Text,
            false,
        ),
        (
            &[
                "--input-format",
                "stream-json",
                "--output-format",
                "stream-json",
            ],
            Format::StreamJson,
            true,
        ),
        (
            &["-p", "--", "--output-format", "json"],
            Format::Text,
            false,
        ),
        (
            &["-p", "--system-prompt", "--output-format", "json"],
            Format::Text,
            false,
        ),
    ];
    for (line, format, stream) in cases {
        let read = read(line);
        assert_eq!(
            (read.format, read.stream_input),
            (*format, *stream),
            "{line:?}"
        );
    }
}

#[test]
fn it_is_headless_with_print_or_without_a_terminal_unless_it_may_be_a_verb() {
    for line in [
        &["-p"][..],
        &["--print"],
        &["--resume", "x", "-p", "hi"],
        &["-cp"],
        &["-pc"],
        // With -p the CLI has no verbs.
        &["-p", "mcp"],
    ] {
        assert!(read(line).is_headless(true), "{line:?}");
        assert!(read(line).is_headless(false), "{line:?}");
    }
    for line in [
        &[][..],
        &["-c"],
        &["hello there"],
        &["--", "hello -p"],
        &["--model", "opus"],
        &["--allowedTools", "-p"],
    ] {
        assert!(!read(line).is_headless(true), "{line:?}");
        assert!(read(line).is_headless(false), "{line:?}");
    }
    for line in [
        &["mcp", "serve"][..],
        &["--debug", "api", "mcp", "serve"],
        &["update"],
        &["--", "-p"],
        &["p"],
        &["-p", "--bg", "hi"],
        &["-p", "--cloud"],
        &["--teleport", "x"],
        &["-p", "-v"],
        &["--help", "x"],
        &["--init-only"],
        &["--future", "mcp", "serve"],
    ] {
        assert!(!read(line).is_headless(true), "{line:?}");
        assert!(!read(line).is_headless(false), "{line:?}");
    }
}

const HELP: &str = "Usage: claude [options]
  -q, --quick                 Be quick
  --depth <n>                 How deep --shade goes
  --shade [colour]
      In the shade
  --many, --very-many <of...>  Many
";

#[test]
fn an_option_that_is_not_known_is_asked_for_where_a_word_follows() {
    let unknown = |line: &[&str]| read(line).obstacle().cloned();
    let some = |name: &str| Some(Obstacle::Unknown(name.into()));
    assert_eq!(unknown(&["-p", "--depth", "3", "hi"]), some("--depth"));
    assert_eq!(unknown(&["-p", "-q", "hi"]), some("-q"));
    for line in [
        &["-p", "hi", "--depth"][..],
        &["-p", "--depth=3", "hi"],
        &["-p", "--depth", "--verbose", "hi"],
        &["-p", "--quick", "--", "hi"],
    ] {
        assert_eq!(unknown(line), None, "{line:?}");
    }
    let with_help = |line: &[&str]| {
        let read = read(line).with_help(HELP);
        let args = read.resumed(ID, None);
        let kept = text(&args)[..args.len() - 2].join(" ");
        (kept, read.obstacle().cloned())
    };
    let cases: &[(&[&str], &str)] = &[
        (&["-p", "--depth", "3", "hi"], "-p --depth 3"),
        (&["-p", "-q", "hi"], "-p -q"),
        (&["-p", "--shade", "red", "hi"], "-p --shade red"),
        (
            &["-p", "--very-many", "a", "b", "-q", "hi"],
            "-p --very-many a b -q",
        ),
    ];
    for (line, kept) in cases {
        assert_eq!(with_help(line), ((*kept).to_owned(), None), "{line:?}");
    }
    assert_eq!(with_help(&["-p", "--deep", "3", "hi"]).1, some("--deep"));
}

#[test]
fn what_leaves_nothing_to_resume_is_an_obstacle() {
    let obstacle = |line: &[&str]| read(line).obstacle().cloned();
    assert_eq!(obstacle(&["-p", "hi"]), None);
    assert_eq!(
        obstacle(&["-p", "--no-session-persistence", "hi"]),
        Some(Obstacle::Unsaved)
    );
    for line in [
        &["-p", "-w", "x", "hi"][..],
        &["-p", "--worktree", "--", "hi"],
    ] {
        assert_eq!(obstacle(line), Some(Obstacle::Worktree), "{line:?}");
    }
}

#[test]
fn a_message_that_begins_with_a_dash_is_no_option() {
    let args = read(&["-p", "hi"]).resumed(ID, Some("-go"));
    assert_eq!(text(&args), ["-p", "--resume", ID, "--", "-go"]);
}

#[test]
fn what_is_no_text_is_passed_on() {
    let odd = OsString::from_vec(vec![0xff, b'a']);
    let args = [
        "-p".into(),
        "--system-prompt".into(),
        odd.clone(),
        odd.clone(),
    ];
    let resumed = Invocation::read(&args).resumed(ID, None);
    assert_eq!(resumed[..3], args[..3]);
    assert_eq!(resumed.len(), 5);
}

#[test]
fn the_table_has_each_spelling_once() {
    let mut names: Vec<_> = table::OPTIONS
        .iter()
        .flat_map(|option| option.names)
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn a_pipe_as_a_value_is_an_obstacle_and_the_prompt_is_none() {
    let option = |line: &[&str]| match read(line).obstacle() {
        Some(Obstacle::Pipe(option)) => Some(option.clone()),
        _ => None,
    };
    for (line, expected) in [
        (
            &["-p", "--settings", "/dev/fd/63", "hi"][..],
            Some("--settings"),
        ),
        (
            &["-p", "--mcp-config=/dev/fd/63", "hi"],
            Some("--mcp-config"),
        ),
        (
            &["-p", "--mcp-config", "a", "/proc/self/fd/11", "-d"],
            Some("--mcp-config"),
        ),
        (
            &["-p", "--settings", "/dev/stdin", "--no-session-persistence"],
            Some("--settings"),
        ),
        (&["-p", "--settings", "a", "/dev/fd/63"], None),
    ] {
        assert_eq!(option(line).as_deref(), expected, "{line:?}");
    }
}
