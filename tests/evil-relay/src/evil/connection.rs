//! The sockets: one task a connection, with a reader and a writer at each end.
//!
//! What is not a WebSocket (blobs travel over HTTP on the same port) goes through untouched.

use std::sync::Arc;

use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};

use super::shared::Shared;
use super::traffic::Out;
use crate::{EvilError, websocket};

pub(super) async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        // A connection that is not let in is dropped before a byte of the handshake was read.
        if shared.state().lets_in() {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                // Whatever goes wrong with one, both ends find out by its end.
                let _ = run(&shared, stream).await;
            });
        }
    }
}

async fn run(shared: &Arc<Shared>, mut client: TcpStream) -> Result<(), EvilError> {
    client.set_nodelay(true)?;
    let mut relay = TcpStream::connect(shared.upstream).await?;
    relay.set_nodelay(true)?;
    if !asks_for_websocket(&client).await? {
        copy_bidirectional(&mut client, &mut relay).await?;
        return Ok(());
    }
    let relay = websocket::connect(&shared.upstream.to_string(), relay).await?;
    let client = websocket::accept(client).await?;
    let ends = shared.state().open();
    let connection = ends.connection;
    let (to_client, from_client) = client.split();
    let (to_relay, from_relay) = relay.split();
    // Readers go on for ever; the first writer that ends, ends the connection.
    tokio::select! {
        biased;
        () = ends.cut.notified() => {}
        () = write(to_client, ends.for_client) => {}
        () = write(to_relay, ends.for_relay) => {}
        () = read(from_client, |message| match message {
            Some(Message::Binary(bytes)) => shared.state().client_said(connection, bytes),
            Some(message) => shared.state().relay_end(connection, Out::Message(message)),
            None => shared.state().relay_end(connection, Out::Close),
        }) => {}
        () = read(from_relay, |message| match message {
            Some(Message::Binary(bytes)) => shared.state().relay_said(connection, bytes),
            Some(message) => shared.state().client_end(connection, Out::Message(message)),
            None => shared.state().client_end(connection, Out::Close),
        }) => {}
    }
    shared.state().closed(connection);
    Ok(())
}

/// Looks at the first bytes without taking them.
async fn asks_for_websocket(stream: &TcpStream) -> Result<bool, EvilError> {
    let expected = format!("GET {}", websocket::PATH);
    let mut head = vec![0; expected.len()];
    let read = stream.peek(&mut head).await?;
    head.truncate(read);
    Ok(expected.as_bytes().starts_with(&head))
}

/// Hands on what comes, at last the end; pings are answered by the library.
async fn read(
    mut socket: impl Stream<Item = Result<Message, SocketError>> + Unpin,
    mut hand_on: impl FnMut(Option<Message>),
) {
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            Message::Close(_) => break,
            message => hand_on(Some(message)),
        }
    }
    hand_on(None);
    core::future::pending::<()>().await;
}

async fn write(
    mut socket: impl Sink<Message, Error = SocketError> + Unpin,
    mut queue: UnboundedReceiver<Out>,
) {
    while let Some(out) = queue.recv().await {
        match out {
            Out::Message(message) => {
                if socket.send(message).await.is_err() {
                    return;
                }
            }
            Out::Close => {
                // Whether the other end still listens no longer matters.
                let _ = socket.close().await;
                return;
            }
            Out::Cut => return,
        }
    }
}
