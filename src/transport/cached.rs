//! One answer as it is kept: its bytes, as they are and compressed, and how HTTP caches may treat it.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, header};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use super::engine::Validity;

/// Answers shorter than this are sent as they are: compressed they would hardly be shorter, and a packet holds them.
const COMPRESSED_FROM: usize = 1_000;

/// Compressing takes milliseconds from this length on, and is left to a thread that may block.
const COMPRESSED_APART: usize = 16 << 10;

/// Brotli's quality: 5, a little smaller than gzip's best at about its speed. Higher ones take several times as long.
const BROTLI_QUALITY: i32 = 5;

/// The window that brotli searches, as a power of two: 4 MiB, its usual one.
const BROTLI_WINDOW: i32 = 22;

/// How bytes are encoded on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Brotli,
}

impl Encoding {
    /// The best encoding that a client takes (RFC 9110, 12.5.3): brotli before gzip where both are as welcome.
    pub(super) fn negotiate(headers: &HeaderMap) -> Encoding {
        let (mut gzip, mut brotli, mut any) = (None, None, None);
        let values = headers.get_all(header::ACCEPT_ENCODING).into_iter();
        for item in values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
        {
            let (name, weight) = item.split_once(';').unwrap_or((item, ""));
            let weight = weight
                .trim()
                .strip_prefix("q=")
                .map_or(Some(1.0), |weight| weight.parse::<f32>().ok());
            match name.trim() {
                name if name.eq_ignore_ascii_case("gzip") => gzip = weight,
                name if name.eq_ignore_ascii_case("br") => brotli = weight,
                "*" => any = weight,
                _ => {}
            }
        }
        let (gzip, brotli) = (gzip.or(any).unwrap_or(0.0), brotli.or(any).unwrap_or(0.0));
        if brotli > 0.0 && brotli >= gzip {
            Encoding::Brotli
        } else if gzip > 0.0 {
            Encoding::Gzip
        } else {
            Encoding::Identity
        }
    }

    /// The value of `Content-Encoding`, if there is one.
    pub(super) const fn name(self) -> Option<HeaderValue> {
        match self {
            Encoding::Identity => None,
            Encoding::Gzip => Some(HeaderValue::from_static("gzip")),
            Encoding::Brotli => Some(HeaderValue::from_static("br")),
        }
    }
}

/// One answer.
pub(super) struct CachedAnswer {
    plain: Bytes,
    gzip: OnceCell<Option<Bytes>>,
    brotli: OnceCell<Option<Bytes>>,
    etag: OnceLock<HeaderValue>,
    /// `None` if the answer is not to be given to anybody else.
    validity: Option<Arc<dyn Validity>>,
}

impl CachedAnswer {
    pub(super) fn new(plain: Bytes, validity: Option<Arc<dyn Validity>>) -> CachedAnswer {
        CachedAnswer {
            etag: OnceLock::new(),
            plain,
            gzip: OnceCell::new(),
            brotli: OnceCell::new(),
            validity,
        }
    }

    /// Whether the same request would get the same answer now.
    pub(super) fn is_current(&self) -> bool {
        self.validity.as_ref().is_some_and(|validity| validity.is_current())
    }

    /// Bytes that it takes, its compressed forms included: together they are hardly longer than the plain one.
    pub(super) fn size(&self) -> usize {
        2 * self.plain.len()
    }

    /// The entity tag, a weak one: it is the same however the bytes are encoded.
    pub(super) fn etag(&self) -> &HeaderValue {
        self.etag.get_or_init(|| etag(&self.plain))
    }

    /// The bytes in an encoding, made at the first ask; as they are if they would not become shorter.
    pub(super) async fn encoded(&self, encoding: Encoding) -> (Bytes, Encoding) {
        let kept = match encoding {
            Encoding::Identity => return (self.plain.clone(), Encoding::Identity),
            _ if self.plain.len() < COMPRESSED_FROM => return (self.plain.clone(), Encoding::Identity),
            Encoding::Gzip => &self.gzip,
            Encoding::Brotli => &self.brotli,
        };
        let compressed = kept.get_or_init(|| compressed(self.plain.clone(), encoding)).await;
        match compressed {
            Some(bytes) => (bytes.clone(), encoding),
            None => (self.plain.clone(), Encoding::Identity),
        }
    }
}

async fn compressed(plain: Bytes, encoding: Encoding) -> Option<Bytes> {
    if plain.len() < COMPRESSED_APART {
        return compress(&plain, encoding);
    }
    tokio::task::spawn_blocking(move || compress(&plain, encoding))
        .await
        .ok()
        .flatten()
}

