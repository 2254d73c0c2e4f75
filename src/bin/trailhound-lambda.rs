//! Trailhound as a Lambda function.

fn main() {}
