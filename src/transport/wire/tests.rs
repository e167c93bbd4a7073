use tokio::net::TcpListener;

use super::*;

#[tokio::test]
async fn a_peer_that_vanishes_is_not_waited_for_up_to_a_quarter_of_an_hour() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (_client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());

    let wire = Wire::new(accepted.expect("a connection").0, Slot::unbounded(address.ip()));

    let patience = SockRef::from(&wire.stream).tcp_user_timeout();
    assert_eq!(patience.expect("it has one"), Some(UNACKNOWLEDGED));
}
