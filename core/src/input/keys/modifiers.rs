//! The keys that are held while another is pressed.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// A set of Shift, Alt, Ctrl and Meta. The bits are xterm's: a sequence's modifier parameter is one more than them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Modifiers(u8);

impl Modifiers {
    /// Nothing held.
    pub const NONE: Modifiers = Modifiers(0);
    /// Shift.
    pub const SHIFT: Modifiers = Modifiers(1);
    /// Alt, or Option.
    pub const ALT: Modifiers = Modifiers(2);
    /// Control.
    pub const CTRL: Modifiers = Modifiers(4);
    /// Meta, where a keyboard has it beside Alt.
    pub const META: Modifiers = Modifiers(8);

    /// Each with its name, in the order in which a press is written.
    pub(super) const NAMED: [(Modifiers, &'static str); 4] =
        [(Modifiers::CTRL, "ctrl"), (Modifiers::ALT, "alt"), (Modifiers::SHIFT, "shift"), (Modifiers::META, "meta")];

    /// The set with these bits (1 Shift, 2 Alt, 4 Ctrl, 8 Meta), or `None` when another is set.
    pub const fn from_bits(bits: u8) -> Option<Modifiers> {
        if bits < 16 { Some(Modifiers(bits)) } else { None }
    }

    /// The set's bits, for other languages.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether nothing is held.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `others` are held.
    pub const fn contains(self, others: Modifiers) -> bool {
        self.0 & others.0 == others.0
    }

    /// Whether any of `others` is held.
    pub const fn intersects(self, others: Modifiers) -> bool {
        self.0 & others.0 != 0
    }

    /// The set without `others`.
    pub const fn without(self, others: Modifiers) -> Modifiers {
        Modifiers(self.0 & !others.0)
    }

    /// The parameter that stands for the set in a sequence: 1, for nothing held, to 16.
    pub(super) const fn parameter(self) -> u32 {
        1 + self.0 as u32
    }
}

impl BitOr for Modifiers {
    type Output = Modifiers;

    fn bitor(self, other: Modifiers) -> Modifiers {
        Modifiers(self.0 | other.0)
    }
}

impl BitOrAssign for Modifiers {
    fn bitor_assign(&mut self, other: Modifiers) {
        *self = *self | other;
    }
}

impl fmt::Display for Modifiers {
    /// As a prefix: `ctrl+shift+`, or nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Modifiers::NAMED.iter().filter(|(held, _)| self.contains(*held)).try_for_each(|(_, name)| write!(f, "{name}+"))
    }
}
