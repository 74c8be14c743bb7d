//! The corpus: screens and recordings of the real CLI, of several versions, in both of its renderers, in tmux, in
//! terminals that answer queries and in those that do not, from 20 to 300 columns and from 6 to 100 rows. Each is
//! read through an emulator that is not the program's own, and through the program's shadow.
//!
//! What is right for each state of the prompt stands in `fixtures/screens.json`, for each scenario in
//! `scenarios.json` and `more.json`. Where a small window cuts the error or the prompt off, nothing has to be
//! found, but nothing may be taken for a free prompt either.

#[path = "support/cast.rs"]
mod cast;
#[path = "corpus/oracle.rs"]
mod oracle;
#[path = "support/replay.rs"]
mod replay;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cast::Cast;
use claude_retry::supervisor::banner::{self, Banner};
use claude_retry::supervisor::prompt::{self, Prompt};
use claude_retry::supervisor::transcript::{self, Ending, LastTurn};
use claude_retry::supervisor::wording::{self, Reading};
use claude_retry::term::scan::Scanner;
use claude_retry::term::screen::Screen;
use claude_retry::term::shadow::Shadow;
use oracle::{Right, Table};
use replay::Replay;

/// The least number of screens of each version, and of all.
const AT_LEAST: [(&str, usize); 4] = [
    ("2.1.145", 150),
    ("2.1.200", 150),
    ("2.1.250", 150),
    ("2.1.330", 150),
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A screen, or a recording at its end.
struct Item {
    /// `screens/2.1.250-inline/free.24x80`.
    name: String,
    version: String,
    /// The state's or the scenario's name.
    subject: String,
    is_screen: bool,
    screen: Screen,
    own: Screen,
    turn: Option<LastTurn>,
}

impl Item {
    fn read(kind: &str, folder: &str, path: &Path) -> Self {
        let cast = Cast::read(path);
        let stem = path.file_stem().expect("a name").to_string_lossy();
        let subject = stem.split('.').next().expect("a name");
        // A state has one for all sizes of its window, unless each is a session of its own.
        let transcript =
            |name: &str| std::fs::read(path.with_file_name(format!("{name}.transcript.jsonl")));
        let turn = transcript(&stem)
            .or_else(|_| transcript(subject))
            .ok()
            .and_then(|bytes| transcript::last_turn(&bytes, true));
        Self {
            name: format!("{kind}/{folder}/{stem}"),
            version: folder.split('-').next().expect("a version").to_owned(),
            subject: subject.to_owned(),
            is_screen: kind == "screens",
            screen: Replay::last_screen(&cast),
            own: shadow(&cast),
            turn,
        }
    }

    /// The text of the error that ended the last turn.
    fn error(&self) -> Option<&str> {
        match &self.turn.as_ref()?.ending {
            Ending::ApiError { text, .. } => Some(text),
            Ending::Assistant | Ending::User => None,
        }
    }
}

/// What the program itself sees.
fn shadow(cast: &Cast) -> Screen {
    let (mut scanner, mut shadow) = (Scanner::new(), Shadow::new(cast.size));
    for bytes in cast.output() {
        scanner.feed(bytes, |token| shadow.apply(&token));
    }
    shadow.screen()
}

/// What the readers make of it.
#[derive(Debug, PartialEq)]
struct Seen {
    prompt: Prompt,
    busy: bool,
    banner: Option<Banner>,
}

impl Seen {
    fn of(screen: &Screen) -> Self {
        Self {
            prompt: prompt::read(screen),
            busy: banner::busy(screen),
            banner: banner::find(screen),
        }
    }

    fn class(&self) -> String {
        match self.banner.as_ref().map(|banner| &banner.reading) {
            None => "none".into(),
            Some(Reading::Transient(class)) => format!("{class:?}").to_lowercase(),
            Some(Reading::Permanent(_)) => "permanent".into(),
            Some(Reading::StillRetrying) => "still-retrying".into(),
            Some(Reading::Unknown) => "unknown".into(),
        }
    }

    /// What comes of it with the transcript.
    fn verdict(&self, error: Option<&str>) -> &'static str {
        let on_screen = match self.banner.as_ref().map(|banner| &banner.reading) {
            Some(Reading::Transient(class)) => Some(class),
            _ => None,
        };
        let told = error.map(wording::read);
        let same = matches!((on_screen, &told), (Some(seen), Some(Reading::Transient(told))) if seen == told);
        match (same && !self.busy, &self.prompt) {
            (false, _) => "leave",
            (true, Prompt::Free) => "retry",
            (true, _) => "hands-off",
        }
    }
}

fn items() -> Vec<Item> {
    let mut items = Vec::new();
    for kind in ["screens", "recordings", "more"] {
        for folder in sorted(&fixtures().join(kind)) {
            let name = folder
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            // 2.0.76 is there for its bytes: it is too old for the readers.
            if !folder.is_dir() || name == "2.0.76" {
                continue;
            }
            let is_cast = |path: &PathBuf| path.extension().is_some_and(|end| end == "cast");
            for path in sorted(&folder).into_iter().filter(is_cast) {
                items.push(Item::read(kind, &name, &path));
            }
        }
    }
    items
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the fixtures are there");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    paths
}

