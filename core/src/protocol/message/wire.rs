//! How types of other modules look on the wire; those modules know nothing of it.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::pty::{ExitStatus, Signal, Target};
use crate::size::{Pixels, Size};

/// A [`Size`]: two numbers side by side, and two more where the window knows its pixels.
#[derive(Serialize, Deserialize)]
struct Geometry {
    cols: u16,
    rows: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    width: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    height: Option<u16>,
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (width, height) = self.pixels().map(|pixels| (pixels.width, pixels.height)).unzip();
        Geometry { cols: self.cols(), rows: self.rows(), width, height }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Geometry { cols, rows, width, height } = Geometry::deserialize(deserializer)?;
        let size = Size::new(cols, rows).map_err(Error::custom)?;
        match (width, height) {
            (Some(width), Some(height)) => Ok(size.with_pixels(Some(Pixels { width, height }))),
            (None, None) => Ok(size),
            _ => Err(Error::custom("`width` and `height` come together or not at all")),
        }
    }
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
