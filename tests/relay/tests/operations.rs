//! A relay in operation: it starts with nothing, says how it is, keeps its folder to itself, and stops
//! without losing anything.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use hushpost_harness::{
    Client, HarnessError, LIMITERS_OFF, RelayBinary, RelayOptions, RelayProcess,
};
use hushpost_relay_tests::{Person, message, random_id, sent};
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{CloseReason, Ping};

type Result<T = (), E = Box<dyn std::error::Error>> = core::result::Result<T, E>;

fn relay() -> Result<RelayProcess> {
    Ok(RelayOptions::default().config(LIMITERS_OFF).start()?)
}

/// Ends with its test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _ended_already = self.0.wait();
    }
}

#[tokio::test]
async fn it_serves_from_an_empty_folder_with_no_configuration_at_all() -> Result {
    let folder = tempfile::tempdir()?;
    let mut process = Process(
        Command::new(RelayBinary::find()?.path())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(["--admin-listen", "127.0.0.1:0"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?,
    );
    let mut lines = BufReader::new(process.0.stdout.take().expect("a pipe")).lines();
    let line = lines.next().expect("a line")?;
    let address: SocketAddr = line
        .strip_prefix("READY ws=")
        .and_then(|rest| rest.split_once(" admin="))
        .and_then(|(address, admin)| {
            admin.parse::<SocketAddr>().ok()?;
            address.parse().ok()
        })
        .unwrap_or_else(|| panic!("{line}"));
    let (mut client, welcome) = Client::connect(address).await?;
    assert_eq!(welcome.relay_name, "localhost");
    let alice = hushpost_harness::Identity::new()?;
    client.register(&welcome, &alice).await?;
    client.request(Request::Ping(Ping {})).await?;
    let made: BTreeSet<_> = fs::read_dir(folder.path())?
        .map(|entry| Ok(entry?.file_name()))
        .collect::<Result<_>>()?;
    assert_eq!(made, ["hushpost-data".into()].into());
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn the_data_folder_it_makes_is_its_owners_alone() -> Result {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir()?;
    let relay = RelayOptions::default()
        .config(format!(
            "data_dir = '{}'",
            folder.path().join("made/by/it").display()
        ))
        .start()?;
    drop(relay);
    let mode = fs::metadata(folder.path().join("made/by/it"))?
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700, "{mode:o}");
    Ok(())
}

#[tokio::test]
async fn health_and_metrics_are_on_the_second_listener_alone() -> Result {
    let relay = relay()?;
    let live = relay.admin_page("/health/live").await?;
    assert!(
        live.starts_with("HTTP/1.0 200") || live.starts_with("HTTP/1.1 200"),
        "{live}"
    );
    let ready = relay.admin_page("/health/ready").await?;
    assert!(
        ready.contains(" 200 ") && ready.ends_with("\r\n\r\nready\n"),
        "{ready}"
    );
    assert!(relay.admin_page("/anything").await?.contains(" 404 "));
    for path in ["/metrics", "/health/live", "/health/ready"] {
        let mut raw = hushpost_harness::RawConnection::open(None, relay.address()).await?;
        raw.write(format!("GET {path} HTTP/1.0\r\nHost: x\r\n\r\n").as_bytes())
            .await?;
        let answer = String::from_utf8(raw.read_to_end().await?)?;
        assert!(answer.contains(" 404 "), "{answer}");
    }
    Ok(())
}

/// The samples of a page in Prometheus text format 0.0.4; panics if it is none.
fn parse_exposition(page: &str) -> BTreeMap<String, f64> {
    let (head, body) = page.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    let (mut types, mut helped) = (BTreeMap::new(), BTreeSet::new());
    let mut samples = BTreeMap::new();
    for line in body.lines().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a help text");
            assert!(!help.is_empty() && helped.insert(name.to_owned()), "{line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(
                types.insert(name.to_owned(), kind.to_owned()).is_none(),
                "{line}"
            );
        } else {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            assert!(labels.ends_with('}'), "{line}");
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .filter_map(|suffix| name.strip_suffix(suffix))
                .find(|family| types.get(*family).is_some_and(|kind| kind == "histogram"))
                .unwrap_or(name);
            assert!(types.contains_key(family), "{line} has no type");
            assert!(helped.contains(family), "{family} is not documented");
            assert!(family.starts_with("hushpost_"), "{line}");
            samples.insert(series.to_owned(), value);
        }
    }
    samples
}

