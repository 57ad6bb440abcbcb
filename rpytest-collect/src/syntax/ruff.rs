//! The default parser backend: with its submodules the only place that names `ruff_*`.

mod compiled;
mod exposed;
mod expr;
mod hooks;
mod imports;

use ruff_python_ast as ast;
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_parser::parse_module;
use ruff_text_size::{Ranged, TextSize};

use expr::{lower, mentions, opaque};

use super::branches::never_runs;
use super::lines::Lines;
use super::watch::{self, Watched};
use super::{Class, Expr, Function, ModuleSummary, Param, Stmt, StmtKind, SyntaxProblem};

pub(super) fn parse(source: &str) -> Result<ModuleSummary, SyntaxProblem> {
    let lines = Lines::new(source);
    let parsed = parse_module(source).map_err(|error| SyntaxProblem::Error {
        line: lines.of(error.location.start()),
        message: error.error.to_string(),
    })?;
    let module = parsed.into_syntax();
    if let Some(at) = compiled::first_error(source, &module.body) {
        return Err(SyntaxProblem::Unsupported { line: lines.of(at) });
    }
    let mut scan = Scan {
        lines: &lines,
        function: 0,
        summary: ModuleSummary::default(),
    };
    scan.visit_body(&module.body);
    let mut summary = scan.summary;
    summary.exposed = exposed::exposed(&module.body);
    summary.imports = imports::imports(&lines, &module.body);
    summary.body = Lower { lines: &lines }.body(&module.body);
    Ok(summary)
}

struct Lower<'a> {
    lines: &'a Lines,
}

