//! Every lie of the evil relay, told between plain clients and a real relay.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use bytes::Bytes;
use hushpost_evil_relay::{EvilRelay, Fate, Frame, Record, Verdict, What, Who};
use hushpost_harness::{Client, HarnessError, Identity, LIMITERS_OFF, RelayOptions, RelayProcess};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    Acknowledge, Acknowledged, Authenticated, CaughtUp, Deliveries, Delivery, ErrorCode,
    GetDeviceList, Ping, PutDeviceList, Receive, Send,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A relay, the liar before it, Alice and Bob connected through the liar.
struct Stage {
    relay: RelayProcess,
    evil: EvilRelay,
    alice: Identity,
    bob: Identity,
    a: Client,
    b: Client,
}

impl Stage {
    async fn new(renumbers: bool) -> Result<Self, Box<dyn std::error::Error>> {
        let relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
        let evil = if renumbers {
            EvilRelay::renumbering(relay.address()).await?
        } else {
            EvilRelay::start(relay.address()).await?
        };
        let (alice, bob) = (Identity::new()?, Identity::new()?);
        let (mut a, welcome) = Client::connect(evil.address()).await?;
        a.register(&welcome, &alice).await?;
        let (mut b, welcome) = Client::connect(evil.address()).await?;
        b.register(&welcome, &bob).await?;
        receive(&mut b, 0).await?;
        // From here on nothing is said unasked.
        let caught_up = |record: &Record| {
            let mut pushes = record.pushes();
            pushes.any(|(_, body)| matches!(body, Body::CaughtUp(_)))
        };
        evil.until("Bob is up to date", caught_up).await?;
        Ok(Self {
            relay,
            evil,
            alice,
            bob,
            a,
            b,
        })
    }

    /// Alice sends Bob so many messages, numbered from 1.
    async fn send(&mut self, count: u8) -> Result<(), HarnessError> {
        for number in 1..=count {
            self.a.request(message(number, &self.bob)).await?;
        }
        Ok(())
    }
}

fn message(number: u8, to: &Identity) -> Request {
    Request::Send(Send {
        message_id: vec![number; 16].into(),
        shared_ciphertext: None,
        recipients: vec![to.recipient(&[number])],
        ephemeral: false,
    })
}

async fn receive(client: &mut Client, after: u64) -> Result<u64, HarnessError> {
    let after_sequence = after;
    let request = Request::Receive(Receive { after_sequence });
    match client.request(request).await? {
        Body::Acknowledged(Acknowledged { through_sequence }) => Ok(through_sequence),
        _ => Err(HarnessError::Unexpected("acknowledged")),
    }
}

async fn acknowledge(client: &mut Client, through: u64) -> Result<u64, HarnessError> {
    let through_sequence = through;
    let request = Request::Acknowledge(Acknowledge { through_sequence });
    match client.request(request).await? {
        Body::Acknowledged(Acknowledged { through_sequence }) => Ok(through_sequence),
        _ => Err(HarnessError::Unexpected("acknowledged")),
    }
}

/// The next so many deliveries: sequence number, and the message's own number.
async fn deliveries(client: &mut Client, count: usize) -> Result<Vec<(u64, u8)>, HarnessError> {
    let mut got = Vec::new();
    while got.len() < count {
        if let Body::Deliveries(Deliveries { deliveries }) = client.next_push().await? {
            got.extend(
                deliveries
                    .iter()
                    .map(|delivery| (delivery.sequence, delivery.ciphertext[0])),
            );
        }
    }
    assert_eq!(got.len(), count);
    Ok(got)
}

fn drops(number: u8) -> impl FnMut(&mut Delivery, &Who) -> Verdict {
    move |delivery, _| {
        if delivery.ciphertext[0] == number {
            Verdict::Drop
        } else {
            Verdict::Pass
        }
    }
}

#[tokio::test]
async fn without_a_rule_it_is_a_relay_like_any_other() -> Outcome {
    let mut stage = Stage::new(true).await?;
    stage.send(3).await?;
    assert_eq!(deliveries(&mut stage.b, 3).await?, [(1, 1), (2, 2), (3, 3)]);
    assert_eq!(acknowledge(&mut stage.b, 3).await?, 3);
    let (bob, record) = (stage.bob.account(), stage.evil.record());
    assert_eq!(record.sends().count(), 3);
    assert!(record.sends().all(|(who, _)| who.is(stage.alice.account())));
    assert_eq!(record.deliveries_to(bob).count(), 3);
    assert_eq!(record.acknowledged_by(bob), 3);
    assert_eq!(record.opened(), 2);
    // The real relay has nothing left.
    let (mut direct, authenticated) =
        Client::connect_as(stage.relay.address(), &stage.bob, 1).await?;
    assert_eq!(authenticated.last_sequence, 3);
    assert_eq!(receive(&mut direct, 0).await?, 3);
    Ok(())
}

