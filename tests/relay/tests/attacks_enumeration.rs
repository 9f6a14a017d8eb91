//! Finding out who is here, and numbers without sense: rows G12 and G13.
//!
//! Answers about who exists and who does not are compared byte by byte, over many tries. How long they take
//! is measured and printed (`--nocapture`), and judged by nobody: a loaded machine would decide the test.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hushpost_harness::{Client, HarnessError, Identity, LIMITERS_OFF, RelayOptions, RelayProcess};
use hushpost_relay_tests::every_request::pre_keys;
use hushpost_relay_tests::{Person, message};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    Acknowledge, ClientFrame, CreateUpload, ErrorCode, FetchPreKeyBundles, Found, GetDeviceList,
    LastWill, LookUpName, NameKind, Ping, PresenceValues, Publish, Receive, ServerFrame,
    SetUserName, Subscribe, frame, topic,
};
use tokio_tungstenite::tungstenite::Message;

type Result<T = (), E = HarnessError> = core::result::Result<T, E>;

/// How often each question is asked.
const TRIES: usize = 300;
/// The request id of questions whose answers are compared.
const ID: u64 = 1000;

fn relay() -> Result<RelayProcess> {
    RelayOptions::default().config(LIMITERS_OFF).start()
}

/// The bytes of the answer, and how long it took.
async fn ask(client: &mut Client, request: Request) -> Result<(Bytes, Duration)> {
    let question = frame::encode(&ClientFrame {
        id: ID,
        request: Some(request),
    });
    let asked = Instant::now();
    client.send_bytes(question).await?;
    loop {
        match client.next_message("answer").await? {
            Some(Message::Binary(answer)) => {
                if frame::decode::<ServerFrame>(answer.clone())?.id == ID {
                    return Ok((answer, asked.elapsed()));
                }
            }
            Some(_) => {}
            None => return Err(HarnessError::Ended("an answer")),
        }
    }
}

/// Both kinds of question in turn, so that a busy moment touches both alike.
struct Compared {
    what: &'static str,
    times: [Vec<Duration>; 2],
}

impl Compared {
    fn new(what: &'static str) -> Self {
        Self {
            what,
            times: [Vec::new(), Vec::new()],
        }
    }

    async fn both(&mut self, client: &mut Client, requests: [Request; 2]) -> Result<[Bytes; 2]> {
        let mut answers = [Bytes::new(), Bytes::new()];
        for ((slot, times), request) in answers.iter_mut().zip(&mut self.times).zip(requests) {
            let (answer, took) = ask(client, request).await?;
            *slot = answer;
            times.push(took);
        }
        Ok(answers)
    }
}

impl Drop for Compared {
    #[allow(clippy::print_stdout)]
    fn drop(&mut self) {
        let [first, second] = &mut self.times;
        for times in [&mut *first, &mut *second] {
            times.sort_unstable();
        }
        let median = |times: &[Duration]| times.get(times.len() / 2).copied();
        println!(
            "{}: medians {:?} and {:?}",
            self.what,
            median(first),
            median(second)
        );
    }
}

/// Whether a body is the refusal with this code.
fn code(answer: &Bytes) -> Result<Option<ErrorCode>> {
    match frame::decode::<ServerFrame>(answer.clone())?.body {
        Some(Body::Error(error)) => Ok(Some(error.code())),
        _ => Ok(None),
    }
}

