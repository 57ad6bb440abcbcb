//! What the bodies of certain hooks do, where that can be told.

use rustpython_parser::ast;

use super::expr::lower;
use super::layout::Layout;
use super::visit::{self, ExprVisitor, Visitor};
use super::{Def, is_text};
use crate::syntax::{Guard, branches, watch};

/// What a function's whole body does for the fixtures that it asks its one parameter for:
/// `if "name" in metafunc.fixturenames`.
pub(super) fn guards(layout: &Layout, def: &Def<'_>) -> Option<Vec<Guard>> {
    let [param] = &*def.parameters.args else {
        return None;
    };
    let guard = |test: &ast::Expr, body: &[ast::Stmt]| {
        let only = match body {
            [ast::Stmt::Expr(stmt)] => Some(lower(layout, &stmt.value)),
            _ => None,
        };
        branches::guard(&lower(layout, test), &param.def.arg, only)
    };
    let mut found = Vec::new();
    for stmt in def.body {
        match stmt {
            ast::Stmt::If(branch) => {
                found.push(guard(&branch.test, &branch.body)?);
                for (test, body) in layout.clauses(branch) {
                    found.push(guard(test?, body)?);
                }
            }
            ast::Stmt::Pass(_) => {}
            _ if is_text(stmt) => {}
            _ => return None,
        }
    }
    Some(found)
}

/// Whether a `pytest_collection_modifyitems` does nothing to the items but give them marks: it goes through
/// `items` in loops, and of an item it asks only what does not change it.
pub(super) fn only_marks(layout: &Layout, def: &Def<'_>) -> bool {
    if def.name != watch::MODIFIES || !def.decorators.is_empty() {
        return false;
    }
    let mut scan = Items {
        layout,
        items: Vec::new(),
        safe: true,
    };
    // A first look finds the names of items, a second one what is done with them.
    for _ in 0..2 {
        scan.safe = true;
        scan.visit_body(def.body);
    }
    scan.safe
}

struct Items<'a> {
    layout: &'a Layout,
    /// The names that items have in loops.
    items: Vec<String>,
    safe: bool,
}

impl Items<'_> {
    fn is_item(&self, expr: &ast::Expr) -> bool {
        self.items.iter().any(|item| is_name(expr, item))
    }
}

fn is_name(expr: &ast::Expr, name: &str) -> bool {
    matches!(expr, ast::Expr::Name(found) if found.id.as_str() == name)
}

impl<'a> Visitor<'a> for Items<'a> {
    fn layout(&self) -> &'a Layout {
        self.layout
    }

    fn visit_stmt(&mut self, stmt: &'a ast::Stmt) {
        match stmt {
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
            }) if is_name(iter, watch::ITEMS) => {
                match &**target {
                    ast::Expr::Name(name) => self.items.push(name.id.to_string()),
                    _ => self.safe = false,
                }
                self.visit_body(body);
                self.visit_body(orelse);
            }
            ast::Stmt::FunctionDef(_)
            | ast::Stmt::AsyncFunctionDef(_)
            | ast::Stmt::ClassDef(_)
            | ast::Stmt::Global(_) => self.safe = false,
            _ => visit::walk_stmt(self, stmt),
        }
    }
}

impl<'a> ExprVisitor<'a> for Items<'a> {
    fn visit_expr(&mut self, expr: &'a ast::Expr) {
        match expr {
            ast::Expr::Attribute(attribute) if self.is_item(&attribute.value) => {
                let known = watch::leaves_item(&attribute.attr);
                self.safe &= known && attribute.ctx == ast::ExprContext::Load;
            }
            // Through the session, others reach its items.
            ast::Expr::Attribute(attribute) if is_name(&attribute.value, watch::SESSION) => {
                self.safe &= attribute.attr.as_str() != watch::ITEMS;
            }
            // `"slow" in item.keywords`, `isinstance(item, ..)`, `str(item)`.
            ast::Expr::Call(call) if matches!(&*call.func, ast::Expr::Name(name) if watch::looks_at(&name.id)) => {
                for arg in &call.args {
                    if !self.is_item(arg) && !is_name(arg, watch::ITEMS) {
                        self.visit_expr(arg);
                    }
                }
            }
            ast::Expr::Subscript(subscript) => {
                // `item.keywords["x"] = ..` gives it a keyword, as a mark does.
                visit::walk_expr(self, expr);
                self.safe &= !self.is_item(&subscript.value);
            }
            ast::Expr::Name(_) => {
                let named = is_name(expr, watch::ITEMS) || is_name(expr, watch::SESSION);
                self.safe &= !named && !self.is_item(expr);
            }
            _ => visit::walk_expr(self, expr),
        }
    }
}
