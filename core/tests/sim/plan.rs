//! What will happen, drawn from a seed before anything does: so that it can be played again with some of it left out.

use std::time::Duration;

use crate::dice::Dice;

/// Everything about one run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) world: World,
    pub(crate) actions: Vec<Action>,
}

/// What the world is like from its beginning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    /// People, the first of them an owner.
    pub(crate) users: usize,
    /// Whether links carry messages, or bytes that are cut anywhere.
    pub(crate) messages: bool,
    pub(crate) latency: Duration,
    /// Un-acknowledged bytes at which a terminal is not read any longer.
    pub(crate) high_bytes: usize,
    pub(crate) history_bytes: usize,
    /// Output that may be under way to one user.
    pub(crate) credit: u32,
    /// Input that may be under way from one user, and that a session's queue takes.
    pub(crate) input_bytes: u32,
    pub(crate) queue_bytes: usize,
    /// Whose window counts, as a number.
    pub(crate) sizes: usize,
    /// Whose output may come packed, and how, as a number: each person's is the next.
    pub(crate) codecs: usize,
}

/// One thing that happens, so long after the one before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Action {
    pub(crate) after: Duration,
    pub(crate) what: What,
    /// Chooses among whatever there is by then: who, which session, how much.
    pub(crate) who: usize,
    pub(crate) which: usize,
    pub(crate) size: usize,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    // People.
    Spawn,
    Attach,
    Detach,
    Type,
    Interrupt,
    Resize,
    Clear,
    Title,
    Signal,
    Close,
    List,
    Ping,
    /// Asks for operations; some by a key that somebody else asks by too.
    Batch,
    /// Calls some off.
    Cancel,
    /// Looks away: renders nothing until it looks again.
    LookAway,
    LookAgain,
    /// Says goodbye, and comes back as somebody new.
    LeaveAndReturn,
    // Programs.
    OpenGate,
    // The network.
    Cut,
    /// Nothing arrives any longer, and nobody is told.
    Mute,
    /// The user loses its link, and the server keeps it.
    Copy,
    /// Nobody can dial for a while.
    Outage,
    /// Everybody is cut at once, and nobody can dial for a while.
    Herd,
    /// A link becomes slow, or fast again.
    Slow,
    // The server.
    Restart,
    /// Somebody with a random tongue connects.
    Stranger,
    /// Frames that mean nothing, either way.
    Nonsense,
}

/// How often each happens, among all.
#[rustfmt::skip] // A table is read by its columns.
const ODDS: &[(What, usize)] = &[
    (What::Spawn, 9), (What::Attach, 10), (What::Detach, 3), (What::Type, 34), (What::Interrupt, 4), (What::Resize, 4),
    (What::Clear, 1), (What::Title, 1), (What::Signal, 1), (What::Close, 2), (What::List, 1), (What::Ping, 1),
    (What::LookAway, 4), (What::LookAgain, 4), (What::LeaveAndReturn, 1), (What::OpenGate, 6),
    (What::Cut, 14), (What::Mute, 1), (What::Copy, 2), (What::Outage, 2), (What::Herd, 1), (What::Slow, 3),
    (What::Stranger, 2), (What::Nonsense, 3),
];

/// In one run of so many people ask for operations, too.
const OPERATIONS: u64 = 3;

/// One run in so many has a server that is started anew.
const RESTARTS: usize = 8;

impl Plan {
    /// The plan of `seed`, with at most `events_max` actions.
    pub(crate) fn new(seed: u64, events_max: usize) -> Plan {
        let mut dice = Dice::new(seed);
        let high_bytes = [24 << 10, 64 << 10, 256 << 10][dice.below(3)];
        let world = World {
            users: 1 + dice.below(5),
            messages: dice.one_in(2),
            latency: Duration::from_micros([100, 2_000, 40_000, 300_000][dice.below(4)]),
            high_bytes,
            history_bytes: high_bytes + [128 << 10, 256 << 10, 1 << 20][dice.below(3)],
            credit: [16 << 10, 64 << 10, 512 << 10][dice.below(3)],
            input_bytes: [4 << 10, 16 << 10, 1 << 20][dice.below(3)],
            queue_bytes: [512, 8 << 10, 1 << 20][dice.below(3)],
            sizes: dice.below(3),
            codecs: (seed / 2) as usize, // Drawn from the dice it would be another plan.
        };
        let count = (10 + dice.below(190)).min(events_max / 4);
        let pace_us = [500, 20_000, 200_000, 2_000_000][dice.below(4)];
        let sum: usize = ODDS.iter().map(|(_, odds)| odds).sum();
        let mut actions: Vec<Action> = (0..count).map(|_| Action::draw(draw(&mut dice, sum), pace_us, &mut dice)).collect();
        if dice.one_in(RESTARTS) {
            let at = dice.below(count);
            actions[at].what = What::Restart;
        }
        if seed.is_multiple_of(OPERATIONS) {
            let mut dice = Dice::new(!seed);
            for action in &mut actions {
                match dice.below(24) {
                    0 => action.what = What::Cancel,
                    1..6 => action.what = What::Batch,
                    _ => {}
                }
            }
        }
        // Somebody starts something, or nothing would ever happen.
        actions[0] = Action { what: What::Spawn, who: 0, ..actions[0] };
        Plan { seed, world, actions }
    }
}

fn draw(dice: &mut Dice, sum: usize) -> What {
    let mut left = dice.below(sum);
    for (what, odds) in ODDS {
        if left < *odds {
            return *what;
        }
        left -= odds;
    }
    What::Type
}

impl Action {
    fn draw(what: What, pace_us: usize, dice: &mut Dice) -> Action {
        // Mostly soon, now and then after a good while.
        let after = if dice.one_in(12) { dice.below(12_000_000) } else { dice.below(pace_us) };
        let number = |dice: &mut Dice| dice.below(1 << 20);
        Action { after: Duration::from_micros(after as u64), what, who: number(dice), which: number(dice), size: number(dice) }
    }
}
