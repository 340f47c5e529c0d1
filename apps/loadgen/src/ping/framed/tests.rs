//! Requests and replies of any protocol, in any pieces.

use super::*;
use crate::ping::message::Template;
use crate::ping::reply::Reply;
use proptest::prelude::*;

fn dialogue(messages: &[&str], expect: &str, replies: &[&str]) -> Dialogue {
    Dialogue {
        messages: messages.iter().map(|text| Template::parse(text, true).unwrap()).collect(),
        first: None,
        expect: Expect::parse(expect, true).unwrap(),
        replies: replies.iter().map(|text| Reply::parse(text, true).unwrap()).collect(),
    }
}

fn started(dialogue: Dialogue, depth: usize) -> Framed {
    let mut framed = Framed::new(&Arc::new(dialogue), depth);
    framed.restart(3);
    framed.greet(1);
    framed
}

/// Queues `count` requests and returns what goes over the wire.
fn send(framed: &mut Framed, count: usize, now: u64) -> Vec<u8> {
    framed.queue(count, Stamp::now(now));
    let wire = framed.to_send().to_vec();
    framed.sent(wire.len());
    wire
}

fn receive(framed: &mut Framed, bytes: &[u8]) -> (Result<usize, Wrong>, Vec<(u64, u64)>, u64) {
    let mut told = Vec::new();
    let result = framed.received(bytes, |stamp, count| told.push((stamp.queued, count)));
    (result, told, framed.unexpected().map_or(0, |unexpected| unexpected.replies))
}

#[test]
fn messages_go_in_turn_and_each_has_its_own_reply() {
    let mut framed =
        started(dialogue(&[r"SET {sequence}\r\n", r"GET\r\n"], "line", &["OK", r"v{sequence}\r\n"]), 4);
    assert_eq!(send(&mut framed, 3, 5), b"SET 0\r\nGET\r\nSET 2\r\n");
    let (result, told, unexpected) = receive(&mut framed, b"OK\r\nv{sequence}\r\nNO\n");
    assert_eq!((result, told, unexpected), (Ok(3), vec![(5, 1)], 2));
    assert_eq!(framed.in_flight(), 0);
}

#[test]
fn an_unexpected_reply_leaves_the_connection_in_step() {
    let mut framed = started(dialogue(&["a"], "line", &["+PONG"]), 3);
    send(&mut framed, 3, 7);
    assert_eq!(receive(&mut framed, b"+PONG\r\n-ERR no\r\n+PONG\r\n"), (Ok(3), vec![(7, 2)], 1));
    assert_eq!(framed.in_flight(), 0);
}

#[test]
fn what_was_right_before_the_wrong_bytes_is_told() {
    let mut framed = started(dialogue(&["a"], "line", &[]), 3);
    send(&mut framed, 2, 7);
    let (result, told, _) = receive(&mut framed, b"1\n2\n3\n");
    assert_eq!((result, told), (Err(Wrong::Surplus { bytes: 2 }), vec![(7, 2)]));
}

#[test]
fn a_first_message_is_answered_before_any_request() {
    let mut spec = dialogue(&["a"], "line", &["x"]);
    spec.first = Some(Template::parse("AUTH {connection}", true).unwrap());
    let mut framed = started(spec, 3);
    assert_eq!((framed.free(), framed.in_flight(), framed.oldest()), (0, 0, Some(1)));
    assert_eq!(framed.to_send(), b"AUTH 3");
    framed.sent(6);
    assert_eq!(receive(&mut framed, b"any").0, Ok(0));
    assert!(!framed.was_greeted());
    assert_eq!(receive(&mut framed, b"thing\n").0, Ok(0));
    assert_eq!((framed.free(), framed.was_greeted(), framed.oldest()), (3, true, None));
    send(&mut framed, 1, 9);
    assert!(!framed.was_greeted());
    assert_eq!(receive(&mut framed, b"x\n").1, [(9, 1)]);
}

#[test]
fn bytes_after_a_marker_are_skipped_and_after_a_delimiter_they_are_too_many() {
    let mut marked = started(dialogue(&["a"], "marker:END", &[]), 1);
    send(&mut marked, 1, 1);
    assert_eq!(receive(&mut marked, b"xxENDyyE").0, Ok(1));
    assert_eq!(receive(&mut marked, b"Nyy").0, Ok(0));
    send(&mut marked, 1, 2);
    assert_eq!(receive(&mut marked, b"EN").0, Ok(0));
    assert_eq!(receive(&mut marked, b"D").0, Ok(1));
    assert_eq!(receive(&mut marked, b"END").0, Err(Wrong::Surplus { bytes: 3 }));
    let mut delimited = started(dialogue(&["a"], "delim:END", &[]), 1);
    send(&mut delimited, 1, 1);
    assert_eq!(receive(&mut delimited, b"xxENDyy").0, Err(Wrong::Surplus { bytes: 2 }));
}

#[test]
fn a_close_ends_a_reply_only_if_there_is_one() {
    let mut framed = started(dialogue(&["GET"], "close", &["re:^200"]), 1);
    send(&mut framed, 1, 4);
    assert_eq!(framed.closed(|_, _| ()), 0);
    assert_eq!(receive(&mut framed, b"20").0, Ok(0));
    assert_eq!(receive(&mut framed, b"0 fine").0, Ok(0));
    let mut told = Vec::new();
    assert_eq!(framed.closed(|stamp, count| told.push((stamp.queued, count))), 1);
    assert_eq!((told, framed.in_flight()), (vec![(4, 1)], 0));
}

proptest! {
    #[test]
    fn any_chunking_of_right_replies_completes_every_request(
        which in 0_usize..5,
        depth in 1_usize..6,
        bursts in prop::collection::vec(1_usize..6, 1..20),
        cuts in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let (expect, replies, answer): (&str, &[&str], &[u8]) = [
            ("echo", [].as_slice(), [].as_slice()),
            ("line", &["+OK"], b"+OK\r\n"),
            ("prefix:u16be", &["hey"], b"\0\x03hey"),
            ("resp", &[r"$3\r\nhey"], b"$3\r\nhey\r\n"),
            ("bytes:5", &["re:^he...$"], b"hello"),
        ][which];
        let mut framed = started(dialogue(&["m{sequence}-{connection:3};"], expect, replies), depth);
        let (mut wire, mut queued, mut complete, mut counted) = (Vec::new(), 0, 0, 0);
        let mut cuts = cuts.iter().cycle();
        for burst in bursts {
            let count = burst.min(framed.free());
            let request = send(&mut framed, count, queued as u64);
            wire.extend(if which == 0 { request } else { answer.repeat(count) });
            queued += count;
            let cut = (*cuts.next().unwrap()).min(wire.len());
            let chunk: Vec<u8> = wire.drain(..cut).collect();
            complete += framed.received(&chunk, |_, n| counted += n).unwrap();
        }
        complete += framed.received(&wire, |_, n| counted += n).unwrap();
        prop_assert_eq!((complete, counted), (queued, queued as u64));
        prop_assert_eq!((framed.in_flight(), framed.unexpected()), (0, None));
    }
}
