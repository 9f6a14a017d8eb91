//! Many members at once, each with an account at a real relay.

use std::net::SocketAddr;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{AccountId, Acknowledge, Delivery, Receive};

use crate::{Client, HarnessError, Member};

/// Connections at a time.
const AT_ONCE: usize = 32;

/// Members, none of them connected.
#[derive(Debug)]
pub struct Crowd {
    /// Who.
    pub members: Vec<Member>,
}

impl Crowd {
    /// Registers so many accounts that can be written to. The relay's limits must be off.
    ///
    /// # Errors
    /// [`HarnessError`].
    pub async fn register(relay: SocketAddr, count: usize) -> Result<Self, HarnessError> {
        let members = stream::iter(0..count).map(|_| async move {
            let member = Member::new()?;
            let (mut client, welcome) = Client::connect(relay).await?;
            client.register(&welcome, &member.identity).await?;
            let keys = Request::UploadPreKeys(member.pre_keys());
            client.request(keys).await?;
            Ok::<_, HarnessError>(member)
        });
        Ok(Self {
            members: members.buffer_unordered(AT_ONCE).try_collect().await?,
        })
    }

    /// Who they are.
    pub fn accounts(&self) -> impl Iterator<Item = AccountId> {
        self.members.iter().map(|member| member.identity.account())
    }

    /// What waited for each of them at the relay, in the order of [`members`](Self::members): it waits no more.
    ///
    /// # Errors
    /// [`HarnessError`].
    pub async fn fetch(&self, relay: SocketAddr) -> Result<Vec<Vec<Delivery>>, HarnessError> {
        let mailboxes = stream::iter(&self.members).map(|member| mailbox(relay, member));
        mailboxes.buffered(AT_ONCE).try_collect().await
    }

    /// Each of them sends something, all at once as far as one machine can.
    ///
    /// # Errors
    /// [`HarnessError`], if only one was refused.
    pub async fn send(
        &self,
        relay: SocketAddr,
        requests: Vec<Request>,
    ) -> Result<(), HarnessError> {
        let all = stream::iter(self.members.iter().zip(requests)).map(|(member, request)| async {
            let (mut client, _) = Client::connect_as(relay, &member.identity, 1).await?;
            match client.request(request).await? {
                Body::Sent(sent) if sent.problems.is_empty() => Ok::<_, HarnessError>(()),
                _ => Err(HarnessError::Unexpected("that it is stored")),
            }
        });
        all.buffer_unordered(AT_ONCE).try_collect().await
    }
}

async fn mailbox(relay: SocketAddr, member: &Member) -> Result<Vec<Delivery>, HarnessError> {
    let (mut client, _) = Client::connect_as(relay, &member.identity, 1).await?;
    client.request(Request::Receive(Receive::default())).await?;
    let mut all = Vec::new();
    loop {
        match client.next_push().await? {
            Body::Deliveries(more) => all.extend(more.deliveries),
            Body::CaughtUp(_) => break,
            _ => continue,
        }
        // The relay delivers only so far ahead of what is acknowledged.
        let through_sequence = all.last().map_or(0, |delivery| delivery.sequence);
        let acknowledge = Request::Acknowledge(Acknowledge { through_sequence });
        client.request(acknowledge).await?;
    }
    Ok(all)
}
