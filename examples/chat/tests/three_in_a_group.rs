//! Three people in a group at three terminals, over a real relay that is killed, and loses its disk.

mod support;

use std::path::Path;

use crossterm::event::KeyCode;
use hushpost_harness::{LIMITERS_OFF, RelayOptions, RelayProcess};
use support::{Outcome, Person, until_all};

/// At the table: in this order everywhere.
struct Table {
    alice: Person,
    bob: Person,
    carol: Person,
}

impl Table {
    async fn sit_down(folder: &Path, relay: &RelayProcess) -> Outcome<Self> {
        let mut table = Self {
            alice: Person::sit_down("alice", folder, relay).await?,
            bob: Person::sit_down("bob", folder, relay).await?,
            carol: Person::sit_down("carol", folder, relay).await?,
        };
        table.until("all are online", online).await?;
        Ok(table)
    }

    async fn until(
        &mut self,
        what: &str,
        so: impl Fn(&Person, &Person, &Person) -> bool,
    ) -> Outcome {
        let mut people = [&mut self.alice, &mut self.bob, &mut self.carol];
        until_all(what, &mut people, |people| match people {
            [alice, bob, carol] => so(alice, bob, carol),
            _ => false,
        })
        .await
    }

    /// The same with the same for each of them.
    async fn until_each(&mut self, what: &str, so: impl Fn(&Person) -> bool) -> Outcome {
        self.until(what, |alice, bob, carol| so(alice) && so(bob) && so(carol))
            .await
    }

    async fn leave(self) {
        self.alice.chat.close().await;
        self.bob.chat.close().await;
        self.carol.chat.close().await;
    }
}

fn online(alice: &Person, bob: &Person, carol: &Person) -> bool {
    [alice, bob, carol]
        .iter()
        .all(|person| person.sees("● online") && !person.sees("name not taken yet"))
}

/// Opens the conversation at the top of the list.
fn open_topmost(person: &mut Person) {
    person.press(KeyCode::Tab);
    for _ in 0..5 {
        person.press(KeyCode::Up);
    }
    person.press(KeyCode::Enter);
}

/// Bob and Alice know each other; to Carol, Alice is a stranger.
async fn make_the_group(table: &mut Table) -> Outcome {
    table.bob.enters("/new alice");
    table
        .until("alice is found", |_, bob, _| bob.sees(" alice ─"))
        .await?;
    table.bob.enters("hello alice");
    table
        .until("a request", |alice, _, _| {
            alice.sees("wants to write to you")
        })
        .await?;
    open_topmost(&mut table.alice);
    table.alice.enters("/accept");
    table
        .until("they know each other", |_, bob, _| {
            bob.sees_as_read("hello alice")
        })
        .await?;
    table.alice.enters("/rename bob");
    table.alice.enters("/group \"Summer trip\" bob carol");
    table
        .until("the group is there", |alice, bob, carol| {
            alice.sees("Summer trip · 3 members")
                && bob.sees("Summer trip")
                && carol.sees("took you in")
        })
        .await?;
    open_topmost(&mut table.bob);
    open_topmost(&mut table.carol);
    table
        .until("carol is asked", |_, bob, carol| {
            bob.sees("Summer trip · 3 members") && carol.sees("Somebody took you into Summer trip")
        })
        .await?;
    table.carol.enters("/accept");
    table
        .until("carol is in", |_, _, carol| {
            carol.sees("Summer trip · 3 members") && !carol.sees("Somebody took you")
        })
        .await
}

