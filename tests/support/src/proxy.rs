//! Stands between a program and its database and does what networks and crashes do: goes silent
//! without closing anything, or cuts a connection just before or just after a chosen statement.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::Notify,
};

/// What happens at the chosen statement, once.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// The connection is cut; the server never saw the statement.
    CutBefore,
    /// The connection is cut; the server has carried the statement out, and nobody heard of it.
    CutAfter,
    /// Every open connection goes silent for ever; the server never saw the statement.
    Silence,
}

/// A way to a database that can fail. Ends with its runtime.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    armed: Mutex<Option<Armed>>,
    struck: Notify,
    silence: Notify,
}

#[derive(Debug, Clone)]
struct Armed {
    /// To be seen on one connection in this order; the last one is the chosen statement.
    texts: Vec<&'static str>,
    fault: Fault,
}

impl Proxy {
    /// # Panics
    /// When no port is free, or the address is none of a test server's.
    pub async fn before(database_url: &str) -> Self {
        let (head, name) = database_url.rsplit_once('/').expect("a database is named");
        let (user, place) = head.rsplit_once('@').expect("a user is named");
        let place = place.replace("%2F", "/");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address: SocketAddr = listener.local_addr().expect("it is bound");
        let state = Arc::new(State::default());
        tokio::spawn(accept(listener, place, state.clone()));
        Self { url: format!("{user}@{address}/{name}"), state }
    }

    /// Of the database, by way of this.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Lets `fault` happen as soon as the last of `texts` is sent on a connection that has sent the
    /// others in their order. A prepared statement sends its text once per connection.
    pub fn arm(&self, texts: &[&'static str], fault: Fault) {
        *self.state.armed() = Some(Armed { texts: texts.to_vec(), fault });
    }

    /// Returns when the fault has happened.
    pub async fn struck(&self) {
        self.state.struck.notified().await;
    }

    /// Lets the connections that are open now go silent for ever: what a lost network looks like
    /// from both ends.
    pub fn silence(&self) {
        self.state.silence.notify_waiters();
    }
}

impl State {
    fn armed(&self) -> std::sync::MutexGuard<'_, Option<Armed>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault that this message sets off. `seen` counts the texts this connection has sent.
    fn strikes(&self, message: &[u8], seen: &mut usize) -> Option<Fault> {
        let mut armed = self.armed();
        let Armed { texts, fault } = armed.clone()?;
        while let Some(text) = texts.get(*seen) {
            if !message.windows(text.len()).any(|part| part == text.as_bytes()) {
                return None;
            }
            *seen += 1;
        }
        *armed = None;
        Some(fault)
    }
}

async fn accept(listener: TcpListener, place: String, state: Arc<State>) {
    while let Ok((near, _)) = listener.accept().await {
        let (place, state) = (place.clone(), state.clone());
        tokio::spawn(async move {
            if place.starts_with('/') {
                if let Ok(far) = UnixStream::connect(format!("{place}/.s.PGSQL.5432")).await {
                    forward(near, far, &state).await;
                }
            } else if let Ok(far) = TcpStream::connect(&place).await {
                let _ = far.set_nodelay(true);
                forward(near, far, &state).await;
            }
        });
    }
}

/// Returning closes both ends.
async fn forward(mut near: TcpStream, mut far: impl AsyncRead + AsyncWrite + Unpin, state: &State) {
    // Tests measure nothing here, but they should not wait for the network's politeness either.
    let _ = near.set_nodelay(true);
    let (mut up, mut down, mut seen) = (vec![0; 1 << 16], vec![0; 1 << 16], 0);
    let silence = state.silence.notified();
    tokio::pin!(silence);
    loop {
        let passed = tokio::select! {
            read = near.read(&mut up) => match read {
                Ok(0) | Err(_) => return,
                Ok(length) => match state.strikes(&up[..length], &mut seen) {
                    None => far.write_all(&up[..length]).await,
                    Some(fault) => return strike(fault, &mut far, &up[..length], state, near).await,
                },
            },
            read = far.read(&mut down) => match read {
                Ok(0) | Err(_) => return,
                Ok(length) => near.write_all(&down[..length]).await,
            },
            () = &mut silence => return std::future::pending().await,
        };
        if passed.is_err() {
            return;
        }
    }
}

async fn strike(
    fault: Fault,
    far: &mut (impl AsyncRead + AsyncWrite + Unpin),
    message: &[u8],
    state: &State,
    near: TcpStream,
) {
    match fault {
        Fault::CutBefore => state.struck.notify_one(),
        Fault::CutAfter => {
            // The answer has come, so it is done; the connection goes before anybody hears it.
            let _ = far.write_all(message).await;
            let _ = far.read(&mut [0; 1 << 12]).await;
            state.struck.notify_one();
        }
        Fault::Silence => {
            state.silence.notify_waiters();
            state.struck.notify_one();
            std::future::pending::<()>().await;
        }
    }
    drop(near);
}
