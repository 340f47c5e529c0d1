//! Leads the client threads through the phases of one trial, and tells when its edges are.
//!
//! The main thread sleeps nearly all the time; it wakes some ten times a second to look for Ctrl-C, for a server that
//! has gone away or answers nothing any more, and to let the progress be shown. Every wait here has an end.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{io, thread};

use common::exit::Failure;
use common::signals;
use mio::Waker;
use nix::sched::CpuSet;

use super::bystanders::{self, Crowd, Pulse};
use super::failure;
use super::moment::{Glance, Moment, Past};
use super::outcome::{Edges, Ending, Led, Outcome, sum_up};
use super::phase::{Phase, Shared};
use super::worker::{Arrival, Worker, cpu_time};
use crate::measure::Class;
use crate::measure::series::{Collector, Series, Window};
use crate::plan::{Load, Serves, Stop, Target};

/// Intervals of one thread that may wait to be fetched: some seconds of the shortest ones.
const WINDOWS: usize = 32;
/// How often the conductor looks around.
const TICK: Duration = Duration::from_millis(100);

/// Runs one trial. `watch` is told each [`Moment`]; when it answers `false`, the trial ends early.
///
/// # Errors
/// Nothing could be measured: no connection was established, or this machine could not start.
pub fn run(
    target: &Target,
    load: &Load,
    cpus: &[usize],
    watch: &mut dyn FnMut(Moment<'_>) -> bool,
) -> Result<Outcome, Failure> {
    let shared = Shared::new(load.threads, load.total());
    let pulse = Pulse::default();
    let (gathered_sender, gathered) = mpsc::sync_channel(1);
    let no_thread = |e| Failure::failed(format!("cannot start a client thread: {e}"));
    let crowd = (load.bystanders.count() > 0)
        .then(|| Crowd::new(load, target, &shared, &pulse, gathered_sender).map_err(no_thread))
        .transpose()?;
    let measured = &seen_by_the_measured(target, load);
    // a thread arrives at most once a phase, so nobody ever waits to say so
    let (sender, arrivals) = mpsc::sync_channel(load.threads * Phase::COUNT);
    let (window_sender, windows) = mpsc::sync_channel(load.threads * WINDOWS);
    let (mut workers, mut wakers) = (Vec::new(), Vec::new());
    for index in 0..load.threads {
        let connections =
            load.connections / load.threads + usize::from(index < load.connections % load.threads);
        let made =
            Worker::new(index, connections, load, measured, &shared, (sender.clone(), window_sender.clone()));
        let (worker, waker) = made.map_err(no_thread)?;
        workers.push(worker);
        wakers.push(waker);
    }
    drop((sender, window_sender));
    thread::scope(|scope| {
        let crowd = crowd.map(|(crowd, waker)| {
            wakers.push(waker);
            scope.spawn(|| placed(cpus, || crowd.run()))
        });
        let mut conductor = Conductor {
            shared: &shared,
            pulse: &pulse,
            load,
            wakers,
            arrivals,
            windows,
            collector: Collector::new(load.threads),
            series: Series::new(),
            watch,
        };
        let gathered = if crowd.is_some() { conductor.gather(&gathered) } else { Ok(()) };
        if gathered.is_err() {
            // then nothing begins: the threads only tell that they did nothing
            conductor.enter(Phase::Finish);
        }
        let threads: Vec<_> = workers.into_iter().map(|w| scope.spawn(|| placed(cpus, || w.run()))).collect();
        let led = match gathered {
            Ok(()) => conductor.lead(target),
            Err(ending) => Ok(Led::nowhere(ending)),
        };
        conductor.enter(Phase::Finish);
        let mut shares = Vec::new();
        for thread in threads {
            shares.push(brought_home(thread.join())?);
        }
        let parted = crowd.map(|thread| brought_home(thread.join())).transpose()?;
        let led = led?;
        conductor.last_windows(led.elapsed_until(shared.now()));
        Ok(sum_up(led, conductor.series, shares, parted.map(|parted| parted.fates)))
    })
}

/// Workers that the bystanders have taken are lost to the measured connections, and nobody knows how many these are.
fn seen_by_the_measured(target: &Target, load: &Load) -> Target {
    let serves = match target.serves {
        Serves::AtATime(_) if load.bystanders.count() > 0 => Serves::Unknown,
        serves => serves,
    };
    Target { serves, ..target.clone() }
}

fn brought_home<T>(joined: thread::Result<io::Result<T>>) -> Result<T, Failure> {
    joined
        .map_err(|_| Failure::failed("a client thread failed: this is a bug"))?
        .map_err(|e| Failure::failed(format!("a client thread failed: {e}")))
}

/// Does the work of a thread on these CPUs; on any if there are none.
fn placed<T>(cpus: &[usize], work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu)?;
    }
    if !cpus.is_empty() {
        nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &set)?;
    }
    work()
}

