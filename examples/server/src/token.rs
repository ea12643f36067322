//! The secret of this instance. Whoever holds it may do everything the user may.

use std::fmt;

use orchflow_core::protocol::token::{self, Role, SECRET_BYTES};
use rustix::rand::{GetRandomFlags, getrandom};
use subtle::ConstantTimeEq;

/// The token, and its text. Never shown by `Debug`; compared in constant time.
#[derive(Clone)]
pub(crate) struct Token {
    secret: token::Token,
    text: String,
    /// What it lets in, by role.
    passes: Vec<(Role, String)>,
}

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub(crate) fn random() -> rustix::io::Result<Token> {
        let mut bytes = [0; SECRET_BYTES];
        let filled = getrandom(&mut bytes, GetRandomFlags::empty())?;
        // Up to 256 bytes are given whole or not at all.
        if filled == SECRET_BYTES { Ok(Token::new(token::Token::from_bytes(bytes))) } else { Err(rustix::io::Errno::IO) }
    }

    /// The token that a file holds, if it is one: its text, and perhaps an end of line.
    pub(crate) fn from_file(contents: &str) -> Option<Token> {
        let text = contents.strip_suffix('\n').unwrap_or(contents);
        token::Token::from_text(text).ok().map(Token::new)
    }

    fn new(secret: token::Token) -> Token {
        let text = secret.to_text();
        let passes = Role::ALL.iter().map(|role| (*role, secret.pass(*role).to_text())).collect();
        Token { secret, text, passes }
    }

    /// The text, for the token file and the owner of it, and nothing else.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What proofs are made under.
    pub(crate) fn secret(&self) -> token::Token {
        self.secret.clone()
    }

    /// What makes its holder owner, for the link in the terminal and nothing else.
    pub(crate) fn owner_pass(&self) -> &str {
        &self.passes[0].1
    }

    /// Every text that may never be shown.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        [self.text()].into_iter().chain(self.passes.iter().map(|(_, pass)| pass.as_str()))
    }

    /// Whether `shown` lets its holder read numbers: the token, an owner's pass, or one for just that. In a time that says
    /// nothing about how much of it is right.
    pub(crate) fn opens_metrics(&self, shown: &[u8]) -> bool {
        let passes = self.passes.iter().filter(|(role, _)| matches!(role, Role::Owner | Role::Metrics)).map(|(_, pass)| pass.as_str());
        let fits = [self.text()].into_iter().chain(passes).map(|secret| secret.as_bytes().ct_eq(shown));
        fits.fold(subtle::Choice::from(0), |any, one| any | one).into()
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
        assert_eq!(one.text().len(), 43);
        assert!(!one.opens_metrics(other.text().as_bytes()));
    }

    #[test]
    fn only_the_whole_token_is_the_token() {
        let token = Token::random().unwrap();
        assert!(token.opens_metrics(token.text().as_bytes()));
        for wrong in ["", &token.text()[1..], &format!("{} ", token.text()), &token.text().to_lowercase()] {
            assert!(!token.opens_metrics(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn file_holds_a_token_or_nothing_we_take() {
        let text = Token::random().unwrap().text().to_owned();
        for file in [text.clone(), format!("{text}\n")] {
            assert!(Token::from_file(&file).unwrap().opens_metrics(text.as_bytes()));
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
