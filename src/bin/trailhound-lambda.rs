//! Trailhound as a Lambda function.

use tokio::runtime::Builder;

fn main() -> Result<(), lambda_runtime::Error> {
    Builder::new_multi_thread().enable_all().build()?.block_on(trailhound::lambda::run())
}
