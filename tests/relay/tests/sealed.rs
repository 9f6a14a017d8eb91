//! Messages whose sender the relay does not learn: over an anonymous connection, with delivery tokens, and
//! as real sealed envelopes that the relay splits and only their recipients open.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::num::NonZeroUsize;

use bytes::Bytes;
use getrandom::SysRng;
use hushpost_harness::{Client, Identity, LIMITERS_OFF, RelayOptions, RelayProcess};
use hushpost_protocol::sealed_sender::{
    self, ContentHint, SenderCertificate, SenderCertificateFields, ServerCertificate,
    UnidentifiedSenderMessageContent,
};
use hushpost_protocol::{
    DeviceId, IdentityKeyPair, MessageType, ProtocolAddress, PublicKey, RegistrationId, ServiceId,
    SigningKeyPair, Timestamp,
};
use hushpost_relay_tests::{Person, message, random_id, sent};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    AccountId, Delivery, ErrorCode, PutDeviceList, SendSealed, Sent, SetDeliveryToken,
};
use uuid::Uuid;

type Result<T = (), E = Box<dyn std::error::Error>> = core::result::Result<T, E>;

const NOW: Timestamp = Timestamp(1_764_000_000_000);
const CONTENT: &[u8] = b"a message that is encrypted already";

fn relay() -> Result<RelayProcess> {
    Ok(RelayOptions::default().config(LIMITERS_OFF).start()?)
}

async fn anonymous(relay: &RelayProcess) -> Result<Client> {
    let (mut client, _) = Client::connect(relay.address()).await?;
    client.anonymous().await?;
    Ok(client)
}

/// Who seals: an identity, its certificate, and the root that recipients trust.
struct Sealer {
    identity: IdentityKeyPair,
    certificate: SenderCertificate,
    root: PublicKey,
}

impl Sealer {
    fn new() -> Result<Self> {
        let rng = &mut SysRng;
        let identity = IdentityKeyPair::generate(rng)?;
        let root = SigningKeyPair::generate(rng)?;
        let server_key = SigningKeyPair::generate(rng)?;
        let server = ServerCertificate::issue(1, server_key.public_key(), &root, rng)?;
        let fields = SenderCertificateFields {
            sender: Self::address(),
            phone_number: None,
            identity_key: *identity.public_key(),
            expires: Timestamp(NOW.0 + 1000),
        };
        Ok(Self {
            certificate: SenderCertificate::issue(fields, &server, &server_key, rng)?,
            identity,
            root: *root.public_key(),
        })
    }

    fn address() -> ProtocolAddress {
        ProtocolAddress::new(ServiceId::account(Uuid::from_u128(1)), DeviceId::PRIMARY)
    }

    fn seal(&self, to: &[sealed_sender::Recipient], excluded: &[ServiceId]) -> Result<Vec<u8>> {
        let content = UnidentifiedSenderMessageContent::new(
            MessageType::SenderKey,
            self.certificate.clone(),
            CONTENT.to_vec(),
            ContentHint::Resendable,
            None,
        );
        let one = NonZeroUsize::MIN;
        Ok(sealed_sender::seal_multi_recipient(
            &content,
            &self.identity,
            to,
            excluded,
            one,
            &mut SysRng,
        )?)
    }

    /// What the recipient does: opens it and checks who sealed it.
    fn assert_opens(&self, delivery: &Delivery, keys: &IdentityKeyPair) -> Result {
        assert!(delivery.sender.is_none(), "the relay knows no sender");
        let opened = sealed_sender::open(&delivery.ciphertext, keys)?;
        let local = ProtocolAddress::new(ServiceId::account(Uuid::from_u128(2)), DeviceId::PRIMARY);
        let sender = opened.verify_sender(&self.root, &[], NOW, &local)?;
        assert_eq!(sender, Self::address());
        assert_eq!(opened.contents(), CONTENT);
        Ok(())
    }
}

/// An account whose devices have real identity keys, all connected.
struct Household {
    identity: Identity,
    keys: Vec<IdentityKeyPair>,
    clients: Vec<Client>,
}

