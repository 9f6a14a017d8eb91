//! Sends: checked as the real relay does, stored once for each device.

use std::collections::BTreeSet;

use bytes::Bytes;
use hushpost_wire::limits::{MAX_MESSAGE_LEN, MAX_RECIPIENTS};
use hushpost_wire::sent_message::SentMessage;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    AccountId, DeviceAddress, DeviceId, Ephemeral, Error, ErrorCode, MessageId, RecipientProblem,
    Send, SendSealed, Sent,
};

use super::mailbox::{Waiting, sender_frame};
use super::model::Model;

/// A recipient account as the sender sees it.
struct Wanted {
    account: AccountId,
    token: Bytes,
    devices: Vec<(DeviceId, u32, Bytes)>,
}

/// A message, checked.
struct Checked {
    id: MessageId,
    sender: Option<DeviceAddress>,
    wanted: Vec<Wanted>,
    ephemeral: bool,
}

fn malformed(error: impl core::fmt::Display) -> Error {
    ErrorCode::BadRequest.because(error.to_string())
}

impl Model {
    pub(super) fn send(
        &mut self,
        sender: Option<DeviceAddress>,
        request: &Send,
        now_ms: u64,
    ) -> Result<Body, Error> {
        let shared = request.shared_ciphertext.as_ref();
        let mut wanted = Vec::new();
        for recipient in &request.recipients {
            let mut devices = Vec::new();
            for device in &recipient.devices {
                if shared.is_some() != device.ciphertext.is_empty() {
                    return Err(malformed("a ciphertext of its own, or one for all"));
                }
                let ciphertext = shared.unwrap_or(&device.ciphertext);
                check_length(ciphertext)?;
                let number = DeviceId::new(device.device).map_err(malformed)?;
                devices.push((number, device.registration_id, ciphertext.clone()));
            }
            wanted.push(Wanted {
                account: AccountId::from_slice(&recipient.account).map_err(malformed)?,
                token: recipient.delivery_token.clone(),
                devices,
            });
        }
        self.dispatch(
            Checked {
                id: MessageId::from_slice(&request.message_id).map_err(malformed)?,
                sender,
                wanted,
                ephemeral: request.ephemeral,
            },
            now_ms,
        )
    }

    pub(super) fn send_sealed(&mut self, request: &SendSealed, now_ms: u64) -> Result<Body, Error> {
        let id = MessageId::from_slice(&request.message_id).map_err(malformed)?;
        let envelope = SentMessage::parse(&request.envelope).map_err(malformed)?;
        check_length(envelope.shared())?;
        let mut tokens = request.delivery_tokens.iter();
        let mut wanted: Vec<Wanted> = Vec::new();
        for recipient in envelope.recipients() {
            let Some(received) = envelope.received_form(recipient) else {
                continue;
            };
            let received = Bytes::from(received);
            let [0, account @ ..] = &recipient.service_id else {
                return Err(malformed("a sealed envelope is for accounts"));
            };
            let account = AccountId::from_slice(account).map_err(malformed)?;
            let token = tokens
                .next()
                .ok_or_else(|| malformed("a token is missing"))?;
            let mut devices = Vec::new();
            for device in &recipient.devices {
                let number = DeviceId::new(u32::from(device.device_id)).map_err(malformed)?;
                devices.push((number, u32::from(device.registration_id), received.clone()));
            }
            match wanted.iter_mut().find(|known| known.account == account) {
                Some(known) if known.token == *token => known.devices.extend(devices),
                Some(_) => return Err(malformed("one account, different tokens")),
                None => wanted.push(Wanted {
                    account,
                    token: token.clone(),
                    devices,
                }),
            }
        }
        if tokens.next().is_some() {
            return Err(malformed("a token too many"));
        }
        let sender = None;
        let ephemeral = false;
        self.dispatch(
            Checked {
                id,
                sender,
                wanted,
                ephemeral,
            },
            now_ms,
        )
    }