async fn talk(table: &mut Table) -> Outcome {
    table.alice.enters("welcome @bob");
    table
        .until("a mention", |alice, bob, carol| {
            alice.sees_as_read("welcome @bob")
                && bob.sees("welcome @you")
                && bob.sees("alice")
                && carol.sees("welcome @")
        })
        .await?;
    table.bob.enters("/react 👍");
    table
        .until("a reaction", |alice, bob, carol| {
            alice.sees("👍")
                && alice.row("👍").contains("bob")
                && bob.sees("👍")
                && carol.sees("👍")
        })
        .await?;
    table.alice.enters("/edit");
    table
        .until("it is typed again", |alice, _, _| {
            alice.sees("> welcome @bob") && alice.sees("another text for what you sent")
        })
        .await?;
    table.alice.enters(" and Carol");
    table
        .until("an edit", |alice, bob, carol| {
            alice.row("and Carol").contains("edited")
                && bob.row("welcome @you and Carol").contains("edited")
                && carol.row("and Carol").contains("edited")
        })
        .await?;
    table.alice.enters("/info");
    table
        .until("who has it", |alice, _, _| {
            alice.sees("delivered to 2 of 2, read by 2") && alice.sees("bob: read")
        })
        .await?;
    table.alice.press(KeyCode::Esc);
    table.carol.enters("/poll Where to? | the lake | the hills");
    table
        .until_each("a question", |person| person.sees("○ 2 the hills"))
        .await?;
    table.bob.enters("/vote 2");
    table
        .until("a vote", |alice, bob, carol| {
            bob.sees("● 2 the hills") && alice.sees("▇ 1") == carol.sees("▇ 1") && {
                [alice, carol]
                    .iter()
                    .all(|person| person.sees("○ 2 the hills") && person.sees("▇▇▇ 1"))
            }
        })
        .await
}

async fn a_file(table: &mut Table, folder: &Path) -> Outcome {
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let path = folder.join("our plans.bin");
    std::fs::write(&path, &bytes)?;
    let line = format!("/send '{}' look at this", path.display());
    table.alice.enters(&line);
    table
        .until("the file is there", |alice, bob, carol| {
            [bob, carol].iter().all(|person| {
                person.sees("our plans.bin (file, 292.9 KiB)") && person.sees("look at this")
            }) && alice.sees_as_read("look at this")
        })
        .await?;
    let saved = folder.join("bob-downloads");
    for name in ["our plans.bin", "our plans (2).bin"] {
        let path = saved.join(name);
        table.bob.enters("/save");
        table
            .until("it is saved", |_, bob, _| {
                bob.sees("│ saved: ") && std::fs::metadata(&path).is_ok_and(|file| file.len() > 0)
            })
            .await?;
        assert!(std::fs::read(&path)? == bytes, "{name} is another file");
    }
    assert_eq!(std::fs::read_dir(&saved)?.count(), 2);
    table.bob.enters("/files");
    table
        .until("the list of files", |_, bob, _| bob.sees(" 1 file "))
        .await?;
    table.bob.press(KeyCode::Esc);
    table.alice.enters("/send /no/such/file");
    table
        .until("nothing is sent", |alice, _, _| {
            alice.sees("file was not sent: ")
        })
        .await
}

/// The link that is on the screen, in several lines.
fn link(person: &Person) -> String {
    let screen = person.screen();
    let lines = screen.lines().map(|line| line.trim_matches(['│', ' ']));
    lines
        .skip_while(|line| !line.starts_with("hushpost-group:"))
        .take_while(|line| !line.is_empty())
        .collect()
}

async fn out_and_in_again(table: &mut Table) -> Outcome {
    table.alice.enters("/remove carol");
    table
        .until("carol is out", |alice, bob, carol| {
            alice.sees("you removed carol")
                && bob.sees("alice removed ")
                && bob.sees("Summer trip · 2 members")
                && carol.sees("You are not in this group any more")
        })
        .await?;
    table.alice.enters("for two alone");
    table
        .until("bob reads it", |alice, bob, _| {
            bob.sees("for two alone") && alice.sees_as_read("for two alone")
        })
        .await?;
    table.alice.enters("/invite 1 ask");
    table
        .until("a link", |alice, _, _| link(alice).len() > 100)
        .await?;
    let link = link(&table.alice);
    table.alice.press(KeyCode::Esc);
    table.carol.enters(&format!("/join {link}"));
    table
        .until("carol asks", |alice, _, _| {
            alice.sees("carol asks to be let in: /approve carol")
        })
        .await?;
    table.alice.enters("/approve carol");
    table
        .until_each("carol is in again", |person| {
            person.sees("Summer trip · 3 members") && !person.sees("asks to be let in:")
        })
        .await?;
    assert!(!table.carol.sees("for two alone"));
    Ok(())
}

