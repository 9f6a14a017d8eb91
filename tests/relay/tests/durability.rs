//! What "sent" and "acknowledged" mean when the process is killed, told to stop, or has no disk left.
//!
//! A ledger on the clients' side knows what the relay promised: messages answered as sent, and
//! acknowledgements that were answered. Whatever happens to the process, no promised message may be missing,
//! none may come out of order, and none twice to a device whose acknowledgement was answered.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    missing_docs
)]

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hushpost_harness::{
    Client, HarnessError, Identity, LIMITERS_OFF, RelayOptions, RelayProcess, SmallDisk,
};
use hushpost_relay_tests::{Person, message, random_id, sent};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{Acknowledge, ErrorCode, Receive, Recipient};
use tokio::sync::watch;

type Result<T = (), E = HarnessError> = core::result::Result<T, E>;

const SENDERS: usize = 20;
const KILLS: usize = 20;
/// Of one sender; all together send 500 a second.
const INTERVAL: Duration = Duration::from_millis(1000 * SENDERS as u64 / 500);

/// What the relay promised about one sender's messages to one recipient.
#[derive(Default)]
struct Ledger {
    /// Numbers of messages answered as sent.
    promised: Vec<u32>,
    /// Numbers received, in order of arrival, repeats included.
    received: Vec<u32>,
    /// Sequence number of each.
    sequences: BTreeMap<u64, u32>,
    /// The highest sequence number whose acknowledgement was answered.
    acknowledged: u64,
}

type Shared = Arc<Mutex<Ledger>>;

/// A client that was cut off tries again until there is a relay.
async fn connect(relay: SocketAddr, identity: &Identity) -> Client {
    loop {
        if let Ok((client, _)) = Client::connect_as(relay, identity, 1).await {
            return client;
        }
        tokio::task::yield_now().await;
    }
}

/// Sends numbered messages at a pace, each with one id until it is answered, until told to stop.
async fn keep_sending(
    relay: SocketAddr,
    identity: Identity,
    to: Recipient,
    ledger: Shared,
    answered: watch::Sender<usize>,
    stop: watch::Receiver<bool>,
) -> Result {
    let mut client = connect(relay, &identity).await;
    let mut pace = tokio::time::interval(INTERVAL);
    for number in 0u32.. {
        if *stop.borrow() {
            break;
        }
        pace.tick().await;
        let id = random_id()?;
        let mut to = to.clone();
        for device in &mut to.devices {
            device.ciphertext = [&number.to_be_bytes()[..], &[0; 252]].concat().into();
        }
        loop {
            let request = Request::Send(message(id, vec![to.clone()]));
            match client.request(request).await {
                Ok(body) => {
                    assert_eq!(sent(body)?.stored, 1);
                    ledger.lock().unwrap().promised.push(number);
                    answered.send_modify(|count| *count += 1);
                    break;
                }
                Err(HarnessError::Refused(error)) if error.retryable => {}
                Err(_) => client = connect(relay, &identity).await,
            }
        }
    }
    Ok(())
}

