//! People in one group, what each of them sees of it, and whether that is the same.

use std::net::SocketAddr;

use hushpost::{ConversationId, Group, GroupInfo, MAX_PAGE, Message, MessageRef, NewGroup};

use crate::person::body;
use crate::{Person, PersonOptions, TestError, text};

/// Some people, and a group that the first of them made.
#[derive(Debug)]
pub struct Crew {
    /// The first is the admin who made the group.
    pub people: Vec<Person>,
    /// The group.
    pub group: ConversationId,
}

impl Crew {
    /// Registers people by these names; the first makes a group of `members` of them and all accept it.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn meet(
        relay: SocketAddr,
        names: &[&str],
        members: usize,
    ) -> Result<Self, TestError> {
        Self::meet_with(relay, PersonOptions::default(), names, members).await
    }

    /// The same with clients set up another way.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn meet_with(
        relay: SocketAddr,
        options: PersonOptions,
        names: &[&str],
        members: usize,
    ) -> Result<Self, TestError> {
        let mut people = Vec::new();
        for name in names {
            people.push(Person::with_options(name, relay, options).await?);
        }
        let accounts = people.iter().skip(1).take(members.saturating_sub(1));
        let accounts: Vec<_> = accounts.map(|person| person.account).collect();
        let admin = people.first().ok_or(TestError::Nobody)?;
        let group = admin.client.create_group(NewGroup::new("crew", accounts));
        let group = group.await?.id();
        let crew = Self { people, group };
        for person in crew.people.iter().skip(1).take(members.saturating_sub(1)) {
            crew.enters(person).await?;
        }
        Ok(crew)
    }

    /// The group as one of them has it.
    #[must_use]
    pub fn of(&self, person: &Person) -> Group {
        person.client.group(self.group)
    }

    /// Waits until somebody has the group, and accepts it.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn enters(&self, person: &Person) -> Result<(), TestError> {
        person
            .until("the group", || async {
                let summary = self.of(person).conversation().summary().await;
                let in_it = self.of(person).info().await.is_ok_and(|info| {
                    info.members
                        .iter()
                        .any(|member| member.account == person.account)
                });
                Ok(summary.ok().filter(|_| in_it))
            })
            .await?;
        Ok(self.of(person).conversation().accept().await?)
    }

    /// Somebody says something in the group.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn says(&self, person: &Person, words: &str) -> Result<MessageRef, TestError> {
        Ok(self.of(person).conversation().send(text(words)?).await?)
    }

    /// Waits until the group is for somebody as it should be.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn until_info(
        &self,
        person: &Person,
        what: &str,
        right: impl Fn(&GroupInfo) -> bool,
    ) -> Result<GroupInfo, TestError> {
        person
            .until(what, || async {
                let info = self.of(person).info().await?;
                Ok(Some(info).filter(|info| right(info)))
            })
            .await
    }

    /// Everything that somebody sees in the group, in order.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn history(&self, person: &Person) -> Result<Vec<Message>, TestError> {
        let conversation = self.of(person).conversation();
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = conversation.messages_after(after, MAX_PAGE).await?;
            after = page.messages.last().map(|message| message.cursor);
            all.extend(page.messages);
            if !page.more {
                return Ok(all);
            }
        }
    }

    /// The texts that somebody sees in the group, in order.
    ///
    /// # Errors
    /// [`TestError`].
    pub async fn texts(&self, person: &Person) -> Result<Vec<String>, TestError> {
        let history = self.history(person).await?;
        Ok(history.iter().filter_map(body).collect())
    }
}
