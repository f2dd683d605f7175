//! Passes questions for names on to this machine's resolvers, and their answers back, unread.
//!
//! A function can learn what a name stands for, inside as well as outside; whether it can connect
//! there is decided when it tries.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::OwnedFd,
    path::Path,
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{TcpStream, UdpSocket},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};

use super::relay;

const DNS_PORT: u16 = 53;
/// Questions of one call that may wait for their answers; more are dropped, as on a busy network.
const QUESTIONS_PER_CALL: usize = 32;
/// The largest datagrams that resolvers agree on.
const DATAGRAM_BYTES: usize = 4096;
/// A resolver that takes longer has lost the question, and the next one is asked.
const PATIENCE: Duration = Duration::from_secs(2);
/// As many as C libraries take from the file.
const MAX_RESOLVERS: usize = 3;

pub(super) fn socket(socket: OwnedFd) -> io::Result<UdpSocket> {
    UdpSocket::from_std(socket.into())
}

/// Answers questions until it is dropped.
pub(super) async fn answer(queries: UdpSocket, resolv_conf: Arc<Path>) {
    let (queries, permits) = (Arc::new(queries), Arc::new(Semaphore::new(QUESTIONS_PER_CALL)));
    let mut asking = JoinSet::new();
    let mut question = [0; DATAGRAM_BYTES];
    loop {
        while asking.try_join_next().is_some() {}
        // An error tells that somebody did not wait for his answer.
        let Ok((length, asker)) = queries.recv_from(&mut question).await else { continue };
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else { continue };
        let (question, queries) = (question[..length].to_vec(), Arc::clone(&queries));
        let resolv_conf = Arc::clone(&resolv_conf);
        asking.spawn(async move {
            if let Some(answer) = ask_any(&resolv_conf, &question).await {
                let _ = queries.send_to(&answer, asker).await;
            }
            drop(permit);
        });
    }
}

/// A connection to the first resolver that is there.
pub(super) async fn carry(resolv_conf: Arc<Path>, inside: TcpStream) {
    if let Some(resolver) = resolvers(&resolv_conf).await.first() {
        relay::carry(inside, *resolver).await;
    }
}

async fn ask_any(resolv_conf: &Path, question: &[u8]) -> Option<Vec<u8>> {
    for resolver in resolvers(resolv_conf).await {
        match timeout(PATIENCE, ask(resolver, question)).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => tracing::debug!(%resolver, %error, "resolver not asked"),
            Err(_) => tracing::debug!(%resolver, "resolver silent"),
        }
    }
    None
}

/// From a port of its own and connected, so that nobody else can answer.
async fn ask(resolver: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let anywhere: IpAddr = match resolver {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((anywhere, 0)).await?;
    socket.connect(resolver).await?;
    socket.send(question).await?;
    let mut answer = vec![0; DATAGRAM_BYTES];
    let length = socket.recv(&mut answer).await?;
    answer.truncate(length);
    Ok(answer)
}

/// Read each time: machines change their resolvers while they run.
async fn resolvers(resolv_conf: &Path) -> Vec<SocketAddr> {
    let text = tokio::fs::read_to_string(resolv_conf).await.unwrap_or_default();
    name_servers(&text).map(|address| (address, DNS_PORT).into()).collect()
}

/// resolv.conf(5): this machine where none is named.
fn name_servers(text: &str) -> impl Iterator<Item = IpAddr> {
    let address = |line: &str| {
        let mut words = line.split_whitespace();
        words.next().filter(|word| *word == "nameserver")?;
        words.next()?.parse().ok()
    };
    let mut named: Vec<IpAddr> = text.lines().filter_map(address).take(MAX_RESOLVERS).collect();
    if named.is_empty() {
        named.push(Ipv4Addr::LOCALHOST.into());
    }
    named.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_as_libraries_read_them() {
        let text = "# nameserver 9.9.9.9\nsearch a.test\nnameserver 10.0.0.2\n\tnameserver  ::1 x\n\
                    nameserver fe80::1%eth0\nnameserver\nnameservers 1.1.1.1\nnameserver 8.8.8.8\n\
                    nameserver 8.8.4.4\n";
        let found: Vec<_> = name_servers(text).map(|address| address.to_string()).collect();
        assert_eq!(found, ["10.0.0.2", "::1", "8.8.8.8"]);
        assert_eq!(name_servers("").collect::<Vec<_>>(), [IpAddr::from(Ipv4Addr::LOCALHOST)]);
    }
}