/// Receives and acknowledges until everything promised has come and nobody sends any more.
async fn keep_receiving(
    relay: SocketAddr,
    identity: Identity,
    ledger: Shared,
    stopped: watch::Receiver<bool>,
) -> Result {
    loop {
        let mut client = connect(relay, &identity).await;
        // From 0 each time, so that what is not delivered again is the relay's doing and not the cursor's.
        let asked = client
            .request(Request::Receive(Receive { after_sequence: 0 }))
            .await;
        if asked.is_err() {
            continue;
        }
        while let Ok(body) = client.next_push().await {
            let through = match body {
                Body::Deliveries(some) => {
                    let mut ledger = ledger.lock().unwrap();
                    for one in &some.deliveries {
                        let number = u32::from_be_bytes(one.ciphertext[..4].try_into().unwrap());
                        assert!(
                            one.sequence > ledger.acknowledged,
                            "again after its acknowledgement"
                        );
                        let known = ledger.sequences.insert(one.sequence, number);
                        assert!(
                            known.is_none_or(|known| known == number),
                            "another message in its place"
                        );
                        ledger.received.push(number);
                    }
                    some.deliveries.last().map(|last| last.sequence)
                }
                _ => None,
            };
            if let Some(through_sequence) = through {
                let request = Request::Acknowledge(Acknowledge { through_sequence });
                if client.request(request).await.is_err() {
                    break;
                }
                ledger.lock().unwrap().acknowledged = through_sequence;
            }
            let ledger = ledger.lock().unwrap();
            let have: HashSet<_> = ledger.received.iter().collect();
            if *stopped.borrow() && ledger.promised.iter().all(|number| have.contains(number)) {
                return Ok(());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_under_load_break_no_promise() -> Result {
    let mut relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
    let address = relay.address();
    let (stop, stopping) = watch::channel(false);
    let (finish, finished) = watch::channel(false);
    let (answered, mut answers) = watch::channel(0usize);
    let (mut senders, mut receivers, mut ledgers) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..SENDERS {
        let alice = Person::register(address).await?.identity;
        let bob = Person::register(address).await?.identity;
        let ledger = Shared::default();
        let to = bob.recipient(b"");
        senders.push(tokio::spawn(keep_sending(
            address,
            alice,
            to,
            ledger.clone(),
            answered.clone(),
            stopping.clone(),
        )));
        receivers.push(tokio::spawn(keep_receiving(
            address,
            bob,
            ledger.clone(),
            finished.clone(),
        )));
        ledgers.push(ledger);
    }
    for kill in 1..=KILLS {
        // In the middle of traffic: after so many more answers.
        let until = *answers.borrow() + 100 + kill * 7;
        let reached = answers.wait_for(|count| *count >= until).await;
        assert!(reached.is_ok(), "all senders ended");
        relay.kill()?;
        relay.restart()?;
    }
    stop.send_replace(true);
    for sender in senders {
        sender.await.expect("a sender")?;
    }
    finish.send_replace(true);
    // Receivers look at the ledger when something is pushed: one more restart makes each of them look.
    relay.kill()?;
    relay.restart()?;
    for receiver in receivers {
        receiver.await.expect("a receiver")?;
    }
    let mut total = 0;
    for ledger in &ledgers {
        let ledger = ledger.lock().unwrap();
        // By sequence number: each message once, in the order in which it was sent.
        let order: Vec<u32> = ledger.sequences.values().copied().collect();
        let expected: Vec<u32> = (0..u32::try_from(order.len()).unwrap()).collect();
        assert_eq!(order, expected, "out of order, missing, or twice");
        total += ledger.promised.len();
    }
    println!(
        "{total} messages answered as sent, {KILLS} kills: none missing, none out of order, none again"
    );
    Ok(())
}

async fn is_ready(relay: &RelayProcess) -> Result<bool> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = tokio::net::TcpStream::connect(relay.admin()).await?;
    socket
        .write_all(b"GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

/// Fills the disk, by the relay's own writes (`reserve` off) or up to the reserve.
async fn fill_and_recover(config: &str) -> Result {
    let Some(disk) = SmallDisk::mount("24m") else {
        println!("SKIPPED: a full disk needs the right to mount a small one");
        return Ok(());
    };
    let relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config(config)
        .data_dir(disk.path().join("data"))
        .start()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![1; 8 << 20])?;
    let mut promised = Vec::new();
    let refused = loop {
        let number = u32::try_from(promised.len()).unwrap();
        let ciphertext = [&number.to_be_bytes()[..], &vec![7; 30_000]].concat();
        let request = Request::Send(message(
            random_id()?,
            vec![bob.identity.recipient(&ciphertext)],
        ));
        match alice.client.request(request).await {
            Ok(body) => {
                assert_eq!(sent(body)?.stored, 1);
                promised.push(number);
            }
            Err(HarnessError::Refused(error)) => break error,
            Err(error) => return Err(error),
        }
        assert!(promised.len() < 5000, "24 MB never fill");
    };
    assert_eq!(refused.code(), ErrorCode::StoreFull);
    assert!(refused.retryable && refused.retry_after_ms > 0);
    assert!(!is_ready(&relay).await?, "ready on a full disk");
    // What was promised can be read all the same.
    bob.receive(0).await?;
    let first = bob.messages(1).await?;
    assert_eq!(first[0].sequence, 1);

    // Room again: it recovers by itself.
    std::fs::remove_file(&ballast)?;
    while !is_ready(&relay).await? {
        tokio::task::yield_now().await;
    }
    let after = bob.identity.recipient(&u32::MAX.to_be_bytes());
    assert_eq!(alice.send(random_id()?, vec![after]).await?.stored, 1);
    bob.reconnect(relay.address()).await?;
    bob.receive(0).await?;
    let received: Vec<u32> = bob
        .messages_until_caught_up()
        .await?
        .iter()
        .map(|one| u32::from_be_bytes(one.ciphertext[..4].try_into().unwrap()))
        .collect();
    promised.push(u32::MAX);
    assert_eq!(received, promised);
    Ok(())
}

#[tokio::test]
async fn a_disk_that_fills_up_refuses_sends_loses_nothing_and_recovers() -> Result {
    fill_and_recover("[storage]\nmin_free_disk = 0").await
}

#[tokio::test]
async fn below_the_reserve_sends_are_refused_before_the_disk_is_full() -> Result {
    fill_and_recover("[storage]\nmin_free_disk = \"4 MiB\"").await
}

#[tokio::test]
async fn a_relay_that_is_told_to_stop_keeps_everything() -> Result {
    let mut relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    for number in 0..200u8 {
        alice
            .send(random_id()?, vec![bob.identity.recipient(&[number])])
            .await?;
    }
    assert!(relay.terminate()?.success());
    relay.restart()?;
    bob.reconnect(relay.address()).await?;
    bob.receive(0).await?;
    let received = bob.messages_until_caught_up().await?;
    let expected: Vec<Vec<u8>> = (0..200u8).map(|number| vec![number]).collect();
    assert_eq!(
        received
            .iter()
            .map(|one| one.ciphertext.to_vec())
            .collect::<Vec<_>>(),
        expected
    );
    Ok(())
}
