//! The keys of this device, read inside the transaction that uses them.

use ed25519_dalek::SigningKey;
use hushpost_protocol::{
    IdentityKeyPair, LocalParty, ProtocolAddress, RegistrationId, ReplayGuard, ServiceId,
};
use hushpost_wire::limits::{DELIVERY_TOKEN_LEN, MAX_REGISTRATION_ID};
use hushpost_wire::{
    AccountId, DeviceAddress, DeviceEntry, DeviceId, SignedDeviceList, device_list,
};
use rusqlite::{Connection, OptionalExtension as _, Row, named_params};
use zeroize::Zeroizing;

use crate::Error;
use crate::clock::{HybridClock, Stamp};
use crate::content::{Body, ChainId, ConversationId, ResendRequest, Sequence, SequenceRange};
use crate::group::sender_keys;
use crate::outbox::renumber;
use crate::outbox::rows::{self as outbox, NewRow};
use crate::random::Randomness;
use crate::store::columns::{account, bits, checked, device, signed, unsigned};
use crate::store::{StoreError, Transaction};

/// Messages of one sender that are asked for after the database went back in time.
const MOST_LOST: u64 = 10_000;

/// An Ed25519 key as it is stored: the key pair is derived where it is needed, and not with every look at the
/// device.
pub(crate) struct Seed(Zeroizing<[u8; 32]>);

impl Seed {
    pub(crate) fn signing_key(&self) -> SigningKey {
        SigningKey::from_bytes(&self.0)
    }
}

/// This device, as stored.
pub(crate) struct LocalDevice {
    account: AccountId,
    pub(crate) account_key: Seed,
    pub(crate) device: DeviceId,
    pub(crate) identity: IdentityKeyPair,
    pub(crate) authentication_key: Seed,
    pub(crate) registration_id: RegistrationId,
    pub(crate) chain: ChainId,
    pub(crate) device_list: SignedDeviceList,
    pub(crate) device_list_version: u32,
    /// The relay of `storage_epoch` knows the list above.
    pub(crate) registered: bool,
    pub(crate) storage_epoch: Option<Vec<u8>>,
    /// Mailbox position: all up to here is stored durably.
    pub(crate) received_through: u64,
    pub(crate) clock: HybridClock,
    /// What contacts show to the relay, so that strangers cannot keep them from writing.
    pub(crate) delivery_token: [u8; DELIVERY_TOKEN_LEN],
}

impl LocalDevice {
    /// Reads it; `None` before an account was made.
    pub(crate) fn find(db: &Connection) -> Result<Option<Self>, Error> {
        let mut query = db.prepare_cached(
            "SELECT account_key, device, identity_key, authentication_key, registration_id, chain,
                    device_list, device_list_signature, device_list_version, registered,
                    storage_epoch, received_through, clock_last, clock_offset, delivery_token, account
             FROM local_device",
        )?;
        Ok(query.query_row([], Self::read).optional()?)
    }

