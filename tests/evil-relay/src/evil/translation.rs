//! Between what the client counts and what the relay counts; and who is who, from what is said.

use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{AccountId, Authenticate, DeviceAddress, DeviceId};

use super::numbering::Numbers;
use super::record::Who;
use super::traffic::{Asked, State};

/// The relay's and the injected numbers of a device whose numbers stay as they are.
#[derive(Default)]
pub(super) struct Highest {
    relay: u64,
    pub(super) shown: u64,
}

impl State {
    pub(super) fn numbers_of(&mut self, device: Option<DeviceAddress>) -> Option<&mut Numbers> {
        Some(self.numbers.as_mut()?.entry(device?).or_default())
    }

    /// One of the relay's numbers came. `false` if it was lost for good.
    pub(super) fn came(&mut self, who: Who, number: u64) -> bool {
        if let Some(device) = who.device {
            let known = self.highest.entry(device).or_default();
            known.relay = known.relay.max(number);
        }
        self.numbers_of(who.device)
            .is_none_or(|numbers| numbers.came(number))
    }

    pub(super) fn lose(&mut self, who: Who, number: u64) {
        if let Some(numbers) = self.numbers_of(who.device) {
            numbers.lose(number);
        }
    }

    /// The relay's number for one of the client's.
    pub(super) fn relay_number(&mut self, device: DeviceAddress, number: u64, begins: bool) -> u64 {
        if let Some(numbers) = self.numbers_of(Some(device)) {
            return if begins {
                numbers.receive(number)
            } else {
                numbers.upstream(number)
            };
        }
        // A number that only an injected delivery had means everything that the relay delivered. Any other
        // is the client's own business.
        match self.highest.get(&device) {
            Some(known) if number > known.relay && number <= known.shown => known.relay,
            _ => number,
        }
    }

    /// Makes the numbers in what the relay said those that the client counts by, and follows who is who.
    pub(super) fn translate(&mut self, connection: u64, asked: Option<&Asked>, body: &mut Body) {
        let Some(link) = self.links.get_mut(&connection) else {
            return;
        };
        let device = link.who.device;
        let introduces = asked.is_some_and(|asked| claimed_device(&asked.request).is_some());
        match body {
            Body::Error(_) if introduces => link.who.device = None,
            Body::Welcome(welcome) if welcome.storage_epoch != self.epoch => {
                self.epoch = welcome.storage_epoch.clone();
                self.highest.clear();
                if let Some(numbers) = &mut self.numbers {
                    numbers.clear();
                }
            }
            Body::Authenticated(authenticated) => {
                let last = authenticated.last_sequence;
                if let Some(device) = device {
                    let known = self.highest.entry(device).or_default();
                    if known.relay > last {
                        // Another mailbox than the one that is known.
                        *known = Highest::default();
                        if let Some(numbers) = &mut self.numbers {
                            numbers.remove(&device);
                        }
                    } else {
                        known.relay = last;
                    }
                }
                if let Some(numbers) = self.numbers_of(device) {
                    authenticated.last_sequence = numbers.mailbox_end(last);
                }
            }
            Body::Acknowledged(acknowledged) => {
                let Some(Asked {
                    request,
                    number: Some(number),
                }) = asked
                else {
                    return;
                };
                let through = acknowledged.through_sequence;
                let begins = matches!(request, Request::Receive(_));
                acknowledged.through_sequence = match self.numbers_of(device) {
                    Some(numbers) if begins => numbers.begin(through),
                    Some(_) => *number,
                    None => through.max(*number),
                };
            }
            Body::CaughtUp(caught_up) => {
                if let Some(numbers) = self.numbers_of(device) {
                    caught_up.through_sequence = numbers.last();
                }
            }
            _ => {}
        }
    }
}

/// The sequence number in a request, by what the client counts.
pub(super) const fn sequence_in(request: &mut Request) -> Option<&mut u64> {
    match request {
        Request::Receive(receive) => Some(&mut receive.after_sequence),
        Request::Acknowledge(acknowledge) => Some(&mut acknowledge.through_sequence),
        _ => None,
    }
}

/// The device that a request says it is of.
pub(super) fn claimed_device(request: &Request) -> Option<DeviceAddress> {
    let proof: &Authenticate = match request {
        Request::Authenticate(proof) => proof,
        Request::Register(register) => register.device.as_ref()?,
        _ => return None,
    };
    Some(DeviceAddress {
        account: AccountId::from_slice(&proof.account).ok()?,
        device: DeviceId::new(proof.device).ok()?,
    })
}
