//! What the tests of a real relay process say often: a person, a message, what arrived.

pub mod every_request;
pub mod evidence;
pub mod raw_frames;

use std::net::SocketAddr;

use bytes::Bytes;
use hushpost_harness::{Client, HarnessError, Identity};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{Acknowledge, Delivery, Receive, Recipient, Send, Sent, SetDeliveryToken};

/// Somebody with one connected device.
#[derive(Debug)]
pub struct Person {
    /// The keys.
    pub identity: Identity,
    /// The connection of device 1.
    pub client: Client,
}

impl Person {
    /// Registers a new account with one device.
    ///
    /// # Errors
    /// [`HarnessError`].
    pub async fn register(relay: SocketAddr) -> Result<Self, HarnessError> {
        let identity = Identity::new()?;
        let (mut client, welcome) = Client::connect(relay).await?;
        client.register(&welcome, &identity).await?;
        Ok(Self { identity, client })
    }

    /// Connects device 1 again.
    ///
    /// # Errors
    /// [`HarnessError`].
    pub async fn reconnect(&mut self, relay: SocketAddr) -> Result<(), HarnessError> {
        let (client, _) = Client::connect_as(relay, &self.identity, 1).await?;
        self.client = client;
        Ok(())
    }

    /// Sends one message; what the relay says of it.
    ///
    /// # Errors
    /// [`HarnessError`].
    pub async fn send(
        &mut self,
        id: [u8; 16],
        recipients: Vec<Recipient>,
    ) -> Result<Sent, HarnessError> {
        sent(
            self.client
                .request(Request::Send(message(id, recipients)))
                .await?,
        )
    }

    /// Starts delivery behind a sequence number.
    ///
    /// # Errors
    /// [`HarnessError`].
    pub async fn receive(&mut self, after_sequence: u64) -> Result<(), HarnessError> {
        let request = Request::Receive(Receive { after_sequence });
        self.client.request(request).await.map(drop)
    }

    /// Acknowledges, and waits until that is durable.
    ///
    /// # Errors
    /// [`HarnessError`].
    pub async fn acknowledge(&mut self, through_sequence: u64) -> Result<(), HarnessError> {
        let request = Request::Acknowledge(Acknowledge { through_sequence });
        self.client.request(request).await.map(drop)
    }

    /// Lets those who know the identity's delivery token send sealed.
    ///
    /// # Errors
    /// [`HarnessError`].
    pub async fn allow_contacts(&mut self) -> Result<(), HarnessError> {
        let token_hash = self.identity.delivery_token_hash().to_vec().into();
        let request = Request::SetDeliveryToken(SetDeliveryToken { token_hash });
        self.client.request(request).await.map(drop)
    }

    /// The next `count` messages.
    ///
    /// # Errors
    /// [`HarnessError`].
    pub async fn messages(&mut self, count: usize) -> Result<Vec<Delivery>, HarnessError> {
        let mut received = Vec::new();
        while received.len() < count {
            if let Body::Deliveries(some) = self.client.next_push().await? {
                received.extend(some.deliveries);
            }
        }
        Ok(received)
    }

    /// All messages until the relay says that there are no more.
    ///
    /// # Errors
    /// [`HarnessError`].
    pub async fn messages_until_caught_up(&mut self) -> Result<Vec<Delivery>, HarnessError> {
        let mut received: Vec<Delivery> = Vec::new();
        loop {
            match self.client.next_push().await? {
                Body::Deliveries(some) => {
                    received.extend(some.deliveries);
                    if let Some(last) = received.last().map(|last| last.sequence) {
                        let through_sequence = last;
                        let request = Request::Acknowledge(Acknowledge { through_sequence });
                        self.client.send(request).await?;
                    }
                }
                Body::CaughtUp(_) => return Ok(received),
                _ => {}
            }
        }
    }
}

/// A stored message with a ciphertext for each device.
#[must_use]
pub fn message(id: [u8; 16], recipients: Vec<Recipient>) -> Send {
    Send {
        message_id: Bytes::copy_from_slice(&id),
        shared_ciphertext: None,
        recipients,
        ephemeral: false,
    }
}

/// A random message id.
///
/// # Errors
/// [`HarnessError`] if the system has no random numbers.
pub fn random_id() -> Result<[u8; 16], HarnessError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|_| HarnessError::Unexpected("random numbers"))?;
    Ok(id)
}

/// The answer to a send.
///
/// # Errors
/// [`HarnessError`] if it is another answer.
pub fn sent(body: Body) -> Result<Sent, HarnessError> {
    match body {
        Body::Sent(sent) => Ok(sent),
        _ => Err(HarnessError::Unexpected("Sent")),
    }
}
