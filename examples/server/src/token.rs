//! The secret of this instance. Whoever holds it may do everything the user may.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use rustix::rand::{GetRandomFlags, getrandom};
use subtle::ConstantTimeEq;

/// 256 bits.
const BYTES: usize = 32;
/// Their length in base64url.
const CHARS: usize = 43;

/// The token, as its text. Never shown by `Debug`; compared in constant time.
#[derive(Clone)]
pub(crate) struct Token(String);

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub(crate) fn random() -> rustix::io::Result<Token> {
        let mut bytes = [0; BYTES];
        let filled = getrandom(&mut bytes, GetRandomFlags::empty())?;
        // Up to 256 bytes are given whole or not at all.
        if filled == BYTES { Ok(Token(BASE64URL_NOPAD.encode(&bytes))) } else { Err(rustix::io::Errno::IO) }
    }

    /// The token that a file holds, if it is one: its text, and perhaps an end of line.
    pub(crate) fn from_file(contents: &str) -> Option<Token> {
        let text = contents.strip_suffix('\n').unwrap_or(contents);
        let is_token = text.len() == CHARS && BASE64URL_NOPAD.decode(text.as_bytes()).is_ok();
        is_token.then(|| Token(text.to_owned()))
    }

    /// The text, for the token file and the link in the terminal, and nothing else.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Whether `shown` is this token, in a time that says nothing about how much of it is right.
    pub(crate) fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_256_bits_and_never_the_same() {
        let (one, other) = (Token::random().unwrap(), Token::random().unwrap());
        assert_eq!(one.text().len(), CHARS);
        assert_eq!(BASE64URL_NOPAD.decode(one.text().as_bytes()).unwrap().len(), BYTES);
        assert!(!one.is(other.text().as_bytes()));
    }

    #[test]
    fn only_the_whole_token_is_the_token() {
        let token = Token::random().unwrap();
        assert!(token.is(token.text().as_bytes()));
        for wrong in ["", &token.text()[1..], &format!("{} ", token.text()), &token.text().to_lowercase()] {
            assert!(!token.is(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn file_holds_a_token_or_nothing_we_take() {
        let text = Token::random().unwrap().text().to_owned();
        for file in [text.clone(), format!("{text}\n")] {
            assert!(Token::from_file(&file).unwrap().is(text.as_bytes()));
        }
        for file in ["", "\n", "secret", &text[1..], &format!("{text}\n\n"), &format!("{}=", &text[1..]), &format!(" {text}")] {
            assert!(Token::from_file(file).is_none(), "{file:?}");
        }
    }

    #[test]
    fn debug_shows_no_token() {
        assert_eq!(format!("{:?}", Token::random().unwrap()), "Token(..)");
    }
}
