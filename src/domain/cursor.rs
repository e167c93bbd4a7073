//! To come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch(pub [u8; 8]);
use crate::domain::audience::Audience;
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamId {
    pub page: uuid::Uuid,
    pub audience: Audience,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub stream: StreamId,
    pub epoch: Epoch,
    pub number: u64,
}
#[derive(Debug, thiserror::Error)]
#[error("invalid")]
pub struct CursorInvalid;
#[derive(Debug, thiserror::Error)]
#[error("wrong")]
pub struct WrongStream;
impl Epoch {
    pub fn to_hex(self) -> String {
        String::new()
    }
    pub fn from_hex(_: &str) -> Option<Epoch> {
        None
    }
}
