//! One device's pre-keys: each one-time key is handed out once, and a repeated upload never brings one
//! back.

use std::collections::BTreeMap;

use hushpost_wire::limits::{
    EC_PUBLIC_KEY_LEN, KEM_PUBLIC_KEY_LEN, MAX_PRE_KEYS_IN_STOCK, MAX_PRE_KEYS_PER_UPLOAD,
    PRE_KEYS_LOW, SIGNATURE_LEN,
};
use hushpost_wire::{
    Error, ErrorCode, KemPreKey, OneTimePreKey, PreKeyBundle, PreKeyCounts, SignedPreKey,
    UploadPreKeys,
};

/// One-time keys of one kind.
struct OneTime<K> {
    keys: BTreeMap<u32, K>,
    /// The highest number ever uploaded.
    mark: Option<u32>,
}

impl<K> Default for OneTime<K> {
    fn default() -> Self {
        Self {
            keys: BTreeMap::new(),
            mark: None,
        }
    }
}

impl<K> OneTime<K> {
    fn add(&mut self, uploaded: impl Iterator<Item = (u32, K)>) {
        let uploaded: BTreeMap<u32, K> = uploaded.collect();
        for (id, key) in uploaded {
            if self.count() >= MAX_PRE_KEYS_IN_STOCK {
                break;
            }
            if self.mark.is_none_or(|mark| id > mark) {
                self.mark = Some(id);
                self.keys.insert(id, key);
            }
        }
    }

    fn take(&mut self) -> Option<K> {
        self.keys.pop_first().map(|(_, key)| key)
    }

    fn count(&self) -> u32 {
        u32::try_from(self.keys.len()).unwrap_or(u32::MAX)
    }
}

/// A device's pre-keys.
#[derive(Default)]
pub(super) struct Stock {
    signed: Option<SignedPreKey>,
    last_resort: Option<KemPreKey>,
    curve: OneTime<OneTimePreKey>,
    kem: OneTime<KemPreKey>,
}

impl Stock {
    pub(super) fn upload(&mut self, upload: UploadPreKeys) -> Result<PreKeyCounts, Error> {
        check(&upload)?;
        self.signed = upload.signed_pre_key.or(self.signed.take());
        self.last_resort = upload.last_resort_kem_pre_key.or(self.last_resort.take());
        let curve = upload.one_time_pre_keys.into_iter();
        self.curve.add(curve.map(|key| (key.id, key)));
        let kem = upload.one_time_kem_pre_keys.into_iter();
        self.kem.add(kem.map(|key| (key.id, key)));
        Ok(self.counts())
    }

    pub(super) fn counts(&self) -> PreKeyCounts {
        PreKeyCounts {
            one_time_pre_keys: self.curve.count(),
            one_time_kem_pre_keys: self.kem.count(),
        }
    }

    /// A bundle, and whether taking it brought a stock below the mark at which the owner is told.
    pub(super) fn take(&mut self, device: u32) -> Option<(PreKeyBundle, bool)> {
        let signed = self.signed.clone()?;
        let one_time = self.curve.take();
        let one_time_kem = self.kem.take();
        let took = one_time.is_some() || one_time_kem.is_some();
        let bundle = PreKeyBundle {
            device,
            signed_pre_key: Some(signed),
            one_time_pre_key: one_time,
            kem_pre_key: one_time_kem.or_else(|| self.last_resort.clone()),
        };
        let low = took && self.curve.count().min(self.kem.count()) < PRE_KEYS_LOW;
        Some((bundle, low))
    }
}

fn check(upload: &UploadPreKeys) -> Result<(), Error> {
    let most = MAX_PRE_KEYS_PER_UPLOAD;
    if upload.one_time_pre_keys.len() > most || upload.one_time_kem_pre_keys.len() > most {
        return Err(ErrorCode::TooMany.because("too many one-time pre-keys in one upload"));
    }
    let kem = |key: &KemPreKey| {
        key.public_key.len() == KEM_PUBLIC_KEY_LEN && key.signature.len() == SIGNATURE_LEN
    };
    let good = upload.signed_pre_key.as_ref().is_none_or(|key| {
        key.public_key.len() == EC_PUBLIC_KEY_LEN && key.signature.len() == SIGNATURE_LEN
    }) && upload.last_resort_kem_pre_key.as_ref().is_none_or(kem)
        && upload
            .one_time_pre_keys
            .iter()
            .all(|key| key.public_key.len() == EC_PUBLIC_KEY_LEN)
        && upload.one_time_kem_pre_keys.iter().all(kem);
    if good {
        return Ok(());
    }
    Err(ErrorCode::BadRequest.because("a pre-key or its signature has the wrong length"))
}
