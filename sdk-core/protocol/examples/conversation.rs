//! Alice, Bob and Fiona talk: a session, a lost and a forged message, a group, a safety number.
//!
//! Everything an application has to do is here, in the order it has to do it; the "network" is a
//! byte vector handed from one to the other. Run it with
//! `cargo run --release -p hushpost-protocol --example conversation`. Every line it prints has been
//! checked before it is printed.

// One story, told from top to bottom, on standard output.
#![allow(clippy::print_stdout, clippy::too_many_lines)]

use std::error::Error;

use getrandom::SysRng;
use hushpost_protocol::{
    CiphertextMessage, DeviceId, DistributionId, Error as ProtocolError, IdentityKeyPair,
    InboundSenderKey, KemKind, KemPreKey, KemPreKeyId, LocalParty, MessageType, OneTimePreKey,
    OneTimePreKeyId, OutboundSenderKey, PqPolicy, PreKeyBundle, PreKeySecrets, PreKeySignalMessage,
    RegistrationId, ReplayGuard, SAFETY_NUMBER_ITERATIONS, SafetyNumber, SafetyNumberParty,
    SenderKeyDistributionMessage, SenderKeyMessage, Session, SignalMessage, SignedPreKey,
    SignedPreKeyId, Timestamp,
};
use uuid::Uuid;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// The crate has no clock; an application would pass the time of day.
const NOW: Timestamp = Timestamp(1_764_000_000_000);

fn main() -> Result<()> {
    let mut alice = Person::new("Alice")?;
    let mut bob = Person::new("Bob")?;
    let mut fiona = Person::new("Fiona")?;

    say("1. Alice starts a session from Bob's pre-key bundle, while Bob is offline");
    let bundle = bob.publish_bundle();
    let mut alice_to_bob = alice.start_session(&bundle)?;
    let first = alice_to_bob.encrypt(b"Hi Bob, are we still on for tonight?", NOW)?;
    let second = alice_to_bob.encrypt(b"I'll bring the tickets.", NOW)?;
    sent("Alice", &first);
    sent("Alice", &second);

    say("2. Bob comes online; the relay hands the messages over in the wrong order");
    let mut bob_to_alice = Session::new(PqPolicy::Required);
    bob.receives(&mut bob_to_alice, &second, "I'll bring the tickets.")?;
    bob.receives(
        &mut bob_to_alice,
        &first,
        "Hi Bob, are we still on for tonight?",
    )?;
    check(
        bob.one_time_pre_key.is_none(),
        "Bob deleted his one-time pre-key",
    )?;

    say("3. Bob answers; from here on every turn changes the keys");
    let answer = bob_to_alice.encrypt(b"Yes! Seven at the corner.", NOW)?;
    sent("Bob", &answer);
    alice.receives(&mut alice_to_bob, &answer, "Yes! Seven at the corner.")?;
    check(
        !alice_to_bob.is_unacknowledged(),
        "Alice's session is acknowledged",
    )?;

    say("4. The relay tries its luck: a replay, a flipped bit, a lost message");
    let refusal = alice.receive(&mut alice_to_bob, &answer).err();
    expect_refusal("the replay", refusal, ProtocolError::DuplicateMessage)?;
    let lost = alice_to_bob.encrypt(b"(this one is lost)", NOW)?;
    let kept = alice_to_bob.encrypt(b"See you there.", NOW)?;
    sent("Alice", &lost);
    sent("Alice", &kept);
    let mut forged = kept.as_bytes().to_vec();
    if let Some(byte) = forged.get_mut(50) {
        *byte ^= 1;
    }
    let before = bob_to_alice.encode();
    let refusal = SignalMessage::from_bytes(&forged)
        .and_then(|message| bob_to_alice.decrypt(&message, &mut SysRng))
        .err();
    expect_refusal("the forgery", refusal, ProtocolError::InvalidMessage)?;
    check(
        *before == *bob_to_alice.encode(),
        "the forgery left Bob's session bit for bit as it was",
    )?;
    bob.receives(&mut bob_to_alice, &kept, "See you there.")?;

    say("5. Bob's app restarts: the session is stored between messages");
    let stored = bob_to_alice.encode();
    let mut bob_to_alice = Session::decode(&stored)?;
    println!("   Bob stored {} bytes and loaded them", stored.len());
    let note = alice_to_bob.encrypt(b"Running late!", NOW)?;
    bob.receives(&mut bob_to_alice, &note, "Running late!")?;

    say("6. A group: Alice hands out her sender key over the sessions, then encrypts once for all");
    let group = DistributionId(Uuid::from_u128(0x0063_6f6e_6365_7274));
    let mut alice_in_group = OutboundSenderKey::generate(group, &mut SysRng)?;
    let mut alice_to_fiona = alice.start_session(&fiona.publish_bundle())?;
    let mut fiona_to_alice = Session::new(PqPolicy::Required);
    let key = alice_in_group.distribution_message().to_bytes();
    let to_bob = alice_to_bob.encrypt(&key, NOW)?;
    let to_fiona = alice_to_fiona.encrypt(&key, NOW)?;
    let mut bob_in_group = join(group, &bob.receive(&mut bob_to_alice, &to_bob)?)?;
    let mut fiona_in_group = join(group, &fiona.receive(&mut fiona_to_alice, &to_fiona)?)?;
    let post = alice_in_group.encrypt(b"Concert at eight, everyone!", &mut SysRng)?;
    println!(
        "   Alice ──▶ the group: {} bytes, encrypted once",
        post.as_bytes().len()
    );
    reads(
        "Bob",
        &mut bob_in_group,
        &post,
        "Concert at eight, everyone!",
    )?;
    reads(
        "Fiona",
        &mut fiona_in_group,
        &post,
        "Concert at eight, everyone!",
    )?;

    say("7. Fiona leaves; Alice replaces her sender key before she writes again");
    alice_in_group.rotate(&mut SysRng)?;
    let key = alice_in_group.distribution_message().to_bytes();
    let to_bob = alice_to_bob.encrypt(&key, NOW)?;
    let key = bob.receive(&mut bob_to_alice, &to_bob)?;
    bob_in_group.process(&SenderKeyDistributionMessage::from_bytes(&key)?)?;
    let post = alice_in_group.encrypt(b"Just us two now.", &mut SysRng)?;
    reads("Bob", &mut bob_in_group, &post, "Just us two now.")?;
    let refusal = fiona_in_group.decrypt(&post).err();
    expect_refusal(
        "Fiona's attempt to read on",
        refusal,
        ProtocolError::NoSenderKey,
    )?;

    say("8. Alice and Bob compare their safety number");
    let seen_by_alice = safety_number(&alice, &bob)?;
    let seen_by_bob = safety_number(&bob, &alice)?;
    check(
        seen_by_alice.display() == seen_by_bob.display(),
        "both see the same digits",
    )?;
    check(
        seen_by_alice.matches_scanned(&seen_by_bob.scannable())?,
        "and the QR code matches",
    )?;
    println!("   {}", in_groups_of_five(&seen_by_alice.display()));
    Ok(())
}

