//! A walk over the tree, in the order in which Python evaluates it.

use rustpython_parser::ast;

use super::Def;
use super::layout::Layout;

pub(super) trait ExprVisitor<'a> {
    fn visit_expr(&mut self, expr: &'a ast::Expr);

    fn visit_annotation(&mut self, expr: &'a ast::Expr) {
        self.visit_expr(expr);
    }

    fn visit_comprehension(&mut self, comprehension: &'a ast::Comprehension) {
        self.visit_expr(&comprehension.iter);
        self.visit_expr(&comprehension.target);
        self.visit_all(&comprehension.ifs);
    }

    fn visit_all(&mut self, exprs: &'a [ast::Expr]) {
        for expr in exprs {
            self.visit_expr(expr);
        }
    }

    fn visit_arguments(&mut self, args: &'a [ast::Expr], keywords: &'a [ast::Keyword]) {
        self.visit_all(args);
        for keyword in keywords {
            self.visit_expr(&keyword.value);
        }
    }

    fn visit_parameters(&mut self, parameters: &'a ast::Arguments) {
        let positional = || parameters.posonlyargs.iter().chain(&parameters.args);
        for parameter in positional().chain(&parameters.kwonlyargs) {
            if let Some(default) = &parameter.default {
                self.visit_expr(default);
            }
        }
        let annotated = positional()
            .map(|parameter| &parameter.def)
            .chain(parameters.vararg.as_deref())
            .chain(parameters.kwonlyargs.iter().map(|parameter| &parameter.def))
            .chain(parameters.kwarg.as_deref());
        for parameter in annotated {
            if let Some(annotation) = &parameter.annotation {
                self.visit_annotation(annotation);
            }
        }
    }
}

pub(super) trait Visitor<'a>: ExprVisitor<'a> {
    fn layout(&self) -> &'a Layout;

    fn visit_stmt(&mut self, stmt: &'a ast::Stmt);

    fn visit_body(&mut self, body: &'a [ast::Stmt]) {
        for stmt in body {
            self.visit_stmt(stmt);
        }
    }

    /// The clauses of an `if` after the first.
    fn visit_clauses(&mut self, branch: &'a ast::StmtIf) {
        for (test, body) in self.layout().clauses(branch) {
            if let Some(test) = test {
                self.visit_expr(test);
            }
            self.visit_body(body);
        }
    }
}

pub(super) fn walk_stmt<'a>(visitor: &mut impl Visitor<'a>, stmt: &'a ast::Stmt) {
    match stmt {
        ast::Stmt::FunctionDef(_) | ast::Stmt::AsyncFunctionDef(_) => {
            if let Some(def) = Def::of(stmt) {
                visitor.visit_all(def.decorators);
                walk_type_params(visitor, def.type_params);
                visitor.visit_parameters(def.parameters);
                if let Some(returns) = def.returns {
                    visitor.visit_annotation(returns);
                }
                visitor.visit_body(def.body);
            }
        }
        ast::Stmt::ClassDef(def) => {
            visitor.visit_all(&def.decorator_list);
            walk_type_params(visitor, &def.type_params);
            visitor.visit_arguments(&def.bases, &def.keywords);
            visitor.visit_body(&def.body);
        }
        ast::Stmt::Return(stmt) => walk_option(visitor, stmt.value.as_deref()),
        ast::Stmt::Delete(stmt) => visitor.visit_all(&stmt.targets),
        ast::Stmt::TypeAlias(stmt) => {
            visitor.visit_expr(&stmt.value);
            walk_type_params(visitor, &stmt.type_params);
            visitor.visit_expr(&stmt.name);
        }
        ast::Stmt::Assign(stmt) => {
            visitor.visit_expr(&stmt.value);
            visitor.visit_all(&stmt.targets);
        }
        ast::Stmt::AugAssign(stmt) => {
            visitor.visit_expr(&stmt.value);
            visitor.visit_expr(&stmt.target);
        }
        ast::Stmt::AnnAssign(stmt) => {
            walk_option(visitor, stmt.value.as_deref());
            visitor.visit_annotation(&stmt.annotation);
            visitor.visit_expr(&stmt.target);
        }
        ast::Stmt::For(stmt) => {
            visitor.visit_expr(&stmt.iter);
            visitor.visit_expr(&stmt.target);
            visitor.visit_body(&stmt.body);
            visitor.visit_body(&stmt.orelse);
        }
        ast::Stmt::AsyncFor(stmt) => {
            visitor.visit_expr(&stmt.iter);
            visitor.visit_expr(&stmt.target);
            visitor.visit_body(&stmt.body);
            visitor.visit_body(&stmt.orelse);
        }
        ast::Stmt::While(stmt) => {
            visitor.visit_expr(&stmt.test);
            visitor.visit_body(&stmt.body);
            visitor.visit_body(&stmt.orelse);
        }
        ast::Stmt::If(stmt) => {
            visitor.visit_expr(&stmt.test);
            visitor.visit_body(&stmt.body);
            visitor.visit_clauses(stmt);
        }
        ast::Stmt::With(stmt) => {
            walk_with_items(visitor, &stmt.items);
            visitor.visit_body(&stmt.body);
        }
        ast::Stmt::AsyncWith(stmt) => {
            walk_with_items(visitor, &stmt.items);
            visitor.visit_body(&stmt.body);
        }
        ast::Stmt::Match(stmt) => {
            visitor.visit_expr(&stmt.subject);
            for case in &stmt.cases {
                walk_pattern(visitor, &case.pattern);
                walk_option(visitor, case.guard.as_deref());
                visitor.visit_body(&case.body);
            }
        }
        ast::Stmt::Raise(stmt) => {
            walk_option(visitor, stmt.exc.as_deref());
            walk_option(visitor, stmt.cause.as_deref());
        }
        ast::Stmt::Try(stmt) => {
            visitor.visit_body(&stmt.body);
            walk_handlers(visitor, &stmt.handlers);
            visitor.visit_body(&stmt.orelse);
            visitor.visit_body(&stmt.finalbody);
        }
        ast::Stmt::TryStar(stmt) => {
            visitor.visit_body(&stmt.body);
            walk_handlers(visitor, &stmt.handlers);
            visitor.visit_body(&stmt.orelse);
            visitor.visit_body(&stmt.finalbody);
        }
        ast::Stmt::Assert(stmt) => {
            visitor.visit_expr(&stmt.test);
            walk_option(visitor, stmt.msg.as_deref());
        }
        ast::Stmt::Expr(stmt) => visitor.visit_expr(&stmt.value),
        ast::Stmt::Import(_)
        | ast::Stmt::ImportFrom(_)
        | ast::Stmt::Global(_)
        | ast::Stmt::Nonlocal(_)
        | ast::Stmt::Pass(_)
        | ast::Stmt::Break(_)
        | ast::Stmt::Continue(_) => {}
    }
}

