//! The rules of the chat, told as events and effects.

use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::allowance::RateLimit;
use super::{Chat, Effect, Eol, Look, Now, Refusal, Role, Saved, SendFailed, Settings, Shown};

fn settings(role: Role) -> Settings {
    Settings { role, eol: Eol::Auto, max_datagram: 1024, rate_limit: None, interfaces: |_| None, echo: false }
}

fn bob() -> SocketAddr {
    "192.168.1.5:7890".parse().unwrap()
}

fn at(milliseconds: u64) -> Now {
    Now { since_start: Duration::from_millis(milliseconds), wall: 1_000_000 + milliseconds }
}

/// A chat, and what it said and did.
struct Told {
    chat: Chat,
    lines: Vec<String>,
    sent: Vec<(SocketAddr, Vec<Vec<u8>>)>,
    saved: Vec<Saved>,
    messages: usize,
    looks: Vec<Look>,
    quit: Option<u8>,
    /// What the network says to every send.
    network: Result<(), SendFailed>,
}

impl Told {
    fn new(settings: Settings) -> Self {
        let mut told = Self {
            chat: Chat::new(settings),
            lines: vec![],
            sent: vec![],
            saved: vec![],
            messages: 0,
            looks: vec![],
            quit: None,
            network: Ok(()),
        };
        told.event(|chat, effects| chat.start(at(0), None, effects).unwrap());
        told
    }

    fn event(&mut self, event: impl FnOnce(&mut Chat, &mut Vec<Effect>)) {
        let mut effects = Vec::new();
        event(&mut self.chat, &mut effects);
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { ticket, to, pieces } => {
                    self.sent.push((to, pieces));
                    let outcome = self.network.clone();
                    let mut effects = Vec::new();
                    self.chat.sent(at(0), ticket, outcome, &mut effects);
                    self.perform(effects);
                }
                Effect::Show(Shown::Line(line)) => self.lines.push(line),
                Effect::Show(Shown::Message { .. }) => self.messages += 1,
                Effect::Show(Shown::Own { to, text, .. }) => self.lines.push(format!("-> {to}: {text}")),
                Effect::Save(saved) => self.saved.push(saved),
                Effect::Look(look) => self.looks.push(look),
                Effect::AskFacts => self.lines.push("facts".into()),
                Effect::Quit(code) => self.quit = Some(code),
            }
        }
    }

    fn type_lines(&mut self, lines: &[&str]) {
        for line in lines {
            self.event(|chat, effects| chat.line(at(0), line, effects));
        }
    }

    fn comes(&mut self, from: SocketAddr, bytes: &[u8]) {
        self.event(|chat, effects| chat.datagram(at(0), from, bytes, effects));
    }

    fn said(&self, what: &str) -> bool {
        self.lines.iter().any(|line| line.contains(what))
    }
}

#[test]
fn the_menu_does_what_it_did_in_the_original() {
    let mut told = Told::new(settings(Role::Chat));
    assert_eq!(told.lines, ["1: send data", "2: quit"]);
    told.type_lines(&["1", "192.168.1.5", "7890", "hello", "two words"]);
    let expected = [(bob(), vec![b"hello".to_vec()]), (bob(), vec![b"two words".to_vec()])];
    assert_eq!(told.sent, expected);
    assert_eq!(told.saved[0], Saved::Sent(bob(), "hello".into()));
    told.type_lines(&["", "2"]);
    assert_eq!(told.quit, Some(0));
    assert_eq!(told.lines.len(), 4, "the menu is shown again: {:?}", told.lines);
}

#[test]
fn the_questions_are_asked_until_they_are_answered() {
    let mut told = Told::new(settings(Role::Chat));
    assert_eq!(told.chat.prompt().unwrap(), "your choice: ");
    told.type_lines(&["x"]);
    assert!(told.said("type 1 or 2"));
    told.type_lines(&["1", "bob"]);
    assert!(told.said("bob is no IP address"));
    assert_eq!(told.chat.prompt().unwrap(), "address: ");
    told.type_lines(&["192.168.1.5", "99999"]);
    assert!(told.said("99999 is no port"));
    assert_eq!(told.chat.prompt().unwrap(), "port: ");
    told.type_lines(&["7890"]);
    assert_eq!(told.chat.prompt().unwrap(), "to 192.168.1.5:7890> ");
    told.type_lines(&["", "1", ""]);
    assert_eq!(told.chat.prompt().unwrap(), "your choice: ");
}

