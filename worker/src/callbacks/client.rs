//! The HTTP client of callbacks. It goes where strangers point it, so it resolves names itself and
//! connects to no address that is out of reach, follows no redirect, uses no proxy, and reads no body.

use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use reqwest::{
    Client, Response,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{self, HeaderMap},
    redirect,
};
use shared::{
    domain::{CallbackUrl, Reach},
    telemetry::chain,
};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

/// A receiver has this long to answer; it should take the message and work on it later.
const DEADLINE: Duration = Duration::from_secs(15);
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// A receiver may put a message off for this long, and no longer.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// What a receiver said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Not to be asked again sooner.
    pub(super) retry_after: Option<Duration>,
}

/// Sends messages.
#[derive(Debug, Clone)]
pub(super) struct HookClient {
    client: Client,
    reach: Reach,
}

impl HookClient {
    pub(super) fn new(reach: Reach) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .timeout(DEADLINE)
            .connect_timeout(CONNECT_DEADLINE)
            .redirect(redirect::Policy::none())
            .no_proxy()
            // What was allowed when it was connected is not asked about again: connect each time.
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(GuardedResolver(reach.clone())))
            .user_agent("apprun")
            .build()?;
        Ok(Self { client, reach })
    }

    /// Posts a message. Err: why there was no answer, for the receiver's people.
    pub(super) async fn post(
        &self,
        url: &str,
        headers: HeaderMap,
        body: String,
    ) -> Result<Answer, String> {
        let url: CallbackUrl = url.parse().map_err(|error| format!("the URL {error}"))?;
        // A literal address is never resolved, so the resolver does not see it.
        if let Some(address) = url.literal_address().filter(|it| !self.reach.includes(*it)) {
            return Err(format!("callbacks may not reach {address}"));
        }
        let request = self.client.post(url.as_str()).headers(headers).body(body);
        let response = request.send().await.map_err(|error| chain(&error.without_url()))?;
        Ok(Answer { status: response.status().as_u16(), retry_after: retry_after(&response) })
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    read_retry_after(text.trim(), SystemTime::now().into())
}

/// Seconds or a date (RFC 9110, 10.2.3).
fn read_retry_after(text: &str, now: OffsetDateTime) -> Option<Duration> {
    let delay = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let moment = OffsetDateTime::parse(text, &Rfc2822).ok()?;
            (moment - now).try_into().unwrap_or(Duration::ZERO)
        }
    };
    Some(delay.min(MAX_RETRY_AFTER))
}

/// Resolves names to addresses within reach, and fails when there are none: what is checked is what
/// is connected to, so a name that changes its address in between gains nothing.
#[derive(Debug)]
struct GuardedResolver(Reach);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found.filter(|address| reach.includes(address.ip())).collect();
            if allowed.is_empty() {
                // Which they are is nobody's business outside: names of inner machines, too, resolve.
                return Err(io::Error::other("callbacks may not reach this name's address").into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_asks_for_time_in_seconds_or_by_a_date_and_within_bounds() {
        let now = OffsetDateTime::from_unix_timestamp(784_111_777).unwrap();
        let seconds = |text| read_retry_after(text, now).map(|delay| delay.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:48:37 GMT"), Some(0));
        assert_eq!(seconds("99999999"), Some(MAX_RETRY_AFTER.as_secs()));
        for bad in ["", "-1", "soon", "1.5"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn no_spelling_of_an_inner_address_is_connected_to() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = HookClient::new(Reach::default()).unwrap();
        let hosts = [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "localhost",
            "0.0.0.0",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[64:ff9b::7f00:1]",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.0.1",
            "100.64.0.1",
            "169.254.169.254",
            "[fd00:ec2::254]",
            "[fe80::1]",
        ];
        for host in hosts {
            let url = format!("http://{host}:{port}/");
            let error = client.post(&url, HeaderMap::new(), String::new()).await.unwrap_err();
            assert!(error.contains("callbacks may not reach"), "{host}: {error}");
        }
        assert!(listener.accept().is_err(), "nobody came");
    }
}
