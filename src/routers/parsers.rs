//! Whatever here reads the bytes of a stranger: fuzz targets and property tests enter by this door, and nobody else does.

pub use super::body::{Form, form, json};
pub use super::client::{Unproven, basic};
pub use super::cookies::{Presented, devices, presented};
pub use super::gateway::{login_location, way_back as forwarded_way_back};
pub use super::pages::way_back;
pub use super::request::{Bearer, address, bearer, knows};
