//! Whether what a module imports is there.
//!
//! pytest reports a module whose import fails as an error, and has none of its tests. What code does when it
//! is imported cannot be known, but that a module or a name is missing can, once it is known where Python looks.
//! Imports in a branch or a `try` may be meant to fail.

use std::collections::HashSet;
use std::path::Path;

use super::names::Bound;
use super::program::{Found, Module};
use super::resolve::World;

/// The first import of a module that fails, itself or by what it imports: its line, and what is missing.
pub(super) fn missing<'a>(world: World<'a>, module: Module<'a>) -> Option<(u32, String)> {
    let mut seen = HashSet::new();
    let found = walk(world, module, &mut seen);
    if found.is_none() {
        world.modules.are_there(seen);
    }
    found
}

fn walk<'a>(
    world: World<'a>,
    module: Module<'a>,
    seen: &mut HashSet<&'a Path>,
) -> Option<(u32, String)> {
    if !seen.insert(module.path) || world.modules.is_known_to_be_there(module.path) {
        return None;
    }
    let bindings = module.names.iter().flat_map(|(_, bindings)| bindings);
    for binding in bindings.filter(|binding| !binding.conditional) {
        let (level, path, name) = match binding.bound {
            Bound::Module(path) => (0, path, None),
            Bound::From {
                level,
                module,
                name,
            } => (level, module, Some(name)),
            _ => continue,
        };
        let line = binding.line;
        match world.modules.find(module, level, path) {
            Found::Module(found) => {
                if let Some(name) = name.filter(|name| !has(world, found, name)) {
                    return Some((line, format!("{path}.{name}")));
                }
                if let Some((_, what)) = walk(world, found, seen) {
                    return Some((line, what));
                }
            }
            Found::Outside | Found::Unknown
                if level == 0 && world.modules.is_there(module.path, path) == Some(false) =>
            {
                return Some((line, path.to_owned()));
            }
            Found::Outside | Found::Unknown => {}
        }
    }
    // Packages are imported before the modules in them.
    for level in 1.. {
        let Found::Module(package) = world.modules.find(module, level, "") else {
            break;
        };
        if let Some((_, what)) = walk(world, package, seen) {
            return Some((1, what));
        }
    }
    None
}

/// Whether a module may have a name, or a module of that name in it.
fn has<'a>(world: World<'a>, module: Module<'a>, name: &str) -> bool {
    let names = &module.names;
    name == "*"
        || (name.starts_with("__") && name.ends_with("__"))
        || !names.get(name).is_empty()
        || !names.stars.is_empty()
        || !names.get("__getattr__").is_empty()
        || module.summary.rebinds.is_some()
        || world.modules.has_module(module.path, name)
}
