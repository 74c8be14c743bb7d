use super::*;
use crate::ctl::doctor::report::Status;
use crate::supervisor::wording::{Reading, read};

/// What stands around a literal where that alone is no error.
const AROUND: &[(&str, &str, &str)] = &[
    ("Repeated 529 Overloaded", "", " errors"),
    ("experiencing high load, please use /model", "Opus is ", ""),
    (
        "This is a server-side issue, usually temporary",
        "500 Internal server error. ",
        "",
    ),
    ("No internet route", "", " — check your network"),
    (
        "a firewall or proxy may be blocking it",
        "Connection refused — ",
        "",
    ),
    ("went to sleep mid-response", "Your computer ", ""),
    ("before a response was produced", "Connection closed ", ""),
    ("You've hit your", "", " session limit"),
    ("You've reached your", "", " weekly limit"),
    ("organization has been disabled", "This ", ""),
    ("Your account does not", "", " have access"),
    ("retrying in", "429 Rate limited · ", " 2s"),
    ("will retry in", "API error · ", " 5s"),
    ("next try in", "API error · ", " 5s"),
];

#[test]
fn the_catalogue_reads_each_literal_as_what_it_is() {
    let mut wrong = Vec::new();
    for wording in WORDINGS {
        let around = AROUND.iter().find(|(text, ..)| *text == wording.text);
        let (before, after) = around.map_or(("", ""), |(_, before, after)| (before, after));
        let text = format!("API Error: {before}{}{after}", wording.text);
        let reading = read(&text);
        let right = match wording.kind {
            Kind::Transient(class) => reading == Reading::Transient(class),
            Kind::Permanent => matches!(reading, Reading::Permanent(_)),
            Kind::AtWork => reading == Reading::StillRetrying,
            Kind::Sign => true,
        };
        if !right {
            wrong.push(format!("{text}: {reading:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Gives its bytes in such pieces.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.1.min(self.0.len()).min(buffer.len());
        buffer[..len].copy_from_slice(&self.0[..len]);
        self.0 = &self.0[len..];
        Ok(len)
    }
}

fn all_but(missing: &[&str]) -> Vec<u8> {
    let mut program = vec![0x7f];
    for wording in WORDINGS
        .iter()
        .filter(|wording| !missing.contains(&wording.text))
    {
        program.extend_from_slice(wording.text.as_bytes());
        program.push(0);
    }
    program
}

#[test]
fn a_wording_is_found_wherever_the_chunks_end() {
    let program = all_but(&["fetch failed"]);
    for size in [1, 7, 64, 1000, usize::MAX] {
        let found = find(Pieces(&program, size)).expect("readable");
        let missing: Vec<&str> = WORDINGS
            .iter()
            .zip(&found)
            .filter(|(_, found)| !**found)
            .map(|(wording, _)| wording.text)
            .collect();
        assert_eq!(missing, ["fetch failed"], "{size}");
    }
}

#[test]
fn a_wording_across_the_end_of_a_whole_chunk_is_found_in_both_encodings() {
    let wide: Vec<u8> = "StopFailure"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for text in [b"StopFailure".to_vec(), wide] {
        for before in 1..text.len() {
            let longest = 2 * WORDINGS
                .iter()
                .map(|wording| wording.text.len())
                .max()
                .expect("some");
            let mut program = vec![b'x'; CHUNK + longest - before];
            program.extend_from_slice(&text);
            let found = find(&program[..]).expect("readable");
            assert_eq!(found.iter().filter(|found| **found).count(), 1, "{before}");
        }
    }
}

#[test]
fn a_version_is_judged_by_what_it_should_have() {
    let found = |missing: &[&str]| find(&all_but(missing)[..]).expect("readable");
    let status = |missing: &[&str], version| judge(&found(missing), version)[0].status;
    let newest = Some((2, 1, 330));
    assert_eq!(status(&[], newest), Status::Ok);
    let throttle = "Server is temporarily limiting requests";
    assert_eq!(status(&[throttle], newest), Status::Warning);
    let told = judge(&found(&[throttle]), newest)[0].found.clone();
    assert!(told.contains("the throttle is worded otherwise"), "{told}");
    assert_eq!(status(&["No internet route"], newest), Status::Warning);
    // Never expected of an old one, of one that has dropped it, or of one that is not known.
    assert_eq!(
        status(&["No internet route"], Some((2, 1, 145))),
        Status::Ok
    );
    assert_eq!(status(&["No internet route"], None), Status::Ok);
    assert_eq!(status(&["Response stalled mid-stream"], newest), Status::Ok);
    assert_eq!(
        status(&["Response stalled mid-stream"], Some((2, 1, 200))),
        Status::Warning
    );
    // What is never resumed is left alone by whatever words.
    let told = judge(&found(&["Not logged in"]), newest)[0].clone();
    assert_eq!(told.status, Status::Ok);
    assert!(
        told.found.ends_with("missing: \"Not logged in\""),
        "{}",
        told.found
    );
    let signs = judge(&found(&["StopFailure"]), newest)[1].clone();
    assert_eq!(signs.status, Status::Warning);
    assert!(signs.found.contains("StopFailure"), "{}", signs.found);
}
