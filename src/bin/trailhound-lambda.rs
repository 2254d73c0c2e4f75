//! Trailhound as a Lambda function.

use tokio::runtime::Builder;

/// What the command line has: facts are many small pieces of memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), lambda_runtime::Error> {
    Builder::new_multi_thread().enable_all().build()?.block_on(trailhound::lambda::run())
}