/// A person with one device: an identity, and pre-keys to be reached by.
struct Person {
    name: &'static str,
    identity: IdentityKeyPair,
    signed_pre_key: SignedPreKey,
    one_time_pre_key: Option<OneTimePreKey>,
    kem_pre_key: KemPreKey,
    replay_guard: ReplayGuard,
}

impl Person {
    fn new(name: &'static str) -> Result<Self> {
        let rng = &mut SysRng;
        let identity = IdentityKeyPair::generate(rng)?;
        Ok(Self {
            name,
            signed_pre_key: SignedPreKey::generate(SignedPreKeyId(1), &identity, NOW, rng)?,
            one_time_pre_key: Some(OneTimePreKey::generate(OneTimePreKeyId(1), rng)?),
            kem_pre_key: KemPreKey::generate(
                KemPreKeyId(1),
                KemKind::MlKem1024,
                true,
                &identity,
                NOW,
                rng,
            )?,
            replay_guard: ReplayGuard::new(),
            identity,
        })
    }

    fn local(&self) -> LocalParty<'_> {
        LocalParty {
            identity: &self.identity,
            registration_id: RegistrationId(1),
        }
    }

    /// What the relay hands to whoever wants to write to this person.
    fn publish_bundle(&self) -> PreKeyBundle {
        PreKeyBundle::new(
            self.local(),
            DeviceId::PRIMARY,
            &self.signed_pre_key,
            self.one_time_pre_key.as_ref(),
            Some(&self.kem_pre_key),
        )
    }

    fn start_session(&self, bundle: &PreKeyBundle) -> Result<Session> {
        let mut session = Session::new(PqPolicy::Required);
        session.initiate(self.local(), bundle, NOW, &mut SysRng)?;
        Ok(session)
    }

    /// Decrypts, and deletes the one-time key that a first message used up. An application commits
    /// that together with the session.
    fn receive(&mut self, session: &mut Session, message: &CiphertextMessage) -> Result<Vec<u8>> {
        let bytes = message.as_bytes();
        let received = match message.message_type() {
            MessageType::PreKey => {
                let local = LocalParty {
                    identity: &self.identity,
                    registration_id: RegistrationId(1),
                };
                let secrets = PreKeySecrets {
                    signed_pre_key: Some(&self.signed_pre_key),
                    one_time_pre_key: self.one_time_pre_key.as_ref(),
                    kem_pre_key: Some(&self.kem_pre_key),
                    replay_guard: &mut self.replay_guard,
                };
                let message = PreKeySignalMessage::from_bytes(bytes)?;
                session.decrypt_pre_key(local, &message, secrets, &mut SysRng)?
            }
            _ => session.decrypt(&SignalMessage::from_bytes(bytes)?, &mut SysRng)?,
        };
        if received
            .consumed
            .is_some_and(|used| used.one_time_pre_key.is_some())
        {
            self.one_time_pre_key = None;
        }
        Ok(received.plaintext)
    }

    fn receives(
        &mut self,
        session: &mut Session,
        message: &CiphertextMessage,
        expected: &str,
    ) -> Result<()> {
        let plaintext = self.receive(session, message)?;
        check(
            plaintext == expected.as_bytes(),
            &format!("{} reads: “{expected}”", self.name),
        )
    }
}

