//! Control bodies: a narrow kind of CBOR, checked before anything is decoded from it.
//!
//! A body is one map. Keys are text, each at most once in its map; numbers and lengths take their shortest form, numbers stay within
//! [`NUMBER_MAX`], and lengths come first (no indefinite ones); nothing nests deeper than [`NESTING_MAX`], nothing is tagged, and
//! nothing follows. So every
//! message has one encoding but for the order of its keys, and decoders in all languages accept the same bytes.
//!
//! The check reads the body once, allocates nothing, and trusts no announced length. Only then does `ciborium` decode it,
//! ignoring keys it does not know.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::{ITEMS_MAX, KEY_BYTES_MAX, KEYS_MAX, NESTING_MAX, NUMBER_MAX};

/// A body that cannot be decoded, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CborError {
    /// Where: bytes since the body's first; 0 where the whole does not fit.
    pub at: usize,
    /// Why.
    pub fault: CborFault,
}

/// Why a body cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CborFault {
    /// The body ends inside a value.
    Truncated,
    /// Bytes follow the map.
    Trailing,
    /// The body is no map.
    NotAMap,
    /// Maps and arrays nest deeper than [`NESTING_MAX`].
    Nesting,
    /// There are more than [`ITEMS_MAX`] values.
    Items,
    /// A map has more than [`KEYS_MAX`] keys.
    Keys,
    /// A key is no text, or longer than [`KEY_BYTES_MAX`] bytes.
    Key,
    /// A key stands twice in its map.
    Duplicate,
    /// A text is not UTF-8.
    Utf8,
    /// A number or a length is longer than it must be.
    Shortest,
    /// A number is beyond what every language can count: [`NUMBER_MAX`].
    Number,
    /// A kind of value that messages do not use: tags, indefinite lengths, simple values but `true`, `false` and `null`, reserved codes.
    Unsupported,
    /// The map does not hold what the message needs: a key is missing, or its value is of another type.
    Shape(String),
}

impl CborFault {
    /// The fault's name, as golden frames in every language spell it.
    pub const fn name(&self) -> &'static str {
        match self {
            CborFault::Truncated => "cbor_truncated",
            CborFault::Trailing => "cbor_trailing",
            CborFault::NotAMap => "cbor_not_a_map",
            CborFault::Nesting => "cbor_nesting",
            CborFault::Items => "cbor_items",
            CborFault::Keys => "cbor_keys",
            CborFault::Key => "cbor_key",
            CborFault::Duplicate => "cbor_duplicate",
            CborFault::Utf8 => "cbor_utf8",
            CborFault::Shortest => "cbor_shortest",
            CborFault::Number => "cbor_number",
            CborFault::Unsupported => "cbor_unsupported",
            CborFault::Shape(_) => "shape",
        }
    }
}

impl fmt::Display for CborError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        match &self.fault {
            CborFault::Truncated => write!(f, "the body ends inside the value at byte {at}"),
            CborFault::Trailing => write!(f, "bytes follow the map, from byte {at} on: one frame holds one map"),
            CborFault::NotAMap => f.write_str("the body is no map"),
            CborFault::Nesting => write!(f, "the value at byte {at} is nested deeper than {NESTING_MAX}"),
            CborFault::Items => write!(f, "the value at byte {at} is one more than {ITEMS_MAX}: send less in one message"),
            CborFault::Keys => write!(f, "the map at byte {at} has more than {KEYS_MAX} keys"),
            CborFault::Key => write!(f, "the key at byte {at} is no text of at most {KEY_BYTES_MAX} bytes"),
            CborFault::Duplicate => write!(f, "the key at byte {at} stands twice in its map"),
            CborFault::Utf8 => write!(f, "the text at byte {at} is not UTF-8"),
            CborFault::Shortest => write!(f, "the number or length at byte {at} is not in its shortest form"),
            CborFault::Number => write!(f, "the number at byte {at} is beyond {NUMBER_MAX}"),
            CborFault::Unsupported => {
                write!(f, "the value at byte {at} is of a kind that messages do not use: no tags, no indefinite lengths")
            }
            CborFault::Shape(why) => write!(f, "the body does not fit: {why}"),
        }
    }
}

impl std::error::Error for CborError {}

/// Encodes a message's fields as a map.
pub(super) fn encode<T: Serialize>(fields: &T) -> Bytes {
    let mut body = Vec::new();
    ciborium::into_writer(fields, &mut body).expect("our types all have a form in CBOR, and memory takes every byte");
    body.into()
}

/// Decodes a message's fields from a map, once the whole body has passed the check.
pub(super) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, CborError> {
    check(body)?;
    ciborium::from_reader(body).map_err(|error| {
        let why = match error {
            ciborium::de::Error::Semantic(_, why) => why,
            other => other.to_string(),
        };
        // It may quote the peer: neither its length nor its control characters are wanted in a log.
        let why = why.chars().take(WHY_CHARS_MAX).flat_map(char::escape_debug).collect();
        CborError { at: 0, fault: CborFault::Shape(why) }
    })
}

