//! The templates in `docs/ci` do what they say. Their own commands are run, each shard in a copy of the project as on a
//! machine of its own, with the variables that the CI sets; files go from job to job as the template hands them on.

mod template;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use self::template::{Step, Template, read};
use crate::support::python::main_venv;
use crate::support::{Command, Project, Run};

/// Tests that leave their names when they run.
const FILES: &str = "
--- conftest.py
import pytest

@pytest.fixture(autouse=True)
def ran(request):
    with open('ran', 'a') as file:
        file.write(request.node.nodeid + ' ')
--- test_a.py
def test_1(): pass
def test_2(): pass
--- test_b.py
def test_3(): pass
def test_4(): pass
--- test_c.py
def test_5(): pass
--- test_d.py
def test_6(): pass
--- test_e.py
import pytest

@pytest.mark.parametrize('number', range(4))
def test_7(number): pass
--- test_f.py
class TestIt:
    def test_8(self): pass
";

/// In the place of a file of these.
const FAILS: &str = "
--- test_b.py
def test_3(): assert 0
def test_4(): pass
";

/// All of them.
const TESTS: [&str; 11] = [
    "test_a.py::test_1",
    "test_a.py::test_2",
    "test_b.py::test_3",
    "test_b.py::test_4",
    "test_c.py::test_5",
    "test_d.py::test_6",
    "test_e.py::test_7[0]",
    "test_e.py::test_7[1]",
    "test_e.py::test_7[2]",
    "test_e.py::test_7[3]",
    "test_f.py::TestIt::test_8",
];

/// The text of a file of `docs/ci`.
fn text_of(name: &str) -> String {
    let crate_directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(crate_directory.join("../docs/ci").join(name)).expect("the template")
}

