//! What a hub counts about itself.

use std::ffi::c_char;

use orchflow_core::metrics::openmetrics::{BuildInfo, render};
use orchflow_core::metrics::{HistogramSnapshot, MetricsSnapshot, Operation};

use crate::handle::on;
use crate::hub::{HubHandle, OrchHub};
use crate::sized::{self, Growing};
use crate::status::*;
use crate::values::copy_out;

/// The numbers of one hub at one moment. Counters only grow.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OrchMetrics {
    /// Bytes of this struct: ORCH_INIT sets it.
    pub size: usize,
    /// Sessions there are.
    pub sessions_active: u64,
    /// Sessions there ever were.
    pub sessions: u64,
    /// Output read, in bytes.
    pub output_bytes: u64,
    /// Reads that returned output.
    pub reads: u64,
    /// Input accepted, in bytes.
    pub input_bytes: u64,
    /// Accepted input that was discarded, in bytes.
    pub input_dropped_bytes: u64,
    /// Times a program had to wait for a slow reader.
    pub pauses: u64,
    /// Programs that wait for one now.
    pub paused: u64,
    /// Gaps told to readers.
    pub gaps: u64,
    /// Output missing in those gaps, in bytes.
    pub gap_bytes: u64,
    /// Viewers that became lossy ones.
    pub viewers_demoted: u64,
    /// Processes that left something behind.
    pub orphans: u64,
    /// Output buffers in use, in bytes.
    pub pool_bytes: u64,
    /// Output buffers allowed, in bytes.
    pub pool_limit_bytes: u64,
    /// Rounds of dispatch.
    pub dispatch_turns: u64,
    /// Half of all spawns took no longer, in nanoseconds; 0 without any.
    pub spawn_p50_ns: u64,
    /// 99 of 100 spawns took no longer.
    pub spawn_p99_ns: u64,
    /// Half of all writes took no longer, in nanoseconds; 0 without any.
    pub write_p50_ns: u64,
    /// 99 of 100 writes took no longer.
    pub write_p99_ns: u64,
}

// SAFETY: numbers.
unsafe impl Growing for OrchMetrics {
    const NAME: &'static str = "OrchMetrics";
}

impl From<MetricsSnapshot> for OrchMetrics {
    fn from(now: MetricsSnapshot) -> OrchMetrics {
        let quantile = |histogram: &HistogramSnapshot, q| histogram.quantile_ns(q).unwrap_or(0);
        let (spawn, write) = (now.operation(Operation::Spawn), now.operation(Operation::Input));
        OrchMetrics {
            size: 0,
            sessions_active: now.sessions_active,
            sessions: now.sessions,
            output_bytes: now.output_bytes,
            reads: now.reads,
            input_bytes: now.input_bytes,
            input_dropped_bytes: now.input_dropped_bytes,
            pauses: now.pauses,
            paused: now.paused,
            gaps: now.gaps,
            gap_bytes: now.gap_bytes,
            viewers_demoted: now.viewers_demoted,
            orphans: now.orphans,
            pool_bytes: now.pool_bytes,
            pool_limit_bytes: now.pool_limit_bytes,
            dispatch_turns: now.dispatch_turns,
            spawn_p50_ns: quantile(spawn, 0.5),
            spawn_p99_ns: quantile(spawn, 0.99),
            write_p50_ns: quantile(write, 0.5),
            write_p99_ns: quantile(write, 0.99),
        }
    }
}

/// Tells what a hub counts about itself.
///
/// @param hub  The hub.
/// @param out  Where to store it; made by ORCH_INIT.
/// @return ORCH_OK; ORCH_NULL; ORCH_INVALID if `out->size` is none; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_hub_metrics(hub: *const OrchHub, out: *mut OrchMetrics) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe { on(hub, |hub: &HubHandle| sized::write(out, "out", hub.hub.metrics().into())) }
}

/// The same and more as OpenMetrics text, for whoever scrapes it.
///
/// @param hub  The hub.
/// @param buf  Where to store it: UTF-8, without a NUL.
/// @param cap  Room there, in bytes.
/// @param len  Where to store its length in bytes, also when it does not fit; it may be longer the next time.
/// @return ORCH_OK; ORCH_TOO_SMALL; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
/// @threads Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn orch_hub_metrics_text(hub: *const OrchHub, buf: *mut c_char, cap: usize, len: *mut usize) -> OrchStatus {
    // SAFETY: by the conventions.
    unsafe {
        on(hub, |hub: &HubHandle| {
            let text = render(&hub.hub.metrics(), &BuildInfo::CURRENT);
            copy_out(text.as_bytes(), buf.cast(), cap, len)
        })
    }
}
