//! Who has been here, and what each needs to come back as the same.

use std::collections::{BTreeMap, HashMap};

use super::ConnectionId;
use crate::id::SessionId;
use crate::limits::{CLIENTS_MAX, SPAWNS_REMEMBERED};
use crate::protocol::message::ClientId;
use crate::protocol::token::{ResumeSecret, Role};
use crate::session::Suspension;
use crate::time::Time;

/// One client.
#[derive(Clone, Debug)]
pub struct Client {
    /// What it proves itself by, once it has it.
    secret: ResumeSecret,
    /// What it proved itself by last: it still does, where the link broke before the new one arrived.
    former: Option<ResumeSecret>,
    /// As what it came.
    pub role: Role,
    /// What it calls itself.
    pub name: String,
    /// When it was last heard of.
    pub seen: Time,
    /// Where it is now.
    pub connection: Option<ConnectionId>,
    /// Its places in sessions, since its link broke.
    pub parked: Vec<Parked>,
    /// Sessions it started, by the number of the request, so that none is started twice.
    spawned: BTreeMap<u64, SessionId>,
}

/// A place in a session that is kept for its return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The session.
    pub session: SessionId,
    /// The claim.
    pub claim: Suspension,
    /// As what it watched.
    pub role: Role,
    /// Whether it would rather miss output than hold the session up.
    pub lossy: bool,
}

impl Client {
    /// One who has just come.
    pub fn new(secret: ResumeSecret, role: Role, name: String, connection: ConnectionId, now: Time) -> Client {
        Client { secret, former: None, role, name, seen: now, connection: Some(connection), parked: Vec::new(), spawned: BTreeMap::new() }
    }

    /// Which of its secrets makes `holds` true, if any does.
    pub fn proves(&self, holds: impl Fn(&ResumeSecret) -> bool) -> Option<ResumeSecret> {
        // Both are tried, whichever it is, so that the time it takes tells nothing.
        let (now, before) = (holds(&self.secret), self.former.as_ref().is_some_and(holds));
        if now { Some(self.secret.clone()) } else { self.former.clone().filter(|_| before) }
    }

    /// It proved itself by `used`, and will by `next` once that has arrived.
    pub fn renew_secret(&mut self, used: ResumeSecret, next: ResumeSecret) {
        (self.former, self.secret) = (Some(used), next);
    }

    /// The session that request `number` has started, if it has.
    pub fn spawned(&self, number: u64) -> Option<SessionId> {
        self.spawned.get(&number).copied()
    }

    /// Request `number` has started `session`.
    pub fn remember_spawn(&mut self, number: u64, session: SessionId) {
        self.spawned.insert(number, session);
        if self.spawned.len() > SPAWNS_REMEMBERED {
            self.spawned.pop_first();
        }
    }

    /// Takes the place kept in `session`.
    pub fn unpark(&mut self, session: SessionId) -> Option<Parked> {
        let index = self.parked.iter().position(|parked| parked.session == session)?;
        Some(self.parked.swap_remove(index))
    }
}

/// The clients of a server: at most [`CLIENTS_MAX`]; who was away longest is forgotten first.
#[derive(Debug, Default)]
pub struct Clients {
    known: HashMap<ClientId, Client>,
}

impl Clients {
    /// How many are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// One of them.
    pub fn get(&self, id: ClientId) -> Option<&Client> {
        self.known.get(&id)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.known.get_mut(&id)
    }

    /// Adds one. Answers whether there was room: all others may be here at this moment.
    pub fn add(&mut self, id: ClientId, client: Client) -> bool {
        if self.known.len() >= CLIENTS_MAX {
            let away = self.known.iter().filter(|(_, client)| client.connection.is_none());
            let Some(longest) = away.min_by_key(|(_, client)| client.seen).map(|(id, _)| *id) else { return false };
            self.known.remove(&longest);
        }
        self.known.insert(id, client);
        true
    }
}
