//! Reading a server's WebSocket frames, and writing a client's.

/// What a frame is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    Text,
    Close,
    Ping,
    Other,
}

/// The first frame in the bytes: what it is, its payload, and how long it is as a whole; none where more has to come.
///
/// Servers do not mask, and none of ours splits a message over several frames.
pub(crate) fn first(bytes: &[u8]) -> Option<(Opcode, &[u8], usize)> {
    let [head, short, ..] = *bytes else { return None };
    let (start, length): (usize, usize) = match short & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => {
            let length = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
            (10, usize::try_from(length).ok()?)
        }
        short => (2, usize::from(short)),
    };
    let opcode = match head & 0x0f {
        1 => Opcode::Text,
        8 => Opcode::Close,
        9 => Opcode::Ping,
        _ => Opcode::Other,
    };
    let end = length.checked_add(start)?;
    Some((opcode, bytes.get(start..end)?, end))
}

/// A text frame of a client's. The mask is zero: it must be there, and need not change anything.
pub(crate) fn text(payload: &str) -> Vec<u8> {
    masked(0x81, payload.as_bytes())
}

/// The answer to a ping.
pub(crate) fn pong(payload: &[u8]) -> Vec<u8> {
    masked(0x8a, payload)
}

fn masked(head: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![head];
    match u8::try_from(payload.len()) {
        Ok(short @ 0..=125) => frame.push(0x80 | short),
        _ => {
            let length = u16::try_from(payload.len()).expect("what we send is short");
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server would send: a client's frame without its mask.
    fn of_server(payload: &str) -> Vec<u8> {
        let mut frame = text(payload);
        frame[1] &= 0x7f;
        let mask_at = frame.len() - payload.len() - 4;
        frame.drain(mask_at..mask_at + 4);
        frame
    }

    #[test]
    fn a_frame_is_found_only_when_all_of_it_is_there() {
        for length in [0, 1, 125, 126, 600, 60_000] {
            let payload = "x".repeat(length);
            let mut bytes = of_server(&payload);
            let whole = bytes.len();
            bytes.extend([0x89, 0]);

            assert_eq!(
                first(&bytes),
                Some((Opcode::Text, payload.as_bytes(), whole)),
                "{length}"
            );
            assert_eq!(first(&bytes[whole..]), Some((Opcode::Ping, &[][..], 2)), "{length}");
            for cut in [0, 1, 2, 3, whole - 1] {
                assert!(cut >= whole || first(&bytes[..cut]).is_none(), "{length} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_long_frame_is_found_by_its_eight_bytes_of_length() {
        let mut bytes = vec![0x81, 127];
        bytes.extend(70_000_u64.to_be_bytes());
        bytes.extend([b'x'; 70_000]);

        assert!(first(&bytes[..9]).is_none());
        assert!(first(&bytes[..70_009]).is_none());
        assert_eq!(
            first(&bytes).map(|(_, payload, whole)| (payload.len(), whole)),
            Some((70_000, 70_010))
        );
    }
}