impl Lower<'_> {
    fn body(&self, body: &[ast::Stmt]) -> Vec<Stmt> {
        let mut out = Vec::with_capacity(body.len());
        for stmt in body {
            match stmt {
                // What stands against a branch that never runs always does.
                ast::Stmt::If(branch) if never_runs(&lower(&branch.test)) => {
                    match branch.elif_else_clauses.as_slice() {
                        [otherwise] if otherwise.test.is_none() => {
                            out.extend(self.body(&otherwise.body));
                        }
                        _ => out.extend(self.stmt(stmt)),
                    }
                }
                _ => out.extend(self.stmt(stmt)),
            }
        }
        out
    }

    fn stmt(&self, stmt: &ast::Stmt) -> Option<Stmt> {
        let kind = match stmt {
            ast::Stmt::FunctionDef(def) => StmtKind::Function(self.function(def)),
            ast::Stmt::ClassDef(def) => StmtKind::Class(self.class(def)),
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
                level: import.level,
                module: import
                    .module
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
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
                targets: assign.targets.iter().map(lower).collect(),
                value: lower(&assign.value),
            },
            ast::Stmt::AnnAssign(assign) => match &assign.value {
                Some(value) => StmtKind::Assign {
                    targets: vec![lower(&assign.target)],
                    value: lower(value),
                },
                None => return None,
            },
            ast::Stmt::AugAssign(assign) => StmtKind::Assign {
                targets: vec![lower(&assign.target)],
                value: expr::binary(&assign.target, assign.op, &assign.value),
            },
            ast::Stmt::TypeAlias(alias) => StmtKind::Assign {
                targets: vec![lower(&alias.name)],
                value: Expr::Opaque(Vec::new()),
            },
            ast::Stmt::Delete(delete) => {
                StmtKind::Delete(delete.targets.iter().map(lower).collect())
            }
            ast::Stmt::Expr(expr) => StmtKind::Expr(lower(&expr.value)),
            ast::Stmt::If(stmt) => {
                let mut header = vec![opaque(&stmt.test)];
                let mut body = self.body(&stmt.body);
                if never_runs(&lower(&stmt.test)) {
                    body.clear();
                }
                for clause in &stmt.elif_else_clauses {
                    header.extend(clause.test.as_ref().map(opaque));
                    let test = clause.test.as_ref().map(lower);
                    if !test.is_some_and(|test| never_runs(&test)) {
                        body.extend(self.body(&clause.body));
                    }
                }
                block(header, Vec::new(), body)
            }
            ast::Stmt::For(stmt) => {
                let mut body = self.body(&stmt.body);
                body.extend(self.body(&stmt.orelse));
                block(vec![opaque(&stmt.iter)], vec![lower(&stmt.target)], body)
            }
            ast::Stmt::While(stmt) => {
                let mut body = self.body(&stmt.body);
                body.extend(self.body(&stmt.orelse));
                block(vec![opaque(&stmt.test)], Vec::new(), body)
            }
            ast::Stmt::With(stmt) => block(
                stmt.items
                    .iter()
                    .map(|item| opaque(&item.context_expr))
                    .collect(),
                stmt.items
                    .iter()
                    .filter_map(|item| item.optional_vars.as_deref().map(lower))
                    .collect(),
                self.body(&stmt.body),
            ),
            ast::Stmt::Try(stmt) => {
                let mut body = self.body(&stmt.body);
                let mut binds = Vec::new();
                for ast::ExceptHandler::ExceptHandler(handler) in &stmt.handlers {
                    binds.extend(
                        handler
                            .name
                            .as_ref()
                            .map(|name| Expr::Name(name.to_string())),
                    );
                    body.extend(self.body(&handler.body));
                }
                body.extend(self.body(&stmt.orelse));
                body.extend(self.body(&stmt.finalbody));
                block(Vec::new(), binds, body)
            }
            ast::Stmt::Match(stmt) => {
                let mut binds = Captures(Vec::new());
                let mut body = Vec::new();
                for case in &stmt.cases {
                    binds.visit_pattern(&case.pattern);
                    body.extend(self.body(&case.body));
                }
                block(vec![opaque(&stmt.subject)], binds.0, body)
            }
            ast::Stmt::Return(_)
            | ast::Stmt::Raise(_)
            | ast::Stmt::Assert(_)
            | ast::Stmt::Global(_)
            | ast::Stmt::Nonlocal(_)
            | ast::Stmt::Pass(_)
            | ast::Stmt::Break(_)
            | ast::Stmt::Continue(_)
            | ast::Stmt::IpyEscapeCommand(_) => return None,
        };
        Some(Stmt {
            line: self.lines.of(stmt.start()),
            kind,
        })
    }

    fn function(&self, def: &ast::StmtFunctionDef) -> Function {
        let mut yields = Yields(false);
        yields.visit_body(&def.body);
        let first = def
            .decorator_list
            .first()
            .map_or_else(|| def.start(), |decorator| decorator.expression.start());
        Function {
            name: def.name.to_string(),
            line: self.lines.of(first),
            is_async: def.is_async,
            is_generator: yields.0,
            returns: returns(def),
            only_marks: hooks::only_marks(def),
            decorators: decorators(&def.decorator_list),
            guards: (def.name.as_str() == "pytest_generate_tests" && def.decorator_list.is_empty())
                .then(|| hooks::guards(def))
                .flatten(),
            params: def
                .parameters
                .posonlyargs
                .iter()
                .chain(&def.parameters.args)
                .chain(&def.parameters.kwonlyargs)
                .map(|param| Param {
                    name: param.parameter.name.to_string(),
                    has_default: param.default.is_some(),
                })
                .collect(),
        }
    }

    fn class(&self, def: &ast::StmtClassDef) -> Class {
        let (bases, has_keywords) = match &def.arguments {
            Some(arguments) => (
                arguments.args.iter().map(lower).collect(),
                !arguments.keywords.is_empty(),
            ),
            None => (Vec::new(), false),
        };
        Class {
            name: def.name.to_string(),
            line: self.lines.of(def.start()),
            decorators: decorators(&def.decorator_list),
            bases,
            // Type parameters put `Generic` among the bases.
            has_keywords: has_keywords || def.type_params.is_some(),
            body: self.body(&def.body),
        }
    }
}

