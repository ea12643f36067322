//! The loop to beat: wait, read every ready terminal once, wait again.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventData, EventFlags};

use super::pty::RawPty;
use crate::terminals::Terminals;

/// Terminals read by one thread from one `epoll`, level-triggered, 64 KiB at most per read.
pub(crate) struct EpollLoop {
    epoll: OwnedFd,
    ptys: Vec<RawPty>,
    events: Vec<Event>,
    buffer: Vec<u8>,
}

impl EpollLoop {
    /// Watches `ptys`, in this order.
    pub(crate) fn new(ptys: Vec<RawPty>) -> io::Result<EpollLoop> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (index, pty) in ptys.iter().enumerate() {
            pty.set_nonblocking()?;
            epoll::add(&epoll, pty, EventData::new_u64(index as u64), EventFlags::IN)?;
        }
        let events = Vec::with_capacity(ptys.len().clamp(1, 64));
        Ok(EpollLoop { epoll, ptys, events, buffer: vec![0; 64 << 10] })
    }
}

impl Terminals for EpollLoop {
    fn write(&mut self, terminal: usize, bytes: &[u8]) -> io::Result<()> {
        rustix::io::write(&self.ptys[terminal], bytes)?;
        Ok(())
    }

    fn turn(&mut self, timeout: Duration, on_read: &mut dyn FnMut(usize, &[u8])) -> io::Result<()> {
        let timeout = Timespec { tv_sec: timeout.as_secs() as _, tv_nsec: timeout.subsec_nanos() as _ };
        self.events.clear();
        epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&timeout))?;
        for event in &self.events {
            let terminal = event.data.u64() as usize;
            let len = rustix::io::read(&self.ptys[terminal], &mut self.buffer)?;
            on_read(terminal, &self.buffer[..len]);
        }
        Ok(())
    }
}
