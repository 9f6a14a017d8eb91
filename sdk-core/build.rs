//! Turns the checked-in schema into Rust, without a system protoc.

/// Messages that carry what people write, or contain one that does: printing one must be a decision, not an
/// accident.
const UNPRINTABLE: [&str; 12] = [
    ".hushpost.content.v1.Content",
    ".hushpost.content.v1.GroupChange",
    ".hushpost.content.v1.GroupCreate",
    ".hushpost.content.v1.GroupDetails",
    ".hushpost.content.v1.GroupLog",
    ".hushpost.content.v1.JoinRequest",
    ".hushpost.content.v1.Plaintext",
    ".hushpost.content.v1.Post",
    ".hushpost.content.v1.Reply",
    ".hushpost.content.v1.SenderKey",
    ".hushpost.content.v1.SignedGroupChange",
    ".hushpost.content.v1.Text",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const SCHEMA: &str = "proto/hushpost/content/v1.proto";
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile([SCHEMA], ["proto"])?;
    prost_build::Config::new()
        .skip_debug(UNPRINTABLE)
        .compile_fds(descriptors)?;
    Ok(())
}
