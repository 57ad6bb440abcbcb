//! What the parser takes, and Python's compiler may not: a name that is twice among parameters, a `return`
//! outside of a function. Of such a file nothing is imported.
//!
//! The rules are those of the parser's own crate, which asks where in a module it is. What depends on the
//! version of Python is decided as by the oldest, or strictly: who is in doubt asks Python.

use std::cell::Cell;

use ruff_python_ast as ast;
use ruff_python_ast::PythonVersion;
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_parser::semantic_errors::{
    LazyImportContext, SemanticSyntaxChecker, SemanticSyntaxContext, SemanticSyntaxError,
};
use ruff_text_size::{TextRange, TextSize};

/// Where the first of them is.
pub(super) fn first_error(source: &str, body: &[ast::Stmt]) -> Option<TextSize> {
    let mut walk = Walk {
        checker: SemanticSyntaxChecker::new(),
        place: Place {
            source,
            scopes: vec![Scope::new(Kind::Module, Vec::new(), body)],
            error: Cell::new(None),
        },
    };
    walk.visit_body(body);
    walk.place.error.get()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Module,
    Class,
    Function { is_async: bool },
    Lambda,
    Comprehension { is_async: bool, is_generator: bool },
}

struct Scope<'a> {
    kind: Kind,
    parameters: Vec<&'a str>,
    /// The names that are declared global in it, and where.
    globals: Vec<(&'a str, TextRange)>,
    /// How many loops of it one is in.
    loops: u32,
}

impl<'a> Scope<'a> {
    fn new(kind: Kind, parameters: Vec<&'a str>, body: &'a [ast::Stmt]) -> Scope<'a> {
        let mut globals = Globals(Vec::new());
        globals.visit_body(body);
        Scope {
            kind,
            parameters,
            globals: globals.0,
            loops: 0,
        }
    }
}

/// The global declarations of one scope.
struct Globals<'a>(Vec<(&'a str, TextRange)>);

impl<'a> Visitor<'a> for Globals<'a> {
    fn visit_stmt(&mut self, stmt: &'a ast::Stmt) {
        match stmt {
            ast::Stmt::Global(global) => {
                let names = global
                    .names
                    .iter()
                    .map(|name| (name.as_str(), global.range));
                self.0.extend(names);
            }
            ast::Stmt::FunctionDef(_) | ast::Stmt::ClassDef(_) => {}
            _ => visitor::walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, _: &'a ast::Expr) {}
}

/// Where in a module the checker is, as it asks for it.
struct Place<'a> {
    source: &'a str,
    /// From the module on.
    scopes: Vec<Scope<'a>>,
    error: Cell<Option<TextSize>>,
}

impl Place<'_> {
    fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.scopes.iter().rev().map(|scope| scope.kind)
    }

    /// The scope that names are bound in, but for those of a comprehension.
    fn names(&self) -> Option<&Scope<'_>> {
        let mut scopes = self.scopes.iter().rev();
        scopes.find(|scope| !matches!(scope.kind, Kind::Comprehension { .. }))
    }

    fn nearest(&self) -> Kind {
        self.kinds().next().unwrap_or(Kind::Module)
    }
}

impl SemanticSyntaxContext for Place<'_> {
    fn future_annotations_or_stub(&self) -> bool {
        true // the stricter
    }

    fn lazy_import_context(&self) -> Option<LazyImportContext> {
        None
    }

    fn python_version(&self) -> PythonVersion {
        PythonVersion::PY310
    }

    fn source(&self) -> &str {
        self.source
    }

    fn global(&self, name: &str) -> Option<TextRange> {
        let globals = &self.names()?.globals;
        let (_, range) = globals.iter().find(|(global, _)| *global == name)?;
        Some(*range)
    }

    fn has_nonlocal_binding(&self, _name: &str) -> bool {
        // What functions around it bind is not followed.
        let around = &self.scopes[..self.scopes.len().saturating_sub(1)];
        around
            .iter()
            .any(|scope| matches!(scope.kind, Kind::Function { .. } | Kind::Lambda))
    }

    fn in_async_context(&self) -> bool {
        let scope = self
            .kinds()
            .find(|kind| !matches!(kind, Kind::Comprehension { .. }));
        scope == Some(Kind::Function { is_async: true })
    }

    fn in_await_allowed_context(&self) -> bool {
        let scope = self
            .kinds()
            .find(|kind| !matches!(kind, Kind::Comprehension { .. }));
        matches!(scope, Some(Kind::Function { .. } | Kind::Lambda))
    }

    fn in_yield_allowed_context(&self) -> bool {
        matches!(self.nearest(), Kind::Function { .. } | Kind::Lambda)
    }

    fn in_sync_comprehension(&self) -> bool {
        self.kinds().any(|kind| {
            matches!(
                kind,
                Kind::Comprehension {
                    is_async: false,
                    ..
                }
            )
        })
    }

    fn in_class_body_comprehension(&self) -> bool {
        let scope = self
            .kinds()
            .find(|kind| !matches!(kind, Kind::Comprehension { .. }));
        scope == Some(Kind::Class)
    }

    fn in_module_scope(&self) -> bool {
        self.nearest() == Kind::Module
    }

    fn in_function_scope(&self) -> bool {
        matches!(self.nearest(), Kind::Function { .. })
    }

    fn in_generator_context(&self) -> bool {
        self.kinds()
            .take_while(|kind| matches!(kind, Kind::Comprehension { .. }))
            .any(|kind| {
                matches!(
                    kind,
                    Kind::Comprehension {
                        is_generator: true,
                        ..
                    }
                )
            })
    }

    fn in_notebook(&self) -> bool {
        false
    }

    fn report_semantic_error(&self, error: SemanticSyntaxError) {
        if self.error.get().is_none() {
            self.error.set(Some(error.range.start()));
        }
    }

    fn in_loop_context(&self) -> bool {
        self.scopes.last().is_some_and(|scope| scope.loops > 0)
    }

    fn is_bound_parameter(&self, name: &str) -> bool {
        self.names()
            .is_some_and(|scope| scope.parameters.contains(&name))
    }
}

