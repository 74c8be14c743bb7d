use proptest::prelude::*;

use super::*;
use Kind::{CtrlC, CtrlZ, CursorReport, Enter, Key, Pointer, Release, Reply, Text};

/// One sequence each, whole, and what it is.
#[rustfmt::skip]
const SEQUENCES: &[(&[u8], Kind)] = &[
    (b"a", Text), (b" ", Text), (b"continue", Text), ("é".as_bytes(), Text), ("日本".as_bytes(), Text), ("🦀".as_bytes(), Text),
    (b"\n", Text), (b"\xff", Text), (b"\x80", Text), (b"\xc1", Text), (b"\xf5", Text),
    (b"\r", Enter), (b"\x03", CtrlC), (b"\x1a", CtrlZ),
    (b"\x7f", Key), (b"\x08", Key), (b"\t", Key), (b"\x15", Key), (b"\x00", Key),
    // Alt and a key.
    (b"\x1bx", Key), (b"\x1b\r", Key), (b"\x1b\x7f", Key), (b"\x1b\x03", Key), ("\x1bé".as_bytes(), Key), ("\x1b🦀".as_bytes(), Key), (b"\x1b\\", Key),
    // Legacy keys.
    (b"\x1b[A", Key), (b"\x1b[1;5C", Key), (b"\x1b[Z", Key), (b"\x1b[3~", Key), (b"\x1b[15;2~", Key), (b"\x1b[[A", Key),
    (b"\x1bOA", Key), (b"\x1bOP", Key), (b"\x1bO5P", Key), (b"\x1bOM", Enter), (b"\x1bOj", Key), (b"\x1b[R", Key), (b"\x1b[201~", Key),
    // Kitty.
    (b"\x1b[13u", Enter), (b"\x1b[13;1u", Enter), (b"\x1b[13;1:1u", Enter), (b"\x1b[13;1:2u", Enter), (b"\x1b[13;1:3u", Release), (b"\x1b[13;129u", Enter),
    (b"\x1b[13;65u", Enter), (b"\x1b[13;2u", Key), (b"\x1b[57414u", Enter), (b"\x1b[57414;1:3u", Release), (b"\x1b[57414;5u", Key),
    (b"\x1b[99;5u", CtrlC), (b"\x1b[99;5:2u", CtrlC), (b"\x1b[99;5:3u", Release), (b"\x1b[99;69u", CtrlC), (b"\x1b[99;133u", CtrlC), (b"\x1b[99;197u", CtrlC), (b"\x1b[99;6u", Key), (b"\x1b[99;7u", Key),
    (b"\x1b[1089::99;5u", CtrlC), (b"\x1b[122;5u", CtrlZ), (b"\x1b[122;5:3u", Release),
    (b"\x1b[97u", Text), (b"\x1b[97;2u", Text), (b"\x1b[97:65;2;65u", Text), (b"\x1b[97;;97u", Text), (b"\x1b[97;3u", Key), (b"\x1b[97;9u", Key), (b"\x1b[97;1:3u", Release),
    (b"\x1b[57399u", Text), (b"\x1b[57413;129u", Text), (b"\x1b[57417u", Key), (b"\x1b[27u", Key), (b"\x1b[27;5u", Key), (b"\x1b[127u", Key), (b"\x1b[9u", Key), (b"\x1b[9;2u", Key), (b"\x1b[0;;233u", Text),
    (b"\x1b[57441;2u", Release), (b"\x1b[57442;5:3u", Release), (b"\x1b[57358;65u", Release), (b"\x1b[1;1:3A", Release), (b"\x1b[1;1:2A", Key), (b"\x1b[3;1:3~", Release), (b"\x1b[u", Key),
    (b"\x1b[4294967296u", Key),
    // modifyOtherKeys.
    (b"\x1b[27;5;99~", CtrlC), (b"\x1b[27;5;122~", CtrlZ), (b"\x1b[27;2;13~", Key), (b"\x1b[27;1;13~", Enter), (b"\x1b[27;2;65~", Text), (b"\x1b[27;5;9~", Key), (b"\x1b[27~", Key),
    // Pastes, one with what looks like its end.
    (b"\x1b[200~pasted\rtext\x03\x1b[201~", Text), (b"\x1b[200~\x1b[201~", Text), (b"\x1b[200~a\x1b[20\x1b[201\x1b\x1b[201~", Text),
    // Mouse, focus, colour scheme.
    (b"\x1b[M #!", Pointer), (b"\x1b[M\xe1\x7f\xff", Pointer), (b"\x1b[<0;10;20M", Pointer), (b"\x1b[<35;1;1m", Pointer), (b"\x1b[32;10;5M", Pointer), (b"\x1b[I", Pointer), (b"\x1b[O", Pointer),
    (b"\x1b[?997;1n", Pointer),
    // Answers.
    (b"\x1b[24;80R", CursorReport(24, 80)), (b"\x1b[1;2R", CursorReport(1, 2)), (b"\x1b[?1;2R", Reply), (b"\x1b[99999;1R", Key), (b"\x1b[1;+2R", Key),
    (b"\x1b[?62;22c", Reply), (b"\x1b[>1;10;0c", Reply), (b"\x1b[?2026;2$y", Reply), (b"\x1b[4;2$y", Reply), (b"\x1b[?1u", Reply), (b"\x1b[0n", Reply), (b"\x1b[6;18;9t", Reply), (b"\x1b[48;24;80;480;800t", Reply), (b"\x1b[?2;0S", Reply),
    (b"\x1bP>|xterm(390)\x1b\\", Reply), (b"\x1bP1$r0m\x1b\\", Reply), (b"\x1bP1+r544e\x1b\\", Reply), (b"\x1bP!|00000000\x1b\\", Reply),
    (b"\x1b]11;rgb:0000/0000/0000\x07", Reply), (b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\", Reply), (b"\x1b]52;c;aGVsbG8=\x1b\\", Reply), (b"\x1b_Gi=31;OK\x1b\\", Reply),
];

