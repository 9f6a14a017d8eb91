//! A group: a picture, a reaction, an edit, a message that disappears, and somebody who is taken out.

use std::time::Duration;

use hushpost::{
    Content, Conversation, Emoji, GroupSettings, Message, MessageRef, NewGroup, Text, UploadOptions,
};

use crate::person::{Person, body};
use crate::story::{Failure, Outcome, chapter, fail, tell};

/// A picture of one pixel: PNG, 8 bits of grey.
const PICTURE: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52,
    0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00, 0x00, 0x3a, 0x7e, 0x9b,
    0x55, 0x00, 0x00, 0x00, 0x0a, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x68, 0x00, 0x00, 0x00,
    0x82, 0x00, 0x81, 0x77, 0xcd, 0x72, 0xb6, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae,
    0x42, 0x60, 0x82,
];

pub(crate) async fn group(alice: &Person, bob: &Person, carol: &Person) -> Outcome {
    chapter("A group")?;
    let members = [bob.account, carol.account];
    let group = alice
        .client
        .create_group(NewGroup::new("The three", members))
        .await?;
    let place = |person: &Person| person.client.conversation(group.id());
    for person in [bob, carol] {
        person
            .until("the group", || async {
                Ok(place(person).summary().await.ok())
            })
            .await?;
        place(person).accept().await?;
    }
    let hello = place(alice)
        .send(Text::new("Welcome, both of you")?)
        .await?;
    for person in [bob, carol] {
        person.reads(hello).await?;
    }
    let receipts = alice
        .until("both to have it", || async {
            let receipts = place(alice).receipts(hello).await?;
            Ok(receipts.filter(|receipts| receipts.delivered() == 2))
        })
        .await?;
    tell(
        receipts.recipients == 2,
        "Alice makes a group. One encryption, one upload: delivered to 2 of 2",
    )?;
    picture(alice, bob, &place).await?;
    changes(alice, bob, carol, &place).await?;

    alice
        .client
        .group(group.id())
        .remove([carol.account])
        .await?;
    let after = place(alice)
        .send(Text::new("Carol is not to read this")?)
        .await?;
    bob.reads(after).await?;
    carol
        .until("being taken out", || async {
            let info = carol.client.group(group.id()).info().await?;
            let out = info
                .members
                .iter()
                .all(|member| member.account != carol.account);
            Ok(out.then_some(()))
        })
        .await?;
    let hers = carol.client.message(after).await?;
    let refused = place(carol).send(Text::new("Let me back in")?).await;
    tell(
        hers.is_none() && refused.is_err(),
        "Alice takes Carol out: new keys, and what is said from then on she neither gets nor can answer",
    )
}

async fn picture(
    alice: &Person,
    bob: &Person,
    place: &impl Fn(&Person) -> Conversation,
) -> Outcome {
    let options = UploadOptions::new().file_name("dot.png");
    let upload = alice.client.media().upload(PICTURE.to_vec(), options);
    let attachment = upload.finished().await?;
    let caption = Some(Text::new("A dot")?);
    let sent = place(alice)
        .send_attachments(vec![attachment], caption)
        .await?;
    let message = shown(bob, sent).await?;
    let Content::Attachments(files) = &message.content else {
        return fail("there is no picture");
    };
    let Some(file) = files.items().first() else {
        return fail("there is no picture");
    };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join(file.file_name());
    bob.client.media().save(file, &path).await?;
    let saved = std::fs::read(path)?;
    tell(
        saved.starts_with(b"\x89PNG") && file.thumbnail().is_some(),
        "a picture: made anew without its metadata, encrypted here, checked and saved at Bob's",
    )
}

async fn changes(
    alice: &Person,
    bob: &Person,
    carol: &Person,
    place: &impl Fn(&Person) -> Conversation,
) -> Outcome {
    let typo = place(alice).send(Text::new("See you on Fryday")?).await?;
    bob.reads(typo).await?;
    place(alice)
        .edit(typo, Text::new("See you on Friday")?)
        .await?;
    place(bob).react(typo, Some(Emoji::new("👍")?)).await?;
    let both =
        carol
            .until("the edit and the reaction", || async {
                let found = carol.client.message(typo).await?;
                Ok(found
                    .filter(|message| !message.reactions.is_empty() && message.edited_ms.is_some()))
            })
            .await?;
    tell(
        body(&both) == "See you on Friday",
        "Alice mends a word, Bob reacts: Carol sees: See you on Friday (edited) 👍",
    )?;
    let settings = GroupSettings {
        disappearing: Some(Duration::from_secs(1)),
        ..GroupSettings::default()
    };
    let group = place(alice).id();
    alice.client.group(group).set_settings(settings).await?;
    let secret = place(alice).send(Text::new("This will not last")?).await?;
    let message = shown(bob, secret).await?;
    place(bob).mark_read(message.cursor).await?;
    bob.until("it to be gone", || async {
        Ok(bob.client.message(secret).await?.is_none().then_some(()))
    })
    .await?;
    let hits = bob.client.search("last", 0, 10).await?;
    tell(
        hits.is_empty(),
        "a message that disappears: a second after Bob read it, it is gone, from the search too",
    )?;
    alice
        .client
        .group(group)
        .set_settings(GroupSettings::default())
        .await?;
    Ok(())
}

/// Waits until a message is shown.
async fn shown(person: &Person, message: MessageRef) -> Result<Message, Failure> {
    let look = || async { Ok(person.client.message(message).await?) };
    person.until("a message", look).await
}