/// Each says something, and all of them see it and learn that it was read.
async fn everybody_talks(table: &mut Table, when: &str) -> Outcome {
    let texts = ["alice", "bob", "carol"].map(|name| format!("{name} {when}"));
    let [by_alice, by_bob, by_carol] = &texts;
    table.alice.enters(by_alice);
    table.bob.enters(by_bob);
    table.carol.enters(by_carol);
    table
        .until("all talk", |alice, bob, carol| {
            [alice, bob, carol]
                .iter()
                .all(|person| texts.iter().all(|text| person.sees(text)))
                && alice.sees_as_read(by_alice)
                && bob.sees_as_read(by_bob)
                && carol.sees_as_read(by_carol)
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_goes_on_whatever_happens_to_the_relay() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut relay = RelayOptions::default().config(LIMITERS_OFF).start()?;
    let mut table = Table::sit_down(folder.path(), &relay).await?;
    make_the_group(&mut table).await?;
    talk(&mut table).await?;
    a_file(&mut table, folder.path()).await?;
    out_and_in_again(&mut table).await?;
    everybody_talks(&mut table, "before").await?;

    // Killed under them; what is said meanwhile waits. Then its disk is lost: it knows nobody any more.
    relay.kill()?;
    table
        .until_each("the connection is lost", |person| !person.sees("● online"))
        .await?;
    table.carol.enters("carol meanwhile");
    table
        .until("it waits", |_, _, carol| {
            carol.row("carol meanwhile").contains(" …")
        })
        .await?;
    let bytes = b"made while the relay was away".repeat(5_000);
    let path = folder.path().join("meanwhile.bin");
    std::fs::write(&path, &bytes)?;
    table.alice.enters(&format!("/send '{}'", path.display()));
    table
        .until("the file waits", |alice, _, _| {
            alice.sees("↑ meanwhile.bin waits")
        })
        .await?;
    std::fs::remove_dir_all(relay.data_dir())?;
    std::fs::create_dir_all(relay.data_dir())?;
    relay.restart()?;
    for person in [&mut table.alice, &mut table.bob, &mut table.carol] {
        // They come back by themselves; this is sooner.
        person.enters("/connect");
    }
    table
        .until("what waited arrives", |alice, bob, carol| {
            alice.sees("carol meanwhile")
                && bob.sees("carol meanwhile")
                && carol.sees_as_read("carol meanwhile")
        })
        .await?;
    table.until("names are back", online).await?;
    table
        .until("the file that waited", |alice, bob, carol| {
            [bob, carol]
                .iter()
                .all(|person| person.sees("▤ meanwhile.bin"))
                && !alice.sees("↑ meanwhile.bin")
        })
        .await?;
    table.carol.enters("/save");
    let saved = folder.path().join("carol-downloads/meanwhile.bin");
    table
        .until("it is saved", |_, _, carol| carol.sees("│ saved: "))
        .await?;
    assert!(std::fs::read(saved)? == bytes, "another file");
    everybody_talks(&mut table, "after").await?;

    // The group can still be changed.
    table.alice.enters("/timer 1h");
    table
        .until_each("a timer", |person| person.sees("⧗ 1h"))
        .await?;
    table.alice.enters("/rename Autumn trip");
    table
        .until_each("a name", |person| person.sees("Autumn trip · 3 members"))
        .await?;

    // And one to one.
    table.bob.enters("/new alice");
    table
        .until("the other conversation", |_, bob, _| {
            bob.sees("hello alice") && bob.sees(" alice ─")
        })
        .await?;
    table.bob.enters("between us");
    table.alice.enters("/new bob");
    table
        .until("one to one", |alice, bob, _| {
            alice.sees("between us") && bob.sees_as_read("between us")
        })
        .await?;
    // With somebody new as well: Carol is no contact of Bob's yet.
    table.bob.enters("/new carol");
    table
        .until("carol is found", |_, bob, _| bob.sees(" carol ─"))
        .await?;
    table.bob.enters("hello carol");
    table
        .until("carol is asked", |_, _, carol| {
            carol.sees("wants to write to you")
        })
        .await?;
    open_topmost(&mut table.carol);
    table.carol.enters("hello bob");
    table
        .until("they talk", |_, bob, carol| {
            bob.sees("hello bob") && carol.sees_as_read("hello bob")
        })
        .await?;
    table.leave().await;
    Ok(())
}
