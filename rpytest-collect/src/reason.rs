//! Why a file is partial.

use std::fmt;

/// Why a file is [`Partial`](crate::Completeness::Partial).
///
/// [`Reason::code`] is stable; the text of `Display` is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Reason {
    /// The crate was built without a parser.
    NoParser,
    /// The file is not Python; pytest reports a collection error for it.
    SyntaxError {
        /// 1-based line.
        line: u32,
    },
    /// The file could not be read.
    Unreadable,
    /// The file is above the size that is parsed natively.
    TooLarge {
        /// Size of the file.
        bytes: u64,
    },
    /// The source nests too deeply to be parsed safely.
    TooDeep {
        /// 1-based line.
        line: u32,
    },
    /// The parser that the crate was built with does not know this syntax, which may be valid; or it does, and
    /// Python's compiler may not take it: a `return` outside of a function, a name that is twice among parameters.
    UnsupportedSyntax {
        /// 1-based line.
        line: u32,
    },
    /// The source has an encoding that is not read natively.
    Encoding {
        /// The name concerned.
        name: String,
    },
    /// The parser gave up on the file.
    ParserFailed,
    /// An option or configuration value whose effect on collection is not modelled.
    Configuration {
        /// The name concerned.
        name: String,
    },
    /// Whether `-k` or `-m` selects an item is not known.
    Selection {
        /// The option.
        option: String,
        /// 1-based line of the first such item.
        line: u32,
    },
    /// A node id that was asked for names no item of the file.
    NodeNotFound {
        /// Classes and function.
        name: String,
    },
    /// A plugin of the environment implements a hook whose effect on collection is not known.
    PluginHook {
        /// The module that implements it.
        module: String,
        /// The hook.
        hook: String,
    },
    /// A conftest implements a hook that can change collection.
    ConftestHook {
        /// The file, below the root directory.
        file: String,
        /// The name concerned.
        name: String,
    },
    /// A conftest does something that may change collection.
    ConftestDynamic {
        /// The file, below the root directory.
        file: String,
        /// The name concerned.
        name: String,
    },
    /// A conftest could not be parsed.
    ConftestUnreadable {
        /// The file, below the root directory.
        file: String,
    },
    /// The file may hold doctests, which are left to Python.
    DoctestFile,
    /// The module or a class defines `pytest_generate_tests`.
    GenerateTestsHook {
        /// 1-based line.
        line: u32,
    },
    /// The module names plugins to load.
    PytestPlugins {
        /// 1-based line.
        line: u32,
    },
    /// The module can skip itself, or raise, while it is imported.
    ModuleSkip {
        /// 1-based line.
        line: u32,
    },
    /// A namespace is reached by other means than a statement.
    DynamicNamespace {
        /// The name concerned.
        name: String,
        /// 1-based line.
        line: u32,
    },
    /// `from module import *`.
    StarImport {
        /// The name concerned.
        name: String,
        /// 1-based line.
        line: u32,
    },
    /// An imported name that may be a test or a test case.
    ImportedTest {
        /// The name concerned.
        name: String,
        /// 1-based line.
        line: u32,
    },
    /// A test-like name is bound in a branch, loop or handler.
    ConditionalDefinition {
        /// The name concerned.
        name: String,
        /// 1-based line.
        line: u32,
    },
    /// A test-like name is bound to a value that is not known, or deleted.
    DynamicName {
        /// The name concerned.
        name: String,
        /// 1-based line.
        line: u32,
    },
    /// A test function or class is used by code that runs on import and may change it.
    NameTouched {
        /// The name concerned.
        name: String,
        /// 1-based line.
        line: u32,
    },
    /// A base class is not known, so that the class may be a test case or inherit tests.
    UnresolvedBase {
        /// The name concerned.
        name: String,
        /// 1-based line.
        line: u32,
    },
    /// A class has a metaclass, keyword arguments or type parameters.
    ClassKeywords {
        /// The name concerned.
        name: String,
        /// 1-based line.
        line: u32,
    },
    /// A decorator is not known to keep what it decorates.
    UnknownDecorator {
        /// The name concerned.
        name: String,
        /// 1-based line.
        line: u32,
    },
    /// `__test__`, `pytestmark` or another marker attribute has a value that is not known.
    TestMark {
        /// The name concerned.
        name: String,
        /// 1-based line.
        line: u32,
    },
    /// A test function yields, which pytest refuses.
    YieldTest {
        /// The name concerned.
        name: String,
        /// 1-based line.
        line: u32,
    },
    /// A coroutine test, whose collection belongs to a plugin.
    AsyncTest {
        /// The name concerned.
        name: String,
        /// 1-based line.
        line: u32,
    },
    /// A parameter set has values or ids that are not known.
    DynamicParametrize {
        /// The argument names.
        argument: String,
        /// 1-based line.
        line: u32,
    },
    /// `indirect`, `scope` or an unknown argument of `parametrize`.
    ParametrizeOption {
        /// The name concerned.
        name: String,
        /// 1-based line.
        line: u32,
    },
    /// A parameter that the function does not take, or sets of the wrong length.
    ParametrizeMismatch {
        /// The argument names.
        argument: String,
        /// 1-based line.
        line: u32,
    },
    /// A string above 100 characters, whose id depends on the version of pytest.
    LongParameter {
        /// The argument names.
        argument: String,
        /// 1-based line.
        line: u32,
    },
    /// Another test module has the same name, so that pytest imports one of them only.
    SameModule {
        /// The file's name.
        name: String,
    },
    /// Something that is imported is not there, so that the import fails.
    MissingImport {
        /// The module, or the name in one.
        name: String,
        /// 1-based line.
        line: u32,
    },
    /// The order of the tests that share a parameter of a wider scope is not known, or not the same in all
    /// versions of pytest.
    ParameterOrder {
        /// One of the arguments.
        argument: String,
        /// 1-based line.
        line: u32,
    },
    /// A test uses a fixture whose parameters are not known.
    ParametrizedFixture {
        /// The name concerned.
        name: String,
        /// 1-based line.
        line: u32,
    },
    /// A test uses a fixture that is not in the project, and so may have parameters.
    UnknownFixture {
        /// The name concerned.
        name: String,
        /// 1-based line.
        line: u32,
    },
}

