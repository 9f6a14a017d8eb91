//! Spoils requests: what is sent is never what the protocol says, or hardly.
//!
//! Must never: make a line that is empty or more than one line, for a line is what gets an answer.

use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};

use crate::json;
use crate::tamper;

/// Written as they are, because most do not fit any number type here.
const NUMBERS: [&str; 14] = [
    "-1",
    "0",
    "0.5",
    "-0.0",
    "128",
    "256",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "18446744073709551616",
    "1e400",
    "-1e400",
];

/// Holds the place of a number until the request is text.
const PLACEHOLDER: &str = "a number goes here";

/// A line made out of an honest request, or out of nothing.
pub fn line(honest: &Value, rng: &mut ChaCha20Rng) -> Vec<u8> {
    let line = match rng.random_range(0..12) {
        0 => random_bytes(rng),
        1 => not_json(honest, rng),
        2 => nested(rng),
        3 | 4 => huge_number(honest, rng),
        5 | 6 => wrong_type(honest, rng),
        7 => without_a_field(honest, rng),
        _ => damaged_bytes(honest, rng),
    };
    as_one_line(line)
}

fn random_bytes(rng: &mut ChaCha20Rng) -> Vec<u8> {
    let length = rng.random_range(1..200);
    (0..length).map(|_| rng.random()).collect()
}

fn not_json(honest: &Value, rng: &mut ChaCha20Rng) -> Vec<u8> {
    tamper::damage(honest.to_string().as_bytes(), rng).bytes
}

fn nested(rng: &mut ChaCha20Rng) -> Vec<u8> {
    let depth = rng.random_range(1..20_000);
    let (open, close) = [("[", "]"), ("{\"nested\":", "}")][rng.random_range(0..2)];
    let mut text = open.repeat(depth);
    if rng.random() {
        text += "null";
        text += &close.repeat(depth);
    }
    text.into_bytes()
}

fn huge_number(honest: &Value, rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut request = honest.clone();
    *any_field(&mut request, rng) = PLACEHOLDER.into();
    let number = NUMBERS.choose(rng).expect("there are numbers");
    let placeholder = Value::from(PLACEHOLDER).to_string();
    request
        .to_string()
        .replace(&placeholder, number)
        .into_bytes()
}

fn wrong_type(honest: &Value, rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut request = honest.clone();
    let types = [
        Value::Null,
        true.into(),
        7.into(),
        "".into(),
        "text".into(),
        "=not base64=".into(),
        "\u{0}\u{7f}\u{fffd}".into(),
        "x".repeat(100_000).into(),
        json!([]),
        json!([1, [2, "three"]]),
        json!({}),
        json!({ "op": { "party": null } }),
    ];
    *any_field(&mut request, rng) = types.choose(rng).expect("there are types").clone();
    request.to_string().into_bytes()
}

fn without_a_field(honest: &Value, rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut request = honest.clone();
    let fields = request.as_object_mut().expect("a request is an object");
    let name = fields.keys().nth(rng.random_range(0..fields.len()));
    let name = name.expect("a request has fields").clone();
    fields.remove(&name);
    request.to_string().into_bytes()
}

fn damaged_bytes(honest: &Value, rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut request = honest.clone();
    let field = any_field(&mut request, rng);
    let bytes = field.as_str().and_then(json::decode);
    *field = match bytes {
        Some(bytes) if !bytes.is_empty() && rng.random() => {
            json::text(&tamper::damage(&bytes, rng).bytes).into()
        }
        _ => json::text(&random_bytes(rng)).into(),
    };
    request.to_string().into_bytes()
}

/// A field of the request, or of an object in it.
fn any_field<'a>(request: &'a mut Value, rng: &mut ChaCha20Rng) -> &'a mut Value {
    let fields = request.as_object_mut().expect("a request is an object");
    // The operation mostly stays, or hardly any garbage would reach one.
    let candidates: Vec<String> = fields
        .keys()
        .filter(|name| *name != "op" || rng.random_bool(0.05))
        .cloned()
        .collect();
    let Some(name) = candidates.choose(rng) else {
        return &mut fields["op"];
    };
    let field = &mut fields[name];
    if field.as_object().is_some_and(|inner| !inner.is_empty()) && rng.random_bool(0.9) {
        any_field(field, rng)
    } else {
        field
    }
}

/// Without what ends a line for one reader or another (0xe2 begins the Unicode line separators),
/// without characters that a complaint might quote one half of (0xf0 and up begin those outside the
/// basic plane), and with something that is not white space (a blank line asks nothing).
fn as_one_line(line: Vec<u8>) -> Vec<u8> {
    let mut line: Vec<u8> = line
        .into_iter()
        .filter(|byte| !matches!(byte, b'\n' | b'\r' | 0xe2 | 0xf0..))
        .collect();
    if String::from_utf8_lossy(&line).trim().is_empty() {
        line.push(b'#');
    }
    line
}
