//! Clients that try to keep the program from serving others, or from ending.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::serving::{Client, TURN, start_limited, start_told};

/// How many requests one address begins and does not end.
const HALF_SENT: usize = 400;

/// For how long they may keep others out.
const LOCKED_OUT: Duration = Duration::from_secs(2);

/// What they send, in turns.
const PARTS: [&str; 3] = [
    "",
    "POST /graphql HTTP/1.1\r\nHost: a\r\nX-Some",
    "POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"query\":",
];

/// A query that is executed for seconds. With another level it would take more memory than there is.
const LONG: &str = "{page(slug:\"healthwise\"){components{page{components{page{components{page{id}}}}}}}}";

/// CPU time after which a long query is known to be executed: 0.3 s, in hundredths.
const UNDER_WAY: u64 = 30;

fn address(client: &Client) -> SocketAddr {
    let address = client
        .graphql
        .trim_start_matches("http://")
        .trim_end_matches("/graphql");
    address.parse().expect("an address")
}

/// Connects from another address of the loopback network, and sends something.
async fn begin(to: SocketAddr, part: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    let from = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), 0));
    socket.bind(from).expect("an address of the loopback network");
    let mut stream = socket.connect(to).await.expect("a connection");
    // It may be closed already to make room.
    let _ = stream.write_all(part.as_bytes()).await;
    stream
}

/// User and system time of a process so far, in hundredths of a second.
fn cpu_time(id: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("it runs");
    let after_name = stat.rsplit(')').next().expect("fields");
    let times = after_name.split_whitespace().skip(11).take(2);
    times.map(|time| time.parse::<u64>().expect("a number")).sum()
}

/// Asks a process to end, and returns how long that took.
async fn terminate(child: &mut Child) -> Duration {
    let id = child.id().expect("it runs").to_string();
    let begin = Instant::now();
    let sent = Command::new("kill").args(["-TERM", &id]).status().await;
    assert!(sent.expect("there is kill").success());
    assert_eq!(child.wait().await.expect("it ends").code(), Some(0));
    begin.elapsed()
}

#[tokio::test]
async fn half_sent_requests_of_one_address_lock_nobody_out_and_do_not_delay_a_shutdown() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut child, client, _) = start_limited(folder.path(), "ulimit -n 256").await;
    let to = address(&client);
    let half_sent = join_all((0..HALF_SENT).map(|turn| begin(to, PARTS[turn % PARTS.len()]))).await;

    let asked = timeout(LOCKED_OUT, client.ask("{ viewer { mayWrite } }", Value::Null)).await;

    let (status, _) = asked.expect("in time").expect("an answer");
    assert_eq!(status, 200);
    // Much less than the grace, and less than their requests are waited for.
    assert!(terminate(&mut child).await < Duration::from_secs(5));
    drop(half_sent);
}

#[tokio::test]
async fn the_program_ends_within_its_grace_whatever_is_executed() {
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (mut child, client, _) = start_told(folder.path(), &["--demo", "--grace-seconds", "2"]).await;
    let id = child.id().expect("it runs");
    let before = cpu_time(id);
    let mut asking = Vec::new();
    for _ in 0..2 {
        let request = serde_json::json!({ "query": LONG }).to_string();
        let head = format!(
            "POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            request.len()
        );
        asking.push(begin(address(&client), &(head + &request)).await);
    }
    while cpu_time(id) < before + UNDER_WAY {
        tokio::task::yield_now().await;
    }

    let took = terminate(&mut child).await;

    assert!(took < Duration::from_secs(3), "{took:?}");
}
