//! Doors for the fuzz targets in `fuzz/`, compiled for them alone: the parsers of what peers send and people
//! type, with what must hold of their results. Frames, device lists and ciphertexts are fuzzed in the crates
//! that parse them.

use crate::content::{Body, Content, Plaintext, Said, pad, unpad};
use crate::conversation::search_text;
use crate::envelope;
use crate::media::picture;
use crate::media::sealed::{self, FileKey, Layout};

/// A ciphertext as the relay delivers it.
pub fn envelope(bytes: &[u8]) {
    let _ = envelope::open(bytes);
}

/// What was inside a ciphertext: the padding, the message, its content. What decodes survives a round trip.
pub fn plaintext(bytes: &[u8]) {
    let _ = unpad(bytes);
    let Ok(plaintext) = Plaintext::decode(bytes) else {
        return;
    };
    if let Body::Post(post) = &plaintext.body {
        match Said::decode(&post.content) {
            Ok(Said::Quiet(change)) => {
                let again = Said::decode(&change.encode());
                assert!(again == Ok(Said::Quiet(change)), "the change");
            }
            Ok(Said::Shown(content)) if content != Content::Unknown => {
                let again = Content::decode(&content.encode());
                assert!(again.is_ok_and(|again| again == content), "the content");
            }
            _ => {}
        }
    }
    // An unknown kind has no encoding.
    if !matches!(plaintext.body, Body::Unknown)
        && let Ok(encoded) = plaintext.body.encode()
    {
        let padded = pad(encoded.clone());
        assert!(
            unpad(&padded).is_ok_and(|found| found == encoded),
            "the padding"
        );
        assert!(Plaintext::decode(&encoded).is_ok(), "the message");
    }
}

/// A blob, and the length that its message announced: what opens is the one right blob of its file.
pub fn sealed(len: u64, blob: &[u8]) {
    let Some(key) = FileKey::from_slice(&[1; 32]) else {
        return;
    };
    let (Ok(layout), mut file) = (Layout::of_file(len), Vec::new()) else {
        return;
    };
    if sealed::open(&key, &layout, &mut &*blob, &mut file).is_ok() {
        let mut again = Vec::new();
        let sealed = sealed::seal(&key, &layout, &mut &*file, &mut again);
        assert!(sealed.is_ok() && again == blob, "the blob");
    }
}

/// A picture that the user chose, or a thumbnail that a peer sent.
pub fn picture(bytes: &[u8]) {
    let _ = picture::is_small_jpeg(bytes);
    let _ = picture::prepare(bytes.to_vec(), picture::PictureMode::Standard);
}

/// A text and a query for it, one after the other. Marks lie in the text, on its characters' edges, in order.
pub fn search(text: &str, query: &str) {
    let _ = search_text::index_text(text);
    let _ = search_text::match_expression(query);
    let mut end = 0;
    for mark in search_text::highlights(text, query) {
        assert!(end <= mark.start && mark.start < mark.end, "in order");
        assert!(text.get(mark.clone()).is_some(), "within the text");
        end = mark.end;
    }
}
