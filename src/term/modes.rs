//! The terminal's modes, title and queries, as the child has set them.

use super::scan::{Csi, StringKind, Token};

/// Private modes (DECSET) that are kept track of: the number, and whether a terminal starts with it on.
const PRIVATE: [(u16, bool); 24] = [
    (1, false),    // application cursor keys
    (5, false),    // reverse video
    (6, false),    // origin
    (7, true),     // autowrap
    (9, false),    // mouse, X10
    (25, true),    // cursor shown
    (45, false),   // reverse wrap
    (66, false),   // application keypad
    (69, false),   // left and right margins
    (1000, false), // mouse, clicks
    (1001, false), // mouse, highlighting
    (1002, false), // mouse, drags
    (1003, false), // mouse, all motion
    (1004, false), // focus
    (1005, false), // mouse, UTF-8 coordinates
    (1006, false), // mouse, SGR coordinates
    (1015, false), // mouse, urxvt coordinates
    (1016, false), // mouse, SGR pixels
    (2004, false), // bracketed paste
    (2026, false), // synchronized update
    (2027, false), // grapheme clusters
    (2031, false), // colour scheme reports
    (2048, false), // in-band resize reports
    (1007, false), // alternate scroll (some start with it on: only what the child turned on is undone)
];

/// Most entries of the title stack; xterm keeps ten.
const TITLE_STACK: usize = 10;

/// Longest title that is kept, in bytes.
const TITLE_LIMIT: usize = 4096;

/// The scroll region (DECSTBM).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Region {
    /// The whole screen.
    #[default]
    Full,
    /// First and last row, from 0.
    Rows(u16, u16),
    /// Terminals may differ.
    Unknown,
}

/// The character sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charsets {
    g: [u8; 4],
    shift: u8,
    unknown: bool,
}

impl Default for Charsets {
    fn default() -> Self {
        Self {
            g: [b'B'; 4],
            shift: 0,
            unknown: false,
        }
    }
}

impl Charsets {
    /// Text is what it says: G0 is shifted in, and it is ASCII.
    pub fn is_plain(&self) -> bool {
        !self.unknown && self.shift == 0 && self.g[0] == b'B'
    }

    /// As they are at a terminal's start.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Nothing more can be said of them.
    pub fn forget(&mut self) {
        self.unknown = true;
    }
}

/// What the child has set.
#[derive(Clone, Debug)]
pub struct Modes {
    private: u32,
    /// Insert mode (IRM).
    pub insert: bool,
    /// A line feed also returns the carriage (LNM).
    pub newline: bool,
    /// Application keypad (DECKPAM).
    pub keypad: bool,
    /// Cursor style (DECSCUSR), 0 for the terminal's own.
    pub cursor_style: u16,
    /// xterm's modifyOtherKeys, 0 for off.
    pub other_keys: u16,
    /// The scroll region.
    pub region: Region,
    /// The character sets.
    pub charsets: Charsets,
    /// The alternate screen is on, and by which mode it was entered.
    pub alternate: Option<u16>,
    /// Origin mode was on when the alternate screen was entered by 1049, which saves it; leaving sets it again.
    pub origin_saved: bool,
    /// Kitty keyboard flags pushed, on the main and the alternate screen: each has its own stack.
    pub kitty_pushed: [u16; 2],
    /// Kitty keyboard flags set without a push.
    pub kitty_set: [bool; 2],
    /// The kitty keyboard flags pushed or set last.
    pub kitty_flags: [u16; 2],
    title: String,
    titles: Vec<String>,
    title_touched: bool,
    title_set: bool,
    cursor_queries: usize,
}

impl Default for Modes {
    fn default() -> Self {
        let private = PRIVATE
            .iter()
            .enumerate()
            .fold(0, |set, (bit, (_, on))| set | (u32::from(*on) << bit));
        Self {
            private,
            insert: false,
            newline: false,
            keypad: false,
            cursor_style: 0,
            other_keys: 0,
            region: Region::Full,
            charsets: Charsets::default(),
            alternate: None,
            origin_saved: false,
            kitty_pushed: [0; 2],
            kitty_set: [false; 2],
            kitty_flags: [0; 2],
            title: String::new(),
            titles: Vec::new(),
            title_touched: false,
            title_set: false,
            cursor_queries: 0,
        }
    }
}

impl Modes {
    /// A private mode is on. Only for those that are kept track of; else false.
    pub fn is_on(&self, mode: u16) -> bool {
        PRIVATE
            .iter()
            .position(|(number, _)| *number == mode)
            .is_some_and(|bit| self.private & (1 << bit) != 0)
    }