#[tokio::test]
async fn a_dropped_delivery_leaves_a_gap_where_numbers_are_kept() -> Outcome {
    let mut stage = Stage::new(false).await?;
    stage.evil.on_delivery(drops(2));
    stage.send(3).await?;
    assert_eq!(deliveries(&mut stage.b, 2).await?, [(1, 1), (3, 3)]);
    assert_eq!(acknowledge(&mut stage.b, 3).await?, 3);
    Ok(())
}

#[tokio::test]
async fn a_dropped_delivery_leaves_no_trace_where_they_are_counted_anew() -> Outcome {
    let mut stage = Stage::new(true).await?;
    let rule = stage.evil.on_delivery(drops(2));
    stage.send(4).await?;
    assert_eq!(deliveries(&mut stage.b, 3).await?, [(1, 1), (2, 3), (3, 4)]);
    stage.evil.remove(rule);
    assert_eq!(acknowledge(&mut stage.b, 2).await?, 2);
    // Over a reconnect, too: what was lost stays lost, what was not acknowledged comes again.
    let (mut b, authenticated) = Client::connect_as(stage.evil.address(), &stage.bob, 1).await?;
    assert_eq!(authenticated.last_sequence, 3);
    assert_eq!(receive(&mut b, 2).await?, 2);
    assert_eq!(deliveries(&mut b, 1).await?, [(3, 4)]);
    assert!(matches!(
        b.next_push().await?,
        Body::CaughtUp(CaughtUp {
            through_sequence: 3
        })
    ),);
    assert_eq!(acknowledge(&mut b, 3).await?, 3);
    let (mut direct, _) = Client::connect_as(stage.relay.address(), &stage.bob, 1).await?;
    assert_eq!(receive(&mut direct, 0).await?, 4);
    Ok(())
}

#[tokio::test]
async fn deliveries_are_swapped_repeated_and_changed() -> Outcome {
    let mut stage = Stage::new(true).await?;
    let bob = stage.bob.account();
    stage.evil.swap_next_deliveries(bob);
    stage.send(2).await?;
    assert_eq!(deliveries(&mut stage.b, 2).await?, [(1, 2), (2, 1)]);

    stage.evil.once().on_delivery(|_, _| Verdict::Repeat(2));
    stage.a.request(message(3, &stage.bob)).await?;
    assert_eq!(deliveries(&mut stage.b, 3).await?, [(3, 3), (3, 3), (3, 3)]);

    stage.evil.once().on_delivery(|delivery, _| {
        delivery.ciphertext = Bytes::from_static(&[99]);
        Verdict::Rewrite
    });
    stage.a.request(message(4, &stage.bob)).await?;
    stage.a.request(message(5, &stage.bob)).await?;
    assert_eq!(deliveries(&mut stage.b, 2).await?, [(4, 99), (5, 5)]);
    assert_eq!(acknowledge(&mut stage.b, 5).await?, 5);
    Ok(())
}

#[tokio::test]
async fn an_old_delivery_is_replayed_to_another_account() -> Outcome {
    for renumbers in [true, false] {
        let mut stage = Stage::new(renumbers).await?;
        stage.send(2).await?;
        deliveries(&mut stage.b, 2).await?;
        acknowledge(&mut stage.b, 2).await?;
        let (_, old) = stage.evil.recorded_deliveries().remove(0);
        let far = Delivery {
            sequence: 9,
            ..old.clone()
        };
        stage.evil.deliver(stage.bob.account(), &far)?;
        let number = if renumbers { 3 } else { 9 };
        assert_eq!(deliveries(&mut stage.b, 1).await?, [(number, 1)]);
        // The real relay knows nothing of it, and its acknowledgement is taken all the same.
        assert_eq!(acknowledge(&mut stage.b, number).await?, number);
        stage.evil.deliver(stage.alice.account(), &old)?;
        assert_eq!(deliveries(&mut stage.a, 1).await?, [(1, 1)]);
        stage.a.request(message(7, &stage.bob)).await?;
        let number = if renumbers { 4 } else { 3 };
        assert_eq!(deliveries(&mut stage.b, 1).await?, [(number, 7)]);
    }
    Ok(())
}

