//! User agents, as SDKs, tools and browsers really send them.

/// Calls made from the console.
pub(super) const CONSOLE: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";
/// The command line on a laptop.
pub(super) const LAPTOP: &str = "aws-cli/2.22.7 md/awscrt#0.23.4 ua/2.0 os/macos#24.1.0 md/arch#arm64 lang/python#3.12.6 md/pyimpl#CPython cfg/retry-mode#standard md/installer#exe";
/// The command line in a CI run.
pub(super) const RUNNER: &str = "aws-cli/2.22.7 md/awscrt#0.23.4 ua/2.0 os/linux#6.8.0 md/arch#x86_64 lang/python#3.12.6 md/pyimpl#CPython cfg/retry-mode#standard md/installer#exe";
/// Terraform.
pub(super) const TERRAFORM: &str = "APN/1.0 HashiCorp/1.0 Terraform/1.9.8 (+https://www.terraform.io) terraform-provider-aws/5.77.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.32.5 ua/2.1 os/linux lang/go#1.23.3 md/GOOS#linux md/GOARCH#amd64";
/// A Python function in Lambda.
pub(super) const RUNTIME: &str = "Boto3/1.35.70 md/Botocore#1.35.70 ua/2.0 os/linux#5.10.227 md/arch#aarch64 lang/python#3.13.0 md/pyimpl#CPython exec-env/AWS_Lambda_python3.13 cfg/retry-mode#legacy Botocore/1.35.70";
/// A Python program on an instance.
pub(super) const PYTHON: &str = "Boto3/1.35.70 md/Botocore#1.35.70 ua/2.0 os/linux#6.1.115 md/arch#aarch64 lang/python#3.12.7 md/pyimpl#CPython cfg/retry-mode#standard Botocore/1.35.70";
/// A Python program somewhere else, not updated for a while.
pub(super) const OLD_PYTHON: &str = "Boto3/1.34.11 md/Botocore#1.34.11 ua/2.0 os/linux#5.15.0 md/arch#x86_64 lang/python#3.10.12 md/pyimpl#CPython cfg/retry-mode#legacy Botocore/1.34.11";
/// A Go program.
pub(super) const GO: &str =
    "aws-sdk-go-v2/1.32.5 ua/2.1 os/linux lang/go#1.23.3 md/GOOS#linux md/GOARCH#arm64";
/// A Java program on a cluster.
pub(super) const JAVA: &str =
    "aws-sdk-java/2.29.20 Linux/5.10.228 OpenJDK_64-Bit_Server_VM/17.0.13 exec-env/EMR";
/// The agent of Systems Manager.
pub(super) const SSM_AGENT: &str = "aws-sdk-go/1.55.5 (go1.23.4; linux; arm64) amazon-ssm-agent/";