/// The expression of a function that only returns one.
fn returns(def: &ast::StmtFunctionDef) -> Option<Expr> {
    let is_doc = |stmt: &&ast::Stmt| !matches!(stmt, ast::Stmt::Expr(expr) if matches!(&*expr.value, ast::Expr::StringLiteral(_)));
    let mut body = def.body.iter().filter(is_doc);
    match (body.next(), body.next(), def.is_async) {
        (Some(ast::Stmt::Return(stmt)), None, false) => stmt.value.as_deref().map(lower),
        _ => None,
    }
}

fn decorators(list: &[ast::Decorator]) -> Vec<Expr> {
    list.iter()
        .map(|decorator| lower(&decorator.expression))
        .collect()
}

fn block(header: Vec<Expr>, binds: Vec<Expr>, body: Vec<Stmt>) -> StmtKind {
    StmtKind::Block {
        header,
        binds,
        body,
    }
}

/// The module of an `importorskip` that asks for nothing but that it is there.
fn required(expr: &ast::Expr, call: &ast::ExprCall) -> Option<String> {
    match &*call.func {
        ast::Expr::Name(name) if watch::is_requirement(&name.id) => {}
        ast::Expr::Attribute(attribute) if watch::is_requirement(&attribute.attr) => {}
        _ => return None,
    }
    watch::required(&lower(expr))
}

/// Names that a `match` pattern binds.
struct Captures(Vec<Expr>);

impl<'a> Visitor<'a> for Captures {
    fn visit_pattern(&mut self, pattern: &'a ast::Pattern) {
        let name = match pattern {
            ast::Pattern::MatchAs(pattern) => pattern.name.as_ref(),
            ast::Pattern::MatchStar(pattern) => pattern.name.as_ref(),
            ast::Pattern::MatchMapping(pattern) => pattern.rest.as_ref(),
            _ => None,
        };
        self.0.extend(name.map(|name| Expr::Name(name.to_string())));
        visitor::walk_pattern(self, pattern);
    }
}

/// Whether a function's own body yields.
struct Yields(bool);

impl<'a> Visitor<'a> for Yields {
    fn visit_stmt(&mut self, stmt: &'a ast::Stmt) {
        if !matches!(stmt, ast::Stmt::FunctionDef(_) | ast::Stmt::ClassDef(_)) {
            visitor::walk_stmt(self, stmt);
        }
    }

    fn visit_expr(&mut self, expr: &'a ast::Expr) {
        match expr {
            ast::Expr::Yield(_) | ast::Expr::YieldFrom(_) => self.0 = true,
            ast::Expr::Lambda(_) => {}
            _ => visitor::walk_expr(self, expr),
        }
    }
}

/// Looks over a whole module for what statements alone do not show.
///
/// The body of a test function does not run while its module is imported, so it is left out.
struct Scan<'a> {
    lines: &'a Lines,
    function: u32,
    summary: ModuleSummary,
}

impl Scan<'_> {
    fn dynamic(&mut self, at: TextSize, what: &str) {
        let line = self.lines.of(at);
        self.summary.rebinds.get_or_insert(line);
        self.summary
            .dynamic
            .get_or_insert_with(|| (line, what.to_owned()));
    }

    fn watched(&mut self, expr: &ast::Expr, name: &str, watched: Watched, func: &ast::Expr) {
        match watched {
            Watched::No => {}
            Watched::Dynamic => self.dynamic(expr.start(), name),
            Watched::Leaves => self.leaves(expr.start()),
            Watched::Skips => {
                let line = self.lines.of(expr.start());
                self.summary.skips.push((line, lower(func)));
            }
        }
    }

    fn leaves(&mut self, at: TextSize) {
        if self.function == 0 {
            let line = self.lines.of(at);
            self.summary.leaves.get_or_insert(line);
        }
    }
}

