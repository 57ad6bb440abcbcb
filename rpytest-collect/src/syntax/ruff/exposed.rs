//! Which names of a module may have their values changed while it is imported.
//!
//! A list that a module binds once can still be another list when it is used: `X.append(1)`, `X[0] = 1`,
//! `f(X)`, `Y = X`. Every use of a name counts, in functions too, except where it can only be read. Bodies of tests
//! and fixtures do not run while the module is imported.

use std::collections::BTreeSet;

use ruff_python_ast as ast;
use ruff_python_ast::visitor::{self, Visitor};

use crate::syntax::watch;

pub(super) fn exposed(body: &[ast::Stmt]) -> Vec<String> {
    let mut scan = Scan(BTreeSet::new());
    scan.visit_body(body);
    scan.0.into_iter().map(str::to_owned).collect()
}

struct Scan<'a>(BTreeSet<&'a str>);

impl<'a> Scan<'a> {
    /// Visits an expression whose own value is only read.
    fn read(&mut self, expr: &'a ast::Expr) {
        match expr {
            ast::Expr::Name(_) => {}
            ast::Expr::BoolOp(logic) => logic.values.iter().for_each(|value| self.read(value)),
            ast::Expr::If(branch) => {
                self.read(&branch.test);
                self.read(&branch.body);
                self.read(&branch.orelse);
            }
            other => self.visit_expr(other),
        }
    }
}

impl<'a> Visitor<'a> for Scan<'a> {
    fn visit_stmt(&mut self, stmt: &'a ast::Stmt) {
        match stmt {
            ast::Stmt::FunctionDef(def) => {
                for decorator in &def.decorator_list {
                    self.visit_decorator(decorator);
                }
                let is_fixture = def.decorator_list.iter().any(|decorator| {
                    let expr = match &decorator.expression {
                        ast::Expr::Call(call) => &call.func,
                        other => other,
                    };
                    matches!(expr, ast::Expr::Attribute(attribute) if watch::is_fixture(&attribute.attr))
                        || matches!(expr, ast::Expr::Name(name) if watch::is_fixture(&name.id))
                });
                if !is_fixture && !watch::is_test(&def.name) {
                    self.visit_parameters(&def.parameters);
                    self.visit_body(&def.body);
                }
            }
            ast::Stmt::AugAssign(assign) => {
                if let ast::Expr::Name(name) = &*assign.target {
                    self.0.insert(&name.id);
                }
                self.visit_expr(&assign.target);
                self.read(&assign.value);
            }
            ast::Stmt::For(stmt) => {
                self.visit_expr(&stmt.target);
                self.read(&stmt.iter);
                self.visit_body(&stmt.body);
                self.visit_body(&stmt.orelse);
            }
            ast::Stmt::If(stmt) => {
                self.read(&stmt.test);
                self.visit_body(&stmt.body);
                for clause in &stmt.elif_else_clauses {
                    clause.test.iter().for_each(|test| self.read(test));
                    self.visit_body(&clause.body);
                }
            }
            ast::Stmt::Assert(_) => {}
            _ => visitor::walk_stmt(self, stmt),
        }
    }

    fn visit_comprehension(&mut self, generator: &'a ast::Comprehension) {
        self.read(&generator.iter);
        generator.ifs.iter().for_each(|test| self.read(test));
    }

    fn visit_annotation(&mut self, _: &'a ast::Expr) {}

    fn visit_expr(&mut self, expr: &'a ast::Expr) {
        match expr {
            ast::Expr::Name(name) => {
                if name.ctx == ast::ExprContext::Load {
                    self.0.insert(&name.id);
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
                let reads = watch::only_reads(name);
                let keywords = call.arguments.keywords.iter();
                for value in call
                    .arguments
                    .args
                    .iter()
                    .chain(keywords.map(|keyword| &keyword.value))
                {
                    if reads {
                        self.read(value);
                    } else {
                        self.visit_expr(value);
                    }
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
                compare.comparators.iter().for_each(|expr| self.read(expr));
            }
            // As an element it has another name only within what holds it.
            ast::Expr::Tuple(tuple) => tuple.elts.iter().for_each(|item| self.read(item)),
            ast::Expr::List(list) => list.elts.iter().for_each(|item| self.read(item)),
            ast::Expr::Dict(dict) => {
                for item in &dict.items {
                    item.key.iter().for_each(|key| self.read(key));
                    self.read(&item.value);
                }
            }
            _ => visitor::walk_expr(self, expr),
        }
    }
}
