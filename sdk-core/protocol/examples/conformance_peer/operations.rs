//! The operations: from a request to a party's method to an answer.

use std::collections::BTreeMap;

use getrandom::SysRng;
use hushpost_protocol::sealed_sender::{self, SenderCertificate};
use hushpost_protocol::{
    DistributionId, IdentityKeyPair, KemPreKeyBundle, KemPreKeyId, KemPublicKey, MessageType,
    OneTimePreKeyBundle, OneTimePreKeyId, PqPolicy, PreKeyBundle, PrivateKey, ProtocolVersion,
    PublicKey, RegistrationId, SafetyNumber, SafetyNumberParty, SignedPreKeyBundle, SignedPreKeyId,
    Timestamp,
};
use hushpost_wire::sent_message::SentMessage;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::answer::{Failure, Outcome, base64};
use crate::authority::Authority;
use crate::party::{Address, Party};
use crate::request::Request;

/// All parties and authorities of one process.
#[derive(Default)]
pub struct Peer {
    parties: BTreeMap<String, Party>,
    authorities: BTreeMap<String, Authority>,
}

impl Peer {
    /// Answers one line, whatever it holds.
    pub fn answer(&mut self, line: &[u8]) -> Value {
        let request = serde_json::from_slice(line)
            .map_err(|_| Failure::bad_request("the line is not JSON"))
            .and_then(Request::new);
        let id = request.as_ref().ok().and_then(Request::id);
        let outcome = request.and_then(|request| self.perform(&request));
        let mut answer = match outcome {
            Ok(Value::Object(fields)) => fields,
            Ok(other) => Map::from_iter([("result".to_owned(), other)]),
            Err(failure) => Map::from_iter([("error".to_owned(), failure.to_json())]),
        };
        if let Some(id) = id {
            answer.insert("id".to_owned(), id);
        }
        Value::Object(answer)
    }

    fn perform(&mut self, q: &Request) -> Outcome<Value> {
        match q.text("op")? {
            "hello" => Ok(json!({ "name": "hushpost", "version": env!("CARGO_PKG_VERSION") })),
            "new_party" => self.new_party(q),
            "bundle" => {
                let (one_time, kem) = (q.flag("one_time")?, q.flag("kyber")?);
                let bundle = self.party(q)?.bundle(one_time, kem)?;
                Ok(json!({ "bundle": bundle_to_json(&bundle) }))
            }
            "process_bundle" => {
                let bundle = bundle_from_json(&q.object("bundle")?)?;
                let device = match q.optional_u32("peer_device")? {
                    None => bundle.device_id,
                    Some(_) => q.device("peer_device")?,
                };
                let peer = (q.text("peer")?.to_owned(), device);
                self.party(q)?.process_bundle(peer, &bundle)?;
                Ok(json!({}))
            }
            "encrypt" => {
                let plaintext = q.bytes("plaintext")?;
                let message = self.party(q)?.encrypt(&peer(q)?, &plaintext)?;
                Ok(json!({
                    "type": message.message_type() as u8,
                    "message": base64(message.as_bytes()),
                }))
            }
            "decrypt" => {
                let message = q.bytes("message")?;
                let message_type = match q.number("type")? {
                    2 => MessageType::Signal,
                    3 => MessageType::PreKey,
                    _ => return Err(Failure::bad_request("type is neither 2 nor 3")),
                };
                let received = self.party(q)?.decrypt(&peer(q)?, message_type, &message)?;
                Ok(json!({ "plaintext": base64(&received.plaintext) }))
            }
            "skdm_create" => {
                let message = self.party(q)?.distribution_message(distribution_id(q)?)?;
                Ok(json!({ "message": base64(&message.to_bytes()) }))
            }
            "skdm_process" => {
                let message = q.bytes("message")?;
                self.party(q)?.process_distribution(peer(q)?, &message)?;
                Ok(json!({}))
            }
            "group_encrypt" => {
                let plaintext = q.bytes("plaintext")?;
                let id = distribution_id(q)?;
                let message = self.party(q)?.group_encrypt(id, &plaintext)?;
                Ok(json!({ "message": base64(message.as_bytes()) }))
            }
            "group_decrypt" => {
                let message = q.bytes("message")?;
                let plaintext = self.party(q)?.group_decrypt(peer(q)?, &message)?;
                Ok(json!({ "plaintext": base64(&plaintext) }))
            }
            "fingerprint" => self.fingerprint(q),
            "sign" => {
                let message = q.bytes("message")?;
                let signature = self.party(q)?.identity.sign(&[&message], &mut SysRng)?;
                Ok(json!({ "signature": base64(&signature) }))
            }
            "verify" => {
                let (message, signature) = (q.bytes("message")?, q.bytes("signature")?);
                let valid = q.public_key("public")?.verify(&[&message], &signature);
                Ok(json!({ "valid": valid.is_ok() }))
            }
            "agree" => {
                let public = q.public_key("public")?;
                let identity: &IdentityKeyPair = &self.party(q)?.identity;
                let shared = identity.private_key().agree(&public)?;
                Ok(json!({ "shared": base64(shared.as_slice()) }))
            }
            "session_info" => self.session_info(q),
            "save" => Ok(json!({ "state": base64(&self.party(q)?.save()?) })),
            "load" => {
                let party = Party::load(&q.bytes("state")?)?;
                self.parties.insert(q.text("party")?.to_owned(), party);
                Ok(json!({}))
            }
            op => self.perform_sealed(op, q),
        }
    }

