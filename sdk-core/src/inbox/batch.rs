//! One transaction's worth of received messages, and what is to happen after its commit.

use std::collections::BTreeSet;

use hushpost_protocol::ReplayGuard;
use hushpost_wire::{AccountId, DeviceAddress, MessageId};

use crate::Result;
use crate::account::local_device::{replay_guard, save_replay_guard};
use crate::account::sessions::Sessions;
use crate::account::{LocalDevice, contacts};
use crate::clock::HybridClock;
use crate::content::{Body, ChainId, ConversationId, Plaintext};
use crate::conversation::rows as messages;
use crate::event::Event;
use crate::group;
use crate::inbox::open::{Opening, open};
use crate::inbox::{posts, receipts, resend};
use crate::random::Randomness;
use crate::store::Transaction;
use crate::store::columns::signed;

/// Most envelopes in one transaction.
pub(crate) const BATCH: usize = 100;
/// What did not decrypt is kept up to here for each device.
const MAX_UNDECRYPTABLE: i64 = 256;
/// And of all devices: a relay can make up as many as it likes.
const MAX_UNDECRYPTABLE_OF_ALL: i64 = 10_000;
/// What made no sense is kept up to here in all, the newest.
const MAX_QUARANTINED: i64 = 1000;

/// One delivery, checked.
pub(crate) struct Received {
    pub(crate) envelope_id: MessageId,
    pub(crate) from: DeviceAddress,
    pub(crate) accepted_ms: u64,
    pub(crate) ciphertext: bytes::Bytes,
}

/// A sending device's chain in a conversation, by `conversation.id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChainKey {
    pub(crate) conversation: i64,
    pub(crate) sender: DeviceAddress,
    pub(crate) chain: ChainId,
}

/// What follows once the transaction is committed.
#[derive(Default)]
// Each wakes another task.
#[expect(clippy::struct_excessive_bools)]
pub(crate) struct Effects {
    pub(crate) events: Vec<Event>,
    /// Chains that now hold something back.
    pub(crate) held: BTreeSet<ChainKey>,
    pub(crate) outbox: bool,
    pub(crate) receipts: bool,
    pub(crate) repair: bool,
    /// Words of what was deleted are to be taken out of the search index.
    pub(crate) tidy: bool,
}

/// What the steps of one transaction share.
pub(crate) struct Batch<'a, 't> {
    pub(crate) tx: &'a mut Transaction<'t>,
    pub(crate) local: LocalDevice,
    pub(crate) sessions: Sessions,
    pub(crate) clock: HybridClock,
    pub(crate) now_ms: u64,
    pub(crate) rng: Randomness,
    pub(crate) effects: Effects,
    /// Conversations whose entry in the list is to be brought up to date.
    pub(crate) touched: BTreeSet<(i64, ConversationId)>,
    guard: Option<ReplayGuard>,
    guard_changed: bool,
}

impl<'a, 't> Batch<'a, 't> {
    pub(crate) fn new(tx: &'a mut Transaction<'t>, now_ms: u64, rng: Randomness) -> Result<Self> {
        let local = LocalDevice::load(tx)?;
        Ok(Self {
            sessions: Sessions::new(local.address()),
            clock: local.clock,
            local,
            tx,
            now_ms,
            rng,
            effects: Effects::default(),
            touched: BTreeSet::new(),
            guard: None,
            guard_changed: false,
        })
    }

    /// The device's memory of first messages.
    pub(crate) fn guard(&mut self) -> Result<&mut ReplayGuard> {
        if self.guard.is_none() {
            self.guard = Some(replay_guard(self.tx)?);
        }
        Ok(self.guard.get_or_insert_with(ReplayGuard::new))
    }

    /// The memory was added to.
    pub(crate) fn set_guard(&mut self, guard: ReplayGuard) {
        self.guard = Some(guard);
        self.guard_changed = true;
    }

    /// Takes one envelope, whatever is in it.
    pub(crate) fn receive(&mut self, received: &Received) -> Result<()> {
        let DeviceAddress { account, device } = received.from;
        if account == self.local.account() {
            // This account has one device, which does not write to itself. Nor is it asked.
            let cause = "self_send".to_owned();
            self.effects.events.push(Event::Undecryptable {
                account,
                device,
                cause,
            });
            return Ok(());
        }
        let contact = contacts::find(self.tx, account)?;
        let opening = open(self, received.from, &received.ciphertext)?;
        if contact.is_some_and(|contact| contact.blocked) {
            // Not shown, and not missed either: nobody is to ask for it once the block is lifted.
            return match opening {
                Opening::Said(plaintext) if self.is_for_a_group(account, &plaintext.body) => {
                    self.said(received, *plaintext)
                }
                Opening::Said(plaintext) => posts::pass_over(self, received.from, &plaintext.body),
                _ => Ok(()),
            };
        }
        match opening {
            Opening::Duplicate => Ok(()),
            Opening::Undecryptable(cause) => self.undecryptable(received, cause),
            Opening::Senseless { cause, plaintext } => self.quarantine(received, cause, &plaintext),
            Opening::Said(plaintext) => self.said(received, *plaintext),
        }
    }

    /// Whether it concerns a group: what somebody who is blocked says there is not for this account alone.
    fn is_for_a_group(&self, from: AccountId, body: &Body) -> bool {
        match body {
            Body::Post(post) => {
                post.conversation != ConversationId::between(self.local.account(), from)
            }
            Body::SenderKey(_) | Body::GroupLog(_) | Body::GroupLogRequest(_) => true,
            _ => false,
        }
    }

