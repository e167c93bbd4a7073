//! Everything that only looks: through a `View`, which is the page as one audience sees it at one moment.

pub mod audit;
pub mod component;
pub mod incident;
mod loader;
pub mod log;
pub mod maintenance;
pub mod page;
mod source;
pub mod token;
mod version;
mod view;
mod window;

pub use loader::Loader;
pub use source::Basis;
pub use view::{Moment, View};
pub use window::{Key, Slice, Window};
