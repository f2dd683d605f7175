//! Two network namespaces with a cable between them: the worker's, which the test's thread enters, and
//! the public internet, which has every address that these tests need and two that nobody may reach.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use nix::{
    sched::{CloneFlags, unshare},
    unistd::gettid,
};

type Task = Box<dyn FnOnce() + Send>;

/// A thread in a network namespace of its own. The namespace ends with it and what it started.
pub(crate) struct Outside {
    tasks: mpsc::Sender<Task>,
    thread_id: i32,
}

impl Outside {
    pub(crate) fn new() -> Self {
        let (tasks, todo) = mpsc::channel::<Task>();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            ip("link set lo up");
            tell.send(gettid().as_raw()).unwrap();
            todo.into_iter().for_each(|task| task());
        });
        Self { tasks, thread_id: told.recv().unwrap() }
    }

    /// Lays a cable from here. Both ends are up afterwards, with these addresses.
    pub(crate) fn connect(&self, name: &str, here: &[&str], there: &[&str]) {
        ip(&format!("link add {name} type veth peer name outside netns {}", self.thread_id));
        let there: Vec<_> = there.iter().map(|address| (*address).to_owned()).collect();
        self.run(move || bring_up("outside", there.iter().map(String::as_str)));
        bring_up(name, here.iter().copied());
    }

    /// Gives the other side addresses.
    pub(crate) fn add(&self, addresses: &'static [&str]) {
        self.run(move || addresses.iter().for_each(|one| ip(&format!("addr add {one} dev lo"))));
    }

    /// Does something there.
    pub(crate) fn run<T: Send + 'static>(&self, task: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = mpsc::channel();
        self.tasks.send(Box::new(move || tell.send(task()).unwrap())).unwrap();
        told.recv().unwrap()
    }

    /// Something that listens there.
    pub(crate) fn serve(&self, address: &str) -> Server {
        let address: SocketAddr = address.parse().unwrap();
        let server = Server::default();
        let counts = server.clone();
        self.run(move || {
            let listener = TcpListener::bind(address).unwrap();
            thread::spawn(move || listener.incoming().flatten().for_each(|it| counts.take(it)));
        });
        server
    }

    /// A resolver there.
    pub(crate) fn resolve(&self, address: &'static str) {
        self.run(move || {
            let socket = UdpSocket::bind(address).unwrap();
            thread::spawn(move || answer(&socket));
        });
    }
}

pub(crate) fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status();
    assert!(status.expect("iproute2 is needed").success(), "ip {arguments}");
}

fn bring_up<'a>(name: &str, addresses: impl Iterator<Item = &'a str>) {
    for address in addresses {
        // Nobody else is on the cable who could have the address.
        let nodad = if address.contains(':') { " nodad" } else { "" };
        ip(&format!("addr add {address} dev {name}{nodad}"));
    }
    ip(&format!("link set {name} up"));
}

/// Counts its connections. It answers the first line, and goes on until the other side ends, or, at
/// ports below 1000, ends.
#[derive(Debug, Clone, Default)]
pub(crate) struct Server {
    taken: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    fn take(&self, mut stream: TcpStream) {
        self.taken.fetch_add(1, Ordering::SeqCst);
        self.open.fetch_add(1, Ordering::SeqCst);
        let open = self.open.clone();
        thread::spawn(move || {
            let ends = stream.local_addr().unwrap().port() < 1000;
            let mut text = [0; 64];
            while matches!(stream.read(&mut text), Ok(1..)) {
                if stream.write_all(b"outside\n").is_err() || ends {
                    break;
                }
            }
            open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// Knows three names; one of them is first public and private from then on. What is no question for a
/// name is sent back.
fn answer(socket: &UdpSocket) {
    let (mut packet, mut rebound) = ([0; 512], false);
    while let Ok((length, asker)) = socket.recv_from(&mut packet) {
        let question = &packet[..length];
        let address = match name(question).as_deref() {
            Some("public.test") => Some(Ipv4Addr::new(93, 184, 216, 34)),
            Some("inner.test") => Some(Ipv4Addr::new(10, 0, 0, 5)),
            Some("rebinding.test") if asks_for_v4(question) && !rebound => {
                rebound = true;
                Some(Ipv4Addr::new(93, 184, 216, 34))
            }
            Some("rebinding.test") => Some(Ipv4Addr::new(10, 0, 0, 5)),
            _ => None,
        };
        let reply = if length < 12 { question.to_vec() } else { reply(question, address) };
        let _ = socket.send_to(&reply, asker);
    }
}

/// RFC 1035, 4.1: a header of twelve bytes, then labels, each with its length.
fn name(question: &[u8]) -> Option<String> {
    let (mut labels, mut rest) = (Vec::new(), question.get(12..)?);
    while let Some((length @ 1.., tail)) = rest.split_first() {
        let (label, tail) = tail.split_at_checked(usize::from(*length))?;
        labels.push(String::from_utf8(label.to_vec()).ok()?);
        rest = tail;
    }
    Some(labels.join("."))
}

fn asks_for_v4(question: &[u8]) -> bool {
    question.ends_with(&[0, 1, 0, 1])
}

fn reply(question: &[u8], address: Option<Ipv4Addr>) -> Vec<u8> {
    let mut reply = question.to_vec();
    let address = address.filter(|_| asks_for_v4(question));
    let no_such_name = if name(question).is_some_and(|it| it.ends_with(".test")) { 0 } else { 3 };
    reply[2..4].copy_from_slice(&[0x81, 0x80 | no_such_name]);
    reply[6..8].copy_from_slice(&u16::from(address.is_some()).to_be_bytes());
    reply[8..12].fill(0);
    if let Some(address) = address {
        // The name again, by where it stands; A, IN, for no time, four bytes.
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        reply.extend(address.octets());
    }
    reply
}
