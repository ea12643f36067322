//! The specification says what the code does: types, names, limits, shapes and the bytes of its example.

use std::collections::BTreeSet;

use orchflow_core::batch::Class;
use orchflow_core::limits;
use orchflow_core::protocol::kind::{Body, Counts, Kind, Place, Sender};
use orchflow_core::protocol::message::{ErrorCode, GapReason, Mode};
use orchflow_core::protocol::negotiation::{TIMESTAMPS, VIEWERS};
use orchflow_core::protocol::token::Role;

use crate::cddl::Cddl;
use crate::files::{hex, read, read_json};
use crate::samples::{AUTHORITY, pass, samples, token};

fn page() -> String {
    read("../docs/protocol.md")
}

fn cddl() -> Cddl {
    Cddl::parse(&read("protocol.cddl"))
}

/// The rows of the page's tables, as cells.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").map(str::trim).collect()).collect()
}

#[test]
fn every_golden_body_has_the_shape_of_its_rule() {
    let cddl = cddl();
    for sample in samples() {
        let kind = Kind::from_code(sample.frame.kind).unwrap();
        assert_eq!(cddl.has(kind.name()), kind.body() == Body::Map, "a rule for {}", kind.name());
        if kind.body() == Body::Map {
            let body = ciborium::from_reader(&sample.frame.body[..]).unwrap();
            assert_eq!(cddl.fault(kind.name(), &body, &mut Vec::new()), None, "{}", sample.name);
        }
    }
}

#[test]
fn every_key_of_a_rule_stands_in_a_golden_frame() {
    let cddl = cddl();
    let mut used = Vec::new();
    let mut named = BTreeSet::new();
    for sample in samples() {
        let kind = Kind::from_code(sample.frame.kind).unwrap();
        if kind.body() == Body::Map {
            named.extend(cddl.keys(kind.name()));
            cddl.fault(kind.name(), &ciborium::from_reader(&sample.frame.body[..]).unwrap(), &mut used);
        }
    }
    let unused: Vec<&String> = named.iter().filter(|key| !used.contains(key)).collect();
    // A terminal that learns its size from others has no pixels to tell.
    let no_pixels = |key: &&&String| key.ends_with(".size.width") || key.ends_with(".size.height");
    assert_eq!(unused.iter().filter(|key| !no_pixels(key)).collect::<Vec<_>>(), [] as [&&String; 0]);
}

#[test]
fn names_are_the_same_in_code_rules_and_page() {
    let (cddl, page) = (cddl(), page());
    let check = |rule: &str, names: Vec<&str>| {
        assert_eq!(cddl.names(rule), names, "rule {rule}");
        for name in names {
            assert!(rows(&page).iter().any(|row| row[0] == format!("`{name}`")), "the page has no row for `{name}` ({rule})");
        }
    };
    check("role", Role::ALL.iter().map(|role| role.as_str()).collect());
    check("code", ErrorCode::ALL.iter().map(|code| code.as_str()).collect());
    check("mode", Mode::ALL.iter().map(|mode| mode.as_str()).collect());
    check("class", Class::ALL.iter().map(|class| class.as_str()).collect());
    check("reason", GapReason::ALL.iter().map(|reason| reason.as_str()).collect());
    for feature in [TIMESTAMPS, VIEWERS] {
        assert!(rows(&page).iter().any(|row| row[0] == format!("`{feature}`")), "the page has no row for `{feature}`");
    }
}

#[test]
fn the_table_of_types_is_the_codes() {
    let expected: Vec<[String; 6]> = Kind::ALL
        .iter()
        .map(|kind| {
            let sender = match kind.sender() {
                Sender::Client => "client",
                Sender::Server => "server",
                Sender::Both => "both",
            };
            let place = match kind.place() {
                Place::Connection => "0",
                Place::Session => "1…",
                Place::Anywhere => "any",
            };
            let body = match kind.body() {
                Body::Map => "map",
                Body::Raw => "raw",
                Body::Empty => "–",
            };
            let counts = match kind.counts() {
                Counts::Nothing => "–",
                Counts::Request => "request",
                Counts::Output => "output",
                Counts::Input => "input",
                Counts::Echo => "echo",
            };
            [format!("0x{:02x}", kind.code()), kind.name().into(), sender.into(), place.into(), body.into(), counts.into()]
        })
        .collect();
    let page = page();
    let told: Vec<Vec<&str>> = rows(&page).into_iter().filter(|row| row[0].starts_with("0x")).map(|row| row[..6].to_vec()).collect();
    assert_eq!(told, expected);
}

#[test]
fn what_a_code_asks_for_is_the_same_in_code_and_page() {
    let page = page();
    for class in Class::ALL {
        let budget = format!("{} ms", class.budget().as_secs_f64() * 1e3);
        assert!(rows(&page).into_iter().any(|row| row[0] == format!("`{class}`") && row[1] == budget), "{class}: {budget}");
    }
    for code in ErrorCode::ALL {
        let row = rows(&page).into_iter().find(|row| row[0] == format!("`{code}`")).unwrap();
        assert_eq!(row[1], if code.is_retryable() { "yes" } else { "no" }, "{code}");
        assert_eq!(row[2], code.close_code().to_string(), "{code}");
    }
}

