//! Which names of a module may have their values changed while it is imported.
//!
//! A list that a module binds once can still be another list when it is used: `X.append(1)`, `X[0] = 1`,
//! `f(X)`, `Y = X`. Every use of a name counts, in functions too, except where it can only be read. Bodies of tests
//! and fixtures do not run while the module is imported.

use std::collections::BTreeSet;

use rustpython_parser::ast;

use super::Def;
use super::layout::Layout;
use super::visit::{self, ExprVisitor, Visitor};
use crate::syntax::watch;

pub(super) fn exposed(layout: &Layout, body: &[ast::Stmt]) -> Vec<String> {
    let mut scan = Scan {
        layout,
        names: BTreeSet::new(),
    };
    scan.visit_body(body);
    scan.names.into_iter().map(str::to_owned).collect()
}

struct Scan<'a> {
    layout: &'a Layout,
    names: BTreeSet<&'a str>,
}

impl<'a> Scan<'a> {
    /// Visits an expression whose own value is only read.
    fn read(&mut self, expr: &'a ast::Expr) {
        match expr {
            ast::Expr::Name(_) => {}
            ast::Expr::BoolOp(logic) => self.read_all(&logic.values),
            ast::Expr::IfExp(branch) => {
                self.read(&branch.test);
                self.read(&branch.body);
                self.read(&branch.orelse);
            }
            other => self.visit_expr(other),
        }
    }

    fn read_all(&mut self, exprs: &'a [ast::Expr]) {
        exprs.iter().for_each(|expr| self.read(expr));
    }
}

impl<'a> Visitor<'a> for Scan<'a> {
    fn layout(&self) -> &'a Layout {
        self.layout
    }

    fn visit_stmt(&mut self, stmt: &'a ast::Stmt) {
        if let Some(def) = Def::of(stmt) {
            self.visit_all(def.decorators);
            let is_fixture = def.decorators.iter().any(|decorator| {
                let expr = match decorator {
                    ast::Expr::Call(call) => &call.func,
                    other => other,
                };
                matches!(expr, ast::Expr::Attribute(attribute) if watch::is_fixture(&attribute.attr))
                    || matches!(expr, ast::Expr::Name(name) if watch::is_fixture(&name.id))
            });
            if !is_fixture && !watch::is_test(def.name) {
                self.visit_parameters(def.parameters);
                self.visit_body(def.body);
            }
            return;
        }
        match stmt {
            ast::Stmt::AugAssign(assign) => {
                if let ast::Expr::Name(name) = &*assign.target {
                    self.names.insert(&name.id);
                }
                self.visit_expr(&assign.target);
                self.read(&assign.value);
            }
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
            }) => {
                self.visit_expr(target);
                self.read(iter);
                self.visit_body(body);
                self.visit_body(orelse);
            }
            ast::Stmt::If(stmt) => {
                self.read(&stmt.test);
                self.visit_body(&stmt.body);
                for (test, body) in self.layout.clauses(stmt) {
                    test.into_iter().for_each(|test| self.read(test));
                    self.visit_body(body);
                }
            }
            ast::Stmt::Assert(_) => {}
            _ => visit::walk_stmt(self, stmt),
        }
    }
}

impl<'a> ExprVisitor<'a> for Scan<'a> {
    fn visit_comprehension(&mut self, generator: &'a ast::Comprehension) {
        self.read(&generator.iter);
        self.read_all(&generator.ifs);
    }

    fn visit_annotation(&mut self, _: &'a ast::Expr) {}

    fn visit_expr(&mut self, expr: &'a ast::Expr) {
        match expr {
            ast::Expr::Name(name) => {
                if name.ctx == ast::ExprContext::Load {
                    self.names.insert(&name.id);
                }
            }
            ast::Expr::Subscript(subscript) => {
                if subscript.ctx == ast::ExprContext::Load {
                    self.read(&subscript.value);
                } else {
                    self.visit_expr(&subscript.value);
                }
                self.read(&subscript.slice);
            }
            ast::Expr::Call(call) => {
                let name = match &*call.func {
                    ast::Expr::Name(name) => name.id.as_str(),
                    ast::Expr::Attribute(attribute) => {
                        if watch::leaves_object(&attribute.attr) {
                            self.read(&attribute.value);
                        } else {
                            self.visit_expr(&attribute.value);
                        }
                        attribute.attr.as_str()
                    }
                    other => {
                        self.visit_expr(other);
                        ""
                    }
                };
                if watch::only_reads(name) {
                    self.read_all(&call.args);
                    for keyword in &call.keywords {
                        self.read(&keyword.value);
                    }
                } else {
                    self.visit_arguments(&call.args, &call.keywords);
                }
            }
            ast::Expr::Starred(starred) => self.read(&starred.value),
            ast::Expr::BinOp(binary) => {
                self.read(&binary.left);
                self.read(&binary.right);
            }
            ast::Expr::UnaryOp(unary) => self.read(&unary.operand),
            ast::Expr::Compare(compare) => {
                self.read(&compare.left);
                self.read_all(&compare.comparators);
            }
            // As an element it has another name only within what holds it.
            ast::Expr::Tuple(tuple) => self.read_all(&tuple.elts),
            ast::Expr::List(list) => self.read_all(&list.elts),
            ast::Expr::Dict(dict) => {
                for (key, value) in dict.keys.iter().zip(&dict.values) {
                    key.iter().for_each(|key| self.read(key));
                    self.read(value);
                }
            }
            _ => visit::walk_expr(self, expr),
        }
    }
}
