//! A client and whoever sits before it: shows what comes, notices every byte that is missing or doubled.

use std::collections::BTreeMap;

use orchflow_core::peer::client::{ClientOptions, ClientPeer, Event, Loss, Past};
use orchflow_core::protocol::frame::{FrameDecoder, StreamId};
use orchflow_core::protocol::message::{Attached, Ended, Gap, Spawned};
use orchflow_core::protocol::token::Role;
use orchflow_core::pty::ExitStatus;
use orchflow_core::time::Time;

use crate::server::{AUTHORITY, token};

pub(crate) struct User {
    pub(crate) client: ClientPeer,
    pub(crate) decoder: FrameDecoder,
    pub(crate) screens: BTreeMap<StreamId, Screen>,
    /// What else happened.
    pub(crate) told: Vec<Event>,
    pub(crate) losses: Vec<Loss>,
    pub(crate) pasts: Vec<Past>,
    /// Whether it renders what comes.
    pub(crate) renders: bool,
    /// Whether it has to dial; whether it has hung up.
    pub(crate) dials: bool,
    pub(crate) hung_up: bool,
}

/// What one stream has shown.
#[derive(Default)]
pub(crate) struct Screen {
    pub(crate) spawned: Option<Spawned>,
    pub(crate) attached: Vec<Attached>,
    /// Where it began, and everything since but for the gaps.
    pub(crate) start: u64,
    pub(crate) at: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) settled: u64,
    /// How the process ended, each time it was told.
    pub(crate) exits: Vec<ExitStatus>,
    pub(crate) ended: Option<Ended>,
    /// Where output ends that nobody here may answer.
    pub(crate) replayed: u64,
    /// Compares what comes with what a flood prints, instead of keeping it.
    pub(crate) floods: bool,
}

impl User {
    pub(crate) fn new(role: Role, seed: u64) -> User {
        User::with(ClientOptions::new(token().pass(role), AUTHORITY), seed)
    }

    pub(crate) fn with(options: ClientOptions, seed: u64) -> User {
        User {
            client: ClientPeer::new(options, seed),
            decoder: FrameDecoder::new(4096),
            screens: BTreeMap::new(),
            told: Vec::new(),
            losses: Vec::new(),
            pasts: Vec::new(),
            renders: true,
            dials: false,
            hung_up: false,
        }
    }

    pub(crate) fn screen(&self, stream: StreamId) -> &Screen {
        &self.screens[&stream]
    }

    /// Deals with what happened.
    pub(crate) fn look(&mut self) {
        while let Some(event) = self.client.poll_event() {
            match event {
                Event::Dial => self.dials = true,
                Event::HangUp => self.hung_up = true,
                Event::Lost { why, .. } => self.losses.push(why),
                Event::Welcome(welcomed) => self.pasts.push(welcomed.past),
                Event::Spawned { stream, spawned } => self.screens.entry(stream).or_default().spawned = Some(spawned),
                Event::Attached { stream, attached } => self.screens.entry(stream).or_default().attach(attached),
                Event::Output { stream, offset, bytes, replay, .. } => {
                    let screen = self.screens.get_mut(&stream).unwrap();
                    screen.show(offset, &bytes);
                    screen.replayed = if replay { screen.at } else { screen.replayed };
                    self.render(stream);
                }
                Event::Gap { stream, gap } => {
                    let screen = self.screens.get_mut(&stream).unwrap();
                    assert_eq!(gap.from, screen.at);
                    assert!(gap.to > gap.from);
                    screen.at = gap.to;
                    screen.gaps.push(gap);
                    self.render(stream);
                }
                Event::Settled { stream, sequence } => self.screens.get_mut(&stream).unwrap().settled = sequence,
                Event::Exit { stream, ended } => {
                    let screen = self.screens.get_mut(&stream).unwrap();
                    assert_eq!(ended.offset, screen.at);
                    screen.ended = Some(ended);
                }
                Event::ProcessExited { stream, exited } => self.screens.get_mut(&stream).unwrap().exits.push(exited.status),
                Event::Viewers { .. } => {} // Told again after each break.
                other => self.told.push(other),
            }
        }
    }

    /// Renders what it has, if it does.
    pub(crate) fn render(&mut self, stream: StreamId) {
        if self.renders {
            self.client.rendered(stream, self.screens[&stream].at);
        }
    }

    pub(crate) fn saw(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.told.iter().any(wanted)
    }

    pub(crate) fn is_due(&self, now: Time) -> bool {
        self.client.poll_timeout().is_some_and(|at| at <= now)
    }
}

impl Screen {
    fn attach(&mut self, attached: Attached) {
        if self.spawned.is_none() && self.attached.is_empty() {
            (self.start, self.at) = (attached.start, attached.start);
        }
        assert_eq!(attached.start, self.at, "it goes on where it was");
        self.attached.push(attached);
    }

    fn show(&mut self, offset: u64, bytes: &[u8]) {
        assert_eq!(offset, self.at, "bytes are missing or doubled");
        self.at += bytes.len() as u64;
        if self.floods {
            assert!(bytes == flood(offset, bytes.len()), "other bytes than were printed, from {offset} on");
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }
}

/// What a flood prints from `offset` on.
fn flood(offset: u64, len: usize) -> Vec<u8> {
    let (first, skipped) = (offset / 16, (offset % 16) as usize);
    let mut text = String::with_capacity(len + 48);
    for cell in first..=first + (len as u64 + 31) / 16 {
        use std::fmt::Write;
        write!(text, "{cell:015};").unwrap();
    }
    text.as_bytes()[skipped..skipped + len].to_vec()
}
