//! The options of the newest pytest, and those that plugins are known for and rpytest has, too, for completions and the
//! manual page: what can be known without asking Python. A test holds them against `--help`.

/// An option of pytest's, or of plugins.
#[derive(Debug)]
pub(crate) struct PytestOption {
    /// Its names; the one that is shown first.
    pub(crate) names: &'static [&'static str],
    /// What its value is called; nothing for a switch.
    pub(crate) value: &'static str,
    /// All that its value can be.
    pub(crate) choices: &'static [&'static str],
    /// What it does.
    pub(crate) help: &'static str,
}

const fn option(
    names: &'static [&'static str],
    value: &'static str,
    help: &'static str,
) -> PytestOption {
    PytestOption {
        names,
        value,
        choices: &[],
        help,
    }
}

const fn switch(names: &'static [&'static str], help: &'static str) -> PytestOption {
    option(names, "", help)
}

const fn one_of(
    names: &'static [&'static str],
    choices: &'static [&'static str],
    help: &'static str,
) -> PytestOption {
    let mut option = option(names, "WHICH", help);
    option.choices = choices;
    option
}

/// All of pytest's, as `--help` has them, and those of xdist's that are refused.
#[rustfmt::skip]
pub(crate) static OPTIONS: &[PytestOption] = &[
    option(&["-k"], "EXPRESSION", "Only tests whose names match"),
    option(&["-m"], "MARKEXPR", "Only tests whose marks match"),
    switch(&["--markers"], "List the marks"),
    switch(&["-x", "--exitfirst"], "Stop at the first failure"),
    option(&["--maxfail"], "N", "Stop after so many failures"),
    switch(&["--strict-config"], "A wrong configuration is an error"),
    switch(&["--strict-markers"], "An unknown mark is an error"),
    switch(&["--strict"], "All that is strict"),
    switch(&["--fixtures", "--funcargs"], "List the fixtures"),
    switch(&["--fixtures-per-test"], "List the fixtures that each test uses"),
    switch(&["--pdb"], "Debug at each failure"),
    option(&["--pdbcls"], "MODULE:CLASS", "The debugger"),
    switch(&["--trace"], "Debug from the start of each test"),
    one_of(&["--capture"], &["fd", "sys", "no", "tee-sys"], "How output is captured"),
    switch(&["-s"], "Capture no output"),
    switch(&["--runxfail"], "Take xfail marks for nothing"),
    switch(&["--lf", "--last-failed"], "Only tests that failed last"),
    switch(&["--ff", "--failed-first"], "Tests that failed last come first"),
    switch(&["--nf", "--new-first"], "Tests of new files come first"),
    option(&["--cache-show"], "GLOB", "Show what the cache has"),
    switch(&["--cache-clear"], "Empty the cache first"),
    one_of(&["--lfnf", "--last-failed-no-failures"], &["all", "none"], "What --lf runs if none failed"),
    switch(&["--sw", "--stepwise"], "Stop at a failure, and go on from there the next time"),
    switch(&["--sw-skip", "--stepwise-skip"], "The same, but for the first failure"),
    switch(&["--sw-reset", "--stepwise-reset"], "The same, from the start"),
    option(&["--durations"], "N", "List the slowest tests; 0 for all"),
    option(&["--durations-min"], "SECONDS", "What is too quick to be listed"),
    switch(&["-v", "--verbose"], "Say more"),
    switch(&["--no-header"], "No header"),
    switch(&["--no-summary"], "No summary"),
    switch(&["--no-fold-skipped"], "A line for each skipped test"),
    switch(&["--force-short-summary"], "A short summary, however verbose the rest"),
    switch(&["-q", "--quiet"], "Say less"),
    option(&["--verbosity"], "N", "How much to say"),
    option(&["-r", "--report-chars"], "CHARS", "Which outcomes the summary lists"),
    switch(&["--disable-warnings", "--disable-pytest-warnings"], "No summary of warnings"),
    switch(&["-l", "--showlocals"], "Show local variables"),
    switch(&["--no-showlocals"], "Hide local variables"),
    one_of(&["--tb"], &["auto", "long", "short", "no", "line", "native"], "How tracebacks look"),
    switch(&["--xfail-tb"], "Show tracebacks of expected failures"),
    one_of(&["--show-capture"], &["no", "stdout", "stderr", "log", "all"], "Which output of failed tests is shown"),
    switch(&["--full-trace", "--fulltrace"], "Cut no traceback"),
    one_of(&["--color"], &["yes", "no", "auto"], "Colours"),
    one_of(&["--code-highlight"], &["yes", "no"], "Colours in code"),
    one_of(&["--pastebin"], &["failed", "all"], "Publish the results"),
    option(&["--junit-xml", "--junitxml"], "PATH", "Write JUnit XML"),
    option(&["--junit-prefix", "--junitprefix"], "TEXT", "What class names begin with in it"),
    option(&["-W", "--pythonwarnings"], "FILTER", "What becomes of warnings"),
    option(&["--max-warnings"], "N", "More warnings are a failure"),
    switch(&["--collect-only", "--co", "--collectonly"], "List the tests, and run none"),
    switch(&["--pyargs"], "Arguments are packages"),
    option(&["--ignore"], "PATH", "Leave a path out"),
    option(&["--ignore-glob"], "GLOB", "Leave paths out"),
    option(&["--deselect"], "NODEID", "Leave tests out"),
    option(&["--confcutdir"], "DIR", "No conftest above it"),
    switch(&["--noconftest"], "No conftest at all"),
    switch(&["--keep-duplicates", "--keepduplicates"], "A path that is given twice counts twice"),
    switch(&["--collect-in-virtualenv"], "Look into virtual environments"),
    switch(&["--continue-on-collection-errors"], "Run what could be collected"),
    one_of(&["--import-mode"], &["prepend", "append", "importlib"], "How modules are imported"),
    switch(&["--doctest-modules"], "Run doctests of modules"),
    one_of(&["--doctest-report"], &["none", "cdiff", "ndiff", "udiff", "only_first_failure"], "How doctests show differences"),
    option(&["--doctest-glob"], "GLOB", "Which files are doctests"),
    switch(&["--doctest-ignore-import-errors"], "Modules that cannot be imported have no doctests"),
    switch(&["--doctest-continue-on-failure"], "Go on after a doctest's first failure"),
    option(&["-c", "--config-file"], "FILE", "The configuration"),
    option(&["--rootdir"], "DIR", "The root directory"),
    option(&["--basetemp"], "DIR", "Where temporary directories are"),
    switch(&["-V", "--version"], "Versions"),
    switch(&["-h", "--help"], "All options and settings"),
    option(&["-p"], "PLUGIN", "Load a plugin, or not: no:PLUGIN"),
    switch(&["--disable-plugin-autoload"], "Load no installed plugins"),
    switch(&["--trace-config", "--traceconfig"], "Say which plugins are active"),
    option(&["--debug"], "FILE", "Write what hooks are called"),
    option(&["-o", "--override-ini"], "NAME=VALUE", "A value of the configuration"),
    one_of(&["--assert"], &["rewrite", "plain"], "What is done with assertions"),
    switch(&["--setup-only", "--setuponly"], "Set fixtures up, and run no test"),
    switch(&["--setup-show", "--setupshow"], "Say which fixtures are set up"),
    switch(&["--setup-plan", "--setupplan"], "Say which would be"),
    option(&["--log-level"], "LEVEL", "From which level on logs are captured"),
    option(&["--log-format"], "FORMAT", "How they look"),
    option(&["--log-date-format"], "FORMAT", "How their dates look"),
    option(&["--log-cli-level"], "LEVEL", "From which level on logs are shown live"),
    option(&["--log-cli-format"], "FORMAT", "How live logs look"),
    option(&["--log-cli-date-format"], "FORMAT", "How their dates look"),
    option(&["--log-file"], "PATH", "Where logs are written"),
    one_of(&["--log-file-mode"], &["w", "a"], "Anew, or behind what is there"),
    option(&["--log-file-level"], "LEVEL", "From which level on they are written"),
    option(&["--log-file-format"], "FORMAT", "How they look there"),
    option(&["--log-file-date-format"], "FORMAT", "How their dates look there"),
    option(&["--log-auto-indent"], "HOW", "Indent messages of several lines"),
    option(&["--log-disable"], "LOGGER", "A logger to be silent"),
    option(&["--px"], "SPEC", "A gateway to other machines"),
    option(&["--rsyncdir"], "DIR", "What is copied to other machines"),
    option(&["--rsyncignore"], "GLOB", "What is not"),
    switch(&["-f", "--looponfail"], "Refused: --watch does it"),
];

