//! Sealed sender, which vodozemac has nothing like: held against the official library's figures.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use criterion::Criterion;
use hushpost_protocol::sealed_sender::{
    self, ContentHint, Recipient, RecipientDevice, SenderCertificate, SenderCertificateFields,
    ServerCertificate, UnidentifiedSenderMessageContent,
};
use hushpost_protocol::{
    DeviceId, IdentityKeyPair, MessageType, ProtocolAddress, RegistrationId, ServiceId,
    SigningKeyPair, Timestamp,
};
use uuid::Uuid;

use crate::OURS;

const RECIPIENTS: u128 = 1_000;

pub fn run(criterion: &mut Criterion) {
    let rng = &mut rand::rng();
    let alice = IdentityKeyPair::generate(rng).unwrap();
    let bob = IdentityKeyPair::generate(rng).unwrap();
    let content = content(&alice);
    let sealed = sealed_sender::seal(&content, &alice, bob.public_key(), rng).unwrap();

    let mut group = criterion.benchmark_group(OURS);
    group.bench_function("sealed sender: seal", |b| {
        b.iter(|| sealed_sender::seal(&content, &alice, bob.public_key(), rng).unwrap());
    });
    group.bench_function("sealed sender: open", |b| {
        b.iter(|| sealed_sender::open(&sealed, &bob).unwrap());
    });

    let recipients: Vec<_> = (0..RECIPIENTS)
        .map(|number| Recipient {
            service_id: ServiceId::account(Uuid::from_u128(number)),
            identity_key: *IdentityKeyPair::generate(rng).unwrap().public_key(),
            devices: vec![RecipientDevice {
                device_id: DeviceId::PRIMARY,
                registration_id: RegistrationId(1),
            }],
        })
        .collect();
    let all = available_parallelism().unwrap_or(NonZeroUsize::MIN);
    group.sample_size(10);
    for (line, threads) in [
        ("sealed sender: to 1,000, one thread", NonZeroUsize::MIN),
        ("sealed sender: to 1,000, all cores", all),
    ] {
        group.bench_function(line, |b| {
            b.iter(|| {
                sealed_sender::seal_multi_recipient(
                    &content,
                    &alice,
                    &recipients,
                    &[],
                    threads,
                    rng,
                )
                .unwrap()
            });
        });
    }
}

fn content(sender: &IdentityKeyPair) -> UnidentifiedSenderMessageContent {
    let rng = &mut rand::rng();
    let root = SigningKeyPair::generate(rng).unwrap();
    let server_key = SigningKeyPair::generate(rng).unwrap();
    let server = ServerCertificate::issue(1, server_key.public_key(), &root, rng).unwrap();
    let fields = SenderCertificateFields {
        sender: ProtocolAddress::new(ServiceId::account(Uuid::from_u128(1)), DeviceId::PRIMARY),
        phone_number: None,
        identity_key: *sender.public_key(),
        expires: Timestamp(u64::MAX),
    };
    let certificate = SenderCertificate::issue(fields, &server, &server_key, rng).unwrap();
    UnidentifiedSenderMessageContent::new(
        MessageType::Signal,
        certificate,
        vec![7; 178],
        ContentHint::Default,
        None,
    )
}