fn compress(plain: &[u8], encoding: Encoding) -> Option<Bytes> {
    let bytes = match encoding {
        Encoding::Identity => return None,
        Encoding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(plain).ok()?;
            encoder.finish().ok()?
        }
        Encoding::Brotli => {
            let parameters = brotli::enc::BrotliEncoderParams {
                quality: BROTLI_QUALITY,
                lgwin: BROTLI_WINDOW,
                ..Default::default()
            };
            let mut bytes = Vec::new();
            brotli::BrotliCompress(&mut &plain[..], &mut bytes, &parameters).ok()?;
            bytes
        }
    };
    (bytes.len() < plain.len()).then(|| bytes.into())
}

/// An entity tag of some bytes: the same for the same bytes, on every node.
fn etag(bytes: &[u8]) -> HeaderValue {
    let digest = Sha256::digest(bytes);
    let text = format!("W/\"{}\"", hex::encode(&digest[..16]));
    HeaderValue::try_from(text).expect("hexadecimal digits are a header value")
}

/// Whether a client has the bytes with this entity tag already, by its `If-None-Match` (RFC 9110, 13.1.2).
pub(super) fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let opaque = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
    let own = opaque(etag.as_bytes());
    let values = headers.get_all(header::IF_NONE_MATCH).into_iter();
    let mut tags = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    tags.any(|tag| {
        let tag = tag.trim_ascii();
        tag == b"*" || opaque(tag) == own
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    struct Always;

    impl Validity for Always {
        fn is_current(&self) -> bool {
            true
        }
    }

    fn negotiated(accept: &str) -> Encoding {
        let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, accept.parse().expect("a header value"))]);
        Encoding::negotiate(&headers)
    }

    #[test]
    fn the_encoding_that_the_client_prefers_is_chosen() {
        assert_eq!(Encoding::negotiate(&HeaderMap::new()), Encoding::Identity);
        for (accept, encoding) in [
            ("gzip, deflate, br, zstd", Encoding::Brotli),
            ("gzip", Encoding::Gzip),
            ("GZIP;q=0.5", Encoding::Gzip),
            ("br;q=0.1, gzip", Encoding::Gzip),
            ("br;q=0, gzip;q=0", Encoding::Identity),
            ("*", Encoding::Brotli),
            ("*;q=0", Encoding::Identity),
            ("identity", Encoding::Identity),
            ("br;q=noise", Encoding::Identity),
            ("", Encoding::Identity),
        ] {
            assert_eq!(negotiated(accept), encoding, "{accept}");
        }
    }

    #[tokio::test]
    async fn an_answer_is_the_same_in_every_encoding() {
        let text = "{\"data\": \"the same again\"}".repeat(3_000);
        let answer = CachedAnswer::new(text.clone().into(), Some(Arc::new(Always)));

        let (gzip, is_gzip) = answer.encoded(Encoding::Gzip).await;
        let (brotli, is_brotli) = answer.encoded(Encoding::Brotli).await;

        assert_eq!((is_gzip, is_brotli), (Encoding::Gzip, Encoding::Brotli));
        let mut from_gzip = String::new();
        flate2::read::GzDecoder::new(&gzip[..])
            .read_to_string(&mut from_gzip)
            .expect("gzip");
        let mut from_brotli = Vec::new();
        brotli::BrotliDecompress(&mut &brotli[..], &mut from_brotli).expect("brotli");
        assert!(from_gzip == text && from_brotli == text.as_bytes());
    }

    #[tokio::test]
    async fn a_short_answer_is_sent_as_it_is() {
        let answer = CachedAnswer::new("{}".into(), Some(Arc::new(Always)));

        assert_eq!(answer.encoded(Encoding::Gzip).await, ("{}".into(), Encoding::Identity));
    }

    #[test]
    fn a_client_that_has_the_bytes_is_told_so() {
        let own = etag(b"bytes");
        let knows = |value: &str| {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, value.parse().expect("a header value"))]);
            is_known(&headers, &own)
        };
        let text = own.to_str().expect("ASCII");

        assert!(knows(text) && knows(text.trim_start_matches("W/")) && knows("*"));
        assert!(knows(&format!("\"other\", {text}")));
        assert!(!knows("\"other\"") && !knows("") && !is_known(&HeaderMap::new(), &own));
        assert_ne!(own, etag(b"other bytes"));
    }
}
