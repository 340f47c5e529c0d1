//! Queues whose waiting times theory knows: what loadgen reports of them must be that.
//!
//! Requests arrive at random (Poisson), each is served for an exponential time, and `c` of them at a time: `c`
//! connections to a pool of `c` workers. That is the queue M/M/c, whose line stands in loadgen's schedule. With `S` for
//! the mean time of service, `R` for the rate and `rho = R·S/c`, the mean time from arrival to reply is
//! `S/(1 - rho)` for c = 1 and `S/(1 - rho²)` for c = 2.
//!
//! How exact: `S` and `R` are those that were measured, so what the machine adds to each request belongs to the service
//! and not to the error. What is left is chance. In simulated queues (150 runs each of 600 to 8,000 requests, `S` and `R`
//! measured in each as here) the mean time, divided by the formula's, has a standard deviation of `k/√n` over n requests,
//! with k as in [`QUEUES`]; it grows as 1/(1 - rho), since requests that follow each other wait together, so it is scaled
//! with the rho that was measured. Five of them are allowed, which chance alone exceeds once in a million runs. And 4 %:
//! the means of runs so short lie 1 to 4 % low in the simulation (a run ends before its longest queues do), the more so
//! where 0.1 ms of each service are not exponential, as the machine's own are not. Several equal queues side by side give n
//! in a short time: they sleep nearly always.

use std::process::Child;

use serde_json::Value;

use crate::programs::{Echo, alone, number, report, run};

/// The mean time of service that is asked for, in nanoseconds.
const SERVICE: f64 = 5e6;
/// How long each queue is watched.
const SPAN: &str = "8s";
/// How late a client may be by itself.
const LATE: f64 = 20e6;
/// What may differ for another reason than chance.
const OTHERWISE: f64 = 0.04;
/// Standard deviations that chance is allowed.
const SIGMAS: f64 = 5.0;

/// One kind of queue.
struct Queue {
    workers: u32,
    rho: f64,
    /// So many of it side by side.
    side_by_side: u64,
    /// The standard deviation of its mean time over n requests, relative to the formula's, times √n.
    k: f64,
}

const QUEUES: [Queue; 3] = [
    Queue { workers: 2, rho: 0.5, side_by_side: 4, k: 1.4 },
    Queue { workers: 2, rho: 0.8, side_by_side: 8, k: 6.0 },
    Queue { workers: 1, rho: 0.5, side_by_side: 6, k: 2.0 },
];

impl Queue {
    /// The mean time from arrival to reply.
    fn theory(&self, service: f64, rho: f64) -> f64 {
        service / (1.0 - rho.powf(f64::from(self.workers)))
    }

    /// A server and the load on it.
    fn start(&self, seed: u64) -> Option<(Echo, Child)> {
        let workers = self.workers.to_string();
        let work = format!("wait:exp({}us)", SERVICE / 1e3);
        let server = Echo::start(&["--mode", "pool", "--workers", &workers, "--work", &work])?;
        let rate = (self.rho * f64::from(self.workers) * 1e9 / SERVICE).to_string();
        let seed = seed.to_string();
        let load = ["-R", &rate, "--arrivals", "poisson", "-c", &workers, "-d", SPAN, "-w", "200ms"];
        let child = run(server.address, &[&load[..], &["--seed", &seed]].concat())?.spawn().unwrap();
        Some((server, child))
    }
}

/// All queues side by side, once; the clients' figures of each.
fn watch() -> Option<Vec<Vec<Value>>> {
    let start = |queue: &Queue| (1..=queue.side_by_side).map(|seed| queue.start(seed)).collect();
    let running: Option<Vec<Vec<(Echo, Child)>>> = QUEUES.iter().map(start).collect();
    let end = |(server, child): (Echo, Child)| {
        let report = report(&child.wait_with_output().unwrap(), 0);
        server.stop();
        report["trials"][0]["client"].clone()
    };
    Some(running?.into_iter().map(|pairs| pairs.into_iter().map(end).collect()).collect())
}