#[tokio::test]
async fn a_wrong_signature_and_an_unknown_account_are_answered_alike() -> Result {
    let relay = relay()?;
    let here = Person::register(relay.address()).await?.identity;
    let not_here = Identity::new()?;
    let (mut client, welcome) = Client::connect(relay.address()).await?;
    let mut compared = Compared::new("wrong signature, unknown account");
    let mut first = None;
    for number in 0..TRIES {
        // Genuine signatures of nobody, and wrong ones of somebody; also of a device that is not there.
        let mut wrong = here.authenticate(&welcome, 1)?;
        let unknown = not_here.authenticate(&welcome, 1)?;
        wrong.signature = unknown.signature.clone();
        if number % 3 == 2 {
            wrong.device = 2;
        }
        let requests = [Request::Authenticate(wrong), Request::Authenticate(unknown)];
        let [one, other] = compared.both(&mut client, requests).await?;
        assert_eq!(code(&one)?, Some(ErrorCode::AuthenticationFailed));
        assert_eq!(one, other);
        assert_eq!(one, *first.get_or_insert(one.clone()));
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_token_and_an_unknown_account_are_answered_alike() -> Result {
    let relay = relay()?;
    let mut here = Person::register(relay.address()).await?;
    here.allow_contacts().await?;
    let keys = Request::UploadPreKeys(pre_keys(1, 5));
    here.client.request(keys).await?;
    let without_token = Person::register(relay.address()).await?.identity;
    let (mut nobody, _) = Client::connect(relay.address()).await?;
    nobody.anonymous().await?;

    let list = |of: &Identity, token: &[u8]| {
        Request::GetDeviceList(GetDeviceList {
            account: of.account().as_bytes().to_vec().into(),
            delivery_token: token.to_vec().into(),
        })
    };
    let bundles = |of: &Identity, token: &[u8]| {
        Request::FetchPreKeyBundles(FetchPreKeyBundles {
            account: of.account().as_bytes().to_vec().into(),
            device: 1,
            delivery_token: token.to_vec().into(),
        })
    };
    let mut lists = Compared::new("device list: wrong token, unknown account");
    let mut keys = Compared::new("bundles: wrong token, unknown account");
    let mut sends = Compared::new("send: wrong token, unknown account");
    for number in 0..TRIES {
        // A new one each time: an answer may not depend on whether it was asked before either.
        let not_here = Identity::new()?;
        let there = if number % 2 == 0 {
            &here.identity
        } else {
            &without_token
        };
        let wrong: &[u8] = [&[7; 16][..], &[], &[1; 40]][number % 3];
        for (compared, question) in [
            (&mut lists, &list as &dyn Fn(&Identity, &[u8]) -> Request),
            (&mut keys, &bundles),
        ] {
            let requests = [question(there, wrong), question(&not_here, wrong)];
            let [one, other] = compared.both(&mut nobody, requests).await?;
            assert_eq!(code(&one)?, Some(ErrorCode::NotFound));
            assert_eq!(one, other);
        }

        let id = u128::try_from(number).unwrap_or(0).to_be_bytes();
        let send = |of: &Identity| {
            let mut recipient = of.recipient(b"x");
            recipient.delivery_token = wrong.to_vec().into();
            Request::Send(message(id, vec![recipient]))
        };
        let answers = sends
            .both(&mut nobody, [send(there), send(&not_here)])
            .await?;
        let mut bare = Vec::new();
        for (answer, of) in answers.iter().zip([there, &not_here]) {
            let Some(Body::Sent(mut answered)) = frame::decode::<ServerFrame>(answer.clone())?.body
            else {
                panic!("sent");
            };
            // What was asked, and the clock, are all that differs.
            assert_eq!(answered.problems[0].account, of.account().as_bytes()[..]);
            answered.problems[0].account = Bytes::new();
            answered.accepted_ms = 0;
            bare.push(frame::encode(&answered));
        }
        assert_eq!(bare[0], bare[1]);
        assert_eq!(answers[0].len(), answers[1].len());
    }
    Ok(())
}

#[tokio::test]
async fn a_name_that_is_there_and_one_that_is_not_are_answered_at_the_same_length() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let set = Request::SetUserName(SetUserName {
        name: "alice".to_owned(),
    });
    alice.client.request(set).await?;
    let (mut nobody, _) = Client::connect(relay.address()).await?;
    nobody.anonymous().await?;
    let look_up = |name: &str| {
        Request::LookUpName(LookUpName {
            kind: NameKind::UserName.into(),
            name: name.to_owned(),
        })
    };
    let mut compared = Compared::new("name: hit, miss");
    for _ in 0..100 {
        let requests = [look_up("alice"), look_up("malice")];
        let [hit, miss] = compared.both(&mut nobody, requests).await?;
        assert_eq!(hit.len(), miss.len());
        for (answer, found, account) in [
            (hit, Found::Yes, *alice.identity.account().as_bytes()),
            (miss, Found::No, [0; 16]),
        ] {
            let Some(Body::NameLookedUp(looked_up)) = frame::decode::<ServerFrame>(answer)?.body
            else {
                panic!("looked up");
            };
            assert_eq!(looked_up.found(), found);
            assert_eq!(looked_up.account.as_ref(), account);
        }
    }
    Ok(())
}

#[tokio::test]
async fn nobody_looks_up_more_names_than_the_limit() -> Result {
    let relay = RelayOptions::default()
        .config("[limits.rate]\nname_lookups = { burst = 20, per_minute = 0.1, when_full = \"closed\" }")
        .start()?;
    let mut account = Person::register(relay.address()).await?;
    let (mut nobody, _) = Client::connect(relay.address()).await?;
    nobody.anonymous().await?;
    for client in [&mut account.client, &mut nobody] {
        let mut answered = 0;
        for number in 0..100 {
            let request = Request::LookUpName(LookUpName {
                kind: NameKind::UserName.into(),
                name: format!("name{number}"),
            });
            match client.request(request).await {
                Ok(_) => answered += 1,
                Err(error) => assert_eq!(error.code(), Some(ErrorCode::RateLimited)),
            }
        }
        assert_eq!(answered, 20);
        // Nor by trying to take them, nor by asking for device lists.
        let taken = Request::GetDeviceList(GetDeviceList {
            account: Identity::new()?.account().as_bytes().to_vec().into(),
            delivery_token: Bytes::new(),
        });
        let refused = client.request_refused(taken).await?;
        assert_eq!(refused.code(), ErrorCode::RateLimited);
    }
    let set = Request::SetUserName(SetUserName {
        name: "name1".to_owned(),
    });
    let refused = account.client.request_refused(set).await?;
    assert_eq!(refused.code(), ErrorCode::RateLimited);
    // Another connection of the same address is no second chance.
    let (mut again, _) = Client::connect(relay.address()).await?;
    again.anonymous().await?;
    let request = Request::LookUpName(LookUpName {
        kind: NameKind::UserName.into(),
        name: "name".to_owned(),
    });
    let refused = again.request_refused(request).await?;
    assert_eq!(refused.code(), ErrorCode::RateLimited);
    Ok(())
}

async fn values(client: &mut Client, topics: Vec<Bytes>) -> Result<PresenceValues> {
    match client
        .request(Request::Subscribe(Subscribe { topics }))
        .await?
    {
        Body::PresenceValues(values) => Ok(values),
        _ => Err(HarnessError::Unexpected("values")),
    }
}

#[tokio::test]
async fn extreme_times_are_clamped() -> Result {
    let mut relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let key = [1; 32];
    let topics: Vec<Bytes> = vec![topic::of_key(&key).to_vec().into()];
    let publish = |ttl_s, last_will: Option<u32>| {
        Request::Publish(Publish {
            topic_key: key.to_vec().into(),
            value: Bytes::from_static(b"here"),
            ttl_s,
            last_will: last_will.map(|ttl_s| LastWill {
                value: Bytes::from_static(b"gone"),
                ttl_s,
            }),
        })
    };
    // 0 counts as a second, and the most is a week: nothing wraps to "never" or "long ago".
    alice.client.request(publish(u32::MAX, None)).await?;
    relay.kill()?;
    relay.restart()?;
    let mut follower = Person::register(relay.address()).await?;
    let kept = values(&mut follower.client, topics.clone()).await?;
    assert_eq!(kept.values.len(), 1);
    alice.reconnect(relay.address()).await?;
    alice.client.request(publish(0, Some(u32::MAX))).await?;
    let Body::PresenceValues(pushed) = follower.client.next_push().await? else {
        panic!("pushed");
    };
    assert_eq!(pushed.values[0].value.as_ref(), b"here");
    let Body::PresenceValues(expired) = follower.client.next_push().await? else {
        panic!("expired");
    };
    assert!(expired.values[0].value.is_empty(), "a second is over");
    alice.client.close().await?;
    let Body::PresenceValues(will) = follower.client.next_push().await? else {
        panic!("the last will");
    };
    assert_eq!(will.values[0].value.as_ref(), b"gone");
    Ok(())
}

#[tokio::test]
async fn extreme_numbers_are_refused_or_echoed() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    // Any id but 0 is good.
    for id in [1, u64::from(u32::MAX), 1 << 63, u64::MAX] {
        let question = frame::encode(&ClientFrame {
            id,
            request: Some(Request::Ping(Ping {})),
        });
        alice.client.send_bytes(question).await?;
        let Some(Message::Binary(answer)) = alice.client.next_message("answer").await? else {
            panic!("answer");
        };
        assert_eq!(frame::decode::<ServerFrame>(answer)?.id, id);
    }
    for number in [1, 1 << 31, 1 << 63, u64::MAX - 1, u64::MAX] {
        for request in [
            Request::Receive(Receive {
                after_sequence: number,
            }),
            Request::Acknowledge(Acknowledge {
                through_sequence: number,
            }),
        ] {
            let refused = alice.client.request_refused(request).await?;
            assert_eq!(refused.code(), ErrorCode::SequenceInvalid);
        }
    }
    // Device numbers and registration ids.
    for device in [128, 256, 257, u32::MAX] {
        let mut recipient = alice.identity.recipient(b"x");
        recipient.devices[0].device = device;
        let send = Request::Send(message([1; 16], vec![recipient]));
        let fetch = Request::FetchPreKeyBundles(FetchPreKeyBundles {
            account: alice.identity.account().as_bytes().to_vec().into(),
            device,
            delivery_token: Bytes::new(),
        });
        for request in [send, fetch] {
            let refused = alice.client.request_refused(request).await?;
            assert_eq!(refused.code(), ErrorCode::BadRequest, "{device}");
        }
    }
    for registration_id in [0, 1 << 14, u32::MAX] {
        let mut identity = Identity::new()?;
        identity.devices[0].registration_id = registration_id;
        let (mut client, welcome) = Client::connect(relay.address()).await?;
        let request = Request::Register(identity.register(&welcome)?);
        let refused = client.request_refused(request).await?;
        assert_eq!(refused.code(), ErrorCode::DeviceListInvalid);
    }
    // A list of the last version, after which none can follow; version 0 is none.
    let mut identity = Identity::new()?;
    identity.list_version = u32::MAX;
    let (mut client, welcome) = Client::connect(relay.address()).await?;
    client.register(&welcome, &identity).await?;
    identity.list_version = 0;
    let (mut client, welcome) = Client::connect(relay.address()).await?;
    let request = Request::Register(identity.register(&welcome)?);
    let refused = client.request_refused(request).await?;
    assert_eq!(refused.code(), ErrorCode::DeviceListInvalid);
    // Pre-keys numbered up to the end: the next upload has nothing above them, and takes nothing.
    let mut upload = pre_keys(u32::MAX, 0);
    upload.one_time_pre_keys = pre_keys(1, 1).one_time_pre_keys;
    upload.one_time_pre_keys[0].id = u32::MAX;
    for _ in 0..2 {
        let request = Request::UploadPreKeys(upload.clone());
        let Body::PreKeyCounts(counts) = alice.client.request(request).await? else {
            panic!("counts");
        };
        assert_eq!(counts.one_time_pre_keys, 1);
    }
    // Ids of a wrong length or kind.
    for account in [
        vec![],
        vec![0; 15],
        vec![0; 16],
        vec![0xff; 17],
        vec![0; 9000],
    ] {
        let list = Request::GetDeviceList(GetDeviceList {
            account: account.clone().into(),
            delivery_token: Bytes::new(),
        });
        let refused = alice.client.request_refused(list).await?;
        assert_eq!(refused.code(), ErrorCode::BadRequest);
    }
    Ok(())
}

