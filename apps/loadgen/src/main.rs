//! under way
use std::time::Duration;
use loadgen::{drive, plan::*};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let load = Load { connections: 50, stop: Stop::After(Duration::from_secs_f64(a[3].parse().unwrap())), threads: 1, size: 64, depth: a[2].parse().unwrap(), warmup: Duration::from_secs_f64(a[4].parse().unwrap()), reconnect: a.get(5).map(|n| n.parse().unwrap()), timeout: Duration::from_secs(5) };
    common::signals::install().unwrap();
    let t = Target { name: a[1].clone(), address: a[1].parse().unwrap() };
    let o = drive::run(&t, &load, &[], &mut |_| true).unwrap();
    println!("{:?} {:?} {} {} {} {:?} {} {}", o.ending, o.elapsed, o.measured.ok, o.measured.scheduled, o.served, o.measured.losses, o.client_busy, o.measured.ok as f64 / o.client_cpu.as_secs_f64());
    println!("{:?} {:?}", o.measured.reply.quantiles(), o.measured.connect.quantiles());
}
