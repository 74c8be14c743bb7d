//! The reference of our command line, made from the table of settings: help, completions, the manual.
//!
//! Only `ctl` is parsed by it; the other arguments are claude's (see [`crate::cli`]).

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command};
use clap_complete::Shell;

use crate::config::{SETTINGS, Settings};
use crate::error::Error;

const ABOUT: &str =
    "Runs the Claude Code CLI and resumes a session that a transient API error stopped";

/// `claude-retry ctl`.
pub(super) fn ctl() -> Command {
    let shells = || {
        Arg::new("shell")
            .value_name("SHELL")
            .help("the shell to write it for")
    };
    Command::new("ctl")
        .about("Our own verbs")
        .disable_help_subcommand(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("config")
                .about("Print the settings and where each came from")
                .arg(
                    Arg::new("wordings")
                        .long("wordings")
                        .action(ArgAction::SetTrue)
                        .help("print the built-in wordings of errors instead, with their names"),
                ),
        )
        .subcommand(
            Command::new("completions")
                .about("Print completions for a shell")
                .arg(
                    shells()
                        .required(true)
                        .value_parser(clap::value_parser!(Shell)),
                ),
        )
        .subcommand(Command::new("man").about("Print the manual page"))
        .subcommand(
            Command::new("alias")
                .about("Print the line that makes claude mean claude-retry")
                .arg(shells()),
        )
        .subcommand(Command::new("demo").about("Show it at work, with no CLI, account or network"))
        .subcommand(explain())
        .subcommand(hook())
        .subcommand(
            Command::new("doctor")
                .about("Look for what would keep it from working; exit code 1 on a problem, else 0")
                .arg(json("the same as one JSON object")),
        )
        .subcommand(log())
        .subcommand(record())
        .subcommand(stats())
        .subcommand(tmux())
}

fn json(what: &'static str) -> Arg {
    Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .help(what)
}

fn since() -> Arg {
    Arg::new("since")
        .long("since")
        .value_name("SPAN")
        .help("nothing older than this: 7d, 12h, 90m")
}

/// `claude-retry ctl log`.
fn log() -> Command {
    Command::new("log")
        .about("Print the recent decisions from the log, in words")
        .arg(since())
        .arg(
            Arg::new("number")
                .short('n')
                .value_name("NUMBER")
                .value_parser(clap::value_parser!(u32))
                .default_value_if("since", clap::builder::ArgPredicate::IsPresent, None)
                .default_value(super::log::SHOWN)
                .help("so many, the newest; with --since all"),
        )
        .arg(
            Arg::new("witnesses")
                .long("witnesses")
                .short('w')
                .action(ArgAction::SetTrue)
                .help("with what each verdict was drawn from"),
        )
        .arg(json(
            "the records as they were written, one JSON object a line",
        ))
}

/// `claude-retry ctl stats`.
fn stats() -> Command {
    Command::new("stats")
        .about("Print what the log adds up to: errors, resumes, time waited and saved")
        .arg(since())
        .arg(json("the same figures as one JSON object"))
}

/// `claude-retry ctl explain`.
fn explain() -> Command {
    let path = |name: &'static str| Arg::new(name).value_parser(clap::value_parser!(PathBuf));
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    Command::new("explain")
        .about("Tell from a recording what it decides, and why")
        .arg(
            path("file")
                .value_name("FILE")
                .required(true)
                .help("an asciicast v2 or v3, or, with --size, a raw capture"),
        )
        .arg(
            path("transcript")
                .long("transcript")
                .value_name("FILE")
                .help("the session's transcript; else FILE's name with .transcript.jsonl for .cast, if it is there"),
        )
        .arg(
            Arg::new("size")
                .long("size")
                .value_name("COLSxROWS")
                .help("the terminal's size, for a raw capture"),
        )
        .arg(flag("screen").help("show the screen at each verdict"))
        .arg(flag("json").help("print one JSON object a line"))
        .arg(
            flag("my-settings")
                .help("decide by your settings, not by those that a recording of our own was made with"),
        )
}

