//! Everything that only looks: through a `View`, which is the page as one audience sees it at one moment.

pub mod audit;
pub mod component;
pub mod incident;
mod loader;
pub mod log;
pub mod maintenance;
pub mod page;
pub mod token;
mod version;
mod view;
mod window;

pub use loader::Loader;
pub use view::{Moment, Parts, View};
pub use window::{Key, Slice, Window};