#[tokio::test]
async fn metrics_are_valid_documented_and_true() -> Result {
    let relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config("[limits.rate]\nmessages_per_account = { burst = 3, per_minute = 0.1 }")
        .config("[listen]\nmax_connections_per_address = 2")
        .start()?;
    let mut alice = Person::register(relay.address()).await?;
    let mut bob = Person::register(relay.address()).await?;
    // One connection more than this address may have.
    assert!(Client::connect(relay.address()).await.is_err());
    for _ in 0..3 {
        alice
            .send(random_id()?, vec![bob.identity.recipient(b"x")])
            .await?;
    }
    let one_more = Request::Send(message(random_id()?, vec![bob.identity.recipient(b"x")]));
    alice.client.request_refused(one_more).await?;
    bob.receive(0).await?;
    bob.messages(3).await?;
    bob.acknowledge(3).await?;
    let samples = parse_exposition(&relay.admin_page("/metrics").await?);
    for (series, value) in [
        ("hushpost_connections", 2.0),
        ("hushpost_sent_total", 3.0),
        ("hushpost_delivered_total", 3.0),
        ("hushpost_refused_total{code=\"RATE_LIMITED\"}", 1.0),
        (
            "hushpost_limited_total{limiter=\"messages_per_account\"}",
            1.0,
        ),
        ("hushpost_connections_refused_total{limit=\"address\"}", 1.0),
        ("hushpost_delivery_seconds_count", 3.0),
    ] {
        assert_eq!(
            samples.get(series),
            Some(&value),
            "{series} in {samples:#?}"
        );
    }
    for positive in [
        "hushpost_store_commits_total",
        "hushpost_store_commit_seconds_count",
        "hushpost_store_disk_free_bytes",
        "hushpost_store_log_bytes",
    ] {
        assert!(
            samples.get(positive).is_some_and(|value| *value > 0.0),
            "{positive}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn one_data_folder_serves_one_relay() -> Result {
    let relay = relay()?;
    let second = relay.command(&["serve", "--listen", "127.0.0.1:0"])?;
    assert_eq!(second.status.code(), Some(1));
    let problem = String::from_utf8(second.stderr)?;
    let folder = relay.data_dir();
    assert!(
        problem.contains(&format!(
            "error: {} is in use by another hushpost-relay; stop it first, or choose another data_dir",
            folder.display()
        )),
        "{problem}"
    );
    assert!(second.stdout.is_empty(), "it never said that it was ready");
    // The first one does not mind.
    Person::register(relay.address()).await?;
    Ok(())
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() -> Result {
    let relay = relay()?;
    let folder = tempfile::tempdir()?;
    let data_dir = folder.path().join("another").display().to_string();
    let taken = relay.address().to_string();
    let second = relay.command(&["serve", "--listen", &taken, "--data-dir", &data_dir])?;
    assert_eq!(second.status.code(), Some(1));
    let problem = String::from_utf8(second.stderr)?;
    assert!(
        problem.contains(&format!("cannot listen on {taken}")),
        "{problem}"
    );
    assert!(
        problem.to_lowercase().contains("in use"),
        "and why: {problem}"
    );
    Ok(())
}

#[tokio::test]
async fn told_to_stop_it_tells_its_clients_when_to_come_back() -> Result {
    let mut relay = RelayOptions::default()
        .config(LIMITERS_OFF)
        .config("[drain]\nreconnect_jitter = '5s'")
        .start()?;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(Person::register(relay.address()).await?.client);
    }
    let (mut stays, _) = Client::connect(relay.address()).await?;
    relay.signal_termination()?;
    let mut moments = BTreeSet::new();
    for client in clients {
        let closing = client
            .ended()
            .await?
            .closing
            .expect("a word before the end");
        assert_eq!(closing.reason(), CloseReason::Draining);
        assert!(closing.reconnect_after_ms < 5000, "{closing:?}");
        moments.insert(closing.reconnect_after_ms);
    }
    assert!(
        moments.len() > 10,
        "they do not come back all at once: {moments:?}"
    );

    // One that does not close yet: meanwhile the relay says that it is not ready, and takes nobody new.
    let told = stays.next_push().await?;
    assert!(matches!(told, Body::Closing(closing) if closing.reason() == CloseReason::Draining));
    let ready = relay.admin_page("/health/ready").await?;
    assert!(
        ready.contains(" 503 ") && ready.ends_with("draining\n"),
        "{ready}"
    );
    assert!(Client::connect(relay.address()).await.is_err());
    drop(stays);
    assert_eq!(relay.wait()?.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn a_stop_in_the_middle_of_everything_loses_nothing() -> Result {
    let mut relay = relay()?;
    let mut bob = Person::register(relay.address()).await?;
    let mut senders = Vec::new();
    for _ in 0..4 {
        senders.push(Person::register(relay.address()).await?);
    }
    let mut sending = Vec::new();
    for (number, mut sender) in senders.into_iter().enumerate() {
        let to = bob.identity.clone();
        sending.push(tokio::spawn(async move {
            let mut accepted = BTreeSet::new();
            // Until the relay ends it.
            for count in 0_u32.. {
                let text = format!("{number}/{count}");
                let recipients = vec![to.recipient(text.as_bytes())];
                let id = random_id()?;
                let request = Request::Send(message(id, recipients));
                match sender.client.request(request).await {
                    Ok(body) => {
                        assert_eq!(sent(body)?.stored, 1);
                        accepted.insert(text.into_bytes());
                    }
                    Err(HarnessError::Ended(_) | HarnessError::WebSocket(_)) => break,
                    Err(HarnessError::Refused(error)) => assert!(error.retryable, "{error:?}"),
                    Err(error) => return Err(error),
                }
            }
            Ok::<_, HarnessError>(accepted)
        }));
    }
    // In the middle: once bob has got some of them.
    bob.receive(0).await?;
    bob.messages(20).await?;
    relay.signal_termination()?;
    let mut accepted = BTreeSet::new();
    for task in sending {
        accepted.extend(task.await??);
    }
    drop(bob.client.close().await);
    assert_eq!(relay.wait()?.code(), Some(0));
    assert!(accepted.len() >= 20);

    relay.restart()?;
    let (client, _) = Client::connect_as(relay.address(), &bob.identity, 1).await?;
    let mut bob = Person {
        identity: bob.identity,
        client,
    };
    bob.receive(0).await?;
    let received: BTreeSet<Vec<u8>> = bob
        .messages_until_caught_up()
        .await?
        .iter()
        .map(|one| one.ciphertext.to_vec())
        .collect();
    let lost: Vec<_> = accepted.difference(&received).collect();
    assert!(lost.is_empty(), "{lost:?}");
    Ok(())
}

#[tokio::test]
async fn log_lines_for_machines_are_json() -> Result {
    let mut relay = RelayOptions::default()
        .config("[log]\nformat = 'json'")
        .start()?;
    Person::register(relay.address()).await?;
    assert!(relay.terminate()?.success());
    let log = relay.log()?;
    let mut said = Vec::new();
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line)?;
        for field in ["timestamp", "level", "target"] {
            assert!(line[field].is_string(), "{field} in {line}");
        }
        said.push(
            line["fields"]["message"]
                .as_str()
                .expect("a message")
                .to_owned(),
        );
    }
    for message in ["ready", "draining", "stopped"] {
        assert!(
            said.iter().any(|line| line == message),
            "{message} in {said:?}"
        );
    }
    Ok(())
}
