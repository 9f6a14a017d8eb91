//! A chat in the terminal: `hushpost-chat --name alice`.

use std::process::ExitCode;

use clap::Parser as _;
use hushpost_chat::{Chat, Options, terminal};

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match Chat::open(options).await {
        Ok(chat) => terminal::run(chat).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            use std::io::Write as _;
            // Nobody may be listening.
            drop(writeln!(std::io::stderr(), "hushpost-chat: {why}"));
            ExitCode::FAILURE
        }
    }
}
