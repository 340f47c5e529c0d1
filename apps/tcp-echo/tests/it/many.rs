//! Many clients at a time.

use crate::client::{Client, Pattern};
use crate::server::{Server, Start};
use crate::variants::Variant;

on_every_variant! { five_hundred_that_stay, five_hundred_that_pass }

const CLIENTS: u64 = 500;

/// All are connected at the same time and each is served in turn, several times.
fn five_hundred_that_stay(variant: Variant) {
    if !variant.serves_two_for_sure() {
        return;
    }
    let server = Start::new(variant).room_for(CLIENTS as usize).go();
    let mut clients: Vec<(Client, Pattern)> =
        (0..CLIENTS).map(|n| (Client::of(&server), Pattern::new(n))).collect();
    for round in 1..4 {
        let messages: Vec<Vec<u8>> =
            clients.iter_mut().map(|(_, pattern)| pattern.take(100 * round)).collect();
        for ((client, _), message) in clients.iter_mut().zip(&messages) {
            client.send(message);
        }
        for ((client, _), message) in clients.iter_mut().zip(&messages) {
            client.expect(message);
        }
    }
    drop(clients);
    let outcome = server.stop();
    assert_eq!(outcome.stat("max_active"), CLIENTS, "{}", variant.name);
}

/// All come at once, with a message each; a pool serves them through its queue and the backlog behind it.
fn five_hundred_that_pass(variant: Variant) {
    let server = Server::start(variant, "");
    let mut clients: Vec<(Client, Vec<u8>)> =
        (0..CLIENTS).map(|n| (Client::of(&server), Pattern::new(n).take(500))).collect();
    for (client, message) in &mut clients {
        client.send(message);
        client.finish();
    }
    for (mut client, message) in clients {
        client.expect(&message);
        client.expect_end();
    }
    let outcome = server.stop();
    // and the one that warmed it up
    assert_eq!(outcome.stat("connections"), CLIENTS + 1, "{}", variant.name);
    assert_eq!(outcome.stat("bytes"), CLIENTS * 500, "{}", variant.name);
}