fn template(name: &str) -> Template {
    read(name, &text_of(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What a CI keeps from job to job, and from pipeline to pipeline.
struct Ci<'a> {
    template: &'a Template,
    cache: TempDir,
}

/// A pipeline whose shards have run.
struct Shards {
    runs: Vec<Run>,
    /// The tests that each has run.
    ran: Vec<Vec<String>>,
    /// What each has uploaded, if it has.
    artifacts: Vec<Option<TempDir>>,
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

impl<'a> Ci<'a> {
    fn new(template: &'a Template) -> Self {
        let cache = directory();
        Self { template, cache }
    }

    /// Runs every shard on a machine of its own.
    fn shards(&self, files: &str) -> Shards {
        let Template {
            shards, uploaded, ..
        } = self.template;
        let mut all = Shards {
            runs: Vec::new(),
            ran: Vec::new(),
            artifacts: Vec::new(),
        };
        for (index, variables) in shards.iter().enumerate() {
            let project = Project::new(FILES);
            project.write(files);
            self.restore(&self.template.handed, &project);
            let mut artifact = None;
            let run = run(&project, &self.template.shard, variables, || {
                let made = project.root().join(uploaded);
                if !made.exists() {
                    return;
                }
                // What pytest-cov would have left.
                let [shard] = &entries(&made)[..] else {
                    panic!("{} has not one shard", made.display());
                };
                let hidden = shard.join(format!(".coverage.shard-{index}"));
                fs::write(hidden, "data").expect("written");
                let to = directory();
                copy(&made, to.path(), self.template.hidden);
                artifact = Some(to);
            });
            all.runs.push(run);
            all.ran.push(project.words("ran"));
            all.artifacts.push(artifact);
        }
        all
    }

    /// Joins what the shards have uploaded, on another machine.
    fn merge(&self, shards: &Shards) -> (Run, Project) {
        let project = Project::new(FILES);
        self.restore(&self.template.saved, &project);
        let to = project.root().join(&self.template.downloaded);
        for artifact in shards.artifacts.iter().flatten() {
            copy(artifact.path(), &to, true);
        }
        let run = run(&project, &self.template.merge, &[], || {});
        let saved = project.root().join(&self.template.saved);
        if saved.exists() {
            copy(&saved, &self.cache.path().join(&self.template.saved), true);
        }
        (run, project)
    }

    fn restore(&self, path: &Path, project: &Project) {
        let cached = self.cache.path().join(path);
        if cached.exists() {
            copy(&cached, &project.root().join(path), true);
        }
    }
}

/// Does the steps of a job, and returns what its commands have written, and the code of the first that failed.
fn run(
    project: &Project,
    steps: &[Step],
    variables: &[(String, String)],
    mut upload: impl FnMut(),
) -> Run {
    let mut job = Run {
        stdout: String::new(),
        stderr: String::new(),
        code: 0,
    };
    for step in steps {
        match step {
            Step::Upload { always } if job.code == 0 || *always => upload(),
            Step::Run(command) if job.code == 0 => {
                let run = shell(project, command, variables);
                job.stdout += &run.stdout;
                job.stderr += &run.stderr;
                job.code = run.code;
            }
            Step::Upload { .. } | Step::Run(_) => {}
        }
    }
    job
}

/// Runs a command as a CI does: it ends at the first failure. That it also ends at a variable that nobody has set is ours.
fn shell(project: &Project, command: &str, variables: &[(String, String)]) -> Run {
    let rpytest = Path::new(env!("CARGO_BIN_EXE_rpytest"));
    let bin = rpytest.parent().expect("its directory").to_owned();
    let directories = [
        main_venv().bin(),
        bin,
        PathBuf::from("/usr/bin"),
        PathBuf::from("/bin"),
    ];
    let path = env::join_paths(directories).expect("a path");
    let mut shell = Command::shell(main_venv(), project, &format!("set -eu\n{command}"))
        .env("PATH", &path.to_string_lossy())
        .env("CI", "true");
    for (name, value) in variables {
        shell = shell.env(name, value);
    }
    shell.run()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory");
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

/// Copies a file, or what is in a directory.
fn copy(from: &Path, to: &Path, hidden: bool) {
    if from.is_file() {
        fs::create_dir_all(to.parent().expect("a parent")).expect("a directory");
        fs::copy(from, to).expect("a copy");
        return;
    }
    fs::create_dir_all(to).expect("a directory");
    for entry in entries(from) {
        let name = entry.file_name().expect("a name");
        if hidden || !name.to_string_lossy().starts_with('.') {
            copy(&entry, &to.join(name), hidden);
        }
    }
}

/// The digest of the durations that all shards were planned by, as those that were joined say.
#[track_caller]
fn one_history(project: &Project, template: &Template) -> String {
    let shards = entries(&project.root().join(&template.downloaded));
    let digests = shards.iter().map(|shard| {
        let text = fs::read_to_string(shard.join("manifest.json")).expect("a manifest");
        let manifest: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        manifest["history"].as_str().expect("a digest").to_owned()
    });
    let digests: BTreeSet<String> = digests.collect();
    assert_eq!(digests.len(), 1, "all by the same: {digests:?}");
    digests.into_iter().next().expect("one")
}

/// Each shard ran tests, none ran another's, and together they ran all.
#[track_caller]
fn each_test_ran_once(shards: &Shards) {
    for (run, ran) in shards.runs.iter().zip(&shards.ran) {
        assert!(!ran.is_empty(), "a shard without tests: {run}");
    }
    let mut all = shards.ran.concat();
    all.sort();
    assert_eq!(all, TESTS);
}

#[track_caller]
fn has_all_tests(junit: &str) {
    assert_eq!(junit.matches("<testcase ").count(), TESTS.len(), "{junit}");
    for test in TESTS {
        let name = test.rsplit("::").next().expect("a name");
        assert!(junit.contains(&format!("name=\"{name}\"")), "{test}");
    }
}

/// A pipeline that passes, one after it that fails, and the same with a shard lost.
fn does_what_it_says(name: &str) {
    let template = template(name);
    let count = template.shards.len();
    assert!(count > 1, "{template:?}");
    let ci = Ci::new(&template);
    let junit = |project: &Project| project.read(&template.junit.to_string_lossy());

    let first = ci.shards("");
    for run in &first.runs {
        assert_eq!(run.code, 0, "{name}: {run}");
        run.shows(&["no durations of earlier runs are known"]);
    }
    each_test_ran_once(&first);
    let (run, project) = ci.merge(&first);
    assert_eq!(run.code, 0, "{name}: {run}");
    run.shows(&[&format!("11 passed in {count} of {count} shards")]);
    has_all_tests(&junit(&project));
    let durations = project.read(".pytest_cache/v/rpytest/durations.json");
    assert!(durations.contains("test_8"), "{name}: {durations}");
    for index in 0..count {
        let file = format!("shard-{index}-of-{count}/.coverage.shard-{index}");
        let file = template.downloaded.join(file);
        assert_eq!(project.read(&file.to_string_lossy()), "data", "{file:?}");
    }
    let without = one_history(&project, &template);

    let mut second = ci.shards(FAILS);
    for run in &second.runs {
        run.shows(&["by earlier runs"]);
    }
    let codes: Vec<i32> = second.runs.iter().map(|run| run.code).collect();
    assert_eq!(codes.iter().sum::<i32>(), 1, "{name}: {codes:?}");
    each_test_ran_once(&second);
    let (run, project) = ci.merge(&second);
    assert_eq!(run.code, 1, "{name}: {run}");
    run.shows(&["1 failed, 10 passed", "test_b.py::test_3"]);
    has_all_tests(&junit(&project));
    assert_eq!(junit(&project).matches("<failure ").count(), 1);
    assert_ne!(one_history(&project, &template), without, "{name}");

    let lost = count - 1;
    second.artifacts[lost] = None;
    let (run, _) = ci.merge(&second);
    assert_eq!(run.code, 3, "{name}: {run}");
    let missing = format!("there is no manifest of shard {lost} of {count}");
    assert!(run.stderr.contains(&missing), "{name}: {run}");
    for test in &second.ran[lost] {
        assert!(run.stderr.contains(test), "{name}: {test}: {run}");
    }
}

#[test]
fn github_actions() {
    does_what_it_says("github-actions.yml");
}

#[test]
fn gitlab() {
    does_what_it_says("gitlab.yml");
}

#[test]
fn circleci() {
    does_what_it_says("circleci.yml");
}

#[test]
fn buildkite() {
    does_what_it_says("buildkite.yml");
}

#[test]
fn each_template_has_a_test_and_is_in_the_readme() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ci");
    let files = entries(&directory).into_iter();
    let templates = files.filter(|file| file.extension().is_some_and(|it| it == "yml"));
    let mut names: Vec<String> = templates
        .map(|file| {
            let name = file.file_name().expect("a name");
            name.to_string_lossy().into_owned()
        })
        .collect();
    names.sort();
    let expected = [
        "buildkite.yml",
        "circleci.yml",
        "github-actions.yml",
        "gitlab.yml",
    ];
    assert_eq!(names, expected);
    let readme = text_of("README.md");
    for name in names {
        assert!(readme.contains(&format!("({name})")), "{name}");
    }
}

/// A template that has lost what matters is refused, and does not pass for want of something to run.
#[test]
fn a_template_without_what_matters_is_refused() {
    for (name, there, instead, error) in [
        ("github-actions.yml", SHARD, "pytest --shard", NO_SHARD),
        ("gitlab.yml", SHARD, "pytest --shard", NO_SHARD),
        ("circleci.yml", SHARD, "pytest --shard", NO_SHARD),
        ("buildkite.yml", SHARD, "pytest --shard", NO_SHARD),
        ("github-actions.yml", MERGE, "true", NO_MERGE),
        ("gitlab.yml", MERGE, "true", NO_MERGE),
        ("circleci.yml", MERGE, "true", NO_MERGE),
        ("buildkite.yml", MERGE, "true", NO_MERGE),
        (
            "github-actions.yml",
            "RPYTEST_SHARD: ${{ strategy.job-index }}",
            "RPYTEST_SHARD: ${{ matrix.index }}",
            "the expression matrix.index is not known",
        ),
        (
            "github-actions.yml",
            "name: rpytest-shard-${{ strategy.job-index }}",
            "name: rpytest-shard-0",
            "the artifact rpytest-shard-0 is lost",
        ),
        (
            "github-actions.yml",
            "include-hidden-files: true",
            "include-hidden-files: false",
            "false is not true",
        ),
        ("gitlab.yml", "  parallel: 4", "", "BadValue is no number"),
        (
            "circleci.yml",
            "                - failed",
            "",
            "BadValue is no text",
        ),
        (
            "buildkite.yml",
            "allow_failure: true",
            "allow_failure: false",
            "false is not true",
        ),
    ] {
        let text = text_of(name);
        assert!(text.contains(there), "{name}: {there}");
        let found = read(name, &text.replacen(there, instead, 1)).map(|_| ());
        assert_eq!(found, Err(error.to_owned()), "{name}: {there}");
    }
}

const SHARD: &str = "rpytest --shard auto";
const MERGE: &str = "rpytest merge rpytest-shards";
const NO_SHARD: &str = "0 commands begin with rpytest --shard auto";
const NO_MERGE: &str = "0 commands begin with rpytest merge";
