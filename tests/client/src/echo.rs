//! Somebody who accepts whoever writes, and says every text back.

use std::collections::BTreeSet;
use std::io::{self, Write as _};

use futures_util::StreamExt as _;
use hushpost::{
    Client, Conversation, ConversationId, Event, MAX_PAGE, Message, MessageRef, Standing,
};

use crate::person::body;
use crate::{TestError, text};

/// What an answer begins with. A text that begins so is never answered: two who echo would never end.
const ECHO: &str = "echo: ";

/// What was answered. It outlives the database, which may go back in time and then gets the same messages again.
pub(crate) type Answered = BTreeSet<MessageRef>;

/// Accepts and answers until the client is closed; gives back what was answered by then.
pub(crate) async fn run(client: Client, answered: Answered) -> Answered {
    let mut events = client.events();
    let mut echo = Echo { client, answered };
    // From before anybody listened.
    complain("the history", echo.everything().await);
    while let Some(event) = events.next().await {
        match event {
            Event::ConversationChanged { conversation } => {
                complain("a request", echo.accept(conversation).await);
            }
            Event::MessageAdded { message, .. } => {
                complain("an answer", echo.look_at(message).await);
            }
            Event::Missed { .. } => complain("the history", echo.everything().await),
            _ => {}
        }
    }
    echo.answered
}

struct Echo {
    client: Client,
    answered: Answered,
}

impl Echo {
    /// Accepts every request, and answers all that was not answered.
    async fn everything(&mut self) -> Result<(), TestError> {
        for summary in self
            .client
            .conversations()
            .list(false, 0, usize::MAX)
            .await?
        {
            let conversation = self.client.conversation(summary.id);
            if summary.standing == Standing::Requested {
                conversation.accept().await?;
            }
            self.answer_all_of(&conversation).await?;
        }
        Ok(())
    }

    async fn answer_all_of(&mut self, conversation: &Conversation) -> Result<(), TestError> {
        let mut after = None;
        loop {
            let page = conversation.messages_after(after, MAX_PAGE).await?;
            after = page.messages.last().map(|message| message.cursor);
            for message in &page.messages {
                // One that cannot be answered does not keep the others waiting.
                complain("an answer", self.answer(message).await);
            }
            if !page.more {
                return Ok(());
            }
        }
    }

    async fn accept(&self, id: ConversationId) -> Result<(), TestError> {
        let conversation = self.client.conversation(id);
        match conversation.summary().await {
            Ok(summary) if summary.standing == Standing::Requested => {
                Ok(conversation.accept().await?)
            }
            // Not in the list: there is nothing to accept.
            Ok(_) | Err(hushpost::Error::NotFound(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn look_at(&mut self, id: MessageRef) -> Result<(), TestError> {
        match self.client.message(id).await? {
            Some(message) => self.answer(&message).await,
            None => Ok(()),
        }
    }

    async fn answer(&mut self, message: &Message) -> Result<(), TestError> {
        // What a member told of the time before was not said to us.
        if message.is_own() || message.shared_by.is_some() || self.answered.contains(&message.id) {
            return Ok(());
        }
        let Some(said) = body(message).filter(|said| !said.starts_with(ECHO)) else {
            return Ok(());
        };
        let answer = text(&format!("{ECHO}{said}"))?;
        let conversation = self.client.conversation(message.conversation);
        conversation.send(answer).await?;
        self.answered.insert(message.id);
        Ok(())
    }
}

/// Nobody else would say why an answer never came. A client that was closed meanwhile is no reason: what was left is
/// answered when it is open again.
fn complain(what: &str, outcome: Result<(), TestError>) {
    match outcome {
        Ok(()) => {}
        Err(TestError::Client(error)) if error.code() == "closed" => {}
        // Nobody may be reading.
        Err(error) => drop(writeln!(io::stderr(), "the Rust user: {what}: {error}")),
    }
}
