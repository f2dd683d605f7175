//! The listening side: accepts connections, bounds them in number and in patience, and stops
//! without cutting off a request.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use poem::{
    Endpoint,
    http::{HeaderValue, header, uri::Scheme},
    web::{LocalAddr, RemoteAddr},
};
use shared::metrics::Http;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};

use crate::{
    ApiState, Patience, Process, routes, unread,
    wire::{End, Wire},
};

/// Connections open at once; more wait in the listener's backlog.
const MAX_CONNECTIONS: usize = 4096;

/// Bytes of a request's head, and of what is buffered of its body.
pub(crate) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Before accepting again after a failure that the next accept would meet as well.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// For answers of a process that starts: they wait for nothing.
const STARTING_GRACE: Duration = Duration::from_millis(100);

/// Does what an API needs before it can serve, and meanwhile tells whoever comes that this process lives
/// and is not ready.
pub async fn while_starting<T>(
    process: &Process,
    listener: &TcpListener,
    work: impl Future<Output = T>,
) -> T {
    let are_last = Arc::new(AtomicBool::new(true));
    let mut open = Open::new(Answers {
        routes: routes::starting(process.clone()),
        are_last,
        patience: Patience::default(),
        metrics: process.metrics.http.clone(),
    });
    let done = open.accept_until(listener, work).await;
    // Who has connected and asked nothing is cut off here, and connects again.
    let _ = tokio::time::timeout(STARTING_GRACE, open.graceful.shutdown()).await;
    done
}

/// Serves the API until `shutdown`, and then for as long as the configuration says to whoever has not
/// noticed, one answer for each connection; then lets running requests end for as long as it grants them.
pub async fn serve(state: ApiState, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    let (delay, grace) = (state.config.shutdown_delay, state.config.shutdown_grace);
    let stopping = state.stopping.clone();
    let mut open = Open::new(Answers {
        are_last: stopping.clone(),
        patience: state.config.patience,
        metrics: state.process.metrics.http.clone(),
        routes: routes::all(state),
    });
    open.accept_until(&listener, shutdown).await;
    stopping.store(true, Ordering::Relaxed);
    open.accept_until(&listener, tokio::time::sleep(delay)).await;
    drop(listener);
    if tokio::time::timeout(grace, open.graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still running when the server stopped");
    }
}

/// What connections are answered with.
struct Answers<E> {
    routes: E,
    /// Whether each connection ends with its next answer: its client finds a process that stays.
    are_last: Arc<AtomicBool>,
    patience: Patience,
    metrics: Http,
}

impl<E: Endpoint> Answers<E> {
    async fn answer(&self, request: poem::Request) -> poem::Response {
        let mut response = self.routes.get_response(request).await;
        if self.are_last.load(Ordering::Relaxed) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The connections that are open.
struct Open<E> {
    answers: Arc<Answers<E>>,
    slots: Arc<Semaphore>,
    graceful: GracefulShutdown,
    /// Whatever still runs when the grace is over ends with this set.
    connections: JoinSet<()>,
}

impl<E: Endpoint + 'static> Open<E> {
    fn new(answers: Answers<E>) -> Self {
        Self {
            answers: Arc::new(answers),
            slots: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            graceful: GracefulShutdown::new(),
            connections: JoinSet::new(),
        }
    }

    async fn accept_until<T>(&mut self, listener: &TcpListener, end: impl Future<Output = T>) -> T {
        tokio::pin!(end);
        loop {
            let (stream, peer, slot) = tokio::select! {
                ended = &mut end => return ended,
                accepted = accept(listener, &self.slots) => accepted,
                Some(_) = self.connections.join_next() => continue,
            };
            let watcher = self.graceful.watcher();
            let connection = serve_connection(self.answers.clone(), stream, peer, watcher);
            self.connections.spawn(async move {
                connection.await;
                drop(slot);
            });
        }
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    // Never closed, so a permit always comes.
    let slot = slots.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, slot),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "failed to accept");
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}

async fn serve_connection(
    answers: Arc<Answers<impl Endpoint + 'static>>,
    stream: TcpStream,
    peer: SocketAddr,
    watcher: Watcher,
) {
    // An answer is written in pieces; Nagle's algorithm would hold the last one back for 40 ms.
    let _ = stream.set_nodelay(true);
    let local =
        stream.local_addr().map_or_else(|_| LocalAddr::default(), |addr| LocalAddr(addr.into()));
    let remote = RemoteAddr(peer.into());
    let (patience, metrics) = (answers.patience, answers.metrics.clone());
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let parts = (request, local.clone(), remote.clone(), Scheme::HTTP);
        let answers = answers.clone();
        async move { Ok::<hyper::Response<_>, Infallible>(answers.answer(parts.into()).await.into()) }
    });
    let wire = Arc::new(Wire::new(stream));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_header_size(MAX_HEAD_BYTES)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(End::of(&wire, patience.answer)), service);
    // An error here is the client's: it left, or sent something that is not HTTP.
    let ended = watcher.watch(connection).await;
    // hyper's end went with the connection.
    if let Some(wire) = Arc::into_inner(wire) {
        unread::close(wire, ended, peer, &metrics).await;
    }
}
