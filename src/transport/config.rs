//! Every number of the edge that is a decision, with its reason.

use std::num::NonZeroU32;
use std::time::Duration;

use super::documents::Persisted;
use super::preflight::Limits;
use super::{ExecutionLimit, Proxies, Rate, Room};

/// How the edge behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whether `/graphiql` serves the explorer.
    pub graphiql: bool,
    /// What a document may ask for.
    pub limits: Limits,
    /// Bytes of an HTTP body: 1 MiB. A body text of 25,000 four-byte characters, escaped as JSON, takes 300 KB.
    pub body_limit: usize,
    /// How long a client may take to send its body: 30 s, or a few slow senders could hold every connection.
    pub body_timeout: Duration,
    /// How long the head of a request may take, and how long a connection may wait for its next request: 75 s. That is
    /// longer than proxies keep theirs (a minute, in most), so that none sends a request into one that is being closed.
    pub head_timeout: Duration,
    /// Origins besides our own whose pages may use the API: read answers, send mutations, open a WebSocket. Written as
    /// `https://status.example.com`; `*` means all.
    pub allowed_origins: Vec<String>,
    pub documents: DocumentConfig,
    /// How much one token or address may ask for; none for as much as it likes. By default 20,000 units a second, and 200,000
    /// at once: a page with all its parts costs some thousands, and an office behind one address has many readers.
    ///
    /// A unit is about 5 µs of CPU. In a minute one address can spend 200,000 + 60 × 20,000 = 1,400,000 units, or 7 s of CPU:
    /// 12 % of one core. Up to a quarter of a core, units may be worth twice as much as they are meant to be.
    pub rate: Option<Rate>,
    /// How many executions one token or address may have at the same time; none for as many as it likes. By default 4 run, so
    /// that two clients leave connections to the database to others, and 250 wait for 10 s at most: an office behind one
    /// address asks for much at the same moment, and a request that waits costs only memory.
    pub executions: Option<ExecutionLimit>,
    /// By how much the answer to a request past the rate limit is delayed: 250 ms. A client that waits for its answers then
    /// sends 4 such requests a second on a connection, and a person notices no difference.
    pub rate_limit_delay: Duration,
    /// Bytes of memory for finished answers to queries: 64 MiB, some thousand answers of a whole page. 0 keeps none.
    pub read_cache_bytes: usize,
    /// How many sockets and streams may be open: 100,000, and 2,000 from one address, for the same offices. Connections of any
    /// kind are bounded by the files that the process may have open.
    pub room: Room,
    /// The proxies whose word is taken for where a request comes from.
    pub proxies: Proxies,
    pub websocket: WebSocketConfig,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            graphiql: true,
            limits: Limits::default(),
            body_limit: 1 << 20,
            body_timeout: Duration::from_secs(30),
            head_timeout: Duration::from_secs(75),
            allowed_origins: Vec::new(),
            documents: DocumentConfig::default(),
            rate: Some(Rate {
                cost: const { NonZeroU32::new(20_000).expect("it is not 0") },
                burst: const { NonZeroU32::new(200_000).expect("it is not 0") },
            }),
            executions: Some(ExecutionLimit {
                running: 4,
                waiting: 250,
                patience: Duration::from_secs(10),
            }),
            rate_limit_delay: Duration::from_millis(250),
            read_cache_bytes: 64 << 20,
            room: Room {
                in_all: Some(100_000),
                per_address: Some(2_000),
                connections: None,
            },
            proxies: Proxies::default(),
            websocket: WebSocketConfig::default(),
        }
    }
}

/// Which documents are run that a request names by a hash, or at all.
#[derive(Clone, Debug)]
pub struct DocumentConfig {
    /// Those that are known beforehand.
    pub persisted: Persisted,
    /// Whether no others are run.
    pub only_persisted: bool,
    /// How many are remembered that clients have sent (automatic persisted queries): 1,000, more than the front ends of
    /// one server have. 0 switches it off.
    pub remembered: usize,
    /// Bytes of those: 8 MiB, as a thousand are a few kilobytes each.
    pub remembered_bytes: usize,
}

impl Default for DocumentConfig {
    fn default() -> DocumentConfig {
        DocumentConfig {
            persisted: Persisted::default(),
            only_persisted: false,
            remembered: 1_000,
            remembered_bytes: 8 << 20,
        }
    }
}

/// How a WebSocket is held.
#[derive(Clone, Debug)]
pub struct WebSocketConfig {
    /// How long a client may take from the upgrade to `connection_init`: 10 s.
    pub init_timeout: Duration,
    /// Time between pings: 20 s, below the 30 to 60 s after which proxies drop silent connections. A client that was
    /// not heard of from one ping to the next is gone, and so is one that was in the midst of one message all the time.
    pub ping_every: Duration,
    /// How long a socket, or who is sent any other answer, may take no byte before it is closed: 10 s (DESIGN.md, 4).
    pub send_timeout: Duration,
    /// How long a closing socket may take for what is under way, and again for the peer to close too: 2 s.
    pub closing_time: Duration,
    /// Operations of one socket at a time: 100. A page with more live parts than that subscribes to the page.
    pub max_operations: usize,
    /// Bytes of one message: 1 MiB, as of an HTTP body.
    pub message_limit: usize,
    /// Frames that a client may send in a second: 500. All operations that a socket may have, begun and ended at once, are
    /// 200.
    pub frames_per_second: u32,
}

impl Default for WebSocketConfig {
    fn default() -> WebSocketConfig {
        WebSocketConfig {
            init_timeout: Duration::from_secs(10),
            ping_every: Duration::from_secs(20),
            send_timeout: Duration::from_secs(10),
            closing_time: Duration::from_secs(2),
            max_operations: 100,
            message_limit: 1 << 20,
            frames_per_second: 500,
        }
    }
}
