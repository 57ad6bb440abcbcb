#![doc = include_str!("../README.md")]
#![deny(missing_docs)]
#![allow(dead_code)]
mod syntax;
