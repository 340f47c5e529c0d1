//! A chat in pipes, with peers of this test's own.

use std::net::UdpSocket;

use nix::sys::signal::Signal;

use crate::books::leave;
use crate::support::{Chat, deaf_port, heard, peer, ran, records, text};

#[test]
fn the_original_session_works_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let bob = peer();
    let port = bob.local_addr().unwrap().port();
    let out = ran(&folder, &["--port", "0"], &format!("1\n127.0.0.1\n{port}\nhello\n\n2\n"));
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    assert_eq!(heard(&bob), "hello");
    assert_eq!(records(&folder), [format!("<<<(127.0.0.1, {port}):hello")]);
    let shown = text(&out.stdout);
    assert_eq!(shown.matches("1: send data\n2: quit\n").count(), 2, "{shown}");
    assert!(shown.contains(&format!("-> 127.0.0.1:{port}: hello")), "{shown}");
    assert_eq!(text(&out.stderr), "");
}

#[test]
fn what_comes_is_shown_and_saved_and_can_be_answered() {
    let mut chat = Chat::start(&[]);
    let bob = peer();
    let address = bob.local_addr().unwrap();
    bob.send_to("grüß dich".as_bytes(), chat.v4()).unwrap();
    assert!(chat.expect("> ").ends_with(&format!("{address}> grüß dich")));
    chat.expect(&format!("to answer: /to {address}"));
    chat.type_line(&format!("/add {address} bob"));
    chat.type_line("/to bob");
    chat.type_line("hello bob");
    assert_eq!(heard(&bob), "hello bob");
    bob.send_to(b"two\nlines\n", chat.v4()).unwrap();
    chat.expect("bob> two");
    chat.expect("bob> lines");
    chat.type_line("and you?");
    assert_eq!(heard(&bob), "and you?\n", "the habit of netcat is mirrored");
    let port = address.port();
    let folder = chat.quit();
    let expected = [
        format!(">>>('127.0.0.1', {port}):grüß dich"),
        format!("<<<(127.0.0.1, {port}):hello bob"),
        format!(">>>('127.0.0.1', {port}):two\\nlines"),
        format!("<<<(127.0.0.1, {port}):and you?"),
    ];
    assert_eq!(records(&folder), expected);
}

#[test]
fn a_refusal_is_told_for_exactly_its_message() {
    let mut chat = Chat::start(&[]);
    let bob = peer();
    let (alive, deaf) = (bob.local_addr().unwrap(), deaf_port());
    chat.type_line(&format!("/add 127.0.0.1:{deaf} nobody"));
    chat.type_line(&format!("/add {alive} bob"));
    for round in 0..20 {
        chat.type_line(&format!("/msg nobody lost {round}"));
        chat.type_line(&format!("/msg bob kept {round}"));
    }
    for round in 0..20 {
        assert_eq!(heard(&bob), format!("kept {round}"), "another's refusal costs nobody a message");
    }
    for round in 0..20 {
        let line =
            format!("! not delivered to nobody: nothing listens on 127.0.0.1:{deaf} (\"lost {round}\")");
        chat.expect(&line);
    }
    chat.type_line("/peers");
    chat.expect("sent 20, received 0, refused 20");
    let folder = chat.quit();
    let notes = records(&folder).iter().filter(|r| r.starts_with("# not delivered to 127.0.0.1")).count();
    assert_eq!(notes, 20);
}

#[test]
fn a_message_that_was_delivered_is_not_called_refused() {
    let mut chat = Chat::start(&[]);
    let bob = peer();
    let address = bob.local_addr().unwrap();
    chat.type_line(&format!("/to {address}"));
    for text in ["ok then, see you at eight", "ok"] {
        chat.type_line(text);
        assert_eq!(heard(&bob), text);
    }
    // he has gone: what came to nothing is the third message, and neither its longer likeness nor its equal
    leave(bob);
    chat.type_line("ok");
    chat.expect(&format!("! not delivered to {address}: nothing listens on {address} (\"ok\")"));
    let folder = chat.quit();
    let note = format!("# not delivered to {address}: nothing listens on {address}: ok");
    assert_eq!(records(&folder)[3], note);
}

#[test]
fn the_same_is_true_for_ipv6() {
    let mut chat = Chat::start(&[]);
    let bob = UdpSocket::bind("[::1]:0").unwrap();
    bob.set_read_timeout(Some(crate::support::LIMIT)).unwrap();
    let address = bob.local_addr().unwrap();
    bob.send_to(b"six", ("::1", chat.port)).unwrap();
    chat.expect(&format!("{address}> six"));
    chat.type_line(&format!("/to {address}"));
    chat.type_line("seven");
    assert_eq!(heard(&bob), "seven");
    leave(bob);
    chat.type_line("eight");
    chat.expect(&format!("! not delivered to {address}: nothing listens on {address} (\"eight\")"));
    let port = address.port();
    let folder = chat.quit();
    assert_eq!(records(&folder)[..2], [format!(">>>('::1', {port}):six"), format!("<<<(::1, {port}):seven")]);
}