/// `claude-retry ctl hook`.
fn hook() -> Command {
    let project = || {
        Arg::new("project")
            .long("project")
            .action(ArgAction::SetTrue)
            .help("in .claude/settings.local.json of this folder, for sessions in it alone")
    };
    let yes = || {
        Arg::new("yes")
            .long("yes")
            .short('y')
            .action(ArgAction::SetTrue)
            .help("do not ask")
    };
    Command::new("hook")
        .about("Resume sessions that run without the wrapper: install, remove, status")
        .disable_help_subcommand(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("install")
                .about("Put our StopFailure hook into Claude Code's settings.json")
                .arg(project())
                .arg(yes()),
        )
        .subcommand(
            Command::new("remove")
                .about("Take it out again")
                .arg(project())
                .arg(yes()),
        )
        .subcommand(Command::new("status").about(
            "Say where it is installed and whether it can run; exit code 0 if it can, else 1",
        ))
        // What Claude Code runs. It is not parsed here: see `hook::answer`.
        .subcommand(Command::new("run").hide(true))
}

/// `claude-retry ctl record`.
fn record() -> Command {
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    Command::new("record")
        .about("Run the CLI as claude-retry does, and record it for `ctl explain` or a bug report")
        .override_usage("claude-retry ctl record [OPTIONS] [-- [--retry-NAME VALUE]... [claude's arguments]...]")
        .arg(
            Arg::new("output")
                .long("output")
                .short('o')
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help("the asciicast to write [claude-retry-<time>.cast]; the transcript goes beside it, without its text"),
        )
        .arg(flag("input").help("keep what is typed as it is; else each character of text becomes x"))
        .arg(flag("overwrite").help("replace files that are there already"))
        .arg(
            Arg::new("args")
                .value_name("claude's arguments")
                .num_args(0..)
                .last(true)
                .value_parser(clap::value_parser!(OsString))
                .help("as behind claude-retry, --retry-… flags first"),
        )
}

/// `claude-retry ctl tmux`.
fn tmux() -> Command {
    let watch = Command::new("watch")
        .about("Resume sessions in panes whose claude was started without claude-retry, until q, Ctrl+C or a signal")
        .arg(
            Arg::new("target")
                .short('t')
                .long("target")
                .value_name("TARGET")
                .help("a session, window or pane, as tmux names them [the current session]"),
        )
        .arg(
            Arg::new("all")
                .long("all")
                .action(ArgAction::SetTrue)
                .conflicts_with("target")
                .help("every session of the server, those to come as well"),
        )
        .arg(
            Arg::new("socket-name")
                .short('L')
                .value_name("NAME")
                .help("the server's socket by its name, as in tmux -L"),
        )
        .arg(
            Arg::new("socket-path")
                .short('S')
                .value_name("PATH")
                .value_parser(clap::value_parser!(PathBuf))
                .conflicts_with("socket-name")
                .help("the server's socket by its path, as in tmux -S [that of $TMUX, else tmux's default]"),
        );
    Command::new("tmux")
        .about("Watch tmux panes that run the CLI without the wrapper: watch, setup")
        .disable_help_subcommand(true)
        .arg_required_else_help(true)
        .subcommand(watch)
        .subcommand(
            Command::new("setup")
                .about("Print the lines for tmux.conf that show each pane's countdown"),
        )
}

/// All of `claude-retry`, for the documentation only.
fn whole() -> Command {
    let mut command = Command::new("claude-retry")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .disable_help_flag(true)
        .about(ABOUT)
        .disable_help_subcommand(true)
        .override_usage(
            "claude-retry [--retry-NAME VALUE]... [claude's arguments]...\n       claude-retry ctl VERB",
        );
    for setting in SETTINGS {
        let mut arg = Arg::new(setting.name)
            .long(format!("retry-{}", setting.name))
            .value_name(setting.value)
            .action(ArgAction::Set)
            .help(setting.help);
        if !setting.choices.is_empty() {
            arg = arg
                .value_name("CHOICE")
                .value_parser(PossibleValuesParser::new(setting.choices));
        }
        if setting.bare.is_some() {
            arg = arg.num_args(0..=1);
        }
        command = command.arg(arg);
    }
    let alone = |name: &'static str, what: &str| {
        let help = format!("{what}, as the only argument; claude's: claude-retry -- --{name}");
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    command
        .arg(alone("help", "our own help").short('h'))
        .arg(alone("version", "our own version"))
        .arg(
            Arg::new("args")
                .value_name("claude's arguments")
                .num_args(0..)
                .trailing_var_arg(true)
                .help("passed to claude unchanged and in order"),
        )
        .subcommand(ctl())
}