fn join(group: DistributionId, key: &[u8]) -> Result<InboundSenderKey> {
    let mut member = InboundSenderKey::new(group);
    member.process(&SenderKeyDistributionMessage::from_bytes(key)?)?;
    Ok(member)
}

fn reads(
    name: &str,
    member: &mut InboundSenderKey,
    post: &SenderKeyMessage,
    expected: &str,
) -> Result<()> {
    let plaintext = member.decrypt(&SenderKeyMessage::from_bytes(post.as_bytes())?)?;
    check(
        plaintext == expected.as_bytes(),
        &format!("{name} reads: “{expected}”"),
    )
}

fn safety_number(me: &Person, other: &Person) -> Result<SafetyNumber> {
    let party = |person: &Person| -> (Vec<u8>, _) {
        (
            person.name.as_bytes().to_vec(),
            *person.identity.public_key(),
        )
    };
    let ((my_id, my_key), (other_id, other_key)) = (party(me), party(other));
    Ok(SafetyNumber::new(
        1,
        SAFETY_NUMBER_ITERATIONS,
        SafetyNumberParty {
            id: &my_id,
            identity_key: &my_key,
        },
        SafetyNumberParty {
            id: &other_id,
            identity_key: &other_key,
        },
    )?)
}

fn say(heading: &str) {
    println!("\n{heading}");
}

fn sent(name: &str, message: &CiphertextMessage) {
    let kind = match message.message_type() {
        MessageType::PreKey => "first message",
        _ => "message",
    };
    println!(
        "   {name} ──▶ relay: {kind}, {} bytes",
        message.as_bytes().len()
    );
}

fn check(holds: bool, claim: &str) -> Result<()> {
    if !holds {
        return Err(format!("not true: {claim}").into());
    }
    println!("   ✓ {claim}");
    Ok(())
}

fn expect_refusal<E: Into<Box<dyn Error>>>(
    what: &str,
    refusal: Option<E>,
    expected: ProtocolError,
) -> Result<()> {
    let refusal = refusal.map(Into::into);
    let reason = refusal
        .as_ref()
        .and_then(|error| error.downcast_ref::<ProtocolError>());
    check(
        reason == Some(&expected),
        &format!("{what} is refused: {expected}"),
    )
}

fn in_groups_of_five(digits: &str) -> String {
    let digits: Vec<char> = digits.chars().collect();
    let groups: Vec<String> = digits
        .chunks(5)
        .map(|group| group.iter().collect())
        .collect();
    groups.join(" ")
}
