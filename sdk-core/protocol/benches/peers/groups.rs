//! Sender keys here, Megolm there.

use criterion::{BatchSize, Criterion};
use hushpost_protocol::{DistributionId, InboundSenderKey, OutboundSenderKey, SenderKeyMessage};
use uuid::Uuid;
use vodozemac::megolm::{GroupSession, InboundGroupSession, MegolmMessage, SessionConfig};

use crate::{OURS, VODOZEMAC};

pub fn run(criterion: &mut Criterion) {
    let rng = &mut rand::rng();
    let id = DistributionId(Uuid::from_u128(7));
    let mut sender = OutboundSenderKey::generate(id, rng).unwrap();
    let mut olm_sender = GroupSession::new(SessionConfig::version_1());

    let line = "group encrypt 100 B";
    criterion.benchmark_group(OURS).bench_function(line, |b| {
        b.iter(|| sender.encrypt(&[7; 100], rng).unwrap().into_bytes());
    });
    criterion
        .benchmark_group(VODOZEMAC)
        .bench_function(line, |b| b.iter(|| olm_sender.encrypt([7; 100]).to_bytes()));

    let mut member = InboundSenderKey::new(id);
    member.process(&sender.distribution_message()).unwrap();
    let mut olm_member =
        InboundGroupSession::new(&olm_sender.session_key(), SessionConfig::version_1());
    let line = "group decrypt 100 B";
    criterion.benchmark_group(OURS).bench_function(line, |b| {
        b.iter_batched(
            || sender.encrypt(&[7; 100], rng).unwrap().into_bytes(),
            |bytes| {
                let message = SenderKeyMessage::from_bytes(&bytes).unwrap();
                member.decrypt(&message).unwrap()
            },
            BatchSize::SmallInput,
        );
    });
    criterion
        .benchmark_group(VODOZEMAC)
        .bench_function(line, |b| {
            b.iter_batched(
                || olm_sender.encrypt([7; 100]).to_bytes(),
                |bytes| {
                    let message = MegolmMessage::from_bytes(&bytes).unwrap();
                    olm_member.decrypt(&message).unwrap().plaintext
                },
                BatchSize::SmallInput,
            );
        });
}
