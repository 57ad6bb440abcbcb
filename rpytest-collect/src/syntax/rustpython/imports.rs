//! A whole module's imports, by the second parser.

use rustpython_parser::ast::{self, Ranged};

use super::expr::lower;
use super::layout::Layout;
use super::string;
use super::visit::{self, ExprVisitor, Visitor};
use crate::syntax::Expr;
use crate::syntax::imports::{self, Import};

pub(super) fn imports(layout: &Layout, body: &[ast::Stmt]) -> Vec<Import> {
    let mut scan = Scan {
        layout,
        found: Vec::new(),
    };
    scan.visit_body(body);
    imports::distinct(scan.found)
}

struct Scan<'a> {
    layout: &'a Layout,
    found: Vec<Import>,
}

impl Scan<'_> {
    fn dynamic(&mut self, at: &impl Ranged, what: &str) {
        self.found.push(Import::Dynamic {
            line: self.layout.line(at),
            what: what.to_owned(),
        });
    }

    fn plugins(&mut self, at: &ast::Stmt, target: &ast::Expr, value: Option<&ast::Expr>) {
        let is_plugins = matches!(target, ast::Expr::Name(name) if imports::is_plugins(&name.id));
        if let (true, Some(value)) = (is_plugins, value) {
            let line = self.layout.line(at);
            let value = lower(self.layout, value);
            self.found.extend(imports::plugins(line, &value));
        }
    }
}

impl<'a> Visitor<'a> for Scan<'a> {
    fn layout(&self) -> &'a Layout {
        self.layout
    }

    fn visit_stmt(&mut self, stmt: &'a ast::Stmt) {
        match stmt {
            ast::Stmt::Import(import) => {
                for alias in &import.names {
                    self.found.push(Import::Module(alias.name.to_string()));
                }
            }
            ast::Stmt::ImportFrom(import) => {
                for alias in &import.names {
                    if alias.asname.is_some() && imports::is_loader(&alias.name) {
                        self.dynamic(alias, &alias.name);
                    }
                }
                let module = import.module.as_deref().unwrap_or_default();
                self.found.push(Import::From {
                    level: import.level.map_or(0, |level| level.to_u32()),
                    module: module.to_owned(),
                    names: import
                        .names
                        .iter()
                        .map(|alias| alias.name.to_string())
                        .collect(),
                });
                let mut names = import.names.iter();
                if module == "sys" && names.any(|alias| imports::is_sys_path(&alias.name)) {
                    self.found.push(Import::SearchPath);
                }
            }
            ast::Stmt::Assign(assign) => {
                for target in &assign.targets {
                    self.plugins(stmt, target, Some(&assign.value));
                }
            }
            ast::Stmt::AnnAssign(assign) => {
                self.plugins(stmt, &assign.target, assign.value.as_deref());
            }
            ast::Stmt::AugAssign(assign) => {
                self.plugins(stmt, &assign.target, Some(&assign.value));
            }
            _ => {}
        }
        visit::walk_stmt(self, stmt);
    }
}

impl<'a> ExprVisitor<'a> for Scan<'a> {
    fn visit_expr(&mut self, expr: &'a ast::Expr) {
        match expr {
            ast::Expr::Call(call) => {
                let name = match &*call.func {
                    ast::Expr::Name(name) => name.id.as_str(),
                    ast::Expr::Attribute(attribute) => attribute.attr.as_str(),
                    _ => "",
                };
                if imports::is_loader(name) {
                    if let Expr::Call { args, keywords, .. } = lower(self.layout, expr) {
                        let line = self.layout.line(expr);
                        self.found.push(imports::call(line, name, &args, &keywords));
                    }
                    if let ast::Expr::Attribute(attribute) = &*call.func {
                        self.visit_expr(&attribute.value);
                    }
                    self.visit_arguments(&call.args, &call.keywords);
                    return;
                }
                if imports::extends_path(name) {
                    self.found.push(Import::SearchPath);
                }
            }
            ast::Expr::Name(name) if imports::is_loader(&name.id) => {
                self.dynamic(expr, &name.id);
            }
            ast::Expr::Attribute(attribute) => {
                let name = attribute.attr.as_str();
                if imports::is_loader(name) {
                    self.dynamic(expr, name);
                }
                let of_sys =
                    matches!(&*attribute.value, ast::Expr::Name(of) if of.id.as_str() == "sys");
                if of_sys && imports::is_sys_path(name) {
                    self.found.push(Import::SearchPath);
                }
            }
            _ => self.found.extend(string(expr).and_then(imports::mention)),
        }
        visit::walk_expr(self, expr);
    }
}
