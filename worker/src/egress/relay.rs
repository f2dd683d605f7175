//! Carries the connections of one call: takes them up, opens one outside for each, and passes bytes in
//! both directions as fast as the slower side takes them.

use std::{io, net::SocketAddr, os::fd::OwnedFd, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};

use super::guard::Guard;

/// A host that does not answer for so long is not there.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// When one side has said all it had to say, the other may go on for so long.
const HALF_OPEN_LIMIT: Duration = Duration::from_secs(60);
/// After an accept that failed, most likely for lack of descriptors.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) fn listener(socket: OwnedFd) -> io::Result<TcpListener> {
    TcpListener::from_std(socket.into())
}

/// Takes up connections until it is dropped, and with it everything it started. More at a time than
/// there are permits are reset at once.
pub(super) async fn take_up<F>(
    listener: TcpListener,
    permits: Arc<Semaphore>,
    carry: impl Fn(TcpStream) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut carried = JoinSet::new();
    loop {
        while carried.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        match Arc::clone(&permits).try_acquire_owned() {
            Ok(permit) => {
                let carrying = carry(stream);
                carried.spawn(async move {
                    carrying.await;
                    drop(permit);
                });
            }
            Err(_) => {
                tracing::debug!("a call has as many connections as it may have");
                reset(&stream);
            }
        }
    }
}

/// To where the function wanted to go, if that may be.
pub(super) async fn carry_to_wanted(guard: Arc<Guard>, inside: TcpStream) {
    let Ok(wanted) = inside.local_addr() else { return };
    // IPv4 addresses arrive as IPv6 ones that stand for them.
    let wanted = SocketAddr::new(wanted.ip().to_canonical(), wanted.port());
    match guard.check(wanted).await {
        Ok(()) => carry(inside, wanted).await,
        Err(refusal) => {
            tracing::debug!(%wanted, %refusal, "connection refused");
            reset(&inside);
        }
    }
}

/// To an address that was checked, or needs no check.
pub(super) async fn carry(mut inside: TcpStream, outside: SocketAddr) {
    let carried = match connect(outside).await {
        Ok(mut stream) => pass(&mut inside, &mut stream).await,
        Err(error) => Err(error),
    };
    match carried {
        Ok((sent, received)) => tracing::debug!(%outside, sent, received, "connection ended"),
        Err(error) => {
            tracing::debug!(%outside, %error, "connection failed");
            reset(&inside);
        }
    }
}

async fn connect(outside: SocketAddr) -> io::Result<TcpStream> {
    let stream = timeout(CONNECT_DEADLINE, TcpStream::connect(outside)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Passes bytes until both directions have ended. Gives how many were sent and received.
async fn pass(inside: &mut TcpStream, outside: &mut TcpStream) -> io::Result<(u64, u64)> {
    inside.set_nodelay(true)?;
    let (mut from_inside, mut to_inside) = inside.split();
    let (mut from_outside, mut to_outside) = outside.split();
    let sending = pass_one_way(&mut from_inside, &mut to_outside);
    let receiving = pass_one_way(&mut from_outside, &mut to_inside);
    tokio::pin!(sending, receiving);
    tokio::select! {
        sent = &mut sending => Ok((sent?, timeout(HALF_OPEN_LIMIT, receiving).await??)),
        received = &mut receiving => {
            let received = received?;
            Ok((timeout(HALF_OPEN_LIMIT, sending).await??, received))
        }
    }
}

async fn pass_one_way(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<u64> {
    let bytes = copy(from, to).await?;
    to.shutdown().await?;
    Ok(bytes)
}

/// Ends a connection in a way that no program takes for the end of an answer.
fn reset(stream: &TcpStream) {
    // Fails only for a socket that is gone.
    let _ = stream.set_zero_linger();
}
