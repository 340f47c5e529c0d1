//! A run as time goes by: bounded, however long it lasts.
//!
//! How: each client thread keeps the replies of the present interval in a [`Window`] of its own and hands a copy over at
//! its end; the windows of all threads become one point of a [`Series`]. When a series has [`POINTS`] points, each two
//! neighbours become one. Cost: a copy of some 220 KiB a thread and interval. Where it breaks: of two points that
//! became one the larger percentile stays; it is not that of both together, but never too low.

use std::collections::BTreeMap;

use super::Latency;

/// The most points of a series.
pub const POINTS: usize = 600;

/// What one thread, or all together, did in an interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Counts from 0.
    pub index: u64,
    /// Right replies.
    pub ok: u64,
    /// Connections that failed.
    pub errors: u64,
    /// Their times.
    pub reply: Latency,
}

impl Window {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { index: 0, ok: 0, errors: 0, reply: Latency::new() }
    }

    /// Empties it for another interval.
    pub fn restart(&mut self, index: u64) {
        (self.index, self.ok, self.errors) = (index, 0, 0);
        self.reply.clear();
    }

    fn merge(&mut self, other: &Self) {
        self.ok += other.ok;
        self.errors += other.errors;
        self.reply.merge(&other.reply);
    }
}

impl Default for Window {
    fn default() -> Self {
        Self::new()
    }
}

/// Puts the windows of several threads together.
#[derive(Debug)]
pub struct Collector {
    threads: usize,
    /// The last index that each thread has handed over, plus one.
    reached: Vec<u64>,
    /// Windows that not all threads have passed yet: a few, since no thread is ever behind by more than its queue.
    pending: BTreeMap<u64, Window>,
}

impl Collector {
    /// For so many threads.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self { threads, reached: vec![0; threads], pending: BTreeMap::new() }
    }

    /// A window of `thread`; those that are now complete come back, the oldest first.
    pub fn add(&mut self, thread: usize, window: Window) -> Vec<Window> {
        if let Some(reached) = self.reached.get_mut(thread) {
            *reached = window.index + 1;
        }
        match self.pending.get_mut(&window.index) {
            Some(sum) => sum.merge(&window),
            None => drop(self.pending.insert(window.index, window)),
        }
        let complete = self.reached.iter().take(self.threads).copied().min().unwrap_or(0);
        let rest = self.pending.split_off(&complete);
        std::mem::replace(&mut self.pending, rest).into_values().collect()
    }

    /// What is left at the end.
    pub fn rest(&mut self) -> Vec<Window> {
        std::mem::take(&mut self.pending).into_values().collect()
    }
}

/// One point: a few numbers of one interval, or of several that became one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The first interval.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// Right replies.
    pub ok: u64,
    /// Connections that failed.
    pub errors: u64,
    /// Reply times in nanoseconds.
    pub p50: u64,
    /// Likewise.
    pub p99: u64,
    /// Likewise.
    pub max: u64,
}

/// The run as it went.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    points: Vec<Point>,
    /// Intervals of a point.
    width: u64,
}

impl Series {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { points: Vec::new(), width: 1 }
    }

    /// Adds the next interval.
    pub fn add(&mut self, window: &Window) {
        let point = Point {
            first: window.index,
            last: window.index,
            ok: window.ok,
            errors: window.errors,
            p50: window.reply.at(0.5),
            p99: window.reply.at(0.99),
            max: window.reply.at(1.0),
        };
        match self.points.last_mut() {
            Some(last) if last.first / self.width == point.first / self.width => *last = joined(*last, point),
            _ => self.points.push(point),
        }
        if self.points.len() >= POINTS {
            self.width *= 2;
            let mut wider: Vec<Point> = Vec::with_capacity(POINTS);
            for point in self.points.drain(..) {
                match wider.last_mut() {
                    Some(last) if last.first / self.width == point.first / self.width => {
                        *last = joined(*last, point);
                    }
                    _ => wider.push(point),
                }
            }
            self.points = wider;
        }
    }

    /// All points, the oldest first.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }
}

impl Default for Series {
    fn default() -> Self {
        Self::new()
    }
}

fn joined(one: Point, other: Point) -> Point {
    Point {
        first: one.first,
        last: other.last,
        ok: one.ok + other.ok,
        errors: one.errors + other.errors,
        p50: one.p50.max(other.p50),
        p99: one.p99.max(other.p99),
        max: one.max.max(other.max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window(index: u64, times: &[u64]) -> Window {
        let mut window = Window::new();
        window.restart(index);
        for time in times {
            window.reply.record(*time, 1);
            window.ok += 1;
        }
        window
    }

    #[test]
    fn an_interval_is_complete_when_the_last_thread_has_passed_it() {
        let mut collector = Collector::new(2);
        assert!(collector.add(0, window(0, &[100])).is_empty());
        assert!(collector.add(0, window(1, &[100])).is_empty());
        let complete = collector.add(1, window(0, &[300, 400]));
        assert_eq!(complete.iter().map(|w| (w.index, w.ok)).collect::<Vec<_>>(), [(0, 3)]);
        assert_eq!(complete[0].reply.at(1.0), 400);
        assert_eq!(collector.rest().len(), 1);
    }

    proptest! {
        // a window is large
        #![proptest_config(ProptestConfig::with_cases(20))]
        #[test]
        fn a_series_is_bounded_and_loses_nothing(count in 1_u64..5000) {
            let mut series = Series::new();
            let mut one = window(0, &[1000]);
            for index in 0..count {
                one.index = index;
                series.add(&one);
            }
            let points = series.points();
            prop_assert!(points.len() <= POINTS);
            prop_assert_eq!(points.iter().map(|p| p.ok).sum::<u64>(), count);
            prop_assert_eq!((points[0].first, points[points.len() - 1].last), (0, count - 1));
            prop_assert!(points.windows(2).all(|pair| pair[0].last + 1 == pair[1].first));
        }
    }
}
