//! Secrets: the instance's token, the passes derived from it, and what lets a client come back as itself.
//!
//! One token belongs to one running server. A **pass** lets its holder in as one role; it is derived from the token, so the server
//! keeps no list of them, and who has a viewer's pass cannot compute an owner's. None of them ever
//! crosses the wire: see [`super::handshake`].
//!
//! Secrets do not show in `Debug`, compare in constant time, and are erased when dropped.
//!
//! Deliberately absent: making them (randomness is the caller's) and files (so is the disk).

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::handshake::{Label, mac};
use super::names::named;

/// Bytes of every secret, nonce and MAC: 256 bits.
pub const SECRET_BYTES: usize = 32;

named! {
    /// What a peer may do.
    pub enum Role {
        /// Everything: spawn, close, type, resize.
        Owner = "owner",
        /// Type into sessions, resize and signal them; not spawn or close them.
        Writer = "writer",
        /// Watch, and nothing else.
        Viewer = "viewer",
        /// Read numbers about the server; see no session.
        Metrics = "metrics",
    }
}

impl Role {
    /// Whether it may watch sessions.
    pub const fn watches(self) -> bool {
        !matches!(self, Role::Metrics)
    }

    /// Whether it may type, resize and signal.
    pub const fn types(self) -> bool {
        matches!(self, Role::Owner | Role::Writer)
    }

    /// Whether it may spawn and close.
    pub const fn owns(self) -> bool {
        matches!(self, Role::Owner)
    }

    /// This role, or `wanted` where that may do less.
    pub fn at_most(self, wanted: Role) -> Role {
        self.max(wanted) // The order of the values: the later, the less.
    }
}

/// The secret of one server instance. Its text is 43 characters of base64url, as token files hold it.
///
/// # Examples
/// ```
/// # use orchflow_core::protocol::token::{Role, Token};
/// let token = Token::from_bytes([7; 32]); // From a good random source, of course.
/// let pass = token.pass(Role::Viewer);
/// assert!(pass.to_text().starts_with("viewer."));
/// assert_eq!(format!("{token:?}"), "Token(..)");
/// ```
#[derive(Clone)]
pub struct Token([u8; SECRET_BYTES]);

impl Token {
    /// The token of these bytes, which must come from a cryptographic random source.
    pub const fn from_bytes(bytes: [u8; SECRET_BYTES]) -> Self {
        Token(bytes)
    }

    /// Reads its text.
    ///
    /// # Errors
    /// [`TokenError`]; it does not repeat the text.
    pub fn from_text(text: &str) -> Result<Self, TokenError> {
        from_base64url(text).map(Token)
    }

    /// Its text, for the token file. Whoever reads it is owner.
    pub fn to_text(&self) -> String {
        to_base64url(&self.0)
    }

    /// What lets its holder in as `role`.
    pub fn pass(&self, role: Role) -> Pass {
        Pass { role, key: mac(&self.0, Label::Role, &[role.as_str().as_bytes()]) }
    }
}

/// What lets its holder in as one role. Its text is the role, a dot, and 43 characters of base64url:
/// `viewer.LFoB...`. That is what goes behind the `#` of a link.
#[derive(Clone)]
pub struct Pass {
    role: Role,
    key: [u8; SECRET_BYTES],
}

impl Pass {
    /// Reads its text.
    ///
    /// # Errors
    /// [`TokenError`]; it does not repeat the text.
    pub fn from_text(text: &str) -> Result<Self, TokenError> {
        let (role, key) = text.split_once('.').ok_or(TokenError::NoRole)?;
        let role = Role::from_name(role).ok_or(TokenError::NoRole)?;
        Ok(Pass { role, key: from_base64url(key)? })
    }

    /// Its text.
    pub fn to_text(&self) -> String {
        format!("{}.{}", self.role, to_base64url(&self.key))
    }

    /// Whom it makes of its holder.
    pub const fn role(&self) -> Role {
        self.role
    }

    pub(super) const fn key(&self) -> &[u8; SECRET_BYTES] {
        &self.key
    }
}

/// What a server gives a client, so that it can come back as the same one.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ResumeSecret(#[serde(with = "crate::protocol::fixed")] [u8; SECRET_BYTES]);

impl ResumeSecret {
    /// The secret of these bytes, which must come from a cryptographic random source.
    pub const fn from_bytes(bytes: [u8; SECRET_BYTES]) -> Self {
        ResumeSecret(bytes)
    }

    pub(super) const fn key(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }
}

/// What each secret has in common.
macro_rules! secret {
    ($Name:ident, $field:tt, $shown:literal) => {
        impl fmt::Debug for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($shown)
            }
        }

        impl PartialEq for $Name {
            fn eq(&self, other: &Self) -> bool {
                self.$field.ct_eq(&other.$field).into()
            }
        }

        impl Eq for $Name {}

        impl Drop for $Name {
            fn drop(&mut self) {
                self.$field.zeroize();
            }
        }
    };
}

