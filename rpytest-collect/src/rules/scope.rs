//! How long a fixture or a parameter lasts.

use super::value::Value;

/// pytest's scopes, the narrowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Scope {
    Function,
    Class,
    Module,
    Package,
    Session,
}

impl Scope {
    /// The value of a `scope` argument. None for a function that chooses one, and for no scope.
    pub(crate) fn of(value: &Value<'_>) -> Option<Self> {
        let Value::Str(name) = value else {
            return None;
        };
        Some(match &**name {
            "function" => Scope::Function,
            "class" => Scope::Class,
            "module" => Scope::Module,
            "package" => Scope::Package,
            "session" => Scope::Session,
            _ => return None,
        })
    }
}