    fn said(&mut self, received: &Received, plaintext: Plaintext) -> Result<()> {
        let from = received.from;
        self.healed(received, &plaintext.replaces)?;
        if let Some(token) = &plaintext.delivery_token {
            contacts::save_token(self.tx, from.account, token)?;
        }
        match plaintext.body {
            Body::Post(post) => posts::receive(self, received, &post),
            Body::Receipt(receipt) => receipts::receive(self, from, &receipt),
            Body::ResendRequest(request) => resend::serve(self, from, &request),
            Body::Gone(gone) => resend::gone(self, from, &gone),
            Body::SenderKey(key) => group::receive::key(self, from, &key),
            Body::GroupLog(log) => group::receive::log(self, received, &log),
            Body::GroupLogRequest(request) => group::receive::log_request(self, from, &request),
            Body::JoinRequest(request) => group::receive::join_request(self, from, &request),
            Body::SharedHistory(history) => group::shared_history::take(self, received, &history),
            // Typing is for those who are there: what was stored is too late.
            Body::Typing(_) => Ok(()),
            Body::Unknown => self.quarantine(received, "update_needed", &[]),
        }
    }

    /// Puts aside what is authentic and makes no sense.
    pub(crate) fn quarantine(
        &mut self,
        received: &Received,
        cause: &'static str,
        plaintext: &[u8],
    ) -> Result<()> {
        let account = received.from.account;
        self.tx
            .prepare_cached(
                "INSERT INTO quarantine (account, device, envelope_id, cause, plaintext, at_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((
                account.as_bytes(),
                received.from.device.get(),
                received.envelope_id.as_bytes(),
                cause,
                plaintext,
                signed(self.now_ms),
            ))?;
        self.tx
            .prepare_cached(
                "DELETE FROM quarantine WHERE id <= (SELECT max(id) FROM quarantine) - ?1",
            )?
            .execute([MAX_QUARANTINED])?;
        let cause = cause.to_owned();
        self.effects
            .events
            .push(Event::Quarantined { account, cause });
        Ok(())
    }

    /// Remembers what did not decrypt, to ask for it again.
    pub(crate) fn undecryptable(&mut self, received: &Received, cause: &'static str) -> Result<()> {
        let DeviceAddress { account, device } = received.from;
        let (known, all): (i64, i64) = self
            .tx
            .prepare_cached(
                "SELECT (SELECT count(*) FROM undecryptable WHERE account = ?1 AND device = ?2),
                     (SELECT count(*) FROM undecryptable)",
            )?
            .query_row((account.as_bytes(), device.get()), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        if known >= MAX_UNDECRYPTABLE || all >= MAX_UNDECRYPTABLE_OF_ALL {
            return Ok(());
        }
        let new = self
            .tx
            .prepare_cached(
                "INSERT OR IGNORE INTO undecryptable (account, device, envelope_id, cause, accepted_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((
                account.as_bytes(),
                device.get(),
                received.envelope_id.as_bytes(),
                cause,
                signed(received.accepted_ms),
            ))?;
        if new > 0 {
            self.effects.repair = true;
            self.effects.events.push(Event::Undecryptable {
                account,
                device,
                cause: cause.to_owned(),
            });
        }
        Ok(())
    }

    /// What did not decrypt has come again.
    fn healed(&mut self, received: &Received, replaces: &[MessageId]) -> Result<()> {
        let DeviceAddress { account, device } = received.from;
        for envelope in replaces {
            let known = self.tx.execute(
                "DELETE FROM undecryptable WHERE account = ?1 AND device = ?2 AND envelope_id = ?3",
                (account.as_bytes(), device.get(), envelope.as_bytes()),
            )?;
            if known > 0 {
                self.effects
                    .events
                    .push(Event::UndecryptableHealed { account });
            }
        }
        Ok(())
    }

    /// Writes what was kept for the end. The caller commits.
    pub(crate) fn finish(mut self) -> Result<Effects> {
        if self.guard_changed
            && let Some(guard) = &self.guard
        {
            save_replay_guard(self.tx, guard)?;
        }
        if self.clock != self.local.clock {
            LocalDevice::save_clock(self.tx, &self.clock)?;
        }
        for (row, conversation) in &self.touched {
            messages::refresh(self.tx, *row)?;
            self.effects.events.push(Event::ConversationChanged {
                conversation: *conversation,
            });
        }
        self.sessions.save(self.tx)?;
        forget_repeats(&mut self.effects.events);
        Ok(self.effects)
    }
}

/// A hundred receipts of one message are one change of it: of events that say "look again" the last one stays.
fn forget_repeats(events: &mut Vec<Event>) {
    let (mut messages, mut conversations) = (BTreeSet::new(), BTreeSet::new());
    events.reverse();
    events.retain(|event| match event {
        Event::MessageChanged { message, .. } => messages.insert(*message),
        Event::ConversationChanged { conversation } => conversations.insert(*conversation),
        _ => true,
    });
    events.reverse();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_of_equal_hints_stays() {
        let conversation =
            ConversationId::between(AccountId::of_key(&[1; 32]), AccountId::of_key(&[2; 32]));
        let changed = |number| Event::MessageChanged {
            conversation,
            message: crate::MessageRef {
                sender: AccountId::of_key(&[1; 32]),
                id: MessageId::from_slice(&[number; 16]).unwrap(),
            },
        };
        let listed = Event::ConversationChanged { conversation };
        let mut events = vec![
            changed(1),
            listed.clone(),
            Event::CaughtUp,
            changed(2),
            changed(1),
            Event::CaughtUp,
            listed.clone(),
        ];
        forget_repeats(&mut events);
        let caught_up = Event::CaughtUp;
        assert_eq!(
            events,
            [caught_up.clone(), changed(2), changed(1), caught_up, listed]
        );
    }
}
