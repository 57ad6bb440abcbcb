//! Where the root directory is and which file configures: pytest's `determine_setup`.

use std::path::{Path, PathBuf};

use super::ini;
use crate::CollectError;

/// A configuration value as its file has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Text, to be split or read as a boolean by its use.
    Text(String),
    List(Vec<String>),
    Bool(bool),
    /// Something that no option of collection has.
    Other,
}

pub(super) type Keys = Vec<(String, Value)>;

#[derive(Debug)]
pub(super) struct Found {
    pub(super) rootdir: PathBuf,
    /// The file that configures, if one does.
    pub(super) file: Option<PathBuf>,
    pub(super) keys: Keys,
}

/// The names of the files that may configure a run, in their order of precedence.
pub const CONFIGURATION_FILES: [&str; 7] = [
    "pytest.toml",
    ".pytest.toml",
    "pytest.ini",
    ".pytest.ini",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
];

/// What options say before there is a configuration.
#[derive(Debug, Default)]
pub(super) struct Setup {
    /// `-c`, absolute.
    pub(super) file: Option<PathBuf>,
    /// `--rootdir`, absolute and with its variables replaced.
    pub(super) rootdir: Option<PathBuf>,
    /// `-o`, in order.
    pub(super) overrides: Vec<(String, String)>,
}

/// `paths` are absolute and exist.
pub(super) fn determine_setup(
    invocation: &Path,
    paths: &[PathBuf],
    setup: &Setup,
) -> Result<Found, CollectError> {
    let mut found = match &setup.file {
        Some(file) => given(file)?,
        None => search(invocation, paths)?,
    };
    if let Some(rootdir) = &setup.rootdir {
        if !rootdir.is_dir() {
            return Err(CollectError::Configuration {
                path: rootdir.clone(),
                message: "--rootdir is no directory".to_owned(),
            });
        }
        found.rootdir.clone_from(rootdir);
    }
    for (key, value) in &setup.overrides {
        found.keys.retain(|(known, _)| known != key);
        found.keys.push((key.clone(), Value::Text(value.clone())));
    }
    Ok(found)
}

/// The configuration in a file that `-c` names.
fn given(file: &Path) -> Result<Found, CollectError> {
    let refuse = |message: &str| CollectError::Configuration {
        path: file.to_owned(),
        message: message.to_owned(),
    };
    if !file.is_file() {
        return Err(refuse("not a file"));
    }
    let rootdir = file.parent().ok_or_else(|| refuse("not a file"))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    Ok(Found {
        rootdir: rootdir.to_owned(),
        keys: load(file, &name)?.unwrap_or_default(),
        file: Some(file.to_owned()),
    })
}

fn search(invocation: &Path, paths: &[PathBuf]) -> Result<Found, CollectError> {
    let ancestor = common_ancestor(invocation, paths);
    if let Some(found) = locate(std::slice::from_ref(&ancestor))? {
        return Ok(found);
    }
    if let Some(rootdir) = ancestor
        .ancestors()
        .find(|dir| dir.join("setup.py").is_file())
    {
        return Ok(Found {
            rootdir: rootdir.to_owned(),
            file: None,
            keys: Vec::new(),
        });
    }
    let dirs: Vec<PathBuf> = paths
        .iter()
        .map(|path| {
            let parent = path.parent().filter(|_| !path.is_dir());
            parent.unwrap_or(path).to_owned()
        })
        .collect();
    if dirs.as_slice() != std::slice::from_ref(&ancestor) {
        let dirs = if dirs.is_empty() {
            vec![invocation.to_owned()]
        } else {
            dirs
        };
        if let Some(found) = locate(&dirs)? {
            return Ok(found);
        }
    }
    let mut rootdir = common_ancestor(invocation, &[invocation.to_owned(), ancestor.clone()]);
    if rootdir.parent().is_none() {
        rootdir = ancestor;
    }
    Ok(Found {
        rootdir,
        file: None,
        keys: Vec::new(),
    })
}

