//! Who does not know the id or the token meets one answer, whatever is wrong.

use super::*;

/// An id and a token that no blob has.
fn nobody() -> Room {
    Room {
        id: URL_SAFE_NO_PAD.encode([5; 32]),
        token: URL_SAFE_NO_PAD.encode([6; 32]),
        name: Name::of(&[5; 32]),
    }
}

fn get(path: &[u8], headers: &str) -> Vec<u8> {
    [
        b"GET /v1/blobs/",
        path,
        b" HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n",
        headers.as_bytes(),
        b"\r\n",
    ]
    .concat()
}

#[tokio::test]
async fn a_wrong_token_is_told_nothing_and_stops_nobody() {
    let server = Server::start().await;
    let bytes = noise(1000);
    let (open, complete) = (server.room(&bytes).await, server.blob(&bytes).await);
    let nobody = nobody();
    for method in ["HEAD", "PATCH", "DELETE"] {
        let ask = async |id: &str, headers: &str| {
            let headers = format!("{headers}Upload-Offset: 0\r\nContent-Length: 0\r\n");
            server.ask(method, id, &headers, b"").await.timeless()
        };
        let expected = ask(&nobody.id, &nobody.bearer()).await;
        assert!(expected.0.starts_with("HTTP/1.1 404"), "{expected:?}");
        for (blob, other) in [(&open, &complete), (&complete, &open)] {
            for headers in [
                String::new(),
                nobody.bearer(),
                other.bearer(),
                format!("Authorization: Bearer {}\r\n", blob.id),
                format!("Authorization: Basic {}\r\n", blob.token),
                format!("Authorization: Bearer {}=\r\n", blob.token),
                format!("Authorization: Bearer {}A\r\n", blob.token),
                format!("Authorization: Bearer {}\r\n", &blob.token[1..]),
                format!("Authorization: {}\r\n", blob.token),
                "Authorization: Bearer\r\n".into(),
                "Authorization: Bearer \u{e9}\r\n".into(),
                format!("Authorization: Bearer {}\r\n", "A".repeat(4096)),
            ] {
                let answer = ask(&blob.id, &headers).await;
                assert_eq!(answer, expected, "{method} {headers}");
            }
        }
    }
    assert_eq!(server.head(&open).await.number("upload-offset"), 0);
    assert!(server.get(&complete, "").await.body == bytes);
}

#[tokio::test]
async fn whatever_stands_in_the_path_meets_one_answer() {
    let server = Server::start().await;
    let bytes = noise(1000);
    let (open, expired) = (server.room(&bytes).await, server.blob(&bytes).await);
    server.update(&expired, "due_ms = 1").await;
    let good = server.blob(&bytes).await;
    let (id, hash) = (&good.id, good.hash());
    let unknown = nobody().id;
    let expected = server.raw(&get(unknown.as_bytes(), "")).await;
    assert_eq!(expected.status, 404);
    assert_eq!(expected.code(), "NOT_FOUND");
    let expected = expected.timeless();
    // Another last character stands for another byte, or for stray bits.
    let other_end = |end: char| format!("{}{end}", &id[..42]);
    let stray = URL_SAFE_NO_PAD.encode([0; 32]).replace("AAAA", "AAAB");
    for path in [
        String::new(),
        open.id.clone(),
        expired.id.clone(),
        good.token.clone(),
        hash.clone(),
        format!("{}/{hash}/0", &hash[..2]),
        format!("..%2f{id}"),
        format!("../blobs/{id}"),
        format!("./{id}"),
        format!("/{id}"),
        format!("{id}/"),
        format!("{id}/0"),
        format!("{id}%00"),
        format!("{id}.bin"),
        format!("{id}="),
        format!("%{:02X}{}", id.as_bytes()[0], &id[1..]),
        other_end(if id.ends_with('A') { 'E' } else { 'A' }),
        other_end('B'),
        stray,
        "..%2f..%2f..%2f..%2fetc%2fpasswd".into(),
        "..%5c..%5cwindows".into(),
        "%2e%2e/%2e%2e/relay.db".into(),
        "../../relay.db".into(),
        "%00".repeat(43),
        "%ff".repeat(43),
        "A".repeat(4096),
        "%2f".repeat(1365),
        "*".into(),
    ] {
        for headers in ["", "Range: bytes=0-9\r\n", "Range: bytes=9-0\r\n"] {
            let answer = server.raw(&get(path.as_bytes(), headers)).await;
            assert_eq!(answer.timeless(), expected, "{path}");
        }
    }
    // What is not HTTP does not come as far as an id: the same for a good one and an unknown one.
    for tail in [&b"\0"[..], b"\x01", b"\x7f", b" x"] {
        let known = server.raw(&get(&[id.as_bytes(), tail].concat(), "")).await;
        let other = [unknown.as_bytes(), tail].concat();
        let other = server.raw(&get(&other, "")).await;
        assert_eq!(known.status, 400);
        assert_eq!(known.timeless(), other.timeless());
    }
    assert!(server.raw(&get(id.as_bytes(), "")).await.body == bytes);
}
