//! A fresh look at a pane: what tmux says of it, who may be typing, and what stands on its screen, asked at once and
//! answered in order behind all output that went before.

use std::fmt::Write as _;
use std::time::Duration;

use super::client::ClientId;
use crate::term::Size;
use crate::tmux::{PaneId, WindowId};

/// What is asked of a pane; the title, which may hold anything, last.
const FIELDS: &str = "#{pane_dead} #{pane_pid} #{pane_width} #{pane_height} #{cursor_x} #{cursor_y} #{cursor_flag} \
#{alternate_on} #{scroll_region_upper} #{scroll_region_lower} #{pane_active} #{pane_synchronized} #{window_id} \
#{pane_title}";
/// What is asked of all clients.
const CLIENTS: &str = "#{client_activity} #{client_pid} #{window_id} #{client_flags}";
/// From the question to the act at most: what takes longer was no fresh look.
const FRESH: Duration = Duration::from_millis(1500);

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) dead: bool,
    /// The pane's first process.
    pub(super) pid: i32,
    size: (u16, u16),
    cursor: (u16, u16),
    cursor_shown: bool,
    alternate: bool,
    region: (u16, u16),
    active: bool,
    synchronized: bool,
    window: WindowId,
    title: String,
}

impl Fields {
    pub(super) fn read(line: &str) -> Option<Self> {
        let mut words = line.splitn(14, ' ');
        let mut word = || words.next();
        let flag = |word: Option<&str>| Some(word? == "1");
        Some(Self {
            dead: flag(word())?,
            pid: word()?.parse().ok()?,
            size: (word()?.parse().ok()?, word()?.parse().ok()?),
            cursor: (word()?.parse().ok()?, word()?.parse().ok()?),
            cursor_shown: flag(word())?,
            alternate: flag(word())?,
            region: (word()?.parse().ok()?, word()?.parse().ok()?),
            active: flag(word())?,
            synchronized: flag(word())?,
            window: WindowId::read(word()?)?,
            title: word().unwrap_or_default().to_owned(),
        })
    }

    pub(super) const fn cells(&self) -> (u16, u16) {
        self.size
    }

    pub(super) fn size(&self) -> Size {
        Size {
            rows: self.size.1.max(1),
            cols: self.size.0.max(1),
            xpixel: 0,
            ypixel: 0,
        }
    }

    /// What would give the terminal the title of the pane.
    pub(super) fn retitle(&self) -> Vec<u8> {
        let title: String = self.title.chars().filter(|c| !c.is_control()).collect();
        format!("\x1b]0;{title}\x07").into_bytes()
    }

