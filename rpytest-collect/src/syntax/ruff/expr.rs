//! From the default parser's expressions to ours.

use ruff_python_ast as ast;
use ruff_python_ast::visitor::{self, Visitor};

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

impl<'a> Visitor<'a> for Mentions {
    fn visit_expr(&mut self, expr: &'a ast::Expr) {
        if let ast::Expr::Name(name) = expr {
            self.0.push(name.id.to_string());
        }
        visitor::walk_expr(self, expr);
    }
}

pub(super) fn lower(expr: &ast::Expr) -> Expr {
    lower_at(expr, MAX_DEPTH)
}

fn lower_at(expr: &ast::Expr, depth: u32) -> Expr {
    let Some(depth) = depth.checked_sub(1) else {
        return opaque(expr);
    };
    let boxed = |expr: &ast::Expr| Box::new(lower_at(expr, depth));
    let all = |items: &[ast::Expr]| -> Vec<Expr> {
        items.iter().map(|item| lower_at(item, depth)).collect()
    };
    match expr {
        ast::Expr::Name(name) => Expr::Name(name.id.to_string()),
        ast::Expr::Attribute(attribute) => {
            Expr::Attr(boxed(&attribute.value), attribute.attr.to_string())
        }
        ast::Expr::StringLiteral(literal) => Expr::Str(literal.value.to_str().to_owned()),
        ast::Expr::BytesLiteral(literal) => Expr::Bytes(literal.value.bytes().collect()),
        ast::Expr::NumberLiteral(literal) => match &literal.value {
            ast::Number::Int(int) => int
                .as_u64()
                .map_or_else(|| opaque(expr), |int| Expr::Int(int.to_string())),
            ast::Number::Float(float) => Expr::Float(*float),
            ast::Number::Complex { .. } => opaque(expr),
        },
        ast::Expr::BooleanLiteral(literal) => Expr::Bool(literal.value),
        ast::Expr::NoneLiteral(_) => Expr::None,
        ast::Expr::EllipsisLiteral(_) => Expr::Ellipsis,
        ast::Expr::UnaryOp(unary) => match (unary.op, lower_at(&unary.operand, depth)) {
            (ast::UnaryOp::Not, operand) => Expr::Not(Box::new(operand)),
            (ast::UnaryOp::USub, operand) => Expr::negative(operand),
            _ => opaque(expr),
        },
        ast::Expr::Tuple(tuple) => Expr::Tuple(all(&tuple.elts)),
        ast::Expr::List(list) => Expr::List(all(&list.elts)),
        ast::Expr::Set(set) => Expr::Set(all(&set.elts)),
        ast::Expr::Dict(dict) => Expr::Dict(
            dict.items
                .iter()
                .map(|item| {
                    let key = item.key.as_ref().map(|key| lower_at(key, depth));
                    (key, lower_at(&item.value, depth))
                })
                .collect(),
        ),
        ast::Expr::ListComp(comp) => comprehension(
            Makes::List,
            lower_at(&comp.elt, depth),
            &comp.generators,
            expr,
            depth,
        ),
        ast::Expr::SetComp(comp) => comprehension(
            Makes::Set,
            lower_at(&comp.elt, depth),
            &comp.generators,
            expr,
            depth,
        ),
        ast::Expr::Generator(comp) => comprehension(
            Makes::Generator,
            lower_at(&comp.elt, depth),
            &comp.generators,
            expr,
            depth,
        ),
        ast::Expr::DictComp(comp) => {
            let Some(key) = comp.key.as_deref() else {
                return opaque(expr);
            };
            let pair = vec![lower_at(key, depth), lower_at(&comp.value, depth)];
            let pair = Expr::Tuple(pair);
            comprehension(Makes::Dict, pair, &comp.generators, expr, depth)
        }
        ast::Expr::Lambda(lambda) => Expr::Lambda(Box::new(Lambda {
            params: lambda_params(lambda),
            body: lower_at(&lambda.body, depth),
        })),
        ast::Expr::Starred(starred) => Expr::Starred(boxed(&starred.value)),
        ast::Expr::Call(call) => Expr::Call {
            func: boxed(&call.func),
            args: all(&call.arguments.args),
            keywords: call
                .arguments
                .keywords
                .iter()
                .map(|keyword| {
                    let name = keyword.arg.as_ref().map(ToString::to_string);
                    (name, lower_at(&keyword.value, depth))
                })
                .collect(),
        },
        ast::Expr::BinOp(binary) => match operator(binary.op) {
            Some(op) => Expr::Binary(boxed(&binary.left), op, boxed(&binary.right)),
            None => opaque(expr),
        },
        ast::Expr::Compare(compare) => match (&*compare.ops, &*compare.comparators) {
            ([op], [right]) => Expr::Compare(boxed(&compare.left), comparison(*op), boxed(right)),
            _ => opaque(expr),
        },
        ast::Expr::BoolOp(logic) => Expr::Logic(logic.op == ast::BoolOp::And, all(&logic.values)),
        ast::Expr::Subscript(subscript) => {
            Expr::Subscript(boxed(&subscript.value), boxed(&subscript.slice))
        }
        ast::Expr::Slice(slice) => {
            let part = |part: &Option<Box<ast::Expr>>| part.as_deref().map(boxed);
            Expr::Slice([part(&slice.lower), part(&slice.upper), part(&slice.step)])
        }
        ast::Expr::If(branch) => Expr::If(Box::new([
            lower_at(&branch.test, depth),
            lower_at(&branch.body, depth),
            lower_at(&branch.orelse, depth),
        ])),
        ast::Expr::FString(text) => f_string(text, depth).unwrap_or_else(|| opaque(expr)),
        _ => opaque(expr),
    }
}

