//! A client of the frames over a pipe, and identities made from a number.

use std::collections::{BTreeMap, VecDeque};

use ed25519_dalek::SigningKey;
use futures_util::{SinkExt as _, StreamExt as _};
use hushpost_harness::{DeviceKeys, Identity};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    ClientFrame, Deliveries, Delivery, DeviceAddress, DeviceId, ErrorCode, Receive, Send, Sent,
    ServerFrame, Welcome, frame,
};
use tokio::io::DuplexStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::{SimRelay, websocket};

/// A connection; every failure of it is its end.
pub(super) struct Client {
    socket: WebSocketStream<DuplexStream>,
    last_id: u64,
    answers: BTreeMap<u64, Body>,
    pub(super) pushes: VecDeque<Body>,
    pub(super) welcome: Welcome,
}

/// The connection ended.
#[derive(Debug)]
pub(super) struct Ended;

impl Client {
    pub(super) async fn connect(relay: &SimRelay) -> Result<Self, Ended> {
        let stream = relay.connect();
        let socket = websocket::connect("relay.test", stream).await;
        let mut client = Self {
            socket: socket.map_err(|_| Ended)?,
            last_id: 0,
            answers: BTreeMap::new(),
            pushes: VecDeque::new(),
            welcome: Welcome::default(),
        };
        match client.next_push().await? {
            Body::Welcome(welcome) => client.welcome = welcome,
            _ => panic!("the first push is a welcome"),
        }
        Ok(client)
    }

    pub(super) async fn registered(relay: &SimRelay, who: &Identity) -> Result<Self, Ended> {
        let mut client = Self::connect(relay).await?;
        let register = who.register(&client.welcome).unwrap();
        match client.ask(Request::Register(register)).await? {
            Body::Authenticated(_) => Ok(client),
            _ => panic!("registered"),
        }
    }

    pub(super) async fn authenticated(
        relay: &SimRelay,
        who: &Identity,
        device: u32,
    ) -> Result<Self, Ended> {
        let mut client = Self::connect(relay).await?;
        let proof = who.authenticate(&client.welcome, device).unwrap();
        match client.ask(Request::Authenticate(proof)).await? {
            Body::Authenticated(_) => Ok(client),
            _ => panic!("authenticated"),
        }
    }

    pub(super) async fn ask(&mut self, request: Request) -> Result<Body, Ended> {
        self.last_id += 1;
        let id = self.last_id;
        let request = Some(request);
        let bytes = frame::encode(&ClientFrame { id, request });
        let sent = self.socket.send(Message::Binary(bytes)).await;
        sent.map_err(|_| Ended)?;
        loop {
            match self.answers.remove(&id) {
                Some(body) => return Ok(body),
                None => self.read().await?,
            }
        }
    }

    pub(super) async fn refused(&mut self, request: Request) -> ErrorCode {
        match self.ask(request).await {
            Ok(Body::Error(error)) => error.code(),
            _ => panic!("refused"),
        }
    }

    pub(super) async fn send(&mut self, message: Send) -> Result<Sent, Ended> {
        match self.ask(Request::Send(message)).await? {
            Body::Sent(sent) => Ok(sent),
            _ => Err(Ended),
        }
    }

    pub(super) async fn receive(&mut self, after: u64) -> Body {
        let after_sequence = after;
        let request = Request::Receive(Receive { after_sequence });
        self.ask(request).await.unwrap()
    }

    pub(super) async fn next_push(&mut self) -> Result<Body, Ended> {
        loop {
            match self.pushes.pop_front() {
                Some(body) => return Ok(body),
                None => self.read().await?,
            }
        }
    }

    pub(super) async fn next_deliveries(&mut self) -> Result<Vec<Delivery>, Ended> {
        loop {
            if let Body::Deliveries(Deliveries { deliveries }) = self.next_push().await? {
                return Ok(deliveries);
            }
        }
    }

    async fn read(&mut self) -> Result<(), Ended> {
        match self.socket.next().await {
            Some(Ok(Message::Binary(bytes))) => {
                let frame: ServerFrame = frame::decode(bytes).unwrap();
                let body = frame.body.unwrap();
                if frame.id == 0 {
                    self.pushes.push_back(body);
                } else {
                    self.answers.insert(frame.id, body);
                }
                Ok(())
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Ended),
            Some(Ok(_)) => Ok(()),
        }
    }
}

/// An identity that is the same in every run.
pub(super) fn identity(number: u8, devices: u8) -> Identity {
    Identity {
        account_key: SigningKey::from_bytes(&[number; 32]),
        devices: (1..=devices).map(|device| keys(number, device)).collect(),
        list_version: 1,
        delivery_token: [number; 16],
    }
}

pub(super) fn keys(number: u8, device: u8) -> DeviceKeys {
    DeviceKeys {
        device: DeviceId::new(device.into()).unwrap(),
        authentication_key: SigningKey::from_bytes(&[number ^ 0x80 ^ device; 32]),
        identity_key: [number; 33],
        registration_id: u32::from(number) + 1,
    }
}

pub(super) fn address(who: &Identity, device: u32) -> DeviceAddress {
    DeviceAddress {
        account: who.account(),
        device: DeviceId::new(device).unwrap(),
    }
}

/// A message with this number as its id.
pub(super) fn message(number: u16, to: &[&Identity]) -> Send {
    let mut message_id = [0; 16];
    message_id[..2].copy_from_slice(&number.to_be_bytes());
    Send {
        message_id: message_id.to_vec().into(),
        shared_ciphertext: None,
        recipients: to.iter().map(|who| who.recipient(b"ciphertext")).collect(),
        ephemeral: false,
    }
}

pub(super) fn number_of(delivery: &Delivery) -> u16 {
    u16::from_be_bytes([delivery.message_id[0], delivery.message_id[1]])
}
