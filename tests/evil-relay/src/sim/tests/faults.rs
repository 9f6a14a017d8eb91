//! The faults: nothing that the relay accepted is lost by them, and the same seed makes the same run.

use std::collections::BTreeSet;
use std::time::Duration;

use hushpost_wire::Acknowledge;
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use tokio::time::{Instant, sleep};

use super::client::{Client, address, identity, message, number_of};
use crate::{FaultPlan, SimOptions, SimRelay};

const MESSAGES: u16 = 60;

/// Sends every message until it was answered, over as many connections as it takes.
async fn sender(relay: SimRelay) {
    let (alice, bob) = (identity(1, 1), identity(2, 1));
    let mut next = 1;
    while next <= MESSAGES {
        let Ok(mut client) = Client::registered(&relay, &alice).await else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        while next <= MESSAGES {
            match client.send(message(next, &[&bob])).await {
                Ok(sent) if sent.stored == 1 => next += 1,
                // Bob is not registered yet, the relay was busy, or the connection ended.
                _ => {
                    sleep(Duration::from_millis(100)).await;
                    break;
                }
            }
        }
    }
}

/// Receives until it has everything: `(when, sequence, message)` of each delivery, repeats among them.
async fn receiver(relay: SimRelay) -> Vec<(Duration, u64, u16)> {
    let bob = identity(2, 1);
    let began = Instant::now();
    let mut trace = Vec::new();
    let mut stored = 0;
    let mut got = BTreeSet::new();
    while got.len() < usize::from(MESSAGES) {
        let Ok(mut client) = Client::registered(&relay, &bob).await else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let receive = hushpost_wire::Receive {
            after_sequence: stored,
        };
        if !matches!(
            client.ask(Request::Receive(receive)).await,
            Ok(Body::Acknowledged(_))
        ) {
            continue;
        }
        while let Ok(deliveries) = client.next_deliveries().await {
            for delivery in deliveries {
                trace.push((began.elapsed(), delivery.sequence, number_of(&delivery)));
                got.insert(number_of(&delivery));
                stored = stored.max(delivery.sequence);
            }
            let acknowledge = Acknowledge {
                through_sequence: stored,
            };
            let answered = client.ask(Request::Acknowledge(acknowledge)).await;
            if answered.is_err() || got.len() == usize::from(MESSAGES) {
                break;
            }
        }
    }
    trace
}

async fn run(seed: u64) -> Vec<(Duration, u64, u16)> {
    let relay = SimRelay::new(SimOptions {
        seed,
        ..SimOptions::default()
    });
    relay.set_faults(FaultPlan::rough());
    let (received, ()) = tokio::join!(receiver(relay.clone()), sender(relay.clone()));
    assert_eq!(relay.accepted().len(), usize::from(MESSAGES));
    received
}

#[tokio::test(start_paused = true)]
async fn whatever_the_dice_say_nothing_accepted_is_lost() {
    let mut repeats = 0;
    for seed in 0..20 {
        let trace = run(seed).await;
        // One place in the mailbox for each message, however often it was sent and delivered.
        let places: BTreeSet<_> = trace
            .iter()
            .map(|(_, place, number)| (place, number))
            .collect();
        assert_eq!(places.len(), usize::from(MESSAGES), "seed {seed}");
        repeats += trace.len() - usize::from(MESSAGES);
    }
    assert!(repeats > 100, "faults struck: {repeats}");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_makes_the_same_run() {
    let first = run(4).await;
    assert_eq!(first, run(4).await);
    assert_ne!(first, run(5).await);
}

#[tokio::test(start_paused = true)]
async fn frames_take_their_time_and_the_clock_may_be_wrong() {
    let relay = SimRelay::new(SimOptions::default());
    relay.set_faults(FaultPlan {
        latency_ms: 300..=300,
        ..FaultPlan::none()
    });
    relay.set_clock_offset_ms(-86_400_000);
    let began = Instant::now();
    let alice = identity(1, 1);
    let client = Client::registered(&relay, &alice).await.unwrap();
    // The welcome, the request, the answer.
    assert_eq!(began.elapsed().as_millis(), 900);
    assert_eq!(client.welcome.time_ms, 1_764_000_000_000 - 86_400_000);
    assert!(relay.is_connected(address(&alice, 1)));

    relay.go_down();
    relay
        .until("nobody is connected", Duration::from_secs(1), |relay| {
            relay.connections() == 0
        })
        .await
        .unwrap();
    assert!(Client::connect(&relay).await.is_err());
    relay.come_up();
    assert!(Client::connect(&relay).await.is_ok());
}
