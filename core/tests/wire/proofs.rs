//! Vectors of the handshake and of negotiation, for clients in every language.

use orchflow_core::protocol::handshake::Transcript;
use orchflow_core::protocol::negotiation::{Features, Versions};
use orchflow_core::protocol::token::{Pass, Role, Token};
use serde::Serialize;
use serde_json::{Value, json};

use crate::files::{compare, hex, read_json, unhex};
use crate::samples::{AUTHORITY, challenge, hello, hello_again, known, secret, token};

#[derive(Serialize)]
struct Handshakes {
    about: &'static str,
    token: String,
    passes: Vec<String>,
    resume_secret: String,
    proofs: Vec<Proofs>,
}

#[derive(Serialize)]
struct Proofs {
    name: &'static str,
    pass: String,
    authority: &'static str,
    hello: String,
    challenge: String,
    server_proof: String,
    client_proof: String,
    resume_proof: String,
}

const ABOUT: &str = "Proofs over fixed nonces. Frames and MACs are in hex, token and passes in their text form, the resume secret in hex.";

fn proofs(name: &'static str, role: Role, authority: &'static str, hello: &[u8]) -> Proofs {
    let (pass, challenge) = (token().pass(role), challenge().to_bytes());
    let seen = Transcript { authority, hello, challenge: &challenge };
    Proofs {
        name,
        pass: pass.to_text(),
        authority,
        hello: hex(hello),
        challenge: hex(&challenge),
        server_proof: hex(seen.server_proof(&pass).as_bytes()),
        client_proof: hex(seen.client_proof(&pass).as_bytes()),
        resume_proof: hex(seen.resume_proof(&secret()).as_bytes()),
    }
}

#[test]
fn proofs_are_what_the_file_says() {
    let (hello, again) = (hello().to_bytes(), hello_again().to_bytes());
    let file = Handshakes {
        about: ABOUT,
        token: token().to_text(),
        passes: Role::ALL.iter().map(|role| token().pass(*role).to_text()).collect(),
        resume_secret: hex(&[0x5e; 32]),
        proofs: vec![
            proofs("owner", Role::Owner, AUTHORITY, &hello),
            proofs("viewer", Role::Viewer, AUTHORITY, &hello),
            proofs("ipv6", Role::Owner, "[::1]:7681", &hello),
            proofs("unix-socket", Role::Owner, "unix", &hello),
            proofs("comes-back", Role::Owner, "terminals.example:443", &again),
        ],
    };
    compare("handshake.json", &file);
}

#[test]
fn proofs_can_be_computed_from_the_file_alone() {
    let file = read_json("handshake.json");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let token = Token::from_text(&text(&file["token"])).unwrap();
    for (role, pass) in Role::ALL.iter().zip(file["passes"].as_array().unwrap()) {
        assert_eq!(Pass::from_text(&text(pass)).unwrap(), token.pass(*role));
    }
    for case in file["proofs"].as_array().unwrap() {
        let (hello, challenge, authority) = (unhex(&text(&case["hello"])), unhex(&text(&case["challenge"])), text(&case["authority"]));
        let seen = Transcript { authority: &authority, hello: &hello, challenge: &challenge };
        let pass = Pass::from_text(&text(&case["pass"])).unwrap();
        assert_eq!(hex(seen.client_proof(&pass).as_bytes()), text(&case["client_proof"]));
        assert_eq!(hex(seen.server_proof(&pass).as_bytes()), text(&case["server_proof"]));
    }
}

#[test]
fn peers_agree_as_the_file_says() {
    let versions = |[ours, theirs]: [(u16, u16); 2]| {
        let [one, other] = [ours, theirs].map(|(oldest, newest)| Versions::new(oldest, newest).unwrap());
        json!({ "ours": ours, "theirs": theirs, "version": one.common(other).ok() })
    };
    let features = |ours: Features, theirs: Features| {
        let agreed = ours.agree(&theirs);
        assert_eq!(agreed, theirs.agree(&ours));
        json!({ "ours": ours, "theirs": theirs, "agreed": agreed })
    };
    let versions = [[(1, 1), (1, 1)], [(1, 3), (2, 9)], [(2, 5), (3, 4)], [(1, 2), (3, 4)], [(6, 6), (1, 5)]].map(versions);
    let none = Features::default();
    let file = json!({
        "about": "What two peers agree on: the highest common version, and the features both know whose needs are met.",
        "versions": versions,
        "features": [
            features(known(), known().with("grease-1f2e", &[])),
            features(none.clone().with("a", &["b"]).with("b", &["c"]).with("d", &[]), none.clone().with("a", &[]).with("b", &[]).with("d", &[])),
            features(none.clone().with("a", &["b"]).with("b", &["a"]), none.clone().with("b", &[]).with("a", &[])),
            features(none.clone().with("a", &[]), none.clone().with("a", &["b"])),
            features(none.clone(), known()),
        ],
    });
    compare("negotiation.json", &file);
}
