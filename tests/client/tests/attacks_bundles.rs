//! The relay serves bundles that lie: with bad, swapped or missing signatures, keys of another kind or of somebody
//! else, keys handed out twice or under wrong numbers, stale ones. Nothing is encrypted to a key that its owner did
//! not sign; what no signature covers costs a repeat.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod attack_stage;

use std::sync::atomic::{AtomicI64, Ordering};

use attack_stage::{Result, asks_for, bundles_of, check_calm, flip, serve_once, stage, told_until};
use bytes::Bytes;
use hushpost::{AccountId, Clock, Event, MessageState, SystemClock};
use hushpost_client_tests::{Person, PersonOptions};
use hushpost_evil_relay::{EvilRelay, Record, RuleId, Verdict};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{KemPreKey, PreKeyBundle, PreKeyBundles};

fn serve(line: &EvilRelay, account: AccountId, bundles: PreKeyBundles) -> RuleId {
    line.on_request(move |request, _| {
        if asks_for(request, account) {
            Verdict::instead(Body::PreKeyBundles(bundles.clone()))
        } else {
            Verdict::Pass
        }
    })
}

type Lie = (String, Box<dyn Fn(&mut PreKeyBundles)>);

fn lie(name: &str, tell: impl Fn(&mut PreKeyBundle) + 'static) -> Lie {
    let tell = move |bundles: &mut PreKeyBundles| tell(&mut bundles.bundles[0]);
    (name.to_owned(), Box::new(tell))
}

/// Lies about one bundle, by its own parts.
fn lies() -> Vec<Lie> {
    let signed = |bundle: &PreKeyBundle| bundle.signed_pre_key.clone().unwrap();
    let kem = |bundle: &PreKeyBundle| bundle.kem_pre_key.clone().unwrap();
    let mut lies = vec![
        lie("no signed pre-key", |bundle| bundle.signed_pre_key = None),
        lie("no KEM key", |bundle| bundle.kem_pre_key = None),
        lie("an empty signature", |bundle| {
            bundle.signed_pre_key.as_mut().unwrap().signature = Bytes::new();
        }),
        lie("an empty KEM signature", |bundle| {
            bundle.kem_pre_key.as_mut().unwrap().signature = Bytes::new();
        }),
        lie("swapped signatures", move |bundle| {
            let signature = signed(bundle).signature;
            bundle.signed_pre_key.as_mut().unwrap().signature = kem(bundle).signature;
            bundle.kem_pre_key.as_mut().unwrap().signature = signature;
        }),
        // The signature over it is genuine: only what it is for tells them apart.
        lie("the EC key in place of the KEM key", move |bundle| {
            let SignedKey { id, key, signature } = SignedKey::of(&signed(bundle));
            bundle.kem_pre_key = Some(KemPreKey {
                id,
                public_key: key,
                signature,
            });
        }),
        lie(
            "the EC key filled up in place of the KEM key",
            move |bundle| {
                let SignedKey { id, key, signature } = SignedKey::of(&signed(bundle));
                let mut public_key = key.to_vec();
                public_key.resize(kem(bundle).public_key.len(), 0);
                public_key[0] = kem(bundle).public_key[0];
                bundle.kem_pre_key = Some(KemPreKey {
                    id,
                    public_key: public_key.into(),
                    signature,
                });
            },
        ),
        lie("the KEM key in place of the EC key", move |bundle| {
            let kem = kem(bundle);
            let signed = bundle.signed_pre_key.as_mut().unwrap();
            signed.public_key = kem.public_key;
            signed.signature = kem.signature;
        }),
        lie(
            "the one-time key in place of the signed one",
            move |bundle| {
                let one_time = bundle.one_time_pre_key.clone().unwrap();
                bundle.signed_pre_key.as_mut().unwrap().public_key = one_time.public_key;
            },
        ),
        lie("a one-time key that is none", |bundle| {
            bundle.one_time_pre_key.as_mut().unwrap().public_key = vec![5; 7].into();
        }),
        lie("a one-time key of order 1", |bundle| {
            let mut point = vec![0; 33];
            point[0] = 5;
            bundle.one_time_pre_key.as_mut().unwrap().public_key = point.into();
        }),
        lie("a device that is not listed", |bundle| bundle.device = 2),
        (
            "no bundle".to_owned(),
            Box::new(|bundles| bundles.bundles.clear()),
        ),
        (
            "no list".to_owned(),
            Box::new(|bundles| bundles.device_list = None),
        ),
    ];
    for bit in [0, 255, 257, 504, 511] {
        lies.push(lie(&format!("signature bit {bit}"), move |bundle| {
            flip(&mut bundle.signed_pre_key.as_mut().unwrap().signature, bit);
        }));
        lies.push(lie(&format!("KEM signature bit {bit}"), move |bundle| {
            flip(&mut bundle.kem_pre_key.as_mut().unwrap().signature, bit);
        }));
    }
    for bit in [0, 8, 130, 263] {
        lies.push(lie(&format!("key bit {bit}"), move |bundle| {
            flip(&mut bundle.signed_pre_key.as_mut().unwrap().public_key, bit);
        }));
        lies.push(lie(&format!("KEM key bit {bit}"), move |bundle| {
            flip(
                &mut bundle.kem_pre_key.as_mut().unwrap().public_key,
                bit * 40,
            );
        }));
    }
    lies
}

