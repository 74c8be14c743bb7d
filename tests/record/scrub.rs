//! Puts `/home/dev` where the home was: it is as long, so no width changes.

use std::path::{Path, PathBuf};

use crate::support::screen::Screen;

/// What stands for the home.
const HOME: &str = "/home/dev";

/// Scrubs what was seen in one home.
pub(crate) struct Scrub {
    home: PathBuf,
}

impl Scrub {
    /// For this home.
    pub(crate) fn new(home: &Path) -> Self {
        assert_eq!(home.as_os_str().len(), HOME.len(), "{}", home.display());
        Self { home: home.into() }
    }

    /// The path, and the same as the CLI names a folder of its own by it.
    fn pairs(&self) -> [(String, String); 2] {
        let home = self.home.to_string_lossy().into_owned();
        let dashed = |path: &str| path.replace('/', "-");
        [(dashed(&home), dashed(HOME)), (home, HOME.to_owned())]
    }

    /// In text or in a stream of bytes: as long as before, place for place.
    ///
    /// # Errors
    ///
    /// Something of the home is left.
    pub(crate) fn bytes(&self, bytes: &mut [u8]) -> Result<(), String> {
        for (from, to) in self.pairs() {
            let mut at = 0;
            while let Some(found) = find(&bytes[at..], from.as_bytes()) {
                at += found;
                bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
            }
        }
        let name = self.home.file_name().unwrap_or_default().as_encoded_bytes();
        match find(bytes, name) {
            None => Ok(()),
            Some(at) => {
                let around = &bytes[at.saturating_sub(40)..bytes.len().min(at + 40)];
                Err(format!(
                    "a path is left: {:?}",
                    String::from_utf8_lossy(around)
                ))
            }
        }
    }

    /// In text.
    ///
    /// # Errors
    ///
    /// Something of the home is left.
    pub(crate) fn text(&self, text: &str) -> Result<String, String> {
        let mut bytes = text.as_bytes().to_vec();
        self.bytes(&mut bytes)?;
        String::from_utf8(bytes).map_err(|error| error.to_string())
    }

    /// On a screen, where a path may run on in the next row.
    ///
    /// # Errors
    ///
    /// Something of the home is left.
    pub(crate) fn screen(&self, screen: &mut Screen) -> Result<(), String> {
        let mut places = Vec::new();
        for (row, cells) in screen.cells.iter().enumerate() {
            for (column, cell) in cells.iter().enumerate() {
                if !cell.c.is_whitespace() {
                    places.push((row, column, cell.c));
                }
            }
        }
        for (from, to) in self.pairs() {
            let from: Vec<char> = from.chars().collect();
            for at in 0..places.len() {
                let here = places[at..].iter().map(|place| place.2);
                if here.take(from.len()).eq(from.iter().copied()) {
                    for (place, c) in places[at..].iter_mut().zip(to.chars()) {
                        screen.cells[place.0][place.1].c = c;
                        place.2 = c;
                    }
                }
            }
        }
        let text: String = places.iter().map(|place| place.2).collect();
        screen.title = self.text(&screen.title)?;
        // Its end may be cut off.
        let name = self.home.file_name().unwrap_or_default().to_string_lossy();
        let parent = self.home.parent().unwrap_or(Path::new("/")).join("");
        let cut = format!("{}{}", parent.display(), name.chars().next().unwrap_or('/'));
        for left in [name.as_ref(), &cut] {
            if text.contains(left) {
                return Err(format!("a path is left: {left:?} in {text:?}"));
            }
        }
        Ok(())
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|part| part == wanted)
}
