//! A worker: what it can do at once, what it is doing, and what it lacks.

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::Label;

/// How busy a worker is.
#[derive(Debug, Clone, Default)]
pub struct Worker {
    slots: Family<[Label; 1], Gauge>,
    busy: Family<[Label; 1], Gauge>,
    degraded: Family<[(&'static str, String); 1], Gauge>,
    binaries: Family<[Label; 1], Counter>,
    removed: Family<[Label; 2], Counter>,
}

/// One slot in use, until it is dropped.
#[derive(Debug)]
pub struct Busy(Gauge);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Worker {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let new = Self::default();
        registry.register("apprun_worker_slots", "Jobs that may run at once", new.slots.clone());
        registry.register("apprun_worker_slots_busy", "Jobs that run now", new.busy.clone());
        let help = "1 for each layer of isolation that is missing here";
        registry.register("sandbox_degraded", help, new.degraded.clone());
        let help = "Binaries asked of this worker's cache, by whether they were there";
        registry.register("apprun_binary_cache_requests", help, new.binaries.clone());
        let help = "What was older than it is kept: rows, binaries, or whole days of rows at once";
        registry.register("apprun_retention_removed", help, new.removed.clone());
        new
    }

    /// So many more jobs of this kind, `call` or `build`, may run at once.
    pub fn has_slots(&self, kind: &'static str, more: u32) {
        self.slots.get_or_create(&[("kind", kind)]).inc_by(more.into());
    }

    /// A slot of this kind was taken.
    pub fn busy(&self, kind: &'static str) -> Busy {
        let gauge = self.busy.get_or_create_owned(&[("kind", kind)]);
        gauge.inc();
        Busy(gauge)
    }

    /// This layer of isolation is missing, and the operator allowed that.
    pub fn lacks(&self, layer: &str) {
        self.degraded.get_or_create(&[("layer", layer.to_owned())]).set(1);
    }

    /// So many of a kind were removed because they were old. `unit` is `row`, `day` or `binary`.
    pub fn removed(&self, kind: &'static str, unit: &'static str, count: u64) {
        self.removed.get_or_create(&[("kind", kind), ("unit", unit)]).inc_by(count);
    }

    /// A binary was asked for.
    pub fn asked_for_binary(&self, was_there: bool) {
        let result = if was_there { "hit" } else { "miss" };
        self.binaries.get_or_create(&[("result", result)]).inc();
    }
}
