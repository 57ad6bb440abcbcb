//! Measurements: `cargo bench -p rpytest-benches` for the libraries, `benches/compare.py` for the command.
