//! The other side: requests written by hand, and WebSocket frames too, so that they can be as wrong as a test wants.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use crate::server::{PATIENCE, Server};

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

pub(crate) fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port)).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends `bytes` as they are and reads the answer to the end of the connection.
pub(crate) fn raw(server: &Server, bytes: &[u8]) -> Answer {
    let mut stream = connect(server);
    stream.write_all(bytes).unwrap();
    answer(&mut stream)
}

pub(crate) fn answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer comes, and after it the end");
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer but {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status in {head:?}"));
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// A request with exactly these headers.
pub(crate) fn request(server: &Server, line: &str, headers: &[(&str, &str)]) -> Answer {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    raw(server, format!("{line} HTTP/1.1\r\n{headers}\r\n").as_bytes())
}

/// A GET as a program of ours would send it, with more headers.
pub(crate) fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Answer {
    request(server, &format!("GET {path}"), &[&[("Host", server.host().as_str())], headers].concat())
}

/// What asks for a WebSocket, without the Host.
pub(crate) const UPGRADE: [(&str, &str); 4] = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// A WebSocket that was let in.
pub(crate) struct WebSocket(pub(crate) TcpStream);

impl WebSocket {
    pub(crate) fn open(server: &Server) -> WebSocket {
        let mut stream = connect(server);
        let headers: String = UPGRADE.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write!(stream, "GET /ws HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", server.host()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer to the handshake");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}"); // RFC 6455, section 1.3.
        WebSocket(stream)
    }

    /// Sends one frame with this first byte; 0x82 is a whole binary message.
    pub(crate) fn send(&mut self, first: u8, payload: &[u8]) -> io::Result<()> {
        self.0.write_all(&frame(first, payload))
    }

    /// The next binary message, or else the code and reason of the server's goodbye.
    pub(crate) fn message(&mut self) -> Result<Vec<u8>, (u16, String)> {
        loop {
            let mut head = [0; 2];
            self.0.read_exact(&mut head).expect("a goodbye before the end");
            let length = match head[1] {
                126 => {
                    let mut length = [0; 2];
                    self.0.read_exact(&mut length).unwrap();
                    u64::from(u16::from_be_bytes(length))
                }
                127 => {
                    let mut length = [0; 8];
                    self.0.read_exact(&mut length).unwrap();
                    u64::from_be_bytes(length)
                }
                short => short.into(),
            };
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            self.0.read_exact(&mut payload).unwrap();
            match (head[0], payload.as_slice()) {
                (0x82, _) => return Ok(payload),
                (0x88, [c0, c1, reason @ ..]) => {
                    return Err((u16::from_be_bytes([*c0, *c1]), String::from_utf8(reason.to_vec()).unwrap()));
                }
                _ => {}
            }
        }
    }

    /// Reads until the server says goodbye; its code and reason.
    pub(crate) fn goodbye(&mut self) -> (u16, String) {
        loop {
            if let Err(goodbye) = self.message() {
                return goodbye;
            }
        }
    }

    /// Whether the server closes the connection after what was said.
    pub(crate) fn into_closed(mut self) -> bool {
        self.0.read_to_end(&mut Vec::new()).is_ok()
    }
}

/// A frame as browsers send it, masked.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ ..126 => frame.push(0x80 | short as u8),
        middle @ ..65_536 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    let mask = [1, 2, 3, 4];
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}
