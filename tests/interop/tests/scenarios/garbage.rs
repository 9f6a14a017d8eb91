//! Garbage for every operation: each line is answered, nobody dies, and an honest conversation beside
//! it never notices.

use hushpost_interop::conversation::round_trips;
use hushpost_interop::implementation::Implementation;
use hushpost_interop::json;
use hushpost_interop::pairing::Stage;
use hushpost_interop::party::Party;
use hushpost_interop::sealed::{Authority, Circular, EXPIRY};
use hushpost_interop::sessions::Offer;
use hushpost_interop::{garbage, peer::Peer};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Subject;

pub const SCENARIOS: Subject = &[("is_answered", is_answered)];

/// Pieces of garbage for each operation.
const PIECES: usize = 300;

fn is_answered(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, Offer::PQXDH);
    round_trips(&alice, &bob, 2);
    let under_way = alice.write(&bob, "under way");

    // The garbage is about mallory, whom it may do anything to.
    let mallory = stage.away("mallory");
    for honest in honest_requests(stage, &alice, &mallory) {
        let lines: Vec<Vec<u8>> = (0..PIECES)
            .map(|_| garbage::line(&honest, &mut stage.rng))
            .collect();
        let mut peer = bob.peer().borrow_mut();
        if let Err(broken) = peer.ask_raw(&lines) {
            panic!("garbage made of {honest}: {broken}");
        }
        greets(&mut peer);
    }

    bob.read(&alice, &under_way, "under way");
    round_trips(&bob, &alice, 3);
}

fn greets(peer: &mut Peer) {
    let answer = peer
        .ask(json!({ "op": "hello" }))
        .expect("one answer a line, and this one is to hello")
        .expect("hello is never refused");
    assert!(!json::string(&answer, "name").is_empty());
}

/// One request of every operation that would be granted.
fn honest_requests(stage: &mut Stage, alice: &Party, mallory: &Party) -> Vec<Value> {
    let group = stage.uuid();
    let mut requests = session_requests(alice, mallory);
    requests.extend(group_requests(group, alice, mallory));
    requests.extend(sealed_requests(group, alice, mallory));
    requests.extend(key_requests(alice, mallory));
    if mallory.implementation() == Implementation::Ours {
        requests.extend(state_requests(group, alice, mallory));
    }
    requests
}

fn session_requests(alice: &Party, mallory: &Party) -> Vec<Value> {
    let mallorys = mallory.bundle(Offer::PQXDH);
    alice.process_bundle(&mallory.address, &mallorys).unwrap();
    let pre_key = alice.write(mallory, "hello");
    mallory.read(alice, &pre_key, "hello");
    alice.read(mallory, &mallory.write(alice, "hello"), "hello");
    let whisper = alice.write(mallory, "a message");

    let asks = |op, fields| mallory.request(op, alice.address.and(fields));
    vec![
        mallory.request("bundle", json!({ "one_time": true, "kyber": true })),
        asks(
            "process_bundle",
            json!({ "bundle": alice.bundle(Offer::PQXDH) }),
        ),
        asks("encrypt", json!({ "plaintext": json::text(b"hello") })),
        asks("decrypt", pre_key.to_fields()),
        asks("decrypt", whisper.to_fields()),
        asks("session_info", json!({})),
    ]
}

fn group_requests(group: Uuid, alice: &Party, mallory: &Party) -> Vec<Value> {
    mallory.join(alice, group);
    let _ = mallory.skdm_create(group);
    let plaintext = json::text(b"hello");
    let from_alice = |message: &[u8]| alice.address.and(json!({ "message": json::text(message) }));
    vec![
        mallory.request("skdm_create", json!({ "distribution_id": group })),
        mallory.request("skdm_process", from_alice(&alice.skdm_create(group))),
        mallory.request(
            "group_encrypt",
            json!({ "distribution_id": group, "plaintext": plaintext }),
        ),
        mallory.request(
            "group_decrypt",
            from_alice(&alice.announce(group, "to all")),
        ),
    ]
}

/// After the sessions and the group have been set up.
fn sealed_requests(group: Uuid, alice: &Party, mallory: &Party) -> Vec<Value> {
    let authority = Authority::beside(mallory, "authority");
    let alices = authority.certify(alice);
    let sealed = alice
        .sealed_encrypt(&mallory.address, &alices, b"sealed")
        .unwrap();
    let circular = Circular {
        group,
        certificate: &alices,
        plaintext: b"sealed, to all",
        group_id: Some(b"the group"),
    };
    let sent = alice
        .sealed_group_encrypt(&circular, &[&mallory.address])
        .unwrap();
    let received = alice.sealed_split_single(&sent).unwrap();
    let certificate = json::text(&authority.certify(mallory));
    let plaintext = json::text(b"hello");
    vec![
        json!({ "op": "authority_new", "authority": "another authority" }),
        json!({
            "op": "sender_certificate",
            "authority": "authority",
            "uuid": group,
            "device": 1,
            "identity": json::text(&alice.identity),
            "expires": EXPIRY,
        }),
        mallory.request(
            "sealed_encrypt",
            alice
                .address
                .and(json!({ "certificate": certificate, "plaintext": plaintext })),
        ),
        mallory.request(
            "sealed_decrypt",
            json!({
                "message": json::text(&sealed),
                "trust_root": json::text(&authority.trust_root),
                "now": EXPIRY,
            }),
        ),
        mallory.request(
            "sealed_group_encrypt",
            json!({
                "distribution_id": group,
                "group_id": json::text(b"the group"),
                "certificate": certificate,
                "plaintext": plaintext,
                "recipients": [{ "name": alice.address.name, "device": 1 }],
            }),
        ),
        json!({ "op": "sealed_split_single", "message": json::text(&sent) }),
        mallory.request("sealed_open", json!({ "message": json::text(&received) })),
    ]
}

fn key_requests(alice: &Party, mallory: &Party) -> Vec<Value> {
    let public = json::text(&alice.identity);
    let message = json::text(b"hello");
    vec![
        json!({ "op": "hello" }),
        json!({
            "op": "new_party",
            "party": "decoy",
            "name": alice.address.name,
            "device": 1,
            "registration_id": 5,
            "spqr": "off",
            "identity_private": json::text(&[7; 32]),
        }),
        mallory.request(
            "fingerprint",
            json!({
                "version": 2,
                "iterations": 100,
                "local_id": json::text(b"one"),
                "peer_id": json::text(b"other"),
                "peer_identity": public,
            }),
        ),
        mallory.request("sign", json!({ "message": message })),
        mallory.request(
            "verify",
            json!({
                "public": public,
                "message": message,
                "signature": json::text(&alice.sign(b"hello")),
            }),
        ),
        mallory.request("agree", json!({ "public": public })),
    ]
}

/// Damaged states are loaded into a decoy. Whatever it becomes, it still answers.
fn state_requests(group: Uuid, alice: &Party, mallory: &Party) -> Vec<Value> {
    let whisper = alice.write(mallory, "a message").to_fields();
    let announced = json!({ "message": json::text(&alice.announce(group, "to all")) });
    let decoy = |op, fields| {
        let mut request = mallory.request(op, fields);
        request["party"] = "decoy".into();
        request
    };
    vec![
        mallory.request("save", json!({})),
        decoy("load", json!({ "state": json::text(&mallory.save()) })),
        decoy(
            "encrypt",
            alice
                .address
                .and(json!({ "plaintext": json::text(b"hello") })),
        ),
        decoy("decrypt", alice.address.and(whisper)),
        decoy("group_decrypt", alice.address.and(announced)),
    ]
}
