//! The second parser backend: with its submodules the only place that names `rustpython_parser`.
//!
//! It makes the same facts as the default backend. It knows less of Python's newer syntax, so that a file which it does
//! not parse may well be valid.

mod body;
mod exposed;
mod expr;
mod hooks;
mod imports;
mod layout;
mod scan;
mod visit;

use rustpython_parser::ast;

use super::{ModuleSummary, SyntaxProblem};

pub(super) fn parse(source: &str) -> Result<ModuleSummary, SyntaxProblem> {
    let (module, layout) = layout::parse(source)?;
    let mut summary = scan::scan(&layout, &module);
    summary.exposed = exposed::exposed(&layout, &module);
    summary.imports = imports::imports(&layout, &module);
    summary.body = body::Lower::new(&layout).body(&module);
    Ok(summary)
}

/// A function, asynchronous or not.
struct Def<'a> {
    name: &'a str,
    parameters: &'a ast::Arguments,
    body: &'a [ast::Stmt],
    decorators: &'a [ast::Expr],
    returns: Option<&'a ast::Expr>,
    type_params: &'a [ast::TypeParam],
    is_async: bool,
}

impl<'a> Def<'a> {
    fn of(stmt: &'a ast::Stmt) -> Option<Self> {
        Some(match stmt {
            ast::Stmt::FunctionDef(def) => Self {
                name: &def.name,
                parameters: &def.args,
                body: &def.body,
                decorators: &def.decorator_list,
                returns: def.returns.as_deref(),
                type_params: &def.type_params,
                is_async: false,
            },
            ast::Stmt::AsyncFunctionDef(def) => Self {
                name: &def.name,
                parameters: &def.args,
                body: &def.body,
                decorators: &def.decorator_list,
                returns: def.returns.as_deref(),
                type_params: &def.type_params,
                is_async: true,
            },
            _ => return None,
        })
    }
}

/// The text of a string that is not a format string.
fn string(expr: &ast::Expr) -> Option<&str> {
    match expr {
        ast::Expr::Constant(constant) => match &constant.value {
            ast::Constant::Str(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// Such as a docstring.
fn is_text(stmt: &ast::Stmt) -> bool {
    matches!(stmt, ast::Stmt::Expr(expr) if string(&expr.value).is_some())
}