impl<'a> Visitor<'a> for Scan<'_> {
    fn visit_stmt(&mut self, stmt: &'a ast::Stmt) {
        match stmt {
            ast::Stmt::FunctionDef(def) => {
                for decorator in &def.decorator_list {
                    self.visit_decorator(decorator);
                }
                self.visit_parameters(&def.parameters);
                if !watch::is_test(&def.name) {
                    self.function += 1;
                    self.visit_body(&def.body);
                    self.function -= 1;
                }
            }
            ast::Stmt::If(branch) if self.function == 0 && never_runs(&lower(&branch.test)) => {
                for clause in &branch.elif_else_clauses {
                    self.visit_elif_else_clause(clause);
                }
            }
            ast::Stmt::Global(global) => {
                let line = self.lines.of(stmt.start());
                self.summary
                    .stray_bindings
                    .extend(global.names.iter().map(|name| (line, name.to_string())));
            }
            ast::Stmt::Assign(assign) if self.function > 0 => {
                for target in &assign.targets {
                    if let ast::Expr::Attribute(attribute) = target {
                        let line = self.lines.of(stmt.start());
                        let names = mentions(&attribute.value);
                        self.summary
                            .touched
                            .extend(names.into_iter().map(|name| (line, name)));
                    }
                }
                visitor::walk_stmt(self, stmt);
            }
            ast::Stmt::Raise(_) => {
                self.leaves(stmt.start());
                visitor::walk_stmt(self, stmt);
            }
            ast::Stmt::ImportFrom(import) if self.function > 0 => {
                if import.names.iter().any(|alias| alias.name.as_str() == "*") {
                    self.dynamic(stmt.start(), "import *");
                }
            }
            _ => visitor::walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a ast::Expr) {
        match expr {
            // Whoever calls the function has what it changes in hand, or the function names it.
            ast::Expr::Call(call)
                if self.function > 0
                    && matches!(&*call.func, ast::Expr::Name(name) if watch::sets_attribute(&name.id)) =>
            {
                let line = self.lines.of(expr.start());
                let names = call.arguments.args.iter().flat_map(mentions);
                self.summary.touched.extend(names.map(|name| (line, name)));
                self.visit_arguments(&call.arguments);
                return;
            }
            ast::Expr::Call(call) if let Some(module) = required(expr, call) => {
                if self.function == 0 {
                    let line = self.lines.of(expr.start());
                    self.summary.requires.push((line, module));
                }
                return;
            }
            // `globals()["x"]` reads; anything else may write.
            ast::Expr::Subscript(subscript)
                if subscript.ctx == ast::ExprContext::Load
                    && matches!(&*subscript.value, ast::Expr::Call(call)
                        if matches!(&*call.func, ast::Expr::Name(name)
                            if watch::gives_namespace(&name.id))) =>
            {
                self.visit_expr(&subscript.slice);
                return;
            }
            ast::Expr::Call(call) => {
                let (name, watched) = match &*call.func {
                    ast::Expr::Name(name) => {
                        let arguments = call.arguments.args.len();
                        (
                            &*name.id,
                            watch::call(&name.id, arguments, self.function > 0),
                        )
                    }
                    ast::Expr::Attribute(attribute) => {
                        let name = attribute.attr.as_str();
                        (name, watch::method(name, self.function > 0))
                    }
                    _ => ("", Watched::No),
                };
                self.watched(expr, name, watched, &call.func);
            }
            ast::Expr::Attribute(attribute) => {
                let name = attribute.attr.as_str();
                self.watched(expr, name, watch::attribute(name, self.function > 0), expr);
            }
            ast::Expr::Named(named) if self.function == 0 => {
                if let ast::Expr::Name(name) = &*named.target {
                    let line = self.lines.of(expr.start());
                    self.summary
                        .stray_bindings
                        .push((line, name.id.to_string()));
                }
            }
            ast::Expr::Lambda(lambda) => {
                self.function += 1;
                self.visit_expr(&lambda.body);
                self.function -= 1;
                return;
            }
            _ => {}
        }
        visitor::walk_expr(self, expr);
    }
}
