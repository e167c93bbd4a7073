//! Room for connections, as readers arrive all at once: each is a file that this process may have open, and is kept by the
//! kernel until it is accepted.

use std::io;
use std::net::SocketAddr;

use anyhow::bail;
use rlimit::Resource;
use tokio::net::{TcpListener, TcpSocket};

use crate::store::OWN_CONNECTIONS;

/// What is open beside the database and the clients: the terminal, the port, the runtime's own, a lock, a file that is read,
/// connections to an issuer. 13 were counted at rest.
const OWN: usize = 32;

/// Files of one connection to the database: SQLite's has the database, its log of what was written, and for a moment what
/// does not fit in memory.
const PER_DATABASE_CONNECTION: usize = 3;

/// Fewer connections than that are no server.
const FEWEST: usize = 64;

/// Connections that the kernel keeps for a server that is busy: as many as it will (`net.core.somaxconn`, 4,096 on Linux). Who
/// comes beyond that is not heard, and tries again after a second or more.
const BACKLOG: u32 = 65_535;

/// How many connections of clients there may be, after raising the limit of open files as far as this process may: the
/// one that shells and service managers set by default, 1,024, is for programs that use `select(2)`.
///
/// # Errors
/// Where so few may be open that a server would soon stand still.
pub(super) fn most(database_connections: u32) -> anyhow::Result<usize> {
    let raised = rlimit::increase_nofile_limit(u64::MAX).or_else(|_| Resource::NOFILE.get_soft())?;
    let files = usize::try_from(raised).unwrap_or(usize::MAX);
    // One of SQLite's writes, some read for the server itself, and one asks whether the database answers.
    let database = (database_connections as usize + 2 + OWN_CONNECTIONS as usize) * PER_DATABASE_CONNECTION;
    match files.checked_sub(OWN + database) {
        Some(most) if most >= FEWEST => Ok(most),
        _ => bail!(
            "{files} open files are too few: raise the limit (`ulimit -n`, `LimitNOFILE`) to {} or more",
            OWN + database + FEWEST
        ),
    }
}

/// Listens, with room for many who come at the same moment.
///
/// # Errors
/// Those of the system: the address is taken, or none of its own.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A server that starts again need not wait until the connections of the last one are forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
