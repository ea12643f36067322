//! Both carriers over real sockets, before and after a peer has proved who it is.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio::time::Instant;
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use super::{LastWords, Socket, Transport, TransportError};
use crate::gate::{EarlyDrop, Gate};
use crate::limits::{MESSAGE_MAX, MESSAGE_UNPROVED_MAX};
use crate::refusal::Refusal;
use crate::standing::{Deadline, Standing};

fn stranger() -> (Standing, Deadline) {
    let standing = Standing::new(Gate::new(EarlyDrop::default()).enter(|| 0).unwrap());
    (standing.clone(), Deadline::new(standing, Instant::now(), Duration::from_secs(20)))
}

/// A server's end and a browser's, past their handshake.
fn websocket() -> (Transport, Standing, WebSocket<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let browser = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    server.set_nonblocking(true).unwrap();
    let (standing, deadline) = stranger();
    let socket = Socket::new(tokio::net::TcpStream::from_std(server).unwrap(), standing.clone());
    (Transport::websocket(socket, Bytes::new(), deadline), standing, WebSocket::from_raw_socket(browser, Role::Client, None))
}

/// A server's end and a native client's.
fn unix() -> (Transport, Standing, UnixStream) {
    let (server, native) = UnixStream::pair().unwrap();
    server.set_nonblocking(true).unwrap();
    let (standing, deadline) = stranger();
    let socket = Socket::new(tokio::net::UnixStream::from_std(server).unwrap(), standing.clone());
    (Transport::bytes(socket, deadline), standing, native)
}

/// A frame of the protocol with so many bytes, header included.
fn frame(length: usize) -> Vec<u8> {
    let mut frame = vec![0x5a; length];
    frame[4..8].copy_from_slice(&u32::try_from(length - 16).unwrap().to_le_bytes());
    frame
}

#[tokio::test]
async fn limits_rise_in_the_middle_of_a_websocket() {
    let (mut transport, standing, mut browser) = websocket();
    let client = thread::spawn(move || {
        browser.send(Message::binary(vec![1; MESSAGE_UNPROVED_MAX])).unwrap();
        browser.send(Message::Ping("are you there".into())).unwrap();
        assert_eq!(browser.read().unwrap(), Message::binary("welcome"));
        assert_eq!(browser.read().unwrap(), Message::Pong("are you there".into()));
        for _ in 0..3 {
            browser.send(Message::binary(vec![2; MESSAGE_MAX])).unwrap();
        }
        // The head alone of one that is longer: its body might still be under way when the server parts.
        let length = (MESSAGE_MAX as u64 + 1).to_be_bytes();
        browser.get_mut().write_all(&[&[0x82, 0xff][..], &length, &[0; 4]].concat()).unwrap();
        // Another code than this would mean that it was taken.
        let Message::Binary(goodbye) = browser.read().unwrap() else { panic!("no goodbye") };
        assert!(goodbye.windows(9).any(|part| part == b"malformed"), "{goodbye:?}");
        let Message::Close(Some(farewell)) = browser.read().unwrap() else { panic!("no farewell") };
        (u16::from(farewell.code), farewell.reason.to_string())
    });
    assert_eq!(transport.next().await.unwrap().unwrap(), [1; MESSAGE_UNPROVED_MAX][..]);
    standing.prove();
    transport.send("welcome".into()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(transport.next().await.unwrap().unwrap().len(), MESSAGE_MAX);
    }
    let Some(Err(TransportError::Refused(refusal))) = transport.next().await else { panic!("it was taken") };
    assert_eq!(refusal, Refusal::MessageLong { limit: MESSAGE_MAX });
    transport.close(LastWords::from(&refusal)).await;
    let (code, reason) = client.join().unwrap();
    assert_eq!((code, reason), (1009, refusal.to_string()));
}

#[tokio::test]
async fn slow_reader_holds_up_the_sender_and_loses_nothing() {
    const MESSAGES: usize = 200;
    let message = |at: usize| Bytes::from(vec![at as u8; 100_000]);
    let (mut transport, standing, mut browser) = websocket();
    standing.prove();
    let reader = thread::spawn(move || {
        for at in 0..MESSAGES {
            assert_eq!(browser.read().unwrap().into_data(), message(at));
        }
    });
    for at in 0..MESSAGES {
        transport.send(message(at)).await.unwrap();
    }
    reader.join().unwrap();

    let message = |at: usize| Bytes::from(vec![at as u8; 100_000]);
    let (mut transport, standing, mut native) = unix();
    standing.prove();
    let reader = thread::spawn(move || {
        let mut read = vec![0; 100_000];
        for at in 0..MESSAGES {
            native.read_exact(&mut read).unwrap();
            assert_eq!(read, message(at));
        }
    });
    for at in 0..MESSAGES {
        transport.feed(message(at)).await.unwrap();
    }
    transport.flush().await.unwrap();
    reader.join().unwrap();
}

#[tokio::test]
async fn peer_that_leaves_ends_the_stream_and_one_that_breaks_off_does_not() {
    let (mut transport, _, mut browser) = websocket();
    let leaving = thread::spawn(move || {
        browser.close(None).unwrap();
        while browser.read().is_ok() {}
    });
    assert!(transport.next().await.is_none());
    transport.close(LastWords::default()).await;
    leaving.join().unwrap();

    let (mut transport, _, browser) = websocket();
    drop(browser);
    assert!(matches!(transport.next().await, Some(Err(TransportError::Broken(_)))));

    let (mut transport, _, native) = unix();
    drop(native);
    assert!(transport.next().await.is_none());
}

#[tokio::test]
async fn cut_inside_a_message_is_a_broken_connection_for_reader_and_writer() {
    let (mut transport, _, mut browser) = websocket();
    browser.get_mut().write_all(&[0x82, 0x8a, 0, 0, 0, 0, 1, 2, 3]).unwrap(); // Three bytes of ten.
    drop(browser);
    assert!(matches!(transport.next().await, Some(Err(TransportError::Broken(_)))));
    // Whatever was about to be sent, the peer did nothing that it may not.
    let sent = transport.send("more".into()).await;
    assert!(matches!(sent, Err(TransportError::Broken(_))), "{sent:?}");
}

#[tokio::test]
async fn sending_to_who_has_said_farewell_is_no_fault_of_theirs() {
    let (mut transport, _, mut browser) = websocket();
    let leaving = thread::spawn(move || {
        browser.close(None).unwrap();
        while browser.read().is_ok() {}
    });
    assert!(transport.next().await.is_none());
    let sent = transport.send("more".into()).await;
    assert!(matches!(sent, Err(TransportError::Broken(_))), "{sent:?}");
    drop(transport);
    leaving.join().unwrap();
}

#[tokio::test]
async fn stranger_who_does_not_read_is_not_waited_for() {
    let (standing, _) = stranger();
    let (server, _native) = UnixStream::pair().unwrap();
    server.set_nonblocking(true).unwrap();
    let limit = Duration::from_millis(50);
    let deadline = Deadline::new(standing.clone(), Instant::now(), limit);
    let socket = Socket::new(tokio::net::UnixStream::from_std(server).unwrap(), standing);
    let mut transport = Transport::bytes(socket, deadline);
    let refused = loop {
        if let Err(error) = transport.send(frame(4096).into()).await {
            break error; // Once the kernel's buffer is full, the clock decides.
        }
    };
    assert!(matches!(refused, TransportError::Refused(refusal) if refusal == Refusal::ProofSlow { limit }));
}