/// What rpytest has itself where the plugins are not installed that are known for it: xdist, pytest-rerunfailures,
/// pytest-timeout.
#[rustfmt::skip]
pub(crate) static PROVIDED: &[PytestOption] = &[
    option(&["-n", "--numprocesses"], "N|auto|logical", "How many workers"),
    option(&["--maxprocesses"], "N", "How many at most, with auto and logical"),
    option(&["--max-worker-restart"], "N", "How many crashed workers are replaced"),
    one_of(&["--dist"], &["each", "load", "loadscope", "loadfile", "loadgroup", "worksteal", "no"], "How tests are given to workers"),
    switch(&["--loadscope-reorder"], "Larger scopes first"),
    switch(&["--no-loadscope-reorder"], "Scopes in order"),
    option(&["--tx"], "SPEC", "A kind of worker"),
    switch(&["-d"], "Short for --dist=load"),
    option(&["--testrunuid"], "ID", "The value of testrun_uid"),
    option(&["--maxschedchunk"], "N", "How many tests a worker is given at once"),
    option(&["--reruns"], "N", "How many times a test that fails is run again"),
    option(&["--reruns-delay"], "SECONDS", "How long to wait before it is"),
    option(&["--reruns-delay-backoff-factor"], "FACTOR", "By what that is multiplied each time"),
    option(&["--only-rerun"], "REGEX", "Run again only for errors that match"),
    option(&["--rerun-except"], "REGEX", "Do not run again for errors that match"),
    option(&["--timeout"], "SECONDS", "How long a test may take; 0 for no limit"),
    one_of(&["--timeout-method", "--timeout_method"], &["signal", "thread"], "How one is ended that takes longer"),
    switch(&["--timeout-disable-debugger-detection"], "Limits even with a debugger"),
    option(&["--session-timeout"], "SECONDS", "After how long no further test begins"),
];
