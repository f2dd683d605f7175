//! Packets between worker, spawner and slot: one message and its descriptors per packet.
//!
//! Every socket is a SOCK_SEQPACKET pair made by us; packets are bounded, a cut or malformed one is
//! an error, and the two ends are the same binary, so the encoding has no versions.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
        SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
        sendmsg, socketpair,
    },
};
use serde::{Serialize, de::DeserializeOwned};

/// Largest packet. Fits the default socket buffer (212,992 bytes) with its overhead.
pub(crate) const PACKET_BYTES: usize = 128 * 1024;
/// Room for one packet that is known to be small. A large buffer costs a mapping each time.
const SMALL_PACKET_BYTES: usize = 2048;
/// Most descriptors in one packet; the kernel's own bound is 253.
const PACKET_FDS: usize = 32;

/// A message and the descriptors that came with it.
#[derive(Debug)]
pub(crate) struct Packet<T> {
    pub(crate) message: T,
    pub(crate) fds: Vec<OwnedFd>,
}

/// A connected pair of packet sockets.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Sends one packet. A message that is too large is `InvalidInput` and nothing is sent.
pub(crate) fn send<T: Serialize>(
    socket: impl AsFd,
    message: &T,
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let bytes = encode(message)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PACKET_FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // NOSIGNAL: a peer that died is an error to handle here, not a signal.
    sendmsg(socket, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives one packet, or None when the other side is gone.
pub(crate) fn receive<T: DeserializeOwned>(socket: impl AsFd) -> io::Result<Option<Packet<T>>> {
    receive_into(socket, &mut vec![0_u8; PACKET_BYTES])
}

/// `receive` for a process that is about to become another program: giving the buffer back would
/// cost more than letting execve do it.
pub(crate) fn receive_and_leak<T: DeserializeOwned>(
    socket: impl AsFd,
) -> io::Result<Option<Packet<T>>> {
    receive_into(socket, vec![0_u8; PACKET_BYTES].leak())
}

/// `receive` for messages without strings.
pub(crate) fn receive_small<T: DeserializeOwned>(
    socket: impl AsFd,
) -> io::Result<Option<Packet<T>>> {
    receive_into(socket, &mut [0_u8; SMALL_PACKET_BYTES])
}

fn receive_into<T: DeserializeOwned>(
    socket: impl AsFd,
    bytes: &mut [u8],
) -> io::Result<Option<Packet<T>>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PACKET_FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let mut slices = [IoSliceMut::new(bytes)];
        match recvmsg(&socket, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            // A peer that died with unread packets makes the kernel say "reset" once; what it had
            // sent before is still there to be read.
            Err(Errno::INTR | Errno::CONNRESET) => {}
            other => break other?,
        }
    };
    let mut fds = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received_fds) = message {
            fds.extend(received_fds);
        }
    }
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "packet was cut"));
    }
    if received.bytes == 0 {
        return Ok(None);
    }
    Ok(Some(Packet { message: decode(&bytes[..received.bytes])?, fds }))
}

fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let bytes = postcard::to_stdvec(message)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    if bytes.len() > PACKET_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "packet too large"));
    }
    Ok(bytes)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Ok(message),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "malformed packet")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::{CollectRequest, Command, Reply, Request, Sealed, Setup, Status};

    fn decode_as_everything(bytes: &[u8]) {
        let _ = decode::<Setup>(bytes);
        let _ = decode::<Sealed>(bytes);
        let _ = decode::<Command>(bytes);
        let _ = decode::<Reply>(bytes);
        let _ = decode::<Request>(bytes);
        let _ = decode::<Status>(bytes);
        let _ = decode::<CollectRequest>(bytes);
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_decoder_fail(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            decode_as_everything(&bytes);
        }

        #[test]
        fn a_packet_arrives_as_it_was_sent(path in ".{0,300}", max_bytes: u64) {
            let (one, other) = pair().expect("a socket pair");
            send(&one, &CollectRequest { path: path.clone(), max_bytes }, &[]).expect("sent");
            let packet = receive::<CollectRequest>(&other).expect("received").expect("a packet");
            prop_assert_eq!((packet.message.path, packet.message.max_bytes), (path, max_bytes));
        }
    }

    #[test]
    fn a_declared_length_beyond_the_packet_allocates_nothing() {
        // A string of 2^60 bytes, of which none follow.
        let bytes = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];
        assert!(decode::<String>(&bytes).is_err());
    }

    #[test]
    fn bytes_after_the_message_are_an_error() {
        let mut bytes = encode(&Command::Remove(7)).expect("encoded");
        bytes.push(0);
        assert!(decode::<Command>(&bytes).is_err());
    }

    #[test]
    fn descriptors_travel_and_the_end_is_told() {
        let (one, other) = pair().expect("a socket pair");
        let file = std::fs::File::open("/dev/null").expect("a file");
        send(&one, &Command::Remove(1), &[file.as_fd(), file.as_fd()]).expect("sent");
        drop(one);
        let packet = receive::<Command>(&other).expect("received").expect("a packet");
        assert_eq!(packet.fds.len(), 2);
        assert!(receive::<Command>(&other).expect("received").is_none());
    }

    #[test]
    fn a_message_beyond_the_packet_size_is_refused() {
        let (one, _other) = pair().expect("a socket pair");
        let error = send(&one, &vec![0_u8; PACKET_BYTES + 1], &[]).expect_err("too large");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
