//! The parser seam: source bytes in, plain owned facts out.
//!
//! No type of a parser crate and no lifetime leaves this module. What has to be settled before any
//! parser may see a file (its size, its encoding, how deeply it nests) is settled here, so that a
//! hostile file costs a reason and not a stack.

#![cfg_attr(
    not(any(feature = "ruff", feature = "rustpython")),
    expect(dead_code, reason = "only a parser makes most of the facts")
)]

mod branches;
mod expr;
mod imports;
mod lines;
mod nesting;
#[cfg(all(test, any(feature = "ruff", feature = "rustpython")))]
mod parity;
mod source;
mod watch;
mod words;

#[cfg(feature = "ruff")]
mod ruff;
// With both, one parser reads and the other is there to be compared with it.
#[cfg(all(feature = "rustpython", any(test, not(feature = "ruff"))))]
mod rustpython;

pub(crate) use expr::{
    Called, Comparison, Comprehension, Expr, Generator, Lambda, Makes, Operator,
};
pub(crate) use imports::Import;
pub(crate) use words::{contains, digest};

/// Why a file has no [`ModuleSummary`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum SyntaxProblem {
    /// The crate was built without a parser.
    #[cfg_attr(
        all(any(feature = "ruff", feature = "rustpython"), not(feature = "serde")),
        expect(dead_code, reason = "made without a parser only")
    )]
    NoParser,
    /// More bytes than the cap.
    TooLarge { bytes: u64 },
    /// An encoding that is not read natively, or bytes that are not in the declared one.
    Encoding { name: String },
    /// Nested so deeply that a recursive parser might overflow its stack.
    TooDeep { line: u32 },
    /// pytest will not import it either.
    Error { line: u32, message: String },
    /// The parser does not know it, and it may well be Python; or it does, and Python's compiler may not take it.
    #[cfg_attr(
        not(any(feature = "serde", feature = "ruff", feature = "rustpython")),
        expect(dead_code, reason = "made by a parser only")
    )]
    Unsupported { line: u32 },
    /// The parser itself failed.
    ParserPanicked,
}

/// What a module says about collection, in source order.
#[derive(Debug, Default, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct ModuleSummary {
    pub(crate) body: Vec<Stmt>,
    /// The first line that reaches into a namespace by other means than a statement.
    pub(crate) dynamic: Option<(u32, String)>,
    /// The first of those lines that can change names of the module itself, and not only attributes of others.
    pub(crate) rebinds: Option<u32>,
    /// The first line that can leave the module while it is imported.
    pub(crate) leaves: Option<u32>,
    /// Modules without which it is skipped while it is imported.
    pub(crate) requires: Vec<(u32, String)>,
    /// Functions called on import that have the name of one of pytest's that skip.
    pub(crate) skips: Vec<(u32, Expr)>,
    /// Module-level names bound from inside functions (`global`) or expressions (`:=`).
    pub(crate) stray_bindings: Vec<(u32, String)>,
    /// Names whose attributes a function assigns to.
    pub(crate) touched: Vec<(u32, String)>,
    /// Names whose values may be changed, or get another name, when the module is imported.
    pub(crate) exposed: Vec<String>,
    /// What the module and the functions in it import.
    pub(crate) imports: Vec<Import>,
}

/// A statement and its 1-based line.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Stmt {
    pub(crate) line: u32,
    pub(crate) kind: StmtKind,
}

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum StmtKind {
    /// `import a.b as c`: dotted path and the name that it binds.
    Import(Vec<(String, String)>),
    /// `from ..m import a as b`; a star import has no names.
    From {
        level: u32,
        module: String,
        names: Vec<(String, String)>,
    },
    Function(Function),
    Class(Class),
    Assign {
        targets: Vec<Expr>,
        value: Expr,
    },
    Delete(Vec<Expr>),
    /// A compound statement, its branches one after the other. `header` is what it evaluates or binds.
    Block {
        header: Vec<Expr>,
        binds: Vec<Expr>,
        body: Vec<Stmt>,
    },
    Expr(Expr),
}

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Of the first decorator, or of the `def`: what pytest reports as the item's line.
    pub(crate) line: u32,
    pub(crate) is_async: bool,
    pub(crate) is_generator: bool,
    pub(crate) decorators: Vec<Expr>,
    pub(crate) params: Vec<Param>,
    /// Of a function that only returns an expression: that.
    pub(crate) returns: Option<Expr>,
    /// Of a `pytest_collection_modifyitems`: whether it only gives marks.
    pub(crate) only_marks: bool,
    /// Of a `pytest_generate_tests` that does nothing for tests without certain fixtures: what it does for them.
    pub(crate) guards: Option<Vec<Guard>>,
}

/// What a `pytest_generate_tests` does for tests that use a fixture.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Guard {
    pub(crate) name: String,
    /// The call of `parametrize`, where that is all.
    pub(crate) parametrize: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) has_default: bool,
}

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Class {
    pub(crate) name: String,
    pub(crate) line: u32,
    pub(crate) decorators: Vec<Expr>,
    pub(crate) bases: Vec<Expr>,
    pub(crate) has_keywords: bool,
    pub(crate) body: Vec<Stmt>,
}

/// Files above this are left to Python. The largest test module of the corpus has a tenth of it.
const MAX_BYTES: u64 = 32 << 20;

/// Stack of the threads that call [`summarize`]; the nesting bounds are chosen for it.
pub(crate) const STACK_BYTES: usize = 64 << 20;

/// The problem of a file of so many bytes, if that is one.
pub(crate) fn too_large(bytes: u64) -> Option<SyntaxProblem> {
    (bytes > MAX_BYTES).then_some(SyntaxProblem::TooLarge { bytes })
}

/// Parses one module. To be called on a thread with [`STACK_BYTES`] of stack.
pub(crate) fn summarize(bytes: &[u8]) -> Result<ModuleSummary, SyntaxProblem> {
    if let Some(problem) = too_large(bytes.len() as u64) {
        return Err(problem);
    }
    let source = source::decode(bytes)?;
    nesting::check(&source)?;
    parse(&source)
}

#[cfg(feature = "ruff")]
use ruff as parser;
#[cfg(all(feature = "rustpython", not(feature = "ruff")))]
use rustpython as parser;

#[cfg(any(feature = "ruff", feature = "rustpython"))]
fn parse(source: &str) -> Result<ModuleSummary, SyntaxProblem> {
    std::panic::catch_unwind(|| parser::parse(source)).unwrap_or(Err(SyntaxProblem::ParserPanicked))
}

#[cfg(not(any(feature = "ruff", feature = "rustpython")))]
fn parse(_source: &str) -> Result<ModuleSummary, SyntaxProblem> {
    Err(SyntaxProblem::NoParser)
}
