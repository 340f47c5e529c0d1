//! A real Redis and a real memcached: what they count must be what loadgen counts.
//!
//! Both are required: `scripts/test` installs them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::tool::{Ran, short};

/// How long a server may take until it listens.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server of our own, ended with the test.
struct Server {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a program that wants its port from us. Somebody may take the port between our look and its start: then
/// another one is tried.
fn started(program: &str, arguments: &[&str]) -> Server {
    for _ in 0..5 {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command.args(arguments).arg(address.port().to_string()).current_dir(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|e| {
            panic!("{program}: {e}: scripts/test installs it (apt-get install redis-server memcached)")
        });
        let begin = Instant::now();
        while child.try_wait().unwrap().is_none() && begin.elapsed() < PATIENCE {
            if TcpStream::connect(address).is_ok() {
                return Server { child, address, _folder: folder };
            }
            std::thread::yield_now();
        }
        let _ = child.kill();
        let _ = child.wait();
    }
    panic!("{program} could not be started on any port");
}

fn redis() -> Server {
    started("redis-server", &["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--port"])
}

fn memcached() -> Server {
    // memcached does not run as root unless it is told that this is meant
    started("memcached", &["-u", "root", "-l", "127.0.0.1", "-U", "0", "-m", "64", "-p"])
}

/// Asks in plain lines and returns the lines up to one that `last` recognises.
fn asked(address: SocketAddr, question: &str, last: impl Fn(&str) -> bool) -> Vec<String> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(question.as_bytes()).unwrap();
    let mut lines = Vec::new();
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        let over = last(&line);
        lines.push(line);
        if over {
            break;
        }
    }
    lines
}

/// Calls of one command since Redis began.
fn calls(server: &Server, command: &str) -> u64 {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(b"INFO commandstats\r\nQUIT\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let begin = format!("cmdstat_{command}:calls=");
    let found = text.lines().find_map(|line| line.strip_prefix(&begin)).map(|rest| rest.split(',').next());
    found.flatten().map_or(0, |count| count.parse().unwrap())
}

/// All requests of a run, which must be right: the measured ones and those of the warm-up.
fn all(ran: &Ran) -> u64 {
    assert_eq!(ran.code, Some(0), "{} {}", ran.stderr, ran.stdout);
    let client = ran.client();
    let requests = &client["requests"];
    assert_eq!((&requests["balanced"], &requests["in_flight_at_end"]), (&true.into(), &0.into()), "{client}");
    requests["ok"].as_u64().unwrap() + requests["warmup_ok"].as_u64().unwrap()
}

#[test]
fn redis_answers_each_preset_and_counts_what_we_count() {
    let server = redis();
    for (preset, command) in [("redis-ping", "ping"), ("redis-set", "set"), ("redis-get", "get")] {
        for depth in ["1", "16"] {
            let before = calls(&server, command);
            let requests = all(&short(server.address, &["--protocol", preset, "-c", "10", "-P", depth]));
            assert!(requests > 100, "{requests}");
            assert_eq!(calls(&server, command) - before, requests, "{preset} -P {depth}");
        }
    }
}

#[test]
fn a_password_is_said_first_and_a_missing_one_is_told() {
    let server = redis();
    asked(server.address, "CONFIG SET requirepass sesam\r\n", |_| true);
    let ping = ["--protocol", "redis-ping", "-c", "3", "-n", "100"];
    let ran = short(server.address, &ping);
    assert_eq!((ran.code, ran.classes()), (Some(1), vec!["unexpected".to_owned()]));
    assert!(ran.stderr.contains("-NOAUTH"), "{}", ran.stderr);
    let password = ["-e", "-1", r"AUTH sesam\r\n"];
    all(&short(server.address, &[&ping[..], &password].concat()));
    // in an open loop, and where a request waits for its connection, the greeting comes first as well
    let open = ["--protocol", "redis-ping", "-c", "3", "-R", "500"];
    for more in [[].as_slice(), &["--reconnect", "5"]] {
        assert!(all(&short(server.address, &[&open[..], &password, more].concat())) > 20);
    }
}

#[test]
fn redis_stores_a_key_for_every_request_and_finds_it_again() {
    let server = redis();
    let set = r"*3\r\n$3\r\nSET\r\n$18\r\nk{connection:8}.{sequence:8}\r\n$5\r\nhello\r\n";
    let load = ["-c", "4", "-P", "16", "-n", "4000", "-w", "0", "-e", "--expect", "resp"];
    let ran = short(server.address, &[&load[..], &["-m", set, "--reply", "+OK"]].concat());
    assert_eq!(all(&ran), 4000);
    let size = asked(server.address, "DBSIZE\r\n", |_| true);
    assert_eq!(size, [":4000"]);
    let get = r"GET k{connection:8}.{sequence:8}\r\n";
    let two = ["-m", set, "-m", get, "--reply", "+OK", "--reply", r"re:^\$(5\r\nhello|-1)$"];
    assert_eq!(all(&short(server.address, &[&load[..], &two].concat())), 4000);
    // a key of another type: every reply is an error, and every one is counted as that
    asked(server.address, "LPUSH list x\r\n", |_| true);
    let wrong = short(server.address, &[&load[..], &["-m", r"GET list\r\n", "--reply", "re:^[$]"]].concat());
    assert_eq!((wrong.code, wrong.classes()), (Some(1), vec!["unexpected".to_owned()]));
    let client = wrong.client();
    assert_eq!(client["requests"]["lost"][0]["requests"], 4000);
    assert!(client["first_wrong"].as_str().unwrap().contains("-WRONGTYPE"), "{client}");
}

#[test]
fn memcached_answers_each_preset_and_counts_what_we_count() {
    let server = memcached();
    let counted = |name: &str| -> u64 {
        let lines = asked(server.address, "stats\r\n", |line| line == "END");
        let begin = format!("STAT {name} ");
        lines.iter().find_map(|line| line.strip_prefix(&begin)).unwrap().parse().unwrap()
    };
    let set = all(&short(server.address, &["--protocol", "memcached-set", "-c", "5", "-P", "4"]));
    assert_eq!(counted("cmd_set"), set);
    // the first message of each of the five connections is a set and a get
    let get = all(&short(server.address, &["--protocol", "memcached-get", "-c", "5", "-P", "4"]));
    assert_eq!((counted("cmd_get"), counted("get_misses")), (get + 5, 0));
    assert_eq!(counted("cmd_set"), set + 5);
}

#[test]
fn who_loads_redis_or_memcached_with_an_echo_is_told_what_to_write() {
    let redis = redis();
    let ran = short(redis.address, &["-c", "1", "-s", "128KiB", "-T", "500ms"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("--protocol"), "{}", ran.stderr);
    let ran = short(redis.address, &["-c", "1", "-T", "300ms"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("--protocol"), "{}", ran.stderr);
}
