//! What a program with a network tries: closed addresses, other sockets, too many connections.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket},
    time::Duration,
};

use crate::sys::{attempt, attempt_call, sleep_forever};

/// Far longer than a connection that is refused at once takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connects to each address and prints what came of it: the first line that was read, or the errno.
pub fn connect(args: &[String]) {
    for address in args {
        match address.to_socket_addrs() {
            Ok(mut found) => println!("{address}={}", try_to_connect(found.next().unwrap())),
            Err(error) => println!("{address}={error}"),
        }
    }
}

fn try_to_connect(address: SocketAddr) -> String {
    let read = TcpStream::connect_timeout(&address, PATIENCE).and_then(|mut stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"hello\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    });
    match read {
        Ok(text) => text.lines().next().unwrap_or("nothing").to_owned(),
        Err(error) => match error.raw_os_error() {
            Some(101) => "ENETUNREACH".into(),
            Some(104) => "ECONNRESET".into(),
            Some(111) => "ECONNREFUSED".into(),
            Some(113) => "EHOSTUNREACH".into(),
            _ => format!("{error}"),
        },
    }
}

/// Opens so many connections at the same time and says how many of them are answered.
pub fn connect_many(args: &[String]) {
    let (address, count) = (args[0].parse().unwrap(), args[1].parse().unwrap());
    let mut open = Vec::new();
    for _ in 0..count {
        open.extend(TcpStream::connect_timeout(&address, PATIENCE));
    }
    let is_answered = |stream: &mut TcpStream| {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"hello\n").is_ok() && matches!(stream.read(&mut [0; 1]), Ok(1))
    };
    let answered: usize = open.iter_mut().map(|stream| usize::from(is_answered(stream))).sum();
    println!("answered={answered}");
}

/// A child of its own session holds a connection that was answered; the parent ends.
pub fn connect_and_stay(args: &[String]) {
    let mut stream = TcpStream::connect(&args[0]).unwrap();
    stream.write_all(b"hello\n").unwrap();
    stream.read_exact(&mut [0; 1]).unwrap();
    crate::sys::spawn(|| {
        unsafe { crate::sys::setsid() };
        sleep_forever()
    });
    println!("left=ok");
}

/// Asks a resolver, by UDP and TCP, and prints the answers.
pub fn ask(args: &[String]) {
    for address in args {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = [0; 64];
        let asked = socket.connect(address).and_then(|()| socket.send(b"question"));
        let asked = asked.and_then(|_| socket.recv(&mut answer));
        let text = match asked {
            Ok(length) => String::from_utf8_lossy(&answer[..length]).into_owned(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => "nothing".into(),
            Err(error) => format!("{error}"),
        };
        println!("udp {address}={text}");
        println!("tcp {address}={}", try_to_connect(address.parse().unwrap()));
    }
}

pub fn open_sockets(_: &[String]) {
    let (stream, dgram, raw) = (1, 2, 3);
    let kinds = [
        ("raw", 2, raw, 0),
        ("raw-tcp", 2, raw, 6),
        ("raw6", 10, raw, 58),
        ("ping", 2, dgram, 1),
        ("sctp", 2, stream, 132),
        ("mptcp", 2, stream, 262),
        ("udp-lite", 2, dgram, 136),
        ("unix", 1, stream, 0),
        ("netlink", 16, raw, 0),
        ("packet", 17, raw, 0),
        ("alg", 38, 5, 0),
        ("vsock", 40, stream, 0),
        ("xdp", 44, raw, 0),
    ];
    for (name, family, kind, protocol) in kinds {
        attempt_call(name, 41, &[family, kind, protocol]);
    }
    let socket = crate::sys::call(41, &[2, stream, 0]) as usize;
    let (sol_socket, tcp, ip) = (1, 6, 0);
    let one = 1_u32;
    let options = [
        ("mark", sol_socket, 36),
        ("bind-to-device", sol_socket, 25),
        ("filter", sol_socket, 26),
        ("reuse-port", sol_socket, 15),
        ("fast-open", tcp, 23),
        ("upper-layer", tcp, 31),
        ("transparent", ip, 19),
        ("free-bind", ip, 15),
        ("header", ip, 3),
    ];
    for (name, level, option) in options {
        attempt_call(name, 54, &[socket, level, option, &raw const one as usize, 4]);
    }
}

/// To be reached by anybody.
pub fn listen(_: &[String]) {
    attempt("listen", || match TcpListener::bind("0.0.0.0:8080") {
        Ok(_) => 0,
        Err(_) => -1,
    });
    attempt_call("accept", 43, &[0, 0, 0]);
    attempt_call("accept4", 288, &[0, 0, 0, 0]);
    // A resolver of its own in the place of the real one.
    attempt("resolver", || match UdpSocket::bind("127.0.0.1:53") {
        Ok(_) => 0,
        Err(_) => -1,
    });
}
