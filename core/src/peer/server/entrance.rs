//! Before anybody is in: Hello, Challenge, Proof, Welcome.

use bytes::Bytes;

use super::{Guest, ServerPeer, State, World};
use crate::host::{Client, LaneId, Notice};
use crate::limits::{FRAME_TAKEN_MIN, NAME_CHARS_MAX, READ_MAX};
use crate::protocol::frame::StreamId;
use crate::protocol::handshake::{Mac, Nonce, Transcript};
use crate::protocol::label;
use crate::protocol::message::{Challenge, ClientId, ErrorCode, Goodbye, Hello, Message, Proof, Welcome};
use crate::protocol::negotiation::{Agreed, Features, VERSIONS};
use crate::protocol::token::{Pass, ResumeSecret};
use crate::time::Time;

/// Somebody who has not proved anything yet.
pub(super) struct Entrance {
    authority: String,
    /// Once it has called.
    call: Option<Call>,
}

/// A Hello, and what it was answered.
struct Call {
    hello: Hello,
    hello_frame: Bytes,
    challenge_frame: Bytes,
    agreed: Agreed,
    pass: Pass,
    /// When it was answered.
    answered: Time,
}

impl Entrance {
    pub(super) fn new(authority: String) -> Entrance {
        Entrance { authority, call: None }
    }
}

impl ServerPeer {
    /// A message called `name` from somebody outside; `raw` is its frame.
    pub(super) fn enter(&mut self, message: Message, name: &str, raw: Bytes, world: &mut World<'_>) {
        let State::Outside(entrance) = &mut self.state else { return };
        match (message, entrance.call.take()) {
            (Message::Hello(hello), None) => self.answer(*hello, raw, world),
            (Message::Proof(proof), Some(call)) => {
                let authority = std::mem::take(&mut entrance.authority);
                self.judge(&proof, call, &authority, world);
            }
            (Message::Goodbye(goodbye), _) => self.state = State::Over(goodbye.code),
            _ => {
                let message = format!("{name} does not come now: first Hello, then Proof");
                self.turn_away(ErrorCode::Unexpected, message, world);
            }
        }
    }

    fn answer(&mut self, hello: Hello, hello_frame: Bytes, world: &mut World<'_>) {
        let version = match VERSIONS.common(hello.versions) {
            Ok(version) => version,
            Err(error) => {
                world.host.count(ErrorCode::Version);
                let goodbye = Goodbye::new(ErrorCode::Version, error.to_string());
                return self.say_goodbye(Goodbye { versions: Some(VERSIONS), offered: Some(hello.versions), ..goodbye });
            }
        };
        let agreed = Features::known().agree(&hello.features);
        let nonce = Nonce::from_bytes(world.random());
        let challenge = Challenge { version, nonce, instance: world.host.instance, features: agreed.clone() };
        let challenge = Message::Challenge(Box::new(challenge)).into_frame(StreamId::CONNECTION);
        let challenge_frame = challenge.to_bytes();
        let pass = world.host.token.pass(hello.role);
        let State::Outside(entrance) = &mut self.state else { return };
        let seen = Transcript { authority: &entrance.authority, hello: &hello_frame, challenge: &challenge_frame };
        let proof = Proof { mac: seen.server_proof(&pass), resume: None };
        entrance.call = Some(Call { hello, hello_frame, challenge_frame, agreed, pass, answered: world.now });
        self.push(challenge);
        self.send(StreamId::CONNECTION, Message::Proof(Box::new(proof)));
    }

    fn judge(&mut self, proof: &Proof, call: Call, authority: &str, world: &mut World<'_>) {
        let seen = Transcript { authority, hello: &call.hello_frame, challenge: &call.challenge_frame };
        if seen.client_proof(&call.pass) != proof.mac {
            let message = "the proof is wrong: use this run's link, and the address it names".to_owned();
            return self.turn_away(ErrorCode::Unauthorized, message, world);
        }
        let known = self.recognise(&call.hello, proof.resume, &seen, world);
        let secret = ResumeSecret::from_bytes(world.random());
        let id = known.as_ref().map_or_else(|| ClientId::from_bytes(world.random()), |(id, _)| *id);
        let resumed = known.is_some();
        let (role, name) = (call.pass.role(), label::clean(&call.hello.name, NAME_CHARS_MAX));
        if let Some((client, used)) = known.and_then(|(id, used)| Some((world.host.clients.get_mut(id)?, used))) {
            client.renew_secret(used, secret.clone());
            client.name = name.clone();
            if let Some(connection) = world.host.clients.come(id, self.id) {
                world.host.notify(LaneId { connection, stream: StreamId::CONNECTION }, Notice::Replaced);
            }
        } else {
            world.host.clients.add(id, Client::new(secret.clone(), role, name.clone(), self.id));
        }
        let limits = world.host.options.limits;
        let is_far = world.now - call.answered >= world.host.options.pack_from;
        let codec = call.agreed.codecs().next().filter(|_| is_far);
        let guest = Guest {
            client: id,
            role,
            name,
            codec,
            agreed: call.agreed,
            frame_max: call.hello.limits.frame.clamp(FRAME_TAKEN_MIN, limits.frame) as usize,
            credit: call.hello.limits.credit.min(limits.credit),
        };
        let limits = crate::protocol::message::ServerLimits { credit: guest.credit, ..limits };
        let agent = world.host.options.agent.clone();
        self.message_max = guest.frame_max.min(READ_MAX);
        self.state = State::Inside(Box::new(guest));
        let welcome = Welcome { client: id, secret, role, resumed, limits, agent };
        self.send(StreamId::CONNECTION, Message::Welcome(Box::new(welcome)));
        self.known_as = Some(id);
        if resumed {
            self.returning = call.hello.resume;
        }
    }

    /// Who it was before, if it says so and proves it, to this run of the server and in the same role. Whatever of that
    /// does not hold, the answer is the same as for a stranger.
    fn recognise(&self, hello: &Hello, resume: Option<Mac>, seen: &Transcript<'_>, world: &World<'_>) -> Option<(ClientId, ResumeSecret)> {
        let (id, mac) = (hello.client?, resume?);
        let client = world.host.clients.get(id).filter(|client| client.role == hello.role)?;
        let used = client.proves(|secret| seen.resume_proof(secret) == mac)?;
        (hello.instance == Some(world.host.instance)).then_some((id, used))
    }

    /// Takes up the streams of a client that has come back. Call it after a frame was handled, once
    /// notices are delivered: where the client was connected still, its places are kept by then. Places that it did not name are
    /// kept for a while: it may ask for them by Spawn or Attach.
    pub fn settle_in(&mut self, world: &mut World<'_>) {
        for point in std::mem::take(&mut self.returning) {
            self.resume(&point, world);
        }
    }
}
