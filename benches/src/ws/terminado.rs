//! Terminado, which carries Jupyter's terminals: a tornado server in Python, and a client of its JSON.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message, WebSocket};

use super::Process;
use crate::peers;
use crate::terminals::Terminals;

/// One terminal of a server of its own, which is killed on drop.
pub(crate) struct Terminado {
    socket: WebSocket<TcpStream>,
    _process: Process,
}

impl Terminado {
    /// Starts a server on the CPUs of the calling thread, with one terminal that is ready.
    pub(crate) fn start(program: &str, args: &[&str]) -> io::Result<Terminado> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/terminado_server.py");
        let mut command = peers::python_with(script);
        let (process, at) = Process::start(command.arg(program).args(args))?;
        let at: SocketAddr = at.parse().map_err(|_| io::Error::other(format!("terminado listens at {at:?}")))?;
        let stream = TcpStream::connect(at)?;
        stream.set_nodelay(true)?;
        let config = WebSocketConfig::default().read_buffer_size(BUFFER).write_buffer_size(0);
        let answered = tungstenite::client::client_with_config(format!("ws://{at}/ws"), stream, Some(config));
        let (socket, _) = answered.map_err(|error| io::Error::other(error.to_string()))?;
        socket.get_ref().set_nonblocking(true)?;
        let (mut terminal, mut ready) = (Terminado { socket, _process: process }, false);
        let begun = Instant::now();
        while !ready {
            terminal.turn(PATIENCE, &mut |_, output| ready |= output.contains(&b'R'))?;
            if begun.elapsed() > PATIENCE {
                return Err(io::Error::new(ErrorKind::TimedOut, "terminado's program was never ready"));
            }
        }
        Ok(terminal)
    }
}

impl Terminals for Terminado {
    fn write(&mut self, _: usize, bytes: &[u8]) -> io::Result<()> {
        let text = serde_json::json!(["stdin", String::from_utf8_lossy(bytes)]).to_string();
        self.socket.send(Message::text(text)).map_err(io::Error::other) // A few bytes, which are taken whole.
    }

    fn turn(&mut self, timeout: Duration, on_read: &mut dyn FnMut(usize, &[u8])) -> io::Result<()> {
        let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
        let mut any = false;
        while !any {
            if poll(&mut [PollFd::new(self.socket.get_ref(), PollFlags::IN)], Some(&timeout))? == 0 {
                return Ok(());
            }
            loop {
                match self.socket.read() {
                    Ok(Message::Text(text)) => {
                        if let Some(output) = output_in(&text)? {
                            any = true;
                            on_read(0, output.as_bytes());
                        }
                    }
                    Ok(_) => {}
                    Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(io::Error::other(error)),
                }
            }
        }
        Ok(())
    }
}

/// The output that a message carries, if it is of that kind: `["stdout", TEXT]`.
fn output_in(message: &str) -> io::Result<Option<String>> {
    if message.starts_with(r#"["stdout""#) {
        let (_, output): (String, String) = serde_json::from_str(message)?;
        return Ok(Some(output));
    }
    Ok(None)
}

/// As the client's of our server.
const BUFFER: usize = 16 << 10;

/// After this long nothing will come any more.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_told_from_the_rest() {
        assert_eq!(output_in(r#"["stdout", "a\r\n"]"#).unwrap().as_deref(), Some("a\r\n"));
        assert_eq!(output_in(r#"["setup", {}]"#).unwrap(), None);
        assert!(output_in(r#"["stdout", 7]"#).is_err());
    }
}