#[test]
#[expect(clippy::print_stdout, reason = "the counts are for the reader")]
fn every_screen_is_read_for_what_it_is() {
    let table = Table::read(&fixtures());
    let (mut wrong, mut counts) = (String::new(), BTreeMap::<_, BTreeMap<_, usize>>::new());
    for item in items() {
        let right = if item.is_screen {
            table.of_state(&item.version, &item.subject)
        } else {
            table.of_scenario(&item.version, &item.subject)
        };
        let seen = Seen::of(&item.screen);
        let verdict = seen.verdict(item.error());
        let counted = match judge(&item, &right, &seen, verdict) {
            Ok(counted) => counted,
            Err(what) => {
                let _ = writeln!(wrong, "{}: {what}: {seen:?}, {verdict}", item.name);
                continue;
            }
        };
        *counts
            .entry(item.version)
            .or_default()
            .entry(counted)
            .or_default() += 1;
    }
    println!("{counts:#?}");
    assert!(wrong.is_empty(), "{wrong}");
    for (version, least) in AT_LEAST {
        let found: usize = counts[version].values().sum();
        assert!(found >= least, "{version}: {found}");
    }
}

/// Is it read for what it is? Gives the verdict, or why nothing had to be found.
fn judge(
    item: &Item,
    right: &Right,
    seen: &Seen,
    verdict: &'static str,
) -> Result<&'static str, String> {
    let may = |words: &[String], word: &str| words.iter().any(|known| known == word);
    // The worst first: something that is not free must never be taken for it, nor an act come of it.
    if verdict == "retry" && !may(&right.verdict, "retry") {
        return Err("a false act".into());
    }
    if seen.prompt == Prompt::Free && !may(&right.prompt, "free") {
        return Err("a false free".into());
    }
    if verdict == "hands-off" && !may(&right.verdict, "hands-off") && !may(&right.verdict, "retry")
    {
        return Err("a false error".into());
    }
    let cut = oracle::prompt_is_cut(&item.screen);
    if !may(&right.prompt, &oracle::name(&seen.prompt)) && !cut {
        return Err(format!("the prompt is not {:?}", right.prompt));
    }
    if item.is_screen && !right.busy.contains(&seen.busy) && !cut {
        return Err(format!("busy is not {:?}", right.busy));
    }
    let in_sight = item
        .error()
        .is_some_and(|error| oracle::shows_error(&item.screen, error));
    if item.is_screen && in_sight && !may(&right.class, &seen.class()) {
        return Err(format!("the error is not {:?}", right.class));
    }
    if !may(&right.verdict, verdict) {
        // A miss, unless there is nothing to find.
        return match (in_sight, cut) {
            (false, _) => Ok("the error is out of sight"),
            (true, true) => Ok("the prompt is out of sight"),
            (true, false) => Err(format!("a miss: not {:?}", right.verdict)),
        };
    }
    Ok(verdict)
}

/// From 20 to 300 columns, from 6 to 100 rows, on both screens, on each version.
#[test]
fn the_corpus_has_windows_of_all_sizes() {
    let mut seen = BTreeMap::<_, [bool; 6]>::new();
    let ours = |item: &Item| item.is_screen && item.subject != "editor-key";
    for item in items().into_iter().filter(ours) {
        let (screen, seen) = (&item.screen, seen.entry(item.version).or_default());
        let (rows, cols) = (screen.size.rows, screen.size.cols);
        let here = [
            rows <= 6,
            rows >= 100,
            cols <= 20,
            cols >= 300,
            screen.alternate,
            !screen.alternate,
        ];
        for (seen, here) in seen.iter_mut().zip(here) {
            *seen |= here;
        }
    }
    // The oldest has no renderer on the alternate screen.
    assert_eq!(
        seen.remove("2.1.145"),
        Some([true, true, true, true, false, true])
    );
    assert!(
        seen.len() >= 3 && seen.values().all(|seen| *seen == [true; 6]),
        "{seen:?}"
    );
}

/// Where it was recorded is nobody's business.
#[test]
fn no_path_of_a_machine_is_in_the_fixtures() {
    for kind in ["screens", "recordings", "more"] {
        for folder in sorted(&fixtures().join(kind))
            .iter()
            .filter(|path| path.is_dir())
        {
            for path in sorted(folder) {
                let text = std::fs::read_to_string(&path).expect("text");
                // The CLI has a folder of its own there.
                let text = text.replace("/home/dev/", "").replace("/tmp/claude-", "");
                for place in ["/tmp/", "/root/", "/Users/", "/var/folders"] {
                    assert!(!text.contains(place), "{}: {place}", path.display());
                }
            }
        }
    }
}

/// Two emulators, one picture.
#[test]
fn the_programs_own_shadow_shows_the_same() {
    let mut wrong = String::new();
    for item in items() {
        if item.own != item.screen {
            let (ours, theirs) = (&item.own, &item.screen);
            let row = (0..theirs.rows.len()).find(|&row| ours.rows[row] != theirs.rows[row]);
            let rows = row.map(|row| (row, &ours.rows[row].text, &theirs.rows[row].text));
            let _ = writeln!(wrong, "{}: {rows:?}", item.name);
        }
        assert_eq!(Seen::of(&item.own), Seen::of(&item.screen), "{}", item.name);
    }
    assert!(wrong.is_empty(), "{wrong}");
}
