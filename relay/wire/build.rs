//! Turns the checked-in schema into Rust, without a system protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const SCHEMA: &str = "proto/hushpost/v1.proto";
    println!("cargo:rerun-if-changed={SCHEMA}");
    let descriptors = protox::compile([SCHEMA], ["proto"])?;
    prost_build::Config::new()
        .bytes(["."])
        // Frames carry tokens and invite codes: printing one must be a decision, not an accident.
        .skip_debug(["."])
        .type_attribute("hushpost.v1.CloseReason", "#[derive(Debug)]")
        .type_attribute("hushpost.v1.ErrorCode", "#[derive(Debug)]")
        .type_attribute("hushpost.v1.Found", "#[derive(Debug)]")
        .type_attribute("hushpost.v1.NameKind", "#[derive(Debug)]")
        .compile_fds(descriptors)?;
    Ok(())
}
