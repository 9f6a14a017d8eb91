//! Send and `SendSealed`: from a request to a submission, and from its outcome to the answer.
//!
//! Checked before anything is stored: lengths, limits, tokens, and that each recipient's devices are
//! just those on its list. An account that does not fit gets nothing, and the sender learns exactly why;
//! the others are served all the same. The answer comes when the writer's commit is durable.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hushpost_wire::sent_message::{SentMessage, SentRecipient};
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    AccountId, DeviceAddress, DeviceId, ErrorCode, MessageId, RecipientProblem, Send, SendSealed,
    Sent,
};

use super::handshake::Identity;
use super::requests::introduced;
use super::task::Connection;
use crate::accounts::directory::{Account, Device};
use crate::limits::Asker;
use crate::mailbox::{self, Entry, Message, Outcome, Submission};
use crate::refusal::Refusal;
use crate::relay::Relay;
use crate::store::now_ms;

/// A recipient account as the sender sees it.
struct Wanted {
    account: AccountId,
    token: Bytes,
    devices: Vec<WantedDevice>,
}

struct WantedDevice {
    device: DeviceId,
    registration_id: u32,
    own: Bytes,
}

/// Who sends, as far as the relay knows.
struct Origin {
    asker: Asker,
    sender: Option<DeviceAddress>,
    row: Option<i64>,
}

/// What is to be stored, and what is wrong with the rest.
#[derive(Default)]
struct Plan {
    recipients: Vec<mailbox::Recipient>,
    /// Account and device of each of [`recipients`](Self::recipients).
    places: Vec<(AccountId, DeviceId)>,
    problems: Vec<RecipientProblem>,
}

/// Send. `None`: the answer comes when the message is durable.
pub(super) async fn send(
    connection: &Connection,
    id: u64,
    request: Send,
) -> Result<Option<Body>, Refusal> {
    let origin = origin(connection)?;
    let message_id = MessageId::from_slice(&request.message_id)?;
    let ephemeral = request.ephemeral;
    let configured = &connection.relay.config.limits;
    let shared = match &request.shared_ciphertext {
        Some(shared) => own_copy(shared, configured.message_bytes)?,
        None => Bytes::new(),
    };
    check_count(request.recipients.len(), configured.recipients)?;
    let mut wanted = Vec::with_capacity(request.recipients.len());
    for recipient in request.recipients {
        let mut devices = Vec::with_capacity(recipient.devices.len());
        for device in recipient.devices {
            if request.shared_ciphertext.is_some() != device.ciphertext.is_empty() {
                return Err(Refusal::new(
                    ErrorCode::BadRequest,
                    "a device has a ciphertext of its own, or all share one",
                ));
            }
            devices.push(WantedDevice {
                device: DeviceId::new(device.device)?,
                registration_id: device.registration_id,
                own: own_copy(&device.ciphertext, configured.message_bytes)?,
            });
        }
        wanted.push(Wanted {
            account: AccountId::from_slice(&recipient.account)?,
            token: recipient.delivery_token,
            devices,
        });
    }
    dispatch(
        connection, id, origin, message_id, shared, wanted, ephemeral,
    )
    .await
}

/// `SendSealed`. `None`: the answer comes when the message is durable.
pub(super) async fn send_sealed(
    connection: &Connection,
    id: u64,
    request: SendSealed,
) -> Result<Option<Body>, Refusal> {
    let origin = origin(connection)?;
    if origin.sender.is_some() {
        return Err(Refusal::new(
            ErrorCode::BadRequest,
            "sealed envelopes go over an anonymous connection, or the relay would see their sender",
        ));
    }
    let message_id = MessageId::from_slice(&request.message_id)?;
    let configured = &connection.relay.config.limits;
    let envelope = SentMessage::parse(&request.envelope)
        .map_err(|error| Refusal::new(ErrorCode::BadRequest, error.to_string()))?;
    let shared = own_copy(envelope.shared(), configured.message_bytes)?;
    let included: Vec<_> = envelope
        .recipients()
        .iter()
        .filter_map(|recipient| Some((recipient, recipient.received_prefix()?)))
        .collect();
    if included.len() != request.delivery_tokens.len() {
        return Err(Refusal::new(
            ErrorCode::BadRequest,
            "one delivery token for each entry that is not excluded",
        ));
    }
    let mut wanted: Vec<Wanted> = Vec::with_capacity(included.len());
    let mut places = HashMap::with_capacity(included.len());
    for ((recipient, prefix), token) in included.into_iter().zip(request.delivery_tokens) {
        let account = account_of(recipient)?;
        // Devices with identity keys of their own need an entry each; together they are one recipient.
        let place = *places.entry(account).or_insert(wanted.len());
        if place == wanted.len() {
            wanted.push(Wanted {
                account,
                token: token.clone(),
                devices: Vec::with_capacity(recipient.devices.len()),
            });
        }
        let Some(entry) = wanted.get_mut(place).filter(|entry| entry.token == token) else {
            return Err(Refusal::new(
                ErrorCode::BadRequest,
                "the entries of one account show different delivery tokens",
            ));
        };
        let own = Bytes::from(prefix);
        for device in &recipient.devices {
            entry.devices.push(WantedDevice {
                device: DeviceId::new(u32::from(device.device_id))?,
                registration_id: u32::from(device.registration_id),
                own: own.clone(),
            });
        }
    }
    check_count(wanted.len(), configured.recipients)?;
    dispatch(connection, id, origin, message_id, shared, wanted, false).await
}

