//! The scenes, one after the other.

use hushpost::{Activity, Event, MessageState, Reply, Standing, Text, TroubleKind};
use hushpost_evil_relay::{EvilRelay, Verdict};

use futures_util::StreamExt as _;

use crate::person::Person;
use crate::relay::Relay;
use crate::story::{Outcome, chapter, fail, tell};

pub(crate) async fn first_contact(alice: &Person, bob: &Person) -> Outcome {
    chapter("A first message, and its ticks")?;
    let hello = alice.say(bob, "Hello, Bob. It's Alice.").await?;
    let read = bob.reads(hello).await?;
    tell(
        read == "Hello, Bob. It's Alice.",
        "Bob reads: Hello, Bob. It's Alice.",
    )?;
    tell(
        alice.sees(hello, MessageState::Sent).await?,
        "one tick: the relay has it on its disk",
    )?;
    let conversation = bob.with(alice).await?;
    let requested = conversation.summary().await?.standing == Standing::Requested;
    tell(
        requested,
        "Bob does not know her yet: it waits as a request, and she gets no second tick",
    )?;
    conversation.accept().await?;
    let delivered = alice.sees(hello, MessageState::Delivered).await?;
    tell(delivered, "Bob accepts. Two ticks: his phone has it")?;
    let page = conversation.messages_before(None, 1).await?;
    let Some(newest) = page.messages.last() else {
        return fail("the history is empty");
    };
    conversation.mark_read(newest.cursor).await?;
    tell(
        alice.sees(hello, MessageState::Read).await?,
        "Bob reads it. Blue",
    )?;

    let mut events = alice.client.events();
    conversation.set_activity(Activity::Typing).await?;
    let typing = loop {
        match events.next().await {
            Some(Event::Typing { account, .. }) => break account == bob.account,
            Some(_) => {}
            None => break false,
        }
    };
    tell(typing, "Bob is typing…")?;
    let quote = Reply {
        to: hello,
        excerpt: "Hello, Bob.".to_owned(),
    };
    let answer = conversation
        .send(Text::new("Nice to hear you!")?.in_reply_to(quote))
        .await?;
    tell(
        alice.reads(answer).await? == "Nice to hear you!",
        "Alice reads his answer: > Hello, Bob. | Nice to hear you!",
    )
}

pub(crate) async fn offline(alice: &Person, bob: &Person) -> Outcome {
    chapter("Bob is in a tunnel")?;
    bob.client.disconnect().await;
    let mut last = None;
    for number in 1..=20 {
        last = Some(alice.say(bob, &format!("Step {number} of 20")).await?);
    }
    let Some(last) = last else {
        return fail("nothing was sent");
    };
    tell(
        alice.sees(last, MessageState::Sent).await?,
        "Alice sends 20 messages; the relay keeps them",
    )?;
    bob.client.connect();
    bob.reads(last).await?;
    let expected: Vec<String> = (1..=20)
        .map(|number| format!("Step {number} of 20"))
        .collect();
    let texts = bob.texts(alice).await?;
    tell(
        texts.ends_with(&expected),
        "Bob is back: all 20 are there, in order, once each",
    )?;
    tell(
        alice.sees(last, MessageState::Delivered).await?,
        "and Alice has her second tick",
    )
}

pub(crate) async fn screens(alice: &Person, bob: &Person, carol: &Person) -> Outcome {
    chapter("What the app's screens show")?;
    for text in [
        "Встретимся завтра?",
        "明天见，老地方",
        "See you at the café",
    ] {
        let sent = carol.say(alice, text).await?;
        alice.reads(sent).await?;
    }
    let list = alice.client.conversations().list(false, 0, 10).await?;
    let peers: Vec<_> = list
        .iter()
        .map(|entry| (entry.peer, entry.unread))
        .collect();
    tell(
        peers == [(Some(carol.account), 3), (Some(bob.account), 1)],
        "the list: Carol first with 3 unread, then Bob with 1",
    )?;
    for (query, text) in [
        ("встретимся", "Встретимся завтра?"),
        ("明天", "明天见，老地方"),
        ("cafe", "See you at the café"),
    ] {
        let hits = alice.client.search(query, 0, 10).await?;
        let [hit] = hits.as_slice() else {
            return fail("the search found something else");
        };
        let found = crate::person::body(&hit.message) == text && !hit.highlights.is_empty();
        tell(found, &format!("search \"{query}\" finds: {text}"))?;
    }
    Ok(())
}

