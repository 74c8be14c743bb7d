//! Which arguments are ours, and which are claude's.
//!
//! Every argument is claude's, unchanged and in order, except
//! - our own flags `--retry-…`, before the first argument that is not one; `--` ends them;
//! - `ctl` as the very first argument;
//! - `--help`, `-h` or `--version` as the only argument.

use std::ffi::{OsStr, OsString};

use crate::config::{self, Setting};
use crate::error::{Error, nearest};

/// What the arguments ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run the CLI.
    Run {
        /// Our flags, by setting, in the order given.
        flags: Vec<(&'static Setting, String)>,
        /// claude's arguments.
        args: Vec<OsString>,
    },
    /// Our own help.
    Help,
    /// Our own version.
    Version,
    /// One of our verbs, with its arguments.
    Ctl(Vec<OsString>),
}

/// What begins a flag of ours.
pub const PREFIX: &str = "--retry-";

/// Reads the arguments, without the program's name.
///
/// # Errors
///
/// [`Error::UnknownFlag`], [`Error::MissingValue`], and [`Error::BadValue`] for a value that is not UTF-8.
pub fn parse(args: Vec<OsString>) -> Result<Command, Error> {
    match args.as_slice() {
        [only] if only == "--help" || only == "-h" => return Ok(Command::Help),
        [only] if only == "--version" => return Ok(Command::Version),
        [first, ..] if first == "ctl" => return Ok(Command::Ctl(args[1..].to_vec())),
        _ => {}
    }
    let mut flags = Vec::new();
    let mut rest = args.into_iter().peekable();
    while let Some(arg) = rest.peek() {
        if arg == "--" {
            rest.next();
            break;
        }
        let Some(name) = strip(arg) else { break };
        rest.next();
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(OsString::from(value))),
            None => (name, None),
        };
        let flag = format!("{PREFIX}{name}");
        let setting = config::setting(&name).ok_or_else(|| Error::UnknownFlag {
            near: nearest(&name, config::SETTINGS.iter().map(|setting| setting.name))
                .map(|near| format!("{PREFIX}{near}")),
            flag: flag.clone(),
        })?;
        // What begins with a dash is somebody's flag: a value that does is written with `=`.
        let next = || rest.next_if(|next| !next.as_encoded_bytes().starts_with(b"-"));
        let value = match setting.bare {
            // What follows is claude's, unless it can only be the value.
            Some(bare) => value.or_else(|| {
                let choice = |next: &OsString| setting.choices.iter().any(|choice| next == choice);
                Some(rest.next_if(choice).unwrap_or_else(|| bare.into()))
            }),
            None => value.or_else(next),
        };
        let value = value.ok_or(Error::MissingValue {
            flag: flag.clone(),
            example: setting.example,
        })?;
        let value = value.into_string().map_err(|value| Error::BadValue {
            name: setting.name,
            value: value.to_string_lossy().into_owned(),
            origin: crate::error::Origin::Flag(flag),
            remedy: "it must be UTF-8".into(),
        })?;
        flags.push((setting, value));
    }
    Ok(Command::Run {
        flags,
        args: rest.collect(),
    })
}

/// The flag's name and what follows it, if it is named like one of ours.
fn strip(arg: &OsStr) -> Option<String> {
    arg.to_string_lossy()
        .strip_prefix(PREFIX)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn os(args: &[&str]) -> Vec<OsString> {
        args.iter().map(OsString::from).collect()
    }

    fn run(args: &[&str]) -> (Vec<(&'static str, String)>, Vec<OsString>) {
        match parse(os(args)).expect("good arguments") {
            Command::Run { flags, args } => {
                let flags = flags.into_iter().map(|(s, v)| (s.name, v)).collect();
                (flags, args)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ours_come_first_and_the_rest_is_claudes() {
        let (flags, args) = run(&["--retry-cap", "10s", "--retry-base=2s", "--resume", "abc"]);
        assert_eq!(flags, [("cap", "10s".into()), ("base", "2s".into())]);
        assert_eq!(args, os(&["--resume", "abc"]));
    }

    #[test]
    fn after_the_first_of_claudes_nothing_is_ours() {
        let given = ["--resume", "--retry-cap", "--", "ctl", "--help"];
        let (flags, args) = run(&given);
        assert!(flags.is_empty());
        assert_eq!(args, os(&given));
    }

    #[test]
    fn two_dashes_end_ours_and_only_the_first_are_dropped() {
        assert_eq!(run(&["--", "--help"]).1, os(&["--help"]));
        assert_eq!(
            run(&["--retry-cap", "10s", "--", "--retry-cap", "--"]).1,
            os(&["--retry-cap", "--"])
        );
    }

    #[test]
    fn a_switch_may_stand_without_its_value() {
        for (given, value, rest) in [
            (&["--retry-quiet", "-p", "hi"][..], "on", &["-p", "hi"][..]),
            (&["--retry-quiet", "say hi", "-p"], "on", &["say hi", "-p"]),
            (&["--retry-quiet", "off", "-p"], "off", &["-p"]),
            (&["--retry-quiet=off", "-p"], "off", &["-p"]),
            (&["--retry-quiet"], "on", &[]),
        ] {
            let (flags, args) = run(given);
            assert_eq!(flags, [("quiet", value.to_owned())], "{given:?}");
            assert_eq!(args, os(rest), "{given:?}");
        }
    }

    #[test]
    fn help_and_version_are_ours_only_alone() {
        assert_eq!(parse(os(&["--help"])).ok(), Some(Command::Help));
        assert_eq!(parse(os(&["-h"])).ok(), Some(Command::Help));
        assert_eq!(parse(os(&["--version"])).ok(), Some(Command::Version));
        assert_eq!(run(&["--help", "x"]).1, os(&["--help", "x"]));
        assert_eq!(run(&["-v"]).1, os(&["-v"]));
    }

    #[test]
    fn ctl_is_ours_only_as_the_first() {
        assert_eq!(
            parse(os(&["ctl", "config"])).ok(),
            Some(Command::Ctl(os(&["config"])))
        );
        assert_eq!(run(&["--", "ctl"]).1, os(&["ctl"]));
        assert_eq!(run(&["-c", "ctl"]).1, os(&["-c", "ctl"]));
    }

    #[test]
    fn claudes_arguments_need_not_be_text() {
        let odd = OsString::from_vec(vec![0xff, b'a']);
        let parsed = parse(vec![odd.clone(), odd.clone()]).expect("claude's own");
        assert!(matches!(parsed, Command::Run { args, .. } if args == [odd.clone(), odd.clone()]));
    }

    #[test]
    fn what_is_wrong_with_a_flag_is_said() {
        let error = |args: &[&str]| parse(os(args)).expect_err("bad").to_string();
        assert_eq!(
            error(&["--retry-capp", "1s"]),
            "unknown flag --retry-capp (did you mean --retry-cap?); `claude-retry --help` lists them, and `--` before it hands it to claude"
        );
        for args in [&["--retry-cap"][..], &["--retry-cap", "--resume", "x"]] {
            assert_eq!(
                error(args),
                "--retry-cap needs a value: --retry-cap 30s (with = if it begins with a dash)"
            );
        }
    }
}
