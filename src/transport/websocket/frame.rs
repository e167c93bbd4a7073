//! WebSocket frames (RFC 6455, section 5), as a server reads and writes them. Pure: no socket.
//!
//! Ours, and not a library's: a subscriber's frame is written by whoever publishes, straight to the connection, and what
//! is read is a few small messages. There are no extensions.

use super::message::Close;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// The bit that ends a message.
const FINAL: u8 = 0x80;
/// The bits that only extensions use.
const RESERVED: u8 = 0x70;
/// The bit that says that a payload is masked: a client's must be.
const MASKED: u8 = 0x80;
/// The most that a control frame carries.
const MAX_CONTROL: u64 = 125;

/// As much of what has come may belong to a control frame, its head included.
const LITTLE: usize = MAX_CONTROL as usize + 14;

/// Something whole that a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Text(String),
    Ping(Vec<u8>),
    Pong,
    Close,
}

/// Makes messages of the bytes that come.
#[derive(Debug)]
pub(super) struct Decoder {
    /// The most bytes of a message.
    limit: usize,
    /// What was received and belongs to no frame yet.
    received: Vec<u8>,
    /// The message whose last frame has not come, if one has begun.
    begun: Option<Vec<u8>>,
    /// How much of a frame that is too long is still to come.
    skipped: u64,
    /// How many frames were read since somebody asked.
    frames: u32,
    /// How many texts have come as a whole, modulo 2^32.
    texts: u32,
}

/// All that is read of a client's bytes, which come in these pieces: up to its close or to what cannot be read on from.
/// What is refused is told by the code the socket is closed with. For what is tried on it from outside (`fuzz/`).
pub fn read_frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limit: usize) -> Vec<Result<Message, u16>> {
    let mut decoder = Decoder::new(limit);
    let mut read = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        while let Some(next) = decoder.next().map_err(|close| close.code).transpose() {
            let is_last = !matches!(next, Ok(Message::Text(_) | Message::Ping(_) | Message::Pong))
                && next != Err(Close::TOO_BIG.code);
            read.push(next);
            if is_last {
                return read;
            }
        }
    }
    read
}

/// The head of a frame.
struct Head {
    is_final: bool,
    opcode: u8,
    mask: [u8; 4],
    /// Of the head itself, in bytes.
    head: usize,
    payload: u64,
}

impl Decoder {
    pub(super) fn new(limit: usize) -> Decoder {
        Decoder {
            limit,
            received: Vec::new(),
            begun: None,
            skipped: 0,
            frames: 0,
            texts: 0,
        }
    }

    /// Whether some of a text is held that has not come as a whole: then how many have, by which two such looks are told
    /// apart.
    pub(super) fn unfinished(&self) -> Option<u32> {
        let held = self.received.len() + self.begun.as_ref().map_or(0, Vec::len);
        (held > LITTLE).then_some(self.texts)
    }

    /// How many frames were read since the last time.
    pub(super) fn take_frames(&mut self) -> u32 {
        std::mem::take(&mut self.frames)
    }

