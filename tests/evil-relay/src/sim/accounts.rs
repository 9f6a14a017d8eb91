//! Accounts: proofs, device lists, names, delivery tokens.

use std::collections::BTreeMap;

use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    AccountDevice, AccountId, Authenticate, Authenticated, CloseReason, DeviceAddress, DeviceId,
    Error, ErrorCode, PROTOCOL_VERSION, Register, SignedDeviceList, VerifiedDeviceList, challenge,
};
use sha2::{Digest as _, Sha256};

use super::mailbox::Mailbox;
use super::model::Model;
use super::session::Identity;
use super::stock::Stock;

/// An account.
pub(super) struct Account {
    pub(super) signed: SignedDeviceList,
    pub(super) list: VerifiedDeviceList,
    pub(super) token_hash: Option<[u8; 32]>,
    pub(super) devices: BTreeMap<DeviceId, Device>,
}

/// A device of a list, and what the relay holds for it.
pub(super) struct Device {
    pub(super) entry: AccountDevice,
    pub(super) stock: Stock,
    pub(super) mailbox: Mailbox,
}

impl Account {
    pub(super) fn takes_token(&self, token: &[u8]) -> bool {
        let shown: [u8; 32] = Sha256::digest(token).into();
        self.token_hash == Some(shown)
    }
}

fn not_proven() -> Error {
    ErrorCode::AuthenticationFailed.because("unknown account or device, or a wrong signature")
}

pub(super) fn check_version(version: u32) -> Result<(), Error> {
    if version == PROTOCOL_VERSION {
        return Ok(());
    }
    Err(ErrorCode::UnsupportedVersion.because("this relay speaks version 1"))
}

fn address(proof: &Authenticate) -> Result<DeviceAddress, Error> {
    let malformed = |_| ErrorCode::BadRequest.because("not an account id and a device number");
    Ok(DeviceAddress {
        account: AccountId::from_slice(&proof.account).map_err(malformed)?,
        device: DeviceId::new(proof.device).map_err(malformed)?,
    })
}

impl Model {
    pub(super) fn authenticate(
        &mut self,
        session: u64,
        proof: &Authenticate,
    ) -> Result<Body, Error> {
        check_version(proof.version)?;
        let address = address(proof)?;
        let device = self.device(address).ok_or_else(not_proven)?;
        let key = device.entry.authentication_key;
        self.verify(session, address, &key, &proof.signature)?;
        self.attach(session, address)
    }

    pub(super) fn register(&mut self, session: u64, request: &Register) -> Result<Body, Error> {
        let missing = || ErrorCode::BadRequest.because("device and device_list are needed");
        let proof = request.device.as_ref().ok_or_else(missing)?;
        let signed = request.device_list.as_ref().ok_or_else(missing)?;
        check_version(proof.version)?;
        let address = address(proof)?;
        let list = self.checked(address.account, signed)?;
        let device = list.device(address.device).ok_or_else(not_proven)?;
        self.verify(
            session,
            address,
            &device.authentication_key,
            &proof.signature,
        )?;
        self.store_list(list, signed)?;
        self.attach(session, address)
    }

    pub(super) fn put_list(
        &mut self,
        account: AccountId,
        signed: Option<&SignedDeviceList>,
    ) -> Result<(), Error> {
        let signed = signed.ok_or_else(|| ErrorCode::BadRequest.because("no device list"))?;
        let list = self.checked(account, signed)?;
        self.store_list(list, signed)
    }

    fn checked(
        &self,
        account: AccountId,
        signed: &SignedDeviceList,
    ) -> Result<VerifiedDeviceList, Error> {
        let list = VerifiedDeviceList::verify(signed)
            .map_err(|error| ErrorCode::DeviceListInvalid.because(error.to_string()))?;
        if list.account() != account {
            return Err(ErrorCode::DeviceListInvalid.because("another account's list"));
        }
        if list.devices().len() > self.options.devices {
            return Err(ErrorCode::TooManyDevices.because("too many devices"));
        }
        Ok(list)
    }

