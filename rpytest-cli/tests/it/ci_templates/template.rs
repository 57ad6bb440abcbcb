//! A template of `docs/ci`, read as its CI reads it: what the jobs run, with which variables, and which files they hand
//! on. Whatever the proof of `rpytest merge` rests on is required; what is missing is an error.

use std::path::{Path, PathBuf};

use yaml_rust2::{Yaml, YamlLoader};

/// What a template says.
#[derive(Debug)]
pub struct Template {
    /// The variables of each shard that its CI or the template sets.
    pub shards: Vec<Vec<(String, String)>>,
    /// What each shard does.
    pub shard: Vec<Step>,
    /// The directory that a shard uploads.
    pub uploaded: PathBuf,
    /// Whether hidden files are uploaded, too.
    pub hidden: bool,
    /// Where the job that joins finds what was in it.
    pub downloaded: PathBuf,
    /// What that job does.
    pub merge: Vec<Step>,
    /// The file or directory that it finds in the cache, and saves there.
    pub saved: PathBuf,
    /// What of it every shard gets.
    pub handed: PathBuf,
    /// The JUnit XML that it publishes.
    pub junit: PathBuf,
}

/// What a job does that concerns rpytest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A command. The next steps are left out if it fails.
    Run(String),
    /// The upload of what the job has made.
    Upload {
        /// Also after a command that failed.
        always: bool,
    },
}

type Read<T> = Result<T, String>;

/// Reads a template by the name of its file.
pub fn read(name: &str, text: &str) -> Read<Template> {
    let documents = YamlLoader::load_from_str(text).map_err(|error| error.to_string())?;
    let [document] = &documents[..] else {
        return Err(format!("{} documents", documents.len()));
    };
    match name {
        "github-actions.yml" => github(document),
        "gitlab.yml" => gitlab(document),
        "circleci.yml" => circleci(document),
        "buildkite.yml" => buildkite(document),
        _ => Err("nobody knows this CI".to_owned()),
    }
}

fn github(document: &Yaml) -> Read<Template> {
    let jobs = &document["jobs"];
    let (durations, shard, merge) = (&jobs["durations"], &jobs["shard"], &jobs["merge"]);
    equal(&shard["strategy"]["fail-fast"], "false")?;
    equal(&shard["needs"], "durations")?;
    equal(&merge["needs"], "shard")?;
    equal(&merge["if"], "${{ !cancelled() }}")?;
    let matrix = shard["strategy"]["matrix"].as_hash().ok_or("no matrix")?;
    let lists = matrix.values().map(|values| list(values).len());
    let total = lists.product::<usize>();
    let variables = shard["env"].as_hash().ok_or("no env")?;
    let of_job = |index| {
        let set = variables.iter().map(|(name, value)| {
            let value = expressions(&text(value)?, index, total)?;
            Ok((text(name)?, value))
        });
        set.chain([Ok(pair("GITHUB_ACTIONS", "true"))])
            .collect::<Read<Vec<_>>>()
    };

    let uses = |job: &Yaml, action: &str| {
        let found = list(&job["steps"]).iter().find(|step| {
            let used = step["uses"].as_str().unwrap_or_default();
            let (name, version) = used.split_once('@').unwrap_or_default();
            name == action && version.starts_with('v')
        });
        found.cloned().ok_or(format!("no step uses {action}@v"))
    };
    let upload = uses(shard, "actions/upload-artifact")?;
    let download = uses(merge, "actions/download-artifact")?;
    equal(&download["with"]["merge-multiple"], "true")?;
    let pattern = text(&download["with"]["pattern"])?;
    let prefix = pattern.strip_suffix('*').ok_or("no pattern")?;
    let mut names = Vec::new();
    for index in 0..total {
        let name = expressions(&text(&upload["with"]["name"])?, index, total)?;
        if !name.starts_with(prefix) || names.contains(&name) {
            return Err(format!("the artifact {name} is lost"));
        }
        names.push(name);
    }

    // From the cache to all shards, and from the job that joins back to the cache.
    let newest = uses(durations, "actions/cache/restore")?;
    let base = uses(merge, "actions/cache/restore")?;
    let save = uses(merge, "actions/cache/save")?;
    equal(&save["if"], "${{ !cancelled() }}")?;
    let saved = text(&save["with"]["path"])?;
    for restore in [&newest, &base] {
        // A cache is found by its path, too.
        equal(&restore["with"]["path"], &saved)?;
        let prefix = text(&restore["with"]["restore-keys"])?;
        if !text(&save["with"]["key"])?.starts_with(&prefix) {
            return Err(format!("nobody saves {prefix}"));
        }
    }
    let found = format!("steps.{}.outputs.cache-matched-key", text(&newest["id"])?);
    equal(&durations["outputs"]["key"], &format!("${{{{ {found} }}}}"))?;
    let given = uses(durations, "actions/upload-artifact")?;
    equal(&given["if"], &format!("{found} != ''"))?;
    equal(&given["with"]["path"], &saved)?;
    equal(&given["with"]["include-hidden-files"], "true")?;
    let taken = uses(shard, "actions/download-artifact")?;
    equal(&taken["if"], "needs.durations.outputs.key != ''")?;
    equal(&taken["with"]["name"], &text(&given["with"]["name"])?)?;
    let saved = PathBuf::from(saved);
    // An artifact of one file is that file, without its directories.
    let file = saved.file_name().ok_or("the cache is of no file")?;
    let handed = path(&taken["with"]["path"])?.join(file);
    let published = uses(merge, "actions/upload-artifact")?;

    let run = |job: &Yaml, before: &str| {
        let commands = list(&job["steps"]).iter().filter_map(|step| {
            let command = step["run"].as_str()?;
            Some(expressions(command, 0, total))
        });
        ours(commands.collect::<Read<_>>()?, before)
    };
    Ok(Template {
        shards: (0..total).map(of_job).collect::<Read<_>>()?,
        shard: uploading(run(shard, SHARD)?, &upload["if"], "always()")?,
        uploaded: path(&upload["with"]["path"])?,
        hidden: upload["with"]["include-hidden-files"].as_bool() == Some(true),
        downloaded: path(&download["with"]["path"])?,
        merge: run(merge, MERGE)?,
        saved,
        handed,
        junit: path(&published["with"]["path"])?,
    })
}

