//! Runs with a network: what the kernel lets them try, before anybody decides about it.

use std::{
    net::{SocketAddr, TcpListener, UdpSocket},
    os::fd::OwnedFd,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
use sandbox::{
    Doors, Ended, Gate, Image, Layer, Options, Prefix, Program, Routes, Sandbox, StartError,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{assert_nothing_left, assert_results, attack, results, run, start};

/// Tells every connection where it wanted to go, and sends every question back.
#[derive(Debug, Default)]
struct Echo {
    serving: Arc<AtomicUsize>,
}

/// Counts down when the future that holds it is dropped.
struct Serving(Arc<AtomicUsize>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Gate for Echo {
    fn serve(&self, doors: Doors) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.serving.fetch_add(1, Ordering::SeqCst);
        let serving = Serving(self.serving.clone());
        Box::pin(async move {
            let _held = (serving, doors.steering);
            let queries = tokio::net::UdpSocket::from_std(UdpSocket::from(doors.queries)).unwrap();
            let answer = async {
                let mut question = [0; 64];
                while let Ok((length, from)) = queries.recv_from(&mut question).await {
                    let _ = queries.send_to(&question[..length], from).await;
                }
            };
            tokio::join!(tell(doors.streams), tell(doors.long_queries), answer);
        })
    }
}

async fn tell(listener: OwnedFd) {
    let listener = tokio::net::TcpListener::from_std(TcpListener::from(listener)).unwrap();
    while let Ok((mut stream, from)) = listener.accept().await {
        let wanted = stream.local_addr().unwrap();
        let wanted = SocketAddr::new(wanted.ip().to_canonical(), wanted.port());
        // What was not read would reset the connection.
        let _ = stream.read(&mut [0; 64]).await;
        let _ = stream
            .write_all(format!("{wanted} from {}", from.ip().to_canonical()).as_bytes())
            .await;
    }
}

fn prefix(text: &str, bits: u8) -> Prefix {
    Prefix { address: text.parse().unwrap(), bits }
}

/// Everything is open but 10/8, and in it 10.0/16 is; of IPv6, what is public.
fn routes() -> Routes {
    Routes {
        open: vec![prefix("0.0.0.0", 0), prefix("10.0.0.0", 16), prefix("2000::", 3)],
        closed: vec![prefix("10.0.0.0", 8), prefix("169.254.0.0", 16), prefix("2001:db8::", 32)],
    }
}

fn options(routes: Routes) -> Options {
    Options {
        slots: 4,
        primed: 0,
        gate: Some(Arc::new(Echo::default())),
        ..Options::new(Image::networked(routes))
    }
}

async fn run_networked(program: Program) -> sandbox::Outcome {
    let sandbox = Sandbox::start(options(routes())).await.unwrap();
    let outcome = run(&sandbox, program).await;
    assert_nothing_left(&sandbox).await;
    sandbox.stop().await;
    outcome
}

#[tokio::test]
async fn open_addresses_lead_to_the_gate_whatever_the_port() {
    let places = ["93.184.216.34:80", "1.1.1.1:65535", "10.0.2.3:5432", "[2606:4700::1]:443"];

    let found = results(run_networked(attack(&format!("connect {}", places.join(" ")))).await);

    for place in &places[..3] {
        assert_eq!(found[*place], format!("{place} from 127.0.0.1"));
    }
    assert_eq!(found[places[3]], format!("{} from ::1", places[3]));
}

#[tokio::test]
async fn closed_addresses_are_refused_at_once() {
    let cases = [
        ("10.1.0.1:80", "EHOSTUNREACH"),
        ("10.255.0.1:80", "EHOSTUNREACH"),
        ("169.254.169.254:80", "EHOSTUNREACH"),
        ("[::ffff:10.1.0.1]:80", "EHOSTUNREACH"),
        ("[2001:db8::1]:80", "EHOSTUNREACH"),
        ("[fd00:ec2::254]:80", "ENETUNREACH"),
        ("[fe80::1]:80", "Invalid argument (os error 22)"),
        ("[64:ff9b::a00:1]:80", "ENETUNREACH"),
    ];
    let places: Vec<_> = cases.iter().map(|(place, _)| *place).collect();

    let found = results(run_networked(attack(&format!("connect {}", places.join(" ")))).await);

    for (place, refusal) in cases {
        assert_eq!(found[place], refusal, "{place}");
    }
}

/// Something listens on the host; in the slot nothing does but the resolver.
#[tokio::test]
async fn loopback_is_the_runs_own_and_holds_nothing_but_the_resolver() {
    let host = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let places = [&host.to_string(), "127.0.0.1:5432", "127.9.9.9:80", "[::1]:80", "0.0.0.0:80"];

    let found = results(run_networked(attack(&format!("connect {}", places.join(" ")))).await);

    for place in places {
        assert_eq!(found[place], "ECONNREFUSED", "{place}");
    }
    let asked = results(run_networked(attack("ask 127.0.0.1:53")).await);
    assert_eq!(asked["udp 127.0.0.1:53"], "question");
    assert_eq!(asked["tcp 127.0.0.1:53"], "127.0.0.1:53 from 127.0.0.1");
}

#[tokio::test]
async fn datagrams_go_to_the_resolver_and_nowhere_else() {
    let found = results(run_networked(attack("ask 8.8.8.8:53 10.1.0.1:53")).await);

    assert!(found["udp 8.8.8.8:53"].contains("Connection refused"), "{found:?}");
    assert!(found["udp 10.1.0.1:53"].contains("Host is unreachable"), "{found:?}");
}

#[tokio::test]
async fn sockets_are_tcp_and_udp_with_plain_options_and_no_others() {
    assert_results(run_networked(attack("sockets")).await, "EPERM", &[]);
}

#[tokio::test]
async fn nobody_can_be_reached() {
    // 13: the low ports are the system's.
    let low = [("resolver", "13")];
    assert_results(run_networked(attack("listen")).await, "EPERM", &low);
}

/// Two runs at the same time have the same address, each in a world of its own.
#[tokio::test]
async fn a_run_does_not_reach_another() {
    let sandbox = Sandbox::start(options(routes())).await.unwrap();

    let (one, other) = tokio::join!(
        run(&sandbox, attack("connect 127.0.0.1:8080 1.1.1.1:1")),
        run(&sandbox, attack("connect 127.0.0.1:8080 1.1.1.1:1")),
    );

    for outcome in [one, other] {
        let found = results(outcome);
        assert_eq!(found["127.0.0.1:8080"], "ECONNREFUSED");
        assert_eq!(found["1.1.1.1:1"], "1.1.1.1:1 from 127.0.0.1");
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn without_an_open_prefix_there_is_no_ipv6() {
    let routes = Routes { open: vec![prefix("0.0.0.0", 0)], closed: Vec::new() };
    let sandbox = Sandbox::start(options(routes)).await.unwrap();

    let found = results(run(&sandbox, attack("connect [2606:4700::1]:443 1.1.1.1:80")).await);

    assert_eq!(found["[2606:4700::1]:443"], "ENETUNREACH");
    assert_eq!(found["1.1.1.1:80"], "1.1.1.1:80 from 127.0.0.1");
    sandbox.stop().await;
}

#[tokio::test]
async fn what_serves_a_slot_ends_with_it() {
    let gate = Arc::new(Echo::default());
    let serving = gate.serving.clone();
    let options = Options { gate: Some(gate), primed: 2, ..options(routes()) };
    let sandbox = Sandbox::start(options).await.unwrap();
    sandbox.primed().await;

    let outcome = run(&sandbox, attack("connect-and-stay 1.1.1.1:80")).await;

    assert_eq!(outcome.ended, Ended::Exited(0));
    sandbox.settled().await;
    sandbox.primed().await;
    assert_eq!(serving.load(Ordering::SeqCst), 2, "the primed ones");
    sandbox.stop().await;
    assert_eq!(serving.load(Ordering::SeqCst), 0);
}

/// The bounding set belongs to this thread, and the spawner is started from it.
#[tokio::test]
async fn without_the_rights_for_it_a_network_is_refused_and_nothing_else_is() {
    remove_capability_from_bounding_set(CapabilitySet::NET_ADMIN).unwrap();

    let error = Sandbox::start(options(routes())).await.err().unwrap();

    match error {
        StartError::Incomplete(missing) => {
            assert_eq!(missing[0].layer, Layer::Privileges);
            assert!(missing[0].why.contains("CAP_NET_ADMIN"), "{}", missing[0]);
        }
        other => panic!("{other:?}"),
    }
    start().await.stop().await;
}

#[tokio::test]
async fn a_network_without_a_gate_and_a_gate_without_a_network_are_refused() {
    let no_gate = Options { gate: None, ..options(routes()) };
    let no_network = Options { image: Image::empty(), ..options(routes()) };
    for options in [no_gate, no_network] {
        let error = Sandbox::start(options).await.err().unwrap();
        assert!(matches!(error, StartError::Gate), "{error:?}");
    }
}