#[test]
fn all_means_all() {
    let mut chat = Chat::start(&[]);
    let peers = [peer(), peer(), peer()];
    for (index, peer) in peers.iter().enumerate() {
        peer.send_to(format!("I am {index}").as_bytes(), chat.v4()).unwrap();
        chat.expect(&format!("> I am {index}"));
    }
    chat.type_line("/to all");
    chat.type_line("hello, three");
    for peer in &peers {
        assert_eq!(heard(peer), "hello, three");
    }
    let folder = chat.quit();
    assert_eq!(records(&folder).iter().filter(|r| r.ends_with(":hello, three")).count(), 3);
}

#[test]
fn long_messages_are_cut_between_characters() {
    let mut chat = Chat::start(&[]);
    let bob = peer();
    chat.type_line(&format!("/to {}", bob.local_addr().unwrap()));
    let long = "ä".repeat(1000);
    chat.type_line(&long);
    let pieces = [heard(&bob), heard(&bob)];
    assert_eq!((pieces[0].len(), pieces.concat()), (1024, long.clone()));
    let folder = chat.quit();
    assert!(records(&folder)[0].ends_with(&format!(":{long}")), "one message is one record");
}

#[test]
fn two_chats_and_an_echo_go_quiet() {
    let (mut one, mut two) = (Chat::start(&[]), Chat::start(&[]));
    one.type_line(&format!("/to {}", two.v4()));
    one.type_line("are you there?");
    two.expect("are you there?");
    two.type_line(&format!("/msg {} yes", one.v4()));
    one.expect("> yes");
    let echo = peer();
    one.type_line(&format!("/msg {} ping", echo.local_addr().unwrap()));
    let mut room = [0; 100];
    let (length, from) = echo.recv_from(&mut room).unwrap();
    echo.send_to(&room[..length], from).unwrap();
    one.expect("> ping");
    // whatever they would still say on their own stands before the answer to this
    one.type_line("/status");
    one.expect("sent          2 messages, 0 send errors, 0 refused");
    two.type_line("/status");
    two.expect("received      1 messages");
    assert_eq!(records(&one.quit()).len(), 4);
    assert_eq!(records(&two.quit()).len(), 2);
}

#[test]
fn history_can_be_looked_into() {
    let mut chat = Chat::start(&[]);
    let bob = peer();
    chat.type_line(&format!("/add {} bob", bob.local_addr().unwrap()));
    for word in ["apple", "pear", "plum"] {
        chat.type_line(&format!("/msg bob {word}"));
    }
    chat.type_line("/search pea");
    chat.expect(":pear");
    chat.type_line("/history 1");
    chat.expect(":plum");
    chat.type_line("/history bob");
    chat.expect(":apple");
    chat.type_line("/where");
    let place = chat.folder.path().join("chat.txt").display().to_string();
    chat.expect(&place);
    chat.quit();
}

#[test]
fn an_address_without_its_port_is_understood() {
    let mut chat = Chat::start(&[]);
    // somebody who says one thing and is gone, as `udp-chat send` is
    let gone = peer();
    let address = gone.local_addr().unwrap();
    gone.send_to(b"call me", chat.v4()).unwrap();
    chat.expect("> call me");
    leave(gone);
    chat.type_line("/msg 127.0.0.1 hello?");
    chat.expect(&format!("nothing listens on {address}"));
    chat.type_line("/to 127.0.0.1");
    chat.expect("to 127.0.0.1:7890> ");
    chat.type_line("/history 127.0.0.1");
    chat.expect(":call me");
    // the port is not known in this run, and still it is this address
    let folder = chat.quit();
    let out = ran(&folder, &["--port", "0"], "/history 127.0.0.1\n");
    assert!(text(&out.stdout).contains(":call me\n"), "{out:?}");
}

#[test]
fn every_clean_end_keeps_everything() {
    for signal in [Some(Signal::SIGTERM), Some(Signal::SIGINT), Some(Signal::SIGHUP), None] {
        let mut chat = Chat::start(&["--rate-limit", "off"]);
        let bob = peer();
        // it wakes up to all of it at once: the messages are in the kernel, and it has to end
        chat.signal(Signal::SIGSTOP);
        for n in 0..200 {
            bob.send_to(format!("message {n}").as_bytes(), chat.v4()).unwrap();
        }
        match signal {
            Some(signal) => chat.signal(signal),
            None => chat.type_line("/quit"),
        }
        chat.signal(Signal::SIGCONT);
        let (status, said) = chat.ended();
        assert_eq!(status.code(), Some(0), "{said:#?}");
        assert_eq!(records(&chat.folder).len(), 200, "{signal:?}");
    }
}
