//! Code that runs while a module is imported, and what it may do to the tests in it.

use super::conftest::contains;
use super::marks;
use super::module::ModuleCollector;
use super::names::Bound;
use crate::Reason;
use crate::syntax::{Expr, Stmt, StmtKind};

impl<'a> ModuleCollector<'a> {
    /// Whether a value may be a class that was made on the spot.
    pub(super) fn may_make_class(&self, value: &Expr) -> bool {
        match value {
            Expr::Opaque(_) => true,
            Expr::Call { func, .. } => !self.rules.names.qualified(func).is_some_and(|path| {
                path.starts_with("typing.")
                    || matches!(
                        path.as_str(),
                        "collections.namedtuple"
                            | "enum.Enum"
                            | "enum.IntEnum"
                            | "dataclasses.make_dataclass"
                    )
            }),
            _ => false,
        }
    }

    /// Whether a function that is called on import may leave the module by a skip.
    pub(super) fn may_skip(&self, function: &Expr) -> bool {
        let mut root = function;
        while let Expr::Attr(value, _) = root {
            root = value;
        }
        let Expr::Name(root) = root else { return false };
        self.rules.names.get(root).iter().any(|binding| {
            let text = match binding.bound {
                Bound::Function(_) | Bound::Class(_) => Some(self.text.to_vec()),
                Bound::From {
                    level,
                    module,
                    name,
                } => (self.imported)(level, module, name),
                Bound::Module(path) => {
                    let dotted = function.dotted().unwrap_or_default();
                    let (module, name) = dotted.rsplit_once('.').unwrap_or((path, ""));
                    (self.imported)(0, &module.replacen(root.as_str(), path, 1), name)
                }
                Bound::Value(_) | Bound::Unknown | Bound::Deleted => return false,
            };
            match (text, binding.bound) {
                (Some(text), _) => contains(&text, "skip") || contains(&text, "Skip"),
                (
                    None,
                    Bound::From {
                        level,
                        module,
                        name,
                    },
                ) => {
                    level > 0
                        || (!module.starts_with("unittest")
                            && [module, name].iter().any(|part| {
                                ["test", "support", "helper"]
                                    .iter()
                                    .any(|word| part.contains(word))
                            }))
                }
                (None, Bound::Module(path)) => {
                    path != "unittest"
                        && path != "pytest"
                        && (path.contains("test") || path.contains("support"))
                }
                _ => false,
            }
        })
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
            let mut touch = |expr: &Expr| {
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
                    touch(value);
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
                    if let marks::Effect::Unknown(_) = marks::effect(self.rules.names, decorator) {
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
