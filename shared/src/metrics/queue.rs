//! The queue: how full it is, as the last scrape found it, and what this process did with it.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

use crate::queue::{CLAIM_WAIT_BUCKETS, ClassCounts, Depth, counts};

/// Turns the queue's own numbers into metrics at each scrape.
#[derive(Debug)]
pub(super) struct Queue {
    depths: Arc<Mutex<Vec<Depth>>>,
}

impl Queue {
    pub(super) fn new(depths: Arc<Mutex<Vec<Depth>>>) -> Self {
        Self { depths }
    }
}

type Count = (&'static str, &'static str, fn(&ClassCounts) -> u64);

const COUNTS: [Count; 6] = [
    ("apprun_queue_settled", "Jobs settled by this process", |it| it.settled),
    ("apprun_queue_stale_settles", "Settles that came too late and changed nothing", |it| {
        it.stale_settles
    }),
    ("apprun_queue_retries", "Failed attempts put off by a retry policy", |it| it.retried),
    ("apprun_queue_given_back", "Jobs given back after trouble on our side", |it| it.given_back),
    ("apprun_queue_reaped", "Jobs taken back from dead workers", |it| it.reaped),
    ("apprun_queue_dead_letters", "Jobs given up", |it| it.dead),
];

impl Collector for Queue {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_depths(&mut encoder)?;
        let counts = counts();
        for (name, help, count) in COUNTS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for of_class in &counts {
                let labels = [("class", of_class.class.as_str())];
                ConstCounter::new(count(of_class)).encode(family.encode_family(&labels)?)?;
            }
        }
        encode_waits(&mut encoder, &counts)
    }
}

impl Queue {
    fn encode_depths(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let depths = self.depths.lock().unwrap_or_else(PoisonError::into_inner);
        let help = "Live jobs, by class and state";
        let mut jobs =
            encoder.encode_descriptor("apprun_queue_jobs", help, None, MetricType::Gauge)?;
        for depth in depths.iter() {
            let states =
                [("ready", depth.ready), ("running", depth.running), ("deferred", depth.deferred)];
            for (state, number) in states {
                let labels = [("class", depth.class.as_str()), ("state", state)];
                ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX))
                    .encode(jobs.encode_family(&labels)?)?;
            }
        }
        let help = "How long the oldest ready job has been waiting";
        let name = "apprun_queue_oldest_ready";
        let mut ages =
            encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?;
        for depth in depths.iter() {
            let labels = [("class", depth.class.as_str())];
            let age = depth.oldest_ready.unwrap_or_default().as_secs_f64();
            ConstGauge::new(age).encode(ages.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn encode_waits(encoder: &mut DescriptorEncoder<'_>, counts: &[ClassCounts]) -> fmt::Result {
    let help = "From being ready to being claimed";
    let (name, unit) = ("apprun_queue_claim_wait", Some(&Unit::Seconds));
    let mut waits = encoder.encode_descriptor(name, help, unit, MetricType::Histogram)?;
    for of_class in counts {
        let bounds = CLAIM_WAIT_BUCKETS.into_iter().chain([f64::MAX]);
        let buckets: Vec<_> = bounds.zip(of_class.claim_waits).collect();
        let claims = of_class.claim_waits.iter().sum();
        let sum = of_class.claim_wait_total.as_secs_f64();
        let labels = [("class", of_class.class.as_str())];
        waits
            .encode_family(&labels)?
            .encode_histogram::<NoLabelSet>(sum, claims, &buckets, None)?;
    }
    Ok(())
}