struct SignedKey {
    id: u32,
    key: Bytes,
    signature: Bytes,
}

impl SignedKey {
    fn of(key: &hushpost_wire::SignedPreKey) -> Self {
        Self {
            id: key.id,
            key: key.public_key.clone(),
            signature: key.signature.clone(),
        }
    }
}

/// Lies with what another account published.
fn lies_of_another(other: &PreKeyBundles) -> Vec<Lie> {
    let theirs = other.bundles[0].clone();
    let (signed, kem) = (theirs.signed_pre_key.clone(), theirs.kem_pre_key.clone());
    let all = other.clone();
    let list = other.device_list.clone();
    vec![
        lie("another's signed pre-key", move |bundle| {
            bundle.signed_pre_key.clone_from(&signed);
        }),
        lie("another's KEM key", move |bundle| {
            bundle.kem_pre_key.clone_from(&kem);
        }),
        lie("another's bundle", move |bundle| bundle.clone_from(&theirs)),
        (
            "another's list".to_owned(),
            Box::new(move |bundles| bundles.device_list.clone_from(&list)),
        ),
        (
            "another's everything".to_owned(),
            Box::new(move |bundles| bundles.clone_from(&all)),
        ),
    ]
}

#[tokio::test]
async fn nothing_is_encrypted_to_keys_that_their_owner_did_not_sign() -> Result {
    let (_relay, line) = stage().await?;
    let alice = Person::registered("alice", line.address()).await?;
    let bob = Person::registered("bob", line.address()).await?;
    let carol = Person::registered("carol", line.address()).await?;
    carol.until_online().await?;
    let good = bundles_of(&line, carol.account, bob.account).await;
    let other = bundles_of(&line, bob.account, carol.account).await;
    alice.until_online().await?;
    alice.client.disconnect().await;
    let secret = alice.say(&bob, "for Bob alone").await?;

    let refused = |event: &Event| matches!(event, Event::KeysRefused { account, .. } if *account == bob.account);
    let fetches = move |record: &Record| {
        let fetches = record
            .requests()
            .filter(|(_, request)| asks_for(request, bob.account));
        fetches.count()
    };
    for (name, tell) in lies().into_iter().chain(lies_of_another(&other)) {
        let mut bundles = good.clone();
        tell(&mut bundles);
        assert_ne!(bundles, good, "{name}");
        let rule = serve(&line, bob.account, bundles);
        let before = fetches(&line.record());
        let mut events = alice.client.events();
        alice.client.connect();
        // That she asks again shows that she has looked at the first answer.
        line.until(&name, |record| fetches(record) >= before + 2)
            .await
            .unwrap();
        // What is simply not there is no lie that shows.
        if !["no bundle", "a device that is not listed"].contains(&name.as_str()) {
            alice.until_event(&mut events, &name, refused).await?;
        }
        alice.client.disconnect().await;
        line.remove(rule);
        assert!(
            !line
                .recorded_sends()
                .iter()
                .any(|(who, _)| who.is(alice.account)),
            "{name}"
        );
        let message = alice.client.message(secret).await?.unwrap();
        assert_eq!(message.state, MessageState::Queued, "{name}");
    }

    alice.client.connect();
    assert_eq!(bob.until_shown(secret).await?, "for Bob alone");
    bob.accept(&alice).await?;
    alice.until_state(secret, MessageState::Delivered).await?;
    assert_eq!(bob.texts(&alice).await?.len(), 1);
    Ok(())
}

/// Puts one thing wrong in a bundle where no signature tells.
type Mistake = fn(&mut PreKeyBundle, &PreKeyBundle);

fn mistakes() -> Vec<(&'static str, Mistake)> {
    vec![
        ("a one-time key of another's", |bundle, other| {
            let key = other.one_time_pre_key.as_ref().unwrap().public_key.clone();
            bundle.one_time_pre_key.as_mut().unwrap().public_key = key;
        }),
        ("an unknown one-time key", |bundle, _| {
            bundle.one_time_pre_key.as_mut().unwrap().id = u32::MAX;
        }),
        ("one-time key 0", |bundle, _| {
            bundle.one_time_pre_key.as_mut().unwrap().id = 0;
        }),
        ("an unknown KEM key", |bundle, _| {
            bundle.kem_pre_key.as_mut().unwrap().id = 0x00ff_ffff;
        }),
        ("the signed key's number for the KEM key", |bundle, _| {
            let id = bundle.signed_pre_key.as_ref().unwrap().id;
            bundle.kem_pre_key.as_mut().unwrap().id = id;
        }),
        ("an unknown signed key", |bundle, _| {
            bundle.signed_pre_key.as_mut().unwrap().id = 0;
        }),
        ("no one-time key", |bundle, _| {
            bundle.one_time_pre_key = None;
        }),
    ]
}