struct Walk<'a> {
    checker: SemanticSyntaxChecker,
    place: Place<'a>,
}

impl<'a> Walk<'a> {
    fn within(
        &mut self,
        kind: Kind,
        parameters: Option<&'a ast::Parameters>,
        body: &'a [ast::Stmt],
        visit: impl FnOnce(&mut Self),
    ) {
        let names = parameters.into_iter().flatten();
        let names = names.map(|parameter| parameter.name().as_str()).collect();
        self.place.scopes.push(Scope::new(kind, names, body));
        visit(self);
        self.place.scopes.pop();
    }

    fn looped(&mut self, body: &'a [ast::Stmt]) {
        let change = |walk: &mut Self, by: fn(u32) -> u32| {
            if let Some(scope) = walk.place.scopes.last_mut() {
                scope.loops = by(scope.loops);
            }
        };
        change(self, |loops| loops + 1);
        self.visit_body(body);
        change(self, |loops| loops - 1);
    }

    /// Only the first iterable belongs to the scope around it.
    fn comprehension(
        &mut self,
        generators: &'a [ast::Comprehension],
        results: &[&'a ast::Expr],
        is_generator: bool,
    ) {
        let Some(first) = generators.first() else {
            return;
        };
        self.visit_expr(&first.iter);
        let is_async = generators.iter().any(|generator| generator.is_async);
        let kind = Kind::Comprehension {
            is_async,
            is_generator,
        };
        self.within(kind, None, &[], |walk| {
            for (position, generator) in generators.iter().enumerate() {
                if position > 0 {
                    walk.visit_expr(&generator.iter);
                }
                walk.visit_expr(&generator.target);
                for condition in &generator.ifs {
                    walk.visit_expr(condition);
                }
            }
            for result in results {
                walk.visit_expr(result);
            }
        });
    }
}

impl<'a> Visitor<'a> for Walk<'a> {
    fn visit_stmt(&mut self, stmt: &'a ast::Stmt) {
        if self.place.error.get().is_some() {
            return;
        }
        self.checker.visit_stmt(stmt, &self.place);
        match stmt {
            ast::Stmt::FunctionDef(def) => {
                for decorator in &def.decorator_list {
                    self.visit_decorator(decorator);
                }
                if let Some(parameters) = &def.type_params {
                    self.visit_type_params(parameters);
                }
                self.visit_parameters(&def.parameters);
                if let Some(returns) = &def.returns {
                    self.visit_annotation(returns);
                }
                let kind = Kind::Function {
                    is_async: def.is_async,
                };
                self.within(kind, Some(&def.parameters), &def.body, |walk| {
                    walk.visit_body(&def.body);
                });
            }
            ast::Stmt::ClassDef(class) => {
                for decorator in &class.decorator_list {
                    self.visit_decorator(decorator);
                }
                if let Some(parameters) = &class.type_params {
                    self.visit_type_params(parameters);
                }
                if let Some(arguments) = &class.arguments {
                    self.visit_arguments(arguments);
                }
                self.within(Kind::Class, None, &class.body, |walk| {
                    walk.visit_body(&class.body);
                });
            }
            ast::Stmt::For(stmt) => {
                self.visit_expr(&stmt.iter);
                self.visit_expr(&stmt.target);
                self.looped(&stmt.body);
                self.visit_body(&stmt.orelse);
            }
            ast::Stmt::While(stmt) => {
                self.visit_expr(&stmt.test);
                self.looped(&stmt.body);
                self.visit_body(&stmt.orelse);
            }
            _ => visitor::walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a ast::Expr) {
        self.checker.visit_expr(expr, &self.place);
        match expr {
            ast::Expr::Lambda(lambda) => {
                if let Some(parameters) = &lambda.parameters {
                    self.visit_parameters(parameters);
                }
                self.within(Kind::Lambda, lambda.parameters.as_deref(), &[], |walk| {
                    walk.visit_expr(&lambda.body);
                });
            }
            ast::Expr::ListComp(made) => {
                self.comprehension(&made.generators, &[&made.elt], false);
            }
            ast::Expr::SetComp(made) => {
                self.comprehension(&made.generators, &[&made.elt], false);
            }
            ast::Expr::DictComp(made) => {
                let results: Vec<&ast::Expr> = made
                    .key
                    .as_deref()
                    .into_iter()
                    .chain([&*made.value])
                    .collect();
                self.comprehension(&made.generators, &results, false);
            }
            ast::Expr::Generator(made) => {
                self.comprehension(&made.generators, &[&made.elt], true);
            }
            _ => visitor::walk_expr(self, expr),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::first_error;

    fn line_of_error(source: &str) -> Option<usize> {
        let parsed = ruff_python_parser::parse_module(source);
        let module = parsed
            .unwrap_or_else(|error| panic!("{source}: {error}"))
            .into_syntax();
        let at = first_error(source, &module.body)?;
        Some(source[..at.to_usize()].lines().count().max(1))
    }

    #[test]
    fn what_the_compiler_does_not_take() {
        for source in [
            "def f(a, a): pass",
            "lambda a, *a: 0",
            "class A:\n    def f(self, b, *, b): pass",
            "return 1",
            "class A:\n    return 1",
            "def f():\n    class A:\n        return 1",
            "yield 1",
            "[(yield 1) for x in y]",
            "def f():\n    [(yield 1) for x in y]",
            "await f()",
            "def f():\n    await g()",
            "def f():\n    async with g(): pass",
            "def f():\n    async for x in g(): pass",
            "def f():\n    [x async for x in g()]",
            "async def f():\n    yield 1\n    return 2",
            "async def f():\n    yield from g()",
            "break",
            "continue",
            "for x in y:\n    pass\nelse:\n    break",
            "for x in y:\n    def f():\n        break",
            "if x:\n    continue",
            "nonlocal x",
            "def f():\n    nonlocal x",
            "def f(x):\n    global x",
            "def f():\n    print(x)\n    global x",
            "def f():\n    x = 1\n    global x",
            "x = 1\nfrom __future__ import annotations",
            "from __future__ import none_such",
            "def f():\n    from a import *",
            "__debug__ = 1",
            "def f(__debug__): pass",
            "match x:\n    case a, a: pass",
            "match x:\n    case a: pass\n    case b: pass",
            "match x:\n    case a | b: pass",
            "[x := 0 for x in y]",
            "class A:\n    [x := 0 for y in z]",
            "*a = 1",
            "a, *b, *c = d",
        ] {
            assert!(line_of_error(source).is_some(), "{source}");
        }
        assert_eq!(line_of_error("x = 1\n\ndef f(a, a):\n    pass\n"), Some(3));
    }

    #[test]
    fn what_it_takes() {
        for source in [
            "def f(a, b=1, *c, d, **e):\n    return a",
            "def f():\n    yield 1\n    x = yield\n    return 2",
            "lambda: (yield 1)",
            "async def f():\n    async with g() as x:\n        await x\n    async for y in x:\n        yield y",
            "async def f():\n    return [x async for x in g()]",
            "async def f():\n    return [await x for x in y]",
            "async def f():\n    return sum(await x for x in y)",
            "def f():\n    return (x async for x in y)",
            "for x in y:\n    if x:\n        break\n    else:\n        continue",
            "while x:\n    try:\n        break\n    finally:\n        pass",
            "for x in y:\n    with x:\n        continue",
            "for x in y:\n    for z in x:\n        pass\n    else:\n        break",
            "def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = 2",
            "def f():\n    x = 1\n    class A:\n        nonlocal x\n        x = 2",
            "def f():\n    global x\n    x = 1",
            "x = 1\ndef f():\n    global x\n    x = 2",
            "def f():\n    x = 1\n    def g():\n        global x\n        x = 2",
            "'text'\nfrom __future__ import annotations\nimport a",
            "from a import *",
            "if __debug__:\n    pass",
            "match x:\n    case (a, b) | (b, a): pass\n    case _: pass",
            "[y := 0 for x in z]",
            "a, *b = c",
            "class A:\n    x = [y for y in z]\n    def f(self):\n        return [w := 1 for v in x]",
            "def f(x: int = 1) -> str:\n    y: int = 2\n    return f'{x!r:>{y}}'",
        ] {
            assert_eq!(line_of_error(source), None, "{source}");
        }
    }
}