#[test]
fn all_are_written_to_one_by_one() {
    let mut told = Told::new(settings(Role::Chat));
    told.type_lines(&["/to all", "hello"]);
    assert!(told.said("nobody is known yet"));
    told.type_lines(&["/add 192.168.1.5 bob", "/add [::1]:7", "hi"]);
    let to: Vec<_> = told.sent.iter().map(|(to, _)| to.to_string()).collect();
    assert_eq!(to, ["192.168.1.5:7890", "[::1]:7"]);
    assert_eq!(told.saved.len(), 2);
    told.type_lines(&["/ignore bob", "hi"]);
    assert_eq!(told.sent.len(), 3, "an ignored peer gets nothing");
    assert_eq!(told.chat.prompt().unwrap(), "to all> ");
}

#[test]
fn commands_work_everywhere_and_two_slashes_are_a_message() {
    let mut told = Told::new(settings(Role::Chat));
    told.type_lines(&["1", "/add 192.168.1.5 bob", "/to bob", "//shrug", "/msg bob  a b", "/frob"]);
    assert_eq!(told.sent[0].1, [b"/shrug".to_vec()]);
    assert_eq!(told.sent[1].1, [b"a b".to_vec()]);
    assert!(told.said("unknown command /frob"));
    told.type_lines(&[
        "/history 5",
        "/history bob",
        "/history 192.168.1.5",
        "/search x y",
        "/where",
        "/status",
        "/peers",
        "/help",
    ]);
    assert_eq!(
        told.looks,
        [
            Look::Last(5, None),
            Look::Last(20, Some((bob().ip(), Some(7890)))),
            Look::Last(20, Some((bob().ip(), None))),
            Look::Search("x y".into()),
            Look::Where
        ]
    );
    assert!(told.said("facts") && told.said("sent 2, received 0, refused 0") && told.said("//x"));
}

#[test]
fn the_rest_of_a_long_line_goes_where_the_line_went() {
    let mut told = Told::new(settings(Role::Chat));
    let rest = |told: &mut Told, text: &str| told.event(|chat, effects| chat.rest(at(0), text, effects));
    rest(&mut told, "2");
    told.type_lines(&["/to 192.168.1.5:7890", "hello"]);
    rest(&mut told, "/quit");
    rest(&mut told, "");
    told.type_lines(&["/msg 192.168.1.6 hi"]);
    rest(&mut told, "/to all");
    told.type_lines(&["/frob"]);
    rest(&mut told, "not for bob");
    let sent: Vec<_> = told.sent.iter().map(|(to, pieces)| (to.to_string(), pieces[0].as_slice())).collect();
    let (bob, other) = ("192.168.1.5:7890".to_owned(), "192.168.1.6:7890".to_owned());
    let expected =
        [(&bob, &b"hello"[..]), (&bob, b"/quit"), (&bob, b""), (&other, b"hi"), (&other, b"/to all")];
    assert_eq!(sent, expected.map(|(to, text)| (to.clone(), text)));
    assert_eq!(told.lines.iter().filter(|line| line.contains("the rest of it is dropped")).count(), 2);
    assert_eq!(told.quit, None);
}

#[test]
fn a_refusal_is_told_for_its_message() {
    let mut told = Told::new(settings(Role::Chat));
    told.type_lines(&["/add 192.168.1.5 bob", "/msg bob one", "/msg bob two"]);
    let mapped = "[::ffff:192.168.1.5]:7890".parse().unwrap();
    told.event(|chat, effects| chat.refused(mapped, b"two", &Refusal::NobodyListens, effects));
    assert_eq!(
        told.lines.last().unwrap(),
        "! not delivered to bob: nothing listens on 192.168.1.5:7890 (\"two\")"
    );
    let note = "not delivered to 192.168.1.5:7890: nothing listens on 192.168.1.5:7890: two";
    assert_eq!(told.saved.last().unwrap(), &Saved::Note(note.into()));
    let lines = told.lines.len();
    told.event(|chat, effects| chat.refused(mapped, b"never sent", &Refusal::NobodyListens, effects));
    assert!(told.lines[lines].ends_with("(an earlier message)"));
}

#[test]
fn what_is_not_sent_is_not_saved_as_sent() {
    let mut told = Told::new(settings(Role::Chat));
    told.network = Err(SendFailed { why: "network is unreachable".into(), pieces_sent: 0 });
    told.type_lines(&["/msg 10.0.0.1 hi"]);
    assert!(told.said("! not sent to 10.0.0.1:7890: network is unreachable"));
    assert_eq!(told.saved, []);
}

