//! Trailhound on the command line.

fn main() {}
