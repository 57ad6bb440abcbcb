//! What a name or a chain of attributes stands for, through the modules of the project.

use std::cell::Cell;
use std::collections::HashSet;

use super::names::{Binding, Bound};
use super::program::{Found, Module, Modules};
use crate::syntax::{Class, Expr, Function};

/// What an expression stands for.
#[derive(Debug, Clone)]
pub(crate) enum Thing<'a> {
    Module(Module<'a>),
    Function(Module<'a>, &'a Function),
    Class(Module<'a>, &'a Class),
    /// The value of an expression in a module, and whether it may have been changed since.
    Value(Module<'a>, &'a Expr, Changed),
    /// Something that is not in a module that is read, by its absolute path: `pytest.mark`, `builtins.len`.
    Outside(String),
    Unknown,
}

/// Whether a value that can change may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    No,
    Perhaps,
}

/// How far names are followed.
const DEPTH: u32 = 16;
/// How many names are followed for one question: stars and names that are bound several times make many ways.
const MAX_STEPS: u32 = 5_000;

thread_local! {
    /// Of the question that is being answered on this thread.
    static STEPS: Cell<u32> = const { Cell::new(0) };
}

/// How much work the last question was.
pub(crate) fn steps() -> u32 {
    STEPS.get()
}

/// Counts so many names. None where they are too many.
fn step(names: usize) -> Option<()> {
    let more = u32::try_from(names).unwrap_or(MAX_STEPS);
    let steps = STEPS.get().saturating_add(more);
    STEPS.set(steps);
    (steps <= MAX_STEPS).then_some(())
}

/// What is known of all modules.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    pub(crate) modules: &'a (dyn Modules<'a> + 'a),
    /// Versions, where they are known.
    pub(crate) python: Option<(u32, u32)>,
    pub(crate) pytest: Option<(u32, u32)>,
}

