//! Real Python processes under supervision. They need a `python3`, and no pytest.
#![cfg(unix)]

mod ends;
mod lab;
mod python_side;
mod supervision;
