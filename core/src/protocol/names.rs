//! Enums that travel as text, each name written once.

/// An enum whose values have names on the wire. A value after `or` stands for the names that this version does not know.
macro_rules! named {
    (
        $(#[$about:meta])*
        pub enum $Name:ident $(or $Other:ident)? {
            $($(#[$doc:meta])* $Value:ident = $text:literal,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $Name {
            $($(#[$doc])* $Value,)+
            $(/// A name that this version does not know.
            $Other,)?
        }

        impl $Name {
            /// All that have a name, in the order of the specification.
            pub const ALL: &'static [$Name] = &[$($Name::$Value),+];

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($Name::$Value => $text,)+
                    $($Name::$Other => "unknown",)?
                }
            }

            /// The value of this name, if this version knows it.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == name)
            }
        }

        impl std::fmt::Display for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $Name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $Name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let name = String::deserialize(from)?;
                let known = Self::from_name(&name);
                $(let known = known.or(Some($Name::$Other));)?
                known.ok_or_else(|| serde::de::Error::custom(format_args!("`{name}` is no {}", stringify!($Name).to_lowercase())))
            }
        }
    };
}

pub(super) use named;
