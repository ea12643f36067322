//! Output that a viewer will not get: where it goes on, and how it is told.

use super::{ServerPeer, World};
use crate::flow::{Lines, STRING_MAX, safe_cut};
use crate::id::SessionId;
use crate::limits::TAIL_BYTES;
use crate::protocol::frame::StreamId;
use crate::protocol::message::GapReason;

impl ServerPeer {
    /// Output for `stream` is missing. It goes on where the log does; one who fell behind, with the newest lines.
    pub fn handle_gap(&mut self, stream: StreamId, from: u64, to: u64, world: &mut World<'_>) {
        let Some(lane) = self.lanes.get_mut(&stream) else { return };
        let (session, why) = (lane.session, lane.gap_reason());
        if why != GapReason::History {
            return self.skip(stream, why, world);
        }
        let go_on = self.cut(session, to, Lines::Any, world);
        self.send_gap(stream, from, go_on, why);
        if go_on > to {
            let id = self.lane_id(stream);
            world.terminals.seek(id, go_on);
        }
    }

    /// `stream` goes on with the newest lines of what was said.
    pub(super) fn skip(&mut self, stream: StreamId, why: GapReason, world: &mut World<'_>) {
        let Some((session, sent)) = self.lanes.get(&stream).map(|lane| (lane.session, lane.sent())) else { return };
        let range = world.terminals.range(session);
        let oldest = range.end.saturating_sub(TAIL_BYTES).max(range.start);
        let go_on = self.cut(session, oldest, Lines::Begin, world).max(sent);
        if go_on > sent {
            self.send_gap(stream, sent, go_on, why);
            let id = self.lane_id(stream);
            world.terminals.seek(id, go_on);
        }
    }

    /// The first place at or after `offset` where a terminal in its first state can go on.
    pub(super) fn cut(&self, session: SessionId, offset: u64, lines: Lines, world: &World<'_>) -> u64 {
        let before = offset.saturating_sub(STRING_MAX as u64 + 1);
        let (begin, bytes) = world.terminals.peek(session, before, (offset - before) as usize + TAIL_BYTES as usize);
        let from = usize::try_from(offset.saturating_sub(begin)).unwrap_or(usize::MAX);
        begin + safe_cut(&bytes, from, begin == 0, lines) as u64
    }
}
