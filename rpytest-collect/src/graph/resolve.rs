//! From the name of a module to the files of the project that it may be.
//!
//! More than one directory may be meant, since the search path of a run is not known: which is why every
//! answer is a set, and errs towards more files.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::syntax::Import;

/// The Python files of the project, by their paths below the root directory, with `/`.
#[derive(Debug, Default)]
pub(super) struct Files {
    files: HashSet<String>,
    directories: HashSet<String>,
    /// The directories that have a module or package of a name.
    holders: HashMap<String, BTreeSet<String>>,
    /// Directories from which modules are likely to be found.
    roots: BTreeSet<String>,
}

impl Files {
    pub(super) fn new<'a>(paths: impl Iterator<Item = &'a str>) -> Self {
        let mut out = Self::default();
        for path in paths {
            out.files.insert(path.to_owned());
            let (mut dir, file) = split(path);
            let stem = file.strip_suffix(".py").unwrap_or(file);
            out.hold(stem, dir);
            while !dir.is_empty() && out.directories.insert(dir.to_owned()) {
                let (above, name) = split(dir);
                out.hold(name, above);
                dir = above;
            }
        }
        out
    }

    fn hold(&mut self, name: &str, dir: &str) {
        let holders = self.holders.entry(name.to_owned()).or_default();
        holders.insert(dir.to_owned());
    }

    pub(super) fn add_root(&mut self, dir: &str) {
        self.roots.insert(dir.to_owned());
    }

    /// The directory above the outermost package of a file, which pytest puts on the search path.
    pub(super) fn base<'a>(&self, path: &'a str) -> &'a str {
        let (mut dir, _) = split(path);
        while !dir.is_empty() && self.files.contains(&join(dir, "__init__.py")) {
            dir = split(dir).0;
        }
        dir
    }

    /// The `name` in the directory of a file and in all above it, as far as they exist.
    pub(super) fn above(&self, path: &str, name: &str, out: &mut BTreeSet<String>) {
        let (mut dir, _) = split(path);
        loop {
            let candidate = join(dir, name);
            if candidate != path && self.files.contains(&candidate) {
                out.insert(candidate);
            }
            if dir.is_empty() {
                break;
            }
            dir = split(dir).0;
        }
    }

    /// The files that an import of `from` may run. `anywhere` where the search path is not known at all.
    pub(super) fn resolve(
        &self,
        from: &str,
        import: &Import,
        anywhere: bool,
        out: &mut BTreeSet<String>,
    ) {
        match import {
            Import::Module(module) => self.absolute(from, module, &[], anywhere, out),
            Import::From {
                level: 0,
                module,
                names,
            } => self.absolute(from, module, names, anywhere, out),
            Import::From {
                level,
                module,
                names,
            } => {
                let mut dir = split(from).0;
                for _ in 1..*level {
                    dir = split(dir).0;
                }
                self.below(dir, module, names, out);
            }
            Import::Mention(path) => {
                for root in self.likely(from, path) {
                    self.below(&root, path, &[], out);
                }
            }
            Import::SearchPath | Import::Dynamic { .. } => {}
        }
    }

    fn absolute(
        &self,
        from: &str,
        module: &str,
        names: &[String],
        anywhere: bool,
        out: &mut BTreeSet<String>,
    ) {
        let mut roots = self.likely(from, module);
        if roots.is_empty() || anywhere {
            let top = module.split('.').next().unwrap_or_default();
            roots.extend(self.holders.get(top).into_iter().flatten().cloned());
        }
        for root in roots {
            self.below(&root, module, names, out);
        }
    }

    /// The likely roots that have a module of that name.
    fn likely(&self, from: &str, module: &str) -> BTreeSet<String> {
        let top = module.split('.').next().unwrap_or_default();
        let Some(holders) = self.holders.get(top) else {
            return BTreeSet::new();
        };
        let base = self.base(from);
        let own = split(from).0;
        holders
            .iter()
            .filter(|dir| self.roots.contains(*dir) || *dir == base || *dir == own)
            .cloned()
            .collect()
    }

    /// The files that importing `module` below a directory runs: packages on the way, and the module.
    fn below(&self, root: &str, module: &str, names: &[String], out: &mut BTreeSet<String>) {
        let mut dir = root.to_owned();
        let parts = module.split('.').filter(|part| !part.is_empty());
        for part in parts {
            if !self.step(&mut dir, part, out) {
                return;
            }
        }
        // Each name may be an attribute or a submodule.
        self.init(&dir, out);
        for name in names {
            if name == "*" {
                // `__all__` may name any of them.
                let children = self.files.iter().filter(|file| {
                    let (above, name) = split(file);
                    above == dir || (name == "__init__.py" && split(above).0 == dir)
                });
                out.extend(children.cloned());
            } else {
                self.step(&mut dir.clone(), name, out);
            }
        }
    }

    /// Goes down to a package or a module. False where there is nothing below it.
    fn step(&self, dir: &mut String, part: &str, out: &mut BTreeSet<String>) -> bool {
        let file = join(dir, &format!("{part}.py"));
        if self.files.contains(&file) {
            out.insert(file);
        }
        let below = join(dir, part);
        if !self.directories.contains(&below) {
            return false;
        }
        self.init(&below, out);
        *dir = below;
        true
    }

    fn init(&self, dir: &str, out: &mut BTreeSet<String>) {
        let init = join(dir, "__init__.py");
        if self.files.contains(&init) {
            out.insert(init);
        }
    }
}

/// Directory and name.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn join(dir: &str, name: &str) -> String {
    match dir {
        "" => name.to_owned(),
        dir => format!("{dir}/{name}"),
    }
}