/// Replaces what GitHub replaces. `strategy` is that of a job with this index.
fn expressions(text: &str, index: usize, total: usize) -> Read<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        let (name, after) = after.split_once("}}").ok_or("an open expression")?;
        out.push_str(before);
        out.push_str(&match name.trim() {
            "strategy.job-index" => index.to_string(),
            "strategy.job-total" => total.to_string(),
            other => return Err(format!("the expression {other} is not known")),
        });
        rest = after;
    }
    Ok(out + rest)
}

fn gitlab(document: &Yaml) -> Read<Template> {
    let (durations, shard, merge) = (
        &document["durations"],
        &document["shard"],
        &document["merge"],
    );
    equal(&shard["needs"][0], "durations")?;
    equal(&merge["needs"][0], "shard")?;
    equal(&merge["when"], "always")?;
    let cache = &document[".durations"]["cache"];
    for (job, policy) in [(durations, "pull"), (merge, "pull-push")] {
        equal(&job["extends"], ".durations")?;
        equal(&job["cache"]["policy"], policy)?;
    }
    equal(&merge["cache"]["when"], "always")?;
    let total = number(&shard["parallel"])?;
    let of_job = |index: usize| {
        vec![
            pair("GITLAB_CI", "true"),
            pair("CI_NODE_INDEX", &(index + 1).to_string()),
            pair("CI_NODE_TOTAL", &total.to_string()),
        ]
    };
    let run = |job: &Yaml, before: &str| {
        let commands = list(&job["script"]).iter().map(text);
        ours(commands.collect::<Read<_>>()?, before)
    };
    // Artifacts are found where they were.
    let uploaded = path(&shard["artifacts"]["paths"][0])?;
    Ok(Template {
        shards: (0..total).map(of_job).collect(),
        shard: uploading(run(shard, SHARD)?, &shard["artifacts"]["when"], "always")?,
        downloaded: uploaded.clone(),
        uploaded,
        hidden: true,
        merge: run(merge, MERGE)?,
        saved: path(&cache["paths"][0])?,
        handed: path(&durations["artifacts"]["paths"][0])?,
        junit: path(&merge["artifacts"]["reports"]["junit"])?,
    })
}