fn common_ancestor(invocation: &Path, paths: &[PathBuf]) -> PathBuf {
    let mut common: Option<PathBuf> = None;
    for path in paths {
        common = Some(match common {
            None => path.clone(),
            Some(common) => common
                .ancestors()
                .find(|dir| path.starts_with(dir))
                .unwrap_or(&common)
                .to_owned(),
        });
    }
    match common {
        None => invocation.to_owned(),
        Some(common) if common.is_file() => common.parent().unwrap_or(Path::new("/")).to_owned(),
        Some(common) => common,
    }
}

fn locate(dirs: &[PathBuf]) -> Result<Option<Found>, CollectError> {
    let mut pyproject: Option<&Path> = None;
    for dir in dirs {
        for base in dir.ancestors() {
            for name in CONFIGURATION_FILES {
                let path = base.join(name);
                if !path.is_file() {
                    continue;
                }
                if name == "pyproject.toml" && pyproject.is_none() {
                    pyproject = Some(base);
                }
                if let Some(keys) = load(&path, name)? {
                    return Ok(Some(Found {
                        rootdir: base.to_owned(),
                        file: Some(path),
                        keys,
                    }));
                }
            }
        }
    }
    Ok(pyproject.map(|base| Found {
        rootdir: base.to_owned(),
        file: Some(base.join("pyproject.toml")),
        keys: Vec::new(),
    }))
}

fn load(path: &Path, name: &str) -> Result<Option<Keys>, CollectError> {
    let refuse = |message: String| CollectError::Configuration {
        path: path.to_owned(),
        message,
    };
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    if !name.ends_with(".toml") {
        let sections = ini::parse(&text).map_err(refuse)?;
        let wanted = match name.ends_with(".cfg") {
            true => "tool:pytest",
            false => "pytest",
        };
        let old = name.ends_with(".cfg") && sections.iter().any(|(section, _)| section == "pytest");
        let found = sections.into_iter().find(|(section, _)| section == wanted);
        if old && found.is_none() {
            return Err(refuse("[pytest] instead of [tool:pytest]".to_owned()));
        }
        let keys = found.map(|(_, keys)| {
            keys.into_iter()
                .map(|(key, text)| (key, Value::Text(text)))
                .collect()
        });
        return Ok(match keys {
            None if matches!(name, "pytest.ini" | ".pytest.ini") => Some(Vec::new()),
            keys => keys,
        });
    }
    let document: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| refuse(error.message().to_owned()))?;
    if name != "pyproject.toml" {
        if let Some(table) = document.get("pytest").and_then(toml::Value::as_table) {
            return Ok(Some(native(table.iter())));
        }
        if document.values().any(|value| !value.is_table()) {
            return Err(refuse("options outside of the [pytest] table".to_owned()));
        }
        return Ok(Some(Vec::new()));
    }
    let tool = document.get("tool").and_then(|tool| tool.get("pytest"));
    let Some(tool) = tool.and_then(toml::Value::as_table) else {
        return Ok(None);
    };
    let own = native(tool.iter().filter(|(key, _)| *key != "ini_options"));
    let ini = tool.get("ini_options").and_then(toml::Value::as_table);
    match ini {
        Some(ini) if !own.is_empty() && !ini.is_empty() => Err(refuse(
            "both [tool.pytest] and [tool.pytest.ini_options]".to_owned(),
        )),
        _ if !own.is_empty() => Ok(Some(own)),
        Some(ini) => Ok(Some(native(ini.iter()))),
        None => Ok(None),
    }
}

fn native<'a>(table: impl Iterator<Item = (&'a String, &'a toml::Value)>) -> Keys {
    table
        .map(|(key, value)| {
            let value = match value {
                toml::Value::String(text) => Value::Text(text.clone()),
                toml::Value::Boolean(value) => Value::Bool(*value),
                toml::Value::Array(items) => items
                    .iter()
                    .map(|item| item.as_str().map(str::to_owned))
                    .collect::<Option<_>>()
                    .map_or(Value::Other, Value::List),
                _ => Value::Other,
            };
            (key.clone(), value)
        })
        .collect()
}
