//! `ctl tmux setup`: the lines for tmux.conf that show what `ctl tmux watch` tells tmux.

/// They add to what the user has, and do so once, however often the file is read.
///
/// An option in `#{…}` is its text, not what comes of it, so the text can be searched for what is there already.
pub(super) const LINES: &str = r#"# claude-retry: put these lines at the end of ~/.tmux.conf, then run: tmux source-file ~/.tmux.conf
# They add to your own settings. Nothing shows while there is nothing to say, or no `claude-retry ctl tmux watch`.

# All panes together, at the end of the status line; the second line gives it room.
if -F '#{m:*@claude_retry_all*,#{status-right}}' '' "set -ga status-right '#{?@claude_retry_all, [#{@claude_retry_all}],}'"
if -F '#{e|<:#{status-right-length},100}' 'set -g status-right-length 100'

# Each pane, in its border. The border shows where pane-border-status is top or bottom: take the # off
# the last line if it is not, and you want it; it costs each pane at that edge a row.
if -F '#{m:*@claude_retry*,#{pane-border-format}}' '' "set -ga pane-border-format '#{?@claude_retry, #{@claude_retry} ,}'"
#set -g pane-border-status top
"#;
