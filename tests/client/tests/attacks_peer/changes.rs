//! A peer who changes what is not theirs, or what never was: nothing happens, and nothing is confirmed.

use futures_util::StreamExt as _;
use hushpost::{Content, Emoji, Event, MessageRef, MessageState};
use prost::Message as _;

use crate::puppet::Post;
use crate::{Outcome, Stage};

#[derive(Clone, PartialEq, prost::Message)]
struct Target {
    #[prost(bytes = "vec", tag = "1")]
    sender: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    message_id: Vec<u8>,
}

/// Every kind of change begins with its target; what follows is a string, a text or a switch.
#[derive(Clone, PartialEq, prost::Message)]
struct Change {
    #[prost(message, optional, tag = "1")]
    target: Option<Target>,
    #[prost(bytes = "vec", optional, tag = "2")]
    what: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Said {
    #[prost(message, optional, tag = "2")]
    edit: Option<Change>,
    #[prost(message, optional, tag = "3")]
    reaction: Option<Change>,
    #[prost(message, optional, tag = "4")]
    deletion: Option<Change>,
}

fn change(target: MessageRef, what: Option<&[u8]>) -> Change {
    Change {
        target: Some(Target {
            sender: target.sender.as_bytes().to_vec(),
            message_id: target.id.as_bytes().to_vec(),
        }),
        what: what.map(<[u8]>::to_vec),
    }
}

fn edit(target: MessageRef, body: &str) -> Vec<u8> {
    // A text: its first field is the body.
    let text = [&[0x0a, u8::try_from(body.len()).unwrap()], body.as_bytes()].concat();
    let edit = Some(change(target, Some(&text)));
    Said {
        edit,
        ..Said::default()
    }
    .encode_to_vec()
}

fn reaction(target: MessageRef, emoji: &str) -> Vec<u8> {
    let reaction = Some(change(target, Some(emoji.as_bytes())));
    Said {
        reaction,
        ..Said::default()
    }
    .encode_to_vec()
}

fn deletion(target: MessageRef) -> Vec<u8> {
    let deletion = Some(change(target, None));
    Said {
        deletion,
        ..Said::default()
    }
    .encode_to_vec()
}

fn nobody(stage: &Stage, number: u8) -> MessageRef {
    let name = Post {
        message_id: vec![number; 16],
        ..Post::default()
    };
    stage.puppet.name(&name)
}

impl Stage {
    async fn says(&mut self, content: Vec<u8>) -> Outcome {
        let post = Post {
            content,
            ..self.puppet.post("")
        };
        Ok(self.puppet.say_post(post).await?)
    }
}

#[tokio::test]
async fn what_is_anothers_is_neither_edited_nor_deleted() -> Outcome {
    let mut stage = Stage::new().await?;
    stage.accepted().await?;
    let with_puppet = stage.bob.client.conversation_with(stage.puppet.account());
    let with_puppet = with_puppet.await?;
    let his = with_puppet
        .send(hushpost::Text::new("what bob said")?)
        .await?;
    stage.bob.until_state(his, MessageState::Sent).await?;
    let to_carol = stage.bob.say(&stage.carol, "between us").await?;
    stage.carol.until_shown(to_carol).await?;
    let before = stage.answers().len();
    for target in [his, to_carol] {
        stage.says(edit(target, "what bob never said")).await?;
        stage.says(deletion(target)).await?;
    }
    stage.says(reaction(to_carol, "👍")).await?;
    stage.settle().await?;
    assert_eq!(stage.answers().len(), before);
    for (message, body) in [(his, "what bob said"), (to_carol, "between us")] {
        let found = stage.bob.client.message(message).await?.unwrap();
        assert_eq!(found.content, Content::Text(hushpost::Text::new(body)?));
        assert!(found.reactions.is_empty() && found.edited_ms.is_none());
    }
    // What the peer may do, it can.
    stage.says(reaction(his, "👍")).await?;
    let seen = stage.bob.until("the reaction", async || {
        let found = stage.bob.client.message(his).await?;
        Ok(found.filter(|found| !found.reactions.is_empty()))
    });
    assert_eq!(seen.await?.reactions[0].emoji, Emoji::new("👍")?);
    Ok(())
}

#[tokio::test]
async fn changes_of_nothing_are_not_confirmed_until_there_is_something() -> Outcome {
    let mut stage = Stage::new().await?;
    stage.accepted().await?;
    let events = stage.bob.client.events();
    let before = stage.answers().len();
    for number in 0..60u8 {
        let target = nobody(&stage, number);
        stage.says(reaction(target, "👍")).await?;
        stage.says(edit(target, "better")).await?;
        stage.says(deletion(target)).await?;
    }
    stage.settle().await?;
    assert_eq!(stage.answers().len(), before);
    let told: Vec<Event> = events.collect().await;
    let shown = |event: &Event| {
        matches!(event, Event::MessageAdded { message, .. }
        if message.sender == stage.puppet.account())
    };
    assert!(!told.iter().any(shown));
    // The message comes after all that was said of it.
    let first = Post {
        message_id: vec![7; 16],
        ..stage.puppet.post("the secret")
    };
    stage.puppet.say_post(first).await?;
    let deleted = nobody(&stage, 7);
    let seen = stage.bob.until("the tombstone", async || {
        Ok(stage.bob.client.message(deleted).await?)
    });
    assert_eq!(seen.await?.content, Content::Deleted);
    assert!(stage.bob.client.search("secret", 0, 10).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_strangers_changes_are_never_confirmed() -> Outcome {
    let mut stage = Stage::new().await?;
    stage.honest("hello").await?;
    for number in 0..40u8 {
        stage.says(reaction(nobody(&stage, number), "👍")).await?;
    }
    // Malformed ones are put aside.
    stage
        .says(reaction(nobody(&stage, 1), "not an emoji"))
        .await?;
    stage.settle().await?;
    assert_eq!(stage.answers().len(), 0);
    stage.honest("can you hear me?").await
}
