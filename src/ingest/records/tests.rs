//! Facts about records: where lines end, what quotes hold, and how the numbers of lines stay right.

use proptest::prelude::*;

use super::super::trickle::Trickle;
use super::*;

type Seen = (Vec<(u64, String, Shape)>, u64, Option<u64>);

fn records_by(bytes: &[u8], step: usize) -> Seen {
    let mut records = Records::new(Trickle(bytes, step), 1);
    let mut seen = Vec::new();
    let refused = loop {
        match records.next_record() {
            Ok(None) => break None,
            Ok(Some(record)) => seen.push((
                record.line,
                String::from_utf8_lossy(record.bytes).into_owned(),
                record.shape,
            )),
            Err(InputError::Refused(file)) => break file.line,
            Err(InputError::Io(error)) => panic!("{error}"),
        }
    };
    (seen, records.blank_lines().0, refused)
}

fn check(bytes: &[u8], expected: &[(u64, &str, Shape)], blank: u64, refused: Option<u64>) {
    for step in [1, 2, 3, 7, usize::MAX] {
        let (seen, blank_seen, refused_seen) = records_by(bytes, step);
        let seen: Vec<_> = seen.iter().map(|(l, b, s)| (*l, b.as_str(), *s)).collect();
        let text = String::from_utf8_lossy(bytes);
        assert_eq!(seen, expected, "{text:?} by {step}");
        assert_eq!((blank_seen, refused_seen), (blank, refused), "{text:?}");
    }
}

use Shape::{BareQuote, Plain, Quoted, TooLong};

#[test]
fn every_line_end_counts_once() {
    let expected = [(1, "a", Plain), (2, "b", Plain)];
    for text in ["a\nb", "a\r\nb\r\n", "a\rb\r", "a\rb\n", "a\nb\r"] {
        check(text.as_bytes(), &expected, 0, None);
    }
    check(b"a\r\r\nb\r\r\n", &[(1, "a", Plain), (3, "b", Plain)], 2, None);
    check(b"a\n\rb", &[(1, "a", Plain), (3, "b", Plain)], 1, None);
}

#[test]
fn blank_lines_are_skipped_and_counted_as_lines() {
    check(b"\n\na\n \t\nb\n\n", &[(3, "a", Plain), (5, "b", Plain)], 4, None);
    check(b"\n\n", &[], 2, None);
    check(b"", &[], 0, None);
    check(b"a\n  ", &[(1, "a", Plain)], 1, None);
}

#[test]
fn a_newline_in_quotes_belongs_to_the_record() {
    check(
        b"a,\"x\ny\r\nz\rw\"\nb",
        &[(1, "a,\"x\ny\r\nz\rw\"", Quoted), (5, "b", Plain)],
        0,
        None,
    );
    check(b"\"\n\n\"\n\nb", &[(1, "\"\n\n\"", Quoted), (5, "b", Plain)], 1, None);
}

#[test]
fn a_doubled_quote_closes_nothing() {
    check(
        b"\"a\"\"b\",c\n\"\"\n\"\"\"\"",
        &[
            (1, "\"a\"\"b\",c", Quoted),
            (2, "\"\"", Quoted),
            (3, "\"\"\"\"", Quoted),
        ],
        0,
        None,
    );
}

#[test]
fn a_quote_out_of_place_spoils_one_line() {
    check(
        b"a\"b,c\n\"a\"b,c\na,\"b\" ,c\n \"a\"\nz",
        &[
            (1, "a\"b,c", BareQuote),
            (2, "\"a\"b,c", BareQuote),
            (3, "a,\"b\" ,c", BareQuote),
            (4, " \"a\"", BareQuote),
            (5, "z", Plain),
        ],
        0,
        None,
    );
}

