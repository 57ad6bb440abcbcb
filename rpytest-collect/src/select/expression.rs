//! The language of `-k` and `-m`: `_pytest/mark/expression.py` of pytest 8.3 to 9.2.

use std::fmt;

/// Why an expression cannot be used. The text of `Display` is what pytest prints after `ERROR: `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct ExpressionError {
    kind: ExpressionErrorKind,
    option: &'static str,
    text: String,
    column: usize,
    message: String,
}

/// What kind of error an [`ExpressionError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpressionErrorKind {
    /// pytest refuses the expression when it parses it.
    Syntax,
    /// `-k "name(argument=1)"`, which pytest refuses when it comes to evaluate it.
    CallInKeyword,
    /// pytest may accept it, this crate does not: it nests too deeply, or has digits outside of ASCII.
    Unsupported,
}

impl ExpressionError {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> ExpressionErrorKind {
        self.kind
    }

    /// Where it was found: 1-based, in characters. 0 where the whole expression is meant.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong, without the expression and the position.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn call_in_keyword(text: &str) -> Self {
        Self {
            kind: ExpressionErrorKind::CallInKeyword,
            option: "-k",
            text: text.to_owned(),
            column: 0,
            message: "Keyword expressions do not support call parameters.".to_owned(),
        }
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            option,
            text,
            column,
            message,
            ..
        } = self;
        match self.kind {
            ExpressionErrorKind::CallInKeyword => f.write_str(message),
            _ => write!(
                f,
                "Wrong expression passed to '{option}': {text}: at column {column}: {message}"
            ),
        }
    }
}

/// A value that an argument of a mark is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Literal {
    None,
    Bool(bool),
    /// In decimal, without leading zeros.
    Int(String),
    Str(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    False,
    Or(Vec<Node>),
    And(Vec<Node>),
    Not(Box<Node>),
    Name(String),
    Call(String, Vec<(String, Literal)>),
}

impl Node {
    pub(super) fn names<'a>(&'a self, out: &mut Vec<&'a str>) {
        match self {
            Self::False => {}
            Self::Or(nodes) | Self::And(nodes) => nodes.iter().for_each(|node| node.names(out)),
            Self::Not(node) => node.names(out),
            Self::Name(name) | Self::Call(name, _) => out.push(name),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    LeftParen,
    RightParen,
    Or,
    And,
    Not,
    Ident(String),
    Eof,
    Equal,
    Str(String),
    Comma,
}

impl Token {
    /// pytest's name of the kind of token, in messages.
    fn label(&self) -> &'static str {
        match self {
            Self::LeftParen => "left parenthesis",
            Self::RightParen => "right parenthesis",
            Self::Or => "or",
            Self::And => "and",
            Self::Not => "not",
            Self::Ident(_) => "identifier",
            Self::Eof => "end of input",
            Self::Equal => "=",
            Self::Str(_) => "string literal",
            Self::Comma => ",",
        }
    }
}

/// Parentheses and `not`s within each other. Python's own limit is of this order.
const MAX_DEPTH: usize = 90;

const PYTHON_KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

pub(super) fn parse(option: &'static str, text: &str) -> Result<Node, ExpressionError> {
    let mut parser = Parser {
        option,
        text,
        input: text.chars().collect(),
        next: 0,
        current: Token::Eof,
        column: 1,
        depth: 0,
    };
    parser.advance()?;
    if parser.current == Token::Eof {
        return Ok(Node::False);
    }
    let node = parser.or()?;
    parser.expect(&Token::Eof)?;
    Ok(node)
}

/// One token ahead of what is parsed, so that of two errors the same one is found as by pytest.
struct Parser<'a> {
    option: &'static str,
    text: &'a str,
    input: Vec<char>,
    next: usize,
    current: Token,
    /// Of the current token, 1-based.
    column: usize,
    depth: usize,
}

