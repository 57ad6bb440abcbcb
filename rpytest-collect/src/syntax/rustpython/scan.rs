//! Looks over a whole module for what statements alone do not show.

use rustpython_parser::ast;

use super::Def;
use super::expr::{lower, mentions};
use super::layout::Layout;
use super::visit::{self, ExprVisitor, Visitor};
use crate::syntax::ModuleSummary;
use crate::syntax::branches::never_runs;
use crate::syntax::watch::{self, Watched};

pub(super) fn scan(layout: &Layout, body: &[ast::Stmt]) -> ModuleSummary {
    let mut scan = Scan {
        layout,
        function: 0,
        summary: ModuleSummary::default(),
    };
    scan.visit_body(body);
    scan.summary
}

/// The body of a test function does not run while its module is imported, so it is left out.
struct Scan<'a> {
    layout: &'a Layout,
    function: u32,
    summary: ModuleSummary,
}

impl Scan<'_> {
    fn dynamic(&mut self, line: u32, what: &str) {
        self.summary.rebinds.get_or_insert(line);
        self.summary
            .dynamic
            .get_or_insert_with(|| (line, what.to_owned()));
    }

    fn watched(&mut self, expr: &ast::Expr, name: &str, watched: Watched, func: &ast::Expr) {
        let line = self.layout.line(expr);
        match watched {
            Watched::No => {}
            Watched::Dynamic => self.dynamic(line, name),
            Watched::Leaves => self.leaves(line),
            Watched::Skips => self.summary.skips.push((line, lower(self.layout, func))),
        }
    }

    fn leaves(&mut self, line: u32) {
        if self.function == 0 {
            self.summary.leaves.get_or_insert(line);
        }
    }

    fn touches(&mut self, line: u32, expr: &ast::Expr) {
        let names = mentions(expr).into_iter().map(|name| (line, name));
        self.summary.touched.extend(names);
    }
}

impl<'a> Visitor<'a> for Scan<'a> {
    fn layout(&self) -> &'a Layout {
        self.layout
    }

    fn visit_stmt(&mut self, stmt: &'a ast::Stmt) {
        if let Some(def) = Def::of(stmt) {
            self.visit_all(def.decorators);
            self.visit_parameters(def.parameters);
            if !watch::is_test(def.name) {
                self.function += 1;
                self.visit_body(def.body);
                self.function -= 1;
            }
            return;
        }
        match stmt {
            ast::Stmt::If(branch)
                if self.function == 0 && never_runs(&lower(self.layout, &branch.test)) =>
            {
                self.visit_clauses(branch);
            }
            ast::Stmt::Global(global) => {
                let line = self.layout.line(stmt);
                self.summary
                    .stray_bindings
                    .extend(global.names.iter().map(|name| (line, name.to_string())));
            }
            ast::Stmt::Assign(assign) if self.function > 0 => {
                for target in &assign.targets {
                    if let ast::Expr::Attribute(attribute) = target {
                        self.touches(self.layout.line(stmt), &attribute.value);
                    }
                }
                visit::walk_stmt(self, stmt);
            }
            ast::Stmt::Raise(_) => {
                self.leaves(self.layout.line(stmt));
                visit::walk_stmt(self, stmt);
            }
            ast::Stmt::ImportFrom(import) if self.function > 0 => {
                if import.names.iter().any(|alias| alias.name.as_str() == "*") {
                    self.dynamic(self.layout.line(stmt), "import *");
                }
            }
            _ => visit::walk_stmt(self, stmt),
        }
    }
}

impl<'a> ExprVisitor<'a> for Scan<'a> {
    fn visit_expr(&mut self, expr: &'a ast::Expr) {
        let in_function = self.function > 0;
        match expr {
            // Whoever calls the function has what it changes in hand, or the function names it.
            ast::Expr::Call(call)
                if in_function
                    && matches!(&*call.func, ast::Expr::Name(name) if watch::sets_attribute(&name.id)) =>
            {
                for arg in &call.args {
                    self.touches(self.layout.line(expr), arg);
                }
                self.visit_arguments(&call.args, &call.keywords);
                return;
            }
            ast::Expr::Call(call) if let Some(module) = required(self.layout, expr, call) => {
                if !in_function {
                    let line = self.layout.line(expr);
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
                        let name = name.id.as_str();
                        (name, watch::call(name, call.args.len(), in_function))
                    }
                    ast::Expr::Attribute(attribute) => {
                        let name = attribute.attr.as_str();
                        (name, watch::method(name, in_function))
                    }
                    _ => ("", Watched::No),
                };
                self.watched(expr, name, watched, &call.func);
            }
            ast::Expr::Attribute(attribute) => {
                let name = attribute.attr.as_str();
                self.watched(expr, name, watch::attribute(name, in_function), expr);
            }
            ast::Expr::NamedExpr(named) if !in_function => {
                if let ast::Expr::Name(name) = &*named.target {
                    let line = self.layout.line(expr);
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
        visit::walk_expr(self, expr);
    }
}

/// The module of an `importorskip` that asks for nothing but that it is there.
fn required(layout: &Layout, expr: &ast::Expr, call: &ast::ExprCall) -> Option<String> {
    match &*call.func {
        ast::Expr::Name(name) if watch::is_requirement(&name.id) => {}
        ast::Expr::Attribute(attribute) if watch::is_requirement(&attribute.attr) => {}
        _ => return None,
    }
    watch::required(&lower(layout, expr))
}