const WHY_CHARS_MAX: usize = 160;

/// Whether `body` is one map of the narrow kind.
///
/// # Errors
/// The first byte that it is not.
pub fn check(body: &[u8]) -> Result<(), CborError> {
    let mut walk = Walk { body, at: 0, items: 0 };
    if body.first().is_some_and(|first| first >> 5 != MAP) {
        return Err(CborError { at: 0, fault: CborFault::NotAMap });
    }
    walk.value(0)?;
    if walk.at < body.len() { Err(CborError { at: walk.at, fault: CborFault::Trailing }) } else { Ok(()) }
}

// Major types: the top three bits of a value's first byte.
const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const SIMPLE: u8 = 7;

/// `false`, `true` and `null`; decoders differ in what they make of others.
const SIMPLE_USED: [u8; 3] = [20, 21, 22];

struct Walk<'a> {
    body: &'a [u8],
    at: usize,
    items: usize,
}

/// A value's first byte and the number that goes with it.
struct Head {
    major: u8,
    /// A number, a length, or the bits of a float.
    argument: u64,
}

impl<'a> Walk<'a> {
    /// Passes over one value, `depth` maps and arrays deep.
    fn value(&mut self, depth: usize) -> Result<(), CborError> {
        let at = self.at;
        let Head { major, argument } = self.head()?;
        match major {
            UNSIGNED if argument > NUMBER_MAX => Err(CborError { at, fault: CborFault::Number }),
            NEGATIVE if argument >= NUMBER_MAX => Err(CborError { at, fault: CborFault::Number }), // It means -1 - argument.
            UNSIGNED | NEGATIVE | SIMPLE => Ok(()),
            BYTES => self.skip(at, argument).map(drop),
            TEXT => self.text(at, argument).map(drop),
            ARRAY | MAP if depth == NESTING_MAX => Err(CborError { at, fault: CborFault::Nesting }),
            ARRAY => (0..argument).try_for_each(|_| self.value(depth + 1)),
            MAP => self.map(at, argument, depth + 1),
            _ => Err(CborError { at, fault: CborFault::Unsupported }),
        }
    }

    fn map(&mut self, at: usize, entries: u64, depth: usize) -> Result<(), CborError> {
        if entries > KEYS_MAX as u64 {
            return Err(CborError { at, fault: CborFault::Keys });
        }
        let mut keys = [""; KEYS_MAX];
        for known in 0..entries as usize {
            let at = self.at;
            let key = self.key()?;
            if keys[..known].contains(&key) {
                return Err(CborError { at, fault: CborFault::Duplicate });
            }
            keys[known] = key;
            self.value(depth)?;
        }
        Ok(())
    }

