//! Between clients and a node: a TCP proxy whose connections can get into every trouble a network has.

mod link;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::random::Random;

/// What a connection is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    /// Both ends are reset, now.
    Reset,
    /// Nothing gets through, and nobody is told.
    BlackHole,
    /// The client is reset; the server goes on believing that it is there, and that it takes nothing.
    ServerForgotten,
    /// The server is reset; the client goes on waiting.
    ClientForgotten,
    /// Everything comes in small pieces.
    Split,
    /// Everything comes late.
    Delay,
    /// The client reads nothing.
    Stall,
}

impl Trouble {
    /// What a connection is in once it is over: what was cut off in silence has been given up by then.
    const fn aftermath(self) -> Trouble {
        match self {
            Trouble::None | Trouble::Split | Trouble::Delay | Trouble::Stall => Trouble::None,
            _ => Trouble::Reset,
        }
    }
}

/// The connections there are, and what leads each into trouble.
#[derive(Clone, Default)]
struct Links(Arc<Mutex<HashMap<u64, watch::Sender<Trouble>>>>);

impl Links {
    fn all(&self) -> MutexGuard<'_, HashMap<u64, watch::Sender<Trouble>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way to one node.
pub(crate) struct Proxy {
    /// Where clients connect to.
    pub(crate) address: SocketAddr,
    /// Where those connect to whose network holds little: what they do not read, the server soon cannot send.
    pub(crate) narrow: SocketAddr,
    target: watch::Sender<Option<SocketAddr>>,
    links: Links,
    accepting: Vec<JoinHandle<()>>,
}

impl Proxy {
    pub(crate) async fn start() -> Proxy {
        let links = Links::default();
        let target = watch::Sender::new(None);
        let wide = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let narrow = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addresses = [&wide, &narrow].map(|listener| listener.local_addr().expect("it listens"));
        let accepting = [(wide, false), (narrow, true)].map(|(listener, is_narrow)| {
            let (links, target) = (links.clone(), target.subscribe());
            tokio::spawn(accept(listener, is_narrow, target, links))
        });
        Proxy {
            address: addresses[0],
            narrow: addresses[1],
            target,
            links,
            accepting: accepting.into(),
        }
    }

    /// Where the node is now; nowhere while it is away.
    pub(crate) fn lead_to(&self, node: Option<SocketAddr>) {
        self.target.send_replace(node);
    }

    /// Gets so many in a hundred of the connections into trouble. Returns which, for [`Proxy::mend`].
    pub(crate) fn trouble(&self, trouble: Trouble, percent: usize, random: &mut Random) -> Vec<u64> {
        let links = self.links.all();
        let mut met: Vec<u64> = links.keys().copied().collect();
        met.sort_unstable();
        met.retain(|_| random.percent(percent));
        for id in &met {
            links[id].send_replace(trouble);
        }
        met
    }

    /// Ends that trouble.
    pub(crate) fn mend(&self, trouble: Trouble, met: &[u64]) {
        let links = self.links.all();
        for link in met.iter().filter_map(|id| links.get(id)) {
            link.send_replace(trouble.aftermath());
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for task in &self.accepting {
            task.abort();
        }
        let links = self.links.all();
        for link in links.values() {
            link.send_replace(Trouble::Reset);
        }
    }
}

async fn accept(listener: TcpListener, is_narrow: bool, target: watch::Receiver<Option<SocketAddr>>, links: Links) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    while let Ok((client, _)) = listener.accept().await {
        let Some(node) = *target.borrow() else {
            // Refused, as by a machine on which nothing listens.
            link::reset(client);
            continue;
        };
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let trouble = watch::Sender::new(Trouble::None);
        let met = trouble.subscribe();
        links.all().insert(id, trouble);
        let links = links.clone();
        tokio::spawn(async move {
            link::carry(client, node, is_narrow, met).await;
            links.all().remove(&id);
        });
    }
}
