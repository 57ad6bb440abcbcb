//! Code that runs while a module is imported, and what it may do to the tests in it.

use super::classes;
use super::marks;
use super::module::{ModuleCollector, mentions_test_cases};
use super::names::Bound;
use super::program::{Found, Module};
use super::resolve::Thing;
use crate::Reason;
use crate::syntax::{Called, Expr, Stmt, StmtKind, contains};

impl<'a> ModuleCollector<'a> {
    /// Whether a value may be a class that was made on the spot.
    pub(super) fn may_make_class(&self, at: Module<'a>, value: &'a Expr) -> bool {
        match value {
            Expr::Opaque(_) => true,
            Expr::Call { func, .. } => match self.rules.world.thing(at, func) {
                Thing::Outside(path) => {
                    !(path.starts_with("typing.")
                        || matches!(
                            path.as_str(),
                            "collections.namedtuple"
                                | "enum.Enum"
                                | "enum.IntEnum"
                                | "dataclasses.make_dataclass"
                        ))
                }
                // It can only make a test case if its module knows of them.
                Thing::Function(module, _) => mentions_test_cases(module),
                // An instance of a class without a metaclass is no class.
                Thing::Class(module, class) => {
                    mentions_test_cases(module)
                        && classes::lineage(self.rules.world, &[], module, class)
                            .map_or(true, |lineage| lineage.has_keywords || lineage.has_foreign)
                }
                _ => self.root_knows_test_cases(at, func),
            },
            _ => false,
        }
    }

    /// Whether the module from which the root of an expression comes has test cases.
    pub(super) fn root_knows_test_cases(&self, at: Module<'a>, expr: &'a Expr) -> bool {
        let mut root = expr;
        while let Expr::Attr(value, _) = root {
            root = value;
        }
        let Expr::Name(root) = root else { return true };
        let modules = self.rules.world.modules;
        at.names.get(root).iter().any(|binding| {
            let found = match binding.bound {
                Bound::From { level, module, .. } => modules.find(at, level, module),
                Bound::Module(path) => modules.find(at, 0, path),
                _ => return true,
            };
            match found {
                Found::Module(module) => mentions_test_cases(module),
                _ => true,
            }
        })
    }

    /// Whether a function that is called on import may leave the module by a skip.
    pub(super) fn may_skip(&self, called: Called<'a>) -> bool {
        let root = match called {
            Called::Name(name) => name,
            Called::Expr(function) => {
                let mut root = function;
                while let Expr::Attr(value, _) = root {
                    root = value;
                }
                let Expr::Name(root) = root else { return false };
                root
            }
        };
        if self.own.names.get(root).is_empty() {
            return false;
        }
        let skips = |module: Module<'a>| {
            let words = module.words.as_bytes();
            let can = contains(words, "pytest") || contains(words, "unittest");
            can && (contains(words, "skip") || contains(words, "Skip"))
        };
        let helper = |path: &str| {
            ["test", "support", "helper"]
                .iter()
                .any(|word| path.contains(word))
        };
        let global = || self.rules.world.global(self.own, root);
        let thing = match called {
            Called::Name(_) => global(),
            Called::Expr(function) => match self.rules.world.thing(self.own, function) {
                Thing::Unknown => global(),
                thing => thing,
            },
        };
        match thing {
            Thing::Function(module, _) | Thing::Class(module, _) | Thing::Module(module) => {
                skips(module)
            }
            Thing::Outside(path) => {
                let known = ["unittest", "pytest", "builtins"];
                let top = path.split('.').next().unwrap_or_default();
                !known.contains(&top) && helper(&path)
            }
            Thing::Value(..) => false,
            Thing::Unknown => self
                .own
                .names
                .get(root)
                .iter()
                .any(|binding| match binding.bound {
                    Bound::From {
                        level,
                        module,
                        name,
                    } => level > 0 || helper(module) || helper(name),
                    Bound::Module(path) => helper(path),
                    Bound::Function(_) | Bound::Class(_) => skips(self.own),
                    _ => false,
                }),
        }
    }

    /// Whether an expression has a test case class in it, by its import or its own name.
    pub(super) fn mentions_test_case(&self, value: &Expr) -> bool {
        match value {
            Expr::Attr(inner, attr) => attr.contains("TestCase") || self.mentions_test_case(inner),
            Expr::Call {
                func,
                args,
                keywords,
            } => {
                self.mentions_test_case(func)
                    || args.iter().any(|arg| self.mentions_test_case(arg))
                    || keywords
                        .iter()
                        .any(|(_, value)| self.mentions_test_case(value))
            }
            Expr::Tuple(items) | Expr::List(items) => {
                items.iter().any(|item| self.mentions_test_case(item))
            }
            other => {
                let mut found = false;
                other.names(&mut |name| found |= name.contains("TestCase"));
                found
            }
        }
    }

    pub(super) fn touch(&mut self, line: u32, name: &str) {
        if self.of_interest.contains(name) {
            self.reasons.push(Reason::NameTouched {
                name: name.to_owned(),
                line,
            });
        }
    }

    /// Code that runs on import and has a test in its hands may do anything with it.
    pub(super) fn effects(&mut self, body: &'a [Stmt]) {
        for stmt in body {
            let mut touch = |expr: &'a Expr| {
                expr.names(&mut |name| self.touch(stmt.line, name));
                let mut skips = false;
                expr.calls(&mut |function| skips |= self.may_skip(function));
                if skips {
                    self.reasons.push(Reason::ModuleSkip { line: stmt.line });
                }
            };
            match &stmt.kind {
                StmtKind::Expr(value) => touch(value),
                StmtKind::Assign { targets, value } => {
                    // Another name for the same thing changes nothing about it.
                    if !matches!(value, Expr::Name(_)) {
                        touch(value);
                    }
                    for target in targets {
                        if !matches!(target, Expr::Name(_)) {
                            touch(target);
                        }
                    }
                }
                StmtKind::Delete(targets) => targets.iter().for_each(touch),
                StmtKind::Block { header, body, .. } => {
                    header.iter().for_each(touch);
                    self.effects(body);
                }
                StmtKind::Function(function) => function.decorators.iter().for_each(|decorator| {
                    if let marks::Effect::Unknown(_) =
                        marks::effect(self.rules.world, self.own, decorator)
                    {
                        decorator.names(&mut |name| self.touch(stmt.line, name));
                    }
                }),
                StmtKind::Class(class) => {
                    class.decorators.iter().for_each(&mut touch);
                    self.effects(&class.body);
                }
                StmtKind::Import(_) | StmtKind::From { .. } => {}
            }
        }
    }
}