/// `claude-retry --version`.
pub fn version() -> String {
    format!(
        "claude-retry {}\n(claude's own: claude-retry -- --version)\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// `claude-retry --help`.
pub fn help() -> String {
    let mut text = format!(
        "{ABOUT}.

Usage: claude-retry [--retry-…]… [claude's arguments]…
       claude-retry ctl <verb>

Every argument is claude's, except our flags before the first of claude's (-- ends
them), and ctl as the very first. For claude's own help: claude-retry -- --help

Settings, as flags, as variables CLAUDE_RETRY_NAME, and as keys in claude-retry/config.toml under
$XDG_CONFIG_HOME or ~/.config; a flag beats a variable beats the file beats the [default]:
"
    );
    for setting in SETTINGS {
        let flag = format!("--retry-{} {}", setting.name, setting.value);
        let default = match setting.name {
            "log" => "in the state folder".to_owned(),
            _ => setting.show(&Settings::default()),
        };
        let _ = writeln!(text, "  {flag}\n        {} [{default}]", setting.help);
    }
    text += "
Verbs:
";
    for verb in ctl().get_subcommands() {
        let about = verb
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        let _ = writeln!(text, "  ctl {:<12} {about}", verb.get_name());
    }
    text += "
While it counts down: Enter on the empty prompt resumes now, Ctrl+C on it cancels, typing pauses.
";
    text
}

/// Completions for a shell.
pub(super) fn completions(shell: Shell) -> Vec<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut whole(), "claude-retry", &mut text);
    text
}

/// The manual page, in roff.
pub(super) fn man() -> Result<Vec<u8>, Error> {
    let failed = |error: std::io::Error| Error::Own(format!("failed to write: {error}"));
    let mut text = Vec::new();
    let man = clap_mangen::Man::new(whole()).section("1");
    man.render_title(&mut text).map_err(failed)?;
    man.render_name_section(&mut text).map_err(failed)?;
    man.render_synopsis_section(&mut text).map_err(failed)?;
    man.render_description_section(&mut text).map_err(failed)?;
    man.render_options_section(&mut text).map_err(failed)?;
    let mut more = String::from(".SH VERBS\n");
    for verb in ctl().get_subcommands() {
        let about = verb
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        let _ = write!(more, ".TP\n\\fBctl {}\\fR\n{about}.\n", verb.get_name());
    }
    more += ".SH ENVIRONMENT\n";
    for setting in SETTINGS {
        let _ = write!(
            more,
            ".TP\n\\fB{}\\fR\nas \\-\\-retry\\-{}\n",
            setting.env(),
            setting.name.replace('-', "\\-")
        );
    }
    more += ".PP\nA flag beats the environment, the environment beats the file, the file beats the default.
.TP
\\fBCLAUDE_RETRY\\fR
set for the child: the wrapper's process id and the inner terminal, so that it is not wrapped twice.
.SH FILES
.TP
.I ~/.config/claude-retry/config.toml
the same settings as keys in lower case with underscores ($XDG_CONFIG_HOME is respected)
.TP
.I ~/.local/state/claude-retry/claude-retry.log
the log of decisions ($XDG_STATE_HOME is respected)
.SH EXIT STATUS
claude's own; 128+n when signal n ended it; 2 for a bad setting or argument of ours; 127 and 126 for a
program that is not found or not executable; 125 for a failure of our own.
";
    text.extend_from_slice(more.as_bytes());
    Ok(text)
}
