//! K1 to K11: what the relay keeps on its disk.

use hushpost_harness::{Client, Identity};
use hushpost_relay_tests::evidence::{cells_with, database, files_with, number};
use hushpost_relay_tests::{Person, message, random_id, sent};
use hushpost_wire::client_frame::Request;
use hushpost_wire::{FetchPreKeyBundles, SetUserName, topic};
use std::collections::BTreeSet;

use super::{CANARY, Result, anonymous, id_of, pre_keys, publish, relay};

fn set(columns: &[&str]) -> BTreeSet<String> {
    columns.iter().map(|&column| column.to_owned()).collect()
}

#[tokio::test]
async fn it_keeps_accounts_and_their_signed_device_lists() -> Result {
    let relay = relay()?;
    let identity = Identity::with_devices(2)?;
    let (mut client, welcome) = Client::connect(relay.address()).await?;
    client.register(&welcome, &identity).await?;
    let database = database(&relay)?;
    let list = identity.signed_list();
    let found = |bytes: &[u8]| cells_with(&database, bytes);
    assert_eq!(found(&id_of(&identity))?, set(&["account.account"]));
    assert_eq!(found(&list.device_list)?, set(&["account.device_list"]));
    assert_eq!(found(&list.signature)?, set(&["account.list_signature"]));
    for device in &identity.devices {
        assert_eq!(
            found(&device.identity_key)?,
            set(&["account.device_list", "device.identity_key"])
        );
        assert_eq!(
            found(device.authentication_key.verifying_key().as_bytes())?,
            set(&["account.device_list", "device.authentication_key"])
        );
    }
    let later = Person::register(relay.address()).await?;
    let row = |identity: &Identity| {
        let account = id_of(identity).to_vec();
        database.query_row(
            "SELECT id FROM account WHERE account = ?1",
            [account],
            |row| row.get::<_, i64>(0),
        )
    };
    assert!(row(&identity)? < row(&later.identity)?);
    Ok(())
}

#[tokio::test]
async fn it_keeps_public_pre_keys_and_how_many_there_were() -> Result {
    let relay = relay()?;
    let mut bob = Person::register(relay.address()).await?;
    bob.client
        .request(Request::UploadPreKeys(pre_keys(40)))
        .await?;
    let database = database(&relay)?;
    for (key, column) in [
        ([0xa1; 33].as_slice(), "lasting_key.public_key"),
        (&[0xa3; 1569], "lasting_key.public_key"),
        (&[0xa5; 33], "one_time_key.public_key"),
    ] {
        assert_eq!(cells_with(&database, key)?, set(&[column]));
    }
    let fetch = FetchPreKeyBundles {
        account: id_of(&bob.identity),
        ..FetchPreKeyBundles::default()
    };
    bob.client
        .request(Request::FetchPreKeyBundles(fetch))
        .await?;
    assert_eq!(number(&database, "SELECT count(*) FROM one_time_key")?, 39);
    assert_eq!(
        number(&database, "SELECT key_id FROM one_time_key_mark")?,
        40
    );
    Ok(())
}

#[tokio::test]
async fn it_keeps_names() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let name = "alice.of.the.canaries";
    alice
        .client
        .request(Request::SetUserName(SetUserName {
            name: name.to_owned(),
        }))
        .await?;
    assert_eq!(
        cells_with(&database(&relay)?, name.as_bytes())?,
        set(&["name.name"])
    );
    Ok(())
}

#[tokio::test]
async fn it_keeps_who_is_blocked() -> Result {
    let relay = relay()?;
    let alice = Person::register(relay.address()).await?;
    let database = database(&relay)?;
    let blocked = "SELECT count(*) FROM account WHERE blocked";
    assert_eq!(number(&database, blocked)?, 0);
    let id = alice.identity.account().to_string();
    assert!(relay.command(&["account", "block", &id])?.status.success());
    assert_eq!(number(&database, blocked)?, 1);
    // What the operator asked for is not kept beyond its answer.
    assert_eq!(number(&database, "SELECT count(*) FROM admin_request")?, 0);
    Ok(())
}

#[tokio::test]
async fn it_keeps_how_much_waits_for_whom_and_since_when() -> Result {
    let mut relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    let id = random_id()?;
    let answer = alice.send(id, vec![bob.identity.recipient(CANARY)]).await?;
    alice
        .send(random_id()?, vec![bob.identity.recipient(b"another")])
        .await?;
    // At once in the journal, later in the recipient's mailbox.
    assert_eq!(
        cells_with(&database(&relay)?, CANARY)?,
        set(&["journal.body"])
    );
    assert!(relay.terminate()?.success());
    let settled = database(&relay)?;
    assert_eq!(cells_with(&settled, CANARY)?, set(&["mailbox.own"]));
    assert_eq!(cells_with(&settled, &id)?, set(&["mailbox.header"]));
    assert_eq!(
        number(&settled, "SELECT min(accepted_ms) FROM mailbox")?,
        i64::try_from(answer.accepted_ms)?
    );
    drop(settled);

    relay.restart()?;
    bob.reconnect(relay.address()).await?;
    bob.receive(0).await?;
    bob.messages(2).await?;
    bob.acknowledge(2).await?;
    assert!(relay.terminate()?.success());
    let place = "SELECT last * 10 + floor FROM queue ORDER BY last DESC LIMIT 1";
    assert_eq!(number(&database(&relay)?, place)?, 22, "two came, two went");
    Ok(())
}

