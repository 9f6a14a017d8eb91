//! A person in a process of their own, who says a script and may be killed at any point: see
//! [`hushpost_client_tests::script`].
//!
//! `scripted_person FOLDER RELAY PEER`, with `KILL_AT=n` in the environment to die at the n-th point. Prints how
//! many points there were.

use std::env;
use std::error::Error;
use std::path::PathBuf;

use hushpost::Registration;
use hushpost_client_tests::script::{self, Doom};

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let mut next = || arguments.next().ok_or("FOLDER RELAY PEER");
    let folder = PathBuf::from(next()?);
    let relay = next()?.parse()?;
    let peer = next()?.parse().map_err(|_| "an account id")?;
    let kill_at = env::var("KILL_AT").map_or(Ok(0), |number| number.parse())?;

    let doom = Doom::at(kill_at);
    let log = script::event_log(&folder)?;
    let client = script::open(&folder, relay, &doom).await?;
    client.register(Registration::open()).await?;
    script::perform(&client, peer, log).await?;
    println!("{}", doom.reached());
    Ok(())
}
