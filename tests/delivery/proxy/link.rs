//! One connection through the proxy: two pumps, and the ends it can come to.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;

use super::Trouble;
use crate::pause::pause;
use crate::random::Random;

/// What a narrow connection's kernel holds for a client that does not read. Less would make the loopback crawl: its
/// packets have up to 64 KiB.
const NARROW: u32 = 64 << 10;
/// What is carried at once.
const CHUNK: usize = 16 << 10;
/// How long a connection stays half closed.
const LINGER: Duration = Duration::from_secs(2);
/// How late everything comes under [`Trouble::Delay`].
const DELAY: Duration = Duration::from_millis(120);
/// The largest piece of what is split: below the head of a frame, up to a good part of one.
const PIECE: usize = 90;

/// Which way a pump carries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

/// Carries bytes until either end closes or the trouble ends it.
pub(super) async fn carry(mut client: TcpStream, node: SocketAddr, is_narrow: bool, trouble: watch::Receiver<Trouble>) {
    let Ok(mut server) = connect(node, is_narrow).await else {
        reset(client);
        return;
    };
    // Small pieces leave as such, or they would be put together again.
    for stream in [&client, &server] {
        if stream.set_nodelay(true).is_err() {
            return;
        }
    }
    let end = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let up = pump(from_client, to_server, Way::ToServer, trouble.clone());
        let down = pump(from_server, to_client, Way::ToClient, trouble.clone());
        tokio::select! {
            () = both(up, down) => None,
            end = end(trouble.clone()) => Some(end),
        }
    };
    match end {
        None => {}
        Some(Trouble::ServerForgotten) => {
            reset(client);
            over(trouble).await;
            reset(server);
        }
        Some(Trouble::ClientForgotten) => {
            reset(server);
            over(trouble).await;
            reset(client);
        }
        Some(_) => {
            reset(client);
            reset(server);
        }
    }
}

async fn connect(node: SocketAddr, is_narrow: bool) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if is_narrow {
        socket.set_recv_buffer_size(NARROW)?;
    }
    socket.connect(node).await
}

/// Closes so that the other side learns of it as an error.
pub(super) fn reset(stream: TcpStream) {
    // Without it the other side sees an orderly end: another trouble than was meant, and still one.
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    drop(stream);
}

/// Both ways; when one has ended, the other has a while to say its last.
async fn both(up: impl Future<Output = io::Result<()>>, down: impl Future<Output = io::Result<()>>) {
    tokio::pin!(up, down);
    let is_up_over = tokio::select! {
        _ = &mut up => true,
        _ = &mut down => false,
    };
    let rest = async {
        match is_up_over {
            true => down.await,
            false => up.await,
        }
    };
    // What it still says is nobody's any more.
    let _ = tokio::time::timeout(LINGER, rest).await;
}

/// Waits for a trouble that ends the connection.
async fn end(mut trouble: watch::Receiver<Trouble>) -> Trouble {
    loop {
        let now = *trouble.borrow_and_update();
        match now {
            Trouble::Reset | Trouble::ServerForgotten | Trouble::ClientForgotten => return now,
            _ => {}
        }
        if trouble.changed().await.is_err() {
            return Trouble::Reset;
        }
    }
}

/// Waits until a trouble is over.
async fn over(mut trouble: watch::Receiver<Trouble>) {
    // The sender is gone only when the run is over too.
    let _ = trouble.wait_for(|now| *now == Trouble::Reset).await;
}

async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    way: Way,
    mut trouble: watch::Receiver<Trouble>,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut random = Random::new(7);
    loop {
        let now = *trouble.borrow_and_update();
        let is_held = now == Trouble::BlackHole || (now == Trouble::Stall && way == Way::ToClient);
        let read = tokio::select! {
            biased;
            changed = trouble.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return Ok(()),
            },
            read = from.read(&mut buffer), if !is_held => read?,
        };
        if read == 0 {
            return to.shutdown().await;
        }
        let mut rest = &buffer[..read];
        match now {
            Trouble::Delay => pause(DELAY).await,
            Trouble::Split => {
                while !rest.is_empty() && !trouble.has_changed().unwrap_or(true) {
                    let (piece, after) = rest.split_at(Ord::min(1 + random.below(PIECE), rest.len()));
                    to.write_all(piece).await?;
                    pause(Duration::from_millis(1)).await;
                    rest = after;
                }
            }
            _ => {}
        }
        to.write_all(rest).await?;
    }
}
