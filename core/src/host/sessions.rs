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
    /// When it last typed or changed its window, by the session's count of that.
    active: u64,
}

impl Watcher {
    /// Somebody at `lane` who has done nothing yet.
    pub fn new(lane: LaneId, client: ClientId, name: String, role: Role, window: Option<Size>) -> Watcher {
        Watcher { lane, client, name, role, window, active: 0 }
    }
}

/// One session.
#[derive(Debug)]
pub struct Known {
    /// The program, as it was asked for.
    pub program: String,
    /// What it is called.
    pub title: String,
    /// Whether what it says is never packed on its way: lengths would tell of it.
    pub secret: bool,
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
    /// Who typed or changed its window last, and how often somebody else did than before.
    latest: Option<LaneId>,
    turns: u64,
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
            secret: false,
            started: now,
            size,
            status: None,
            exited: None,
            ended: None,
            left: None,
            cleared: 0,
            inputs: Inputs::default(),
            watchers: Vec::new(),
            latest: None,
            turns: 0,
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

    /// The size of the window at `lane`, if it told.
    pub fn window_of(&self, lane: LaneId) -> Option<Size> {
        self.watchers.iter().find(|watcher| watcher.lane == lane)?.window
    }

    /// The window at `lane` has this size now. Returns the size that the terminal should have.
    pub fn window(&mut self, lane: LaneId, window: Size, policy: SizePolicy) -> Option<Size> {
        let watcher = self.watchers.iter_mut().find(|watcher| watcher.lane == lane && watcher.role.types())?;
        watcher.window = Some(window);
        self.take_turn(lane);
        self.wanted(policy)
    }

    /// `lane` is the latest to type or to change its window. Answers whether somebody else was.
    pub fn take_turn(&mut self, lane: LaneId) -> bool {
        let is_other = self.latest.replace(lane) != Some(lane);
        if is_other {
            self.turns += 1;
            let turn = self.turns;
            self.watchers.iter_mut().filter(|watcher| watcher.lane == lane).for_each(|watcher| watcher.active = turn);
        }
        is_other
    }

    /// The size that the terminal should have by the windows of those who have a say, if there are any.
    pub fn wanted(&self, policy: SizePolicy) -> Option<Size> {
        let windows =
            || self.watchers.iter().filter(|watcher| watcher.role.types()).filter_map(|watcher| Some((watcher.active, watcher.window?)));
        match policy {
            SizePolicy::Fixed => None,
            SizePolicy::Latest => windows().max_by_key(|(active, _)| *active).map(|(_, window)| window),
            SizePolicy::Smallest => {
                let windows = || windows().map(|(_, window)| window);
                let (cols, rows) = (windows().map(Size::cols).min()?, windows().map(Size::rows).min()?);
                let smallest = Size::new(cols, rows).ok()?;
                // Where no window has just this size the pixels are nobody's.
                Some(windows().find(|window| window.with_pixels(None) == smallest).unwrap_or(smallest))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::ConnectionId;
    use crate::protocol::frame::StreamId;

    fn lane(number: u64) -> LaneId {
        LaneId { connection: ConnectionId(number), stream: StreamId::new(1) }
    }

    fn size(cols: u16, rows: u16) -> Size {
        Size::new(cols, rows).unwrap()
    }

    /// A session of three: a writer with a wide window, one with a high one, and somebody who only watches, through a keyhole.
    fn session() -> Known {
        let mut known = Known::new(String::new(), String::new(), size(80, 24), Time::ZERO);
        for (number, role) in [(1, Role::Writer), (2, Role::Writer), (3, Role::Viewer)] {
            known.join(Watcher::new(lane(number), ClientId::from_bytes([number as u8; 16]), String::new(), role, None));
        }
        known
    }

    fn sizes(policy: SizePolicy) -> (Known, [Option<Size>; 3]) {
        let mut known = session();
        let wanted = [(1, size(200, 20)), (2, size(90, 60)), (3, size(2, 1))].map(|(at, window)| known.window(lane(at), window, policy));
        (known, wanted)
    }

    #[test]
    fn the_latest_window_counts_and_the_one_before_when_it_leaves() {
        let (mut known, wanted) = sizes(SizePolicy::Latest);
        assert_eq!(wanted, [Some(size(200, 20)), Some(size(90, 60)), None]);
        known.size = size(90, 60);
        assert!(!known.take_turn(lane(2)) && known.take_turn(lane(1)));
        assert_eq!(known.wanted(SizePolicy::Latest), Some(size(200, 20)));
        known.leave(lane(1), 0, Time::ZERO);
        assert_eq!(known.wanted(SizePolicy::Latest), Some(size(90, 60)));
    }

    #[test]
    fn everybody_who_types_sees_all_of_the_smallest_and_it_grows_when_they_leave() {
        let (mut known, wanted) = sizes(SizePolicy::Smallest);
        assert_eq!(wanted, [Some(size(200, 20)), Some(size(90, 20)), None]);
        known.take_turn(lane(1));
        assert_eq!(known.wanted(SizePolicy::Smallest), Some(size(90, 20)));
        known.leave(lane(1), 0, Time::ZERO);
        assert_eq!(known.wanted(SizePolicy::Smallest), Some(size(90, 60)));
        known.leave(lane(2), 0, Time::ZERO);
        assert_eq!(known.wanted(SizePolicy::Smallest), None, "who only watches has no say");
    }

    #[test]
    fn a_fixed_size_is_nobodys() {
        let (mut known, wanted) = sizes(SizePolicy::Fixed);
        known.take_turn(lane(1));
        assert_eq!((wanted, known.wanted(SizePolicy::Fixed)), ([None; 3], None));
    }
}