    /// Reads it.
    pub(crate) fn load(db: &Connection) -> Result<Self, Error> {
        Self::find(db)?.ok_or(Error::NotRegistered)
    }

    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        let seed =
            |index| -> Result<Seed, rusqlite::Error> { Ok(Seed(Zeroizing::new(row.get(index)?))) };
        let identity = Zeroizing::new(row.get::<_, Vec<u8>>(2)?);
        Ok(Self {
            account: account(row, 15)?,
            account_key: seed(0)?,
            device: device(row, 1)?,
            identity: checked(2, || IdentityKeyPair::decode(&identity))?,
            authentication_key: seed(3)?,
            registration_id: RegistrationId(row.get(4)?),
            chain: ChainId(bits(row, 5)?),
            device_list: SignedDeviceList {
                device_list: row.get::<_, Vec<u8>>(6)?.into(),
                signature: row.get::<_, Vec<u8>>(7)?.into(),
            },
            device_list_version: row.get(8)?,
            registered: row.get(9)?,
            storage_epoch: row.get(10)?,
            received_through: unsigned(row, 11)?,
            clock: HybridClock {
                last: Stamp::from_bits(unsigned(row, 12)?),
                offset_ms: row.get(13)?,
            },
            delivery_token: row.get(14)?,
        })
    }

    /// Makes an account with this as its primary and only device, unless there is one already.
    pub(crate) fn create(
        tx: &Transaction<'_>,
        now_ms: u64,
        rng: &mut Randomness,
    ) -> Result<Self, Error> {
        if let Some(existing) = Self::find(tx)? {
            return Ok(existing);
        }
        let account_key = SigningKey::from_bytes(&Zeroizing::new(rng.array()?));
        let device = DeviceId::PRIMARY;
        let keys = DeviceKeys::generate(rng)?;
        let list = keys.sign_list(&account_key, device, 1, now_ms);
        tx.execute(
            "INSERT INTO local_device (one, account, account_key, device, identity_key, authentication_key,
                 registration_id, chain, device_list, device_list_signature, device_list_version,
                 delivery_token, replay_guard)
             VALUES (1, :account, :account_key, :device, :identity_key, :authentication_key,
                 :registration_id, :chain, :list, :signature, 1, :delivery_token, :replay_guard)",
            named_params! {
                ":account": AccountId::of_key(account_key.verifying_key().as_bytes()).as_bytes(),
                ":account_key": account_key.as_bytes(),
                ":device": device.get(),
                ":identity_key": keys.identity.encode().as_slice(),
                ":authentication_key": keys.authentication_key.as_bytes(),
                ":registration_id": keys.registration_id.0,
                ":chain": keys.chain.0.cast_signed(),
                ":list": list.device_list.as_ref(),
                ":signature": list.signature.as_ref(),
                ":delivery_token": rng.array::<DELIVERY_TOKEN_LEN>()?,
                ":replay_guard": ReplayGuard::new().encode().as_slice(),
            },
        )?;
        Self::load(tx)
    }

    /// Sets the device up anew after its database went back in time: every key that may have been used
    /// beyond what this database knows is replaced, and the list says so. `version` is above all that the
    /// relay or a peer may have seen.
    pub(crate) fn set_up_anew(
        &self,
        tx: &Transaction<'_>,
        version: u32,
        now_ms: u64,
        rng: &mut Randomness,
    ) -> Result<(), Error> {
        let keys = DeviceKeys::generate(rng)?;
        let list = keys.sign_list(
            &self.account_key.signing_key(),
            self.device,
            version,
            now_ms,
        );
        tx.execute(
            "UPDATE local_device SET identity_key = :identity_key,
                 authentication_key = :authentication_key, registration_id = :registration_id,
                 chain = :chain, device_list = :list, device_list_signature = :signature,
                 device_list_version = :version, registered = 0, received_through = 0",
            named_params! {
                ":identity_key": keys.identity.encode().as_slice(),
                ":authentication_key": keys.authentication_key.as_bytes(),
                ":registration_id": keys.registration_id.0,
                ":chain": keys.chain.0.cast_signed(),
                ":list": list.device_list.as_ref(),
                ":signature": list.signature.as_ref(),
                ":version": version,
            },
        )?;
        // A pre-key signed by the old identity is worth nothing now.
        tx.execute_batch(
            "DELETE FROM session; DELETE FROM pre_key;
             UPDATE conversation SET next_sequence = 1;
             DELETE FROM outbox_device; UPDATE outbox SET state = 0, envelope_id = randomblob(16);",
        )?;
        sender_keys::forget_all(tx)?;
        renumber::move_to(tx, keys.chain)?;
        self.ask_for_what_was_lost(tx, now_ms, rng)
    }

    /// Whoever wrote to us may have written more than this database knows of.
    fn ask_for_what_was_lost(
        &self,
        tx: &Transaction<'_>,
        now_ms: u64,
        rng: &Randomness,
    ) -> Result<(), Error> {
        let mut query = tx.prepare(
            "SELECT s.sender, s.device, s.chain, s.shown_through, c.conversation_id
                 FROM sender_chain s JOIN conversation c ON c.id = s.conversation",
        )?;
        let chains = query.query_map([], |row| {
            let first = unsigned(row, 3)?.saturating_add(1);
            let last = first.saturating_add(MOST_LOST);
            let range = SequenceRange {
                device: device(row, 1)?,
                chain: ChainId(bits(row, 2)?),
                first: checked(3, || Sequence::new(first))?,
                last: checked(3, || Sequence::new(last))?,
            };
            let conversation: [u8; 16] = row.get(4)?;
            let conversation = checked(4, || {
                ConversationId::from_slice(&conversation)
                    .ok_or(StoreError::Corrupted("a conversation id"))
            })?;
            Ok((account(row, 0)?, range, conversation))
        })?;
        for chain in chains {
            let (sender, range, conversation) = chain?;
            let body = Body::ResendRequest(ResendRequest {
                conversation,
                ranges: vec![range],
                envelopes: Vec::new(),
            });
            let row = NewRow {
                recipient: sender,
                message: None,
                only_device: Some(range.device),
                replaces: &[],
                body: &body.encode()?,
            };
            outbox::insert(tx, &row, now_ms, rng)?;
        }
        Ok(())
    }

    pub(crate) const fn account(&self) -> AccountId {
        self.account
    }

    pub(crate) const fn address(&self) -> DeviceAddress {
        DeviceAddress {
            account: self.account,
            device: self.device,
        }
    }

    pub(crate) const fn party(&self) -> LocalParty<'_> {
        LocalParty {
            identity: &self.identity,
            registration_id: self.registration_id,
        }
    }

    /// Stores the clock after it ticked or learned.
    pub(crate) fn save_clock(tx: &Transaction<'_>, clock: &HybridClock) -> Result<(), Error> {
        tx.prepare_cached("UPDATE local_device SET clock_last = ?1, clock_offset = ?2")?
            .execute((signed(clock.last.to_bits()), clock.offset_ms))?;
        Ok(())
    }

    /// Stores the mailbox position.
    pub(crate) fn save_position(tx: &Transaction<'_>, received_through: u64) -> Result<(), Error> {
        tx.prepare_cached("UPDATE local_device SET received_through = ?1")?
            .execute([signed(received_through)])?;
        Ok(())
    }
}