#[test]
fn a_quote_that_nothing_closes_refuses_the_file_where_it_opens() {
    check(b"a\nb,\"c\nd\n", &[(1, "a", Plain)], 0, Some(2));
    check(b"a\n\"b\nc\",\"d\ne", &[(1, "a", Plain)], 0, Some(3));
    check(b"a\nb,\"c\n\"d\",e\n", &[(1, "a", Plain)], 0, Some(2));
    check(b"\"", &[], 0, Some(1));
}

#[test]
fn a_line_is_a_line_whatever_its_quotes() {
    let long = "x".repeat(RECORD_BYTES_MAX + 1);
    let text = format!("a\"\n\"b\r{long}\"\n\nc");
    let mut records = Records::lines(text.as_bytes());
    let mut seen = Vec::new();
    while let Some(record) = records.next_record().unwrap() {
        seen.push((record.line, record.shape));
    }
    assert_eq!(seen, [(1, Plain), (2, Plain), (3, TooLong), (5, Plain)]);
    assert_eq!(records.blank_lines(), (1, Some(4)));
}

fn long_case(parts: &[&[u8]], shapes: &[(u64, Shape)], refused: Option<u64>) {
    let bytes = parts.concat();
    for step in [4_099, usize::MAX] {
        let (seen, _, refused_seen) = records_by(&bytes, step);
        let seen: Vec<_> = seen.iter().map(|(l, _, s)| (*l, *s)).collect();
        assert_eq!((&seen[..], refused_seen), (shapes, refused));
    }
}

#[test]
fn the_longest_record_is_64_kib() {
    let most = [b'x'; RECORD_BYTES_MAX];
    long_case(&[&most, b"\r\na"], &[(1, Plain), (2, Plain)], None);
    long_case(&[&most], &[(1, Plain)], None);
    long_case(&[&most, b"x\r\na"], &[(1, TooLong), (2, Plain)], None);
    long_case(&[&most, b"x"], &[(1, TooLong)], None);
    let quoted = [b'x'; RECORD_BYTES_MAX - 2];
    long_case(&[b"\"", &quoted, b"\"\na"], &[(1, Quoted), (2, Plain)], None);
    long_case(&[b"\"x", &quoted, b"\"\na"], &[(1, TooLong), (2, Plain)], None);
}

#[test]
fn a_long_record_is_skipped_in_bounded_memory() {
    let long = vec![b'x'; 10 * BUFFER_BYTES];
    long_case(
        &[b"a\n", &long, b"\"\nb"],
        &[(1, Plain), (2, TooLong), (3, Plain)],
        None,
    );
    let lines = b"x\n".repeat(BUFFER_BYTES);
    long_case(
        &[b"a\n\"", &lines, b"\",\"c\nd\"\ne"],
        &[(1, Plain), (2, TooLong), (4 + BUFFER_BYTES as u64, Plain)],
        None,
    );
    long_case(&[b"a\n\"", &lines, b"\"b\nc"], &[(1, Plain)], Some(2));
    long_case(&[b"a\nb,\"", &lines], &[(1, Plain)], Some(2));
    long_case(&[b"\"", &long, b"\"x\nb"], &[(1, TooLong), (2, Plain)], None);
}

proptest! {
    #[test]
    fn how_the_bytes_arrive_changes_nothing(text in "[ab,\"\n\r ]{0,60}", step in 1usize..9) {
        prop_assert_eq!(records_by(text.as_bytes(), step), records_by(text.as_bytes(), usize::MAX));
    }

    #[test]
    fn lines_without_quotes_are_what_lines_are(text in "[ab, \n]{0,60}") {
        let (seen, blank, refused) = records_by(text.as_bytes(), usize::MAX);
        let expected: Vec<_> = (1..)
            .zip(text.lines())
            .filter(|(_, line)| !line.trim_matches([' ', ',']).is_empty())
            .map(|(number, line)| (number, line.to_owned(), Plain))
            .collect();
        prop_assert_eq!(blank, (text.lines().count() - expected.len()) as u64);
        prop_assert_eq!((seen, refused), (expected, None));
    }
}