fn circleci(document: &Yaml) -> Read<Template> {
    let jobs = &document["jobs"];
    let (durations, shard, merge) = (&jobs["durations"], &jobs["shard"], &jobs["merge"]);
    let required = |name: &str| {
        let jobs = list(&document["workflows"]["tests"]["jobs"]).iter();
        let job = jobs.map(|job| &job[name]).find(|job| !job.is_badvalue());
        job.map(|job| &job["requires"][0])
            .ok_or(format!("no {name}"))
    };
    equal(required("shard")?, "durations")?;
    let states = &required("merge")?["shard"];
    equal(&states[0], "success")?;
    equal(&states[1], "failed")?;
    let special = |job: &Yaml, name: &str| {
        let mut steps = list(&job["steps"]).iter().map(|step| step[name].clone());
        let found = steps.find(|step| !step.is_badvalue());
        found.ok_or(format!("no {name}"))
    };
    // What is below `root` comes to be below `at`.
    let root_and_path = |job: &Yaml| {
        let persisted = special(job, "persist_to_workspace")?;
        Ok::<_, String>((path(&persisted["root"])?, path(&persisted["paths"][0])?))
    };
    let (shards_root, shards_path) = root_and_path(shard)?;
    let (handed_root, handed_path) = root_and_path(durations)?;
    equal(&special(shard, "attach_workspace")?["at"], ".")?;
    let at = path(&special(merge, "attach_workspace")?["at"])?;
    let save = special(merge, "save_cache")?;
    equal(&save["when"], "always")?;
    let prefix = text(&special(durations, "restore_cache")?["keys"][0])?;
    if !text(&save["key"])?.starts_with(&prefix) {
        return Err(format!("nobody saves {prefix}"));
    }
    let saved = path(&save["paths"][0])?;
    if saved != clean(&handed_root.join(&handed_path)) {
        return Err(format!("{} is handed on", handed_path.display()));
    }
    let total = number(&shard["parallelism"])?;
    let of_job = |index: usize| {
        vec![
            pair("CIRCLECI", "true"),
            pair("CIRCLE_NODE_INDEX", &index.to_string()),
            pair("CIRCLE_NODE_TOTAL", &total.to_string()),
        ]
    };
    let run = |steps: &[Yaml], before: Option<&str>| {
        let commands = steps.iter().filter_map(|step| {
            let run = &step["run"];
            run.as_str().or(run["command"].as_str())
        });
        let commands = commands.map(str::to_owned).collect();
        match before {
            Some(before) => ours(commands, before),
            None => Ok(commands.into_iter().map(Step::Run).collect()),
        }
    };
    let steps = list(&shard["steps"]);
    let persist = |step: &Yaml| !step["persist_to_workspace"].is_badvalue();
    let place = steps.iter().position(persist).ok_or("nothing persists")?;
    let mut of_shard = run(&steps[..place], Some(SHARD))?;
    of_shard.push(Step::Upload { always: false });
    of_shard.extend(run(&steps[place..], None)?);
    Ok(Template {
        shards: (0..total).map(of_job).collect(),
        shard: of_shard,
        uploaded: clean(&shards_root.join(&shards_path)),
        hidden: true,
        downloaded: clean(&at.join(&shards_path)),
        merge: run(list(&merge["steps"]), Some(MERGE))?,
        handed: saved.clone(),
        saved,
        junit: path(&special(merge, "store_test_results")?["path"])?,
    })
}