impl Parser<'_> {
    fn error(&self, column: usize, message: String) -> ExpressionError {
        ExpressionError {
            kind: ExpressionErrorKind::Syntax,
            option: self.option,
            text: self.text.to_owned(),
            column,
            message,
        }
    }

    fn unsupported(&self, message: &str) -> ExpressionError {
        ExpressionError {
            kind: ExpressionErrorKind::Unsupported,
            ..self.error(self.column, message.to_owned())
        }
    }

    fn advance(&mut self) -> Result<(), ExpressionError> {
        while matches!(self.input.get(self.next), Some(' ' | '\t')) {
            self.next += 1;
        }
        let start = self.next;
        self.column = start + 1;
        let Some(&first) = self.input.get(start) else {
            self.current = Token::Eof;
            return Ok(());
        };
        self.next += 1;
        self.current = match first {
            '(' => Token::LeftParen,
            ')' => Token::RightParen,
            '=' => Token::Equal,
            ',' => Token::Comma,
            '\'' | '"' => {
                let rest = &self.input[start + 1..];
                let Some(length) = rest.iter().position(|&c| c == first) else {
                    let message = format!("closing quote \"{first}\" is missing");
                    return Err(self.error(start + 1, message));
                };
                if let Some(at) = rest[..length].iter().position(|&c| c == '\\') {
                    let message = "escaping with \"\\\" not supported in marker expression";
                    return Err(self.error(start + at + 2, message.to_owned()));
                }
                self.next = start + length + 2;
                Token::Str(rest[..length].iter().collect())
            }
            first if !is_ident(first) => {
                return Err(self.error(start + 1, format!("unexpected character \"{first}\"")));
            }
            _ => {
                let rest = &self.input[start..];
                let length = rest.iter().position(|&c| !is_ident(c));
                let word: String = rest[..length.unwrap_or(rest.len())].iter().collect();
                self.next = start + length.unwrap_or(rest.len());
                match word.as_str() {
                    "or" => Token::Or,
                    "and" => Token::And,
                    "not" => Token::Not,
                    _ => Token::Ident(word),
                }
            }
        };
        Ok(())
    }

    fn reject(&self, expected: &str) -> ExpressionError {
        let got = self.current.label();
        self.error(self.column, format!("expected {expected}; got {got}"))
    }

    fn accept(&mut self, token: &Token) -> Result<bool, ExpressionError> {
        let found = self.current == *token;
        if found && self.current != Token::Eof {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, token: &Token) -> Result<(), ExpressionError> {
        match self.accept(token)? {
            true => Ok(()),
            false => Err(self.reject(token.label())),
        }
    }

    /// The next token where it is an identifier, and its column.
    fn ident(&mut self) -> Result<Option<(String, usize)>, ExpressionError> {
        let Token::Ident(word) = &self.current else {
            return Ok(None);
        };
        let found = (word.clone(), self.column);
        self.advance()?;
        Ok(Some(found))
    }

    fn or(&mut self) -> Result<Node, ExpressionError> {
        let mut nodes = vec![self.and()?];
        while self.accept(&Token::Or)? {
            nodes.push(self.and()?);
        }
        Ok(one_or(nodes, Node::Or))
    }

    fn and(&mut self) -> Result<Node, ExpressionError> {
        let mut nodes = vec![self.not()?];
        while self.accept(&Token::And)? {
            nodes.push(self.not()?);
        }
        Ok(one_or(nodes, Node::And))
    }

    fn not(&mut self) -> Result<Node, ExpressionError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.unsupported("nested too deeply"));
        }
        let node = self.operand();
        self.depth -= 1;
        node
    }

    fn operand(&mut self) -> Result<Node, ExpressionError> {
        if self.accept(&Token::Not)? {
            return Ok(Node::Not(Box::new(self.not()?)));
        }
        if self.accept(&Token::LeftParen)? {
            let node = self.or()?;
            self.expect(&Token::RightParen)?;
            return Ok(node);
        }
        let Some((name, _)) = self.ident()? else {
            return Err(self.reject("not OR left parenthesis OR identifier"));
        };
        if !self.accept(&Token::LeftParen)? {
            return Ok(Node::Name(name));
        }
        let mut arguments: Vec<(String, Literal)> = Vec::new();
        loop {
            let (name, value) = self.argument()?;
            // Python refuses a repeated keyword only where it parses source; here the last one holds.
            arguments.retain(|(other, _)| *other != name);
            arguments.push((name, value));
            if !self.accept(&Token::Comma)? {
                break;
            }
        }
        self.expect(&Token::RightParen)?;
        Ok(Node::Call(name, arguments))
    }

    fn argument(&mut self) -> Result<(String, Literal), ExpressionError> {
        let Some((name, column)) = self.ident()? else {
            return Err(self.reject("identifier"));
        };
        if !is_python_identifier(&name) {
            let message = format!("not a valid python identifier {name}");
            return Err(self.error(column, message));
        }
        if PYTHON_KEYWORDS.contains(&name.as_str()) {
            let message = format!("unexpected reserved python keyword `{name}`");
            return Err(self.error(column, message));
        }
        self.expect(&Token::Equal)?;
        if let Token::Str(text) = &self.current {
            let value = Literal::Str(text.clone());
            self.advance()?;
            return Ok((name, value));
        }
        let Some((word, column)) = self.ident()? else {
            return Err(self.reject("identifier"));
        };
        let digits = word.strip_prefix('-').unwrap_or(&word);
        let value = match word.as_str() {
            "None" => Literal::None,
            "True" => Literal::Bool(true),
            "False" => Literal::Bool(false),
            _ if !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()) => {
                Literal::Int(integer(&word))
            }
            _ if digits.chars().any(|c| c.is_numeric() && !c.is_ascii()) => {
                return Err(self.unsupported("digits outside of ASCII"));
            }
            _ => {
                let message = format!("unexpected character/s \"{word}\"");
                return Err(self.error(column, message));
            }
        };
        Ok((name, value))
    }
}

fn one_or(mut nodes: Vec<Node>, join: fn(Vec<Node>) -> Node) -> Node {
    match nodes.len() {
        1 => nodes.remove(0),
        _ => join(nodes),
    }
}

/// A decimal integer as Python would print it.
pub(super) fn integer(text: &str) -> String {
    let digits = text.trim_start_matches('-').trim_start_matches('0');
    match (digits, text.starts_with('-')) {
        ("", _) => "0".to_owned(),
        (digits, true) => format!("-{digits}"),
        (digits, false) => digits.to_owned(),
    }
}

/// A character of `(\w|:|\+|-|\.|\[|\]|\\|/)`.
fn is_ident(c: char) -> bool {
    // For `\w` Python asks for a letter or a number, which excludes combining marks.
    match c.is_ascii() {
        true => c.is_ascii_alphanumeric() || "_:+-.[]\\/".contains(c),
        false => unicode_ident::is_xid_start(c) || c.is_numeric(),
    }
}

fn is_python_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    let start = |c: char| c == '_' || unicode_ident::is_xid_start(c);
    chars.next().is_some_and(start) && chars.all(unicode_ident::is_xid_continue)
}