/// The account of an envelope's recipient; identities behind phone numbers have no mailbox here.
fn account_of(recipient: &SentRecipient<'_>) -> Result<AccountId, Refusal> {
    let [kind, id @ ..] = &recipient.service_id;
    if *kind != 0 {
        return Err(Refusal::new(
            ErrorCode::BadRequest,
            "a sealed envelope is for accounts",
        ));
    }
    Ok(AccountId::from_slice(id)?)
}

/// A copy of its own: a small ciphertext that waits for days must not keep a connection's read buffer.
fn own_copy(ciphertext: &[u8], most: usize) -> Result<Bytes, Refusal> {
    if ciphertext.len() > most {
        return Err(Refusal::new(
            ErrorCode::TooLarge,
            format!("a ciphertext is at most {most} bytes here; send larger content as a blob"),
        ));
    }
    Ok(Bytes::copy_from_slice(ciphertext))
}

fn check_count(count: usize, most: usize) -> Result<(), Refusal> {
    if (1..=most).contains(&count) {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorCode::TooMany,
        format!("a message has 1 to {most} recipient accounts"),
    ))
}

fn origin(connection: &Connection) -> Result<Origin, Refusal> {
    let asker = introduced(connection)?;
    let limits = &connection.relay.limits;
    limits.messages_per_address.admit(&connection.address)?;
    let (sender, row) = match &connection.identity {
        Identity::Device(proven) => {
            limits.messages_per_account.admit(&proven.row)?;
            (Some(proven.address), Some(proven.row))
        }
        Identity::Unknown | Identity::Anonymous => (None, None),
    };
    Ok(Origin { asker, sender, row })
}

async fn dispatch(
    connection: &Connection,
    id: u64,
    origin: Origin,
    message_id: MessageId,
    shared: Bytes,
    wanted: Vec<Wanted>,
    ephemeral: bool,
) -> Result<Option<Body>, Refusal> {
    let relay = &connection.relay;
    let accounts: Vec<AccountId> = wanted.iter().map(|wanted| wanted.account).collect();
    if accounts.len() > 1 && accounts.iter().collect::<HashSet<_>>().len() != accounts.len() {
        return Err(Refusal::new(
            ErrorCode::BadRequest,
            "an account stands twice among the recipients",
        ));
    }
    let found = match accounts.as_slice() {
        [only] => vec![relay.directory.find(*only).await?],
        many => relay.directory.find_all(many).await?,
    };
    let mut plan = Plan::default();
    for (wanted, account) in wanted.into_iter().zip(found) {
        plan.add(relay, &origin, shared.len(), wanted, account.as_deref());
    }
    if ephemeral {
        let message = Arc::new(Message {
            id: message_id,
            sender: origin.sender,
            accepted_ms: now_ms(),
            shared,
        });
        return hand_over(relay, &message, plan).await.map(Some);
    }
    let session = Arc::clone(&connection.session);
    session.begin();
    let (places, problems) = (plan.places, plan.problems);
    relay.store.writer().submit(Submission {
        id: message_id,
        sender: origin.sender,
        shared,
        recipients: plan.recipients,
        answer: Box::new(move |outcome| {
            let body = match outcome {
                Ok(outcome) => Body::Sent(sent(outcome, &places, problems)),
                Err(error) => Body::Error(Refusal::from(error).into_frame()),
            };
            session.finish(id, body);
        }),
    });
    Ok(None)
}

/// Hands what is not stored to the devices that are connected.
async fn hand_over(relay: &Relay, message: &Arc<Message>, plan: Plan) -> Result<Body, Refusal> {
    for recipient in plan.recipients {
        let opened = relay.store.writer().open_mailbox(recipient.device).await?;
        if let Some(receiver) = opened.and_then(|mailbox| mailbox.receiver()) {
            receiver.ephemeral(&Entry {
                message: Arc::clone(message),
                own: recipient.own,
            });
        }
    }
    Ok(Body::Sent(Sent {
        accepted_ms: message.accepted_ms,
        stored: 0,
        problems: plan.problems,
    }))
}

