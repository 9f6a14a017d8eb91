//! Starting a session: PQXDH with a one-time key here, Olm's 3DH without signatures or a KEM there.

use criterion::{BatchSize, Criterion};
use hushpost_protocol::{PqPolicy, Session};
use vodozemac::olm::Account;

use crate::{OURS, VODOZEMAC, olm, ours};

pub fn run(criterion: &mut Criterion) {
    let (alice, bob) = (ours::Party::new(), ours::Party::new());
    let bundle = bob.bundle();
    let olm_alice = Account::new();
    let (olm_bob, one_time) = olm::account();

    let line = "process bundle (PQXDH)";
    criterion
        .benchmark_group(OURS)
        .bench_function(line, |b| b.iter(|| alice.initiate(PqPolicy::Off, &bundle)));
    criterion
        .benchmark_group(VODOZEMAC)
        .bench_function(line, |b| {
            b.iter(|| olm::initiate(&olm_alice, &olm_bob, one_time));
        });

    let line = "first encrypt 100 B";
    let stored = alice.initiate(PqPolicy::Off, &bundle).encode();
    criterion.benchmark_group(OURS).bench_function(line, |b| {
        b.iter_batched_ref(
            || Session::decode(&stored).unwrap(),
            |session| ours::encrypt(session, &[7; 100]),
            BatchSize::SmallInput,
        );
    });
    let pickled = olm::initiate(&olm_alice, &olm_bob, one_time);
    criterion
        .benchmark_group(VODOZEMAC)
        .bench_function(line, |b| {
            b.iter_batched_ref(
                || vodozemac::olm::Session::from_pickle(pickled.pickle()),
                |session| olm::encrypt(session, &[7; 100]),
                BatchSize::SmallInput,
            );
        });

    let line = "first decrypt 100 B (PQXDH)";
    let mut session = Session::decode(&stored).unwrap();
    let first = ours::encrypt(&mut session, &[7; 100]);
    criterion.benchmark_group(OURS).bench_function(line, |b| {
        b.iter(|| bob.receive_first(&mut Session::new(PqPolicy::Off), &first));
    });
    let mut session = olm::initiate(&olm_alice, &olm_bob, one_time);
    let first = olm::encrypt(&mut session, &[7; 100]);
    criterion
        .benchmark_group(VODOZEMAC)
        .bench_function(line, |b| {
            b.iter_batched_ref(
                || Account::from_pickle(olm_bob.pickle()),
                |bob| olm::receive_first(bob, &olm_alice, &first),
                BatchSize::SmallInput,
            );
        });
}
