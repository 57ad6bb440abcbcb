//! Expressions, as far as collection asks about them.

/// Deeper expressions are opaque: to walk and to drop them must not take more stack than any caller has.
pub(super) const MAX_DEPTH: u32 = 64;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Expr {
    Name(String),
    Attr(Box<Expr>, String),
    Str(String),
    Bytes(Vec<u8>),
    /// A non-negative or negated integer, in decimal.
    Int(String),
    Float(f64),
    Bool(bool),
    None,
    Ellipsis,
    Tuple(Vec<Expr>),
    List(Vec<Expr>),
    Set(Vec<Expr>),
    /// Keys and values; without a key, what `**` unpacks.
    Dict(Vec<(Option<Expr>, Expr)>),
    Comprehension(Box<Comprehension>),
    Call {
        func: Box<Expr>,
        args: Vec<Expr>,
        keywords: Vec<(Option<String>, Expr)>,
    },
    Starred(Box<Expr>),
    Lambda(Box<Lambda>),
    Binary(Box<Expr>, Operator, Box<Expr>),
    Compare(Box<Expr>, Comparison, Box<Expr>),
    /// `and` of all if true, `or` if not.
    Logic(bool, Vec<Expr>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    Subscript(Box<Expr>, Box<Expr>),
    /// Start, stop and step.
    Slice([Option<Box<Expr>>; 3]),
    /// `body if test else orelse`, as test, body and the rest.
    If(Box<[Expr; 3]>),
    /// Texts, and expressions without a format.
    FString(Vec<Expr>),
    /// Anything else, with the names that it mentions.
    Opaque(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
    ShiftLeft,
    ShiftRight,
    Or,
    And,
    Xor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    NotIn,
    Is,
    IsNot,
}

/// What a comprehension makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Makes {
    List,
    Set,
    /// The element is a tuple of key and value.
    Dict,
    Generator,
}

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Comprehension {
    pub(crate) makes: Makes,
    pub(crate) element: Expr,
    pub(crate) generators: Vec<Generator>,
}

/// `for target in iter if conditions`.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Generator {
    pub(crate) target: Expr,
    pub(crate) iter: Expr,
    pub(crate) conditions: Vec<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Lambda {
    /// None where it has defaults, or takes any number.
    pub(crate) params: Option<Vec<String>>,
    pub(crate) body: Expr,
}

/// What an expression calls.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Called<'a> {
    Expr(&'a Expr),
    Name(&'a str),
}

impl Expr {
    /// A format string. Parsers differ in how they divide its text.
    pub(super) fn f_string(parts: Vec<Expr>) -> Expr {
        let mut joined: Vec<Expr> = Vec::with_capacity(parts.len());
        for part in parts {
            match (joined.last_mut(), part) {
                (Some(Expr::Str(before)), Expr::Str(text)) => before.push_str(&text),
                (_, Expr::Str(text)) if text.is_empty() => {}
                (_, part) => joined.push(part),
            }
        }
        Expr::FString(joined)
    }

    /// `-operand`.
    pub(super) fn negative(operand: Expr) -> Expr {
        match operand {
            Expr::Int(int) if int == "0" => Expr::Int(int),
            Expr::Int(int) if !int.starts_with('-') => Expr::Int(format!("-{int}")),
            Expr::Float(float) => Expr::Float(-float),
            operand => Expr::Negate(Box::new(operand)),
        }
    }

    /// What `!r` makes in a format string: as the builtin; a module that shadows it is asked by its name.
    pub(super) fn repr(value: Expr) -> Expr {
        Expr::Call {
            func: Box::new(Expr::Name("repr".to_owned())),
            args: vec![value],
            keywords: Vec::new(),
        }
    }

    /// The dotted path of a name or a chain of attributes of one.
    pub(crate) fn dotted(&self) -> Option<String> {
        match self {
            Expr::Name(name) => Some(name.clone()),
            Expr::Attr(value, attr) => value.dotted().map(|path| format!("{path}.{attr}")),
            _ => None,
        }
    }

    /// Calls `see` with every expression directly below this one.
    fn children<'a>(&'a self, see: &mut dyn FnMut(&'a Expr)) {
        match self {
            Expr::Attr(value, _)
            | Expr::Starred(value)
            | Expr::Not(value)
            | Expr::Negate(value) => see(value),
            Expr::Tuple(items)
            | Expr::List(items)
            | Expr::Set(items)
            | Expr::FString(items)
            | Expr::Logic(_, items) => items.iter().for_each(see),
            Expr::Dict(items) => {
                for (key, value) in items {
                    key.iter().for_each(&mut *see);
                    see(value);
                }
            }
            Expr::Comprehension(comprehension) => {
                see(&comprehension.element);
                for generator in &comprehension.generators {
                    see(&generator.target);
                    see(&generator.iter);
                    generator.conditions.iter().for_each(&mut *see);
                }
            }
            Expr::Call {
                func,
                args,
                keywords,
            } => {
                see(func);
                args.iter().for_each(&mut *see);
                keywords.iter().for_each(|(_, value)| see(value));
            }
            Expr::Lambda(lambda) => see(&lambda.body),
            Expr::Binary(left, _, right)
            | Expr::Compare(left, _, right)
            | Expr::Subscript(left, right) => {
                see(left);
                see(right);
            }
            Expr::Slice(parts) => parts.iter().flatten().for_each(|part| see(part)),
            Expr::If(parts) => parts.iter().for_each(see),
            Expr::Name(_)
            | Expr::Str(_)
            | Expr::Bytes(_)
            | Expr::Int(_)
            | Expr::Float(_)
            | Expr::Bool(_)
            | Expr::None
            | Expr::Ellipsis
            | Expr::Opaque(_) => {}
        }
    }

    /// Calls `see` with every name that the expression mentions.
    pub(crate) fn names(&self, see: &mut dyn FnMut(&str)) {
        match self {
            Expr::Name(name) => see(name),
            Expr::Opaque(names) => names.iter().for_each(|name| see(name)),
            other => other.children(&mut |child| child.names(see)),
        }
    }

    /// Calls `see` with every function that evaluating the expression calls. Where it is opaque, with
    /// every name in it.
    pub(crate) fn calls<'a>(&'a self, see: &mut dyn FnMut(Called<'a>)) {
        match self {
            Expr::Call { func, .. } => see(Called::Expr(func)),
            Expr::Opaque(names) => names.iter().for_each(|name| see(Called::Name(name))),
            // It is called by others, if at all.
            Expr::Lambda(_) => return,
            _ => {}
        }
        self.children(&mut |child| child.calls(see));
    }

    /// Whether the value can be neither called nor a class, whatever the names in it are.
    pub(crate) fn is_plain_data(&self) -> bool {
        matches!(
            self,
            Expr::Str(_)
                | Expr::Bytes(_)
                | Expr::Int(_)
                | Expr::Float(_)
                | Expr::Bool(_)
                | Expr::None
                | Expr::Ellipsis
                | Expr::Tuple(_)
                | Expr::List(_)
                | Expr::Set(_)
                | Expr::Dict(_)
                | Expr::Comprehension(_)
                | Expr::FString(_)
                | Expr::Compare(..)
                | Expr::Not(_)
        )
    }
}