#[test]
fn a_script_hears_by_the_exit_code_what_was_not_sent() {
    let unreachable = Err(SendFailed { why: "network is unreachable".into(), pieces_sent: 0 });
    for (line, network) in
        [("/msg 10.0.0.1 hi", unreachable), ("/msg bob hi", Ok(())), ("/msg all hi", Ok(()))]
    {
        for (echo, code) in [(true, 1), (false, 0)] {
            let mut told = Told::new(Settings { echo, ..settings(Role::Chat) });
            told.network = network.clone();
            told.type_lines(&[line, "/quit"]);
            assert_eq!(told.quit, Some(code), "{line}");
        }
    }
    let mut told = Told::new(Settings { echo: true, ..settings(Role::Chat) });
    told.type_lines(&["/msg 192.168.1.5 hi"]);
    told.event(|chat, effects| chat.refused(bob(), b"hi", &Refusal::NobodyListens, effects));
    told.event(|chat, effects| chat.end_of_input(at(1), effects));
    assert_eq!(told.quit, Some(0), "it was sent, and UDP promises no more");
}

#[test]
fn newlines_are_mirrored() {
    let mut told = Told::new(settings(Role::Chat));
    told.type_lines(&["/to 192.168.1.5:7890", "one"]);
    told.comes(bob(), b"from netcat\n");
    told.type_lines(&["two"]);
    told.comes(bob(), b"from Python");
    told.type_lines(&["three"]);
    let sent: Vec<_> = told.sent.iter().map(|(_, pieces)| pieces[0].clone()).collect();
    assert_eq!(sent, [b"one".to_vec(), b"two\n".to_vec(), b"three".to_vec()]);
}

#[test]
fn text_is_never_answered() {
    let mut told = Told::new(settings(Role::Chat));
    for text in [&b"hello"[..], b"X", b"", b"\xFF\x00", b"/quit", b"1\n", b"2"] {
        told.comes(bob(), text);
    }
    assert_eq!((told.sent.len(), told.quit), (0, None));
    assert_eq!(told.messages, 5);
    assert!(told.said("to answer: /to 192.168.1.5:7890"));
    assert!(told.said("unsupported frame from 192.168.1.5:7890"));
}

#[test]
fn a_flood_is_counted_and_coalesced() {
    let limit = RateLimit { rate: 1.0, burst: 3.0 };
    let mut told = Told::new(Settings { rate_limit: Some(limit), ..settings(Role::Chat) });
    for _ in 0..10 {
        told.comes(bob(), b"flood");
    }
    assert_eq!(told.messages, 3);
    // the first is reported at once, the others when its time has come
    assert!(told.said("# suppressed: 1 from 192.168.1.5:7890"));
    assert_eq!(told.chat.deadline(), Some(Duration::from_secs(1)));
    told.event(|chat, effects| chat.late(at(1000), effects));
    assert!(told.said("# suppressed: 6 from 192.168.1.5:7890"));
    assert_eq!(told.chat.deadline(), None, "nothing wakes a chat in which nothing happens");
    told.comes(bob(), b"flood");
    told.event(|chat, effects| chat.end(at(1100), effects));
    assert!(
        matches!(told.saved.last(), Some(Saved::Note(note)) if note == "suppressed: 1 from 192.168.1.5:7890")
    );
}

#[test]
fn what_the_kernel_dropped_is_said_and_noted() {
    let mut told = Told::new(settings(Role::Chat));
    told.event(|chat, effects| chat.dropped(at(0), 5, effects));
    told.event(|chat, effects| chat.dropped(at(10), 5, effects));
    told.event(|chat, effects| chat.dropped(at(20), u32::MAX / 2, effects));
    // news that is older than what is known
    told.event(|chat, effects| chat.dropped(at(20), 6, effects));
    told.event(|chat, effects| chat.dropped(at(20), u32::MAX - 1, effects));
    told.event(|chat, effects| chat.dropped(at(30), 4, effects));
    told.event(|chat, effects| chat.end(at(40), effects));
    assert!(told.said("! 5 datagrams came too fast"));
    let expected = [5, u64::from(u32::MAX)].map(|n| Saved::Note(format!("dropped: {n} by the kernel")));
    assert_eq!(told.saved, expected);
}

