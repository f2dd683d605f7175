//! Before an API can serve.

use hyper::Request;
use tokio::{net::TcpListener, sync::oneshot};

use crate::harness::{process, send};

#[tokio::test]
async fn a_process_that_starts_lives_and_is_not_ready() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (done, work) = oneshot::channel();
    let process = process();
    let starting = api::while_starting(&process, &listener, async { work.await.unwrap() });
    let asking = async {
        let get = async |path| send(address, Request::get(path).body("").unwrap()).await;
        let health = get("/health").await;
        assert_eq!((health.status.as_u16(), &health.json()["status"]), (200, &"degraded".into()));
        for path in ["/ready", "/metrics", "/api/v1/projects"] {
            let early = get(path).await;
            assert_eq!(
                early.assert_error(503, "OVERLOADED")["message"],
                "this process is starting"
            );
            assert_eq!(early.headers["connection"], "close");
            assert_eq!(early.headers["retry-after"], "1");
        }
        done.send("started").unwrap();
    };
    assert_eq!(tokio::join!(starting, asking).0, "started");
}