impl Reason {
    /// A short stable name of the kind of reason.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoParser => "no-parser",
            Self::SyntaxError { .. } => "syntax-error",
            Self::Unreadable => "unreadable",
            Self::TooLarge { .. } => "too-large",
            Self::TooDeep { .. } => "too-deep",
            Self::UnsupportedSyntax { .. } => "unsupported-syntax",
            Self::Encoding { .. } => "encoding",
            Self::ParserFailed => "parser-failed",
            Self::Configuration { .. } => "configuration",
            Self::Selection { .. } => "selection",
            Self::NodeNotFound { .. } => "node-not-found",
            Self::PluginHook { .. } => "plugin-hook",
            Self::ConftestHook { .. } => "conftest-hook",
            Self::ConftestDynamic { .. } => "conftest-dynamic",
            Self::ConftestUnreadable { .. } => "conftest-unreadable",
            Self::DoctestFile => "doctest",
            Self::GenerateTestsHook { .. } => "generate-tests-hook",
            Self::PytestPlugins { .. } => "pytest-plugins",
            Self::ModuleSkip { .. } => "module-skip",
            Self::DynamicNamespace { .. } => "dynamic-namespace",
            Self::StarImport { .. } => "star-import",
            Self::ImportedTest { .. } => "imported-test",
            Self::ConditionalDefinition { .. } => "conditional-definition",
            Self::DynamicName { .. } => "dynamic-name",
            Self::NameTouched { .. } => "name-touched",
            Self::UnresolvedBase { .. } => "unresolved-base",
            Self::ClassKeywords { .. } => "class-keywords",
            Self::UnknownDecorator { .. } => "unknown-decorator",
            Self::TestMark { .. } => "test-mark",
            Self::YieldTest { .. } => "yield-test",
            Self::AsyncTest { .. } => "async-test",
            Self::DynamicParametrize { .. } => "dynamic-parametrize",
            Self::ParametrizeOption { .. } => "parametrize-option",
            Self::ParametrizeMismatch { .. } => "parametrize-mismatch",
            Self::LongParameter { .. } => "long-parameter",
            Self::SameModule { .. } => "same-module",
            Self::MissingImport { .. } => "missing-import",
            Self::ParameterOrder { .. } => "parameter-order",
            Self::ParametrizedFixture { .. } => "parametrized-fixture",
            Self::UnknownFixture { .. } => "unknown-fixture",
        }
    }

    /// The line concerned, where there is one.
    #[must_use]
    pub fn line(&self) -> Option<u32> {
        match self {
            Self::SyntaxError { line, .. }
            | Self::TooDeep { line, .. }
            | Self::UnsupportedSyntax { line, .. }
            | Self::Selection { line, .. }
            | Self::GenerateTestsHook { line, .. }
            | Self::PytestPlugins { line, .. }
            | Self::ModuleSkip { line, .. }
            | Self::DynamicNamespace { line, .. }
            | Self::StarImport { line, .. }
            | Self::ImportedTest { line, .. }
            | Self::ConditionalDefinition { line, .. }
            | Self::DynamicName { line, .. }
            | Self::NameTouched { line, .. }
            | Self::UnresolvedBase { line, .. }
            | Self::ClassKeywords { line, .. }
            | Self::UnknownDecorator { line, .. }
            | Self::TestMark { line, .. }
            | Self::YieldTest { line, .. }
            | Self::AsyncTest { line, .. }
            | Self::DynamicParametrize { line, .. }
            | Self::ParametrizeOption { line, .. }
            | Self::ParametrizeMismatch { line, .. }
            | Self::LongParameter { line, .. }
            | Self::MissingImport { line, .. }
            | Self::ParameterOrder { line, .. }
            | Self::ParametrizedFixture { line, .. }
            | Self::UnknownFixture { line, .. } => Some(*line),
            _ => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoParser => f.write_str("built without a parser"),
            Self::SyntaxError { line } => write!(f, "syntax error at line {line}"),
            Self::Unreadable => f.write_str("file cannot be read"),
            Self::TooLarge { bytes } => write!(f, "{bytes} bytes are too many to parse natively"),
            Self::TooDeep { line } => write!(f, "nesting too deep at line {line}"),
            Self::UnsupportedSyntax { line } => {
                write!(f, "syntax at line {line} that is for Python to judge")
            }
            Self::Encoding { name } => write!(f, "source encoding {name}"),
            Self::ParserFailed => f.write_str("the parser failed"),
            Self::Configuration { name } => write!(f, "configuration {name}"),
            Self::Selection { option, line } => {
                write!(
                    f,
                    "whether {option} selects the test at line {line} is not known"
                )
            }
            Self::NodeNotFound { name } => write!(f, "no test {name}"),
            Self::PluginHook { module, hook } => write!(f, "plugin {module} implements {hook}"),
            Self::ConftestHook { file, name } => write!(f, "{file} implements {name}"),
            Self::ConftestDynamic { file, name } => write!(f, "{file} has {name}"),
            Self::ConftestUnreadable { file } => write!(f, "{file} cannot be parsed"),
            Self::DoctestFile => f.write_str("may hold doctests"),
            Self::GenerateTestsHook { line } => write!(f, "pytest_generate_tests at line {line}"),
            Self::PytestPlugins { line } => write!(f, "pytest_plugins at line {line}"),
            Self::ModuleSkip { line } => write!(f, "may skip or raise on import at line {line}"),
            Self::DynamicNamespace { name, line } => {
                write!(f, "{name} may change a namespace at line {line}")
            }
            Self::StarImport { name, line } => write!(f, "star import of {name} at line {line}"),
            Self::ImportedTest { name, line } => {
                write!(f, "imported {name} at line {line} may be a test")
            }
            Self::ConditionalDefinition { name, line } => {
                write!(f, "{name} is bound conditionally at line {line}")
            }
            Self::DynamicName { name, line } => {
                write!(f, "{name} is bound to an unknown value at line {line}")
            }
            Self::NameTouched { name, line } => write!(f, "{name} may be changed at line {line}"),
            Self::UnresolvedBase { name, line } => {
                write!(f, "unknown base class {name} at line {line}")
            }
            Self::ClassKeywords { name, line } => {
                write!(f, "class {name} at line {line} has keywords")
            }
            Self::UnknownDecorator { name, line } => {
                write!(f, "unknown decorator {name} at line {line}")
            }
            Self::TestMark { name, line } => write!(f, "{name} at line {line} is not known"),
            Self::YieldTest { name, line } => write!(f, "{name} at line {line} yields"),
            Self::AsyncTest { name, line } => write!(f, "async {name} at line {line}"),
            Self::DynamicParametrize { argument, line } => {
                write!(f, "parameters {argument} at line {line} are not known")
            }
            Self::ParametrizeOption { name, line } => {
                write!(f, "parametrize argument {name} at line {line}")
            }
            Self::ParametrizeMismatch { argument, line } => {
                write!(f, "parameters {argument} at line {line} do not fit")
            }
            Self::LongParameter { argument, line } => {
                write!(f, "long parameter {argument} at line {line}")
            }
            Self::SameModule { name } => write!(f, "another module is called {name} too"),
            Self::MissingImport { name, line } => {
                write!(f, "{name}, imported at line {line}, is not there")
            }
            Self::ParameterOrder { argument, line } => {
                write!(
                    f,
                    "the order by parameter {argument} at line {line} is not known"
                )
            }
            Self::ParametrizedFixture { name, line } => {
                write!(
                    f,
                    "parameters of fixture {name} at line {line} are not known"
                )
            }
            Self::UnknownFixture { name, line } => {
                write!(f, "unknown fixture {name} at line {line}")
            }
        }
    }
}
