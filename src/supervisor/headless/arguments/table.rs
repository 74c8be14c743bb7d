//! The CLI's options: those of its `--help`, and those that it takes without saying so (2.1.145 and 2.1.330, from
//! the program text).

/// What an option takes, in the terms of its parser (commander.js).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Flag,
    /// `<value>`: the next argument, whatever it is.
    Value,
    /// `[value]`: the next argument, unless it looks like an option.
    Optional,
    /// `<values...>`: the next argument, and those behind it up to one that looks like an option.
    Many,
}

/// What an option means to a run that may be resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Nothing: it is passed on to every run.
    Plain,
    /// `--print`.
    Print,
    /// `--output-format`.
    OutputFormat,
    /// `--input-format`.
    InputFormat,
    /// `--continue`.
    Continue,
    /// `--resume`.
    Resume,
    /// `--session-id`.
    SessionId,
    /// `--fork-session`.
    Fork,
    /// `--from-pr`.
    FromPr,
    /// Done once: a run that is resumed is not to do it again.
    Once,
    /// `--no-session-persistence`: nothing is left to resume.
    Unsaved,
    /// `--worktree`: another one would be made.
    Worktree,
    /// `--settings`: what they say of transcripts is not known here.
    Settings,
    /// There is no run of ours to wait for: the session lives elsewhere, or there is none.
    Elsewhere,
}

/// An option, by its spellings without dashes; one letter is a short one.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    pub names: &'static [&'static str],
    pub takes: Takes,
    pub role: Role,
}

const fn opt(names: &'static [&'static str], takes: Takes, role: Role) -> Opt {
    Opt { names, takes, role }
}

use Role::{
    Continue, Elsewhere, Fork, FromPr, InputFormat, Once, OutputFormat, Plain, Print, Resume,
    SessionId, Settings, Unsaved, Worktree,
};
use Takes::{Flag, Many, Optional, Value};