impl Household {
    /// Registers with a delivery token. Devices have an identity key each.
    async fn register(relay: &RelayProcess, devices: u32) -> Result<Self> {
        let mut identity = Identity::with_devices(devices)?;
        let mut keys = Vec::new();
        for device in &mut identity.devices {
            let pair = IdentityKeyPair::generate(&mut SysRng)?;
            device.identity_key = pair.public_key().to_bytes();
            keys.push(pair);
        }
        let (mut first, welcome) = Client::connect(relay.address()).await?;
        first.register(&welcome, &identity).await?;
        let token_hash = identity.delivery_token_hash().to_vec().into();
        first
            .request(Request::SetDeliveryToken(SetDeliveryToken { token_hash }))
            .await?;
        let mut clients = vec![first];
        for number in 2..=devices {
            clients.push(
                Client::connect_as(relay.address(), &identity, number)
                    .await?
                    .0,
            );
        }
        Ok(Self {
            identity,
            keys,
            clients,
        })
    }

    fn service_id(&self) -> ServiceId {
        service_id(self.identity.account())
    }

    /// An entry for each device, as their identity keys differ.
    fn entries(&self) -> Result<Vec<sealed_sender::Recipient>> {
        let mut entries = Vec::new();
        for (device, keys) in self.identity.devices.iter().zip(&self.keys) {
            entries.push(sealed_sender::Recipient {
                service_id: self.service_id(),
                identity_key: *keys.public_key(),
                devices: vec![sealed_sender::RecipientDevice {
                    device_id: DeviceId::new(device.device.into())?,
                    registration_id: RegistrationId(device.registration_id),
                }],
            });
        }
        Ok(entries)
    }

    fn token(&self) -> Bytes {
        self.identity.delivery_token.to_vec().into()
    }

    /// Everything that waits for device `number`, from the beginning.
    async fn received(&mut self, relay: &RelayProcess, number: u32) -> Result<Vec<Delivery>> {
        let (client, _) = Client::connect_as(relay.address(), &self.identity, number).await?;
        let mut person = Person {
            identity: self.identity.clone(),
            client,
        };
        person.receive(0).await?;
        Ok(person.messages_until_caught_up().await?)
    }
}

fn service_id(account: AccountId) -> ServiceId {
    ServiceId::account(Uuid::from_bytes(*account.as_bytes()))
}

async fn send(client: &mut Client, envelope: &[u8], tokens: Vec<Bytes>) -> Result<Sent> {
    Ok(sent(client.request(sealed(envelope, tokens)?).await?)?)
}

fn sealed(envelope: &[u8], delivery_tokens: Vec<Bytes>) -> Result<Request> {
    Ok(Request::SendSealed(SendSealed {
        message_id: random_id()?.to_vec().into(),
        envelope: envelope.to_vec().into(),
        delivery_tokens,
    }))
}

#[tokio::test]
async fn an_anonymous_send_needs_every_recipients_token_and_stores_no_sender() -> Result {
    let relay = relay()?;
    let mut bob = Person::register(relay.address()).await?;
    let mut carol = Person::register(relay.address()).await?;
    let mut nobody = anonymous(&relay).await?;
    let both = |bob: hushpost_wire::Recipient, carol| message([1; 16], vec![bob, carol]);

    // Before carol set a token, and with a wrong one, she cannot be reached; bob is all the same.
    bob.allow_contacts().await?;
    let group = both(
        bob.identity.recipient_with_token(b"sealed"),
        carol.identity.recipient_with_token(b"sealed"),
    );
    let answer = sent(nobody.request(Request::Send(group.clone())).await?)?;
    assert_eq!(answer.stored, 1);
    let [problem] = answer.problems.as_slice() else {
        panic!("one problem")
    };
    assert!(problem.unreachable);
    assert_eq!(
        problem.account.as_ref(),
        carol.identity.account().as_bytes()
    );
    // No devices are named: who has no token learns nothing about an account.
    assert!(problem.missing.is_empty() && problem.extra.is_empty() && problem.stale.is_empty());

    // The same message again, now with both tokens: bob does not get it twice.
    carol.allow_contacts().await?;
    let answer = sent(nobody.request(Request::Send(group)).await?)?;
    assert_eq!((answer.stored, answer.problems.len()), (2, 0));
    for person in [&mut bob, &mut carol] {
        person.receive(0).await?;
        let received = person.messages_until_caught_up().await?;
        assert_eq!(received.len(), 1);
        assert!(received[0].sender.is_none());
        assert_eq!(received[0].ciphertext.as_ref(), b"sealed");
    }

    let mut typing = message(
        random_id()?,
        vec![bob.identity.recipient_with_token(b"typing")],
    );
    typing.ephemeral = true;
    sent(nobody.request(Request::Send(typing)).await?)?;
    let Body::Ephemeral(pushed) = bob.client.next_push().await? else {
        panic!("typing")
    };
    assert!(pushed.sender.is_none());
    Ok(())
}

