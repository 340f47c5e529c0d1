//! `udp-chat`: parse → chat, send, listen or log.

fn main() {}
