//! Until the client is in: Hello, the server's proof, its own, Welcome.

use bytes::Bytes;

use super::unpacking::Unpacking;
use super::{Breach, ClientPeer, Loss, State};
use crate::limits::{FRAME_BEFORE_PROOF_MAX, NAME_CHARS_MAX};
use crate::protocol::frame::{Frame, StreamId};
use crate::protocol::handshake::{Nonce, Transcript};
use crate::protocol::kind::Kind;
use crate::protocol::label;
use crate::protocol::message::{Challenge, Hello, InstanceId, Message, Proof, ResumePoint};
use crate::protocol::negotiation::{Features, grease_feature, grease_frame};
use crate::time::Time;

/// A Hello that was sent, and what came back.
pub(super) struct Call {
    /// What was offered, nonsense included.
    offered: Features,
    hello: Bytes,
    /// The frame as it came, and what it says.
    challenge: Option<(Bytes, Challenge)>,
    /// Decides which nonsense is sent.
    grease: u64,
}

impl ClientPeer {
    /// Says Hello over a link that was just opened.
    pub(super) fn call(&mut self, random: &mut dyn FnMut(&mut [u8]), now: Time) {
        let (mut nonce, mut grease) = ([0; 32], [0; 8]);
        random(&mut nonce);
        random(&mut grease);
        let grease = u64::from_le_bytes(grease);
        let options = &self.options;
        let offered = options.features.clone().with(&grease_feature(grease), &[]);
        let point = |(stream, lane): (&StreamId, &super::lane::Lane)| {
            let session = lane.session.filter(|_| lane.is_held())?;
            Some(ResumePoint { stream: *stream, session, offset: lane.received() })
        };
        let mut hello = Hello {
            versions: options.versions,
            role: options.pass.role(),
            nonce: Nonce::from_bytes(nonce),
            features: offered.clone(),
            limits: options.limits,
            agent: label::clean(&options.agent, NAME_CHARS_MAX),
            name: label::clean(&options.name, NAME_CHARS_MAX),
            client: self.former().map(|known| known.client),
            instance: self.former().map(|known| known.instance),
            resume: self.former().iter().flat_map(|_| self.lanes.iter().filter_map(point)).take(POINTS_MAX).collect(),
        };
        let mut frame = Message::Hello(Box::new(hello.clone())).into_frame(StreamId::CONNECTION);
        while frame.encoded_len() > FRAME_BEFORE_PROOF_MAX && hello.resume.pop().is_some() {
            // Streams that found no room are attached again, one by one.
            frame = Message::Hello(Box::new(hello.clone())).into_frame(StreamId::CONNECTION);
        }
        self.listed = hello.resume.iter().map(|point| point.stream).collect();
        let call = Call { offered, hello: frame.to_bytes(), challenge: None, grease };
        self.state = State::Called { since: now, call: Box::new(call) };
        self.push(frame);
    }

    /// A message from somebody who has not proved anything; `frame` is as it came.
    pub(super) fn enter(&mut self, message: Message, frame: &Bytes, now: Time) -> Result<(), Breach> {
        let State::Called { call, .. } = &mut self.state else { return Ok(()) };
        match (message, call.challenge.take()) {
            (Message::Challenge(challenge), None) => {
                if !self.options.versions.contains(challenge.version) {
                    return Err(Breach::version(self.options.versions, challenge.version));
                }
                if !call.offered.cover(&challenge.features) {
                    return Err(Breach::Features);
                }
                call.challenge = Some((frame.clone(), *challenge));
                Ok(())
            }
            (Message::Proof(proof), Some((raw, challenge))) => {
                let seen = Transcript { authority: &self.options.authority, hello: &call.hello, challenge: &raw };
                if seen.server_proof(&self.options.pass) != proof.mac {
                    // Not a word more to a stranger, our own proof least of all.
                    self.lose(Loss::Impostor, now);
                    return Ok(());
                }
                let former = self.known.as_ref().filter(|known| !known.replaced);
                let resume = former.map(|known| seen.resume_proof(&known.secret));
                let mac = seen.client_proof(&self.options.pass);
                let (instance, grease) = (challenge.instance, call.grease);
                self.unpacking = Unpacking::new(challenge.features.codecs());
                self.prove(Proof { mac, resume }, grease_frame(grease), instance, now);
                Ok(())
            }
            (Message::Goodbye(goodbye), _) => {
                self.lose(Loss::Goodbye(*goodbye), now);
                Ok(())
            }
            _ => {
                let kind = Kind::from_code(frame.first().copied().unwrap_or_default()).unwrap_or(Kind::Hello);
                Err(Breach::Unexpected { kind, stream: StreamId::CONNECTION })
            }
        }
    }

    fn prove(&mut self, proof: Proof, nonsense: Frame, instance: InstanceId, now: Time) {
        self.state = State::Proved { since: now, instance };
        self.push(Message::Proof(Box::new(proof)).into_frame(StreamId::CONNECTION));
        self.push(nonsense); // So that a server which chokes on the unknown is found early.
    }
}

/// More than fit into a Hello: each takes 26 bytes at least.
const POINTS_MAX: usize = FRAME_BEFORE_PROOF_MAX / 26;
