//! What people do: four loads, each over the link where it matters.

use std::time::Duration;

use orchflow_core::protocol::frame::StreamId;
use orchflow_core::time::Time;

use crate::model::{Echo, Link, Model, Sample};

/// One load, and what came of it. Times are since it began.
pub(crate) struct Played {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) link: Link,
    pub(crate) lasts: Duration,
    pub(crate) begun: Time,
    pub(crate) samples: Vec<Sample>,
    pub(crate) batches: Vec<(Time, usize)>,
    /// Echoes in the session that matters, and in one beside it.
    pub(crate) echoes: Vec<Echo>,
    pub(crate) beside: Vec<Echo>,
    pub(crate) flooded: u64,
}

/// Another room, by cable.
const NEAR: Link = Link { bytes_per_second: 20 << 20, delay: Duration::from_micros(200), buffer: 256 << 10 };

/// Another town, by telephone.
pub(crate) const THIN: Link = Link { bytes_per_second: 100_000, delay: Duration::from_millis(20), buffer: 256 << 10 };

const CREDIT: u32 = 512 << 10;

pub(crate) fn idle() -> Played {
    play("idle", "a key now and then", NEAR, Duration::from_secs(4), |load| load.keys(&["cat"], Duration::from_millis(400)))
}

pub(crate) fn typing() -> Played {
    play("typing", "a key held down, 30 a second", NEAR, Duration::from_secs(4), |load| load.keys(&["cat"], Duration::from_millis(33)))
}

pub(crate) fn flood() -> Played {
    play("flood", "and keys beside it", NEAR, Duration::from_secs(1), |load| load.keys(&["flood", "cat"], Duration::from_millis(20)))
}

pub(crate) fn thin() -> Played {
    play("thin link", "the same at 100 KB/s", THIN, Duration::from_secs(8), |load| load.keys(&["flood", "cat"], Duration::from_millis(150)))
}

struct Load {
    model: Model,
    lasts: Duration,
    streams: Vec<StreamId>,
    begun: Time,
}

impl Load {
    /// Types into each of `programs`, so often.
    fn keys(&mut self, programs: &[&str], every: Duration) {
        self.streams = programs.iter().map(|program| self.model.spawn(program)).collect();
        self.begun = self.model.now();
        self.model.begin();
        while self.model.now() < self.begun + self.lasts {
            for stream in &self.streams {
                self.model.type_key(*stream);
            }
            self.model.pass(every);
        }
        self.model.pass(Duration::from_millis(500)); // The last echo.
    }
}

fn play(title: &'static str, about: &'static str, link: Link, lasts: Duration, keys: impl FnOnce(&mut Load)) -> Played {
    let model = Model::new(link, CREDIT, 1 << 40);
    let mut load = Load { model, lasts, streams: Vec::new(), begun: Time::ZERO };
    keys(&mut load);
    let Load { model, streams, begun, .. } = load;
    let first = streams[0];
    let flooded = model.shown[&first].flooded;
    let (echoes, beside) = model.echoes.iter().partition(|echo| echo.stream == first);
    Played { title, about, link, lasts, begun, samples: model.samples, batches: model.batches, echoes, beside, flooded }
}

/// The value below which so many in a hundred of `values` are.
pub(crate) fn percentile(values: impl IntoIterator<Item = Duration>, percent: usize) -> Duration {
    let mut values: Vec<Duration> = values.into_iter().collect();
    values.sort();
    values.get(values.len() * percent / 100).or(values.last()).copied().unwrap_or_default()
}