secret!(Token, 0, "Token(..)");
secret!(Pass, key, "Pass(..)");
secret!(ResumeSecret, 0, "ResumeSecret(..)");

/// A text that is no token or pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// It is not 43 characters long, as 256 bits in base64url are.
    Length {
        /// How many bytes it has.
        found: usize,
    },
    /// It has a character that base64url does not use, or bits after its last byte.
    Character {
        /// Which, counted from 0.
        at: usize,
    },
    /// It does not begin with a role and a dot.
    NoRole,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenError::Length { found } => {
                write!(f, "a token has {TEXT_CHARS} characters of base64url, and this text {found}: copy all of it")
            }
            TokenError::Character { at } => write!(f, "character {at} of the token does not belong into base64url"),
            TokenError::NoRole => f.write_str("a pass begins with its role and a dot, as in `viewer.`"),
        }
    }
}

impl std::error::Error for TokenError {}

// ---- base64url without padding, for 32 bytes ----

const TEXT_CHARS: usize = 43;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn to_base64url(bytes: &[u8; SECRET_BYTES]) -> String {
    let mut text = String::with_capacity(TEXT_CHARS);
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - three.len()));
        let sixes = [18, 12, 6, 0].map(|shift| char::from(ALPHABET[bits >> shift & 63]));
        text.extend(&sixes[..three.len() + 1]);
    }
    text
}

fn from_base64url(text: &str) -> Result<[u8; SECRET_BYTES], TokenError> {
    if text.len() != TEXT_CHARS {
        return Err(TokenError::Length { found: text.len() });
    }
    let mut bytes = [0; SECRET_BYTES];
    let (mut bits, mut held, mut filled) = (0_u32, 0, 0);
    for (at, character) in text.bytes().enumerate() {
        let six = ALPHABET.iter().position(|known| *known == character).ok_or(TokenError::Character { at })?;
        (bits, held) = (bits << 6 | six as u32, held + 6);
        if held >= 8 {
            held -= 8;
            bytes[filled] = (bits >> held) as u8;
            filled += 1;
        }
    }
    // 43 characters are 258 bits; the last two must say nothing, or one secret had four texts.
    if bits & 0b11 != 0 { Err(TokenError::Character { at: TEXT_CHARS - 1 }) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_they_went() {
        let token = Token::from_bytes(std::array::from_fn(|at| (at * 37) as u8));
        assert_eq!(Token::from_text(&token.to_text()), Ok(token.clone()));
        for role in Role::ALL {
            let pass = token.pass(*role);
            let read = Pass::from_text(&pass.to_text()).unwrap();
            assert_eq!((read.role(), &read), (*role, &pass));
        }
    }

    #[test]
    fn base64url_is_the_one_of_rfc_4648() {
        assert_eq!(to_base64url(&[0xff; 32]), "_".repeat(42) + "8");
        assert_eq!(to_base64url(&[0; 32]), "A".repeat(43));
        let counted = to_base64url(&std::array::from_fn(|at| at as u8));
        assert_eq!(counted, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    }

    #[test]
    fn bad_texts_are_refused_without_being_repeated() {
        let good = "A".repeat(43);
        assert_eq!(Token::from_text(&good[1..]).err(), Some(TokenError::Length { found: 42 }));
        assert_eq!(Token::from_text(&(good[1..].to_owned() + "=")).err(), Some(TokenError::Character { at: 42 }));
        assert_eq!(Token::from_text(&(good[1..].to_owned() + "B")).err(), Some(TokenError::Character { at: 42 }));
        assert_eq!(Pass::from_text(&good).err(), Some(TokenError::NoRole));
        assert_eq!(Pass::from_text(&format!("king.{good}")).err(), Some(TokenError::NoRole));
    }

    #[test]
    fn secrets_do_not_show() {
        let token = Token::from_bytes([7; 32]);
        let shown = format!("{:?} {:?} {:?}", token, token.pass(Role::Owner), ResumeSecret::from_bytes([7; 32]));
        assert_eq!(shown, "Token(..) Pass(..) ResumeSecret(..)");
    }

    #[test]
    fn a_pass_is_good_for_one_role_of_one_instance() {
        let token = Token::from_bytes([7; 32]);
        assert_eq!(token.pass(Role::Viewer), token.pass(Role::Viewer));
        assert_ne!(token.pass(Role::Viewer), token.pass(Role::Owner));
        assert_ne!(token.pass(Role::Viewer), Token::from_bytes([8; 32]).pass(Role::Viewer));
    }

    #[test]
    fn a_role_can_be_given_up_but_not_taken() {
        assert_eq!(Role::Owner.at_most(Role::Viewer), Role::Viewer);
        assert_eq!(Role::Viewer.at_most(Role::Owner), Role::Viewer);
        assert!(Role::Writer.types() && !Role::Writer.owns() && !Role::Metrics.watches());
    }
}
