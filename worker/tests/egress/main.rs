//! What functions with egress reach and what they do not, through the relay as it is, over real
//! connections between two network namespaces. The hostile program is the sandbox's.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod networks;
#[allow(dead_code, reason = "the sandbox's own tests use the rest")]
#[path = "../../../sandbox/tests/suite/common/programs.rs"]
mod programs;

use std::{
    collections::BTreeMap,
    net::TcpListener,
    time::{Duration, Instant},
};

use nix::sched::{CloneFlags, unshare};
use sandbox::{Ended, Outcome, Sandbox};
use shared::{config::Service, domain::Reach};
use tokio_util::sync::CancellationToken;
use worker::Egress;

use networks::{Outside, Server, ip};
use programs::attack;

const PUBLIC: &str = "93.184.216.34:80";
const PUBLIC_V6: &str = "[2606:4700::6810]:80";
/// Answers, and leaves it to the other side to end.
const LASTING: &str = "93.184.216.34:8080";

/// The test's thread is the worker's machine from here on.
fn internet() -> Outside {
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    ip("link set lo up");
    let outside = Outside::new();
    outside.add(&["93.184.216.34/32", "2606:4700::6810/128", "10.0.0.5/32", "169.254.169.254/32"]);
    outside.connect(
        "inside",
        &["93.184.215.1/24", "2a00:1450::1/64"],
        &["93.184.215.2/24", "2a00:1450::2/64"],
    );
    ip("route add default via 93.184.215.2");
    ip("-6 route add default via 2a00:1450::2");
    outside.resolve("93.184.215.2:53");
    outside
}

/// What one attack saw.
struct Seen {
    outcome: Outcome,
    results: BTreeMap<String, String>,
}

/// Runs attacks one after the other, with everything of each gone before the next. The threads of the
/// runtime are started from this one, so they are in its network.
fn see(reach: &str, services: &[(&str, u16)], attacks: &[&str]) -> Vec<Seen> {
    let resolv_conf = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&resolv_conf, "nameserver 93.184.215.2\n").unwrap();
    let service = |(host, port): &(&str, u16)| Service { host: (*host).into(), port: *port };
    let reach = if reach.is_empty() { Reach::default() } else { reach.parse().unwrap() };
    let egress = Egress {
        reach,
        services: services.iter().map(service).collect(),
        resolv_conf: resolv_conf.path().to_owned(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = sandbox::Options {
            gate: Some(egress.gate()),
            primed: 0,
            ..sandbox::Options::new(egress.image())
        };
        let sandbox = Sandbox::start(options).await.unwrap();
        let mut seen = Vec::new();
        for name in attacks {
            let outcome = sandbox.run(attack(name), &CancellationToken::new()).await.unwrap();
            sandbox.settled().await;
            assert_eq!(outcome.ended, Ended::Exited(0), "{outcome:?}");
            let text = String::from_utf8(outcome.stdout.clone()).unwrap();
            let pair = |line: &str| line.rsplit_once('=').map(|(a, b)| (a.into(), b.into()));
            seen.push(Seen { outcome, results: text.lines().filter_map(pair).collect() });
        }
        sandbox.stop().await;
        seen
    })
}

fn connect(reach: &str, services: &[(&str, u16)], places: &[&str]) -> BTreeMap<String, String> {
    let attack = format!("connect {}", places.join(" "));
    see(reach, services, &[&attack]).remove(0).results
}

#[test]
fn public_hosts_are_reached_by_number_and_name() {
    let outside = internet();
    let servers = [outside.serve(PUBLIC), outside.serve(PUBLIC_V6)];

    let found = connect("", &[], &[PUBLIC, PUBLIC_V6, "public.test:80"]);

    assert_eq!(found.values().map(String::as_str).collect::<Vec<_>>(), ["outside"; 3], "{found:?}");
    assert_eq!(servers.map(|server| server.taken()), [2, 1]);
}

#[test]
fn names_are_asked_for_by_datagram_and_by_connection() {
    let outside = internet();
    let by_connection = outside.serve("93.184.215.2:53");

    let found = see("", &[], &["ask 127.0.0.1:53"]).remove(0).results;

    assert_eq!(found["udp 127.0.0.1:53"], "question");
    assert_eq!(found["tcp 127.0.0.1:53"], "outside");
    assert_eq!(by_connection.taken(), 1);
}