/// `left op right`, as in `left op= right`.
pub(super) fn binary(left: &ast::Expr, op: ast::Operator, right: &ast::Expr) -> Expr {
    match operator(op) {
        Some(op) => Expr::Binary(Box::new(lower(left)), op, Box::new(lower(right))),
        None => opaque(right),
    }
}

fn comprehension(
    makes: Makes,
    element: Expr,
    generators: &[ast::Comprehension],
    whole: &ast::Expr,
    depth: u32,
) -> Expr {
    if generators.iter().any(|generator| generator.is_async) {
        return opaque(whole);
    }
    Expr::Comprehension(Box::new(Comprehension {
        makes,
        element,
        generators: generators
            .iter()
            .map(|generator| Generator {
                target: lower_at(&generator.target, depth),
                iter: lower_at(&generator.iter, depth),
                conditions: generator
                    .ifs
                    .iter()
                    .map(|condition| lower_at(condition, depth))
                    .collect(),
            })
            .collect(),
    }))
}

/// The names of positional parameters, if a lambda has no others.
fn lambda_params(lambda: &ast::ExprLambda) -> Option<Vec<String>> {
    let Some(params) = lambda.parameters.as_deref() else {
        return Some(Vec::new());
    };
    let simple = params.vararg.is_none() && params.kwarg.is_none() && params.kwonlyargs.is_empty();
    let params = params.posonlyargs.iter().chain(&params.args);
    params
        .map(|param| {
            let plain = simple && param.default.is_none();
            plain.then(|| param.parameter.name.to_string())
        })
        .collect()
}

/// None where a part has a format or is shown for debugging.
fn f_string(text: &ast::ExprFString, depth: u32) -> Option<Expr> {
    let mut parts = Vec::new();
    for part in text.value.iter() {
        let string = match part {
            ast::FStringPart::Literal(literal) => {
                parts.push(Expr::Str(literal.value.to_string()));
                continue;
            }
            ast::FStringPart::FString(string) => string,
        };
        for element in &string.elements {
            match element {
                ast::InterpolatedStringElement::Literal(literal) => {
                    parts.push(Expr::Str(literal.value.to_string()));
                }
                ast::InterpolatedStringElement::Interpolation(value) => {
                    let plain = value.debug_text.is_none() && value.format_spec.is_none();
                    let value = match value.conversion {
                        ast::ConversionFlag::None | ast::ConversionFlag::Str if plain => {
                            lower_at(&value.expression, depth)
                        }
                        ast::ConversionFlag::Repr if plain => {
                            Expr::repr(lower_at(&value.expression, depth))
                        }
                        _ => return None,
                    };
                    parts.push(value);
                }
            }
        }
    }
    Some(Expr::f_string(parts))
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