#[tokio::test]
async fn it_keeps_who_sent_what_waits_until_it_is_fetched() -> Result {
    let mut relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let bob = Person::register(relay.address()).await?;
    alice
        .send(random_id()?, vec![bob.identity.recipient(CANARY)])
        .await?;
    let id = id_of(&alice.identity);
    assert_eq!(
        cells_with(&database(&relay)?, &id)?,
        set(&["account.account", "journal.body"])
    );
    assert!(relay.terminate()?.success());
    assert_eq!(
        cells_with(&database(&relay)?, &id)?,
        set(&["account.account", "mailbox.header"])
    );
    // That it ends with the fetching: `a_fetched_message_and_its_sender_are_gone`.
    Ok(())
}

#[tokio::test]
async fn it_keeps_which_devices_wait_for_the_same_ciphertext() -> Result {
    let mut relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let (bob, carol) = (Identity::with_devices(2)?, Identity::new()?);
    for identity in [&bob, &carol] {
        let (mut client, welcome) = Client::connect(relay.address()).await?;
        client.register(&welcome, identity).await?;
    }
    let mut group = message(random_id()?, vec![bob.recipient(b""), carol.recipient(b"")]);
    group.shared_ciphertext = Some(CANARY.to_vec().into());
    sent(alice.client.request(Request::Send(group)).await?)?;
    assert_eq!(
        number(&database(&relay)?, "SELECT count(*) FROM journal")?,
        1
    );
    assert!(relay.terminate()?.success());
    let database = database(&relay)?;
    assert_eq!(cells_with(&database, CANARY)?, set(&["payload.body"]));
    let together = "SELECT count(DISTINCT device.account) FROM mailbox
                      JOIN device ON device.id = mailbox.device
                     GROUP BY mailbox.payload";
    assert_eq!(number(&database, together)?, 2);
    assert_eq!(number(&database, "SELECT waiting FROM payload")?, 3);
    Ok(())
}

#[tokio::test]
async fn it_keeps_a_hash_of_each_message_to_recognise_repeats() -> Result {
    let mut relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    let id = random_id()?;
    alice.send(id, vec![bob.identity.recipient(CANARY)]).await?;
    bob.receive(0).await?;
    bob.messages(1).await?;
    bob.acknowledge(1).await?;
    assert!(relay.terminate()?.success());
    let database = database(&relay)?;
    let count = "SELECT (SELECT count(*) FROM seen_a) + (SELECT count(*) FROM seen_b)";
    assert_eq!(number(&database, count)?, 1);
    // The message is gone, and so are its id and its sender, but for the hash.
    assert_eq!(cells_with(&database, &id)?, set(&[]));
    assert_eq!(
        number(
            &database,
            "SELECT length(key) FROM seen_a UNION SELECT length(key) FROM seen_b"
        )?,
        16
    );
    Ok(())
}

#[tokio::test]
async fn it_keeps_presence_values_that_last() -> Result {
    let relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let value = b"canary: sealed, last seen";
    alice
        .client
        .request(publish([3; 32], value, b"", 24 * 3600))
        .await?;
    let database = database(&relay)?;
    assert_eq!(cells_with(&database, value)?, set(&["presence.value"]));
    assert_eq!(
        cells_with(&database, &topic::of_key(&[3; 32]))?,
        set(&["presence.topic"])
    );
    // Nothing ties it to alice, who published it over her own connection.
    assert_eq!(
        cells_with(&database, &id_of(&alice.identity))?,
        set(&["account.account"])
    );
    Ok(())
}

#[tokio::test]
async fn it_keeps_delivery_tokens_as_hashes_only() -> Result {
    let relay = relay()?;
    let mut bob = Person::register(relay.address()).await?;
    bob.allow_contacts().await?;
    let contact = bob.identity.recipient_with_token(CANARY);
    let mut nobody = anonymous(&relay).await?;
    sent(
        nobody
            .request(Request::Send(message(random_id()?, vec![contact])))
            .await?,
    )?;
    assert_eq!(
        cells_with(&database(&relay)?, &bob.identity.delivery_token_hash())?,
        set(&["account.token_hash"])
    );
    let token = bob.identity.delivery_token;
    assert!(files_with(&relay.data_dir(), &token)?.is_empty());
    Ok(())
}

#[tokio::test]
async fn what_was_deleted_is_wiped_by_vacuum() -> Result {
    let mut relay = relay()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    let long = CANARY.repeat(500);
    alice
        .send(random_id()?, vec![bob.identity.recipient(&long)])
        .await?;
    bob.receive(0).await?;
    bob.messages(1).await?;
    bob.acknowledge(1).await?;
    assert!(relay.terminate()?.success());
    assert!(cells_with(&database(&relay)?, CANARY)?.is_empty());
    assert!(
        !files_with(&relay.data_dir(), CANARY)?.is_empty(),
        "if this fails the page says too little good of the relay"
    );
    assert!(relay.command(&["vacuum"])?.status.success());
    assert!(files_with(&relay.data_dir(), CANARY)?.is_empty());
    Ok(())
}
