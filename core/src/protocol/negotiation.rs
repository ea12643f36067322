//! What two peers of different age agree on: one version, and the features both know.
//!
//! Each side names a range of versions; the highest common one is spoken. Within a version, **features** are agreed by name. A name
//! that one side does not know is ignored, so a feature can be added without a new version. Peers keep that door open by
//! using it: every client offers a name and sends a frame that mean nothing ([`grease_feature`], [`grease_frame`]), so that a
//! server which chokes on the unknown is found on the first day.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::frame::{Flags, Frame};
use crate::pack::Codec;

/// The versions this side speaks.
pub const VERSIONS: Versions = Versions { oldest: 1, newest: 1 };

/// The feature that puts timestamps on Output and InputAck.
pub const TIMESTAMPS: &str = "timestamps";

/// The feature that tells who else watches a session.
pub const VIEWERS: &str = "viewers";

/// A range of versions, both ends included; on the wire `[oldest, newest]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(u16, u16)", into = "(u16, u16)")]
pub struct Versions {
    oldest: u16,
    newest: u16,
}

impl Versions {
    /// From `oldest` to `newest`; `None` where they are the wrong way round.
    pub const fn new(oldest: u16, newest: u16) -> Option<Versions> {
        if oldest <= newest { Some(Versions { oldest, newest }) } else { None }
    }

    /// The oldest version spoken.
    pub const fn oldest(self) -> u16 {
        self.oldest
    }

    /// The newest version spoken.
    pub const fn newest(self) -> u16 {
        self.newest
    }

    /// Whether `version` is spoken.
    pub const fn contains(self, version: u16) -> bool {
        self.oldest <= version && version <= self.newest
    }

    /// The newest version that both sides speak; `self` is our own.
    ///
    /// # Errors
    /// [`NoCommonVersion`], which says who must be updated.
    ///
    /// # Examples
    /// ```
    /// # use orchflow_core::protocol::negotiation::Versions;
    /// let (ours, theirs) = (Versions::new(2, 4).unwrap(), Versions::new(1, 3).unwrap());
    /// assert_eq!(ours.common(theirs), Ok(3));
    /// assert!(ours.common(Versions::new(5, 6).unwrap()).is_err());
    /// ```
    pub fn common(self, theirs: Versions) -> Result<u16, NoCommonVersion> {
        let newest = self.newest.min(theirs.newest);
        let both = self.contains(newest) && theirs.contains(newest);
        both.then_some(newest).ok_or(NoCommonVersion { ours: self, theirs })
    }
}

impl TryFrom<(u16, u16)> for Versions {
    type Error = &'static str;

    fn try_from((oldest, newest): (u16, u16)) -> Result<Self, Self::Error> {
        Versions::new(oldest, newest).ok_or("the oldest version comes first")
    }
}

impl From<Versions> for (u16, u16) {
    fn from(versions: Versions) -> Self {
        (versions.oldest, versions.newest)
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.oldest == self.newest { write!(f, "{}", self.oldest) } else { write!(f, "{} to {}", self.oldest, self.newest) }
    }
}

/// The two sides have no version in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoCommonVersion {
    /// What this side speaks.
    pub ours: Versions,
    /// What the other side speaks.
    pub theirs: Versions,
}

impl fmt::Display for NoCommonVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let older = if self.ours.newest < self.theirs.oldest { "this" } else { "the other" };
        write!(f, "this side speaks protocol {} and the other {}: update {older} side", self.ours, self.theirs)
    }
}

impl std::error::Error for NoCommonVersion {}

/// Features by name, each with the features it needs; on the wire a map of arrays.
///
/// # Examples
/// ```
/// # use orchflow_core::protocol::negotiation::Features;
/// let server = Features::default().with("colour", &[]).with("sound", &["volume"]).with("volume", &[]);
/// let client = Features::default().with("colour", &[]).with("sound", &[]).with("grease-1f2e", &[]);
/// let agreed = server.agree(&client);
/// assert!(agreed.contains("colour"));
/// assert!(!agreed.contains("sound")); // The server's needs the volume, which the client did not offer.
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Features(BTreeMap<String, Vec<String>>);

impl Features {
    /// What this side knows.
    pub fn known() -> Features {
        let features = Features::default().with(TIMESTAMPS, &[]).with(VIEWERS, &[]);
        Codec::ALL.iter().fold(features, |features, codec| features.with(codec.name(), &[]))
    }

    /// These without the codecs: output is to come as it is.
    pub fn without_codecs(self) -> Features {
        Codec::ALL.iter().fold(self, |features, codec| features.without(codec.name()))
    }

    /// These, and `name`, which is of use only where all of `needs` are agreed on too.
    pub fn with(mut self, name: &str, needs: &[&str]) -> Features {
        self.0.insert(name.to_owned(), needs.iter().map(|need| need.to_string()).collect());
        self
    }

