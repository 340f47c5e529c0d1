//! Protocols by name: what to write for the servers that people have, and how such a server is recognised.
//!
//! Keys are few and fixed, so that no load fills somebody's memory: `loadgen`, 64 bytes, as most tools use one key. What
//! a GET is to find is stored by the first message of each connection.

use super::framing::Expect;
use super::message::Template;
use super::protocol::Dialogue;
use super::reply::Reply;

/// A protocol that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// PING, answered with +PONG
    RedisPing,
    /// SET of 64 bytes at the key `loadgen`, answered with +OK
    RedisSet,
    /// GET of these 64 bytes, each compared
    RedisGet,
    /// set of 64 bytes at the key `loadgen`, answered with STORED
    MemcachedSet,
    /// get of these 64 bytes, each compared
    MemcachedGet,
}

/// The stored bytes.
const VALUE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// Stored bytes are forgotten after so many seconds.
const FORGOTTEN: u32 = 3600;

impl Preset {
    /// What it stands for.
    #[must_use]
    pub fn dialogue(self) -> Dialogue {
        let redis_set = format!("*3\r\n$3\r\nSET\r\n$7\r\nloadgen\r\n$64\r\n{VALUE}\r\n");
        let memcached_set = format!("set loadgen 0 {FORGOTTEN} 64\r\n{VALUE}\r\n");
        let (first, message, expect, reply) = match self {
            Self::RedisPing => (None, "*1\r\n$4\r\nPING\r\n".to_owned(), Expect::Resp, "+PONG".to_owned()),
            Self::RedisSet => (None, redis_set, Expect::Resp, "+OK".to_owned()),
            Self::RedisGet => (
                Some(redis_set),
                "*2\r\n$3\r\nGET\r\n$7\r\nloadgen\r\n".to_owned(),
                Expect::Resp,
                format!("$64\r\n{VALUE}"),
            ),
            Self::MemcachedSet => (None, memcached_set, Expect::Line, "STORED".to_owned()),
            Self::MemcachedGet => {
                let get = "get loadgen\r\n".to_owned();
                let reply = format!("VALUE loadgen 0 64\r\n{VALUE}\r\n");
                // a set would be answered without the end that replies are told by: the get behind it has it
                (Some(memcached_set + &get), get, Expect::Delimiter(b"END\r\n".to_vec()), reply)
            }
        };
        Dialogue {
            messages: vec![Template::plain(message.into_bytes())],
            first: first.map(|first| Template::plain(first.into_bytes())),
            expect,
            replies: vec![Reply::Exactly(reply.into_bytes())],
        }
    }
}

/// Who answers like that, and what to write for it: for somebody who took another server for an echo server.
#[must_use]
pub fn recognise(reply: &[u8]) -> Option<&'static str> {
    let known: [(&[&[u8]], &str); 3] = [
        (&[b"-ERR ", b"-NOAUTH ", b"-DENIED "], "that is how Redis answers: --protocol redis-ping"),
        (&[b"ERROR\r\n", b"CLIENT_ERROR "], "that is how memcached answers: --protocol memcached-set"),
        (&[b"HTTP/1."], "that is how HTTP answers: -e -m 'GET / HTTP/1.0\\r\\n\\r\\n' --expect close"),
    ];
    let found = known.iter().find(|(begins, _)| begins.iter().any(|begin| reply.starts_with(begin)));
    found.map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_no_echo_server_is_recognised() {
        assert!(recognise(b"-ERR Protocol error").unwrap().contains("redis-ping"));
        assert!(recognise(b"ERROR\r\nERROR\r\n").unwrap().contains("memcached"));
        assert_eq!(recognise(b"hello"), None);
    }
}
