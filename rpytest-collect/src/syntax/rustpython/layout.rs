//! Parses, and keeps of the tokens what the tree leaves out.

use rustpython_parser::ast::{self, Ranged};
use rustpython_parser::lexer::{self, LexResult, LexicalError, LexicalErrorType};
use rustpython_parser::{Mode, Parse, StringKind, Tok};
use unicode_normalization::{UnicodeNormalization, is_nfkc};

use crate::syntax::SyntaxProblem;
use crate::syntax::lines::Lines;

/// Each `elif` of a chain is nested in the one before, in this parser's tree alone.
const MAX_ELIFS: usize = 2_000;

/// Where in the text certain tokens are.
pub(super) struct Layout {
    lines: Lines,
    /// Every `@`.
    ats: Vec<u32>,
    elifs: Vec<u32>,
    /// Format strings that may have a field with a `=`, as `f"{x=}"`.
    debugs: Vec<u32>,
}

/// An `elif`, or an `else`, which has no condition.
pub(super) type Clause<'a> = (Option<&'a ast::Expr>, &'a [ast::Stmt]);

impl Layout {
    pub(super) fn line(&self, of: &impl Ranged) -> u32 {
        self.lines.of(of.start())
    }

    /// The line of a definition, decorators included.
    pub(super) fn line_of_definition(
        &self,
        decorators: &[ast::Expr],
        definition: &impl Ranged,
    ) -> u32 {
        let Some(first) = decorators.first() else {
            return self.line(definition);
        };
        let start = u32::from(first.start());
        let before = self.ats.partition_point(|&at| at < start);
        let at = before.checked_sub(1).map_or(start, |at| self.ats[at]);
        self.lines.of(at)
    }

    /// The clauses after the first of an `if`.
    pub(super) fn clauses<'a>(&self, mut branch: &'a ast::StmtIf) -> Vec<Clause<'a>> {
        let mut clauses = Vec::new();
        loop {
            match branch.orelse.as_slice() {
                [] => return clauses,
                [ast::Stmt::If(next)] if self.elifs.binary_search(&next.start().into()).is_ok() => {
                    clauses.push((Some(&*next.test), &*next.body));
                    branch = next;
                }
                body => {
                    clauses.push((None, body));
                    return clauses;
                }
            }
        }
    }

    pub(super) fn shows_source(&self, string: &ast::ExprJoinedStr) -> bool {
        let (start, end) = (string.start().into(), string.end().into());
        let from = self.debugs.partition_point(|&at| at < start);
        self.debugs.get(from).is_some_and(|&at| at < end)
    }
}

pub(super) fn parse(source: &str) -> Result<(Vec<ast::Stmt>, Layout), SyntaxProblem> {
    let mut layout = Layout {
        lines: Lines::new(source),
        ats: Vec::new(),
        elifs: Vec::new(),
        debugs: Vec::new(),
    };
    let tokens = lexer::lex(source, Mode::Module).map(|token| layout.see(token));
    let parsed = ast::Suite::parse_tokens(tokens, "");
    let too_deep = layout.elifs.get(MAX_ELIFS);
    match (parsed, too_deep) {
        (_, Some(&at)) => Err(SyntaxProblem::TooDeep {
            line: layout.lines.of(at),
        }),
        (Ok(module), None) => Ok((module, layout)),
        (Err(error), None) => Err(SyntaxProblem::Unsupported {
            line: layout.lines.of(error.offset),
        }),
    }
}

impl Layout {
    /// Notes a token, and makes of it what Python would.
    fn see(&mut self, token: LexResult) -> LexResult {
        let (mut token, range) = token?;
        let start = u32::from(range.start());
        let refused = |why: &str| {
            let error = LexicalErrorType::OtherError(why.to_owned());
            Err(LexicalError::new(error, range.start()))
        };
        match &mut token {
            Tok::At => self.ats.push(start),
            Tok::Elif => {
                self.elifs.push(start);
                if self.elifs.len() > MAX_ELIFS {
                    return refused("too many branches");
                }
            }
            Tok::Name { name } if !name.is_ascii() => {
                *name = name.nfkc().collect();
                // This lexer takes an emoji for a name.
                if !is_identifier(name) {
                    return refused("not an identifier");
                }
            }
            Tok::String {
                value,
                kind: StringKind::FString | StringKind::RawFString,
                ..
            } => {
                let fields = Fields::of(value);
                // Their names are lexed out of sight.
                if !is_nfkc(&fields.text) {
                    return refused("a name in a format string");
                }
                if fields.shows_source {
                    self.debugs.push(start);
                }
            }
            _ => {}
        }
        Ok((token, range))
    }
}

fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    let starts = |c| c == '_' || unicode_ident::is_xid_start(c);
    chars.next().is_some_and(starts) && chars.all(unicode_ident::is_xid_continue)
}

/// What is in the braces of a format string, roughly: strings in it are not told apart.
struct Fields {
    text: String,
    shows_source: bool,
}

impl Fields {
    fn of(format: &str) -> Self {
        let mut fields = Self {
            text: String::new(),
            shows_source: false,
        };
        let mut depth = 0_u32;
        let mut chars = format.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '{' if depth == 0 && chars.peek() == Some(&'{') => {
                    chars.next();
                }
                '{' => depth += 1,
                '}' => {
                    let before = fields.text.trim_end();
                    fields.shows_source |= depth > 0 && before.ends_with('=');
                    depth = depth.saturating_sub(1);
                }
                _ if depth == 0 => {}
                '!' | ':' => fields.shows_source |= fields.text.trim_end().ends_with('='),
                _ => {}
            }
            if depth > 0 {
                fields.text.push(c);
            }
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_show_their_source() {
        let shows = |format| Fields::of(format).shows_source;
        assert!(shows("a {x=}"));
        assert!(shows("{x = !r}{y}"));
        assert!(shows("{x=:>{width}}"));
        assert!(!shows("x={x}, {{x=}} {x == y} {x:=^10}"));
    }

    #[test]
    fn what_the_lexer_takes_for_a_name_is_one() {
        assert!(parse("\u{fb01}x = \u{2118} = 1").is_ok());
        assert!(parse("x = \u{1f600}").is_err());
        assert!(parse("x = f'{\u{fb01}x}'").is_err());
    }

    #[test]
    fn a_chain_of_branches_does_not_nest_too_deeply() {
        let chain = |length| format!("if x: pass\n{}", "elif x: pass\n".repeat(length));
        assert!(parse(&chain(MAX_ELIFS)).is_ok());
        assert!(matches!(
            parse(&chain(500_000)),
            Err(SyntaxProblem::TooDeep { .. })
        ));
    }
}
