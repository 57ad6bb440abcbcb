//! pytest's rules for what a module's source means, one module each.

// What is made of a file is kept with all that was asked for it, so that nothing may be asked in another way.
#![deny(clippy::disallowed_methods)]

mod calls;
pub(crate) mod classes;
mod closure;
pub(crate) mod conftest;
pub(crate) mod effects;
mod eval;
pub(crate) mod fixtures;
pub(crate) mod functions;
pub(crate) mod ids;
mod imports;
pub(crate) mod marks;
pub(crate) mod module;
pub(crate) mod names;
mod operators;
mod outside;
pub(crate) mod parametrize;
pub(crate) mod program;
mod project_classes;
mod reorder;
pub(crate) mod resolve;
pub(crate) mod scope;
pub(crate) mod test_classes;
mod texts;
mod value;
