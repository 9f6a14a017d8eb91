//! Opening, damage, wrong keys, two processes' worth of connections, old copies.

use super::*;
use std::fs;

fn open(path: &Path, key: u8) -> Result<Store, StoreError> {
    Store::open(
        path,
        &DatabaseKey::new([key; 32]),
        StoreThreads::Inline,
        None,
    )
}

async fn put(store: &Store, name: &'static str) -> crate::Result<()> {
    store
        .write(move |tx| {
            tx.execute(
                "INSERT INTO contact (account, name) VALUES (?1, ?1)",
                [name],
            )?;
            Ok(())
        })
        .await
}

async fn count(store: &Store) -> crate::Result<i64> {
    store
        .read(|db| Ok(db.query_row("SELECT count(*) FROM contact", [], |row| row.get(0))?))
        .await
}

async fn put_blob(store: &Store, name: &'static [u8]) {
    store
        .write(move |tx| {
            tx.execute("INSERT INTO contact (account) VALUES (?1)", [name])?;
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn what_was_committed_is_there_after_reopening_and_unreadable_without_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let store = open(&path, 1).unwrap();
    put_blob(&store, b"canary-that-must-not-be-found").await;
    // Not closed: as after a crash, the log still holds it.
    for entry in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(12).any(|part| part == b"canary-that-"));
    }
    assert_eq!(
        fs::read(&path).unwrap().get(..15),
        Some(&b"SQLite format 3"[..])
    );
    assert!(matches!(open(&path, 2), Err(StoreError::WrongKey)));
    assert_eq!(count(&open(&path, 1).unwrap()).await.unwrap(), 1);
}

#[tokio::test]
async fn a_failed_transaction_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("db"), 1).unwrap();
    let failed: crate::Result<()> = store
        .write(|tx| {
            tx.execute("INSERT INTO contact (account) VALUES (x'01')", [])?;
            Err(crate::Error::NotConnected)
        })
        .await;
    assert!(failed.is_err());
    assert_eq!(count(&store).await.unwrap(), 0);
    // A strict table refuses a text where bytes belong.
    assert!(put(&store, "text").await.is_err());
    store.close().await;
    assert!(matches!(
        count(&store).await,
        Err(crate::Error::Store(StoreError::Closed))
    ));
}

#[tokio::test]
async fn damage_is_an_error_and_never_an_empty_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let store = open(&path, 1).unwrap();
    put_blob(&store, b"one").await;
    store.close().await;
    drop(store);
    let good = fs::read(&path).unwrap();
    let pages = good.len() / 4096;
    let mut noticed = 0;
    for page in 0..pages {
        let mut bad = good.clone();
        bad[page * 4096 + 2000] ^= 1;
        fs::write(&path, &bad).unwrap();
        let opened = open(&path, 1);
        let seen = match &opened {
            Ok(store) => count(store).await.ok(),
            Err(StoreError::Corrupted(_)) => None,
            Err(other) => panic!("page {page}: {other:?}"),
        };
        // A page that neither query needs may be found later; what is answered must be right.
        assert!(seen.is_none_or(|seen| seen == 1), "page {page}");
        noticed += usize::from(seen.is_none());
        drop(opened);
    }
    assert!(noticed > 0);
    for length in [1, 100, 4095, 4096 + 7] {
        fs::write(&path, &good[..length]).unwrap();
        assert!(open(&path, 1).is_err(), "{length}");
    }
}

#[tokio::test]
async fn an_old_copy_and_a_lost_file_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let step = |store: Store| async move {
        store
            .write(|tx| {
                tx.execute(
                    "INSERT OR IGNORE INTO local_device VALUES
                     (1, x'', x'', 1, x'', x'', 1, 1, x'', x'', 1, NULL, 0, 0, NULL, 0, 0, 0, 1, 1, x'', x'')",
                    [],
                )?;
                tx.ratchets_moved();
                Ok(())
            })
            .await
            .unwrap();
    };
    let store = open(&path, 1).unwrap();
    step(store.clone()).await;
    store.close().await;
    let old = fs::read(&path).unwrap();
    let store = open(&path, 1).unwrap();
    assert!(!store.was_rolled_back());
    step(store.clone()).await;
    store.close().await;
    assert!(!open(&path, 1).unwrap().was_rolled_back());

    fs::write(&path, old).unwrap();
    assert!(open(&path, 1).unwrap().was_rolled_back());
    fs::remove_file(&path).unwrap();
    assert!(matches!(open(&path, 1), Err(StoreError::Missing)));
}

#[tokio::test]
async fn two_processes_share_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let key = || DatabaseKey::new([1; 32]);
    let stores: Vec<Store> = (0..2)
        .map(|_| Store::open(&path, &key(), StoreThreads::Background, None).unwrap())
        .collect();
    let mut writers = tokio::task::JoinSet::new();
    for (process, store) in stores.iter().cloned().enumerate() {
        writers.spawn(async move {
            for number in 0..100u8 {
                let id = vec![u8::try_from(process).unwrap(), number];
                store
                    .write(move |tx| {
                        tx.execute("INSERT INTO contact (account) VALUES (?1)", [id])?;
                        Ok(())
                    })
                    .await
                    .unwrap();
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    assert_eq!(count(&stores[0]).await.unwrap(), 200);
}

#[test]
fn what_is_no_file_is_refused_and_nothing_is_made_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a folder");
    fs::create_dir(&path).unwrap();
    assert!(matches!(open(&path, 1), Err(StoreError::Io(_))));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
