//! Sender keys: ours, whom we gave it to, and what others gave us.
//!
//! Ours is replaced before the next message when somebody who has it left or lost a device, after 100 messages and
//! after 7 days: whoever holds an old one reads no further. Who has the present one is known by account, so that a
//! message in a group where nothing changed is one encryption.
//!
//! Must never: give a key to anybody who is not on the log, or let one sender touch another's.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use hushpost_protocol::{
    DistributionId, InboundSenderKey, OutboundSenderKey, SenderKeyDistributionMessage,
    SenderKeyMessage,
};
use hushpost_wire::{AccountId, DeviceAddress};
use rusqlite::OptionalExtension as _;
use zeroize::Zeroizing;

use crate::Result;
use crate::account::LocalDevice;
use crate::clock::Stamp;
use crate::content::{Body, ConversationId, SenderKey, Sequence};
use crate::group::rows::{self, MemberRow};
use crate::outbox::rows::{self as outbox, NewRow};
use crate::random::Randomness;
use crate::store::columns::{signed, unsigned};
use crate::store::{StoreError, Transaction};

/// Messages that one key encrypts.
const MAX_MESSAGES: u32 = 100;
/// How long one key is used.
const MAX_AGE_MS: u64 = 7 * 24 * 3600 * 1000;
/// Keys that one device may give us in an hour: each pushes an older one out.
const MAX_CHANGES_AN_HOUR: u32 = 64;
const HOUR_MS: u64 = 3600 * 1000;

/// The own key of a group.
pub(crate) struct OwnKey {
    key: OutboundSenderKey,
    pub(crate) generation: i64,
    messages: u32,
    created_ms: u64,
}

impl OwnKey {
    fn load(tx: &Transaction<'_>, conversation: i64) -> Result<Option<Self>> {
        let mut query = tx.prepare_cached(
            "SELECT state, generation, messages, created_ms FROM own_sender_key
             WHERE conversation = ?1",
        )?;
        let found = query
            .query_row([conversation], |row| {
                let state = Zeroizing::new(row.get::<_, Vec<u8>>(0)?);
                Ok((state, row.get(1)?, row.get(2)?, unsigned(row, 3)?))
            })
            .optional()?;
        let Some((state, generation, messages, created_ms)) = found else {
            return Ok(None);
        };
        Ok(Some(Self {
            key: OutboundSenderKey::decode(&state)
                .map_err(|_| StoreError::Corrupted("a sender key does not decode"))?,
            generation,
            messages,
            created_ms,
        }))
    }

    /// The key to encrypt the next message with: a fresh one if the old one may not be used any more.
    pub(crate) fn ready(
        tx: &Transaction<'_>,
        conversation: i64,
        now_ms: u64,
        rng: &Randomness,
    ) -> Result<Self> {
        let mut rng = rng.clone();
        let Some(mut own) = Self::load(tx, conversation)? else {
            let id = uuid::Builder::from_random_bytes(rng.array()?).into_uuid();
            return Ok(Self {
                key: OutboundSenderKey::generate(DistributionId(id), &mut rng)?,
                generation: 1,
                messages: 0,
                created_ms: now_ms,
            });
        };
        if own.is_spent(tx, conversation, now_ms)? {
            own.key.rotate(&mut rng)?;
            own.generation = own.generation.saturating_add(1);
            own.messages = 0;
            own.created_ms = now_ms;
            tx.execute(
                "DELETE FROM sender_key_given WHERE conversation = ?1 AND generation NOT IN
                     (SELECT generation FROM group_outbox WHERE conversation = ?1)",
                [conversation],
            )?;
        }
        Ok(own)
    }

    /// Whether another key has to take its place before the next message.
    fn is_spent(&self, tx: &Transaction<'_>, conversation: i64, now_ms: u64) -> Result<bool> {
        Ok(self.messages >= MAX_MESSAGES
            || now_ms.abs_diff(self.created_ms) >= MAX_AGE_MS
            || held_by_others(tx, conversation, self.generation)?)
    }

    /// How many messages it has encrypted.
    pub(crate) const fn iteration(&self) -> u32 {
        self.key.iteration()
    }

    /// Encrypts for everybody.
    pub(crate) fn encrypt(
        &mut self,
        plaintext: &[u8],
        rng: &Randomness,
    ) -> Result<SenderKeyMessage> {
        self.messages = self.messages.saturating_add(1);
        Ok(self.key.encrypt(plaintext, &mut rng.clone())?)
    }

