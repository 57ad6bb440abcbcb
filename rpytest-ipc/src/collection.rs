//! What a process that only collects tells: [`ToRust::Collection`](crate::ToRust::Collection).

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// A session that only collected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// The items, in pytest's order.
    pub files: Vec<FileItems>,
    /// How many items were found, those that were deselected after that among them.
    pub collected: u32,
    /// How many of them were deselected, by files.
    pub deselected: Vec<Deselected>,
    /// How many files or classes have skipped themselves.
    pub skipped: u32,
    /// Files with items that have parameters of a scope wider than a module, for which pytest may have
    /// moved items from file to file.
    pub wide: Vec<String>,
    /// pytest's exit code.
    pub exit: i32,
    /// All that was written to the standard output and error.
    pub output: ByteBuf,
    /// A directory of ours below pytest's cache directory, in the file system's encoding.
    pub cache_dir: Option<ByteBuf>,
    /// pytest's root directory, in the same.
    #[serde(default)]
    pub rootdir: Option<ByteBuf>,
    /// What the plugins are.
    pub surroundings: Surroundings,
    /// What the items depend on.
    pub touched: Touched,
    /// What could not be collected, if that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<CollectionError>,
    /// Whether these are as many as the options bear (`-x`), so that nothing else would be collected after them.
    #[serde(default)]
    pub stops: bool,
}

/// Items that follow each other and are of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileItems {
    /// The file, as node ids have it.
    pub path: String,
    /// Their node ids; what is not UTF-8 is backslash-escaped.
    pub nodeids: Vec<String>,
    /// More of each of them, if that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<ItemDetails>,
    /// The classes that they are in, as node ids have them behind the file, and their lines from 1; likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<(String, u32)>,
    /// Those of the classes that another file defines, which has their lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<String>,
}

/// What an editor wants to know of an item besides its id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemDetails {
    /// The line of its function, from 1, if it has one.
    pub line: Option<u32>,
    /// Whether that line is in another file than the one of the node id.
    #[serde(default)]
    pub elsewhere: bool,
    /// Whether it is one of several with different parameters.
    pub parametrized: bool,
    /// The names of its marks, sorted.
    pub marks: Vec<String>,
}

/// Something that could not be collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionError {
    /// Node id of the collector; of a file or directory mostly.
    pub nodeid: String,
    /// The line in the file, from 1, if there is one.
    pub line: Option<u32>,
    /// What pytest says of it.
    pub message: String,
}

/// How many items of a file were deselected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deselected {
    /// The file, as node ids have it.
    pub path: String,
    /// How many.
    pub count: u32,
}

/// What the plugins of a session are, conftests left out, and the interpreter below them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surroundings {
    /// Fixtures that plugins define, pytest's own left out.
    pub fixtures: Vec<Fixture>,
    /// Hooks that plugins implement, pytest's own left out.
    pub hooks: Vec<Hook>,
    /// Hooks that conftests implement, and what they register or load. The module is the file's path.
    pub project_hooks: Vec<Hook>,
    /// The marks that are registered, by conftests too.
    pub marks: Vec<String>,
    /// `sys.path` as Python made it, in the file system's encoding.
    pub search_path: Vec<ByteBuf>,
    /// Top-level modules that need not be on the search path.
    pub modules: Vec<String>,
    /// The versions of Python and of pytest.
    pub python: String,
    /// See `python`.
    pub pytest: String,
}

/// A fixture of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fixture {
    /// What tests request it by.
    pub name: String,
    /// Whether every test uses it.
    pub autouse: bool,
    /// Whether it has parameters.
    pub params: bool,
    /// The fixtures that it requests.
    pub needs: Vec<String>,
}

/// An implementation of a hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// The module that defines it.
    pub module: String,
    /// The hook's name.
    pub name: String,
}

/// What a collection has looked at or done. Paths are absolute, in the file system's encoding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// Source files that were loaded, the interpreter's and the environment's left out.
    pub sources: Vec<ByteBuf>,
    /// What else its code has looked at or done.
    pub touches: Vec<Touch>,
}

/// One thing that code of the project has looked at or done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touch {
    /// The source file whose code it was, empty where that is not known.
    pub by: ByteBuf,
    /// What it was.
    pub kind: TouchKind,
    /// The path, or the effect in words.
    pub what: ByteBuf,
}

/// A kind of [`Touch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TouchKind {
    /// A file or directory was opened, or asked whether it is there.
    Path,
    /// The entries of a directory were asked for.
    Listing,
    /// The entries of a directory were asked for, to find modules among them.
    Modules,
    /// Something that no file tells: with it, what was collected is good for this once only.
    Effect,
}
