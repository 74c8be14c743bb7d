//! The settings that a recording of our own was made with.

use crate::cast::Ours;
use crate::config::{self, Setting, Settings, Sources};
use crate::error::Error;

/// Whose wordings they are, in messages.
const HEADER: &str = "the recording's header";

/// The settings, from the header and the defaults alone, and what of it had to be left out: of a later version, or bad.
pub(super) fn settings(ours: &Ours) -> Result<(Settings, Vec<String>), Error> {
    let mut left_out = Vec::new();
    let mut sources = Sources::default();
    for (name, value) in &ours.settings {
        // Whether it fits to the others is seen below.
        let is_good = |setting: &&'static Setting| {
            let alone = Sources {
                flags: vec![(*setting, value.clone())],
                ..Sources::default()
            };
            let alone = config::resolve(&alone);
            matches!(alone, Ok(_) | Err(Error::BaseOverCap { .. }))
        };
        let known = config::setting(name).filter(is_good);
        match known {
            Some(setting) => sources.flags.push((setting, value.clone())),
            None => left_out.push(format!("{name} = {value}")),
        }
    }
    if !ours.wordings.is_empty() {
        let wordings = Sources {
            file: Some((HEADER.into(), ours.wordings.clone())),
            ..Sources::default()
        };
        match config::resolve(&wordings) {
            Ok(_) => sources.file = wordings.file,
            Err(error) => left_out.push(format!("the wordings ({error})")),
        }
    }
    let resolved = config::resolve(&sources).map_err(|error| {
        Error::Usage(format!(
            "{HEADER}: {error}; take yours instead with --my-settings"
        ))
    })?;
    Ok((resolved.settings, left_out))
}
