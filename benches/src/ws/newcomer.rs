//! Coming in: as far as the first Pong, and only as far as a WebSocket.

use std::io;
use std::net::TcpStream;

use orchflow_core::peer::client::Event;
use orchflow_examples::remote::Remote;
use tungstenite::WebSocket;

use super::Site;
use super::floor::small_buffers;
use super::terminal::{next, unexpected};

/// Connects, proves itself and hears its first Pong.
pub(crate) fn answered(site: &Site) -> io::Result<Remote> {
    let mut client = site.enter()?;
    let now = client.now();
    client.peer().ping(now).map_err(io::Error::other)?;
    match next(&mut client)? {
        Event::Pong { .. } => Ok(client),
        event => Err(unexpected(&event)),
    }
}

/// Connects as a WebSocket, by the same library, and says nothing.
pub(crate) fn upgraded(site: &Site) -> io::Result<WebSocket<TcpStream>> {
    let stream = TcpStream::connect(site.at)?;
    stream.set_nodelay(true)?;
    let answered = tungstenite::client::client_with_config(format!("ws://{}/ws", site.at), stream, Some(small_buffers()));
    answered.map(|(socket, _)| socket).map_err(|error| io::Error::other(error.to_string()))
}
