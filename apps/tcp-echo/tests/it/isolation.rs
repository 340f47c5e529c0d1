//! E5: what one handler's end does to the others.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::Client;
use crate::server::{LONG, Server, eventually};
use crate::variants::Variant;

on_every_variant! {
    a_panic_ends_one_connection,
    a_crash_ends_one_process,
    a_killed_handler_ends_its_own_connection,
    a_hanging_handler_holds_up_nobody,
}

/// Three clients that must go on, whatever happens; none where the next one would have to wait for them.
fn bystanders(server: &Server) -> Vec<Client> {
    let mut clients: Vec<Client> = (1..server.variant.at_a_time(4)).map(|_| Client::of(server)).collect();
    clients.iter_mut().for_each(|client| client.expect_echo(b"before"));
    clients
}

fn a_panic_ends_one_connection(variant: Variant) {
    let server = Server::start(variant, "--faults");
    let mut others = bystanders(&server);
    // more panics than a pool has workers: none may be lost
    for _ in 0..20 {
        let mut victim = Client::of(&server);
        victim.send(b"!panic\n");
        victim.expect_over();
        others.iter_mut().for_each(|client| client.expect_echo(b"unharmed"));
    }
    Client::of(&server).expect_echo_then_end(b"still serving");
    drop(others);
    let outcome = server.stop();
    assert_eq!(outcome.stat("errors.panic"), 20, "{}: {}", variant.name, outcome.stats);
    assert_eq!(outcome.stat("errors.crash"), 0, "{}: {}", variant.name, outcome.stats);
}

/// `!abort` stands for a memory fault, `!exit` for a call of `exit` deep in a library. Where handlers are threads they
/// end the server, and `--help` says so.
fn a_crash_ends_one_process(variant: Variant) {
    for order in [&b"!abort\n"[..], b"!exit\n"] {
        let server = Server::start(variant, "--faults");
        let mut others = bystanders(&server);
        let mut victim = Client::of(&server);
        victim.send(order);
        victim.expect_over();
        if !variant.isolates_crashes() {
            others.iter_mut().for_each(Client::expect_over);
            assert_ne!(server.end().code(), 0);
            continue;
        }
        others.iter_mut().for_each(|client| client.expect_echo(b"unharmed"));
        Client::of(&server).expect_echo_then_end(b"still serving");
        drop(others);
        let outcome = server.stop();
        assert_eq!(outcome.stat("errors.crash"), 1, "{}: {}", variant.name, outcome.stats);
    }
}

fn a_killed_handler_ends_its_own_connection(variant: Variant) {
    if !variant.isolates_crashes() {
        return; // a thread cannot be killed from outside
    }
    let server = Server::start(variant, "");
    server.assert_at_rest();
    let mut victim = Client::of(&server);
    victim.expect_echo(b"hello");
    // the only child, or the worker that holds a socket more than the others
    let handler = *server.children().iter().max_by_key(|p| crate::inspect::descriptors(p.pid).len()).unwrap();
    let mut others = bystanders(&server);
    kill(Pid::from_raw(handler.pid), Signal::SIGKILL).unwrap();
    victim.expect_over();
    others.iter_mut().for_each(|client| client.expect_echo(b"unharmed"));
    Client::of(&server).expect_echo_then_end(b"still serving");
    drop(others);
    let outcome = server.stop();
    assert_eq!(outcome.stat("errors.crash"), 1, "{}: {}", variant.name, outcome.stats);
}

fn a_hanging_handler_holds_up_nobody(variant: Variant) {
    if !variant.survives_a_hang() {
        return; // it holds up its loop, or whoever comes next; --help says so
    }
    let server = Server::start(variant, "--faults --drain-timeout 100ms");
    let mut others = bystanders(&server);
    for _ in 0..4 {
        Client::of(&server).send(b"!hang\n");
        others.iter_mut().for_each(|client| client.expect_echo(b"not held up"));
        Client::of(&server).expect_echo_then_end(b"me neither");
    }
    drop(others);
    assert!(eventually(LONG, || server.children().iter().all(|child| child.state != 'Z')));
    server.signal(Signal::SIGTERM);
    let outcome = server.end();
    assert_eq!((outcome.code(), outcome.stat("cut")), (3, 4), "{outcome:?}");
}