#[tokio::test]
async fn one_sealed_envelope_reaches_every_device_and_each_opens_its_own() -> Result {
    let mut relay = relay()?;
    let sealer = Sealer::new()?;
    let mut households = Vec::new();
    let (mut entries, mut tokens) = (Vec::new(), Vec::new());
    for devices in [1, 3, 2] {
        let household = Household::register(&relay, devices).await?;
        for entry in household.entries()? {
            entries.push(entry);
            tokens.push(household.token());
        }
        households.push(household);
    }
    let envelope = sealer.seal(&entries, &[])?;
    let mut nobody = anonymous(&relay).await?;
    let answer = send(&mut nobody, &envelope, tokens).await?;
    assert_eq!((answer.stored, answer.problems.len()), (6, 0));

    // From memory, and after a restart from the tables.
    for restarted in [false, true] {
        if restarted {
            for one in &mut households {
                one.clients.clear();
            }
            drop(core::mem::replace(
                &mut nobody,
                anonymous_after_restart(&mut relay).await?,
            ));
        }
        for household in &mut households {
            for number in 0..household.keys.len() {
                if restarted != (number == 0) {
                    // The first devices acknowledge before the restart, the others after it.
                    let device = u32::try_from(number)? + 1;
                    let received = household.received(&relay, device).await?;
                    assert_eq!(received.len(), 1);
                    sealer.assert_opens(&received[0], &household.keys[number])?;
                    let foreign = IdentityKeyPair::generate(&mut SysRng)?;
                    assert!(sealed_sender::open(&received[0].ciphertext, &foreign).is_err());
                }
            }
        }
    }
    Ok(())
}

async fn anonymous_after_restart(relay: &mut RelayProcess) -> Result<Client> {
    assert!(relay.terminate()?.success());
    relay.restart()?;
    anonymous(relay).await
}

#[tokio::test]
async fn an_envelope_names_all_devices_of_an_account_or_it_gets_nothing() -> Result {
    let relay = relay()?;
    let sealer = Sealer::new()?;
    let mut bob = Household::register(&relay, 3).await?;
    let mut nobody = anonymous(&relay).await?;
    let mut entries = bob.entries()?;
    entries.remove(1);
    entries[1].devices[0].registration_id.0 ^= 1;
    let mut ghost = entries[0].clone();
    ghost.devices[0].device_id = DeviceId::new(9)?;
    entries.push(ghost);
    let envelope = sealer.seal(&entries, &[])?;
    let answer = send(&mut nobody, &envelope, vec![bob.token(); 3]).await?;
    let [problem] = answer.problems.as_slice() else {
        panic!("one problem for one account")
    };
    assert_eq!(answer.stored, 0);
    assert_eq!(
        (&problem.missing[..], &problem.extra[..], &problem.stale[..]),
        (&[2][..], &[9][..], &[3][..])
    );

    // The same device twice is one too many.
    let mut twice = bob.entries()?;
    twice.push(twice[0].clone());
    let envelope = sealer.seal(&twice, &[])?;
    let answer = send(&mut nobody, &envelope, vec![bob.token(); 4]).await?;
    assert_eq!(
        (answer.stored, &answer.problems[0].extra[..]),
        (0, &[1][..])
    );

    // A device was removed since: the sender is told, and sends again without it.
    let mut first = bob.clients.remove(0);
    bob.identity.remove_device(2);
    bob.keys.remove(1);
    let list = Request::PutDeviceList(PutDeviceList {
        device_list: Some(bob.identity.signed_list()),
    });
    first.request(list).await?;
    let envelope = sealer.seal(&bob.entries()?, &[])?;
    let answer = send(&mut nobody, &envelope, vec![bob.token(); 2]).await?;
    assert_eq!((answer.stored, answer.problems.len()), (2, 0));
    let received = bob.received(&relay, 3).await?;
    assert_eq!(received.len(), 1);
    sealer.assert_opens(&received[0], &bob.keys[1])?;
    Ok(())
}