pub(crate) async fn trust(alice: &Person, bob: &Person, carol: &Person) -> Outcome {
    chapter("Trust")?;
    let ours = alice.client.contacts().safety_number(bob.account).await?;
    let theirs = bob.client.contacts().safety_number(alice.account).await?;
    tell(
        ours.digits() == theirs.digits() && ours.matches_scanned(&theirs.qr_payload())?,
        &format!(
            "Alice and Bob see the same safety number: {} …",
            ours.digits().chars().take(23).collect::<String>()
        ),
    )?;
    alice
        .client
        .contacts()
        .set_verified(bob.account, true)
        .await?;
    let verified = alice.client.contacts().get(bob.account).await?;
    tell(
        verified.is_some_and(|contact| contact.verified),
        "Alice marks Bob as verified",
    )?;
    alice.client.contacts().block(carol.account).await?;
    let refused = alice.say(carol, "…").await;
    tell(
        refused.is_err_and(|error| error.to_string().contains("blocked")),
        "Alice blocks Carol: nothing goes there any more, and Carol is not told",
    )?;
    alice.client.contacts().unblock(carol.account).await?;
    Ok(())
}

pub(crate) async fn lying_relay(alice: &Person, bob: &Person, evil: &EvilRelay) -> Outcome {
    chapter("The relay lies")?;
    let victim = bob.account;
    evil.once().on_delivery(move |delivery, to| {
        if !to.is(victim) {
            return Verdict::Pass;
        }
        let mut forged = delivery.ciphertext.to_vec();
        if let Some(byte) = forged.get_mut(100) {
            *byte ^= 1;
        }
        delivery.ciphertext = forged.into();
        Verdict::Rewrite
    });
    let mut events = bob.client.events();
    let forged = alice.say(bob, "The meeting is at nine.").await?;
    let noticed = loop {
        match events.next().await {
            Some(Event::Undecryptable { account, .. }) => break account == alice.account,
            Some(_) => {}
            None => break false,
        }
    };
    tell(
        noticed,
        "it changes one bit of a message: Bob's phone notices, and shows nothing of it",
    )?;
    let healed = bob.reads(forged).await?;
    tell(
        healed == "The meeting is at nine.",
        "and has it sent again: The meeting is at nine.",
    )?;

    let before = bob.texts(alice).await?;
    let recorded = evil.recorded_deliveries();
    let old = recorded.iter().filter(|(to, _)| to.is(victim));
    let old: Vec<_> = old.take(5).collect();
    for (_, delivery) in &old {
        evil.deliver(victim, delivery)?;
    }
    let after = alice.say(bob, "Are you there?").await?;
    bob.reads(after).await?;
    let texts = bob.texts(alice).await?;
    tell(
        old.len() == 5 && texts.len().checked_sub(before.len()) == Some(1),
        "it delivers 5 old messages once more: none is shown again",
    )?;
    evil.repent();
    Ok(())
}

pub(crate) async fn killed_relay(alice: &Person, bob: &Person, relay: &mut Relay) -> Outcome {
    chapter("The relay is killed")?;
    relay.kill()?;
    let sent = alice.say(bob, "Is anybody out there?").await?;
    let queued = alice.client.message(sent).await?;
    tell(
        queued.is_some_and(|message| message.state == MessageState::Queued),
        "kill -9. Alice writes all the same: the message waits on her phone",
    )?;
    relay.restart()?;
    let read = bob.reads(sent).await?;
    tell(
        read == "Is anybody out there?",
        "the relay is back, and Bob reads it",
    )
}

pub(crate) async fn lost_disk(
    alice: &Person,
    bob: &Person,
    carol: &Person,
    relay: &mut Relay,
) -> Outcome {
    chapter("The relay loses its disk")?;
    bob.client.disconnect().await;
    let at_risk = alice.say(bob, "Only the relay has this one.").await?;
    tell(
        alice.sees(at_risk, MessageState::Sent).await?,
        "a message is at the relay, and Bob is away",
    )?;
    relay.kill()?;
    relay.wipe()?;
    relay.restart()?;
    let mut events = bob.client.events();
    bob.client.connect();
    let reset = loop {
        match events.next().await {
            Some(Event::RelayReset) => break true,
            Some(_) => {}
            None => break false,
        }
    };
    tell(
        reset,
        "kill -9, and everything the relay ever stored is deleted: Bob's phone sees another store",
    )?;
    let read = bob.reads(at_risk).await?;
    tell(
        read == "Only the relay has this one.",
        "Bob reads it all the same: Alice's phone sent it once more",
    )?;
    let sent = carol
        .say(bob, "Hello from Carol, whom you never met.")
        .await?;
    let read = bob.reads(sent).await?;
    tell(
        read.starts_with("Hello from Carol"),
        "and strangers can still reach Bob: his keys are published again",
    )
}

pub(crate) async fn epilogue(alice: &Person, bob: &Person) -> Outcome {
    chapter("In the end")?;
    let (hers, his) = (alice.texts(bob).await?, bob.texts(alice).await?);
    tell(
        hers == his,
        &format!(
            "both have the same {} messages in the same order; nothing lost, nothing twice",
            hers.len()
        ),
    )?;
    let missing = bob.client.troubles().await?.into_iter().any(|trouble| {
        matches!(
            trouble.kind,
            TroubleKind::Missing { .. } | TroubleKind::Quarantined { .. }
        )
    });
    tell(!missing, "and nothing is missing")
}