    /// Takes what was received.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        let skipped = usize::try_from(self.skipped).unwrap_or(usize::MAX).min(bytes.len());
        self.skipped -= skipped as u64;
        bytes = &bytes[skipped..];
        self.received.extend_from_slice(bytes);
    }

    /// The next message, if it has come as a whole.
    ///
    /// # Errors
    /// What the socket is to be closed with. After `TOO_BIG` what follows can still be read; after others it cannot.
    pub(super) fn next(&mut self) -> Result<Option<Message>, Close> {
        while let Some(head) = self.head()? {
            let have = self.received.len() - head.head;
            let length = usize::try_from(head.payload).unwrap_or(usize::MAX);
            if self.is_too_big(&head) {
                self.skipped = head.payload - have.min(length) as u64;
                self.received.drain(..head.head + have.min(length));
                self.begun = None;
                return Err(Close::TOO_BIG);
            }
            if have < length {
                return Ok(None);
            }
            let mut payload = self.received[head.head..head.head + length].to_vec();
            self.consume(head.head + length);
            for (byte, mask) in payload.iter_mut().zip(head.mask.iter().cycle()) {
                *byte ^= mask;
            }
            if let Some(message) = self.take(&head, payload)? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Forgets what was read; a socket that says nothing holds nothing.
    fn consume(&mut self, bytes: usize) {
        self.frames = self.frames.saturating_add(1);
        match bytes == self.received.len() {
            true => self.received = Vec::new(),
            false => drop(self.received.drain(..bytes)),
        }
    }

    fn is_too_big(&self, head: &Head) -> bool {
        let before = self.begun.as_ref().map_or(0, Vec::len) as u64;
        head.opcode < CLOSE && before.saturating_add(head.payload) > self.limit as u64
    }

    fn head(&self) -> Result<Option<Head>, Close> {
        let bytes = self.received.as_slice();
        let [first, second, ..] = *bytes else {
            return Ok(None);
        };
        let (is_final, opcode) = (first & FINAL != 0, first & 0x0F);
        let short = u64::from(second & !MASKED);
        let is_control = opcode >= CLOSE;
        let is_known = matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG);
        let is_whole = !is_control || (is_final && short <= MAX_CONTROL);
        // Only a continuation continues, and only what has begun.
        let is_in_order = is_control || (opcode == CONTINUATION) == self.begun.is_some();
        if first & RESERVED != 0 || second & MASKED == 0 || !is_known || !is_whole || !is_in_order {
            return Err(Close::PROTOCOL_ERROR);
        }
        let (payload, at) = match short {
            126 => match bytes.get(2..4).and_then(<[u8]>::first_chunk) {
                Some(&length) => (u64::from(u16::from_be_bytes(length)), 4),
                None => return Ok(None),
            },
            127 => match bytes.get(2..10).and_then(<[u8]>::first_chunk) {
                Some(&length) => (u64::from_be_bytes(length), 10),
                None => return Ok(None),
            },
            short => (short, 2),
        };
        let Some(&mask) = bytes.get(at..).and_then(<[u8]>::first_chunk) else {
            return Ok(None);
        };
        Ok(Some(Head {
            is_final,
            opcode,
            mask,
            head: at + 4,
            payload,
        }))
    }

    fn take(&mut self, head: &Head, mut payload: Vec<u8>) -> Result<Option<Message>, Close> {
        match head.opcode {
            PING => return Ok(Some(Message::Ping(payload))),
            PONG => return Ok(Some(Message::Pong)),
            CLOSE => return Ok(Some(Message::Close)),
            BINARY => return Err(Close::invalid("Invalid message: binary, not text")),
            _ => {}
        }
        if let Some(mut begun) = self.begun.take() {
            begun.append(&mut payload);
            payload = begun;
        }
        if !head.is_final {
            self.begun = Some(payload);
            return Ok(None);
        }
        let text = String::from_utf8(payload).map_err(|_| Close::NOT_UTF8)?;
        self.texts = self.texts.wrapping_add(1);
        Ok(Some(Message::Text(text)))
    }
}

/// Appends a frame that is a whole text message, whose payload `fill` appends.
pub(in crate::transport) fn text(out: &mut Vec<u8>, length: usize, fill: impl FnOnce(&mut Vec<u8>)) {
    head(out, TEXT, length);
    let before = out.len();
    fill(out);
    debug_assert_eq!(out.len() - before, length, "the length was said before");
}

/// Appends a frame that is a whole text message.
pub(in crate::transport) fn whole(out: &mut Vec<u8>, message: &str) {
    text(out, message.len(), |out| out.extend_from_slice(message.as_bytes()));
}

pub(in crate::transport) fn ping() -> Vec<u8> {
    control(PING, &[])
}

pub(super) fn pong(payload: &[u8]) -> Vec<u8> {
    control(PONG, payload)
}

pub(super) fn close(close: &Close) -> Vec<u8> {
    let mut payload = close.code.to_be_bytes().to_vec();
    payload.extend_from_slice(close.reason.as_bytes());
    control(CLOSE, &payload)
}

/// Answers a peer's close, which is not repeated: its code may be one that must not be sent.
pub(super) fn close_in_answer() -> Vec<u8> {
    control(CLOSE, &1000_u16.to_be_bytes())
}

fn control(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 2);
    head(&mut out, opcode, payload.len());
    out.extend_from_slice(payload);
    out
}

fn head(out: &mut Vec<u8>, opcode: u8, length: usize) {
    out.push(FINAL | opcode);
    if let (Ok(short), true) = (u8::try_from(length), length < 126) {
        out.push(short);
    } else if let Ok(medium) = u16::try_from(length) {
        out.push(126);
        out.extend_from_slice(&medium.to_be_bytes());
    } else {
        out.push(127);
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
