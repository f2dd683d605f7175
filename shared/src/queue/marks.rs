//! Low-water marks: up to which id a worker has emptied the lanes it claims from.
//!
//! Entries of claimed jobs stay in the index until a vacuum, or as long as somebody holds an old
//! snapshot, and a claim that begins at the head of a long lane steps over all of them. A mark lets it
//! begin further on. Marks are hints: what lies before one, a job that was given back for example, is
//! found by the claims without marks that come now and then.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::job::Class;

/// How far before the last claimed id a lane's mark lies, for rows that were committed in another
/// order than they were numbered. Also how many jobs a lane must have given before it has a mark.
const SLACK: i64 = 1000;

/// More marks than this cost a claim more than they save it.
const MAX_MARKS: usize = 32;

/// Lanes a worker remembers; with more, the one that gave nothing for longest is forgotten.
const MAX_LANES: usize = 512;

/// Vacuum comes by once a minute, so a lane without claims for longer has no dead entries left.
const FORGET_AFTER: Duration = Duration::from_secs(120);

/// With slots left over, a claim without marks may follow this soon.
const LOOK_AGAIN_WHEN_IDLE: Duration = Duration::from_secs(1);

/// And this soon in any case.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// One function's jobs of one class.
type Lane = (Class, Uuid, Uuid);

/// What one worker remembers of the lanes it claimed from.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    lanes: HashMap<Lane, Emptied>,
    looked_at: Instant,
    slots_left: bool,
}

#[derive(Debug, Clone, Copy)]
struct Emptied {
    up_to: i64,
    jobs: i64,
    at: Instant,
}

/// Marks as `q.claim` takes them: one element of each list per lane.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct MarkLists {
    pub(super) classes: Vec<i16>,
    pub(super) tenants: Vec<Uuid>,
    pub(super) functions: Vec<Uuid>,
    pub(super) ids: Vec<i64>,
}

impl Marks {
    pub(super) fn new(now: Instant) -> Self {
        Self { lanes: HashMap::new(), looked_at: now, slots_left: false }
    }

    /// For the claim that is made now; none when it is time to look at everything.
    pub(super) fn for_claim(&mut self, now: Instant) -> MarkLists {
        let wait = if self.slots_left { LOOK_AGAIN_WHEN_IDLE } else { LOOK_AGAIN };
        if now.duration_since(self.looked_at) >= wait {
            self.looked_at = now;
            return MarkLists::default();
        }
        self.lanes.retain(|_, emptied| now.duration_since(emptied.at) < FORGET_AFTER);
        let mut deep: Vec<_> =
            self.lanes.iter().filter(|(_, emptied)| emptied.jobs > SLACK).collect();
        deep.sort_unstable_by_key(|(_, emptied)| std::cmp::Reverse(emptied.jobs));
        let mut lists = MarkLists::default();
        for ((class, tenant, function), emptied) in deep.into_iter().take(MAX_MARKS) {
            lists.classes.push(*class as i16);
            lists.tenants.push(*tenant);
            lists.functions.push(*function);
            lists.ids.push(emptied.up_to - SLACK);
        }
        lists
    }

    /// A claim took this job.
    pub(super) fn took(&mut self, lane: Lane, id: i64, now: Instant) {
        if self.lanes.len() >= MAX_LANES && !self.lanes.contains_key(&lane) {
            let oldest = self.lanes.iter().min_by_key(|(_, emptied)| emptied.at);
            if let Some(oldest) = oldest.map(|(lane, _)| *lane) {
                self.lanes.remove(&oldest);
            }
        }
        let emptied = self.lanes.entry(lane).or_insert(Emptied { up_to: id, jobs: 0, at: now });
        emptied.up_to = emptied.up_to.max(id);
        emptied.jobs += 1;
        emptied.at = now;
    }

    /// A claim came back, with as many jobs as it asked for or not.
    pub(super) fn claim_ended(&mut self, slots_left: bool) {
        self.slots_left = slots_left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANE: Lane = (Class::Async, Uuid::from_u128(1), Uuid::from_u128(2));

    fn after(jobs: i64, now: Instant) -> Marks {
        let mut marks = Marks::new(now);
        (1..=jobs).for_each(|id| marks.took(LANE, id, now));
        marks
    }

    #[test]
    fn a_lane_has_a_mark_once_it_gave_many_jobs_and_some_way_before_the_last() {
        let now = Instant::now();
        assert_eq!(after(SLACK, now).for_claim(now), MarkLists::default());
        let marks = after(5 * SLACK, now).for_claim(now);
        assert_eq!((marks.classes, marks.ids), (vec![1], vec![4 * SLACK]));
        assert_eq!((marks.tenants, marks.functions), (vec![LANE.1], vec![LANE.2]));
    }

    #[test]
    fn now_and_then_a_claim_has_no_marks_and_sooner_when_slots_are_left() {
        let start = Instant::now();
        for (slots_left, wait) in [(false, LOOK_AGAIN), (true, LOOK_AGAIN_WHEN_IDLE)] {
            let mut marks = after(5 * SLACK, start);
            marks.claim_ended(slots_left);
            assert_ne!(marks.for_claim(start + wait / 2), MarkLists::default());
            assert_eq!(marks.for_claim(start + wait), MarkLists::default());
            assert_ne!(marks.for_claim(start + wait + wait / 2), MarkLists::default());
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_forgotten() {
        let start = Instant::now();
        let mut marks = after(5 * SLACK, start);
        for function in 0..2 * MAX_LANES as u128 {
            let later = start + Duration::from_micros(function as u64);
            marks.took((Class::Sync, Uuid::nil(), Uuid::from_u128(function)), 1, later);
        }
        assert_eq!(marks.lanes.len(), MAX_LANES);
        marks.looked_at = start + FORGET_AFTER;
        marks.for_claim(start + 2 * FORGET_AFTER);
        marks.for_claim(start + 2 * FORGET_AFTER);
        assert!(marks.lanes.is_empty());
    }
}