/// The CPU time of all client threads between two arrivals, and the largest share of the time that one was busy.
fn spent(before: &[Option<Arrival>], after: &[Option<Arrival>], elapsed: Duration) -> (Duration, f64) {
    let each: Vec<Duration> = before
        .iter()
        .zip(after)
        .filter_map(|(before, after)| Some(after.as_ref()?.cpu.saturating_sub(before.as_ref()?.cpu)))
        .collect();
    let busiest = each.iter().max().copied().unwrap_or_default();
    (each.iter().sum(), busiest.as_secs_f64() / elapsed.as_secs_f64().max(1e-9))
}

struct Conductor<'a> {
    shared: &'a Shared,
    pulse: &'a Pulse,
    load: &'a Load,
    wakers: Vec<Waker>,
    arrivals: Receiver<Arrival>,
    windows: Receiver<(usize, Window)>,
    collector: Collector,
    series: Series,
    watch: &'a mut dyn FnMut(Moment<'_>) -> bool,
}

impl Conductor<'_> {
    fn enter(&self, phase: Phase) {
        self.shared.set_phase(phase);
        for waker in &self.wakers {
            // a thread that cannot be woken wakes by itself after its nap
            let _ = waker.wake();
        }
    }

    fn lead(&mut self, target: &Target) -> Result<Led, Failure> {
        match self.wait(Phase::Ramp, Some(self.patience())) {
            Ok(_) if !self.shared.anybody_established() => return Err(self.cannot_connect(target)),
            Ok(_) if !(self.watch)(Moment::Connected) => return Ok(Led::nowhere(Ending::ServerGone)),
            Ok(_) => {}
            Err(ending) => return Ok(Led::nowhere(ending)),
        }
        match self.warm_up() {
            Ok(settled) => Ok(self.measure(&settled)),
            Err(ending) => Ok(Led::nowhere(ending)),
        }
    }

    /// Waits until the bystanders are all there, as long as they may take.
    fn gather(&mut self, gathered: &Receiver<()>) -> Result<(), Ending> {
        let end = Instant::now() + bystanders::patience(self.load) + Duration::from_secs(1);
        while Instant::now() < end && gathered.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            if signals::stop_requested().is_some() {
                return Err(Ending::Interrupted);
            }
            let glance = self.glance(Phase::Ramp);
            if !(self.watch)(Moment::Tick(glance)) {
                return Err(Ending::ServerGone);
            }
        }
        Ok(())
    }

    fn glance(&self, phase: Phase) -> Glance {
        Glance {
            phase,
            established: self.shared.established(),
            replies: self.shared.replies(),
            failures: self.shared.failures(),
        }
    }

    /// Longer than any time limit of a connection, with some time for each of many.
    fn patience(&self) -> Duration {
        let ramp = self.load.ramp.unwrap_or_default();
        ramp + self.load.timeout * 2 + Duration::from_millis(self.load.connections as u64)
    }

    fn warm_up(&mut self) -> Result<Vec<Option<Arrival>>, Ending> {
        if !self.load.warmup.is_zero() {
            self.enter(Phase::Warm);
            self.wait(Phase::Warm, Some(self.load.warmup))?;
            self.wait_for_first_reply()?;
        }
        self.enter(Phase::Settle);
        self.wait(Phase::Settle, Some(self.patience()))
    }

    /// Before anything is measured somebody must have been served, however short the warm-up is.
    fn wait_for_first_reply(&mut self) -> Result<(), Ending> {
        let begin = Instant::now();
        // the threads have found every overdue reply a little after the time limit
        let patience = self.load.timeout + self.load.timeout / 10 + TICK;
        while !self.shared.anybody_served() {
            let left = patience.checked_sub(begin.elapsed()).ok_or(Ending::NotServed)?;
            self.wait(Phase::Warm, Some(left.min(Duration::from_millis(5))))?;
        }
        Ok(())
    }

    fn measure(&mut self, settled: &[Option<Arrival>]) -> Led {
        if !(self.watch)(Moment::Start) {
            return Led::nowhere(Ending::ServerGone);
        }
        let begin = self.shared.now();
        let beat = self.pulse.now();
        let own_cpu = cpu_time();
        let span = match self.load.stop {
            Stop::After(span) => Some(span),
            Stop::Requests(_) => None,
        };
        let end = span.and_then(|span| begin.checked_add(u64::try_from(span.as_nanos()).ok()?));
        self.shared.set_measured(begin, end.unwrap_or(u64::MAX));
        self.enter(Phase::Measure);
        let arrived = self.wait(Phase::Measure, span).and_then(|measured| {
            let drain = self.shared.now();
            self.enter(Phase::Drain);
            Ok((measured, drain, self.wait(Phase::Drain, Some(self.patience()))?))
        });
        let (measured, drain, drained) = match arrived {
            Ok(arrived) => arrived,
            Err(ending) => {
                // first the threads stop counting: looking at the server takes time that is none of the trial's
                self.enter(Phase::Finish);
                (self.watch)(Moment::End);
                return Led {
                    ending,
                    begin: Some(begin),
                    edges: None,
                    own_cpu: cpu_time().saturating_sub(own_cpu),
                };
            }
        };
        let beat = self.pulse.now().since(&beat);
        let own_cpu = cpu_time().saturating_sub(own_cpu);
        (self.watch)(Moment::End);
        let ending = if self.shared.anybody_served() { Ending::Completed } else { Ending::NotServed };
        let replies = measured.iter().zip(&drained).filter_map(|(early, late)| early.or(*late));
        let last_reply = replies.map(|arrival| arrival.last_reply).max().unwrap_or(begin);
        // where a time was asked for, all of it counts, also when nobody answered at its end
        let end = if span.is_some() { last_reply.max(drain) } else { last_reply };
        let elapsed = Duration::from_nanos(end.saturating_sub(begin));
        let drain = Duration::from_nanos(end.saturating_sub(drain));
        let (client_cpu, client_busy) = spent(settled, &drained, elapsed);
        let edges = Edges { elapsed, drain, client_cpu, client_busy, beat };
        Led { ending, begin: Some(begin), edges: Some(edges), own_cpu }
    }

    /// Waits until every thread has arrived or the time is over, and returns who has arrived.
    fn wait(&mut self, phase: Phase, at_most: Option<Duration>) -> Result<Vec<Option<Arrival>>, Ending> {
        // a phase may be over sooner than anybody looks around in it, and so may every trial of many
        if signals::stop_requested().is_some() {
            return Err(Ending::Interrupted);
        }
        let end = at_most.map(|span| Instant::now() + span);
        let mut arrived = vec![None; self.load.threads];
        let mut progress = (self.shared.replies(), Instant::now());
        loop {
            let left = end.map_or(TICK, |end| end.saturating_duration_since(Instant::now()));
            match self.arrivals.recv_timeout(left.min(TICK)) {
                Ok(arrival) if arrival.phase == phase => arrived[arrival.worker] = Some(arrival),
                // a late arrival at an earlier phase
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => self.look_around(phase, &mut progress)?,
                // all threads have ended, which they do by themselves only when they fail; that is told at the join
                Err(RecvTimeoutError::Disconnected) => return Err(Ending::Stalled),
            }
            if arrived.iter().all(Option::is_some) || end.is_some_and(|end| end <= Instant::now()) {
                return Ok(arrived);
            }
        }
    }

    fn look_around(&mut self, phase: Phase, progress: &mut (u64, Instant)) -> Result<(), Ending> {
        if signals::stop_requested().is_some() {
            return Err(Ending::Interrupted);
        }
        let replies = self.shared.replies();
        let glance = self.glance(phase);
        if !(self.watch)(Moment::Tick(glance)) || !self.fetch_windows() {
            return Err(Ending::ServerGone);
        }
        if replies != progress.0 {
            *progress = (replies, Instant::now());
        }
        let patience = (self.load.timeout * 2).max(Duration::from_secs(1));
        if phase.sends() && progress.1.elapsed() > patience {
            return Err(if self.shared.anybody_served() { Ending::Stalled } else { Ending::NotServed });
        }
        Ok(())
    }

    /// Tells of the intervals that are over; `false`: the caller wants no more.
    fn fetch_windows(&mut self) -> bool {
        let mut goes_on = true;
        while let Ok((thread, window)) = self.windows.try_recv() {
            for complete in self.collector.add(thread, window) {
                goes_on &= self.tell(&complete, Duration::MAX);
            }
        }
        goes_on
    }

    /// All threads have ended: what they handed over last, and what not all of them have reached.
    fn last_windows(&mut self, elapsed: Duration) {
        while let Ok((thread, window)) = self.windows.try_recv() {
            for complete in self.collector.add(thread, window) {
                self.tell(&complete, elapsed);
            }
        }
        for window in self.collector.rest() {
            self.tell(&window, elapsed);
        }
    }

    /// An interval is over, at the latest with the measured time itself.
    fn tell(&mut self, window: &Window, elapsed: Duration) -> bool {
        let edge = |index: u64| {
            let nanos = u64::try_from(self.load.interval.as_nanos()).unwrap_or(u64::MAX);
            Duration::from_nanos(nanos.saturating_mul(index)).min(elapsed)
        };
        let past = Past { window, from: edge(window.index), to: edge(window.index + 1) };
        // what a thread brings home may be the interval that nothing happened in any more
        let empty = window.ok == 0 && window.errors == 0 && past.length() < self.load.interval / 100;
        if empty {
            return true;
        }
        self.series.add(window);
        (self.watch)(Moment::Interval(past))
    }

    fn cannot_connect(&self, target: &Target) -> Failure {
        let (class, errno) = self.shared.first_failure().unwrap_or((Class::ConnectTimedOut, None));
        let what = errno.map_or_else(|| class.words().to_owned(), failure::describe);
        let advice = match class {
            Class::ConnectRefused => "is the server running there?",
            Class::ConnectTimedOut => "is the address right, or does a firewall drop the packets?",
            Class::ClientSide => "use fewer connections (-c)",
            _ => "is the address right?",
        };
        Failure::failed(format!("cannot connect to {}: {what}: {advice}", target.name))
    }
}
