//! How types of other modules look on the wire; those modules know nothing of it.

use serde::{Deserialize, Serialize};

use crate::pty::{ExitStatus, Signal, Target};

/// See [`super::Geometry`]: four numbers side by side.
#[derive(Serialize, Deserialize)]
pub(super) struct Geometry {
    pub(super) cols: u16,
    pub(super) rows: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) width: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) height: Option<u16>,
}

/// `{"code": 0}`, `{"signal": 9}` or `"unknown"`.
#[derive(Serialize, Deserialize)]
#[serde(remote = "ExitStatus", rename_all = "lowercase")]
pub(super) enum Status {
    Code(i32),
    Signal(i32),
    Unknown,
}

/// A [`Status`] that may be missing.
pub(super) mod maybe_status {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{ExitStatus, Status};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Wrapped(#[serde(with = "Status")] ExitStatus);

    pub(crate) fn serialize<S: Serializer>(status: &Option<ExitStatus>, to: S) -> Result<S::Ok, S::Error> {
        status.map(Wrapped).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ExitStatus>, D::Error> {
        Ok(Option::<Wrapped>::deserialize(from)?.map(|Wrapped(status)| status))
    }
}

/// A signal by its name.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Signal", rename_all = "lowercase")]
pub(super) enum SignalName {
    Hangup,
    Interrupt,
    Quit,
    Terminate,
    Kill,
    Continue,
    Stop,
    User1,
    User2,
}

/// Its receivers by their name.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Target", rename_all = "lowercase")]
pub(super) enum TargetName {
    Leader,
    Foreground,
    Session,
}