    fn key(&mut self) -> Result<&'a str, CborError> {
        let at = self.at;
        let Head { major, argument } = self.head()?;
        if major != TEXT || argument > KEY_BYTES_MAX as u64 {
            return Err(CborError { at, fault: CborFault::Key });
        }
        self.text(at, argument)
    }

    fn text(&mut self, at: usize, length: u64) -> Result<&'a str, CborError> {
        let bytes = self.skip(at, length)?;
        std::str::from_utf8(bytes).map_err(|_| CborError { at, fault: CborFault::Utf8 })
    }

    fn skip(&mut self, at: usize, length: u64) -> Result<&'a [u8], CborError> {
        let rest = &self.body[self.at..];
        let length = usize::try_from(length).ok().filter(|length| *length <= rest.len());
        let length = length.ok_or(CborError { at, fault: CborFault::Truncated })?;
        self.at += length;
        Ok(&rest[..length])
    }

    fn head(&mut self) -> Result<Head, CborError> {
        let at = self.at;
        let fault = |fault| CborError { at, fault };
        self.items += 1;
        if self.items > ITEMS_MAX {
            return Err(fault(CborFault::Items));
        }
        let first = *self.body.get(at).ok_or(fault(CborFault::Truncated))?;
        self.at += 1;
        let (major, short) = (first >> 5, first & 0x1f);
        let width = match short {
            0..24 if major == SIMPLE && !SIMPLE_USED.contains(&short) => return Err(fault(CborFault::Unsupported)),
            0..24 => return Ok(Head { major, argument: short.into() }),
            24..28 => 1 << (short - 24),
            _ => return Err(fault(CborFault::Unsupported)),
        };
        let argument = self.skip(at, width)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        if major == SIMPLE {
            // Two bytes of a simple value have no use; a float keeps the width it came in.
            return if width == 1 { Err(fault(CborFault::Unsupported)) } else { Ok(Head { major, argument }) };
        }
        let least = if width == 1 { 24 } else { 1 << (4 * width) };
        if argument < least { Err(fault(CborFault::Shortest)) } else { Ok(Head { major, argument }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(body: &[u8]) -> Option<(&'static str, usize)> {
        check(body).err().map(|error| (error.fault.name(), error.at))
    }

    #[test]
    fn maps_of_the_narrow_kind_pass() {
        assert_eq!(fault(b"\xa0"), None);
        assert_eq!(fault(b"\xa2\x61a\x18\x18\x61b\x82\x42xy\xa1\x61a\xf6"), None);
        assert_eq!(fault(b"\xa1\x61a\xfb\x3f\xf0\x00\x00\x00\x00\x00\x00"), None);
    }

    #[test]
    fn each_fault_is_named_with_its_place() {
        assert_eq!(fault(b""), Some(("cbor_truncated", 0)));
        assert_eq!(fault(b"\xa1\x61a"), Some(("cbor_truncated", 3)));
        assert_eq!(fault(b"\xa1\x61a\x19\x01"), Some(("cbor_truncated", 3)));
        assert_eq!(fault(b"\xa0\xa0"), Some(("cbor_trailing", 1)));
        assert_eq!(fault(b"\x80"), Some(("cbor_not_a_map", 0)));
        assert_eq!(fault(b"\xa1\x01\x01"), Some(("cbor_key", 1)));
        assert_eq!(fault(b"\xa2\x61a\x01\x61a\x02"), Some(("cbor_duplicate", 4)));
        assert_eq!(fault(b"\xa1\x61a\x61\xff"), Some(("cbor_utf8", 3)));
        assert_eq!(fault(b"\xa1\x61a\x18\x17"), Some(("cbor_shortest", 3)));
        assert_eq!(fault(b"\xa1\x61a\x19\x00\xff"), Some(("cbor_shortest", 3)));
        assert_eq!(fault(b"\xa1\x61a\x1b\x00\x00\x00\x00\xff\xff\xff\xff"), Some(("cbor_shortest", 3)));
        assert_eq!(fault(b"\xa1\x61a\x1b\x00\x1f\xff\xff\xff\xff\xff\xff"), None);
        assert_eq!(fault(b"\xa1\x61a\x1b\x00\x20\x00\x00\x00\x00\x00\x00"), Some(("cbor_number", 3)));
        assert_eq!(fault(b"\xa1\x61a\x3b\x00\x1f\xff\xff\xff\xff\xff\xfe"), None);
        assert_eq!(fault(b"\xa1\x61a\x3b\x00\x1f\xff\xff\xff\xff\xff\xff"), Some(("cbor_number", 3)));
        assert_eq!(fault(b"\xa1\x61a\xc0\x00"), Some(("cbor_unsupported", 3)));
        assert_eq!(fault(b"\xa1\x61a\xf0"), Some(("cbor_unsupported", 3)));
        assert_eq!(fault(b"\xa1\x61a\xf7"), Some(("cbor_unsupported", 3)));
        assert_eq!(fault(b"\xa1\x61a\x9f\xff"), Some(("cbor_unsupported", 3)));
        assert_eq!(fault(b"\xbf\xff"), Some(("cbor_unsupported", 0)));
        assert_eq!(fault(b"\xa1\x61a\xf8\x20"), Some(("cbor_unsupported", 3)));
    }

    #[test]
    fn announced_lengths_are_not_believed() {
        for major in [0x5b, 0x7b, 0x9b, 0xbb] {
            let mut body = b"\xa1\x61a".to_vec();
            body.push(major);
            body.extend([0xff; 8]);
            assert!(check(&body).is_err(), "{major:x}");
        }
    }

    #[test]
    fn nesting_and_numbers_of_values_have_their_limits() {
        let nested = |depth: usize| [&b"\xa1\x61a"[..], &vec![0x81; depth], b"\x00"].concat();
        assert_eq!(fault(&nested(NESTING_MAX - 1)), None);
        assert_eq!(fault(&nested(NESTING_MAX)), Some(("cbor_nesting", 3 + NESTING_MAX - 1)));
        assert_eq!(fault(&nested(1 << 20)), Some(("cbor_nesting", 3 + NESTING_MAX - 1)));
        let many = |values: u16| [&b"\xa1\x61a\x99"[..], &values.to_be_bytes(), &vec![0; values.into()]].concat();
        assert_eq!(fault(&many(ITEMS_MAX as u16 - 3)), None);
        assert_eq!(fault(&many(ITEMS_MAX as u16 - 2)), Some(("cbor_items", 6 + ITEMS_MAX - 3)));
        let keys = |keys: u8| {
            let entries = (0..keys).flat_map(|key| [0x62, b'a' + key / 26, b'a' + key % 26, 0]);
            [0xb8, keys].into_iter().chain(entries).collect::<Vec<u8>>()
        };
        assert_eq!(fault(&keys(KEYS_MAX as u8)), None);
        assert_eq!(fault(&keys(KEYS_MAX as u8 + 1)), Some(("cbor_keys", 0)));
        let long = [&b"\xa1\x78\x41"[..], &[b'k'; KEY_BYTES_MAX + 1], b"\x00"].concat();
        assert_eq!(fault(&long), Some(("cbor_key", 1)));
    }
}
