//! Every memory ordering of the ring in one table: who pairs with whom, and what breaks without it.
//!
//! Under the model checker each entry can be weakened, and each check dropped, by naming it in the
//! environment variable `ORCHFLOW_MUTANT`; the models must then fail (`cargo xtask test mutants`). So no entry is
//! stronger than the ring needs, and none weaker. In every other build these are constants.

use super::sync::{Ordering, fence};

/// Makes one function per site. `Relaxed` is what a mutant gets instead; a read-modify-write that both acquires
/// and releases gives two mutants, each losing one half.
macro_rules! orderings {
    ($($(#[doc = $why:literal])* $site:ident: $order:ident;)*) => {
        $($(#[doc = $why])*
        #[inline(always)]
        pub(super) fn $site() -> Ordering {
            orderings!(@weaken $order, stringify!($site))
        })*

        /// The names of the mutants that weaken an ordering.
        #[cfg(all(test, orchflow_loom))]
        pub(super) const ORDERING_MUTANTS: &[&[&str]] = &[$(orderings!(@names $order, stringify!($site))),*];
    };
    (@weaken AcqRel, $name:expr) => {
        if mutant(concat!($name, ".acquire")) {
            Ordering::Release
        } else if mutant(concat!($name, ".release")) {
            Ordering::Acquire
        } else {
            Ordering::AcqRel
        }
    };
    (@weaken $order:ident, $name:expr) => {
        if mutant($name) { Ordering::Relaxed } else { Ordering::$order }
    };
    (@names AcqRel, $name:expr) => {
        &[concat!($name, ".acquire"), concat!($name, ".release")]
    };
    (@names $order:ident, $name:expr) => {
        &[$name]
    };
}

orderings! {
    /// The writer opens a segment, then counts it. Pairs with `tail_load`: who knows of a segment sees it whole
    /// (slot, base, storage), and sees the final length of every segment before it.
    tail_store: Release;
    /// See `tail_store`.
    tail_load: Acquire;
    /// The writer moves the oldest retained segment on. Pairs with `first_load`: a reader that jumps there sees that
    /// segment opened.
    first_store: Release;
    /// See `first_store`.
    first_load: Acquire;
    /// The writer publishes bytes. Pairs with `len_load`: who sees the length sees the bytes.
    len_store: Release;
    /// See `len_store`.
    len_load: Acquire;
    /// A reader looks whether the log has ended. Pairs with the fence after each append (`fence_published`), which makes
    /// the later store a release: who sees the end sees every byte before it.
    closed_load: Acquire;
    /// A descriptor is put to a new use. Pairs with `pin_load`: who finds it in another generation also finds where the
    /// log now begins, though it never saw the eviction in between. (After an append its fence would do; not after
    /// a history was shrunk.)
    open_store: Release;
    /// A reader looks at a segment before it pins it. Pairs with the release half of `evict` and with `open_store`: who
    /// finds the segment gone also finds where the log now begins, so it does not search in vain. (A pin that
    /// succeeds needs no ordering of its own: `tail_load` has shown the segment.)
    pin_load: Acquire;
    /// The writer gives a segment up. Acquire: if no pin is left it takes the storage, after every read that an
    /// `unpin` released. Release: see `pin_load`; and the last reader that takes the storage instead comes after
    /// every write.
    evict: AcqRel;
    /// A reader lets go. Release: its reads come before whoever takes the storage. Acquire: if that is itself,
    /// it comes after everyone else's reads.
    unpin: AcqRel;
    /// The emptied descriptor goes to the writer. Pairs with `free_take`: the storage was taken out before it is
    /// put in anew.
    free_push: Release;
    /// See `free_push`.
    free_take: Acquire;
}

/// One side of a store-then-load handshake: either we see what the other side stored, or it sees ours.
#[inline(always)]
pub(super) fn handshake(site: &'static str) {
    if !mutant(site) {
        fence(Ordering::SeqCst);
    }
}

/// Whether a check holds. A mutant that drops the check takes it as held.
#[inline(always)]
pub(super) fn check(site: &'static str, holds: bool) -> bool {
    holds || mutant(site)
}

/// The writer has published, or closed, and now looks for parked readers.
pub(super) const FENCE_PUBLISHED: &str = "fence_published";
/// A reader has parked and now looks for bytes once more.
pub(super) const FENCE_PARKED: &str = "fence_parked";
/// A chunk was dropped and its reader's account settled; now for whether the reader waits for that.
pub(super) const FENCE_DISCHARGED: &str = "fence_discharged";
/// A reader has acknowledged, or gone, and now looks whether the writer waits.
pub(super) const FENCE_ACKED: &str = "fence_acked";
/// The writer has said that it waits and now looks at the acknowledgements once more.
pub(super) const FENCE_WAITING: &str = "fence_waiting";
/// A log has asked for relief of the pool and now tries to take once more.
pub(super) const FENCE_STARVING: &str = "fence_starving";
/// A buffer has come back to the pool and now somebody looks whether that is waited for.
pub(super) const FENCE_RELIEVED: &str = "fence_relieved";
/// The generation in a segment's word is the one the reader came for.
pub(super) const CHECK_GENERATION: &str = "check_generation";
/// The segment has not been given up.
pub(super) const CHECK_EVICTED: &str = "check_evicted";
/// The word has not changed between the look and the pin.
pub(super) const CHECK_PIN_CAS: &str = "check_pin_cas";
/// The storage is taken only when no pin is left.
pub(super) const CHECK_LAST_PIN: &str = "check_last_pin";
/// A reader looks once more after it has parked.
pub(super) const CHECK_SECOND_LOOK: &str = "check_second_look";

#[cfg(not(orchflow_loom))]
#[inline(always)]
const fn mutant(_: &'static str) -> bool {
    false
}

#[cfg(orchflow_loom)]
fn mutant(name: &str) -> bool {
    use std::sync::OnceLock;
    static CHOSEN: OnceLock<Option<String>> = OnceLock::new();
    CHOSEN.get_or_init(|| std::env::var("ORCHFLOW_MUTANT").ok()).as_deref() == Some(name)
}

/// The names of the mutants that drop a fence or a check.
#[cfg(all(test, orchflow_loom))]
pub(super) const CHECK_MUTANTS: &[&str] = &[
    FENCE_PUBLISHED,
    FENCE_PARKED,
    FENCE_DISCHARGED,
    FENCE_ACKED,
    FENCE_WAITING,
    FENCE_STARVING,
    FENCE_RELIEVED,
    CHECK_GENERATION,
    CHECK_EVICTED,
    CHECK_PIN_CAS,
    CHECK_LAST_PIN,
    CHECK_SECOND_LOOK,
];
