//! How many connections there may be, in all and from one address.
//!
//! A place is given back by dropping what stands for it, never by a call that could be forgotten. The
//! tables grow with the open connections alone.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::watch;

use super::client_address::ClientAddress;

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// All places are taken.
    Total,
    /// All places of this address are taken.
    Address,
}

/// The open connections of one listener. Clones are handles on the same count.
#[derive(Clone)]
pub struct Connections(Arc<Shared>);

struct Shared {
    open: watch::Sender<usize>,
    max: usize,
    max_per_address: usize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The table of addresses stays out of it.
        f.debug_struct("Connections")
            .field("open", &self.open())
            .finish_non_exhaustive()
    }
}

impl Connections {
    pub(super) fn new(max: usize, max_per_address: usize) -> Self {
        Self(Arc::new(Shared {
            open: watch::Sender::new(0),
            max,
            max_per_address,
            by_address: Mutex::new(HashMap::new()),
        }))
    }

    /// Connections open now, also those that became a WebSocket.
    #[must_use]
    pub fn open(&self) -> usize {
        *self.0.open.borrow()
    }

    /// Returns once no connection is open. After the listener stopped that is final.
    pub async fn all_closed(&self) {
        // It only fails when the sender is gone, and we hold the sender.
        let _ = self.0.open.subscribe().wait_for(|open| *open == 0).await;
    }

    /// Takes a place for a connection, and one for its address if that is known yet.
    pub(super) fn admit(&self, address: Option<ClientAddress>) -> Result<ConnectionGuard, Refused> {
        let place = self.take_place().ok_or(Refused::Total)?;
        let slot = OnceLock::new();
        if let Some(address) = address {
            let taken = self.take_address(address).ok_or(Refused::Address)?;
            slot.get_or_init(|| taken);
        }
        Ok(ConnectionGuard(Arc::new(Held {
            address: slot,
            _place: place,
        })))
    }

    /// Takes one of the address's places.
    pub(super) fn take_address(&self, address: ClientAddress) -> Option<AddressPlace> {
        let key = address.limit_key();
        let mut table = self.table();
        let count = table.entry(key).or_insert(0);
        if *count >= self.0.max_per_address {
            if *count == 0 {
                table.remove(&key);
            }
            return None;
        }
        *count = count.saturating_add(1);
        Some(AddressPlace {
            connections: self.clone(),
            key,
        })
    }

    fn take_place(&self) -> Option<Place> {
        let taken = self.0.open.send_if_modified(|open| {
            let free = *open < self.0.max;
            if free {
                *open = open.saturating_add(1);
            }
            free
        });
        taken.then(|| Place(self.clone()))
    }

    fn table(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Every change under the lock is complete in itself, so a panic elsewhere left it whole.
        self.0
            .by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the places of all.
struct Place(Connections);

impl Drop for Place {
    fn drop(&mut self) {
        self.0
            .0
            .open
            .send_modify(|open| *open = open.saturating_sub(1));
    }
}

/// One of an address's places.
pub(super) struct AddressPlace {
    connections: Connections,
    key: IpAddr,
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let mut table = self.connections.table();
        if let Some(count) = table.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                table.remove(&self.key);
            }
        }
    }
}

/// A connection's place, given back when the last clone is dropped.
///
/// The socket itself holds one, also after it became a WebSocket, so nobody can forget it. It is in each
/// request's extensions for handlers whose work for a connection may outlast the socket: with a
/// clone of it that work still counts.
#[derive(Clone)]
pub struct ConnectionGuard(Arc<Held>);

// The address goes first: who waits for the count must find the address free.
struct Held {
    address: OnceLock<AddressPlace>,
    _place: Place,
}

impl ConnectionGuard {
    /// Keeps an address's place for as long as the connection lasts. The first one stays.
    pub(super) fn keep(&self, place: AddressPlace) {
        self.0.address.get_or_init(|| place);
    }
}

impl fmt::Debug for ConnectionGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionGuard").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> ClientAddress {
        ClientAddress::new(text.parse().unwrap())
    }

    #[test]
    fn the_last_clone_gives_the_place_back() {
        let connections = Connections::new(1, 1);
        let guard = connections.admit(Some(address("192.0.2.1"))).unwrap();
        let clone = guard.clone();
        drop(guard);
        assert_eq!(connections.open(), 1);
        assert_eq!(connections.admit(None).unwrap_err(), Refused::Total);
        drop(clone);
        assert_eq!(connections.open(), 0);
        assert!(connections.table().is_empty());
        connections.admit(Some(address("192.0.2.1"))).unwrap();
    }

    #[test]
    fn a_full_address_leaves_the_others_their_places() {
        let connections = Connections::new(3, 1);
        let _first = connections.admit(Some(address("2001:db8::1"))).unwrap();
        // The same /64.
        let refused = connections
            .admit(Some(address("2001:db8::2:3")))
            .unwrap_err();
        assert_eq!(refused, Refused::Address);
        assert_eq!(connections.open(), 1);
        connections.admit(Some(address("2001:db8:0:1::1"))).unwrap();
    }

    #[test]
    fn a_cap_of_zero_leaves_no_trace() {
        let connections = Connections::new(1, 0);
        assert!(connections.take_address(address("192.0.2.1")).is_none());
        assert!(connections.table().is_empty());
    }

    #[test]
    fn a_kept_address_goes_with_the_connection() {
        let connections = Connections::new(1, 1);
        let guard = connections.admit(None).unwrap();
        guard.keep(connections.take_address(address("192.0.2.1")).unwrap());
        assert!(connections.take_address(address("192.0.2.1")).is_none());
        drop(guard);
        assert!(connections.take_address(address("192.0.2.1")).is_some());
    }
}
