//! How both sides prove that they hold the same pass, without showing it.
//!
//! ```text
//!   client                                server
//!     │ Hello     versions, features, nonce  │
//!     │ ───────────────────────────────────▶ │
//!     │ Challenge version, features, nonce   │   both frames may share a message
//!     │ Proof     the server's MAC           │
//!     │ ◀─────────────────────────────────── │
//!     │ Proof     the client's MAC           │   only if the server's was right; other frames may follow
//!     │ ───────────────────────────────────▶ │   at once
//!     │ Welcome                              │
//!     │ ◀─────────────────────────────────── │
//! ```
//! Each MAC is HMAC-SHA256 under the pass, over the whole Hello and Challenge frames and the authority the client dialled. So
//! the pass never crosses the wire; a stranger who listens on the port learns nothing and cannot answer; one who passes frames on to
//! the real server is dialled under another authority; and who changes a version or a feature on the way changes what
//! the MAC covers. The label keeps a proof of one direction from serving in the other.
//!
//! Deliberately absent: randomness (nonces are arguments) and encryption, which is TLS's.

use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::token::{Pass, ResumeSecret, SECRET_BYTES};

/// What a MAC is for. Each is the first thing that its MAC covers.
#[derive(Clone, Copy)]
pub(super) enum Label {
    Role,
    Server,
    Client,
    Resume,
}

impl Label {
    const fn as_bytes(self) -> &'static [u8] {
        match self {
            Label::Role => b"orchflow 1 role",
            Label::Server => b"orchflow 1 server proof",
            Label::Client => b"orchflow 1 client proof",
            Label::Resume => b"orchflow 1 resume proof",
        }
    }
}

/// A number nobody can foresee, used once: what makes an old proof worthless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Nonce(#[serde(with = "crate::protocol::fixed")] [u8; SECRET_BYTES]);

impl Nonce {
    /// The nonce of these bytes, which must come from a cryptographic random source.
    pub const fn from_bytes(bytes: [u8; SECRET_BYTES]) -> Self {
        Nonce(bytes)
    }
}

/// What a side shows to prove that it holds a secret. Compares in constant time.
#[derive(Clone, Copy, Debug, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Mac(#[serde(with = "crate::protocol::fixed")] [u8; SECRET_BYTES]);

impl Mac {
    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }
}

impl PartialEq for Mac {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// What both sides have seen, and each proves to have seen unchanged.
///
/// # Examples
/// ```
/// # use orchflow_core::protocol::{handshake::Transcript, token::{Role, Token}};
/// let seen = Transcript { authority: "127.0.0.1:7681", hello: b"...", challenge: b"..." };
/// let pass = Token::from_bytes([7; 32]).pass(Role::Owner);
/// let proof = seen.server_proof(&pass);
///
/// let elsewhere = Transcript { authority: "127.0.0.1:7682", ..seen };
/// assert_ne!(elsewhere.server_proof(&pass), proof);
/// assert_ne!(seen.client_proof(&pass), proof);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Transcript<'a> {
    /// Where the client dialled, `host:port` in lower case with the port always there; `[::1]:7681` for IPv6, and `unix` for
    /// a Unix socket. The client takes it from what it dialled, the server from what it was asked for and has checked (the Host
    /// header); never from the other side's word alone.
    pub authority: &'a str,
    /// The Hello frame as it travelled, header included.
    pub hello: &'a [u8],
    /// The Challenge frame as it travelled, header included.
    pub challenge: &'a [u8],
}

impl Transcript<'_> {
    /// What the server shows to prove that it holds `pass`.
    pub fn server_proof(&self, pass: &Pass) -> Mac {
        self.mac(pass.key(), Label::Server)
    }

    /// What the client shows to prove that it holds `pass`.
    pub fn client_proof(&self, pass: &Pass) -> Mac {
        self.mac(pass.key(), Label::Client)
    }

    /// What a client shows to prove that it is the one who got `secret`.
    pub fn resume_proof(&self, secret: &ResumeSecret) -> Mac {
        self.mac(secret.key(), Label::Resume)
    }

    fn mac(&self, key: &[u8; SECRET_BYTES], label: Label) -> Mac {
        Mac(mac(key, label, &[self.authority.as_bytes(), self.hello, self.challenge]))
    }
}

/// HMAC-SHA256 over the label and the parts, each after its length as a little-endian u32, so that no byte can move from
/// one part to the next.
pub(super) fn mac(key: &[u8; SECRET_BYTES], label: Label, parts: &[&[u8]]) -> [u8; SECRET_BYTES] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in [label.as_bytes()].iter().chain(parts) {
        let length = u32::try_from(part.len()).expect("frames of a handshake are short");
        mac.update(&length.to_le_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::super::token::{Role, Token};
    use super::*;

    fn seen() -> Transcript<'static> {
        Transcript { authority: "127.0.0.1:7681", hello: b"hello", challenge: b"challenge" }
    }

    #[test]
    fn whatever_changes_shows() {
        let pass = Token::from_bytes([7; 32]).pass(Role::Owner);
        let other = Token::from_bytes([8; 32]).pass(Role::Owner);
        let proof = seen().client_proof(&pass);
        assert_eq!(seen().client_proof(&pass), proof);
        assert_ne!(seen().client_proof(&other), proof);
        assert_ne!(Transcript { authority: "127.0.0.1:768", hello: b"1hello", ..seen() }.client_proof(&pass), proof);
        assert_ne!(Transcript { hello: b"hellx", ..seen() }.client_proof(&pass), proof);
        assert_ne!(Transcript { challenge: b"Challenge", ..seen() }.client_proof(&pass), proof);
        assert_ne!(Transcript { hello: b"helloc", challenge: b"hallenge", ..seen() }.client_proof(&pass), proof);
    }

    #[test]
    fn a_proof_cannot_be_sent_back() {
        let pass = Token::from_bytes([7; 32]).pass(Role::Owner);
        let same_bytes = ResumeSecret::from_bytes(*pass.key());
        let proofs = [seen().server_proof(&pass), seen().client_proof(&pass), seen().resume_proof(&same_bytes)];
        assert!(proofs[0] != proofs[1] && proofs[1] != proofs[2] && proofs[0] != proofs[2]);
    }
}
