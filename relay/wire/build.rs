//! Turns the checked-in schema into Rust, without a system protoc.

/// Messages with tokens, codes, names, ciphertext or sealed values in them: printing one must be a decision,
/// not an accident. (An error prints itself, in its own way.)
const UNPRINTABLE: [&str; 22] = [
    ".hushpost.v1.Authenticate",
    ".hushpost.v1.ClientFrame",
    ".hushpost.v1.CreateUpload",
    ".hushpost.v1.Deliveries",
    ".hushpost.v1.Delivery",
    ".hushpost.v1.Ephemeral",
    ".hushpost.v1.Error",
    ".hushpost.v1.FetchPreKeyBundles",
    ".hushpost.v1.GetDeviceList",
    ".hushpost.v1.LastWill",
    ".hushpost.v1.LookUpName",
    ".hushpost.v1.Publish",
    ".hushpost.v1.Recipient",
    ".hushpost.v1.RecipientDevice",
    ".hushpost.v1.Register",
    ".hushpost.v1.Send",
    ".hushpost.v1.SendSealed",
    ".hushpost.v1.ServerFrame",
    ".hushpost.v1.SetDeliveryToken",
    ".hushpost.v1.SetUserName",
    ".hushpost.v1.Subscribe",
    ".hushpost.v1.UploadCreated",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const SCHEMA: &str = "proto/hushpost/v1.proto";
    println!("cargo:rerun-if-changed={SCHEMA}");
    let descriptors = protox::compile([SCHEMA], ["proto"])?;
    prost_build::Config::new()
        .bytes(["."])
        .skip_debug(UNPRINTABLE)
        .compile_fds(descriptors)?;
    Ok(())
}
