//! Texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthUnit {
    Characters,
    Bytes,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("text is required")]
    Required,
    #[error("too long")]
    TooLong { max: usize, unit: LengthUnit },
    #[error("control character")]
    ControlCharacter,
    #[error("slug")]
    InvalidSlug,
}