/// Somebody says something to Bob that he cannot open: he is told, it is sent again by itself, and shown once.
async fn heals(bob: &Person, sender: &Person, context: &str) -> Result {
    let mut events = bob.client.events();
    let said = sender.say(bob, context).await?;
    let told = told_until(bob, &mut events, said).await?;
    let undecryptable = |event: &&Event| match event {
        Event::Undecryptable { account, .. } => *account == sender.account,
        _ => false,
    };
    assert_eq!(
        told.iter().filter(undecryptable).count(),
        1,
        "{context}: {told:?}"
    );
    let healed = Event::UndecryptableHealed {
        account: sender.account,
    };
    assert!(told.contains(&healed), "{context}: {told:?}");
    check_calm(bob, &[], 0, context).await?;
    bob.accept(sender).await?;
    sender.until_state(said, MessageState::Delivered).await?;
    let next = sender.say(bob, "and on").await?;
    bob.until_shown(next).await?;
    assert_eq!(bob.texts(sender).await?, [context, "and on"]);
    Ok(())
}

#[tokio::test]
async fn keys_handed_out_twice_or_under_wrong_numbers_cost_a_repeat() -> Result {
    let (_relay, line) = stage().await?;
    let bob = Person::registered("bob", line.address()).await?;
    let carol = Person::registered("carol", line.address()).await?;
    carol.until_online().await?;
    bob.until_online().await?;
    let other = bundles_of(&line, bob.account, carol.account).await;

    let twice = bundles_of(&line, carol.account, bob.account).await;
    serve_once(&line, bob.account, twice.clone());
    let said = carol.say(&bob, "the first with that key").await?;
    bob.until_shown(said).await?;
    serve_once(&line, bob.account, twice);
    let dora = Person::registered("dora", line.address()).await?;
    heals(&bob, &dora, "the second with that key").await?;

    for (name, mistake) in mistakes() {
        let mut bundles = bundles_of(&line, carol.account, bob.account).await;
        mistake(&mut bundles.bundles[0], &other.bundles[0]);
        serve_once(&line, bob.account, bundles);
        let sender = Person::registered("somebody", line.address()).await?;
        if name == "no one-time key" {
            // It may have run out: nobody can tell.
            let said = sender.say(&bob, name).await?;
            assert_eq!(bob.until_shown(said).await?, name);
            continue;
        }
        heals(&bob, &sender, name).await?;
    }
    Ok(())
}

const DAY: i64 = 24 * 3_600_000;

/// Days by which everybody's clock is ahead. (Of the test that sets it.)
static AHEAD: AtomicI64 = AtomicI64::new(0);

struct Ahead;

impl Clock for Ahead {
    fn now_ms(&self) -> u64 {
        SystemClock
            .now_ms()
            .saturating_add_signed(DAY * AHEAD.load(Ordering::SeqCst))
    }
}

/// On that day somebody's device replaces its keys, and deletes those that are too old.
async fn rotates_on_day(day: i64, person: &Person, line: &EvilRelay) -> Result {
    let account = person.account;
    let rotations = move |record: &Record| {
        let new = record.requests().filter(|(who, request)| match request {
            Request::UploadPreKeys(upload) => who.is(account) && upload.signed_pre_key.is_some(),
            _ => false,
        });
        new.count()
    };
    let before = rotations(&line.record());
    AHEAD.store(day, Ordering::SeqCst);
    person.client.disconnect().await;
    person.client.connect();
    line.until("new keys", |record| rotations(record) > before)
        .await
        .unwrap();
    Ok(())
}

#[tokio::test]
async fn a_stale_bundle_opens_for_a_month_and_heals_after() -> Result {
    let ahead = PersonOptions {
        configure: |config| config.pre_key_stock(10).clock(Ahead),
    };
    let (_relay, line) = stage().await?;
    let alice = Person::with_options("alice", line.address(), ahead).await?;
    let carol = Person::with_options("carol", line.address(), ahead).await?;
    let bob = Person::with_options("bob", line.address(), ahead).await?;
    alice.until_online().await?;
    bob.until_online().await?;
    let early = bundles_of(&line, alice.account, bob.account).await;
    let late = bundles_of(&line, alice.account, bob.account).await;

    rotates_on_day(8, &bob, &line).await?;
    rotates_on_day(8 + 29, &bob, &line).await?;
    serve_once(&line, bob.account, early);
    let mut events = bob.client.events();
    let said = alice.say(&bob, "by an old key").await?;
    let told = told_until(&bob, &mut events, said).await?;
    check_calm(&bob, &told, 1, "after 29 days").await?;

    rotates_on_day(8 + 45, &bob, &line).await?;
    serve_once(&line, bob.account, late);
    heals(&bob, &carol, "after 45 days").await
}
