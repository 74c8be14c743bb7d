//! Looks for the transcript of a run that has failed.

use crate::supervisor::headless::{Sight, Where};
use crate::supervisor::transcript::Ending;
use crate::sys::transcript::{Project, counts_on, read_last_turn};

/// Looks where the job says.
pub(super) fn look(place: &Where) -> Sight {
    let Some(project) = Project::of_ours() else {
        return Sight::Missing { kept: false };
    };
    let missing = || Sight::Missing {
        kept: project.keeps(),
    };
    let file = match place {
        Where::Of(id) => match project.file_of(id) {
            Some(file) => file,
            None => return missing(),
        },
        Where::Since(unix_ms, error) => {
            let files = project.written_since(*unix_ms);
            let mut fits = files.into_iter().filter(|file| {
                read_last_turn(file).ok().flatten().is_some_and(
                    |turn| matches!(&turn.ending, Ending::ApiError { text, .. } if text == error),
                )
            });
            match (fits.next(), fits.next()) {
                (Some(file), None) => file,
                (None, _) => return missing(),
                (Some(_), Some(_)) => return Sight::Unsure,
            }
        }
    };
    Sight::There {
        turn: read_last_turn(&file).ok().flatten(),
        counts_on: counts_on(&file).unwrap_or(false),
    }
}