    fn dispatch(&mut self, message: Checked, now_ms: u64) -> Result<Body, Error> {
        if !(1..=MAX_RECIPIENTS).contains(&message.wanted.len()) {
            return Err(ErrorCode::TooMany.because("1 to 1024 recipient accounts"));
        }
        let accounts: BTreeSet<AccountId> =
            message.wanted.iter().map(|wanted| wanted.account).collect();
        if accounts.len() != message.wanted.len() {
            return Err(malformed("an account stands twice among the recipients"));
        }
        let mut sent = Sent {
            accepted_ms: self
                .accepted_before(&message)
                .unwrap_or_else(|| self.clock(now_ms)),
            stored: 0,
            problems: Vec::new(),
        };
        let stored_before = self.seen.len();
        for wanted in message.wanted {
            let mut problem = RecipientProblem {
                account: Bytes::copy_from_slice(wanted.account.as_bytes()),
                ..RecipientProblem::default()
            };
            let clean = problem.clone();
            self.compare(message.sender, &wanted, &mut problem);
            if problem == clean {
                for (device, _, ciphertext) in wanted.devices {
                    let address = DeviceAddress {
                        account: wanted.account,
                        device,
                    };
                    if message.ephemeral {
                        self.hand_over(message.sender, address, ciphertext);
                        continue;
                    }
                    let waiting = Waiting {
                        id: message.id,
                        sender: message.sender,
                        accepted_ms: sent.accepted_ms,
                        ciphertext,
                    };
                    if self.store(address, waiting) {
                        sent.stored = sent.stored.saturating_add(1);
                    } else {
                        problem.full.push(device.into());
                    }
                }
            }
            if problem != clean {
                sent.problems.push(problem);
            }
        }
        if self.seen.len() != stored_before && !self.accepted.contains(&message.id) {
            self.accepted.push(message.id);
        }
        Ok(Body::Sent(sent))
    }

    /// When an earlier try was accepted.
    fn accepted_before(&self, message: &Checked) -> Option<u64> {
        message.wanted.iter().find_map(|wanted| {
            wanted.devices.iter().find_map(|(device, ..)| {
                let address = DeviceAddress {
                    account: wanted.account,
                    device: *device,
                };
                let key = (message.sender, message.id, address);
                self.seen.get(&key).copied()
            })
        })
    }

    /// Notes what does not fit: devices that the message lacks, has too many, or knows by an old
    /// registration.
    fn compare(
        &self,
        sender: Option<DeviceAddress>,
        wanted: &Wanted,
        problem: &mut RecipientProblem,
    ) {
        let account = self
            .accounts
            .get(&wanted.account)
            .filter(|account| sender.is_some() || account.takes_token(&wanted.token));
        let Some(account) = account else {
            problem.unreachable = true;
            return;
        };
        let is_sender = |device| {
            sender
                == Some(DeviceAddress {
                    account: wanted.account,
                    device,
                })
        };
        let mut named = BTreeSet::new();
        for (device, registration_id, _) in &wanted.devices {
            let twice = !named.insert(*device);
            match account.devices.get(device) {
                Some(known) if !twice && !is_sender(*device) => {
                    if known.entry.registration_id != *registration_id {
                        problem.stale.push((*device).into());
                    }
                }
                _ => problem.extra.push((*device).into()),
            }
        }
        let lacking = account
            .devices
            .keys()
            .filter(|device| !named.contains(device) && !is_sender(**device));
        problem.missing = lacking.map(|device| (*device).into()).collect();
    }

    /// Stores a message once. `false`: the queue is full.
    fn store(&mut self, address: DeviceAddress, message: Waiting) -> bool {
        let key = (message.sender, message.id, address);
        if self.seen.contains_key(&key) {
            return true;
        }
        let most = self.options.queue_messages;
        let Some(device) = self.device_mut(address) else {
            return false;
        };
        if device.mailbox.waiting.len() >= most {
            return false;
        }
        let accepted_ms = message.accepted_ms;
        device.mailbox.append(message);
        self.seen.insert(key, accepted_ms);
        if let Some(session) = self.session_of(address) {
            session.bell.notify_one();
        }
        true
    }

    /// Hands what is not stored to a device that is connected.
    fn hand_over(
        &mut self,
        sender: Option<DeviceAddress>,
        address: DeviceAddress,
        ciphertext: Bytes,
    ) {
        if let Some(session) = self.session_of(address) {
            session.say(
                0,
                Body::Ephemeral(Ephemeral {
                    sender: sender.map(sender_frame),
                    ciphertext,
                }),
            );
        }
    }
}

fn check_length(ciphertext: &[u8]) -> Result<(), Error> {
    if ciphertext.len() <= MAX_MESSAGE_LEN {
        return Ok(());
    }
    Err(ErrorCode::TooLarge.because("a ciphertext is at most 64 KiB"))
}
