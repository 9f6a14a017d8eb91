//! Several databases are opened at once, as the first thing that a process does. Each process can try that only
//! once, so the test runs itself again and again.
#![allow(clippy::unwrap_used, missing_docs)]

use std::process::Command;
use std::sync::Barrier;

use hushpost::{Client, Config, DatabaseKey, StoreThreads};

const CHILD: &str = "HUSHPOST_TEST_FIRST_OPEN";
const PROCESSES: usize = 20;
const CLIENTS: usize = 8;

#[test]
fn many_are_opened_at_once_as_the_first_thing_in_a_process() {
    if std::env::var_os(CHILD).is_some() {
        return open_many();
    }
    for _ in 0..PROCESSES {
        let child = Command::new(std::env::current_exe().unwrap())
            .env(CHILD, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success(), "{said}");
    }
}

fn open_many() {
    let folder = tempfile::tempdir().unwrap();
    let together = Barrier::new(CLIENTS);
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let path = folder.path().join(number.to_string());
            let together = &together;
            scope.spawn(move || {
                let relay = "ws://localhost:1".parse().unwrap();
                let config = Config::new(path, DatabaseKey::new([7; 32]), relay)
                    .store_threads(StoreThreads::Inline);
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                together.wait();
                let client = runtime.block_on(Client::open(config)).unwrap();
                runtime.block_on(client.close());
            });
        }
    });
}