    /// Puts the key into the outbox for some members; it travels together.
    pub(crate) fn give(
        &self,
        tx: &Transaction<'_>,
        local: &LocalDevice,
        conversation: i64,
        to: &[MemberRow],
        now_ms: u64,
        rng: &Randomness,
    ) -> Result<()> {
        let group = rows::group_id(tx, conversation)?;
        let envelope = rng.message_id()?;
        // Who came at the same time is told the same.
        let mut bodies: BTreeMap<Stamp, Zeroizing<Vec<u8>>> = BTreeMap::new();
        let mut given = tx.prepare_cached(
            "INSERT OR REPLACE INTO sender_key_given
                 (conversation, account, generation, iteration, outbox)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        for member in to {
            let body = match bodies.entry(member.since) {
                Entry::Occupied(body) => body.into_mut(),
                Entry::Vacant(entry) => {
                    let body = Body::SenderKey(SenderKey {
                        conversation: group,
                        distribution: self.key.distribution_message().to_bytes(),
                        chain: local.chain,
                        first: first_for(tx, local, conversation, member)?,
                    });
                    entry.insert(Zeroizing::new(body.encode()?))
                }
            };
            let row = NewRow {
                recipient: member.account,
                message: None,
                only_device: None,
                replaces: &[],
                body,
            };
            let outbox_row = outbox::insert_as(tx, &row, envelope, now_ms)?;
            given.execute((
                conversation,
                member.account.as_bytes(),
                self.generation,
                self.iteration(),
                outbox_row,
            ))?;
        }
        Ok(())
    }

    /// Stores it after it moved.
    pub(crate) fn save(&self, tx: &mut Transaction<'_>, conversation: i64) -> Result<()> {
        tx.prepare_cached(
            "INSERT OR REPLACE INTO own_sender_key (conversation, state, generation, messages, created_ms)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((
            conversation,
            self.key.encode().as_slice(),
            self.generation,
            self.messages,
            signed(self.created_ms),
        ))?;
        tx.ratchets_moved();
        Ok(())
    }
}

/// Whether somebody who is not in the group any more holds the key.
fn held_by_others(tx: &Transaction<'_>, conversation: i64, generation: i64) -> Result<bool> {
    let mut query = tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM sender_key_given g
             WHERE g.conversation = ?1 AND g.generation = ?2 AND NOT EXISTS
                 (SELECT 1 FROM group_member m WHERE m.conversation = g.conversation
                      AND m.account = g.account AND m.left_ms IS NULL))",
    )?;
    Ok(query.query_row((conversation, generation), |row| row.get(0))?)
}

/// How many of those that a row is for would have to be given a key before it can be encrypted.
pub(crate) fn lacking(
    tx: &Transaction<'_>,
    conversation: i64,
    row: i64,
    now_ms: u64,
) -> Result<usize> {
    let generation = match OwnKey::load(tx, conversation)? {
        Some(own) if !own.is_spent(tx, conversation, now_ms)? => own.generation,
        // None has the key that is to come.
        _ => 0,
    };
    let mut query = tx.prepare_cached(
        "SELECT count(*) FROM group_outbox_recipient r WHERE r.outbox = ?1 AND NOT EXISTS
             (SELECT 1 FROM sender_key_given g WHERE g.conversation = ?2 AND g.iteration IS NOT NULL
                  AND g.account = r.account AND g.generation = ?3)",
    )?;
    Ok(query.query_row((row, conversation, generation), |row| row.get(0))?)
}

/// The first post of ours that a member may read: after all that was said before they came.
fn first_for(
    tx: &Transaction<'_>,
    local: &LocalDevice,
    conversation: i64,
    to: &MemberRow,
) -> Result<Sequence> {
    let mut query = tx.prepare_cached(
        "SELECT coalesce(max(sequence), 0) FROM message WHERE conversation = ?1 AND sender = ?2
             AND device = ?3 AND chain = ?4 AND stamp <= ?5",
    )?;
    let before = query.query_row(
        (
            conversation,
            local.account().as_bytes(),
            local.device.get(),
            local.chain.0.cast_signed(),
            signed(to.since.next().to_bits()),
        ),
        |row| unsigned(row, 0),
    )?;
    Ok(Sequence::new(before.saturating_add(1))?)
}

/// A contact's devices changed: they are given every key anew, and where one is gone the key it held is replaced.
pub(crate) fn devices_changed(
    tx: &Transaction<'_>,
    account: AccountId,
    some_gone: bool,
) -> Result<()> {
    if some_gone {
        tx.execute(
            "UPDATE own_sender_key SET messages = ?2 WHERE conversation IN
                 (SELECT conversation FROM sender_key_given WHERE account = ?1)",
            (account.as_bytes(), MAX_MESSAGES),
        )?;
        // A device that was set up anew gives its keys anew; one that is gone speaks no more.
        tx.execute(
            "DELETE FROM sender_key WHERE account = ?1",
            [account.as_bytes()],
        )?;
    }
    tx.execute(
        "UPDATE sender_key_given SET iteration = NULL WHERE account = ?1",
        [account.as_bytes()],
    )?;
    Ok(())
}

/// Somebody could not read what we sent: they are given the key with the next message. That they hold it is not
/// forgotten: were they taken out before that, nobody would replace it.
pub(crate) fn give_again(tx: &Transaction<'_>, conversation: i64, to: AccountId) -> Result<()> {
    tx.execute(
        "UPDATE sender_key_given SET iteration = NULL WHERE conversation = ?1 AND account = ?2",
        (conversation, to.as_bytes()),
    )?;
    Ok(())
}

