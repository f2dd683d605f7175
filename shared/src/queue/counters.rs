//! What this process did with the queue since it started, by class. Counted as the statements
//! succeed, so a transaction that is rolled back or repeated counts its steps each time.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use super::job::Class;

/// Upper bounds of the buckets of [`ClassCounts::claim_waits`], in seconds; the last has none.
pub const CLAIM_WAIT_BUCKETS: [f64; 7] = [0.001, 0.003, 0.01, 0.1, 1.0, 10.0, 60.0];

/// Things that happen to jobs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    Settled,
    StaleSettle,
    Retried,
    GivenBack,
    Reaped,
    Dead,
}

const EVENTS: usize = Event::Dead as usize + 1;

#[derive(Debug)]
pub(super) struct Counters([ClassCounters; 3]);

#[derive(Debug)]
struct ClassCounters {
    events: [AtomicU64; EVENTS],
    waits: [AtomicU64; CLAIM_WAIT_BUCKETS.len() + 1],
    waited_micros: AtomicU64,
}

static COUNTERS: Counters = Counters(
    [const {
        ClassCounters {
            events: [const { AtomicU64::new(0) }; EVENTS],
            waits: [const { AtomicU64::new(0) }; CLAIM_WAIT_BUCKETS.len() + 1],
            waited_micros: AtomicU64::new(0),
        }
    }; 3],
);

pub(super) fn counters() -> &'static Counters {
    &COUNTERS
}

impl Counters {
    pub(super) fn add(&self, class: Class, event: Event, jobs: u64) {
        self.0[class as usize].events[event as usize].fetch_add(jobs, Relaxed);
    }

    pub(super) fn claimed(&self, class: Class, waited: Duration) {
        let counters = &self.0[class as usize];
        let bucket = CLAIM_WAIT_BUCKETS.partition_point(|bound| *bound < waited.as_secs_f64());
        counters.waits[bucket].fetch_add(1, Relaxed);
        counters.waited_micros.fetch_add(waited.as_micros() as u64, Relaxed);
    }
}

/// One class's share of what this process did; all numbers only ever grow.
#[derive(Debug, Clone, Copy)]
pub struct ClassCounts {
    /// Of which class.
    pub class: Class,
    /// Jobs claimed, by how long they had been ready or deferred: one number per bucket of
    /// [`CLAIM_WAIT_BUCKETS`] and one for those above.
    pub claim_waits: [u64; CLAIM_WAIT_BUCKETS.len() + 1],
    /// The sum of those waits.
    pub claim_wait_total: Duration,
    /// Jobs settled.
    pub settled: u64,
    /// Settles that came too late and changed nothing.
    pub stale_settles: u64,
    /// Failed attempts put off by the user's retry policy.
    pub retried: u64,
    /// Jobs given back after trouble on our side.
    pub given_back: u64,
    /// Jobs taken back from dead workers.
    pub reaped: u64,
    /// Jobs given up.
    pub dead: u64,
}

/// What this process did since it started, the most urgent class first.
pub fn counts() -> [ClassCounts; 3] {
    Class::ALL.map(|class| {
        let counters = &COUNTERS.0[class as usize];
        let count = |event: Event| counters.events[event as usize].load(Relaxed);
        ClassCounts {
            class,
            claim_waits: std::array::from_fn(|bucket| counters.waits[bucket].load(Relaxed)),
            claim_wait_total: Duration::from_micros(counters.waited_micros.load(Relaxed)),
            settled: count(Event::Settled),
            stale_settles: count(Event::StaleSettle),
            retried: count(Event::Retried),
            given_back: count(Event::GivenBack),
            reaped: count(Event::Reaped),
            dead: count(Event::Dead),
        }
    })
}
