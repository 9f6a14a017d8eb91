//! Files: sent and received through a real relay, cut at many places, swapped, damaged, listed, deleted.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod media_stage;

use std::fs;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use hushpost::{AttachmentKind, PictureMode, Stage, UploadOptions, Waveform};
use media_stage::meddler::Meddling;
use media_stage::{Peer, Result, contains, noise, photo, two, two_with};

#[tokio::test]
async fn files_arrive_as_they_were_with_what_is_shown_of_them() -> Result {
    let (_relay, alice, bob) = two().await?;
    let exact = photo(640, 480);
    let path = alice.folder.path().join("sea.jpg");
    fs::write(&path, &exact)?;
    let media = alice.client.media();
    let as_it_is = media
        .upload(&*path, UploadOptions::new().pictures(PictureMode::AsItIs))
        .finished()
        .await?;
    let anew = media
        .upload(&*path, UploadOptions::new())
        .finished()
        .await?;
    let waveform = Waveform::from_samples(&[1, -500, 3000]);
    let note = media
        .upload(noise(9000), UploadOptions::new().voice(2500, &waveform))
        .finished()
        .await?;
    let empty = alice.uploaded(b"", "../../empty\u{202e}.txt").await?;
    let sent = vec![as_it_is, anew, note, empty];
    let message = alice.send(&bob, sent.clone(), "by the sea").await?;

    let received = bob.received(message).await?;
    assert_eq!(received, sent);
    let picture = &received[0];
    assert_eq!(
        (picture.kind(), picture.mime()),
        (AttachmentKind::Image, "image/jpeg")
    );
    assert_eq!(picture.file_name(), "sea.jpg");
    assert_eq!(picture.dimensions(), Some((640, 480)));
    let thumbnail = image::load_from_memory(picture.thumbnail().unwrap()).unwrap();
    assert_eq!((thumbnail.width(), thumbnail.height()), (240, 180));
    assert!(picture.blurhash().is_some());
    assert_eq!(bob.saved(picture).await?, exact);
    let anew = bob.saved(&received[1]).await?;
    assert!(anew != exact && image::load_from_memory(&anew).is_ok());
    assert_eq!(received[2].kind(), AttachmentKind::Voice);
    assert_eq!(received[2].duration_ms(), Some(2500));
    assert_eq!(received[2].waveform(), waveform.bars());
    assert_eq!(bob.saved(&received[2]).await?, noise(9000));
    assert_eq!(received[3].file_name(), "empty.txt");
    assert_eq!(bob.saved(&received[3]).await?, b"");
    // The caption is found.
    assert_eq!(bob.client.search("sea", 0, 10).await?.len(), 1);

    // On both sides lie ciphertexts alone, and under names that tell nothing.
    for file in [alice.media_files(), bob.media_files()].concat() {
        let bytes = fs::read(&file)?;
        assert!(!contains(&bytes, &exact[..32]) && !contains(&bytes, b"JFIF"));
        assert_eq!(file.extension().unwrap(), "blob");
    }
    assert!(alice.client.media().unfinished().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_upload_goes_on_after_cuts_at_many_places() -> Result {
    let (_relay, alice, bob) = two().await?;
    // More than one of the relay's parts.
    let file = noise(9 * 1024 * 1024);
    for cut in [1, 1, 60, 300, 1_000, 70_000, 3_000_000, 3_000_000] {
        alice.rules.then(Meddling {
            up: Some(cut),
            ..Meddling::default()
        });
    }
    // The answer is lost as well.
    alice.rules.then(Meddling {
        down: Some(10),
        ..Meddling::default()
    });
    let upload = alice
        .client
        .media()
        .upload(file.clone(), UploadOptions::new().file_name("big.bin"));
    let stages: Vec<_> = upload.progress().collect().await;
    assert_eq!(stages.last().unwrap().stage, Stage::Ended);
    let attachment = upload.finished().await?;
    let tries = alice.rules.heads().len();
    assert!(tries >= 10, "{tries}");
    let message = alice.send(&bob, vec![attachment.clone()], "").await?;
    assert_eq!(bob.received(message).await?, slice::from_ref(&attachment));

    // And so does the download.
    for cut in [1, 200, 1_000, 300_000, 9_000_000] {
        bob.rules.then(Meddling {
            down: Some(cut),
            ..Meddling::default()
        });
    }
    assert_eq!(bob.saved(&attachment).await?, file);
    let asked = bob.rules.heads().len();
    assert!(asked >= 6, "{asked}");
    // Once here, it is not asked for again.
    assert_eq!(bob.saved(&attachment).await?, file);
    assert_eq!(bob.rules.heads().len(), asked);
    Ok(())
}

#[tokio::test]
async fn an_upload_goes_on_after_the_process_was_started_again() -> Result {
    let (_relay, mut alice, bob) = two().await?;
    let file = noise(20 * 1024 * 1024);
    let path = alice.folder.path().join("film.bin");
    fs::write(&path, &file)?;
    // So that it is cut again and again until the client is closed.
    for _ in 0..1000 {
        alice.rules.then(Meddling {
            up: Some(12 * 1024 * 1024),
            ..Meddling::default()
        });
    }
    let upload = alice.client.media().upload(&*path, UploadOptions::new());
    let progress = upload.progress();
    let under_way = progress
        .any(|now| async move { now.stage == Stage::Transferring && now.done > 9 << 20 })
        .await;
    assert!(under_way);
    alice.client.close().await;
    assert_eq!(upload.finished().await.unwrap_err().code(), "closed");

    // The source is not needed any more, and what arrived is not sent again.
    fs::remove_file(&path)?;
    alice.rules = Arc::default();
    alice.restart().await?;
    let unfinished = alice.client.media().unfinished().await?;
    assert_eq!(unfinished.len(), 1);
    assert_eq!(unfinished[0].file_name, "film.bin");
    let attachment = alice
        .client
        .media()
        .resume(unfinished[0].id)
        .finished()
        .await?;
    assert!(alice.rules.sent() < file.len(), "{}", alice.rules.sent());
    assert_eq!(bob.saved(&attachment).await?, file);

    // Whoever was not told of the end, for the process ended too, finds it until a message has it.
    alice.restart().await?;
    let media = alice.client.media();
    let waiting = media.unfinished().await?;
    assert_eq!((waiting.len(), waiting[0].uploaded), (1, true));
    let sent_before = alice.rules.sent();
    let again = media.resume(waiting[0].id).finished().await?;
    assert_eq!((&again, alice.rules.sent()), (&attachment, sent_before));
    alice.send(&bob, vec![again], "").await?;
    assert!(media.unfinished().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn what_the_relay_forgot_is_announced_anew_and_no_key_is_used_twice() -> Result {
    let (_relay, alice, bob) = two().await?;
    let file = noise(500_000);
    // The relay is asked for an upload that it does not know.
    alice.rules.then(Meddling {
        swap: Some((b"/v1/blobs/".to_vec(), b"/v1/BLOBS/".to_vec())),
        ..Meddling::default()
    });
    let first = alice.uploaded(&file, "x").await?;
    let heads = alice.rules.heads();
    assert_eq!(heads.len(), 2);
    assert_ne!(id_in(&heads), id_in(&heads[1..]), "another id");
    let second = alice.uploaded(&file, "x").await?;
    assert_eq!(bob.saved(&first).await?, bob.saved(&second).await?);
    // The commitments to the keys, and all that follows.
    let blobs: Vec<_> = alice
        .media_files()
        .iter()
        .map(|path| fs::read(path).unwrap())
        .collect();
    assert_eq!(blobs.len(), 2);
    assert_ne!(blobs[0][1..33], blobs[1][1..33]);
    assert_ne!(blobs[0][33..100], blobs[1][33..100]);
    Ok(())
}

#[tokio::test]
async fn a_cancelled_upload_leaves_nothing() -> Result {
    let (_relay, alice, _bob) = two().await?;
    for _ in 0..1000 {
        alice.rules.then(Meddling {
            up: Some(100_000),
            ..Meddling::default()
        });
    }
    let media = alice.client.media();
    let upload = media.upload(noise(1_000_000), UploadOptions::new());
    let progress = upload.progress();
    assert!(
        progress
            .any(|now| async move { now.stage == Stage::Transferring })
            .await
    );
    upload.cancel();
    assert_eq!(
        upload.finished().await.unwrap_err().code(),
        "media_cancelled"
    );
    let unfinished = media.unfinished().await?;
    assert_eq!(unfinished.len(), 1);
    media.forget(unfinished[0].id).await?;
    assert!(media.unfinished().await?.is_empty());
    assert_eq!(
        media.forget(unfinished[0].id).await.unwrap_err().code(),
        "not_found"
    );
    assert!(alice.media_files().is_empty());
    Ok(())
}

/// A blob's id as it stands in a URL: the last part of the first request's path.
fn id_in(heads: &[String]) -> Vec<u8> {
    let path = heads[0].split(' ').nth(1).unwrap();
    path.rsplit('/').next().unwrap().as_bytes().to_vec()
}

#[tokio::test]
async fn other_bytes_than_were_sent_are_refused() -> Result {
    let (relay, alice, bob) = two().await?;
    let carol = Peer::new(relay.address(), |config| config).await?;
    let (first, second) = (noise(400_000), vec![7; 400_000]);
    let one = alice.uploaded(&first, "one").await?;
    let other = carol.uploaded(&second, "other").await?;
    let (one_id, other_id) = (id_in(&alice.rules.heads()), id_in(&carol.rules.heads()));

    // Another blob of the same size.
    bob.rules.then(Meddling {
        swap: Some((one_id.clone(), other_id.clone())),
        ..Meddling::default()
    });
    let refused = bob.saved(&one).await.unwrap_err();
    assert!(
        refused.to_string().starts_with("media_damaged"),
        "{refused}"
    );
    assert!(bob.media_files().is_empty(), "nothing of it is kept");
    // A range of another blob: its key is another one.
    bob.rules.then(Meddling {
        swap: Some((one_id.clone(), other_id)),
        ..Meddling::default()
    });
    let range = bob.client.media().read_range(&one, 0..10).await;
    assert_eq!(range.unwrap_err().code(), "media_damaged");

    // One bit of it, in the ciphertext.
    bob.rules.then(Meddling {
        flip: Some(200_000),
        ..Meddling::default()
    });
    let refused = bob.saved(&one).await.unwrap_err();
    assert!(
        refused.to_string().starts_with("media_damaged"),
        "{refused}"
    );
    bob.rules.then(Meddling {
        flip: Some(100_000),
        ..Meddling::default()
    });
    let range = bob.client.media().read_range(&one, 300_000..301_000).await;
    assert_eq!(range.unwrap_err().code(), "media_damaged");

    // A blob of another size.
    let short = alice.uploaded(&first[..1000], "short").await?;
    let short_id = id_in(&alice.rules.heads()[1..]);
    bob.rules.then(Meddling {
        swap: Some((one_id, short_id)),
        ..Meddling::default()
    });
    let refused = bob.saved(&one).await.unwrap_err();
    assert!(
        refused.to_string().starts_with("media_damaged"),
        "{refused}"
    );

    // Left alone, all is well, and nothing stays of the tries.
    assert_eq!(bob.saved(&one).await?, first);
    assert_eq!(bob.saved(&other).await?, second);
    assert_eq!(bob.saved(&short).await?, first[..1000]);
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_is_told_apart_from_what_cannot_be_reached() -> Result {
    let (relay, alice, bob) = two().await?;
    let file = alice.uploaded(&noise(1000), "x").await?;
    let id = id_in(&alice.rules.heads());
    bob.rules.then(Meddling {
        swap: Some((id, vec![b'A'; 43])),
        ..Meddling::default()
    });
    let gone = bob.client.media().download(&file).finished().await;
    assert_eq!(gone.unwrap_err().code(), "media_gone");
    drop(relay);
    let range = bob.client.media().read_range(&file, 0..1).await;
    let range = range.unwrap_err();
    assert_eq!(
        (range.code(), range.is_retryable()),
        ("media_unreachable", true)
    );
    Ok(())
}

#[tokio::test]
async fn ranges_are_read_before_and_after_the_whole_is_here() -> Result {
    let (_relay, alice, bob) = two().await?;
    let file = noise(1_500_000);
    let attachment = alice.uploaded(&file, "film.mp4").await?;
    let media = bob.client.media();
    for fetched in [false, true] {
        if fetched {
            media.download(&attachment).finished().await?;
        }
        assert_eq!(media.is_cached(&attachment).await?, fetched);
        for range in [
            0..1,
            0..1_500_000,
            262_135..262_137,
            1_499_999..1_500_000,
            700_000..900_000,
        ] {
            let bytes = media.read_range(&attachment, range.clone()).await?;
            assert_eq!(
                bytes,
                file[range.start as usize..range.end as usize],
                "{range:?}"
            );
        }
        for wrong in [
            0..0,
            1_500_000..1_500_001,
            0..1_500_001,
            u64::MAX - 1..u64::MAX,
            0..u64::MAX,
        ] {
            let refused = media.read_range(&attachment, wrong).await;
            assert_eq!(refused.unwrap_err().code(), "invalid_input");
        }
    }
    Ok(())
}

#[tokio::test]
async fn files_are_listed_by_kind_and_in_pages_and_go_with_their_messages() -> Result {
    let (_relay, alice, bob) = two().await?;
    let picture = alice
        .client
        .media()
        .upload(photo(64, 64), UploadOptions::new())
        .finished()
        .await?;
    let mut messages = Vec::new();
    for number in 0..5 {
        let document = alice
            .uploaded(&noise(100 + number), &format!("{number}"))
            .await?;
        messages.push(
            alice
                .send(&bob, vec![document, picture.clone()], "")
                .await?,
        );
    }
    for message in &messages {
        bob.received(*message).await?;
    }
    for (peer, other) in [(&alice, &bob), (&bob, &alice)] {
        let conversation = peer.client.conversation_with(other.account).await?;
        let mut names = Vec::new();
        let mut before = None;
        loop {
            let page = conversation.media(before, &[], 3).await?;
            assert!(page.items.len() <= 3);
            before = page.items.last().map(|item| item.cursor);
            names.extend(
                page.items
                    .into_iter()
                    .map(|item| item.attachment.file_name().to_owned()),
            );
            if !page.more {
                break;
            }
        }
        let name = picture.file_name();
        assert_eq!(
            names,
            ["4", name, "3", name, "2", name, "1", name, "0", name]
        );
        let documents = conversation
            .media(None, &[AttachmentKind::Document], 10)
            .await?;
        assert_eq!(documents.items.len(), 5);
        assert_eq!(documents.items[0].message, messages[4]);
        let none = conversation
            .media(None, &[AttachmentKind::Voice], 10)
            .await?;
        assert!(none.items.is_empty() && !none.more);
    }

    // Alice has them all, for she sent them; Bob fetched one. Deleting the conversation takes them along.
    assert_eq!(alice.media_files().len(), 6);
    bob.saved(&picture).await?;
    assert!(bob.client.media().cached_bytes().await? > 0);
    for (peer, other) in [(&alice, &bob), (&bob, &alice)] {
        let conversation = peer.client.conversation_with(other.account).await?;
        conversation.delete().await?;
        assert!(conversation.media(None, &[], 10).await?.items.is_empty());
        assert!(peer.media_files().is_empty(), "{:?}", peer.media_files());
        assert_eq!(peer.client.media().cached_bytes().await?, 0);
    }
    Ok(())
}

#[tokio::test]
async fn the_cache_keeps_to_its_room_and_can_be_cleared() -> Result {
    let (_relay, alice, bob) =
        two_with(|config| config.media_cache(3_000_000, Duration::from_secs(3600))).await?;
    let mut files = Vec::new();
    for number in 0..5 {
        files.push(alice.uploaded(&vec![number; 1_000_000], "x").await?);
    }
    for peer in [&alice, &bob] {
        let media = peer.client.media();
        for file in &files {
            media.download(file).finished().await?;
            assert!(media.is_cached(file).await?, "what just came stays");
            assert!(media.cached_bytes().await? <= 3_000_000);
        }
        assert!(!media.is_cached(&files[0]).await?);
        media.clear().await?;
        assert_eq!(media.cached_bytes().await?, 0);
        assert!(peer.media_files().is_empty());
    }
    // A file that somebody removed is fetched again.
    bob.saved(&files[0]).await?;
    fs::remove_file(&bob.media_files()[0])?;
    assert!(!bob.client.media().is_cached(&files[0]).await?);
    assert_eq!(bob.saved(&files[0]).await?, vec![0; 1_000_000]);
    // One that the disk damaged is refused, and then fetched again.
    let kept = bob.media_files().remove(0);
    let mut bytes = fs::read(&kept)?;
    bytes[500_000] ^= 1;
    fs::write(&kept, bytes)?;
    assert!(bob.saved(&files[0]).await.is_err());
    assert_eq!(bob.saved(&files[0]).await?, vec![0; 1_000_000]);
    Ok(())
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_anything_is_done() -> Result {
    let (_relay, alice, bob) = two_with(|config| config.max_file_bytes(10_000)).await?;
    let refused = alice.uploaded(&noise(10_001), "x").await.unwrap_err();
    assert!(
        refused.to_string().starts_with("media_too_large"),
        "{refused}"
    );
    assert!(alice.media_files().is_empty());
    let generous = Peer::new(alice.relay, |config| config).await?;
    let large = generous.uploaded(&noise(10_001), "x").await?;
    let refused = bob.client.media().download(&large).finished().await;
    assert_eq!(refused.unwrap_err().code(), "media_too_large");
    assert!(bob.rules.heads().is_empty(), "nothing was asked for");
    Ok(())
}

#[tokio::test]
async fn two_who_fetch_the_same_fetch_it_once() -> Result {
    let (_relay, alice, bob) = two().await?;
    let attachment = alice.uploaded(&noise(1_000_000), "x").await?;
    let media = bob.client.media();
    let downloads: Vec<_> = (0..4).map(|_| media.download(&attachment)).collect();
    for download in downloads {
        download.finished().await?;
    }
    assert_eq!(bob.rules.heads().len(), 1);
    Ok(())
}
