//! From the second parser's expressions to ours.

use rustpython_parser::ast;

use super::layout::Layout;
use super::visit::{self, ExprVisitor};
use crate::syntax::expr::MAX_DEPTH;
use crate::syntax::{Comparison, Comprehension, Expr, Generator, Lambda, Makes, Operator};

pub(super) fn opaque(expr: &ast::Expr) -> Expr {
    Expr::Opaque(mentions(expr))
}

pub(super) fn mentions(expr: &ast::Expr) -> Vec<String> {
    let mut names = Mentions(Vec::new());
    names.visit_expr(expr);
    names.0
}

struct Mentions(Vec<String>);

impl<'a> ExprVisitor<'a> for Mentions {
    fn visit_expr(&mut self, expr: &'a ast::Expr) {
        if let ast::Expr::Name(name) = expr {
            self.0.push(name.id.to_string());
        }
        visit::walk_expr(self, expr);
    }
}

pub(super) fn lower(layout: &Layout, expr: &ast::Expr) -> Expr {
    let depth = MAX_DEPTH;
    Lower { layout, depth }.expr(expr)
}

/// `left op right`, as in `left op= right`.
pub(super) fn binary(
    layout: &Layout,
    left: &ast::Expr,
    op: ast::Operator,
    right: &ast::Expr,
) -> Expr {
    let side = |expr| Box::new(lower(layout, expr));
    match operator(op) {
        Some(op) => Expr::Binary(side(left), op, side(right)),
        None => opaque(right),
    }
}

#[derive(Clone, Copy)]
struct Lower<'a> {
    layout: &'a Layout,
    /// How much deeper it may go.
    depth: u32,
}

impl Lower<'_> {
    fn expr(self, expr: &ast::Expr) -> Expr {
        let Some(depth) = self.depth.checked_sub(1) else {
            return opaque(expr);
        };
        let inner = Self { depth, ..self };
        inner.known(expr).unwrap_or_else(|| opaque(expr))
    }

    /// None where it is opaque. The depth is that of what is in the expression.
    fn known(self, expr: &ast::Expr) -> Option<Expr> {
        Some(match expr {
            ast::Expr::Name(name) => Expr::Name(name.id.to_string()),
            ast::Expr::Attribute(attribute) => {
                Expr::Attr(self.boxed(&attribute.value), attribute.attr.to_string())
            }
            ast::Expr::Constant(constant) => return literal(&constant.value),
            ast::Expr::UnaryOp(unary) => match (unary.op, self.expr(&unary.operand)) {
                (ast::UnaryOp::Not, operand) => Expr::Not(Box::new(operand)),
                (ast::UnaryOp::USub, operand) => Expr::negative(operand),
                _ => return None,
            },
            ast::Expr::Tuple(tuple) => Expr::Tuple(self.all(&tuple.elts)),
            ast::Expr::List(list) => Expr::List(self.all(&list.elts)),
            ast::Expr::Set(set) => Expr::Set(self.all(&set.elts)),
            ast::Expr::Dict(dict) => Expr::Dict(
                dict.keys
                    .iter()
                    .zip(&dict.values)
                    .map(|(key, value)| {
                        let key = key.as_ref().map(|key| self.expr(key));
                        (key, self.expr(value))
                    })
                    .collect(),
            ),
            ast::Expr::ListComp(comp) => {
                return self.comprehension(Makes::List, &comp.generators, [&comp.elt]);
            }
            ast::Expr::SetComp(comp) => {
                return self.comprehension(Makes::Set, &comp.generators, [&comp.elt]);
            }
            ast::Expr::GeneratorExp(comp) => {
                return self.comprehension(Makes::Generator, &comp.generators, [&comp.elt]);
            }
            ast::Expr::DictComp(comp) => {
                let pair = [&*comp.key, &*comp.value];
                return self.comprehension(Makes::Dict, &comp.generators, pair);
            }
            ast::Expr::Lambda(lambda) => Expr::Lambda(Box::new(Lambda {
                params: lambda_params(&lambda.args),
                body: self.expr(&lambda.body),
            })),
            ast::Expr::Starred(starred) => Expr::Starred(self.boxed(&starred.value)),
            ast::Expr::Call(call) => Expr::Call {
                func: self.boxed(&call.func),
                args: self.all(&call.args),
                keywords: call
                    .keywords
                    .iter()
                    .map(|keyword| {
                        let name = keyword.arg.as_ref().map(ToString::to_string);
                        (name, self.expr(&keyword.value))
                    })
                    .collect(),
            },
            ast::Expr::BinOp(binary) => {
                let op = operator(binary.op)?;
                Expr::Binary(self.boxed(&binary.left), op, self.boxed(&binary.right))
            }
            ast::Expr::Compare(compare) => match (&*compare.ops, &*compare.comparators) {
                ([op], [right]) => Expr::Compare(
                    self.boxed(&compare.left),
                    comparison(*op),
                    self.boxed(right),
                ),
                _ => return None,
            },
            ast::Expr::BoolOp(logic) => {
                Expr::Logic(logic.op == ast::BoolOp::And, self.all(&logic.values))
            }
            ast::Expr::Subscript(subscript) => {
                let slice = match self.expr(&subscript.slice) {
                    // `x[*y]` means `x[(*y,)]`.
                    Expr::Starred(inner) => Expr::Tuple(vec![Expr::Starred(inner)]),
                    slice => slice,
                };
                Expr::Subscript(self.boxed(&subscript.value), Box::new(slice))
            }
            ast::Expr::Slice(slice) => {
                let part =
                    |part: &Option<Box<ast::Expr>>| part.as_deref().map(|part| self.boxed(part));
                Expr::Slice([part(&slice.lower), part(&slice.upper), part(&slice.step)])
            }
            ast::Expr::IfExp(branch) => Expr::If(Box::new([
                self.expr(&branch.test),
                self.expr(&branch.body),
                self.expr(&branch.orelse),
            ])),
            ast::Expr::JoinedStr(text) => return self.f_string(text),
            _ => return None,
        })
    }

    fn boxed(self, expr: &ast::Expr) -> Box<Expr> {
        Box::new(self.expr(expr))
    }

    fn all(self, exprs: &[ast::Expr]) -> Vec<Expr> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    /// The element of one that makes a dictionary is a pair.
    fn comprehension<const N: usize>(
        self,
        makes: Makes,
        generators: &[ast::Comprehension],
        elements: [&ast::Expr; N],
    ) -> Option<Expr> {
        if generators.iter().any(|generator| generator.is_async) {
            return None;
        }
        let element = match elements.as_slice() {
            [element] => self.expr(element),
            pair => Expr::Tuple(pair.iter().map(|part| self.expr(part)).collect()),
        };
        Some(Expr::Comprehension(Box::new(Comprehension {
            makes,
            element,
            generators: generators
                .iter()
                .map(|generator| Generator {
                    target: self.expr(&generator.target),
                    iter: self.expr(&generator.iter),
                    conditions: self.all(&generator.ifs),
                })
                .collect(),
        })))
    }

    /// None where a part has a format or is shown for debugging.
    fn f_string(self, text: &ast::ExprJoinedStr) -> Option<Expr> {
        if self.layout.shows_source(text) {
            return None;
        }
        let part = |part: &ast::Expr| {
            let field = match part {
                ast::Expr::FormattedValue(field) => field,
                constant => return Some(self.expr(constant)),
            };
            match field.conversion {
                _ if field.format_spec.is_some() => None,
                ast::ConversionFlag::None | ast::ConversionFlag::Str => {
                    Some(self.expr(&field.value))
                }
                ast::ConversionFlag::Repr => Some(Expr::repr(self.expr(&field.value))),
                ast::ConversionFlag::Ascii => None,
            }
        };
        let parts: Option<Vec<Expr>> = text.values.iter().map(part).collect();
        parts.map(Expr::f_string)
    }
}

