//! How fast files are sealed and opened on one core, beside what the primitives alone do.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Instant;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{Context, SHA256};
use hushpost::benching;

const LEN: u64 = 1 << 30;
const PIECE: usize = 256 * 1024;
const ROUNDS: usize = 3;

/// Bytes that change, without costing time.
struct Numbers(u64);

impl Read for Numbers {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(usize::try_from(self.0).unwrap());
        if let Some(first) = buffer[..count].first_chunk_mut::<8>() {
            *first = self.0.to_le_bytes();
        }
        self.0 -= count as u64;
        Ok(count)
    }
}

/// The best of a few rounds, in GB/s.
fn rate(name: &str, mut work: impl FnMut()) {
    let best = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .min()
        .unwrap();
    #[allow(clippy::cast_precision_loss)]
    let rate = LEN as f64 / 1e9 / best.as_secs_f64();
    println!("{name:<48} {rate:>6.2} GB/s");
}

pub fn run(folder: &Path) {
    println!("sealed files, 1 GiB, one core; target 1 GB/s");
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    let mut piece = vec![0; PIECE];
    let pieces = LEN / PIECE as u64;
    rate("AES-256-GCM alone", || {
        for number in 0..pieces {
            let mut nonce = [0; 12];
            nonce[4..].copy_from_slice(&number.to_be_bytes());
            let nonce = Nonce::assume_unique_for_key(nonce);
            let tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), &mut piece);
            let _tag = std::hint::black_box(tag.unwrap());
        }
    });
    rate("SHA-256 alone", || {
        let mut digest = Context::new(&SHA256);
        for _ in 0..pieces {
            digest.update(&piece);
        }
        std::hint::black_box(digest.finish());
    });
    rate("seal: memory to memory", || {
        assert!(benching::seal(LEN, &mut Numbers(LEN), &mut io::sink()));
    });
    rate("seal, and the SHA-256 the relay asks for", || {
        assert!(benching::seal_digested(LEN, &mut Numbers(LEN), &mut io::sink()).is_some());
    });
    let mut blob = Vec::new();
    assert!(benching::seal(LEN, &mut Numbers(LEN), &mut blob));
    rate("open: memory to memory", || {
        assert!(benching::open(LEN, &mut &*blob, &mut io::sink()));
    });
    drop(blob);
    let (plain, sealed, opened) = (
        folder.join("plain"),
        folder.join("sealed"),
        folder.join("opened"),
    );
    io::copy(&mut Numbers(LEN), &mut File::create(&plain).unwrap()).unwrap();
    rate("seal, and the SHA-256: file to file, not synced", || {
        let mut sink = File::create(&sealed).unwrap();
        let mut source = File::open(&plain).unwrap();
        assert!(benching::seal_digested(LEN, &mut source, &mut sink).is_some());
        sink.flush().unwrap();
    });
    rate("open: file to file, not synced", || {
        let mut sink = File::create(&opened).unwrap();
        assert!(benching::open(
            LEN,
            &mut File::open(&sealed).unwrap(),
            &mut sink
        ));
    });
}
