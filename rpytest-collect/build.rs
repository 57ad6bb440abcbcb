//! Digests of the code, by which what one version has kept on the disk is not taken by another. A list of files in the
//! code itself would be wrong on the day on which somebody adds one.

use std::collections::BTreeMap;
use std::error::Error;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What makes the facts of a file. All that there is makes the answers.
const FACTS: [&str; 3] = ["src/syntax", "src/sources.rs", "src/cache"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("not run by cargo")?);
    let mut files = BTreeMap::new();
    read(&root, Path::new("src"), &mut files)?;
    // The versions of the parsers, as far as this build can see them.
    for name in ["Cargo.toml", "../Cargo.toml", "../Cargo.lock"] {
        if root.join(name).is_file() {
            read(&root, Path::new(name), &mut files)?;
        }
    }
    let of_facts = files.iter().filter(|(path, _)| {
        !path.starts_with("src") || FACTS.iter().any(|part| path.starts_with(part))
    });
    println!(
        "cargo::rustc-env=RPYTEST_COLLECT_FACTS={}",
        digest(of_facts)
    );
    println!(
        "cargo::rustc-env=RPYTEST_COLLECT_CODE={}",
        digest(files.iter())
    );
    Ok(())
}

fn read(root: &Path, path: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> io::Result<()> {
    let full = root.join(path);
    // A directory too, for files that come and go.
    println!("cargo::rerun-if-changed={}", full.display());
    if !full.is_dir() {
        files.insert(path.to_owned(), fs::read(full)?);
        return Ok(());
    }
    for entry in fs::read_dir(full)? {
        read(root, &path.join(entry?.file_name()), files)?;
    }
    Ok(())
}

/// Of files, the features and the version.
fn digest<'a>(files: impl Iterator<Item = (&'a PathBuf, &'a Vec<u8>)>) -> String {
    let mut hasher = DefaultHasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.write_usize(bytes.len());
        hasher.write(bytes);
    };
    for (path, bytes) in files {
        add(path.as_os_str().as_encoded_bytes());
        add(bytes);
    }
    let features = env::vars().filter(|(name, _)| name.starts_with("CARGO_FEATURE_"));
    let mut features: Vec<String> = features.map(|(name, _)| name).collect();
    features.sort();
    for name in &features {
        add(name.as_bytes());
    }
    add(env::var("CARGO_PKG_VERSION").unwrap_or_default().as_bytes());
    format!("{:016x}", hasher.finish())
}