#[rustfmt::skip]
pub const OPTIONS: &[Opt] = &[
    opt(&["print", "p"], Flag, Print),
    opt(&["output-format"], Value, OutputFormat),
    opt(&["input-format"], Value, InputFormat),
    // Which session.
    opt(&["continue", "c"], Flag, Continue),
    opt(&["resume", "r"], Optional, Resume),
    opt(&["session-id"], Value, SessionId),
    opt(&["fork-session"], Flag, Fork),
    opt(&["from-pr"], Optional, FromPr),
    opt(&["resume-session-at"], Value, Once),
    opt(&["resume-drops-turn"], Value, Once),
    opt(&["init"], Flag, Once),
    opt(&["maintenance"], Flag, Once),
    opt(&["no-session-persistence"], Flag, Unsaved),
    opt(&["worktree", "w"], Optional, Worktree),
    opt(&["tmux"], Flag, Worktree),
    // No run of ours.
    opt(&["help", "h"], Flag, Elsewhere),
    opt(&["version", "v"], Flag, Elsewhere),
    opt(&["bg", "background"], Flag, Elsewhere),
    opt(&["cloud"], Optional, Elsewhere),
    opt(&["teleport"], Optional, Elsewhere),
    opt(&["remote"], Optional, Elsewhere),
    opt(&["environment"], Value, Elsewhere),
    opt(&["desktop"], Flag, Elsewhere),
    opt(&["init-only"], Flag, Elsewhere),
    opt(&["rewind-files"], Value, Elsewhere),
    opt(&["sdk-url"], Value, Elsewhere),
    // Passed on.
    opt(&["add-dir"], Many, Plain),
    opt(&["advisor"], Value, Plain),
    opt(&["agent"], Value, Plain),
    opt(&["agent-color"], Value, Plain),
    opt(&["agent-id"], Value, Plain),
    opt(&["agent-name"], Value, Plain),
    opt(&["agent-type"], Value, Plain),
    opt(&["agents"], Value, Plain),
    opt(&["allow-dangerously-skip-permissions"], Flag, Plain),
    opt(&["allowedTools", "allowed-tools"], Many, Plain),
    opt(&["append-subagent-system-prompt"], Value, Plain),
    opt(&["append-subagent-system-prompt-file"], Value, Plain),
    opt(&["append-system-prompt"], Value, Plain),
    opt(&["append-system-prompt-file"], Value, Plain),
    opt(&["autocompact"], Value, Plain),
    opt(&["ax-screen-reader"], Flag, Plain),
    opt(&["bare"], Flag, Plain),
    opt(&["betas"], Many, Plain),
    opt(&["brief"], Flag, Plain),
    opt(&["channels"], Many, Plain),
    opt(&["chrome"], Flag, Plain),
    opt(&["no-chrome"], Flag, Plain),
    opt(&["cowork"], Flag, Plain),
    opt(&["dangerously-load-development-channels"], Many, Plain),
    opt(&["dangerously-skip-permissions"], Flag, Plain),
    opt(&["debug", "d"], Optional, Plain),
    opt(&["debug-file"], Value, Plain),
    opt(&["debug-to-stderr", "d2e"], Flag, Plain),
    opt(&["disable-slash-commands"], Flag, Plain),
    opt(&["disallowedTools", "disallowed-tools"], Many, Plain),
    opt(&["effort"], Value, Plain),
    opt(&["enable-auth-status"], Flag, Plain),
    opt(&["enable-auto-mode"], Flag, Plain),
    opt(&["exclude-dynamic-system-prompt-sections"], Flag, Plain),
    opt(&["fallback-model"], Value, Plain),
    opt(&["fast-mode"], Value, Plain),
    opt(&["file"], Many, Plain),
    opt(&["forward-subagent-text"], Flag, Plain),
    opt(&["ide"], Flag, Plain),
    opt(&["include-hook-events"], Flag, Plain),
    opt(&["include-partial-messages"], Flag, Plain),
    opt(&["json-schema"], Value, Plain),
    opt(&["managed-settings"], Value, Settings),
    opt(&["max-budget-usd"], Value, Plain),
    opt(&["max-thinking-tokens"], Value, Plain),
    opt(&["max-turns"], Value, Plain),
    opt(&["mcp-config"], Many, Plain),
    opt(&["mcp-debug"], Flag, Plain),
    opt(&["model"], Value, Plain),
    opt(&["name", "n"], Value, Plain),
    opt(&["parent-session-id"], Value, Plain),
    opt(&["permission-mode"], Value, Plain),
    opt(&["permission-prompt-tool"], Value, Plain),
    opt(&["permission-prompts"], Value, Plain),
    opt(&["plan-mode-instructions"], Value, Plain),
    opt(&["plan-mode-required"], Flag, Plain),
    opt(&["plugin-dir"], Value, Plain),
    opt(&["plugin-dir-no-mcp"], Value, Plain),
    opt(&["plugin-url"], Value, Plain),
    opt(&["proactivity"], Value, Plain),
    opt(&["prompt-suggestions"], Optional, Plain),
    opt(&["remote-control", "rc"], Optional, Plain),
    opt(&["remote-control-session-name-prefix"], Value, Plain),
    opt(&["replay-user-messages"], Flag, Plain),
    opt(&["restricted"], Flag, Plain),
    opt(&["safe-mode"], Flag, Plain),
    opt(&["session-mirror"], Flag, Plain),
    opt(&["setting-sources"], Value, Plain),
    opt(&["settings"], Value, Settings),
    opt(&["strict-mcp-config"], Flag, Plain),
    opt(&["system-prompt"], Value, Plain),
    opt(&["system-prompt-file"], Value, Plain),
    opt(&["system-prompt-snapshot"], Value, Plain),
    opt(&["task-budget"], Value, Plain),
    opt(&["team-name"], Value, Plain),
    opt(&["teammate-mode"], Value, Plain),
    opt(&["thinking"], Value, Plain),
    opt(&["thinking-display"], Value, Plain),
    opt(&["tools"], Many, Plain),
    opt(&["verbose"], Flag, Plain),
    opt(&["workload"], Value, Plain),
];

/// The option of this spelling.
pub fn named(name: &str) -> Option<&'static Opt> {
    OPTIONS.iter().find(|option| option.names.contains(&name))
}

/// What an option takes by the CLI's own `--help`, whose lines begin with `-n, --name <name>` and two blanks or more
/// before the description.
pub fn takes_by_help(help: &str, flag: &str) -> Option<Takes> {
    help.lines().find_map(|line| {
        let line = line.trim_start();
        if !line.starts_with('-') {
            return None;
        }
        let head = line.split("  ").next().unwrap_or_default();
        let spelt = |word: &str| word.trim_end_matches(',') == flag;
        if !head.split_whitespace().any(spelt) {
            return None;
        }
        Some(match head.find(['<', '[']) {
            Some(at) if head[at..].contains("...") => Takes::Many,
            Some(at) if head[at..].starts_with('<') => Takes::Value,
            Some(_) => Takes::Optional,
            None => Takes::Flag,
        })
    })
}
