//! Counting within one process: who asked how often in this minute of the clock.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::limiter::Key;

/// Counted apart at most, per minute; whoever comes after that shares one count, so that a flood
/// from many addresses fills no memory.
const MAX_KEYS: usize = 100_000;

/// The counts of the current minute.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    /// Minutes since 1970.
    number: u64,
    counts: HashMap<Key, u32>,
    others: u32,
}

impl Counts {
    /// Counts one request; how many there were in this minute, this one included.
    pub(super) fn add(&self, key: Key, minute: u64) -> u32 {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if current.number != minute {
            *current = Minute { number: minute, ..Minute::default() };
        }
        let is_full = current.counts.len() >= MAX_KEYS && !current.counts.contains_key(&key);
        let Minute { counts, others, .. } = &mut *current;
        let count = if is_full { others } else { counts.entry(key).or_default() };
        *count = count.saturating_add(1);
        *count
    }
}

#[cfg(test)]
mod tests {
    use shared::domain::TenantId;

    use super::*;

    #[test]
    fn each_key_has_its_own_count_and_a_new_minute_begins_at_one() {
        let counts = Counts::default();
        let (one, two) = (Key::Tenant(TenantId::new()), Key::Tenant(TenantId::new()));
        assert_eq!([counts.add(one, 5), counts.add(one, 5), counts.add(two, 5)], [1, 2, 1]);
        assert_eq!(counts.add(one, 6), 1);
    }

    #[test]
    fn more_keys_than_fit_share_one_count() {
        let counts = Counts::default();
        for _ in 0..MAX_KEYS {
            counts.add(Key::Tenant(TenantId::new()), 1);
        }
        assert_eq!(counts.add(Key::Tenant(TenantId::new()), 1), 1);
        assert_eq!(counts.add(Key::Tenant(TenantId::new()), 1), 2);
        assert_eq!(counts.0.lock().unwrap().counts.len(), MAX_KEYS);
    }
}
