//! A worker that isolates less than it should keeps saying so.

use std::time::Duration;

/// Often enough that no look at the log misses it, seldom enough that nobody filters it out.
const REMIND_EVERY: Duration = Duration::from_secs(600);

/// Logs, now and every ten minutes, which layers are missing. Never ends, unless none is.
pub(crate) async fn remind(layers: Vec<String>) {
    if layers.is_empty() {
        return;
    }
    let layers = layers.join(",");
    every(REMIND_EVERY, || {
        tracing::error!(layers, "isolation is degraded: calls run without these layers");
    })
    .await;
}

async fn every(period: Duration, act: impl Fn()) {
    let mut ticks = tokio::time::interval(period);
    loop {
        ticks.tick().await;
        act();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn missing_layers_are_told_at_once_and_every_ten_minutes() {
        let told = Cell::new(0);
        let hour = Duration::from_secs(3600 - 1);
        let reminding = every(REMIND_EVERY, || told.set(told.get() + 1));
        assert!(tokio::time::timeout(hour, reminding).await.is_err());
        assert_eq!(told.get(), 6);
    }

    #[tokio::test]
    async fn full_isolation_is_no_news() {
        remind(Vec::new()).await;
    }
}
