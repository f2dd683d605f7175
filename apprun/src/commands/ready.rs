//! `apprun ready`: asks the API or the worker of this machine whether it is ready. For health checks in
//! images without a shell; asks no database itself.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use http_body_util::{BodyExt, Empty};
use hyper::{StatusCode, Uri, body::Bytes};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use shared::config::Config;

use crate::error::CommandError;

/// Longer than `/ready` waits for its database.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Prints what each of them says that listens here. An error unless one answers, and each that answers
/// is ready: which of the two should run here, only its supervisor knows.
pub(super) async fn run(config: Config) -> Result<(), CommandError> {
    let places = [Some(config.http_addr), config.worker_http_addr];
    let addresses: Vec<_> = places.into_iter().flatten().map(reachable).collect();
    let (mut answered, mut is_ready) = (false, true);
    for address in &addresses {
        if let Some((status, text)) = ask(*address).await {
            println!("{address} {status}: {text}");
            answered = true;
            is_ready &= status == StatusCode::OK;
        }
    }
    match (answered, is_ready) {
        (true, true) => Ok(()),
        (true, false) => Err(CommandError::NotReady),
        (false, _) => Err(CommandError::NothingListens { addresses }),
    }
}

/// Who listens everywhere is reached at home.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}

/// The status of `/ready` and its body in one line; None when no answer came.
async fn ask(address: SocketAddr) -> Option<(StatusCode, String)> {
    let uri: Uri = format!("http://{address}/ready").parse().ok()?;
    let client: Client<HttpConnector, Empty<Bytes>> =
        Client::builder(TokioExecutor::new()).build_http();
    let answer = async {
        let response = client.get(uri).await.ok()?;
        let status = response.status();
        let body = response.into_body().collect().await.ok()?.to_bytes();
        Some((status, String::from_utf8_lossy(&body).trim().to_owned()))
    };
    tokio::time::timeout(ANSWER_LIMIT, answer).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn who_listens_everywhere_is_asked_at_home() {
        for (listening, asked) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8081", "[::1]:8081"),
            ("10.0.0.7:8080", "10.0.0.7:8080"),
        ] {
            assert_eq!(reachable(listening.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
