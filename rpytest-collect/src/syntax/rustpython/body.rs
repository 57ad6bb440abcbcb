//! From the second parser's statements to ours.

use rustpython_parser::ast;

use super::expr::{binary, lower, opaque};
use super::layout::Layout;
use super::visit::{self, ExprVisitor, Visitor, patterns_in};
use super::{Def, hooks, is_text};
use crate::syntax::branches::never_runs;
use crate::syntax::{Class, Expr, Function, Param, Stmt, StmtKind};

pub(super) struct Lower<'a> {
    layout: &'a Layout,
}

impl<'a> Lower<'a> {
    pub(super) fn new(layout: &'a Layout) -> Self {
        Self { layout }
    }

    pub(super) fn body(&self, body: &[ast::Stmt]) -> Vec<Stmt> {
        let mut out = Vec::with_capacity(body.len());
        for stmt in body {
            match stmt {
                // What stands against a branch that never runs always does.
                ast::Stmt::If(branch) if never_runs(&self.lower(&branch.test)) => {
                    match self.layout.clauses(branch).as_slice() {
                        [(None, otherwise)] => out.extend(self.body(otherwise)),
                        _ => out.extend(self.stmt(stmt)),
                    }
                }
                _ => out.extend(self.stmt(stmt)),
            }
        }
        out
    }

    fn stmt(&self, stmt: &ast::Stmt) -> Option<Stmt> {
        let mut line = self.layout.line(stmt);
        let kind = match stmt {
            ast::Stmt::FunctionDef(_) | ast::Stmt::AsyncFunctionDef(_) => {
                let def = Def::of(stmt)?;
                let function = self.function(&def, line);
                line = self.layout.line_of_definition(def.decorators, stmt);
                StmtKind::Function(function)
            }
            ast::Stmt::ClassDef(def) => {
                line = self.layout.line_of_definition(&def.decorator_list, stmt);
                StmtKind::Class(self.class(def, line))
            }
            ast::Stmt::Import(import) => StmtKind::Import(
                import
                    .names
                    .iter()
                    .map(|alias| {
                        let path = alias.name.to_string();
                        let bound = match &alias.asname {
                            Some(name) => name.to_string(),
                            None => path.split('.').next().unwrap_or_default().to_owned(),
                        };
                        (path, bound)
                    })
                    .collect(),
            ),
            ast::Stmt::ImportFrom(import) => StmtKind::From {
                level: import.level.map_or(0, |level| level.to_u32()),
                module: import.module.as_deref().unwrap_or_default().to_owned(),
                names: import
                    .names
                    .iter()
                    .map(|alias| {
                        let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                        (alias.name.to_string(), bound.to_string())
                    })
                    .collect(),
            },
            ast::Stmt::Assign(assign) => StmtKind::Assign {
                targets: self.all(&assign.targets),
                value: self.lower(&assign.value),
            },
            ast::Stmt::AnnAssign(assign) => match &assign.value {
                Some(value) => StmtKind::Assign {
                    targets: vec![self.lower(&assign.target)],
                    value: self.lower(value),
                },
                None => return None,
            },
            ast::Stmt::AugAssign(assign) => StmtKind::Assign {
                targets: vec![self.lower(&assign.target)],
                value: binary(self.layout, &assign.target, assign.op, &assign.value),
            },
            ast::Stmt::TypeAlias(alias) => StmtKind::Assign {
                targets: vec![self.lower(&alias.name)],
                value: Expr::Opaque(Vec::new()),
            },
            ast::Stmt::Delete(delete) => StmtKind::Delete(self.all(&delete.targets)),
            ast::Stmt::Expr(expr) => StmtKind::Expr(self.lower(&expr.value)),
            ast::Stmt::If(stmt) => self.branches(stmt),
            ast::Stmt::For(ast::StmtFor {
                target,
                iter,
                body,
                orelse,
                ..
            })
            | ast::Stmt::AsyncFor(ast::StmtAsyncFor {
                target,
                iter,
                body,
                orelse,
                ..
            }) => block(
                vec![opaque(iter)],
                vec![self.lower(target)],
                self.bodies([body, orelse]),
            ),
            ast::Stmt::While(stmt) => block(
                vec![opaque(&stmt.test)],
                Vec::new(),
                self.bodies([&stmt.body, &stmt.orelse]),
            ),
            ast::Stmt::With(ast::StmtWith { items, body, .. })
            | ast::Stmt::AsyncWith(ast::StmtAsyncWith { items, body, .. }) => block(
                items
                    .iter()
                    .map(|item| opaque(&item.context_expr))
                    .collect(),
                items
                    .iter()
                    .filter_map(|item| item.optional_vars.as_deref())
                    .map(|target| self.lower(target))
                    .collect(),
                self.body(body),
            ),
            ast::Stmt::Try(ast::StmtTry {
                body,
                handlers,
                orelse,
                finalbody,
                ..
            })
            | ast::Stmt::TryStar(ast::StmtTryStar {
                body,
                handlers,
                orelse,
                finalbody,
                ..
            }) => {
                let mut body = self.body(body);
                let mut binds = Vec::new();
                for ast::ExceptHandler::ExceptHandler(handler) in handlers {
                    let name = handler.name.as_ref();
                    binds.extend(name.map(|name| Expr::Name(name.to_string())));
                    body.extend(self.body(&handler.body));
                }
                body.extend(self.bodies([orelse, finalbody]));
                block(Vec::new(), binds, body)
            }
            ast::Stmt::Match(stmt) => {
                let mut binds = Vec::new();
                let mut body = Vec::new();
                for case in &stmt.cases {
                    captures(&case.pattern, &mut binds);
                    body.extend(self.body(&case.body));
                }
                block(vec![opaque(&stmt.subject)], binds, body)
            }
            ast::Stmt::Return(_)
            | ast::Stmt::Raise(_)
            | ast::Stmt::Assert(_)
            | ast::Stmt::Global(_)
            | ast::Stmt::Nonlocal(_)
            | ast::Stmt::Pass(_)
            | ast::Stmt::Break(_)
            | ast::Stmt::Continue(_) => return None,
        };
        Some(Stmt { line, kind })
    }

