//! The blast radius, measured: what each order of `--faults` takes with it.

use std::io::{Read, Write};

use crate::client::Client;
use crate::inspect::memory_of_tree;
use crate::server::{LONG, Outcome, Server, eventually};
use crate::variants::{ALL, Variant};
use tcp_echo::model::Mode;

on_every_variant! { a_memory_fault_ends_one_process, a_leak_ends_nobody }

/// What one `!leak` takes, in KiB.
const LEAK: u64 = 16 << 10;

/// What was left after an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    /// The connection that gave the order.
    itself: bool,
    /// All the others.
    others: bool,
    /// The server: somebody who comes later is served.
    server: bool,
}

impl Left {
    /// What is promised.
    fn promised(variant: Variant, order: &str) -> Self {
        match order {
            "!leak" => Self { itself: true, others: true, server: true },
            "!panic" => Self { itself: false, others: true, server: true },
            _ => {
                let isolated = variant.isolates_crashes();
                Self { itself: false, others: isolated, server: isolated }
            }
        }
    }
}

/// Two clients who have done nothing; none where the next one would have to wait for them.
fn bystanders(server: &Server) -> Vec<Client> {
    let mut clients: Vec<Client> = (1..server.variant.at_a_time(3)).map(|_| Client::of(server)).collect();
    clients.iter_mut().for_each(|client| client.expect_echo(b"before"));
    clients
}

/// Whether it still gets its echo.
fn goes_on(client: &mut Client) -> bool {
    let mut reply = [0; 5];
    client.stream.write_all(b"after").is_ok()
        && client.stream.read_exact(&mut reply).is_ok()
        && reply == *b"after"
}

/// Whether a new client is served.
fn serves(server: &Server) -> bool {
    let Ok(stream) = std::net::TcpStream::connect(server.address) else { return false };
    stream.set_read_timeout(Some(LONG)).unwrap();
    let (mut stream, mut reply) = (&stream, [0; 4]);
    stream.write_all(b"new?").is_ok() && stream.read_exact(&mut reply).is_ok() && reply == *b"new?"
}

/// Gives the order and looks around; the server's end as well.
fn explode(variant: Variant, order: &str) -> (Left, Outcome) {
    let server = Server::start(variant, "--faults");
    let mut others = bystanders(&server);
    let mut one = Client::of(&server);
    one.send(format!("{order}\n").as_bytes());
    let itself = if order == "!leak" {
        one.expect(b"!leak\n");
        goes_on(&mut one)
    } else {
        one.expect_over();
        false
    };
    let others_left = others.iter_mut().map(goes_on).filter(|goes_on| *goes_on).count();
    assert!([0, others.len()].contains(&others_left), "{}: {order}: some of the others", variant.name);
    // where one is served at a time, nobody else is before this one has left
    drop(one);
    let serves = serves(&server);
    let left = Left { itself, others: serves && others_left == others.len(), server: serves };
    drop(others);
    (left, if serves { server.stop() } else { server.end() })
}

fn a_memory_fault_ends_one_process(variant: Variant) {
    let (left, outcome) = explode(variant, "!segv");
    assert_eq!(left, Left::promised(variant, "!segv"), "{}: {outcome:?}", variant.name);
    if left.server {
        assert_eq!(outcome.stat("errors.crash"), 1, "{}: {}", variant.name, outcome.stats);
    } else {
        // killed by the fault itself: no handler of a runtime makes anything else of it
        assert_eq!(outcome.code(), 128 + libc::SIGSEGV, "{outcome:?}");
    }
}

/// The connection and everybody else go on; the memory comes back when the process ends that has lost it.
fn a_leak_ends_nobody(variant: Variant) {
    let server = Server::start(variant, "--faults");
    let mut others = bystanders(&server);
    let mut one = Client::of(&server);
    let before = memory_of_tree(server.pid);
    one.expect_echo(b"!leak\n");
    let leaked = memory_of_tree(server.pid);
    assert!(leaked >= before + LEAK, "{}: {before} KiB became {leaked} KiB", variant.name);
    assert!(goes_on(&mut one), "{}: the one that leaked", variant.name);
    assert!(others.iter_mut().all(goes_on), "{}: the others", variant.name);
    one.finish();
    one.expect_end();
    drop((one, others));
    server.assert_at_rest();
    let after = memory_of_tree(server.pid);
    if variant.mode() == Mode::Process {
        assert!(after < before + LEAK / 4, "{}: it stays at {after} KiB, was {before} KiB", variant.name);
    } else {
        // (the process stays, a worker or the server)
        assert!(after >= before + LEAK / 2, "{}: {leaked} KiB became {after} KiB", variant.name);
    }
    assert!(serves(&server), "{}: later ones", variant.name);
    let outcome = server.stop();
    assert_eq!((outcome.stat("errors.crash"), outcome.stat("errors.panic")), (0, 0), "{}", outcome.stats);
}

/// A worker that has leaked keeps what it has lost until it is replaced: its death gives everything back.
#[test]
fn a_dead_worker_takes_its_leak_along() {
    for name in ["prefork_open", "pool_of_processes"] {
        let server = Server::start(crate::variants::named(name), "--faults");
        let before = memory_of_tree(server.pid);
        let mut leaky = Client::of(&server);
        leaky.expect_echo(b"!leak\n");
        let worker = *server.children().iter().max_by_key(|p| memory_of_tree(p.pid)).unwrap();
        assert!(memory_of_tree(worker.pid) >= LEAK, "{name}");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(worker.pid), nix::sys::signal::Signal::SIGKILL)
            .unwrap();
        leaky.expect_over();
        drop(leaky);
        server.assert_at_rest();
        assert!(eventually(LONG, || memory_of_tree(server.pid) < before + LEAK / 4), "{name}");
        server.stop();
    }
}

/// All orders in one variant of each mode, as a table (`--nocapture` shows it).
#[test]
fn the_whole_matrix() {
    const ORDERS: [&str; 5] = ["!leak", "!panic", "!abort", "!segv", "!exit"];
    let mut table = vec![format!("{:<20}{}", "", ORDERS.map(|order| format!("{order:<10}")).concat())];
    let mut wrong = Vec::new();
    let mut modes = Vec::new();
    for variant in ALL {
        if modes.contains(&variant.mode()) {
            continue;
        }
        modes.push(variant.mode());
        let mut line = format!("{:<20}", variant.name);
        for order in ORDERS {
            let (left, _) = explode(*variant, order);
            let ends = match left {
                Left { itself: true, .. } => "nothing",
                Left { server: true, others: true, .. } => "itself",
                Left { server: true, .. } => "others",
                Left { .. } => "all",
            };
            line.push_str(&format!("{ends:<10}"));
            if left != Left::promised(*variant, order) {
                wrong.push((variant.name, order, left));
            }
        }
        table.push(line);
    }
    println!("what an order ends:\n{}", table.join("\n"));
    assert!(wrong.is_empty(), "{wrong:?}\n{}", table.join("\n"));
}
