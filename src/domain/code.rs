//! Enums that are written as fixed words: in the database, in the log, on the wire of other systems.

/// What every such enum can do; storage reads and writes them through this.
pub trait Word: Copy + Sized {
    /// The fixed word of this value.
    fn as_str(self) -> &'static str;

    /// The value a word stands for, or `None` where it stands for nothing.
    fn from_word(word: &str) -> Option<Self>;
}

/// Declares an enum whose every value has one fixed word, with `ALL`, `as_str` and `from_word`.
///
/// The word is what storage and the log hold; changing one is a migration.
macro_rules! coded_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $word:literal),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $word)] $variant),+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The fixed word of this value.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word),+
                }
            }

            /// The value a word stands for, or `None` where it stands for nothing.
            pub fn from_word(word: &str) -> Option<$name> {
                match word {
                    $($word => Some($name::$variant),)+
                    _ => None,
                }
            }
        }

        impl $crate::domain::code::Word for $name {
            fn as_str(self) -> &'static str {
                $name::as_str(self)
            }

            fn from_word(word: &str) -> Option<$name> {
                $name::from_word(word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use coded_enum;
