//! Facts about problems: their names, and what an answer shows of a value.

use super::*;

#[test]
fn every_code_has_its_own_name() {
    let mut names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Code::ALL.len());
}

#[test]
fn a_refused_file_names_its_line_when_it_has_one() {
    let mut file = BadFile::new(Some(3), Code::UnclosedQuote, "a quote opens here");
    assert_eq!(file.in_file("a.csv"), "a.csv line 3: a quote opens here");
    file.line = None;
    assert_eq!(file.in_file("a.csv"), "a.csv: a quote opens here");
}

#[test]
fn an_excerpt_is_short_and_harmless() {
    assert_eq!(excerpt(b"a\x1b[2J\0"), "a\\u{1b}[2J\\u{0}");
    assert_eq!(excerpt("\u{202e}x".as_bytes()), "\\u{202e}x");
    assert_eq!(excerpt(b"caf\xe9"), "caf\u{fffd}");
    assert_eq!(excerpt(&[b'x'; 100_000]).chars().count(), 201);
    assert_eq!(excerpt("é".repeat(200).as_bytes()).chars().count(), 200);
}

#[test]
fn notes_count_and_keep_the_first_line() {
    let mut notes = Notes::default();
    notes.add(Code::Trimmed, Some(9));
    let mut earlier = Notes::default();
    earlier.add(Code::Trimmed, Some(4));
    earlier.add(Code::Gzip, None);
    notes.merge(&earlier);
    let trimmed = notes.get(Code::Trimmed).unwrap();
    assert_eq!((trimmed.count, trimmed.line), (2, Some(4)));
    assert_eq!(notes.get(Code::Gzip).unwrap().line, None);
}

#[test]
fn a_bad_file_survives_the_way_through_a_reader() {
    let file = BadFile::new(None, Code::Compressed, "damaged");
    let error = InputError::from(io::Error::other(file.clone()));
    assert!(matches!(error, InputError::Refused(same) if same == file));
    let error = InputError::from(io::Error::other("disk"));
    assert!(matches!(error, InputError::Io(_)));
}
