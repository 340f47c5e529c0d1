//! What the seam costs: `drive::turn` with a `Session` against the bare `read`/`write_all` loop, in pairs.
//!
//! Two threads on one CPU play ping-pong over loopback; the serving one measures its own CPU time. The rounds of the
//! two alternate, so that a drift of the machine hits both, and the figure is the median of the ratios of the pairs.
//!
//! Run it: `cargo bench -p tcp-echo --bench seam`

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use tcp_echo::drive::{Direct, Turn, turn};
use tcp_echo::session::Session;
use tcp_echo::work::Work;

const PAIRS: usize = 41;
const REQUESTS: usize = 20_000;
const MESSAGE: usize = 64;
const BUFFER: usize = 16 * 1024;

fn main() {
    pin_to_one_cpu();
    round(naive);
    round(seam);
    let mut ratios: Vec<f64> = (0..PAIRS)
        .map(|pair| {
            // who goes first alternates as well
            let (a, b) =
                if pair % 2 == 0 { (round(naive), round(seam)) } else { swap(round(seam), round(naive)) };
            b / a
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!(
        "seam / naive, server CPU per request of {MESSAGE} B: median {:.3} (quartiles {:.3} to {:.3}, {PAIRS} pairs of \
         {REQUESTS} requests)",
        ratios[PAIRS / 2],
        ratios[PAIRS / 4],
        ratios[PAIRS * 3 / 4],
    );
}

fn swap(a: f64, b: f64) -> (f64, f64) {
    (b, a)
}

/// One connection, served by `serve`; gives the server's CPU nanoseconds per request.
fn round(serve: fn(TcpStream)) -> f64 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (served, _) = listener.accept().unwrap();
    client.set_nodelay(true).unwrap();
    served.set_nodelay(true).unwrap();
    let server = thread::spawn(move || {
        let start = cpu_nanos();
        serve(served);
        (cpu_nanos() - start) as f64
    });
    let mut reply = [0; MESSAGE];
    for _ in 0..REQUESTS {
        client.write_all(&[7; MESSAGE]).unwrap();
        client.read_exact(&mut reply).unwrap();
    }
    drop(client);
    server.join().unwrap() / REQUESTS as f64
}

fn naive(mut stream: TcpStream) {
    let mut buffer = vec![0; BUFFER];
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => return,
            n => stream.write_all(&buffer[..n]).unwrap(),
        }
    }
}

fn seam(stream: TcpStream) {
    let mut buffer = vec![0; BUFFER];
    let mut session = Session::new(false, &Work::None);
    while turn(&mut session, &mut buffer, Direct::of(&stream)).unwrap() != Turn::Closed {}
}

fn cpu_nanos() -> i64 {
    let now = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
    now.tv_sec() * 1_000_000_000 + now.tv_nsec()
}

fn pin_to_one_cpu() {
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this).unwrap();
    let first = (0..CpuSet::count()).find(|cpu| allowed.is_set(*cpu).unwrap()).unwrap();
    let mut one = CpuSet::new();
    one.set(first).unwrap();
    sched_setaffinity(this, &one).unwrap();
}
