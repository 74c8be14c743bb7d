//! The watch as a program of its own: this very test binary, with a view that writes a line for all that it is told,
//! and takes its wishes from stdin.

use std::io::{BufRead, Write};

use claude_retry::config;
use claude_retry::sys::tmux::{Socket, View, WatchError, WatchOptions, Wish, watch};
use claude_retry::tmux::PaneId;
use claude_retry::tmux::watched::{Happened, Watched};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The arguments, a line each; its presence makes this binary the program.
pub(crate) const ARGS: &str = "WATCH_ARGS";

struct Lines {
    wishes: UnboundedReceiver<Wish>,
}

/// The program itself; returns at once where the environment does not ask for it.
#[expect(
    clippy::disallowed_methods,
    reason = "the end of a program of its own, before the test harness says that it passed"
)]
pub(crate) fn program() {
    let Some(args) = std::env::var_os(ARGS) else {
        return;
    };
    let args = args.into_string().expect("text");
    let mut options = WatchOptions::default();
    let mut words = args.lines();
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value").to_owned();
        match word {
            "-S" => options.socket = Socket::Path(value().into()),
            "-L" => options.socket = Socket::Name(value()),
            "-t" => options.target = Some(value()),
            "--all" => options.all = true,
            _ => panic!("{word:?} is no argument"),
        }
    }
    let sources = config::sources(Vec::new()).expect("settings");
    let settings = config::resolve(&sources).expect("settings").settings;
    let (send, wishes) = unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let (word, pane) = line.split_once(' ').unwrap_or((&line, "%0"));
            let pane = PaneId::read(pane).expect("a pane");
            let _ = send.send(match word {
                "quit" => Wish::Quit,
                "interrupt" => Wish::Interrupt,
                "now" => Wish::Now(pane),
                "cancel" => Wish::Cancel(pane),
                _ => Wish::Redraw,
            });
        }
    });
    let code = match watch(&options, settings, &mut Lines { wishes }) {
        Ok(code) => code,
        Err(error) => {
            let code = match error {
                WatchError::Unusable(_) => 2,
                WatchError::Own(_) => 125,
            };
            let mut stderr = std::io::stderr();
            let _ = writeln!(stderr, "claude-retry: {error}");
            code.into()
        }
    };
    // The code is no number that can be asked for.
    let text = format!("{code:?}");
    let number: String = text.chars().filter(char::is_ascii_digit).collect();
    std::process::exit(number.parse().unwrap_or(0));
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

impl View for Lines {
    fn show(&mut self, panes: &[Watched]) {
        let one = |pane: &Watched| format!("{} {} [{:?}]", pane.pane, pane.place, pane.standing);
        let panes: Vec<String> = panes.iter().map(one).collect();
        say(&format!("show {}", panes.join(", ")));
    }

    fn happened(&mut self, pane: &Watched, what: &Happened) {
        let standing = &pane.standing;
        say(&format!("happened {} {what:?} {standing:?}", pane.pane));
    }

    async fn next(&mut self) -> Wish {
        match self.wishes.recv().await {
            Some(wish) => wish,
            None => std::future::pending().await,
        }
    }

    fn end(&mut self) {
        say("ended");
    }
}
