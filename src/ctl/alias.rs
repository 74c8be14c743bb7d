//! `ctl alias`: the line that makes `claude` mean `claude-retry` in the user's shell.

use std::path::Path;
use std::process::ExitCode;

use crate::error::Error;

pub(super) fn print(shell: Option<&str>) -> Result<ExitCode, Error> {
    let from_env = std::env::var("SHELL").unwrap_or_default();
    let shell = shell.unwrap_or(&from_env);
    super::print(line(shell).as_bytes())
}

/// The line, with a comment that says where it goes.
fn line(shell: &str) -> String {
    let name = Path::new(shell)
        .file_name()
        .map(|name| name.to_string_lossy());
    let (file, line) = match name.as_deref() {
        Some("fish") => ("~/.config/fish/config.fish", "alias claude claude-retry"),
        Some("zsh") => ("~/.zshrc", "alias claude=claude-retry"),
        Some("bash") => ("~/.bashrc", "alias claude=claude-retry"),
        Some("nu") => ("config.nu", "alias claude = claude-retry"),
        Some("elvish") => (
            "~/.config/elvish/rc.elv",
            "fn claude {|@a| claude-retry $@a }",
        ),
        Some("pwsh" | "powershell") => ("$PROFILE", "Set-Alias claude claude-retry"),
        Some("csh" | "tcsh") => ("~/.cshrc", "alias claude claude-retry"),
        _ => ("your shell's start file", "alias claude=claude-retry"),
    };
    format!("# into {file}:\n{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_has_its_own_line() {
        assert!(line("/usr/bin/fish").ends_with("\nalias claude claude-retry\n"));
        assert!(line("/bin/zsh").contains("~/.zshrc"));
        assert!(line("bash").ends_with("\nalias claude=claude-retry\n"));
        assert!(line("").contains("your shell's start file"));
    }
}