/// Feeds in two parts, gives up at the end, and joins neighbouring text (which comes as the reads do).
fn read(parts: &[&[u8]]) -> Vec<Piece> {
    let mut reader = Reader::default();
    let mut pieces = Vec::new();
    for part in parts {
        reader.feed(part, &mut pieces);
    }
    reader.flush(&mut pieces);
    assert!(!reader.pending());
    joined(pieces)
}

fn joined(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::new();
    for mut piece in pieces {
        assert!(!piece.bytes.is_empty());
        match out.last_mut() {
            Some(last) if last.kind == Text && piece.kind == Text => {
                last.bytes.append(&mut piece.bytes);
            }
            _ => out.push(piece),
        }
    }
    out
}

fn bytes(pieces: &[Piece]) -> Vec<u8> {
    pieces
        .iter()
        .flat_map(|piece| piece.bytes.clone())
        .collect()
}

#[test]
fn every_sequence_is_one_piece_of_its_kind() {
    let wrong: Vec<_> = SEQUENCES
        .iter()
        .map(|&(sequence, kind)| (String::from_utf8_lossy(sequence), kind, read(&[sequence])))
        .filter(|(_, kind, pieces)| pieces.len() != 1 || pieces[0].kind != *kind)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A whole sequence needs no giving up.
#[test]
fn a_whole_sequence_is_not_kept() {
    for (sequence, _) in SEQUENCES {
        let mut reader = Reader::default();
        reader.feed(sequence, &mut Vec::new());
        assert!(!reader.pending(), "{:?}", String::from_utf8_lossy(sequence));
        assert!(!reader.in_paste());
    }
}

#[test]
fn every_cut_reads_as_the_whole() {
    let all: Vec<u8> = SEQUENCES
        .iter()
        .flat_map(|(sequence, _)| sequence.to_vec())
        .collect();
    let whole = read(&[&all]);
    assert_eq!(bytes(&whole), all);
    // What stands side by side does not run together.
    let one_by_one = joined(
        SEQUENCES
            .iter()
            .flat_map(|(sequence, _)| read(&[sequence]))
            .collect(),
    );
    assert_eq!(whole, one_by_one);
    for cut in 0..=all.len() {
        assert_eq!(read(&[&all[..cut], &all[cut..]]), whole, "cut at {cut}");
    }
    assert_eq!(read(&all.chunks(1).collect::<Vec<_>>()), whole);
}

#[test]
fn what_is_unfinished_is_given_up_for_a_key() {
    for (input, kind) in [
        (&b"\x1b"[..], Key),
        (b"\x1b[", Key),
        (b"\x1bO", Key),
        (b"\x1b]", Key),
        (b"\x1bP", Key),
        (b"\x1b[1;5", Key),
        (b"\x1b[M!", Pointer),
        (b"\x1b]11;rgb", Reply),
        (b"\xe6\x97", Text),
    ] {
        let mut reader = Reader::default();
        let mut pieces = Vec::new();
        reader.feed(input, &mut pieces);
        assert!(pieces.is_empty() && reader.pending());
        reader.flush(&mut pieces);
        assert_eq!(
            pieces,
            [Piece {
                kind,
                bytes: input.to_vec()
            }]
        );
        reader.feed(b"\r", &mut pieces);
        assert_eq!(pieces[1].kind, Enter);
    }
}

#[test]
fn a_key_behind_something_unfinished_is_still_seen() {
    let kinds = |input: &[u8]| {
        read(&[input])
            .iter()
            .map(|piece| piece.kind)
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(b"\x1b\x1b[A"), [Key, Key]);
    assert_eq!(kinds(b"\x1b]\x03"), [Key, CtrlC]);
    assert_eq!(kinds(b"\x1bPlan\r"), [Key, Text, Enter]);
    assert_eq!(kinds(b"\x1b]1\r"), [Key, Enter]);
    assert_eq!(kinds(b"\x1b[1;\r"), [Key, Enter]);
    assert_eq!(kinds(b"\x1b[M\x03"), [Key, CtrlC]);
    assert_eq!(kinds(b"\x1b[[\r"), [Key, Enter]);
    assert_eq!(kinds(b"\x1bO\r"), [Key, Enter]);
    assert_eq!(kinds(b"\xe6\x97\r"), [Text, Enter]);
    assert_eq!(kinds(b"\x1b\xe6\r"), [Key, Enter]);
    assert_eq!(kinds(b"\x1b]11;x\x1b[A"), [Reply, Key]);
}

#[test]
fn a_paste_streams() {
    let mut reader = Reader::default();
    let mut pieces = Vec::new();
    reader.feed(b"\x1b[200~", &mut pieces);
    assert!(reader.in_paste() && !reader.pending());
    let line = [b'x'; 4096];
    for _ in 0..256 {
        pieces.clear();
        reader.feed(&line, &mut pieces);
        assert_eq!((pieces.len(), pieces[0].bytes.len()), (1, line.len()));
        assert!(!reader.pending());
    }
    reader.feed(b"\x1b[201", &mut pieces);
    reader.flush(&mut pieces);
    assert!(reader.in_paste());
    reader.feed(b"~\r", &mut pieces);
    assert_eq!(pieces.last().map(|piece| piece.kind), Some(Enter));
    assert!(!reader.in_paste());
}

#[test]
fn an_answer_without_end_is_not_kept_for_ever() {
    for start in [&b"\x1b]52;c;"[..], b"\x1bP1$r", b"\x1b[1;"] {
        let mut reader = Reader::default();
        let mut pieces = Vec::new();
        reader.feed(start, &mut pieces);
        for _ in 0..64 {
            reader.feed(&[b'1'; 4096], &mut pieces);
            assert!(reader.kept.len() < MAX_KEPT);
        }
        assert!(
            pieces
                .iter()
                .all(|piece| piece.bytes.len() <= MAX_KEPT || piece.kind == Text)
        );
        assert_eq!(pieces[0].kind, Reply);
    }
    let mut long = b"\x1b]52;c;".to_vec();
    long.extend(std::iter::repeat_n(b'a', 3 * MAX_KEPT));
    long.extend(b"\x1b\\");
    assert!(read(&[&long]).iter().all(|piece| piece.kind == Reply));
    assert_eq!(read(&[&long[..70_000], &long[70_000..]]), read(&[&long]));
}

#[test]
fn a_mode_report_is_read() {
    let mode = |input: &[u8]| decrpm(&read(&[input])[0]);
    assert_eq!(mode(b"\x1b[?2026;2$y"), Some((2026, 2)));
    assert_eq!(mode(b"\x1b[?2026$y"), None);
    assert_eq!(mode(b"\x1b[?2026;2c"), None);
    assert_eq!(mode(b"x"), None);
}

/// Bytes that make sequences likely.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => (0..SEQUENCES.len()).prop_map(|at| SEQUENCES[at].0.to_vec()),
        2 => (0..SEQUENCES.len(), 0usize..12).prop_map(|(at, to)| {
            let sequence = SEQUENCES[at].0;
            sequence[..to.min(sequence.len())].to_vec()
        }),
        1 => proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn nothing_is_lost_and_cuts_do_not_matter(
        input in input(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let whole = read(&[&input]);
        prop_assert_eq!(bytes(&whole), input.clone());
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
        at.extend([0, input.len()]);
        at.sort_unstable();
        let parts: Vec<&[u8]> = at.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect();
        prop_assert_eq!(read(&parts), whole);
    }
}
