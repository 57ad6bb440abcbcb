//! The patterns of `testpaths`: Python's `glob.iglob` with `recursive=True`.

use std::path::Path;

use crate::glob::fnmatch;

/// What a pattern means below the root directory, sorted as pytest sorts it. None where that is not certain.
pub(crate) fn expand(rootdir: &Path, pattern: &str) -> Option<Vec<String>> {
    let (prefix, below) = match pattern.strip_prefix('/') {
        Some(below) => ("/", below),
        None => ("", pattern),
    };
    let parts: Vec<&str> = below.split('/').collect();
    let (_, inner) = parts.split_last()?;
    if inner.contains(&"") {
        return None;
    }
    let mut found = Vec::new();
    follow(rootdir, prefix, &parts, &mut found)?;
    found.sort();
    // As arguments these would be more than paths.
    let plain = |path: &String| !path.contains("::") && !path.contains('[');
    found.iter().all(plain).then_some(found)
}

fn follow(root: &Path, prefix: &str, parts: &[&str], found: &mut Vec<String>) -> Option<()> {
    let Some((&part, rest)) = parts.split_first() else {
        if root.join(prefix).symlink_metadata().is_ok() {
            found.push(prefix.to_owned());
        }
        return Some(());
    };
    if part == "**" {
        if !rest.is_empty() {
            follow(root, prefix, rest, found)?;
        } else if !prefix.is_empty() && root.join(prefix).is_dir() {
            found.push(join(prefix, ""));
        }
        let mut all = Vec::new();
        descendants(root, prefix, !rest.is_empty(), &mut all)?;
        for path in all {
            follow(root, &path, rest, found)?;
        }
        return Some(());
    }
    if part.is_empty() {
        // The pattern ends with a slash.
        if root.join(prefix).is_dir() {
            found.push(join(prefix, ""));
        }
        return Some(());
    }
    if !part.contains(['*', '?', '[']) {
        return follow(root, &join(prefix, part), rest, found);
    }
    for (name, is_dir) in names(root, prefix)? {
        let hidden = name.starts_with('.') && !part.starts_with('.');
        if !hidden && (is_dir || rest.is_empty()) && fnmatch(&name, part) {
            follow(root, &join(prefix, &name), rest, found)?;
        }
    }
    Some(())
}

/// Everything below that is not hidden. A symlinked directory may lead back, and is not followed by guess.
fn descendants(root: &Path, prefix: &str, dirs: bool, out: &mut Vec<String>) -> Option<()> {
    for (name, is_dir) in names(root, prefix)? {
        if name.starts_with('.') {
            continue;
        }
        let path = join(prefix, &name);
        if is_dir && root.join(&path).is_symlink() {
            return None;
        }
        if is_dir || !dirs {
            out.push(path.clone());
        }
        if is_dir {
            descendants(root, &path, dirs, out)?;
        }
    }
    Some(())
}

/// The entries of a directory, none where it is no directory.
fn names(root: &Path, prefix: &str) -> Option<Vec<(String, bool)>> {
    let dir = root.join(prefix);
    if !dir.is_dir() {
        return Some(Vec::new());
    }
    let mut out = Vec::new();
    for entry in std::fs::read_dir(dir).ok()? {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        out.push((name, entry.path().is_dir()));
    }
    Some(out)
}

fn join(prefix: &str, name: &str) -> String {
    match prefix {
        "" => name.to_owned(),
        prefix if prefix.ends_with('/') => format!("{prefix}{name}"),
        prefix => format!("{prefix}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_glob() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for path in [
            "a/t/x.py",
            "a/.h/t/y.py",
            "b/t/z.py",
            "b.py",
            ".h/t/w.py",
            "a.d/t/v.py",
        ] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
            std::fs::write(path, "").expect("a file");
        }
        // Each as Python 3.13 has it.
        for (pattern, expected) in [
            ("a", vec!["a"]),
            ("no", vec![]),
            ("a/", vec!["a/"]),
            ("*", vec!["a", "a.d", "b", "b.py"]),
            ("*/t", vec!["a.d/t", "a/t", "b/t"]),
            ("**/t", vec!["a.d/t", "a/t", "b/t"]),
            ("a/**", vec!["a/", "a/t", "a/t/x.py"]),
            ("[ab]/?", vec!["a/t", "b/t"]),
            (".*/t", vec![".h/t"]),
            ("b*/", vec!["b/"]),
            (
                "**/*.py",
                vec!["a.d/t/v.py", "a/t/x.py", "b.py", "b/t/z.py"],
            ),
        ] {
            let found = expand(dir.path(), pattern).expect("it is certain");
            assert_eq!(found, expected, "{pattern}");
        }
        assert_eq!(expand(dir.path(), "a//t*"), None);
    }
}