    /// What would draw the pane as it is, whatever stands there: `rows` are those of `capture-pane -e`, whose
    /// renditions go on from one row to the next.
    pub(super) fn repaint(&self, rows: &[Vec<u8>]) -> Vec<u8> {
        let mut text = String::from("\x1b[0m");
        text.push_str(if self.alternate {
            "\x1b[?1049h"
        } else {
            "\x1b[?1049l"
        });
        text.push_str("\x1b[r\x1b[2J\x1b[0m");
        let mut bytes = text.into_bytes();
        for (at, row) in rows.iter().take(usize::from(self.size.1)).enumerate() {
            bytes.extend_from_slice(format!("\x1b[{};1H", at + 1).as_bytes());
            bytes.extend_from_slice(row);
        }
        let mut text = String::from("\x1b[0m");
        let whole = (0, self.size.1.saturating_sub(1));
        if self.region != whole {
            let _ = write!(text, "\x1b[{};{}r", self.region.0 + 1, self.region.1 + 1);
        }
        text.push_str(if self.cursor_shown {
            "\x1b[?25h"
        } else {
            "\x1b[?25l"
        });
        let _ = write!(text, "\x1b[{};{}H", self.cursor.1 + 1, self.cursor.0 + 1);
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    /// The condition, in tmux's words, under which the look is still true when a command runs: the server checks it
    /// itself, so that one that was stuck types nothing late. `asked_ms`: when the look was asked for.
    pub(super) fn still(&self, asked_ms: u64) -> String {
        // To the end of that second.
        let until = asked_ms.saturating_add(millis(FRESH)) / 1000;
        let same = format!(
            "#{{==:#{{pane_dead}} #{{pane_pid}} #{{cursor_x}} #{{cursor_y}} #{{alternate_on}},0 {} {} {} {}}}",
            self.pid,
            self.cursor.0,
            self.cursor.1,
            u8::from(self.alternate)
        );
        format!("#{{&&:{same},{}}}", in_time(until))
    }
}

/// The condition that it is no later than this second since 1970, by the server's clock.
fn in_time(second: u64) -> String {
    format!("#{{e|<=:#{{T;l:%s}},{second}}}")
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A look that was asked for.
#[derive(Debug)]
pub(super) struct Look {
    /// Who was asked.
    pub(super) client: ClientId,
    /// Tells its answers from those of one before it that nobody waits for.
    pub(super) serial: u32,
    /// When, in milliseconds since the Unix epoch.
    pub(super) asked_ms: u64,
    /// The session waits for it to type; else it is for the shadow alone.
    pub(super) probe: bool,
    /// The buffer that holds what is to be typed then, and its text.
    pub(super) buffer: Option<(String, Vec<u8>)>,
    pub(super) fields: Option<Fields>,
    pub(super) clients: Vec<String>,
}

/// Asks for all of it: one line, so that no output comes between its three commands. Its answer is three blocks.
pub(super) fn command(pane: PaneId) -> String {
    format!(
        "display-message -p -t {pane} '{FIELDS}' ; list-clients -F '{CLIENTS}' ; capture-pane -p -e -t {pane}"
    )
}

impl Look {
    /// Takes the answer; gives the rows of the screen. The first block is a line, the last one the rows of the pane.
    pub(super) fn take(&mut self, lines: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let text = |line: &Vec<u8>| String::from_utf8_lossy(line).into_owned();
        self.fields = lines.first().map(text).as_deref().and_then(Fields::read);
        let rows = self
            .fields
            .as_ref()
            .map_or(0, |fields| usize::from(fields.size.1));
        let screen = lines.len().saturating_sub(rows).max(1);
        self.clients = lines.iter().take(screen).skip(1).map(text).collect();
        lines.into_iter().skip(screen).collect()
    }

    /// Is it still true?
    pub(super) fn is_fresh(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.asked_ms) < millis(FRESH)
    }

    /// How long ago somebody may have typed into the pane: a client whose window it is in, where its keys go to this
    /// pane, was used then. Clients of ours are nobody.
    pub(super) fn touched(&self, ours: &[u32], now_ms: u64) -> Option<Duration> {
        let fields = self.fields.as_ref()?;
        let ago = |client: &String| {
            let mut words = client.split(' ');
            let activity: u64 = words.next()?.parse().ok()?;
            let pid: u32 = words.next()?.parse().ok()?;
            let window = WindowId::read(words.next()?)?;
            let flags = words.next().unwrap_or_default();
            // A client with a focus of its own may have it on any pane of the window.
            let keys = fields.active || fields.synchronized || flags.contains("active-pane");
            let typing = window == fields.window && keys && !ours.contains(&pid);
            typing.then(|| Duration::from_millis(now_ms.saturating_sub(activity * 1000)))
        };
        self.clients.iter().filter_map(ago).min()
    }
}

/// The message without the brackets of a paste: tmux puts them around it where the pane's program wants them.
pub(super) fn unbracketed(bytes: &[u8]) -> &[u8] {
    bytes
        .strip_prefix(b"\x1b[200~")
        .and_then(|rest| rest.strip_suffix(b"\x1b[201~"))
        .unwrap_or(bytes)
}

/// Is it a text to be pasted, and not keys?
pub(super) fn is_text(bytes: &[u8]) -> bool {
    !bytes.iter().any(u8::is_ascii_control)
}

/// What this tmux's `paste-buffer` takes, by its usage in `list-commands`: `paste-buffer (pasteb) [-dpr] …`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pastes {
    /// It writes control characters as `^U` unless it gets -S (from 3.7 on).
    shows_keys: bool,
}

impl Pastes {
    pub(super) fn read(usage: &str) -> Self {
        let flags = usage.split_once("[-").map_or("", |(_, rest)| rest);
        let flags = flags.split(']').next().unwrap_or_default();
        Self {
            shows_keys: flags.contains('S'),
        }
    }
}

