//! What a server knows of one session besides its bytes: what it is called, who watches, whose window counts.

use super::LaneId;
use super::inputs::Inputs;
use crate::protocol::message::{ClientId, Exited};
use crate::protocol::token::Role;
use crate::pty::ExitStatus;
use crate::size::Size;
use crate::time::Time;

/// Whose window decides a terminal's size. Those who only watch have no say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SizePolicy {
    /// Who typed into it or resized it last (tmux: `latest`).
    #[default]
    Latest,
    /// The smallest, so that everybody sees all of it (tmux: `smallest`).
    Smallest,
    /// Nobody's: it keeps the size it began with.
    Fixed,
}

/// Somebody who watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watcher {
    /// Where.
    pub lane: LaneId,
    /// Who.
    pub client: ClientId,
    /// What it calls itself.
    pub name: String,
    /// As what.
    pub role: Role,
    /// Its window.
    pub window: Option<Size>,
}

/// One session.
#[derive(Debug)]
pub struct Known {
    /// The program, as it was asked for.
    pub program: String,
    /// What it is called.
    pub title: String,
    /// When it was started.
    pub started: Time,
    /// The terminal's size.
    pub size: Size,
    /// How its process ended.
    pub status: Option<ExitStatus>,
    /// The same as it was told then, for those who come later and would wait for it until the last byte.
    pub exited: Option<Exited>,
    /// When all of it had ended.
    pub ended: Option<Time>,
    /// When the last of those who watched it left.
    left: Option<Time>,
    /// Output before this was cleared, and is told to nobody who comes.
    pub cleared: u64,
    /// What was typed into it.
    pub inputs: Inputs,
    /// First come, first.
    watchers: Vec<Watcher>,
    /// Whose terminal answers what programs ask terminals: one, or every answer would be typed several times.
    responder: Option<LaneId>,
    /// How far those who answered and left had got: the client that got furthest, and the furthest of the others.
    answered: [(Option<ClientId>, u64); 2],
}

impl Known {
    /// A session that was just started.
    pub fn new(program: String, title: String, size: Size, now: Time) -> Known {
        Known {
            program,
            title,
            started: now,
            size,
            status: None,
            exited: None,
            ended: None,
            left: None,
            cleared: 0,
            inputs: Inputs::default(),
            watchers: Vec::new(),
            responder: None,
            answered: [(None, 0); 2],
        }
    }

    /// Who watches, in the order they came.
    pub fn watchers(&self) -> &[Watcher] {
        &self.watchers
    }

    /// Whether the terminal at `lane` answers queries.
    pub fn replies(&self, lane: LaneId) -> bool {
        self.responder == Some(lane)
    }

    /// Somebody begins to watch.
    pub fn join(&mut self, watcher: Watcher) {
        if self.responder.is_none() && watcher.role.types() {
            self.responder = Some(watcher.lane);
        }
        self.watchers.push(watcher);
    }

    /// Output before this may have been answered by another client's terminal than `client`'s.
    pub fn answered_by_others(&self, client: ClientId) -> u64 {
        let [furthest, other] = self.answered;
        if furthest.0 == Some(client) { other.1 } else { furthest.1 }
    }

    /// Somebody stops, who was sent output up to `sent`. The longest of those left who may type answers queries from now on.
    pub fn leave(&mut self, lane: LaneId, sent: u64, now: Time) {
        self.left = Some(now);
        if let Some(watcher) = self.watchers.iter().find(|watcher| watcher.lane == lane && self.responder == Some(lane)) {
            let [furthest, other] = &mut self.answered;
            match watcher.client {
                client if furthest.0 == Some(client) => furthest.1 = furthest.1.max(sent),
                client if sent >= furthest.1 => *other = std::mem::replace(furthest, (Some(client), sent)),
                client if sent >= other.1 => *other = (Some(client), sent),
                _ => {}
            }
        }
        self.watchers.retain(|watcher| watcher.lane != lane);
        if self.responder == Some(lane) {
            self.responder = self.watchers.iter().find(|watcher| watcher.role.types()).map(|watcher| watcher.lane);
        }
    }

    /// Since when it is over and nobody watches it, where that is so.
    pub fn unwanted_since(&self) -> Option<Time> {
        let ended = self.ended.filter(|_| self.watchers.is_empty())?;
        Some(ended.max(self.left.unwrap_or(ended)))
    }

    /// The window at `lane` has this size now. Returns the size that the terminal should have.
    pub fn window(&mut self, lane: LaneId, window: Size, policy: SizePolicy) -> Option<Size> {
        let watcher = self.watchers.iter_mut().find(|watcher| watcher.lane == lane && watcher.role.types())?;
        watcher.window = Some(window);
        match policy {
            SizePolicy::Fixed => None,
            SizePolicy::Latest => Some(window),
            SizePolicy::Smallest => {
                let windows = || self.watchers.iter().filter(|watcher| watcher.role.types()).filter_map(|watcher| watcher.window);
                let (cols, rows) = (windows().map(Size::cols).min()?, windows().map(Size::rows).min()?);
                let smallest = Size::new(cols, rows).ok()?;
                // Where no window has just this size the pixels are nobody's.
                Some(windows().find(|window| window.with_pixels(None) == smallest).unwrap_or(smallest))
            }
        }
    }
}