/// Whether the machine stood still for so long that it was no such queue: a client was late by itself, or a service took
/// longer than an exponential one ever does (each tries this n times; their longest lies `S·ln n` on average, and 5 S
/// above that in 1 of 150 runs). All that comes in such a time waits together, so one stall of 0.3 s doubles the mean.
fn stalled(clients: &[Value]) -> bool {
    let all: f64 = clients.iter().map(|client| number(&client["reply"]["count"])).sum();
    clients.iter().any(|client| {
        let open = &client["open"];
        number(&open["lag"]["max"]) > LATE || number(&open["uncorrected"]["max"]) > SERVICE * (all.ln() + 5.0)
    })
}

/// A machine that others use stalls now and then: then it is tried again, and if it stalls again, theory is only the least
/// that the times may be, as a stall never makes one shorter.
#[test]
fn waiting_times_are_those_of_queueing_theory() {
    let _turn = alone();
    let Some(mut seen) = watch() else { return };
    if seen.iter().any(|clients| stalled(clients)) {
        let Some(again) = watch() else { return };
        // each kind of queue by itself: what was good the first time is kept
        for (clients, again) in seen.iter_mut().zip(again) {
            if stalled(clients) {
                *clients = again;
            }
        }
    }
    for (queue, clients) in QUEUES.iter().zip(&seen) {
        queue.check(clients, stalled(clients));
    }
}

impl Queue {
    fn check(&self, clients: &[Value], stalled: bool) {
        let name = format!("M/M/{} at {}", self.workers, self.rho);
        let (mut times, mut expected, mut service, mut rho_sum, mut all) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for client in clients {
            let (open, count) = (&client["open"], number(&client["reply"]["count"]));
            let (mean, own) = (number(&client["reply"]["mean"]), number(&open["uncorrected"]["mean"]));
            assert_eq!(client["requests"]["balanced"], true, "{name}: {client}");
            // Little's law, as an identity of the books: the same requests, counted once by time and once by number
            let per_second = count / number(&client["seconds"]);
            let (under_way, little) = (number(&client["under_way"]), per_second * own / 1e9);
            assert!(
                (under_way / little - 1.0).abs() < 0.02,
                "{name}: {under_way} under way, Little: {little}"
            );
            // what this program was late itself is known, and no part of a queue
            let late = number(&open["lag"]["mean"]);
            times += (mean - late) * count;
            let rho = number(&open["offered_per_second"]) * own / 1e9 / f64::from(self.workers);
            expected += self.theory(own, rho) * count;
            rho_sum += rho * count;
            service += own * count;
            all += count;
        }
        let (ratio, service) = (times / expected, service / all);
        let rho = rho_sum / all;
        let nearer = (1.0 - self.rho) / (1.0 - rho).max(0.01);
        let tolerance = SIGMAS * self.k / all.sqrt() * nearer + OTHERWISE;
        eprintln!(
            "{name}: {all} requests, service {:.3} ms, time {:.3} ms, {ratio:.3} of theory at {rho:.3}, within {tolerance:.3}{}",
            service / 1e6,
            times / all / 1e6,
            if stalled { " (the machine stalled)" } else { "" }
        );
        assert!(ratio > 1.0 - tolerance, "{name}: {ratio} times theory, tolerance {tolerance}");
        assert!(stalled || ratio < 1.0 + tolerance, "{name}: {ratio} times theory, tolerance {tolerance}");
        // uncorrected: the service alone, which is what was asked for and what the machine adds
        let chance = SIGMAS / all.sqrt();
        let most = 1.0 + chance + ADDED / SERVICE;
        let share = service / SERVICE;
        assert!(
            share > 1.0 - chance && (stalled || share < most),
            "{name}: service {share} of what was asked for"
        );
    }
}

/// What a busy machine may add to a service: it wakes a worker and a client late.
const ADDED: f64 = 2e6;