/// The command that pastes a buffer where the condition holds, and says so where not. Its answer is two blocks.
pub(super) fn paste(
    id: PaneId,
    buffer: &str,
    text: bool,
    condition: &str,
    pastes: Pastes,
) -> String {
    // -p: with the brackets; -r: a line feed stays one; -d: the buffer is gone then.
    let flags = match (text, pastes.shows_keys) {
        (true, _) => "-p",
        (false, false) => "-r",
        (false, true) => "-r -S",
    };
    format!(
        "if-shell -F -t {id} '{condition}' \"paste-buffer {flags} -d -b {buffer} -t {id}\" \
         \"display-message -p late\""
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "0 17 80 24 3 20 1 1 0 23 1 0 @2 ✳ a title";

    fn look(line: &str, clients: &[&str]) -> Look {
        Look {
            client: ClientId(0),
            serial: 0,
            asked_ms: 10_000,
            probe: true,
            buffer: None,
            fields: Fields::read(line),
            clients: clients.iter().map(|&client| client.to_owned()).collect(),
        }
    }

    #[test]
    fn a_pane_is_drawn_as_it_is() {
        let fields = Fields::read(LINE).expect("fields");
        let rows = [b"one".to_vec(), b"\x1b[1mtwo".to_vec(), b"three".to_vec()];
        let drawn = String::from_utf8(fields.repaint(&rows)).expect("UTF-8");
        assert_eq!(
            drawn,
            "\x1b[0m\x1b[?1049h\x1b[r\x1b[2J\x1b[0m\x1b[1;1Hone\x1b[2;1H\x1b[1mtwo\
             \x1b[3;1Hthree\x1b[0m\x1b[?25h\x1b[21;4H"
        );
        assert_eq!(fields.retitle(), "\x1b]0;✳ a title\x07".as_bytes());
        assert!(Fields::read("0 17 80 24").is_none());
        assert_eq!(
            Fields::read("0 17 80 24 3 20 1 1 0 23 1 0 @2 ").map(|f| f.title),
            Some(String::new())
        );
    }

    #[test]
    fn the_answer_is_taken_apart_by_the_height_of_the_pane() {
        let mut look = look(LINE, &[]);
        let lines = |clients: &[&str]| -> Vec<Vec<u8>> {
            let rows = (0..24).map(|row| format!("row {row}").into_bytes());
            let clients = clients.iter().map(|client| client.as_bytes().to_vec());
            std::iter::once(LINE.as_bytes().to_vec())
                .chain(clients)
                .chain(rows)
                .collect()
        };
        for clients in [&[][..], &["a", "b"]] {
            let rows = look.take(lines(clients));
            assert_eq!((rows.len(), &rows[0][..]), (24, &b"row 0"[..]));
            assert_eq!(look.clients, clients);
        }
        assert!(look.take(Vec::new()).is_empty() && look.fields.is_none());
    }

    #[test]
    fn who_types_is_a_client_whose_keys_go_to_the_pane() {
        let touched = |line, client| look(line, &[client]).touched(&[5], 12_500);
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(touched(LINE, "11 9 @2 attached"), ms(1500));
        assert_eq!(
            touched(LINE, "13 9 @2 attached"),
            ms(0),
            "a second that is not over"
        );
        assert_eq!(touched(LINE, "11 5 @2 control-mode"), None, "ours");
        assert_eq!(touched(LINE, "11 9 @1 attached"), None, "another window");
        let beside = "0 17 80 24 3 20 1 1 0 23 0 0 @2 t";
        assert_eq!(
            touched(beside, "11 9 @2 attached"),
            None,
            "another pane has the keys"
        );
        assert_eq!(touched(beside, "11 9 @2 attached,active-pane"), ms(1500));
        let synchronized = "0 17 80 24 3 20 1 1 0 23 0 1 @2 t";
        assert_eq!(touched(synchronized, "11 9 @2 attached"), ms(1500));
        let two = look(LINE, &["3 9 @2 a", "12 8 @2 a", "x", ""]);
        assert_eq!(two.touched(&[], 12_500), ms(500));
    }

    #[test]
    fn an_act_is_bound_to_the_look_and_to_its_time() {
        let fields = Fields::read(LINE).expect("fields");
        assert_eq!(
            fields.still(10_400),
            "#{&&:#{==:#{pane_dead} #{pane_pid} #{cursor_x} #{cursor_y} #{alternate_on},0 17 3 20 1},\
             #{e|<=:#{T;l:%s},11}}"
        );
        let look = look(LINE, &[]);
        assert!(look.is_fresh(11_000) && !look.is_fresh(11_500));
    }

    #[test]
    fn keys_are_pasted_as_they_are_by_old_and_new_versions() {
        let old = "paste-buffer (pasteb) [-dpr] [-s separator] [-b buffer-name] [-t target-pane]\n";
        let new =
            "paste-buffer (pasteb) [-dprS] [-s separator] [-b buffer-name] [-t target-pane]\n";
        let flags = |usage, text| {
            let command = paste(PaneId(1), "b", text, "1", Pastes::read(usage));
            let (_, rest) = command.split_once("paste-buffer ").expect("a paste");
            rest.split(" -d").next().map(str::to_owned)
        };
        assert_eq!(flags(old, false).as_deref(), Some("-r"));
        assert_eq!(flags(new, false).as_deref(), Some("-r -S"));
        for usage in [old, new] {
            assert_eq!(flags(usage, true).as_deref(), Some("-p"));
        }
        assert_eq!(flags("", false).as_deref(), Some("-r"));
    }

    #[test]
    fn text_loses_its_brackets_and_keys_are_no_text() {
        assert_eq!(unbracketed(b"\x1b[200~go on\x1b[201~"), b"go on");
        assert_eq!(unbracketed(b"\x05\x15"), b"\x05\x15");
        assert!(is_text("weiter, ü".as_bytes()) && !is_text(b"\r"));
    }
}