    fn verify(
        &self,
        session: u64,
        address: DeviceAddress,
        key: &[u8; 32],
        signature: &[u8],
    ) -> Result<(), Error> {
        let nonce = self.sessions.get(&session).map(|session| session.nonce);
        let name = &self.options.name;
        let proven =
            nonce.is_some_and(|nonce| challenge::verify(name, &nonce, address, key, signature));
        proven.then_some(()).ok_or_else(not_proven)
    }

    /// From here on the connection speaks for the device; an older one is told.
    fn attach(&mut self, session: u64, address: DeviceAddress) -> Result<Body, Error> {
        if let Some(older) = self.session_of(address) {
            older.close(CloseReason::Replaced);
        }
        if let Some(session) = self.sessions.get_mut(&session) {
            session.identity = Identity::Device(address);
        }
        let account = self.accounts.get(&address.account);
        let version = account.map_or(0, |account| account.list.version());
        let device = self.device(address).ok_or_else(not_proven)?;
        Ok(Body::Authenticated(Authenticated {
            device_list_version: version,
            last_sequence: device.mailbox.last,
            pre_keys: Some(device.stock.counts()),
        }))
    }

    /// Makes the devices what the list says; those that are gone or set up anew lose everything.
    fn store_list(
        &mut self,
        list: VerifiedDeviceList,
        signed: &SignedDeviceList,
    ) -> Result<(), Error> {
        let account = list.account();
        let mut before = BTreeMap::new();
        let mut token_hash = None;
        if let Some(known) = self.accounts.get_mut(&account) {
            if known.list.version() == list.version()
                && known.signed.device_list == signed.device_list
            {
                return Ok(());
            }
            if known.list.version() >= list.version() {
                return Err(ErrorCode::DeviceListStale.because("the relay holds a newer list"));
            }
            before = core::mem::take(&mut known.devices);
            token_hash = known.token_hash;
        }
        let mut devices = BTreeMap::new();
        let mut ended = Vec::new();
        for entry in list.devices() {
            let mut device = Device {
                entry: *entry,
                stock: Stock::default(),
                mailbox: Mailbox::default(),
            };
            if let Some(known) = before.remove(&entry.device) {
                let same = known.entry.identity_key == entry.identity_key
                    && known.entry.registration_id == entry.registration_id;
                if known.entry.authentication_key != entry.authentication_key || !same {
                    ended.push(entry.device);
                }
                if same {
                    device.stock = known.stock;
                    device.mailbox = known.mailbox;
                } else {
                    self.forget_seen(account, entry.device);
                }
            }
            devices.insert(entry.device, device);
        }
        for gone in before.into_keys() {
            self.forget_seen(account, gone);
            ended.push(gone);
        }
        self.accounts.insert(
            account,
            Account {
                signed: signed.clone(),
                list,
                token_hash,
                devices,
            },
        );
        for device in ended {
            if let Some(session) = self.session_of(DeviceAddress { account, device }) {
                session.close(CloseReason::DeviceRemoved);
            }
        }
        Ok(())
    }

    fn forget_seen(&mut self, account: AccountId, device: DeviceId) {
        let gone = DeviceAddress { account, device };
        self.seen.retain(|(_, _, device), _| *device != gone);
    }

    pub(super) fn set_user_name(&mut self, account: AccountId, name: &str) -> Result<(), Error> {
        if !(name.is_empty() || is_user_name(name)) {
            return Err(ErrorCode::NameInvalid.because("not a user name"));
        }
        if self.names.get(name).is_some_and(|owner| *owner != account) {
            return Err(ErrorCode::NameTaken.because("this name is taken"));
        }
        self.names.retain(|_, owner| *owner != account);
        if !name.is_empty() {
            self.names.insert(name.to_owned(), account);
        }
        Ok(())
    }

    pub(super) fn delete_account(&mut self, account: AccountId) {
        let removed = self.accounts.remove(&account);
        self.names.retain(|_, owner| *owner != account);
        for device in removed
            .into_iter()
            .flat_map(|gone| gone.devices.into_keys())
        {
            self.forget_seen(account, device);
            if let Some(session) = self.session_of(DeviceAddress { account, device }) {
                session.close(CloseReason::AccountDeleted);
            }
        }
    }
}

fn is_user_name(name: &str) -> bool {
    (3..=32).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.'))
}
