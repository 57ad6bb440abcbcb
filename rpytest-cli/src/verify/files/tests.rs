//! What was there is there again, whatever happened to it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn tree(root: &Path) -> BTreeMap<String, String> {
    let saved = Saved {
        roots: vec![root.to_owned()],
        apart: PathBuf::new(),
        closed: BTreeSet::new(),
        entries: BTreeMap::new(),
        store: PathBuf::new(),
        replaced: BTreeMap::new(),
    };
    let described = saved
        .walk(root, usize::MAX)
        .0
        .into_iter()
        .map(|(path, metadata)| {
            let content = match metadata.is_file() {
                true => fs::read_to_string(&path).expect("text"),
                false => String::new(),
            };
            // That of a link is nobody's business.
            let modified = (!metadata.is_symlink()).then(|| metadata.modified().expect("a time"));
            let text = format!("{:o} {modified:?} {content}", metadata.mode());
            (path.to_string_lossy().into_owned(), text)
        });
    described.collect()
}

#[test]
fn everything_is_as_it_was() {
    let place = tempfile::tempdir().expect("a directory");
    let (root, store) = (place.path().join("project"), place.path().join("store"));
    for directory in ["cache/v", "empty", "__pycache__"] {
        fs::create_dir_all(root.join(directory)).expect("a directory");
    }
    fs::create_dir(&store).expect("a directory");
    for (file, text) in [("a.py", "a"), ("cache/v/last", "{}"), ("script", "#!")] {
        fs::write(root.join(file), text).expect("a file");
    }
    fs::set_permissions(root.join("script"), Permissions::from_mode(0o755)).expect("a mode");
    std::os::unix::fs::symlink("a.py", root.join("link")).expect("a link");
    let before = tree(&root);
    let apart = root.join("apart");
    let mut saved = Saved::take(vec![root.clone()], &apart, &store).expect("kept");
    assert_eq!(saved.changes(), Vec::<PathBuf>::new());
    fs::write(root.join("a.py"), "b").expect("a file");
    fs::write(root.join("new"), "").expect("a file");
    fs::create_dir_all(root.join("made/deep")).expect("a directory");
    fs::write(root.join("made/deep/file"), "").expect("a file");
    fs::write(root.join("__pycache__/a.pyc"), "").expect("a file");
    fs::remove_dir_all(root.join("cache")).expect("it goes");
    fs::remove_file(root.join("link")).expect("it goes");
    fs::remove_dir(root.join("empty")).expect("it goes");
    fs::write(root.join("empty"), "a file now").expect("a file");
    let mut changes: Vec<_> = saved
        .changes()
        .into_iter()
        .map(|path| {
            path.strip_prefix(&root)
                .expect("below")
                .display()
                .to_string()
        })
        .collect();
    changes.sort();
    let expected = [
        "a.py",
        "cache/v/last",
        "empty",
        "link",
        "made/deep/file",
        "new",
    ];
    assert_eq!(changes, expected);
    assert_eq!(saved.restore(), Vec::<String>::new());
    assert_eq!(saved.changes(), Vec::<PathBuf>::new());
    assert_eq!(tree(&root), before);
    assert!(root.join("__pycache__/a.pyc").exists(), "bytecode stays");
    fs::write(root.join("new"), "").expect("a file");
    assert_eq!(saved.restore(), Vec::<String>::new());
    let mut doubtful: Vec<_> = saved.doubtful(2).collect();
    doubtful.sort();
    let names: Vec<_> = doubtful.iter().map(|(path, _)| path.file_name()).collect();
    let expected = ["a.py", "empty", "file"].map(|name| Some(name.as_ref()));
    assert_eq!(names, expected, "`new` was made by both runs");
    assert_eq!(fs::read_to_string(doubtful[0].1).expect("kept"), "b");
}

/// A directory with `secret` and `below/file`, and one for copies.
fn two_places() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let place = tempfile::tempdir().expect("a directory");
    let (root, store) = (place.path().join("project"), place.path().join("store"));
    fs::create_dir_all(root.join("below")).expect("a directory");
    fs::create_dir(&store).expect("a directory");
    for file in ["secret", "below/file"] {
        fs::write(root.join(file), "as it was").expect("a file");
    }
    (place, root, store)
}

fn take(root: &Path, store: &Path) -> Result<Saved, FilesError> {
    Saved::take(vec![root.to_owned()], &root.join("apart"), store)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
}

