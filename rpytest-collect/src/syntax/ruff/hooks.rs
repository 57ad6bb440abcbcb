//! What the bodies of certain hooks do, where that can be told.

use ruff_python_ast as ast;
use ruff_python_ast::visitor::{self, Visitor};

use super::expr::lower;
use crate::syntax::{Guard, branches, watch};

/// What a function's whole body does for the fixtures that it asks its one parameter for:
/// `if "name" in metafunc.fixturenames`.
pub(super) fn guards(def: &ast::StmtFunctionDef) -> Option<Vec<Guard>> {
    let [param] = &*def.parameters.args else {
        return None;
    };
    let guard = |test: &ast::Expr, body: &[ast::Stmt]| {
        let only = match body {
            [ast::Stmt::Expr(stmt)] => Some(lower(&stmt.value)),
            _ => None,
        };
        branches::guard(&lower(test), &param.parameter.name.id, only)
    };
    let mut found = Vec::new();
    for stmt in &def.body {
        match stmt {
            ast::Stmt::If(branch) => {
                found.push(guard(&branch.test, &branch.body)?);
                for clause in &branch.elif_else_clauses {
                    found.push(guard(clause.test.as_ref()?, &clause.body)?);
                }
            }
            ast::Stmt::Pass(_) => {}
            ast::Stmt::Expr(expr) if matches!(&*expr.value, ast::Expr::StringLiteral(_)) => {}
            _ => return None,
        }
    }
    Some(found)
}

/// Whether a `pytest_collection_modifyitems` does nothing to the items but give them marks: it goes through
/// `items` in loops, and of an item it asks only what does not change it.
pub(super) fn only_marks(def: &ast::StmtFunctionDef) -> bool {
    if def.name.as_str() != watch::MODIFIES || !def.decorator_list.is_empty() {
        return false;
    }
    let mut scan = Items {
        items: Vec::new(),
        safe: true,
    };
    // A first look finds the names of items, a second one what is done with them.
    for _ in 0..2 {
        scan.safe = true;
        scan.visit_body(&def.body);
    }
    scan.safe
}

struct Items {
    /// The names that items have in loops.
    items: Vec<String>,
    safe: bool,
}

impl Items {
    fn is_item(&self, expr: &ast::Expr) -> bool {
        matches!(expr, ast::Expr::Name(name) if self.items.iter().any(|item| name.id == *item.as_str()))
    }

    fn is_all(expr: &ast::Expr) -> bool {
        matches!(expr, ast::Expr::Name(name) if name.id == watch::ITEMS)
    }
}

/// Through the session, others reach its items.
fn is_session(expr: &ast::Expr) -> bool {
    matches!(expr, ast::Expr::Name(name) if name.id == watch::SESSION)
}

impl<'a> Visitor<'a> for Items {
    fn visit_stmt(&mut self, stmt: &'a ast::Stmt) {
        match stmt {
            ast::Stmt::For(stmt) if Self::is_all(&stmt.iter) => {
                match &*stmt.target {
                    ast::Expr::Name(name) => self.items.push(name.id.to_string()),
                    _ => self.safe = false,
                }
                self.visit_body(&stmt.body);
                self.visit_body(&stmt.orelse);
            }
            ast::Stmt::FunctionDef(_) | ast::Stmt::ClassDef(_) | ast::Stmt::Global(_) => {
                self.safe = false;
            }
            _ => visitor::walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a ast::Expr) {
        match expr {
            ast::Expr::Attribute(attribute) if self.is_item(&attribute.value) => {
                let known = watch::leaves_item(&attribute.attr);
                self.safe &= known && attribute.ctx == ast::ExprContext::Load;
            }
            ast::Expr::Attribute(attribute) if is_session(&attribute.value) => {
                self.safe &= attribute.attr.as_str() != watch::ITEMS;
            }
            // `"slow" in item.keywords`, `isinstance(item, ..)`, `str(item)`.
            ast::Expr::Call(call)
                if matches!(&*call.func, ast::Expr::Name(name)
                    if watch::looks_at(&name.id)) =>
            {
                for arg in &call.arguments.args {
                    if !self.is_item(arg) && !Self::is_all(arg) {
                        self.visit_expr(arg);
                    }
                }
            }
            ast::Expr::Subscript(subscript) => {
                // `item.keywords["x"] = ..` gives it a keyword, as a mark does.
                visitor::walk_expr(self, expr);
                self.safe &= !self.is_item(&subscript.value);
            }
            ast::Expr::Name(name) => {
                self.safe &= name.id != watch::ITEMS && !is_session(expr) && !self.is_item(expr);
            }
            _ => visitor::walk_expr(self, expr),
        }
    }
}
