//! Two people who know each other, what they have said, and whether all of it is where it belongs.

use std::net::SocketAddr;

use futures_util::future::try_join;
use hushpost::{MessageRef, MessageState};

use crate::{Person, PersonOptions, TestError, Verdict};

/// So many messages are under way before the next is said.
const AHEAD: usize = 4;

/// Alice and Bob.
#[derive(Debug)]
pub struct Pair {
    /// She wrote first.
    pub alice: Person,
    /// He accepted.
    pub bob: Person,
    said: Said,
}

/// What each said, in order.
#[derive(Debug, Default)]
struct Said {
    alice: Vec<MessageRef>,
    bob: Vec<MessageRef>,
}

impl Pair {
    /// Two who have accepted each other, at a relay.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn meet(relay: SocketAddr) -> Result<Self, TestError> {
        let options = PersonOptions::default();
        Self::meet_with(relay, options, options).await
    }

    /// The same with clients set up another way.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn meet_with(
        relay: SocketAddr,
        alice: PersonOptions,
        bob: PersonOptions,
    ) -> Result<Self, TestError> {
        let mut pair = Self {
            alice: Person::with_options("alice", relay, alice).await?,
            bob: Person::with_options("bob", relay, bob).await?,
            said: Said::default(),
        };
        let hello = pair.alice_says("hello").await?;
        pair.bob.until_shown(hello).await?;
        let answer = pair.bob_says("hello to you").await?;
        pair.alice.until_shown(answer).await?;
        pair.bob
            .until_state(answer, MessageState::Delivered)
            .await?;
        pair.alice
            .until_state(hello, MessageState::Delivered)
            .await?;
        Ok(pair)
    }

    /// Alice says something to Bob.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn alice_says(&mut self, body: &str) -> Result<MessageRef, TestError> {
        let message = self.alice.say(&self.bob, body).await?;
        self.said.alice.push(message);
        Ok(message)
    }

    /// Bob says something to Alice.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn bob_says(&mut self, body: &str) -> Result<MessageRef, TestError> {
        let message = self.bob.say(&self.alice, body).await?;
        self.said.bob.push(message);
        Ok(message)
    }

    /// Something was said by Alice that this did not see.
    pub fn alice_said(&mut self, messages: impl IntoIterator<Item = MessageRef>) {
        self.said.alice.extend(messages);
    }

    /// Both say so many things, at the same time, and meanwhile something happens.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn talk_while(
        &mut self,
        count: usize,
        meanwhile: impl AsyncFnOnce(&Person, &Person) -> Result<(), TestError>,
    ) -> Result<(), TestError> {
        let (alice, bob) = (&self.alice, &self.bob);
        let both = try_join(say(alice, bob, count), say(bob, alice, count));
        let ((alices, bobs), ()) = try_join(both, meanwhile(alice, bob)).await?;
        self.said.alice.extend(alices);
        self.said.bob.extend(bobs);
        Ok(())
    }

    /// Waits until everything is shown and confirmed, then compares the two histories with what was said.
    ///
    /// # Errors
    /// [`TestError`], if something does not come.
    ///
    /// # Panics
    /// If something is lost, twice, or in another order.
    pub async fn judge(&self, context: &str) -> Result<(), TestError> {
        self.settle().await?;
        let hers = self.alice.history(&self.bob).await?;
        let his = self.bob.history(&self.alice).await?;
        Verdict::new()
            .sent("alice", self.said.alice.iter().copied())
            .sent("bob", self.said.bob.iter().copied())
            .shown("alice", hers.iter().map(|message| message.id))
            .shown("bob", his.iter().map(|message| message.id))
            .check(context);
        for person in [&self.alice, &self.bob] {
            let troubles = person.client.troubles().await?;
            assert!(troubles.is_empty(), "{context}: {troubles:?}");
        }
        Ok(())
    }

    /// Waits until everything is shown on the other side and confirmed on this one.
    async fn settle(&self) -> Result<(), TestError> {
        for message in &self.said.alice {
            self.bob.until_shown(*message).await?;
            self.alice
                .until_state(*message, MessageState::Delivered)
                .await?;
        }
        for message in &self.said.bob {
            self.alice.until_shown(*message).await?;
            self.bob
                .until_state(*message, MessageState::Delivered)
                .await?;
        }
        Ok(())
    }
}

async fn say(from: &Person, to: &Person, count: usize) -> Result<Vec<MessageRef>, TestError> {
    let mut said: Vec<MessageRef> = Vec::new();
    for number in 0..count {
        if let Some(before) = number
            .checked_sub(AHEAD)
            .and_then(|before| said.get(before))
        {
            from.until("an earlier message to leave", || async {
                let found = from.client.message(*before).await?;
                Ok(found.filter(|found| found.state != MessageState::Queued))
            })
            .await?;
        }
        said.push(from.say(to, &format!("{} {number}", from.name)).await?);
    }
    Ok(said)
}