#[test]
fn what_has_no_copy_is_not_removed() {
    let (_place, root, store) = two_places();
    let mut saved = take(&root, &store).expect("kept");
    // As if it could not have been read; root reads everything.
    let secret = root.join("secret");
    match saved.entries.get_mut(&secret) {
        Some(Entry::File { copy, .. }) => *copy = None,
        other => panic!("{other:?}"),
    }
    set_mode(&secret, 0o200);
    assert_eq!(
        saved.restore(),
        Vec::<String>::new(),
        "a mode needs no copy"
    );
    assert_eq!(saved.changes(), Vec::<PathBuf>::new());
    fs::write(&secret, "another").expect("a file");
    set_mode(&secret, 0o604);
    let problems = saved.restore();
    assert!(
        problems.len() == 1 && problems[0].contains("secret: it could not be read before"),
        "{problems:?}"
    );
    assert_eq!(fs::read_to_string(&secret).expect("it is there"), "another");
    let mode = fs::metadata(&secret).expect("it is there").mode();
    assert_ne!(mode & 0o777, 0o604);
}

#[test]
fn what_could_not_be_looked_into_is_left_alone() {
    let (_place, root, store) = two_places();
    let below = root.join("below");
    let mut saved = take(&root, &store).expect("kept");
    // As if it had been locked then.
    saved.closed.insert(below.clone());
    saved.entries.remove(&below.join("file"));
    assert_eq!(saved.changes(), Vec::<PathBuf>::new());
    assert_eq!(saved.restore(), Vec::<String>::new());
    assert!(below.join("file").exists());
}

#[test]
fn locked_directories_are_opened() {
    let (_place, root, store) = two_places();
    let before = tree(&root);
    let mut saved = take(&root, &store).expect("kept");
    fs::create_dir_all(root.join("new/deep")).expect("a directory");
    fs::write(root.join("new/deep/file"), "").expect("a file");
    for locked in ["below", "new/deep", "new"] {
        set_mode(&root.join(locked), 0);
    }
    assert_eq!(saved.restore(), Vec::<String>::new());
    assert_eq!(tree(&root), before);
    assert!(
        remove_whole(&root.join("new")).is_ok(),
        "it is gone already"
    );
}

#[test]
fn what_is_in_a_read_only_directory_is_put_back() {
    // Root needs no permission, so that this shows something to everybody else.
    let (_place, root, store) = two_places();
    let below = root.join("below");
    set_mode(&below, 0o555);
    let before = tree(&root);
    let mut saved = take(&root, &store).expect("kept");
    fs::write(below.join("file"), "another").expect("a file");
    assert_eq!(saved.restore(), Vec::<String>::new());
    assert_eq!(tree(&root), before);
    remove_whole(&below).expect("it goes");
    assert_eq!(saved.restore(), Vec::<String>::new());
    assert_eq!(tree(&root), before);
    set_mode(&below, 0o755);
}

#[test]
fn a_link_in_the_place_of_a_file_is_not_followed() {
    let (place, root, store) = two_places();
    let mut saved = take(&root, &store).expect("kept");
    let outside = place.path().join("outside");
    fs::write(&outside, "of somebody else").expect("a file");
    let file = root.join("below/file");
    fs::remove_file(&file).expect("it goes");
    std::os::unix::fs::symlink(&outside, &file).expect("a link");
    assert_eq!(saved.restore(), Vec::<String>::new());
    assert_eq!(
        fs::read_to_string(&outside).expect("text"),
        "of somebody else"
    );
    assert_eq!(fs::read_to_string(&file).expect("text"), "as it was");
}

#[test]
fn what_cannot_be_put_back_is_told_with_its_copy() {
    let (_place, root, store) = two_places();
    let mut saved = take(&root, &store).expect("kept");
    assert_eq!(saved.lost().count(), 0);
    fs::remove_dir_all(&root).expect("it goes");
    fs::write(&root, "in its way").expect("a file");
    let lost: Vec<_> = saved.lost().collect();
    assert_eq!(lost.len(), 2);
    assert_eq!(fs::read_to_string(lost[0].1).expect("kept"), "as it was");
    assert_eq!(saved.restore(), Vec::<String>::new());
    assert_eq!(saved.lost().count(), 0);
}

#[test]
fn too_much_is_not_copied_first() {
    let (_place, root, store) = two_places();
    let large = fs::File::create(root.join("large")).expect("a file");
    large.set_len(MOST_BYTES + 1).expect("a hole");
    let error = take(&root, &store).expect_err("too much");
    assert!(matches!(error, FilesError::TooMany { .. }), "{error}");
    let copied = fs::read_dir(&store).expect("a directory").flatten();
    let sizes = copied.map(|entry| entry.metadata().expect("it is there").len());
    assert!(sizes.sum::<u64>() < 100);
}
