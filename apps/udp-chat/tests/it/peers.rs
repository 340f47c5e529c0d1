//! Others that people have at hand: netcat of both kinds, and the Python program that this one grew from.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use crate::support::{Chat, LIMIT, has};

/// A child that is gone when the test is.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(program: &str, arguments: &[&str]) -> Peer {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    Peer(command.spawn().unwrap())
}

/// netcat as the one who begins: it sends a line, is answered, and hears the answer as a line.
fn with_netcat(program: &str, host: &str) {
    if !has(program) {
        return;
    }
    let mut chat = Chat::start(&[]);
    let port = chat.port.to_string();
    let mut netcat = spawn(program, &["-u", host, &port]);
    let mut says = netcat.0.stdin.take().unwrap();
    let mut hears = BufReader::new(netcat.0.stdout.take().unwrap());
    writeln!(says, "hello from {program}").unwrap();
    let line = chat.expect(&format!("> hello from {program}"));
    let address = line.split(' ').nth(1).unwrap().trim_end_matches('>').to_owned();
    chat.type_line(&format!("/to {address}"));
    chat.type_line("hello back");
    let mut heard = String::new();
    hears.read_line(&mut heard).unwrap();
    assert_eq!(heard, "hello back\n");
    chat.quit();
}

#[test]
fn the_netcat_of_debian() {
    with_netcat("nc.openbsd", "127.0.0.1");
    with_netcat("nc.openbsd", "::1");
}

#[test]
fn the_netcat_of_nmap() {
    with_netcat("ncat", "127.0.0.1");
    with_netcat("ncat", "::1");
}

#[test]
fn a_netcat_that_listens() {
    for program in ["nc.openbsd", "ncat"] {
        if !has(program) {
            continue;
        }
        let port = crate::support::deaf_port().to_string();
        let mut netcat = spawn(program, &["-u", "-l", "127.0.0.1", &port]);
        let mut hears = BufReader::new(netcat.0.stdout.take().unwrap());
        let mut says = netcat.0.stdin.take().unwrap();
        let mut chat = Chat::start(&[]);
        // until it listens, the message is refused, and that is told: so try again
        let (heard, all) = std::sync::mpsc::sync_channel(100);
        std::thread::spawn(move || {
            let mut line = String::new();
            while hears.read_line(&mut line).is_ok_and(|read| read > 0) {
                let _ = heard.send(std::mem::take(&mut line));
            }
        });
        chat.type_line("/add 127.0.0.1 x");
        let deadline = std::time::Instant::now() + LIMIT;
        let mut first = None;
        while first.is_none() && std::time::Instant::now() < deadline {
            chat.type_line(&format!("/msg 127.0.0.1:{port} hello netcat"));
            first = all.recv_timeout(std::time::Duration::from_millis(100)).ok();
            // it can answer only once it was written to; without a newline it keeps quiet about what it heard
            let _ = writeln!(says, "hi");
        }
        chat.expect(&format!("127.0.0.1:{port}> hi"));
        chat.quit();
    }
}

/// The receiving and sending half of the tutorial's program, word for word in what matters: bind, `recvfrom(1024)`,
/// `.decode("utf-8")`.
const PYTHON: &str = r#"
import socket, sys
udp_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp_socket.bind(("", 0))
print(udp_socket.getsockname()[1], flush=True)
while True:
    recv_msg = udp_socket.recvfrom(1024)
    text = recv_msg[0].decode("utf-8")
    print(">>>%s:%s" % (str(recv_msg[1]), text), flush=True)
    udp_socket.sendto(("I heard " + text[:20]).encode("utf-8"), recv_msg[1])
"#;

#[test]
fn the_program_of_the_tutorial() {
    if !has("python3") {
        return;
    }
    let mut python = spawn("python3", &["-c", PYTHON]);
    let mut hears = BufReader::new(python.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let port = hears.next().unwrap();
    let mut chat = Chat::start(&[]);
    chat.type_line("1");
    chat.type_line("127.0.0.1");
    chat.type_line(&port);
    chat.type_line("grüß dich");
    assert_eq!(hears.next().unwrap(), format!(">>>('127.0.0.1', {}):grüß dich", chat.port));
    chat.expect(&format!("127.0.0.1:{port}> I heard grüß dich"));
    // longer than it reads at once: it gets all, in pieces that it can decode
    let long = "ö".repeat(800);
    chat.type_line(&long);
    let pieces: String = [hears.next().unwrap(), hears.next().unwrap()]
        .iter()
        .map(|line| line.split_once("):").unwrap().1)
        .collect();
    assert_eq!(pieces, long);
    chat.expect("I heard öö");
    chat.quit();
}