    fn perform_sealed(&mut self, op: &str, q: &Request) -> Outcome<Value> {
        match op {
            "authority_new" => {
                let authority = Authority::generate()?;
                let trust_root = base64(&authority.trust_root().to_bytes());
                let label = q.text("authority")?.to_owned();
                self.authorities.insert(label, authority);
                Ok(json!({ "trust_root": trust_root }))
            }
            "sender_certificate" => {
                let authority = self
                    .authorities
                    .get(q.text("authority")?)
                    .ok_or_else(|| Failure::bad_request("no such authority"))?;
                let certificate = authority.certify(
                    q.text("uuid")?,
                    q.device("device")?,
                    q.public_key("identity")?,
                    Timestamp(q.number("expires")?),
                )?;
                Ok(json!({ "certificate": base64(certificate.as_bytes()) }))
            }
            "sealed_encrypt" => {
                let certificate = SenderCertificate::from_bytes(&q.bytes("certificate")?)?;
                let plaintext = q.bytes("plaintext")?;
                let peer = peer(q)?;
                let party = self.party(q)?;
                let message = party.sealed_encrypt(&peer, certificate, &plaintext)?;
                Ok(json!({ "message": base64(&message) }))
            }
            "sealed_decrypt" => {
                let message = q.bytes("message")?;
                let trust_root = q.public_key("trust_root")?;
                let now = Timestamp(q.number("now")?);
                let party = self.party(q)?;
                let (plaintext, sender) = party.sealed_decrypt(&message, &trust_root, now)?;
                Ok(json!({
                    "plaintext": base64(&plaintext),
                    "sender": sender.service_id.to_string(),
                    "sender_device": sender.device_id.get(),
                }))
            }
            "sealed_group_encrypt" => {
                let certificate = SenderCertificate::from_bytes(&q.bytes("certificate")?)?;
                let recipients: Vec<Address> = q
                    .objects("recipients")?
                    .iter()
                    .map(|to| Ok((to.text("name")?.to_owned(), to.device("device")?)))
                    .collect::<Outcome<_>>()?;
                let message = self.party(q)?.sealed_group_encrypt(
                    distribution_id(q)?,
                    certificate,
                    &q.bytes("plaintext")?,
                    q.optional_bytes("group_id")?,
                    &recipients,
                )?;
                Ok(json!({ "message": base64(&message) }))
            }
            "sealed_split_single" => {
                let bytes = q.bytes("message")?;
                let malformed = || Failure::bad_request("not a message to a single recipient");
                let sent = SentMessage::parse(&bytes).map_err(|_| malformed())?;
                let [recipient] = sent.recipients() else {
                    return Err(malformed());
                };
                let received = sent.received_form(recipient).ok_or_else(malformed)?;
                Ok(json!({ "message": base64(&received) }))
            }
            "sealed_open" => {
                let content = sealed_sender::open(&q.bytes("message")?, &self.party(q)?.identity)?;
                let sender = content.sender_certificate().fields().sender;
                Ok(json!({
                    "type": content.message_type() as u8,
                    "contents": base64(content.contents()),
                    "sender": sender.service_id.to_string(),
                    "sender_device": sender.device_id.get(),
                    "group_id": content.group_id().map(base64),
                }))
            }
            op => Err(Failure::unknown_op(op)),
        }
    }

    fn new_party(&mut self, q: &Request) -> Outcome<Value> {
        let pq_policy = match q.optional_text("spqr")? {
            None | Some("allowed") => PqPolicy::Allowed,
            Some("required") => PqPolicy::Required,
            Some("off") => PqPolicy::Off,
            Some(_) => return Err(Failure::bad_request("spqr is not a policy")),
        };
        let private = match q.optional_bytes("identity_private")? {
            None => None,
            Some(bytes) => {
                let bytes: [u8; 32] = bytes
                    .try_into()
                    .map_err(|_| Failure::bad_request("identity_private is not 32 bytes"))?;
                Some(PrivateKey::from_bytes(bytes))
            }
        };
        let party = Party::new(
            q.text("name")?.to_owned(),
            q.device("device")?,
            q.registration_id("registration_id")?,
            pq_policy,
            private,
        )?;
        let identity = base64(&party.identity.public_key().to_bytes());
        self.parties.insert(q.text("party")?.to_owned(), party);
        Ok(json!({ "identity": identity }))
    }

