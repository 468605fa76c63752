//! The program of `tests/engines/axum`: built by cargo, serving a file, killed when dropped.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::Result;

/// Where it has the file.
pub(crate) const TARGET: &str = "/report.csv";

/// axum, serving.
pub(crate) struct Axum {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Axum {
    /// Builds it into the bench's own target folder, and starts it.
    pub(crate) fn start(file: &Path) -> Result<Self> {
        let inside = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let target = inside.parent().unwrap_or(inside).join("axum");
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engines/axum/Cargo.toml");
        eprintln!("axum …");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--release", "--locked", "--quiet"]);
        cargo.arg("--manifest-path").arg(package);
        let built = cargo.arg("--target-dir").arg(&target).output()?;
        if !built.status.success() {
            let said = String::from_utf8_lossy(&built.stderr);
            let why = said.trim();
            return Err(format!("axum cannot be built: {why}").into());
        }
        let mut program = Command::new(target.join("release/axum-reference"));
        let mut child = program.arg(file).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let mut axum = Self {
            child,
            address: ([127, 0, 0, 1], 0).into(),
        };
        axum.address = line.trim_end().parse()?;
        Ok(axum)
    }
}

impl Drop for Axum {
    fn drop(&mut self) {
        // Best effort: it has nothing to lose.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