impl<'a> World<'a> {
    /// What a name, or attributes of one, are in a module.
    pub(crate) fn thing(&self, at: Module<'a>, expr: &'a Expr) -> Thing<'a> {
        STEPS.set(0);
        self.follow(at, expr, DEPTH)
    }

    /// What a module has by a name.
    pub(crate) fn global(&self, at: Module<'a>, name: &str) -> Thing<'a> {
        STEPS.set(0);
        self.lookup(at, name, DEPTH)
    }

    /// What one binding of a name stands for.
    pub(crate) fn bound(&self, at: Module<'a>, binding: &Binding<'a>) -> Thing<'a> {
        STEPS.set(0);
        self.binding(at, binding.bound, DEPTH)
    }

    /// The absolute path of something outside of the modules that are read.
    pub(crate) fn path(&self, at: Module<'a>, expr: &'a Expr) -> Option<String> {
        match self.thing(at, expr) {
            Thing::Outside(path) => Some(path),
            _ => None,
        }
    }

    fn follow(&self, at: Module<'a>, expr: &'a Expr, depth: u32) -> Thing<'a> {
        let Some(depth) = depth.checked_sub(1) else {
            return Thing::Unknown;
        };
        match expr {
            Expr::Name(name) => self.lookup(at, name, depth),
            Expr::Attr(value, attr) => {
                let value = self.follow(at, value, depth);
                self.attribute(value, attr, depth)
            }
            other => Thing::Value(at, other, Changed::No),
        }
    }

    /// An attribute of a thing. One of a class or a value is for others to find.
    fn attribute(&self, value: Thing<'a>, attr: &str, depth: u32) -> Thing<'a> {
        match value {
            Thing::Outside(path) => Thing::Outside([&path, ".", attr].concat()),
            Thing::Module(module) => match self.lookup(module, attr, depth) {
                // A module has its own names only, and its package's modules once they are imported.
                Thing::Outside(path) if path.starts_with("builtins.") => self.inner(module, attr),
                thing => thing,
            },
            _ => Thing::Unknown,
        }
    }

    fn lookup(&self, at: Module<'a>, name: &str, depth: u32) -> Thing<'a> {
        let Some(depth) = depth.checked_sub(1).filter(|_| step(1).is_some()) else {
            return Thing::Unknown;
        };
        if at.summary.rebinds.is_some() {
            return Thing::Unknown;
        }
        let bindings = at.names.get(name);
        match bindings {
            [] => self.by_stars(at, name, depth),
            [one] if !one.conditional => self.changed(at, name, self.binding(at, one.bound, depth)),
            // `try: import a` and `except: import b` may still be the same.
            [first, rest @ ..] => match self.binding(at, first.bound, depth) {
                Thing::Outside(path) => {
                    let same = rest.iter().all(|binding| {
                        matches!(self.binding(at, binding.bound, depth), Thing::Outside(other) if other == path)
                    });
                    if same {
                        Thing::Outside(path)
                    } else {
                        Thing::Unknown
                    }
                }
                _ => Thing::Unknown,
            },
        }
    }

    fn changed(&self, at: Module<'a>, name: &str, thing: Thing<'a>) -> Thing<'a> {
        match thing {
            Thing::Value(module, expr, Changed::No) if at.is_exposed(name) => {
                Thing::Value(module, expr, Changed::Perhaps)
            }
            thing => thing,
        }
    }

    fn binding(&self, at: Module<'a>, bound: Bound<'a>, depth: u32) -> Thing<'a> {
        match bound {
            Bound::Function(function) => Thing::Function(at, function),
            Bound::Class(class) => Thing::Class(at, class),
            Bound::Value(expr) => match self.follow(at, expr, depth) {
                // An attribute of a class or a value, which an evaluation may know.
                Thing::Unknown => Thing::Value(at, expr, Changed::No),
                thing => thing,
            },
            Bound::Module(path) => match self.modules.find(at, 0, path) {
                Found::Module(module) => Thing::Module(module),
                Found::Outside => Thing::Outside(path.to_owned()),
                Found::Unknown => Thing::Unknown,
            },
            Bound::From {
                level,
                module,
                name,
            } => match self.modules.find(at, level, module) {
                Found::Outside => Thing::Outside([module, ".", name].concat()),
                // A package that imports one of its own modules.
                Found::Module(found) if found.path == at.path => self.inner(found, name),
                Found::Module(found) => self.member(found, name, depth),
                Found::Unknown => Thing::Unknown,
            },
            Bound::Unknown | Bound::Deleted => Thing::Unknown,
        }
    }

    /// What `from module import name` brings: what the module has by that name, or a module of the package.
    fn member(&self, module: Module<'a>, name: &str, depth: u32) -> Thing<'a> {
        match self.lookup(module, name, depth) {
            Thing::Outside(path) if path.starts_with("builtins.") => self.inner(module, name),
            thing => thing,
        }
    }

    /// A module of a package.
    fn inner(&self, package: Module<'a>, name: &str) -> Thing<'a> {
        match self.modules.find(package, 1, name) {
            Found::Module(inner) if is_package(package) => Thing::Module(inner),
            _ => Thing::Unknown,
        }
    }

    /// A name that a module does not bind itself: from a star import, or a builtin.
    fn by_stars(&self, at: Module<'a>, name: &str, depth: u32) -> Thing<'a> {
        for star in at.names.stars.iter().rev() {
            let Found::Module(module) = self.modules.find(at, star.level, star.module) else {
                return Thing::Unknown;
            };
            match self.exported(module, depth) {
                Some(names) if names.iter().any(|export| export == name) => {
                    return match star.conditional {
                        true => Thing::Unknown,
                        false => self.lookup(module, name, depth),
                    };
                }
                Some(_) => {}
                None => return Thing::Unknown,
            }
        }
        Thing::Outside(["builtins.", name].concat())
    }

    /// The names that a star import of a module brings, in the order of its namespace.
    pub(crate) fn exports(&self, module: Module<'a>) -> Option<Vec<String>> {
        STEPS.set(0);
        self.exported(module, DEPTH / 2)
    }

    fn exported(&self, module: Module<'a>, depth: u32) -> Option<Vec<String>> {
        let depth = depth.checked_sub(1)?;
        // Only as many as a file can hold are more than this allows.
        step(1 + module.names.iter().count() / 64)?;
        if module.summary.rebinds.is_some() {
            return None;
        }
        match module.names.get("__all__") {
            [] => {}
            [one] if !one.conditional && !module.is_exposed("__all__") => {
                let Bound::Value(Expr::List(items) | Expr::Tuple(items)) = one.bound else {
                    return None;
                };
                return super::marks::literal_names(items);
            }
            _ => return None,
        }
        let mut names: Vec<String> = Vec::new();
        let mut known = HashSet::new();
        let mut add = |name: &str| {
            if !name.starts_with('_') && known.insert(name.to_owned()) {
                names.push(name.to_owned());
            }
        };
        let mut stars = module.names.stars.iter().peekable();
        let own: Vec<&str> = module.names.iter().map(|(name, _)| name).collect();
        for position in 0..=own.len() {
            while let Some(star) = stars.next_if(|star| star.position <= position) {
                let inner = self.modules.find(module, star.level, star.module);
                let (Found::Module(inner), false) = (inner, star.conditional) else {
                    return None;
                };
                self.exported(inner, depth)?
                    .iter()
                    .for_each(|name| add(name));
            }
            own.get(position).iter().for_each(|name| add(name));
        }
        Some(names)
    }
}

fn is_package(module: Module<'_>) -> bool {
    module
        .path
        .file_name()
        .is_some_and(|name| name == "__init__.py")
}
