//! All numbers of a process, and the text of a scrape.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus_client::{
    encoding::text,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{Functions, Http, Label, Worker, queue::Queue};
use crate::{
    queue::Depth,
    store::{Db, StoreError},
};

/// What the text of a scrape is called, for a scraper that accepts this. The text is good as either:
/// what OpenMetrics has besides is a comment in the older format, which everything reads.
pub fn content_type(accept: Option<&str>) -> &'static str {
    match accept {
        Some(accept) if accept.contains("application/openmetrics-text") => {
            "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
        _ => "text/plain; version=0.0.4; charset=utf-8",
    }
}

/// One process's numbers. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    /// Calls and builds.
    pub functions: Functions,
    /// Requests.
    pub http: Http,
    /// Slots and isolation.
    pub worker: Worker,
    connections: Family<[Label; 2], Gauge>,
    max_connections: Family<[Label; 1], Gauge>,
    depths: Arc<Mutex<Vec<Depth>>>,
    registry: Arc<Registry>,
}

impl Metrics {
    /// All numbers at zero. `version` is the running program's.
    pub fn new(version: &'static str) -> Self {
        let mut registry = Registry::default();
        let functions = Functions::register(&mut registry);
        let http = Http::register(&mut registry);
        let worker = Worker::register(&mut registry);
        let connections = Family::<[Label; 2], Gauge>::default();
        let help = "Connections to the database, by state";
        registry.register("apprun_database_connections", help, connections.clone());
        let max_connections = Family::<[Label; 1], Gauge>::default();
        let help = "Connections to the database that this process may have for statements";
        registry.register("apprun_database_connections_max", help, max_connections.clone());
        let build = Family::<[Label; 1], Gauge>::default();
        build.get_or_create(&[("version", version)]).set(1);
        registry.register("apprun_build_info", "The running program", build);
        let depths = Arc::default();
        registry.register_collector(Box::new(Queue::new(Arc::clone(&depths))));
        let registry = Arc::new(registry);
        Self { functions, http, worker, connections, max_connections, depths, registry }
    }

    /// The text of a scrape. While the database is away, what only it knows is left out.
    pub async fn scrape(&self, db: &Db) -> String {
        for (pool, connections) in db.connections() {
            let of =
                |state| self.connections.get_or_create_owned(&[("pool", pool), ("state", state)]);
            of("busy").set(connections.busy.into());
            of("idle").set(connections.idle.into());
            let max = self.max_connections.get_or_create_owned(&[("pool", pool)]);
            max.set(connections.max.into());
        }
        let depths = crate::queue::depths(db, None).await;
        self.text(depths)
    }

    fn text(&self, depths: Result<Vec<Depth>, StoreError>) -> String {
        *self.depths.lock().unwrap_or_else(PoisonError::into_inner) = depths.unwrap_or_default();
        let mut text = String::new();
        // Writing to a string does not fail, and our collectors only pass on what they are given.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        domain::{FunctionId, Reason},
        metrics::functions::MAX_FUNCTIONS,
        queue::Class,
    };

    fn value(text: &str, series: &str) -> Option<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        line.parse().ok()
    }

    #[test]
    fn a_call_is_counted_with_its_end_and_its_phases() {
        let metrics = Metrics::new("1.2.3");
        let function = FunctionId::new();
        let phases = [("queue", 1), ("setup", 2), ("run", 30), ("store", 4)];
        let phases = phases.map(|(phase, ms)| (phase, Duration::from_millis(ms)));
        metrics.functions.ended(function, None, &phases);
        metrics.functions.ended(function, Some(Reason::Timeout), &phases);
        let text = metrics.text(Ok(Vec::new()));
        let invocations = |status| {
            let series = format!(
                r#"functions_invocations_total{{function="{function}",status="{status}"}}"#
            );
            value(&text, &series)
        };
        assert_eq!(
            (invocations("completed"), invocations("failed")),
            (Some(1.0), Some(1.0)),
            "{text}"
        );
        assert_eq!(value(&text, r#"functions_errors_total{reason="timeout"}"#), Some(1.0));
        assert_eq!(value(&text, r#"functions_duration_seconds_count{phase="run"}"#), Some(2.0));
        assert_eq!(value(&text, r#"functions_duration_seconds_sum{phase="run"}"#), Some(0.06));
        assert_eq!(value(&text, r#"apprun_build_info{version="1.2.3"}"#), Some(1.0));
    }

    #[test]
    fn a_scraper_that_knows_only_the_older_format_is_told_that_it_gets_it() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
        assert!(content_type(Some(prometheus)).starts_with("application/openmetrics-text"));
        for older in [None, Some("*/*"), Some("text/plain")] {
            assert!(content_type(older).starts_with("text/plain; version=0.0.4"), "{older:?}");
        }
    }

    #[test]
    fn functions_past_the_bound_share_a_label() {
        let metrics = Metrics::new("1");
        for _ in 0..MAX_FUNCTIONS + 10 {
            metrics.functions.ended(FunctionId::new(), None, &[]);
        }
        let text = metrics.text(Ok(Vec::new()));
        let series = r#"functions_invocations_total{function="other",status="completed"}"#;
        assert_eq!(value(&text, series), Some(10.0));
        let labelled =
            text.lines().filter(|it| it.starts_with("functions_invocations_total")).count();
        assert_eq!(labelled, MAX_FUNCTIONS + 1);
    }

    #[test]
    fn the_queue_is_shown_by_class_and_left_out_while_nobody_knows() {
        let metrics = Metrics::new("1");
        let depth = Depth {
            class: Class::Async,
            ready: 7,
            running: 2,
            deferred: 1,
            oldest_ready: Some(Duration::from_millis(1500)),
        };
        let text = metrics.text(Ok(vec![depth]));
        let jobs =
            |state| value(&text, &format!(r#"apprun_queue_jobs{{class="async",state="{state}"}}"#));
        assert_eq!(
            (jobs("ready"), jobs("running"), jobs("deferred")),
            (Some(7.0), Some(2.0), Some(1.0)),
            "{text}"
        );
        assert_eq!(value(&text, r#"apprun_queue_oldest_ready_seconds{class="async"}"#), Some(1.5));
        let away = metrics.text(Err(StoreError::unreadable("nothing")));
        assert!(!away.contains("apprun_queue_jobs{"), "{away}");
        assert!(away.ends_with("# EOF\n"));
    }

    #[test]
    fn a_worker_shows_its_slots_and_what_it_lacks() {
        let metrics = Metrics::new("1");
        metrics.worker.has_slots("call", 8);
        metrics.worker.lacks("memory");
        metrics.worker.removed("audit", "row", 3);
        let (_one, other) = (metrics.worker.busy("call"), metrics.worker.busy("call"));
        drop(other);
        let text = metrics.text(Ok(Vec::new()));
        assert_eq!(value(&text, r#"apprun_worker_slots{kind="call"}"#), Some(8.0));
        assert_eq!(value(&text, r#"apprun_worker_slots_busy{kind="call"}"#), Some(1.0));
        assert_eq!(value(&text, r#"sandbox_degraded{layer="memory"}"#), Some(1.0));
        let removed = r#"apprun_retention_removed_total{kind="audit",unit="row"}"#;
        assert_eq!(value(&text, removed), Some(3.0), "{text}");
    }
}
