//! A whole module's imports, by the default parser.

use ruff_python_ast as ast;
use ruff_python_ast::visitor::{self, Visitor};
use ruff_text_size::Ranged;

use super::{Lines, lower};
use crate::syntax::imports::{self, Import};

pub(super) fn imports(lines: &Lines, body: &[ast::Stmt]) -> Vec<Import> {
    let mut scan = Scan {
        lines,
        found: Vec::new(),
    };
    scan.visit_body(body);
    imports::distinct(scan.found)
}

struct Scan<'a> {
    lines: &'a Lines,
    found: Vec<Import>,
}

impl Scan<'_> {
    fn dynamic(&mut self, at: &impl Ranged, what: &str) {
        self.found.push(Import::Dynamic {
            line: self.lines.of(at.start()),
            what: what.to_owned(),
        });
    }

    fn plugins(&mut self, at: &impl Ranged, target: &ast::Expr, value: Option<&ast::Expr>) {
        let is_plugins = matches!(target, ast::Expr::Name(name) if imports::is_plugins(&name.id));
        if let (true, Some(value)) = (is_plugins, value) {
            let line = self.lines.of(at.start());
            self.found.extend(imports::plugins(line, &lower(value)));
        }
    }
}

impl<'a> Visitor<'a> for Scan<'_> {
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
                self.found.push(Import::From {
                    level: import.level,
                    module: import
                        .module
                        .as_ref()
                        .map(ToString::to_string)
                        .unwrap_or_default(),
                    names: import
                        .names
                        .iter()
                        .map(|alias| alias.name.to_string())
                        .collect(),
                });
                let of_sys = import.module.as_deref() == Some("sys");
                let mut names = import.names.iter();
                if of_sys && names.any(|alias| imports::is_sys_path(&alias.name)) {
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
        visitor::walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a ast::Expr) {
        match expr {
            ast::Expr::Call(call) => {
                let name = match &*call.func {
                    ast::Expr::Name(name) => name.id.as_str(),
                    ast::Expr::Attribute(attribute) => attribute.attr.as_str(),
                    _ => "",
                };
                if imports::is_loader(name) {
                    if let super::Expr::Call { args, keywords, .. } = lower(expr) {
                        let line = self.lines.of(expr.start());
                        self.found.push(imports::call(line, name, &args, &keywords));
                    }
                    if let ast::Expr::Attribute(attribute) = &*call.func {
                        self.visit_expr(&attribute.value);
                    }
                    self.visit_arguments(&call.arguments);
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
                let of_sys = matches!(&*attribute.value, ast::Expr::Name(of) if of.id == "sys");
                if of_sys && imports::is_sys_path(name) {
                    self.found.push(Import::SearchPath);
                }
            }
            ast::Expr::StringLiteral(literal) => {
                self.found.extend(imports::mention(literal.value.to_str()));
            }
            _ => {}
        }
        visitor::walk_expr(self, expr);
    }
}