    /// These without `name`.
    pub fn without(mut self, name: &str) -> Features {
        self.0.remove(name);
        self
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What both sides know and whose needs, by either's account, are met. The same from both sides.
    pub fn agree(&self, theirs: &Features) -> Agreed {
        let mut agreed: BTreeSet<&String> = self.0.keys().filter(|name| theirs.0.contains_key(*name)).collect();
        loop {
            let met = |name: &&String| {
                let needs = self.0.get(*name).into_iter().chain(theirs.0.get(*name)).flatten();
                needs.into_iter().all(|need| agreed.contains(need))
            };
            let left: BTreeSet<&String> = agreed.iter().copied().filter(met).collect();
            if left.len() == agreed.len() {
                return Agreed(left.into_iter().cloned().collect());
            }
            agreed = left;
        }
    }

    /// Whether a server's answer holds only what was offered: anything else it cannot have from us.
    pub fn cover(&self, answer: &Agreed) -> bool {
        answer.0.iter().all(|name| self.0.contains_key(name))
    }
}

/// The features of one connection; on the wire an array of names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Agreed(BTreeSet<String>);

impl Agreed {
    /// Whether `name` was agreed on.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// The codecs among them, the best first.
    pub fn codecs(&self) -> impl Iterator<Item = Codec> {
        Codec::ALL.iter().copied().filter(|codec| self.contains(codec.name()))
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// The frame types that never get a meaning: 0x0f, 0x1f, ... 0xff.
pub const fn is_grease(kind: u8) -> bool {
    kind & 0x0f == 0x0f
}

/// A feature's name that never gets a meaning, to offer beside the real ones.
pub fn grease_feature(random: u64) -> String {
    format!("grease-{:04x}", random as u16)
}

/// A frame that never gets a meaning and may be skipped, to send now and then.
pub fn grease_frame(random: u64) -> Frame {
    let body = Bytes::copy_from_slice(&random.to_le_bytes()[..(random >> 60) as usize / 2]);
    Frame { kind: (random as u8) | 0x0f, flags: Flags::IGNORABLE, body, ..Frame::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(oldest: u16, newest: u16) -> Versions {
        Versions::new(oldest, newest).unwrap()
    }

    #[test]
    fn the_highest_common_version_is_spoken_whoever_asks() {
        for (ours, theirs, expected) in [((1, 1), (1, 9), 1), ((2, 5), (1, 3), 3), ((2, 5), (3, 4), 4), ((4, 4), (4, 4), 4)] {
            let (ours, theirs) = (range(ours.0, ours.1), range(theirs.0, theirs.1));
            assert_eq!(ours.common(theirs), Ok(expected));
            assert_eq!(theirs.common(ours), Ok(expected));
        }
    }

    #[test]
    fn who_is_too_old_is_told_with_both_ranges() {
        let error = range(1, 2).common(range(4, 7)).unwrap_err();
        assert_eq!(error.to_string(), "this side speaks protocol 1 to 2 and the other 4 to 7: update this side");
        let error = range(4, 4).common(range(1, 3)).unwrap_err();
        assert_eq!(error.to_string(), "this side speaks protocol 4 and the other 1 to 3: update the other side");
    }

    #[test]
    fn needs_are_met_all_the_way_down() {
        let chain = Features::default().with("a", &["b"]).with("b", &["c"]).with("c", &[]).with("d", &[]);
        let all = chain.agree(&chain);
        assert_eq!(all.names().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
        let broken = chain.agree(&chain.clone().without("c"));
        assert_eq!(broken.names().collect::<Vec<_>>(), ["d"]);
        assert_eq!(chain.clone().without("c").agree(&chain), broken);
    }

    #[test]
    fn features_that_need_each_other_come_together_or_not_at_all() {
        let pair = Features::default().with("a", &["b"]).with("b", &["a"]);
        assert_eq!(pair.agree(&pair).names().count(), 2);
        assert_eq!(pair.agree(&pair.clone().without("a")).names().count(), 0);
    }

    #[test]
    fn an_answer_with_what_was_not_offered_is_noticed() {
        let offered = Features::known();
        assert!(offered.cover(&offered.agree(&Features::known())));
        let more = Features::known().with("uninvited", &[]);
        assert!(!offered.cover(&more.agree(&more)));
    }

    #[test]
    fn nonsense_never_has_a_meaning() {
        for random in [0, 1, 0x1234_5678_9abc_def0, u64::MAX] {
            let frame = grease_frame(random);
            assert!(is_grease(frame.kind) && frame.flags.contains(Flags::IGNORABLE));
            assert!(!Features::known().0.contains_key(&grease_feature(random)));
        }
    }
}
