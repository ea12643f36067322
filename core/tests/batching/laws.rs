//! What holds under each load, and over any link.

use std::time::Duration;

use orchflow_core::limits::{AHEAD_LEAST_BYTES, BATCH_WAIT, BATCHES_UNDER_WAY, CREDIT_MIN, QUEUE_DELAY, WINDOW_LEAST_BYTES};

use crate::dice::Dice;
use crate::loads::{self, Played, THIN, percentile};
use crate::model::{Echo, Link, Model};

/// Bytes that a terminal itself holds back, and an echo waits for; of the kernel's as of ours.
const TERMINAL_BYTES: usize = 16 << 10;

/// A frame's header, with some that say that input was taken.
const HEADERS: usize = 64;

fn took(echoes: &[Echo], percent: usize) -> Duration {
    percentile(echoes.iter().map(|echo| echo.took), percent)
}

/// Until a link is known.
const KNOWN: Duration = Duration::from_millis(1_500);

/// The same once it is.
fn later(played: &Played, echoes: &[Echo], percent: usize) -> Duration {
    let known = played.begun + KNOWN;
    percentile(echoes.iter().filter(|echo| echo.typed > known).map(|echo| echo.took), percent)
}

#[test]
fn where_nothing_is_under_way_no_key_waits_for_anything() {
    for played in [loads::idle(), loads::typing()] {
        let least = played.link.delay * 2 + played.link.takes(HEADERS);
        assert!(took(&played.echoes, 100) <= least, "{}: {:?} of {least:?}", played.title, took(&played.echoes, 100));
        assert!(played.echoes.len() >= 10);
    }
}

#[test]
fn a_flood_fills_the_link_in_large_batches_and_a_key_beside_it_waits_no_longer_than_for_the_queue() {
    let played = loads::flood();
    let carried = played.link.bytes_per_second as f64 * played.samples.last().map_or(0.0, |last| (last.at - played.begun).as_secs_f64());
    let share = played.flooded as f64 / carried;
    assert!(share > 0.98, "{share}");
    assert!(played.batches.iter().any(|(_, bytes)| *bytes > 60 << 10));
    let most = played.link.delay * 2 + QUEUE_DELAY + BATCH_WAIT + played.link.takes(2 * (64 << 10));
    assert!(took(&played.beside, 100) <= most, "{:?} of {most:?}", took(&played.beside, 100));
}

#[test]
fn a_thin_link_is_kept_busy_with_little_under_way_and_an_echo_comes_soon() {
    let played = loads::thin();
    let carried = played.link.bytes_per_second as f64 * played.samples.last().map_or(0.0, |last| (last.at - played.begun).as_secs_f64());
    let share = played.flooded as f64 / carried;
    assert!(share > 0.88, "{share}");
    let way = THIN.delay * 2;
    let beside = later(&played, &played.beside, 95);
    assert!(beside < way + 3 * QUEUE_DELAY, "a key beside the flood took {beside:?}");
    // Behind the flood itself it waits for what the terminal holds back, for what is read ahead, and for the queue.
    let behind = THIN.takes(TERMINAL_BYTES + AHEAD_LEAST_BYTES as usize);
    let same = later(&played, &played.echoes, 95);
    assert!(same < way + behind + 5 * QUEUE_DELAY, "a key behind the flood took {same:?}, {behind:?} of it on the server");
}

#[test]
fn a_program_behind_a_thin_link_is_held_back() {
    let played = loads::thin();
    let unsent = played.samples.iter().filter(|sample| sample.at > played.begun + KNOWN).map(|sample| sample.unsent).max();
    assert!(unsent.is_some_and(|bytes| bytes <= AHEAD_LEAST_BYTES), "{unsent:?} bytes waited");
}

/// A link that was drawn.
fn draw(dice: &mut Dice) -> (Link, u32) {
    let link = Link {
        bytes_per_second: [5_000, 30_000, 100_000, 1_000_000, 10_000_000][dice.below(5)],
        delay: Duration::from_micros([100, 2_000, 20_000, 150_000][dice.below(4)]),
        buffer: [4 << 10, 64 << 10, 1 << 20][dice.below(3)],
    };
    (link, [CREDIT_MIN, 64 << 10, 512 << 10][dice.below(3)])
}

#[test]
fn over_any_link_every_byte_arrives_in_order_and_nothing_stops_for_good() {
    for seed in 0..60 {
        let (link, credit) = draw(&mut Dice::new(seed));
        let bytes = (link.bytes_per_second * 10).min(3 << 20);
        let mut model = Model::new(link, credit, bytes);
        let stream = model.spawn("flood");
        let begun = model.now();
        model.begin();
        // As long as the link takes, with what goes before each batch; or a window of the least, for each round trip.
        let window = WINDOW_LEAST_BYTES / BATCHES_UNDER_WAY * (BATCHES_UNDER_WAY - 1);
        let trips = u32::try_from(bytes / window + 20).unwrap_or(u32::MAX);
        let most = link.takes(2 * bytes as usize) + link.delay * 2 * trips;
        while model.shown[&stream].flooded < bytes {
            assert!(model.now() - begun < most, "seed {seed}: {} of {bytes} in {most:?}: {link:?}", model.shown[&stream].flooded);
            model.pass(link.delay * 2 + link.takes(8 << 10));
        }
        let share = link.takes(bytes as usize).as_secs_f64() / (model.now() - begun).as_secs_f64();
        if credit > CREDIT_MIN && link.delay <= Duration::from_millis(20) && link.bytes_per_second <= 1_000_000 {
            assert!(share > 0.75, "seed {seed}: {share} of {link:?}");
        }
    }
}