    fn branches(&self, stmt: &ast::StmtIf) -> StmtKind {
        let mut header = vec![opaque(&stmt.test)];
        let mut body = self.body(&stmt.body);
        if never_runs(&self.lower(&stmt.test)) {
            body.clear();
        }
        for (test, clause) in self.layout.clauses(stmt) {
            header.extend(test.map(opaque));
            if !test.is_some_and(|test| never_runs(&self.lower(test))) {
                body.extend(self.body(clause));
            }
        }
        block(header, Vec::new(), body)
    }

    /// `line` is that of the `def`.
    fn function(&self, def: &Def<'_>, line: u32) -> Function {
        let mut yields = Yields {
            layout: self.layout,
            found: false,
        };
        yields.visit_body(def.body);
        let hook = def.name == "pytest_generate_tests" && def.decorators.is_empty();
        let parameters = def.parameters.posonlyargs.iter();
        Function {
            name: def.name.to_owned(),
            line: def
                .decorators
                .first()
                .map_or(line, |first| self.layout.line(first)),
            is_async: def.is_async,
            is_generator: yields.found,
            decorators: self.all(def.decorators),
            params: parameters
                .chain(&def.parameters.args)
                .chain(&def.parameters.kwonlyargs)
                .map(|param| Param {
                    name: param.def.arg.to_string(),
                    has_default: param.default.is_some(),
                })
                .collect(),
            returns: self.returns(def),
            only_marks: hooks::only_marks(self.layout, def),
            guards: hook.then(|| hooks::guards(self.layout, def)).flatten(),
        }
    }

    fn class(&self, def: &ast::StmtClassDef, line: u32) -> Class {
        Class {
            name: def.name.to_string(),
            line,
            decorators: self.all(&def.decorator_list),
            bases: self.all(&def.bases),
            // Type parameters put `Generic` among the bases.
            has_keywords: !def.keywords.is_empty() || !def.type_params.is_empty(),
            body: self.body(&def.body),
        }
    }

    /// The expression of a function that only returns one.
    fn returns(&self, def: &Def<'_>) -> Option<Expr> {
        let mut body = def.body.iter().filter(|stmt| !is_text(stmt));
        match (body.next(), body.next(), def.is_async) {
            (Some(ast::Stmt::Return(stmt)), None, false) => {
                stmt.value.as_deref().map(|value| self.lower(value))
            }
            _ => None,
        }
    }

    fn bodies<const N: usize>(&self, bodies: [&Vec<ast::Stmt>; N]) -> Vec<Stmt> {
        bodies
            .into_iter()
            .flat_map(|body| self.body(body))
            .collect()
    }

    fn lower(&self, expr: &ast::Expr) -> Expr {
        lower(self.layout, expr)
    }

    fn all(&self, exprs: &[ast::Expr]) -> Vec<Expr> {
        exprs.iter().map(|expr| self.lower(expr)).collect()
    }
}

fn block(header: Vec<Expr>, binds: Vec<Expr>, body: Vec<Stmt>) -> StmtKind {
    StmtKind::Block {
        header,
        binds,
        body,
    }
}

/// Names that a `match` pattern binds.
fn captures(pattern: &ast::Pattern, binds: &mut Vec<Expr>) {
    let name = match pattern {
        ast::Pattern::MatchAs(pattern) => pattern.name.as_ref(),
        ast::Pattern::MatchStar(pattern) => pattern.name.as_ref(),
        ast::Pattern::MatchMapping(pattern) => pattern.rest.as_ref(),
        _ => None,
    };
    binds.extend(name.map(|name| Expr::Name(name.to_string())));
    for inner in patterns_in(pattern) {
        captures(inner, binds);
    }
}

/// Whether a function's own body yields.
struct Yields<'a> {
    layout: &'a Layout,
    found: bool,
}

impl<'a> Visitor<'a> for Yields<'a> {
    fn layout(&self) -> &'a Layout {
        self.layout
    }

    fn visit_stmt(&mut self, stmt: &'a ast::Stmt) {
        match stmt {
            ast::Stmt::FunctionDef(_) | ast::Stmt::AsyncFunctionDef(_) | ast::Stmt::ClassDef(_) => {
            }
            _ => visit::walk_stmt(self, stmt),
        }
    }
}

impl<'a> ExprVisitor<'a> for Yields<'a> {
    fn visit_expr(&mut self, expr: &'a ast::Expr) {
        match expr {
            ast::Expr::Yield(_) | ast::Expr::YieldFrom(_) => self.found = true,
            ast::Expr::Lambda(_) => {}
            _ => visit::walk_expr(self, expr),
        }
    }
}