#[test]
fn what_was_suppressed_of_a_forgotten_peer_is_told() {
    let limit = RateLimit { rate: 1.0, burst: 1.0 };
    let mut told = Told::new(Settings { rate_limit: Some(limit), ..settings(Role::Chat) });
    for _ in 0..4 {
        told.comes(bob(), b"flood");
    }
    for port in 1..=super::people::PEOPLE_MAX {
        let line = format!("/to 10.0.0.1:{port}");
        told.event(|chat, effects| chat.line(at(1), &line, effects));
    }
    // one was told at once; the others when it is time, although nothing else is known of it any more
    told.event(|chat, effects| chat.late(at(1000), effects));
    assert!(told.said("# suppressed: 2 from 1 other source"), "{:?}", told.lines);
}

#[test]
fn many_ports_are_one_source_and_one_report() {
    let limit = RateLimit { rate: 1.0, burst: 10.0 };
    let mut told = Told::new(Settings { rate_limit: Some(limit), ..settings(Role::Chat) });
    let lines = told.lines.len();
    for port in 1..=3000 {
        told.comes(([10, 0, 0, 1], port).into(), b"\xFF");
    }
    for moment in [1000, 2000, 3000] {
        told.event(|chat, effects| chat.late(at(moment), effects));
    }
    assert_eq!(told.lines.len() - lines, 3, "one at once, and two for all the others: {:#?}", told.lines);
    assert!(told.said("! unsupported frame from 9 other sources (9 of them)"), "{:#?}", told.lines);
    assert!(told.said("# suppressed: 2990 from 2,990 other sources"), "{:#?}", told.lines);
}

#[test]
fn the_ignored_are_neither_shown_nor_saved() {
    let mut told = Told::new(settings(Role::Chat));
    told.type_lines(&["/ignore 192.168.1.5:7890"]);
    told.comes(bob(), b"hello?");
    assert_eq!((told.messages, told.saved.len()), (0, 0));
    told.type_lines(&["/ignore 192.168.1.5:7890"]);
    told.comes(bob(), b"hello!");
    assert_eq!((told.messages, told.saved.len()), (1, 1));
}

#[test]
fn send_waits_for_refusals_and_listen_for_messages() {
    let role = Role::Send { to: bob(), wait: Duration::from_millis(200) };
    let mut told = Told::new(settings(role));
    told.type_lines(&["/quit", ""]);
    assert_eq!(told.sent.len(), 2, "every line is a message");
    told.event(|chat, effects| chat.end_of_input(at(50), effects));
    assert_eq!(told.chat.deadline(), Some(Duration::from_millis(250)));
    told.event(|chat, effects| chat.refused(bob(), b"/quit", &Refusal::NobodyListens, effects));
    told.event(|chat, effects| chat.late(at(250), effects));
    assert_eq!(told.quit, Some(4));

    let role = Role::Listen { count: Some(2), timeout: Some(Duration::from_secs(1)) };
    let mut told = Told::new(settings(role));
    told.comes(bob(), b"one");
    assert_eq!(told.quit, None);
    told.comes(bob(), b"two");
    assert_eq!(told.quit, Some(0));
    told.comes(bob(), b"three");
    assert_eq!((told.messages, told.saved.len()), (2, 3), "two were asked for; what came is kept");
    let mut told = Told::new(settings(role));
    told.comes(bob(), b"one");
    told.event(|chat, effects| chat.late(at(1000), effects));
    assert_eq!(told.quit, Some(5));
}

proptest! {
    #[test]
    fn no_event_makes_it_panic_or_grow(
        events in proptest::collection::vec((0u8..4, any::<u16>(), proptest::collection::vec(any::<u8>(), 0..40), "[/a-z0-9 .:]{0,20}"), 0..400),
    ) {
        let limit = RateLimit { rate: 10.0, burst: 20.0 };
        let mut told = Told::new(Settings { rate_limit: Some(limit), ..settings(Role::Chat) });
        for (kind, port, bytes, text) in events {
            let peer = SocketAddr::from(([127, 0, 0, 1], port));
            match kind {
                0 => told.event(|chat, effects| chat.line(at(1), &text, effects)),
                1 => told.event(|chat, effects| chat.refused(peer, &bytes, &Refusal::NobodyListens, effects)),
                2 => told.event(|chat, effects| chat.late(at(2000), effects)),
                _ => told.comes(peer, &bytes),
            }
        }
        prop_assert!(told.chat.people.all().len() <= super::people::PEOPLE_MAX);
    }
}
