//! Serves the network of one call: the connections that it opens, and what it asks the resolver.

use std::{io, path::Path, pin::Pin, sync::Arc};

use sandbox::{Doors, Gate};
use shared::telemetry::chain;
use tokio::sync::Semaphore;

use super::{guard::Guard, relay, resolver};

/// Connections that one call may have at the same time, those to the resolver included.
const CONNECTIONS_PER_CALL: usize = 64;

#[derive(Debug)]
pub(super) struct Relay {
    guard: Arc<Guard>,
    resolv_conf: Arc<Path>,
}

impl Relay {
    pub(super) fn new(guard: Guard, resolv_conf: &Path) -> Self {
        Self { guard: Arc::new(guard), resolv_conf: resolv_conf.into() }
    }
}

impl Gate for Relay {
    fn serve(&self, doors: Doors) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (guard, resolv_conf) = (Arc::clone(&self.guard), Arc::clone(&self.resolv_conf));
        Box::pin(async move {
            if let Err(error) = serve(guard, resolv_conf, doors).await {
                tracing::error!(error = chain(&error), "the network of a call is not served");
            }
        })
    }
}

/// Ends only when it is dropped, or at once when the sockets cannot be used.
async fn serve(guard: Arc<Guard>, resolv_conf: Arc<Path>, doors: Doors) -> io::Result<()> {
    let Doors { streams, queries, long_queries, steering } = doors;
    let connections = Arc::new(Semaphore::new(CONNECTIONS_PER_CALL));
    let streams = relay::listener(streams)?;
    let long_queries = relay::listener(long_queries)?;
    let queries = resolver::socket(queries)?;
    let to_wanted = |stream| relay::carry_to_wanted(Arc::clone(&guard), stream);
    let to_resolver = |stream| resolver::carry(Arc::clone(&resolv_conf), stream);
    tokio::join!(
        relay::take_up(streams, Arc::clone(&connections), to_wanted),
        relay::take_up(long_queries, connections, to_resolver),
        resolver::answer(queries, Arc::clone(&resolv_conf)),
    );
    drop(steering);
    Ok(())
}