    fn fingerprint(&mut self, q: &Request) -> Outcome<Value> {
        let (local_id, peer_id) = (q.bytes("local_id")?, q.bytes("peer_id")?);
        let peer_identity = q.public_key("peer_identity")?;
        let number = SafetyNumber::new(
            q.u32("version")?,
            q.u32("iterations")?,
            SafetyNumberParty {
                id: &local_id,
                identity_key: self.party(q)?.identity.public_key(),
            },
            SafetyNumberParty {
                id: &peer_id,
                identity_key: &peer_identity,
            },
        )?;
        Ok(json!({ "display": number.display(), "scannable": base64(&number.scannable()) }))
    }

    fn session_info(&mut self, q: &Request) -> Outcome<Value> {
        let peer = peer(q)?;
        let info = self.party(q)?.sessions.get(&peer).map(|session| {
            let version = session.version().map(|version| match version {
                ProtocolVersion::V3 => 3,
                ProtocolVersion::V4 => 4,
            });
            json!({
                "current": version.is_some(),
                "version": version,
                "pending": session.is_unacknowledged(),
                "archived": session.archived_len(),
                "pq_epoch": session.pq_epoch(),
            })
        });
        Ok(json!({ "info": info }))
    }

    fn party(&mut self, q: &Request) -> Outcome<&mut Party> {
        self.parties
            .get_mut(q.text("party")?)
            .ok_or_else(|| Failure::bad_request("no such party"))
    }
}

fn peer(q: &Request) -> Outcome<Address> {
    Ok((q.text("peer")?.to_owned(), q.device("peer_device")?))
}

fn distribution_id(q: &Request) -> Outcome<DistributionId> {
    Uuid::try_parse(q.text("distribution_id")?)
        .map(DistributionId)
        .map_err(|_| Failure::bad_request("distribution_id is not a UUID"))
}

fn bundle_to_json(bundle: &PreKeyBundle) -> Value {
    let signed = &bundle.signed_pre_key;
    let mut fields = json!({
        "registration_id": bundle.registration_id.0,
        "device": bundle.device_id.get(),
        "identity": base64(&bundle.identity_key.to_bytes()),
        "signed_pre_key_id": signed.id.0,
        "signed_pre_key": base64(&signed.key.to_bytes()),
        "signed_pre_key_signature": base64(&signed.signature),
    });
    if let Value::Object(fields) = &mut fields {
        if let Some(key) = &bundle.one_time_pre_key {
            fields.insert("pre_key_id".into(), key.id.0.into());
            fields.insert("pre_key".into(), base64(&key.key.to_bytes()).into());
        }
        if let Some(key) = &bundle.kem_pre_key {
            fields.insert("kyber_pre_key_id".into(), key.id.0.into());
            fields.insert("kyber_pre_key".into(), base64(&key.key.to_bytes()).into());
            let signature = base64(&key.signature);
            fields.insert("kyber_pre_key_signature".into(), signature.into());
        }
    }
    fields
}

fn bundle_from_json(q: &Request) -> Outcome<PreKeyBundle> {
    let one_time_pre_key = match q.optional_bytes("pre_key")? {
        None => None,
        Some(key) => Some(OneTimePreKeyBundle {
            id: OneTimePreKeyId(q.u32("pre_key_id")?),
            key: PublicKey::from_bytes(&key)?,
        }),
    };
    let kem_pre_key = match q.optional_bytes("kyber_pre_key")? {
        None => None,
        Some(key) => Some(KemPreKeyBundle {
            id: KemPreKeyId(q.u32("kyber_pre_key_id")?),
            key: KemPublicKey::from_bytes(&key)?,
            signature: q.bytes("kyber_pre_key_signature")?,
        }),
    };
    Ok(PreKeyBundle {
        registration_id: RegistrationId(q.u32("registration_id")?),
        device_id: q.device("device")?,
        identity_key: q.public_key("identity")?,
        signed_pre_key: SignedPreKeyBundle {
            id: SignedPreKeyId(q.u32("signed_pre_key_id")?),
            key: q.public_key("signed_pre_key")?,
            signature: q.bytes("signed_pre_key_signature")?,
        },
        one_time_pre_key,
        kem_pre_key,
    })
}