#[test]
fn every_key_of_a_message_is_explained() {
    let (cddl, page) = (cddl(), page());
    for kind in Kind::ALL.iter().filter(|kind| kind.body() == Body::Map) {
        for key in cddl.keys(kind.name()) {
            let key = key.rsplit('.').next().unwrap();
            assert!(page.contains(&format!("`{key}`")), "the page does not explain `{key}` of {}", kind.name());
        }
    }
}

#[test]
fn limits_are_the_same_in_code_and_page() {
    let page = page();
    let told = |name: &str| {
        let row = rows(&page).into_iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("the page has no limit `{name}`"));
        row[1].replace(',', "").parse::<u64>().unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    assert_eq!(told("Frame before proof, with its header"), limits::FRAME_BEFORE_PROOF_MAX as u64);
    assert_eq!(told("Bytes before proof, in all"), limits::BEFORE_PROOF_BYTES_MAX as u64);
    assert_eq!(told("Frame after proof, with its header"), limits::FRAME_MAX as u64);
    assert_eq!(told("Number"), limits::NUMBER_MAX);
    assert_eq!(told("Nesting"), limits::NESTING_MAX as u64);
    assert_eq!(told("Values in a body"), limits::ITEMS_MAX as u64);
    assert_eq!(told("Keys in a map"), limits::KEYS_MAX as u64);
    assert_eq!(told("Length of a key"), limits::KEY_BYTES_MAX as u64);
    assert_eq!(told("Sessions in a frame"), limits::SESSIONS_PER_FRAME as u64);
    assert_eq!(told("Cells of a terminal"), u64::from(limits::CELLS_MAX));
    assert_eq!(told("Title, program"), limits::TITLE_CHARS_MAX as u64);
    assert_eq!(told("Name, agent"), limits::NAME_CHARS_MAX as u64);
    assert_eq!(told("Time to prove"), limits::PROOF_WAIT.as_secs());
    assert_eq!(told("Credit, least"), u64::from(limits::CREDIT_MIN));
    assert_eq!(told("Frame a client takes, least"), u64::from(limits::FRAME_TAKEN_MIN));
    assert_eq!(told("Input settled and not read by the program"), limits::INPUT_QUEUE_BYTES as u64);
    assert_eq!(told("Spawns remembered"), limits::SPAWNS_REMEMBERED as u64);
    assert_eq!(told("Clients remembered after they left"), limits::CLIENTS_MAX as u64);
    assert_eq!(told("Operations of a batch"), limits::OPERATIONS_MAX as u64);
    assert_eq!(told("Length of a batch's key"), limits::BATCH_KEY_BYTES_MAX as u64);
    assert_eq!(told("Batches that are not done"), limits::BATCHES_MAX as u64);
    assert_eq!(told("Batches remembered by number"), limits::BATCHES_MAX as u64);
    assert_eq!(told("Batches remembered by key"), limits::KEYS_REMEMBERED as u64);
    assert_eq!(told("Operations that are not done"), limits::OPERATION_BYTES_MAX as u64);
    assert_eq!(told("Answer to one of the server's own operations"), limits::ANSWER_BYTES_MAX as u64);
    assert_eq!(told("All that comes of a batch"), limits::ANSWERS_BYTES_MAX as u64);
    assert_eq!(told("Results remembered by number"), limits::REMEMBERED_BYTES_MAX as u64);
    assert_eq!(told("Results remembered by key"), limits::KEYS_BYTES_MAX as u64);
    assert_eq!(told("Ended session kept, unless set otherwise"), limits::ENDED_KEPT.as_secs());
    assert_eq!(told("Credit, unless told"), limits::HIGH_WATER_BYTES as u64);
    assert_eq!(told("Credit, in a browser"), u64::from(limits::CREDIT_BROWSER));
    assert_eq!(told("Input under way, unless told"), u64::from(limits::INPUT_WINDOW_BYTES));
    assert_eq!(told("Streams, unless told"), u64::from(limits::STREAMS_MAX));
    assert_eq!(told("Silence before a ping, unless told"), limits::PING_EVERY.as_millis() as u64);
    assert_eq!(told("Place kept, unless told"), limits::RESUME_HOLD.as_millis() as u64);
    assert_eq!(told("Come back, where there was no room or the server ends"), limits::RETRY_TOLD.as_millis() as u64);
}

#[test]
fn the_worked_example_has_the_bytes_of_the_golden_frames() {
    let page = page();
    let bare: String = page.chars().filter(|c| !c.is_whitespace()).collect();
    let frames = [
        "hello",
        "challenge",
        "proof-server",
        "proof-client",
        "welcome",
        "spawn-shell",
        "spawned",
        "output",
        "input",
        "input-ack",
        "ack",
        "exit",
    ];
    for name in frames {
        let frame = samples().into_iter().find(|sample| sample.name == name).unwrap().frame;
        assert!(bare.contains(&hex(&frame.to_bytes())), "the page lacks the bytes of {name}");
    }
    for text in [token().to_text(), pass().to_text(), AUTHORITY.to_owned()] {
        assert!(page.contains(&text), "the page lacks {text}");
    }
    let golden = read_json("handshake.json");
    assert!(bare.contains(golden["proofs"][0]["client_proof"].as_str().unwrap()));
}

#[test]
fn every_fault_of_the_malformed_frames_is_explained() {
    let page = page();
    for case in read_json("malformed.json")["frames"].as_array().unwrap() {
        let error = case["error"].as_str().unwrap();
        assert!(rows(&page).iter().any(|row| row[0] == format!("`{error}`")), "the page does not explain `{error}`");
    }
}