/// They are there, and the worker could reach them.
#[test]
fn private_ranges_and_metadata_services_are_not_reached() {
    let outside = internet();
    let servers = ["10.0.0.5:80", "169.254.169.254:80"].map(|address| outside.serve(address));
    let refused_at_once = [
        "10.0.0.5:80",
        "169.254.169.254:80",
        "[::ffff:169.254.169.254]:80",
        "inner.test:80",
        "0.1.2.3:80",
        "100.64.0.1:80",
        "172.16.0.1:80",
        "192.0.0.1:80",
        "192.168.0.1:80",
        "198.18.0.1:80",
        "240.0.0.1:80",
        "[2002:a00:5::]:80",
        "[2001:db8::1]:80",
    ];

    let started_at = Instant::now();
    let found = connect("", &[], &refused_at_once);

    for place in refused_at_once {
        assert_eq!(found[place], "EHOSTUNREACH", "{place}");
    }
    assert!(started_at.elapsed() < Duration::from_secs(30), "nothing was waited for");
    let found = connect("", &[], &["[fd00:ec2::254]:80", "[64:ff9b::a00:5]:80", "[ff0e::1]:80"]);
    for (place, result) in found {
        assert_eq!(result, "ENETUNREACH", "{place}");
    }
    assert_eq!(servers.map(|server| server.taken()), [0, 0]);
}

#[test]
fn a_name_that_turns_private_after_it_was_checked_gains_nothing() {
    let outside = internet();
    let (public, private) = (outside.serve(PUBLIC), outside.serve("10.0.0.5:80"));

    let found = see("", &[], &["connect rebinding.test:80", "connect rebinding.test:80"]);

    let results: Vec<_> = found.iter().map(|seen| &seen.results["rebinding.test:80"]).collect();
    assert_eq!(results, ["outside", "EHOSTUNREACH"]);
    assert_eq!((public.taken(), private.taken()), (1, 0));
}

/// The worker's machine has a public address, on which its own services listen.
#[test]
fn the_workers_own_machine_is_not_reached_on_any_of_its_addresses() {
    let _outside = internet();
    let services = ["93.184.215.1:5432", "127.0.0.1:5433", "[2a00:1450::1]:5434"];
    let listeners = services.map(|address| TcpListener::bind(address).unwrap());
    listeners.iter().for_each(|listener| listener.set_nonblocking(true).unwrap());

    let found = connect("93.184.215.0/24,127.0.0.0/8,::1", &[], &services);

    let refusals = ["ECONNRESET", "ECONNREFUSED", "ECONNRESET"];
    for (place, refusal) in services.iter().zip(refusals) {
        assert_eq!(found[*place], refusal, "{place}");
    }
    assert!(listeners.iter().all(|listener| listener.accept().is_err()), "nobody came");
}

#[test]
fn services_of_the_platform_are_not_reached_wherever_they_are() {
    let outside = internet();
    let (database, other) = (outside.serve("93.184.216.34:5432"), outside.serve(PUBLIC));

    let found = connect("", &[("93.184.216.34", 5432)], &["93.184.216.34:5432", PUBLIC]);

    assert_eq!(found["93.184.216.34:5432"], "ECONNRESET");
    assert_eq!(found[PUBLIC], "outside");
    assert_eq!((database.taken(), other.taken()), (0, 1));
}

#[test]
fn an_operator_can_open_a_private_network() {
    let outside = internet();
    ip("route add 10.0.0.0/16 via 93.184.215.2");
    let server = outside.serve("10.0.0.5:80");

    let found = connect("10.0.0.0/16", &[], &["10.0.0.5:80", "10.1.0.5:80"]);

    assert_eq!(found["10.0.0.5:80"], "outside");
    assert_eq!(found["10.1.0.5:80"], "EHOSTUNREACH");
    assert_eq!(server.taken(), 1);
}

#[test]
fn a_port_where_nobody_listens_resets_the_connection() {
    let _outside = internet();
    assert_eq!(connect("", &[], &["93.184.216.34:81"])["93.184.216.34:81"], "ECONNRESET");
}

#[test]
fn a_call_has_only_so_many_connections_at_a_time() {
    let outside = internet();
    let server = outside.serve(LASTING);

    let found = see("", &[], &[&format!("connect-many {LASTING} 100")]).remove(0);

    assert_eq!(found.results["answered"], "64");
    assert_eq!(server.taken(), 64);
    until_closed(&server);
}

#[test]
fn connections_of_a_daemon_end_with_its_call() {
    let outside = internet();
    let server = outside.serve(LASTING);

    let seen = see("", &[], &[&format!("connect-and-stay {LASTING}")]).remove(0);

    assert_eq!(seen.results["left"], "ok");
    assert!(seen.outcome.usage.wall_time < Duration::from_secs(10));
    assert_eq!(server.taken(), 1);
    until_closed(&server);
}

/// The server's thread hears of it a moment later.
fn until_closed(server: &Server) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while server.open() > 0 {
        assert!(Instant::now() < deadline, "{} connections are open", server.open());
        std::thread::sleep(Duration::from_millis(5));
    }
}
