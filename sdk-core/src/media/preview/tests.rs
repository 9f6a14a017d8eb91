#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// The public internet, and one address that stands for it here.
fn allowed(address: IpAddr) -> bool {
    address == IpAddr::V4(Ipv4Addr::LOCALHOST) || address::is_public(address)
}

/// A server that gives each request the answer of `answer`, by its path.
async fn server(answer: fn(&str, SocketAddr) -> Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = vec![0; 8192];
                let read = stream.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..read]).into_owned();
                assert!(!request.to_lowercase().contains("cookie"));
                let path = request.split(' ').nth(1).unwrap_or_default();
                // Whoever has enough closes the line.
                let _closed = stream.write_all(&answer(path, address)).await;
            });
        }
    });
    address
}

fn ok(kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn to(location: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

async fn preview(url: &str) -> Result<LinkPreview, MediaError> {
    make_by(&Web::new(allowed), url).await
}

async fn refusal(url: &str) -> String {
    preview(url).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_page_has_a_title_a_description_and_a_picture() {
    let address = server(|path, _| match path {
        "/start?a=b" => to("/page"),
        "/page" => ok(
            "text/html; charset=utf-8",
            b"<title>The sea</title><meta name=description content='Blue'>\
              <meta property='og:image' content='pictures/sea.jpg'>",
        ),
        "/pictures/sea.jpg" => ok("image/jpeg", &picture::tests::photo_with_gps()),
        _ => Vec::new(),
    })
    .await;
    let url = format!("http://{address}/start?a=b#part");
    let found = preview(&url).await.unwrap();
    assert_eq!((found.url(), found.title()), (&*url, "The sea"));
    assert_eq!(found.description(), "Blue");
    let thumbnail = found.image();
    assert!(picture::is_small_jpeg(thumbnail));
    assert!(!thumbnail.windows(6).any(|window| window == b"SECRET"));
}

#[tokio::test]
async fn no_hop_leads_to_an_address_that_is_not_public() {
    let address = server(|path, _| match path {
        "/metadata" => to("http://169.254.169.254/latest/meta-data"),
        "/mapped" => to("http://[::ffff:127.0.0.1]/"),
        "/local" => to("http://127.0.0.2/"),
        "/decimal" => to("http://2130706434/"),
        "/file" => to("file:///etc/passwd"),
        "/picture" => ok(
            "text/html",
            b"<title>x</title><meta property=og:image content='http://10.0.0.1/x.jpg'>",
        ),
        _ => Vec::new(),
    })
    .await;
    for path in ["metadata", "mapped", "local", "decimal"] {
        let refused = refusal(&format!("http://{address}/{path}")).await;
        assert_eq!(
            refused, "the link leads to an address that is not public",
            "{path}"
        );
    }
    assert!(
        refusal(&format!("http://{address}/file"))
            .await
            .contains("not of the web")
    );
    let found = preview(&format!("http://{address}/picture")).await.unwrap();
    assert_eq!((found.title(), found.image()), ("x", &[][..]));
    // What an app calls allows nothing of this machine.
    for local in [
        format!("http://{address}/picture"),
        "http://localhost:1/".to_owned(),
    ] {
        let refused = make(&local).await.unwrap_err().to_string();
        assert_eq!(refused, "the link leads to an address that is not public");
    }
}

#[tokio::test]
async fn what_is_too_much_or_makes_no_sense_is_refused() {
    let address = server(|path, address| match path {
        "/loop" => to(&format!("http://{address}/loop")),
        "/large" => {
            let mut page = b"<title>large</title>".to_vec();
            page.resize(3 * 1024 * 1024, b' ');
            page.extend_from_slice(b"<meta property=og:title content=late>");
            ok("text/html", &page)
        }
        "/pdf" => ok("application/pdf", b"%PDF"),
        "/silent" => ok("text/html", b"<p>no title</p>"),
        "/error" => b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".to_vec(),
        _ => b"nonsense\r\n\r\n".to_vec(),
    })
    .await;
    let at = |path: &str| format!("http://{address}/{path}");
    assert_eq!(refusal(&at("loop")).await, "the link leads on and on");
    // The page is read as far as its bound.
    assert_eq!(preview(&at("large")).await.unwrap().title(), "large");
    assert_eq!(refusal(&at("pdf")).await, "the link is no page");
    assert!(refusal(&at("silent")).await.contains("without a title"));
    assert_eq!(refusal(&at("error")).await, "the link leads to an error");
    assert_eq!(refusal(&at("nonsense")).await, "the link cannot be reached");
    assert_eq!(
        refusal("ftp://example.com/").await,
        "the link is not of the web"
    );
    assert_eq!(
        refusal("http://me:secret@127.0.0.1/").await,
        "the link has a password in it"
    );
    assert_eq!(refusal("no link").await, "the link is not one");
    assert_eq!(
        refusal(&format!("http://x/{}", "a".repeat(3000))).await,
        "the link is too long"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    assert_eq!(refusal(&url).await, "the link takes too long");
}