/// This device is set up anew: every key it held may have been used by another copy of it.
pub(crate) fn forget_all(tx: &Transaction<'_>) -> Result<()> {
    Ok(tx.execute_batch(
        "DELETE FROM own_sender_key; DELETE FROM sender_key_given; DELETE FROM sender_key;
         UPDATE group_outbox SET ciphertext = NULL, envelope_id = randomblob(16);
         UPDATE group_outbox_recipient SET stored = 0;",
    )?)
}

/// Takes a key that somebody gave us over a 1:1 session. A key for a group that is not known yet is kept: the group
/// may be on its way. Says whether it was taken.
pub(crate) fn take(
    tx: &mut Transaction<'_>,
    from: DeviceAddress,
    key: &SenderKey,
    now_ms: u64,
) -> Result<bool> {
    let Ok(message) = SenderKeyDistributionMessage::from_bytes(&key.distribution) else {
        return Ok(false);
    };
    let distribution = message.distribution_id();
    let found = theirs(tx, from, distribution)?;
    let (mut state, mut changed_ms, mut changes) = match found {
        Some(found) if found.group != key.conversation => return Ok(false),
        Some(found) => (found.key, found.changed_ms, found.changes),
        None => (InboundSenderKey::new(distribution), now_ms, 0),
    };
    if now_ms.abs_diff(changed_ms) >= HOUR_MS {
        (changed_ms, changes) = (now_ms, 0);
    }
    if changes >= MAX_CHANGES_AN_HOUR || state.process(&message).is_err() {
        return Ok(false);
    }
    tx.prepare_cached(
        "INSERT OR REPLACE INTO sender_key
             (account, device, distribution, conversation_id, chain, first, state, changed_ms, changes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute((
        from.account.as_bytes(),
        from.device.get(),
        distribution.0.as_bytes(),
        key.conversation.as_bytes(),
        key.chain.0.cast_signed(),
        signed(key.first.get()),
        state.encode().as_slice(),
        signed(changed_ms),
        changes.saturating_add(1),
    ))?;
    tx.ratchets_moved();
    Ok(true)
}

/// Somebody's key of a group.
pub(crate) struct TheirKey {
    pub(crate) group: ConversationId,
    pub(crate) key: InboundSenderKey,
    changed_ms: u64,
    changes: u32,
}

/// The key that a device's messages of a distribution are read with.
pub(crate) fn theirs(
    tx: &Transaction<'_>,
    from: DeviceAddress,
    distribution: DistributionId,
) -> Result<Option<TheirKey>> {
    let mut query = tx.prepare_cached(
        "SELECT conversation_id, state, changed_ms, changes FROM sender_key
         WHERE account = ?1 AND device = ?2 AND distribution = ?3",
    )?;
    let address = (
        from.account.as_bytes(),
        from.device.get(),
        distribution.0.as_bytes(),
    );
    let found = query
        .query_row(address, |row| {
            let group: [u8; 16] = row.get(0)?;
            let state = Zeroizing::new(row.get::<_, Vec<u8>>(1)?);
            Ok((group, state, unsigned(row, 2)?, row.get(3)?))
        })
        .optional()?;
    let Some((group, state, changed_ms, changes)) = found else {
        return Ok(None);
    };
    Ok(Some(TheirKey {
        group: ConversationId::from_slice(&group)
            .ok_or(StoreError::Corrupted("a conversation id"))?,
        key: InboundSenderKey::decode(&state)
            .map_err(|_| StoreError::Corrupted("a sender key does not decode"))?,
        changed_ms,
        changes,
    }))
}

/// Stores it after it moved.
pub(crate) fn save_theirs(
    tx: &mut Transaction<'_>,
    from: DeviceAddress,
    key: &InboundSenderKey,
) -> Result<()> {
    tx.prepare_cached(
        "UPDATE sender_key SET state = ?4 WHERE account = ?1 AND device = ?2 AND distribution = ?3",
    )?
    .execute((
        from.account.as_bytes(),
        from.device.get(),
        key.distribution_id().0.as_bytes(),
        key.encode().as_slice(),
    ))?;
    tx.ratchets_moved();
    Ok(())
}

/// Where a sender's chain in a group begins for us, if they said so.
pub(crate) fn first_of(
    tx: &Transaction<'_>,
    from: DeviceAddress,
    group: ConversationId,
    chain: i64,
) -> Result<Option<u64>> {
    let mut query = tx.prepare_cached(
        "SELECT max(first) FROM sender_key
         WHERE account = ?1 AND device = ?2 AND conversation_id = ?3 AND chain = ?4",
    )?;
    let found: Option<i64> = query.query_row(
        (
            from.account.as_bytes(),
            from.device.get(),
            group.as_bytes(),
            chain,
        ),
        |row| row.get(0),
    )?;
    Ok(found.and_then(|first| u64::try_from(first).ok()))
}