/// A device's place in a session, for the protocol.
pub(crate) fn protocol_address(address: DeviceAddress) -> Result<ProtocolAddress, Error> {
    Ok(ProtocolAddress::new(
        ServiceId::account(address.account.uuid()),
        hushpost_protocol::DeviceId::new(address.device.into())?,
    ))
}

/// What is made anew with every set-up.
struct DeviceKeys {
    identity: IdentityKeyPair,
    authentication_key: SigningKey,
    registration_id: RegistrationId,
    chain: ChainId,
}

impl DeviceKeys {
    fn generate(rng: &mut Randomness) -> Result<Self, Error> {
        let number = u32::from_le_bytes(rng.array()?) & MAX_REGISTRATION_ID;
        Ok(Self {
            identity: IdentityKeyPair::generate(rng)?,
            authentication_key: SigningKey::from_bytes(&Zeroizing::new(rng.array()?)),
            registration_id: RegistrationId(number.max(1)),
            chain: ChainId(u64::from_le_bytes(rng.array()?)),
        })
    }

    fn sign_list(
        &self,
        account_key: &SigningKey,
        device: DeviceId,
        version: u32,
        now_ms: u64,
    ) -> SignedDeviceList {
        let entry = DeviceEntry {
            device: device.into(),
            identity_key: self.identity.public_key().to_bytes().to_vec().into(),
            authentication_key: self
                .authentication_key
                .verifying_key()
                .to_bytes()
                .to_vec()
                .into(),
            registration_id: self.registration_id.0,
        };
        device_list::sign(account_key, version, now_ms, vec![entry])
    }
}

/// Reads the memory of first messages.
pub(crate) fn replay_guard(db: &Connection) -> Result<ReplayGuard, Error> {
    let bytes: Vec<u8> = db.query_row("SELECT replay_guard FROM local_device", [], |row| {
        row.get(0)
    })?;
    ReplayGuard::decode(&bytes)
        .map_err(|_| StoreError::Corrupted("the replay guard does not decode").into())
}

/// Stores the memory of first messages.
pub(crate) fn save_replay_guard(tx: &Transaction<'_>, guard: &ReplayGuard) -> Result<(), Error> {
    tx.execute(
        "UPDATE local_device SET replay_guard = ?1",
        [guard.encode().as_slice()],
    )?;
    Ok(())
}
