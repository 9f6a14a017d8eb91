//! Established sessions: one-way, ping-pong, skipping, and what a caller pays to persist.

use criterion::{BatchSize, Criterion};
use hushpost_protocol::{PqPolicy, Session};
use vodozemac::olm::Session as OlmSession;

use crate::{OURS, VODOZEMAC, olm, ours};

const SKIPPED: usize = 2_000;

pub fn run(criterion: &mut Criterion) {
    for (policy, ratchet) in [
        (PqPolicy::Off, "same chain"),
        (PqPolicy::Required, "triple ratchet"),
    ] {
        for (length, label) in [(100, "100 B"), (10_240, "10 KB")] {
            encrypt(
                criterion,
                policy,
                length,
                &format!("encrypt {label}, {ratchet}"),
            );
            decrypt(
                criterion,
                policy,
                length,
                &format!("decrypt {label}, {ratchet}"),
            );
        }
    }
    ping_pong(criterion, PqPolicy::Off, "ping-pong, 2 messages of 100 B");
    ping_pong(criterion, PqPolicy::Required, "ping-pong, triple ratchet");
    skip(criterion);
    persist(criterion);
}

fn encrypt(criterion: &mut Criterion, policy: PqPolicy, length: usize, line: &str) {
    let plaintext = vec![7; length];
    let mut pair = ours::Pair::established(policy);
    criterion.benchmark_group(OURS).bench_function(line, |b| {
        b.iter(|| ours::encrypt(&mut pair.alice, &plaintext));
    });
    let mut pair = olm::Pair::established();
    criterion
        .benchmark_group(VODOZEMAC)
        .bench_function(line, |b| {
            b.iter(|| olm::encrypt(&mut pair.alice, &plaintext));
        });
}

fn decrypt(criterion: &mut Criterion, policy: PqPolicy, length: usize, line: &str) {
    let plaintext = vec![7; length];
    let ours::Pair { mut alice, mut bob } = ours::Pair::established(policy);
    criterion.benchmark_group(OURS).bench_function(line, |b| {
        b.iter_batched(
            || ours::encrypt(&mut alice, &plaintext),
            |message| ours::decrypt(&mut bob, &message),
            BatchSize::SmallInput,
        );
    });
    let olm::Pair { mut alice, mut bob } = olm::Pair::established();
    criterion
        .benchmark_group(VODOZEMAC)
        .bench_function(line, |b| {
            b.iter_batched(
                || olm::encrypt(&mut alice, &plaintext),
                |message| olm::decrypt(&mut bob, &message),
                BatchSize::SmallInput,
            );
        });
}

/// Two messages, each encrypted after and decrypted with a DH ratchet step.
fn ping_pong(criterion: &mut Criterion, policy: PqPolicy, line: &str) {
    let mut pair = ours::Pair::established(policy);
    criterion
        .benchmark_group(OURS)
        .bench_function(line, |b| b.iter(|| pair.turn()));
    let mut pair = olm::Pair::established();
    criterion
        .benchmark_group(VODOZEMAC)
        .bench_function(line, |b| b.iter(|| pair.turn()));
}

fn skip(criterion: &mut Criterion) {
    let line = "skip 2,000 messages";
    let ours::Pair { mut alice, bob } = ours::Pair::established(PqPolicy::Off);
    let before = bob.encode();
    for _ in 0..SKIPPED {
        ours::encrypt(&mut alice, b"lost");
    }
    let message = ours::encrypt(&mut alice, b"arrives");
    criterion.benchmark_group(OURS).bench_function(line, |b| {
        b.iter_batched_ref(
            || Session::decode(&before).unwrap(),
            |bob| ours::decrypt(bob, &message),
            BatchSize::SmallInput,
        );
    });
    let olm::Pair { mut alice, bob } = olm::Pair::established();
    for _ in 0..SKIPPED {
        olm::encrypt(&mut alice, b"lost");
    }
    let message = olm::encrypt(&mut alice, b"arrives");
    criterion
        .benchmark_group(VODOZEMAC)
        .bench_function(line, |b| {
            b.iter_batched_ref(
                || OlmSession::from_pickle(bob.pickle()),
                |bob| olm::decrypt(bob, &message),
                BatchSize::SmallInput,
            );
        });
}

/// A caller stores the session after every message, so these are what a message really costs.
fn persist(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(OURS);
    let ours::Pair { alice, .. } = ours::Pair::established(PqPolicy::Off);
    let plaintext = [7; 100];

    group.bench_function("encode state", |b| b.iter(|| alice.encode()));
    let stored = alice.encode();
    group.bench_function("decode state", |b| {
        b.iter(|| Session::decode(&stored).unwrap());
    });
    let mut stored = alice.encode();
    group.bench_function("decode + encrypt 100 B + encode", |b| {
        b.iter(|| {
            let mut session = Session::decode(&stored).unwrap();
            let message = ours::encrypt(&mut session, &plaintext);
            stored = session.encode();
            message
        });
    });
    let ours::Pair { mut alice, bob } = ours::Pair::established(PqPolicy::Off);
    let mut stored = bob.encode();
    group.bench_function("decode + decrypt 100 B + encode", |b| {
        b.iter_batched(
            || ours::encrypt(&mut alice, &plaintext),
            |message| {
                let mut session = Session::decode(&stored).unwrap();
                let plaintext = ours::decrypt(&mut session, &message);
                stored = session.encode();
                plaintext
            },
            BatchSize::SmallInput,
        );
    });
}