fn buildkite(document: &Yaml) -> Read<Template> {
    let step = |key: &str| {
        let mut steps = list(&document["steps"]).iter();
        let found = steps.find(|step| step["key"].as_str() == Some(key));
        found.ok_or(format!("no step {key}"))
    };
    let (durations, shard, merge) = (step("durations")?, step("shard")?, step("merge")?);
    equal(&shard["depends_on"], "durations")?;
    equal(&merge["depends_on"][0]["step"], "shard")?;
    equal(&merge["depends_on"][0]["allow_failure"], "true")?;
    let commands = |step: &Yaml| {
        let commands = list(&step["commands"]).iter().map(text);
        commands.collect::<Read<Vec<_>>>()
    };
    // What an artifact is asked for by, and the directory that it comes into.
    let download = |step: &Yaml, of: &str| {
        let commands = commands(step)?;
        let mut words = commands.iter().map(|command| {
            let words = command.split_whitespace();
            words
                .map(|word| word.trim_matches('\''))
                .collect::<Vec<_>>()
        });
        let found = words.find_map(|words| match words[..] {
            [
                "buildkite-agent",
                "artifact",
                "download",
                query,
                to,
                "--step",
                step,
                ..,
            ] if step == of => Some((query.to_owned(), PathBuf::from(to))),
            _ => None,
        });
        found.ok_or(format!("nothing of {of} is downloaded"))
    };
    let (query, to) = download(shard, "durations")?;
    equal(&durations["artifact_paths"][0], &query)?;
    let handed = clean(&to.join(query));
    let glob = text(&shard["artifact_paths"][0])?;
    let uploaded = glob.strip_suffix("/**/*").ok_or("no glob of all files")?;
    let (query, to) = download(merge, "shard")?;
    // Here a star stands for slashes, too.
    let asked = query.strip_suffix("/*").ok_or("no query for all files")?;
    if asked != uploaded {
        return Err(format!("{uploaded} is uploaded, and {asked} downloaded"));
    }
    let cache = |step: &Yaml| {
        let plugins = list(&step["plugins"]).iter().filter_map(Yaml::as_hash);
        let mut plugins = plugins.flatten();
        let found = plugins.find(|(name, _)| {
            name.as_str()
                .is_some_and(|name| name.starts_with("cache#v"))
        });
        found
            .map(|(_, options)| options.clone())
            .ok_or("no cache".to_owned())
    };
    let (pulled, pushed) = (cache(durations)?, cache(merge)?);
    for key in ["backend", "path", "restore", "compression"] {
        equal(&pulled[key], &text(&pushed[key])?)?;
    }
    equal(&pushed["save"], &text(&pushed["restore"])?)?;
    // A cache of a pipeline is not replaced otherwise.
    equal(&pushed["force"], "true")?;
    let total = number(&shard["parallelism"])?;
    let of_job = |index: usize| {
        vec![
            pair("BUILDKITE", "true"),
            pair("BUILDKITE_PARALLEL_JOB", &index.to_string()),
            pair("BUILDKITE_PARALLEL_JOB_COUNT", &total.to_string()),
        ]
    };
    let mut of_shard = ours(commands(shard)?, SHARD)?;
    of_shard.push(Step::Upload { always: true });
    Ok(Template {
        shards: (0..total).map(of_job).collect(),
        shard: of_shard,
        hidden: true,
        downloaded: clean(&to.join(uploaded)),
        uploaded: PathBuf::from(uploaded),
        merge: ours(commands(merge)?, MERGE)?,
        saved: path(&pushed["path"])?,
        handed,
        junit: path(&merge["artifact_paths"][0])?,
    })
}

/// How the command of each job begins.
const SHARD: &str = "rpytest --shard auto";
const MERGE: &str = "rpytest merge";

/// The commands that concern rpytest, but for those that install it and those of the CI itself. One begins so.
fn ours(commands: Vec<String>, beginning: &str) -> Read<Vec<Step>> {
    let others = ["pip install", "buildkite-agent "];
    let ours = commands.into_iter().filter(|command| {
        let other = others.iter().any(|other| command.starts_with(other));
        command.contains("rpytest") && !other
    });
    let ours: Vec<String> = ours.collect();
    let lines = ours.iter().flat_map(|command| command.lines());
    match lines.filter(|line| line.starts_with(beginning)).count() {
        1 => Ok(ours.into_iter().map(Step::Run).collect()),
        count => Err(format!("{count} commands begin with {beginning}")),
    }
}

/// Steps, and an upload after all of them on this condition.
fn uploading(mut steps: Vec<Step>, condition: &Yaml, always: &str) -> Read<Vec<Step>> {
    equal(condition, always)?;
    steps.push(Step::Upload { always: true });
    Ok(steps)
}

fn equal(value: &Yaml, expected: &str) -> Read<()> {
    match text(value)? {
        found if found == expected => Ok(()),
        found => Err(format!("{found} is not {expected}")),
    }
}

fn text(value: &Yaml) -> Read<String> {
    match value {
        Yaml::String(text) => Ok(text.clone()),
        Yaml::Integer(number) => Ok(number.to_string()),
        Yaml::Boolean(flag) => Ok(flag.to_string()),
        other => Err(format!("{other:?} is no text")),
    }
}

fn number(value: &Yaml) -> Read<usize> {
    let number = value.as_i64().and_then(|number| number.try_into().ok());
    number.ok_or(format!("{value:?} is no number"))
}

fn path(value: &Yaml) -> Read<PathBuf> {
    text(value).map(PathBuf::from)
}

/// Without a dot in front.
fn clean(path: &Path) -> PathBuf {
    path.strip_prefix(".").unwrap_or(path).to_owned()
}

fn list(value: &Yaml) -> &[Yaml] {
    value.as_vec().map_or(&[], Vec::as_slice)
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
