//! Who has been here, and what each needs to come back as the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::ConnectionId;
use crate::id::SessionId;
use crate::limits::{CLIENTS_MAX, SPAWNS_REMEMBERED};
use crate::protocol::message::{ClientId, Policy};
use crate::protocol::token::{ResumeSecret, Role};
use crate::session::Suspension;
use crate::size::Size;
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
    /// Where it is.
    place: Place,
    /// Its places in sessions, since its link broke.
    pub parked: Vec<Parked>,
    /// Sessions it started, by the number of the request, so that none is started twice.
    spawned: BTreeMap<u64, SessionId>,
}

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// On this connection.
    Here(ConnectionId),
    /// Nowhere, since then.
    Away(Time),
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
    /// What happens when it falls behind.
    pub policy: Policy,
    /// Its window.
    pub window: Option<Size>,
    /// When its link broke.
    pub since: Time,
}

impl Client {
    /// One who has just come.
    pub fn new(secret: ResumeSecret, role: Role, name: String, connection: ConnectionId) -> Client {
        let place = Place::Here(connection);
        Client { secret, former: None, role, name, place, parked: Vec::new(), spawned: BTreeMap::new() }
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

    /// Takes the places that have been kept for as long as `hold`.
    pub fn unpark_old(&mut self, hold: Duration, now: Time) -> Vec<Parked> {
        self.parked.extract_if(.., |parked| now - parked.since >= hold).collect()
    }

    /// Takes the place kept in `session`.
    pub fn unpark(&mut self, session: SessionId) -> Option<Parked> {
        let index = self.parked.iter().position(|parked| parked.session == session)?;
        Some(self.parked.swap_remove(index))
    }
}

/// The clients of a server: all who are here, of whom there are no more than it takes connections, and the [`CLIENTS_MAX`] who left last.
#[derive(Debug, Default)]
pub struct Clients {
    known: BTreeMap<ClientId, Client>,
    /// Who is away, in the order in which they left: that in which they are forgotten.
    away: BTreeSet<(Time, ClientId)>,
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

    /// Adds one.
    pub fn add(&mut self, id: ClientId, client: Client) {
        self.known.insert(id, client);
    }

    /// Client `id` has come on `connection`. Returns the one it was on until now, if it was on another.
    pub fn come(&mut self, id: ClientId, connection: ConnectionId) -> Option<ConnectionId> {
        let client = self.known.get_mut(&id)?;
        match std::mem::replace(&mut client.place, Place::Here(connection)) {
            Place::Here(old) => (old != connection).then_some(old),
            Place::Away(since) => {
                self.away.remove(&(since, id));
                None
            }
        }
    }

    /// `connection` is gone, and client `id` with it unless it has come on another. Returns who is forgotten for that.
    pub fn leave(&mut self, id: ClientId, connection: ConnectionId, now: Time) -> Option<ClientId> {
        let client = self.known.get_mut(&id).filter(|client| client.place == Place::Here(connection))?;
        client.place = Place::Away(now);
        self.away.insert((now, id));
        let (_, longest) = if self.away.len() > CLIENTS_MAX { self.away.pop_first() } else { None }?;
        self.known.remove(&longest);
        Some(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> ClientId {
        ClientId::from_bytes(u128::from(number).to_be_bytes())
    }

    fn crowd(size: u64) -> Clients {
        let mut clients = Clients::default();
        for number in 0..size {
            let secret = ResumeSecret::from_bytes([0; 32]);
            clients.add(id(number), Client::new(secret, Role::Owner, String::new(), ConnectionId(number)));
        }
        clients
    }

    #[test]
    fn who_is_here_is_known_however_many_there_are() {
        let clients = crowd(9 * CLIENTS_MAX as u64);
        assert!((0..9 * CLIENTS_MAX as u64).all(|number| clients.get(id(number)).is_some()));
    }

    #[test]
    fn who_left_first_is_forgotten_first() {
        let mut clients = crowd(CLIENTS_MAX as u64 + 2);
        for number in (1..CLIENTS_MAX as u64 + 2).rev() {
            clients.leave(id(number), ConnectionId(number), Time::from_nanos(1_000_000 - number));
        }
        assert_eq!(clients.len(), CLIENTS_MAX + 1);
        assert!(clients.get(id(CLIENTS_MAX as u64 + 1)).is_none());
        assert_eq!(clients.come(id(1), ConnectionId(5_000)), None);
        clients.leave(id(0), ConnectionId(0), Time::from_nanos(1));
        assert_eq!(clients.len(), CLIENTS_MAX + 1, "who came back has made room");
        assert!(clients.get(id(0)).is_some() && clients.get(id(1)).is_some());
    }

    #[test]
    fn client_that_is_on_another_connection_by_now_does_not_leave_with_the_old_one() {
        let mut clients = crowd(1);
        assert_eq!(clients.come(id(0), ConnectionId(7)), Some(ConnectionId(0)));
        clients.leave(id(0), ConnectionId(0), Time::ZERO);
        assert_eq!(clients.come(id(0), ConnectionId(7)), None);
        assert_eq!(clients.come(id(0), ConnectionId(8)), Some(ConnectionId(7)));
    }
}