fn sent(
    outcome: Outcome,
    places: &[(AccountId, DeviceId)],
    mut problems: Vec<RecipientProblem>,
) -> Sent {
    metrics::counter!("hushpost_sent_total").increment(u64::from(outcome.stored));
    for (place, refusal) in outcome.refused {
        let Some((account, device)) = places.get(place) else {
            continue;
        };
        let mut problem = empty_problem(*account);
        match refusal {
            mailbox::Refusal::Full => problem.full.push((*device).into()),
            // Removed between the check and the commit.
            mailbox::Refusal::Gone => problem.extra.push((*device).into()),
        }
        merge(&mut problems, problem);
    }
    Sent {
        accepted_ms: outcome.accepted_ms,
        stored: outcome.stored,
        problems,
    }
}

/// Adds what a commit found out to what was known of the account.
fn merge(problems: &mut Vec<RecipientProblem>, found: RecipientProblem) {
    match problems
        .iter_mut()
        .find(|problem| problem.account == found.account)
    {
        Some(problem) => {
            problem.full.extend(found.full);
            problem.extra.extend(found.extra);
        }
        None => problems.push(found),
    }
}

fn empty_problem(account: AccountId) -> RecipientProblem {
    RecipientProblem {
        account: Bytes::copy_from_slice(account.as_bytes()),
        ..RecipientProblem::default()
    }
}

impl Plan {
    /// Adds an account's devices, or says what is wrong.
    fn add(
        &mut self,
        relay: &Relay,
        origin: &Origin,
        shared_len: usize,
        wanted: Wanted,
        account: Option<&Account>,
    ) {
        let mut problem = empty_problem(wanted.account);
        let shown = account.is_some_and(|account| account.takes_token(&wanted.token));
        // Over an anonymous connection only who has the token reaches an account, and learns of it.
        let account = account.filter(|_| origin.sender.is_some() || shown);
        let Some(account) = account else {
            problem.unreachable = true;
            self.problems.push(problem);
            return;
        };
        compare(origin, &wanted.devices, account, &mut problem);
        if problem != empty_problem(wanted.account) {
            self.problems.push(problem);
            return;
        }
        let pair = relay
            .limits
            .messages_per_pair
            .take(&(origin.asker, account.row));
        let stranger = !shown && origin.row != Some(account.row);
        for wanted_device in wanted.devices {
            let Some(device) = account.device(wanted_device.device) else {
                continue;
            };
            let size = shared_len.saturating_add(wanted_device.own.len());
            match pair.and_then(|()| take_bytes(relay, device, stranger, size)) {
                Ok(()) => {
                    self.recipients.push(mailbox::Recipient {
                        device: device.key,
                        own: wanted_device.own,
                        stranger,
                    });
                    self.places.push((account.id, device.device));
                }
                Err(wait) => {
                    problem.limited.push(device.device.into());
                    problem.retry_after_ms = problem.retry_after_ms.max(millis_rounded_up(wait));
                }
            }
        }
        if !problem.limited.is_empty() {
            self.problems.push(problem);
        }
    }
}

/// Notes devices that the message lacks, has too many, or knows by an old registration.
fn compare(
    origin: &Origin,
    wanted: &[WantedDevice],
    account: &Account,
    problem: &mut RecipientProblem,
) {
    let is_sender = |device: DeviceId| {
        origin.sender
            == Some(DeviceAddress {
                account: account.id,
                device,
            })
    };
    let mut seen: Vec<DeviceId> = Vec::with_capacity(wanted.len());
    for entry in wanted {
        match account.device(entry.device) {
            _ if seen.contains(&entry.device) || is_sender(entry.device) => {
                problem.extra.push(entry.device.into());
            }
            None => problem.extra.push(entry.device.into()),
            Some(device) if device.registration_id != entry.registration_id => {
                problem.stale.push(entry.device.into());
            }
            Some(_) => {}
        }
        seen.push(entry.device);
    }
    problem.missing = account
        .devices
        .iter()
        .filter(|device| !seen.contains(&device.device) && !is_sender(device.device))
        .map(|device| device.device.into())
        .collect();
}

/// Takes a message's KiB from the queue's budget. Strangers have one of their own, so that they cannot use up
/// that of contacts.
fn take_bytes(relay: &Relay, device: &Device, stranger: bool, size: usize) -> Result<(), Duration> {
    let kib = u32::try_from(size.div_ceil(1024)).unwrap_or(u32::MAX);
    let kib = NonZeroU32::new(kib).unwrap_or(NonZeroU32::MIN);
    relay
        .limits
        .bytes_per_queue
        .take_many(&(device.key, stranger), kib)
}

fn millis_rounded_up(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis())
        .unwrap_or(u64::MAX)
        .saturating_add(1)
}