fn walk_with_items<'a>(visitor: &mut impl ExprVisitor<'a>, items: &'a [ast::WithItem]) {
    for item in items {
        visitor.visit_expr(&item.context_expr);
        walk_option(visitor, item.optional_vars.as_deref());
    }
}

fn walk_handlers<'a>(visitor: &mut impl Visitor<'a>, handlers: &'a [ast::ExceptHandler]) {
    for ast::ExceptHandler::ExceptHandler(handler) in handlers {
        walk_option(visitor, handler.type_.as_deref());
        visitor.visit_body(&handler.body);
    }
}

fn walk_type_params<'a>(visitor: &mut impl ExprVisitor<'a>, params: &'a [ast::TypeParam]) {
    for param in params {
        if let ast::TypeParam::TypeVar(param) = param {
            walk_option(visitor, param.bound.as_deref());
        }
    }
}

fn walk_pattern<'a>(visitor: &mut impl ExprVisitor<'a>, pattern: &'a ast::Pattern) {
    match pattern {
        ast::Pattern::MatchValue(pattern) => visitor.visit_expr(&pattern.value),
        ast::Pattern::MatchMapping(pattern) => visitor.visit_all(&pattern.keys),
        ast::Pattern::MatchClass(pattern) => visitor.visit_expr(&pattern.cls),
        _ => {}
    }
    for inner in patterns_in(pattern) {
        walk_pattern(visitor, inner);
    }
}

/// The patterns directly below one.
pub(super) fn patterns_in(pattern: &ast::Pattern) -> Vec<&ast::Pattern> {
    match pattern {
        ast::Pattern::MatchSequence(pattern) => pattern.patterns.iter().collect(),
        ast::Pattern::MatchMapping(pattern) => pattern.patterns.iter().collect(),
        ast::Pattern::MatchClass(pattern) => {
            let keywords = &pattern.kwd_patterns;
            pattern.patterns.iter().chain(keywords).collect()
        }
        ast::Pattern::MatchAs(pattern) => pattern.pattern.as_deref().into_iter().collect(),
        ast::Pattern::MatchOr(pattern) => pattern.patterns.iter().collect(),
        ast::Pattern::MatchValue(_)
        | ast::Pattern::MatchSingleton(_)
        | ast::Pattern::MatchStar(_) => Vec::new(),
    }
}

