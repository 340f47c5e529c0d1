//! What the server inherits from whoever starts it (children, blocked signals), and signals that are meant for somebody
//! else.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::Client;
use crate::inspect;
use crate::server::{LONG, Server, Start, eventually};
use crate::tools::needs;
use crate::variants::{Variant, named};

on_every_variant!(blocked_signals_are_unblocked);

fn processes() -> [Variant; 3] {
    ["process_by_fork", "process_by_exec", "pool_of_processes"].map(named)
}

/// A shell that has started something becomes the server: its children are the server's, and none of its business.
fn after_a_shell_with(job: &str, variant: Variant, options: &str) -> Server {
    let script = format!("{job} & {job} & exec \"$@\"");
    Start::new(variant).with(options).under(&["sh", "-c", &script, "sh"]).cold().go()
}

#[test]
fn the_death_of_a_strangers_child_frees_no_seat() {
    for variant in processes() {
        let server = after_a_shell_with("sleep 0.3", variant, "--max-conns 20");
        let strangers = server.children();
        for _ in 0..5 {
            Client::of(&server).expect_echo_then_end(b"before");
        }
        let gone = || strangers.iter().all(|stranger| !server.children().contains(stranger));
        assert!(variant.is_pool() || eventually(LONG, gone));
        for _ in 0..5 {
            Client::of(&server).expect_echo_then_end(b"after");
        }
        // (a pool does not wait for strangers: whoever takes them over does)
        assert!(eventually(LONG, || strangers
            .iter()
            .all(|s| inspect::process(s.pid).is_none_or(|p| !p.lives()) || variant.is_pool())));
        server.signal(Signal::SIGTERM);
        let outcome = server.end();
        assert_eq!(
            (outcome.code(), outcome.stat("cut"), outcome.stat("errors.crash")),
            (0, 0, 0),
            "{outcome:?}"
        );
        assert!(outcome.stat("max_active") <= 10, "{outcome:?}");
    }
}

#[test]
fn a_strangers_child_survives_the_server() {
    for variant in processes() {
        let server = after_a_shell_with("sleep 60", variant, "");
        let strangers: Vec<_> = server.children().into_iter().take(2).collect();
        Client::of(&server).expect_echo_then_end(b"x");
        server.signal(Signal::SIGTERM);
        let pid = server.pid;
        assert!(eventually(LONG, || inspect::process(pid).is_none_or(|p| !p.lives())));
        for stranger in strangers {
            let lives = inspect::process(stranger.pid).is_some_and(|p| p.lives());
            let _ = kill(Pid::from_raw(stranger.pid), Signal::SIGKILL);
            assert!(lives, "{}: it killed a process that it had not made", variant.name);
        }
    }
}

/// Its number is one that many programs do not know.
#[test]
fn a_handler_killed_by_a_real_time_signal_gives_its_seat_back() {
    for variant in processes().into_iter().filter(|v| !v.is_pool()) {
        let server = Server::start(variant, "--max-conns 1");
        let mut client = Client::of(&server);
        client.expect_echo(b"x");
        let handler = server.children()[0].pid.to_string();
        let killed = std::process::Command::new("kill").args(["-40", &handler]).status().unwrap();
        assert!(killed.success());
        client.expect_over();
        Client::of(&server).expect_echo_then_end(b"the next one");
        assert_eq!(server.stop().stat("errors.crash"), 1);
    }
}

fn blocked_signals_are_unblocked(variant: Variant) {
    if !needs("env") {
        return;
    }
    let wrapper = ["env", "--block-signal=CHLD,TERM,INT,URG"];
    let server = Start::new(variant).with("--max-conns 20").under(&wrapper).go();
    for _ in 0..25 {
        Client::of(&server).expect_echo_then_end(b"x");
    }
    server.stop();
}

/// Ctrl-C reaches the whole group. A connection whose process is only just starting must be drained like all others.
#[test]
fn ctrl_c_kills_no_handler_that_is_being_started() {
    for _ in 0..12 {
        let server = Server::start(named("process_by_exec"), "--drain-idle 300ms");
        let mut client = Client::of(&server);
        server.signal_group(Signal::SIGINT);
        client.expect_echo_then_end(b"not cut");
        let outcome = server.end();
        assert_eq!((outcome.code(), outcome.stat("errors.crash")), (0, 0), "{outcome:?}");
    }
}

/// A stop that one worker gets is not the server's: it leaves and is replaced, and nobody is hurried.
#[test]
fn a_stopped_worker_is_replaced_and_hurries_nobody() {
    for name in ["pool_of_processes", "prefork_open", "prefork_flock"] {
        let server = Start::new(named(name)).room_for(1).with("--drain-idle 100ms").go();
        let old = server.children()[0].pid;
        kill(Pid::from_raw(old), Signal::SIGTERM).unwrap();
        assert!(eventually(LONG, || server
            .children()
            .first()
            .is_some_and(|p| p.pid != old && p.state != 'Z')));
        let mut client = Client::of(&server);
        client.expect_echo(b"x");
        assert!(!client.hears_within(Duration::from_millis(400)), "a silent client is hurried");
        client.expect_echo_then_end(b"y");
        assert_eq!(server.stop().stat("errors.crash"), 0);
    }
}

/// There are not enough descriptors for all who wait: they are not served, and that is no good end.
#[test]
fn who_waits_and_cannot_be_taken_at_the_end_is_counted() {
    for name in ["thread", "pool_of_threads", "process_by_fork", "pool_of_processes"] {
        let server = Start::new(named(name))
            .with("--max-conns 4 --backlog 100 --drain-timeout 1s --drain-idle 100ms")
            .go();
        server.freeze();
        let mut clients: Vec<Client> = (0..60).map(|_| Client::of(&server)).collect();
        clients.iter_mut().for_each(|client| client.send(b"x"));
        let spare = inspect::descriptors(server.pid).len() as u64 + 20;
        crate::tools::limit_descriptors(server.pid, spare);
        server.signal(Signal::SIGTERM);
        server.thaw();
        let outcome = server.end();
        assert_eq!(outcome.code(), 3, "{outcome:?}");
        assert!(outcome.stat("cut") >= 30 && outcome.log.contains("are not served"), "{outcome:?}");
    }
}