#[tokio::test]
async fn held_frames_wait_and_come_in_another_order() -> Outcome {
    let mut stage = Stage::new(true).await?;
    let rule = stage.evil.on_delivery(|_, _| Verdict::Hold);
    stage.send(3).await?;
    let bob = stage.bob.account();
    stage
        .evil
        .until("three held", |record| {
            record
                .count(|event| matches!(event.what, What::Delivery(_)) && event.fate == Fate::Held)
                == 3
        })
        .await?;
    assert_eq!(stage.evil.held(), 3);
    stage.evil.remove(rule);
    stage.evil.release_arranged(|held| held.reverse());
    assert_eq!(deliveries(&mut stage.b, 3).await?, [(1, 3), (2, 2), (3, 1)]);
    // A network that hangs, then does not.
    stage.evil.hold();
    let ping = stage.b.send(Request::Ping(Ping {})).await?;
    stage
        .evil
        .until("the ping", |record| {
            record
                .requests()
                .any(|(who, request)| who.is(bob) && matches!(request, Request::Ping(_)))
        })
        .await?;
    stage.evil.release();
    assert!(matches!(stage.b.answer(ping).await?, Body::Ok(_)));
    Ok(())
}

#[tokio::test]
async fn an_old_device_list_is_served_and_requests_are_answered_by_the_liar() -> Outcome {
    let mut stage = Stage::new(true).await?;
    let old = stage.bob.signed_list();
    stage.bob.add_device()?;
    let list = stage.bob.signed_list();
    let device_list = Some(list.clone());
    let put = Request::PutDeviceList(PutDeviceList { device_list });
    stage.b.request(put).await?;
    let ask = Request::GetDeviceList(GetDeviceList {
        account: Bytes::copy_from_slice(stage.bob.account().as_bytes()),
        delivery_token: Bytes::new(),
    });
    for (rolled_back, expected) in [(true, old.clone()), (false, list)] {
        if rolled_back {
            stage
                .evil
                .once()
                .serve_device_list(stage.bob.account(), old.clone());
        }
        let Body::DeviceListFound(found) = stage.a.request(ask.clone()).await? else {
            panic!("a list");
        };
        assert!(found.device_list == Some(expected));
    }
    stage.evil.once().on_request(|request, _| match request {
        Request::GetDeviceList(_) => {
            Verdict::instead(Body::Error(ErrorCode::NotFound.because("never heard")))
        }
        _ => Verdict::Pass,
    });
    let refused = stage.a.request_refused(ask).await?;
    assert_eq!(refused.code(), ErrorCode::NotFound);
    Ok(())
}

#[tokio::test]
async fn the_welcome_and_the_answers_are_rewritten() -> Outcome {
    let stage = Stage::new(true).await?;
    stage.evil.on_welcome(|welcome| {
        welcome.time_ms = 5;
        welcome.storage_epoch = Bytes::from_static(&[9; 16]);
    });
    stage
        .evil
        .on_answer(|asked, body, who| match (asked, body) {
            (Request::Authenticate(_), Body::Authenticated(authenticated))
                if who.device.is_some() =>
            {
                authenticated.last_sequence = 77;
                Verdict::Rewrite
            }
            _ => Verdict::Pass,
        });
    let (mut client, welcome) = Client::connect(stage.evil.address()).await?;
    assert_eq!(
        (welcome.time_ms, &welcome.storage_epoch[..]),
        (5, &[9; 16][..])
    );
    let Authenticated { last_sequence, .. } = client.authenticate(&welcome, &stage.bob, 1).await?;
    assert_eq!(last_sequence, 77);
    stage.evil.repent();
    let (_, welcome) = Client::connect(stage.evil.address()).await?;
    assert!(welcome.time_ms > 5);
    Ok(())
}