fn walk_option<'a>(visitor: &mut impl ExprVisitor<'a>, expr: Option<&'a ast::Expr>) {
    if let Some(expr) = expr {
        visitor.visit_expr(expr);
    }
}

pub(super) fn walk_expr<'a>(visitor: &mut impl ExprVisitor<'a>, expr: &'a ast::Expr) {
    match expr {
        ast::Expr::BoolOp(expr) => visitor.visit_all(&expr.values),
        ast::Expr::NamedExpr(expr) => {
            visitor.visit_expr(&expr.value);
            visitor.visit_expr(&expr.target);
        }
        ast::Expr::BinOp(expr) => {
            visitor.visit_expr(&expr.left);
            visitor.visit_expr(&expr.right);
        }
        ast::Expr::UnaryOp(expr) => visitor.visit_expr(&expr.operand),
        ast::Expr::Lambda(expr) => {
            visitor.visit_parameters(&expr.args);
            visitor.visit_expr(&expr.body);
        }
        ast::Expr::IfExp(expr) => {
            visitor.visit_expr(&expr.test);
            visitor.visit_expr(&expr.body);
            visitor.visit_expr(&expr.orelse);
        }
        ast::Expr::Dict(expr) => {
            for (key, value) in expr.keys.iter().zip(&expr.values) {
                walk_option(visitor, key.as_ref());
                visitor.visit_expr(value);
            }
        }
        ast::Expr::Set(expr) => visitor.visit_all(&expr.elts),
        ast::Expr::ListComp(expr) => walk_comprehension(visitor, &expr.generators, [&expr.elt]),
        ast::Expr::SetComp(expr) => walk_comprehension(visitor, &expr.generators, [&expr.elt]),
        ast::Expr::GeneratorExp(expr) => {
            walk_comprehension(visitor, &expr.generators, [&expr.elt]);
        }
        ast::Expr::DictComp(expr) => {
            walk_comprehension(visitor, &expr.generators, [&expr.key, &expr.value]);
        }
        ast::Expr::Await(expr) => visitor.visit_expr(&expr.value),
        ast::Expr::Yield(expr) => walk_option(visitor, expr.value.as_deref()),
        ast::Expr::YieldFrom(expr) => visitor.visit_expr(&expr.value),
        ast::Expr::Compare(expr) => {
            visitor.visit_expr(&expr.left);
            visitor.visit_all(&expr.comparators);
        }
        ast::Expr::Call(expr) => {
            visitor.visit_expr(&expr.func);
            visitor.visit_arguments(&expr.args, &expr.keywords);
        }
        ast::Expr::FormattedValue(expr) => {
            visitor.visit_expr(&expr.value);
            if let Some(spec) = expr.format_spec.as_deref() {
                walk_expr(visitor, spec);
            }
        }
        ast::Expr::JoinedStr(expr) => {
            // What stands between the fields is no string of its own.
            for value in &expr.values {
                if let ast::Expr::FormattedValue(_) = value {
                    walk_expr(visitor, value);
                }
            }
        }
        ast::Expr::Attribute(expr) => visitor.visit_expr(&expr.value),
        ast::Expr::Subscript(expr) => {
            visitor.visit_expr(&expr.value);
            visitor.visit_expr(&expr.slice);
        }
        ast::Expr::Starred(expr) => visitor.visit_expr(&expr.value),
        ast::Expr::List(expr) => visitor.visit_all(&expr.elts),
        ast::Expr::Tuple(expr) => visitor.visit_all(&expr.elts),
        ast::Expr::Slice(expr) => {
            walk_option(visitor, expr.lower.as_deref());
            walk_option(visitor, expr.upper.as_deref());
            walk_option(visitor, expr.step.as_deref());
        }
        ast::Expr::Constant(_) | ast::Expr::Name(_) => {}
    }
}

fn walk_comprehension<'a, const N: usize>(
    visitor: &mut impl ExprVisitor<'a>,
    generators: &'a [ast::Comprehension],
    elements: [&'a ast::Expr; N],
) {
    for generator in generators {
        visitor.visit_comprehension(generator);
    }
    for element in elements {
        visitor.visit_expr(element);
    }
}
