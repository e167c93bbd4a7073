//! Frames: they are read the same however their bytes come, and as another implementation reads them.

use std::io::{Read, Write};

use allclear::transport::{Message, read_frames};
use tungstenite::Message as Theirs;
use tungstenite::error::{Error, ProtocolError};
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

/// The codes that a socket is closed with which sends no frames, or no text, or more than it may.
const PROTOCOL_ERROR: u16 = 1002;
const NOT_UTF8: u16 = 1007;
const TOO_BIG: u16 = 1009;
const BINARY: u16 = 4400;

/// The most that a control frame carries.
const CONTROL: usize = 125;

/// The first byte says how long a message may be, the second in how long pieces the others come.
///
/// # Panics
/// Where something does not hold.
pub fn holds(bytes: &[u8]) {
    let [limit, piece, bytes @ ..] = bytes else {
        return;
    };
    let limit = usize::from(*limit) * 4;
    let whole = read_frames([bytes], limit);
    for piece in [usize::from(*piece).max(1), 1] {
        let in_pieces = read_frames(bytes.chunks(piece), limit);
        assert_eq!(in_pieces, whole, "in pieces of {piece}");
    }
    for read in &whole {
        match read {
            Ok(Message::Text(text)) => assert!(text.len() <= limit, "{} of {limit}", text.len()),
            Ok(Message::Ping(payload)) => assert!(payload.len() <= CONTROL, "{}", payload.len()),
            Ok(Message::Pong | Message::Close) => {}
            Err(code) => assert!([PROTOCOL_ERROR, NOT_UTF8, TOO_BIG, BINARY].contains(code), "{code}"),
        }
    }
    compare(&whole, bytes, limit);
}

/// Holds what was read against what another implementation reads, up to where one of the two refuses something.
fn compare(ours: &[Result<Message, u16>], bytes: &[u8], limit: usize) {
    let refused = ours.iter().find_map(|read| read.as_ref().err());
    let ours: Vec<&Message> = ours.iter().map_while(|read| read.as_ref().ok()).collect();
    let (theirs, their_refusal) = read_by_another(bytes, limit);
    let both = ours.len().min(theirs.len());
    assert!(ours[..both].iter().copied().eq(&theirs[..both]), "{ours:?} {theirs:?}");
    match refused {
        // They leave it to what is above them.
        Some(&BINARY) => {}
        // They take a control frame whose length is written in more bytes than it needs.
        Some(&PROTOCOL_ERROR) if matches!(theirs.get(ours.len()), Some(control) if !matches!(control, Message::Text(_))) =>
            {}
        Some(code) => assert!(theirs.len() <= ours.len(), "{code}: {ours:?} {theirs:?}"),
        None => {
            let is_stricter = match their_refusal {
                // They look into a text while it comes.
                Some(Error::Utf8(_)) => true,
                // They look into what a close says.
                Some(Error::Protocol(ProtocolError::InvalidCloseSequence)) => true,
                _ => false,
            };
            assert!(
                ours.len() == theirs.len() || is_stricter,
                "{ours:?} {theirs:?} {their_refusal:?}"
            );
        }
    }
}

/// What comes from a client, and where what is said to it goes: nowhere.
struct Wire<'a>(&'a [u8]);

impl Read for Wire<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn read_by_another(bytes: &[u8], limit: usize) -> (Vec<Message>, Option<Error>) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(limit))
        .max_frame_size(Some(limit.max(CONTROL)));
    let mut socket = WebSocket::from_raw_socket(Wire(bytes), Role::Server, Some(config));
    let mut messages = Vec::new();
    loop {
        messages.push(match socket.read() {
            Ok(Theirs::Text(text)) => Message::Text(text.to_string()),
            Ok(Theirs::Ping(payload)) => Message::Ping(payload.to_vec()),
            Ok(Theirs::Pong(_)) => Message::Pong,
            Ok(Theirs::Close(_)) => {
                messages.push(Message::Close);
                return (messages, None);
            }
            Ok(Theirs::Binary(_) | Theirs::Frame(_)) => return (messages, None),
            Err(error) => return (messages, Some(error)),
        });
    }
}
