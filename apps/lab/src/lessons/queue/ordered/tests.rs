//! The queues in another order: against a heap, and with two sides.

use super::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::thread;

/// The order of a heap of priorities and numbers.
fn model(puts: &[i64]) -> Vec<(i64, usize)> {
    let numbered = puts.iter().enumerate().map(|(number, priority)| Reverse((*priority, number)));
    let mut heap: BinaryHeap<_> = numbered.collect();
    std::iter::from_fn(|| heap.pop().map(|Reverse(pair)| pair)).collect()
}

#[test]
fn the_last_one_comes_first() {
    let queue = Ordered::<Lifo<u8>>::bounded(3);
    (1..=3).for_each(|n| queue.put(n).unwrap());
    queue.close();
    assert_eq!(queue.put(4), Err(4));
    assert_eq!([(); 4].map(|()| queue.get()), [Some(3), Some(2), Some(1), None]);
}

proptest::proptest! {
    #[test]
    fn the_most_urgent_one_comes_first_and_of_equals_the_oldest(
        puts in proptest::collection::vec(-3i64..3, 0..50),
    ) {
        let queue = Ordered::<Priority<usize>>::bounded(50);
        puts.iter().enumerate().for_each(|(number, priority)| queue.put((*priority, number)).unwrap());
        queue.close();
        let got: Vec<_> = std::iter::from_fn(|| queue.get()).collect();
        proptest::prop_assert_eq!(got, model(&puts));
    }
}

#[test]
fn both_sides_wait() {
    let queue = Ordered::<Lifo<u32>>::bounded(2);
    let sum: u32 = thread::scope(|threads| {
        let readers = [(); 2].map(|()| threads.spawn(|| std::iter::from_fn(|| queue.get()).sum::<u32>()));
        (0..1000).for_each(|n| queue.put(n).unwrap());
        queue.close();
        readers.into_iter().map(|reader| reader.join().unwrap()).sum()
    });
    assert_eq!(sum, 999 * 500);
}
