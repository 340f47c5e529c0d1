//! Forwards and backwards agree, on every kind of file.

use super::*;
use crate::escape::is_unsafe;
use proptest::prelude::*;
use std::io::Write;

fn all(bytes: &[u8], query: &Query) -> Vec<String> {
    let mut lines = Vec::new();
    scan(bytes, query, |line, _| {
        lines.push(clean(line));
        ControlFlow::Continue(())
    })
    .unwrap();
    lines
}

fn last_of(bytes: &[u8], most: usize, query: &Query) -> Vec<String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let mut lines = Vec::new();
    let each = |line| {
        lines.push(line);
        ControlFlow::Continue(())
    };
    last(file.path(), most, query, each).unwrap();
    lines
}

fn text(text: &str) -> Query {
    Query { text: Some(text.into()), ..Query::default() }
}

#[test]
fn lines_across_blocks_are_whole() {
    let mut bytes = Vec::new();
    for number in 0..30_000 {
        writeln!(bytes, "<<<(127.0.0.1, 7890):{number:0width$}", width = number % 50).unwrap();
    }
    let expected: Vec<_> =
        bytes.split(|byte| *byte == b'\n').map(clean).filter(|line| !line.is_empty()).collect();
    assert_eq!(all(&bytes, &Query::default()), expected);
    assert_eq!(all(&bytes, &text("29999")).len(), 1);
    assert_eq!(last_of(&bytes, 20_000, &Query::default()), expected[10_000..]);
    let last_found = expected.iter().rfind(|line| line.contains("00123")).unwrap();
    assert_eq!(last_of(&bytes, 1, &text("00123")), [last_found.as_str()]);
}

#[test]
fn a_line_of_several_megabytes_is_read_in_parts() {
    let mut bytes = b"first\n".to_vec();
    bytes.extend(std::iter::repeat_n(b'x', 3 * LINE_MAX));
    bytes.extend_from_slice(b"needle\nlast");
    let lines = all(&bytes, &Query::default());
    assert_eq!((lines[0].as_str(), lines[lines.len() - 1].as_str()), ("first", "last"));
    assert!(lines.iter().all(|line| line.len() <= LINE_MAX));
    assert_eq!(lines.iter().map(String::len).sum::<usize>(), bytes.len() - 2);
    assert_eq!(all(&bytes, &text("needle")).len(), 1);
    assert_eq!(last_of(&bytes, 1, &Query::default()), ["last"]);
    assert!(last_of(&bytes, 2, &text("needle"))[0].ends_with("needle"));
}

#[test]
fn whoever_has_seen_enough_stops() {
    let mut seen = 0;
    scan(&b"1\n2\n3\n"[..], &Query::default(), |_, _| {
        seen += 1;
        if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert_eq!(seen, 2);
}

#[test]
fn no_file_and_no_lines() {
    assert!(last(Path::new("/no/such/file"), 1, &Query::default(), |_| ControlFlow::Continue(())).is_err());
    assert_eq!(last_of(b"", 5, &Query::default()), [""; 0]);
    assert_eq!(last_of(b"\n\n", 5, &Query::default()), [""; 0]);
    assert_eq!(last_of(b"a\nb\n", 0, &Query::default()), [""; 0]);
}

proptest! {
    #[test]
    fn forwards_and_backwards_agree(
        lines in proptest::collection::vec(
            prop_oneof![any::<Vec<u8>>(), "(>>>\\('1.2.3.4', 5\\):)?[a-c\\\\n]{0,6}".prop_map(String::into_bytes)], 0..12),
        most in 0usize..6,
        needle in proptest::option::of("[a-c\\\\n\n]{0,2}"),
    ) {
        let bytes = lines.join(&b'\n');
        let query = Query { text: needle.clone(), ..Query::default() };
        let found = all(&bytes, &query);
        prop_assert!(found.iter().all(|line| !line.contains(is_unsafe)));
        prop_assert_eq!(&last_of(&bytes, most, &query), &found[found.len().saturating_sub(most)..]);

        // what the quick search finds is what a look at every line finds
        let matcher = Matcher::new(&query);
        let slow: Vec<_> = bytes.split(|byte| *byte == b'\n').filter(|line| matcher.line(line).is_some()).map(clean).collect();
        prop_assert_eq!(found, slow);
    }
}
