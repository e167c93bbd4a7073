//! How many sockets and streams are open: in all, and from one address.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;

use super::RequestError;
use super::address::Address;
use super::throttle::RETRY_AFTER;

/// When to come again who found no place.
const AGAIN_SECONDS: u64 = 5;

/// The most there may be; none for as many as come.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub in_all: Option<usize>,
    pub per_address: Option<usize>,
    /// Connections of any kind, of which each socket or stream is one.
    pub connections: Option<usize>,
}

impl Room {
    /// Room among so many connections. A tenth of them is left to requests: readers who fill the server must not keep out who
    /// has something to tell them.
    #[must_use]
    pub fn among(self, connections: usize) -> Room {
        let lasting = connections - connections / 10;
        Room {
            in_all: Some(self.in_all.map_or(lasting, |most| most.min(lasting))),
            connections: Some(connections),
            ..self
        }
    }
}

/// The places that are taken.
#[derive(Debug)]
pub(super) struct Places {
    room: Room,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    in_all: usize,
    by_address: HashMap<Address, usize>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    address: Address,
}

impl Places {
    pub(super) fn new(room: Room) -> Arc<Places> {
        Arc::new(Places {
            room,
            taken: Mutex::default(),
        })
    }

    /// Takes a place.
    ///
    /// # Errors
    /// `TOO_MANY_SOCKETS` where there is none.
    pub(super) fn take(self: &Arc<Self>, address: Address) -> Result<Place, RequestError> {
        let mut taken = self.taken();
        if self.room.in_all.is_some_and(|most| taken.in_all >= most) {
            let message = "The server has as many sockets and streams open as it may; try again shortly.";
            return Err(full(StatusCode::SERVICE_UNAVAILABLE, message));
        }
        let from_there = taken.by_address.get(&address).copied().unwrap_or(0);
        if self.room.per_address.is_some_and(|most| from_there >= most) {
            let message = "Your address has as many sockets and streams open as it may; close some first.";
            return Err(full(StatusCode::TOO_MANY_REQUESTS, message));
        }
        taken.in_all += 1;
        taken.by_address.insert(address, from_there + 1);
        Ok(Place {
            places: Arc::clone(self),
            address,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.in_all -= 1;
        if let Some(count) = taken.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

fn full(status: StatusCode, message: &str) -> RequestError {
    RequestError::new("TOO_MANY_SOCKETS", status, message).with(RETRY_AFTER, AGAIN_SECONDS)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn address(last: u8) -> Address {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)).into()
    }

    #[test]
    fn places_are_counted_by_address_and_in_all_and_are_free_again() {
        let places = Places::new(Room {
            in_all: Some(3),
            per_address: Some(2),
            connections: None,
        });
        let status = |taken: Result<Place, RequestError>| taken.expect_err("there is none").status.as_u16();

        let one = places.take(address(1)).expect("a place");
        let two = places.take(address(1)).expect("a place");
        assert_eq!(status(places.take(address(1))), 429);
        let three = places.take(address(2)).expect("a place");
        assert_eq!(status(places.take(address(3))), 503);
        drop(one);
        let four = places.take(address(3)).expect("a place");
        drop((two, three, four));

        let taken = places.taken();
        assert_eq!((taken.in_all, taken.by_address.len()), (0, 0));
    }

    #[test]
    fn without_a_bound_there_is_always_a_place() {
        let places = Places::new(Room {
            in_all: None,
            per_address: None,
            connections: None,
        });

        let taken: Vec<Place> = (0..10_000).map(|_| places.take(address(1)).expect("a place")).collect();

        assert_eq!(places.taken().in_all, taken.len());
    }

    #[test]
    fn some_connections_are_left_to_requests_however_many_sockets_were_wished_for() {
        let room = |in_all| Room {
            in_all,
            per_address: None,
            connections: None,
        };

        assert_eq!(room(None).among(200).in_all, Some(180));
        assert_eq!(room(Some(100_000)).among(200).in_all, Some(180));
        assert_eq!(room(Some(100)).among(200).in_all, Some(100));
        assert_eq!(room(Some(100)).among(200).connections, Some(200));
    }
}
