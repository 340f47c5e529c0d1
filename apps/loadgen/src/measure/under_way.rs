//! How many requests are under way, and how many were on average: counted apart from their times, so that Little's law
//! can check one by the other.

/// A count and its sum over time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnderWay {
    count: u64,
    /// Requests × nanoseconds.
    area: u128,
    /// Until when `area` is added up.
    until: u64,
}

impl UnderWay {
    /// So many more since `now`.
    pub fn more(&mut self, count: u64, now: u64) {
        self.add_up(now);
        self.count += count;
    }

    /// So many fewer since `now`.
    pub fn fewer(&mut self, count: u64, now: u64) {
        self.add_up(now);
        self.count = self.count.saturating_sub(count);
    }

    /// Begins the sum anew.
    pub fn restart(&mut self, now: u64) {
        (self.area, self.until) = (0, now);
    }

    /// Requests × nanoseconds since the last restart.
    #[must_use]
    pub fn area(&self) -> u128 {
        self.area
    }

    /// The clock is read once for several events, so `now` may lie a little before the last one.
    fn add_up(&mut self, now: u64) {
        let span = now.saturating_sub(self.until);
        self.area += u128::from(self.count) * u128::from(span);
        self.until += span;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_all_times() {
        let mut under_way = UnderWay::default();
        under_way.restart(100);
        under_way.more(2, 110);
        under_way.more(1, 120);
        under_way.fewer(1, 150);
        under_way.fewer(2, 140);
        under_way.fewer(0, 200);
        // 10 ns of two, 30 ns of three
        assert_eq!(under_way.area(), 2 * 10 + 3 * 30);
    }
}
