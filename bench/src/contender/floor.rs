//! The floor: one thread that writes the same frame to every socket and blocks. No server can send with less than one
//! call of the kernel for each message.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail, ensure};

use super::bare::{SNAPSHOT, next, payload};
use super::say_address;
use crate::document::SHARED_ID;

/// What the example key of RFC 6455 is answered, which is the key that our subscribers send.
const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n";

/// Larger than anything that a peer says here at once.
const READ_BUFFER: usize = 4 << 10;

type Sockets = Arc<Mutex<Vec<TcpStream>>>;

pub(super) fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    say_address(listener.local_addr()?);
    let sockets = Sockets::default();
    for stream in listener.incoming() {
        let stream = stream?;
        let sockets = Arc::clone(&sockets);
        // For a subscriber this thread ends with the handshake. One that fails has hung up.
        std::thread::spawn(move || welcome(stream, &sockets));
    }
    Ok(())
}

/// Lets a subscriber in, or does what is asked by who publishes.
fn welcome(mut stream: TcpStream, sockets: &Sockets) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(READ_BUFFER, stream.try_clone()?);
    loop {
        let (request, length) = head(&mut reader)?;
        if request.starts_with("GET") {
            stream.write_all(SWITCHING.as_bytes())?;
            begin(&mut reader, &mut stream)?;
            // With the lock: once the subscriber has heard something, what is published next must come to it.
            let mut sockets = sockets.lock().unwrap_or_else(PoisonError::into_inner);
            stream.write_all(&frame(&next(SHARED_ID, SNAPSHOT))?)?;
            sockets.push(stream);
            return Ok(());
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let message = frame(&next(SHARED_ID, &payload(&String::from_utf8(body)?)))?;
        let mut sockets = sockets.lock().unwrap_or_else(PoisonError::into_inner);
        // A socket whose subscriber has left is written to no more.
        sockets.retain_mut(|socket| socket.write_all(&message).is_ok());
        drop(sockets);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
}

/// Reads the head of a request: its first line, and the length of its body.
fn head(reader: &mut impl BufRead) -> anyhow::Result<(String, usize)> {
    let mut request = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        ensure!(reader.read_line(&mut line)? > 0, "the peer hung up");
        let line = line.trim_end();
        if line.is_empty() {
            return Ok((request, length));
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse()?;
        }
        if request.is_empty() {
            line.clone_into(&mut request);
        }
    }
}

/// Answers the beginning of the protocol.
fn begin(reader: &mut impl Read, stream: &mut TcpStream) -> anyhow::Result<()> {
    ensure!(read_text(reader)?.contains("connection_init"), "no init");
    stream.write_all(&frame("{\"type\":\"connection_ack\"}")?)?;
    ensure!(read_text(reader)?.contains("subscribe"), "no subscription");
    Ok(())
}

/// Reads a text frame of our own subscribers', whose mask is zero.
fn read_text(reader: &mut impl Read) -> anyhow::Result<String> {
    let mut head = [0; 2];
    reader.read_exact(&mut head)?;
    let length = match head[1] & 0x7f {
        126 => {
            let mut length = [0; 2];
            reader.read_exact(&mut length)?;
            usize::from(u16::from_be_bytes(length))
        }
        127 => bail!("no message of ours is that long"),
        short => usize::from(short),
    };
    let mut masked = vec![0; 4 + length];
    reader.read_exact(&mut masked)?;
    Ok(String::from_utf8(masked.split_off(4))?)
}

fn frame(text: &str) -> anyhow::Result<Vec<u8>> {
    let mut frame = vec![0x81];
    match u8::try_from(text.len()) {
        Ok(short @ 0..=125) => frame.push(short),
        _ => {
            frame.push(126);
            frame.extend(u16::try_from(text.len()).context("a long message")?.to_be_bytes());
        }
    }
    frame.extend(text.as_bytes());
    Ok(frame)
}
