//! pytest's rules for what a module's source means, one module each.

pub(crate) mod classes;
pub(crate) mod conftest;
pub(crate) mod effects;
pub(crate) mod fixtures;
pub(crate) mod functions;
pub(crate) mod ids;
pub(crate) mod marks;
pub(crate) mod module;
pub(crate) mod names;
pub(crate) mod parametrize;
pub(crate) mod test_classes;
