//! The texts of the simple types, in both directions; XML schema's are JSON's as well.

use std::io::Write;

use crate::schema::Primitive;
use crate::value::{Binary, DateTime, Str, Value};

/// Reads a text of the simple type, or nothing if it is none. Strings are kept
/// as they are; for the other types whitespace around the text is no part of it.
pub(super) fn parse(primitive: Primitive, text: &str) -> Option<Value> {
    Some(match primitive {
        Primitive::String | Primitive::Uri => Value::String(Str::from(text)),
        Primitive::Boolean => Value::Boolean(parse_bool(trim(text))?),
        Primitive::Byte => Value::Byte(trim(text).parse().ok()?),
        Primitive::Short => Value::Short(trim(text).parse().ok()?),
        Primitive::Int => Value::Int(trim(text).parse().ok()?),
        Primitive::Long => Value::Long(trim(text).parse().ok()?),
        Primitive::Float => Value::Float(float(trim(text), [f32::INFINITY, f32::NAN])?),
        Primitive::Double => Value::Double(float(trim(text), [f64::INFINITY, f64::NAN])?),
        Primitive::DateTime => Value::DateTime(DateTime::parse(text).ok()?),
        Primitive::Binary => Value::Binary(Binary::new(&decode_base64(text.as_bytes())?)),
        Primitive::Any => return None,
    })
}

/// The text without XML's whitespace around it.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn float<T>(text: &str, [infinity, nan]: [T; 2]) -> Option<T>
where
    T: std::str::FromStr + std::ops::Neg<Output = T>,
{
    match text {
        "INF" | "+INF" => Some(infinity),
        "-INF" => Some(-infinity),
        "NaN" => Some(nan),
        // Rust knows more words than XML schema does.
        _ if text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) => {
            text.parse().ok()
        }
        _ => None,
    }
}

/// Appends an integer.
pub(super) fn write_integer(number: i64, out: &mut Vec<u8>) {
    let mut buffer = [0_u8; 20];
    let mut rest = number.unsigned_abs();
    let mut used = 0;
    for digit in buffer.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(buffer.get(buffer.len() - used..).unwrap_or_default());
}

/// Appends a float as XML schema writes it.
pub(super) fn write_float(number: f32, out: &mut Vec<u8>) {
    let plain = number == 0.0 || (1e-5..1e9).contains(&number.abs());
    // Writing to memory does not fail.
    let _ = match special(f64::from(number)) {
        Some(word) => out.write_all(word),
        None if plain => write!(out, "{number}"),
        None => write!(out, "{number:E}"),
    };
}

/// Appends a double as XML schema writes it.
pub(super) fn write_double(number: f64, out: &mut Vec<u8>) {
    let plain = number == 0.0 || (1e-5..1e17).contains(&number.abs());
    let _ = match special(number) {
        Some(word) => out.write_all(word),
        None if plain => write!(out, "{number}"),
        None => write!(out, "{number:E}"),
    };
}

fn special(number: f64) -> Option<&'static [u8]> {
    if number.is_nan() {
        Some(b"NaN")
    } else if number.is_infinite() {
        Some(if number > 0.0 { b"INF" } else { b"-INF" })
    } else {
        None
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends bytes as base64.
pub(super) fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let digit = |bits: u32| ALPHABET.get((bits & 63) as usize).copied().unwrap_or(b'=');
    out.reserve(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let mut quad = [digit(bits >> 18), digit(bits >> 12), digit(bits >> 6), digit(bits)];
        for pad in quad.iter_mut().skip(chunk.len() + 1) {
            *pad = b'=';
        }
        out.extend_from_slice(&quad);
    }
}

/// The bytes that base64 text stands for, whitespace anywhere in it.
pub(super) fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held, mut padding) = (0_u32, 0_u32, 0_u32);
    for byte in text.iter().copied().filter(|b| !b.is_ascii_whitespace()) {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' if padding < 2 => {
                padding += 1;
                continue;
            }
            _ => return None,
        };
        if padding > 0 {
            return None;
        }
        bits = bits << 6 | u32::from(digit);
        held += 1;
        if held == 4 {
            out.extend(bits.to_be_bytes().into_iter().skip(1));
            (bits, held) = (0, 0);
        }
    }
    match (held, padding) {
        (0, 0) => {}
        (2, 2) => out.push((bits >> 4) as u8),
        (3, 1) => out.extend([(bits >> 10) as u8, (bits >> 2) as u8]),
        _ => return None,
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn numbers_as_clients_write_them() {
        assert_eq!(parse(Primitive::Int, " +7\n"), Some(Value::Int(7)));
        assert_eq!(parse(Primitive::Int, "-2147483648"), Some(Value::Int(i32::MIN)));
        assert_eq!(parse(Primitive::Int, "2147483648"), None);
        assert_eq!(parse(Primitive::Byte, "128"), None);
        assert_eq!(parse(Primitive::Long, ""), None);
        assert_eq!(parse(Primitive::Int, "1.0"), None);
        assert_eq!(parse(Primitive::Double, "1e3"), Some(Value::Double(1000.0)));
        assert_eq!(parse(Primitive::Double, "-INF"), Some(Value::Double(f64::NEG_INFINITY)));
        assert!(matches!(parse(Primitive::Float, "NaN"), Some(Value::Float(x)) if x.is_nan()));
        for text in ["inf", "infinity", "nan", "", "1,5", "0x10"] {
            assert_eq!(parse(Primitive::Double, text), None, "{text}");
        }
        assert_eq!(parse(Primitive::Boolean, " 1 "), Some(Value::Boolean(true)));
        assert_eq!(parse(Primitive::Boolean, "True"), None);
    }

    #[test]
    fn numbers_as_schema_writes_them() {
        for (number, text) in [
            (0.0, "0"),
            (1.5, "1.5"),
            (-100.0, "-100"),
            (1e300, "1E300"),
            (f64::INFINITY, "INF"),
            (f64::NEG_INFINITY, "-INF"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(written(|out| write_double(number, out)), text);
        }
        assert_eq!(written(|out| write_float(0.1, out)), "0.1");
        assert_eq!(written(|out| write_integer(i64::MIN, out)), i64::MIN.to_string());
        assert_eq!(written(|out| write_integer(0, out)), "0");
    }

    #[test]
    fn base64_with_whitespace_and_without_sense() {
        assert_eq!(decode_base64(b" aGVs\r\nbG8= "), Some(b"hello".to_vec()));
        assert_eq!(decode_base64(b""), Some(Vec::new()));
        for text in ["aGVsbG8", "aGVsbG8==", "a", "====", "aGV=bG8=", "aG*s"] {
            assert_eq!(decode_base64(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn base64_round_trip(bytes: Vec<u8>) {
            let text = written(|out| write_base64(&bytes, out));
            prop_assert_eq!(decode_base64(text.as_bytes()), Some(bytes));
        }

        #[test]
        fn doubles_round_trip(number: f64) {
            let text = written(|out| write_double(number, out));
            prop_assert_eq!(parse(Primitive::Double, &text), Some(Value::Double(number)));
        }

        #[test]
        fn floats_round_trip(number: f32) {
            let text = written(|out| write_float(number, out));
            prop_assert_eq!(parse(Primitive::Float, &text), Some(Value::Float(number)));
        }
    }
}
