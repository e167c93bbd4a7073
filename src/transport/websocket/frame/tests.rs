use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1 << 20;

/// A frame as a client sends it.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    head(&mut out, first & 0x0F, payload.len());
    out[0] = first;
    out[1] |= MASKED;
    let mask = [0x12, 0x34, 0x56, 0x78];
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

/// All that a decoder makes of bytes that come in pieces of this size, and what it ends with.
fn decoded(bytes: &[u8], piece: usize, limit: usize) -> (Vec<Message>, Option<u16>) {
    let mut decoder = Decoder::new(limit);
    let mut messages = Vec::new();
    for piece in bytes.chunks(piece) {
        decoder.feed(piece);
        loop {
            match decoder.next() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(close) => return (messages, Some(close.code)),
            }
        }
    }
    (messages, None)
}

#[test]
fn messages_come_whole_however_their_bytes_come() {
    let long = "x".repeat(70_000);
    let mut bytes = masked(FINAL | TEXT, b"one");
    bytes.extend(masked(TEXT, "zw".as_bytes()));
    bytes.extend(masked(FINAL | PING, b"are you there"));
    bytes.extend(masked(CONTINUATION, &"ö".as_bytes()[..1]));
    bytes.extend(masked(FINAL | CONTINUATION, &"ö".as_bytes()[1..]));
    bytes.extend(masked(FINAL | TEXT, &[b'y'; 300]));
    bytes.extend(masked(FINAL | TEXT, long.as_bytes()));
    bytes.extend(masked(FINAL | PONG, b""));
    bytes.extend(masked(FINAL | CLOSE, &[3, 232]));
    let messages = vec![
        Message::Text("one".to_owned()),
        Message::Ping(b"are you there".to_vec()),
        Message::Text("zwö".to_owned()),
        Message::Text("y".repeat(300)),
        Message::Text(long),
        Message::Pong,
        Message::Close,
    ];
    for piece in [1, 2, 3, 7, 4096, bytes.len()] {
        assert_eq!(decoded(&bytes, piece, LIMIT), (messages.clone(), None), "{piece}");
    }
}

#[test]
fn each_fault_has_its_code() {
    let unmasked = [FINAL | TEXT, 1, b'a'];
    let faults: [(&str, Vec<u8>, u16); 9] = [
        ("not masked", unmasked.to_vec(), 1002),
        ("a reserved bit", masked(FINAL | 0x40 | TEXT, b"a"), 1002),
        ("an unknown opcode", masked(FINAL | 0x3, b"a"), 1002),
        ("a control frame in parts", masked(PING, b"a"), 1002),
        ("a long control frame", masked(FINAL | PING, &[0; 126]), 1002),
        ("a continuation of nothing", masked(FINAL | CONTINUATION, b"a"), 1002),
        (
            "a beginning inside",
            [masked(TEXT, b"a"), masked(FINAL | TEXT, b"a")].concat(),
            1002,
        ),
        ("not UTF-8", masked(FINAL | TEXT, &[0xC3]), 1007),
        ("binary", masked(FINAL | BINARY, b"a"), 4400),
    ];
    for (fault, bytes, code) in faults {
        assert_eq!(decoded(&bytes, bytes.len(), LIMIT).1, Some(code), "{fault}");
    }
}

#[test]
fn a_message_that_is_too_long_is_refused_before_it_has_come_and_what_follows_is_read() {
    let parts = [masked(TEXT, &[b'a'; 60]), masked(FINAL | CONTINUATION, &[b'a'; 60])].concat();
    let endless = [
        FINAL | TEXT,
        MASKED | 127,
        255,
        255,
        255,
        255,
        255,
        255,
        255,
        255,
        0,
        0,
        0,
        0,
    ];
    for bytes in [masked(FINAL | TEXT, &[b'a'; 101]), parts, endless.to_vec()] {
        assert_eq!(decoded(&bytes, 1, 100), (vec![], Some(1009)));
    }

    let mut decoder = Decoder::new(100);
    let bytes = masked(FINAL | TEXT, &[b'a'; 5_000]);
    decoder.feed(&bytes[..50]);
    assert_eq!(decoder.next().expect_err("too long").code, 1009);
    decoder.feed(&bytes[50..]);
    decoder.feed(&masked(FINAL | CLOSE, &[3, 232]));
    assert_eq!(decoder.next(), Ok(Some(Message::Close)));
}

#[test]
fn a_decoder_that_waits_for_nothing_holds_nothing() {
    let mut decoder = Decoder::new(LIMIT);
    decoder.feed(&masked(FINAL | TEXT, &[b'a'; 5_000]));
    assert!(matches!(decoder.next(), Ok(Some(Message::Text(_)))));

    assert_eq!(decoder.next(), Ok(None));

    assert_eq!(decoder.received.capacity(), 0);
}

#[test]
fn a_close_says_its_code_and_reason() {
    assert_eq!(
        close(&Close::FORBIDDEN),
        [&[0x88, 11, 0x11, 0x33], b"Forbidden" as &[u8]].concat()
    );
}

proptest! {
    #[test]
    fn no_bytes_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..300), piece in 1_usize..50) {
        decoded(&bytes, piece, 1_000);
    }

    /// What the library that our tests' clients use writes, is read as it was written.
    #[test]
    fn what_tungstenite_writes_is_read(text in "\\PC{0,400}", piece in 1_usize..500) {
        use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};
        use tokio_tungstenite::tungstenite::Message as Theirs;

        let mut client = WebSocket::from_raw_socket(std::io::Cursor::new(Vec::new()), Role::Client, None);
        client.send(Theirs::Text(text.clone().into())).expect("it is written");
        let bytes = client.get_ref().get_ref().clone();

        prop_assert_eq!(decoded(&bytes, piece, LIMIT), (vec![Message::Text(text)], None));
    }

    #[test]
    fn what_is_written_is_read_by_tungstenite(text in "\\PC{0,400}") {
        use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};
        use tokio_tungstenite::tungstenite::Message as Theirs;

        let mut bytes = Vec::new();
        super::text(&mut bytes, text.len(), |out| out.extend_from_slice(text.as_bytes()));
        let mut client = WebSocket::from_raw_socket(std::io::Cursor::new(bytes), Role::Client, None);

        prop_assert_eq!(client.read().expect("a message"), Theirs::Text(text.into()));
    }
}