#[tokio::test]
async fn an_excluded_account_gets_nothing_and_needs_no_token() -> Result {
    let relay = relay()?;
    let sealer = Sealer::new()?;
    let mut bob = Household::register(&relay, 1).await?;
    let mut carol = Household::register(&relay, 1).await?;
    let mut nobody = anonymous(&relay).await?;
    let envelope = sealer.seal(&bob.entries()?, &[carol.service_id()])?;
    let refused = nobody
        .request_refused(sealed(&envelope, vec![bob.token(), carol.token()])?)
        .await?;
    assert_eq!(refused.code(), ErrorCode::BadRequest);
    let answer = send(&mut nobody, &envelope, vec![bob.token()]).await?;
    assert_eq!((answer.stored, answer.problems.len()), (1, 0));
    assert_eq!(bob.received(&relay, 1).await?.len(), 1);
    assert_eq!(carol.received(&relay, 1).await?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_wrong_token_shuts_out_its_account_alone() -> Result {
    let relay = relay()?;
    let sealer = Sealer::new()?;
    let mut bob = Household::register(&relay, 1).await?;
    let mut carol = Household::register(&relay, 2).await?;
    let mut nobody = anonymous(&relay).await?;
    let entries = [bob.entries()?, carol.entries()?].concat();
    let envelope = sealer.seal(&entries, &[])?;
    let answer = send(
        &mut nobody,
        &envelope,
        vec![bob.token(), vec![0; 16].into(), vec![0; 16].into()],
    )
    .await?;
    assert_eq!(answer.stored, 1);
    assert_eq!(answer.problems.len(), 1);
    assert!(answer.problems[0].unreachable);
    // One of two right: not shown for all.
    for tokens in [
        [carol.token(), vec![0; 16].into()],
        [vec![0; 16].into(), carol.token()],
    ] {
        let tokens = vec![bob.token(), tokens[0].clone(), tokens[1].clone()];
        let refused = nobody.request_refused(sealed(&envelope, tokens)?).await?;
        assert_eq!(refused.code(), ErrorCode::BadRequest);
    }
    // Too few and too many.
    for count in [0, 2, 4] {
        let tokens = vec![bob.token(); count];
        let refused = nobody.request_refused(sealed(&envelope, tokens)?).await?;
        assert_eq!(refused.code(), ErrorCode::BadRequest);
    }
    assert_eq!(bob.received(&relay, 1).await?.len(), 1);
    assert_eq!(carol.received(&relay, 2).await?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn what_is_no_envelope_is_refused_and_so_is_one_whose_sender_shows() -> Result {
    let relay = relay()?;
    let sealer = Sealer::new()?;
    let bob = Household::register(&relay, 1).await?;
    let mut nobody = anonymous(&relay).await?;
    let good = sealer.seal(&bob.entries()?, &[])?;
    let mut other_version = good.clone();
    other_version[0] = 0x11;
    let mut many_claimed = good.clone();
    many_claimed.splice(1..2, [0xff, 0xff, 0xff, 0xff, 0x0f]);
    let mut phone_number_identity = good.clone();
    phone_number_identity[2] = 1;
    for wrong in [
        Vec::new(),
        vec![0x23],
        vec![0; 100],
        other_version,
        many_claimed,
        phone_number_identity,
        // Cut in the middle of the key material, and inside the tag.
        good[..40].to_vec(),
        good[..100].to_vec(),
    ] {
        let refused = nobody
            .request_refused(sealed(&wrong, vec![bob.token()])?)
            .await?;
        assert_eq!(refused.code(), ErrorCode::BadRequest, "{wrong:?}");
    }
    // Nobody in it but somebody excluded.
    let mut nobody_in_it = vec![0x23, 1];
    nobody_in_it.extend(bob.service_id().to_fixed_width());
    nobody_in_it.push(0);
    nobody_in_it.extend([0; 64]);
    let refused = nobody
        .request_refused(sealed(&nobody_in_it, Vec::new())?)
        .await?;
    assert_eq!(refused.code(), ErrorCode::TooMany);

    let mut alice = Person::register(relay.address()).await?;
    let request = sealed(&good, vec![bob.token()])?;
    let refused = alice.client.request_refused(request.clone()).await?;
    assert_eq!(refused.code(), ErrorCode::BadRequest);
    let (mut unknown, _) = Client::connect(relay.address()).await?;
    let refused = unknown.request_refused(request).await?;
    assert_eq!(refused.code(), ErrorCode::Unauthenticated);
    assert_eq!(
        send(&mut nobody, &good, vec![bob.token()]).await?.stored,
        1,
        "and still it goes on"
    );
    Ok(())
}