#[tokio::test]
async fn uploads_without_sense_are_given_no_room() -> Result {
    let relay = relay()?;
    let (mut client, welcome) = Client::connect(relay.address()).await?;
    client.register(&welcome, &Identity::new()?).await?;
    let create = |size, digest: usize| {
        Request::CreateUpload(CreateUpload {
            size,
            digest: vec![0; digest].into(),
            ttl_s: u64::MAX,
        })
    };
    for (size, digest) in [(1 << 63, 32), (u64::MAX, 32), (1, 0), (1, 31), (1, 33)] {
        // Whatever the reason, and whether blobs are on or not.
        client.request_refused(create(size, digest)).await?;
    }
    // Nothing at all, and for ever: with blobs on both may be had, and then not for ever.
    let longest_ms = welcome.time_ms + 31 * 24 * 3600 * 1000;
    for size in [0, 1] {
        match client.request(create(size, 32)).await {
            Ok(Body::UploadCreated(created)) => assert!(created.expires_ms < longest_ms),
            Ok(_) => panic!("another answer"),
            Err(HarnessError::Refused(_)) => {}
            Err(other) => return Err(other),
        }
    }
    client.request(Request::Ping(Ping {})).await?;
    assert!(!relay.log()?.contains("panicked"));
    Ok(())
}