#[tokio::test]
async fn connections_are_cut_before_or_after_a_frame() -> Outcome {
    let mut stage = Stage::new(true).await?;
    // The answer is lost, the message is not.
    stage.evil.once().on_answer(|asked, _, _| match asked {
        Request::Send(_) => Verdict::Cut,
        _ => Verdict::Pass,
    });
    assert!(stage.a.request(message(1, &stage.bob)).await.is_err());
    assert_eq!(deliveries(&mut stage.b, 1).await?, [(1, 1)]);

    // The request goes through, and the connection is cut at once.
    let (mut a, _) = Client::connect_as(stage.evil.address(), &stage.alice, 1).await?;
    stage.evil.cut_after(1);
    assert!(a.request(message(2, &stage.bob)).await.is_err());
    assert_eq!(deliveries(&mut stage.b, 1).await?, [(2, 2)]);

    // The request is lost.
    let (mut a, _) = Client::connect_as(stage.evil.address(), &stage.alice, 1).await?;
    stage.evil.cut_before(1);
    assert!(a.request(message(3, &stage.bob)).await.is_err());
    let (mut a, _) = Client::connect_as(stage.evil.address(), &stage.alice, 1).await?;
    a.request(message(4, &stage.bob)).await?;
    assert_eq!(deliveries(&mut stage.b, 1).await?, [(3, 4)]);

    stage.evil.cut(stage.bob.account());
    assert!(stage.b.next_push().await.is_err());
    stage.evil.go_down();
    assert!(Client::connect(stage.evil.address()).await.is_err());
    stage.evil.come_up();
    stage.evil.refuse_next(1);
    assert!(Client::connect(stage.evil.address()).await.is_err());
    assert!(Client::connect(stage.evil.address()).await.is_ok());
    Ok(())
}

#[tokio::test]
async fn it_speaks_for_clients_and_sends_them_anything() -> Outcome {
    let mut stage = Stage::new(true).await?;
    let (alice, bob) = (stage.alice.account(), stage.bob.account());
    stage.evil.on_delivery(|_, _| Verdict::Drop);
    stage.send(1).await?;
    let through_sequence = 1;
    stage
        .evil
        .until("the delivery", |record| {
            record.deliveries_to(bob).count() == 1
        })
        .await?;
    stage
        .evil
        .ask_as(bob, &Request::Acknowledge(Acknowledge { through_sequence }))?;
    stage
        .evil
        .until("the relay deleted it", |record| {
            record.answers().any(|(who, asked, body)| {
                who.is(bob)
                    && matches!(asked, Request::Acknowledge(_))
                    && matches!(body, Body::Acknowledged(_))
            })
        })
        .await?;

    let caught_up = Body::CaughtUp(CaughtUp {
        through_sequence: 40,
    });
    stage.evil.push(alice, &caught_up)?;
    let Body::CaughtUp(told) = stage.a.next_push().await? else {
        panic!("what was pushed");
    };
    assert_eq!(told.through_sequence, 40);
    stage.evil.send_raw(alice, Bytes::from_static(&[0xff]))?;
    assert!(matches!(
        stage.a.next_push().await,
        Err(HarnessError::Malformed(_))
    ));
    let stranger = Identity::new()?.account();
    assert!(stage.evil.send_raw(stranger, Bytes::new()).is_err());
    Ok(())
}

#[tokio::test]
async fn requests_are_dropped_repeated_and_rewritten() -> Outcome {
    let mut stage = Stage::new(true).await?;
    stage.evil.once().on_request(|_, _| Verdict::Drop);
    let lost = stage.a.send(message(1, &stage.bob)).await?;
    stage.evil.once().on_request(|_, _| Verdict::Repeat(1));
    stage.a.request(message(2, &stage.bob)).await?;
    stage.evil.once().on_request(|request, _| {
        if let Request::Send(send) = request {
            send.recipients[0].devices[0].ciphertext = Bytes::from_static(&[33]);
        }
        Verdict::Rewrite
    });
    stage.a.request(message(3, &stage.bob)).await?;
    // The repeat was stored once, the lost one not at all.
    assert_eq!(deliveries(&mut stage.b, 2).await?, [(1, 2), (2, 33)]);
    // What came is recorded as it came.
    let sent: Vec<u8> = stage
        .evil
        .recorded_sends()
        .iter()
        .map(|(_, send)| send.recipients[0].devices[0].ciphertext[0])
        .collect();
    assert_eq!((lost, sent), (2, vec![1, 2, 3]));
    let mut frames = 0;
    stage.evil.on_frame(move |frame, _| {
        frames += u32::from(matches!(frame, Frame::FromClient(_)));
        if frames == 2 {
            Verdict::Drop
        } else {
            Verdict::Pass
        }
    });
    stage.a.request(Request::Ping(Ping {})).await?;
    stage.a.send(Request::Ping(Ping {})).await?;
    stage.a.request(Request::Ping(Ping {})).await.unwrap();
    Ok(())
}

#[tokio::test]
async fn what_is_not_a_websocket_goes_through() -> Outcome {
    let stage = Stage::new(false).await?;
    let mut http = TcpStream::connect(stage.evil.address()).await?;
    http.write_all(b"GET /v1/blobs/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await?;
    let mut page = String::new();
    http.read_to_string(&mut page).await?;
    assert!(page.starts_with("HTTP/1.1 4"), "{page}");
    Ok(())
}