    /// The private modes that are not as a terminal starts: the number, and whether it is on.
    pub fn changed(&self) -> impl Iterator<Item = (u16, bool)> + '_ {
        PRIVATE
            .iter()
            .enumerate()
            .filter_map(|(bit, (number, default))| {
                let on = self.private & (1 << bit) != 0;
                (on != *default).then_some((*number, on))
            })
    }

    /// The title that the child set last, or empty; control characters stripped.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Did the child read, save or restore the title since the last call?
    pub fn take_title_touched(&mut self) -> bool {
        std::mem::take(&mut self.title_touched)
    }

    /// Did the child set the title since the last call?
    pub fn take_title_set(&mut self) -> bool {
        std::mem::take(&mut self.title_set)
    }

    /// How many times the child asked for the cursor's position (`CSI 6 n`) since the last call.
    pub fn take_cursor_queries(&mut self) -> usize {
        std::mem::take(&mut self.cursor_queries)
    }

    /// 0 on the main screen, 1 on the alternate one.
    pub fn screen(&self) -> usize {
        usize::from(self.alternate.is_some())
    }

    /// Takes what a token changes.
    pub fn apply(&mut self, token: &Token<'_>) {
        match token {
            Token::Control(0x0e) => self.charsets.shift = 1,
            Token::Control(0x0f) => self.charsets.shift = 0,
            Token::Esc {
                intermediates,
                last,
            } => self.escape(intermediates, *last),
            Token::Csi(csi) => self.control_sequence(csi),
            Token::Osc(data) => self.command(data),
            // Screen's and tmux's pass-through may hold anything.
            Token::Str(StringKind::Dcs, data) if data.starts_with(b"tmux;") => {
                self.charsets.forget();
            }
            _ => {}
        }
    }

    fn escape(&mut self, intermediates: &[u8], last: u8) {
        let designated = match intermediates {
            [b'('] => 0,
            [b')' | b'-'] => 1,
            [b'*' | b'.'] => 2,
            [b'+' | b'/'] => 3,
            [] => {
                match last {
                    b'=' => self.keypad = true,
                    b'>' => self.keypad = false,
                    b'c' => {
                        let kept = std::mem::take(self);
                        // Terminals differ in whether this ends an open update.
                        self.set_bit(2026, kept.is_on(2026));
                        self.title = kept.title;
                        self.cursor_queries = kept.cursor_queries;
                        self.title_touched = kept.title_touched;
                        self.title_set = kept.title_set;
                    }
                    b'n' | b'o' | b'|' | b'}' | b'~' | b'N' | b'O' => self.charsets.forget(),
                    _ => {}
                }
                return;
            }
            _ => return,
        };
        self.charsets.g[designated] = last;
    }

    fn control_sequence(&mut self, csi: &Csi) {
        let on = csi.last == b'h';
        match (csi.marker, csi.intermediates.as_slice(), csi.last) {
            (b'?', [], b'h' | b'l') => {
                for param in &csi.params {
                    self.set_private(param.value, on);
                }
            }
            (0, [], b'h' | b'l') => {
                for param in &csi.params {
                    match param.value {
                        4 => self.insert = on,
                        20 => self.newline = on,
                        _ => {}
                    }
                }
            }
            (0, [], b'n') if csi.param(0, 0) == 6 => self.cursor_queries += 1,
            (0, [], b't') => self.window(csi),
            (0, [b' '], b'q') => self.cursor_style = csi.param(0, 0),
            (0, [b'!'], b'p') => {
                // A soft reset: not every terminal knows it, so what was on may be on still.
                self.region = Region::Unknown;
                if !self.charsets.is_default() {
                    self.charsets.forget();
                }
            }
            (b'>', [], b'm') => match csi.param(0, 0) {
                4 => self.other_keys = csi.param(1, 0),
                0 => self.other_keys = 0,
                _ => {}
            },
            (b'>', [], b'n') if csi.param(0, 0) == 4 => self.other_keys = 0,
            (b'>', [], b'u') => {
                let depth = &mut self.kitty_pushed[usize::from(self.alternate.is_some())];
                *depth = depth.saturating_add(1);
                self.kitty_flags[self.screen()] = csi.param(0, 0);
            }
            (b'<', [], b'u') => {
                let screen = self.screen();
                let depth = &mut self.kitty_pushed[screen];
                *depth = depth.saturating_sub(csi.param(0, 1));
            }
            (b'=', [], b'u') => {
                let screen = self.screen();
                self.kitty_flags[screen] = csi.param(0, 0);
                match csi.param(1, 1) {
                    1 => self.kitty_set[screen] = csi.param(0, 0) != 0,
                    2 => self.kitty_set[screen] |= csi.param(0, 0) != 0,
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn set_private(&mut self, mode: u16, on: bool) {
        match mode {
            47 | 1047 | 1049 => {
                if on && self.alternate.is_none() {
                    self.origin_saved = self.is_on(6);
                }
                self.alternate = on.then_some(mode);
            }
            _ => self.set_bit(mode, on),
        }
    }

    fn set_bit(&mut self, mode: u16, on: bool) {
        if let Some(bit) = PRIVATE.iter().position(|(number, _)| *number == mode) {
            self.private = self.private & !(1 << bit) | (u32::from(on) << bit);
        }
    }

    fn window(&mut self, csi: &Csi) {
        let whole_title = csi.param(1, 0) != 1;
        match csi.param(0, 0) {
            21 => self.title_touched = true,
            22 if whole_title => {
                self.title_touched = true;
                if self.titles.len() == TITLE_STACK {
                    self.titles.remove(0);
                }
                self.titles.push(self.title.clone());
            }
            23 if whole_title => {
                self.title_touched = true;
                if let Some(title) = self.titles.pop() {
                    self.title = title;
                }
            }
            _ => {}
        }
    }

    fn command(&mut self, data: &[u8]) {
        let Some(text) = data
            .strip_prefix(b"0;")
            .or_else(|| data.strip_prefix(b"2;"))
        else {
            return;
        };
        let text = String::from_utf8_lossy(&text[..text.len().min(TITLE_LIMIT)]);
        self.title = strip(&text);
        self.title_set = true;
    }
}

/// The text without its control characters, C1 and DEL included.
pub fn strip(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .collect()
}