fn literal(constant: &ast::Constant) -> Option<Expr> {
    Some(match constant {
        ast::Constant::None => Expr::None,
        ast::Constant::Bool(value) => Expr::Bool(*value),
        ast::Constant::Str(text) => Expr::Str(text.clone()),
        ast::Constant::Bytes(bytes) => Expr::Bytes(bytes.clone()),
        ast::Constant::Int(int) => Expr::Int(u64::try_from(int).ok()?.to_string()),
        ast::Constant::Float(float) => Expr::Float(*float),
        ast::Constant::Ellipsis => Expr::Ellipsis,
        ast::Constant::Complex { .. } | ast::Constant::Tuple(_) => return None,
    })
}

/// The names of positional parameters, if a lambda has no others.
fn lambda_params(params: &ast::Arguments) -> Option<Vec<String>> {
    let simple = params.vararg.is_none() && params.kwarg.is_none() && params.kwonlyargs.is_empty();
    let params = params.posonlyargs.iter().chain(&params.args);
    params
        .map(|param| {
            let plain = simple && param.default.is_none();
            plain.then(|| param.def.arg.to_string())
        })
        .collect()
}

fn operator(op: ast::Operator) -> Option<Operator> {
    Some(match op {
        ast::Operator::Add => Operator::Add,
        ast::Operator::Sub => Operator::Subtract,
        ast::Operator::Mult => Operator::Multiply,
        ast::Operator::Div => Operator::Divide,
        ast::Operator::FloorDiv => Operator::FloorDivide,
        ast::Operator::Mod => Operator::Modulo,
        ast::Operator::Pow => Operator::Power,
        ast::Operator::LShift => Operator::ShiftLeft,
        ast::Operator::RShift => Operator::ShiftRight,
        ast::Operator::BitOr => Operator::Or,
        ast::Operator::BitAnd => Operator::And,
        ast::Operator::BitXor => Operator::Xor,
        ast::Operator::MatMult => return None,
    })
}

fn comparison(op: ast::CmpOp) -> Comparison {
    match op {
        ast::CmpOp::Eq => Comparison::Equal,
        ast::CmpOp::NotEq => Comparison::NotEqual,
        ast::CmpOp::Lt => Comparison::Less,
        ast::CmpOp::LtE => Comparison::LessEqual,
        ast::CmpOp::Gt => Comparison::Greater,
        ast::CmpOp::GtE => Comparison::GreaterEqual,
        ast::CmpOp::In => Comparison::In,
        ast::CmpOp::NotIn => Comparison::NotIn,
        ast::CmpOp::Is => Comparison::Is,
        ast::CmpOp::IsNot => Comparison::IsNot,
    }
}
