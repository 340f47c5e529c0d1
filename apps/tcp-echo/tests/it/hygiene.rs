//! E11: after thousands of connections everything is as it was at the start.

use crate::client::{Client, Pattern};
use crate::inspect;
use crate::server::Server;
use crate::tools::full;
use crate::variants::Variant;

on_every_variant! { thousands_of_connections_leave_nothing }

fn thousands_of_connections_leave_nothing(variant: Variant) {
    let connections = if full() { 100_000 } else { 5_000 };
    let server = Server::start(variant, "");
    // the first ones fill what is kept for ever: stacks that are used again, pages of the allocator
    come_and_go(&server, connections / 5);
    let before = inspect::memory_of_tree(server.pid);
    come_and_go(&server, connections);
    let after = inspect::memory_of_tree(server.pid);
    // 5 %, or a few pages where 5 % are less than that
    assert!(after <= before + (before / 20).max(256), "{}: {before} KiB became {after} KiB", variant.name);
    let outcome = server.stop();
    assert_eq!(outcome.stat("connections"), connections / 5 + connections + 1, "{}", variant.name);
}

/// Connections one after the other, which end in every way that there is.
fn come_and_go(server: &Server, connections: u64) {
    let message = Pattern::new(9).take(200);
    for n in 0..connections {
        let mut client = Client::of(server);
        client.expect_echo(&message);
        match n % 3 {
            0 => client.finish(),
            1 => client.reset(),
            _ => {}
        }
    }
    server.assert_at_rest();
}
